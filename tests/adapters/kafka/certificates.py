"""Certificates that are made for a test, as PEM files in a folder."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, in a file each and in one file together."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    """Signs certificates. Its own is in `file`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self._certificate = (
            _begun(self._name, self._name, self._key, until=NOW + DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(self._certificate))

    def sign(
        self, name: str, *, host: str = "127.0.0.1", until: datetime = NOW + DAY, passphrase: bytes | None = None
    ) -> Pair:
        """A certificate of this name, for a host; its key is encrypted where a passphrase is given."""
        key = ec.generate_private_key(ec.SECP256R1())
        found = [x509.IPAddress(ip_address(host))] if host[0].isdigit() else [x509.DNSName(host)]
        certificate = (
            _begun(_named(name), self._name, key, until=until)
            .add_extension(x509.SubjectAlternativeName(found), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
        pair = Pair(*(self._folder / f"{name}.{each}" for each in ("crt", "key", "pem")))
        pair.certificate.write_bytes(_pem(certificate))
        pair.key.write_bytes(private)
        pair.both.write_bytes(private + _pem(certificate) + _pem(self._certificate))
        return pair


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 10 * DAY)
        .not_valid_after(until)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)

"""Keys of agencies: only one that files can be encrypted with now is taken, and only its holder can read them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pysequoia import ArmorKind, Cert, Tsk, armor, decrypt
from pysequoia.packet import PacketPile

from adapters.placement.encryption import KeyProblem, encrypt_to, key_fault, key_shown

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=2)


def a_key(*, seconds: int | None = None) -> Tsk:
    return Tsk.generate("Acme Recovery <files@acme.example>", validity_seconds=seconds)


def text_of(key: Tsk) -> str:
    return str(key.extract_certificate())


def test_only_the_agency_reads_what_is_encrypted_for_it(tmp_path: Path) -> None:
    key, source, target = a_key(), tmp_path / "file.csv", tmp_path / "file.csv.pgp"
    source.write_bytes(b"Ann Lee,12.50\r\n" * 1_000)
    fingerprint = encrypt_to(text_of(key), source, target, now=NOW)
    assert fingerprint == key_shown(text_of(key)).fingerprint == key.extract_certificate().fingerprint.upper()
    assert b"Ann" not in target.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
    assert decrypt(target.read_bytes(), decryptor=key.decryptor()).bytes == source.read_bytes()
    with pytest.raises(RuntimeError):
        decrypt(target.read_bytes(), decryptor=a_key().decryptor())


def test_a_key_that_holds_is_taken_and_said_until_when() -> None:
    text = text_of(a_key(seconds=86_400 * 30))
    expires = key_shown(text).expires_at
    assert expires is not None
    assert timedelta(days=29) < expires - NOW < timedelta(days=31)
    assert key_fault(text, NOW) is None
    assert "expired on" in str(key_fault(text, NOW + timedelta(days=31)))


def _signs_alone() -> str:
    *others, _, _ = PacketPile.from_bytes(bytes(a_key().extract_certificate()))  # the part that encrypts is the last
    return str(Cert.from_packets(others))


def _revoked() -> str:
    key = a_key()
    cert = key.extract_certificate()
    return str(Cert.from_bytes(bytes(cert) + bytes(cert.revoke(key.certifier()))))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (str, "one OpenPGP public key"),
        (lambda: "ssh-ed25519 AAAA", "one OpenPGP public key"),
        (lambda: text_of(a_key())[:200], "one OpenPGP public key"),
        (lambda: armor(bytes(a_key()), ArmorKind.SecretKey), "public key: this one is secret"),
        (_signs_alone, "can encrypt"),
        (_revoked, "revoked"),
        (lambda: text_of(a_key(seconds=86_400)), "expired on"),
    ],
)
def test_another_key_is_refused_and_why(make: Callable[[], str], says: str, tmp_path: Path) -> None:
    text = make()
    assert says in str(key_fault(text, LATER))
    (tmp_path / "file").write_text("Ann Lee")
    with pytest.raises(KeyProblem, match=says):
        encrypt_to(text, tmp_path / "file", tmp_path / "file.pgp", now=LATER)
    assert not (tmp_path / "file.pgp").exists()

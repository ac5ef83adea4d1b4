"""Files that only an agency can read: OpenPGP (RFC 4880, RFC 9580), as agencies' programs have it, by Sequoia."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pysequoia import Cert

ENDING = ".pgp"
"""Of the name of an encrypted file."""


class KeyProblem(ValueError):
    """A key that nothing can be encrypted with now; the text says why."""


@dataclass(frozen=True, slots=True)
class KeyShown:
    """What people compare: the fingerprint in hexadecimal, and the moment from which on the key is not used."""

    fingerprint: str
    expires_at: datetime | None


def key_shown(text: str) -> KeyShown:
    """Of a key that may have expired meanwhile. Raises KeyProblem for what is none."""
    cert = _read(text)
    expires = cert.expiration
    return KeyShown(cert.fingerprint.upper(), None if expires is None else expires.astimezone(UTC))


def key_fault(text: str, now: datetime) -> str | None:
    """What keeps a key from being used; None where files can be encrypted with it."""
    try:
        _usable(text, now)
    except KeyProblem as problem:
        return str(problem)
    return None


def encrypt_to(text: str, source: Path, target: Path, *, now: datetime) -> str:
    """Writes what a file has to another one, encrypted, on the disk; the key's fingerprint. Raises KeyProblem."""
    from pysequoia import encrypt_file

    cert = _usable(text, now)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    encrypt_file(str(source), str(target), recipients=[cert], armor=False)
    with target.open("rb") as written:
        os.fsync(written.fileno())
    return cert.fingerprint.upper()


# --- inside ------------------------------------------------------------------------------------------


def _read(text: str) -> "Cert":
    from pysequoia import Cert  # takes a while, and most commands need none of it
    from pysequoia.packet import PacketPile, Tag

    try:
        [cert] = Cert.split_bytes(text.encode())
        tags = [each.tag for each in PacketPile.from_bytes(text.encode())]
    except (RuntimeError, ValueError):
        raise KeyProblem("expected one OpenPGP public key, as ASCII text") from None
    if Tag.SecretKey in tags or Tag.SecretSubkey in tags:
        raise KeyProblem("expected a public key: this one is secret, and nobody else may have it")
    return cert


def _usable(text: str, now: datetime) -> "Cert":
    from pysequoia import encrypt

    cert = _read(text)
    if cert.is_revoked:
        raise KeyProblem("expected a key that holds: this one was revoked")
    if cert.expiration is not None and cert.expiration <= now:
        raise KeyProblem(f"expected a key that holds: this one expired on {cert.expiration.date()}")
    try:
        encrypt(b"", recipients=[cert])
    except RuntimeError:
        raise KeyProblem("expected a key that can encrypt: this one has no part for that which holds") from None
    return cert

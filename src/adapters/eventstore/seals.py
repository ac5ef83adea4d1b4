"""Seals: the chain over the log, and anchors that remember a seal outside of it."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

NO_SEAL = hashlib.sha256(b"").digest()
"""What the first seal names as the previous hash."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The log up to and with `position` has this hash. `Seal(0, NO_SEAL)` is the empty log's."""

    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far somebody has read (or published), and the hash of the last seal at or before that, if it was kept."""

    reader: str
    position: int
    seal_hash: bytes | None = None


def head_seal(connection: psycopg.Connection[Any]) -> Seal:
    """The log's end."""
    return seal_before(connection, 2**63 - 1)


def seal_before(connection: psycopg.Connection[Any], position: int) -> Seal:
    """The last seal at or before a position. It never changes, so readers keep its hash with their checkpoint."""
    row = connection.execute(
        "SELECT last, hash FROM arrears.seals WHERE last <= %s ORDER BY last DESC LIMIT 1", [position]
    ).fetchone()
    return Seal(row[0], bytes(row[1])) if row else Seal(0, NO_SEAL)


def write_anchor(path: Path, seal: Seal) -> None:
    """Keeps a seal in a small file, whole or not at all."""
    unfinished = path.with_name(path.name + ".new")
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump({"position": seal.position, "hash": seal.hash.hex()}, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read_anchor(path: Path) -> Checkpoint | None:
    """The seal in the file, or None where there is no file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Checkpoint(f"anchor {path.name}", data["position"], bytes.fromhex(data["hash"]))

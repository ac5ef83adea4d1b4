"""Backing up and restoring an installation, whose master key is kept apart."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from adapters import backup as backups
from adapters.backup import BackedUp, NotEmpty
from adapters.eventstore.keys import MasterKeyError, fingerprint_of, given_key, keep_key
from adapters.eventstore.seals import Seal, write_anchor
from adapters.eventstore.verify import Finding, verify
from adapters.postgres.database import Database, open_database
from adapters.postgres.new_folder import can_be_made_whole, made_whole
from adapters.readers.projections import checkpoints
from api.processes.core import ANCHOR


@dataclass(frozen=True, slots=True)
class Restored:
    """The restored log's last seal, and what is wrong with the log."""

    seal: Seal
    findings: list[Finding]


def back_up(database: Database, target: Path, *, now: datetime) -> BackedUp:
    """Into a new file; in a folder that is there, into a file named by the moment. Raises BackupProblem."""
    path = target / f"arrears-{now:%Y%m%d-%H%M%S}.backup" if target.is_dir() else target
    return backups.backup(database, path)


def restore_folder(
    file: Path,
    folder: Path,
    *,
    env: Mapping[str, str],
    key_file: Path | None = None,
    progress: Callable[[int, int], None],
) -> Restored:
    """A new data folder from a backup, or nothing, also where it is killed meanwhile; the log in it is verified.

    The key is that in `key_file`, which the folder gets a copy of, or that of the environment. Raises NotEmpty,
    BackupProblem, MasterKeyError.
    """
    key = given_key(env, key_file)
    _check_key(file, key)
    if folder.exists() and any(folder.iterdir()):
        raise NotEmpty(f"{folder} is not empty", hint="Restore into a new folder, and put it in the old one's place.")
    with _made(folder) as making:
        with open_database(making, {}) as database:
            restored = _restore(file, database, progress)
        write_anchor(making / ANCHOR, restored.seal)
        if key_file is not None:
            keep_key(making, key)
    return restored


@contextmanager
def _made(folder: Path) -> Iterator[Path]:
    """A mount point cannot be given another folder: what an error leaves in it is removed, not what a kill leaves."""
    if can_be_made_whole(folder):
        with made_whole(folder) as unfinished:
            yield unfinished
        return
    try:
        yield folder
    except BaseException:
        for entry in folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()
        raise


def restore_server(
    file: Path, *, env: Mapping[str, str] = os.environ, progress: Callable[[int, int], None]
) -> Restored:
    """The same into the empty database that ARREARS_DATABASE_URL names, with the key of the environment."""
    _check_key(file, given_key(env, None))
    with open_database(None, env) as database:
        return _restore(file, database, progress)


def _check_key(file: Path, key: bytes) -> None:
    known = backups.key_fingerprint(file)
    if known is not None and known != fingerprint_of(key):
        raise MasterKeyError(f"this is not the master key that the log in {file.name} was written with")


def _restore(file: Path, database: Database, progress: Callable[[int, int], None]) -> Restored:
    seal = backups.restore(database, file)
    with database.connect() as connection:
        remembered = checkpoints(connection)
    with database.connect(autocommit=True) as connection:
        return Restored(seal, list(verify(connection, checkpoints=remembered, progress=progress)))

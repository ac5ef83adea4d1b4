"""New data folders: one that gets its place when it is whole, and one that is there for a while only."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from adapters.postgres.cluster import Cluster
from adapters.postgres.errors import DataFolderInUse, folder_unusable
from adapters.postgres.file_locks import FileLock

_LOCK = "lock.making"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def can_be_made_whole(folder: Path) -> bool:
    """Whether `made_whole` may make it: it is not there or empty, and another folder can be given its place."""
    try:
        if not folder.exists():
            return True
        is_empty = folder.is_dir() and next(folder.iterdir(), None) is None
    except PermissionError:
        return False
    return is_empty and not folder.is_mount() and not folder.is_symlink() and os.access(folder.parent, os.W_OK)


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """A data folder to fill, named `FOLDER.unfinished`, that is renamed to `folder` when the block ends well.

    Whoever looks finds all of it or nothing, whatever happens to this process. What an earlier one left unfinished is
    removed, with the server that may run in it. Raises DataFolderInUse while another process makes the same folder.
    """
    folder = folder.expanduser().absolute()
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        lock = FileLock(unfinished / _LOCK)
    except OSError as error:
        raise folder_unusable(folder, error) from error
    try:
        if not lock.take_at_once() or not can_be_made_whole(folder):
            raise DataFolderInUse(
                f"The data folder {folder} is being made by another process", pid=None, hint="Wait for it."
            )
        if _clear(unfinished):
            _log.warning("an earlier process did not finish this folder; it is begun anew", folder=str(folder))
        try:
            yield unfinished
        except BaseException:
            _clear(unfinished)
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        if folder.exists():
            shutil.copymode(folder, unfinished)
        unfinished.rename(folder)
    finally:
        lock.close()


@contextmanager
def made_for_a_while() -> Iterator[Path]:
    """A data folder that nobody keeps: it is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="arrears-") as folder:
        yield Path(folder)


def has_data(folder: Path) -> bool:
    """Whether there is a database in the data folder."""
    return Cluster(folder / "postgres", {}).exists


def _clear(folder: Path) -> bool:
    """Removes everything but the lock, which is held; whether there was anything."""
    entries = [entry for entry in folder.iterdir() if entry.name != _LOCK]
    for entry in entries:
        if entry.is_dir():
            Cluster(entry, {}).remove()
        else:
            entry.unlink()
    return bool(entries)

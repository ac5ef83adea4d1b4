"""What can go wrong with the database, said to people."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import errors as pg
from psycopg_pool import PoolTimeout

ValueNotTaken = psycopg.DataError
"""A value that the database cannot read, such as a cursor that somebody made up."""


class DatabaseProblem(Exception):
    """Something about the database that a person has to know. `message` says what is wrong, `hint` what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class DataFolderInUse(DatabaseProblem):
    """Another live process owns the data folder. `pid` is None where the owner could not be read."""

    def __init__(self, message: str, *, pid: int | None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.pid = pid


class DataFolderUnusable(DatabaseProblem):
    """The data folder cannot be read or written by this process, or the platform cannot run PostgreSQL in it."""


def folder_unusable(folder: Path, error: OSError) -> DataFolderUnusable:
    """A data folder that cannot be made or written."""
    return DataFolderUnusable(
        f"The data folder {folder} cannot be used: {error.strerror}",
        hint="Choose a folder you may write, with --data or ARREARS_DATA.",
    )


class WrongPostgresVersion(DatabaseProblem):
    """The cluster in the data folder, or the server, is of a version this Arrears does not work with."""


class DiskFull(DatabaseProblem):
    """No space is left where the database writes."""


class DataDamaged(DatabaseProblem):
    """The disk gave back something else than was written, or cannot be read."""


class ServerDidNotStart(DatabaseProblem):
    """PostgreSQL could not be started; the message carries the end of its log."""


class ConnectionFailed(DatabaseProblem):
    """The server could not be reached, or would not let us in."""


class ServerAway(ConnectionFailed):
    """Nobody answered where the server is, or it is starting or stopping: it may be there at the next attempt."""


class ConnectionLost(DatabaseProblem):
    """The connection ended in the middle. What was not confirmed may or may not have been stored."""


class SchemaNotCurrent(DatabaseProblem):
    """The database was not migrated, or not far enough, for this Arrears."""


class SchemaTooNew(DatabaseProblem):
    """The database was migrated by a newer Arrears."""


class MigrationChanged(DatabaseProblem):
    """A migration that was applied reads differently today, or is missing."""


class UnknownPostgresRole(DatabaseProblem):
    """The role asked for does not exist, or may not be taken by this user."""


MIGRATE_HINT = "Run: arrears migrate"
DISK_HINT = "Free some space, then try again. Nothing half-done was kept."

DAMAGED = (pg.DataCorrupted, pg.IndexCorrupted, pg.IoError, pg.UndefinedFile)
DAMAGE_HINT = "Nothing was changed. docs/operations.md, section Damage, says how to go on."
LOST = (pg.AdminShutdown, pg.CrashShutdown, pg.IdleSessionTimeout, pg.IdleInTransactionSessionTimeout)
_NOT_MIGRATED = (pg.UndefinedTable, pg.UndefinedColumn, pg.UndefinedFunction, pg.InvalidSchemaName)


def in_plain_words(error: BaseException) -> DatabaseProblem | None:
    """The problem behind a driver's error, or None where it is not one that a person can do something about."""
    if isinstance(error, OSError):
        return _about_a_file(error)
    if not isinstance(error, psycopg.Error):
        return None
    said = _first_line(error)
    match error:
        case PoolTimeout():
            return ConnectionFailed("every connection to the database is in use", hint="Try again in a moment.")
        case pg.DiskFull():
            return DiskFull(f"The database has no space left: {said}", hint=DISK_HINT)
        case _ if isinstance(error, DAMAGED):
            return DataDamaged(f"A part of the database cannot be read: {said}", hint=DAMAGE_HINT)
        case pg.InsufficientPrivilege() if _READ_ONLY in said:
            return DataFolderUnusable(f"The database cannot write: {said}", hint=_READ_ONLY_HINT)
        case pg.TooManyConnections():
            return ServerAway(f"The server takes no more connections: {said}")
        case pg.InvalidPassword() | pg.InvalidAuthorizationSpecification() | pg.InvalidCatalogName():
            return ConnectionFailed(f"The server refused the connection: {said}", hint=_URL_HINT)
        case pg.CannotConnectNow():
            return ServerAway(f"The server is starting or stopping: {said}", hint="Try again in a moment.")
        case _ if isinstance(error, LOST):
            return ConnectionLost(f"The server ended the connection: {said}", hint=_LOST_HINT)
        case _ if isinstance(error, _NOT_MIGRATED):
            return SchemaNotCurrent(f"The database is not what this Arrears expects: {said}", hint=MIGRATE_HINT)
        case psycopg.OperationalError() if error.sqlstate is None or error.sqlstate.startswith("08"):
            return _without_answer(said, str(error))
        case _:
            return None


@contextmanager
def explained() -> Iterator[None]:
    """Turn a driver's error into the `DatabaseProblem` behind it; anything else passes. Also a decorator."""
    try:
        yield
    except (psycopg.Error, OSError) as error:
        problem = in_plain_words(error)
        if problem is None:
            raise
        raise problem from error


_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NOT_OURS = (errno.EROFS, errno.EACCES, errno.EPERM)
_READ_ONLY = "Read-only file system"
_READ_ONLY_HINT = "Make it writable, or use another folder: --data or ARREARS_DATA."
_PASSING = ("the database system is", "too many clients", "connection slots")
"""What a server says that refuses everybody just now, and not us."""
_URL_HINT = "Look at ARREARS_DATABASE_URL."
_LOST_HINT = "What was confirmed is safe. Try again; commands that were stored are not stored twice."


def _about_a_file(error: OSError) -> DatabaseProblem | None:
    if error.errno in _NO_SPACE:
        return DiskFull(f"The disk is full: {error}", hint=DISK_HINT)
    if error.errno in _NOT_OURS and error.filename is not None:
        return DataFolderUnusable(f"{error.filename} cannot be used: {error.strerror}", hint=_READ_ONLY_HINT)
    return None


def is_about_a_full_disk(text: str) -> bool:
    """Whether PostgreSQL, or one of its programs, says that no space is left; of a write that was cut, by a hint."""
    return any(words in text for words in (os.strerror(errno.ENOSPC), "Check free disk space"))


def _without_answer(said: str, all_of_it: str) -> DatabaseProblem:
    """libpq's own errors have no SQLSTATE and several wordings; only the role and the first contact stand out."""
    if "role" in said and ("does not exist" in said or "permission denied" in said):
        return UnknownPostgresRole(f"The database has no such role for us: {said}", hint=MIGRATE_HINT)
    if is_about_a_full_disk(all_of_it):
        return DiskFull(f"The database has no space left: {said}", hint=DISK_HINT)
    if _READ_ONLY in said:
        return DataFolderUnusable(f"The database cannot write: {said}", hint=_READ_ONLY_HINT)
    if any(words in said for words in ("invalid page in block", "could not read", "could not open file")):
        return DataDamaged(f"A part of the database cannot be read: {said}", hint=DAMAGE_HINT)
    if any(words in said for words in ("connection failed", "connection is bad", "could not translate", "timeout")):
        kind = ConnectionFailed if "FATAL" in said and not any(words in said for words in _PASSING) else ServerAway
        return kind(f"The database cannot be reached: {said}", hint=_URL_HINT)
    return ConnectionLost(f"The connection to the database was lost: {said}", hint=_LOST_HINT)


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__

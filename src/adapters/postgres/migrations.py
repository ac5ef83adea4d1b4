"""The schema, step by step: numbered SQL files, each applied once, in order, and known by its hash."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.rows import class_row

from adapters.postgres.database import Database
from adapters.postgres.errors import MIGRATE_HINT, MigrationChanged, SchemaNotCurrent, SchemaTooNew, explained

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x61_72_72_65_61_72_73  # "arrears"
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_BOOK = b"""
CREATE SCHEMA IF NOT EXISTS arrears;
CREATE TABLE IF NOT EXISTS arrears.migrations (
    number     integer     PRIMARY KEY,
    name       text        NOT NULL,
    sha256     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration as the database remembers it."""

    number: int
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration as this release ships it."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def as_applied(self) -> Applied:
        return Applied(self.number, self.name, self.sha256)

    def __str__(self) -> str:
        return f"{self.number:04}_{self.name}"


def shipped(folder: Path = FOLDER) -> list[Migration]:
    """Every migration of this release, numbered from 1 without a gap."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path.name} is not named like 0001_what_it_does.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations must be numbered from 0001 without gaps: {', '.join(map(str, found))}")
    return found


@explained()
def migrate(database: Database, *, folder: Path = FOLDER) -> list[Migration]:
    """Apply what is pending, each file in its own transaction, and return it. Two at once: the second waits.

    Raises `MigrationChanged` or `SchemaTooNew` before anything is applied.
    """
    ships = shipped(folder)
    with database.connect(autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        waiting = _pending(ships, _applied(connection))
        if waiting:
            connection.execute(_BOOK)
        for migration in waiting:
            _apply(connection, migration)
    return waiting


@explained()
def pending(database: Database, *, folder: Path = FOLDER) -> list[Migration]:
    """What `migrate` would apply now."""
    with database.connect() as connection:
        return _pending(shipped(folder), _applied(connection))


@explained()
def require_current(connection: psycopg.Connection, *, folder: Path = FOLDER) -> None:
    """Raise `SchemaNotCurrent`, `SchemaTooNew` or `MigrationChanged` unless the schema is exactly this release's."""
    waiting = _pending(shipped(folder), _applied(connection))
    if waiting:
        what = "was never migrated" if waiting[0].number == 1 else f"lacks {', '.join(map(str, waiting))}"
        raise SchemaNotCurrent(f"The database {what}", hint=MIGRATE_HINT)


def _applied(connection: psycopg.Connection) -> list[Applied]:
    with connection.transaction(), connection.cursor(row_factory=class_row(Applied)) as cursor:
        if cursor.connection.execute("SELECT to_regclass('arrears.migrations')").fetchone() == (None,):
            return []
        return cursor.execute("SELECT number, name, sha256 FROM arrears.migrations ORDER BY number").fetchall()


def _pending(ships: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    if len(applied) > len(ships):
        newer = ", ".join(f"{row.number:04}_{row.name}" for row in applied[len(ships) :])
        raise SchemaTooNew(
            f"The database was migrated by a newer Arrears, which added {newer}",
            hint="Run that release, or a newer one.",
        )
    for row, migration in zip(applied, ships, strict=False):
        if row != migration.as_applied:
            raise MigrationChanged(
                f"Migration {migration} is not the one that was applied as {row.number:04}_{row.name} "
                f"(sha256 {migration.sha256[:12]}… now, {row.sha256[:12]}… then)",
                hint="An applied migration is never edited: restore the file and put the change into a new one.",
            )
    return list(ships[len(applied) :])


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.sql.encode())
        connection.execute(
            "INSERT INTO arrears.migrations (number, name, sha256) VALUES (%s, %s, %s)",
            [migration.number, migration.name, migration.sha256],
        )

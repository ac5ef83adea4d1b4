"""Backups: a database as one file, of one moment, without tables that hold personal data in the open.

PostgreSQL's own programs write and read it (`pg_dump` in its custom format). Neither password nor key is in it.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import psycopg
from psycopg import IsolationLevel, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.eventstore.seals import Seal, head_seal
from adapters.postgres.cluster import VERSION, installed_programs
from adapters.postgres.database import Database, Role
from adapters.postgres.errors import DISK_HINT, DatabaseProblem, DiskFull, explained, is_about_a_full_disk

_LEFT_OUT = ("--no-unlogged-table-data", "--exclude-table-data=personal*.*")
"""Their tables are in it, empty: views stand on them."""

_OWNER = re.compile(r"^\d+; .* (\S+)$", re.MULTILINE)
_FINGERPRINT = re.compile(rb"^t\t\\\\x([0-9a-f]+)$", re.MULTILINE)


class BackupProblem(DatabaseProblem):
    """A backup could not be made, or cannot be restored."""


class NotEmpty(BackupProblem):
    """There is something already where a backup was to be made or restored."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds: the log up to this seal."""

    path: Path
    size: int
    seal: Seal


@explained()
def backup(database: Database, path: Path) -> BackedUp:
    """Writes the database into a new file, readable by its owner only, beside whoever works in it.

    Raises NotEmpty where the file is there, and BackupProblem.
    """
    if path.exists():
        raise NotEmpty(f"{path} is there already", hint="Name a new file, or a folder for one.")
    part = path.with_name(f".{path.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        with database.connect() as connection:
            connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
            snapshot = _only(connection, "SELECT pg_export_snapshot()")
            dump = _program("pg_dump", connection.info.server_version // 10_000)
            options = ["--format=custom", *_LEFT_OUT, f"--snapshot={snapshot}", f"--file={part}"]
            _run(dump, *options, database=database)
            seal = head_seal(connection)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return BackedUp(path, path.stat().st_size, seal)


@explained()
def restore(database: Database, path: Path) -> Seal:
    """Reads a backup into an empty database, all of it or nothing, and returns the last seal of its log.

    Raises NotEmpty and BackupProblem.
    """
    with database.connect(autocommit=True) as connection:
        if _only(connection, "SELECT to_regnamespace('arrears') IS NOT NULL"):
            raise NotEmpty("There is an Arrears in this database already", hint="Restore into a new one.")
        strangers = _make_roles(connection, _owners(path))
        program = _program("pg_restore", connection.info.server_version // 10_000)
        conninfo = f"--dbname={_without_password(database)}"
        _run(program, "--single-transaction", conninfo, str(path), database=database)
        for stranger in strangers:
            for statement in ("REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {}", "DROP ROLE {}"):
                connection.execute(sql.SQL(statement).format(sql.Identifier(stranger)))
        connection.execute("ANALYZE")
        return head_seal(connection)


def key_fingerprint(path: Path) -> bytes | None:
    """The check value of the master key with which the backup's log was written; None: there is nothing to be read yet.

    Raises BackupProblem where the file is no backup of ours.
    """
    script = _run(
        _program("pg_restore", VERSION), "--data-only", "--schema=arrears", "--table=master_key", "--file=-", str(path)
    )
    if b"arrears.master_key" not in script:
        raise BackupProblem(f"{path} is no backup of an Arrears")
    found = _FINGERPRINT.search(script)
    return bytes.fromhex(found[1].decode()) if found else None


# --- roles -----------------------------------------------------------------------------------------------


def _owners(path: Path) -> set[str]:
    """Who owns something of what is in a backup."""
    listed = _run(_program("pg_restore", VERSION), "--list", str(path)).decode()
    return set(_OWNER.findall(listed)) - {"-"}


def _make_roles(connection: psycopg.Connection, owners: set[str]) -> list[str]:
    """The roles that are missing here; returns those that are not Arrears' own. What they own is given away later."""
    ours = set(get_args(Role))
    there = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
    for role in sorted((ours | owners) - there):
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    for role in sorted(ours | (owners - there)):
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))
    return sorted(owners - there - ours)


# --- PostgreSQL's programs -------------------------------------------------------------------------------


def _program(name: str, server: int) -> Path:
    """One that understands a server of this major version: that which comes with Arrears, or that on the PATH."""
    if server <= VERSION:
        return installed_programs() / "bin" / name
    found = shutil.which(name)
    if found is None:
        raise BackupProblem(
            f"The server runs PostgreSQL {server}; the {name} of Arrears is of {VERSION}",
            hint=f"Install the client programs of PostgreSQL {server}.",
        )
    return Path(found)


def _run(program: Path, *arguments: str, database: Database | None = None) -> bytes:
    """What the program prints. Raises BackupProblem with what it complains of."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    connect: Sequence[str] = ()
    if database is not None:
        env["PGPASSWORD"] = str(conninfo_to_dict(database.dsn).get("password") or "")
        if program.name == "pg_dump":
            connect = [f"--dbname={_without_password(database)}"]
    done = subprocess.run([program, *connect, *arguments], check=False, capture_output=True, env={**env, "LC_ALL": "C"})
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip()
    if is_about_a_full_disk(said):
        raise DiskFull(f"{program.name} found no space left", hint=DISK_HINT)
    raise BackupProblem(f"{program.name} failed:\n{said}")


def _without_password(database: Database) -> str:
    """A command's arguments can be seen by everybody on the machine."""
    given = conninfo_to_dict(database.conninfo())
    given.pop("password", None)
    return make_conninfo("", **given)


def _only(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row is not None else None

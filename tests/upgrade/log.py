"""The tables of the log as files, and a database that holds them."""

import gzip
import shutil
from collections.abc import Mapping
from pathlib import Path

from adapters.postgres.database import Database
from adapters.postgres.migrations import FOLDER as MIGRATIONS
from adapters.postgres.migrations import migrate

FOLDER = Path(__file__).parent / "log"
MASTER_KEY = FOLDER / "master.key"

# What cannot be made anew from events: the log itself, and how far readers with effects have come.
TABLES: Mapping[str, str] = {
    "arrears.events": "ORDER BY seq",
    "arrears.seals": "ORDER BY last",
    "arrears.commands": "ORDER BY recorded_at, command_id",
    "arrears.snapshots": "ORDER BY aggregate_id, version",
    "arrears.account_keys": "ORDER BY account_id",
    "arrears.master_key": "",
    "arrears.import_facts": "ORDER BY office, natural_key",
    "arrears.http_requests": "ORDER BY received_at",
    "read_model.checkpoints": "WHERE strpos(reader, '@') = 0 ORDER BY reader",
    "read_model.dead_letters": "WHERE strpos(reader, '@') = 0 ORDER BY reader, position",
    "read_model.clock": "",
}


def dump(database: Database, folder: Path = FOLDER) -> None:
    """Writes each table in COPY's text format, its columns in the first line."""
    folder.mkdir(exist_ok=True)
    with database.connect() as connection:
        connection.execute("SET timezone TO 'UTC'")
        for table, which in TABLES.items():
            rows = f"COPY (SELECT * FROM {table} {which}) TO STDOUT WITH (HEADER)"
            with connection.cursor().copy(rows.encode()) as copy:
                text = b"".join(copy)
            (folder / f"{table}.copy.gz").write_bytes(gzip.compress(text, compresslevel=9, mtime=0))


def restore(database: Database, scratch: Path, *, migrations: Mapping[str, str], folder: Path = FOLDER) -> None:
    """The way of an upgrade: the schema as that release had it, its rows, then the migrations that came later.

    `migrations` are those that the release had applied: their names and SHA-256.
    """
    for name in migrations:
        shutil.copy(MIGRATIONS / f"{name}.sql", scratch)
    applied = {str(each): each.sha256 for each in migrate(database, folder=scratch)}
    assert applied == migrations, "an applied migration was edited"
    with database.connect() as connection:
        for table in TABLES:
            text = gzip.decompress((folder / f"{table}.copy.gz").read_bytes())
            columns = text.partition(b"\n")[0].replace(b"\t", b", ")
            into = b"COPY %s (%s) FROM STDIN WITH (HEADER)" % (table.encode(), columns)
            with connection.cursor().copy(into) as copy:
                copy.write(text)
        connection.execute("SELECT setval('arrears.events_seq', (SELECT max(seq) FROM arrears.events))")
    migrate(database)


def applied_migrations(database: Database) -> dict[str, str]:
    """Names and SHA-256, in order."""
    with database.connect() as connection:
        rows = connection.execute("SELECT number, name, sha256 FROM arrears.migrations ORDER BY number").fetchall()
    return {f"{number:04}_{name}": sha256 for number, name, sha256 in rows}

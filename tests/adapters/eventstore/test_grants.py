"""Append-only is enforced by the database, not by manners."""

from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from adapters.eventstore.application import Arrears
from adapters.eventstore.sealer import Sealer
from adapters.postgres.database import Database, Role
from tests.adapters.eventstore.conftest import issue
from tests.adapters.eventstore.ledger import OpenCase

TABLES = ("events", "seals", "commands", "snapshots", "account_keys", "master_key", "import_key")


@pytest.fixture(autouse=True)
def a_log(app: Arrears, sealer: Sealer) -> None:
    app.handle([issue(OpenCase(case_id=uuid4(), who="Ada"))])
    sealer.seal_once()


def refuses(database: Database, role: Role, statement: str) -> bool:
    with database.connect(role, autocommit=True) as connection:
        try:
            connection.execute(statement)
        except InsufficientPrivilege:
            return True
        return False


@pytest.mark.parametrize("role", ["arrears_app", "arrears_sealer", "arrears_reader"])
@pytest.mark.parametrize("table", TABLES)
def test_nobody_deletes(database: Database, role: Role, table: str):
    assert refuses(database, role, f"DELETE FROM arrears.{table}")
    assert refuses(database, role, f"TRUNCATE arrears.{table}")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE arrears.events SET state = ''",
        "UPDATE arrears.events SET position = NULL",
        "UPDATE arrears.seals SET hash = ''",
        "INSERT INTO arrears.seals (first, last, previous_hash, hash) VALUES (9, 9, '', '')",
        "UPDATE arrears.commands SET outcome = '{}'",
        "UPDATE arrears.snapshots SET state = ''",
        "UPDATE arrears.master_key SET fingerprint = ''",
        "UPDATE arrears.import_key SET wrapped_key = ''",
        "UPDATE arrears.account_keys SET account_id = gen_random_uuid()",
    ],
)
def test_the_application_only_adds(database: Database, statement: str):
    assert refuses(database, "arrears_app", statement)


@pytest.mark.parametrize(
    "column", ["seq", "aggregate_id", "version", "state", "meta", "leaf", "effective_on", "recorded_at", "name"]
)
def test_the_sealer_only_gives_positions(database: Database, column: str):
    assert refuses(database, "arrears_sealer", f"UPDATE arrears.events SET {column} = {column}")
    assert refuses(database, "arrears_sealer", "INSERT INTO arrears.events SELECT * FROM arrears.events")
    assert refuses(database, "arrears_sealer", "UPDATE arrears.seals SET hash = ''")
    assert not refuses(database, "arrears_sealer", "UPDATE arrears.events SET position = position")


@pytest.mark.parametrize("table", TABLES)
def test_a_dashboard_does_not_see_the_log(database: Database, table: str):
    assert refuses(database, "arrears_reader", f"SELECT FROM arrears.{table}")


def test_an_account_key_can_be_destroyed(database: Database, admin: psycopg.Connection):
    assert not refuses(
        database, "arrears_app", "UPDATE arrears.account_keys SET wrapped_key = NULL, destroyed_at = now()"
    )

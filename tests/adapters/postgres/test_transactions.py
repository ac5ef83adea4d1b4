"""A process that is frozen in a transaction loses it; one that waits there for something else does not."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from adapters.postgres import transactions
from adapters.postgres.database import Database
from adapters.postgres.lease import going_on
from adapters.postgres.transactions import end_when_frozen, show_life, working_in
from adapters.readers.poison import is_poison
from adapters.readers.runner import connect
from tests.adapters.readers.log import rows
from tests.waiting import wait_until


def is_there(database: Database, connection: Connection[Any]) -> bool:
    return bool(rows(database, "SELECT FROM pg_stat_activity WHERE pid = %s", connection.info.backend_pid))


def heard_of(database: Database, connection: Connection[Any]) -> object:
    return rows(database, "SELECT state_change FROM pg_stat_activity WHERE pid = %s", connection.info.backend_pid)


def test_what_is_locked_by_a_frozen_process_is_free_again(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transactions, "IDLE_SECONDS", 0.2)
    connection = database.connect("arrears_app", autocommit=True)
    end_when_frozen(connection)
    connection.execute("BEGIN")
    wait_until(lambda: not is_there(database, connection), "its connection is ended")
    with pytest.raises(psycopg.Error) as lost:
        connection.execute("SELECT 1")
    assert not is_poison(lost.value), "no event is to blame"
    connection.close()


def test_readers_write_on_such_connections(database: Database):
    with connect(database) as connection:
        row = connection.execute("SHOW idle_in_transaction_session_timeout").fetchone()
    assert row == ("1min",)


@pytest.mark.parametrize("show", [show_life, going_on])
def test_whoever_waits_in_a_transaction_shows_that_it_is_there(
    database: Database, monkeypatch: pytest.MonkeyPatch, show: Any
):
    with database.connect("arrears_app", autocommit=True) as connection, connection.transaction():
        connection.execute("SELECT 1")
        before = heard_of(database, connection)
        with working_in(connection):
            show()
            assert heard_of(database, connection) == before, "something came just now"
            monkeypatch.setattr(transactions, "IDLE_SECONDS", 0.0)
            show()
            assert heard_of(database, connection) != before


def test_outside_of_a_readers_work_there_is_nobody_to_show_it_to():
    show_life()

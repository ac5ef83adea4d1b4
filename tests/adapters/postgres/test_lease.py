"""A role that one process works at a time: whoever does not go on is replaced, and harms nobody when it wakes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from adapters.postgres.database import Database
from adapters.postgres.lease import LEASE_SECONDS, Lease, LeaseLost, current_number, forget, going_on
from tests.adapters.readers.log import rows
from tests.waiting import wait_until


class Process:
    """One of the processes that want a role: its connection, its lease, and a clock that stands until it is moved."""

    def __init__(self, database: Database, role: str = "sealer") -> None:
        self.clock = 0.0
        self.connection: Connection[Any] = database.connect("arrears_app", autocommit=True)
        self.lease = Lease(database, role, lock=f"lock of {role}", now=lambda: self.clock)

    def takes(self) -> bool:
        return self.lease.take(self.connection)

    def is_cut_off(self) -> bool:
        try:
            self.connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return True
        return False

    def close(self) -> None:
        self.lease.let_go()
        self.connection.close()


NewProcess = Callable[..., Process]


@pytest.fixture
def new(database: Database) -> Iterator[NewProcess]:
    with ExitStack() as stack:

        def make(role: str = "sealer") -> Process:
            process = Process(database, role)
            stack.callback(process.close)
            return process

        yield make


def run_out(database: Database) -> None:
    """As after a while in which nobody renewed, by the database's clock."""
    rows(
        database,
        "UPDATE arrears.leases SET renewed_at = renewed_at - make_interval(secs => %s),"
        " until = until - make_interval(secs => %s) RETURNING role",
        2 * LEASE_SECONDS,
        2 * LEASE_SECONDS,
    )


def renewed_at(database: Database) -> object:
    return rows(database, "SELECT renewed_at FROM arrears.leases")[0][0]


def seen_not_to_go_on(standby: Process) -> None:
    """Looks at the holder twice, with more than half a lease between."""
    assert not standby.takes()
    standby.clock += LEASE_SECONDS
    standby.takes()


def test_one_process_has_a_role_and_the_next_gets_another_number(new: NewProcess):
    first, second = new(), new()
    assert first.takes()
    assert not second.takes()
    assert (first.lease.number, second.lease.number) == (1, None)
    first.close()
    wait_until(second.takes, "the second has it")  # the server lets the lock go when it notices
    assert second.lease.number == 2


def test_roles_do_not_get_into_each_others_way(new: NewProcess):
    assert new("sealer").takes()
    assert new("clock").takes()


def test_whoever_does_not_go_on_is_cut_off_and_replaced(new: NewProcess, database: Database):
    frozen, standby = new(), new()
    frozen.takes()
    run_out(database)
    seen_not_to_go_on(standby)
    wait_until(frozen.is_cut_off, "its connection is ended")
    wait_until(standby.takes, "the other has the role")
    assert standby.lease.number == 2


def test_whoever_goes_on_is_left_alone_however_long_others_stand_by(new: NewProcess):
    holder, standby = new(), new()
    holder.takes()
    for _ in range(10):
        holder.clock += LEASE_SECONDS / 2
        standby.clock += LEASE_SECONDS / 2
        holder.lease.renew(holder.connection)
        assert not standby.takes()
    assert not holder.is_cut_off()


def test_a_lease_that_runs_out_by_a_jump_of_the_clock_is_renewed_before_others_take_it(
    new: NewProcess, database: Database
):
    """A machine that slept, or the database's clock set forward: holder and standby are awake from the same moment."""
    holder, standby = new(), new()
    holder.takes()
    assert not standby.takes()
    run_out(database)
    standby.clock += LEASE_SECONDS / 4
    assert not standby.takes()
    holder.clock += LEASE_SECONDS / 4
    holder.lease.renew(holder.connection)
    seen_not_to_go_on(standby)
    assert not holder.is_cut_off()
    assert holder.lease.number == 1


def test_a_holder_that_waits_for_the_server_is_not_taken_for_frozen(new: NewProcess, database: Database):
    holder, standby = new(), new()
    holder.takes()
    run_out(database)
    with database.connect() as locking:
        locking.execute("LOCK TABLE arrears.seals")

        def work() -> None:
            holder.connection.execute("SELECT FROM arrears.seals")

        at_work = threading.Thread(target=work)
        at_work.start()
        wait_until(
            lambda: rows(database, "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), "the server works"
        )
        for _ in range(3):
            seen_not_to_go_on(standby)
        locking.rollback()
        at_work.join()
    assert not holder.is_cut_off()


def test_a_holder_that_is_frozen_in_the_middle_of_a_transaction_is_cut_off(new: NewProcess, database: Database):
    frozen, standby = new(), new()
    frozen.takes()
    with frozen.connection.transaction():
        frozen.lease.hold(frozen.connection)
        run_out(database)
        seen_not_to_go_on(standby)
        wait_until(frozen.is_cut_off, "its connection is ended")
    wait_until(standby.takes, "the other has the role")


def test_whoever_was_replaced_learns_it_before_it_writes(new: NewProcess, database: Database):
    """Also where its connection lives, as it would behind a pooler: the number alone keeps it from writing."""
    old = new()
    old.takes()
    old.connection.execute("SELECT pg_advisory_unlock_all()")
    assert new().takes()
    with pytest.raises(LeaseLost, match="another process is sealer now"), old.connection.transaction():
        old.lease.hold(old.connection)
    old.clock += LEASE_SECONDS
    with pytest.raises(LeaseLost):
        old.lease.renew(old.connection)


def test_what_is_written_under_a_number_is_committed_before_the_next_holder_begins(new: NewProcess, database: Database):
    old, following = new(), new()
    old.takes()
    with old.connection.transaction():
        old.lease.hold(old.connection)
        old.connection.execute("SELECT pg_advisory_unlock_all()")
        following.connection.execute("SET lock_timeout TO '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            following.takes()
    assert following.takes()


def test_a_lease_is_renewed_from_within_a_transaction_and_others_see_it(new: NewProcess, database: Database):
    holder = new()
    holder.takes()
    before = renewed_at(database)
    with holder.connection.transaction(), holder.lease.working():
        holder.lease.hold(holder.connection)
        going_on()
        assert renewed_at(database) == before, "it was renewed just now"
        holder.clock += LEASE_SECONDS / 2
        going_on()
        assert renewed_at(database) != before


def test_whoever_was_replaced_learns_it_in_the_middle_of_its_work(new: NewProcess):
    old = new()
    old.takes()
    old.connection.execute("SELECT pg_advisory_unlock_all()")
    assert new().takes()
    old.clock += LEASE_SECONDS
    with old.lease.working(), pytest.raises(LeaseLost):
        going_on()


def test_without_a_lease_there_is_nothing_to_renew():
    going_on()


def test_the_number_is_known_to_those_who_are_told_something_under_it(new: NewProcess, database: Database):
    with database.connect("arrears_app") as connection:
        assert current_number(connection, "sealer") == 0
    new().takes()
    with database.connect("arrears_app") as connection:
        assert current_number(connection, "sealer") == 1
        forget(connection, "sealer")
        assert current_number(connection, "sealer") == 0

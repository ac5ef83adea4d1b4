"""One runner for all readers: exactly-once effect, one at a time, and poison that harms nobody else."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from adapters.postgres.database import Database
from adapters.postgres.errors import ConnectionLost
from adapters.postgres.lease import LeaseLost
from adapters.readers import handling
from adapters.readers.poison import MOST_AT_ONCE, DeadLetter, ReaderBroken, dead_letters
from adapters.readers.projections import Projections
from adapters.readers.runner import NotReached, Retried, Runner
from aggregates.kernel.event import Recorded
from tests.adapters.readers.any_reader import AnyReader
from tests.adapters.readers.counter import BrokenCounter, Counted, Counter, Odd, TolerantCounter, account
from tests.adapters.readers.log import Log, rows
from tests.waiting import HANG

ANN, BOB, CID = account(1), account(2), account(3)

Make = Callable[..., Projections]


@pytest.fixture
def make(database: Database, log: Log) -> Iterator[Make]:
    made: list[Projections] = []

    def new(*factories: Any, **more: Any) -> Projections:
        projections = Projections(database, log.feed, factories or [Counter], **more)
        made.append(projections)
        return projections

    yield new
    for projections in made:
        projections.close()


def totals(database: Database) -> dict[UUID, int]:
    return dict(rows(database, "SELECT account_id, total FROM read_model.counts"))


class Notebook(AnyReader):
    """A reader that keeps nothing in the database."""

    name = "notebook"

    def __init__(self) -> None:
        self.seen: list[int | None] = []

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        self.seen += [recorded.position for recorded in batch]


# --- reading -----------------------------------------------------------------------------------------


def test_a_reader_is_given_every_event_once_and_in_order(database: Database, log: Log):
    log.append(ANN, *[Counted() for _ in range(25)])
    reader = Notebook()
    runner = Runner(database, log.feed, reader, batch=10)
    assert runner.catch_up() == 25
    assert reader.seen == list(range(1, 26))
    runner.release()


def test_a_reader_goes_on_where_it_stopped(database: Database, log: Log):
    log.append(ANN, Counted(), Counted())
    first, second = Notebook(), Notebook()
    runner = Runner(database, log.feed, first)
    runner.catch_up()
    runner.release()
    log.append(ANN, Counted())
    runner = Runner(database, log.feed, second)
    runner.catch_up()
    runner.release()
    assert second.seen == [3]


def test_the_checkpoint_moves_past_events_of_no_interest(make: Make, log: Log):
    projections = make(TolerantCounter)
    projections.start()
    log.append(ANN, Odd(), Odd())
    projections.catch_up()
    (status,) = projections.status()
    assert (status.checkpoint, status.lag_events, status.lag_seconds) == (2, 0, 0.0)


def test_a_reader_is_given_what_it_wants_and_so_much_at_once(database: Database, log: Log):
    log.append(ANN, Odd(), *[each for _ in range(5) for each in (Counted(), Odd())])
    moved: list[int] = []

    class Choosy(Notebook):
        interest = frozenset({Counted.event_name})

        def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
            super().handle(batch, connection)
            assert len(batch) <= 2

    reader = Choosy()
    runner = Runner(database, log.feed, reader, at_once=2, on_progress=moved.append)
    runner.catch_up()
    runner.release()
    assert reader.seen == [2, 4, 6, 8, 10]
    assert moved == [5, 9, 11]


def test_only_one_runner_of_a_reader_is_active_and_another_takes_over(database: Database, log: Log):
    log.append(ANN, Counted())
    first, second = Notebook(), Notebook()
    active, standby = Runner(database, log.feed, first), Runner(database, log.feed, second)
    active.catch_up()
    log.append(ANN, Counted())
    with pytest.raises(NotReached):
        standby.catch_up(timeout=0.1)
    active.release()
    standby.catch_up()
    standby.release()
    assert (first.seen, second.seen) == ([1], [2])


def test_a_reader_that_was_replaced_writes_nothing_though_its_connection_lives(database: Database, log: Log):
    log.append(ANN, Counted())
    first, second = Notebook(), Notebook()
    old, new = Runner(database, log.feed, first), Runner(database, log.feed, second)
    old.catch_up()
    assert old._connection is not None
    old._connection.execute("SELECT pg_advisory_unlock_all()")
    assert new.catch_up() == 1
    log.append(ANN, Counted())
    with pytest.raises(LeaseLost):
        old.catch_up()
    assert first.seen == [1]
    assert new.catch_up() == 2
    old.release()
    new.release()


def test_a_reader_that_was_replaced_does_not_pass_over_what_it_does_not_want_either(database: Database, log: Log):
    class Choosy(Notebook):
        interest = frozenset({Counted.event_name})

    log.append(ANN, Odd())
    old, new = Runner(database, log.feed, Choosy()), Runner(database, log.feed, Choosy())
    assert old.catch_up() == 1
    assert old._connection is not None
    old._connection.execute("SELECT pg_advisory_unlock_all()")
    assert new.catch_up() == 1
    log.append(ANN, Odd())
    with pytest.raises(LeaseLost):
        old.catch_up()
    assert rows(database, "SELECT position FROM read_model.checkpoints WHERE reader = 'notebook'") == [(1,)]
    assert new.catch_up() == 2
    old.release()
    new.release()


def test_a_running_reader_hears_of_new_events(make: Make, database: Database, log: Log):
    projections = make()
    projections.start()
    stop = threading.Event()
    thread = threading.Thread(target=projections.run, args=[stop])
    thread.start()
    try:
        for number in range(1, 6):
            position = log.append(ANN, Counted())
            projections.wait_for(position, timeout=HANG)
            assert totals(database) == {ANN: number}
    finally:
        stop.set()
        thread.join()


def test_a_lost_connection_is_made_anew(make: Make, database: Database, log: Log):
    projections = make()
    projections.start()
    stop = threading.Event()
    thread = threading.Thread(target=projections.run, args=[stop])
    thread.start()
    try:
        projections.wait_for(log.append(ANN, Counted()), timeout=HANG)
        rows(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE locktype = 'advisory' AND datname = current_database() AND application_name = 'arrears_app'",
        )
        position = log.append(ANN, Counted())
        projections.wait_for(position, timeout=HANG)
        assert totals(database) == {ANN: 2}
    finally:
        stop.set()
        thread.join()


# --- exactly once ------------------------------------------------------------------------------------


class PowerCut(psycopg.OperationalError):
    """The connection is gone."""


class DyingCounter(Counter):
    """Writes its rows and then loses the connection, before the checkpoint is stored."""

    dies = True

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        super().handle(batch, connection)
        if type(self).dies:
            raise PowerCut


def test_rows_and_checkpoint_are_stored_together_or_not_at_all(
    make: Make, database: Database, log: Log, monkeypatch: pytest.MonkeyPatch
):
    projections = make(DyingCounter)
    projections.start()
    log.append(ANN, Counted(by=5))
    with pytest.raises(ConnectionLost):
        projections.catch_up()
    assert totals(database) == {}
    assert projections.status()[0].checkpoint == 0
    monkeypatch.setattr(DyingCounter, "dies", False)
    projections.catch_up()
    assert totals(database) == {ANN: 5}
    assert projections.status()[0].checkpoint == 1


# --- poison ------------------------------------------------------------------------------------------


def test_poison_parks_one_account_and_all_others_go_on(make: Make, database: Database, log: Log):
    projections = make()
    projections.start()
    for who in (ANN, BOB, CID):
        log.append(who, Counted())
    log.append(BOB, Odd(), Counted())
    for who in (ANN, BOB, CID):
        log.append(who, Counted())
    projections.catch_up()
    log.append(BOB, Counted())
    log.append(ANN, Counted())
    projections.catch_up()
    assert totals(database) == {ANN: 3, BOB: 1, CID: 2}
    letters = projections.dead_letters("counter")
    assert [(each.sequence_id, each.position, each.error_class) for each in letters] == [
        (BOB, 4, "ValueError"),
        (BOB, 5, None),
        (BOB, 7, None),
        (BOB, 9, None),
    ]
    assert letters[0].error_text == "too odd"
    (status,) = projections.status()
    assert (status.parked, status.lag_events) == (1, 0)


def test_a_retry_after_the_repair_brings_the_account_up_to_date(make: Make, database: Database, log: Log):
    projections = make()
    projections.start()
    log.append(BOB, Counted(), Odd(), Counted())
    projections.catch_up()
    projections.close()
    repaired = make(TolerantCounter)
    repaired.start()
    log.append(BOB, Counted())
    repaired.catch_up()
    assert totals(database) == {BOB: 1}
    assert repaired.retry("counter", BOB) == Retried(handled=3, left=0)
    log.append(BOB, Counted())
    repaired.catch_up()
    assert totals(database) == {BOB: 4}
    assert repaired.status()[0].parked == 0


def test_a_retry_that_fails_again_leaves_everything_parked(make: Make, database: Database, log: Log):
    projections = make()
    projections.start()
    log.append(BOB, Odd(), Counted())
    projections.catch_up()
    assert projections.retry("counter", BOB) == Retried(handled=0, left=2)
    assert [each.attempts for each in projections.dead_letters()] == [2, 1]


def test_a_discard_is_told_to_the_log_before_the_account_goes_on(make: Make, database: Database, log: Log):
    projections = make()
    projections.start()
    log.append(BOB, Odd(), Counted())
    projections.catch_up()
    told: list[DeadLetter] = []
    assert projections.discard("counter", 1, on_discard=told.append) == Retried(handled=1, left=0)
    assert [(each.event_name, each.sequence_id) for each in told] == [("test.odd", BOB)]
    assert totals(database) == {BOB: 1}
    assert [each.position for each in projections.dead_letters(state="discarded")] == [1]


def test_a_discard_that_cannot_be_told_does_not_happen(make: Make, log: Log):
    def refuse(letter: DeadLetter) -> None:
        raise RuntimeError("the log is not there")

    projections = make()
    projections.start()
    log.append(BOB, Odd(), Counted())
    projections.catch_up()
    with pytest.raises(RuntimeError, match="the log is not there"):
        projections.discard("counter", 1, on_discard=refuse)
    assert len(projections.dead_letters()) == 2


def test_only_the_first_parked_event_of_an_account_can_be_discarded(make: Make, log: Log):
    projections = make()
    projections.start()
    log.append(BOB, Odd(), Counted())
    projections.catch_up()
    with pytest.raises(LookupError, match="waits behind"):
        projections.discard("counter", 2, on_discard=lambda letter: None)


def test_events_without_an_account_are_parked_by_their_aggregate(make: Make, database: Database, log: Log):
    class Shop(Odd, name="test-shop.odd"):
        """Not about any account."""

    projections = make()
    projections.start()
    log.append(CID, Shop())
    log.append(ANN, Counted())
    projections.catch_up()
    assert [(each.sequence_id, each.account_id) for each in projections.dead_letters()] == [(CID, None)]
    assert totals(database) == {ANN: 1}


def test_a_reader_that_fails_on_everything_stops_and_parks_nobody(make: Make, database: Database, log: Log):
    projections = make(BrokenCounter)
    projections.start()
    for number in range(30):
        log.append(account(number), Counted())
    with pytest.raises(ReaderBroken, match="no_such_table"):
        projections.catch_up()
    with database.connect() as connection:
        assert dead_letters(connection) == []
    assert projections.status()[0].checkpoint == 0


def test_a_reader_that_fails_on_everything_stops_however_few_events_come_at_once(
    make: Make, database: Database, log: Log
):
    projections = make()
    projections.start()
    for number in range(MOST_AT_ONCE):
        log.append(account(number), Odd())
        projections.catch_up()
    log.append(account(MOST_AT_ONCE), Odd())
    for _ in range(2):
        with pytest.raises(ReaderBroken, match="too odd"):
            projections.catch_up()
    (status,) = projections.status()
    assert (status.parked, status.checkpoint) == (MOST_AT_ONCE, MOST_AT_ONCE)
    projections.close()
    repaired = make(TolerantCounter)
    repaired.start()
    log.append(ANN, Counted())
    repaired.catch_up()
    assert repaired.status()[0].lag_events == 0


def test_poison_far_apart_parks_its_accounts_and_stops_nobody(make: Make, log: Log, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handling, "AT_ONCE", 60)
    projections = make()
    projections.start()
    for number in range(10, 40):
        log.append(account(number), Odd())
        log.append(ANN, Counted(), Counted(), Counted())
        projections.catch_up()
    assert projections.status()[0].parked == 30


def test_what_was_repaired_does_not_count_any_more(make: Make, log: Log):
    projections = make()
    projections.start()
    for number in range(2 * MOST_AT_ONCE):
        position = log.append(account(number), Odd())
        projections.catch_up()
        projections.discard("counter", position, on_discard=lambda letter: None)
    assert projections.status()[0].lag_events == 0

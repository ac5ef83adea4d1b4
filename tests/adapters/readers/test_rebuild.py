"""Generations: a rebuild stands beside the live one, equals it, joins it, and takes its place without a gap."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from adapters.eventstore.seals import Checkpoint
from adapters.postgres.database import Database
from adapters.postgres.errors import ConnectionLost
from adapters.readers import generations
from adapters.readers.poison import OutOfReach
from adapters.readers.projections import BeingBuilt, Projections, UnknownProjection, checkpoints
from adapters.readers.runner import NotReached, note_trouble
from aggregates.kernel.event import Recorded
from projections.activity_history.projection import ActivityHistoryProjection
from projections.agenda import AgendaProjection
from projections.audit_trail.projection import AuditTrailProjection
from projections.base import Projection
from projections.collections_report import CollectionsReportProjection
from projections.ledger.projection import LedgerProjection
from projections.promises.projection import PromisesProjection
from tests.adapters.readers import dies_building
from tests.adapters.readers.counter import Counted, Counter, Odd, WiderCounter, account
from tests.adapters.readers.log import Log, fingerprint, rows
from tests.benchmarks.history import history
from tests.waiting import HANG, wait_until

FACTORIES: tuple[type[Projection], ...] = (
    CollectionsReportProjection,
    AgendaProjection,
    LedgerProjection,
    ActivityHistoryProjection,
    AuditTrailProjection,
    PromisesProjection,
)
ACCOUNTS = 12

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


@pytest.fixture
def lived(log: Log) -> list[Recorded]:
    """A history with every kind of thing in it, stored."""
    log.append_all(event for visit in history(ACCOUNTS) for event in visit)
    return log.read_all()


def total(database: Database) -> int:
    return int(rows(database, "SELECT coalesce(sum(total), 0) FROM read_model.counts")[0][0])


# --- replay equals live --------------------------------------------------------------------------------


def test_a_rebuild_equals_what_lived_through_it(make: Make, database: Database, lived: list[Recorded]):
    projections = make(*FACTORIES, batch=7)
    projections.start()
    projections.catch_up()
    for make_one in FACTORIES:
        name = make_one.name
        before = fingerprint(database, f"read_{name}_1")
        projections.rebuild(name)
        assert fingerprint(database, f"read_{name}_2") == before


@pytest.mark.parametrize("make_one", FACTORIES)
def test_events_delivered_one_to_three_times_change_nothing(
    database: Database, lived: list[Recorded], make_one: type[Projection]
):
    chance = random.Random(3)
    once, often = (
        _told(database, "once", make_one(), [lived]),
        _told(database, "often", make_one(), _stuttered(lived, chance)),
    )
    assert once == often


def _stuttered(events: list[Recorded], chance: random.Random) -> Iterator[list[Recorded]]:
    """Batches of any size; each is followed by up to two repeats of something that was told before."""
    at = 0
    while at < len(events):
        size = chance.randint(1, 40)
        yield events[at : at + size]
        at += size
        for _ in range(chance.randint(0, 2)):
            back = chance.randint(0, at)
            yield events[back : min(at, len(events))]


def _told(database: Database, schema: str, projection: Projection, batches: Any) -> str:
    with database.connect() as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute("SELECT set_config('search_path', %s, false)", [f"{schema}, pg_temp"])
        projection.create(connection)
        for batch in batches:
            if batch:
                projection.handle(batch, connection)
        connection.commit()
    return fingerprint(database, schema)


# --- beside the live one -------------------------------------------------------------------------------


def test_events_that_come_during_a_rebuild_are_in_the_new_generation_and_no_reader_sees_a_gap(
    make: Make, database: Database, log: Log
):
    projections = make(batch=10, rebuild_batch=10)
    projections.start()
    log.append(account(1), *[Counted() for _ in range(200)])
    projections.catch_up()
    stop, seen = threading.Event(), []
    live = threading.Thread(target=projections.run, args=[stop])
    live.start()

    def look() -> None:
        while not stop.is_set():
            seen.append(total(database))

    looking = threading.Thread(target=look)
    looking.start()

    def more(name: str, position: int, target: int) -> None:
        if position < 400:
            log.append(account(2), Counted())

    try:
        for _ in range(3):
            projections.rebuild("counter", more)
        position = log.append(account(3), Counted())
        projections.wait_for(position, timeout=HANG)
    finally:
        stop.set()
        live.join()
        looking.join()
    assert total(database) == position
    assert seen == sorted(seen), "what readers see never goes back"
    assert min(seen) >= 200
    (status,) = projections.status()
    assert (status.generation, status.state, status.checkpoint) == (4, "live", position)


def test_what_the_live_generation_showed_last_is_in_the_new_one(
    make: Make, database: Database, log: Log, monkeypatch: pytest.MonkeyPatch
):
    projections = make()
    projections.start()
    log.append(account(1), Counted())
    projections.catch_up()
    hold_live = generations.hold_live

    def at_the_last_moment(connection: Connection[Any], name: str) -> int:
        log.append(account(1), Counted())
        projections.catch_up()
        return hold_live(connection, name)

    monkeypatch.setattr(generations, "hold_live", at_the_last_moment)
    projections.rebuild("counter")
    assert total(database) == 2


def test_retired_generations_are_removed_with_their_checkpoints(make: Make, database: Database, log: Log):
    projections = make()
    projections.start()
    log.append(account(1), Odd(), Counted())
    projections.catch_up()
    projections.rebuild("counter")
    schemas = rows(database, "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'read_counter')")
    assert schemas == [("read_counter_2",)]
    with database.connect() as connection:
        assert [(each.reader, each.position) for each in checkpoints(connection)] == [("counter@2", 2)]
    assert {each.reader for each in projections.dead_letters()} == {"counter@2"}


def test_a_long_query_on_the_old_tables_does_not_stop_the_switch(make: Make, database: Database, log: Log):
    projections = make()
    projections.start()
    log.append(account(1), Counted())
    projections.catch_up()
    with database.connect() as reading:
        reading.execute("SELECT * FROM read_counter_1.counts")
        projections.rebuild("counter")
        assert total(database) == 1
        reading.execute("SELECT * FROM read_counter_1.counts")
    projections.rebuild("counter")
    assert len(rows(database, "SELECT 1 FROM read_model.projections")) == 1


# --- interrupted ---------------------------------------------------------------------------------------


class Stumbling(Counter):
    """Loses the connection once, in the middle of a rebuild."""

    stumbles_at: int | None = None
    handled: list[int]

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        super().handle(batch, connection)
        last = batch[-1].position or 0
        if Stumbling.stumbles_at is not None and last >= Stumbling.stumbles_at:
            Stumbling.stumbles_at = None
            raise psycopg.OperationalError("the connection is gone")
        Stumbling.handled.append(last)


def test_an_interrupted_rebuild_goes_on_where_it_stopped_or_begins_afresh(make: Make, database: Database, log: Log):
    Stumbling.handled, Stumbling.stumbles_at = [], None
    projections = make(Stumbling, rebuild_batch=10)
    projections.start()
    log.append(account(1), *[Counted() for _ in range(50)])
    projections.catch_up()
    Stumbling.handled, Stumbling.stumbles_at = [], 30
    with pytest.raises(ConnectionLost):
        projections.rebuild("counter")
    assert [(s.state, s.checkpoint, s.lag_events) for s in projections.status()] == [
        ("live", 50, 0),
        ("building", 20, 30),
    ]
    assert total(database) == 50
    projections.rebuild("counter")
    assert Stumbling.handled == [10, 20, 30, 40, 50]
    Stumbling.handled, Stumbling.stumbles_at = [], 30
    with pytest.raises(ConnectionLost):
        projections.rebuild("counter")
    projections.rebuild("counter", afresh=True)
    assert Stumbling.handled == [10, 20, 10, 20, 30, 40, 50]
    assert total(database) == 50


def test_two_rebuilds_at_once_are_refused(make: Make, log: Log):
    projections, other = make(), make()
    projections.start()
    log.append(account(1), Counted())
    refused = []

    def again(name: str, position: int, target: int) -> None:
        with pytest.raises(BeingBuilt):
            other.rebuild("counter")
        refused.append(position)

    projections.rebuild("counter", again)
    assert refused


def test_whoever_looked_before_another_was_done_builds_no_second_generation(
    make: Make, database: Database, monkeypatch: pytest.MonkeyPatch
):
    """Two processes start on an empty database: both find that nothing is built, then one builds it."""
    first, second, building = make(), make(), generations.building

    def once_the_first_is_done(database: Database, name: str) -> Any:
        monkeypatch.setattr(generations, "building", building)
        assert first.start() == ["counter"]
        return building(database, name)

    monkeypatch.setattr(generations, "building", once_the_first_is_done)
    assert second.start() == []
    assert rows(database, "SELECT reader, state FROM read_model.projections") == [("counter@1", "live")]


def test_an_older_release_that_looked_before_a_newer_one_was_done_does_not_take_its_place(
    make: Make, database: Database, monkeypatch: pytest.MonkeyPatch
):
    make().start()
    older, newer, building = make(WiderCounter), make(NewestCounter), generations.building

    def once_the_newer_is_done(database: Database, name: str) -> Any:
        monkeypatch.setattr(generations, "building", building)
        assert newer.start() == ["counter"]
        return building(database, name)

    monkeypatch.setattr(generations, "building", once_the_newer_is_done)
    assert older.start() == []
    assert rows(database, "SELECT version, state FROM read_model.projections") == [(3, "live")]


class NewestCounter(WiderCounter):
    version = 3


# --- a builder that was killed --------------------------------------------------------------------------


def killed_building(database: Database, projection: str = "Counter") -> None:
    """A process builds a generation and is killed in the middle; its locks are gone when this returns."""
    done = subprocess.run([sys.executable, "-m", dies_building.__name__, database.dsn, projection], check=False)
    assert done.returncode == -signal.SIGKILL
    with database.connect("arrears_app", autocommit=True) as connection:
        wait_until(lambda: not generations.is_being_built(connection, "counter"), "the builder's lock is gone")


def states(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, "SELECT reader, version, state FROM read_model.projections ORDER BY generation")


def test_what_a_killed_builder_left_is_finished_by_whoever_starts_next(make: Make, database: Database, log: Log):
    log.append(account(1), *[Counted() for _ in range(30)])
    killed_building(database)
    assert states(database) == [("counter@1", 1, "building")]
    projections = make()
    assert projections.start() == ["counter"]
    assert states(database) == [("counter@1", 1, "live")]
    assert total(database) == 30


def test_what_a_killed_rebuild_left_is_shown_and_removed_by_the_next_process_that_keeps_the_tables(
    make: Make, database: Database, log: Log
):
    projections = make()
    projections.start()
    log.append(account(1), *[Counted() for _ in range(30)])
    projections.catch_up()
    killed_building(database)
    assert states(database) == [("counter@1", 1, "live"), ("counter@2", 1, "building")]
    live, unfinished = projections.status()
    assert live.trouble is None
    assert "nobody builds it: it goes on with 'arrears projections rebuild counter'" in (unfinished.trouble or "")

    make().start()  # a command that only looks does not throw away what a rebuild had done
    assert len(states(database)) == 2
    make().start_keeping()
    assert states(database) == [("counter@1", 1, "live")]
    assert rows(database, "SELECT nspname FROM pg_namespace WHERE nspname = 'read_counter_2'") == []
    assert [each.reader for each in checkpoints_of(database)] == ["counter@1"]


def test_a_rebuild_goes_on_with_what_a_killed_one_left(make: Make, database: Database, log: Log):
    projections = make()
    projections.start()
    log.append(account(1), *[Counted() for _ in range(30)])
    projections.catch_up()
    killed_building(database)
    assert projections.rebuild("counter").reader == "counter@2"
    assert states(database) == [("counter@2", 1, "live")]
    assert projections.status()[0].trouble is None


def test_what_somebody_builds_is_left_to_them(make: Make, database: Database, log: Log):
    projections = make()
    projections.start()
    log.append(account(1), Counted())
    seen: list[str | None] = []

    def meanwhile(name: str, position: int, target: int) -> None:
        make().start_keeping()
        seen.extend(each.trouble for each in projections.status())

    projections.rebuild("counter", meanwhile)
    assert set(seen) == {None}
    assert states(database) == [("counter@2", 1, "live")]


def test_what_a_newer_release_began_is_left_to_it(make: Make, database: Database, log: Log):
    make().start()
    log.append(account(1), *[Counted() for _ in range(30)])
    killed_building(database, "WiderCounter")
    make().start_keeping()
    assert states(database) == [("counter@1", 1, "live"), ("counter@2", 2, "building")]
    make(WiderCounter).start_keeping()
    assert states(database) == [("counter@2", 2, "live")]


def checkpoints_of(database: Database) -> list[Checkpoint]:
    with database.connect("arrears_app") as connection:
        return checkpoints(connection)


# --- one at a time --------------------------------------------------------------------------------------


def test_whoever_ends_lets_the_next_one_build_though_the_server_still_knows_the_connection(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    with ExitStack() as later:
        connect = database.connect

        @contextmanager
        def ends_late(user: Any, **options: Any) -> Iterator[Connection[Any]]:
            yield later.enter_context(connect(user, **options))

        monkeypatch.setattr(database, "connect", ends_late)
        for _ in range(2):
            with generations.building(database, "counter") as connection:
                assert connection is not None


def test_an_unknown_projection_is_named(make: Make):
    with pytest.raises(UnknownProjection, match=r"nonsense.*counter"):
        make().rebuild("nonsense")


# --- versions ------------------------------------------------------------------------------------------


def test_a_new_version_is_built_at_the_next_start_and_shown_with_its_new_shape(
    make: Make, database: Database, log: Log
):
    old = make()
    assert old.start() == ["counter"]
    log.append(account(1), Counted(), Counted())
    old.catch_up()
    new = make(WiderCounter)
    assert new.start() == ["counter"]
    assert rows(database, "SELECT total FROM read_model.sums") == [(2,)]
    assert [(s.version, s.wanted_version, s.generation) for s in new.status()] == [(2, 2, 2)]
    assert new.start() == []


def test_an_older_release_leaves_a_newer_generation_alone(make: Make, log: Log):
    new, old = make(WiderCounter), make()
    new.start()
    assert old.start() == []
    log.append(account(1), Counted())
    with pytest.raises(Exception, match="no live generation of version 1"):
        old.catch_up(timeout=0.1)


def test_a_view_that_is_no_longer_public_disappears(make: Make, database: Database):
    class Narrower(WiderCounter):
        version = 3
        public = ("counts",)

    make(WiderCounter).start()
    make(Narrower).start()
    assert rows(database, "SELECT to_regclass('read_model.sums')") == [(None,)]


# --- looking and waiting -------------------------------------------------------------------------------


def test_status_shows_lag_in_events_and_seconds(make: Make, log: Log):
    projections = make()
    projections.start()
    log.append(account(1), Counted())
    projections.catch_up()
    log.append(account(1), Counted(), Counted())
    (status,) = projections.status()
    assert (status.checkpoint, status.head, status.lag_events) == (1, 3, 2)
    assert 0 < status.lag_seconds < HANG
    assert (status.version, status.wanted_version, status.state, status.parked, status.trouble) == (
        1,
        1,
        "live",
        0,
        None,
    )


def test_waiting_for_a_position_that_does_not_come_ends_in_time(make: Make, log: Log):
    projections = make()
    projections.start()
    position = log.append(account(1), Counted())
    with pytest.raises(NotReached):
        projections.wait_for(position, timeout=0.05)
    projections.catch_up()
    projections.wait_for(position, timeout=0)


def test_who_is_asked_to_stop_waits_no_longer(make: Make, log: Log):
    projections = make()
    projections.start()
    position = log.append(account(1), Counted())
    stop = threading.Event()
    waiting = threading.Thread(target=_wait_for_ever, args=[projections, position, stop], daemon=True)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    stop.set()
    waiting.join(HANG)
    assert not waiting.is_alive()


def _wait_for_ever(projections: Projections, position: int, stop: threading.Event) -> None:
    with pytest.raises(NotReached):
        projections.wait_for(position, timeout=2 * HANG, stop=stop)


def test_what_a_stop_interrupted_is_no_trouble(make: Make, log: Log, monkeypatch: pytest.MonkeyPatch):
    stop = threading.Event()

    def interrupted(*_: object) -> None:
        stop.set()
        raise OutOfReach("it was asked to stop")

    projections = make()
    projections.start()
    monkeypatch.setattr(Counter, "handle", interrupted)
    log.append(account(1), Counted())
    projections.run(stop)
    assert projections.status()[0].trouble is None
    monkeypatch.undo()
    projections.catch_up()
    assert projections.status()[0].lag_events == 0


def test_a_write_is_seen_where_another_process_runs_the_projection(make: Make, log: Log):
    running, waiting = make(), make()
    running.start()
    position = log.append(account(1), Counted())
    threading.Timer(0.1, running.catch_up).start()
    waiting.wait_for(position, timeout=HANG)


def test_a_standing_reader_says_why(make: Make, log: Log, monkeypatch: pytest.MonkeyPatch):
    def broken(batch: object) -> None:
        raise psycopg.errors.DiskFull("no space left")

    projections = make()
    projections.start()
    stop = threading.Event()
    monkeypatch.setattr(Counter, "handle", lambda self, batch, connection: broken(batch))
    thread = threading.Thread(target=projections.run, args=[stop])
    thread.start()
    try:
        position = log.append(account(1), Counted())
        wait_until(lambda: projections.status()[0].trouble == "DiskFull: no space left", "it says why")
        monkeypatch.undo()
        projections.wait_for(position, timeout=HANG)
        wait_until(lambda: projections.status()[0].trouble is None, "it goes on")
    finally:
        stop.set()
        thread.join()


def test_the_trouble_of_an_earlier_process_is_over_once_another_reads(make: Make, database: Database):
    projections = make()
    projections.start()
    note_trouble(database, projections.live("counter")[1].reader, psycopg.OperationalError("the line was cut"))
    stop = threading.Event()
    thread = threading.Thread(target=projections.run, args=[stop])
    thread.start()
    try:
        wait_until(lambda: projections.status()[0].trouble is None, "the trouble is over")
    finally:
        stop.set()
        thread.join()

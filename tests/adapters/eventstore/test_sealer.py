"""No reader ever skips an event: positions are contiguous, their order follows cause, whoever dies meanwhile."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.eventstore import arrays
from adapters.eventstore.application import Arrears
from adapters.eventstore.connections import Connections
from adapters.eventstore.recorder import LogRecorder
from adapters.eventstore.sealer import Sealer
from adapters.eventstore.seals import head_seal, read_anchor
from adapters.eventstore.verify import verify
from adapters.postgres.database import Database
from aggregates.kernel.event import Meta, Recorded
from tests.adapters.eventstore.conftest import NOON, issue
from tests.adapters.eventstore.ledger import Count, Counted, OpenCase
from tests.waiting import HANG, wait_until


class OpenAppend:
    """A writer whose transaction stays open until told."""

    def __init__(self, database: Database, app: Arrears) -> None:
        self._connection = database.connect("arrears_app")
        arrays.register(self._connection)
        self._recorder = LogRecorder(Connections(lambda: self._connection))
        self._mapper = app.event_mapper

    def append(self, aggregate_id: UUID, version: int) -> UUID:
        meta = Meta(actor="service:test", command_id=uuid4(), correlation_id=uuid4())
        event = Recorded(aggregate_id, version, uuid4(), aggregate_id, NOON.date(), NOON, Counted(by=version), meta)
        self._recorder.append(self._mapper.encode([event])[0])
        return event.event_id

    def commit(self) -> None:
        self._connection.commit()

    def rollback(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def new_writer(database: Database, app: Arrears) -> Iterator[Callable[[], OpenAppend]]:
    with ExitStack() as stack:

        def make() -> OpenAppend:
            writer = OpenAppend(database, app)
            stack.callback(writer.close)
            return writer

        yield make


def test_an_append_held_open_while_others_commit_is_not_skipped(
    app: Arrears, sealer: Sealer, new_writer: Callable[[], OpenAppend]
):
    slow, quick = new_writer(), new_writer()
    held = slow.append(uuid4(), 1)
    seen: list[UUID] = []
    for _ in range(3):
        quick.append(uuid4(), 1)
        quick.commit()
        sealer.seal_once()
        seen += [e.event_id for e in app.feed.read(len(seen))]
    assert len(seen) == 3
    assert held not in seen
    slow.commit()
    sealer.seal_once()
    (late,) = app.feed.read(len(seen))
    assert (late.event_id, late.position) == (held, 4)


def test_an_append_rolled_back_leaves_no_hole(app: Arrears, sealer: Sealer, new_writer: Callable[[], OpenAppend]):
    gone, stays = new_writer(), new_writer()
    gone.append(uuid4(), 1)
    stays.append(uuid4(), 1)
    gone.rollback()
    stays.commit()
    assert sealer.seal_once() == 1
    assert [e.position for e in app.feed.read(0)] == [1]


def test_sealing_when_there_is_nothing_leaves_no_seal(sealer: Sealer, admin: psycopg.Connection):
    assert sealer.seal_once() == 0
    assert admin.execute("SELECT count(*) FROM arrears.seals").fetchone() == (0,)


def test_only_one_sealer_seals_and_another_takes_over(app: Arrears, database: Database, sealer: Sealer):
    other = Sealer(database)
    app.handle([issue(OpenCase(case_id=uuid4()))])
    assert sealer.seal_once() == 1
    app.handle([issue(OpenCase(case_id=uuid4()))])
    assert other.seal_once() == 0
    assert not other.is_active
    sealer.close()  # the server lets the lock go when it notices
    wait_until(other.seal_once, "the other seals")
    assert app.feed.head() == 2
    other.close()


def test_a_sealer_that_was_replaced_seals_nothing_though_its_connection_lives(app: Arrears, database: Database):
    """As it might be behind a pooler: the lease's number alone keeps it from sealing."""
    with ExitStack() as stack:
        old, new = Sealer(database), Sealer(database)
        stack.callback(old.close)
        stack.callback(new.close)
        app.handle([issue(OpenCase(case_id=uuid4()))])
        assert old.seal_once() == 1
        assert old._connection is not None
        old._connection.execute("SELECT pg_advisory_unlock_all()")
        assert new.seal_once() == 0
        assert new.is_active
        app.handle([issue(OpenCase(case_id=uuid4()))])
        assert old.seal_once() == 0
        assert app.feed.head() == 1
        assert new.seal_once() == 1


def test_a_poked_sealer_seals_at_once_and_readers_hear_of_it(app: Arrears, running_sealer: Sealer):
    app.handle([issue(OpenCase(case_id=uuid4()))])
    running_sealer.poke()
    assert app.feed.wait(0, timeout=HANG)
    assert app.feed.head() == 1
    assert not app.feed.wait(after=1, timeout=0.05)


def test_the_sealer_leaves_an_anchor_outside_of_the_database(
    app: Arrears, database: Database, admin: psycopg.Connection, tmp_path: Path
):
    sealer = Sealer(database, anchor=tmp_path / "seal.json")
    app.handle([issue(OpenCase(case_id=uuid4()))])
    sealer.seal_once()
    sealer.close()
    anchor = read_anchor(tmp_path / "seal.json")
    assert anchor is not None
    assert (anchor.position, anchor.seal_hash) == (1, head_seal(admin).hash)
    assert read_anchor(tmp_path / "none.json") is None


# --- random commit orders, and sealers that die ---


@dataclass
class World:
    """What really was committed, to hold against what readers saw."""

    versions: dict[UUID, int] = field(default_factory=dict)
    open: dict[int, tuple[UUID, UUID]] = field(default_factory=dict)
    committed: set[UUID] = field(default_factory=set)
    causes: dict[UUID, set[UUID]] = field(default_factory=dict)
    seen: list[Recorded] = field(default_factory=list)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 3), st.integers(0, 4)),
        st.tuples(st.just("commit"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("rollback"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("seal"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("kill"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("read"), st.integers(1, 3), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_the_order_of_commits_and_deaths_each_event_is_read_once_after_its_causes(
    steps: list[tuple[str, int, int]],
    app: Arrears,
    database: Database,
    admin: psycopg.Connection,
    new_writer: Callable[[], OpenAppend],
):
    world = World()
    start = app.feed.head()
    aggregates = [uuid4() for _ in range(5)]
    with ExitStack() as stack:
        writers = [OpenAppend(database, app) for _ in range(4)]
        sealers = [Sealer(database) for _ in range(2)]
        for writer in writers:
            stack.callback(writer.close)
        for sealer in sealers:
            stack.callback(sealer.close)

        def read(limit: int) -> None:
            world.seen += app.feed.read(start + len(world.seen), limit)

        def seal(number: int) -> int:
            try:
                return sealers[number].seal_once()
            except psycopg.OperationalError:
                sealers[number].close()  # as `run` does after losing its connection
                return 0

        def settle(number: int, *, commits: bool) -> None:
            if number not in world.open:
                return
            aggregate_id, event_id = world.open.pop(number)
            if commits:
                writers[number].commit()
                world.versions[aggregate_id] = world.versions.get(aggregate_id, 0) + 1
                world.committed.add(event_id)
            else:
                writers[number].rollback()

        for step, number, other in steps:
            busy = {aggregate_id for aggregate_id, _ in world.open.values()}
            if step == "append" and number not in world.open and aggregates[other] not in busy:
                causes = set(world.committed)
                event_id = writers[number].append(aggregates[other], world.versions.get(aggregates[other], 0) + 1)
                world.open[number], world.causes[event_id] = (aggregates[other], event_id), causes
            elif step in {"commit", "rollback"}:
                settle(number, commits=step == "commit")
            elif step == "seal":
                seal(number)
            elif step == "kill" and (connection := sealers[number]._connection) is not None:
                admin.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
            elif step == "read":
                read(number)

        for number in range(4):
            settle(number, commits=True)
        while not any(sealer.is_active for sealer in sealers):
            seal(0), seal(1)
        while app.feed.head() - start < len(world.committed):
            seal(0), seal(1)
        while len(world.seen) < len(world.committed):
            read(1_000)

    assert [e.position for e in world.seen] == list(range(start + 1, start + 1 + len(world.seen)))
    assert {e.event_id for e in world.seen} == world.committed
    place = {e.event_id: e.position or 0 for e in world.seen}
    assert all(place[cause] < place[effect] for effect in place for cause in world.causes[effect])


@pytest.mark.slow
def test_sealers_killed_at_random_while_writers_write(
    new_app: Callable[..., Arrears], database: Database, admin: psycopg.Connection
):
    stop, done = threading.Event(), threading.Event()
    sealers = [Sealer(database) for _ in range(2)]
    app = new_app()
    seen: list[Recorded] = []

    def write(seed: int) -> None:
        mine, case_id = new_app(), uuid4()
        mine.handle([issue(OpenCase(case_id=case_id))])
        for _ in range(60):
            mine.handle([issue(Count(case_id=case_id))])

    def kill() -> None:
        chance = random.Random(7)
        with database.connect(autocommit=True) as connection:
            while not done.wait(chance.uniform(0.01, 0.05)):
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'arrears_sealer' AND datname = current_database()"
                )

    def read() -> None:
        while len(seen) < 4 * 61:
            seen.extend(app.feed.read(len(seen), 50))
            app.feed.wait(len(seen), 0.2)

    threads = [threading.Thread(target=s.run, args=[stop]) for s in sealers]
    threads += [threading.Thread(target=kill)]
    writers = [threading.Thread(target=write, args=[n]) for n in range(4)]
    reader = threading.Thread(target=read)
    for thread in (*threads, *writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join(HANG)
    stop.set()
    for thread in threads:
        thread.join()
    assert [e.position for e in seen] == list(range(1, 4 * 61 + 1))
    assert len({e.event_id for e in seen}) == 4 * 61
    assert list(verify(admin)) == []

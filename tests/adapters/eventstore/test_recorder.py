"""The recorder: all or nothing, in one round trip, and what a lost connection means."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError

from adapters.eventstore.application import Arrears
from adapters.eventstore.recorder import Conflict, LogRecorder, SnapshotRow, Wanted
from adapters.eventstore.sealer import Sealer
from adapters.eventstore.stored import StoredFact
from adapters.postgres.errors import ConnectionLost
from aggregates.kernel.command import Accepted
from aggregates.kernel.event import Meta, Recorded
from tests.adapters.eventstore.conftest import NOON, issue, names
from tests.adapters.eventstore.ledger import Case, Count, Counted, OpenCase

MakeFacts = Callable[..., list[StoredFact]]


@pytest.fixture
def facts(app: Arrears) -> MakeFacts:
    """Rows for one aggregate's versions."""

    def make(aggregate_id: UUID, *versions: int) -> list[StoredFact]:
        meta = Meta(actor="service:test", command_id=uuid4(), correlation_id=uuid4())
        events = [
            Recorded(aggregate_id, version, uuid4(), aggregate_id, NOON.date(), NOON, Counted(by=version), meta)
            for version in versions
        ]
        return app.event_mapper.encode(events)[0]

    return make


class LosesTheAnswer:
    """A connection that breaks right before or right after it has carried out an append."""

    def __init__(self, real: psycopg.Connection, *, after_commit: bool) -> None:
        self._real = real
        self._after_commit = after_commit

    def execute(self, statement: str, *arguments: Any, **more: Any) -> psycopg.Cursor:
        if "INSERT INTO arrears.events" not in statement:
            return self._real.execute(statement, *arguments, **more)
        if self._after_commit:
            self._real.execute(statement, *arguments, **more)
        self._real.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@contextmanager
def one_lost_answer(recorder: LogRecorder, *, after_commit: bool, meanwhile: Callable[[], object]) -> Iterator[None]:
    """The next append loses its connection; `meanwhile` happens before it is tried again."""
    use = recorder._connections.use
    losses: list[int] = []

    @contextmanager
    def losing() -> Iterator[Any]:
        with use() as connection:
            if len(losses) == 0:
                losses.append(1)
                yield LosesTheAnswer(connection, after_commit=after_commit)
            else:
                if len(losses) == 1:
                    losses.append(2)
                    meanwhile()
                yield connection

    recorder._connections.use = losing  # type: ignore[method-assign]
    yield
    recorder._connections.use = use  # type: ignore[method-assign]


def nothing() -> None:
    pass


def test_a_conflict_stores_nothing_at_all(app: Arrears, facts: MakeFacts, admin: psycopg.Connection):
    one, two = uuid4(), uuid4()
    app._log.append(facts(one, 1))
    with pytest.raises(Conflict):
        app._log.append(
            [*facts(two, 1), *facts(one, 1)],
            outcomes={uuid4(): b"{}"},
            new_keys={two: app.keys.make(two)},
            snapshots=[SnapshotRow(two, 1, "test-case", 1, None, b"{}")],
        )
    for table, count in {"events": 1, "commands": 0, "account_keys": 0, "snapshots": 0}.items():
        assert admin.execute(f"SELECT count(*) FROM arrears.{table}").fetchone() == (count,)


def test_the_library_sees_a_conflict_as_its_own_integrity_error(app: Arrears, facts: MakeFacts):
    case_id = uuid4()
    app.recorder.insert_events(facts(case_id, 1, 2))
    with pytest.raises(IntegrityError):
        app.recorder.insert_events(facts(case_id, 2))


def test_thousands_are_loaded_in_one_round_trip(app: Arrears, facts: MakeFacts):
    ids = [uuid4() for _ in range(3_000)]
    app._log.append([fact for i in ids for fact in facts(i, 1, 2)])
    loaded = app._log.load([Wanted(i, after=n % 3) for n, i in enumerate(ids)], [uuid4() for _ in range(3_000)])
    assert {i: [row.version for row in rows] for i, rows in loaded.events.items()} == {
        i: [[1, 2], [2]][n % 3] for n, i in enumerate(ids) if n % 3 < 2
    }


def test_an_append_whose_answer_was_lost_has_worked(app: Arrears, facts: MakeFacts):
    mine = facts(uuid4(), 1, 2)
    with one_lost_answer(app._log, after_commit=True, meanwhile=nothing):
        app._log.append(mine, outcomes={uuid4(): b"{}"})
    assert [s.event_id for s in app._log.select_events(mine[0].originator_id)] == [fact.event_id for fact in mine]


def test_a_connection_lost_after_the_commit_is_not_stored_twice(app: Arrears):
    case_id = uuid4()
    app.handle([issue(OpenCase(case_id=case_id))])
    counting = issue(Count(case_id=case_id))
    with one_lost_append(app, after_commit=True):
        (outcome,) = app.handle([counting])
    assert isinstance(outcome, Accepted)
    assert names(app, case_id) == ["test-case.opened", "test-case.counted"]
    assert app.handle([counting]) == [outcome]


def one_lost_append(app: Arrears, *, after_commit: bool, meanwhile: Callable[[], object] = nothing) -> Any:
    """As `one_lost_answer`, for the append that follows a load."""

    @contextmanager
    def losing() -> Iterator[None]:
        append = app._log.append

        def lossy(*arguments: Any, **more: Any) -> None:
            app._log.append = append  # type: ignore[method-assign]
            with one_lost_answer(app._log, after_commit=after_commit, meanwhile=meanwhile):
                append(*arguments, **more)

        app._log.append = lossy  # type: ignore[method-assign]
        yield

    return losing()


def test_a_connection_lost_before_the_commit_is_tried_again(app: Arrears):
    case_id = uuid4()
    app.handle([issue(OpenCase(case_id=case_id))])
    with one_lost_append(app, after_commit=False):
        (outcome,) = app.handle([issue(Count(case_id=case_id))])
    assert isinstance(outcome, Accepted)
    assert names(app, case_id) == ["test-case.opened", "test-case.counted"]


def test_somebody_elses_event_after_a_lost_connection_is_a_conflict(new_app: Callable[..., Arrears]):
    mine, theirs, case_id = new_app(), new_app(), uuid4()
    mine.handle([issue(OpenCase(case_id=case_id))])
    with one_lost_append(
        mine, after_commit=False, meanwhile=lambda: theirs.handle([issue(Count(case_id=case_id, by=5))])
    ):
        (outcome,) = mine.handle([issue(Count(case_id=case_id, by=2))])
    assert isinstance(outcome, Accepted)
    assert [e.event.by for e in mine.history(Case, case_id) if isinstance(e.event, Counted)] == [5, 2]


def test_connections_killed_at_random_lose_and_double_nothing(
    new_app: Callable[..., Arrears], admin: psycopg.Connection
):
    app, case_id = new_app(), uuid4()
    app.handle([issue(OpenCase(case_id=case_id))])
    commands = [issue(Count(case_id=case_id)) for _ in range(60)]
    accepted = 0
    for number, command in enumerate(commands):
        if number % 3 == 0:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'arrears_app'"
                " AND datname = current_database()"
            )
        accepted += sum(isinstance(outcome, Accepted) for outcome in app.handle([command]))
    assert accepted == 60
    assert len(app.history(Case, case_id)) == 61


def test_a_server_that_stays_away_is_said_in_plain_words(app: Arrears, monkeypatch: pytest.MonkeyPatch):
    def unreachable() -> psycopg.Connection:
        raise ConnectionLost("gone")

    monkeypatch.setattr("adapters.eventstore.recorder._PATIENCE", 2)
    monkeypatch.setattr(app._connections, "_connect", unreachable)
    app._connections.drop_idle()
    with pytest.raises(ConnectionLost):
        app.handle([issue(OpenCase(case_id=uuid4()))])


# --- the library's interface ---


def test_the_library_reads_what_is_sealed_and_only_that(app: Arrears, facts: MakeFacts, sealer: Sealer):
    one, two = uuid4(), uuid4()
    app.recorder.insert_events(facts(one, 1, 2, 3))
    assert app.recorder.max_notification_id() is None
    sealer.seal_once()
    app.recorder.insert_events(facts(two, 1))
    assert app.recorder.max_notification_id() == 3
    assert [n.id for n in app.recorder.select_notifications(1, 10)] == [1, 2, 3]
    assert [n.id for n in app.recorder.select_notifications(1, 10, inclusive_of_start=False)] == [2, 3]
    assert [n.id for n in app.recorder.select_notifications(None, 1, stop=2, topics=["test-case.counted"])] == [1]
    assert [s.originator_version for s in app.recorder.select_events(one, gt=1, desc=True, limit=1)] == [3]
    assert [s.originator_version for s in app.recorder.select_events(one, lte=2)] == [1, 2]
    assert [section.id for section in app.notification_log.select(1, 2)] == [1, 2]


def test_the_librarys_event_store_and_subscription_work(app: Arrears, running_sealer: Sealer):
    case_id = uuid4()
    meta = Meta(actor="service:test", command_id=uuid4(), correlation_id=uuid4())
    recorded = Recorded(case_id, 1, uuid4(), case_id, NOON.date(), NOON, Counted(by=1), meta)
    app.events.put([recorded])
    assert [e.event for e in app.history(Case, case_id)] == [Counted(by=1)]
    with app.recorder.subscribe() as subscription:
        assert next(subscription).originator_id == case_id

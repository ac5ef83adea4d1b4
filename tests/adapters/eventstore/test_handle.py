"""The one write path: decisions, refusals, repeats, conflicts, and what concurrent callers share."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from adapters.eventstore.application import AggregateNotFoundError, Arrears
from adapters.eventstore.recorder import LogRecorder
from adapters.eventstore.sealer import Sealer
from aggregates.kernel.actor import Actor
from aggregates.kernel.aggregate import DECISIONS
from aggregates.kernel.command import Accepted, Command, Rejected
from tests.adapters.eventstore.conftest import before_the_append_of, issue, names
from tests.adapters.eventstore.ledger import (
    Break,
    Case,
    Count,
    CountTwiceThenRefuse,
    OpenCase,
    Repeat,
    Shelf,
    Shelve,
)
from tests.waiting import HANG

NewApp = Callable[..., Arrears]


@pytest.fixture
def decisions_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Command]], list[Command]]:
    """Notes each time a kind of command is decided."""

    def watch(command_class: type[Command]) -> list[Command]:
        seen: list[Command] = []
        decide = DECISIONS[command_class]

        def noted(*arguments: Any) -> None:
            seen.append(arguments[-2])
            decide(*arguments)

        monkeypatch.setitem(DECISIONS, command_class, noted)
        return seen

    return watch


def test_a_command_is_decided_stored_and_read_back(app: Arrears, sealer: Sealer):
    case_id = uuid4()
    opened, counted = app.handle([issue(OpenCase(case_id=case_id, who="Ada")), issue(Count(case_id=case_id, by=3))])
    assert isinstance(opened, Accepted)
    assert isinstance(counted, Accepted)
    assert counted.version == 2
    case = app.load(Case, case_id)
    assert (case.total, case.who, case.version) == (3, "Ada", 2)
    assert sealer.seal_once() == 2
    assert [e.position for e in app.feed.read(0)] == [1, 2]


def test_an_event_says_who_caused_it_when_and_why(app: Arrears):
    case_id, command_id, cause, correlation = uuid4(), uuid4(), uuid4(), uuid4()
    app.handle(
        [
            issue(
                OpenCase(case_id=case_id),
                command_id=command_id,
                causation_id=cause,
                correlation_id=correlation,
                reason="she asked",
            )
        ]
    )
    (opened,) = app.history(Case, case_id)
    meta = opened.meta
    assert (meta.actor, meta.command_id, meta.causation_id) == ("person:tester", command_id, cause)
    assert (meta.correlation_id, meta.reason) == (correlation, "she asked")
    assert (opened.account_id, opened.recorded_at) == (case_id, app.clock.now())
    assert opened.effective_on == app.clock.now().date()


def test_events_are_sealed_in_the_order_they_were_decided(app: Arrears, sealer: Sealer):
    ids = sorted((uuid4() for _ in range(4)), reverse=True)
    app.handle([issue(OpenCase(case_id=i)) for i in ids])
    sealer.seal_once()
    assert [e.aggregate_id for e in app.feed.read(0)] == ids


# --- refusals ---


def test_a_refusal_is_an_outcome_and_undoes_nothing_else(app: Arrears):
    case_id, other_id = uuid4(), uuid4()
    outcomes = app.handle(
        [
            issue(OpenCase(case_id=case_id)),
            issue(OpenCase(case_id=case_id)),
            issue(Count(case_id=case_id)),
            issue(OpenCase(case_id=other_id)),
        ]
    )
    assert outcomes[1] == Rejected("test-case-exists", "it is open already")
    assert [type(o) for o in outcomes] == [Accepted, Rejected, Accepted, Accepted]
    assert names(app, case_id) == ["test-case.opened", "test-case.counted"]


def test_a_refusal_after_emitting_leaves_no_trace(app: Arrears):
    case_id = uuid4()
    app.handle([issue(OpenCase(case_id=case_id)), issue(Count(case_id=case_id))])
    outcomes = app.handle(
        [issue(Count(case_id=case_id)), issue(CountTwiceThenRefuse(case_id=case_id)), issue(Count(case_id=case_id))]
    )
    assert [type(o) for o in outcomes] == [Accepted, Rejected, Accepted]
    accepted, refused = app.handle([issue(Count(case_id=case_id, limit=4)), issue(Count(case_id=case_id, limit=4))])
    assert isinstance(accepted, Accepted)
    assert refused == Rejected("test-limit-reached", "4 were counted already")
    assert [e.version for e in app.history(Case, case_id)] == [1, 2, 3, 4, 5]


def test_a_defect_in_one_decision_is_raised_and_the_rest_is_stored(app: Arrears):
    case_id = uuid4()
    with pytest.raises(ZeroDivisionError):
        app.handle([issue(OpenCase(case_id=case_id)), issue(Break(case_id=case_id)), issue(Count(case_id=case_id))])
    assert app.load(Case, case_id).total == 1


def test_nothing_to_do_is_accepted_without_events(app: Arrears):
    case_id = uuid4()
    app.handle([issue(OpenCase(case_id=case_id))])
    assert app.handle([issue(Count(case_id=case_id, by=0))]) == [Accepted((), 1)]


# --- repeats ---


def test_the_same_command_again_has_the_same_outcome_and_no_second_event(new_app: NewApp):
    case_id = uuid4()
    opening, counting = issue(OpenCase(case_id=case_id)), issue(Count(case_id=case_id))
    first = new_app().handle([opening, counting, counting])
    assert first[1] == first[2]
    assert new_app().handle([opening, counting]) == first[:2]
    assert names(new_app(), case_id) == ["test-case.opened", "test-case.counted"]


def test_a_refusal_is_remembered_too(app: Arrears):
    case_id = uuid4()
    counting = issue(Count(case_id=case_id, limit=0))
    refused = app.handle([counting])
    app.handle([issue(OpenCase(case_id=case_id))])
    assert app.handle([counting]) == refused


def test_a_policy_that_found_nothing_to_do_leaves_no_row(app: Arrears, admin: psycopg.Connection):
    case_id = uuid4()
    app.handle([issue(OpenCase(case_id=case_id))])
    app.handle([issue(Count(case_id=case_id, by=0), actor=Actor.parse("policy:aging@1"))])
    assert admin.execute("SELECT count(*) FROM arrears.commands").fetchone() == (1,)


def test_another_command_with_the_same_natural_key_is_a_duplicate(new_app: NewApp):
    key, one, two = uuid4(), uuid4(), uuid4()
    first, second = new_app().handle([issue(OpenCase(case_id=one), key=key), issue(OpenCase(case_id=two), key=key)])
    assert isinstance(first, Accepted)
    assert isinstance(second, Rejected)
    assert second.reason_code == "duplicate"
    (again,) = new_app().handle([issue(OpenCase(case_id=two), key=key)])
    assert isinstance(again, Rejected)
    with pytest.raises(AggregateNotFoundError):
        new_app().load(Case, two)


def test_a_key_whose_command_was_refused_may_be_used_again(app: Arrears):
    key, case_id = uuid4(), uuid4()
    app.handle([issue(Count(case_id=case_id, limit=0), key=key)])
    (outcome,) = app.handle([issue(OpenCase(case_id=case_id), key=key)])
    assert isinstance(outcome, Accepted)


def test_the_same_command_from_two_processes_at_once_happens_once(new_app: NewApp):
    apps = [new_app(), new_app()]
    with ThreadPoolExecutor(2) as threads:
        for _ in range(40):
            case_id = uuid4()
            opening, counting = issue(OpenCase(case_id=case_id)), issue(Count(case_id=case_id))
            results = list(threads.map(lambda app, c=[opening, counting]: app.handle(c), apps))
            assert results[0] == results[1]
            assert names(apps[0], case_id) == ["test-case.opened", "test-case.counted"]


# --- conflicts ---


def test_a_conflict_decides_again_only_what_moved(new_app: NewApp, decisions_of: Callable[..., list[Command]]):
    mine, theirs = new_app(), new_app()
    moved, still = uuid4(), uuid4()
    mine.handle([issue(OpenCase(case_id=moved)), issue(OpenCase(case_id=still))])
    decided = decisions_of(Count)
    with before_the_append_of(mine, lambda: theirs.handle([issue(Count(case_id=moved, by=10))])):
        outcomes = mine.handle([issue(Count(case_id=moved, by=2, limit=10)), issue(Count(case_id=still, by=3))])
    assert [type(o) for o in outcomes] == [Rejected, Accepted]
    assert [(c.case_id, c.by) for c in decided if isinstance(c, Count)] == [
        (moved, 2),
        (still, 3),
        (moved, 10),
        (moved, 2),
    ]
    assert (mine.load(Case, moved).total, mine.load(Case, still).total) == (10, 3)
    mine.handle([issue(Count(case_id=moved)), issue(Count(case_id=still))])  # the cache holds what was stored
    assert (mine.load(Case, moved).total, mine.load(Case, still).total) == (11, 4)


def test_what_a_moved_aggregate_touched_is_decided_again_too(
    new_app: NewApp, decisions_of: Callable[..., list[Command]]
):
    mine, theirs = new_app(), new_app()
    one, two, three, shelf = uuid4(), uuid4(), uuid4(), uuid4()
    mine.handle([issue(OpenCase(case_id=i)) for i in (one, two, three)])
    decided = decisions_of(Shelve)
    with before_the_append_of(mine, lambda: theirs.handle([issue(Count(case_id=one))])):
        mine.handle(
            [
                issue(Shelve(case_id=one, shelf_id=shelf)),
                issue(Shelve(case_id=two, shelf_id=shelf)),
                issue(Shelve(case_id=three, shelf_id=uuid4())),
            ]
        )
    assert [c.case_id for c in decided if isinstance(c, Shelve)] == [one, two, three, one, two]
    assert mine.load(Shelf, shelf).cases == [one, two]
    assert mine.load(Case, one).total == 2


def test_two_processes_counting_the_same_case_lose_nothing(new_app: NewApp):
    apps, case_id = [new_app() for _ in range(3)], uuid4()
    apps[0].handle([issue(OpenCase(case_id=case_id))])

    def count(app: Arrears) -> None:
        for _ in range(25):
            app.handle([issue(Count(case_id=case_id))])

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(count, apps))
    assert apps[0].load(Case, case_id).total == 75


def test_a_limit_holds_whoever_comes_first(new_app: NewApp):
    apps, case_id = [new_app() for _ in range(3)], uuid4()
    apps[0].handle([issue(OpenCase(case_id=case_id))])
    with ThreadPoolExecutor(3) as threads:
        calls = [[issue(Count(case_id=case_id, limit=5)) for _ in range(5)] for _ in apps]
        outcomes = [o for result in threads.map(lambda a, c: a.handle(c), apps, calls) for o in result]
    assert sum(isinstance(o, Accepted) for o in outcomes) == 5
    assert apps[0].load(Case, case_id).total == 5


# --- history ---


def test_a_decision_that_needs_history_gets_it(app: Arrears):
    case_id = uuid4()
    app.handle([issue(OpenCase(case_id=case_id)), *(issue(Count(case_id=case_id, by=n)) for n in (5, 7))])
    outcomes = app.handle(
        [
            issue(Count(case_id=case_id, by=9)),
            issue(Repeat(case_id=case_id, nth=3)),
            issue(Count(case_id=case_id, by=1)),
            issue(Repeat(case_id=case_id, nth=5)),
        ]
    )
    assert all(isinstance(o, Accepted) for o in outcomes)
    assert app.load(Case, case_id).total == 5 + 7 + 9 + 9 + 1 + 1
    app.handle([issue(Count(case_id=case_id))])
    assert app.load(Case, case_id).total == 33


# --- group commit ---


def test_concurrent_single_commands_share_a_transaction(app: Arrears, monkeypatch: pytest.MonkeyPatch):
    case_ids = [uuid4() for _ in range(16)]
    app.handle([issue(OpenCase(case_id=i)) for i in case_ids])
    sizes: list[int] = []
    first_is_in, go = threading.Event(), threading.Event()
    append = LogRecorder.append

    def slow_first(self: LogRecorder, facts: Any, **more: Any) -> None:
        sizes.append(len(facts))
        if len(sizes) == 1:
            first_is_in.set()
            go.wait(HANG)
        append(self, facts, **more)

    monkeypatch.setattr(LogRecorder, "append", slow_first)
    with ThreadPoolExecutor(16) as threads:
        calls = [threads.submit(app.handle, [issue(Count(case_id=case_ids[0]))])]
        first_is_in.wait(HANG)
        calls += [threads.submit(app.handle, [issue(Count(case_id=i))]) for i in case_ids[1:]]
        while len(app._group._waiting) < 15:
            pass
        go.set()
        assert all(isinstance(call.result()[0], Accepted) for call in calls)
    assert sizes == [1, 15]


def test_a_large_call_is_stored_in_chunks(app: Arrears):
    outcomes = app.handle([issue(OpenCase(case_id=uuid4())) for _ in range(2_300)])
    assert len(outcomes) == 2_300
    assert all(isinstance(o, Accepted) for o in outcomes)


def test_where_the_cache_holds_few_of_them_a_call_is_stored_in_smaller_parts(
    new_app: NewApp, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Case, "weight", property(lambda _: 10))
    app, case_ids = new_app(cache_size=1_000), [uuid4() for _ in range(300)]
    app.handle([issue(OpenCase(case_id=i)) for i in case_ids])
    sizes: list[int] = []
    append = LogRecorder.append

    def noted(self: LogRecorder, facts: Any, **more: Any) -> None:
        sizes.append(len(facts))
        append(self, facts, **more)

    monkeypatch.setattr(LogRecorder, "append", noted)
    outcomes = app.handle([issue(Count(case_id=i)) for i in case_ids])
    assert sizes == [100, 100, 100]
    assert [o.version for o in outcomes if isinstance(o, Accepted)] == [2] * 300


# --- snapshots ---


def test_an_aggregate_from_a_snapshot_is_the_same_as_from_its_events(new_app: NewApp, admin: psycopg.Connection):
    case_id, app = uuid4(), new_app()
    app.handle([issue(OpenCase(case_id=case_id, who="Ada"))])
    app.handle([issue(Count(case_id=case_id)) for _ in range(250)])
    assert admin.execute("SELECT version FROM arrears.snapshots").fetchall() == [(251,)]
    (state,) = admin.execute("SELECT state FROM arrears.snapshots").fetchone() or ()
    assert b"Ada" not in bytes(state)
    admin.execute("DELETE FROM arrears.events WHERE version < 200")  # so it must be the snapshot that is used
    (outcome,) = new_app().handle([issue(Count(case_id=case_id, limit=250))])
    assert outcome == Rejected("test-limit-reached", "250 were counted already")


def test_a_snapshot_of_another_shape_is_passed_over(new_app: NewApp, admin: psycopg.Connection):
    case_id, app = uuid4(), new_app()
    app.handle([issue(OpenCase(case_id=case_id)), *(issue(Count(case_id=case_id)) for _ in range(120))])
    admin.execute("UPDATE arrears.snapshots SET state_version = 2, state = 'not what you think'")
    (outcome,) = new_app().handle([issue(Count(case_id=case_id, limit=120))])
    assert isinstance(outcome, Rejected)


def test_an_aggregate_whose_snapshots_are_of_another_shape_gets_a_new_one_at_once(
    new_app: NewApp, admin: psycopg.Connection
):
    """A release changed the shape of the state: each is read from its events once, not until its next hundred."""
    case_id, app = uuid4(), new_app()
    app.handle([issue(OpenCase(case_id=case_id)), *(issue(Count(case_id=case_id)) for _ in range(120))])
    admin.execute("UPDATE arrears.snapshots SET state_version = 7")
    new_app().handle([issue(Count(case_id=case_id))])
    found = admin.execute("SELECT version, state_version FROM arrears.snapshots ORDER BY version").fetchall()
    assert found == [(121, 7), (122, 1)]
    new_app().handle([issue(Count(case_id=case_id))])
    assert admin.execute("SELECT count(*) FROM arrears.snapshots").fetchone() == (2,)

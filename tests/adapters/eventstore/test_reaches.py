"""A decision changes what it asks for besides its targets: together with them, or not at all."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.eventstore.application import Arrears
from adapters.eventstore.trial import Trial
from adapters.postgres.database import Database
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Rejected
from aggregates.kernel.memory import MemoryStore
from tests.adapters.eventstore.conftest import MASTER_KEY, NOON, before_the_append_of, issue
from tests.adapters.eventstore.ledger import Case, Count, HandOver, OpenCase

NewApp = Callable[..., Arrears]


@pytest.fixture
def cases(app: Arrears) -> tuple[UUID, UUID]:
    """Two cases, with 10 and 20 counted."""
    one, two = uuid4(), uuid4()
    for case_id, by in ((one, 10), (two, 20)):
        app.handle([issue(OpenCase(case_id=case_id)), issue(Count(case_id=case_id, by=by))])
    return one, two


@pytest.fixture
def trial(database: Database, clock: Any) -> Iterator[Trial]:
    with Trial(database, master_key=MASTER_KEY, clock=clock) as trial:
        yield trial


def totals(app: Arrears, *case_ids: UUID) -> list[int]:
    return [app.load(Case, each).total for each in case_ids]


def test_both_sides_are_stored_together(new_app: NewApp, cases: tuple[UUID, UUID]):
    one, two = cases
    for app in (new_app(), new_app(cache_size=0)):  # at hand, and not
        [outcome] = app.handle([issue(HandOver(case_id=one, to_id=two, by=3))])
        assert isinstance(outcome, Accepted)
        assert len(outcome.event_ids) == 2
        last = [app.history(Case, each)[-1] for each in cases]
        assert [each.event_id for each in last] == list(outcome.event_ids)
        assert len({each.meta.command_id for each in last}) == 1
        assert [each.account_id for each in last] == [one, two]
    assert totals(new_app(), one, two) == [4, 26]


def test_commands_of_a_batch_see_what_the_others_did_to_what_they_reach(app: Arrears, cases: tuple[UUID, UUID]):
    one, two = cases
    three = uuid4()
    outcomes = app.handle(
        [
            issue(OpenCase(case_id=three)),
            issue(HandOver(case_id=one, to_id=three, by=4)),
            issue(HandOver(case_id=three, to_id=two, by=1, limit=21)),
            issue(HandOver(case_id=three, to_id=two, by=1, limit=21)),
            issue(Count(case_id=two, by=100)),
        ]
    )
    assert [type(each) for each in outcomes] == [Accepted, Accepted, Accepted, Rejected, Accepted]
    assert totals(app, one, two, three) == [6, 121, 3]


def test_a_refusal_after_both_were_changed_leaves_no_trace_on_either(app: Arrears, cases: tuple[UUID, UUID]):
    [outcome] = app.handle([issue(HandOver(case_id=cases[0], to_id=cases[1], by=5, limit=24))])
    assert outcome == Rejected("test-limit-reached", "25 would be counted there")
    assert totals(app, *cases) == [10, 20]
    [outcome] = app.handle([issue(HandOver(case_id=cases[0], to_id=cases[1], by=5, limit=25))])  # the cache has none
    assert isinstance(outcome, Accepted)
    assert totals(app, *cases) == [5, 25]


def test_what_is_not_there_is_not_found(app: Arrears, cases: tuple[UUID, UUID]):
    [outcome] = app.handle([issue(HandOver(case_id=cases[0], to_id=uuid4()))])
    assert outcome == Rejected("test-no-case", "there is no other case")
    assert totals(app, *cases) == [10, 20]


def test_where_the_reached_one_moves_meanwhile_all_is_decided_again(new_app: NewApp, cases: tuple[UUID, UUID]):
    mine, theirs = new_app(), new_app()
    one, two = cases
    mine.handle([issue(Count(case_id=one)), issue(Count(case_id=two))])
    with before_the_append_of(mine, lambda: theirs.handle([issue(Count(case_id=two, by=10))])):
        [outcome] = mine.handle([issue(HandOver(case_id=one, to_id=two, by=2, limit=33))])
    assert isinstance(outcome, Accepted)
    assert totals(new_app(), one, two) == totals(mine, one, two) == [9, 33]
    with before_the_append_of(mine, lambda: theirs.handle([issue(Count(case_id=two, by=10))])):
        [outcome] = mine.handle([issue(HandOver(case_id=one, to_id=two, by=2, limit=40))])
    assert outcome == Rejected("test-limit-reached", "45 would be counted there")
    assert totals(new_app(), one, two) == totals(mine, one, two) == [9, 43]
    mine.handle([issue(Count(case_id=one)), issue(Count(case_id=two))])  # the cache holds what was stored
    assert totals(mine, one, two) == [10, 44]


def test_a_refusal_that_followed_from_what_moved_meanwhile_is_decided_again(new_app: NewApp, cases: tuple[UUID, UUID]):
    mine, theirs = new_app(), new_app()
    with before_the_append_of(mine, lambda: theirs.handle([issue(Count(case_id=cases[1], by=-10))])):
        [outcome] = mine.handle([issue(HandOver(case_id=cases[0], to_id=cases[1], by=5, limit=15))])
    assert isinstance(outcome, Accepted)
    assert totals(new_app(), *cases) == [5, 15]


def test_where_the_target_moves_meanwhile_the_reached_one_is_changed_once(new_app: NewApp, cases: tuple[UUID, UUID]):
    mine, theirs = new_app(), new_app()
    one, two = cases
    with before_the_append_of(mine, lambda: theirs.handle([issue(Count(case_id=one, by=1))])):
        mine.handle([issue(HandOver(case_id=one, to_id=two, by=5))])
    assert totals(new_app(), one, two) == totals(mine, one, two) == [6, 25]
    assert [each.version for each in mine.history(Case, two)] == [1, 2, 3]


def test_the_commands_on_what_a_moved_decision_reached_are_decided_again_too(new_app: NewApp, cases: tuple[UUID, UUID]):
    mine, theirs = new_app(), new_app()
    one, two = cases
    with before_the_append_of(mine, lambda: theirs.handle([issue(Count(case_id=one, by=1))])):
        outcomes = mine.handle(
            [
                issue(Count(case_id=two, limit=21)),
                issue(HandOver(case_id=one, to_id=two, by=5)),
                issue(Count(case_id=two, limit=26)),
            ]
        )
    assert [type(each) for each in outcomes] == [Accepted, Accepted, Rejected]
    assert totals(new_app(), one, two) == totals(mine, one, two) == [6, 26]


def test_the_reached_one_is_whole_where_history_is_asked_for(new_app: NewApp, cases: tuple[UUID, UUID]):
    one, two = cases
    app = new_app()
    [outcome] = app.handle([issue(HandOver(case_id=one, to_id=two, by=3, nth=1))])
    assert isinstance(outcome, Accepted)
    app.handle([issue(HandOver(case_id=one, to_id=two, by=1)), issue(HandOver(case_id=one, to_id=two, by=0, nth=3))])
    assert totals(app, one, two) == totals(new_app(), one, two) == [6, 42]


def test_the_same_command_again_changes_neither_side(new_app: NewApp, cases: tuple[UUID, UUID]):
    handing = issue(HandOver(case_id=cases[0], to_id=cases[1], by=3))
    outcomes = [new_app().handle([handing]) for _ in range(2)]
    assert outcomes[0] == outcomes[1]
    assert totals(new_app(), *cases) == [7, 23]


def test_the_same_command_from_two_processes_at_once_changes_both_sides_once(new_app: NewApp, cases: tuple[UUID, UUID]):
    mine, theirs = new_app(), new_app()
    handing = issue(HandOver(case_id=cases[0], to_id=cases[1], by=3))
    with before_the_append_of(mine, lambda: theirs.handle([handing])):
        assert mine.handle([handing]) == theirs.handle([handing])
    assert totals(new_app(), *cases) == totals(mine, *cases) == [7, 23]


def test_a_trial_changes_both_sides_for_itself_alone(
    app: Arrears, trial: Trial, cases: tuple[UUID, UUID], admin: psycopg.Connection
):
    count = "SELECT count(*) FROM arrears.events"
    before = admin.execute(count).fetchone()
    trial.handle([issue(HandOver(case_id=cases[0], to_id=cases[1], by=3))])
    [outcome] = trial.handle([issue(HandOver(case_id=cases[0], to_id=cases[1], by=3, nth=2))])
    assert isinstance(outcome, Accepted)
    assert totals(trial, *cases) == [4, 26]
    assert totals(app, *cases) == [10, 20]
    assert admin.execute(count).fetchone() == before


def test_in_memory_it_is_the_same():
    store, one, two = MemoryStore(rules={}), uuid4(), uuid4()

    def do(command: Command) -> object:
        [outcome] = store.handle([issue(command, actor=Actor.person("tester"))], now=NOON)
        return outcome

    for command in (OpenCase(case_id=one), OpenCase(case_id=two), Count(case_id=two, by=7)):
        do(command)
    assert isinstance(do(HandOver(case_id=one, to_id=two, by=3)), Accepted)
    assert isinstance(do(HandOver(case_id=one, to_id=two, by=3, limit=12)), Rejected)
    assert isinstance(do(HandOver(case_id=one, to_id=two, by=2, nth=1)), Accepted)
    assert [store.get(Case, each).total for each in (one, two)] == [-5, 17]
    assert [store.replayed(Case, each).total for each in (one, two)] == [-5, 17]
    assert [each.position for each in store.log] == list(range(1, len(store.log) + 1))

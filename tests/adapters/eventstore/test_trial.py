"""A trial decides as the write path does, finds what it decided, and stores nothing."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from adapters.eventstore.application import AggregateNotFoundError, Arrears
from adapters.eventstore.trial import Trial
from adapters.postgres.database import Database
from aggregates.kernel.command import Accepted, Rejected
from tests.adapters.eventstore.conftest import MASTER_KEY, issue, names
from tests.adapters.eventstore.ledger import Case, Count, CountTwiceThenRefuse, Note, OpenCase, Repeat, Shelf, Shelve


@pytest.fixture
def trial(database: Database, clock: Any) -> Iterator[Trial]:
    with Trial(database, master_key=MASTER_KEY, clock=clock, cache_size=1) as trial:
        yield trial


def stored(admin: psycopg.Connection) -> list[object]:
    statement = """
        SELECT (SELECT count(*) FROM arrears.events), (SELECT count(*) FROM arrears.commands),
               (SELECT count(*) FROM arrears.account_keys), (SELECT count(*) FROM arrears.master_key),
               (SELECT count(*) FROM arrears.snapshots), (SELECT last_value FROM arrears.events_seq)
    """
    return list(admin.execute(statement).fetchall())


def test_what_a_trial_decided_is_there_for_its_next_commands_and_nowhere_else(
    app: Arrears, trial: Trial, admin: psycopg.Connection
):
    case_id, other = uuid4(), uuid4()
    app.handle([issue(OpenCase(case_id=case_id, who="Ada")), issue(Count(case_id=case_id, by=3))])
    before = stored(admin)
    for command in (OpenCase(case_id=other, who="Bo"), Note(case_id=other, text="hm"), Count(case_id=case_id, by=4)):
        [outcome] = trial.handle([issue(command)])
        assert isinstance(outcome, Accepted)
    [refused] = trial.handle([issue(CountTwiceThenRefuse(case_id=case_id))])
    assert isinstance(refused, Rejected)
    [repeated] = trial.handle([issue(Repeat(case_id=case_id, nth=2))])  # asks for the whole history
    assert isinstance(repeated, Accepted)
    assert trial.load(Case, other).who == "Bo"
    assert trial.load(Case, other).last_note == "hm"
    assert trial.load(Case, other, version=1).last_note is None
    assert trial.load(Case, case_id).total == 3 + 4 + 4
    assert [each.total for each in trial.load_many(Case, [case_id])] == [11]
    assert names(trial, other) == ["test-case.opened", "test-case.noted"]
    assert stored(admin) == before
    assert app.load(Case, case_id).total == 3
    with pytest.raises(AggregateNotFoundError):
        app.load(Case, other)


def test_the_same_command_again_has_the_outcome_that_the_trial_gave_it(trial: Trial):
    case_id = uuid4()
    trial.handle([issue(OpenCase(case_id=case_id, who="Ada"))])
    counting = issue(Count(case_id=case_id, by=3))
    assert trial.handle([counting]) == trial.handle([counting])
    assert trial.load(Case, case_id).total == 3


@pytest.mark.parametrize("others", [2, 250])
def test_who_writes_meanwhile_is_not_in_the_way(app: Arrears, trial: Trial, others: int):
    """Also where that made a snapshot of what the trial has not seen."""
    case_id = uuid4()
    app.handle([issue(OpenCase(case_id=case_id, who="Ada")), issue(Count(case_id=case_id, by=3))])
    trial.handle([issue(Count(case_id=case_id, by=4))])
    app.handle([issue(Count(case_id=case_id, by=100)) for _ in range(others)])
    trial.handle([issue(OpenCase(case_id=uuid4(), who="Bo"))])  # out of the cache, which has room for one
    [outcome] = trial.handle([issue(Count(case_id=case_id, by=5))])
    assert isinstance(outcome, Accepted)
    assert outcome.version == 4
    assert trial.load(Case, case_id).total == 3 + 4 + 5
    assert app.load(Case, case_id).total == 3 + 100 * others


def test_accounts_are_forgotten_and_what_belongs_to_none_is_kept(app: Arrears, trial: Trial):
    shelf, first, second = uuid4(), uuid4(), uuid4()
    opened = {case_id: issue(OpenCase(case_id=case_id, who="Ada")) for case_id in (first, second)}
    for case_id in (first, second):
        trial.handle([opened[case_id], issue(Shelve(case_id=case_id, shelf_id=shelf))])
    trial.forget_accounts(but=[second])
    with pytest.raises(AggregateNotFoundError):
        trial.load(Case, first)
    assert trial.load(Case, second).who == "Ada"
    assert trial.load(Shelf, shelf).cases == [first, second]
    trial.handle([opened[first], opened[second]])  # one as if it had never been, one again
    assert trial.load(Case, first).version == 1
    assert trial.load(Case, second).version == 2

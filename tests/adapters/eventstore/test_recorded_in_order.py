"""The order of recorded times in the log, across processes, caches and snapshots."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg

from adapters.clock import ManualClock
from adapters.eventstore.application import Arrears
from tests.adapters.eventstore.conftest import NOON, issue
from tests.adapters.eventstore.ledger import Count

NewApp = Callable[..., Arrears]
BACK = timedelta(days=2)


def last_recorded(admin: psycopg.Connection, case_id: UUID) -> object:
    (found,) = admin.execute(
        "SELECT recorded_at FROM arrears.events WHERE aggregate_id = %s ORDER BY version DESC LIMIT 1", [case_id]
    ).fetchone() or (None,)
    return found


def test_an_aggregate_at_hand_remembers_when_its_last_event_was_recorded(
    app: Arrears, clock: ManualClock, admin: psycopg.Connection
):
    case_id = uuid4()
    app.handle([issue(Count(case_id=case_id))])
    clock.set(NOON - BACK)
    app.handle([issue(Count(case_id=case_id))])
    assert last_recorded(admin, case_id) == NOON


def test_another_process_reads_it_from_the_last_event(new_app: NewApp, clock: ManualClock, admin: psycopg.Connection):
    case_id = uuid4()
    new_app().handle([issue(Count(case_id=case_id))])
    clock.set(NOON - BACK)
    new_app().handle([issue(Count(case_id=case_id))])
    assert last_recorded(admin, case_id) == NOON


def test_it_is_known_where_the_state_comes_from_a_snapshot(
    new_app: NewApp, clock: ManualClock, admin: psycopg.Connection
):
    case_id = uuid4()
    new_app().handle([issue(Count(case_id=case_id)) for _ in range(100)])
    assert admin.execute("SELECT version FROM arrears.snapshots").fetchall() == [(100,)]
    clock.set(NOON - BACK)
    new_app().handle([issue(Count(case_id=case_id))])
    assert last_recorded(admin, case_id) == NOON


def test_two_processes_with_different_clocks_do_not_get_in_each_other_s_way(new_app: NewApp, admin: psycopg.Connection):
    case_id, ahead = uuid4(), NOON + timedelta(seconds=20)
    one, two = new_app(clock=ManualClock(ahead)), new_app(clock=ManualClock(NOON))
    for app in (one, two, one, two):
        app.handle([issue(Count(case_id=case_id))])
    times = [row[0] for row in admin.execute("SELECT recorded_at FROM arrears.events ORDER BY version")]
    assert times == [ahead] * 4

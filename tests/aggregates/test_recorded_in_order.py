"""When an aggregate's events were recorded: in their order, whatever the clock does."""

from datetime import timedelta

import pytest

from aggregates.account.activities import ActivityKind, ActivityRecorded, Direction, RecordActivity
from tests.builders import ACCOUNT, DAY, an_account, an_office
from tests.given import World


def a_note() -> RecordActivity:
    return RecordActivity(account_id=ACCOUNT, kind=ActivityKind.NOTE, direction=Direction.INTERNAL, notes="a call")


@pytest.fixture
def world() -> World:
    made = World()
    made.do(an_office())
    made.do(an_account())
    return made


def test_no_event_is_recorded_before_the_last_one_of_its_account(world: World):
    opened_at = world.now
    world.now -= 3 * DAY
    world.do(a_note())
    assert world.log[-1].recorded_at == opened_at
    world.now = opened_at + timedelta(hours=1)
    world.do(a_note())
    assert world.log[-1].recorded_at == world.now


def test_a_decision_takes_the_clock_s_day_all_the_same(world: World):
    world.now -= 3 * DAY
    world.do(a_note())
    noted = world.log[-1]
    assert isinstance(noted.event, ActivityRecorded)
    assert noted.effective_on == world.today


def test_what_was_recorded_by_a_clock_that_ran_ahead_concerns_its_own_account_alone(world: World):
    right = world.now
    world.now = right + 365 * DAY
    world.do(a_note())
    world.now = right + timedelta(hours=1)
    world.do(an_account(number="A-2"))
    assert world.log[-1].recorded_at == world.now

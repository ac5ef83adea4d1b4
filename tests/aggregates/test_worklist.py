"""Putting things on the worklist off, giving them to others, and closing a day."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from aggregates.account.activities import ActivityKind, ActivityRecorded, RecordActivity
from aggregates.account.calls import StartCall
from aggregates.account.complaints import ComplaintOverdue, RecordComplaint
from aggregates.account.worklist import (
    ReassignWorklistItem,
    SnoozeWorklistItem,
    WorklistItemReassigned,
    WorklistItemSnoozed,
)
from aggregates.workday import CloseWorkday, WorkdayClosed, workday_id
from tests.builders import ACCOUNT, APR, MAR, OFFICE, an_invoice
from tests.given import Scenario, given, given_auto_collection, like, live

LATER = datetime(2026, 3, 10, 15, tzinfo=UTC)


def a_task(**more: Any) -> RecordActivity:
    return RecordActivity(account_id=ACCOUNT, kind=ActivityKind.TASK, direction="internal", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "\u202ekim", "kim\n", "x" * 101])
def test_a_name_that_nobody_could_ask_for_is_no_assignee(name: str):
    for made in (a_task, lambda **more: ReassignWorklistItem(account_id=ACCOUNT, item_id=uuid4(), **more)):
        if name != "kim\n":
            with pytest.raises(ValidationError, match="assignee"):
                made(assignee=name)
        assert made(assignee=" kim ").assignee == "kim"


def the_follow_up(scenario: Scenario) -> UUID:
    [found] = scenario.account.activities.follow_ups
    return found


def test_what_has_to_be_done_is_put_off_until_a_later_moment_with_a_reason():
    scenario = given(MAR(9), a_task(follow_up_on=MAR(9)))
    snooze = SnoozeWorklistItem(account_id=ACCOUNT, item_id=the_follow_up(scenario), until=LATER)
    scenario.when(snooze).then(like(WorklistItemSnoozed, until=LATER))
    scenario.when(snooze, reason=None).then_refused("reason-required")
    scenario.when(snooze, at=LATER).then_refused("snooze-past")
    scenario.when(snooze.model_copy(update={"item_id": uuid4()})).then_refused("unknown-worklist-item")


def test_what_is_given_to_somebody_else_is_theirs_when_it_falls_due():
    scenario = given_auto_collection(MAR(9), RecordComplaint(account_id=ACCOUNT, subject="rude", assignee="kim"))
    [complaint] = scenario.account.complaints.open
    to_lee = ReassignWorklistItem(account_id=ACCOUNT, item_id=complaint, assignee="lee")
    scenario.when(to_lee).then(WorklistItemReassigned(item_id=complaint, previous="kim", assignee="lee"))
    scenario.when(to_lee).then_nothing_happened()
    scenario.having(live(APR(9)))
    assert [event.assignee for event in scenario.world.events(ComplaintOverdue)] == ["lee"]
    assert [event.assignee for event in scenario.world.events(ActivityRecorded)] == ["lee"]
    nobody = ReassignWorklistItem(account_id=ACCOUNT, item_id=the_follow_up(scenario))
    scenario.when(nobody).then(like(WorklistItemReassigned, previous="lee", assignee=None))


def test_a_follow_up_may_say_its_moment_and_then_its_day_is_that_of_it():
    scenario = given(MAR(9)).when(a_task(follow_up_at=LATER)).then(like(ActivityRecorded, follow_up_on=MAR(10)))
    [follow_up] = scenario.account.activities.follow_ups.values()
    assert (follow_up.due_on, follow_up.due_at) == (MAR(10), LATER)
    scenario.when(a_task(follow_up_at=LATER, follow_up_on=MAR(11))).then_refused("follow-up-day")
    scenario.when(a_task(follow_up_at=LATER), at=MAR(11)).then_refused("follow-up-past")


@pytest.mark.parametrize(
    "command", [StartCall(account_id=ACCOUNT), RecordActivity(account_id=ACCOUNT, kind=ActivityKind.CALL)]
)
def test_who_made_a_contact_documents_it(command: StartCall | RecordActivity):
    scenario = given(an_invoice(due_on=MAR(2)), MAR(9)).when(command)
    [item_id] = [*scenario.account.calls.open, *scenario.account.activities.undocumented]
    to_lee = ReassignWorklistItem(account_id=ACCOUNT, item_id=item_id, assignee="lee")
    scenario.when(to_lee).then_refused("contact-of-another")


def test_a_day_is_closed_once_with_what_was_done_and_again_where_that_changed():
    scenario = given(MAR(9))
    close = CloseWorkday(office_id=OFFICE, agent="kim", day=MAR(9), contacts=3, follow_ups=1, left=2)
    scenario.when(close).then(like(WorkdayClosed, agent="kim", contacts=3))
    assert scenario.world.log[-1].aggregate_id == workday_id(OFFICE, "kim", MAR(9))
    scenario.when(close).then_nothing_happened()
    scenario.when(close.model_copy(update={"contacts": 4})).then(like(WorkdayClosed, contacts=4))
    scenario.when(close.model_copy(update={"day": MAR(10)})).then_refused("day-not-begun")
    scenario.when(close.model_copy(update={"office_id": uuid4()})).then_refused("unknown-office")

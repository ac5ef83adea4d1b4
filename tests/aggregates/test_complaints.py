"""Complaints: their deadline, the rest of the chase, what becomes of one that is not answered."""

import pytest

from aggregates.account.chase import Stage
from aggregates.account.complaints import (
    AnswerComplaint,
    CloseComplaint,
    ComplaintAnswered,
    ComplaintClosed,
    ComplaintOutcome,
    ComplaintOverdue,
    ComplaintReceived,
    RecordComplaint,
    RemindComplaint,
)
from aggregates.office import CaseworkRules, ChangeOfficeSettings
from tests.builders import ACCOUNT, APR, MAR, OFFICE, a_campaign, an_invoice
from tests.given import Scenario, given, given_auto_collection, like, live


def a_complaint(**more: object) -> RecordComplaint:
    return RecordComplaint.model_validate({"account_id": ACCOUNT, "subject": "rude on the phone", **more})


def about(scenario: Scenario) -> dict[str, object]:
    [complaint_id] = scenario.account.complaints.open
    return {"account_id": ACCOUNT, "complaint_id": complaint_id}


def closed(scenario: Scenario, outcome: ComplaintOutcome = ComplaintOutcome.UPHELD) -> CloseComplaint:
    return CloseComplaint.model_validate({**about(scenario), "outcome": outcome})


@pytest.mark.parametrize(
    ("kind", "answer_by"), [("general", MAR(24)), ("billing-error", APR(8)), ("cfpb", MAR(24)), ("fca", "2026-05-04")]
)
def test_its_kind_says_by_when_it_is_answered_else_the_office(kind: str, answer_by: object):
    scenario = given(MAR(9)).when(a_complaint(kind=kind))
    [received] = scenario.world.events(ComplaintReceived)
    assert str(received.answer_by) == str(answer_by)


def test_the_office_says_how_many_days_where_no_law_does():
    rules = ChangeOfficeSettings(office_id=OFFICE, casework=CaseworkRules(complaint_days=5))
    scenario = given(MAR(9), rules)
    scenario.when(a_complaint()).then(like(ComplaintReceived, answer_by=MAR(14)))
    scenario.when(a_complaint(kind="cfpb")).then(like(ComplaintReceived, answer_by=MAR(24)))


def test_one_that_came_earlier_counts_from_its_day():
    scenario = given(MAR(9)).when(a_complaint(received_on=MAR(2))).then(like(ComplaintReceived, answer_by=MAR(17)))
    assert scenario.world.log[-1].effective_on == MAR(2)


@pytest.mark.parametrize(
    ("complaint", "code"),
    [
        (a_complaint(received_on=MAR(10)), "complaint-day"),
        (a_complaint(answer_by=MAR(8)), "complaint-day"),
        (a_complaint(kind="nothing"), "unknown-complaint-kind"),
    ],
)
def test_what_does_not_go_together_is_refused(complaint: RecordComplaint, code: str):
    given(MAR(9)).when(complaint, at=MAR(9)).then_refused(code)


def test_the_chase_rests_until_it_is_answered():
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)), MAR(9), a_complaint())
    chase = scenario.account.chase
    assert chase.why is not None
    assert (chase.stage, chase.why.code) == (Stage.BLOCKED, "complaint")
    assert chase.why.detail == "a complaint of 2026-03-09 is open, to be answered by 2026-03-24"
    scenario.when(AnswerComplaint.model_validate(about(scenario))).then_among_others(ComplaintAnswered)
    assert scenario.account.chase.stage is Stage.SCHEDULED


def test_the_chase_goes_on_where_that_was_said():
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)), MAR(9), a_complaint(rests=False))
    assert scenario.account.chase.stage is Stage.SCHEDULED


def test_one_that_is_not_answered_in_time_makes_one_task_for_its_assignee():
    scenario = given_auto_collection(MAR(9), a_complaint(assignee="kim"), live(MAR(24)))
    assert scenario.world.events(ComplaintOverdue) == []
    scenario.having(live(APR(9)))
    assert len(scenario.world.events(ComplaintOverdue)) == 1
    [task] = scenario.account.activities.follow_ups.values()
    assert (task.assignee, task.due_on, task.fell_due) == ("kim", MAR(25), True)


def test_one_that_was_answered_is_not_overdue():
    scenario = given_auto_collection(MAR(9), a_complaint())
    scenario.having(AnswerComplaint.model_validate(about(scenario)), live(APR(9)))
    assert scenario.world.events(ComplaintOverdue) == []
    remind = RemindComplaint.model_validate(about(scenario))
    scenario.when(remind).then_nothing_happened()


def test_an_answer_is_of_a_day_since_receipt_and_is_given_once():
    scenario = given(MAR(9), a_complaint(), MAR(12))
    answer = AnswerComplaint.model_validate({**about(scenario), "answered_on": MAR(11)})
    scenario.when(answer.model_copy(update={"answered_on": MAR(8)})).then_refused("complaint-day")
    scenario.when(answer.model_copy(update={"answered_on": MAR(13)})).then_refused("complaint-day")
    scenario.when(answer).then(like(ComplaintAnswered, answered_on=MAR(11)))
    scenario.when(answer).then_nothing_happened()


def test_one_is_closed_once_with_an_outcome_and_a_reason():
    scenario = given(MAR(9), a_complaint())
    close = closed(scenario)
    scenario.when(close, reason=None).then_refused("reason-required")
    scenario.when(close).then(like(ComplaintClosed, outcome=ComplaintOutcome.UPHELD))
    scenario.when(close).then_refused("unknown-complaint")

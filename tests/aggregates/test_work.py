"""Work over many accounts: begun once, and ended once, by being finished or by a person."""

import pytest

from aggregates.account.activities import RecordActivity
from aggregates.account.aging import AgeAccount
from aggregates.kernel.command import identifier
from aggregates.work import (
    BeginWork,
    CancelWork,
    FinishWork,
    WorkBegun,
    WorkCancelled,
    WorkFinished,
    account_command_id,
    work_id,
)
from tests.builders import ACCOUNT, OFFICE
from tests.given import given_only, like

CAUSE = identifier("cause")
WORK = work_id(CAUSE, "aging", 0)
FINISH = FinishWork(work_id=WORK, done=3, refused=1, failed=0)
CANCEL = CancelWork(work_id=WORK)


def a_begin(**more: object) -> BeginWork:
    said = {
        "work_id": WORK,
        "office_id": OFFICE,
        "command": AgeAccount.command_name,
        "policy": "aging",
        "cause_event_id": CAUSE,
        "cause_position": 17,
    }
    return BeginWork.model_validate({**said, **more})


def test_work_says_what_is_asked_of_whom_and_because_of_what():
    given_only().when(a_begin()).then(
        like(WorkBegun, office_id=OFFICE, command="age-account", arguments={}, cause_event_id=CAUSE, cause_position=17)
    )


def test_work_is_begun_once():
    given_only(a_begin()).when(a_begin()).then_nothing_happened()


def test_what_nobody_can_be_asked_is_not_begun():
    given_only().when(a_begin(command="dance")).then_refused("no-such-command")


def test_nothing_personal_is_asked_of_everybody():
    """The event is no account's, so its text would be kept in the open."""
    notes = a_begin(command=RecordActivity.command_name, arguments={"kind": "note", "notes": "Ann is ill"})
    given_only().when(notes).then_refused("personal-argument")


def test_work_is_finished_once_with_what_came_of_it():
    finished = given_only(a_begin()).when(FINISH).then(like(WorkFinished, done=3, refused=1, failed=0))
    finished.when(FINISH).then_nothing_happened()


def test_work_is_cancelled_once_with_a_reason():
    scenario = given_only(a_begin())
    scenario.when(CANCEL, reason=" ").then_refused("reason-required")
    scenario.when(CANCEL, reason="A mistake").then(like(WorkCancelled))
    scenario.when(CANCEL, reason="A mistake").then_nothing_happened()


def test_what_has_ended_does_not_end_otherwise():
    given_only(a_begin(), FINISH).when(CANCEL, reason="Too late").then_refused("work-finished")
    cancelled = given_only(a_begin()).when(CANCEL, reason="A mistake").then(like(WorkCancelled))
    cancelled.when(FINISH).then_refused("work-cancelled")


@pytest.mark.parametrize("command", [FINISH, CANCEL])
def test_what_was_never_begun_does_not_end(command: FinishWork | CancelWork):
    given_only().when(command, reason="Why not").then_refused("unknown-work")


def test_ids_are_the_same_for_whoever_makes_them_and_of_one_work_each():
    assert work_id(CAUSE, "aging", 0) == WORK
    others = {work_id(CAUSE, "aging", 1), work_id(CAUSE, "auto-collection", 0), work_id(ACCOUNT, "aging", 0)}
    assert WORK not in others
    assert len(others) == 3
    assert account_command_id(WORK, ACCOUNT) == account_command_id(WORK, ACCOUNT)
    assert account_command_id(WORK, ACCOUNT) != account_command_id(work_id(CAUSE, "aging", 1), ACCOUNT)

"""Flags, activities and follow-ups, disputes and holds."""

import pytest

from aggregates.account.activities import (
    ActivityKind,
    ActivityRecorded,
    CompleteFollowUp,
    FollowUpCompleted,
    FollowUpFellDue,
    RecordActivity,
    RemindFollowUp,
)
from aggregates.account.disputes import DisputeOpened, DisputeResolved, ResolveDispute
from aggregates.account.flags import ClearFlag, FlagCleared, FlagSet, SetFlag
from aggregates.account.holds import HoldPlaced, HoldReleased, PlaceHold, ReleaseHold
from aggregates.kernel.command import Command, identifier
from tests.builders import ACCOUNT, MAR, a_dispute, a_payment, an_account, an_invoice, an_office, invoice_id, usd
from tests.given import Scenario, given, given_only, like

UNKNOWN = identifier("nothing")


# --- flags ---


def test_a_flag_is_set_once_and_cleared_once():
    flag, clear = SetFlag(account_id=ACCOUNT, flag="vip"), ClearFlag(account_id=ACCOUNT, flag="vip")
    scenario = given().when(flag).then(FlagSet(flag="vip"))
    scenario.when(flag).then_nothing_happened()
    scenario.when(clear).then(FlagCleared(flag="vip"))
    scenario.when(clear).then_nothing_happened()


def test_a_flag_is_one_of_its_office_s():
    given().when(SetFlag(account_id=ACCOUNT, flag="haunted")).then_refused("unknown-flag")


# --- activities ---


def a_task(**more: object) -> RecordActivity:
    return RecordActivity.model_validate({"account_id": ACCOUNT, "kind": ActivityKind.TASK, **more})


def follow_up(scenario: Scenario) -> dict[str, object]:
    [activity_id] = scenario.account.activities.follow_ups
    return {"account_id": ACCOUNT, "activity_id": activity_id}


def test_an_activity_without_a_follow_up_leaves_nothing_to_do():
    assert given().when(a_task(notes="called")).then(ActivityRecorded).account.activities.follow_ups == {}


def test_a_follow_up_falls_due_on_its_day_and_once():
    scenario = given(MAR(2), a_task(follow_up_on=MAR(5), assignee="kim"))
    remind = RemindFollowUp.model_validate(follow_up(scenario))
    scenario.when(remind, at=MAR(4)).then_nothing_happened()
    scenario.when(remind, at=MAR(5)).then(like(FollowUpFellDue, assignee="kim"))
    scenario.when(remind, at=MAR(6)).then_nothing_happened()


def test_a_follow_up_is_completed_once():
    scenario = given(MAR(2), a_task(follow_up_on=MAR(5)))
    complete = CompleteFollowUp.model_validate(follow_up(scenario))
    remind = RemindFollowUp.model_validate(follow_up(scenario))
    scenario.when(complete).then(FollowUpCompleted)
    scenario.when(remind, at=MAR(5)).then_nothing_happened()
    scenario.when(complete).then_refused("unknown-follow-up")


def test_a_follow_up_in_the_past_is_refused_of_people_and_taken_of_policies():
    scenario = given(MAR(5)).when(a_task(follow_up_on=MAR(4))).then_refused("follow-up-past")
    scenario.when(a_task(follow_up_on=MAR(4)), actor="policy:broken-promise@1").then(ActivityRecorded)


# --- disputes ---


def resolution(scenario: Scenario) -> ResolveDispute:
    [dispute_id] = scenario.account.disputes.open
    return ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="credited")


def test_a_dispute_of_nothing_named_is_of_everything_open():
    scenario = given(an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(3)))
    scenario.when(a_dispute(), at=MAR(5)).then(
        like(DisputeOpened, item_ids=(invoice_id("A"), invoice_id("B")), opened_on=MAR(5))
    )


def test_a_dispute_of_one_leaves_the_others():
    scenario = given(an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(3)), a_dispute("A"))
    assert [item.item.number for item in scenario.account.receivables.items.values() if item.dispute_id] == ["A"]


def test_what_is_disputed_is_not_disputed_again():
    scenario = given(an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(3)), a_dispute("A"))
    scenario.when(a_dispute("A", "B")).then(like(DisputeOpened, item_ids=(invoice_id("B"),)))
    scenario.when(a_dispute()).then_refused("nothing-to-dispute")


def test_only_what_is_open_can_be_disputed():
    scenario = given(an_invoice("A", due_on=MAR(2)), a_payment(usd(100), on=MAR(3)))
    scenario.when(a_dispute("A")).then_refused("not-open")
    scenario.when(a_dispute("B")).then_refused("not-open")
    scenario.when(a_dispute()).then_refused("nothing-to-dispute")


def test_a_dispute_is_resolved_once():
    scenario = given(an_invoice("A", due_on=MAR(2)), a_dispute())
    resolve = resolution(scenario)
    scenario.when(resolve).then(DisputeResolved)
    assert scenario.account.receivables.items[invoice_id("A")].dispute_id is None
    scenario.when(resolve).then_refused("unknown-dispute")


def test_a_dispute_of_a_paid_invoice_can_still_be_resolved():
    scenario = given(an_invoice("A", due_on=MAR(2)), a_dispute(), a_payment(usd(100), on=MAR(3), invoice="A"))
    scenario.when(resolution(scenario), at=MAR(4)).then(DisputeResolved)


# --- holds ---


def test_a_hold_lasts_until_it_is_released():
    scenario = given(MAR(2)).when(PlaceHold(account_id=ACCOUNT, code="illness")).then(HoldPlaced)
    [hold_id] = scenario.account.holds.in_force
    release = ReleaseHold(account_id=ACCOUNT, hold_id=hold_id)
    scenario.when(release).then(HoldReleased)
    scenario.when(release).then_refused("unknown-hold")


def test_a_hold_may_end_today_but_not_yesterday():
    given(MAR(2)).when(PlaceHold(account_id=ACCOUNT, code="illness", until=MAR(1))).then_refused("hold-past")
    given(MAR(2)).when(PlaceHold(account_id=ACCOUNT, code="illness", until=MAR(2))).then(like(HoldPlaced, until=MAR(2)))


def test_a_hold_may_have_begun_earlier_but_not_begin_later():
    hold = PlaceHold(account_id=ACCOUNT, code="illness", begins_on=MAR(2))
    scenario = given(MAR(9)).when(hold).then(like(HoldPlaced, begins_on=MAR(2)))
    assert scenario.world.log[-1].effective_on == MAR(2)
    later = PlaceHold(account_id=ACCOUNT, code="illness", begins_on=MAR(10))
    scenario.when(later).then_refused("hold-future")


def test_a_hold_of_items_names_open_ones():
    scenario = given(an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(3)))
    hold = PlaceHold(account_id=ACCOUNT, code="goods-missing", invoice_numbers=("A",))
    scenario.when(hold).then(like(HoldPlaced, item_ids=(invoice_id("A"),)))
    [shield] = scenario.account.holds.shields()
    assert (shield.items, shield.covers_account) == (frozenset({invoice_id("A")}), False)
    scenario.when(hold.model_copy(update={"invoice_numbers": ("X",)})).then_refused("not-open")


@pytest.mark.parametrize("reason", [None, "", "   "])
def test_people_say_why_they_place_a_hold(reason: str | None):
    hold = PlaceHold(account_id=ACCOUNT, code="illness")
    given().when(hold, reason=reason).then_refused("reason-required")
    given().when(hold, reason=reason, actor="policy:some@1").then(HoldPlaced)


# --- nobody's account ---


@pytest.mark.parametrize(
    "command",
    [
        SetFlag(account_id=ACCOUNT, flag="vip"),
        ClearFlag(account_id=ACCOUNT, flag="vip"),
        a_task(),
        RemindFollowUp(account_id=ACCOUNT, activity_id=UNKNOWN),
        CompleteFollowUp(account_id=ACCOUNT, activity_id=UNKNOWN),
        a_dispute(),
        ResolveDispute(account_id=ACCOUNT, dispute_id=UNKNOWN, resolution="none"),
        PlaceHold(account_id=ACCOUNT, code="illness"),
        ReleaseHold(account_id=ACCOUNT, hold_id=UNKNOWN),
    ],
    ids=lambda command: command.command_name,
)
def test_nothing_is_decided_about_an_account_that_does_not_exist(command: Command):
    given_only(an_office()).when(command).then_refused("unknown-account")


def test_a_refusal_leaves_no_trace():
    scenario = given_only(an_office(), an_account(), an_invoice(due_on=MAR(2)))
    before = scenario.account.model_copy(deep=True)
    scenario.when(a_dispute("X")).then_refused("not-open")
    assert scenario.account == before

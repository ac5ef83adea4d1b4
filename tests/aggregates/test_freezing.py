"""A frozen account freezes its subscriptions, and its rollback brings back exactly those."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as with_any
from hypothesis import strategies as st
from pydantic import ValidationError

from aggregates.account.bulk import ApplyBulkAction, BulkActionApplied, BulkActionUndone, BulkOutcome, UndoBulkAction
from aggregates.account.chase import JudgeCollection
from aggregates.account.customer import RecordSubscription, Subscription, SubscriptionRecorded
from aggregates.account.freezing import (
    AccountFrozen,
    AccountUnfrozen,
    FreezeAccount,
    FreezeSubscription,
    LeftAsItIs,
    SubscriptionsFrozen,
    SubscriptionsUnfrozen,
    UnfreezeAccount,
    UnfreezeSubscription,
)
from aggregates.kernel.command import Accepted, Command, identifier
from tests.builders import ACCOUNT, MAR
from tests.given import Scenario, given, like

FREEZE, UNFREEZE = FreezeAccount(account_id=ACCOUNT, code="moved"), UnfreezeAccount(account_id=ACCOUNT)
BULK, OTHER = identifier("bulk", 1), identifier("bulk", 2)
JUDGED = JudgeCollection(account_id=ACCOUNT)
ACTIVE, FROZEN, CANCELLED = "active", "frozen", "cancelled"


def subscribes(number: str, *, cancelled_on: date | None = None, **more: Any) -> RecordSubscription:
    subscription = Subscription(number=number, cancelled_on=cancelled_on)
    return RecordSubscription(account_id=ACCOUNT, subscription=subscription, **more)


def freezes(number: str, code: str = "other") -> FreezeSubscription:
    return FreezeSubscription(account_id=ACCOUNT, number=number, code=code)


def rolls_back(number: str) -> UnfreezeSubscription:
    return UnfreezeSubscription(account_id=ACCOUNT, number=number)


def frozen(*numbers: str, code: str = "moved", with_account: bool = True) -> Any:
    return like(SubscriptionsFrozen, numbers=numbers, code=code, with_account=with_account)


def active(*numbers: str, **left: LeftAsItIs) -> Any:
    return like(SubscriptionsUnfrozen, numbers=numbers, left=left)


def statuses(scenario: Scenario) -> dict[str, str]:
    return scenario.account.freezing.statuses()


A, B, C = subscribes("A"), subscribes("B"), subscribes("C")
CANCELLED_B = subscribes("B", cancelled_on=MAR(1))

# --- an account and its subscriptions ----------------------------------------------------------------


def test_a_frozen_account_freezes_its_subscriptions_and_the_rollback_brings_them_back():
    scenario = given(A, B)
    scenario.when(FREEZE).then(AccountFrozen, frozen("A", "B"))
    assert statuses(scenario) == {"A": FROZEN, "B": FROZEN}
    scenario.when(FREEZE).then_nothing_happened()
    scenario.when(UNFREEZE).then(AccountUnfrozen, active("A", "B"))
    assert statuses(scenario) == {"A": ACTIVE, "B": ACTIVE}


def test_what_was_frozen_before_and_what_is_cancelled_is_not_of_the_accounts_freeze():
    scenario = given(A, B, C, freezes("A"), CANCELLED_B)
    scenario.when(FREEZE).then(AccountFrozen, frozen("C"))
    assert statuses(scenario) == {"A": FROZEN, "B": CANCELLED, "C": FROZEN}
    scenario.when(UNFREEZE).then(AccountUnfrozen, active("C"))
    assert statuses(scenario) == {"A": FROZEN, "B": CANCELLED, "C": ACTIVE}


def test_one_that_is_rolled_back_leaves_the_account_frozen_and_the_account_brings_back_the_rest():
    scenario = given(A, B, FREEZE)
    scenario.when(rolls_back("A")).then(active("A"))
    assert scenario.account.freezing.current is not None
    scenario.when(UNFREEZE).then(AccountUnfrozen, active("B", A=LeftAsItIs.ACTIVE))


def test_what_was_cancelled_or_frozen_by_itself_meanwhile_is_named_and_left():
    scenario = given(A, B, C, FREEZE, CANCELLED_B, rolls_back("C"), freezes("C"))
    left = {"B": LeftAsItIs.CANCELLED, "C": LeftAsItIs.FROZEN_SINCE}
    scenario.when(UNFREEZE).then(AccountUnfrozen, active("A", **left))
    assert statuses(scenario) == {"A": ACTIVE, "B": CANCELLED, "C": FROZEN}


def test_one_that_comes_while_the_account_is_frozen_is_active():
    scenario = given(A, FREEZE, B)
    assert statuses(scenario) == {"A": FROZEN, "B": ACTIVE}
    scenario.when(freezes("B")).then(frozen("B", code="other", with_account=False))
    scenario.when(UNFREEZE).then(AccountUnfrozen, active("A"))
    assert statuses(scenario) == {"A": ACTIVE, "B": FROZEN}


def test_an_account_without_subscriptions_says_nothing_of_them():
    given().when(FREEZE).then(AccountFrozen)
    given(FREEZE).when(UNFREEZE).then(AccountUnfrozen)


# --- one subscription --------------------------------------------------------------------------------


def test_a_subscription_is_frozen_for_a_reason_of_the_office_and_its_account_is_not():
    scenario = given(A)
    scenario.when(freezes("A", "bored")).then_refused("unknown-freeze-reason")
    scenario.when(freezes("Z")).then_refused("unknown-subscription")
    scenario.when(rolls_back("Z")).then_refused("unknown-subscription")
    scenario.when(rolls_back("A")).then_nothing_happened()
    scenario.when(freezes("A")).then(frozen("A", code="other", with_account=False))
    assert scenario.account.freezing.current is None
    assert scenario.account.freezing.shields() == []
    scenario.when(freezes("A")).then_nothing_happened()
    scenario.when(freezes("A", "moved")).then_refused("frozen-already")
    scenario.when(rolls_back("A")).then(active("A"))


def test_one_that_is_cancelled_is_neither_frozen_nor_rolled_back():
    scenario = given(A, freezes("A"), subscribes("A", cancelled_on=MAR(1)))
    scenario.when(freezes("A")).then_refused("subscription-cancelled")
    scenario.when(rolls_back("A")).then_refused("subscription-cancelled")


def test_one_that_is_cancelled_stays_so_until_it_is_reinstated():
    scenario = given(A, subscribes("A", cancelled_on=MAR(1)))
    scenario.when(A).then_nothing_happened()
    assert statuses(scenario) == {"A": CANCELLED}
    scenario.when(subscribes("A", reinstated=True)).then(SubscriptionRecorded)
    assert statuses(scenario) == {"A": ACTIVE}
    with pytest.raises(ValidationError, match="cancelled_on: expected nothing"):
        subscribes("A", cancelled_on=MAR(1), reinstated=True)


# --- in bulk -----------------------------------------------------------------------------------------


def bulk_freeze(scenario: Scenario, **subscriptions: str) -> ApplyBulkAction:
    """Of an account that was shown with these subscriptions, by default as they are."""
    expected: dict[str, Any] = {"frozen": None, "subscriptions": subscriptions or statuses(scenario)}
    return ApplyBulkAction(
        account_id=ACCOUNT, bulk_id=BULK, kind="freeze", parameters={"code": "moved"}, expected=expected
    )


def bulk_rollback(scenario: Scenario) -> ApplyBulkAction:
    expected: dict[str, Any] = {"frozen": "moved", "subscriptions": statuses(scenario)}
    return ApplyBulkAction(account_id=ACCOUNT, bulk_id=OTHER, kind="rollback", parameters={}, expected=expected)


def undo(bulk_id: UUID = BULK) -> UndoBulkAction:
    return UndoBulkAction(account_id=ACCOUNT, bulk_id=bulk_id)


def came(outcome: BulkOutcome, detail: str | None = None) -> Any:
    return like(BulkActionApplied, outcome=outcome, detail=detail)


def undone(outcome: BulkOutcome, *things: str, detail: str | None = None) -> Any:
    return like(BulkActionUndone, outcome=outcome, reversed=things, detail=detail)


def test_what_became_of_a_subscription_since_the_preview_is_a_change():
    scenario = given(A, freezes("A"))
    said = "subscriptions: A is frozen, and was active"
    scenario.when(bulk_freeze(scenario, A=ACTIVE)).then(came(BulkOutcome.CHANGED, said))
    later = given(A, B)
    later.when(bulk_freeze(later, A=ACTIVE)).then(
        came(BulkOutcome.CHANGED, "subscriptions: B is active, and was not there")
    )


def test_a_preview_of_before_subscriptions_had_a_status_is_done_as_it_was_shown():
    said: dict[str, Any] = {"parameters": {"code": "moved"}, "expected": {"frozen": None}}
    old = ApplyBulkAction(account_id=ACCOUNT, bulk_id=BULK, kind="freeze", **said)
    given(JUDGED, A).when(old).then(AccountFrozen, frozen("A"), came(BulkOutcome.DONE))


def test_a_bulk_freeze_is_undone_with_its_subscriptions():
    scenario = given(JUDGED, A, B, freezes("B"))
    scenario.when(bulk_freeze(scenario)).then(AccountFrozen, frozen("A"), came(BulkOutcome.DONE))
    scenario.when(undo()).then(AccountUnfrozen, active("A"), undone(BulkOutcome.DONE, "freeze", "subscription A"))
    assert statuses(scenario) == {"A": ACTIVE, "B": FROZEN}


def test_its_undo_names_what_was_changed_or_cancelled_since():
    scenario = given(A, B, C)
    scenario.world.do(bulk_freeze(scenario))
    for command in (rolls_back("A"), freezes("A"), CANCELLED_B):
        scenario.world.do(command)
    left = {"A": LeftAsItIs.FROZEN_SINCE, "B": LeftAsItIs.CANCELLED}
    detail = "changed since: subscription A; cancelled: subscription B"
    scenario.when(undo()).then(
        AccountUnfrozen,
        active("C", **left),
        undone(BulkOutcome.CHANGED, "freeze", "subscription C", detail=detail),
    )
    assert statuses(scenario) == {"A": FROZEN, "B": CANCELLED, "C": ACTIVE}


def test_a_bulk_rollback_names_what_it_leaves_and_its_undo_freezes_what_it_brought_back():
    scenario = given(JUDGED, A, B, C, FREEZE, CANCELLED_B)
    detail = "left as it is: subscription B (cancelled)"
    scenario.when(bulk_rollback(scenario)).then(
        AccountUnfrozen, active("A", "C", B=LeftAsItIs.CANCELLED), came(BulkOutcome.DONE, detail)
    )
    scenario.world.do(freezes("C"))
    again = ("freeze", "subscription A")
    scenario.when(undo(OTHER)).then(
        AccountFrozen, frozen("A"), undone(BulkOutcome.CHANGED, *again, detail="changed since: subscription C")
    )
    assert statuses(scenario) == {"A": FROZEN, "B": CANCELLED, "C": FROZEN}


def test_one_that_was_cancelled_and_reinstated_since_is_somebody_elses():
    scenario = given(A, B, FREEZE)
    scenario.world.do(bulk_rollback(scenario))
    for command in (subscribes("A", cancelled_on=MAR(1)), subscribes("A", reinstated=True)):
        scenario.world.do(command)
    scenario.when(undo(OTHER)).then(
        AccountFrozen,
        frozen("B"),
        undone(BulkOutcome.CHANGED, "freeze", "subscription B", detail="changed since: subscription A"),
    )
    assert statuses(scenario) == {"A": ACTIVE, "B": FROZEN}


def test_of_many_that_differ_some_are_named():
    many = [subscribes(f"S-{n:02}") for n in range(30)]
    scenario = given(*many)
    shown = dict.fromkeys(statuses(scenario), FROZEN)
    asked = ApplyBulkAction(
        account_id=ACCOUNT, bulk_id=BULK, kind="freeze", parameters={"code": "moved"},
        expected={"frozen": None, "subscriptions": shown},
    )  # fmt: skip
    outcome = scenario.world.do(asked)
    assert isinstance(outcome, Accepted)
    [said] = [each.event for each in scenario.world.log if isinstance(each.event, BulkActionApplied)]
    assert said.detail is not None
    assert said.detail.endswith("S-19 is active, and was frozen, and 10 more")


def test_a_bulk_freeze_and_a_bulk_rollback_are_undone_one_after_the_other():
    scenario = given(A, B)
    before = scenario.account.freezing
    scenario.world.do(bulk_freeze(scenario))
    with_freeze = scenario.account.freezing
    scenario.world.do(bulk_rollback(scenario))
    scenario.world.do(undo(OTHER))
    assert scenario.account.freezing == with_freeze
    scenario.world.do(undo())
    assert scenario.account.freezing == before


CHANGES: st.SearchStrategy[Command] = st.one_of(
    st.sampled_from("AB").map(freezes),
    st.sampled_from("AB").map(rolls_back),
    st.sampled_from("AB").map(lambda number: subscribes(number, cancelled_on=MAR(1))),
    st.just(C),
)


@with_any(before=st.lists(CHANGES, max_size=3), since=st.lists(CHANGES, max_size=4))
def test_a_rollback_changes_exactly_what_the_freeze_did_and_nobody_changed_since(
    before: list[Command], since: list[Command]
):
    scenario = given(A, B)
    for command in before:
        scenario.world.do(command)
    shown = statuses(scenario)
    scenario.world.do(FREEZE)
    touched = {number for number, status in shown.items() if status == ACTIVE}
    for command in since:
        was = scenario.account.freezing.subscriptions
        scenario.world.do(command)  # or it is refused
        is_now = scenario.account.freezing.subscriptions
        touched -= {number for number in touched if was.get(number) != is_now.get(number)}
    then = statuses(scenario)
    scenario.world.do(UNFREEZE)
    now = statuses(scenario)
    assert {number for number, status in now.items() if status != then[number]} == touched
    assert {now[number] for number in touched} <= {ACTIVE}
    assert not [each for each in scenario.account.freezing.subscriptions.values() if each.with_account]

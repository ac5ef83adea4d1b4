"""Bulk actions as decisions: what was shown is what is done, the account decides, and the undo is exact."""

from typing import Any
from uuid import UUID

import pytest

from aggregates.account.bulk import (
    MOST_STANDING,
    ApplyBulkAction,
    BulkActionApplied,
    BulkActionUndone,
    BulkOutcome,
    UndoBulkAction,
)
from aggregates.account.chase import JudgeCollection, Stage, StageChanged
from aggregates.account.collections_stage import CollectionsStage, CollectionsStageChanged, SetCollectionsStage
from aggregates.account.flags import ClearFlag, FlagCleared, FlagSet, SetFlag
from aggregates.account.freezing import AccountFrozen, AccountUnfrozen, FreezeAccount, UnfreezeAccount
from aggregates.account.reallocation import FundsReallocated
from aggregates.account.write_offs import DebtWrittenOff, ReverseWriteOff, WriteOffReversed
from aggregates.bulk.action import (
    BeginBulkUndo,
    BulkCancelled,
    BulkConfirmed,
    BulkFinished,
    BulkPreviewed,
    BulkUndoBegun,
    BulkUndone,
    CancelBulk,
    ConfirmBulk,
    FinishBulk,
    FinishBulkUndo,
    Preview,
    PreviewBulk,
    bulk_work_id,
)
from aggregates.bulk.part import FreezeRows, FrozenRow, RowsFrozen
from aggregates.kernel.command import identifier
from aggregates.office import STANDARD_FLAGS, ChangeOfficeSettings, FlagDefinition
from tests.builders import ACCOUNT, MAR, OFFICE, a_campaign, a_payment, a_reversal, an_invoice, usd
from tests.given import Scenario, given, given_auto_collection, given_only, like

BULK, OTHER = identifier("bulk", 1), identifier("bulk", 2)
VIP = {"add": ["vip"], "remove": []}
JUDGED = JudgeCollection(account_id=ACCOUNT)
CONFIRM, CANCEL, UNDO = ConfirmBulk(bulk_id=BULK), CancelBulk(bulk_id=BULK), BeginBulkUndo(bulk_id=BULK)
FINISH = FinishBulk(bulk_id=BULK, done=1, changed=0, refused=0, skipped=0, failed=0)
FINISH_UNDO = FinishBulkUndo(bulk_id=BULK, done=1, changed=0, failed=0)


def a_preview(**more: Any) -> PreviewBulk:
    said = {
        "office_id": OFFICE, "kind": "flags", "parameters": VIP, "filters": {}, "as_of": MAR(2),
        "currency": "USD", "accounts": 1, "parts": 1, "total_minor": None, "position": 3, "digest": "d",
    }  # fmt: skip
    bulk_id = more.pop("bulk_id", BULK)
    return PreviewBulk(bulk_id=bulk_id, preview=Preview.model_validate({**said, **more}))


def apply(*flags: str, bulk: UUID = BULK, **parameters: list[str]) -> ApplyBulkAction:
    """To an account that was shown with these flags."""
    return ApplyBulkAction(
        account_id=ACCOUNT, bulk_id=bulk, kind="flags", parameters=parameters or VIP, expected={"flags": list(flags)}
    )


def undo(bulk: UUID = BULK) -> UndoBulkAction:
    return UndoBulkAction(account_id=ACCOUNT, bulk_id=bulk)


def came(outcome: BulkOutcome, reason_code: str | None = None) -> Any:
    return like(BulkActionApplied, outcome=outcome, reason_code=reason_code)


def undone(outcome: BulkOutcome, *reversed: str) -> Any:  # noqa: A002
    return like(BulkActionUndone, outcome=outcome, reversed=reversed)


# --- the action --------------------------------------------------------------------------------------


def test_it_is_previewed_confirmed_finished_and_undone_each_once():
    scenario = given()
    for command, event in (
        (a_preview(), BulkPreviewed), (CONFIRM, BulkConfirmed), (FINISH, BulkFinished), (UNDO, BulkUndoBegun),
        (FINISH_UNDO, BulkUndone),
    ):  # fmt: skip
        scenario = scenario.when(command).then(like(event))
        scenario.when(command).then_nothing_happened()


@pytest.mark.parametrize("left", [{"changed": 1}, {"failed": 1}])
def test_one_that_some_accounts_did_not_reverse_is_undone_again_until_they_did(left: dict[str, int]):
    """Each time is work of its own."""
    scenario = given(a_preview(), CONFIRM, FINISH)
    not_all = FINISH_UNDO.model_copy(update=left)
    for attempt, ended in ((None, not_all), (2, not_all), (3, FINISH_UNDO)):
        scenario.when(UNDO).then(like(BulkUndoBegun, attempt=attempt))
        scenario.when(UNDO).then_nothing_happened()
        scenario.when(ended).then(like(BulkUndone, attempt=attempt))
    scenario.when(UNDO).then_nothing_happened()
    assert len({bulk_work_id(BULK, "undo-bulk-action", attempt=each) for each in (1, 2, 3)}) == 3


def test_what_changed_since_the_preview_keeps_it_from_being_confirmed_unless_it_is_left_out():
    scenario = given(a_preview())
    changed = ConfirmBulk(bulk_id=BULK, changed=2)
    scenario.when(changed).then_refused("changed-since-preview")
    scenario.when(changed.model_copy(update={"without_changed": True})).then(
        like(BulkConfirmed, without_changed=True, changed=2)
    )


def test_one_that_is_cancelled_is_not_confirmed_and_one_that_never_was_is_not_undone():
    cancelled = given(a_preview()).when(CANCEL).then(like(BulkCancelled, was_running=False))
    cancelled.when(CANCEL).then_nothing_happened()
    cancelled.when(CONFIRM).then_refused("bulk-cancelled")
    cancelled.when(UNDO).then_refused("bulk-not-done")


def test_one_that_runs_is_stopped_before_it_is_undone():
    running = given(a_preview(), CONFIRM)
    running.when(UNDO).then_refused("bulk-running")
    stopped = running.when(CANCEL).then(like(BulkCancelled, was_running=True))
    stopped.when(FINISH).then_nothing_happened()
    stopped.when(UNDO).then(like(BulkUndoBegun))


def test_what_has_ended_is_not_cancelled():
    given(a_preview(), CONFIRM, FINISH).when(CANCEL).then_refused("bulk-finished")


@pytest.mark.parametrize("command", [CONFIRM, CANCEL, UNDO])
def test_what_was_never_previewed_is_not_known(command: Any):
    given_only().when(command).then_refused("unknown-bulk")


def test_parameters_that_the_office_does_not_know_are_not_previewed():
    scenario = given()
    scenario.when(a_preview(parameters={"add": ["unheard-of"]})).then_refused("unknown-flag")
    scenario.when(a_preview(kind="dance")).then_refused("unknown-bulk-kind")
    retired = {**STANDARD_FLAGS, "vip": FlagDefinition(title="Handle with care", retired=True)}
    scenario = given(ChangeOfficeSettings(office_id=OFFICE, flags=retired))
    scenario.when(a_preview()).then_refused("flag-retired")
    scenario.when(SetFlag(account_id=ACCOUNT, flag="vip")).then_refused("flag-retired")


def test_rows_are_frozen_once():
    freeze = FreezeRows(
        bulk_id=BULK, number=1, rows=(FrozenRow(account_id=ACCOUNT, expected={"flags": []}, amount_minor=None),)
    )
    frozen = given_only().when(freeze).then(like(RowsFrozen, bulk_id=BULK, number=1))
    frozen.when(freeze).then_nothing_happened()


# --- flags on an account -----------------------------------------------------------------------------


def test_flags_are_put_on_and_taken_off_and_the_outcome_stands_beside_them():
    scenario = given(JUDGED, SetFlag(account_id=ACCOUNT, flag="legal"))
    scenario.when(apply("legal", add=["vip"], remove=["legal"])).then(
        like(FlagSet, flag="vip"),
        like(FlagCleared, flag="legal"),
        like(BulkActionApplied, outcome="done", did={"put_on": ["vip"], "taken_off": ["legal"]}),
    )


def test_an_account_that_is_not_as_it_was_shown_is_left_as_it_is():
    scenario = given(SetFlag(account_id=ACCOUNT, flag="legal"))
    scenario.when(apply()).then(came(BulkOutcome.CHANGED, "changed-since-preview"))


def test_where_there_is_nothing_to_do_or_it_is_refused_only_the_outcome_is_recorded():
    given(SetFlag(account_id=ACCOUNT, flag="vip")).when(apply("vip")).then(came(BulkOutcome.SKIPPED))
    retired = {**STANDARD_FLAGS, "vip": FlagDefinition(title="Handle with care", retired=True)}
    scenario = given(ChangeOfficeSettings(office_id=OFFICE, flags=retired))
    scenario.when(apply()).then(came(BulkOutcome.REFUSED, "flag-retired"))


def test_the_undo_reverses_what_was_done_and_nothing_else():
    scenario = given(JUDGED, SetFlag(account_id=ACCOUNT, flag="legal"))
    scenario = scenario.when(apply("legal", add=["vip", "legal"])).then(
        like(FlagSet, flag="vip"), came(BulkOutcome.DONE)
    )
    scenario = scenario.when(undo()).then(like(FlagCleared, flag="vip"), undone(BulkOutcome.DONE, "vip"))
    scenario.when(undo()).then_nothing_happened()


def test_what_somebody_changed_since_is_left_as_it_is():
    done = given(apply(add=["vip", "legal"]), ClearFlag(account_id=ACCOUNT, flag="vip"))
    done.when(undo()).then(like(FlagCleared, flag="legal"), undone(BulkOutcome.CHANGED, "legal"))
    done.when(undo()).then_nothing_happened()
    again = given(
        apply(add=["vip"]), ClearFlag(account_id=ACCOUNT, flag="vip"), SetFlag(account_id=ACCOUNT, flag="vip")
    )
    again.when(undo()).then(undone(BulkOutcome.CHANGED))
    again.when(undo()).then_nothing_happened()  # however often


def test_actions_are_undone_one_after_the_other_from_the_last():
    two = (apply(add=["vip"]), apply("vip", bulk=OTHER, remove=["vip"]))
    given(*two).when(undo()).then(undone(BulkOutcome.CHANGED))
    scenario = given(*two).when(undo(OTHER)).then(like(FlagSet, flag="vip"), undone(BulkOutcome.DONE, "vip"))
    scenario.when(undo()).then(like(FlagCleared, flag="vip"), undone(BulkOutcome.DONE, "vip"))


# --- the collections stage ---------------------------------------------------------------------------


def stage(to: str, *, was: str = "not set", bulk: UUID = BULK) -> ApplyBulkAction:
    return ApplyBulkAction(
        account_id=ACCOUNT, bulk_id=bulk, kind="stage", parameters={"to": to}, expected={"collections_stage": was}
    )


def set_stage(to: str) -> SetCollectionsStage:
    return SetCollectionsStage(account_id=ACCOUNT, collections_stage=CollectionsStage(to))


def test_the_collections_stage_is_changed_and_put_back():
    changed = like(CollectionsStageChanged, stage="sent", previous="pending")
    scenario = given(set_stage("pending"))
    scenario.when(stage("pending", was="pending")).then(came(BulkOutcome.SKIPPED))
    scenario.when(stage("sent")).then(came(BulkOutcome.CHANGED, "changed-since-preview"))
    scenario.when(stage("sent", was="pending", bulk=OTHER)).then(changed, came(BulkOutcome.DONE))
    scenario.when(SetFlag(account_id=ACCOUNT, flag="vip")).then(like(FlagSet))
    scenario.when(undo(OTHER)).then(
        like(CollectionsStageChanged, stage="pending", previous="sent"),
        undone(BulkOutcome.DONE, "collections stage"),
    )


def test_a_collections_stage_that_somebody_set_since_stays():
    given(stage("sent"), set_stage("pending")).when(undo()).then(undone(BulkOutcome.CHANGED))


def test_the_same_collections_stage_again_is_nothing_new():
    given(set_stage("sent")).when(set_stage("sent")).then_nothing_happened()


def test_an_account_undoes_its_latest_actions_and_refuses_older_ones():
    actions = [identifier("many", number) for number in range(MOST_STANDING + 1)]
    kinds = ("sent", "pending")
    scenario = given(
        *(
            stage(kinds[number % 2], was=kinds[number % 2 - 1] if number else "not set", bulk=each)
            for number, each in enumerate(actions)
        )
    )
    assert len(scenario.account.bulk.standing) == MOST_STANDING
    scenario.when(undo(actions[0])).then_refused("bulk-too-old")
    for each in reversed(actions[1:]):
        put_back = undone(BulkOutcome.DONE, "collections stage")
        scenario = scenario.when(undo(each)).then(CollectionsStageChanged, put_back)
    scenario.when(undo(actions[0])).then_refused("bulk-too-old")


# --- freeze and rollback -----------------------------------------------------------------------------


def freeze(code: str = "moved", *, was: str | None = None, bulk: UUID = BULK) -> ApplyBulkAction:
    said: dict[str, Any] = {"parameters": {"code": code}, "expected": {"frozen": was}}
    return ApplyBulkAction(account_id=ACCOUNT, bulk_id=bulk, kind="freeze", **said)


def rollback(*, was: str | None, bulk: UUID = OTHER) -> ApplyBulkAction:
    said: dict[str, Any] = {"parameters": {}, "expected": {"frozen": was}}
    return ApplyBulkAction(account_id=ACCOUNT, bulk_id=bulk, kind="rollback", **said)


FREEZE, UNFREEZE = FreezeAccount(account_id=ACCOUNT, code="moved"), UnfreezeAccount(account_id=ACCOUNT)
FROZEN = like(AccountFrozen, code="moved")


def test_an_account_is_frozen_for_a_reason_of_its_office_and_active_again():
    scenario = given()
    scenario.when(FreezeAccount(account_id=ACCOUNT, code="bored")).then_refused("unknown-freeze-reason")
    scenario.when(UNFREEZE).then_nothing_happened()
    scenario.when(FREEZE).then(FROZEN)
    scenario.when(FREEZE).then_nothing_happened()
    scenario.when(FreezeAccount(account_id=ACCOUNT, code="other")).then_refused("frozen-already")
    scenario.when(UNFREEZE).then(AccountUnfrozen)


def test_a_frozen_account_is_not_chased_and_is_judged_anew_when_it_is_active():
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)))
    scenario.world.move_to(MAR(20))
    scenario.world.do(FREEZE)
    why = scenario.account.chase.why
    assert why is not None
    assert (scenario.account.chase.stage, why.code) == (Stage.BLOCKED, "frozen")
    scenario.world.do(UNFREEZE)
    assert scenario.account.chase.stage is not Stage.BLOCKED


def test_accounts_are_frozen_in_bulk_and_what_was_frozen_before_stays_so():
    given(JUDGED).when(freeze()).then(FROZEN, came(BulkOutcome.DONE))
    given(JUDGED, FREEZE).when(freeze(was="moved")).then(came(BulkOutcome.SKIPPED))
    given(JUDGED, FREEZE).when(freeze("other", was="moved")).then(came(BulkOutcome.SKIPPED))
    given(JUDGED, FREEZE, freeze(was="moved")).when(undo()).then_nothing_happened()
    given(JUDGED, freeze()).when(undo()).then(AccountUnfrozen, undone(BulkOutcome.DONE, "freeze"))


def test_a_rollback_is_undone_to_the_freeze_that_was():
    given(JUDGED).when(rollback(was=None)).then(came(BulkOutcome.SKIPPED))
    scenario = given(JUDGED, FREEZE)
    freeze_before = scenario.account.freezing.current
    scenario.world.move_to(MAR(30))
    scenario.when(rollback(was="moved")).then(AccountUnfrozen, came(BulkOutcome.DONE))
    scenario.when(undo(OTHER)).then(FROZEN, undone(BulkOutcome.DONE, "freeze"))
    assert scenario.account.freezing.current == freeze_before


def test_a_freeze_that_was_rolled_back_and_frozen_again_is_somebody_else_s():
    given(freeze(), UNFREEZE, FREEZE).when(undo()).then(undone(BulkOutcome.CHANGED))


def test_a_freeze_and_its_rollback_are_undone_one_after_the_other():
    scenario = given(freeze(), rollback(was="moved"))
    scenario.when(undo(OTHER)).then(FROZEN, undone(BulkOutcome.DONE, "freeze"))
    scenario.when(undo()).then(AccountUnfrozen, undone(BulkOutcome.DONE, "freeze"))


def test_an_office_has_its_own_reasons():
    reasons = ChangeOfficeSettings(office_id=OFFICE, freeze_reasons={"insolvent": "Insolvent"})
    scenario = given(reasons)
    scenario.when(reasons).then_nothing_happened()
    scenario.when(FREEZE).then_refused("unknown-freeze-reason")


# --- write-offs --------------------------------------------------------------------------------------


def owing_100() -> Scenario:
    return given(an_invoice(issued_on=MAR(1), due_on=MAR(1), amount=usd(100)))


def write_off(balance: int = 10_000, **parameters: Any) -> ApplyBulkAction:
    said = {"code": "small-balance", **parameters}
    return ApplyBulkAction(
        account_id=ACCOUNT, bulk_id=BULK, kind="write-off", parameters=said, expected={"balance": balance}
    )


def test_the_balance_is_written_off_and_its_undo_makes_it_owed_again():
    written = (
        owing_100()
        .when(write_off())
        .then(like(DebtWrittenOff, amount=usd(100)), came(BulkOutcome.DONE), like(StageChanged, stage=None))
    )
    written.when(undo()).then(
        like(WriteOffReversed, amount=usd(100)),
        like(FundsReallocated),
        undone(BulkOutcome.DONE, "write-off 1"),
        like(StageChanged, stage=Stage.OUTSTANDING),
    )


@pytest.mark.parametrize(
    ("command", "outcome", "code"),
    [
        (write_off(9_000), BulkOutcome.CHANGED, "changed-since-preview"),
        (write_off(below="100"), BulkOutcome.REFUSED, "not-a-small-balance"),
        (write_off(code="tired"), BulkOutcome.REFUSED, "unknown-write-off-reason"),
    ],
)
def test_what_owes_another_amount_or_too_much_is_not_written_off(
    command: ApplyBulkAction, outcome: BulkOutcome, code: str
):
    owing_100().when(command).then(came(outcome, code))


def test_an_amount_below_which_is_written_off_has_no_more_places_than_its_currency():
    owing_100().when(write_off(below="100.005")).then(came(BulkOutcome.REFUSED, "amount-too-fine"))


def test_one_below_the_amount_is_written_off():
    owing_100().when(write_off(below="100.01")).then(
        like(DebtWrittenOff), came(BulkOutcome.DONE), like(StageChanged, stage=None)
    )


def test_what_was_recovered_entirely_is_not_undone():
    recovered = owing_100().having(write_off(), a_payment(usd(100), on=MAR(2)))
    recovered.when(undo()).then(
        like(
            BulkActionUndone,
            outcome=BulkOutcome.CHANGED,
            reason_code="changed-since-action",
            detail="all of it was recovered: write-off 1",
            reversed=(),
        )
    )


def test_what_was_recovered_and_bounced_is_undone_when_it_is_asked_again_and_not_twice():
    scenario = owing_100().having(write_off(), a_payment(usd(100), on=MAR(2)), undo())
    scenario.when(undo()).then(undone(BulkOutcome.CHANGED))
    scenario.having(a_reversal(on=MAR(2)))
    scenario.when(undo()).then_among_others(
        like(WriteOffReversed, amount=usd(100)), undone(BulkOutcome.DONE, "write-off 1")
    )
    scenario.when(undo()).then_nothing_happened()


def test_what_somebody_reversed_is_not_undone():
    scenario = owing_100().having(write_off())
    scenario.when(ReverseWriteOff(account_id=ACCOUNT, number="1"), reason="mistaken")
    scenario.when(undo()).then(
        like(BulkActionUndone, outcome=BulkOutcome.CHANGED, reason_code="changed-since-action", reversed=())
    )

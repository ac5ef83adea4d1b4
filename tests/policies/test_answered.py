"""What a policy would ask for may be decided together with what it would react to; then it asks for nothing."""

from uuid import UUID

import pytest

from aggregates.account import Account
from aggregates.account.bulk import ApplyBulkAction, UndoBulkAction
from aggregates.account.chase import AUTO_COLLECTION, JudgeCollection, Stage, StageChanged
from aggregates.account.command import account_id
from aggregates.account.flags import FlagCleared, FlagSet
from aggregates.account.freezing import AccountFrozen, FreezeAccount
from aggregates.kernel.command import identifier
from aggregates.kernel.event import Recorded
from aggregates.work import Work
from policies.table import POLICIES
from tests.builders import ACCOUNT, MAR, OFFICE, a_campaign, an_account, an_invoice
from tests.given import Scenario, given, given_auto_collection, live

BULK = identifier("bulk", 1)
SECOND = account_id(OFFICE, "A-2")
JUDGES = tuple(policy for policy in POLICIES if policy.id == AUTO_COLLECTION)
UNDO = UndoBulkAction(account_id=ACCOUNT, bulk_id=BULK)


def asked(kind: str, expected: dict[str, object], **parameters: object) -> ApplyBulkAction:
    return ApplyBulkAction(
        account_id=ACCOUNT, bulk_id=BULK, kind=kind, parameters=parameters, expected=expected, office_id=OFFICE
    )


def freeze() -> ApplyBulkAction:
    return asked("freeze", {"frozen": None, "subscriptions": {}}, code="moved")


def cease() -> ApplyBulkAction:
    return asked("flags", {"flags": []}, add=["cease-contact"], remove=[])


def of_last_command(scenario: Scenario) -> list[Recorded]:
    """What it led to by itself, before any policy."""
    freezing = max(
        (each for each in scenario.world.log if each.meta.actor == "person:tester"), key=scenario.world.log.index
    )
    return [each for each in scenario.world.log if each.meta.command_id == freezing.meta.command_id]


def reactions(recorded: Recorded) -> list[object]:
    return [each for policy in JUDGES if type(recorded.event) in policy.listens for each in policy.reactions(recorded)]


@pytest.mark.parametrize("command", [freeze(), cease()], ids=["freeze", "flags"])
def test_a_bulk_action_and_its_undo_judge_the_account_at_once(command: ApplyBulkAction):
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(6)))
    before = scenario.account.chase.stage
    for asks, stage in ((command, Stage.BLOCKED), (UNDO, before)):
        scenario.when(asks)
        [judged] = [each for each in of_last_command(scenario) if isinstance(each.event, StageChanged)]
        assert (scenario.account.chase.stage, judged.meta.actor) == (stage, "person:tester")
        assert {each.meta.answered for each in of_last_command(scenario)} == {AUTO_COLLECTION}
        assert [reaction for each in of_last_command(scenario) for reaction in reactions(each)] == []
        scenario.when(JudgeCollection(account_id=ACCOUNT)).then_nothing_happened()


def test_other_accounts_that_a_bulk_action_changes_are_judged_by_the_policy():
    second = an_account(number="A-2", customer_number="A-1", contact=None)
    scenario = given_auto_collection(
        a_campaign(), an_invoice(due_on=MAR(2)), second,
        an_invoice(due_on=MAR(2), account_id=SECOND, number="INV-2"), live(MAR(6)),
    )  # fmt: skip
    scenario.when(cease())
    set_on: dict[UUID, Recorded] = {
        each.aggregate_id: each for each in of_last_command(scenario) if isinstance(each.event, FlagSet)
    }
    assert {each: said.meta.answered for each, said in set_on.items()} == {ACCOUNT: AUTO_COLLECTION, SECOND: None}
    assert reactions(set_on[SECOND]) == [JudgeCollection(account_id=SECOND)]
    other = scenario.world.aggregates[SECOND]
    assert isinstance(other, Account)
    assert (scenario.account.chase.stage, other.chase.stage) == (Stage.BLOCKED, Stage.BLOCKED)


def test_what_was_decided_without_a_judgement_is_judged_by_the_policy():
    """By a person on one account; or by a bulk action, before it judged."""
    scenario = given(FreezeAccount(account_id=ACCOUNT, code="moved"))
    [frozen] = [each for each in scenario.world.log if isinstance(each.event, AccountFrozen)]
    assert frozen.meta.answered is None
    assert reactions(frozen) == [JudgeCollection(account_id=ACCOUNT)]


def test_what_happens_after_the_answer_is_not_answered():
    account = Account.blank(ACCOUNT)
    account.emit(FlagSet(flag="vip"))
    account.answer_for(AUTO_COLLECTION)
    assert account.answered == AUTO_COLLECTION
    account.emit(FlagCleared(flag="vip"))
    assert account.answered is None


def test_an_answer_goes_with_the_events_that_it_is_for():
    """Those of the next command are not answered by it."""
    account = Account.blank(ACCOUNT)
    account.emit(FlagSet(flag="vip"))
    account.answer_for(AUTO_COLLECTION)
    account.collect()
    account.emit(FlagCleared(flag="vip"))
    assert account.answered is None
    assert Work.blank(BULK).answered is None

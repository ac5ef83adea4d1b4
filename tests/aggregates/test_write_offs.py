"""What a write-off takes, what pays it later, and what its reversal brings back."""

from typing import Any

import pytest

from aggregates.account.allocation import AllocateFunds, SettleAllocation
from aggregates.account.chase import Stage
from aggregates.account.disputes import ResolveDispute
from aggregates.account.payments import WithdrawCredit
from aggregates.account.receivables import ReversalKind
from aggregates.account.write_offs import MOST_PARTS, DebtWrittenOff, ReverseWriteOff, WriteOffDebt
from tests.builders import (
    ACCOUNT,
    DAY,
    MAR,
    MAY,
    a_campaign,
    a_corrected_invoice,
    a_credit,
    a_dispute,
    a_payment,
    a_promise,
    a_reversal,
    an_account,
    an_invoice,
    an_office,
    cents,
    usd,
)
from tests.given import Scenario, World, given_auto_collection, live


@pytest.fixture
def world() -> World:
    """March's invoice of 100 and April's of 50, in May."""
    world = World()
    world.move_to(MAY(4))
    world.do(an_office())
    world.do(an_account())
    world.do(an_invoice("MAR", issued_on=MAR(1), due_on=MAR(15), amount=usd(100)))
    world.do(an_invoice("APR", issued_on=MAR(31), due_on=MAR(31), amount=usd(50)))
    return world


def write_off(world: World, **more: Any) -> str | None:
    """The code with which it is refused."""
    command = WriteOffDebt(account_id=ACCOUNT, **{"code": "uncollectible", **more})
    return getattr(world.do(command, reason="gone"), "reason_code", None)


def reverse(world: World, number: str = "1", **more: Any) -> str | None:
    outcome = world.do(ReverseWriteOff(account_id=ACCOUNT, number=number, **more), reason="mistaken")
    return getattr(outcome, "reason_code", None)


def settle(world: World) -> None:
    world.do(SettleAllocation(account_id=ACCOUNT))


def stands(world: World) -> tuple[int, int, int, dict[str, int]]:
    """Dollars: what is written off with the claim, owed, unapplied; and open by invoice."""
    receivables = world.account.receivables
    items = {item.item.name: item.open.minor // 100 for item in receivables.items.values()}
    return receivables.claims.minor // 100, receivables.balance.minor // 100, receivables.unapplied.minor // 100, items


def test_all_that_is_owed_is_written_off_and_nothing_is_chased(world):
    assert write_off(world) is None
    assert stands(world) == (150, 0, 0, {})


def test_the_chase_ends_with_the_write_off_and_begins_again_with_its_reversal():
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)), MAR(5))

    def stage() -> Stage | None:
        return scenario.account.chase.stage

    assert stage() is not None
    scenario.when(WriteOffDebt(account_id=ACCOUNT, code="other"), reason="hopeless")
    assert stage() is None
    assert scenario.account.chase.scheduled is None
    scenario.when(ReverseWriteOff(account_id=ACCOUNT, number="1"), reason="mistaken")
    assert stage() is not None


ENGAGED = (a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(3)), live(MAR(5)))


def chased(scenario: Scenario) -> tuple[Any, ...]:
    chase = scenario.account.chase
    step = chase.scheduled and (chase.scheduled.step_id, chase.scheduled.due_at)
    return chase.stage, chase.campaign_id, chase.plan_version, chase.engaged_on, step


@pytest.mark.parametrize("days", [0, 2])
def test_who_was_engaged_is_so_again_and_goes_on_where_the_sequence_was(days):
    scenario = given_auto_collection(*ENGAGED)
    before = chased(scenario)
    assert (before[0], before[3]) == (Stage.ENGAGED, MAR(5))
    scenario.when(WriteOffDebt(account_id=ACCOUNT, code="other"), reason="hopeless")
    assert chased(scenario) == (None, None, None, None, None)
    scenario.world.live(MAR(5 + days))
    scenario.when(ReverseWriteOff(account_id=ACCOUNT, number="1"), reason="mistaken")
    assert chased(scenario) == before


def test_an_engagement_that_began_since_the_write_off_is_the_one_that_counts():
    scenario = given_auto_collection(*ENGAGED)
    scenario.when(WriteOffDebt(account_id=ACCOUNT, code="other"), reason="hopeless")
    scenario.having(an_invoice("NEW", issued_on=MAR(5), due_on=MAR(6)), live(MAR(10)))
    since = scenario.account.chase.engaged_on
    assert since is not None
    assert since > MAR(5)
    scenario.when(ReverseWriteOff(account_id=ACCOUNT, number="1"), reason="mistaken")
    assert scenario.account.chase.engaged_on == since


def test_who_paid_the_rest_is_engaged_anew_whatever_was_written_off_before_that():
    """Only what a write-off ended goes on with its reversal."""
    scenario = given_auto_collection(*ENGAGED)
    scenario.when(WriteOffDebt(account_id=ACCOUNT, code="other", amount=usd(30)), reason="hopeless")
    scenario.having(a_payment(usd(70), on=MAR(5)), live(MAR(6)))
    assert chased(scenario)[0] is None
    scenario.when(ReverseWriteOff(account_id=ACCOUNT, number="1"), reason="mistaken")
    assert (chased(scenario)[0], chased(scenario)[3]) == (Stage.SCHEDULED, None)


def test_the_engagement_of_a_debt_that_was_paid_since_is_not_that_of_the_write_off():
    scenario = given_auto_collection(*ENGAGED)
    scenario.when(WriteOffDebt(account_id=ACCOUNT, code="other"), reason="hopeless")
    scenario.having(an_invoice("NEW", issued_on=MAR(5), due_on=MAR(6)), live(MAR(10)))
    scenario.having(a_payment(usd(100), on=MAR(10), invoice="NEW"), live(MAR(11)))
    scenario.when(ReverseWriteOff(account_id=ACCOUNT, number="1"), reason="mistaken")
    assert scenario.account.chase.engaged_on == MAR(5)


def test_each_write_off_has_the_engagement_that_it_ended():
    scenario = given_auto_collection(*ENGAGED)
    scenario.when(WriteOffDebt(account_id=ACCOUNT, code="other"), reason="hopeless")
    scenario.having(an_invoice("NEW", issued_on=MAR(5), due_on=MAR(30)), live(MAR(6)))
    scenario.when(WriteOffDebt(account_id=ACCOUNT, code="other"), reason="hopeless")
    scenario.when(ReverseWriteOff(account_id=ACCOUNT, number="2"), reason="mistaken")
    assert scenario.account.chase.engaged_on is None
    scenario.when(ReverseWriteOff(account_id=ACCOUNT, number="1"), reason="mistaken")
    assert (chased(scenario)[0], chased(scenario)[3]) == (Stage.ENGAGED, MAR(5))


def test_of_an_amount_the_oldest_goes_first(world):
    assert write_off(world, amount=usd(120)) is None
    assert stands(world) == (120, 30, 0, {"APR": 30})


def test_what_is_disputed_is_written_off_too_and_stays_disputed(world):
    world.do(a_dispute("MAR"))
    assert write_off(world) is None
    assert stands(world) == (150, 0, 0, {})
    assert reverse(world) is None
    assert stands(world) == (0, 150, 0, {"MAR": 100, "APR": 50})
    disputed = {i.item.name for i in world.account.receivables.items.values() if i.dispute_id is not None}
    assert disputed == {"MAR"}


def test_money_at_hand_is_not_written_off(world):
    """It waits because all is disputed; the write-off is of the balance, and the money pays the rest."""
    world.do(a_dispute("MAR", "APR"))
    world.do(a_payment(usd(30), on=MAY(2)))
    assert write_off(world) is None
    assert stands(world) == (120, 0, 0, {})


@pytest.mark.parametrize("paid", [usd(150), usd(200)])
def test_nothing_is_written_off_where_nothing_is_owed(world, paid):
    world.do(a_payment(paid, on=MAY(2)))
    assert write_off(world) == "nothing-to-write-off"


def test_what_cannot_be_written_off_is_refused(world):
    assert write_off(world, amount=usd(151)) == "write-off-too-large"
    assert write_off(world, amount=usd(60), invoices=("APR",)) == "write-off-too-large"
    assert write_off(world, invoices=("JAN",)) == "not-open"
    assert write_off(world, code="tired") == "unknown-write-off-reason"
    assert write_off(world, number="W") is None
    assert write_off(world, number="W") == "duplicate-write-off"


def test_what_comes_in_later_pays_the_claim_oldest_first_and_the_balance_stays(world):
    write_off(world)
    world.move_to(MAY(6))
    world.do(a_payment(usd(40), on=MAY(6), number="P-1"))
    assert stands(world) == (110, 0, 0, {})
    world.do(a_payment(usd(120), on=MAY(6), number="P-2"))
    assert stands(world) == (0, -10, 10, {})


def test_a_chargeback_restores_the_write_off_and_not_what_is_owed(world):
    write_off(world)
    world.move_to(MAY(6))
    world.do(a_payment(usd(40), on=MAY(5), number="P-1"))
    world.do(a_reversal("P-1", on=MAY(6), kind=ReversalKind.CHARGEBACK))
    assert stands(world) == (150, 0, 0, {})


def test_its_reversal_restores_what_was_not_recovered(world):
    write_off(world)
    world.move_to(MAY(6))
    world.do(a_payment(usd(40), on=MAY(6), number="P-1"))
    assert reverse(world) is None
    assert stands(world) == (0, 110, 0, {"MAR": 60, "APR": 50})
    assert reverse(world) == "write-off-reversed"


def test_what_was_recovered_entirely_is_not_reversed(world):
    write_off(world)
    world.do(a_payment(usd(200), on=MAY(4), number="P-1"))
    assert reverse(world) == "write-off-recovered"


def test_a_payment_of_before_that_is_booked_later_lessens_it(world):
    write_off(world)
    world.move_to(MAY(8))
    world.do(a_payment(usd(40), on=MAY(2), number="LATE"))
    [standing] = world.account.receivables.write_offs.values()
    assert (standing.amount, standing.stands, standing.recovered) == (usd(110), usd(110), usd(0))
    assert stands(world) == (110, 0, 0, {})


def test_a_payment_that_names_a_written_off_invoice_pays_that(world):
    write_off(world)
    world.move_to(MAY(6))
    world.do(a_payment(usd(20), on=MAY(6), number="P-1", invoice="APR"))
    reverse(world)
    assert stands(world) == (0, 130, 0, {"MAR": 100, "APR": 30})


def test_what_is_owed_anew_is_paid_before_the_claim(world):
    write_off(world)
    world.move_to(MAY(6))
    world.do(an_invoice("MAY", issued_on=MAY(5), due_on=MAY(20), amount=usd(30)))
    world.do(a_payment(usd(40), on=MAY(6), number="P-1"))
    assert stands(world) == (140, 0, 0, {})


def test_a_dispute_changes_what_is_chased_and_not_what_is_owed(world):
    """The money that paid the invoice waits for it, and recovers nothing."""
    write_off(world, invoices=("APR",))
    world.move_to(MAY(6))
    world.do(a_payment(usd(40), on=MAY(6), number="P-1"))
    assert stands(world) == (50, 60, 0, {"MAR": 60})
    world.do(a_dispute("MAR"), effective_on=MAY(6))
    settle(world)
    assert stands(world) == (50, 60, 40, {"MAR": 100})
    world.do(a_payment(usd(80), on=MAY(6), number="P-2"))
    assert stands(world) == (30, 0, 100, {"MAR": 100})
    (dispute_id,) = world.account.disputes.open
    world.do(ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="withdrawn"))
    settle(world)
    assert stands(world) == (30, 0, 0, {})


def test_an_invoice_that_is_written_off_in_part_stays_open_where_that_is_disputed(world):
    write_off(world, amount=usd(60))
    world.do(a_dispute("MAR", "APR"))
    world.move_to(MAY(6))
    world.do(a_payment(usd(100), on=MAY(6)))
    assert stands(world) == (50, 0, 90, {"MAR": 40, "APR": 50})
    world.move_to(MAY(7))
    world.do(an_invoice("NEW", issued_on=MAY(7), due_on=MAY(21), amount=usd(20)))
    settle(world)
    assert stands(world) == (50, 20, 70, {"MAR": 40, "APR": 50})
    world.do(a_reversal(on=MAY(7), kind=ReversalKind.CHARGEBACK))
    assert stands(world) == (60, 110, 0, {"MAR": 40, "APR": 50, "NEW": 20})


def test_what_waited_for_an_invoice_recovers_once_that_is_found_to_be_paid_by_other_money(world):
    write_off(world, invoices=("APR",))
    world.do(a_dispute("MAR"))
    world.move_to(MAY(6))
    world.do(a_payment(usd(40), on=MAY(6), number="P-1"))
    world.move_to(MAY(8))
    world.do(an_invoice("NEW", issued_on=MAY(7), due_on=MAY(21), amount=usd(40)))
    settle(world)
    assert stands(world) == (50, 100, 0, {"MAR": 100})
    world.do(a_payment(usd(100), on=MAY(6), number="P-2", invoice="MAR"))
    assert stands(world) == (10, 40, 0, {"NEW": 40})


def test_all_is_written_off_where_money_waits_and_a_claim_stands_already(world):
    write_off(world, invoices=("APR",))
    world.do(a_dispute("MAR"))
    world.move_to(MAY(6))
    world.do(a_payment(usd(40), on=MAY(6)))
    assert write_off(world) is None
    assert stands(world) == (110, 0, 0, {})


def test_a_chargeback_restores_the_write_off_before_what_comes_in_that_day_pays_anything(world):
    write_off(world)
    world.move_to(MAY(6))
    world.do(a_payment(usd(100), on=MAY(5), number="P-1"))
    world.do(an_invoice("NEW", issued_on=MAY(6), due_on=MAY(20), amount=usd(30)))
    world.do(a_reversal("P-1", on=MAY(6), kind=ReversalKind.CHARGEBACK))
    world.do(a_payment(usd(30), on=MAY(6), number="P-2"))
    assert stands(world) == (150, 0, 0, {})


def test_without_the_claim_what_comes_in_later_is_the_customer_s(world):
    write_off(world, keeps_claim=False)
    world.move_to(MAY(6))
    world.do(a_payment(usd(40), on=MAY(6), number="P-1"))
    assert stands(world) == (0, -40, 40, {})


def test_of_two_write_offs_of_an_invoice_the_later_is_recovered_first(world):
    write_off(world, amount=usd(60), invoices=("MAR",))
    world.move_to(MAY(5))
    write_off(world, amount=usd(40), invoices=("MAR",))
    world.move_to(MAY(6))
    world.do(a_payment(usd(70), on=MAY(6), number="P-1"))  # 50 pay what is open
    left = {each.number: each.stands for each in world.account.receivables.write_offs.values()}
    assert left == {"1": usd(60), "2": usd(20)}


def test_a_person_may_say_that_money_pays_a_written_off_invoice(world):
    write_off(world)
    world.move_to(MAY(6))
    world.do(a_payment(usd(30), on=MAY(6), number="P-1"))
    decided = AllocateFunds(account_id=ACCOUNT, number="P-1", invoice_number="APR", amount=usd(30))
    assert getattr(world.do(decided), "reason_code", None) is None
    world.move_to(MAY(7))
    reverse(world)
    assert stands(world) == (0, 120, 0, {"MAR": 100, "APR": 20})


def test_an_invoice_that_is_corrected_takes_its_write_off_along(world):
    write_off(world)
    world.do(a_corrected_invoice("MAR", issued_on=MAR(1), due_on=MAR(15), amount=usd(80)))
    assert stands(world) == (130, 0, 0, {})
    world.do(a_corrected_invoice("MAR", issued_on=MAR(1), due_on=MAR(15), amount=usd(110)))
    assert stands(world) == (150, 10, 0, {"MAR": 10})


def test_a_credit_recovers_as_a_payment_does_until_it_is_withdrawn(world):
    write_off(world)
    world.move_to(MAY(6))
    world.do(a_credit(usd(25), on=MAY(6), number="C-1"))
    assert stands(world) == (125, 0, 0, {})
    world.do(WithdrawCredit(account_id=ACCOUNT, number="C-1"), reason="wrong")
    assert stands(world) == (150, 0, 0, {})


def test_a_promise_is_kept_by_what_comes_in_after_the_write_off(world):
    world.do(a_promise(usd(150), due_on=MAY(10)))
    write_off(world)
    [promise] = world.account.promises.open.values()
    before = promise.remaining
    world.do(a_payment(usd(40), on=MAY(4), number="P-1"))
    [promise] = world.account.promises.open.values()
    assert promise.remaining == before - usd(40)


def test_as_of_its_own_day_it_never_was(world):
    write_off(world)
    world.move_to(MAY(6))
    world.do(a_payment(usd(40), on=MAY(5), number="P-1"))
    assert reverse(world, reversed_on=MAY(4) - DAY) == "write-off-day"
    assert reverse(world, reversed_on=MAY(4)) is None
    assert stands(world) == (0, 110, 0, {"MAR": 60, "APR": 50})


def test_one_of_many_invoices_is_said_in_several_events(world):
    for nth in range(MOST_PARTS):
        world.do(an_invoice(f"N-{nth}", issued_on=MAY(1), due_on=MAY(1), amount=cents(100)))
    assert write_off(world) is None
    said = [each.event for each in world.log if isinstance(each.event, DebtWrittenOff)]
    assert [len(each.parts) for each in said] == [MOST_PARTS, 2]
    assert sum(each.amount.minor for each in said) == 65_000
    [standing] = world.account.receivables.write_offs.values()
    assert standing.amount == usd(650)

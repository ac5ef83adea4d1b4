"""A dispute about a part of an invoice: the rest is owed, paid and chased as ever."""

import pytest

from aggregates.account.allocation import AllocateFunds, FundsAllocated, SettleAllocation
from aggregates.account.disputes import (
    DisputedInvoice,
    DisputedPart,
    DisputeOpened,
    DisputeResolved,
    OpenDispute,
    ResolveDispute,
)
from aggregates.account.reallocation import FundsReallocated
from aggregates.kernel.command import Command
from aggregates.values.money import Money
from tests.aggregates.test_corrections import open_on, unapplied_on
from tests.aggregates.test_receivables import open_amounts
from tests.builders import (
    ACCOUNT,
    APR,
    MAR,
    a_corrected_invoice,
    a_dispute,
    a_payment,
    a_reversal,
    an_invoice,
    invoice_id,
    usd,
)
from tests.given import Given, Scenario, given, like

SETTLE = SettleAllocation(account_id=ACCOUNT)
A, B = an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(3))
PART: tuple[Given, ...] = (A, B, MAR(4), a_dispute(A=usd(20)))
"""Of the 100 of A the customer disputes 20; nothing is disputed of the 100 of B."""


def resolution(scenario: Scenario) -> ResolveDispute:
    [dispute_id] = scenario.account.disputes.open
    return ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="credited")


def disputed(scenario: Scenario) -> dict[str, int]:
    """Whole amounts by invoice."""
    receivables = scenario.account.receivables
    amounts = {item.item.number: receivables.disputed_of(item).minor // 100 for item in receivables.items.values()}
    return {number: amount for number, amount in amounts.items() if amount}


# --- opened ---


def test_a_part_of_one_invoice_is_disputed_and_all_of_another():
    scenario = given(A, B, an_invoice("C", due_on=MAR(3)))
    scenario.when(a_dispute("B", A=usd(20)), at=MAR(5)).then(
        like(
            DisputeOpened,
            item_ids=(invoice_id("B"), invoice_id("A")),
            parts=(DisputedPart(item_id=invoice_id("A"), amount=usd(20)),),
            opened_on=MAR(5),
        )
    )
    assert disputed(scenario) == {"A": 20, "B": 100}


def test_an_invoice_without_an_amount_is_disputed_whole_and_the_event_says_nothing_of_parts():
    named = OpenDispute(account_id=ACCOUNT, invoices=(DisputedInvoice(number="A"),), reason_code="other")
    scenario = given(A, B, named)
    assert disputed(scenario) == {"A": 100}
    [event] = scenario.world.events(DisputeOpened)
    assert "parts" not in event.model_dump_json()
    assert "invoices" not in a_dispute("A").model_dump_json()


@pytest.mark.parametrize(
    ("dispute", "code"),
    [
        (a_dispute(A=usd(101)), "dispute-too-large"),
        (a_dispute(A=Money(1, "EUR")), "wrong-currency"),
        (a_dispute("B", C=usd(1)), "not-open"),
    ],
)
def test_at_most_what_is_open_can_be_disputed(dispute: Command, code: str):
    given(A, B).when(dispute, at=MAR(5)).then_refused(code)


@pytest.mark.parametrize("dispute", [a_dispute(A=usd(5)), a_dispute("A"), a_dispute("B", "A"), a_dispute()])
def test_more_of_an_invoice_that_is_disputed_in_part_is_not_passed_over_in_silence(dispute: Command):
    scenario = given(*PART).when(dispute).then_refused("disputed-in-part")
    scenario.having(resolution(scenario)).when(dispute).then_among_others(DisputeOpened)


def test_a_part_of_what_is_disputed_whole_is_disputed_already():
    scenario = given(A, B, a_dispute("A"))
    scenario.when(a_dispute("B", A=usd(5))).then(like(DisputeOpened, item_ids=(invoice_id("B"),), parts=None))
    scenario.when(a_dispute(A=usd(5))).then_refused("nothing-to-dispute")


@pytest.mark.parametrize("amount", [0, -100])
def test_a_disputed_amount_is_more_than_zero(amount: int):
    with pytest.raises(ValueError, match="amount: expected more than zero"):
        a_dispute(A=Money(amount, "USD"))


def test_an_invoice_is_named_once():
    with pytest.raises(ValueError, match="expected each invoice once"):
        a_dispute("A", A=usd(1))
    a_dispute("A", "A")


# --- what money does ---


def test_money_goes_to_what_is_not_disputed_then_to_the_next_invoice_and_then_it_waits():
    scenario = given(*PART, a_payment(usd(200), on=MAR(5)))
    assert open_amounts(scenario) == {"A": 20}
    assert scenario.account.receivables.unapplied == usd(20)
    scenario.when(resolution(scenario), at=MAR(9)).then(
        like(DisputeResolved, resolved_on=MAR(9)), like(FundsAllocated, allocated_on=MAR(9))
    )
    assert open_on(scenario, MAR(4), MAR(5), MAR(8), MAR(9)) == [200, 20, 20, 0]
    assert unapplied_on(scenario, MAR(5), MAR(8), MAR(9)) == [20, 20, 0]


def test_money_in_parts_stops_at_the_same_amount():
    scenario = given(*PART, *(a_payment(usd(30), on=MAR(5), number=f"P-{n}") for n in range(3)), SETTLE)
    assert open_amounts(scenario) == {"A": 20, "B": 90}


def test_money_that_names_the_invoice_goes_there_and_to_what_is_not_disputed_first():
    scenario = given(*PART, a_payment(usd(70), on=MAR(5), invoice="A"))
    assert disputed(scenario) == {"A": 20}
    scenario.having(a_payment(usd(15), on=MAR(6), number="P-2", invoice="A"))
    assert (open_amounts(scenario), disputed(scenario)) == ({"A": 15, "B": 100}, {"A": 15})
    scenario.having(a_payment(usd(100), on=MAR(7), number="P-3"))
    assert open_amounts(scenario) == {"A": 15}


def test_what_a_person_decided_is_kept_free_of_what_is_not_disputed():
    """The 40 of P-1 are for A from the tenth on; until then other money takes 40 of the 80 that are not disputed."""
    scenario = given(
        *PART, MAR(20), a_payment(usd(40), on=MAR(5), number="P-1"),
        AllocateFunds(account_id=ACCOUNT, number="P-1", invoice_number="A", amount=usd(40), allocated_on=MAR(5)),
        a_payment(usd(50), on=MAR(6), number="P-2"),
    )  # fmt: skip
    assert open_amounts(scenario) == {"A": 20, "B": 90}


def test_a_backdated_dispute_gives_back_what_went_to_the_part_since():
    scenario = given(A, B, a_payment(usd(90), on=MAR(5)), MAR(9))
    scenario.when(a_dispute(A=usd(20)), effective_on=MAR(4)).then_among_others(like(FundsReallocated, from_day=MAR(4)))
    assert open_amounts(scenario) == {"A": 20, "B": 90}


def test_what_was_open_on_the_day_of_a_backdated_dispute_bounds_it():
    scenario = given(A, B, a_payment(usd(30), on=MAR(1)), a_payment(usd(60), on=MAR(5), number="P-2"), MAR(9))
    scenario.when(a_dispute(A=usd(71)), effective_on=MAR(4)).then_refused("dispute-too-large")
    scenario.when(a_dispute(A=usd(11)), effective_on=MAR(6)).then_refused("dispute-too-large")
    scenario.having(lambda world: world.do(a_dispute(A=usd(70)), effective_on=MAR(4)), SETTLE)
    assert open_amounts(scenario) == {"A": 70, "B": 40}


# --- what the invoice becomes ---


def test_an_invoice_that_is_corrected_below_the_part_is_disputed_whole():
    scenario = given(*PART, a_payment(usd(90), on=MAR(5)))
    assert open_amounts(scenario) == {"A": 20, "B": 90}
    scenario.having(a_corrected_invoice("A", due_on=MAR(2), amount=usd(15)))
    assert (open_amounts(scenario), disputed(scenario)) == ({"A": 15, "B": 10}, {"A": 15})
    assert scenario.account.receivables.balance == usd(25)
    scenario.having(a_corrected_invoice("A", due_on=MAR(2), amount=usd(60)), SETTLE)
    assert (open_amounts(scenario), disputed(scenario)) == ({"A": 20, "B": 50}, {"A": 20})


def test_the_part_is_disputed_still_after_a_payment_is_taken_back_although_the_invoice_was_settled():
    scenario = given(*PART, a_payment(usd(100), on=MAR(5), invoice="A"))
    assert (open_amounts(scenario), disputed(scenario)) == ({"B": 100}, {})
    scenario.having(a_reversal(on=MAR(6)), a_payment(usd(100), on=MAR(7), number="P-2"))
    assert (open_amounts(scenario), disputed(scenario)) == ({"A": 20, "B": 80}, {"A": 20})


def test_a_dispute_that_ended_while_the_invoice_was_settled_is_over_when_it_is_open_again():
    scenario = given(*PART, a_payment(usd(100), on=MAR(5), invoice="A"))
    scenario.having(resolution(scenario), a_reversal(on=MAR(6)))
    assert (open_amounts(scenario), disputed(scenario)) == ({"A": 100, "B": 100}, {})


def test_all_of_it_disputed_one_dispute_after_the_other():
    scenario = given(*PART, MAR(6))
    scenario.having(resolution(scenario), a_dispute("A"), a_payment(usd(50), on=APR(1)), SETTLE)
    assert (open_amounts(scenario), disputed(scenario)) == ({"A": 100, "B": 50}, {"A": 100})

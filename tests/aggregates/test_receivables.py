"""Billing, payments and credits, and what they are put against."""

from typing import Any

import pytest
from pydantic import ValidationError

from aggregates.account.allocation import FundsAllocated
from aggregates.account.billing import BillInvoice, InvoiceBilled, WithdrawInvoice
from aggregates.account.deferred import AdmitFact, FactArrived, FactDeferred, FactWithdrawn
from aggregates.account.disputes import DisputeResolved, ResolveDispute
from aggregates.account.payments import CreditNoted, PaymentReceived, ReversalKind, WithdrawCredit
from aggregates.account.receivables import ItemKind
from aggregates.kernel.command import Command
from aggregates.values.money import Money
from tests.builders import (
    ACCOUNT,
    DAY,
    FEB,
    JAN,
    MAR,
    a_corrected_invoice,
    a_corrected_payment,
    a_credit,
    a_dispute,
    a_payment,
    a_reversal,
    an_account,
    an_invoice,
    an_office,
    cents,
    invoice_id,
    usd,
)
from tests.given import Scenario, given, given_only, like


def open_amounts(scenario: Scenario) -> dict[str, int]:
    """Whole dollars that are open, by invoice number."""
    return {item.item.number: item.open.minor // 100 for item in scenario.account.receivables.items.values()}


# --- billing ---


def test_an_invoice_becomes_an_open_item_from_its_issue_date_on():
    scenario = given().when(an_invoice(due_on=MAR(2)), at=FEB(10)).then(like(InvoiceBilled, known_on=FEB(10)))
    assert scenario.world.log[-1].effective_on == MAR(2) - 30 * DAY
    assert scenario.account.receivables.items[invoice_id()].open == usd(100)


def test_an_invoice_without_discount_was_charged_its_amount():
    scenario = given(an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(2), charges=usd(120)))
    charges = [item.item.charges for item in scenario.account.receivables.items.values()]
    assert charges == [usd(100), usd(120)]


def test_the_same_invoice_twice_is_refused():
    given(an_invoice(due_on=MAR(2))).when(an_invoice(due_on=MAR(9))).then_refused("duplicate-invoice")


def test_an_invoice_in_another_currency_is_refused():
    given().when(an_invoice(due_on=MAR(2), amount=Money(1, "EUR"))).then_refused("wrong-currency")


def test_nothing_is_billed_to_an_account_that_does_not_exist():
    given_only(an_office()).when(an_invoice(due_on=MAR(2))).then_refused("unknown-account")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"amount": cents(0)}, "more than zero"),
        ({"amount": cents(-1)}, "a credit note"),
        ({"charges": usd(99)}, "before discount"),
        ({"number": "  "}, "at least 1 character"),
    ],
)
def test_an_implausible_invoice_is_no_invoice(more: dict[str, Any], expected: str):
    with pytest.raises(ValidationError, match=expected):
        an_invoice(due_on=MAR(2), **more)


# --- allocation ---


def test_a_payment_goes_to_the_oldest_due_first():
    scenario = given(an_invoice("LATE", due_on=MAR(9)), an_invoice("EARLY", due_on=MAR(2)))
    scenario.when(a_payment(usd(150), on=MAR(10))).then(PaymentReceived, FundsAllocated)
    assert open_amounts(scenario) == {"LATE": 50}


def test_of_two_due_the_same_day_the_first_issued_goes_first():
    scenario = given(an_invoice("B", due_on=MAR(2), issued_on=JAN(2)), an_invoice("A", due_on=MAR(2), issued_on=JAN(9)))
    scenario.when(a_payment(usd(100), on=MAR(3)))
    assert open_amounts(scenario) == {"A": 100}


def test_fees_come_last_however_old():
    scenario = given(an_invoice("FEE", due_on=JAN(2), kind=ItemKind.FEE), an_invoice("INV", due_on=MAR(2)))
    scenario.when(a_payment(usd(120), on=MAR(3)))
    assert open_amounts(scenario) == {"FEE": 80}


def test_a_payment_goes_where_the_customer_says_and_the_rest_to_the_oldest():
    scenario = given(an_invoice("OLD", due_on=MAR(2)), an_invoice("NEW", due_on=MAR(9)))
    scenario.when(a_payment(usd(130), on=MAR(10), invoice="NEW"))
    assert open_amounts(scenario) == {"OLD": 70}


def test_nothing_goes_to_a_disputed_item_by_itself():
    scenario = given(an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(9)), a_dispute("A"))
    scenario.when(a_payment(usd(150), on=MAR(10)))
    assert open_amounts(scenario) == {"A": 100}
    assert scenario.account.receivables.unapplied == usd(50)


def test_a_disputed_item_is_paid_when_the_customer_names_it():
    scenario = given(an_invoice("A", due_on=MAR(2)), a_dispute("A"))
    scenario.when(a_payment(usd(60), on=MAR(10), invoice="A"))
    assert open_amounts(scenario) == {"A": 40}


def test_what_a_resolved_dispute_frees_is_paid_with_what_is_unapplied():
    scenario = given(an_invoice("A", due_on=MAR(2)), a_dispute("A"), a_payment(usd(60), on=MAR(10)))
    [dispute_id] = scenario.account.disputes.open
    scenario.when(ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="withdrawn"))
    scenario.then(DisputeResolved, FundsAllocated)
    assert open_amounts(scenario) == {"A": 40}


def test_an_overpayment_stays_unapplied_and_pays_the_next_invoice():
    scenario = given(an_invoice("A", due_on=MAR(2)), a_payment(usd(130), on=MAR(3)))
    assert (scenario.account.receivables.unapplied, scenario.account.receivables.balance) == (usd(30), usd(-30))
    scenario.when(an_invoice("B", due_on=MAR(30), issued_on=MAR(5))).then(InvoiceBilled, FundsAllocated)
    assert open_amounts(scenario) == {"B": 70}
    assert scenario.world.log[-1].effective_on == MAR(5)


def test_an_allocation_is_true_from_the_day_that_both_sides_were():
    """A payment that was posted late still settled the invoice on the day it came in."""
    scenario = given(an_invoice(due_on=MAR(2), issued_on=FEB(1)), MAR(20))
    scenario.when(a_payment(usd(100), on=FEB(20))).then(PaymentReceived, like(FundsAllocated, allocated_on=FEB(20)))
    assert {recorded.effective_on for recorded in scenario.world.log[-2:]} == {FEB(20)}


def test_one_payment_over_items_of_different_days_is_split_by_day():
    scenario = given(an_invoice("A", due_on=FEB(2)), an_invoice("B", due_on=MAR(20), issued_on=FEB(18)), MAR(1))
    scenario.when(a_payment(usd(200), on=FEB(10))).then(
        PaymentReceived,
        like(FundsAllocated, allocated_on=FEB(10), unapplied_after=usd(100)),
        like(FundsAllocated, allocated_on=FEB(18), unapplied_after=usd(0)),
    )


def test_money_for_an_invoice_that_is_not_known_waits_for_it():
    scenario = given(an_invoice("A", due_on=MAR(2)), a_payment(usd(100), on=MAR(3), invoice="B"))
    assert open_amounts(scenario) == {"A": 100}
    scenario.when(an_invoice("B", due_on=MAR(30), issued_on=MAR(4)))
    assert open_amounts(scenario) == {"A": 100}


def test_once_its_invoice_is_known_the_rest_goes_to_the_oldest():
    scenario = given(an_invoice("A", due_on=MAR(2)), a_payment(usd(130), on=MAR(3), invoice="B"))
    scenario.when(an_invoice("B", due_on=MAR(30), issued_on=MAR(4)))
    assert open_amounts(scenario) == {"A": 70}


def test_money_does_not_wait_for_an_invoice_that_other_money_has_settled():
    scenario = given(
        a_payment(usd(100), on=FEB(1), number="P1", invoice="X"),
        a_payment(usd(100), on=FEB(2), number="P2", invoice="X"),
        an_invoice("X", due_on=MAR(10), issued_on=FEB(8)),
    )
    scenario.when(an_invoice("Y", due_on=MAR(20)))
    assert open_amounts(scenario) == {}


def test_a_payment_for_a_settled_invoice_goes_to_the_oldest_open_one():
    scenario = given(an_invoice("A", due_on=MAR(2)), a_payment(usd(100), on=MAR(3), number="P1"))
    scenario.having(an_invoice("B", due_on=MAR(30), issued_on=MAR(3)))
    scenario.when(a_payment(usd(40), on=MAR(4), number="P2", invoice="A"))
    assert open_amounts(scenario) == {"B": 60}


def test_a_credit_is_put_against_items_like_a_payment():
    scenario = given(an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(9)))
    scenario.when(a_credit(usd(30), on=MAR(10), invoice="B")).then(CreditNoted, FundsAllocated)
    assert open_amounts(scenario) == {"A": 100, "B": 70}


def test_a_credit_before_its_invoice_waits_for_it():
    scenario = given(a_credit(usd(30), on=FEB(1), invoice="B"))
    scenario.when(an_invoice("B", due_on=MAR(30), issued_on=MAR(4)))
    assert open_amounts(scenario) == {"B": 70}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (a_payment(usd(1), on=MAR(5)), "duplicate-payment"),
        (a_credit(usd(1), on=MAR(5)), "duplicate-credit"),
        (a_payment(Money(1, "EUR"), on=MAR(5), number="P9"), "wrong-currency"),
        (a_credit(Money(1, "EUR"), on=MAR(5), number="C9"), "wrong-currency"),
    ],
)
def test_money_is_taken_in_once_and_in_the_account_s_currency(command: BillInvoice, code: str):
    given(a_payment(usd(5), on=MAR(3)), a_credit(usd(5), on=MAR(3))).when(command).then_refused(code)


@pytest.mark.parametrize("amount", [cents(0), cents(-5)])
def test_money_in_is_more_than_nothing(amount: Money):
    with pytest.raises(ValidationError, match="more than zero"):
        a_payment(amount, on=MAR(3))
    with pytest.raises(ValidationError, match="more than zero"):
        a_credit(amount, on=MAR(3))


# --- facts of the future ---


def arrives(scenario: Scenario) -> AdmitFact:
    [fact_id] = scenario.account.deferred.facts
    return AdmitFact(account_id=ACCOUNT, fact_id=fact_id)


def test_an_invoice_of_the_future_waits_for_its_day():
    scenario = given().when(an_invoice(due_on=MAR(31)), at=FEB(10))
    scenario.then(like(FactDeferred, arrives_on=MAR(1), command_name="bill-invoice"))
    assert open_amounts(scenario) == {}
    scenario.when(arrives(scenario), at=FEB(28)).then_nothing_happened()
    scenario.when(arrives(scenario), at=MAR(1)).then(FactArrived, like(InvoiceBilled, known_on=MAR(1)))
    assert scenario.account.deferred.facts == {}


def test_a_payment_of_the_future_pays_on_its_day():
    scenario = given(an_invoice(due_on=MAR(2))).when(a_payment(usd(40), on=MAR(5), invoice="INV-1"), at=MAR(3))
    scenario.then(FactDeferred)
    scenario.when(arrives(scenario), at=MAR(5)).then(FactArrived, PaymentReceived, FundsAllocated)
    assert open_amounts(scenario) == {"INV-1": 60}


def test_a_credit_of_the_future_is_given_on_its_day():
    scenario = given(an_invoice(due_on=MAR(2))).when(a_credit(usd(40), on=MAR(5)), at=MAR(3)).then(FactDeferred)
    scenario.when(arrives(scenario), at=MAR(5)).then(FactArrived, CreditNoted, FundsAllocated)


def test_a_fact_that_arrives_late_has_its_own_date():
    scenario = given(an_invoice(due_on=MAR(2))).when(a_payment(usd(40), on=MAR(5)), at=MAR(3))
    scenario.when(arrives(scenario), at=MAR(12))
    assert {recorded.effective_on for recorded in scenario.world.log[-3:]} == {MAR(5)}


def test_a_fact_arrives_once():
    scenario = given().when(an_invoice(due_on=MAR(31)), at=FEB(10))
    arrival = arrives(scenario)
    scenario.when(arrival, at=MAR(1))
    scenario.when(arrival, at=MAR(2)).then_nothing_happened()


def test_the_same_future_fact_again_changes_nothing():
    scenario = given(FEB(10)).when(an_invoice(due_on=MAR(31)), at=FEB(10))
    scenario.when(an_invoice(due_on=MAR(31)), at=FEB(11)).then_nothing_happened()


def test_a_future_fact_can_be_corrected_before_its_day():
    scenario = given().when(an_invoice(due_on=MAR(31)), at=FEB(10))
    scenario.when(a_corrected_invoice(due_on=MAR(31), amount=usd(70)), at=FEB(11)).then(FactDeferred)
    scenario.when(arrives(scenario), at=MAR(1))
    assert open_amounts(scenario) == {"INV-1": 70}


@pytest.mark.parametrize(
    ("waits", "never_was"),
    [
        (an_invoice(due_on=MAR(31)), WithdrawInvoice(account_id=ACCOUNT, number="INV-1")),
        (an_invoice(due_on=MAR(31)), WithdrawInvoice(account_id=ACCOUNT, number="INV-1/2026-03-31")),
        (an_invoice(due_on=MAR(31)), a_corrected_invoice(due_on=MAR(31), amount=usd(0))),
        (a_payment(usd(40), on=MAR(5)), a_reversal(kind=ReversalKind.ERROR, on=FEB(11))),
        (a_credit(usd(40), on=MAR(5)), WithdrawCredit(account_id=ACCOUNT, number="CR-1")),
    ],
)
def test_what_waits_for_its_day_and_never_was_does_not_come(waits: Command, never_was: Command):
    scenario = given().when(waits, at=FEB(10))
    day = arrives(scenario)
    scenario.when(never_was, at=FEB(11)).then(FactWithdrawn)
    assert scenario.account.deferred.facts == {}
    scenario.when(day, at=MAR(5)).then_nothing_happened()
    scenario.when(waits, at=FEB(12)).then(FactDeferred)


def test_a_future_payment_can_be_corrected_before_its_day():
    scenario = given(an_invoice(due_on=MAR(2))).when(a_payment(usd(40), on=MAR(5)), at=MAR(3))
    scenario.when(a_corrected_payment(usd(30), on=MAR(6)), at=MAR(4)).then(like(FactDeferred, arrives_on=MAR(6)))


@pytest.mark.parametrize(
    ("later", "now", "code"),
    [
        (an_invoice(due_on=MAR(31)), an_invoice(due_on=MAR(31), issued_on=FEB(1)), "duplicate-invoice"),
        (a_payment(usd(1), on=MAR(1)), a_payment(usd(1), on=FEB(1)), "duplicate-payment"),
        (a_credit(usd(1), on=MAR(1)), a_credit(usd(1), on=FEB(1)), "duplicate-credit"),
    ],
)
def test_what_waits_for_its_day_is_not_taken_in_a_second_time(later: BillInvoice, now: BillInvoice, code: str):
    given().when(later, at=FEB(10)).when(now, at=FEB(10)).then_refused(code)


def test_personal_information_of_a_future_invoice_is_kept_apart_and_arrives_with_it():
    scenario = given().when(an_invoice(due_on=MAR(31), information={"contact": "Ada"}), at=FEB(10))
    [deferred] = scenario.new
    assert isinstance(deferred, FactDeferred)
    assert deferred.information == {"contact": "Ada"}
    assert "Ada" not in str(deferred.command)
    scenario.when(arrives(scenario), at=MAR(1))
    assert scenario.account.receivables.items[invoice_id()].item.information == {"contact": "Ada"}


def test_a_payment_for_a_future_invoice_waits_with_it():
    scenario = given(an_invoice("A", due_on=FEB(1))).when(an_invoice("B", due_on=MAR(31)), at=FEB(10))
    scenario.having(a_payment(usd(100), on=FEB(10), invoice="B"))
    assert open_amounts(scenario) == {"A": 100}
    scenario.when(arrives(scenario), at=MAR(1))
    assert open_amounts(scenario) == {"A": 100}


def test_a_new_account_owes_nothing():
    scenario = given_only(an_office(), an_account())
    assert scenario.account.receivables.balance == usd(0)
    assert scenario.account.receivables.oldest_due_on() is None

"""Payments taken back, and invoices, payments and credits that really were different."""

from datetime import date

import pytest

from aggregates.account.aging import Aged
from aggregates.account.allocation import AllocationDue, AllocationReleased, SettleAllocation
from aggregates.account.billing import InvoiceCorrected
from aggregates.account.disputes import ResolveDispute
from aggregates.account.payments import CorrectCredit, CreditNoted, CreditWithdrawn, PaymentReceived, PaymentReversed
from aggregates.account.reallocation import FundsReallocated
from aggregates.account.receivables import ReversalKind
from aggregates.values.money import Money
from tests.aggregates.oracle import as_of
from tests.aggregates.test_receivables import open_amounts
from tests.builders import (
    ACCOUNT,
    FEB,
    JAN,
    MAR,
    a_corrected_invoice,
    a_corrected_payment,
    a_credit,
    a_dispute,
    a_payment,
    a_reversal,
    an_invoice,
    cents,
    invoice_id,
    usd,
)
from tests.given import Scenario, given, like


def unapplied_on(scenario: Scenario, *days: date) -> list[int]:
    """Whole dollars that were unapplied at the end of these days."""
    history = as_of(scenario.world.log)
    return [[unapplied // 100 for day, (_, unapplied) in history.items() if day <= wanted][-1] for wanted in days]


def open_on(scenario: Scenario, *days: date) -> list[int]:
    history = as_of(scenario.world.log)
    return [[sum(items.values()) // 100 for day, (items, _) in history.items() if day <= wanted][-1] for wanted in days]


# --- payments taken back ---


@pytest.mark.parametrize("kind", [ReversalKind.NSF, ReversalKind.CHARGEBACK, ReversalKind.REFUND])
def test_a_payment_taken_back_reopens_the_item_at_its_original_due_date(kind: ReversalKind):
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)))
    scenario.when(a_reversal(on=MAR(20), kind=kind)).then(
        like(AllocationReleased, released_on=MAR(20)), like(PaymentReversed, reversal=kind, reversed_on=MAR(20))
    )
    item = scenario.account.receivables.items[invoice_id()]
    assert (item.open, item.due_on, item.bucket, item.open_since) == (usd(100), MAR(2), "current", MAR(20))
    assert scenario.account.receivables.unapplied == usd(0)


def test_between_payment_and_reversal_the_invoice_was_paid():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)), a_reversal(on=MAR(20)))
    assert open_on(scenario, MAR(2), MAR(3), MAR(19), MAR(20)) == [100, 0, 0, 100]


def test_a_payment_recorded_in_error_never_was():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)), MAR(20))
    scenario.when(a_reversal(on=MAR(20), kind=ReversalKind.ERROR))
    assert open_on(scenario, MAR(2), MAR(3), MAR(20)) == [100, 100, 100]


def test_a_reversal_keeps_its_date_although_money_was_put_against_an_item_after_it():
    scenario = given(a_payment(usd(100), on=FEB(1)), an_invoice(due_on=MAR(20), issued_on=FEB(25)))
    scenario.when(a_reversal(on=FEB(10)), at=MAR(1)).then_among_others(like(PaymentReversed, reversed_on=FEB(10)))
    assert unapplied_on(scenario, FEB(9), FEB(10), FEB(25)) == [100, 0, 0]
    assert open_on(scenario, FEB(25)) == [100]


def test_each_part_of_a_payment_is_taken_back_on_its_own_day():
    """P2 paid 40 of A when it came in, and 60 more when P1 was taken back; and so it does on its true day."""
    scenario = given(
        an_invoice("A", due_on=MAR(1)),
        a_payment(usd(60), on=FEB(10), number="P1"),
        a_payment(usd(100), on=FEB(12), number="P2"),
        a_reversal("P1", on=FEB(20)),
    )
    scenario.when(a_corrected_payment(usd(100), on=FEB(13), number="P2"))
    assert unapplied_on(scenario, FEB(12), FEB(13), FEB(20)) == [0, 60, 0]
    assert open_on(scenario, FEB(12), FEB(13), FEB(20)) == [40, 0, 0]


def test_money_that_came_earlier_pays_a_reopened_item_from_the_reversal_on():
    """Between the payment and its reversal the item was settled: nothing else can have been put against it."""
    scenario = given(
        an_invoice(due_on=MAR(2)), a_payment(usd(100), on=FEB(10), number="P1"), a_reversal("P1", on=FEB(20))
    )
    scenario.when(a_payment(usd(100), on=FEB(15), number="P2")).then(PaymentReceived, AllocationDue)
    scenario.when(SettleAllocation(account_id=ACCOUNT)).then(FundsReallocated)
    assert unapplied_on(scenario, FEB(15), FEB(19), FEB(20)) == [100, 100, 0]


def test_taking_back_an_error_does_not_forget_since_when_the_item_is_open():
    scenario = given(
        an_invoice(due_on=MAR(2)),
        a_payment(usd(100), on=FEB(10), number="P1"),
        a_reversal("P1", on=FEB(20)),
        a_payment(usd(100), on=FEB(25), number="P2"),
        a_reversal("P2", on=FEB(25), kind=ReversalKind.ERROR),
    )
    scenario.when(a_payment(usd(100), on=FEB(12), number="P3"))
    assert min(min(items.values(), default=0) for items, _ in as_of(scenario.world.log).values()) >= 0


def test_what_another_payment_left_over_pays_the_reopened_item():
    scenario = given(
        an_invoice(due_on=MAR(2)),
        a_payment(usd(100), on=MAR(3), number="P1"),
        a_payment(usd(30), on=MAR(4), number="P2"),
    )
    scenario.when(a_reversal("P1", on=MAR(9))).then(AllocationReleased, PaymentReversed, FundsReallocated, Aged)
    assert open_amounts(scenario) == {"INV-1": 70}


def test_a_reopened_item_is_disputed_no_more_once_the_dispute_was_resolved():
    scenario = given(an_invoice(due_on=MAR(2)), a_dispute(), a_payment(usd(100), on=MAR(3), invoice="INV-1"))
    [dispute_id] = scenario.account.disputes.open
    scenario.having(ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="paid"))
    scenario.when(a_reversal(on=MAR(9)))
    assert scenario.account.receivables.items[invoice_id()].dispute_id is None


def test_a_reopened_item_is_disputed_still_while_the_dispute_is_open():
    scenario = given(an_invoice(due_on=MAR(2)), a_dispute(), a_payment(usd(100), on=MAR(3), invoice="INV-1"))
    scenario.when(a_reversal(on=MAR(9)))
    assert scenario.account.receivables.items[invoice_id()].dispute_id in scenario.account.disputes.open


@pytest.mark.parametrize(
    ("reversal", "code"),
    [
        (a_reversal("P9", on=MAR(5)), "unknown-payment"),
        (a_reversal(on=MAR(2)), "reversed-first"),
        (a_reversal(on=MAR(21)), "future-reversal"),
    ],
)
def test_a_reversal_is_of_a_known_payment_after_it_and_not_in_the_future(reversal: object, code: str):
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)))
    scenario.when(reversal, at=MAR(20)).then_refused(code)  # type: ignore[arg-type]


def test_a_payment_is_taken_back_once():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)), a_reversal(on=MAR(9)))
    scenario.when(a_reversal(on=MAR(10))).then_refused("payment-reversed")


# --- corrected invoices ---


def test_an_invoice_corrected_to_what_it_is_changes_nothing():
    given(an_invoice(due_on=MAR(2))).when(a_corrected_invoice(due_on=MAR(2))).then_nothing_happened()


def test_a_settled_invoice_corrected_to_what_it_is_changes_nothing():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)))
    scenario.when(a_corrected_invoice(due_on=MAR(2))).then_nothing_happened()


def test_a_higher_amount_is_owed_from_the_start():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)))
    scenario.when(a_corrected_invoice(due_on=MAR(2), amount=usd(130))).then(like(InvoiceCorrected, open_after=usd(30)))
    assert open_on(scenario, MAR(2), MAR(3)) == [130, 30]


def test_a_lower_amount_gives_back_what_was_paid_too_much():
    scenario = given(an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(9)), a_payment(usd(100), on=MAR(3)))
    scenario.when(a_corrected_invoice("A", due_on=MAR(2), amount=usd(60))).then(
        AllocationReleased, like(InvoiceCorrected, open_after=usd(0)), FundsReallocated
    )
    assert open_amounts(scenario) == {"B": 60}


def test_a_lower_amount_that_was_not_paid_yet_is_just_lower():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(20), on=MAR(3)))
    scenario.when(a_corrected_invoice(due_on=MAR(2), amount=usd(60))).then(InvoiceCorrected, AllocationDue)
    scenario.when(SettleAllocation(account_id=ACCOUNT)).then(like(FundsReallocated, moves=()))
    assert open_amounts(scenario) == {"INV-1": 40}


def test_of_several_payments_the_newest_gives_back_first():
    scenario = given(
        an_invoice(due_on=MAR(2)),
        a_payment(usd(50), on=MAR(3), number="P1"),
        a_payment(usd(50), on=MAR(5), number="P2"),
    )
    scenario.when(a_corrected_invoice(due_on=MAR(2), amount=usd(60)))
    assert {funds.receipt.number: funds.unapplied for funds in scenario.account.receivables.funds.values()} == {
        "P2": usd(40)
    }
    assert open_on(scenario, MAR(2), MAR(3), MAR(5)) == [60, 10, 0]


def test_another_due_date_ages_the_item_anew():
    scenario = given(an_invoice(due_on=MAR(2))).when(a_corrected_invoice(due_on=MAR(20)))
    assert scenario.account.receivables.items[invoice_id()].next_on == MAR(21)


def test_an_invoice_issued_later_than_said_was_paid_no_earlier():
    scenario = given(an_invoice(due_on=MAR(2), issued_on=JAN(2)), a_payment(usd(100), on=FEB(1)))
    scenario.when(a_corrected_invoice(due_on=MAR(2), issued_on=FEB(10))).then_among_others(
        AllocationReleased, InvoiceCorrected, FundsReallocated
    )
    assert unapplied_on(scenario, FEB(1), FEB(10)) == [100, 0]


def test_money_given_back_by_a_correction_stays_meant_for_its_invoice():
    scenario = given(
        an_invoice("OLD", due_on=FEB(1)),
        an_invoice("NEW", due_on=MAR(1)),
        a_payment(usd(100), on=FEB(2), invoice="NEW"),
    )
    scenario.when(a_corrected_invoice("NEW", due_on=MAR(1), issued_on=FEB(1)))
    assert open_amounts(scenario) == {"OLD": 100}


def test_a_disputed_invoice_stays_disputed_when_it_is_corrected():
    scenario = given(an_invoice(due_on=MAR(2)), a_dispute()).when(a_corrected_invoice(due_on=MAR(9)))
    assert scenario.account.receivables.items[invoice_id()].dispute_id is not None


@pytest.mark.parametrize(
    ("correction", "code"),
    [
        (a_corrected_invoice("X", due_on=MAR(2)), "unknown-invoice"),
        (a_corrected_invoice(due_on=MAR(30), issued_on=MAR(21)), "future-correction"),
        (a_corrected_invoice(due_on=MAR(2), amount=Money(1, "EUR")), "wrong-currency"),
        (a_corrected_payment(usd(1), on=MAR(21)), "future-correction"),
        (a_corrected_payment(usd(1), on=MAR(3), number="P9"), "unknown-payment"),
        (a_corrected_payment(Money(1, "EUR"), on=MAR(3)), "wrong-currency"),
    ],
)
def test_a_correction_is_of_something_known_and_not_in_the_future(correction: object, code: str):
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(10), on=MAR(3)))
    scenario.when(correction, at=MAR(20)).then_refused(code)  # type: ignore[arg-type]


# --- corrected payments and credits ---


def test_a_corrected_payment_always_was_as_it_says_now():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)))
    scenario.when(a_corrected_payment(usd(40), on=MAR(5)), at=MAR(9)).then(
        AllocationReleased, like(PaymentReversed, reversal=ReversalKind.ERROR), PaymentReceived, FundsReallocated, Aged
    )
    assert open_on(scenario, MAR(3), MAR(5)) == [100, 60]
    assert unapplied_on(scenario, MAR(3), MAR(5)) == [0, 0]


def test_a_payment_can_be_corrected_twice_and_then_taken_back():
    scenario = given(
        an_invoice(due_on=MAR(2)),
        a_payment(usd(100), on=MAR(3)),
        a_corrected_payment(usd(40), on=MAR(3)),
        a_corrected_payment(usd(70), on=MAR(3)),
    )
    assert open_amounts(scenario) == {"INV-1": 30}
    scenario.when(a_reversal(on=MAR(9)))
    assert open_amounts(scenario) == {"INV-1": 100}


def a_corrected_credit(amount: Money, **more: object) -> CorrectCredit:
    given_ = {"account_id": ACCOUNT, "number": "CR-1", "amount": amount, "issued_on": MAR(3), **more}
    return CorrectCredit.model_validate(given_)


def test_a_corrected_credit_always_was_as_it_says_now():
    scenario = given(an_invoice(due_on=MAR(2)), a_credit(usd(100), on=MAR(3)))
    scenario.when(a_corrected_credit(usd(40))).then(
        AllocationReleased, CreditWithdrawn, CreditNoted, FundsReallocated, Aged
    )
    assert open_on(scenario, MAR(3)) == [60]


@pytest.mark.parametrize(
    ("correction", "code"),
    [
        (a_corrected_credit(usd(1), number="CR-9"), "unknown-credit"),
        (a_corrected_credit(usd(1), issued_on=MAR(21)), "future-correction"),
        (a_corrected_credit(Money(1, "EUR")), "wrong-currency"),
    ],
)
def test_a_corrected_credit_is_a_known_one_and_not_in_the_future(correction: CorrectCredit, code: str):
    given(a_credit(usd(10), on=MAR(3))).when(correction, at=MAR(20)).then_refused(code)


def test_a_deferred_credit_is_corrected_before_its_day():
    scenario = given().when(a_credit(usd(10), on=MAR(3)), at=MAR(1))
    scenario.when(a_corrected_credit(usd(20)), at=MAR(2))
    [fact] = scenario.account.deferred.facts.values()
    assert fact.command["amount"] == {"minor": 2000, "currency": "USD"}


def test_a_correction_that_undoes_what_a_reversed_payment_settled_leaves_a_surplus_in_the_past():
    """P settled 100 from the 10th to the 20th; the invoice always was 50, so 50 of it were unapplied in those days.

    Reports of those days show the item's negative rest as unapplied.
    """
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=FEB(10)), a_reversal(on=FEB(20)))
    scenario.when(a_corrected_invoice(due_on=MAR(2), amount=usd(50)))
    assert open_on(scenario, FEB(9), FEB(15), FEB(20)) == [50, -50, 50]
    assert scenario.account.receivables.items[invoice_id()].open == cents(5000)

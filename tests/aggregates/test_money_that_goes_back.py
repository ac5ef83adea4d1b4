"""Money that goes back in parts, comes in again, or was never gone after all."""

from typing import Any

import pytest

from aggregates.account.allocation import AllocationReleased, SettleAllocation
from aggregates.account.billing import InvoiceCorrected, WithdrawInvoice
from aggregates.account.payments import (
    CorrectCredit,
    CreditWithdrawn,
    FundsRefunded,
    PaymentReceived,
    PaymentReversed,
    PaymentReversedInPart,
    RefundWithdrawn,
    ReversalWithdrawn,
    WithdrawCredit,
    WithdrawRefund,
    WithdrawReversal,
)
from aggregates.account.receivables import ReversalKind
from aggregates.kernel.command import Command
from aggregates.values.money import Money
from tests.aggregates.test_corrections import open_on, unapplied_on
from tests.aggregates.test_receivables import open_amounts
from tests.builders import (
    ACCOUNT,
    FEB,
    MAR,
    a_corrected_invoice,
    a_corrected_payment,
    a_credit,
    a_payment,
    a_payment_again,
    a_refund,
    a_reversal,
    an_invoice,
    payment_id,
    usd,
)
from tests.given import Scenario, given, like

TWO_INVOICES = (an_invoice("A", due_on=MAR(1)), an_invoice("B", due_on=MAR(5)))
"""Of 100 dollars each."""


def withdraw_reversal(**more: Any) -> WithdrawReversal:
    return WithdrawReversal(account_id=ACCOUNT, number="PAY-1", **more)


def remaining(scenario: Scenario) -> Money:
    funds = scenario.world.store.replayed(type(scenario.account), ACCOUNT, whole=True).receivables
    known = funds.known_funds(payment_id())
    assert known is not None
    return known.remaining


# --- a part of a payment is taken back ---


def test_of_a_payment_taken_back_in_part_what_was_paid_latest_is_open_again():
    scenario = given(*TWO_INVOICES, a_payment(usd(150), on=MAR(3)))
    scenario.when(a_reversal(on=MAR(20), amount=usd(70))).then(
        like(AllocationReleased, released_on=MAR(20)), like(PaymentReversedInPart, remaining=usd(80))
    )
    assert open_amounts(scenario) == {"A": 20, "B": 100}
    assert open_on(scenario, MAR(3), MAR(19), MAR(20)) == [50, 50, 120]


def test_a_part_is_taken_back_from_the_invoice_that_is_named_for_it():
    scenario = given(*TWO_INVOICES, a_payment(usd(150), on=MAR(3)))
    scenario.when(a_reversal(on=MAR(20), amount=usd(70), invoice_number="A"))
    assert open_amounts(scenario) == {"A": 70, "B": 50}


def test_what_is_unapplied_goes_before_anything_is_open_again():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(150), on=MAR(3)))
    scenario.when(a_reversal(on=MAR(20), amount=usd(60))).then_among_others(like(PaymentReversedInPart))
    assert open_amounts(scenario) == {"INV-1": 10}
    assert scenario.account.receivables.unapplied == usd(0)


def test_parts_add_up_to_the_whole_and_no_more():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)), a_reversal(on=MAR(9), amount=usd(60)))
    scenario.when(a_reversal(on=MAR(10), amount=usd(41))).then_refused("reversed-too-much")
    scenario.when(a_reversal(on=MAR(10), kind=ReversalKind.NSF)).then_among_others(
        like(PaymentReversedInPart, remaining=usd(0))
    )
    assert open_amounts(scenario) == {"INV-1": 100}
    scenario.when(a_reversal(on=MAR(10), amount=usd(1))).then_refused("payment-reversed")


def test_an_error_is_taken_out_whole():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)))
    scenario.when(a_reversal(on=MAR(9), amount=usd(60), kind=ReversalKind.ERROR)).then_refused("reversed-in-part")
    scenario.having(a_reversal(on=MAR(9), amount=usd(60)))
    scenario.when(a_reversal(on=MAR(9), kind=ReversalKind.ERROR)).then_refused("gone-in-part")


def test_a_part_goes_on_its_day_whatever_was_paid_later():
    """On the day of the reversal the money was unapplied: what it paid later it cannot have paid."""
    scenario = given(a_payment(usd(100), on=FEB(1)), an_invoice(due_on=MAR(20), issued_on=FEB(25)), MAR(1))
    scenario.when(a_reversal(on=FEB(10), amount=usd(30)))
    assert unapplied_on(scenario, FEB(9), FEB(10), FEB(25)) == [100, 70, 0]
    assert open_on(scenario, FEB(25)) == [30]


def test_an_invoice_of_an_earlier_day_is_walked_with_what_was_there_then():
    scenario = given(a_payment(usd(100), on=FEB(1)), a_reversal(on=FEB(10), amount=usd(40)), MAR(1))
    scenario.having(an_invoice(due_on=MAR(20), issued_on=FEB(5)), SettleAllocation(account_id=ACCOUNT))
    assert open_on(scenario, FEB(5), FEB(9), FEB(10)) == [0, 0, 40]


# --- refunds ---


def test_what_is_unapplied_is_given_back_and_the_balance_rises_by_it():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(150), on=MAR(3)))
    assert scenario.account.receivables.balance == usd(-50)
    scenario.when(a_refund(usd(30), on=MAR(9))).then(like(FundsRefunded, remaining=usd(120)))
    assert scenario.account.receivables.balance == usd(-20)
    assert unapplied_on(scenario, MAR(8), MAR(9)) == [50, 20]


def test_the_oldest_unapplied_money_is_given_back_first():
    scenario = given(
        a_payment(usd(20), on=FEB(3), number="P2"), a_credit(usd(10), on=FEB(2)), a_payment(usd(30), on=FEB(1)), MAR(1)
    )
    scenario.when(a_refund(usd(35), on=FEB(9)))
    left = {funds.receipt.number: funds.unapplied for funds in scenario.account.receivables.funds.values()}
    assert left == {"P2": usd(20), "CR-1": usd(5)}


@pytest.mark.parametrize(
    ("refund", "code"),
    [
        (a_refund(usd(51), on=MAR(9)), "refund-too-large"),
        (a_refund(usd(1), on=MAR(2)), "refund-too-large"),
        (a_refund(usd(1), on=MAR(22)), "future-refund"),
        (a_refund(usd(1), on=MAR(9), number="P9"), "unknown-payment"),
    ],
)
def test_no_more_is_given_back_than_is_unapplied_on_that_day(refund: Command, code: str):
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(150), on=MAR(3)), MAR(20))
    scenario.when(refund, at=MAR(20)).then_refused(code)


def test_a_refund_of_an_earlier_day_takes_nothing_that_pays_an_invoice_since():
    """What does is taken back from it, by a reversal."""
    scenario = given(a_payment(usd(150), on=MAR(3)), an_invoice(due_on=MAR(30), issued_on=MAR(12)), MAR(20))
    scenario.when(a_refund(usd(51), on=MAR(9))).then_refused("refund-too-large")
    scenario.when(a_refund(usd(50), on=MAR(9)))
    assert (unapplied_on(scenario, MAR(9), MAR(12)), open_on(scenario, MAR(12))) == ([100, 0], [0])
    scenario.when(a_refund(usd(1), on=MAR(9))).then_refused("refund-too-large")
    scenario.when(a_reversal(on=MAR(9), amount=usd(1), kind=ReversalKind.REFUND))
    assert (unapplied_on(scenario, MAR(9), MAR(12)), open_on(scenario, MAR(12))) == ([99, 0], [1])


def test_a_refund_that_was_recorded_in_error_is_there_again():
    scenario = given(a_payment(usd(50), on=MAR(3)), a_refund(usd(50), on=MAR(9)))
    scenario.when(WithdrawRefund(account_id=ACCOUNT, number="PAY-1")).then(RefundWithdrawn)
    assert unapplied_on(scenario, MAR(3), MAR(9)) == [50, 50]


# --- taken back, and what became of it ---


def test_a_payment_that_was_taken_back_comes_in_again_on_a_day_of_its_own():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)), a_reversal(on=MAR(9)), MAR(20))
    scenario.when(a_payment_again(usd(100), on=MAR(8))).then_refused("received-again-first")
    scenario.when(a_payment_again(usd(100), on=MAR(12))).then_among_others(like(PaymentReceived))
    assert open_on(scenario, MAR(3), MAR(9), MAR(11), MAR(12)) == [0, 100, 100, 0]
    scenario.when(a_payment_again(usd(100), on=MAR(12))).then_refused("payment-not-reversed")


def test_a_payment_that_came_again_can_be_taken_back_again():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)), a_reversal(on=MAR(9)))
    scenario.having(MAR(20), a_payment_again(usd(100), on=MAR(12)), a_reversal(on=MAR(15), amount=usd(30)))
    assert open_on(scenario, MAR(3), MAR(9), MAR(12), MAR(15)) == [0, 100, 0, 30]


def test_a_payment_taken_back_stays_so_with_its_corrected_figures():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)), a_reversal(on=MAR(9)), MAR(20))
    scenario.when(a_corrected_payment(usd(60), on=MAR(5))).then_among_others(
        like(PaymentReversed, reversal=ReversalKind.CHARGEBACK, reversed_on=MAR(9))
    )
    assert open_on(scenario, MAR(3), MAR(5), MAR(8), MAR(9)) == [100, 40, 40, 100]
    scenario.when(a_corrected_payment(usd(60), on=MAR(10))).then_refused("reversed-first")


def test_a_correction_keeps_what_went_back_in_part():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)), a_reversal(on=MAR(9), amount=usd(30)))
    scenario.when(a_corrected_payment(usd(80), on=MAR(4)), at=MAR(20))
    assert open_on(scenario, MAR(3), MAR(4), MAR(9)) == [100, 20, 50]
    assert remaining(scenario) == usd(50)
    scenario.when(a_corrected_payment(usd(29), on=MAR(4))).then_refused("gone-in-part")


@pytest.mark.parametrize("amount", [None, usd(30)])
@pytest.mark.parametrize("kind", [ReversalKind.NSF, ReversalKind.CHARGEBACK])
def test_a_reversal_that_was_recorded_in_error_never_was(amount: Money | None, kind: ReversalKind):
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)))
    scenario.having(a_reversal(on=MAR(9), kind=kind, amount=amount), MAR(20))
    scenario.when(withdraw_reversal()).then_among_others(like(ReversalWithdrawn, remaining=usd(100)))
    assert open_on(scenario, MAR(3), MAR(9), MAR(20)) == [0, 0, 0]
    scenario.when(withdraw_reversal()).then_refused("nothing-went-back")


def test_of_several_reversals_day_and_amount_say_which_is_withdrawn():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)))
    scenario.having(a_reversal(on=MAR(9), amount=usd(30)), a_reversal(on=MAR(10), amount=usd(30)))
    scenario.when(withdraw_reversal(amount=usd(30))).then_refused("several-went-back")
    scenario.when(withdraw_reversal(reversed_on=MAR(9)))
    assert open_on(scenario, MAR(9), MAR(10)) == [0, 30]


def test_a_payment_that_never_was_lives_again_when_it_is_stated_again():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(3)))
    scenario.having(a_reversal(on=MAR(9), kind=ReversalKind.ERROR), MAR(20))
    scenario.when(a_corrected_payment(usd(60), on=MAR(5))).then_among_others(PaymentReceived)
    assert open_on(scenario, MAR(3), MAR(5)) == [100, 40]


@pytest.mark.parametrize(
    "command",
    [
        withdraw_reversal(),
        a_refund(usd(1), on=MAR(9)),
        WithdrawRefund(account_id=ACCOUNT, number="PAY-1"),
        WithdrawCredit(account_id=ACCOUNT, number="CR-1"),
    ],
)
def test_people_say_why(command: Command):
    scenario = given(a_payment(usd(50), on=MAR(3)), MAR(20))
    scenario.when(command, reason=None).then_refused("reason-required")


# --- credits ---


def test_a_credit_that_was_given_in_error_never_was_and_can_be_stated_again():
    scenario = given(an_invoice(due_on=MAR(2)), a_credit(usd(40), on=MAR(3)), MAR(20))
    scenario.when(WithdrawCredit(account_id=ACCOUNT, number="CR-1")).then_among_others(CreditWithdrawn)
    assert open_on(scenario, MAR(3), MAR(20)) == [100, 100]
    scenario.when(WithdrawCredit(account_id=ACCOUNT, number="CR-1")).then_refused("credit-reversed")
    scenario.when(CorrectCredit(account_id=ACCOUNT, number="CR-1", amount=usd(30), issued_on=MAR(4)))
    assert open_on(scenario, MAR(3), MAR(4)) == [100, 70]


# --- invoices ---


def withdraw(number: str = "INV-1") -> WithdrawInvoice:
    return WithdrawInvoice(account_id=ACCOUNT, number=number)


def test_a_withdrawn_invoice_was_never_owed_and_its_money_pays_what_else_is():
    scenario = given(*TWO_INVOICES, a_payment(usd(100), on=MAR(3)), MAR(20))
    assert open_amounts(scenario) == {"B": 100}
    scenario.when(withdraw("A")).then_among_others(like(InvoiceCorrected, open_after=usd(0)))
    assert open_amounts(scenario) == {}
    assert open_on(scenario, MAR(3), MAR(20)) == [0, 0]
    scenario.when(withdraw("A")).then_refused("invoice-withdrawn")


def test_a_withdrawn_invoice_that_is_stated_again_is_owed_again():
    scenario = given(an_invoice(due_on=MAR(2)), withdraw(), MAR(20))
    scenario.when(a_corrected_invoice(due_on=MAR(2), amount=usd(70))).then_among_others(InvoiceCorrected)
    assert open_amounts(scenario) == {"INV-1": 70}


def test_only_an_invoice_of_the_account_is_withdrawn_and_people_say_why():
    scenario = given(an_invoice(due_on=MAR(2)))
    scenario.when(withdraw("INV-9")).then_refused("unknown-invoice")
    scenario.when(withdraw(), reason=None).then_refused("reason-required")

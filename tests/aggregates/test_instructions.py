"""Payments that name several invoices, each with an amount or as much as it takes."""

from itertools import permutations

import pytest
from pydantic import ValidationError

from aggregates.account.allocation import SettleAllocation
from aggregates.account.payments import PaymentReceived, ReceivePayment
from aggregates.account.receivables import FundsKind, Instruction, Receipt
from aggregates.kernel.command import Command
from aggregates.values.money import Money
from tests.aggregates.test_receivables import open_amounts
from tests.builders import (
    ACCOUNT,
    FEB,
    JAN,
    MAR,
    a_corrected_payment,
    a_payment,
    an_invoice,
    payment_id,
    usd,
)
from tests.given import given, like

SETTLE = SettleAllocation(account_id=ACCOUNT)


def to(number: str, amount: int | None = None) -> Instruction:
    return Instruction(invoice_number=number, amount=None if amount is None else usd(amount))


OLD, A, B = (
    an_invoice(number, issued_on=JAN(day), due_on=FEB(day), amount=usd(amount))
    for number, day, amount in (("OLD", 1, 100), ("A", 5, 50), ("B", 6, 30))
)


def paid(amount: int, *instructions: Instruction, **more: str) -> ReceivePayment:
    return a_payment(usd(amount), on=JAN(20), instructions=instructions, **more)


@pytest.mark.parametrize(
    ("payment", "still_open"),
    [
        (paid(80, to("A", 50), to("B", 30)), {"OLD": 100}),
        (paid(80, to("B", 20), to("A", 40)), {"OLD": 80, "A": 10, "B": 10}),
        (paid(80, to("A", 60), to("B", 20)), {"OLD": 90, "B": 10}),
        (paid(60, to("A"), to("B")), {"OLD": 100, "B": 20}),
        (paid(60, to("B"), to("A")), {"OLD": 100, "A": 20}),
        (paid(60, to("A"), to("B", 30)), {"OLD": 100, "A": 20}),
    ],
)
@pytest.mark.parametrize("nth", range(24))
def test_each_invoice_gets_what_is_said_for_it_and_the_oldest_due_the_rest(
    payment: Command, still_open: dict[str, int], nth: int
):
    order = list(permutations((OLD, A, B, payment)))[nth]
    assert open_amounts(given(FEB(15), *order, SETTLE)) == still_open


def test_the_part_for_an_unknown_invoice_waits_whole_for_its_issue_day():
    scenario = given(FEB(15), OLD, A, paid(90, to("A", 50), to("LATER", 30)))
    assert open_amounts(scenario) == {"OLD": 90}
    [funds] = scenario.account.receivables.funds.values()
    assert (funds.unapplied, funds.unknown, funds.waits) == (usd(30), ("LATER",), False)
    scenario.having(an_invoice("LATER", issued_on=FEB(1), due_on=MAR(1), amount=usd(20)), SETTLE)
    assert open_amounts(scenario) == {"OLD": 80}


def test_an_invoice_gets_what_is_said_for_it_and_of_the_rest_on_one_day():
    scenario = given(FEB(15), A, B, an_invoice("NEW", issued_on=JAN(7), due_on=MAR(1), amount=usd(40)))
    scenario.having(paid(90, to("B", 20), to("A", 40)))
    assert open_amounts(scenario) == {"NEW": 30}


def test_what_takes_as_much_as_it_does_takes_nothing_that_is_said_for_another():
    scenario = given(FEB(15), A, paid(60, to("A"), to("LATER", 30)))
    assert open_amounts(scenario) == {"A": 20}
    assert scenario.account.receivables.unapplied == usd(30)


def test_where_no_amount_is_said_all_that_is_left_waits():
    scenario = given(FEB(15), OLD, A, paid(90, to("LATER"), to("A")))
    assert open_amounts(scenario) == {"OLD": 100}
    assert scenario.account.receivables.unapplied == usd(40)


def test_a_text_that_is_an_invoice_s_number_is_no_list():
    both = paid(60, to("A"), to("B"), invoice="A, B")
    known = an_invoice("A, B", issued_on=JAN(7), due_on=FEB(20), amount=usd(55))
    for order in permutations((A, B, known, both)):
        assert open_amounts(given(FEB(15), *order, SETTLE)) == {"A": 45, "B": 30}
    assert open_amounts(given(FEB(15), A, B, both, SETTLE)) == {"B": 20}
    later = an_invoice("A, B", issued_on=FEB(1), due_on=FEB(20), amount=usd(55))
    assert open_amounts(given(FEB(15), A, B, both, later, SETTLE)) == {"A": 45, "B": 30}


def test_a_correction_says_anew_what_the_payment_is_for():
    scenario = given(FEB(15), OLD, A, B, paid(80, to("A", 50), to("B", 30)))
    scenario.having(a_corrected_payment(usd(80), on=JAN(20), instructions=(to("OLD", 80),)), SETTLE)
    assert open_amounts(scenario) == {"OLD": 20, "A": 50, "B": 30}


FIRST, SECOND = (
    an_invoice("A", issued_on=JAN(day), due_on=due_on, amount=usd(amount), instalment=due_on)
    for day, due_on, amount in ((5, FEB(5), 50), (25, MAR(1), 300))
)
NEXT = a_payment(usd(160), on=JAN(21), number="PAY-2", instructions=(to("A", 160),))


@pytest.mark.parametrize("nth", range(24))
def test_what_is_said_for_an_invoice_counts_over_its_instalments_the_settled_ones_too(nth: int):
    """Of 250 for A its first instalment took 50: the second gets 200 of it, and the next payment the rest."""
    order = list(permutations((FIRST, paid(460, to("A", 250)), NEXT, SECOND)))[nth]
    scenario = given(FEB(15), *(each for fact in order for each in (fact, SETTLE)))
    assert open_amounts(scenario) == {}
    left = {each.receipt.number: each.unapplied.minor // 100 for each in scenario.account.receivables.funds.values()}
    assert left == {"PAY-1": 210, "PAY-2": 60}


def test_the_event_says_what_was_instructed():
    payment = paid(80, to("A", 50), to("B"))
    given(A, B).when(payment).then_among_others(like(PaymentReceived, invoice_number=None))


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ((), "expected 1 to 500 invoices, not 0"),
        (tuple(to(f"I-{n}") for n in range(501)), "expected 1 to 500 invoices, not 501"),
        ((to("A", 50), to("A", 30)), "expected each invoice once"),
        ((to("A", 50), to("B", 31)), "in total at most"),
        ((to("A", 0),), "amounts of more than zero"),
        ((Instruction(invoice_number="A", amount=Money(1, "EUR")),), "amounts in USD"),
    ],
)
def test_instructions_that_cannot_be_followed_are_refused(instructions: tuple[Instruction, ...], expected: str):
    with pytest.raises(ValidationError, match=expected):
        paid(80, *instructions)


def test_one_number_beside_instructions_is_refused():
    with pytest.raises(ValidationError, match="expected none beside instructions, or their list in one text"):
        paid(80, to("A"), invoice="B")


def test_a_receipt_without_instructions_is_the_same_bytes_as_before():
    receipt = Receipt(id=payment_id(), kind=FundsKind.PAYMENT, number="P", amount=usd(1), received_on=JAN(1))
    assert not {"instructions", "unknown"} & receipt.model_dump().keys()

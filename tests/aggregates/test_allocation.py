"""What money is put against: the rule by days, whatever the order in which facts arrive."""

from datetime import date
from itertools import permutations

import pytest

from aggregates.account import Account
from aggregates.account.allocation import (
    AllocateFunds,
    AllocationDecided,
    AllocationDue,
    FundsAllocated,
    RestateAllocation,
    SettleAllocation,
)
from aggregates.account.billing import InvoiceBilled, WithdrawInvoice
from aggregates.account.disputes import ResolveDispute
from aggregates.account.payments import CreditNoted, PaymentReceived
from aggregates.account.reallocation import FundsReallocated
from aggregates.kernel.command import Command
from aggregates.values.money import Money
from tests.aggregates.oracle import as_of
from tests.aggregates.test_corrections import open_on, unapplied_on
from tests.aggregates.test_receivables import open_amounts
from tests.builders import (
    ACCOUNT,
    APR,
    DAY,
    FEB,
    JAN,
    MAR,
    MAY,
    a_credit,
    a_dispute,
    a_payment,
    a_reversal,
    an_invoice,
    invoice_id,
    usd,
)
from tests.given import Scenario, given, like

SETTLE = SettleAllocation(account_id=ACCOUNT)


def settled(*history: Command | date) -> Scenario:
    """All of it learned on one day, and what is due worked out."""
    return given(JUN_1, *history, SETTLE)


JUN_1 = date(2026, 6, 1)


def to_invoice(amount: Money, number: str, *, payment: str = "PAY-1", on: date | None = None) -> AllocateFunds:
    return AllocateFunds(account_id=ACCOUNT, number=payment, invoice_number=number, amount=amount, allocated_on=on)


# --- the order of arrival ---

INVOICE = an_invoice("I1", issued_on=JAN(25), due_on=MAR(26), amount=usd(1000))
PAYMENT = a_payment(usd(1000), on=MAR(30), number="P1", invoice="I1")
CREDIT = a_credit(usd(100), on=MAY(5), number="C1")


@pytest.mark.parametrize("order", list(permutations((INVOICE, PAYMENT, CREDIT))))
def test_the_past_is_the_same_whatever_arrived_first(order: tuple[Command, ...]):
    scenario = settled(*order)
    assert open_on(scenario, MAR(29), APR(1), MAY(5)) == [1000, 0, 0]
    assert unapplied_on(scenario, APR(1), MAY(4), MAY(5)) == [0, 0, 100]
    assert scenario.account.receivables.balance == usd(-100)


def test_a_late_payment_takes_what_it_would_have_taken_on_its_day():
    """The payment of March went to the invoice that the one of February pays as it turns out."""
    scenario = given(
        JUN_1,
        an_invoice("A", issued_on=JAN(1), due_on=FEB(1)),
        an_invoice("B", issued_on=JAN(2), due_on=MAR(1)),
        a_payment(usd(100), on=MAR(5), number="P2"),
    )
    scenario.when(a_payment(usd(100), on=FEB(5), number="P1")).then(PaymentReceived, AllocationDue)
    assert scenario.account.receivables.unapplied == usd(100), "it waits for the walk"
    scenario.when(SETTLE).then_among_others(like(FundsReallocated, from_day=FEB(5)))
    assert open_on(scenario, FEB(4), FEB(5), MAR(5)) == [200, 100, 0]
    assert scenario.account.receivables.items == {}


def test_many_late_payments_are_walked_once():
    scenario = given(JUN_1, an_invoice("A", issued_on=JAN(1), due_on=FEB(1), amount=usd(1000)))
    scenario.having(a_payment(usd(1), on=MAY(1), number="LATEST"))
    scenario.having(*(a_payment(usd(1), on=FEB(1) + n * DAY, number=f"P-{n}") for n in range(20, 0, -1)))
    scenario.when(SETTLE).then_among_others(like(FundsReallocated, more=False))
    scenario.when(SETTLE).then_nothing_happened()
    assert len(scenario.world.events(FundsReallocated)) == 1
    assert open_amounts(scenario) == {"A": 979}


def test_a_fact_of_a_later_day_needs_no_walk():
    scenario = given(an_invoice("A", due_on=MAR(2)), a_payment(usd(10), on=MAR(3), number="P1"))
    scenario.when(a_payment(usd(10), on=MAR(4), number="P2")).then(PaymentReceived, FundsAllocated)
    scenario.when(an_invoice("B", issued_on=MAR(5), due_on=APR(1))).then(InvoiceBilled)
    scenario.when(a_credit(usd(10), on=MAR(6))).then(CreditNoted, FundsAllocated)


def test_a_payment_that_names_an_open_invoice_that_nothing_was_put_against_later_needs_no_walk():
    """As files do that say of each invoice when it was settled, in whatever order."""
    scenario = given(
        JUN_1,
        an_invoice("A", issued_on=JAN(1), due_on=FEB(1)),
        a_payment(usd(100), on=MAY(5), number="PA", invoice="A"),
        an_invoice("B", issued_on=JAN(1), due_on=FEB(1)),
    )
    scenario.when(a_payment(usd(100), on=MAR(5), number="PB", invoice="B")).then(PaymentReceived, FundsAllocated)


# --- the rule of a day ---


def test_named_money_waits_whole_for_its_invoice_s_issue_day():
    scenario = settled(
        a_payment(usd(150), on=FEB(1), invoice="NEW"),
        an_invoice("OLD", issued_on=JAN(1), due_on=FEB(1)),
        an_invoice("NEW", issued_on=MAR(1), due_on=APR(1)),
    )
    assert unapplied_on(scenario, FEB(1), FEB(28), MAR(1)) == [150, 150, 0]
    assert open_amounts(scenario) == {"OLD": 50}


def test_a_later_instruction_displaces_nothing_that_was_taken_before():
    scenario = settled(
        an_invoice("A", issued_on=JAN(1), due_on=FEB(1)),
        a_payment(usd(100), on=FEB(1), number="P1"),
        a_payment(usd(100), on=FEB(2), number="P2", invoice="A"),
    )
    assert scenario.account.receivables.unapplied == usd(100)
    assert scenario.account.receivables.funds.keys() == {f.id for f in scenario.account.receivables.funds.values()}
    assert unapplied_on(scenario, FEB(1), FEB(2)) == [0, 100]


def test_instructed_money_of_a_day_comes_before_other_money_of_that_day():
    scenario = settled(
        an_invoice("A", issued_on=JAN(1), due_on=FEB(1)),
        a_payment(usd(100), on=FEB(1), number="P1"),
        a_payment(usd(100), on=FEB(1), number="P2", invoice="A"),
    )
    [left] = scenario.account.receivables.funds.values()
    assert left.receipt.number == "P1"


def test_money_behind_a_dispute_is_put_there_on_the_day_on_which_it_ends():
    scenario = given(an_invoice("A", due_on=MAR(2)), MAR(4), a_dispute("A"), a_payment(usd(60), on=MAR(5)))
    [dispute_id] = scenario.account.disputes.open
    scenario.when(
        ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="withdrawn"), at=MAR(9)
    ).then_among_others(like(FundsAllocated, allocated_on=MAR(9)))
    assert unapplied_on(scenario, MAR(5), MAR(8), MAR(9)) == [60, 60, 0]


def test_a_backdated_dispute_gives_back_what_was_put_there_since():
    scenario = given(an_invoice("A", due_on=MAR(2)), a_payment(usd(60), on=MAR(5)), MAR(9))
    scenario.when(a_dispute("A"), effective_on=MAR(4)).then_among_others(like(AllocationDue, from_day=MAR(4)))
    scenario.when(SETTLE)
    assert unapplied_on(scenario, MAR(5)) == [60]
    assert open_amounts(scenario) == {"A": 100}


# --- what a person decides ---


def test_what_a_person_decided_is_never_moved():
    scenario = given(
        JUN_1,
        an_invoice("A", issued_on=JAN(1), due_on=FEB(1)),
        an_invoice("B", issued_on=JAN(1), due_on=MAR(1)),
        a_payment(usd(100), on=FEB(5)),
    )
    assert open_amounts(scenario) == {"B": 100}
    scenario.when(to_invoice(usd(100), "B")).then_among_others(AllocationDecided, FundsReallocated)
    assert open_amounts(scenario) == {"A": 100}
    scenario.having(a_payment(usd(100), on=FEB(1), number="EARLIER"), SETTLE)
    assert scenario.account.receivables.items == {}
    scenario.having(RestateAllocation(account_id=ACCOUNT))
    assert scenario.account.receivables.items == {}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (to_invoice(usd(10), "A", payment="NONE"), "unknown-payment"),
        (to_invoice(usd(10), "NONE"), "unknown-invoice"),
        (to_invoice(usd(101), "A"), "allocation-too-large"),
        (to_invoice(usd(10), "A", on=FEB(4)), "allocation-day"),
        (to_invoice(usd(10), "A", on=date(2026, 6, 2)), "allocation-day"),
        (to_invoice(Money(1, "EUR"), "A"), "wrong-currency"),
    ],
)
def test_a_person_decides_about_what_both_have_left_on_a_day_on_which_both_are_there(command: Command, code: str):
    scenario = given(an_invoice("A", issued_on=JAN(1), due_on=FEB(1)), a_payment(usd(100), on=FEB(5)))
    scenario.when(command, at=JUN_1).then_refused(code)


def test_money_that_was_kept_free_for_a_later_day_was_free_all_along_once_it_is_taken_back():
    scenario = given(
        JUN_1,
        an_invoice("LATE", issued_on=APR(1), due_on=MAY(1)),
        a_payment(usd(60), on=JAN(20)),
        to_invoice(usd(60), "LATE"),
        an_invoice("EARLY", issued_on=FEB(1), due_on=MAR(1)),
        SETTLE,
    )
    assert open_on(scenario, FEB(1), MAR(31), APR(1)) == [100, 100, 140]
    scenario.having(a_reversal(on=MAR(5)))
    assert open_on(scenario, FEB(1), MAR(4), MAR(5), APR(1)) == [40, 40, 100, 200]


def test_money_is_decided_about_once():
    scenario = given(
        JUN_1,
        an_invoice("A", issued_on=JAN(1), due_on=FEB(1)),
        an_invoice("B", issued_on=JAN(1), due_on=MAR(1)),
        a_payment(usd(100), on=FEB(5)),
        to_invoice(usd(70), "B"),
    )
    scenario.when(to_invoice(usd(31), "A")).then_refused("allocation-too-large")
    scenario.when(to_invoice(usd(30), "A")).then_among_others(AllocationDecided)
    assert open_amounts(scenario) == {"A": 70, "B": 30}


# --- an account of an earlier release ---


def test_a_restatement_begins_with_the_first_fact_and_not_with_the_first_allocation():
    """An earlier release put money against items on the day on which it learned of them."""
    invoice = an_invoice("A", issued_on=JAN(1), due_on=FEB(1))
    scenario = given(JUN_1, invoice, a_payment(usd(100), on=JAN(10)))
    *before, allocated = [recorded.event for recorded in scenario.world.log if recorded.aggregate_id == ACCOUNT]
    assert isinstance(allocated, FundsAllocated)
    account = Account.blank(ACCOUNT, whole=True)
    for event in (*before, allocated.model_copy(update={"allocated_on": MAR(1)})):
        account.apply(event)
    assert [(move.day, move.amount) for move in account.allocation.restated()] == [(MAR(1), -10_000), (JAN(10), 10_000)]


# --- large accounts ---


def test_an_event_holds_five_hundred_movements_at_most_and_says_that_more_follow():
    invoices = [an_invoice(f"I-{n:04}", issued_on=JAN(1), due_on=FEB(1), amount=usd(1)) for n in range(700)]
    scenario = given(JUN_1, *invoices, a_payment(usd(700), on=MAR(5), number="P2"))
    scenario.having(a_payment(usd(700), on=FEB(5), number="P1"))
    scenario.when(SETTLE)
    events = scenario.world.events(FundsReallocated)
    assert [event.more for event in events] == [*[True] * (len(events) - 1), False]
    assert sum(len(event.moves) for event in events) == 1400
    assert all(len(event.moves) <= 500 for event in events)
    assert all(len(event.model_dump_json()) < 200_000 for event in events), "a message holds 256 kB at most"
    assert all(unapplied >= 0 for _, unapplied in as_of(scenario.world.log).values())
    assert scenario.account.receivables.unapplied == usd(700)
    assert scenario.account.receivables.items == {}


def test_an_item_that_is_open_again_is_in_the_bucket_of_its_age():
    scenario = given(
        an_invoice("A", issued_on=FEB(1), due_on=MAR(1)),
        an_invoice("B", issued_on=FEB(1), due_on=MAR(2)),
        a_payment(usd(100), on=MAR(5), number="P1"),
        JUN_1,
    )
    scenario.when(to_invoice(usd(100), "B", payment="P1"))
    item = scenario.account.receivables.items[invoice_id("A")]
    assert (item.bucket, item.next_on) == ("91-120", date(2026, 6, 30))
    assert scenario.account.aging.bucket == "91-120"


def test_money_that_a_person_put_elsewhere_waits_for_its_invoice_again_once_that_one_is_withdrawn():
    """All of it had been used, so the account remembers of it what the event says."""
    paid = a_payment(usd(100), on=JAN(10), invoice="INV-9")
    first = an_invoice("INV-1", issued_on=JAN(5), due_on=FEB(5), amount=usd(100))
    scenario = given(JAN(12), paid, first, to_invoice(usd(100), "INV-1", on=JAN(12)))
    assert open_amounts(scenario) == {}
    scenario.when(WithdrawInvoice(account_id=ACCOUNT, number="INV-1"), reason="voided")
    scenario.having(SETTLE, JAN(20), an_invoice("INV-2", issued_on=JAN(20), due_on=FEB(6), amount=usd(100)), SETTLE)
    assert open_amounts(scenario) == {"INV-2": 100}
    scenario.having(an_invoice("INV-9", issued_on=JAN(20), due_on=FEB(12), amount=usd(60)), SETTLE)
    assert open_amounts(scenario) == {"INV-2": 60}

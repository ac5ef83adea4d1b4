"""Invoices that are owed in instalments: items of one number, each with a due day of its own."""

from datetime import date
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from aggregates.account.allocation import AllocateFunds, SettleAllocation
from aggregates.account.billing import BillInvoice, InvoiceBilled, InvoiceCorrected, WithdrawInvoice
from aggregates.account.command import document_id
from aggregates.account.deferred import FactDeferred
from aggregates.account.disputes import DisputeOpened
from aggregates.account.payments import WithdrawReversal
from aggregates.account.receivables import Instruction, Item
from aggregates.kernel.command import Command
from tests.builders import (
    ACCOUNT,
    APR,
    FEB,
    JAN,
    MAR,
    a_corrected_invoice,
    a_dispute,
    a_payment,
    a_reversal,
    an_invoice,
    invoice_id,
    usd,
)
from tests.given import Scenario, given, like

SETTLE = SettleAllocation(account_id=ACCOUNT)


def an_instalment(due_on: date, **more: Any) -> BillInvoice:
    """A further one of invoice I-1, which was issued on 5 January."""
    return an_invoice("I-1", **{"issued_on": JAN(5), "due_on": due_on, "instalment": due_on, **more})


FEBRUARY = an_invoice("I-1", issued_on=JAN(5), due_on=FEB(1))
MARCH, APRIL = an_instalment(MAR(1)), an_instalment(APR(1))
PLAN = (FEBRUARY, MARCH, APRIL)


def open_by_due_day(scenario: Scenario) -> dict[date, int]:
    return {item.due_on: item.open.minor // 100 for item in scenario.account.receivables.items.values()}


def of(due_on: date) -> UUID:
    return document_id(ACCOUNT, "instalment", f"I-1/{due_on}")


def test_each_instalment_is_an_item_of_its_own_and_the_first_has_the_number_s_id():
    scenario = given(*PLAN)
    items = scenario.account.receivables.items
    assert set(items) == {invoice_id("I-1"), of(MAR(1)), of(APR(1))}
    assert {item.item.name for item in items.values()} == {"I-1", "I-1/2026-03-01", "I-1/2026-04-01"}
    assert scenario.account.receivables.outstanding == usd(300)
    assert len({command.natural_key() for command in PLAN}) == 3


def test_an_invoice_that_has_an_instalment_s_name_for_its_number_is_another_item():
    scenario = given(*PLAN)
    scenario.when(an_invoice("I-1/2026-03-01", due_on=MAR(1))).then(InvoiceBilled)
    assert len(scenario.account.receivables.items) == 4


@pytest.mark.parametrize("again", [MARCH, an_instalment(FEB(1))])
def test_two_instalments_of_a_number_are_not_billed_for_one_day(again: Command):
    given(*PLAN).when(again).then_refused("duplicate-invoice")


@pytest.mark.parametrize("order", list(permutations((*PLAN, a_payment(usd(150), on=JAN(20), invoice="I-1")))))
def test_money_for_the_number_pays_its_instalments_oldest_due_first(order: tuple[Command, ...]):
    scenario = given(FEB(15), an_invoice("OLD", issued_on=JAN(1), due_on=JAN(2)), *order, SETTLE)
    assert open_by_due_day(scenario) == {JAN(2): 100, MAR(1): 50, APR(1): 100}


@pytest.mark.parametrize(
    "order", list(permutations((*PLAN, a_payment(usd(150), on=JAN(20), invoice="I-1/2026-03-01"))))
)
def test_money_for_one_instalment_pays_that_one_first(order: tuple[Command, ...]):
    scenario = given(FEB(15), *order, SETTLE)
    assert open_by_due_day(scenario) == {FEB(1): 50, APR(1): 100}


def test_money_for_an_instalment_that_is_not_known_waits_for_it():
    scenario = given(JAN(15), FEBRUARY, a_payment(usd(150), on=JAN(10), invoice="I-1/2026-03-01"))
    [funds] = scenario.account.receivables.funds.values()
    assert (funds.waits, funds.receipt.waits_for) == (True, "I-1/2026-03-01")
    scenario.having(an_instalment(MAR(1)), SETTLE)
    assert open_by_due_day(scenario) == {FEB(1): 50}


def test_money_goes_to_the_invoice_that_has_the_name_for_its_number_once_it_is_known():
    scenario = given(FEB(15), *PLAN, a_payment(usd(100), on=JAN(20), invoice="I-1/2026-03-01"))
    scenario.having(an_invoice("I-1/2026-03-01", issued_on=FEB(1), due_on=MAR(3)), SETTLE)
    assert open_by_due_day(scenario) == {FEB(1): 100, MAR(1): 100, APR(1): 100}


def test_a_correction_is_of_one_instalment():
    scenario = given(*PLAN)
    corrected = a_corrected_invoice("I-1", issued_on=JAN(5), due_on=MAR(9), amount=usd(70), instalment=MAR(1))
    scenario.when(corrected).then(like(InvoiceCorrected))
    assert open_by_due_day(scenario) == {FEB(1): 100, MAR(9): 70, APR(1): 100}
    assert scenario.account.receivables.items[of(MAR(1))].item.name == "I-1/2026-03-01"
    for name in ("I-1/2026-03-01", "I-1/2026-03-09"):
        assert [item.id for item in scenario.account.receivables.named(name)] == [of(MAR(1))]


@pytest.mark.parametrize(
    ("named", "items"),
    [
        (("I-1",), [invoice_id("I-1"), of(MAR(1)), of(APR(1))]),
        (("I-1/2026-02-01",), [invoice_id("I-1")]),
        (("I-1/2026-03-01", "I-1"), [of(MAR(1)), invoice_id("I-1"), of(APR(1))]),
    ],
)
def test_a_dispute_of_the_number_is_of_all_its_instalments(named: tuple[str, ...], items: list[UUID]):
    scenario = given(*PLAN, a_payment(usd(10), on=JAN(20), invoice="I-1/2026-04-01"))
    scenario.when(a_dispute(*named)).then_among_others(like(DisputeOpened, item_ids=tuple(items)))


def test_a_dispute_of_an_instalment_that_is_settled_is_refused():
    scenario = given(*PLAN, a_payment(usd(100), on=JAN(20), invoice="I-1/2026-03-01"))
    scenario.when(a_dispute("I-1/2026-03-01")).then_refused("not-open")


def test_a_part_is_disputed_of_one_instalment():
    scenario = given(*PLAN)
    scenario.when(a_dispute(**{"I-1": usd(10)})).then_refused("several-instalments")
    scenario.when(a_dispute("I-1", **{"I-1/2026-03-01": usd(10)})).then_refused("disputed-in-part")
    scenario.having(a_dispute(**{"I-1/2026-03-01": usd(10)}))
    march = scenario.account.receivables.items[of(MAR(1))]
    assert scenario.account.receivables.part_of(march) == usd(10)


def test_a_person_says_which_instalment_money_is_for():
    scenario = given(*PLAN, a_payment(usd(100), on=JAN(20)))
    which = AllocateFunds(account_id=ACCOUNT, number="PAY-1", invoice_number="I-1", amount=usd(100))
    scenario.when(which).then_refused("several-instalments")
    scenario.having(which.model_copy(update={"invoice_number": "I-1/2026-04-01"}))
    assert open_by_due_day(scenario) == {FEB(1): 100, MAR(1): 100}
    unknown = which.model_copy(update={"invoice_number": "I-1/2026-05-01"})
    scenario.when(unknown).then_refused("unknown-invoice")


def test_a_part_of_a_payment_is_taken_back_from_one_instalment():
    scenario = given(*PLAN, a_payment(usd(250), on=JAN(20), invoice="I-1"))
    part = a_reversal("PAY-1", on=JAN(25), amount=usd(70), invoice_number="I-1")
    scenario.when(part).then_refused("several-instalments")
    scenario.having(part.model_copy(update={"invoice_number": "I-1/2026-02-01"}), SETTLE)
    assert open_by_due_day(scenario) == {FEB(1): 70, APR(1): 50}
    scenario.having(part.model_copy(update={"invoice_number": None, "reversed_on": JAN(27)}), SETTLE)
    assert open_by_due_day(scenario) == {FEB(1): 70, MAR(1): 20, APR(1): 100}, "what was put there latest, else"
    whole = a_reversal("PAY-2", on=JAN(30), amount=usd(10), invoice_number="I-1")
    scenario.having(a_payment(usd(10), on=JAN(29), number="PAY-2"), whole)
    assert scenario.account.receivables.outstanding == usd(190), "of a whole payment it does not matter"


def test_a_payment_for_several_that_was_not_taken_back_after_all_is_for_them_again():
    said = (Instruction(invoice_number="I-9", amount=usd(30)), Instruction(invoice_number="I-1/2026-03-01"))
    paid = a_payment(usd(90), on=JAN(20)).model_copy(update={"instructions": said})
    scenario = given(FEB(15), *PLAN, paid, SETTLE)
    assert open_by_due_day(scenario) == {FEB(1): 100, MAR(1): 40, APR(1): 100}
    scenario.having(a_reversal("PAY-1", on=JAN(25)), WithdrawReversal(account_id=ACCOUNT, number="PAY-1"), SETTLE)
    assert open_by_due_day(scenario) == {FEB(1): 100, MAR(1): 40, APR(1): 100}
    [funds] = scenario.account.receivables.funds.values()
    assert (funds.unapplied, funds.unknown) == (usd(30), ("I-9",))
    scenario.having(an_invoice("I-9", issued_on=FEB(1), due_on=FEB(3)), SETTLE)
    assert open_by_due_day(scenario) == {FEB(1): 100, FEB(3): 70, MAR(1): 40, APR(1): 100}


def test_an_invoice_is_withdrawn_with_all_its_instalments_or_one_of_them():
    scenario = given(FEB(15), *PLAN, a_payment(usd(120), on=JAN(20), invoice="I-1"))
    withdraw = WithdrawInvoice(account_id=ACCOUNT, number="I-1/2026-02-01")
    scenario.having(withdraw, SETTLE)
    assert open_by_due_day(scenario) == {APR(1): 80}
    scenario.when(withdraw).then_refused("invoice-withdrawn")
    scenario.having(WithdrawInvoice(account_id=ACCOUNT, number="I-1"), SETTLE)
    assert (open_by_due_day(scenario), scenario.account.receivables.balance) == ({}, usd(-120))
    scenario.having(a_corrected_invoice("I-1", issued_on=JAN(5), due_on=MAR(1), instalment=MAR(1)), SETTLE)
    assert (open_by_due_day(scenario), scenario.account.receivables.balance) == ({}, usd(-20))


def test_each_instalment_that_is_dated_in_the_future_waits_for_its_day():
    scenario = given()
    for command in PLAN:
        scenario.when(command, at=JAN(2)).then(FactDeferred)
    scenario.when(MARCH).then_refused("duplicate-invoice")
    assert scenario.account.billing.waits_for_its_day("I-1/2026-04-01")
    assert not scenario.account.billing.waits_for_its_day("I-1/2026-04-02")
    scenario.having(JAN(6))
    scenario.world.tick()
    assert open_by_due_day(scenario) == {FEB(1): 100, MAR(1): 100, APR(1): 100}


def test_an_item_without_an_instalment_is_the_same_bytes_as_before():
    item = Item(id=invoice_id(), number="I", issued_on=JAN(1), due_on=FEB(1), amount=usd(1), charges=usd(1))
    assert "instalment" not in item.model_dump_json()

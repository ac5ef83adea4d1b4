"""Disputes as cases: reasons of the office, a day by which they are resolved, and for whom they end."""

import pytest

from aggregates.account.disputes import (
    DisputeOpened,
    DisputeOverdue,
    DisputeResolved,
    OpenDispute,
    ResolveDispute,
    Side,
)
from aggregates.account.payments import CreditNoted
from aggregates.office import CaseworkRules, ChangeOfficeSettings
from tests.builders import ACCOUNT, APR, MAR, OFFICE, a_dispute, an_invoice, invoice_id, usd
from tests.given import Given, Scenario, given, like, live

TWO: tuple[Given, ...] = (an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(3), amount=usd(50)), MAR(9))


def disputed(*invoices: str, **more: object) -> OpenDispute:
    return a_dispute(*invoices).model_copy(update=more)


def resolved(scenario: Scenario, side: Side | None, **more: object) -> ResolveDispute:
    [dispute_id] = scenario.account.disputes.open
    said = {"account_id": ACCOUNT, "dispute_id": dispute_id, "resolution": "agreed", "in_favour_of": side}
    return ResolveDispute.model_validate({**said, **more})


def test_an_office_that_says_its_reasons_takes_no_other():
    rules = CaseworkRules(dispute_reasons={"meter": "Meter reading"})
    scenario = given(*TWO).when(disputed("A")).then(DisputeOpened)
    scenario.having(ChangeOfficeSettings(office_id=OFFICE, casework=rules))
    scenario.when(disputed("B")).then_refused("unknown-dispute-reason")
    scenario.when(disputed("B", reason_code="meter")).then(DisputeOpened)


def test_one_that_is_not_resolved_by_its_day_is_one_task_for_its_assignee():
    scenario = given(*TWO, reacts=True)
    scenario.when(disputed("A", answer_by=MAR(8))).then_refused("dispute-day")
    scenario.having(disputed("A", answer_by=MAR(20), assignee="kim"), live(MAR(20)))
    assert scenario.world.events(DisputeOverdue) == []
    scenario.having(live(APR(9)))
    assert len(scenario.world.events(DisputeOverdue)) == 1
    [task] = scenario.account.activities.follow_ups.values()
    assert (task.assignee, task.due_on, task.fell_due) == ("kim", MAR(21), True)


def test_in_our_favour_all_of_it_is_owed():
    scenario = given(*TWO, a_dispute("A"))
    scenario.when(resolved(scenario, Side.CREDITOR)).then(like(DisputeResolved, in_favour_of=Side.CREDITOR))
    assert scenario.account.receivables.balance == usd(150)


def test_in_the_customer_s_favour_what_is_disputed_of_the_invoice_is_credited():
    scenario = given(*TWO, a_dispute(A=usd(30)))
    scenario.when(resolved(scenario, Side.CUSTOMER, credit_number="CR-9")).then_among_others(
        DisputeResolved, CreditNoted
    )
    assert scenario.account.receivables.items[invoice_id("A")].open == usd(70)
    assert scenario.account.receivables.unapplied == usd(0)


def test_a_credit_of_a_resolution_is_of_one_invoice_and_has_a_number_of_its_own():
    scenario = given(*TWO, a_dispute("A", "B"))
    scenario.when(resolved(scenario, Side.CUSTOMER, credit_number="CR-9")).then_refused("no-single-item")
    key = resolved(scenario, Side.CUSTOMER, credit_number="CR-9").natural_key()
    assert key is not None
    assert (key.kind, key.number) == ("credit", "CR-9")
    assert resolved(scenario, Side.CREDITOR).natural_key() is None
    with pytest.raises(ValueError, match="only in favour of the customer"):
        resolved(scenario, Side.CREDITOR, credit_number="CR-9")

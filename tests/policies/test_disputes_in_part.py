"""What is chased of an account while a part of an invoice is disputed."""

from datetime import date
from typing import Any

import pytest

from adapters.delivery.rendering import values_of
from aggregates.account.chase import Stage
from aggregates.account.disputes import ResolveDispute
from aggregates.account.messages import DispatchMessage, MessageDispatched, MessageQueued, MessageWithdrawn
from aggregates.campaign import EngagementRules
from aggregates.kernel.command import Command
from tests.builders import (
    ACCOUNT,
    MAR,
    a_campaign,
    a_credit,
    a_dispute,
    a_payment,
    a_promise,
    an_invoice,
    usd,
)
from tests.given import Given, Scenario, given_auto_collection, live
from tests.policies.test_messages import dispatch, queued_at_nine
from tests.policies.test_what_holds_back import why

OVERDUE: tuple[Given, ...] = (a_campaign(), an_invoice("A", due_on=MAR(2)), live(MAR(3)))
PART = a_dispute(A=usd(20))


def rows_of(scenario: Scenario) -> list[tuple[str, int]]:
    """Invoices with whole amounts, as the latest message was queued."""
    items = scenario.world.events(MessageQueued)[-1].items
    numbers = {item.id: item.item.number for item in scenario.account.receivables.items.values()}
    return [(numbers[covered.item_id], covered.open.minor // 100) for covered in items]


def text(scenario: Scenario, today: date) -> dict[str, Any]:
    """What a text about the queued message would say."""
    [message] = scenario.account.messages.under_way.values()
    return values_of(scenario.account, scenario.world.office, message.items, today)


# --- the stage and why ---


def test_the_rest_of_the_invoice_is_chased():
    scenario = given_auto_collection(*OVERDUE, PART, an_invoice("B", due_on=MAR(4), issued_on=MAR(1)), live(MAR(6)))
    assert scenario.account.chase.stage is Stage.ENGAGED
    assert rows_of(scenario) == [("A", 80), ("B", 100)]
    assert scenario.world.events(MessageQueued)[-1].amount == usd(180)


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        (a_payment(usd(80), on=MAR(3)), "20.00 USD of 100.00 USD of invoice A is disputed"),
        (a_payment(usd(85), on=MAR(3), invoice="A"), "15.00 USD of 100.00 USD of invoice A is disputed"),
        (
            a_promise(usd(80), due_on=MAR(20)),
            "80.00 USD is promised by 2026-03-20; 20.00 USD of 100.00 USD of invoice A is disputed",
        ),
        (
            a_promise(usd(100), due_on=MAR(20)),
            "80.00 USD is promised by 2026-03-20; 20.00 USD of 100.00 USD of invoice A is disputed",
        ),
        (
            a_credit(usd(80), on=MAR(3), invoice="LATER"),
            "20.00 USD of 100.00 USD of invoice A is disputed; 80.00 USD is covered by money that is not allocated yet",
        ),
    ],
)
def test_where_nothing_but_the_disputed_part_is_left_the_reason_says_how_much_of_which(meanwhile: Command, reason: str):
    scenario = given_auto_collection(*OVERDUE, PART, meanwhile)
    assert (why(scenario)[0], why(scenario)[2]) == (Stage.BLOCKED, reason)
    [dispute_id] = scenario.account.disputes.open
    scenario.having(ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="unfounded"))
    assert "disputed" not in why(scenario)[2]


def test_a_promise_of_less_than_the_rest_leaves_something_to_be_chased():
    scenario = given_auto_collection(*OVERDUE, PART, a_promise(usd(79), due_on=MAR(20)), live(MAR(6)))
    assert rows_of(scenario) == [("A", 1)]


def test_what_is_disputed_does_not_count_towards_the_smallest_amount():
    campaign = a_campaign(rules=EngagementRules(min_amount=usd(90)))
    scenario = given_auto_collection(campaign, an_invoice("A", due_on=MAR(2)), live(MAR(3)), PART)
    assert why(scenario) == (
        Stage.OUTSTANDING, "min-amount", "Reminders: 80.00 USD is below the tolerated 90.00 USD",
    )  # fmt: skip


# --- messages ---

QUEUED: tuple[Given, ...] = (*OVERDUE, PART, live(MAR(4)), MAR(5), queued_at_nine)
QUEUED_WHOLE: tuple[Given, ...] = (*OVERDUE, live(MAR(4)), MAR(5), queued_at_nine)


def test_a_message_about_the_rest_leaves_and_its_rows_are_the_amount_that_is_due():
    scenario = given_auto_collection(*QUEUED)
    said = text(scenario, MAR(5))
    assert (said["amount_due"], [row["open"] for row in said["invoices"]]) == ("80.00", ["80.00"])
    scenario.when(dispatch(scenario)).then(MessageDispatched)


def test_what_came_in_since_the_message_left_the_queue_is_counted_against_the_rest():
    scenario = given_auto_collection(*QUEUED)
    scenario.when(dispatch(scenario)).then(MessageDispatched)
    scenario.having(a_payment(usd(50), on=MAR(5), invoice="A"))
    said = text(scenario, MAR(5))
    assert (said["amount_due"], [row["open"] for row in said["invoices"]]) == ("30.00", ["30.00"])


@pytest.mark.parametrize("reacts", [True, False], ids=["policies reacted", "policies did not react yet"])
def test_a_message_that_would_say_more_than_what_is_not_disputed_is_withdrawn(reacts: bool):
    scenario = given_auto_collection(*QUEUED_WHOLE)
    scenario.world.reacts = reacts
    command: DispatchMessage = dispatch(scenario)
    scenario.having(PART)
    scenario.when(command).then_among_others(MessageWithdrawn).then_no(MessageDispatched)
    assert scenario.world.events(MessageWithdrawn)[-1].why.code == "dispute"
    scenario.world.reacts = True
    scenario.having(live(MAR(7)))
    assert rows_of(scenario) == [("A", 80)]

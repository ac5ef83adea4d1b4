"""What an account's events say of its casework."""

from aggregates.account.holds import PlaceHold
from api.application.casework import hold_rows
from tests.builders import ACCOUNT, MAR, a_campaign, an_invoice
from tests.given import given_auto_collection, live


def test_a_hold_of_an_earlier_day_says_what_was_sent_meanwhile_about_its_invoices():
    scenario = given_auto_collection(
        a_campaign(),
        an_invoice("A", due_on=MAR(2)),
        an_invoice("B", due_on=MAR(25), issued_on=MAR(8)),
        live(MAR(13)),
        PlaceHold(account_id=ACCOUNT, code="illness", begins_on=MAR(10)),
        PlaceHold(account_id=ACCOUNT, code="illness"),
        PlaceHold(account_id=ACCOUNT, code="goods-missing", begins_on=MAR(3), invoice_numbers=("B",)),
    )
    assert [day for day, _ in scenario.world.sent()] == [MAR(9), MAR(12)]
    of_b, today, since_the_tenth = hold_rows(scenario.world.log)
    assert [(sent.sent_on, sent.title) for sent in since_the_tenth.sent_meanwhile] == [(MAR(12), "Firm")]
    assert today.sent_meanwhile == []
    assert (of_b.invoices, of_b.since, of_b.sent_meanwhile) == (["B"], MAR(3), [])

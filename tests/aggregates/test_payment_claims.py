"""What the customer says is paid already: not chased while that is checked."""

from uuid import UUID

import pytest

from aggregates.account.activities import ActivityRecorded
from aggregates.account.chase import JudgeCollection, Stage
from aggregates.account.command import account_id
from aggregates.account.payment_claims import (
    ClaimPayment,
    DecidePaymentClaim,
    LapsePaymentClaim,
    PaymentClaimAccepted,
    PaymentClaimDecision,
    PaymentClaimed,
    PaymentClaimEnded,
    PaymentClaimOutcome,
)
from aggregates.office import CaseworkRules, ChangeOfficeSettings
from aggregates.values.money import Money
from tests.builders import (
    ACCOUNT,
    MAR,
    OFFICE,
    a_campaign,
    a_corrected_payment,
    a_payment,
    a_reversal,
    an_account,
    an_invoice,
    invoice_id,
    usd,
)
from tests.given import Given, Scenario, given, given_auto_collection, like, live

TWO: tuple[Given, ...] = (an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(3), amount=usd(50)), MAR(9))


def a_claim(*invoices: str, **more: object) -> ClaimPayment:
    return ClaimPayment.model_validate({"account_id": ACCOUNT, "invoice_numbers": invoices, **more})


def decided(scenario: Scenario, decision: PaymentClaimDecision) -> DecidePaymentClaim:
    [claim_id] = scenario.account.payment_claims.open
    return DecidePaymentClaim(account_id=ACCOUNT, claim_id=claim_id, decision=decision)


def outcomes(scenario: Scenario) -> list[PaymentClaimOutcome]:
    return [event.outcome for event in scenario.world.events(PaymentClaimEnded)]


def test_what_is_said_to_be_paid_is_checked_for_as_long_as_the_office_says():
    rules = ChangeOfficeSettings(office_id=OFFICE, casework=CaseworkRules(claim_days=5))
    scenario = given(*TWO, rules).when(a_claim("A", paid_on=MAR(6), reference="wire 7"))
    scenario.then(
        like(PaymentClaimed, item_ids=(invoice_id("A"),), amount=None, expected=usd(100), until=MAR(14), paid_on=MAR(6))
    )


def test_nothing_named_is_all_that_is_open_and_an_amount_alone_is_of_no_invoice():
    both = (invoice_id("A"), invoice_id("B"))
    given(*TWO).when(a_claim()).then(like(PaymentClaimed, item_ids=both, expected=usd(150)))
    scenario = given(*TWO).when(a_claim(amount=usd(70))).then(like(PaymentClaimed, item_ids=(), expected=usd(70)))
    [shield] = scenario.account.payment_claims.shields()
    assert (shield.items, shield.amount, shield.covers_account) == (None, usd(70), False)


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        (a_claim("X"), "not-open"),
        (a_claim("A", paid_on=MAR(10)), "payment-claim-future"),
        (a_claim("A", amount=Money(5, "EUR")), "wrong-currency"),
    ],
)
def test_a_claim_is_of_what_is_open_and_of_the_past(claim: ClaimPayment, code: str):
    given(*TWO).when(claim).then_refused(code)


def test_the_same_is_not_claimed_twice_and_nothing_where_nothing_is_owed():
    scenario = given(*TWO, a_claim("A"))
    scenario.when(a_claim("A")).then_refused("claimed-already")
    scenario.when(a_claim("A", "B")).then(PaymentClaimed)
    given().when(a_claim()).then_refused("nothing-owed")


def test_the_chase_of_these_items_rests_and_the_stage_says_why():
    scenario = given_auto_collection(a_campaign(), *TWO, a_claim("A"), a_claim("B"))
    chase = scenario.account.chase
    assert chase.why is not None
    assert (chase.stage, chase.why.code) == (Stage.BLOCKED, "payment-claim")
    assert chase.why.detail == "what is owed is said to be paid, which is checked until 2026-03-19"
    scenario.having(live(MAR(19)))
    assert scenario.world.sent() == []


def test_the_payment_ends_it():
    scenario = given_auto_collection(a_campaign(), *TWO, a_claim("A"), a_payment(usd(100), on=MAR(10), invoice="A"))
    assert outcomes(scenario) == [PaymentClaimOutcome.SETTLED]
    assert scenario.account.activities.follow_ups == {}


def test_as_much_money_ends_it_whatever_it_was_put_against():
    scenario = given_auto_collection(a_campaign(), *TWO, a_claim("B"), a_payment(usd(30), on=MAR(10)))
    assert outcomes(scenario) == []
    assert outcomes(scenario.having(a_payment(usd(20), on=MAR(11), number="PAY-2"))) == [PaymentClaimOutcome.SETTLED]


TWINS: tuple[Given, ...] = (an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(3)), MAR(9))


def the_open(scenario: Scenario) -> list[tuple[UUID, ...]]:
    return [claim.item_ids for claim in scenario.account.payment_claims.open.values()]


@pytest.mark.parametrize(("named", "other"), [("A", "B"), ("B", "A")])
def test_one_payment_settles_the_claim_on_what_it_is_for_and_no_other(named: str, other: str):
    paid = a_payment(usd(100), on=MAR(10), invoice=named)
    scenario = given_auto_collection(a_campaign(), *TWINS, a_claim("A"), a_claim("B"), paid)
    assert outcomes(scenario) == [PaymentClaimOutcome.SETTLED]
    assert the_open(scenario) == [(invoice_id(other),)]
    claims = (a_claim("A"), a_claim("B", amount=usd(150)))
    scenario = given_auto_collection(a_campaign(), *TWINS, *claims, paid, a_payment(usd(50), on=MAR(11), number="2"))
    assert len(outcomes(scenario)) == 1, "what settled a claim counts for no other one"


def test_claims_of_amounts_share_what_comes_in_the_oldest_first():
    claims = (a_claim(amount=usd(60)), a_claim(amount=usd(70)))
    scenario = given_auto_collection(*TWINS, *claims, a_payment(usd(100), on=MAR(10)))
    assert outcomes(scenario) == [PaymentClaimOutcome.SETTLED]
    [shield] = scenario.account.payment_claims.shields()
    assert shield.amount == usd(30)
    assert len(outcomes(scenario.having(a_payment(usd(30), on=MAR(11), number="PAY-2")))) == 2


def test_what_went_back_did_not_arrive():
    came_back = (a_payment(usd(50), on=MAR(10)), a_reversal(on=MAR(11)))
    again = a_payment(usd(50), on=MAR(12), number="PAY-2")
    scenario = given_auto_collection(a_campaign(), *TWINS, a_claim("A"), *came_back, again)
    assert outcomes(scenario) == []
    assert outcomes(scenario.having(a_payment(usd(50), on=MAR(13), number="PAY-3"))) == [PaymentClaimOutcome.SETTLED]


def test_a_payment_that_is_corrected_is_no_other_money():
    before = a_payment(usd(90), on=MAR(9), invoice="A")
    corrected = a_corrected_payment(usd(80), on=MAR(9), invoice="A")
    scenario = given_auto_collection(*TWINS, before, a_claim(amount=usd(80)), corrected)
    assert outcomes(scenario) == []


def test_what_arrived_of_a_claim_shields_no_more():
    claim = a_claim("A", amount=usd(80))
    scenario = given_auto_collection(*TWINS, claim, a_payment(usd(50), on=MAR(10), invoice="A"))
    [shield] = scenario.account.payment_claims.shields()
    assert shield.amount == usd(30)


def test_money_of_another_account_counts_and_money_for_another_one_does_not():
    there, other = an_account(number="B-1"), account_id(OFFICE, "B-1")
    into = a_payment(usd(100), on=MAR(10), account_id=other, for_account_id=ACCOUNT)
    assert len(outcomes(given_auto_collection(there, *TWINS, a_claim("A"), into))) == 1
    away = a_payment(usd(100), on=MAR(10), for_account_id=other)
    assert outcomes(given_auto_collection(there, *TWINS, a_claim("A"), away)) == []


def test_a_payment_of_before_it_was_said_does_not_end_it_and_a_reversal_opens_no_claim_again():
    scenario = given_auto_collection(
        *TWO,
        a_payment(usd(60), on=MAR(9)),
        a_claim("B"),
        a_payment(usd(90), on=MAR(10), number="PAY-2"),
        a_reversal("PAY-2", on=MAR(11)),
    )
    assert outcomes(scenario) == [PaymentClaimOutcome.SETTLED]
    assert scenario.account.payment_claims.open == {}


def test_time_ends_it_with_a_follow_up_for_the_assignee_and_the_chase_goes_on():
    scenario = given_auto_collection(a_campaign(), *TWO, a_claim(assignee="kim"), live(MAR(19)))
    assert outcomes(scenario) == []
    scenario.having(live(MAR(25)))
    assert outcomes(scenario) == [PaymentClaimOutcome.LAPSED]
    [task] = scenario.account.activities.follow_ups.values()
    assert (task.assignee, task.due_on, task.fell_due) == ("kim", MAR(20), True)
    assert scenario.world.sent() != []


def test_a_person_rejects_it_and_says_why():
    scenario = given_auto_collection(a_campaign(), *TWO, a_claim())
    rejected = decided(scenario, PaymentClaimDecision.REJECTED)
    scenario.when(rejected, reason=None).then_refused("reason-required")
    scenario.when(rejected).then_among_others(like(PaymentClaimEnded, outcome=PaymentClaimOutcome.REJECTED))
    assert scenario.account.chase.stage is Stage.SCHEDULED
    assert scenario.world.events(ActivityRecorded) == []
    scenario.when(rejected).then_refused("unknown-payment-claim")


def test_one_that_is_accepted_rests_until_the_money_is_booked():
    scenario = given(*TWO, a_claim("A"), MAR(15))
    accepted = decided(scenario, PaymentClaimDecision.ACCEPTED)
    scenario.when(accepted).then(like(PaymentClaimAccepted, until=MAR(25)))
    scenario.when(accepted).then_nothing_happened()
    lapse = LapsePaymentClaim(account_id=ACCOUNT, claim_id=accepted.claim_id)
    scenario.when(lapse, at=MAR(25)).then_nothing_happened()
    scenario.having(a_payment(usd(100), on=MAR(25), invoice="A"))
    judged = JudgeCollection(account_id=ACCOUNT)
    scenario.when(judged).then_among_others(like(PaymentClaimEnded, outcome=PaymentClaimOutcome.SETTLED))

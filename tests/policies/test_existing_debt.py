"""Debt that is older than Arrears, or than its campaign; and debt that was paid for a time."""

from datetime import date

import pytest

from aggregates.account.chase import Stage, StepsPassedOver
from aggregates.account.contact import ChangeContactDetails
from aggregates.account.messages import MessageQueued
from aggregates.account.receivables import ReversalKind
from aggregates.campaign import CampaignLaunched, CampaignRevised, EngagementRules, ExistingDebt, LaunchCampaign
from aggregates.office import PauseOfficeAutomation, ResumeOfficeAutomation
from aggregates.values.contact import Channel
from tests.builders import (
    ACCOUNT,
    APR,
    JUN,
    MAR,
    MAY,
    OFFICE,
    THREE_STEPS,
    a_campaign,
    a_corrected_payment,
    a_payment,
    a_reversal,
    a_revised_campaign,
    a_step,
    an_invoice,
    contact,
    invoice_id,
    since_engagement,
    usd,
)
from tests.given import Given, Scenario, given, given_auto_collection, live

FROM_THE_START, AT_ITS_AGE, LEAVE = ExistingDebt


def passed_over(scenario: Scenario) -> dict[str, str]:
    return {step: why for event in scenario.world.events(StepsPassedOver) for step, why in event.steps.items()}


def imported(*, on: date, existing: ExistingDebt | None) -> tuple[Given, ...]:
    """A campaign, and an invoice due on 2 March of which Arrears learns on a day: steps after 3, 10 and 20 days."""
    return a_campaign(existing=existing), on, an_invoice(due_on=MAR(2))


# --- from the start ---


def test_existing_debt_gets_the_first_step_now_and_the_others_at_the_distances_of_the_plan():
    """Imported on a Tuesday, 43 days past due: seven days to the firm step, ten more to the final one."""
    scenario = given_auto_collection(*imported(on=APR(14), existing=FROM_THE_START), live(JUN(1)))
    assert scenario.world.sent() == [(APR(14), "friendly"), (APR(21), "firm"), (MAY(1), "final")]
    assert passed_over(scenario) == {}
    assert scenario.account.chase.stage is Stage.FOLLOW_UP


def test_a_new_campaign_begins_from_the_start_where_it_says_nothing():
    scenario = given_auto_collection(*imported(on=APR(14), existing=None), live(JUN(1)))
    assert [step for _, step in scenario.world.sent()] == ["friendly", "firm", "final"]
    [launched] = scenario.world.events(CampaignLaunched)
    assert launched.plan.existing is FROM_THE_START


def test_it_leaves_in_the_next_window_and_distances_count_from_the_day_it_left():
    scenario = given_auto_collection(a_campaign())
    scenario.world.move_to(scenario.world.at(APR(17), 20))
    scenario.having(an_invoice(due_on=MAR(2)), live(MAY(1)))
    assert scenario.world.sent() == [(APR(20), "friendly"), (APR(27), "firm")]


def test_a_required_step_does_not_go_before_a_friendlier_one():
    steps = (a_step("friendly", 3), a_step("final", 20, required=True))
    scenario = given_auto_collection(a_campaign(*steps), APR(14), an_invoice(due_on=MAR(2)), live(APR(30)))
    assert scenario.world.sent() == [(APR(14), "friendly")]


def test_a_debt_of_which_only_some_steps_are_past_begins_from_the_start_too():
    scenario = given_auto_collection(*imported(on=MAR(9), existing=FROM_THE_START), live(APR(30)))
    assert scenario.world.sent() == [(MAR(9), "friendly"), (MAR(16), "firm"), (MAR(26), "final")]


def test_debt_known_before_the_campaign_was_launched_is_existing_debt():
    """Known on the first day, so no step was missed by an outage: there was no campaign."""
    scenario = given_auto_collection(an_invoice(due_on=MAR(2)), live(APR(14)), a_campaign(), live(JUN(1)))
    assert scenario.world.sent() == [(APR(14), "friendly"), (APR(21), "firm"), (MAY(1), "final")]


def test_where_history_is_lived_through_the_campaign_was_always_there():
    """Launched in June, and the clock is set back to March: what an outage missed is missed."""
    scenario = given_auto_collection(JUN(1), a_campaign(), MAR(1), an_invoice(due_on=MAR(2)), live(MAR(3)))
    scenario.having(MAR(16), live(MAR(17)))
    assert scenario.world.sent() == [(MAR(16), "firm")]


def test_a_reminder_of_what_is_about_to_be_due_is_no_start_for_what_is_past_due():
    plan = a_campaign(a_step("soon", -3), *THREE_STEPS, rules=EngagementRules(min_dpd=-5))
    scenario = given_auto_collection(plan, APR(14), an_invoice(due_on=MAR(2)), live(APR(15)))
    assert scenario.world.sent() == [(APR(14), "friendly")]


def test_steps_since_engagement_keep_their_distance_from_the_first_message():
    steps = (a_step("friendly", 3), since_engagement("call", 5))
    scenario = given_auto_collection(a_campaign(*steps), APR(14), an_invoice(due_on=MAR(2)), live(MAY(1)))
    assert scenario.world.sent() == [(APR(14), "friendly"), (APR(20), "call")]


def test_every_existing_invoice_of_the_account_begins_with_the_message_that_covers_it():
    scenario = given_auto_collection(
        a_campaign(),
        APR(14),
        an_invoice("A", due_on=MAR(2)),
        an_invoice("B", due_on=MAR(20)),
        live(APR(15)),
        a_payment(usd(100), on=APR(16), invoice="A"),
        live(JUN(1)),
    )
    assert scenario.world.sent() == [(APR(14), "friendly"), (APR(21), "firm"), (MAY(1), "final")]
    assert [e.items[0].item_id for e in scenario.world.events(MessageQueued)] == [
        invoice_id("A"),
        invoice_id("B"),
        invoice_id("B"),
    ]


def test_a_message_that_was_withdrawn_has_not_begun_anything():
    scenario = given_auto_collection(a_campaign(), APR(14), an_invoice(due_on=MAR(2)))
    scenario.world.live(scenario.world.at(APR(14), 13), delivering=False)
    scenario.having(PauseOfficeAutomation(office_id=OFFICE), live(APR(20)), ResumeOfficeAutomation(office_id=OFFICE))
    scenario.having(live(JUN(10)))
    assert scenario.world.sent() == [(APR(20), "friendly"), (APR(27), "firm"), (MAY(7), "final")]


def test_where_the_first_step_is_refused_for_good_the_others_keep_their_distance():
    """No number for the text: what follows it does not leave at once."""
    steps = (a_step("text", 3, channel=Channel.SMS), a_step("mail", 10))
    scenario = given_auto_collection(
        ChangeContactDetails(account_id=ACCOUNT, contact=contact(phones=())),
        a_campaign(*steps), APR(14), an_invoice(due_on=MAR(2)), live(MAY(1)),
    )  # fmt: skip
    assert scenario.world.sent() == [(APR(21), "mail")]
    assert passed_over(scenario) == {"text": "no-contact-point"}


def test_an_outage_before_the_first_message_is_no_reason_to_begin_later_in_the_sequence():
    scenario = given_auto_collection(a_campaign(), APR(14), an_invoice(due_on=MAR(2)))
    scenario.having(MAY(20), live(JUN(1)))
    assert scenario.world.sent() == [(MAY(20), "friendly"), (MAY(27), "firm")]


# --- at its age ---


def test_existing_debt_at_its_age_gets_the_latest_step_once_and_goes_on_as_planned():
    scenario = given_auto_collection(*imported(on=MAR(14), existing=AT_ITS_AGE), live(APR(30)))
    assert scenario.world.sent() == [(MAR(16), "firm"), (MAR(23), "final")]
    assert passed_over(scenario) == {"friendly": "before-known"}


def test_at_its_age_a_required_step_is_passed_over_where_its_age_has_come_to_a_later_one():
    steps = (a_step("friendly", 3), a_step("final", 10, required=True), a_step("last", 20))
    scenario = given_auto_collection(
        a_campaign(*steps, existing=AT_ITS_AGE), APR(14), an_invoice(due_on=MAR(2)), live(JUN(1))
    )
    assert scenario.world.sent() == [(APR(14), "last")]
    assert passed_over(scenario) == {"friendly": "before-known", "final": "before-known"}


# --- left alone ---


def test_left_alone_nothing_is_sent_for_the_past_of_an_imported_invoice():
    scenario = given_auto_collection(*imported(on=MAR(14), existing=LEAVE), live(APR(30)))
    assert passed_over(scenario) == {"friendly": "before-known", "firm": "before-known"}
    assert scenario.world.sent() == [(MAR(23), "final")]


@pytest.mark.parametrize("existing", [AT_ITS_AGE, LEAVE])
def test_a_step_due_on_the_day_of_the_import_is_sent(existing: ExistingDebt):
    scenario = given_auto_collection(*imported(on=MAR(12), existing=existing), live(MAR(13)))
    assert scenario.world.sent() == [(MAR(12), "firm")]


def test_left_alone_a_required_step_before_the_import_is_not_sent_either():
    plan = a_campaign(*THREE_STEPS, a_step("last", 40), existing=LEAVE)
    scenario = given_auto_collection(plan, MAR(31), an_invoice(due_on=MAR(2)), live(APR(30)))
    assert passed_over(scenario)["final"] == "before-known"
    assert scenario.world.sent() == [(APR(13), "last")]


def test_what_was_passed_over_is_never_said_to_be_taken():
    scenario = given_auto_collection(*imported(on=APR(14), existing=LEAVE), live(APR(30)))
    assert scenario.world.sent() == []
    assert scenario.account.chase.stage is Stage.FOLLOW_UP
    assert scenario.account.chase.why is not None
    assert scenario.account.chase.why.detail == (
        "Reminders: no step is left and the debt is unpaid; "
        "not sent: friendly, firm, final (due before the debt was known)"
    )
    assert scenario.account.receivables.items[invoice_id()].steps == []


# --- revisions ---


def test_who_was_left_alone_is_chased_once_a_revision_says_so():
    scenario = given_auto_collection(*imported(on=APR(14), existing=LEAVE), live(APR(20)))
    assert scenario.account.chase.stage is Stage.FOLLOW_UP
    scenario.having(a_revised_campaign(*THREE_STEPS, existing=FROM_THE_START), live(JUN(1)))
    assert scenario.world.sent() == [(APR(20), "friendly"), (APR(27), "firm"), (MAY(7), "final")]


@pytest.mark.parametrize("existing", ExistingDebt)
def test_a_revision_that_says_nothing_of_existing_debt_leaves_it_as_it_was(existing: ExistingDebt):
    scenario = given(a_campaign(existing=existing)).when(a_revised_campaign(*THREE_STEPS)).then_nothing_happened()
    scenario.when(a_revised_campaign(a_step("only", 3)))
    [revised] = scenario.world.events(CampaignRevised)
    assert revised.plan.existing is existing


def test_a_campaign_that_an_earlier_release_stored_leaves_existing_debt_alone():
    launch = a_campaign()
    assert isinstance(launch, LaunchCampaign)
    stored = CampaignLaunched.model_validate_json(
        CampaignLaunched(office_id=OFFICE, title="Reminders", plan=launch.plan).model_dump_json(
            exclude={"launched_on": True, "plan": {"existing"}}
        )
    )
    assert stored.plan.about_existing is LEAVE
    assert a_revised_campaign(*THREE_STEPS).plan.completed(stored.plan).about_existing is LEAVE


# --- paid for a time ---


def test_nothing_leaves_at_once_about_what_was_paid_yesterday():
    """The firm step came and went while it was paid: it is due seven days after the payment was taken back."""
    scenario = given_auto_collection(
        a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(6)), a_payment(usd(100), on=MAR(6)), live(MAR(17)),
        a_reversal(on=MAR(17)), live(MAR(20)),
    )  # fmt: skip
    assert scenario.world.sent() == [(MAR(5), "friendly")]
    scenario.having(live(APR(30)))
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(24), "firm"), (APR(3), "final")]
    assert passed_over(scenario) == {}


def test_a_debt_that_nobody_was_reminded_of_before_it_was_paid_begins_when_it_is_reopened():
    scenario = given_auto_collection(
        a_campaign(), an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(2)), live(APR(13)),
        a_reversal(on=APR(13)), live(JUN(1)),
    )  # fmt: skip
    assert scenario.world.sent() == [(APR(16), "friendly"), (APR(23), "firm"), (MAY(4), "final")]


def test_steps_from_before_the_debt_was_known_stay_unsent_when_it_is_reopened_and_the_campaign_leaves_it():
    """Learned eleven days past due and paid the same day, so that nothing was ever passed over."""
    scenario = given_auto_collection(
        a_campaign(existing=LEAVE), a_payment(usd(100), on=MAR(1)), MAR(13), an_invoice(due_on=MAR(2)), live(APR(13)),
        a_reversal(on=APR(13)), live(JUN(1)),
    )  # fmt: skip
    assert [step for _, step in scenario.world.sent()] == ["final"]
    assert passed_over(scenario) == {"friendly": "before-known", "firm": "before-known"}


def test_a_reversal_that_is_learned_late_counts_from_the_day_it_is_learned():
    scenario = given_auto_collection(
        a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(6)), a_payment(usd(100), on=MAR(6)), live(MAR(25)),
        a_reversal(on=MAR(9)), live(MAR(31)),
    )  # fmt: skip
    assert scenario.world.sent() == [(MAR(5), "friendly")]


def test_a_payment_that_is_corrected_to_less_reopens_the_rest():
    scenario = given_auto_collection(
        a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(6)), a_payment(usd(100), on=MAR(6)), live(MAR(17)),
        a_corrected_payment(usd(40), on=MAR(6)), live(MAR(23)),
    )  # fmt: skip
    assert scenario.world.sent() == [(MAR(5), "friendly")]
    scenario.having(live(MAR(24)))
    assert scenario.world.sent()[-1] == (MAR(24), "firm")


def test_a_payment_reversed_before_the_next_step_changes_nothing_of_its_day():
    scenario = given_auto_collection(
        a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(6)), a_payment(usd(100), on=MAR(6)),
        a_reversal(on=MAR(9), kind=ReversalKind.NSF), live(APR(30)),
    )  # fmt: skip
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(12), "firm"), (MAR(23), "final")]

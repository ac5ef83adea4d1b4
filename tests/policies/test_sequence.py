"""Which step is next, when, about what; and what is passed over."""

import pytest

from aggregates.account.aging import AgeAccount
from aggregates.account.chase import JudgeCollection, Stage, StepScheduled, StepsPassedOver
from aggregates.account.disputes import ResolveDispute
from aggregates.account.exclusion import ExcludeAccount, LiftExclusion
from aggregates.account.messages import MessageQueued, TakeStep
from aggregates.campaign import EngagementRules, PauseCampaign, ResumeCampaign
from aggregates.kernel.command import Command
from aggregates.office import ChangeOfficeSettings, PauseOfficeAutomation, ResumeOfficeAutomation
from aggregates.values.business_time import BusinessCalendar, SendWindow
from tests.builders import (
    ACCOUNT,
    APR,
    CAMPAIGN,
    FEB,
    MAR,
    OFFICE,
    THREE_STEPS,
    a_campaign,
    a_corrected_invoice,
    a_dispute,
    a_payment,
    a_promise,
    a_reversal,
    a_revised_campaign,
    a_step,
    an_invoice,
    invoice_id,
    since_engagement,
    usd,
)
from tests.given import Given, Scenario, given_auto_collection, like, live

OVERDUE: tuple[Given, ...] = (a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(3)))


def passed_over(scenario: Scenario) -> dict[str, str]:
    return {step: why for event in scenario.world.events(StepsPassedOver) for step, why in event.steps.items()}


def steps_of(scenario: Scenario, number: str = "INV-1") -> list[str]:
    return scenario.account.receivables.items[invoice_id(number)].steps


# --- in the ordinary course ---


def test_each_step_is_sent_once_on_its_day_or_the_next_business_day():
    """The final notice is due on a Sunday."""
    scenario = given_auto_collection(*OVERDUE, live(APR(30)))
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(12), "firm"), (MAR(23), "final")]
    assert passed_over(scenario) == {}


def test_days_count_from_the_due_date_and_weekends_count():
    steps = [a_step(f"s{n}", n) for n in range(1, 12)]
    scenario = given_auto_collection(a_campaign(*steps), an_invoice(due_on=MAR(2)), live(APR(30)))
    assert scenario.world.sent() == [
        (MAR(3), "s1"), (MAR(4), "s2"), (MAR(5), "s3"), (MAR(6), "s4"),
        (MAR(9), "s7"), (MAR(10), "s8"), (MAR(11), "s9"), (MAR(12), "s10"), (MAR(13), "s11"),
    ]  # fmt: skip
    assert passed_over(scenario) == {"s5": "missed", "s6": "missed"}


def test_a_campaign_that_sends_every_day_does_so_on_sundays_too():
    scenario = given_auto_collection(
        a_campaign(a_step("only", 6), business_days_only=False), an_invoice(due_on=MAR(2)), live(APR(1))
    )
    assert scenario.world.sent() == [(MAR(8), "only")]


def test_a_message_leaves_in_the_campaign_s_window_else_in_the_office_s():
    window = SendWindow.model_validate({"opens": "14:00", "closes": "15:00"})
    scenario = given_auto_collection(a_campaign(window=window), an_invoice(due_on=MAR(2)), live(MAR(6)))
    assert [e.queued_at for e in scenario.world.events(MessageQueued)] == [scenario.world.at(MAR(5), 14)]


def test_a_holiday_declared_meanwhile_moves_the_step():
    scenario = given_auto_collection(*OVERDUE)
    calendar = BusinessCalendar(holidays=frozenset({MAR(5)}))
    scenario.having(ChangeOfficeSettings(office_id=OFFICE, calendar=calendar), live(MAR(10)))
    assert scenario.world.sent() == [(MAR(6), "friendly")]


def test_a_step_before_the_due_date_reminds_of_what_is_about_to_be_due():
    scenario = given_auto_collection(
        a_campaign(a_step("soon", -3), *THREE_STEPS, rules=EngagementRules(min_dpd=-5)),
        an_invoice("A", due_on=MAR(12)),
        an_invoice("B", due_on=MAR(13)),
        live(MAR(10)),
    )
    assert scenario.world.sent() == [(MAR(9), "soon")]
    [message] = scenario.world.events(MessageQueued)
    assert [item.item_id for item in message.items] == [invoice_id("A")]


def test_a_first_step_on_the_day_of_engagement_is_sent_that_day():
    steps = (since_engagement("hello", 0), since_engagement("again", 7))
    scenario = given_auto_collection(a_campaign(*steps), an_invoice(due_on=MAR(2)), live(MAR(20)))
    assert scenario.world.sent() == [(MAR(3), "hello"), (MAR(10), "again")]


def test_taking_a_step_that_is_not_planned_or_not_due_does_nothing():
    scenario = given_auto_collection(*OVERDUE)
    scenario.when(TakeStep(account_id=ACCOUNT, step_id="firm"), at=MAR(5)).then_nothing_happened()
    scenario.when(TakeStep(account_id=ACCOUNT, step_id="friendly"), at=MAR(4)).then_nothing_happened()


# --- one message for all due items ---


def test_one_message_is_about_all_due_items_and_anchored_on_the_oldest():
    scenario = given_auto_collection(
        a_campaign(),
        an_invoice("A", due_on=MAR(2)),
        an_invoice("B", due_on=MAR(6)),
        an_invoice("C", due_on=MAR(12)),
        live(MAR(12)),
    )
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(12), "firm")]
    first, second = scenario.world.events(MessageQueued)
    assert [(i.item_id, i.step_id) for i in first.items] == [(invoice_id("A"), "friendly")]
    assert [(i.item_id, i.step_id) for i in second.items] == [(invoice_id("A"), "firm"), (invoice_id("B"), "friendly")]
    assert second.amount == usd(200)


def test_paying_the_anchor_moves_to_the_next_item_without_repeating_or_skipping():
    """B was in the firm message of A as by its own friendly step: its next one is firm, on its own tenth day."""
    scenario = given_auto_collection(
        a_campaign(),
        an_invoice("A", due_on=MAR(2)),
        an_invoice("B", due_on=MAR(6)),
        live(MAR(12)),
        a_payment(usd(100), on=MAR(13), invoice="A"),
        live(APR(30)),
    )
    assert scenario.world.sent() == [
        (MAR(5), "friendly"), (MAR(12), "firm"), (MAR(16), "firm"), (MAR(26), "final"),
    ]  # fmt: skip
    anchors = [e.items[0].item_id for e in scenario.world.events(MessageQueued)]
    assert anchors == [invoice_id("A"), invoice_id("A"), invoice_id("B"), invoice_id("B")]


def test_a_partial_payment_keeps_the_anchor_and_the_place():
    scenario = given_auto_collection(*OVERDUE, live(MAR(6)), a_payment(usd(99), on=MAR(6)), live(APR(30)))
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(12), "firm"), (MAR(23), "final")]
    assert [e.amount for e in scenario.world.events(MessageQueued)] == [usd(100), usd(1), usd(1)]


def test_one_invoice_s_reminder_does_not_silence_the_others():
    scenario = given_auto_collection(
        a_campaign(), an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(9)), live(APR(30))
    )
    last = scenario.world.events(MessageQueued)[-1]
    assert {item.item_id for item in last.items} == {invoice_id("A"), invoice_id("B")}


def test_an_older_invoice_that_turns_up_becomes_the_anchor():
    scenario = given_auto_collection(*OVERDUE, live(MAR(6)), an_invoice("OLD", due_on=FEB(27)))
    planned = scenario.account.chase.scheduled
    assert planned is not None
    assert (planned.step_id, planned.anchor_item_id) == ("friendly", invoice_id("OLD"))


def test_a_reopened_invoice_continues_where_it_was():
    scenario = given_auto_collection(
        *OVERDUE, live(MAR(6)), a_payment(usd(100), on=MAR(6)), a_reversal(on=MAR(9)), live(APR(30))
    )
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(12), "firm"), (MAR(23), "final")]


def test_a_later_due_date_does_not_begin_anew():
    scenario = given_auto_collection(
        *OVERDUE, live(MAR(6)), a_corrected_invoice(due_on=MAR(10), issued_on=FEB(1)), live(APR(30))
    )
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(20), "firm"), (MAR(30), "final")]


# --- outages ---


def after_an_outage(*steps: str) -> Scenario:
    """Nobody ticks from the third to the eighteenth; then the service runs again."""
    plan = [a_step(s.rstrip("!"), n, required=s.endswith("!")) for n, s in zip((3, 6, 9, 12, 40), steps, strict=False)]
    scenario = given_auto_collection(a_campaign(*plan), an_invoice(due_on=MAR(2)), live(MAR(3)))
    return scenario.having(MAR(18), live(APR(17)))


def test_after_an_outage_only_the_latest_missed_reminder_is_sent():
    scenario = after_an_outage("a", "b", "c", "d", "e")
    assert scenario.world.sent() == [(MAR(18), "d"), (APR(13), "e")]
    assert passed_over(scenario) == {"a": "missed", "b": "missed", "c": "missed"}


def test_a_required_step_is_never_skipped_and_later_ones_shift():
    scenario = after_an_outage("a", "b!", "c", "d", "e")
    assert scenario.world.sent() == [(MAR(18), "b"), (MAR(19), "d"), (APR(13), "e")]
    assert passed_over(scenario) == {"a": "missed", "c": "missed"}


def test_required_steps_run_in_order_one_a_day():
    scenario = after_an_outage("a!", "b!", "c", "d!", "e")
    assert scenario.world.sent() == [(MAR(18), "a"), (MAR(19), "b"), (MAR(20), "d"), (APR(13), "e")]


def test_a_payment_during_the_outage_is_seen_before_anything_is_sent():
    scenario = given_auto_collection(*OVERDUE)
    scenario.world.reacts = False
    scenario.having(a_payment(usd(100), on=MAR(18)))
    scenario.world.reacts = True
    assert scenario.having(live(APR(30))).world.sent() == []


def test_the_same_tick_twice_changes_nothing():
    scenario = given_auto_collection(*OVERDUE, MAR(5))
    scenario.world.tick()
    before = len(scenario.world.log)
    scenario.world.tick()
    assert len(scenario.world.log) == before


def test_a_step_that_never_fired_on_its_day_fires_on_the_next():
    """The service was down on the fifth."""
    scenario = given_auto_collection(*OVERDUE, live(MAR(4)), MAR(6), live(MAR(6)))
    assert scenario.world.sent() == [(MAR(6), "friendly")]


# --- pauses ---

PAUSES: list[tuple[Command, Command]] = [
    (PauseCampaign(campaign_id=CAMPAIGN), ResumeCampaign(campaign_id=CAMPAIGN)),
    (PauseOfficeAutomation(office_id=OFFICE), ResumeOfficeAutomation(office_id=OFFICE)),
]


@pytest.mark.parametrize(("pause", "resume"), PAUSES, ids=["campaign", "office"])
def test_nothing_leaves_in_a_pause_and_missed_steps_are_not_sent_in_a_burst(pause: Command, resume: Command):
    scenario = given_auto_collection(
        a_campaign(a_step("a", 3), a_step("b", 5), a_step("c", 7), a_step("d", 30)),
        an_invoice(due_on=MAR(2)), live(MAR(3)), pause, live(MAR(16)),
    )  # fmt: skip
    assert scenario.world.sent() == []
    assert scenario.account.chase.why is not None
    assert (scenario.account.chase.stage, scenario.account.chase.why.code) == (Stage.SCHEDULED, "paused")
    scenario.having(resume, live(APR(10)))
    assert scenario.world.sent() == [(MAR(16), "c"), (APR(1), "d")]
    assert passed_over(scenario) == {"a": "missed", "b": "missed"}


def test_a_timed_pause_ends_by_itself():
    scenario = given_auto_collection(*OVERDUE)
    until = scenario.world.at(MAR(9), 16)
    scenario.having(PauseCampaign(campaign_id=CAMPAIGN, paused_until=until), live(MAR(12)))
    assert scenario.world.sent() == [(MAR(9), "friendly"), (MAR(12), "firm")]


def test_a_pause_can_be_backdated():
    scenario = given_auto_collection(*OVERDUE, live(MAR(9)))
    start, end = scenario.world.at(MAR(6)), scenario.world.at(MAR(13))
    scenario.having(PauseCampaign(campaign_id=CAMPAIGN, paused_from=start, paused_until=end), live(MAR(16)))
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(13), "firm")]


def test_a_pause_that_is_to_begin_later_stops_what_would_leave_then():
    scenario = given_auto_collection(*OVERDUE)
    scenario.having(PauseCampaign(campaign_id=CAMPAIGN, paused_from=scenario.world.at(MAR(5), 8)), live(MAR(20)))
    assert scenario.world.sent() == []


# --- blocks ---


def test_the_place_in_the_sequence_survives_an_exclusion():
    scenario = given_auto_collection(*OVERDUE, live(MAR(6)), ExcludeAccount(account_id=ACCOUNT), live(MAR(10)))
    scenario.having(LiftExclusion(account_id=ACCOUNT), live(APR(30)))
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(12), "firm"), (MAR(23), "final")]


def test_a_broken_promise_resumes_the_sequence_by_itself():
    scenario = given_auto_collection(*OVERDUE, live(MAR(6)), a_promise(usd(100), due_on=MAR(9)), live(MAR(12)))
    assert scenario.world.sent() == [(MAR(5), "friendly")]
    scenario.having(live(APR(30)))
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(13), "firm"), (MAR(23), "final")]


def test_a_resolved_dispute_resumes_the_sequence():
    scenario = given_auto_collection(*OVERDUE, live(MAR(6)), a_dispute(), live(MAR(16)))
    [dispute_id] = scenario.account.disputes.open
    scenario.having(ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="unfounded"), live(APR(30)))
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(16), "firm"), (MAR(23), "final")]


# --- revisions ---


def test_a_revised_campaign_continues_from_the_current_step_and_repeats_nothing():
    scenario = given_auto_collection(*OVERDUE, live(MAR(6)))
    steps = (a_step("friendly", 3), a_step("middle", 8), a_step("firm", 12), a_step("final", 20))
    scenario.having(a_revised_campaign(*steps), live(APR(30)))
    assert scenario.world.sent() == [
        (MAR(5), "friendly"), (MAR(10), "middle"), (MAR(16), "firm"), (MAR(23), "final"),
    ]  # fmt: skip
    assert [e.plan_version for e in scenario.world.events(MessageQueued)] == [1, 2, 2, 2]


def test_a_removed_step_is_not_sent():
    scenario = given_auto_collection(*OVERDUE, live(MAR(6)))
    scenario.having(a_revised_campaign(THREE_STEPS[0], THREE_STEPS[2]), live(APR(30)))
    assert scenario.world.sent() == [(MAR(5), "friendly"), (MAR(23), "final")]


def test_a_step_that_is_moved_is_planned_anew():
    scenario = given_auto_collection(*OVERDUE).when(a_revised_campaign(a_step("friendly", 8)))
    scenario.then_among_others(like(StepScheduled))
    assert scenario.having(live(APR(1))).world.sent() == [(MAR(10), "friendly")]


def test_who_is_in_follow_up_goes_on_when_steps_are_added():
    scenario = given_auto_collection(*OVERDUE, live(MAR(24)))
    scenario.having(a_revised_campaign(*THREE_STEPS, a_step("last", 30)), live(APR(30)))
    assert scenario.world.sent()[-1] == (APR(1), "last")


def test_judging_ages_nothing_and_aging_judges():
    scenario = given_auto_collection(
        a_campaign(), an_invoice(due_on=MAR(2)), MAR(3), JudgeCollection(account_id=ACCOUNT)
    )
    assert scenario.account.aging.bucket == "current"
    scenario.having(AgeAccount(account_id=ACCOUNT))
    assert scenario.account.aging.bucket == "1-30"
    assert steps_of(scenario) == []

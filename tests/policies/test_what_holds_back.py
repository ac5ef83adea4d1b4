"""What is said of why nothing is sent, and what is handed to a person."""

import pytest

from aggregates.account.activities import ActivityKind, ActivityRecorded
from aggregates.account.chase import Stage, StageChanged
from aggregates.account.contact import ChangeContactDetails
from aggregates.account.holds import PlaceHold
from aggregates.account.messages import ContactRefused, DispatchMessage, MessageFailed, MessageQueued, ReportFailed
from aggregates.campaign import EngagementRules, PauseCampaign, ResumeCampaign
from aggregates.kernel.command import Command
from aggregates.office import ChangeOfficeSettings, PauseOfficeAutomation, ResumeOfficeAutomation
from aggregates.values.business_time import SendWindow
from aggregates.values.contact import Channel
from tests.builders import (
    ACCOUNT,
    APR,
    CAMPAIGN,
    FEB,
    MAR,
    OFFICE,
    THREE_STEPS,
    a_campaign,
    a_credit,
    a_dispute,
    a_payment,
    a_promise,
    a_revised_campaign,
    a_step,
    an_invoice,
    contact,
    invoice_id,
    usd,
)
from tests.given import Given, Scenario, World, given_auto_collection, live

OVERDUE: tuple[Given, ...] = (a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(3)))
EARLY = SendWindow.model_validate({"opens": "09:00", "closes": "10:00"})


def why(scenario: Scenario) -> tuple[Stage | None, str, str]:
    chase = scenario.account.chase
    assert chase.why is not None
    return chase.stage, chase.why.code, chase.why.detail


# --- a block names each part ---


def test_a_block_names_what_each_thing_holds_back():
    scenario = given_auto_collection(
        a_campaign(),
        an_invoice("A", due_on=MAR(2), amount=usd(60)),
        an_invoice("B", due_on=MAR(3), amount=usd(130)),
        live(MAR(4)),
        a_dispute("B"),
        a_promise(usd(55), due_on=MAR(20)),
        a_credit(usd(5), on=MAR(4), invoice="C"),
    )
    stage, code, detail = why(scenario)
    assert (stage, code) == (Stage.BLOCKED, "promise")
    assert detail.split("; ") == [
        "55.00 USD is promised by 2026-03-20",
        "130.00 USD is disputed",
        "5.00 USD is covered by money that is not allocated yet",
    ]


def test_what_several_hold_back_is_said_of_the_strongest_alone():
    scenario = given_auto_collection(
        a_campaign(),
        an_invoice("A", due_on=MAR(2), amount=usd(60)),
        an_invoice("B", due_on=MAR(3), amount=usd(130)),
        live(MAR(4)),
        a_dispute("A", B=usd(30)),
        PlaceHold(account_id=ACCOUNT, code="goods-missing", invoice_numbers=("A",)),
        a_promise(usd(100), due_on=MAR(20)),
    )
    assert why(scenario)[2].split("; ") == [
        "60.00 USD is on hold (goods-missing)",
        "100.00 USD is promised by 2026-03-20",
        "30.00 USD of 130.00 USD of invoice B is disputed",
    ]


def test_a_message_is_about_what_is_not_on_hold():
    scenario = given_auto_collection(
        a_campaign(),
        an_invoice("A", due_on=MAR(2), amount=usd(60)),
        an_invoice("B", due_on=MAR(2), amount=usd(130)),
        PlaceHold(account_id=ACCOUNT, code="goods-missing", invoice_numbers=("A",), until=MAR(9)),
        live(MAR(6)),
    )
    [first] = scenario.world.events(MessageQueued)
    assert (first.amount, [item.item_id for item in first.items]) == (usd(130), [invoice_id("B")])
    scenario.having(live(MAR(13)))
    assert scenario.account.holds.in_force == {}
    assert scenario.world.events(MessageQueued)[-1].amount == usd(190)


def test_a_promise_of_a_part_is_not_the_reason_where_everything_is_disputed():
    scenario = given_auto_collection(*OVERDUE, a_promise(usd(40), due_on=MAR(20)), a_dispute())
    assert why(scenario) == (Stage.BLOCKED, "dispute", "everything owed is disputed")


def test_what_holds_back_is_told_again_when_it_is_something_else():
    scenario = given_auto_collection(
        a_campaign(), an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(2)), live(MAR(3)),
        a_promise(usd(200), due_on=MAR(20)),
    )  # fmt: skip
    assert why(scenario)[2] == "a promise to pay by 2026-03-20 covers what is owed"
    scenario.when(a_dispute("A")).then_among_others(StageChanged)
    assert why(scenario)[2] == "100.00 USD is promised by 2026-03-20; 100.00 USD is disputed"


# --- amounts of what is past due ---


def test_what_is_not_due_yet_does_not_count_towards_the_smallest_amount():
    scenario = given_auto_collection(
        a_campaign(rules=EngagementRules(min_amount=usd(50))),
        an_invoice("SMALL", due_on=MAR(2), amount=usd(10)),
        an_invoice("LARGE", due_on=MAR(20), amount=usd(900), issued_on=MAR(1)),
        live(MAR(19)),
    )
    assert why(scenario)[:2] == (Stage.OUTSTANDING, "min-amount")
    scenario.having(live(MAR(21)))
    assert why(scenario)[0] is Stage.SCHEDULED


def test_where_accounts_are_engaged_before_the_due_date_what_is_due_by_then_counts():
    scenario = given_auto_collection(
        a_campaign(a_step("soon", -3), rules=EngagementRules(min_dpd=-5, min_amount=usd(50))),
        an_invoice("SMALL", due_on=MAR(12), amount=usd(10)),
        an_invoice("LARGE", due_on=MAR(20), amount=usd(900), issued_on=MAR(1)),
        live(MAR(14)),
    )
    assert why(scenario)[:2] == (Stage.OUTSTANDING, "min-amount")
    scenario.having(live(MAR(15)))
    assert why(scenario)[0] is not Stage.OUTSTANDING


# --- messages that failed ---


def failing(world: World) -> None:
    """The message of the day is queued, claimed, and cannot be sent."""
    world.live(world.at(world.today, 9), delivering=False)
    [message_id] = world.account.messages.under_way
    world.do(DispatchMessage(account_id=ACCOUNT, message_id=message_id))
    world.do(ReportFailed(account_id=ACCOUNT, message_id=message_id, code="bad-template", detail="no text"))


def test_a_step_whose_message_failed_is_not_taken_and_the_end_says_so():
    scenario = given_auto_collection(
        a_campaign(a_step("only", 3)), an_invoice(due_on=MAR(2)), live(MAR(4)), MAR(5), failing
    )
    assert scenario.account.receivables.items[invoice_id()].steps == []
    assert why(scenario) == (
        Stage.FOLLOW_UP,
        "sequence-finished",
        "Reminders: no step is left and the debt is unpaid; not sent: only (failed)",
    )
    assert scenario.having(live(APR(1))).world.sent() == []


def test_a_failed_step_is_tried_again_by_a_revised_campaign():
    scenario = given_auto_collection(*OVERDUE, live(MAR(4)), MAR(5), failing)
    scenario.having(MAR(6), a_revised_campaign(a_step("friendly", 3, title="Mended"), *THREE_STEPS[1:]), live(APR(1)))
    assert scenario.world.sent() == [(MAR(6), "friendly"), (MAR(12), "firm"), (MAR(23), "final")]


def test_a_failed_message_of_an_earlier_release_counts_as_taken():
    """Its event does not say by which version: nothing is repeated after an upgrade."""
    scenario = given_auto_collection(*OVERDUE, live(MAR(4)), MAR(5), failing)
    [failed] = [recorded for recorded in scenario.world.log if isinstance(recorded.event, MessageFailed)]
    failed.event = MessageFailed.model_validate_json(failed.event.model_dump_json(exclude={"plan_version"}))
    account = scenario.world.store.replayed(type(scenario.account), ACCOUNT)
    assert account.receivables.items[invoice_id()].steps == ["friendly"]
    assert account.receivables.items[invoice_id()].place.failed == {}


# --- hours that never meet ---


def never() -> tuple[Given, ...]:
    """The office sends from nine to ten in New York, when it is four or five in the morning in Honolulu."""
    return (
        ChangeOfficeSettings(office_id=OFFICE, window=EARLY),
        ChangeContactDetails(account_id=ACCOUNT, contact=contact(time_zone="Pacific/Honolulu")),
        a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(6)),
    )  # fmt: skip


def test_a_step_that_can_never_leave_is_handed_to_a_person_once():
    scenario = given_auto_collection(*never(), live(APR(30)))
    stage, code, detail = why(scenario)
    assert (stage, code) == (Stage.FOLLOW_UP, "hours-never-meet")
    assert "09:00 to 10:00 in America/New_York" in detail
    assert "Pacific/Honolulu" in detail
    [task] = scenario.world.events(ActivityRecorded)
    assert (task.kind, task.follow_up_on) == (ActivityKind.TASK, MAR(3))
    assert scenario.world.events(ContactRefused) == []
    assert scenario.world.sent() == []


def test_it_goes_on_when_the_hours_meet_again():
    scenario = given_auto_collection(*never())
    scenario.having(
        ChangeContactDetails(account_id=ACCOUNT, contact=contact(time_zone="America/Chicago")), live(MAR(10))
    )
    assert scenario.world.sent() == [(MAR(9), "friendly")]


def test_where_the_hours_meet_for_a_part_of_the_window_the_message_waits_for_it():
    window = SendWindow.model_validate({"opens": "09:00", "closes": "14:00"})
    scenario = given_auto_collection(
        ChangeOfficeSettings(office_id=OFFICE, window=window),
        ChangeContactDetails(account_id=ACCOUNT, contact=contact(time_zone="Pacific/Honolulu")),
        a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(6)),
    )  # fmt: skip
    assert scenario.world.sent() == [(MAR(5), "friendly")]


def test_the_portal_has_no_hours_that_could_fail_to_meet():
    scenario = given_auto_collection(
        ChangeOfficeSettings(office_id=OFFICE, window=EARLY),
        ChangeContactDetails(account_id=ACCOUNT, contact=contact(time_zone="Pacific/Honolulu")),
        a_campaign(a_step("note", 3, channel=Channel.PORTAL)), an_invoice(due_on=MAR(2)), live(MAR(6)),
    )  # fmt: skip
    assert scenario.world.sent() == [(MAR(5), "note")]


# --- pauses ---

PAUSES: list[tuple[Command, Command]] = [
    (PauseCampaign(campaign_id=CAMPAIGN), ResumeCampaign(campaign_id=CAMPAIGN)),
    (PauseOfficeAutomation(office_id=OFFICE), ResumeOfficeAutomation(office_id=OFFICE)),
]


@pytest.mark.parametrize(("pause", "resume"), PAUSES, ids=["campaign", "office"])
@pytest.mark.parametrize(
    "history",
    [
        (a_campaign(), an_invoice(due_on=MAR(2)), live(APR(1))),
        (a_campaign(rules=EngagementRules(min_amount=usd(500))), an_invoice(due_on=MAR(2)), live(MAR(10))),
        (*OVERDUE, a_dispute()),
        (a_campaign(), an_invoice(due_on=FEB(2)), a_payment(usd(100), on=FEB(3)), live(MAR(3))),
    ],
    ids=["follow-up", "outstanding", "blocked", "paid"],
)
def test_pause_and_resume_write_nothing_where_they_change_nothing(
    history: tuple[Given, ...], pause: Command, resume: Command
):
    scenario = given_auto_collection(*history)
    before = scenario.world.history(ACCOUNT)
    scenario.having(pause, live(scenario.world.today), resume)
    assert scenario.world.history(ACCOUNT) == before


def test_a_pause_that_is_over_before_the_next_message_is_due_changes_nothing():
    scenario = given_auto_collection(*OVERDUE)
    before = scenario.world.history(ACCOUNT)
    until = scenario.world.at(MAR(4), 8)
    scenario.having(PauseCampaign(campaign_id=CAMPAIGN, paused_until=until), live(MAR(4)))
    assert scenario.world.history(ACCOUNT) == before
    assert scenario.having(live(MAR(6))).world.sent() == [(MAR(5), "friendly")]

"""From queue to carrier: the last look, contact rules, and what becomes of a message."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from aggregates.account.chase import Stage, StepScheduled, StepsPassedOver
from aggregates.account.contact import ChangeContactDetails, OptOutOfContact, RecordConsent
from aggregates.account.exclusion import ExcludeAccount
from aggregates.account.flags import SetFlag
from aggregates.account.messages import (
    ContactRefused,
    DispatchMessage,
    MessageDispatched,
    MessageFailed,
    MessageQueued,
    MessageSent,
    MessageUncertain,
    MessageWithdrawn,
    ReportFailed,
    ReportSent,
    ReportUncertain,
    TakeStep,
)
from aggregates.campaign import PauseCampaign, RetireCampaign
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, identifier
from aggregates.kernel.context import Context
from aggregates.kernel.personal import ERASED
from aggregates.office import PauseOfficeAutomation
from aggregates.values.contact import (
    ALLOWED,
    Channel,
    Consent,
    ContactAttempt,
    Denied,
    EmailAddress,
    PostalAddress,
    Verdict,
)
from policies.contact_rules import contact_rules
from tests.builders import (
    ACCOUNT,
    APR,
    CAMPAIGN,
    MAR,
    OFFICE,
    THREE_STEPS,
    a_campaign,
    a_dispute,
    a_payment,
    a_phone,
    a_promise,
    a_revised_campaign,
    a_step,
    an_invoice,
    contact,
    invoice_id,
    usd,
)
from tests.given import BEGINNING, Given, Scenario, World, given, given_auto_collection, like, live


def queued_at_nine(world: World) -> None:
    """The message of the day is queued and nothing has left."""
    world.live(world.at(world.today, 9), delivering=False)


FIRST: tuple[Given, ...] = (a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(4)), MAR(5), queued_at_nine)
FINAL: tuple[Given, ...] = (
    a_campaign(), an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(19)), live(MAR(22)), MAR(23),
    queued_at_nine,
)  # fmt: skip
"""A's final notice, which is about B too, is queued."""


def message(scenario: Scenario) -> dict[str, object]:
    [message_id] = scenario.account.messages.under_way
    return {"account_id": ACCOUNT, "message_id": message_id}


def dispatch(scenario: Scenario) -> DispatchMessage:
    return DispatchMessage.model_validate(message(scenario))


def report_sent(scenario: Scenario) -> ReportSent:
    return ReportSent.model_validate(
        {**message(scenario), "body": "text", "body_sha256": "0" * 64, "sent_at": scenario.world.now}
    )


def withdrawn(code: str) -> object:
    """A MessageWithdrawn with this reason."""

    class Withdrawn:
        def __eq__(self, other: object) -> bool:
            return isinstance(other, MessageWithdrawn) and other.why.code == code

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            return f"MessageWithdrawn({code})"

    return Withdrawn()


# --- the ordinary course ---


def test_a_message_is_queued_claimed_and_sent():
    scenario = given_auto_collection(*FIRST)
    [queued] = scenario.world.events(MessageQueued)
    assert (queued.step_id, queued.channel, queued.point_id, queued.language) == ("friendly", "email", "email-1", "en")
    assert (queued.queued_on, queued.amount) == (MAR(5), usd(100))
    scenario.when(dispatch(scenario)).then(MessageDispatched)
    scenario.when(report_sent(scenario)).then_among_others(
        like(MessageSent, step_id="friendly", step_title="Friendly", sent_on=MAR(5))
    )
    assert scenario.account.messages.under_way == {}


def test_a_message_is_claimed_once():
    scenario = given_auto_collection(*FIRST)
    claim = dispatch(scenario)
    scenario.when(claim).then(MessageDispatched).when(claim).then_refused("already-claimed")


def test_a_message_is_claimed_before_it_is_sent():
    scenario = given_auto_collection(*FIRST)
    scenario.when(report_sent(scenario)).then_refused("not-claimed")


@pytest.mark.parametrize("command", [DispatchMessage, ReportUncertain])
def test_an_unknown_message_is_refused(command: type[Command]):
    unknown = command.model_validate({"account_id": ACCOUNT, "message_id": identifier("none")})
    given().when(unknown).then_refused("unknown-message")


def test_the_language_of_the_customer_is_used():
    german = a_step("friendly", 3, templates={"en": {"body": "You owe"}, "de": {"body": "Sie schulden"}})
    scenario = given_auto_collection(
        ChangeContactDetails(account_id=ACCOUNT, contact=contact(language="de")),
        a_campaign(german), an_invoice(due_on=MAR(2)), live(MAR(6)),
    )  # fmt: skip
    assert [e.language for e in scenario.world.events(MessageQueued)] == ["de"]


# --- the last look before it leaves ---


def opt_out(channel: Channel = Channel.EMAIL) -> OptOutOfContact:
    return OptOutOfContact(account_id=ACCOUNT, channel=channel)


MEANWHILE: list[tuple[Command, str]] = [
    (a_payment(usd(100), on=MAR(5)), "paid"),
    (PauseCampaign(campaign_id=CAMPAIGN), "campaign-paused"),
    (PauseOfficeAutomation(office_id=OFFICE), "office-paused"),
    (RetireCampaign(campaign_id=CAMPAIGN), "campaign-ended"),
    (ExcludeAccount(account_id=ACCOUNT), "excluded"),
    (SetFlag(account_id=ACCOUNT, flag="bankruptcy"), "flag"),
    (a_dispute(), "dispute"),
    (a_promise(usd(100), due_on=MAR(20)), "promise"),
    (opt_out(), "opted-out"),
    (
        RecordConsent(account_id=ACCOUNT, channel=Channel.EMAIL, point_id="email-1", consent=Consent.REFUSED),
        "consent-refused",
    ),
    (a_revised_campaign(*THREE_STEPS, a_step("last", 40)), "campaign-changed"),
]


@pytest.mark.parametrize("reacts", [True, False], ids=["policies reacted", "policies did not react yet"])
@pytest.mark.parametrize(("meanwhile", "code"), MEANWHILE, ids=[code for _, code in MEANWHILE])
def test_what_happens_between_queue_and_dispatch_is_seen(meanwhile: Command, code: str, reacts: bool):
    scenario = given_auto_collection(*FIRST)
    scenario.world.reacts = reacts
    scenario.having(meanwhile)
    scenario.when(dispatch(scenario)).then_among_others(withdrawn(code)).then_no(MessageDispatched)  # type: ignore[arg-type]


def test_a_partial_payment_does_not_withdraw_the_message():
    scenario = given_auto_collection(*FIRST, a_payment(usd(99), on=MAR(5)))
    scenario.when(dispatch(scenario)).then(MessageDispatched)


@pytest.mark.parametrize(
    ("meanwhile", "code"),
    [
        (a_payment(usd(100), on=MAR(23), invoice="A"), "paid"),
        (a_promise(usd(100), due_on=MAR(30)), "other-item"),
        (a_dispute("A"), "dispute"),
        (a_dispute("B"), "dispute"),
    ],
)
def test_a_final_notice_does_not_go_to_a_younger_invoice_when_its_own_is_gone(meanwhile: Command, code: str):
    scenario = given_auto_collection(*FINAL, meanwhile)
    scenario.when(dispatch(scenario)).then_among_others(withdrawn(code))  # type: ignore[arg-type]


def test_a_withdrawn_message_is_sent_another_day_if_it_still_should():
    scenario = given_auto_collection(*FINAL, a_dispute("B"))
    scenario.having(live(MAR(31)))
    assert scenario.world.sent()[-1] == (MAR(24), "final")
    last = scenario.world.events(MessageQueued)[-1]
    assert [item.item_id for item in last.items] == [invoice_id("A")]


def test_a_withdrawn_message_leaves_what_an_earlier_one_covered():
    """B was in the firm message as by its own friendly step; the withdrawn one had covered it by the same."""
    scenario = given_auto_collection(
        a_campaign(a_step("friendly", 3), a_step("firm", 10), a_step("final", 12)),
        an_invoice("A", due_on=MAR(2)),
        an_invoice("B", due_on=MAR(9)),
        live(MAR(12)),
    )
    b = scenario.account.receivables.items[invoice_id("B")]
    assert b.steps == ["friendly"]
    scenario.having(MAR(16), queued_at_nine)
    assert b.steps == ["friendly", "friendly"]
    scenario.having(PauseCampaign(campaign_id=CAMPAIGN)).when(dispatch(scenario))
    assert b.steps == ["friendly"]


def test_a_message_of_yesterday_does_not_leave_today():
    scenario = given_auto_collection(*FIRST)
    scenario.when(dispatch(scenario), at=MAR(6)).then_among_others(withdrawn("stale"))  # type: ignore[arg-type]
    scenario.having(live(MAR(6)))
    assert scenario.world.sent() == [(MAR(6), "friendly")]


def test_after_an_outage_of_delivery_messages_do_not_all_leave_at_once():
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)))
    scenario.world.live(APR(15), delivering=False)
    assert len(scenario.world.events(MessageQueued)) == 3
    scenario.having(live(APR(30)))
    assert scenario.world.sent() == [(APR(15), "final")]


# --- what becomes of it ---


def test_a_message_that_certainly_failed_is_not_repeated_and_the_next_step_is_planned():
    scenario = given_auto_collection(*FIRST)
    scenario.having(dispatch(scenario))
    failed = ReportFailed.model_validate({**message(scenario), "code": "bounced", "detail": "no such address"})
    scenario.when(failed).then_among_others(like(MessageFailed, step_id="friendly"))
    assert scenario.account.chase.engaged_on is None
    assert scenario.having(live(APR(1))).world.sent() == [(MAR(12), "firm"), (MAR(23), "final")]


def test_a_message_of_which_nobody_knows_is_uncertain_and_not_repeated():
    scenario = given_auto_collection(*FIRST)
    scenario.having(dispatch(scenario))
    uncertain = ReportUncertain.model_validate(message(scenario))
    scenario.when(uncertain).then_among_others(like(MessageUncertain, step_id="friendly"))
    scenario.when(uncertain).then_nothing_happened()
    assert scenario.having(live(APR(1))).world.sent() == [(MAR(12), "firm"), (MAR(23), "final")]


def test_a_person_says_what_became_of_an_uncertain_message():
    scenario = given_auto_collection(*FIRST)
    scenario.having(dispatch(scenario), ReportUncertain.model_validate(message(scenario)))
    scenario.when(report_sent(scenario)).then_among_others(MessageSent)
    assert scenario.account.messages.under_way == {}


def test_an_uncertain_last_message_leads_to_follow_up():
    scenario = given_auto_collection(
        a_campaign(a_step("only", 3)), an_invoice(due_on=MAR(2)), live(MAR(4)), MAR(5), queued_at_nine
    )
    scenario.having(dispatch(scenario), ReportUncertain.model_validate(message(scenario)))
    assert scenario.account.chase.stage is Stage.FOLLOW_UP


# --- contact rules ---


def a_text() -> tuple[Given, ...]:
    step = a_step("text", 3, channel=Channel.SMS)
    return a_campaign(step, a_step("mail", 10)), an_invoice(due_on=MAR(2)), live(MAR(5))


@pytest.mark.parametrize("said", [Consent.UNKNOWN, Consent.REFUSED])
def test_a_text_needs_consent_and_without_it_the_step_is_passed_over(said: Consent):
    scenario = given_auto_collection(
        ChangeContactDetails(account_id=ACCOUNT, contact=contact(phones=(a_phone(number="+1212", sms_consent=said),))),
        *a_text(),
    )
    rule = "text-consent" if said is Consent.UNKNOWN else "consent-refused"
    assert [e.rule_id for e in scenario.world.events(ContactRefused)] == [rule]
    assert [e.steps for e in scenario.world.events(StepsPassedOver)] == [{"text": rule}]
    assert scenario.having(live(MAR(13))).world.sent() == [(MAR(12), "mail")]


def test_who_opted_out_is_not_written_to_and_the_next_step_is_planned():
    scenario = given_auto_collection(opt_out(Channel.SMS), *a_text())
    assert [e.rule_id for e in scenario.world.events(ContactRefused)] == ["opted-out"]
    assert scenario.having(live(MAR(13))).world.sent() == [(MAR(12), "mail")]


def test_without_a_number_the_step_is_passed_over():
    scenario = given_auto_collection(ChangeContactDetails(account_id=ACCOUNT, contact=contact(phones=())), *a_text())
    assert [e.rule_id for e in scenario.world.events(ContactRefused)] == ["no-contact-point"]


@pytest.mark.parametrize(
    ("channel", "point_id", "known"),
    [
        (Channel.EMAIL, "email-1", {"emails": (EmailAddress(id="email-1", address=ERASED),)}),
        (Channel.SMS, "phone-1", {"phones": (a_phone(number=ERASED),)}),
        (Channel.VOICE, "phone-1", {"phones": (a_phone(number=ERASED),)}),
        (Channel.LETTER, "address-1", {"addresses": (PostalAddress(id="address-1", lines=(ERASED,), city=ERASED),)}),
    ],
)
def test_what_was_erased_is_no_address(channel: Channel, point_id: str, known: dict[str, object]):
    details = contact(**known)
    assert details.points(channel) == ()
    assert details.address_of(point_id) is None
    scenario = given_auto_collection(
        ChangeContactDetails(account_id=ACCOUNT, contact=details),
        a_campaign(a_step("only", 3, channel=channel)), an_invoice(due_on=MAR(2)), live(MAR(5)),
    )  # fmt: skip
    assert [e.rule_id for e in scenario.world.events(ContactRefused)] == ["no-contact-point"]


def test_the_second_number_is_used_where_the_first_may_not():
    phones = (a_phone(number="+1212", sms_consent=Consent.UNKNOWN), a_phone(id="phone-2"))
    scenario = given_auto_collection(
        ChangeContactDetails(account_id=ACCOUNT, contact=contact(phones=phones)), *a_text()
    )
    assert [e.point_id for e in scenario.world.events(MessageQueued)] == ["phone-2"]


def test_at_nine_in_new_york_it_is_too_early_in_honolulu_and_the_message_waits():
    scenario = given_auto_collection(
        ChangeContactDetails(account_id=ACCOUNT, contact=contact(time_zone="Pacific/Honolulu")),
        a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(6)),
    )  # fmt: skip
    [refused] = scenario.world.events(ContactRefused)
    assert (refused.rule_id, refused.until) == ("hours-8-to-21", scenario.world.at(MAR(5), 13))
    assert [e.queued_at for e in scenario.world.events(MessageQueued)] == [scenario.world.at(MAR(5), 13)]


def test_a_refused_step_is_planned_anew_not_asked_for_again_and_again():
    scenario = given_auto_collection(
        ChangeContactDetails(account_id=ACCOUNT, contact=contact(time_zone="Pacific/Honolulu")),
        a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(4)),
    )  # fmt: skip
    scenario.world.move_to(scenario.world.at(MAR(5), 9))
    scenario.when(TakeStep(account_id=ACCOUNT, step_id="friendly"))
    scenario.then(ContactRefused, like(StepScheduled))
    scenario.when(TakeStep(account_id=ACCOUNT, step_id="friendly")).then_nothing_happened()


@pytest.mark.parametrize(
    ("hour", "minute", "allowed"), [(7, 59, False), (8, 0, True), (20, 59, True), (21, 0, False), (0, 0, False)]
)
@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Kolkata", None])
def test_no_contact_before_eight_or_after_nine_where_the_customer_is(
    zone: str | None, hour: int, minute: int, allowed: bool
):
    """Clocks change in New York on the eighth."""
    scenario = given(ChangeContactDetails(account_id=ACCOUNT, contact=contact(time_zone=zone)))
    for day in (MAR(7), MAR(8), MAR(9)):
        moment = datetime.combine(day, time(hour, minute), ZoneInfo(zone or "America/New_York")).astimezone(UTC)
        verdict = verdict_at(scenario, moment)
        assert (verdict == ALLOWED) is allowed
        if isinstance(verdict, Denied):
            assert isinstance(verdict.until, datetime)
            assert timedelta() < verdict.until - moment <= timedelta(hours=12)
            assert verdict_at(scenario, verdict.until) == ALLOWED


def verdict_at(scenario: Scenario, moment: datetime, channel: Channel = Channel.EMAIL) -> Verdict:
    world = scenario.world
    context = Context(
        now=world.now,
        today=world.today,
        actor=Actor.person("tester"),
        effective_on=world.today,
        command_id=identifier("any"),
        seen={OFFICE: world.office},
    )
    return contact_rules(scenario.account, ContactAttempt(channel, "point", moment), context)


def test_the_portal_has_no_hours():
    assert verdict_at(given(), BEGINNING.replace(hour=6), Channel.PORTAL) == ALLOWED


def test_letters_keep_to_the_hours_too():
    verdict = verdict_at(given(), BEGINNING.replace(hour=6), Channel.LETTER)
    assert isinstance(verdict, Denied)
    assert verdict.rule_id == "hours-8-to-21"


def test_a_text_without_consent_is_refused_as_ever():
    verdict = verdict_at(given(), BEGINNING.replace(hour=18), Channel.SMS)
    assert isinstance(verdict, Denied)
    assert (verdict.rule_id, verdict.detail, verdict.until) == ("text-consent", "no consent to texts at point", None)

"""A person writes to a customer: what forbids it, what becomes of it, and that no sequence notices."""

from typing import Any

import pytest
from pydantic import ValidationError

from aggregates.account.chase import JudgeCollection, Stage
from aggregates.account.contact import ChangeContactDetails, OptOutOfContact
from aggregates.account.exclusion import ExcludeAccount
from aggregates.account.flags import SetFlag
from aggregates.account.holds import PlaceHold
from aggregates.account.messages import (
    DispatchMessage,
    MessageDispatched,
    MessageFailed,
    MessageOutcome,
    MessageResolved,
    MessageSent,
    MessageUncertain,
    MessageWithdrawn,
    MessageWritten,
    ReconsiderMessage,
    ReportUncertain,
    ResolveMessage,
    WithdrawMessage,
)
from aggregates.account.payment_claims import ClaimPayment
from aggregates.account.writing import SendMessage
from aggregates.kernel.command import Accepted, Command
from aggregates.office import PauseOfficeAutomation
from aggregates.values.contact import Channel, Consent
from tests.builders import (
    ACCOUNT,
    MAR,
    OFFICE,
    a_campaign,
    a_dispute,
    a_payment,
    a_phone,
    a_promise,
    an_invoice,
    contact,
    invoice_id,
    usd,
)
from tests.given import Given, Scenario, World, given, given_auto_collection, like, live


def a_text(text: str = "Please call us about {{ amount_due }}.", **more: Any) -> SendMessage:
    return SendMessage.model_validate({"account_id": ACCOUNT, "channel": Channel.EMAIL, "text": text, **more})


OWING: tuple[Given, ...] = (an_invoice(due_on=MAR(2)), MAR(5))
WRITTEN: tuple[Given, ...] = (*OWING, a_text())


def the_message(scenario: Scenario) -> dict[str, Any]:
    [message_id] = scenario.account.messages.under_way
    return {"account_id": ACCOUNT, "message_id": message_id}


def dispatch(scenario: Scenario) -> DispatchMessage:
    return DispatchMessage(**the_message(scenario))


def why_withdrawn(scenario: Scenario) -> list[str]:
    return [event.why.code for event in scenario.new if isinstance(event, MessageWithdrawn)]


# --- what it is about ---


@pytest.mark.parametrize(
    "covered",
    [
        PlaceHold(account_id=ACCOUNT, code="illness", invoice_numbers=("INV-1", "INV-2")),
        ClaimPayment(account_id=ACCOUNT),
        a_promise(usd(150), due_on=MAR(8)),
    ],
)
def test_where_all_that_is_open_is_held_back_it_is_about_what_is_not_disputed(covered: Command):
    both = (an_invoice(due_on=MAR(2)), an_invoice("INV-2", due_on=MAR(3), amount=usd(50)), MAR(5))
    given(*both, covered).when(a_text()).then(like(MessageWritten, amount=usd(150)))
    given(*both, covered, a_dispute("INV-2")).when(a_text()).then(like(MessageWritten, amount=usd(100)))


# --- the ordinary course ---


def test_it_is_queued_for_the_first_address_claimed_and_sent():
    scenario = given(*OWING).when(a_text(subject="Your account"))
    scenario.then(
        like(
            MessageWritten, point_id="email-1", language="en", subject="Your account", amount=usd(100), queued_on=MAR(5)
        )
    )
    assert isinstance(scenario.outcome, Accepted)
    scenario.world.deliver()
    [sent] = scenario.world.events(MessageSent)
    assert (sent.step_id, sent.step_title, sent.channel) == (None, None, Channel.EMAIL)
    assert scenario.account.messages.under_way == {}


def test_it_is_about_what_is_past_due_and_not_held_back_or_about_all_where_nothing_is():
    scenario = given(
        an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(3)), an_invoice("C", due_on=MAR(20)), MAR(5),
        a_dispute("A"),
    ).when(a_text())  # fmt: skip
    [written] = scenario.world.events(MessageWritten)
    assert [each.item_id for each in written.items] == [invoice_id("B")]
    ahead = given(an_invoice("C", due_on=MAR(20)), MAR(5)).when(a_text())
    assert [each.item_id for each in ahead.world.events(MessageWritten)[0].items] == [invoice_id("C")]


def test_the_number_that_is_named_is_used_and_none_that_the_channel_cannot_use():
    phones = (a_phone(), a_phone(id="phone-2", number="+12125550101"))
    scenario = given(ChangeContactDetails(account_id=ACCOUNT, contact=contact(phones=phones)), MAR(5))
    scenario.when(a_text(channel=Channel.SMS, point_id="phone-2")).then(like(MessageWritten, point_id="phone-2"))
    scenario.when(a_text(channel=Channel.SMS, point_id="email-1")).then_refused("unknown-contact-point")


def test_the_same_command_again_queues_nothing():
    scenario = given(*OWING)
    [first, second] = [scenario.world.do(a_text(), command_id=OFFICE) for _ in range(2)]
    assert first == second
    assert len(scenario.world.events(MessageWritten)) == 1


# --- no sequence notices ---


def a_sequence(*meanwhile: Given) -> list[tuple[Any, str]]:
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(4)), *meanwhile, live(MAR(25)))
    return [each for each in scenario.world.sent() if each[1]]


def test_the_sequence_goes_on_as_if_nobody_had_written():
    assert a_sequence(a_text(), live(MAR(8)), a_text()) == a_sequence() != []


def test_it_changes_no_stage_and_takes_no_step():
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(4)))
    chase = scenario.account.chase
    before = (chase.stage, chase.scheduled, chase.engaged_on, chase.last_message_on)
    scenario.when(a_text()).then(MessageWritten)
    scenario.world.deliver()
    assert scenario.world.events(MessageSent)
    chase = scenario.account.chase
    assert (chase.stage, chase.scheduled, chase.engaged_on, chase.last_message_on) == before
    assert scenario.account.receivables.items[invoice_id()].steps == []


def test_one_that_fails_is_no_step_that_failed():
    scenario = given_auto_collection(a_campaign(), *WRITTEN)
    scenario.world.deliver(carrier="refuses")
    [failed] = scenario.world.events(MessageFailed)
    assert (failed.step_id, failed.plan_version) == (None, None)
    assert scenario.account.receivables.items[invoice_id()].place.failed == {}


def test_one_on_its_way_does_not_keep_the_account_in_a_sequence_that_is_over():
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(25)))
    assert scenario.account.chase.stage is Stage.FOLLOW_UP
    scenario.having(a_text()).when(JudgeCollection(account_id=ACCOUNT)).then_nothing_happened()


# --- what forbids it ---


def opt_out(channel: Channel = Channel.EMAIL) -> OptOutOfContact:
    return OptOutOfContact(account_id=ACCOUNT, channel=channel)


def a_customer(**more: Any) -> ChangeContactDetails:
    return ChangeContactDetails(account_id=ACCOUNT, contact=contact(**more))


def flagged(flag: str) -> SetFlag:
    return SetFlag(account_id=ACCOUNT, flag=flag)


NO_CONSENT = a_customer(phones=(a_phone(number="+12125550177", sms_consent=Consent.UNKNOWN),))

FORBIDDEN: list[tuple[Given, SendMessage, str]] = [
    (opt_out(), a_text(), "opted-out"),
    (NO_CONSENT, a_text(channel=Channel.SMS), "text-consent"),
    (a_customer(emails=()), a_text(), "no-contact-point"),
    (a_customer(time_zone="Pacific/Kiritimati"), a_text(), "hours-8-to-21"),
    (flagged("cease-contact"), a_text(channel=Channel.LETTER), "cease"),
    (flagged("bankruptcy"), a_text(), "bankruptcy"),
    (flagged("deceased"), a_text(channel=Channel.PORTAL), "deceased"),
]


@pytest.mark.parametrize("ignoring", [False, True], ids=["", "ignoring preferences"])
@pytest.mark.parametrize(("before", "text", "rule"), FORBIDDEN, ids=[rule for _, _, rule in FORBIDDEN])
def test_what_rules_wishes_and_law_forbid_nobody_lifts(before: Given, text: SendMessage, rule: str, ignoring: bool):
    scenario = given(*OWING, before).when(text.model_copy(update={"ignore_preferences": ignoring}))
    scenario.then_refused("contact-refused")
    assert rule in str(scenario.outcome)


def test_a_refusal_says_from_when_it_may_be_tried_again():
    scenario = given(*OWING, a_customer(time_zone="Pacific/Kiritimati")).when(a_text())
    assert "it may be tried again from 2026-03-05 18:00 UTC" in str(scenario.outcome)


def test_every_rule_that_refuses_is_named():
    early = a_customer(time_zone="Pacific/Kiritimati", preferred_channel=Channel.LETTER)
    scenario = given(*OWING, early, flagged("deceased")).when(a_text(ignore_preferences=True), reason="They asked")
    said = str(scenario.then_refused("contact-refused").outcome)
    assert "deceased: " in said
    assert "hours-8-to-21: " in said
    assert "tried again" not in said, "one of them does not end by itself"
    preferred = str(scenario.when(a_text()).then_refused("preferred-channel").outcome)
    assert "deceased: " in preferred
    assert "hours-8-to-21: " in preferred


PREFERS_LETTERS = a_customer(preferred_channel=Channel.LETTER)


def test_a_preference_holds_until_somebody_ignores_it_and_says_why():
    scenario = given(*OWING, PREFERS_LETTERS)
    scenario.when(a_text()).then_refused("preferred-channel")
    ignoring = a_text(ignore_preferences=True)
    scenario.when(ignoring, reason=None).then_refused("reason-required")
    scenario.when(ignoring, reason="She asked on the phone").then(like(MessageWritten, ignores_preferences=True))
    assert scenario.world.log[-1].meta.reason == "She asked on the phone"
    scenario.when(a_text(channel=Channel.LETTER)).then(MessageWritten)


@pytest.mark.parametrize(
    "not_about_it",
    [
        PauseOfficeAutomation(office_id=OFFICE),
        ExcludeAccount(account_id=ACCOUNT),
        flagged("legal"),
    ],
    ids=["office paused", "excluded", "a flag of the office"],
)
def test_what_stops_automation_does_not_stop_a_person(not_about_it: Command):
    scenario = given(*OWING, not_about_it).when(a_text()).then(MessageWritten)
    scenario.when(dispatch(scenario)).then(MessageDispatched)


# --- the last look before it leaves ---

MEANWHILE: list[tuple[Given, str]] = [
    (opt_out(), "opted-out"),
    (flagged("cease-contact"), "cease"),
    (a_customer(time_zone="Pacific/Kiritimati"), "hours-8-to-21"),
    (a_payment(usd(100), on=MAR(5)), "paid"),
    (MAR(6), "stale"),
]


@pytest.mark.parametrize("claimed", [False, True], ids=["before the claim", "before it is tried again"])
@pytest.mark.parametrize(("meanwhile", "code"), MEANWHILE, ids=[code for _, code in MEANWHILE])
def test_what_happened_meanwhile_is_seen_before_it_leaves(meanwhile: Given, code: str, claimed: bool):
    scenario = given(*WRITTEN)
    look: Command = dispatch(scenario)
    if claimed:
        scenario.having(look)
        look = ReconsiderMessage(**the_message(scenario))
    scenario.having(meanwhile).when(look)
    assert why_withdrawn(scenario) == [code]
    assert scenario.account.messages.under_way == {}


def test_who_owed_nothing_can_be_written_to():
    scenario = given(MAR(5)).when(a_text("Thank you for your call.")).then(like(MessageWritten, items=()))
    scenario.when(dispatch(scenario)).then(MessageDispatched)


# --- resolved by a person ---


def test_one_that_is_queued_is_taken_back_and_one_that_was_claimed_is_not():
    scenario = given(*WRITTEN)
    back = WithdrawMessage(**the_message(scenario))
    scenario.when(back).then_among_others(MessageWithdrawn)
    assert why_withdrawn(scenario) == ["taken-back"]
    scenario.when(back).then_refused("unknown-message")
    scenario.having(a_text())
    scenario.having(dispatch(scenario)).when(WithdrawMessage(**the_message(scenario))).then_refused("already-claimed")


def uncertain(*history: Given) -> Scenario:
    scenario = given_auto_collection(*history)
    scenario.having(dispatch(scenario))
    return scenario.having(ReportUncertain(**the_message(scenario)))


@pytest.mark.parametrize("outcome", MessageOutcome)
def test_a_person_says_what_became_of_an_uncertain_one(outcome: MessageOutcome):
    scenario = uncertain(*WRITTEN)
    resolve = ResolveMessage(**the_message(scenario), outcome=outcome)
    scenario.when(resolve, reason=None).then_refused("reason-required")
    sent_on = MAR(5) if outcome is MessageOutcome.SENT else None
    scenario.when(resolve).then(like(MessageResolved, step_id=None, was_sent=sent_on is not None, sent_on=sent_on))
    scenario.when(resolve).then_refused("unknown-message")


def test_only_an_uncertain_one_is_resolved():
    scenario = given(*WRITTEN)
    resolve = ResolveMessage(**the_message(scenario), outcome=MessageOutcome.SENT)
    scenario.when(resolve).then_refused("not-uncertain")
    scenario.having(dispatch(scenario)).when(resolve).then_refused("not-uncertain")


def queued_at_nine(world: World) -> None:
    world.live(world.at(world.today, 9), delivering=False)


STEP: tuple[Given, ...] = (a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(4)), MAR(5), queued_at_nine)


def test_a_step_that_left_counts_and_one_that_did_not_has_failed():
    left = uncertain(*STEP)
    left.having(ResolveMessage(**the_message(left), outcome=MessageOutcome.SENT))
    assert left.account.chase.engaged_on == MAR(5)
    assert left.account.receivables.items[invoice_id()].steps == ["friendly"]
    stayed = uncertain(*STEP)
    assert stayed.world.events(MessageUncertain)
    stayed.having(ResolveMessage(**the_message(stayed), outcome=MessageOutcome.NOT_SENT))
    item = stayed.account.receivables.items[invoice_id()]
    assert (item.steps, item.place.failed, stayed.account.chase.engaged_on) == ([], {"friendly": 1}, None)


# --- text that is none ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ amount_du }}", "amount_due"),
        ("{{ ''.__class__.__mro__ }}", "placeholder"),
        ("{% include '/etc/passwd' %}", "include"),
        ("{{ 9**9 }}", "calculation"),
        ("{{ cycler.__init__.__globals__ }}", "placeholder"),
        ("{% if amount_due %}", "line 1"),
        ("{{", "line 1"),
    ],
)
def test_a_text_that_cannot_be_filled_in_is_refused(text: str, expected: str):
    scenario = given(*OWING).when(a_text(text)).then_refused("faulty-text")
    assert expected in str(scenario.outcome)


@pytest.mark.parametrize(
    "said",
    [
        {"text": ""},
        {"text": " \n "},
        {"text": "a\x00b"},
        {"text": "a\x1b[31mb"},
        {"text": "\ud800"},
        {"text": "x" * 1_000_000},
        {"subject": "One\r\nBcc: eve@example.org"},
        {"subject": "One\nTwo"},
        {"subject": "One\u2028Two"},
        {"subject": "x" * 201},
        {"subject": ""},
        {"channel": Channel.SMS, "subject": "None of a text"},
    ],
    ids=str,
)
def test_what_no_message_can_be_is_no_command(said: dict[str, Any]):
    with pytest.raises(ValidationError):
        a_text(**said)


@pytest.mark.parametrize("text", ["שלום, נא להתקשר אלינו", "Bitte zahlen 🙏", "two\r\nlines\tand a tab"])
def test_any_script_and_several_lines_are_text(text: str):
    [written] = given(*OWING).when(a_text(text)).world.events(MessageWritten)
    assert written.body == text.replace("\r\n", "\n")

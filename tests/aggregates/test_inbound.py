"""Messages of customers, and what carriers report of ours: facts, and what follows for the number or address."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from aggregates.account import Account
from aggregates.account.command import account_id
from aggregates.account.contact import ConsentRecorded, OptedIn, OptInToContact
from aggregates.account.contact_history import ContactFactRecorded, ContactFactWithdrawn
from aggregates.account.inbound import (
    Incoming,
    MarkMessageRead,
    MessageRead,
    MessageReceived,
    Receipt,
    ReceiptRecorded,
    ReceiveMessage,
    RecordReceipt,
)
from aggregates.account.messages import (
    DispatchMessage,
    MessageDispatched,
    MessageResolved,
    MessageSent,
    MessageState,
    MessageUncertain,
    MessageWithdrawn,
    MessageWritten,
    ReportSent,
    ReportUncertain,
)
from aggregates.account.writing import SendMessage
from aggregates.kernel.command import Accepted, Rejected, identifier
from aggregates.office import ChangeOfficeSettings
from aggregates.values.contact import Channel, Consent, ContactDetails, EmailAddress
from aggregates.values.contact_record import Purpose
from aggregates.values.contact_settings import ContactSettings
from aggregates.values.stop_words import Request
from tests.builders import ACCOUNT, JAN, MAR, OFFICE, a_campaign, a_phone, a_step, an_account, an_invoice
from tests.given import Scenario, given, like

NUMBER = "+1 212 555 0199"
E164 = "+12125550199"
ADDRESS = "anna@example.com"
B = account_id(OFFICE, "B-1")


def ways(consent: Consent) -> ContactDetails:
    return ContactDetails(
        phones=(a_phone(id="phone-1", number=NUMBER, sms_consent=consent),),
        emails=(EmailAddress(id="email-1", address=ADDRESS),),
    )


def a_text(text: str, *, sender: str = E164, **more: Any) -> ReceiveMessage:
    return ReceiveMessage(account_id=ACCOUNT, channel=Incoming.SMS, sender=sender, text=text, **more)


def a_mail(text: str, *, sender: str = ADDRESS, **more: Any) -> ReceiveMessage:
    return ReceiveMessage(account_id=ACCOUNT, channel=Incoming.EMAIL, sender=sender, text=text, **more)


def somebody(*more: Any) -> Scenario:
    """Two people share a number and an address: A and B are no accounts of one customer."""
    other = an_account(number="B-1", customer_name="Bert Beige", contact=ways(Consent.GIVEN))
    scenario = given(an_account(contact=ways(Consent.UNKNOWN)), other, *more)
    scenario.world.move_to(MAR(3))
    scenario.world.reacts = True
    scenario.world.react()
    return scenario


def opted_out(scenario: Scenario, account: UUID = ACCOUNT, channel: Channel = Channel.SMS) -> bool:
    point = "email-1" if channel is Channel.EMAIL else "phone-1"
    return scenario.world.get(Account, account).contact.has_opted_out(channel, point)


def confirmations(scenario: Scenario) -> list[MessageWritten]:
    return [each for each in scenario.world.events(MessageWritten) if each.purpose is Purpose.OPT_OUT_CONFIRMATION]


# --- stop ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "channel"), [(a_text, Channel.SMS), (a_mail, Channel.EMAIL)])
def test_stop_on_one_account_stops_every_account_that_has_the_number(command: Any, channel: Channel) -> None:
    scenario = somebody().when(command("STOP", shared_with=(B,)))
    assert opted_out(scenario, ACCOUNT, channel)
    assert opted_out(scenario, B, channel)
    [confirmation] = confirmations(scenario)
    assert confirmation.channel is channel
    assert (confirmation.subject is None) == (channel is Channel.SMS)


def test_the_confirmation_leaves_although_the_customer_opted_out_and_nothing_else_does() -> None:
    scenario = somebody().when(a_text("Stop, please."))
    scenario.world.deliver()
    assert [each.body for each in scenario.world.events(MessageSent)] == ["text"]
    assert not scenario.world.events(MessageWithdrawn)
    scenario.when(SendMessage(account_id=ACCOUNT, channel=Channel.SMS, text="once more")).then_refused(
        "contact-refused"
    )


@pytest.mark.parametrize("delivered_between", [True, False])
def test_a_second_stop_is_a_fact_and_confirmed_no_second_time(delivered_between: bool) -> None:
    scenario = somebody().when(a_text("STOP"))
    if delivered_between:
        scenario.world.deliver()
    scenario.when(a_text("stop!"))
    scenario.world.deliver()
    assert len(scenario.world.events(MessageReceived)) == 2
    assert len(confirmations(scenario)) == len(scenario.world.events(MessageSent)) == 1


def test_a_confirmation_whose_sender_died_is_uncertain_and_made_no_second_time() -> None:
    scenario = somebody().when(a_text("STOP"))
    scenario.world.deliver(carrier="dies")
    scenario.when(a_text("STOP"))
    scenario.world.deliver()
    assert len(confirmations(scenario)) == 1
    assert not scenario.world.events(MessageSent)
    assert [each.state for each in scenario.account.messages.under_way.values()] == [MessageState.UNCERTAIN]


def test_the_same_message_twice_is_one_fact() -> None:
    scenario, once = somebody(), identifier("twilio", "SM1")
    for _ in range(2):
        scenario.when(a_text("STOP", source="twilio", source_id="SM1"), command_id=once)
        assert isinstance(scenario.outcome, Accepted)
    assert len(scenario.world.events(MessageReceived)) == len(confirmations(scenario)) == 1


def test_a_carrier_that_confirmed_leaves_nothing_to_confirm() -> None:
    assert not confirmations(somebody().when(a_text("STOP", is_confirmed=True)))


def test_a_confirmation_that_would_be_late_at_night_is_not_sent() -> None:
    scenario = somebody()
    scenario.when(a_text("STOP"), at=scenario.world.at(MAR(3), 23))
    assert opted_out(scenario)
    assert not confirmations(scenario)


def test_start_gives_consent_back_as_recorded_facts_on_every_account() -> None:
    scenario = somebody().when(a_text("STOP", shared_with=(B,)))
    scenario.when(a_text("START", shared_with=(B,)), at=scenario.world.now + timedelta(hours=1))
    scenario.then_among_others(OptedIn, like(ConsentRecorded, consent=Consent.GIVEN), ContactFactRecorded)
    assert not opted_out(scenario)
    assert not opted_out(scenario, B)
    scenario.when(SendMessage(account_id=ACCOUNT, channel=Channel.SMS, text="as you wish"))
    assert isinstance(scenario.outcome, Accepted)


def test_a_stop_of_another_medium_is_for_a_person_to_read() -> None:
    scenario = somebody().when(a_text("Stop calling me"))
    scenario.then_among_others(like(MessageReceived, request=Request.UNCLEAR, is_to_read=True))
    somebody().when(a_text("Stop texting me")).then_among_others(like(MessageReceived, request=Request.STOP))


def test_a_stop_after_a_start_is_confirmed_again() -> None:
    scenario = somebody().when(a_text("STOP"))
    scenario.world.deliver()
    scenario.when(a_text("START"), at=scenario.world.now + timedelta(minutes=10))
    scenario.when(a_text("STOP"), at=scenario.world.now + timedelta(minutes=10))
    scenario.world.deliver()
    assert len(confirmations(scenario)) == len(scenario.world.events(MessageSent)) == 2


def test_what_is_quoted_of_our_own_line_is_no_stop() -> None:
    scenario = somebody().when(a_mail("Paid.\n> To stop e-mails to this address, reply with UNSUBSCRIBE."))
    assert not opted_out(scenario, channel=Channel.EMAIL)
    assert scenario.world.events(MessageReceived)[0].request is None


def test_an_answer_from_another_address_stops_the_one_that_was_written_to() -> None:
    scenario = somebody().when(SendMessage(account_id=ACCOUNT, channel=Channel.EMAIL, subject="You", text="owe"))
    scenario.world.deliver()
    [sent] = scenario.world.events(MessageSent)
    scenario.when(a_mail("unsubscribe", sender="other@example.net", in_reply_to=sent.message_id))
    assert opted_out(scenario, channel=Channel.EMAIL)


OTHER = "other@example.net"


def an_answer_from_elsewhere(text: str) -> Scenario:
    """B has the address that A was written to; the answer comes from one that nobody has."""
    scenario = somebody().when(SendMessage(account_id=ACCOUNT, channel=Channel.EMAIL, subject="You", text="owe"))
    scenario.world.deliver()
    [sent] = scenario.world.events(MessageSent)
    return scenario.when(a_mail(text, sender=OTHER, in_reply_to=sent.message_id, shared_with=(B,)))


def test_a_stop_from_another_address_stops_the_one_that_was_written_to_on_every_account() -> None:
    scenario = an_answer_from_elsewhere("unsubscribe")
    assert opted_out(scenario, channel=Channel.EMAIL)
    assert opted_out(scenario, B, channel=Channel.EMAIL)
    said = [each.fact.address for each in scenario.world.history(B) if isinstance(each, ContactFactRecorded)]
    assert said == [ADDRESS]


def test_a_start_from_another_address_is_no_consent_of_the_one_that_was_written_to() -> None:
    scenario = an_answer_from_elsewhere("unsubscribe")
    [sent] = [each for each in scenario.world.events(MessageSent) if each.channel is Channel.EMAIL][:1]
    scenario.when(
        a_mail("START", sender=OTHER, in_reply_to=sent.message_id, shared_with=(B,)),
        at=scenario.world.now + timedelta(hours=1),
    )
    assert scenario.world.events(MessageReceived)[-1].request is Request.START
    assert opted_out(scenario, channel=Channel.EMAIL)
    assert opted_out(scenario, B, channel=Channel.EMAIL)
    assert not scenario.world.events(OptedIn)


@pytest.mark.parametrize("stops", [True, False])
def test_a_persons_word_on_an_answer_is_about_the_address_that_was_written_to_too(stops: bool) -> None:
    scenario = an_answer_from_elsewhere("leave me alone")
    [received] = scenario.world.events(MessageReceived)
    scenario.when(MarkMessageRead(account_id=ACCOUNT, inbound_id=received.inbound_id, stops=stops))
    for account in (ACCOUNT, B):
        assert opted_out(scenario, account, channel=Channel.EMAIL) is stops
        write = SendMessage(account_id=account, channel=Channel.EMAIL, subject="You", text="owe")
        assert isinstance(scenario.when(write).outcome, Rejected if stops else Accepted)


# --- reading -------------------------------------------------------------------------------------------


def test_what_may_be_a_stop_rests_until_a_person_has_read_it() -> None:
    scenario = somebody().when(a_text("I will stop by on Monday", shared_with=(B,)))
    [received] = scenario.world.events(MessageReceived)
    assert received.request is Request.UNCLEAR
    write = SendMessage(account_id=ACCOUNT, channel=Channel.SMS, text="good")
    scenario.when(write).then_refused("contact-refused")
    scenario.when(write.model_copy(update={"account_id": B})).then_refused("contact-refused")
    read = MarkMessageRead(account_id=ACCOUNT, inbound_id=received.inbound_id)
    scenario.when(read).then_refused("stop-undecided")
    scenario.when(read.model_copy(update={"stops": False})).then_among_others(MessageRead, ContactFactWithdrawn)
    for account in (ACCOUNT, B):
        assert isinstance(scenario.when(write.model_copy(update={"account_id": account})).outcome, Accepted)


def test_a_person_says_that_it_is_a_stop() -> None:
    scenario = somebody().when(a_text("leave me alone", shared_with=(B,)))
    [received] = scenario.world.events(MessageReceived)
    scenario.when(MarkMessageRead(account_id=ACCOUNT, inbound_id=received.inbound_id, stops=True))
    assert opted_out(scenario)
    assert opted_out(scenario, B)


def chased(*more: Any) -> Scenario:
    """An account that a campaign writes to."""
    scenario = somebody(*more, a_campaign(a_step("one", 1), a_step("two", 60)), an_invoice(due_on=JAN(5)))
    scenario.world.react()
    return scenario


def why(scenario: Scenario) -> str | None:
    judged = scenario.account.chase.why
    return None if judged is None else judged.code


def test_a_reply_pauses_the_sequence_until_a_person_has_read_it() -> None:
    scenario = chased().when(a_text("I paid on Friday"))
    assert why(scenario) == "reply"
    [received] = scenario.world.events(MessageReceived)
    read = MarkMessageRead(account_id=ACCOUNT, inbound_id=received.inbound_id)
    scenario.when(read)
    assert why(scenario) != "reply"
    scenario.when(read).then_refused("unknown-inbound-message")


def test_an_office_may_go_on_while_a_reply_waits() -> None:
    scenario = chased().when(ChangeOfficeSettings(office_id=OFFICE, contact=ContactSettings(replies_pause=False)))
    scenario.when(a_text("I paid on Friday"))
    assert why(scenario) != "reply"
    assert scenario.account.inbound.to_read


def test_a_note_of_absence_pauses_nothing_and_opts_nobody_out() -> None:
    scenario = chased().when(a_mail("I am away. Unsubscribe", is_automatic=True))
    assert why(scenario) != "reply"
    assert not scenario.account.inbound.to_read
    assert not opted_out(scenario, channel=Channel.EMAIL)


def test_a_stop_that_a_list_or_a_mail_program_passes_on_is_heeded() -> None:
    scenario = chased().when(a_mail("Unsubscribe", is_automatic=True))
    assert opted_out(scenario, channel=Channel.EMAIL)


def test_the_customers_own_text_is_consent_to_texts_for_sixty_days() -> None:
    third = ContactSettings.model_validate({"role": "third_party", "rules": {"text-within-60-days": {"on": True}}})
    scenario = somebody(ChangeOfficeSettings(office_id=OFFICE, contact=third))
    write = SendMessage(account_id=ACCOUNT, channel=Channel.SMS, text="good")
    scenario.when(write).then_refused("contact-refused")
    scenario.when(a_text("hello there, it is me"))
    assert isinstance(scenario.when(write).outcome, Accepted)
    late = scenario.when(write, at=MAR(3) + timedelta(days=61)).outcome
    assert isinstance(late, Rejected)
    assert "text-within-60-days" in late.detail


# --- receipts ------------------------------------------------------------------------------------------


def a_sent(scenario: Scenario, channel: Channel = Channel.EMAIL) -> UUID:
    subject = "You" if channel is Channel.EMAIL else None
    scenario.when(SendMessage(account_id=ACCOUNT, channel=channel, subject=subject, text="owe"))
    [written] = [each for each in scenario.new if isinstance(each, MessageWritten)]
    return written.message_id


def a_receipt(message_id: UUID, receipt: Receipt, channel: Channel = Channel.EMAIL, **more: Any) -> RecordReceipt:
    return RecordReceipt.model_validate(
        {"account_id": ACCOUNT, "message_id": message_id, "channel": channel, "receipt": receipt, **more}
    )


@pytest.mark.parametrize("receipt", [Receipt.HARD_BOUNCED, Receipt.COMPLAINED])
def test_a_bounce_or_complaint_opts_the_address_out_on_every_account(receipt: Receipt) -> None:
    scenario = somebody()
    message_id = a_sent(scenario)
    scenario.world.deliver()
    scenario.when(a_receipt(message_id, receipt, at=scenario.world.now, shared_with=(B,)))
    assert opted_out(scenario, channel=Channel.EMAIL)
    assert opted_out(scenario, B, channel=Channel.EMAIL)
    assert not opted_out(scenario, channel=Channel.SMS)
    assert not confirmations(scenario)


def test_a_number_that_is_not_in_service_is_retired_on_every_account() -> None:
    scenario = somebody().when(a_text("hello, it is me"))
    message_id = a_sent(scenario, Channel.SMS)
    scenario.world.deliver()
    scenario.when(a_receipt(message_id, Receipt.NOT_IN_SERVICE, Channel.SMS, at=scenario.world.now, shared_with=(B,)))
    for account in (ACCOUNT, B):
        assert scenario.world.get(Account, account).contact_history.is_retired(Channel.VOICE, "phone-1")


@pytest.mark.parametrize("receipt", [Receipt.DELIVERED, Receipt.SOFT_BOUNCED, Receipt.FAILED])
def test_other_receipts_are_facts_and_no_more(receipt: Receipt) -> None:
    scenario = somebody()
    message_id = a_sent(scenario)
    scenario.world.deliver()
    scenario.when(a_receipt(message_id, receipt, at=scenario.world.now)).then(like(ReceiptRecorded, receipt=receipt))


def test_a_receipt_may_come_before_the_sender_has_said_that_it_left() -> None:
    scenario = somebody()
    message_id = a_sent(scenario)
    scenario.when(DispatchMessage(account_id=ACCOUNT, message_id=message_id)).then(MessageDispatched)
    scenario.when(a_receipt(message_id, Receipt.HARD_BOUNCED, at=scenario.world.now))
    assert opted_out(scenario, channel=Channel.EMAIL)
    sent = ReportSent(
        account_id=ACCOUNT, message_id=message_id, body="text", body_sha256="0" * 64, sent_at=scenario.world.now
    )
    scenario.when(sent).then_among_others(MessageSent)


@pytest.mark.parametrize(("receipt", "left"), [(Receipt.DELIVERED, True), (Receipt.FAILED, False)])
def test_a_carriers_receipt_says_what_became_of_an_uncertain_message(receipt: Receipt, left: bool) -> None:
    scenario = somebody()
    message_id = a_sent(scenario)
    scenario.when(DispatchMessage(account_id=ACCOUNT, message_id=message_id))
    scenario.when(ReportUncertain(account_id=ACCOUNT, message_id=message_id))
    scenario.when(a_receipt(message_id, receipt, at=scenario.world.now))
    scenario.then_among_others(ReceiptRecorded, like(MessageResolved, message_id=message_id, was_sent=left))


@pytest.mark.parametrize(
    ("receipts", "left"),
    [([Receipt.DELIVERED], True), ([Receipt.FAILED], False), ([Receipt.HARD_BOUNCED, Receipt.FAILED], True)],
)
def test_a_receipt_that_came_before_nobody_knew_says_what_became_of_it(receipts: list[Receipt], left: bool) -> None:
    scenario = somebody()
    message_id = a_sent(scenario)
    scenario.when(DispatchMessage(account_id=ACCOUNT, message_id=message_id))
    for receipt in receipts:
        scenario.when(a_receipt(message_id, receipt, at=scenario.world.now))
    scenario.when(ReportUncertain(account_id=ACCOUNT, message_id=message_id))
    scenario.then_among_others(MessageUncertain, like(MessageResolved, message_id=message_id, was_sent=left))


# --- what is refused -----------------------------------------------------------------------------------


def test_a_message_of_tomorrow_is_refused() -> None:
    scenario = somebody()
    scenario.when(a_text("hello", received_at=scenario.world.now + timedelta(days=1))).then_refused("future-contact")


def test_whoever_opts_in_by_hand_may_be_written_to_once_the_revocation_is_withdrawn() -> None:
    """Both stand: the wish of the number, and that consent was revoked in writing."""
    scenario = somebody().when(a_text("STOP"))
    scenario.when(OptInToContact(account_id=ACCOUNT, channel=Channel.SMS, point_id="phone-1"))
    scenario.when(SendMessage(account_id=ACCOUNT, channel=Channel.SMS, text="x")).then_refused("contact-refused")

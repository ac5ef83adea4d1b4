"""What comes from the customer: messages, and what carriers report of ours. What either says of a number or address
holds on every account that has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from aggregates.account.command import SHARED, AccountCommand
from aggregates.account.contact import Contact
from aggregates.account.contact_history import ContactFact, ContactHistory, FactKind, in_one_spelling
from aggregates.account.customer import Customer
from aggregates.account.messages import Messages, MessageWritten
from aggregates.account.part import AccountPart
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.account.writing import in_a_line, in_lines
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.command import identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import ERASED, Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.office import Office
from aggregates.values.business_time import local_date
from aggregates.values.codes import Code
from aggregates.values.contact import Allowed, Channel, ContactAttempt
from aggregates.values.contact_record import Entry, Medium, Purpose
from aggregates.values.money import Money
from aggregates.values.stop_words import Request, media_named, request_in, without_quotes

# --- values ------------------------------------------------------------------------------------------


class Incoming(StrEnum):
    """The channels by which customers write."""

    SMS = "sms"
    EMAIL = "email"

    @property
    def channel(self) -> Channel:
        return Channel(self.value)


MEDIUM: Mapping[Incoming, Medium] = {Incoming.SMS: Medium.SMS, Incoming.EMAIL: Medium.EMAIL}


class Receipt(StrEnum):
    """What a carrier reports of a message that it took."""

    DELIVERED = "delivered"
    SOFT_BOUNCED = "soft-bounced"
    """It did not arrive, for a reason that may pass."""
    HARD_BOUNCED = "hard-bounced"
    """The address takes no mail, or the number no texts, for good."""
    NOT_IN_SERVICE = "not-in-service"
    """The number is nobody's."""
    COMPLAINED = "complained"
    """Whoever got it calls it spam."""
    FAILED = "failed"
    """It did not leave, or did not arrive, and the number or address is not to blame."""


_SENT = frozenset(Receipt) - {Receipt.FAILED}


class Wish(StrEnum):
    """What follows for a number or address, from what its holder wrote or a carrier reported."""

    STOP = "stop"
    START = "start"
    UNCLEAR = "unclear"
    """It may be a stop: a person has to say."""
    CLEARED = "cleared"
    """A person says that it is none."""
    REFUSED = "refused"
    """A person recorded it."""
    UNREACHABLE = "unreachable"
    NOT_IN_SERVICE = "not-in-service"


_REQUESTED: Mapping[Request, Wish] = {
    Request.STOP: Wish.STOP,
    Request.START: Wish.START,
    Request.UNCLEAR: Wish.UNCLEAR,
}
_REPORTED: Mapping[Receipt, Wish] = {
    Receipt.HARD_BOUNCED: Wish.UNREACHABLE,
    Receipt.COMPLAINED: Wish.UNREACHABLE,
    Receipt.NOT_IN_SERVICE: Wish.NOT_IN_SERVICE,
}

CONFIRMATIONS: Mapping[Channel, Mapping[str, tuple[str | None, str]]] = {
    Channel.SMS: {
        "en": (None, "{{ office }}: you have opted out. No more texts will be sent to this number."),
        "es": (None, "{{ office }}: se ha dado de baja. No se enviarán más mensajes a este número."),
    },
    Channel.EMAIL: {
        "en": ("You have opted out", "You have opted out. {{ office }} will send no more e-mails to this address."),
        "es": ("Se ha dado de baja", "Se ha dado de baja. {{ office }} no enviará más correos a esta dirección."),
    },
}
"""The one confirmation of an opt-out: subject and text, by language. It advertises nothing (47 CFR 64.1200(a)(12))."""
_LONGEST_TITLE = 50
"""Characters of an office's title that fit into a confirmation by SMS."""


class ToRead(Value):
    """A message of the customer's that no person has read."""

    channel: Incoming
    sender: Personal
    received_at: AwareDatetime
    may_stop: bool
    """It may be an opt-out, so whoever reads it has to say."""
    shared_with: tuple[UUID, ...]
    answered: Personal | None = None
    """Where ours went that it answers, if that is another number or address than its sender's."""


# --- events ------------------------------------------------------------------------------------------


class MessageReceived(Event, name="account.message-received"):
    """The customer wrote: a text message or an e-mail came in, or a person heard of one."""

    inbound_id: UUID
    channel: Incoming
    sender: Personal
    """The number or address that it came from, in one spelling."""
    point_id: str | None
    """Where that stands among the account's own; None: it is none of them."""
    subject: Personal | None
    body: Personal
    received_at: AwareDatetime
    received_on: date
    """The office's local date."""
    in_reply_to: UUID | None
    """Our message that it answers."""
    request: Request | None
    """What its words ask for."""
    is_automatic: bool
    """A machine wrote it, such as a note of absence."""
    is_to_read: bool
    """A person has to read it; by the office's setting the chase rests until then."""
    source: Code | None
    """What it came through; None: a person recorded it."""
    source_id: Personal | None
    """By which the source knows it."""
    shared_with: tuple[UUID, ...]
    """Other accounts that have the number or address, or the one that ours had been sent to."""
    answered: Annotated[Personal | None, LATER] = None
    """Where ours went that it answers, if that is another number or address than its sender's: what it asks for holds
    of both."""


class MessageRead(Event, name="account.message-read"):
    """A person read a message of the customer's and dealt with it."""

    inbound_id: UUID
    channel: Incoming
    sender: Personal
    stops: bool | None
    """Of one that might have been an opt-out, whether it is one."""
    shared_with: tuple[UUID, ...]
    answered: Annotated[Personal | None, LATER] = None
    """Where ours went that it answers, if that is another number or address than its sender's."""


class ReceiptRecorded(Event, name="account.receipt-recorded"):
    """A carrier reported what became of a message that it took, or what it says of the number or address of one that it
    refused."""

    message_id: UUID
    channel: Channel
    receipt: Receipt
    code: str | None
    """The carrier's own."""
    detail: Personal | None
    """In the carrier's words."""
    point: Personal | None
    """The number or address that it is about, in one spelling."""
    at: AwareDatetime
    shared_with: tuple[UUID, ...]
    """Other accounts that have the number or address."""


# --- commands ----------------------------------------------------------------------------------------


class ReceiveMessage(AccountCommand, name="receive-message", makes="inbound-message", **SHARED):
    """Record a message of the customer's. A word such as STOP is honoured at once, for the number or address on every
    account; without one the chase rests until a person has read it, if the office's setting says so."""

    channel: Incoming
    sender: Annotated[Personal, Field(min_length=1, max_length=320), AfterValidator(in_a_line)]
    """The number or address that it came from."""
    text: Annotated[Personal, Field(max_length=20_000), AfterValidator(in_lines)]
    subject: Annotated[Personal, Field(min_length=1, max_length=998), AfterValidator(in_a_line)] | None = None
    received_at: AwareDatetime | None = None
    """None: now."""
    in_reply_to: UUID | None = None
    """Our message that it answers."""
    is_automatic: bool = False
    is_confirmed: bool = False
    """The carrier has confirmed the opt-out that it asks for."""
    source: Code | None = None
    source_id: Annotated[Personal, Field(max_length=998)] | None = None
    shared_with: tuple[UUID, ...] = Field((), max_length=2_000)


class MarkMessageRead(AccountCommand, name="mark-message-read", **SHARED):
    """A message of the customer's was read and dealt with; the chase goes on. Of one that might be an opt-out, say
    whether it is."""

    inbound_id: UUID
    stops: bool | None = None


class RecordReceipt(AccountCommand, name="record-receipt", internal=True, sees=("office", "campaign", "account"),
                    reaches=("account",)):  # fmt: skip
    """A carrier reported what became of a message."""

    message_id: UUID
    channel: Channel
    receipt: Receipt
    code: str | None = None
    detail: Personal | None = None
    point: Personal | None = None
    at: AwareDatetime
    shared_with: tuple[UUID, ...] = ()


class HeedPoint(AccountCommand, name="heed-point", internal=True, **SHARED):
    """What was said on another account of a number or address holds for this one, which has it too."""

    fact_id: UUID
    channel: Channel
    point: Personal
    wish: Wish
    at: AwareDatetime

    def fact(self, kind: FactKind, **more: Any) -> ContactFact:
        """What is kept of it, of the number or address."""
        where = "address" if self.channel is Channel.EMAIL else "number"
        return ContactFact.model_validate({"kind": kind, "at": self.at, where: self.point, **more})


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Inbound(AccountPart):
    """The customer's messages that nobody has read, and what messages and receipts say of numbers and addresses."""

    to_read: dict[UUID, ToRead] = field(default_factory=dict)

    customer: ClassVar = Needs(Customer)
    contact: ClassVar = Needs(Contact)
    history: ClassVar = Needs(ContactHistory)
    messages: ClassVar = Needs(Messages)

    def shields(self, office: Office) -> list[Shield]:
        """The chase rests while a message of the customer's waits for somebody to read it."""
        if not self.to_read or office.contact.replies_pause is False:
            return []
        count = len(self.to_read)
        said = "a message of the customer's is" if count == 1 else f"{count} messages of the customer's are"
        return [Shield(ShieldSource.REPLY, Why(code="reply", detail=f"{said} to be read"))]

    @decides(ReceiveMessage)
    def receive(self, command: ReceiveMessage, context: Context) -> None:
        self.require_account()
        at = command.received_at or context.now
        if at > context.now:
            raise Refusal("future-contact", "received_at: expected now, or an earlier moment")
        channel = command.channel.channel
        sender = in_one_spelling(channel, command.sender, self.contact.country)
        request = _request(command)
        answered = self._answered(command, sender)
        if command.is_automatic and request is not Request.STOP:
            request = None  # a machine asks for nothing, but may carry a STOP: a list, or our own List-Unsubscribe
        point_id = next(iter(self.contact.ids_of(channel, sender)), None)
        inbound_id = command.made_id(context.command_id)
        received_on = local_date(at, self.customer.office(context).zone)
        self.emit(
            MessageReceived(
                inbound_id=inbound_id,
                channel=command.channel,
                sender=sender,
                point_id=point_id,
                subject=command.subject,
                body=command.text,
                received_at=at,
                received_on=received_on,
                in_reply_to=command.in_reply_to,
                request=request,
                is_automatic=command.is_automatic,
                is_to_read=not command.is_automatic and request not in (Request.STOP, Request.START),
                source=command.source,
                source_id=command.source_id,
                shared_with=command.shared_with,
                answered=answered,
            ),
            effective_on=received_on,
        )
        if request is None:
            return
        said = partial(self._said, inbound_id, channel, wish=_REQUESTED[request], at=at)
        points = _points(sender, answered if request is not Request.START else None)
        new = [each for point in points for each in self._heed(said(point), context)]
        if request is Request.STOP and new and not command.is_confirmed:
            self._confirm(inbound_id, channel, new[0], context)

    def _answered(self, command: ReceiveMessage, sender: str) -> str | None:
        """Where ours went that it answers, in one spelling, if that is not where it comes from."""
        ours = self.history.contacts.get(command.in_reply_to) if command.in_reply_to is not None else None
        if ours is None or ours.to is None or ours.channel is not MEDIUM[command.channel]:
            return None
        return ours.to if ours.to not in (sender, ERASED) else None

    def _said(self, fact_id: UUID, channel: Channel, point: str, *, wish: Wish, at: datetime) -> HeedPoint:
        return HeedPoint(account_id=self.whole.id, fact_id=fact_id, channel=channel, point=point, wish=wish, at=at)

    def _heed(self, said: HeedPoint, context: Context) -> list[str]:
        """What follows here and on the customer's other accounts; the points that are opted out by it and were not
        before."""
        channel, point, wish = said.channel, said.point, said.wish
        unclear = identifier("revocation", said.fact_id, point, Wish.UNCLEAR)
        match wish:
            case Wish.STOP | Wish.UNCLEAR:
                is_clear = wish is Wish.STOP
                new = self.contact.stop(channel, point, context) if is_clear else []
                if is_clear:
                    self.history.withdraw(unclear, context)
                fact = said.fact(FactKind.REVOCATION, clear=is_clear)
                self.history.record(identifier("revocation", said.fact_id, point, wish), fact, context)
                return new
            case Wish.START:
                self.contact.start_again(channel, point, context)
                fact = said.fact(FactKind.CONSENT, channel=channel)
                self.history.record(identifier("consent", said.fact_id, point), fact, context)
            case Wish.CLEARED:
                self.history.withdraw(unclear, context)
            case Wish.REFUSED | Wish.UNREACHABLE:
                return self.contact.stop(channel, point, context)
            case Wish.NOT_IN_SERVICE:
                self.history.retire_number(identifier("not-in-service", said.fact_id), point, context)
        return []

    def _confirm(self, inbound_id: UUID, channel: Channel, point_id: str, context: Context) -> None:
        """The one confirmation, by the medium that is refused now: with this opt-out or not at all."""
        attempt = ContactAttempt(channel, point_id, context.now, purpose=Purpose.OPT_OUT_CONFIRMATION)
        if not isinstance(self.history.verdict(attempt, context), Allowed):
            return
        language = self.contact.details.language
        texts = CONFIRMATIONS[channel]
        in_language = language if language in texts else language.partition("-")[0]
        in_language = in_language if in_language in texts else "en"
        subject, body = texts[in_language]
        title = self.customer.office(context).title
        self.emit(
            MessageWritten(
                message_id=identifier("opt-out-confirmation", inbound_id),
                channel=channel,
                point_id=point_id,
                language=in_language,
                subject=subject,
                body=body if len(title) <= _LONGEST_TITLE else body.replace("{{ office }}: ", ""),
                template_id=None,
                template_version=None,
                ignores_preferences=True,
                items=(),
                amount=Money.zero(self.customer.currency),
                queued_at=context.now,
                queued_on=context.today,
                purpose=Purpose.OPT_OUT_CONFIRMATION,
            )
        )

    @decides(MarkMessageRead)
    def mark_read(self, command: MarkMessageRead, context: Context) -> None:
        self.require_account()
        message = self.to_read.get(command.inbound_id)
        if message is None:
            raise Refusal("unknown-inbound-message", "no such message of the customer's is to be read")
        if message.may_stop and command.stops is None:
            raise Refusal("stop-undecided", "stops: expected, because the message may ask for no more messages")
        self.emit(
            MessageRead(
                inbound_id=command.inbound_id,
                channel=message.channel,
                sender=message.sender,
                stops=command.stops,
                shared_with=message.shared_with,
                answered=message.answered,
            )
        )
        if (wish := wish_of(command.stops)) is not None:
            channel = message.channel.channel
            for point in _points(message.sender, message.answered):
                self._heed(self._said(command.inbound_id, channel, point, wish=wish, at=context.now), context)

    @decides(RecordReceipt)
    def record_receipt(self, command: RecordReceipt, context: Context) -> None:
        self.require_account()
        point = command.point or self._point_of(command.message_id, command.channel)
        self.emit(
            ReceiptRecorded(
                message_id=command.message_id,
                channel=command.channel,
                receipt=command.receipt,
                code=command.code,
                detail=command.detail,
                point=point,
                at=command.at,
                shared_with=command.shared_with,
            )
        )
        self.messages.settle(command.message_id, context, was_sent=command.receipt in _SENT)
        wish = _REPORTED.get(command.receipt)
        if wish is not None and point is not None:
            self._heed(self._said(command.message_id, command.channel, point, wish=wish, at=command.at), context)

    def _point_of(self, message_id: UUID, channel: Channel) -> str | None:
        """Where one of our messages went, or goes."""
        if (sent := self.history.contacts.get(message_id)) is not None:
            return sent.to
        under_way = self.messages.under_way.get(message_id)
        return None if under_way is None else self.history.point(channel, under_way.point_id)

    @decides(HeedPoint)
    def heed(self, command: HeedPoint, context: Context) -> None:
        """Of several points that one message is about, an account heeds those that it has."""
        self.require_account()
        if command.wish is Wish.CLEARED or self.contact.ids_of(command.channel, command.point):
            self._heed(command, context)

    # --- apply ---

    @applies(MessageReceived)
    def _message_received(self, event: MessageReceived) -> None:
        self.history.keep(
            event.inbound_id,
            Entry(
                event.received_at,
                channel=MEDIUM[event.channel],
                is_inbound=True,
                to=event.sender,
                words=Request.STOP.value if event.request is Request.STOP else None,
            ),
        )
        if event.is_to_read:
            self.to_read[event.inbound_id] = ToRead(
                channel=event.channel,
                sender=event.sender,
                received_at=event.received_at,
                may_stop=event.request is Request.UNCLEAR,
                shared_with=event.shared_with,
                answered=event.answered,
            )

    @applies(MessageRead)
    def _message_read(self, event: MessageRead) -> None:
        self.to_read.pop(event.inbound_id)

    @applies(ReceiptRecorded)
    def _receipt_recorded(self, event: ReceiptRecorded) -> None:
        """What follows from it has facts of its own; but it may come before its sender says that nobody knows."""
        self.messages.keep_receipt(event.message_id, was_sent=event.receipt in _SENT)


def _request(command: ReceiveMessage) -> Request | None:
    """What a message asks for: of an e-mail by what is new in it, or by a subject that says nothing else."""
    if command.channel is Incoming.SMS:
        return _asked(command.text, command.channel)
    asked = _asked(command.subject or "", command.channel)
    if asked in (Request.STOP, Request.START):
        return asked
    return _asked(without_quotes(command.text), command.channel)


def _asked(text: str, channel: Incoming) -> Request | None:
    """A stop that names another medium than the one it came over is read by a person, who records which is meant."""
    asked, named = request_in(text), media_named(text)
    return Request.UNCLEAR if asked is Request.STOP and named and channel.value not in named else asked


def _points(sender: str, answered: str | None) -> tuple[str, ...]:
    return (sender,) if answered is None else (sender, answered)


def points_in(event: MessageReceived | MessageRead | ReceiptRecorded) -> tuple[str, ...]:
    """The numbers or addresses of which an event says something; none that were erased."""
    if isinstance(event, ReceiptRecorded):
        found: tuple[str, ...] = (event.point or ERASED,)
    else:  # nobody consents for another address than their own
        begins = isinstance(event, MessageReceived) and event.request is Request.START
        found = _points(event.sender, None if begins else event.answered)
    return tuple(each for each in found if each != ERASED)


def says_something(receipt: Receipt) -> bool:
    """Whether a receipt says something of the number or address for good."""
    return receipt in _REPORTED


def receipt_id(message_id: UUID, receipt: Receipt) -> UUID:
    """The id of the command that records it: however often and by whom it is said, it is one fact."""
    return identifier("receipt", message_id, receipt)


def wish_of(stops: bool | None) -> Wish | None:
    """What follows from a person's word on a message that might have been an opt-out."""
    return None if stops is None else Wish.STOP if stops else Wish.CLEARED


def wish_in(event: MessageReceived | MessageRead | ReceiptRecorded) -> Wish | None:
    """What an event says of the number or address, for every account that has it."""
    match event:
        case MessageReceived():
            return _REQUESTED.get(event.request) if event.request is not None else None
        case MessageRead():
            return wish_of(event.stops)
        case _:
            return _REPORTED.get(event.receipt)

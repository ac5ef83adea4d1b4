"""Messages: from the planned step to what the carrier made of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, ConfigDict

from aggregates.account.chase import (
    Chase,
    CoveredItem,
    Judgement,
    ScheduledStep,
    Stage,
    StepScheduled,
    StepsPassedOver,
)
from aggregates.account.command import ChasingCommand
from aggregates.account.contact import Contact
from aggregates.account.contact_history import MEDIA, ContactHistory
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.receivables import CountedFrom, OpenItem, Receivables
from aggregates.account.shields import Why
from aggregates.campaign import Campaign
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.command import identifier
from aggregates.kernel.context import Context, Rule
from aggregates.kernel.event import Event
from aggregates.kernel.personal import ERASED, Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.values.attachments import AttachedFile
from aggregates.values.business_time import local_date, moment_at
from aggregates.values.contact import Allowed, Channel, Consent, ContactAttempt, Denied, RuleRefusal
from aggregates.values.contact_record import Entry, Purpose
from aggregates.values.money import Money

# --- values ------------------------------------------------------------------------------------------


class MessageState(StrEnum):
    QUEUED = "queued"
    DISPATCHED = "dispatched"
    UNCERTAIN = "uncertain"


class WrittenText(Value):
    """What a message by hand says, with its placeholders."""

    subject: Personal | None = None
    body: Personal


@dataclass(kw_only=True)
class MessageUnderWay:
    """A message that was queued and has no result yet: by a step of a campaign, or `written` by hand."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: UUID
    campaign_id: UUID | None = None
    plan_version: int | None = None
    step_id: str | None = None
    step_title: str | None = None
    written: WrittenText | None = None
    attachments: tuple[AttachedFile, ...] = ()
    channel: Channel
    point_id: str
    language: str
    items: tuple[CoveredItem, ...]
    queued_at: AwareDatetime
    purpose: Purpose = Purpose.COLLECTION
    state: MessageState = MessageState.QUEUED
    counted_before: dict[UUID, CountedFrom | None] = field(default_factory=dict)
    """Of items whose steps are counted from other days with this message: from when they were before."""
    was_sent: bool | None = None
    """Whether it left, as a receipt of its carrier's says that came before its sender's own report."""


# --- events ------------------------------------------------------------------------------------------


class MessageQueued(Event, name="account.message-queued"):
    """A message is to leave now, about these items; the campaign version says which text."""

    message_id: UUID
    campaign_id: UUID
    plan_version: int
    step_id: str
    step_title: str
    channel: Channel
    point_id: str
    language: str
    items: tuple[CoveredItem, ...]
    amount: Money
    queued_at: AwareDatetime
    queued_on: date
    """The office's local date; an account gets one message a day."""


class MessageWritten(Event, name="account.message-written"):
    """A person has a message leave now. It is no step of any sequence. The text has its placeholders still."""

    message_id: UUID
    channel: Channel
    point_id: str
    language: str
    subject: Personal | None
    body: Personal
    template_id: UUID | None
    template_version: int | None
    """Of the office's template that the text was taken from."""
    ignores_preferences: bool
    """It leaves although the customer prefers another channel; the reason says why."""
    items: tuple[CoveredItem, ...]
    amount: Money
    queued_at: AwareDatetime
    queued_on: date
    """The office's local date."""
    attachments: Annotated[tuple[AttachedFile, ...] | None, LATER] = None
    """What it takes with it, as it is called and was then. None: nothing."""
    purpose: Annotated[Purpose | None, LATER] = None
    """What it is for, where that is something else than collection: an opt-out's confirmation leaves although the
    customer opted out, once."""
    ignores_pace: Annotated[bool | None, LATER] = None
    """It leaves without a turn among the office's messages a minute; None: it takes one."""


class ContactRefused(Event, name="account.contact-refused"):
    """A contact rule forbade a step; with the counts at that moment and when it may be tried again."""

    campaign_id: UUID
    step_id: str
    channel: Channel
    point_id: str | None
    rule_id: str
    """The first of them."""
    detail: str
    until: AwareDatetime | None
    refusals: Annotated[tuple[RuleRefusal, ...] | None, LATER] = None
    """Every rule that forbids it. None where there is nothing that could be used, and in what an earlier release
    stored."""


class MessageDispatched(Event, name="account.message-dispatched"):
    """The message was claimed for sending. Without a result after it, nobody knows whether it left."""

    message_id: UUID


class MessageWithdrawn(Event, name="account.message-withdrawn", version=2):
    """The message did not leave: something changed after it was queued, or a person took it back."""

    message_id: UUID
    step_id: str | None
    """None: it was by hand."""
    why: Why


class MessageSent(Event, name="account.message-sent", version=2):
    """The carrier took the message. The hash is of the text as sent."""

    message_id: UUID
    step_id: str | None
    """None: it was by hand."""
    step_title: str | None
    channel: Channel
    subject: Personal | None
    body: Personal
    body_sha256: str
    carrier_reference: str | None
    sent_at: AwareDatetime
    sent_on: date
    """The office's local date."""


class MessageFailed(Event, name="account.message-failed", version=3):
    """The message could not be made or sent, for certain, and its step is not taken. `detail` is in the carrier's
    words, which may quote an address."""

    message_id: UUID
    step_id: str | None
    """None: it was by hand."""
    channel: Channel
    code: str
    detail: Personal
    plan_version: Annotated[int | None, LATER] = None
    """By which the step was to be taken; None in what an earlier release stored, where it counted as taken."""


class MessageUncertain(Event, name="account.message-uncertain", version=2):
    """The sender died between claim and result: the message may have left. A person decides; it is not repeated."""

    message_id: UUID
    step_id: str | None
    """None: it was by hand."""
    channel: Channel


class MessageResolved(Event, name="account.message-resolved"):
    """It turned out what became of an uncertain message: it left, or it did not and its step is not taken."""

    message_id: UUID
    step_id: str | None
    channel: Channel
    was_sent: bool
    sent_on: date | None
    """The office's local date on which it was queued and left; None where it did not leave."""
    plan_version: int | None
    """By which its step was to be taken."""


# --- commands ----------------------------------------------------------------------------------------


class ContactingCommand(ChasingCommand, sees=("office", "campaign", "account")):
    """A command that may lead to a contact: contacts about the customer's other accounts count for some rules."""


class TakeStep(ContactingCommand, name="take-step", internal=True):
    """Carry out the planned step if it is due and still right."""

    step_id: str


class DispatchMessage(ContactingCommand, name="dispatch-message", internal=True):
    """Claim a queued message for sending, or withdraw it where it should not leave any more."""

    message_id: UUID


class ReconsiderMessage(ContactingCommand, name="reconsider-message", internal=True):
    """Withdraw a claimed message that the carrier certainly did not take, where it should not leave any more."""

    message_id: UUID


class ReportSent(ChasingCommand, name="report-sent", internal=True):
    """The carrier took the message."""

    message_id: UUID
    subject: Personal | None = None
    body: Personal
    body_sha256: str
    carrier_reference: str | None = None
    sent_at: AwareDatetime


class ReportFailed(ChasingCommand, name="report-failed", internal=True):
    """The message certainly did not leave. `detail` is in the carrier's words."""

    message_id: UUID
    code: str
    detail: Personal


class ReportUncertain(ChasingCommand, name="report-uncertain", internal=True):
    """The message was claimed and nobody knows whether it left."""

    message_id: UUID


class WithdrawMessage(ChasingCommand, name="withdraw-message"):
    """Take back a message that is queued and not claimed yet."""

    message_id: UUID


class MessageOutcome(StrEnum):
    SENT = "sent"
    NOT_SENT = "not-sent"


class ResolveMessage(ChasingCommand, name="resolve-message"):
    """Say what became of an uncertain message. Say why."""

    message_id: UUID
    outcome: MessageOutcome


# --- decisions ---------------------------------------------------------------------------------------

CHASED = (Stage.SCHEDULED, Stage.ENGAGED, Stage.FOLLOW_UP)
"""Stages in which a queued message may still leave (the last step's message leaves in follow-up)."""

NO_WAY = Denied("no-contact-point", "no address or number that may be used for this channel")


class WrittenAbout(Protocol):
    """What a message by hand is about now: open items, less what shields cover (`policies.auto_collection`)."""

    def __call__(self, account: Any, context: Context, /) -> Iterable[CoveredItem]: ...


WRITTEN_ABOUT: Rule[WrittenAbout] = Rule("rules of auto-collection")


@dataclass(slots=True)
class Messages(AccountPart):
    """Messages that were queued and have no result yet."""

    under_way: dict[UUID, MessageUnderWay] = field(default_factory=dict)

    customer: ClassVar = Needs(Customer)
    contact: ClassVar = Needs(Contact)
    receivables: ClassVar = Needs(Receivables)
    chase: ClassVar = Needs(Chase)
    history: ClassVar = Needs(ContactHistory)

    def contacts(self, *, but: UUID | None) -> list[Entry]:
        """Messages that have no result yet, as contacts: they count as if they had been made."""
        under_way = (each for each in self.under_way.values() if each.id != but)
        return [_entry(each, each.queued_at, self.history) for each in under_way]

    @decides(TakeStep)
    def take_step(self, command: TakeStep, context: Context) -> None:
        self.require_account()
        planned = self.chase.scheduled
        if planned is None or planned.step_id != command.step_id or planned.due_at > context.now:
            return
        judgement = self.chase.judgement(context)
        wanted = judgement.next_step
        if wanted is None or (wanted.campaign_id, wanted.step_id) != (planned.campaign_id, planned.step_id):
            self.chase.record(judgement)
        elif wanted.due_at > context.now:
            self.emit(StepScheduled(step=wanted))
        else:
            self._queue(wanted, judgement, context)
            self.chase.judge(context)

    def _queue(self, wanted: ScheduledStep, judgement: Judgement, context: Context) -> None:
        campaign = context.find(Campaign, wanted.campaign_id)
        step = campaign.plan.step(wanted.step_id) if campaign is not None and campaign.plan else None
        if campaign is None or step is None:
            return
        point_id, denied = self.point_for(step.channel, self.contact.details.points(step.channel), context)
        if denied is not None:
            self._refuse(wanted, ContactAttempt(step.channel, point_id, context.now), denied, context)
            if denied.until is None:
                self._pass_over(wanted, denied.rule_id, judgement.counted_from)
            return
        language, _ = step.template_for(self.contact.details.language)
        self.emit(
            MessageQueued(
                message_id=identifier("message", self.whole.id, context.command_id),
                campaign_id=campaign.id,
                plan_version=campaign.plan_version,
                step_id=step.id,
                step_title=step.title,
                channel=step.channel,
                point_id=point_id,
                language=language,
                items=judgement.covered,
                amount=Money.total((item.open for item in judgement.covered), self.customer.currency),
                queued_at=context.now,
                queued_on=context.today,
            )
        )

    def point_for(self, channel: Channel, points: Iterable[str], context: Context) -> tuple[str, Denied | None]:
        """The first of these addresses or numbers that may be used now, or why none may."""
        refusal = NO_WAY
        for point_id in points:
            attempt = ContactAttempt(channel, point_id, context.now)
            verdict = self.contact.heeded(attempt, self.history.verdict(attempt, context))
            if isinstance(verdict, Allowed):
                return point_id, None
            refusal = verdict
        return "", refusal

    def _refuse(self, wanted: ScheduledStep, attempt: ContactAttempt, denied: Denied, context: Context) -> None:
        self.emit(
            ContactRefused(
                campaign_id=wanted.campaign_id,
                step_id=wanted.step_id,
                channel=attempt.channel,
                point_id=attempt.point_id or None,
                rule_id=denied.rule_id,
                detail=denied.detail,
                until=as_moment(denied, self.customer.office(context).zone),
                refusals=denied.refusals or None,
            )
        )

    def _pass_over(self, wanted: ScheduledStep, reason: str, counted_from: CountedFrom | None) -> None:
        self.emit(
            StepsPassedOver(
                campaign_id=wanted.campaign_id,
                plan_version=wanted.plan_version,
                steps={wanted.step_id: reason},
                item_id=wanted.anchor_item_id,
                counted_from=counted_from,
            )
        )

    @decides(DispatchMessage)
    def dispatch(self, command: DispatchMessage, context: Context) -> None:
        """The last look before a message leaves: whoever paid, paused or opted out meanwhile is left alone."""
        self.require_account()
        message = self._message(command.message_id)
        if message.state is not MessageState.QUEUED:
            raise Refusal("already-claimed", "the message was claimed for sending before")
        why = self._why_withdrawn(message, context)
        if why is not None:
            self.emit(MessageWithdrawn(message_id=message.id, step_id=message.step_id, why=why))
            self.chase.judge(context)
        else:
            self.emit(MessageDispatched(message_id=message.id))

    @decides(ReconsiderMessage)
    def reconsider(self, command: ReconsiderMessage, context: Context) -> None:
        """Another last look, by the owner of the claim before it hands the message over again."""
        self.require_account()
        message = self._message(command.message_id)
        why = self._why_withdrawn(message, context)
        if message.state is MessageState.DISPATCHED and why is not None:
            self.emit(MessageWithdrawn(message_id=message.id, step_id=message.step_id, why=why))
            self.chase.judge(context)

    def _why_withdrawn(self, message: MessageUnderWay, context: Context) -> Why | None:
        if message.written is not None:
            return self._why_not_by_hand(message, message.written, context)
        campaign = context.find(Campaign, message.campaign_id)
        office = self.customer.office(context)
        if office.is_paused(context.now):
            return Why(code="office-paused", detail="the office's automation is paused")
        if campaign is None or not campaign.runs:
            return Why(code="campaign-ended", detail="the campaign is not running any more")
        if campaign.is_paused(context.now):
            return Why(code="campaign-paused", detail="the campaign is paused")
        if local_date(message.queued_at, office.zone) != context.today:
            return Why(code="stale", detail="it did not leave on its day, and an account gets one message a day")
        if message.items[0].item_id not in self.receivables.items:
            return Why(code="paid", detail="the oldest invoice that the message is about has been settled")
        if any(self._is_about_a_dispute(covered) for covered in message.items):
            return Why(code="dispute", detail="an invoice that the message is about is disputed")
        judgement = self.chase.judgement(context)
        if judgement.stage not in CHASED:
            return judgement.why
        if (judgement.campaign_id, judgement.plan_version) != (message.campaign_id, message.plan_version):
            return Why(code="campaign-changed", detail="the account is chased by another campaign or version now")
        if judgement.anchor_item_id != message.items[0].item_id:
            return Why(code="other-item", detail="another invoice is the oldest one to be chased now")
        return self._why_not_contacted(message, context)

    def _why_not_by_hand(self, message: MessageUnderWay, written: WrittenText, context: Context) -> Why | None:
        """Nothing that is about a campaign, and no pause of automation, keeps back what a person sends."""
        if local_date(message.queued_at, self.customer.office(context).zone) != context.today:
            return Why(code="stale", detail="it did not leave on its day")
        if written.body == ERASED:
            return Why(code="erased", detail="the text was erased with the person")
        if message.items and not any(covered.item_id in self.receivables.items for covered in message.items):
            return Why(code="paid", detail="every invoice that the message is about has been settled")
        return self._why_not_contacted(message, context)

    def _why_not_contacted(self, message: MessageUnderWay, context: Context) -> Why | None:
        if message.purpose is not Purpose.OPT_OUT_CONFIRMATION:
            if self.contact.has_opted_out(message.channel, message.point_id):
                return Why(code="opted-out", detail=f"the customer does not want {message.channel} any more")
            if self.contact.details.consent(message.channel, message.point_id) is Consent.REFUSED:
                return Why(code="consent-refused", detail=f"the customer refused {message.channel}")
        attempt = ContactAttempt(
            message.channel, message.point_id, context.now, but=message.id, purpose=message.purpose
        )
        verdict = self.history.verdict(attempt, context)
        return _why(verdict) if isinstance(verdict, Denied) else None

    def _is_about_a_dispute(self, covered: CoveredItem) -> bool:
        """Whether what it says of the item would be more than what is not disputed."""
        item = self.receivables.items.get(covered.item_id)
        return item is not None and min(covered.open, item.open) > item.open - self.receivables.disputed_of(item)

    def _message(self, message_id: UUID) -> MessageUnderWay:
        if message_id not in self.under_way:
            raise Refusal("unknown-message", "no such message is under way")
        return self.under_way[message_id]

    @decides(ReportSent)
    def report_sent(self, command: ReportSent, context: Context) -> None:
        self.require_account()
        message = self._message(command.message_id)
        if message.state is MessageState.QUEUED:
            raise Refusal("not-claimed", "a message is claimed before it is sent")
        self.emit(
            MessageSent(
                message_id=message.id,
                step_id=message.step_id,
                step_title=message.step_title,
                channel=message.channel,
                subject=command.subject,
                body=command.body,
                body_sha256=command.body_sha256,
                carrier_reference=command.carrier_reference,
                sent_at=command.sent_at,
                sent_on=local_date(command.sent_at, self.customer.office(context).zone),
            )
        )
        self.chase.judge(context)

    @decides(ReportFailed)
    def report_failed(self, command: ReportFailed, context: Context) -> None:
        self.require_account()
        message = self._message(command.message_id)
        self.emit(
            MessageFailed(
                message_id=message.id,
                step_id=message.step_id,
                channel=message.channel,
                code=command.code,
                detail=command.detail,
                plan_version=message.plan_version,
            )
        )
        self.chase.judge(context)

    @decides(ReportUncertain)
    def report_uncertain(self, command: ReportUncertain, context: Context) -> None:
        self.require_account()
        message = self._message(command.message_id)
        if message.state is MessageState.DISPATCHED:
            self.emit(MessageUncertain(message_id=message.id, step_id=message.step_id, channel=message.channel))
            if message.was_sent is not None:
                self._resolve(message, context, was_sent=message.was_sent)
            self.chase.judge(context)

    # --- by a person ---

    @decides(WithdrawMessage)
    def withdraw(self, command: WithdrawMessage, context: Context) -> None:
        self.require_account()
        message = self._message(command.message_id)
        if message.state is not MessageState.QUEUED:
            raise Refusal("already-claimed", "the message was claimed for sending before; it may have left")
        why = Why(code="taken-back", detail="a person took it back")
        self.emit(MessageWithdrawn(message_id=message.id, step_id=message.step_id, why=why))
        self.chase.judge(context)

    @decides(ResolveMessage)
    def resolve(self, command: ResolveMessage, context: Context) -> None:
        self.require_account()
        context.require_reason()
        message = self._message(command.message_id)
        if message.state is not MessageState.UNCERTAIN:
            raise Refusal("not-uncertain", f"the message is {message.state}: what becomes of it will be reported")
        self._resolve(message, context, was_sent=command.outcome is MessageOutcome.SENT)
        self.chase.judge(context)

    def settle(self, message_id: UUID, context: Context, *, was_sent: bool) -> None:
        """What the carrier says of an uncertain message; of any other it says nothing new."""
        message = self.under_way.get(message_id)
        if message is not None and message.state is MessageState.UNCERTAIN:
            self._resolve(message, context, was_sent=was_sent)
            self.chase.judge(context)

    def keep_receipt(self, message_id: UUID, *, was_sent: bool) -> None:
        """A receipt that came while a message was under way, for the case that its sender cannot say what became of
        it. That it left is said by any that says so, whatever comes after."""
        message = self.under_way.get(message_id)
        if message is not None:
            message.was_sent = bool(message.was_sent) or was_sent

    def _resolve(self, message: MessageUnderWay, context: Context, *, was_sent: bool) -> None:
        self.emit(
            MessageResolved(
                message_id=message.id,
                step_id=message.step_id,
                channel=message.channel,
                was_sent=was_sent,
                sent_on=local_date(message.queued_at, self.customer.office(context).zone) if was_sent else None,
                plan_version=message.plan_version,
            )
        )

    # --- apply ---

    @applies(ContactRefused)
    def _contact_refused(self, event: ContactRefused) -> None:
        self.chase.not_before = event.until

    @applies(MessageQueued)
    def _message_queued(self, event: MessageQueued) -> None:
        chase = self.chase
        self.under_way[event.message_id] = MessageUnderWay(
            id=event.message_id,
            campaign_id=event.campaign_id,
            plan_version=event.plan_version,
            step_id=event.step_id,
            step_title=event.step_title,
            channel=event.channel,
            point_id=event.point_id,
            language=event.language,
            items=event.items,
            queued_at=event.queued_at,
        )
        chase.last_message_on, chase.not_before, chase.scheduled = event.queued_on, None, None
        for covered in event.items:
            item = self.receivables.items[covered.item_id]
            if covered.step_id is not None:
                item.steps = [*item.steps, covered.step_id]
            if covered.counted_from is not None:
                self.under_way[event.message_id].counted_before[item.id] = item.place.counted_from
                item.place = item.place.model_copy(update={"counted_from": covered.counted_from})

    @applies(MessageWritten)
    def _message_written(self, event: MessageWritten) -> None:
        """Neither a step nor the message of the day: the sequence goes on as if nobody had written."""
        self.under_way[event.message_id] = MessageUnderWay(
            id=event.message_id,
            written=WrittenText(subject=event.subject, body=event.body),
            attachments=event.attachments or (),
            channel=event.channel,
            point_id=event.point_id,
            language=event.language,
            items=event.items,
            queued_at=event.queued_at,
            purpose=event.purpose or Purpose.COLLECTION,
        )

    @applies(MessageDispatched)
    def _message_dispatched(self, event: MessageDispatched) -> None:
        self.under_way[event.message_id].state = MessageState.DISPATCHED

    @applies(MessageWithdrawn)
    def _message_withdrawn(self, event: MessageWithdrawn) -> None:
        message = self.under_way.pop(event.message_id)
        for item in self._not_taken(message):
            if item.id in message.counted_before:
                counted_from = message.counted_before[item.id]
                item.place = item.place.model_copy(update={"counted_from": counted_from})

    @applies(MessageSent)
    def _message_sent(self, event: MessageSent) -> None:
        self._has_left(self.under_way.pop(event.message_id), event.sent_at, event.sent_on)

    def _has_left(self, message: MessageUnderWay, sent_at: datetime, sent_on: date) -> None:
        history = self.history
        history.keep(message.id, _entry(message, sent_at, history))
        if message.written is None:
            self.chase.engaged_on = self.chase.engaged_on or sent_on

    @applies(MessageFailed)
    def _message_failed(self, event: MessageFailed) -> None:
        self._has_failed(self.under_way.pop(event.message_id), event.step_id, event.plan_version)

    def _has_failed(self, message: MessageUnderWay, step_id: str | None, plan_version: int | None) -> None:
        if plan_version is None or step_id is None:
            return
        for item in self._not_taken(message):
            if item.id == message.items[0].item_id:
                failed = {**item.place.failed, step_id: plan_version}
                item.place = item.place.model_copy(update={"failed": failed})

    @applies(MessageResolved)
    def _message_resolved(self, event: MessageResolved) -> None:
        message = self.under_way.pop(event.message_id)
        if event.sent_on is not None:
            self._has_left(message, message.queued_at, event.sent_on)
        else:
            self._has_failed(message, event.step_id, event.plan_version)

    def _not_taken(self, message: MessageUnderWay) -> Iterator[OpenItem]:
        """The items that a message was about, as if it had not been queued: none of their steps was taken by it."""
        for covered in message.items:
            item = self.receivables.known_item(covered.item_id)
            if item is not None:
                if covered.step_id is not None and covered.step_id in item.steps:
                    item.steps = _without_last(covered.step_id, item.steps)
                yield item

    @applies(MessageUncertain)
    def _message_uncertain(self, event: MessageUncertain) -> None:
        self.under_way[event.message_id].state = MessageState.UNCERTAIN


def _entry(message: MessageUnderWay, at: datetime, history: ContactHistory) -> Entry:
    """A call of a carrier's is an artificial voice, and what it says may be heard by a voicemail."""
    is_voice = message.channel is Channel.VOICE
    to = history.point(message.channel, message.point_id)
    return Entry(
        at,
        channel=MEDIA[message.channel],
        to=to,
        is_prerecorded=is_voice,
        is_message=is_voice,
        purpose=message.purpose,
    )


def _without_last(step_id: str, steps: list[str]) -> list[str]:
    """An earlier message that covered the item by the same step still counts."""
    last = len(steps) - 1 - steps[::-1].index(step_id)
    return steps[:last] + steps[last + 1 :]


def _why(denied: Denied) -> Why:
    return Why(code=denied.rule_id, detail=denied.detail)


def as_moment(denied: Denied, zone: ZoneInfo) -> datetime | None:
    """The UTC moment after which the contact may be tried again."""
    if denied.until is None:
        return None
    if isinstance(denied.until, datetime):
        return denied.until.astimezone(UTC)
    return moment_at(denied.until, time.min, zone)

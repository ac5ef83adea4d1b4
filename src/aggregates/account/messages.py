"""Messages: from the planned step to what the carrier made of it."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from aggregates.account.chase import CoveredItem, Why
from aggregates.account.command import AccountCommand
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.values.contact import Channel
from aggregates.values.money import Money

# --- values ------------------------------------------------------------------------------------------


class MessageState(StrEnum):
    QUEUED = "queued"
    DISPATCHED = "dispatched"
    UNCERTAIN = "uncertain"


class MessageUnderWay(BaseModel):
    """A message that was queued and is not settled yet."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    campaign_id: UUID
    plan_version: int
    step_id: str
    channel: Channel
    point_id: str
    language: str
    items: tuple[CoveredItem, ...]
    queued_at: AwareDatetime
    state: MessageState = MessageState.QUEUED


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


class ContactRefused(Event, name="account.contact-refused"):
    """A contact rule forbade a step; with the counts at that moment and when it may be tried again."""

    campaign_id: UUID
    step_id: str
    channel: Channel
    point_id: str | None
    rule_id: str
    detail: str
    until: AwareDatetime | None


class MessageDispatched(Event, name="account.message-dispatched"):
    """The message was claimed for sending. Without a result after it, nobody knows whether it left."""

    message_id: UUID


class MessageWithdrawn(Event, name="account.message-withdrawn"):
    """The message did not leave: something changed between queue and dispatch."""

    message_id: UUID
    step_id: str
    why: Why


class MessageSent(Event, name="account.message-sent"):
    """The carrier took the message. The hash is of the text as sent."""

    message_id: UUID
    step_id: str
    step_title: str
    channel: Channel
    subject: Personal | None
    body: Personal
    body_sha256: str
    carrier_reference: str | None
    sent_at: AwareDatetime
    sent_on: date
    """The office's local date."""


class MessageFailed(Event, name="account.message-failed", version=2):
    """The message could not be sent, for certain. `detail` is in the carrier's words, which may quote an address."""

    message_id: UUID
    step_id: str
    channel: Channel
    code: str
    detail: Personal


class MessageUncertain(Event, name="account.message-uncertain"):
    """The sender died between claim and result: the message may have left. A person decides; it is not repeated."""

    message_id: UUID
    step_id: str
    channel: Channel


# --- commands ----------------------------------------------------------------------------------------


class TakeStep(AccountCommand, name="take-step"):
    """Carry out the planned step if it is due and still right."""

    step_id: str


class DispatchMessage(AccountCommand, name="dispatch-message"):
    """Claim a queued message for sending, or withdraw it where it should not leave any more."""

    message_id: UUID


class ReportSent(AccountCommand, name="report-sent"):
    """The carrier took the message."""

    message_id: UUID
    subject: Personal | None = None
    body: Personal
    body_sha256: str
    carrier_reference: str | None = None
    sent_at: AwareDatetime


class ReportFailed(AccountCommand, name="report-failed"):
    """The message certainly did not leave. `detail` is in the carrier's words."""

    message_id: UUID
    code: str
    detail: Personal


class ReportUncertain(AccountCommand, name="report-uncertain"):
    """The message was claimed and nobody knows whether it left."""

    message_id: UUID

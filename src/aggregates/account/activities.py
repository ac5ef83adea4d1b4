"""What was done about the account, and what somebody has to come back to."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aggregates.account.command import AccountCommand
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal

# --- values ------------------------------------------------------------------------------------------


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FollowUp(_Value):
    """Something a person has to come back to."""

    activity_id: UUID
    due_on: date
    assignee: str | None
    fell_due: bool = False


class ActivityKind(StrEnum):
    CALL = "call"
    SMS = "sms"
    EMAIL = "email"
    LETTER = "letter"
    NOTE = "note"
    TASK = "task"
    PORTAL_VISIT = "portal-visit"


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Disposition(StrEnum):
    """How a contact ended."""

    NO_ANSWER = "no-answer"
    LEFT_MESSAGE = "left-message"
    SPOKE_TO_CUSTOMER = "spoke-to-customer"
    SPOKE_TO_THIRD_PARTY = "spoke-to-third-party"
    WRONG_NUMBER = "wrong-number"
    NOT_CONNECTED = "not-connected"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


# --- events ------------------------------------------------------------------------------------------


class ActivityRecorded(Event, name="account.activity-recorded"):
    """Something was done about the account."""

    activity_id: UUID
    kind: ActivityKind
    direction: Direction
    disposition: Disposition | None = None
    notes: Personal | None = None
    assignee: str | None = None
    follow_up_on: date | None = None


class FollowUpCompleted(Event, name="account.follow-up-completed"):
    """Somebody came back to an activity as planned."""

    activity_id: UUID


class FollowUpFellDue(Event, name="account.follow-up-fell-due"):
    """The day to come back to an activity has come."""

    activity_id: UUID
    assignee: str | None


# --- commands ----------------------------------------------------------------------------------------


class RecordActivity(AccountCommand, name="record-activity"):
    """Record a call, message, letter, note or task, and when to come back to it."""

    kind: ActivityKind
    direction: Direction = Direction.OUTBOUND
    disposition: Disposition | None = None
    notes: Personal | None = Field(None, max_length=10_000)
    assignee: str | None = Field(None, max_length=100)
    follow_up_on: date | None = None


class RemindFollowUp(AccountCommand, name="remind-follow-up"):
    """The day of a follow-up may have come."""

    activity_id: UUID


class CompleteFollowUp(AccountCommand, name="complete-follow-up"):
    """Say that a follow-up was done."""

    activity_id: UUID

"""What was done about the account, and what somebody has to come back to."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from aggregates.account.command import AccountCommand
from aggregates.account.part import AccountPart
from aggregates.kernel.aggregate import applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value

# --- values ------------------------------------------------------------------------------------------


class FollowUp(Value):
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


class RecordActivity(AccountCommand, name="record-activity", makes="activity"):
    """Record a call, message, letter, note or task, and when to come back to it."""

    kind: ActivityKind
    direction: Direction = Direction.OUTBOUND
    disposition: Disposition | None = None
    notes: Personal | None = Field(None, max_length=10_000)
    assignee: str | None = Field(None, max_length=100)
    follow_up_on: date | None = None


class RemindFollowUp(AccountCommand, name="remind-follow-up", internal=True):
    """The day of a follow-up may have come."""

    activity_id: UUID


class CompleteFollowUp(AccountCommand, name="complete-follow-up"):
    """Say that a follow-up was done."""

    activity_id: UUID


# --- decisions ---------------------------------------------------------------------------------------


@dataclass
class Activities(AccountPart):
    """What somebody has to come back to."""

    follow_ups: dict[UUID, FollowUp] = field(default_factory=dict)

    @decides(RecordActivity)
    def record_activity(self, command: RecordActivity, context: Context) -> None:
        self.require_account()
        by_hand = not context.actor.is_policy
        if by_hand and command.follow_up_on is not None and command.follow_up_on < context.today:
            raise Refusal("follow-up-past", f"follow_up_on: expected {context.today} or later")
        activity_id = command.made_id(context.command_id)
        self.emit(ActivityRecorded(activity_id=activity_id, **command.model_dump(exclude={"account_id"})))

    @decides(RemindFollowUp)
    def remind_follow_up(self, command: RemindFollowUp, context: Context) -> None:
        self.require_account()
        follow_up = self.follow_ups.get(command.activity_id)
        if follow_up is not None and not follow_up.fell_due and follow_up.due_on <= context.today:
            self.emit(FollowUpFellDue(activity_id=follow_up.activity_id, assignee=follow_up.assignee))

    @decides(CompleteFollowUp)
    def complete_follow_up(self, command: CompleteFollowUp, context: Context) -> None:
        self.require_account()
        if command.activity_id not in self.follow_ups:
            raise Refusal("unknown-follow-up", "no such follow-up is open")
        self.emit(FollowUpCompleted(activity_id=command.activity_id))

    # --- apply ---

    @applies(ActivityRecorded)
    def _activity_recorded(self, event: ActivityRecorded) -> None:
        if event.follow_up_on is not None:
            self.follow_ups[event.activity_id] = FollowUp(
                activity_id=event.activity_id, due_on=event.follow_up_on, assignee=event.assignee
            )

    @applies(FollowUpFellDue)
    def _follow_up_fell_due(self, event: FollowUpFellDue) -> None:
        due = self.follow_ups[event.activity_id]
        self.follow_ups[event.activity_id] = due.model_copy(update={"fell_due": True})

    @applies(FollowUpCompleted)
    def _follow_up_completed(self, event: FollowUpCompleted) -> None:
        self.follow_ups.pop(event.activity_id)

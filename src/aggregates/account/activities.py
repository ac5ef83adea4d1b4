"""What was done about the account, and what somebody has to come back to.

A contact that was made outside is judged by the contact rules like any other. It has been made: what they would have
refused is recorded with it as evidence, not refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field

from aggregates.account.command import SHARED, AccountCommand
from aggregates.account.contact_history import MEDIA, ContactHistory
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context, NeedsHistory
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.values.business_time import local_date, moment_at
from aggregates.values.codes import Code
from aggregates.values.contact import Channel, ContactAttempt, Denied, RuleRefusal
from aggregates.values.contact_record import Entry, Medium
from aggregates.values.dispositions import STANDARD_DISPOSITIONS, DispositionDefinition, Outcome
from aggregates.values.names import Assignee

# --- values ------------------------------------------------------------------------------------------


class FollowUp(Value):
    """Something a person has to come back to."""

    activity_id: UUID
    due_on: date
    assignee: str | None
    fell_due: bool = False
    due_at: Annotated[AwareDatetime | None, LATER] = None
    """The moment of that day, where one was said."""


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


CHANNELS: Mapping[ActivityKind, Channel] = {
    ActivityKind.CALL: Channel.VOICE,
    ActivityKind.SMS: Channel.SMS,
    ActivityKind.EMAIL: Channel.EMAIL,
    ActivityKind.LETTER: Channel.LETTER,
    ActivityKind.PORTAL_VISIT: Channel.PORTAL,
}
"""The activities that are contacts."""


class Undocumented(Value):
    """A contact that a person made and of which nobody said how it ended."""

    id: UUID
    kind: ActivityKind
    agent: str
    at: AwareDatetime


@dataclass(kw_only=True)
class Known:
    """What a correction of an activity does not say anew."""

    kind: ActivityKind
    direction: Direction
    at: AwareDatetime | None
    point_id: str | None
    number: Personal | None
    violations: tuple[RuleRefusal, ...]


# --- events ------------------------------------------------------------------------------------------


class ActivityRecorded(Event, name="account.activity-recorded", version=2):
    """Something was done about the account."""

    activity_id: UUID
    kind: ActivityKind
    direction: Direction
    disposition: Code | None = None
    notes: Personal | None = None
    assignee: str | None = None
    follow_up_on: date | None = None
    at: Annotated[AwareDatetime | None, LATER] = None
    """When; None in what an earlier release stored: when it was recorded."""
    point_id: Annotated[str | None, LATER] = None
    number: Annotated[Personal | None, LATER] = None
    """The number or address, in one spelling."""
    outcome: Annotated[Outcome | None, LATER] = None
    """What the disposition meant in the office that day; None in what an earlier release stored."""
    violations: Annotated[tuple[RuleRefusal, ...] | None, LATER] = None
    """Every contact rule that was broken by it."""
    undocumented_by: Annotated[str | None, LATER] = None
    """Who made a contact without saying how it ended."""
    corrects: Annotated[UUID | None, LATER] = None
    """The activity that was recorded wrongly; what this one says is so."""
    follow_up_at: Annotated[AwareDatetime | None, LATER] = None
    """The moment on the day of the follow-up, where one was said."""


class FollowUpCompleted(Event, name="account.follow-up-completed"):
    """Somebody came back to an activity as planned."""

    activity_id: UUID


class FollowUpFellDue(Event, name="account.follow-up-fell-due"):
    """The day to come back to an activity has come."""

    activity_id: UUID
    assignee: str | None


# --- commands ----------------------------------------------------------------------------------------


class RecordActivity(AccountCommand, name="record-activity", makes="activity", **SHARED):
    """Record a call, message, letter, note or task, and when to come back to it.

    A contact that breaks a contact rule is recorded with the rules that it breaks.
    """

    kind: ActivityKind
    direction: Direction = Direction.OUTBOUND
    disposition: Code | None = None
    notes: Personal | None = Field(None, max_length=10_000)
    assignee: Assignee | None = None
    follow_up_on: date | None = None
    at: Annotated[AwareDatetime | None, LATER] = None
    """When it was done. None: now, or some time on the day that it is recorded for."""
    point_id: Annotated[str | None, LATER] = Field(None, max_length=100)
    """The number or address of the account that was used."""
    follow_up_at: Annotated[AwareDatetime | None, LATER] = None
    """At which moment to come back to it; its local day is the follow-up's."""


class CorrectActivity(AccountCommand, name="correct-activity", makes="activity", may_need_history=True, **SHARED):
    """Say anew what an activity was: a new fact, which points to the one that was wrong."""

    activity_id: UUID
    disposition: Code | None = None
    notes: Personal | None = Field(None, max_length=10_000)
    assignee: Assignee | None = None
    follow_up_on: date | None = None
    at: AwareDatetime | None = None
    follow_up_at: Annotated[AwareDatetime | None, LATER] = None
    """At which moment to come back to it; its local day is the follow-up's."""


class EndCall(AccountCommand, name="end-call", **SHARED):
    """Say how a call ended, and when to come back to it."""

    call_id: UUID
    disposition: Code
    notes: Personal | None = Field(None, max_length=10_000)
    assignee: Assignee | None = None
    follow_up_on: date | None = None
    follow_up_at: Annotated[AwareDatetime | None, LATER] = None
    """At which moment to come back to it; its local day is the follow-up's."""


class RemindFollowUp(AccountCommand, name="remind-follow-up", internal=True):
    """The day of a follow-up may have come."""

    activity_id: UUID


class CompleteFollowUp(AccountCommand, name="complete-follow-up"):
    """Say that a follow-up was done."""

    activity_id: UUID


# --- decisions ---------------------------------------------------------------------------------------


_KNOWN = 50
"""So many of the last activities are known at once; a correction of an earlier one reads the account's history."""


@dataclass(slots=True)
class Activities(AccountPart):
    """What somebody has to come back to, and what may be corrected."""

    follow_ups: dict[UUID, FollowUp] = field(default_factory=dict)
    undocumented: dict[UUID, Undocumented] = field(default_factory=dict)
    known: dict[UUID, Known] = field(default_factory=dict)
    """The last ones."""
    corrected: dict[UUID, UUID] = field(default_factory=dict)
    """Activities that were corrected, and the correction of each; kept only where `keeps_all`."""
    keeps_all: bool = False

    customer: ClassVar = Needs(Customer)
    history: ClassVar = Needs(ContactHistory)

    @decides(RecordActivity)
    def record_activity(self, command: RecordActivity, context: Context) -> None:
        self.require_account()
        if command.point_id is not None:
            self._require_point(command.kind, command.point_id)
        self.document(
            command.made_id(context.command_id),
            context,
            kind=command.kind,
            direction=command.direction,
            said=command,
            at=self._moment(command.at, context),
            point_id=command.point_id,
            is_moment_known=command.at is not None or context.effective_on == context.today,
        )

    def document(
        self,
        activity_id: UUID,
        context: Context,
        *,
        kind: ActivityKind,
        direction: Direction,
        said: RecordActivity | CorrectActivity | EndCall,
        at: datetime,
        point_id: str | None,
        number: str | None = None,
        is_moment_known: bool = True,
        judged: tuple[RuleRefusal, ...] | None = None,
        corrects: UUID | None = None,
    ) -> None:
        """What `said` (a command with disposition, notes, assignee and follow-up) says of an activity.

        `judged`: what contact rules said of it when they were asked before; None: they were not.
        """
        by_hand = not context.actor.is_policy
        if by_hand and said.follow_up_on is not None and said.follow_up_on < context.today:
            raise Refusal("follow-up-past", f"follow_up_on: expected {context.today} or later")
        zone, follow_up_on = self.customer.office(context).zone, said.follow_up_on
        if said.follow_up_at is not None:
            follow_up_on = self._follow_up_day(said.follow_up_at, follow_up_on, zone, context)
        defined = self._defined(said.disposition, context)
        if defined is not None and defined.notes_required and not (said.notes or "").strip():
            raise Refusal("notes-required", f"notes: expected, because the disposition is {said.disposition}")
        channel = CHANNELS.get(kind)
        if channel is not None and point_id is not None and number is None:
            number = self.history.point(channel, point_id)
        is_contact = channel is not None and direction is Direction.OUTBOUND and by_hand
        violations = judged or ()
        if is_contact and channel is not None and is_moment_known and judged is None:
            attempt = ContactAttempt(channel, point_id or "", at, number=number, is_by_hand=True, but=activity_id)
            verdict = self.history.verdict(attempt, context)
            violations = verdict.refusals if isinstance(verdict, Denied) else ()
        if follow_up_on is None and defined is not None and defined.follow_up_days is not None:
            follow_up_on = context.today + timedelta(days=defined.follow_up_days)
        self.emit(
            ActivityRecorded(
                activity_id=activity_id,
                kind=kind,
                direction=direction,
                disposition=said.disposition,
                notes=said.notes,
                assignee=said.assignee,
                follow_up_on=follow_up_on,
                at=at,
                point_id=point_id,
                number=number,
                outcome=Outcome.of(defined) if defined is not None else None,
                violations=violations or None,
                undocumented_by=str(context.actor) if is_contact and defined is None else None,
                corrects=corrects,
                follow_up_at=said.follow_up_at,
            ),
            effective_on=local_date(at, zone),
        )
        if corrects is not None:
            self.history.take_back_retiring(corrects, context)
        is_number = channel in (Channel.VOICE, Channel.SMS) and number is not None
        if defined is not None and defined.retires_number and is_number:
            self.history.retire_number(activity_id, number, context)

    def _follow_up_day(self, at: datetime, on: date | None, zone: ZoneInfo, context: Context) -> date:
        """The local day of a follow-up whose moment is said."""
        if at < context.now:
            raise Refusal("follow-up-past", "follow_up_at: expected now, or a later moment")
        day = local_date(at, zone)
        if on not in (None, day):
            raise Refusal("follow-up-day", f"follow_up_on: expected {day}, the day of follow_up_at, or no day")
        return day

    @decides(CorrectActivity)
    def correct_activity(self, command: CorrectActivity, context: Context) -> None:
        self.require_account()
        known = self.known.get(command.activity_id)
        if known is None and not self.keeps_all:
            raise NeedsHistory(f"activity {command.activity_id}")
        if known is None and command.activity_id in self.corrected:
            latest = self._latest(command.activity_id)
            raise Refusal("corrected-already", f"activity_id: expected {latest}, which says what was so")
        if known is None:
            raise Refusal("unknown-activity", "there is no such activity on the account")
        at = command.at or known.at
        self.document(
            command.made_id(context.command_id),
            context,
            kind=known.kind,
            direction=known.direction,
            said=command,
            at=self._moment(at, context),
            point_id=known.point_id,
            number=known.number,
            judged=known.violations if command.at is None else None,
            corrects=command.activity_id,
        )

    def _latest(self, activity_id: UUID) -> UUID:
        """The last of the corrections of an activity, or itself."""
        while activity_id in self.corrected:
            activity_id = self.corrected[activity_id]
        return activity_id

    def _defined(self, disposition: str | None, context: Context) -> DispositionDefinition | None:
        if disposition is None:
            return None
        defined = self.customer.office(context).dispositions
        if disposition not in defined:
            raise Refusal("unknown-disposition", f"disposition: expected one of {', '.join(sorted(defined))}")
        return defined[disposition]

    def _require_point(self, kind: ActivityKind, point_id: str) -> None:
        known = self.history.contact.details.ids(CHANNELS[kind]) if kind in CHANNELS else ()
        if point_id not in known:
            raise Refusal("unknown-contact-point", f"point_id: expected one of {', '.join(known) or 'none'}")

    def _moment(self, at: datetime | None, context: Context) -> datetime:
        """Of a day of which no more is known its noon."""
        if at is not None and at > context.now:
            raise Refusal("future-contact", "at: expected now, or an earlier moment")
        if at is not None:
            return at
        if context.effective_on == context.today:
            return context.now
        return moment_at(context.effective_on, time(12), self.customer.office(context).zone)

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
        at = event.at or self.whole.recorded_at
        if event.corrects is not None:
            self.follow_ups.pop(event.corrects, None)
            self.undocumented.pop(event.corrects, None)
            self.history.forget(event.corrects)
            self.known.pop(event.corrects, None)
            if self.keeps_all:
                self.corrected[event.corrects] = event.activity_id
        if event.follow_up_on is not None:
            self.follow_ups[event.activity_id] = FollowUp(
                activity_id=event.activity_id,
                due_on=event.follow_up_on,
                assignee=event.assignee,
                due_at=event.follow_up_at,
            )
        if event.undocumented_by is not None and at is not None:
            self.undocumented[event.activity_id] = Undocumented(
                id=event.activity_id, kind=event.kind, agent=event.undocumented_by, at=at
            )
        self.known[event.activity_id] = Known(
            kind=event.kind,
            direction=event.direction,
            at=at,
            point_id=event.point_id,
            number=event.number,
            violations=event.violations or (),
        )
        if len(self.known) > _KNOWN and not self.keeps_all:
            del self.known[next(iter(self.known))]
        if at is not None and event.kind in CHANNELS and event.direction is not Direction.INTERNAL:
            self.history.keep(event.activity_id, _entry(event, at))

    @applies(FollowUpFellDue)
    def _follow_up_fell_due(self, event: FollowUpFellDue) -> None:
        due = self.follow_ups[event.activity_id]
        self.follow_ups[event.activity_id] = due.model_copy(update={"fell_due": True})

    @applies(FollowUpCompleted)
    def _follow_up_completed(self, event: FollowUpCompleted) -> None:
        self.follow_ups.pop(event.activity_id)


def _entry(event: ActivityRecorded, at: datetime) -> Entry:
    """What the contact rules look at: by the office's definition of that day, else as dispositions were always
    meant."""
    medium, outcome = MEDIA[CHANNELS[event.kind]], event.outcome
    entry = Entry(at, channel=medium, is_inbound=event.direction is Direction.INBOUND, to=event.number)
    if outcome is None and (meant := STANDARD_DISPOSITIONS.get(event.disposition or "")) is not None:
        outcome = Outcome.of(meant)
    if outcome is None or medium is not Medium.CALL:
        return entry
    return replace(
        entry,
        is_connected=outcome.is_connected,
        is_conversation=outcome.conversation,
        is_message=outcome.is_message,
    )

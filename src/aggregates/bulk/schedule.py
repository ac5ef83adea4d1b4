"""A schedule: a bulk action on a saved filter, once or every period; one that is too large waits for a person."""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from aggregates.account.bulk_kinds import BulkKind, bulk_kind
from aggregates.bulk.action import BulkAction, Preview
from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target, identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.office import Office, office_of
from aggregates.values.business_time import moment_at
from aggregates.values.codes import Code
from aggregates.values.money import Currency

# --- values ------------------------------------------------------------------------------------------


class Period(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Recurrence(Value):
    """Local days of the office on which something is due again and again."""

    every: Period
    on: int | None = Field(None, ge=1, le=31)
    """Of a week its day, Monday is 1; of a month its day, or the last one of a shorter month. None: as `starts_on`."""
    starts_on: date
    """None before this day."""

    def first_from(self, day: date) -> date:
        """The first of its days that is not before a day. Raises OverflowError where the calendar ends."""
        day = max(day, self.starts_on)
        match self.every:
            case Period.DAY:
                return day
            case Period.WEEK:
                wanted = self.on or self.starts_on.isoweekday()
                return day + timedelta(days=(wanted - day.isoweekday()) % 7)
            case Period.MONTH:
                wanted = self.on or self.starts_on.day
                this_month = _in_month(day, wanted)
                return this_month if this_month >= day else _in_month(day.replace(day=28) + timedelta(days=4), wanted)


def _in_month(month: date, day: int) -> date:
    return month.replace(day=min(day, monthrange(month.year, month.month)[1]))


class RunOutcome(StrEnum):
    """What came of a time at which a schedule was due."""

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    """It would touch more than it may by itself, or automation is paused: the preview stands, and a person confirms or
    cancels it."""
    NOTHING = "nothing"
    """No account was like that."""
    FAILED = "failed"


# --- events ------------------------------------------------------------------------------------------


class BulkScheduled(Event, name="bulkschedule.made"):
    """A person had a bulk action done by itself, once or every period, as long as it is not too large."""

    office_id: UUID
    kind: str
    parameters: dict[str, Any]
    filter: Code
    """A filter that the office keeps; what it says is read each time."""
    currency: Currency | None
    """None: that of the office's accounts."""
    due_at: AwareDatetime | None
    """The one moment; None where it recurs."""
    recurrence: Recurrence | None
    due_on: date | None
    """The first day; None where it is once."""
    opens_at: Annotated[AwareDatetime | None, LATER] = None
    """Of messages: when the office begins to send on that day."""
    most_accounts: int
    most_minor: int | None
    """Of the amounts in question, or of the balances where its kind has none, in minor units. None: no matter."""


class ScheduleFellDue(Event, name="bulkschedule.fell-due"):
    """The time of a scheduled bulk action came: it is to be made now. Times that nobody was there for are one."""

    office_id: UUID
    run_id: UUID
    """Of this time; the same again where the last one is not done yet."""
    due_at: AwareDatetime | None
    due_on: date | None
    next_on: date | None
    """None where it was once."""
    next_opens_at: Annotated[AwareDatetime | None, LATER] = None
    """Of messages: when the office begins to send on that day."""


class ScheduleRan(Event, name="bulkschedule.ran"):
    """A scheduled bulk action was made: confirmed at once, or it waits for a person; or there was nothing to do."""

    run_id: UUID
    outcome: RunOutcome
    bulk_id: UUID | None
    accounts: int
    touched_minor: int
    """What it was compared by with the most that it may touch."""
    detail: str
    """Why it waits, or failed."""


class ScheduleCancelled(Event, name="bulkschedule.cancelled"):
    """A person ended a schedule. What it did stays done."""


# --- commands ----------------------------------------------------------------------------------------


class ScheduleCommand(Command, sees=("office",)):
    """A command to one schedule."""

    schedule_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("bulkschedule", self.schedule_id),)


class ScheduleBulk(ScheduleCommand, name="schedule-bulk", internal=True):
    """Have a bulk action done by itself: once at a moment, or on the days of a recurrence."""

    office_id: UUID
    kind: str
    parameters: dict[str, Any]
    filter: Code
    currency: Currency | None = None
    at: AwareDatetime | None = None
    recurrence: Recurrence | None = None
    most_accounts: int = Field(ge=0)
    most_minor: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _once_or_again(self) -> Self:
        if (self.at is None) == (self.recurrence is None):
            raise ValueError("at: expected either a moment, or every how long")
        if self.recurrence is not None and self.recurrence.on is not None:
            most = {Period.DAY: 0, Period.WEEK: 7, Period.MONTH: 31}[self.recurrence.every]
            if self.recurrence.on > most:
                raise ValueError("on: expected a day of the week or of the month")
        return self

    def links(self) -> tuple[Target, ...]:
        return (Target("office", self.office_id),)


class FireSchedule(ScheduleCommand, name="fire-bulk-schedule", internal=True):
    """The time of a schedule may have come."""


class RunSchedule(ScheduleCommand, name="run-bulk-schedule", internal=True):
    """Keep what a scheduled bulk action would be about, and do it where it is not too large: in one decision, so that
    it happens once whoever dies. Its rows were frozen before."""

    run_id: UUID
    bulk_id: UUID
    preview: Preview | None = None
    """None: none could be made."""
    touched_minor: int = 0
    detail: str = ""
    """Why none could be made."""

    def targets(self) -> tuple[Target, ...]:
        return (*super().targets(), Target("bulk", self.bulk_id))


class CancelSchedule(ScheduleCommand, name="cancel-bulk-schedule"):
    """End a schedule. What waits for a person still does."""


# --- state -------------------------------------------------------------------------------------------


class BulkSchedule(Aggregate):
    """When which bulk action is made by itself, and how large it may be."""

    kind: ClassVar[str] = "bulkschedule"

    office_id: UUID | None = None
    action: str = ""
    """Its kind in `BULK_KINDS`."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    filter: str = ""
    currency: str | None = None
    recurrence: Recurrence | None = None
    most_accounts: int = 0
    most_minor: int | None = None
    due_at: datetime | None = None
    due_on: date | None = None
    """When it is due next."""
    pending: UUID | None = None
    """The time that fell due and is not done yet."""
    is_cancelled: bool = False

    def links(self) -> Iterable[Target]:
        return (Target("office", self.office_id),) if self.office_id else ()

    # --- decisions ---

    @decides(ScheduleBulk)
    def schedule(self, command: ScheduleBulk, context: Context) -> None:
        if self.exists:
            return
        office = office_of(context, command.office_id)
        kind = bulk_kind(command.kind)
        kind.check(kind.parameters.model_validate(command.parameters), office)
        office.require_filter(command.filter)
        if command.at is not None and command.at <= context.now:
            raise Refusal("schedule-in-the-past", "at: expected a moment to come")
        try:
            due_on = command.recurrence.first_from(context.today) if command.recurrence else None
        except OverflowError:
            raise Refusal("schedule-in-the-past", "from: expected a day before the calendar ends") from None
        said = command.model_dump(exclude={"schedule_id", "at", "recurrence"})
        opens_at = _opens_at(kind, due_on, office)
        self.emit(
            BulkScheduled(**said, due_at=command.at, recurrence=command.recurrence, due_on=due_on, opens_at=opens_at)
        )

    @decides(FireSchedule)
    def fire(self, command: FireSchedule, context: Context) -> None:
        if self.office_id is None or not self._is_due(context):
            return
        due = self.due_at or self.due_on
        next_on = self.recurrence.first_from(context.today + timedelta(days=1)) if self.recurrence else None
        self.emit(
            ScheduleFellDue(
                office_id=self.office_id,
                run_id=self.pending or identifier("schedule-run", self.id, due),
                due_at=self.due_at,
                due_on=self.due_on,
                next_on=next_on,
                next_opens_at=_opens_at(bulk_kind(self.action), next_on, office_of(context, self.office_id)),
            )
        )

    def _is_due(self, context: Context) -> bool:
        if self.due_at is not None:
            return context.now >= self.due_at
        return self.due_on is not None and context.today >= self.due_on

    @decides(RunSchedule)
    def run(self, bulk: BulkAction, command: RunSchedule, context: Context) -> None:
        """Whoever comes second finds it done."""
        if self.pending is None or self.pending != command.run_id:
            return
        preview = command.preview
        if preview is None:
            self._ran(command, RunOutcome.FAILED, detail=command.detail)
        elif not preview.accounts:
            self._ran(command, RunOutcome.NOTHING)
        else:
            waits = self._is_paused(context) or self._too_large(preview.accounts, command.touched_minor)
            bulk.preview_scheduled(preview, schedule_id=self.id, context=context)
            if waits is None:
                bulk.confirm_scheduled()
            outcome = RunOutcome.CONFIRMED if waits is None else RunOutcome.WAITING
            self._ran(command, outcome, accounts=preview.accounts, bulk_id=bulk.id, detail=waits or "")

    def _is_paused(self, context: Context) -> str | None:
        """Messages that nobody sends by hand are automatic ones."""
        assert self.office_id is not None  # noqa: S101  it was made in one
        if bulk_kind(self.action).writes_to_customers and office_of(context, self.office_id).is_paused(context.now):
            return "the office's automation is paused"
        return None

    def _too_large(self, accounts: int, touched_minor: int) -> str | None:
        if accounts > self.most_accounts:
            return f"{accounts:,} accounts, of at most {self.most_accounts:,}"
        if self.most_minor is not None and touched_minor > self.most_minor:
            return "it would touch more money than it may"
        return None

    def _ran(
        self,
        command: RunSchedule,
        outcome: RunOutcome,
        *,
        accounts: int = 0,
        bulk_id: UUID | None = None,
        detail: str = "",
    ) -> None:
        self.emit(
            ScheduleRan(
                run_id=command.run_id,
                outcome=outcome,
                bulk_id=bulk_id,
                accounts=accounts,
                touched_minor=command.touched_minor,
                detail=detail,
            )
        )

    @decides(CancelSchedule)
    def cancel(self, command: CancelSchedule, context: Context) -> None:
        if self.office_id is None:
            raise Refusal("unknown-bulkschedule", "there is no such schedule")
        if not self.is_cancelled:
            self.emit(ScheduleCancelled())

    # --- apply ---

    @applies(BulkScheduled)
    def _made(self, event: BulkScheduled) -> None:
        self.office_id, self.action, self.parameters = event.office_id, event.kind, event.parameters
        self.filter, self.currency, self.recurrence = event.filter, event.currency, event.recurrence
        self.most_accounts, self.most_minor = event.most_accounts, event.most_minor
        self.due_at, self.due_on = event.due_at or event.opens_at, event.due_on

    @applies(ScheduleFellDue)
    def _fell_due(self, event: ScheduleFellDue) -> None:
        self.pending, self.due_at, self.due_on = event.run_id, event.next_opens_at, event.next_on

    @applies(ScheduleRan)
    def _done(self, event: ScheduleRan) -> None:
        self.pending = None

    @applies(ScheduleCancelled)
    def _cancelled(self, event: ScheduleCancelled) -> None:
        self.is_cancelled, self.pending = True, None
        self.due_at = self.due_on = None


def _opens_at(kind: BulkKind, day: date | None, office: Office) -> datetime | None:
    """At night no message may leave: those of a day are worked out when the office begins to send."""
    return moment_at(day, office.window.opens, office.zone) if kind.writes_to_customers and day is not None else None

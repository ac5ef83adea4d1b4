"""Complaints: what the customer complains of, by when they are answered, and how they ended."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.account.command import AccountCommand
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value
from aggregates.values.codes import Code
from aggregates.values.complaints import COMPLAINT_KINDS, answer_by
from aggregates.values.names import Assignee

# --- values ------------------------------------------------------------------------------------------


class ComplaintMedium(StrEnum):
    """How a complaint came in."""

    PHONE = "phone"
    EMAIL = "email"
    LETTER = "letter"
    SMS = "sms"
    PORTAL = "portal"
    IN_PERSON = "in-person"
    REGULATOR = "regulator"


class ComplaintOutcome(StrEnum):
    """How a complaint ended."""

    UPHELD = "upheld"
    PARTLY_UPHELD = "partly-upheld"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Complaint(Value):
    """A complaint that is not closed."""

    id: UUID
    kind: str
    received_on: date
    answer_by: date
    """The last day on which an answer is in time."""
    rests: bool
    """The chase rests until it is answered or closed."""
    assignee: str | None
    answered_on: date | None = None
    is_overdue: bool = False


# --- events ------------------------------------------------------------------------------------------


class ComplaintReceived(Event, name="account.complaint-received"):
    """The customer complained. While it is open the chase rests, unless it was said that it goes on."""

    complaint_id: UUID
    kind: str
    medium: ComplaintMedium
    received_on: date
    answer_by: date
    """The last day on which an answer is in time."""
    rests: bool
    subject: Personal
    notes: Personal | None = None
    assignee: str | None = None


class ComplaintAnswered(Event, name="account.complaint-answered"):
    """The complaint was answered; it is closed once its outcome is known."""

    complaint_id: UUID
    answered_on: date
    notes: Personal | None = None


class ComplaintOverdue(Event, name="account.complaint-overdue"):
    """The complaint was not answered in time."""

    complaint_id: UUID
    answer_by: date
    assignee: str | None = None


class ComplaintClosed(Event, name="account.complaint-closed"):
    """The complaint is over."""

    complaint_id: UUID
    outcome: ComplaintOutcome


# --- commands ----------------------------------------------------------------------------------------


class RecordComplaint(AccountCommand, name="record-complaint", makes="complaint"):
    """Record that the customer complained. Its kind says by when it is answered, else the office."""

    subject: Personal = Field(min_length=1, max_length=200)
    kind: Code = "general"
    medium: ComplaintMedium = ComplaintMedium.PHONE
    received_on: date | None = None
    """None: today."""
    answer_by: date | None = None
    """Another last day for the answer than that of its kind."""
    rests: bool = True
    """Whether the chase rests until it is answered or closed."""
    notes: Personal | None = Field(None, max_length=10_000)
    assignee: Assignee | None = None


class AnswerComplaint(AccountCommand, name="answer-complaint"):
    """Say that a complaint was answered."""

    complaint_id: UUID
    answered_on: date | None = None
    """None: today."""
    notes: Personal | None = Field(None, max_length=10_000)


class CloseComplaint(AccountCommand, name="close-complaint"):
    """Say how a complaint ended, and why."""

    complaint_id: UUID
    outcome: ComplaintOutcome


class RemindComplaint(AccountCommand, name="remind-complaint", internal=True):
    """The last day for answering a complaint may be over."""

    complaint_id: UUID


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Complaints(AccountPart):
    """Complaints that are not closed."""

    open: dict[UUID, Complaint] = field(default_factory=dict)

    customer: ClassVar = Needs(Customer)

    def shields(self) -> list[Shield]:
        """The chase of the whole account rests while a complaint is open, where that was said."""
        return [
            Shield(
                ShieldSource.COMPLAINT,
                Why(
                    code="complaint",
                    detail=f"a complaint of {complaint.received_on} is open, to be answered by {complaint.answer_by}",
                ),
            )
            for complaint in self.open.values()
            if complaint.rests and complaint.answered_on is None
        ]

    @decides(RecordComplaint)
    def record(self, command: RecordComplaint, context: Context) -> None:
        self.require_account()
        kind = COMPLAINT_KINDS.get(command.kind)
        if kind is None:
            raise Refusal("unknown-complaint-kind", f"kind: expected one of {', '.join(COMPLAINT_KINDS)}")
        received_on = command.received_on or context.today
        if received_on > context.today:
            raise Refusal("complaint-day", f"received_on: expected {context.today} or earlier")
        if command.answer_by is not None and command.answer_by < received_on:
            raise Refusal("complaint-day", f"answer_by: expected {received_on} (receipt) or later")
        office_days = self.customer.office(context).casework.complaint_days
        received = ComplaintReceived(
            complaint_id=command.made_id(context.command_id),
            kind=kind.code,
            medium=command.medium,
            received_on=received_on,
            answer_by=command.answer_by or answer_by(kind, received_on, office_days=office_days),
            rests=command.rests,
            subject=command.subject,
            notes=command.notes,
            assignee=command.assignee,
        )
        self.emit(received, effective_on=received_on)

    @decides(AnswerComplaint)
    def answer(self, command: AnswerComplaint, context: Context) -> None:
        complaint = self._open(command.complaint_id)
        answered_on = command.answered_on or context.today
        if not complaint.received_on <= answered_on <= context.today:
            raise Refusal("complaint-day", f"answered_on: expected from {complaint.received_on} to {context.today}")
        if complaint.answered_on is None:
            answered = ComplaintAnswered(complaint_id=complaint.id, answered_on=answered_on, notes=command.notes)
            self.emit(answered, effective_on=answered_on)

    @decides(CloseComplaint)
    def close(self, command: CloseComplaint, context: Context) -> None:
        complaint = self._open(command.complaint_id)
        context.require_reason()
        self.emit(ComplaintClosed(complaint_id=complaint.id, outcome=command.outcome))

    @decides(RemindComplaint)
    def remind(self, command: RemindComplaint, context: Context) -> None:
        self.require_account()
        complaint = self.open.get(command.complaint_id)
        if complaint is None or complaint.answered_on is not None or complaint.is_overdue:
            return
        if complaint.answer_by < context.today:
            overdue = ComplaintOverdue(
                complaint_id=complaint.id, answer_by=complaint.answer_by, assignee=complaint.assignee
            )
            self.emit(overdue)

    def _open(self, complaint_id: UUID) -> Complaint:
        self.require_account()
        if complaint_id not in self.open:
            raise Refusal("unknown-complaint", "no such complaint is open")
        return self.open[complaint_id]

    # --- apply ---

    @applies(ComplaintReceived)
    def _received(self, event: ComplaintReceived) -> None:
        self.open[event.complaint_id] = Complaint(
            id=event.complaint_id,
            kind=event.kind,
            received_on=event.received_on,
            answer_by=event.answer_by,
            rests=event.rests,
            assignee=event.assignee,
        )

    @applies(ComplaintAnswered)
    def _answered(self, event: ComplaintAnswered) -> None:
        complaint = self.open[event.complaint_id]
        self.open[complaint.id] = complaint.model_copy(update={"answered_on": event.answered_on})

    @applies(ComplaintOverdue)
    def _overdue(self, event: ComplaintOverdue) -> None:
        complaint = self.open[event.complaint_id]
        self.open[complaint.id] = complaint.model_copy(update={"is_overdue": True})

    @applies(ComplaintClosed)
    def _closed(self, event: ComplaintClosed) -> None:
        self.open.pop(event.complaint_id)

"""Legal cases: demands, liens and suits, kept by hand: their states, court, costs and documents."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from aggregates.account.command import AccountCommand
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.receivables import Receivables
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value
from aggregates.office import Office
from aggregates.values.codes import Number
from aggregates.values.money import Money

# --- values ------------------------------------------------------------------------------------------


class LegalKind(StrEnum):
    DEMAND = "demand"
    LIEN = "lien"
    SUIT = "suit"


class LegalState(StrEnum):
    PREPARED = "prepared"
    FILED = "filed"
    """With the court, or the register of liens."""
    SERVED = "served"
    """On the debtor."""
    JUDGMENT = "judgment"
    SATISFIED = "satisfied"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"


ENDED = frozenset({LegalState.SATISFIED, LegalState.RELEASED, LegalState.WITHDRAWN})

_ENDS_AS_PAID = frozenset({LegalState.SATISFIED, LegalState.WITHDRAWN})
NEXT: Mapping[LegalKind, Mapping[LegalState, frozenset[LegalState]]] = {
    LegalKind.DEMAND: {
        LegalState.PREPARED: frozenset({LegalState.SERVED, LegalState.WITHDRAWN}),
        LegalState.SERVED: _ENDS_AS_PAID,
    },
    LegalKind.LIEN: {
        LegalState.PREPARED: frozenset({LegalState.FILED, LegalState.WITHDRAWN}),
        LegalState.FILED: ENDED,
    },
    LegalKind.SUIT: {
        LegalState.PREPARED: frozenset({LegalState.FILED, LegalState.WITHDRAWN}),
        LegalState.FILED: frozenset({LegalState.SERVED, LegalState.JUDGMENT}) | _ENDS_AS_PAID,
        LegalState.SERVED: frozenset({LegalState.JUDGMENT}) | _ENDS_AS_PAID,
        LegalState.JUDGMENT: ENDED,
    },
}
"""What may follow each state."""

Documents = Annotated[tuple[Personal, ...], Field(max_length=100)]
"""By the names that they have in the office's files."""


class LegalCase(Value):
    """A case that has not ended."""

    id: UUID
    kind: LegalKind
    state: LegalState
    since: date
    """The day of its state."""
    item_ids: tuple[UUID, ...]
    """What it is about; none: all that is owed."""


# --- events ------------------------------------------------------------------------------------------


class LegalCaseOpened(Event, name="account.legal-case-opened"):
    """A demand, lien or suit is prepared."""

    case_id: UUID
    kind: LegalKind
    opened_on: date
    item_ids: tuple[UUID, ...]
    """What it is about; none: all that is owed."""
    court: Personal | None = None
    case_number: Personal | None = None
    cost: Money | None = None
    documents: tuple[Personal, ...] = ()
    notes: Personal | None = None


class LegalCaseMoved(Event, name="account.legal-case-moved"):
    """A legal case is in another state since a day; what is said besides is new."""

    case_id: UUID
    kind: LegalKind
    state: LegalState
    moved_on: date
    court: Personal | None = None
    case_number: Personal | None = None
    cost: Money | None = None
    documents: tuple[Personal, ...] = ()
    notes: Personal | None = None


class LegalCaseNoted(Event, name="account.legal-case-noted"):
    """A court, a number, a cost or documents of a legal case were noted; its state stays."""

    case_id: UUID
    noted_on: date
    court: Personal | None = None
    case_number: Personal | None = None
    cost: Money | None = None
    documents: tuple[Personal, ...] = ()
    notes: Personal | None = None


# --- commands ----------------------------------------------------------------------------------------


class _LegalDetails(AccountCommand):
    """What can be said of a legal case at any time. A cost is added to those before; it is no part of what is owed."""

    on: date | None = None
    """The day on which it was so; None: today."""
    court: Personal | None = Field(None, max_length=200)
    """Or the register of a lien."""
    case_number: Personal | None = Field(None, max_length=100)
    cost: Money | None = None
    documents: Documents = ()
    notes: Personal | None = Field(None, max_length=10_000)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.cost is not None and self.cost.minor <= 0:
            raise ValueError("cost: expected more than zero")
        if any(not 1 <= len(name.strip()) <= 200 for name in self.documents):
            raise ValueError("documents: expected names of at most 200 characters")
        return self


class OpenLegalCase(_LegalDetails, name="open-legal-case", makes="legal-case"):
    """Prepare a demand, a lien or a suit, about invoices or about all that is owed."""

    kind: LegalKind
    invoice_numbers: tuple[Number, ...] = Field((), max_length=1_000)


class MoveLegalCase(_LegalDetails, name="move-legal-case"):
    """Say that a legal case is in another state."""

    case_id: UUID
    state: LegalState


class NoteLegalCase(_LegalDetails, name="note-legal-case"):
    """Note a court, a number, a cost or documents of a legal case."""

    case_id: UUID


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class LegalCases(AccountPart):
    """Legal cases that have not ended."""

    open: dict[UUID, LegalCase] = field(default_factory=dict)

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)

    def shields(self, office: Office) -> list[Shield]:
        """While the customer is sued the chase of what that is about rests, unless the office lets it go on."""
        if not office.casework.suit_rests:
            return []
        return [
            Shield(
                ShieldSource.LEGAL_CASE,
                Why(code="legal-case", detail=f"a suit is {_IN_WORDS[case.state]} since {case.since}"),
                items=frozenset(case.item_ids) if case.item_ids else None,
                said="is sued for",
            )
            for case in self.open.values()
            if case.kind is LegalKind.SUIT
        ]

    @decides(OpenLegalCase)
    def open_case(self, command: OpenLegalCase, context: Context) -> None:
        self.require_account()
        opened_on = self._day(command, context, date.min)
        opened = LegalCaseOpened(
            case_id=command.made_id(context.command_id),
            kind=command.kind,
            opened_on=opened_on,
            item_ids=self.receivables.open_named(command.invoice_numbers),
            **_details(command),
        )
        self.emit(opened, effective_on=opened_on)

    @decides(MoveLegalCase)
    def move(self, command: MoveLegalCase, context: Context) -> None:
        case = self._open(command.case_id)
        moved_on = self._day(command, context, case.since)
        allowed = NEXT[case.kind][case.state]
        if command.state not in allowed:
            after = ", ".join(state for state in LegalState if state in allowed)
            raise Refusal("legal-state", f"state: a {case.kind} that is {case.state} becomes one of {after}")
        moved = LegalCaseMoved(
            case_id=case.id, kind=case.kind, state=command.state, moved_on=moved_on, **_details(command)
        )
        self.emit(moved, effective_on=moved_on)

    @decides(NoteLegalCase)
    def note(self, command: NoteLegalCase, context: Context) -> None:
        case = self._open(command.case_id)
        noted_on = self._day(command, context, date.min)
        details = _details(command)
        if any(details.values()):
            self.emit(LegalCaseNoted(case_id=case.id, noted_on=noted_on, **details), effective_on=noted_on)

    def _open(self, case_id: UUID) -> LegalCase:
        self.require_account()
        if case_id not in self.open:
            raise Refusal("unknown-legal-case", "no such legal case is open")
        return self.open[case_id]

    def _day(self, command: _LegalDetails, context: Context, earliest: date) -> date:
        self.customer.require_currency(command.cost)
        day = command.on or context.today
        if not earliest <= day <= context.today:
            from_day = "" if earliest == date.min else f"from {earliest} to "
            raise Refusal("legal-day", f"on: expected {from_day or 'up to '}{context.today}")
        return day

    # --- apply ---

    @applies(LegalCaseOpened)
    def _opened(self, event: LegalCaseOpened) -> None:
        self.open[event.case_id] = LegalCase(
            id=event.case_id,
            kind=event.kind,
            state=LegalState.PREPARED,
            since=event.opened_on,
            item_ids=event.item_ids,
        )

    @applies(LegalCaseMoved)
    def _moved(self, event: LegalCaseMoved) -> None:
        case = self.open.pop(event.case_id)
        if event.state not in ENDED:
            self.open[case.id] = case.model_copy(update={"state": event.state, "since": event.moved_on})

    @applies(LegalCaseNoted)
    def _noted(self, event: LegalCaseNoted) -> None:
        """Nothing that decisions read."""


_IN_WORDS = {
    LegalState.PREPARED: "prepared",
    LegalState.FILED: "filed",
    LegalState.SERVED: "served",
    LegalState.JUDGMENT: "decided",
}


def _details(command: _LegalDetails) -> dict[str, Any]:
    return {
        "court": command.court,
        "case_number": command.case_number,
        "cost": command.cost,
        "documents": command.documents,
        "notes": command.notes,
    }

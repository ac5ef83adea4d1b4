"""Holds: the chase of the whole account rests, or that of some items."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.account.command import AccountCommand
from aggregates.account.part import AccountPart
from aggregates.account.receivables import Receivables
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.values.codes import Code, Number

# --- values ------------------------------------------------------------------------------------------


class Hold(Value):
    """Suspends the chase of the whole account or of items, until a day or until it is released."""

    id: UUID
    code: str
    until: date | None
    begins_on: Annotated[date | None, LATER] = None
    """Its first day, where that is earlier than the day on which it was said."""
    item_ids: Annotated[tuple[UUID, ...] | None, LATER] = None
    """None: it is of the whole account."""


# --- events ------------------------------------------------------------------------------------------


class HoldPlaced(Event, name="account.hold-placed"):
    """The chase rests, until the end of a day or until the hold is released."""

    hold_id: UUID
    code: str
    until: date | None
    begins_on: Annotated[date | None, LATER] = None
    """Its first day, where that is earlier than the day on which it was said. What was sent meanwhile stays sent."""
    item_ids: Annotated[tuple[UUID, ...] | None, LATER] = None
    """Only the chase of these items rests. None: that of the whole account."""


class HoldReleased(Event, name="account.hold-released"):
    """The chase goes on."""

    hold_id: UUID


# --- commands ----------------------------------------------------------------------------------------


class PlaceHold(AccountCommand, name="place-hold", makes="hold"):
    """Let the chase rest, for good or until the end of a day."""

    code: Code
    until: date | None = None
    begins_on: Annotated[date | None, LATER] = None
    """Its first day, which may be a past one; None: today."""
    invoice_numbers: Annotated[tuple[Number, ...] | None, LATER] = Field(None, min_length=1)
    """Only the chase of these invoices rests; None: that of the whole account."""


class ReleaseHold(AccountCommand, name="release-hold"):
    """Let the chase go on."""

    hold_id: UUID


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Holds(AccountPart):
    """Holds in force."""

    in_force: dict[UUID, Hold] = field(default_factory=dict)

    receivables: ClassVar = Needs(Receivables)

    def shields(self) -> list[Shield]:
        """A hold rests the chase of the whole account, or of its items, to the end of its last day."""
        return [
            Shield(
                ShieldSource.HOLD,
                Why(code="hold", detail=f"on hold ({hold.code}){f' until {hold.until}' if hold.until else ''}"),
                until=hold.until,
                items=None if hold.item_ids is None else frozenset(hold.item_ids),
                said=f"is on hold ({hold.code})",
            )
            for hold in self.in_force.values()
        ]

    def has_one_as(self, command: PlaceHold) -> bool:
        """Whether a hold for the same, until the same day and of the same items, is in force."""
        items = self._items(command) if self.in_force else None
        wanted = command.code, command.until, items
        return any((hold.code, hold.until, hold.item_ids) == wanted for hold in self.in_force.values())

    def _items(self, command: PlaceHold) -> tuple[UUID, ...] | None:
        return self.receivables.open_named(command.invoice_numbers) if command.invoice_numbers else None

    @decides(PlaceHold)
    def place_hold(self, command: PlaceHold, context: Context) -> None:
        self.require_account()
        context.require_reason()
        if command.until is not None and command.until < context.today:
            raise Refusal("hold-past", f"until: expected {context.today} or later")
        begins_on = command.begins_on or min(context.effective_on, context.today)
        if begins_on > context.today:
            raise Refusal("hold-future", f"begins_on: expected {context.today} or earlier")
        placed = HoldPlaced(
            hold_id=command.made_id(context.command_id),
            code=command.code,
            until=command.until,
            begins_on=begins_on if begins_on < context.today else None,
            item_ids=self._items(command),
        )
        self.emit(placed, effective_on=begins_on)

    @decides(ReleaseHold)
    def release_hold(self, command: ReleaseHold, context: Context) -> None:
        self.require_account()
        if command.hold_id not in self.in_force:
            raise Refusal("unknown-hold", "no such hold is in force")
        self.emit(HoldReleased(hold_id=command.hold_id))

    # --- apply ---

    @applies(HoldPlaced)
    def _hold_placed(self, event: HoldPlaced) -> None:
        self.in_force[event.hold_id] = Hold(
            id=event.hold_id,
            code=event.code,
            until=event.until,
            begins_on=event.begins_on,
            item_ids=event.item_ids,
        )

    @applies(HoldReleased)
    def _hold_released(self, event: HoldReleased) -> None:
        self.in_force.pop(event.hold_id)

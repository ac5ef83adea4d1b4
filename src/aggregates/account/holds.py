"""Holds: the chase of the whole account rests."""

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from aggregates.account.command import AccountCommand
from aggregates.account.part import AccountPart
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value
from aggregates.values.codes import Code

# --- values ------------------------------------------------------------------------------------------


class Hold(Value):
    """Suspends the chase of the whole account, until a day or until it is released."""

    id: UUID
    code: str
    until: date | None


# --- events ------------------------------------------------------------------------------------------


class HoldPlaced(Event, name="account.hold-placed"):
    """The chase rests, until the end of a day or until the hold is released."""

    hold_id: UUID
    code: str
    until: date | None


class HoldReleased(Event, name="account.hold-released"):
    """The chase goes on."""

    hold_id: UUID


# --- commands ----------------------------------------------------------------------------------------


class PlaceHold(AccountCommand, name="place-hold", makes="hold"):
    """Let the chase rest, for good or until the end of a day."""

    code: Code
    until: date | None = None


class ReleaseHold(AccountCommand, name="release-hold"):
    """Let the chase go on."""

    hold_id: UUID


# --- decisions ---------------------------------------------------------------------------------------


@dataclass
class Holds(AccountPart):
    """Holds in force."""

    in_force: dict[UUID, Hold] = field(default_factory=dict)

    def shields(self) -> list[Shield]:
        """A hold rests the chase of the whole account, to the end of its last day."""
        return [
            Shield(
                ShieldSource.HOLD,
                Why(code="hold", detail=f"on hold ({hold.code}){f' until {hold.until}' if hold.until else ''}"),
                until=hold.until,
            )
            for hold in self.in_force.values()
        ]

    def has_one_as(self, command: PlaceHold) -> bool:
        """Whether a hold for the same, until the same day, is in force."""
        return any((hold.code, hold.until) == (command.code, command.until) for hold in self.in_force.values())

    @decides(PlaceHold)
    def place_hold(self, command: PlaceHold, context: Context) -> None:
        self.require_account()
        context.require_reason()
        if command.until is not None and command.until < context.today:
            raise Refusal("hold-past", f"until: expected {context.today} or later")
        hold_id = command.made_id(context.command_id)
        self.emit(HoldPlaced(hold_id=hold_id, code=command.code, until=command.until))

    @decides(ReleaseHold)
    def release_hold(self, command: ReleaseHold, context: Context) -> None:
        self.require_account()
        if command.hold_id not in self.in_force:
            raise Refusal("unknown-hold", "no such hold is in force")
        self.emit(HoldReleased(hold_id=command.hold_id))

    # --- apply ---

    @applies(HoldPlaced)
    def _hold_placed(self, event: HoldPlaced) -> None:
        self.in_force[event.hold_id] = Hold(id=event.hold_id, code=event.code, until=event.until)

    @applies(HoldReleased)
    def _hold_released(self, event: HoldReleased) -> None:
        self.in_force.pop(event.hold_id)

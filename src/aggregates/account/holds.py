"""Holds: the chase of the whole account rests."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from aggregates.account.command import AccountCommand
from aggregates.kernel.event import Event
from aggregates.values.codes import Code

# --- values ------------------------------------------------------------------------------------------


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hold(_Value):
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


class PlaceHold(AccountCommand, name="place-hold"):
    """Let the chase rest, for good or until the end of a day."""

    code: Code
    until: date | None = None


class ReleaseHold(AccountCommand, name="release-hold"):
    """Let the chase go on."""

    hold_id: UUID

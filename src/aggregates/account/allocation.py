"""What payments and credits are put against, and taken back from."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from aggregates.account.receivables import Item, Receipt
from aggregates.kernel.event import Event
from aggregates.values.money import Money

# --- values ------------------------------------------------------------------------------------------


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AllocatedPart(_Value):
    """An amount put against an item. `open_after` zero settles the item."""

    item_id: UUID
    amount: Money
    open_after: Money


class ReleasedPart(_Value):
    """An amount taken back from an item, which is open again with its original dates."""

    item: Item
    amount: Money
    open_after: Money
    open_since: date
    known_on: date
    dispute_id: UUID | None = None
    steps: tuple[str, ...] = ()
    """The item's place in the sequence, which a settled item took with it."""


# --- events ------------------------------------------------------------------------------------------


class FundsAllocated(Event, name="account.funds-allocated"):
    """A payment or credit was put against open items."""

    funds_id: UUID
    allocated_on: date
    parts: tuple[AllocatedPart, ...]
    unapplied_after: Money


class AllocationReleased(Event, name="account.allocation-released"):
    """Allocated amounts were taken back; the items are open again, with their original due dates."""

    receipt: Receipt
    released_on: date
    parts: tuple[ReleasedPart, ...]
    unapplied_after: Money

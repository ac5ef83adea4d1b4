"""What the customer disputes."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aggregates.account.command import AccountCommand
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.values.codes import Code, Number

# --- values ------------------------------------------------------------------------------------------


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dispute(_Value):
    id: UUID
    item_ids: tuple[UUID, ...]
    reason_code: str
    opened_on: date


# --- events ------------------------------------------------------------------------------------------


class DisputeOpened(Event, name="account.dispute-opened"):
    """The customer disputes these items; they are not chased until it is resolved."""

    dispute_id: UUID
    item_ids: tuple[UUID, ...]
    reason_code: str
    opened_on: date
    notes: Personal | None = None


class DisputeResolved(Event, name="account.dispute-resolved"):
    """The dispute is over and its items can be chased again."""

    dispute_id: UUID
    item_ids: tuple[UUID, ...]
    resolution: str


# --- commands ----------------------------------------------------------------------------------------


class OpenDispute(AccountCommand, name="open-dispute"):
    """The customer disputes invoices (none given: all open ones)."""

    invoice_numbers: tuple[Number, ...] = ()
    reason_code: Code
    notes: Personal | None = Field(None, max_length=10_000)


class ResolveDispute(AccountCommand, name="resolve-dispute"):
    """End a dispute."""

    dispute_id: UUID
    resolution: Code

"""How old what is open is: the buckets of items and of the account."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from aggregates.account.command import AccountCommand
from aggregates.kernel.event import Event

# --- values ------------------------------------------------------------------------------------------


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BucketMove(_Value):
    """An item that moved to another bucket; `next_on` is the day it moves again (None: never)."""

    item_id: UUID
    bucket: str
    next_on: date | None


# --- events ------------------------------------------------------------------------------------------


class Aged(Event, name="account.aged"):
    """Items moved to other aging buckets. `bucket` is the account's: its oldest item's."""

    as_of: date
    moves: tuple[BucketMove, ...]
    bucket: str
    previous_bucket: str
    days_past_due: int


# --- commands ----------------------------------------------------------------------------------------


class AgeAccount(AccountCommand, name="age-account"):
    """Move open items to the buckets that today's days past due say."""

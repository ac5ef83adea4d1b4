"""What promises to pay hold back; the promise itself is an aggregate of its own."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from aggregates.kernel.event import Event
from aggregates.values.money import Money

# --- values ------------------------------------------------------------------------------------------


class OpenPromise(BaseModel):
    """A promise that still holds back the chase for what is left of it."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    made_on: date
    due_on: date
    amount: Money
    remaining: Money


# --- events ------------------------------------------------------------------------------------------


class PromiseRegistered(Event, name="account.promise-registered"):
    """The account holds back the chase for what a promise covers."""

    promise_id: UUID
    made_on: date
    due_on: date
    amount: Money
    remaining: Money


class PromiseClosed(Event, name="account.promise-closed"):
    """A promise holds nothing back any more: kept, partially kept, broken, withdrawn or rescheduled."""

    promise_id: UUID
    outcome: str
    broken_promises: int

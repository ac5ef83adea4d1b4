"""Facts of the future: received now, true on their day."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aggregates.account.command import AccountCommand
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal

# --- values ------------------------------------------------------------------------------------------


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeferredFact(_Value):
    """A command about the future, kept until its day. What its document says besides is apart: it is personal."""

    arrives_on: date
    command_name: str
    command: dict[str, object]
    information: dict[str, Personal] = Field(default_factory=dict)


# --- events ------------------------------------------------------------------------------------------


class FactDeferred(Event, name="account.fact-deferred"):
    """A fact dated in the future was received and waits for its day."""

    fact_id: UUID
    arrives_on: date
    command_name: str
    command: dict[str, object]
    information: dict[str, Personal] = Field(default_factory=dict)
    """What the document says besides."""


class FactArrived(Event, name="account.fact-arrived"):
    """The day of a deferred fact has come; what it says follows."""

    fact_id: UUID


# --- commands ----------------------------------------------------------------------------------------


class AdmitFact(AccountCommand, name="admit-fact"):
    """Carry out a deferred fact whose day has come."""

    fact_id: UUID

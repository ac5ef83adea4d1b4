"""Who the customer is, and what they subscribe to."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aggregates.account.command import AccountCommand, account_id
from aggregates.kernel.command import Command
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.values.codes import Number
from aggregates.values.contact import ContactDetails, Country
from aggregates.values.money import Currency, Money

# --- values ------------------------------------------------------------------------------------------


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Subscription(_Value):
    """A service the customer subscribes to."""

    number: Number
    service_type: str | None = None
    started_on: date | None = None
    initial_discount: Money | None = None


class CustomerKind(StrEnum):
    """Which law applies to contacts: consumer or commercial debt."""

    CONSUMER = "consumer"
    COMMERCIAL = "commercial"


# --- events ------------------------------------------------------------------------------------------


class AccountOpened(Event, name="account.opened"):
    """A customer's receivables with an office, in one currency, are worked from now on."""

    office_id: UUID
    number: Number
    customer_name: Personal
    currency: Currency
    customer_kind: CustomerKind
    segment: str | None = None
    country: Country | None = None
    information: dict[str, Personal] = Field(default_factory=dict)


class CustomerRenamed(Event, name="account.customer-renamed"):
    """The customer's name or classification changed."""

    customer_name: Personal
    customer_kind: CustomerKind
    segment: str | None = None
    country: Country | None = None
    information: dict[str, Personal] = Field(default_factory=dict)


class SubscriptionRecorded(Event, name="account.subscription-recorded"):
    """The customer subscribes to a service, or what is known of it changed."""

    subscription: Subscription


# --- commands ----------------------------------------------------------------------------------------


class OpenAccount(Command, name="open-account"):
    """Start working a customer's receivables. Again with the same data changes nothing, with other data updates it."""

    office_id: UUID
    number: Number
    customer_name: Personal = Field(min_length=1, max_length=300)
    currency: Currency
    customer_kind: CustomerKind = CustomerKind.CONSUMER
    segment: str | None = Field(None, max_length=100)
    country: Country | None = None
    information: dict[str, Personal] = Field(default_factory=dict)
    """What the customer's own systems say besides; kept and shown, nothing is decided by it."""
    contact: ContactDetails | None = None

    def targets(self) -> Mapping[str, UUID]:
        return {"account": account_id(self.office_id, self.number)}


class EnsureAccount(Command, name="ensure-account"):
    """Open the account if nobody did yet, known by its number only; one that is open stays as it is."""

    office_id: UUID
    number: Number
    currency: Currency

    def targets(self) -> Mapping[str, UUID]:
        return {"account": account_id(self.office_id, self.number)}


class RecordSubscription(AccountCommand, name="record-subscription"):
    """Record a service the customer subscribes to."""

    subscription: Subscription

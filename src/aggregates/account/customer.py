"""Who the customer is, and what they subscribe to."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from aggregates.account.command import AccountCommand, account_id
from aggregates.account.contact import Contact
from aggregates.account.part import AccountPart
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.command import Command, Target
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.office import Office, office_of
from aggregates.values.codes import Number
from aggregates.values.contact import ContactDetails, Country
from aggregates.values.money import Currency, Money

# --- values ------------------------------------------------------------------------------------------


class Subscription(Value):
    """A service the customer subscribes to."""

    number: Number
    service_type: str | None = None
    started_on: date | None = None
    initial_discount: Money | None = None


class Opening(Value):
    """What an account is opened with that is known by its number only."""

    office_id: UUID
    number: Number
    currency: Currency


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


class OpenAccount(Command, name="open-account", sees=("office",)):
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

    def targets(self) -> tuple[Target, ...]:
        return (Target("account", account_id(self.office_id, self.number)),)

    def links(self) -> tuple[Target, ...]:
        return (Target("office", self.office_id),)


class BookingCommand(AccountCommand):
    """A command that brings in a document, which may be the first that is known of its account."""

    opens: Annotated[Opening | None, LATER] = None
    """Where nothing described this account so far, it is opened by this decision; one that is open stays as it is."""

    @model_validator(mode="after")
    def _opens_its_account(self) -> Self:
        if self.opens is not None and account_id(self.opens.office_id, self.opens.number) != self.account_id:
            raise ValueError("opens: expected the office and number of this account")
        return self

    def links(self) -> tuple[Target, ...]:
        return () if self.opens is None else (Target("office", self.opens.office_id),)


class RecordSubscription(AccountCommand, name="record-subscription"):
    """Record a service the customer subscribes to."""

    subscription: Subscription


# --- decisions ---------------------------------------------------------------------------------------

DESCRIPTION = {
    "customer_name": "name",
    "customer_kind": "kind",
    "segment": "segment",
    "country": "country",
    "information": "information",
}
"""What says who the customer is, by its name in commands and events and in the state; any change is one event."""


@dataclass
class Customer(AccountPart):
    """Who owes, to which office, in which currency. Amounts of the account are in its currency."""

    office_id: UUID | None = None
    number: str = ""
    name: Personal = ""
    currency: str = "USD"
    kind: CustomerKind = CustomerKind.CONSUMER
    segment: str | None = None
    country: str | None = None
    information: dict[str, Personal] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    contact: ClassVar = Needs(Contact)

    @property
    def zero(self) -> Money:
        return Money.zero(self.currency)

    def office(self, context: Context) -> Office:
        """The account's office as it is now."""
        return office_of(context, self.office_id)

    def require_open(self, opens: Opening | None, on: date, context: Context) -> None:
        """Refuses where the account was never opened and is not to be opened by this, as of the document's day."""
        if opens is not None and not self.whole.exists:
            _require_currency_of_office(opens, context)
            self.emit(
                AccountOpened(
                    office_id=opens.office_id,
                    number=opens.number,
                    customer_name=opens.number,
                    currency=opens.currency,
                    customer_kind=CustomerKind.CONSUMER,
                ),
                effective_on=min(on, context.today),
            )
        self.require_account()

    def require_currency(self, *amounts: Money | None) -> None:
        for amount in amounts:
            if amount is not None and amount.currency != self.currency:
                raise Refusal("wrong-currency", f"the account is in {self.currency}, the amount in {amount.currency}")

    @decides(OpenAccount)
    def open_account(self, command: OpenAccount, context: Context) -> None:
        if not self.whole.exists:
            _require_currency_of_office(command, context)
            self.emit(AccountOpened(**command.model_dump(exclude={"contact"})))
        elif command.currency != self.currency:
            raise Refusal("wrong-currency", f"the account is in {self.currency} already")
        elif any(getattr(self, mine) != getattr(command, given) for given, mine in DESCRIPTION.items()):
            self.emit(CustomerRenamed(**command.model_dump(include=set(DESCRIPTION))))
        if command.contact is not None:
            self.contact.change(command.contact)

    @decides(RecordSubscription)
    def record_subscription(self, command: RecordSubscription, context: Context) -> None:
        self.require_account()
        self.require_currency(command.subscription.initial_discount)
        if self.subscriptions.get(command.subscription.number) != command.subscription:
            self.emit(SubscriptionRecorded(subscription=command.subscription))

    # --- apply ---

    @applies(AccountOpened)
    def _opened(self, event: AccountOpened) -> None:
        self.office_id, self.number, self.currency = event.office_id, event.number, event.currency
        self._describe(event)

    @applies(CustomerRenamed)
    def _renamed(self, event: CustomerRenamed) -> None:
        self._describe(event)

    def _describe(self, event: AccountOpened | CustomerRenamed) -> None:
        self.name, self.kind = event.customer_name, event.customer_kind
        self.segment, self.country, self.information = event.segment, event.country, event.information
        self.contact.lives_in(event.country)

    @applies(SubscriptionRecorded)
    def _subscription_recorded(self, event: SubscriptionRecorded) -> None:
        self.subscriptions = {**self.subscriptions, event.subscription.number: event.subscription}


def _require_currency_of_office(opening: OpenAccount | Opening, context: Context) -> None:
    office = office_of(context, opening.office_id)
    if opening.currency != office.currency:
        raise Refusal("wrong-currency", f"the office works in {office.currency}")

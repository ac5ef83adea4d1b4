"""Who the customer is, and what they subscribe to."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from aggregates.account.command import SHARED, AccountCommand, account_id, account_name, customer_key
from aggregates.account.contact import Contact
from aggregates.account.part import AccountPart
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.command import Command, Key, Target
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import ERASED, Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.office import Office, office_of
from aggregates.values.codes import Number
from aggregates.values.contact import ContactDetails, Country, each_id_once
from aggregates.values.money import Currency, Money

# --- values ------------------------------------------------------------------------------------------


class Subscription(Value):
    """A service the customer subscribes to."""

    number: Number
    service_type: str | None = None
    started_on: date | None = None
    initial_discount: Money | None = None
    ends_on: Annotated[date | None, LATER] = None
    """The last day of its term, where it has one."""
    services_agreed: Annotated[int | None, LATER] = Field(None, ge=1, le=1_000_000)
    """How many services were agreed, where they are counted."""
    services_done: Annotated[int | None, LATER] = Field(None, ge=0, le=1_000_000)
    cancelled_on: Annotated[date | None, LATER] = None
    """Since when it is cancelled, or will be: it is neither frozen nor rolled back any more."""

    def is_fulfilled(self, day: date) -> bool:
        """Whether its term has ended by the day, or all services that were agreed are done."""
        agreed, done = self.services_agreed, self.services_done
        are_done = agreed is not None and done is not None and done >= agreed
        return are_done or (self.ends_on is not None and self.ends_on <= day)

    def with_said(self, **said: Any) -> dict[str, Any]:
        """What is known of it, but for what is said; what is None is not."""
        return {**dict(self), **{name: value for name, value in said.items() if value is not None}}


OtherCurrency = Annotated[Literal[True] | None, LATER]
"""Whether an account is in another currency than its office works in. Its id is made with that, so that it follows from
what the account is and not from what came first."""


class Opening(Value):
    """What an account is opened with that is known by its number only."""

    office_id: UUID
    number: Number
    currency: Currency
    other_currency: OtherCurrency = None

    @property
    def account_id(self) -> UUID:
        return account_id(self.office_id, self.number, self.currency if self.other_currency else None)


class OtherAccount(Value):
    """Another account of the same customer."""

    account_id: UUID
    number: Number
    currency: Currency
    other_currency: OtherCurrency = None

    @property
    def name(self) -> str:
        """What people call it."""
        return account_name(self.number, self.currency if self.other_currency else None)


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
    customer_number: Annotated[Number | None, LATER] = None
    """Of the customer, who may have other accounts; None: the account's own number."""
    other_currency: OtherCurrency = None

    @property
    def account_name(self) -> str:
        """What people call the account."""
        return account_name(self.number, self.currency if self.other_currency else None)

    def found_by(self) -> tuple[Key, ...]:
        numbers = dict.fromkeys((self.number, self.customer_number or self.number))
        return tuple(customer_key(self.office_id, number) for number in numbers)


class CustomerNumberChanged(Event, name="account.customer-number-changed"):
    """The account turned out to be another customer's. What was said of contact before stays."""

    office_id: UUID
    customer_number: Number

    def found_by(self) -> tuple[Key, ...]:
        return (customer_key(self.office_id, self.customer_number),)


class CustomerShared(Event, name="account.customer-shared"):
    """The same customer has another account: what they say of contact is said of both."""

    other: OtherAccount


class CustomerParted(Event, name="account.customer-parted"):
    """Another account is not this customer's any more."""

    account_id: UUID


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


class OpenAccount(Command, name="open-account", **SHARED):
    """Start working a customer's receivables. Again with the same data changes nothing, with other data updates it.

    What the customer said on any of their accounts holds for all of them, and so do ways of reaching them.
    """

    office_id: UUID
    number: Number
    customer_name: Personal = Field(min_length=1, max_length=300)
    currency: Currency
    customer_kind: CustomerKind = CustomerKind.CONSUMER
    segment: str | None = Field(None, max_length=100)
    country: Country | None = None
    information: dict[str, Personal] = Field(default_factory=dict)
    """What the customer's own systems say besides; kept and shown, nothing is decided by it."""
    contact: Annotated[ContactDetails, AfterValidator(each_id_once)] | None = None
    """As the account's own records have it; what is known from the customer's other accounts stays."""
    customer_number: Annotated[Number | None, LATER] = None
    """None: as it is known, else that of the accounts of this number in other currencies, else the number."""
    other_currency: OtherCurrency = None

    def targets(self) -> tuple[Target, ...]:
        other = self.currency if self.other_currency else None
        return (Target("account", account_id(self.office_id, self.number, other)),)

    def links(self) -> tuple[Target, ...]:
        return (Target("office", self.office_id),)

    def looks_up(self) -> tuple[Key, ...]:
        numbers = dict.fromkeys((self.number, self.customer_number or self.number))
        return tuple(customer_key(self.office_id, number) for number in numbers)


class BookingCommand(AccountCommand, **SHARED):
    """A command that brings in a document, which may be the first that is known of its account."""

    opens: Annotated[Opening | None, LATER] = None
    """Where nothing described this account so far, it is opened by this decision; one that is open stays as it is."""

    @model_validator(mode="after")
    def _opens_its_account(self) -> Self:
        if self.opens is not None and self.opens.account_id != self.account_id:
            raise ValueError("opens: expected the office and number of this account")
        return self

    def links(self) -> tuple[Target, ...]:
        return () if self.opens is None else (Target("office", self.opens.office_id),)

    def looks_up(self) -> tuple[Key, ...]:
        return () if self.opens is None else (customer_key(self.opens.office_id, self.opens.number),)


class RecordSubscription(BookingCommand, name="record-subscription"):
    """Record a service the customer subscribes to."""

    subscription: Subscription
    reinstated: Annotated[Literal[True] | None, LATER] = None
    """It is not cancelled after all; without that, one that is cancelled stays so."""

    @model_validator(mode="after")
    def _is_cancelled_or_not(self) -> Self:
        if self.reinstated and self.subscription.cancelled_on is not None:
            raise ValueError("cancelled_on: expected nothing of a subscription that is reinstated")
        return self


# --- decisions ---------------------------------------------------------------------------------------

DESCRIPTION = {
    "customer_name": "name",
    "customer_kind": "kind",
    "segment": "segment",
    "country": "country",
    "information": "information",
}
"""What says who the customer is, by its name in commands and events and in the state; any change is one event."""


@dataclass(slots=True)
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
    customer_number: str = ""
    """Of the customer, who may have other accounts; the account's own number where nothing else was said."""
    other_currency: Literal[True] | None = None
    accounts: dict[UUID, OtherAccount] = field(default_factory=dict)
    """The customer's others."""

    contact: ClassVar = Needs(Contact)

    @property
    def account_name(self) -> str:
        """What people call the account: `1001`, or in another currency than its office's `1001/EUR`."""
        return account_name(self.number, self.currency if self.other_currency else None)

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
            customer_number = self._customer_number(None, opens, context)
            theirs = self._of_customer(opens.office_id, customer_number, context)
            known = next((each for each in theirs if each.is_described), None)
            description = known.description if known is not None else {"customer_name": opens.number}
            self.emit(
                AccountOpened(
                    office_id=opens.office_id,
                    number=opens.number,
                    currency=opens.currency,
                    other_currency=opens.other_currency,
                    customer_number=_unless_own(customer_number, opens.number),
                    **{"customer_kind": CustomerKind.CONSUMER, **description},
                ),
                effective_on=min(on, context.today),
            )
            self._join(opens.office_id, customer_number, context)
        self.require_account()

    def require_currency(self, *amounts: Money | None) -> None:
        for amount in amounts:
            if amount is not None and amount.currency != self.currency:
                raise Refusal("wrong-currency", f"the account is in {self.currency}, the amount in {amount.currency}")

    @decides(OpenAccount)
    def open_account(self, command: OpenAccount, context: Context) -> None:
        customer_number = self._customer_number(command.customer_number, command, context)
        self.contact.require_countries(command.contact or ContactDetails(), command.country)
        before, own, wishes = self.description, self.contact.own_details, self.contact.wishes
        if not self.whole.exists:
            _require_currency_of_office(command, context)
            described = command.model_dump(exclude={"contact", "customer_number"})
            self.emit(AccountOpened(**described, customer_number=_unless_own(customer_number, command.number)))
        elif command.currency != self.currency:
            raise Refusal("wrong-currency", f"the account is in {self.currency} already")
        else:
            self._rename(command.model_dump(include=set(DESCRIPTION)))
        if command.contact is not None:
            self.contact.describe(command.contact)
        self._join(command.office_id, customer_number, context)
        others = self.others(context)
        for other in others:
            if self.is_described:
                other.part(Customer).follow(before, self.description)
        self.contact.pass_on(own, others)
        self.contact.share(wishes, others)

    @decides(RecordSubscription)
    def record_subscription(self, command: RecordSubscription, context: Context) -> None:
        self.require_open(command.opens, context.effective_on, context)
        said = command.subscription
        self.require_currency(said.initial_discount)
        known = self.subscriptions.get(said.number)
        if known is not None and said.cancelled_on is None and not command.reinstated:
            said = said.model_copy(update={"cancelled_on": known.cancelled_on})
        if known != said:
            self.emit(SubscriptionRecorded(subscription=said))

    # --- the customer's other accounts ---

    @property
    def known_accounts(self) -> set[UUID]:
        """Of the customer, this one among them."""
        return {self.whole.id, *self.accounts}

    @property
    def description(self) -> dict[str, Any]:
        """Who the customer is, by the names of commands and events."""
        return {given: getattr(self, mine) for given, mine in DESCRIPTION.items()}

    @property
    def is_described(self) -> bool:
        """Whether anything but a document said of the customer, and it can be read."""
        return self.name not in ("", self.number, ERASED)

    def follow(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Who the customer is, as another account has it: where this one has it from there, or has nothing."""
        if not self.is_described or self.description == before:
            self._rename(after)

    def _rename(self, description: dict[str, Any]) -> None:
        if description != self.description:
            self.emit(CustomerRenamed.model_validate(description))

    def _customer_number(self, said: str | None, opening: OpenAccount | Opening, context: Context) -> str:
        """The customer's number: what is said of it, else what is known of this account or its number."""
        if said is not None:
            return said
        same_number = (each for each in self._others_of(opening.office_id, context) if each.number == opening.number)
        known = (each.customer_number for each in (self, *same_number) if each.customer_number)
        return next(known, opening.number)

    def _of_customer(self, office_id: UUID, customer_number: str, context: Context) -> "list[Customer]":
        """Of their other accounts that are in sight."""
        others = self._others_of(office_id, context)
        return [each for each in others if each.customer_number == customer_number]

    def _others_of(self, office_id: UUID, context: Context) -> "list[Customer]":
        """Of all other accounts of the office that are in sight."""
        parts = (each.part(Customer) for each in context.every("account") if each.id != self.whole.id)
        return [each for each in parts if each.office_id == office_id]

    def _join(self, office_id: UUID, customer_number: str, context: Context) -> None:
        """This account, and those of its number in other currencies, are this customer's: each of the customer's
        accounts knows the others, and what the customer said on any of them holds for all."""
        same_number = [each for each in self._others_of(office_id, context) if each.number == self.number]
        for each in (self, *same_number):
            each._leave_for(customer_number, context)
        accounts = [self, *self._of_customer(office_id, customer_number, context)]
        pairs = [(each, other) for each in accounts for other in accounts if other.whole.id not in each.known_accounts]
        for each, other in pairs:
            each._meet(other)
        if pairs:
            for part in self.whole.parts():
                if isinstance(part, AccountPart):
                    part.join(self.others(context), context)

    def _leave_for(self, customer_number: str, context: Context) -> None:
        if self.customer_number == customer_number or self.office_id is None:
            return
        for other in self.others(context):
            other.emit(CustomerParted(account_id=self.whole.id))
        self.emit(CustomerNumberChanged(office_id=self.office_id, customer_number=customer_number))

    def _meet(self, other: "Customer") -> None:
        known = OtherAccount(
            account_id=other.whole.id,
            number=other.number,
            currency=other.currency,
            other_currency=other.other_currency,
        )
        self.emit(CustomerShared(other=known))

    # --- apply ---

    @applies(AccountOpened)
    def _opened(self, event: AccountOpened) -> None:
        self.office_id, self.number, self.currency = event.office_id, event.number, event.currency
        self.customer_number, self.other_currency = event.customer_number or event.number, event.other_currency
        self._describe(event)

    @applies(CustomerNumberChanged)
    def _number_changed(self, event: CustomerNumberChanged) -> None:
        self.customer_number, self.accounts = event.customer_number, {}

    @applies(CustomerShared)
    def _shared(self, event: CustomerShared) -> None:
        self.accounts = {**self.accounts, event.other.account_id: event.other}

    @applies(CustomerParted)
    def _parted(self, event: CustomerParted) -> None:
        self.accounts = {known: other for known, other in self.accounts.items() if known != event.account_id}

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
    if (opening.currency != office.currency) != bool(opening.other_currency):
        raise Refusal(
            "wrong-currency",
            f"the office works in {office.currency}; other_currency says that an account is in another one",
        )


def _unless_own(customer_number: str, number: str) -> str | None:
    return None if customer_number == number else customer_number

"""What a billing file says, one fact at a time: typed, checked, and the same however the file was laid out."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, ClassVar, TypeVar

import orjson

from aggregates.account.customer import CustomerKind
from aggregates.account.payments import ReversalKind
from aggregates.values.contact import Channel, Consent, PhoneKind
from aggregates.values.money import Money

Information = tuple[tuple[str, str], ...]
"""What a file says besides and nothing is decided by: name and text, in the profile's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A number to call or text."""

    number: str
    kind: PhoneKind = PhoneKind.OTHER
    sms_consent: Consent = Consent.UNKNOWN
    voice_consent: Consent = Consent.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """An e-mail address."""

    address: str
    consent: Consent = Consent.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fact:
    kind: ClassVar[str]
    rank: ClassVar[int]
    """Of facts about one account on one day, the lower rank comes first."""
    not_content: ClassVar[frozenset[str]] = frozenset()

    office: str | None = None
    """The office's name or number; None where neither file nor profile says one."""
    account_number: str

    def payload(self) -> bytes:
        """Canonical JSON of everything the fact says. What it does not say is left out, so that a field added to
        the class later changes no digest of an old file."""
        return self._json(frozenset())

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content: the same for the same statement in whatever file, line and layout."""
        return hashlib.sha256(self._json(self.not_content)).digest()

    def sealed(self) -> tuple[bytes, bytes]:
        """Payload and digest, in one go."""
        payload = self.payload()
        return payload, self.digest if self.not_content else hashlib.sha256(payload).digest()

    def _json(self, without: frozenset[str]) -> bytes:
        content: dict[str, object] = {}
        for name in _NAMES[type(self)]:
            value = getattr(self, name)
            if value is not None and value != () and name not in without:
                content[name] = value
        return orjson.dumps(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFact(_Fact):
    """A customer and how to reach them. None means that the file does not say."""

    kind: ClassVar[str] = "customer"
    rank: ClassVar[int] = 0
    not_content: ClassVar[frozenset[str]] = frozenset({"seen_on"})

    name: str | None = None
    customer_kind: CustomerKind | None = None
    currency: str | None = None
    segment: str | None = None
    language: str | None = None
    country: str | None = None
    address_lines: tuple[str, ...] = ()
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    preferred_channel: Channel | None = None
    time_zone: str | None = None
    since: date | None = None
    customer_number: str | None = None
    """Of the customer, who may have accounts of other numbers; None: the account's own, or as it is known."""
    phones: tuple[Phone, ...] = ()
    emails: tuple[Email, ...] = ()
    information: Information = ()
    seen_on: date | None = None
    """The document's day, where the customer stands on a document's row. Not part of the content."""

    @property
    def effective_on(self) -> date | None:
        """Since when this is so; None where the file has no date for it."""
        return self.since or self.seen_on

    @property
    def natural_key(self) -> str:
        return f"customer:{self.account_number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFact(_Fact):
    """A service the customer subscribes to."""

    kind: ClassVar[str] = "subscription"
    rank: ClassVar[int] = 1
    not_content: ClassVar[frozenset[str]] = frozenset({"currency"})

    subscription_number: str
    service_type: str | None = None
    started_on: date | None = None
    initial_discount: Money | None = None
    currency: str | None = None
    """Of the row, and so of the account that it is about. Not part of the content."""

    @property
    def effective_on(self) -> date | None:
        return self.started_on

    @property
    def natural_key(self) -> str:
        return f"subscription:{self.subscription_number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFact(_Fact):
    """An invoice. `amount` zero: it was withdrawn. Without `due_on` it ages by `issued_on`."""

    kind: ClassVar[str] = "invoice"
    rank: ClassVar[int] = 2

    invoice_number: str
    issued_on: date
    amount: Money
    due_on: date | None = None
    original_charges: Money | None = None
    service_type: str | None = None
    subscription_number: str | None = None
    disputed: bool | None = None
    information: Information = ()

    @property
    def effective_on(self) -> date:
        return self.issued_on

    @property
    def natural_key(self) -> str:
        return f"invoice:{self.invoice_number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditFact(_Fact):
    """A credit note. `amount` is more than zero."""

    kind: ClassVar[str] = "credit"
    rank: ClassVar[int] = 3

    credit_number: str
    issued_on: date
    amount: Money
    invoice_number: str | None = None
    information: Information = ()

    @property
    def effective_on(self) -> date:
        return self.issued_on

    @property
    def natural_key(self) -> str:
        return f"credit:{self.credit_number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFact(_Fact):
    """Money that came in. `amount` is more than zero; `invoice_number` is the customer's instruction."""

    kind: ClassVar[str] = "payment"
    rank: ClassVar[int] = 4

    received_on: date
    amount: Money
    payment_number: str | None = None
    """None: the file gives none, and the natural key comes from the content."""
    method: str | None = None
    invoice_number: str | None = None
    reference: str | None = None
    settlement: bool | None = None
    """True: not a payment of its own in the file, but the day on which the invoice was settled in full."""
    information: Information = ()

    @property
    def effective_on(self) -> date:
        return self.received_on

    @property
    def natural_key(self) -> str:
        """Payments that have no number and say the same are told apart when they are staged: `…#2`, `…#3`."""
        if self.settlement:
            return f"settlement:{self.invoice_number}"
        if self.payment_number is not None:
            return f"payment:{self.payment_number}"
        return f"{UNNUMBERED}{self.digest.hex()[:24]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalFact(_Fact):
    """A payment was taken back, all of it. `amount`, where the file says it, is the payment's, above zero."""

    kind: ClassVar[str] = "reversal"
    rank: ClassVar[int] = 5

    payment_number: str
    reversed_on: date
    reversal: ReversalKind
    amount: Money | None = None
    reason: str | None = None

    @property
    def effective_on(self) -> date:
        return self.reversed_on

    @property
    def natural_key(self) -> str:
        return f"reversal:{self.payment_number}"


UNNUMBERED = "unnumbered-payment:"

Fact = CustomerFact | SubscriptionFact | InvoiceFact | CreditFact | PaymentFact | ReversalFact

_CLASSES: Mapping[str, type[Fact]] = {
    cls.kind: cls for cls in (CustomerFact, SubscriptionFact, InvoiceFact, CreditFact, PaymentFact, ReversalFact)
}
_NAMES: Mapping[type[_Fact], tuple[str, ...]] = {cls: tuple(f.name for f in fields(cls)) for cls in _CLASSES.values()}


def fact_from(kind: str, payload: bytes | str) -> Fact:
    """The fact that `payload()` wrote."""
    data: dict[str, Any] = orjson.loads(payload)
    for name, value in data.items():
        if convert := _FROM_JSON.get(name):
            data[name] = convert(value)
    return _CLASSES[kind](**data)


def currency_of(fact: Fact) -> str | None:
    """The currency that the row names; None where it names none."""
    if isinstance(fact, CustomerFact):
        return fact.currency
    amount = None if isinstance(fact, SubscriptionFact) else fact.amount
    return None if amount is None else amount.currency


def account_currency_of(fact: Fact) -> str | None:
    """The currency of the account that the row is about, as far as it says one."""
    return fact.currency if isinstance(fact, SubscriptionFact) else currency_of(fact)


T = TypeVar("T")


def _each(make: Callable[[Any], T]) -> Callable[[list[Any]], tuple[T, ...]]:
    return lambda values: tuple(make(value) for value in values)


def _phone(data: dict[str, str]) -> Phone:
    return Phone(
        number=data["number"],
        kind=PhoneKind(data["kind"]),
        sms_consent=Consent(data["sms_consent"]),
        voice_consent=Consent(data["voice_consent"]),
    )


_FROM_JSON: Mapping[str, Callable[[Any], object]] = {
    **dict.fromkeys(
        ("since", "seen_on", "started_on", "issued_on", "due_on", "received_on", "reversed_on"), date.fromisoformat
    ),
    **dict.fromkeys(("amount", "original_charges", "initial_discount"), lambda data: Money(**data)),
    "customer_kind": CustomerKind,
    "reversal": ReversalKind,
    "preferred_channel": Channel,
    "address_lines": tuple,
    "information": _each(tuple),
    "phones": _each(_phone),
    "emails": _each(lambda data: Email(address=data["address"], consent=Consent(data["consent"]))),
}

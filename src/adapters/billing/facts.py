"""What a billing file says, one fact at a time: typed, checked, and the same however the file was laid out."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, ClassVar, Self, TypeVar

import orjson

from aggregates.account.customer import CustomerKind
from aggregates.account.receivables import ReversalKind, day_named
from aggregates.values.codes import listed
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
    numbered_by: ClassVar[str]
    """The field that tells it from others of its kind."""

    office: str | None = None
    """The office's name or number; None where neither file nor profile says one."""
    account_number: str

    def payload(self) -> bytes:
        """Canonical JSON of everything the fact says. What it does not say is left out, so that a field added to
        the class later changes no digest of an old file."""
        return self._json(frozenset())

    @property
    def content_digest(self) -> bytes:
        """SHA-256 of the content: the same for the same statement in whatever file, line and layout. Who guesses the
        content can tell that it is this, so it is stored only as a keyed digest of it."""
        return hashlib.sha256(self._json(self.not_content)).digest()

    def sealed(self) -> tuple[bytes, bytes]:
        """Payload and content digest, in one go."""
        payload = self.payload()
        return payload, self.content_digest if self.not_content else hashlib.sha256(payload).digest()

    @property
    def number(self) -> str:
        """What it is called in its office."""
        return str(getattr(self, self.numbered_by))

    @property
    def natural_key(self) -> str:
        """Kind and number."""
        return f"{self.kind}:{self.number}"

    def renumbered(self, number: str) -> Self:
        """The same under another number."""
        return replace(self, **{self.numbered_by: number})

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
    numbered_by: ClassVar[str] = "account_number"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFact(_Fact):
    """A service the customer subscribes to."""

    kind: ClassVar[str] = "subscription"
    numbered_by: ClassVar[str] = "subscription_number"
    rank: ClassVar[int] = 1
    not_content: ClassVar[frozenset[str]] = frozenset({"currency"})

    subscription_number: str
    service_type: str | None = None
    started_on: date | None = None
    initial_discount: Money | None = None
    ends_on: date | None = None
    services_agreed: int | None = None
    services_done: int | None = None
    cancelled_on: date | None = None
    currency: str | None = None
    """Of the row, and so of the account that it is about. Not part of the content."""

    @property
    def effective_on(self) -> date | None:
        return self.started_on


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFact(_Fact):
    """An invoice. `amount` zero: it was withdrawn, and never was owed. Without `due_on` it ages by `issued_on`."""

    kind: ClassVar[str] = "invoice"
    numbered_by: ClassVar[str] = "invoice_number"
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
    instalment: date | None = None
    """Of a further instalment, which only several rows tell: the due day that it is known by."""

    @property
    def effective_on(self) -> date:
        return self.issued_on

    @property
    def number(self) -> str:
        return self.invoice_number if self.instalment is None else f"{self.invoice_number}/{self.instalment}"

    @property
    def natural_key(self) -> str:
        return f"{'invoice' if self.instalment is None else 'instalment'}:{self.number}"

    def renumbered(self, number: str) -> Self:
        return replace(self, invoice_number=number if self.instalment is None else number.rpartition("/")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditFact(_Fact):
    """A credit note. `amount` is more than zero."""

    kind: ClassVar[str] = "credit"
    numbered_by: ClassVar[str] = "credit_number"
    rank: ClassVar[int] = 3

    credit_number: str
    issued_on: date
    amount: Money
    invoice_number: str | None = None
    information: Information = ()

    @property
    def effective_on(self) -> date:
        return self.issued_on


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFact(_Fact):
    """Money that came in. `amount` is more than zero; `invoice_number` is the customer's instruction."""

    kind: ClassVar[str] = "payment"
    numbered_by: ClassVar[str] = "payment_number"
    rank: ClassVar[int] = 4

    received_on: date
    amount: Money
    payment_number: str | None = None
    """None: the file gives none, and it is known by account, day and amount."""
    method: str | None = None
    invoice_number: str | None = None
    reference: str | None = None
    payer_number: str | None = None
    """The account of who paid, where that is another: the money came in there and pays this one's debt."""
    settlement: bool | None = None
    """True: not a payment of its own in the file, but the day on which the invoice was settled in full."""
    information: Information = ()
    instalment: date | None = None
    """Of the settlement of a further instalment: the due day that it is known by."""
    settled_due: date | None = None
    """Of the settlement of one of several instalments, the first included: its due day."""
    parts: tuple[tuple[str, int], ...] = ()
    """Of a payment that stands on several rows: what each has for its invoice, in minor units. `amount` is their sum,
    and `invoice_number` is none."""

    @property
    def effective_on(self) -> date:
        return self.received_on

    @property
    def number(self) -> str:
        """A settlement has that of its invoice or instalment; a payment without a number has none."""
        if self.instalment is not None:
            return f"{self.invoice_number}/{self.instalment}"
        return (self.invoice_number if self.settlement else self.payment_number) or ""

    def renumbered(self, number: str) -> Self:
        if not self.settlement:
            return replace(self, payment_number=number)
        return replace(self, invoice_number=number if self.instalment is None else number.rpartition("/")[0])

    @property
    def natural_key(self) -> str:
        """Those without a number have it in common; what tells them apart is looked for among what is known."""
        if self.settlement:
            return f"{'settlement' if self.instalment is None else 'settled-instalment'}:{self.number}"
        return f"payment:{self.payment_number}" if self.payment_number is not None else UNNUMBERED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalFact(_Fact):
    """A payment was taken back: so much of it, above zero, or all of it. `invoice_number`: a part, for that invoice."""

    kind: ClassVar[str] = "reversal"
    numbered_by: ClassVar[str] = "payment_number"
    rank: ClassVar[int] = 5

    payment_number: str
    reversed_on: date
    reversal: ReversalKind
    amount: Money | None = None
    reason: str | None = None
    invoice_number: str | None = None
    payer_number: str | None = None
    """The account that the payment came in on, where that is another."""

    @property
    def effective_on(self) -> date:
        return self.reversed_on

    @property
    def number(self) -> str:
        """The payment's; of a part with day and amount, since a payment is taken back in several parts, whole once."""
        return self.payment_number + self._part

    @property
    def key_of_whole(self) -> str:
        """Under which every reversal was known before parts were taken."""
        return f"{self.kind}:{self.payment_number}"

    def renumbered(self, number: str) -> Self:
        return replace(self, payment_number=number.removesuffix(self._part))

    @property
    def _part(self) -> str:
        return "" if self.amount is None else f":{self.reversed_on}:{self.amount.minor}"


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
    amount = amount_of(fact)
    return None if amount is None else amount.currency


def amount_of(fact: Fact) -> Money | None:
    """What it is about; None where it is about no money, or about whatever another one is."""
    return None if isinstance(fact, CustomerFact | SubscriptionFact) else fact.amount


def invoices_named(fact: "PaymentFact | CreditFact | ReversalFact") -> list[str]:
    """The numbers that money may be meant for, or be taken back from, each once: a cell as it stands and what it lists;
    of one instalment its invoice too."""
    cells = (
        [fact.invoice_number, *(cell for cell, _ in fact.parts)]
        if isinstance(fact, PaymentFact)
        else [fact.invoice_number]
    )
    whole = [cell for cell in cells if cell]
    single = [number for cell in whole for number in listed(cell)]
    return list(dict.fromkeys([*whole, *single, *(named[0] for each in single if (named := day_named(each)))]))


def payer_of(fact: Fact) -> str | None:
    """The account that a payment came in on, or was taken back from, where that is not the one whose debt it pays."""
    return fact.payer_number if isinstance(fact, PaymentFact | ReversalFact) else None


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
        (
            "since",
            "seen_on",
            "started_on",
            "ends_on",
            "cancelled_on",
            "issued_on",
            "due_on",
            "received_on",
            "reversed_on",
            "instalment",
            "settled_due",
        ),
        date.fromisoformat,
    ),
    **dict.fromkeys(("amount", "original_charges", "initial_discount"), lambda data: Money(**data)),
    "customer_kind": CustomerKind,
    "reversal": ReversalKind,
    "preferred_channel": Channel,
    "address_lines": tuple,
    "parts": _each(tuple),
    "information": _each(tuple),
    "phones": _each(_phone),
    "emails": _each(lambda data: Email(address=data["address"], consent=Consent(data["consent"]))),
}

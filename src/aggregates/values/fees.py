"""Fees: what they are taken of, how they are worked out, and what an office allows. Amounts are in minor units of the
account's currency, but for the rules of an office, which people write in major units of the office's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.values.contact_record import DebtType, Role
from aggregates.values.contact_settings import ContactSettings
from aggregates.values.money import Money
from aggregates.values.patterns import pattern

MOST_LINES = 500
"""Of a fee: its event stays below 256 kB."""

PLACED = "an agency has the account: our own fees rest"
NOT_ALLOWED = "nothing is recorded that allows a fee on a consumer's debt that is collected for others"

AmountOfFee = Annotated[
    str, StringConstraints(pattern=pattern(r"^[0-9]{1,11}(\.[0-9]{1,4})?$", "an amount such as 10.00, not below zero"))
]
"""An amount in major units, such as 10.00."""
PercentOfFee = Annotated[
    str, StringConstraints(pattern=pattern(r"^[0-9]{1,3}(\.[0-9]{1,4})?$", "a percentage such as 5 or 1.5"))
]
"""Such as 5 or 1.5."""


class FeeBasis(StrEnum):
    """What a fee is taken of."""

    FIXED = "fixed"
    """An amount for each account with a balance."""
    BALANCE_PERCENT = "balance-percent"
    """A part of the account's balance."""
    FIXED_PER_CUSTOMER = "fixed-per-customer"
    """An amount for each account with an invoice that is chosen."""
    INVOICE_BALANCE_PERCENT = "invoice-balance-percent"
    """A part of what is open of each invoice."""
    INVOICE_TOTAL_PERCENT = "invoice-total-percent"
    """A part of what each invoice charged, after discount."""
    INITIAL_DISCOUNT_PERCENT = "initial-discount-percent"
    """A part of the discount that a subscription began with; once per subscription."""

    @property
    def is_fixed(self) -> bool:
        return self in {FeeBasis.FIXED, FeeBasis.FIXED_PER_CUSTOMER}

    @property
    def is_of_account(self) -> bool:
        """Of the account's balance, whatever invoices that is of."""
        return self in {FeeBasis.FIXED, FeeBasis.BALANCE_PERCENT}


class FeeGround(StrEnum):
    """What allows a fee on a consumer's debt that somebody else collects (12 CFR 1006.22(b))."""

    AGREEMENT = "agreement"
    """The agreement that created the debt says so."""
    LAW = "law"


class FeeRules(Value):
    """What an office allows of fees. Amounts are in major units of its currency; None: no limit."""

    terms_days: int = Field(14, ge=0, le=365)
    """From a fee invoice's issue to its due date."""
    number_prefix: str = Field("FEE-", max_length=20, pattern=pattern(r"^[A-Za-z0-9-]*$", "letters, digits and dashes"))
    """What the numbers of fee invoices begin with."""
    minimum: AmountOfFee | None = None
    """A smaller fee is not made."""
    minimum_balance: AmountOfFee | None = None
    """No fee where less is owed."""
    most_per_item: AmountOfFee | None = None
    """Of a line: an invoice, a subscription, the account."""
    most_per_account: AmountOfFee | None = None
    """Of one fee invoice."""
    most_per_period: AmountOfFee | None = None
    """Of all fees of an account within `period_days`."""
    period_days: int = Field(30, ge=1, le=3_660)
    once_per_item: bool = False
    """Whether an invoice bears a fee of a service type once, however often fees are added."""
    ground: FeeGround | None = None
    """What allows fees on consumer debt that the office collects for others; None: what is recorded of the account."""


AMOUNTS_OF_FEE_RULES = ("minimum", "minimum_balance", "most_per_item", "most_per_account", "most_per_period")


class FeeLine(Value):
    """What a fee takes of one source."""

    source: str
    """The number of an invoice or a subscription; of an account nothing."""
    item_id: Annotated[UUID | None, LATER] = None
    """Of an invoice."""
    base: Money
    amount: Money


class Fee(Value):
    """How a fee invoice came about: its lines add up to its amount."""

    basis: FeeBasis
    as_of: date
    """The day of what it is taken of."""
    lines: tuple[FeeLine, ...]

    def subscriptions(self) -> tuple[str, ...]:
        """Whose initial discount it is taken of."""
        return tuple(each.source for each in self.lines) if self.basis is FeeBasis.INITIAL_DISCOUNT_PERCENT else ()


# --- what is owed ------------------------------------------------------------------------------------


class OwedItem(NamedTuple):
    """An invoice with an open amount as of the day."""

    number: str
    item_id: str
    open: int
    total: int
    disputed: int
    """How much of what is open."""
    is_fee: bool
    is_chosen: bool
    """By the filters that choose invoices."""
    subscription: str | None
    bears_fee: bool
    """Whether it bears a fee of this service type already."""


class Discount(NamedTuple):
    """The initial discount of a subscription."""

    subscription: str
    amount: int
    is_fulfilled: bool
    is_charged: bool


@dataclass(frozen=True, slots=True)
class Owed:
    """An account as of the day, and what happened since."""

    items: Sequence[OwedItem]
    unapplied: int
    discounts: Sequence[Discount]
    charged_in_period: int
    """Fees that were issued within the office's period until today."""
    paid_since: int
    due_today: int
    customer_kind: str
    ground: FeeGround | None
    is_placed: bool = False
    """An agency has it."""

    @property
    def fee_invoices(self) -> int:
        return sum(each.open for each in self.items if each.is_fee)

    @property
    def disputed(self) -> int:
        """Besides fee invoices."""
        return sum(each.disputed for each in self.items if not each.is_fee)


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """What fees are asked for: an amount or a percentage of a basis."""

    basis: FeeBasis
    amount: int
    """Minor units, of a fixed one."""
    percent: Decimal
    with_fees: bool
    with_disputed: bool
    with_unfulfilled: bool


@dataclass(frozen=True, slots=True)
class FeeLimits:
    """The rules of an office in minor units."""

    minimum: int
    minimum_balance: int
    most_per_item: int | None
    most_per_account: int | None
    most_per_period: int | None
    once_per_item: bool
    for_others: bool
    """Whether the office collects for others, and recorded nothing that allows it fees."""
    debt_type: DebtType | None
    """None: by the kind of customer."""

    @classmethod
    def of(cls, rules: FeeRules, contact: ContactSettings, *, office_currency: str, currency: str) -> Self:
        """Refuses where amounts are limited, and the accounts are in another currency than the office works in."""
        said = {name: getattr(rules, name) for name in AMOUNTS_OF_FEE_RULES}
        if currency != office_currency and any(each is not None for each in said.values()):
            raise Refusal(
                "fee-limits-currency",
                f"the office's limits of fees are in {office_currency}, and say nothing of accounts in {currency}",
            )
        found = {name: None if each is None else minor_units(each, currency) for name, each in said.items()}
        return cls(
            minimum=found["minimum"] or 0,
            minimum_balance=found["minimum_balance"] or 0,
            most_per_item=found["most_per_item"],
            most_per_account=found["most_per_account"],
            most_per_period=found["most_per_period"],
            once_per_item=rules.once_per_item,
            for_others=contact.role is Role.THIRD_PARTY and rules.ground is None,
            debt_type=contact.debt_type,
        )

    def forbid(self, customer_kind: str, ground: FeeGround | None) -> bool:
        """12 CFR 1006.22(b): who collects a consumer's debt for others takes no amount that neither the agreement that
        created the debt nor law allows."""
        is_consumer = (self.debt_type or customer_kind) == DebtType.CONSUMER
        return self.for_others and is_consumer and ground is None


def minor_units(text: str, currency: str) -> int:
    """Raises ValueError where the amount has more places than the currency."""
    return Money.parse(text, currency).minor


# --- what is taken -----------------------------------------------------------------------------------


class Line(NamedTuple):
    """What is taken of one source."""

    source: str
    base: int
    amount: int
    item_id: str | None


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """What a fee would be, and what there is to know of it."""

    lines: tuple[Line, ...]
    base: int
    """What it is taken of."""
    notes: tuple[str, ...]
    """Why it is none, or less; in the order in which that was found."""
    has_source: bool
    """Whether there was anything to take it of."""

    @property
    def amount(self) -> int:
        return sum(line.amount for line in self.lines)


def work_out(terms: FeeTerms, owed: Owed, limits: FeeLimits, currency: str) -> WorkedOut:
    """Each line is rounded half up to the minor unit and capped, the sum is capped, and what is then under the office's
    minimum is not made: a fee is never raised."""
    notes: list[str] = []

    def money(minor: int) -> str:
        return str(Money(minor, currency).decimal())

    sources = _sources(terms, owed, limits, notes)
    base = sum(each.base for each in sources)
    if not sources:
        return WorkedOut((), base, tuple(notes), has_source=bool(notes))
    if owed.is_placed:
        return WorkedOut((), base, (*notes, PLACED), has_source=True)
    if limits.forbid(owed.customer_kind, owed.ground):
        return WorkedOut((), base, (*notes, NOT_ALLOWED), has_source=True)
    balance = sum(each.open for each in owed.items) - owed.unapplied
    if balance < limits.minimum_balance:
        notes.append(f"{money(max(0, balance))} is owed, less than {money(limits.minimum_balance)}")
        return WorkedOut((), base, tuple(notes), has_source=True)
    if len(sources) > MOST_LINES:
        notes.append(f"more than {MOST_LINES} lines: choose fewer invoices")
        return WorkedOut((), base, tuple(notes), has_source=True)
    lines = [each._replace(amount=_least(_taken(terms, each.base), limits.most_per_item)) for each in sources]
    left = None if limits.most_per_period is None else max(0, limits.most_per_period - owed.charged_in_period)
    whole = sum(each.amount for each in lines)
    most = _least(_least(whole, limits.most_per_account), left)
    if most < whole:
        notes.append(f"cut from {money(whole)} to {money(most)}")
        lines = _cut(lines, most)
    lines = [each for each in lines if each.amount]
    if not lines:
        notes.append("it comes to nothing")
    elif most < limits.minimum:
        notes.append(f"{money(most)} is less than the least fee, {money(limits.minimum)}")
        lines = []
    if lines and owed.paid_since:
        notes.append(f"{money(owed.paid_since)} was paid since")
    return WorkedOut(tuple(lines), base, tuple(notes), has_source=True)


def _sources(terms: FeeTerms, owed: Owed, limits: FeeLimits, notes: list[str]) -> list[Line]:
    """What it is taken of; amounts follow."""
    match terms.basis:
        case FeeBasis.FIXED | FeeBasis.BALANCE_PERCENT:
            base = sum(each.open for each in owed.items) - owed.unapplied
            base -= 0 if terms.with_fees else owed.fee_invoices
            base -= 0 if terms.with_disputed else owed.disputed
            base -= 0 if terms.with_disputed or not terms.with_fees else _disputed_fees(owed)
            return [Line("", base, 0, None)] if base > 0 else []
        case FeeBasis.FIXED_PER_CUSTOMER:
            found = _invoices(terms, owed, limits)
            return [Line("", sum(_open_of(terms, each) for each in found), 0, None)] if found else []
        case FeeBasis.INVOICE_BALANCE_PERCENT:
            found = _invoices(terms, owed, limits)
            return [Line(each.number, _open_of(terms, each), 0, each.item_id) for each in found]
        case FeeBasis.INVOICE_TOTAL_PERCENT:
            found = _invoices(terms, owed, limits)
            return [
                Line(each.number, each.total - (0 if terms.with_disputed else each.disputed), 0, each.item_id)
                for each in found
            ]
        case FeeBasis.INITIAL_DISCOUNT_PERCENT:
            attached = {each.subscription for each in _invoices(terms, owed, limits)}
            return [
                Line(each.subscription, each.amount, 0, None)
                for each in owed.discounts
                if each.subscription in attached and _may_be_charged(each, terms, notes)
            ]


def _disputed_fees(owed: Owed) -> int:
    return sum(each.disputed for each in owed.items if each.is_fee)


def _invoices(terms: FeeTerms, owed: Owed, limits: FeeLimits) -> list[OwedItem]:
    """Those with a balance that counts."""
    return [
        each
        for each in owed.items
        if each.is_chosen
        and (terms.with_fees or not each.is_fee)
        and not (limits.once_per_item and each.bears_fee)
        and _open_of(terms, each) > 0
    ]


def _open_of(terms: FeeTerms, item: OwedItem) -> int:
    return item.open - (0 if terms.with_disputed else item.disputed)


def _may_be_charged(discount: Discount, terms: FeeTerms, notes: list[str]) -> bool:
    if discount.is_charged:
        notes.append(f"the discount of {discount.subscription} bore a fee already")
        return False
    if not discount.is_fulfilled and not terms.with_unfulfilled:
        notes.append(f"subscription {discount.subscription} is not fulfilled")
        return False
    return True


def _taken(terms: FeeTerms, base: int) -> int:
    if terms.basis.is_fixed:
        return terms.amount
    return int((base * terms.percent.scaleb(-2)).quantize(Decimal(1), ROUND_HALF_UP))


def _least(amount: int, most: int | None) -> int:
    return amount if most is None else min(amount, most)


def _cut(lines: Sequence[Line], most: int) -> list[Line]:
    """From the last line on, so that they add up to the most that there may be."""
    left, cut = most, []
    for each in lines:
        cut.append(each._replace(amount=min(each.amount, left)))
        left -= cut[-1].amount
    return cut


# --- as it is shown ----------------------------------------------------------------------------------


def shown(worked_out: WorkedOut, owed: Owed, *, as_of: date, currency: str) -> dict[str, object]:
    """What a preview shows of an account and what is compared later, as JSON; amounts in major units."""

    def money(minor: int) -> str:
        return str(Money(minor, currency).decimal())

    return {
        "as_of": as_of.isoformat(),
        "balance": money(sum(each.open for each in owed.items) - owed.unapplied),
        "fee_invoices": money(owed.fee_invoices),
        "disputed": money(owed.disputed + _disputed_fees(owed)),
        "base": money(worked_out.base),
        "paid_since": money(owed.paid_since),
        "due_today": money(owed.due_today),
        "lines": [
            [each.source, money(each.base), money(each.amount), *([each.item_id] if each.item_id else [])]
            for each in worked_out.lines
        ],
        "note": "; ".join(worked_out.notes) or None,
    }


def lines_shown(shown: Mapping[str, object], currency: str) -> tuple[FeeLine, ...]:
    """The lines again, of what was shown."""
    said: Any = shown["lines"]
    return tuple(
        FeeLine(
            source=source,
            base=Money(minor_units(base, currency), currency),
            amount=Money(minor_units(amount, currency), currency),
            item_id=UUID(item[0]) if item else None,
        )
        for source, base, amount, *item in said
    )

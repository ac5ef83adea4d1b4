"""What a template may name and how it may be written: placeholders, fields of an invoice, filters.

Processes that render read this too, so nothing of the domain is imported here: they are small and start quickly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from jinja2.filters import do_capitalize, do_lower, do_title, do_trim, do_upper


class Kind(StrEnum):
    """What a value is: what can be compared with it, and which filters take it."""

    TEXT = "text"
    NUMBER = "number"
    AMOUNT = "amount"
    DAY = "day"
    INVOICES = "invoices"
    TRUTH = "condition"


class MessageKind(StrEnum):
    """What a message is sent for; it decides which placeholders there are."""

    STEP = "step"
    """A step of a campaign, or a text that a person writes."""


# --- placeholders ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A name that stands for something in a text. `example` is as it is handed to the process that renders."""

    name: str
    kind: Kind
    meaning: str
    example: Any
    messages: frozenset[MessageKind] = frozenset(MessageKind)


def _by_name(*placeholders: Placeholder) -> dict[str, Placeholder]:
    return {each.name: each for each in placeholders}


INVOICE = _by_name(
    Placeholder("number", Kind.TEXT, "the invoice's number", "104168-04"),
    Placeholder("due_on", Kind.DAY, "when it was due", "2026-08-11"),
    Placeholder("open", Kind.AMOUNT, "what is open of it and not covered", "4779.73"),
)
"""What a template can say of an invoice in its loop."""

LOOP: Mapping[str, Kind] = {
    "first": Kind.TRUTH,
    "last": Kind.TRUTH,
    "index": Kind.NUMBER,
    "length": Kind.NUMBER,
}
"""What a template can say of the loop itself, as `loop.last`."""

PLACEHOLDERS = _by_name(
    Placeholder("customer_name", Kind.TEXT, "the customer", "Ironbridge Machine Works Inc."),
    Placeholder("account_number", Kind.TEXT, "the account's number", "104168"),
    Placeholder("office", Kind.TEXT, "the office's title", "Main office"),
    Placeholder("currency", Kind.TEXT, "the account's currency", "USD"),
    Placeholder("amount_due", Kind.AMOUNT, "what the invoices of the message add up to", "9384.99"),
    Placeholder("oldest_due_on", Kind.DAY, "when the oldest of them was due", "2026-08-11"),
    Placeholder("days_past_due", Kind.NUMBER, "how many days ago that was, 0 before", 102),
    Placeholder(
        "invoices",
        Kind.INVOICES,
        "the invoices, for the loop",
        (
            {"number": "104168-04", "due_on": "2026-08-11", "open": "4779.73"},
            {"number": "104168-05", "due_on": "2026-09-10", "open": "4605.26"},
        ),
    ),
)
"""Every placeholder. What it stands for is said in `rendering.values_of`."""


def placeholders_of(message: MessageKind) -> dict[str, Placeholder]:
    """The placeholders that messages of this kind have."""
    return {name: each for name, each in PLACEHOLDERS.items() if message in each.messages}


def example_values() -> dict[str, Any]:
    """What the placeholders stand for in a made-up account."""
    return {name: each.example for name, each in PLACEHOLDERS.items()}


_READ: Mapping[Kind, Callable[[Any], Any]] = {Kind.AMOUNT: Decimal, Kind.DAY: date.fromisoformat}


def typed(values: Mapping[str, Any], declared: Mapping[str, Placeholder] = PLACEHOLDERS) -> dict[str, Any]:
    """The values as a template has them: amounts as Decimal, days as date. Raises LookupError for one that nobody
    declared."""
    return {name: _typed(declared[name].kind, value) for name, value in values.items()}


def _typed(kind: Kind, value: Any) -> Any:
    if kind is Kind.INVOICES:
        return [typed(invoice, INVOICE) for invoice in value]
    return _READ[kind](value) if kind in _READ else value


# --- filters -----------------------------------------------------------------------------------------

AMOUNT_FORMATS: Mapping[str, tuple[str, str]] = {
    "1,234.50": (",", "."),
    "1.234,50": (".", ","),
    "1 234,50": ("\N{NO-BREAK SPACE}", ","),
    "1234,50": ("", ","),
}
"""By example: the marks between thousands and before the minor unit. The places are those of the currency."""

DAY_FORMATS = ("YYYY-MM-DD", "DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY")


def written_amount(amount: Decimal, like: str) -> str:
    """As in one of AMOUNT_FORMATS."""
    between, before = AMOUNT_FORMATS[like]
    return f"{amount:,f}".translate({ord(","): between, ord("."): before})


def written_day(day: date, like: str) -> str:
    """As in one of DAY_FORMATS."""
    return like.replace("YYYY", f"{day.year:04}").replace("MM", f"{day.month:02}").replace("DD", f"{day.day:02}")


@dataclass(frozen=True, slots=True)
class Filter:
    """`{{ value|name("option") }}`. One that has options is always written with one of them."""

    name: str
    takes: Kind
    gives: Kind
    meaning: str
    apply: Callable[..., Any]
    options: tuple[str, ...] = ()


FILTERS = {
    each.name: each
    for each in (
        Filter("amount", Kind.AMOUNT, Kind.TEXT, "written like the option", written_amount, tuple(AMOUNT_FORMATS)),
        Filter("date", Kind.DAY, Kind.TEXT, "written like the option", written_day, DAY_FORMATS),
        Filter("upper", Kind.TEXT, Kind.TEXT, "in capitals", do_upper),
        Filter("lower", Kind.TEXT, Kind.TEXT, "in small letters", do_lower),
        Filter("title", Kind.TEXT, Kind.TEXT, "each word with a capital", do_title),
        Filter("capitalize", Kind.TEXT, Kind.TEXT, "the first letter a capital, the others small", do_capitalize),
        Filter("trim", Kind.TEXT, Kind.TEXT, "without space around it", do_trim),
        Filter("length", Kind.INVOICES, Kind.NUMBER, "how many there are", len),
    )
}

"""Which accounts a report shows, and in which order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import NoneType
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from aggregates.account.chase import Stage
from aggregates.account.collections_stage import CollectionsStage
from aggregates.values.codes import Code
from aggregates.values.money import Money
from aggregates.values.patterns import pattern
from projections.collections_report.columns import Sort
from projections.people.terms import SHORTEST_ANYWHERE, compared, digits_asked, terms_asked
from projections.questions.names import FILLED, Names


@dataclass(frozen=True, slots=True)
class Where:
    """The condition of a filter that is given, over the report's columns; `%(name)s` is what was given."""

    condition: str
    means: str
    """Which accounts it leaves, for whoever asks."""
    title: str
    """Its label on the page."""
    is_folded: bool = False
    """On the page it stands under *More filters*."""


_OF_INVOICE = """
    ARRAY(
        SELECT item.account_id FROM read_model.ledger_items AS item WHERE lower(item.number) = lower(%(search)s::text)
    )
"""

_FOUND = f"""
    account_id IN (
        SELECT person.account_id
        FROM personal.people AS person
        WHERE (person.terms @> %(search_terms)s::integer[] AND strpos(person.searched, %(search_text)s::text) > 0)
           OR (person.terms @> %(digits_terms)s::integer[] AND strpos(person.searched, %(digits)s::text) > 0)
           OR person.account_id = ANY ({_OF_INVOICE})
    )
"""  # noqa: S608

_FOUND_WITHOUT_NAMES = f"""
    (strpos(lower(number), lower(%(search)s::text)) > 0 OR account_id = ANY ({_OF_INVOICE}))
"""
"""While names are filled in again: by numbers alone."""


class YesNo(StrEnum):
    YES = "yes"
    NO = "no"


Codes = Annotated[
    str,
    StringConstraints(
        max_length=400,
        pattern=pattern(
            r"^[a-z0-9][a-z0-9-]{0,39}(,[a-z0-9][a-z0-9-]{0,39})*$",
            "one or several of lower-case letters, digits and dashes, with commas between them",
        ),
    ),
]
"""Short identifiers with commas between them; one is the usual case."""

_STAGE = f"({'|'.join(Stage)})"

Stages = Annotated[
    str,
    StringConstraints(
        max_length=200,
        pattern=pattern(rf"^{_STAGE}(,{_STAGE})*$", f"one or several of {', '.join(Stage)}, with commas between them"),
    ),
]
"""Stages of auto-collection with commas between them; one is the usual case."""

_ONE_OF = "{name} = ANY (string_to_array(%({name})s::text, ','))"

_OF_ITEM = "account_id IN (SELECT item.account_id FROM open_items AS item WHERE item.{column} = %({name})s::text)"
"""The open items are those of the day that the report is of."""

_ANY_FLAG = "flags && string_to_array(%({name})s::text, ',')"

_ON_WORKLIST = """
    account_id IN (
        SELECT work.account_id FROM read_model.worklist AS work
        WHERE work.assignee = regexp_replace(%(assignee)s::text, '^person:', '')
    )
"""


def _is(name: str, condition: str) -> str:
    return f"({condition}) = (%({name})s::text = 'yes')"


class Filters(BaseModel):
    """Which accounts are shown; what is None does not filter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    search: Annotated[
        str | None,
        Field(max_length=100),
        Where(
            _FOUND,
            "A part of the customer's name, e-mail address or telephone number, or of the account's number; or the"
            " number of an invoice. Fewer than three characters: how a word of these begins.",
            "Search",
        ),
    ] = None
    stage: Annotated[
        Stages | None,
        Where(_ONE_OF.format(name="stage"), "The stage in auto-collection; of several one of them.", "Stage"),
    ] = None
    bucket: Annotated[
        str | None,
        Field(max_length=400),
        Where(
            _ONE_OF.format(name="bucket"),
            "That of the account's oldest open item; of several, with commas between them, one of them.",
            "Bucket",
        ),
    ] = None
    flag: Annotated[
        Codes | None,
        Where(_ANY_FLAG.format(name="flag"), "Accounts that carry this flag; of several one of them.", "Flag"),
    ] = None
    without_flag: Annotated[
        Codes | None,
        Where(
            f"NOT {_ANY_FLAG.format(name='without_flag')}",
            "Accounts that do not carry this flag; of several none of them.",
            "Without flag",
            is_folded=True,
        ),
    ] = None
    collections_stage: Annotated[
        CollectionsStage | None,
        Where(
            "collections_stage = %(collections_stage)s::text",
            "Where the account stands with an outside agency.",
            "Collections stage",
        ),
    ] = None
    frozen: Annotated[
        Code | None,
        Where("frozen = %(frozen)s::text", "Accounts that are frozen for this reason.", "Frozen"),
    ] = None
    frozen_subscription: Annotated[
        YesNo | None,
        Where(
            _is("frozen_subscription", "frozen_subscriptions IS NOT NULL"),
            "Whether a subscription of the account is frozen, with it or singly.",
            "Subscription frozen",
            is_folded=True,
        ),
    ] = None
    written_off: Annotated[
        YesNo | None,
        Where(
            _is("written_off", "written_off > 0"),
            "Whether something is written off of which the claim was kept; such accounts may owe nothing.",
            "Written off",
        ),
    ] = None
    disputed: Annotated[
        YesNo | None,
        Where(_is("disputed", "disputed > 0"), "Whether anything of what is open is disputed.", "Disputed"),
    ] = None
    promised: Annotated[
        YesNo | None,
        Where(_is("promised", "open_promises > 0"), "Whether a promise to pay is open.", "Promised"),
    ] = None
    excluded: Annotated[
        YesNo | None,
        Where(
            _is("excluded", "excluded"), "Whether a person took the account out of auto-collection.", "Excluded",
            is_folded=True,
        ),
    ] = None  # fmt: skip
    service: Annotated[
        Code | None,
        Where(
            _OF_ITEM.format(column="service_type", name="service"),
            "Accounts with an open invoice of this service type.",
            "Service",
        ),
    ] = None
    subscription: Annotated[
        str | None,
        Field(max_length=100),
        Where(
            _OF_ITEM.format(column="subscription", name="subscription"),
            "Accounts with an open invoice of this subscription.",
            "Subscription",
        ),
    ] = None
    placed_with: Annotated[
        Code | None, Where("agency = %(placed_with)s::text", "Accounts that this agency has.", "Agency")
    ] = None
    segment: Annotated[
        str | None,
        Field(max_length=100),
        Where("segment = %(segment)s::text", "The segment of the customer, as it is now.", "Segment", is_folded=True),
    ] = None
    assignee: Annotated[
        str | None,
        Field(max_length=100),
        Where(
            _ON_WORKLIST,
            "Accounts about which this person has something to do on the worklist, as it is now.",
            "Assignee",
            is_folded=True,
        ),
    ] = None
    number: Annotated[
        str | None,
        Field(max_length=100),
        Where("number = %(number)s::text", "Exactly this number of the account.", "Account number", is_folded=True),
    ] = None
    min_balance: Annotated[
        Decimal | None,
        Where("balance >= %(min_balance)s::bigint", "Accounts that owe at least this.", "Balance from", is_folded=True),
    ] = None
    max_balance: Annotated[
        Decimal | None,
        Where("balance <= %(max_balance)s::bigint", "Accounts that owe at most this.", "Balance to", is_folded=True),
    ] = None
    min_dpd: Annotated[
        int | None,
        Where(
            "days_past_due >= %(min_dpd)s::integer", "At least so many days past due, of the oldest open item.",
            "Days past due from", is_folded=True,
        ),
    ] = None  # fmt: skip
    max_dpd: Annotated[
        int | None,
        Where(
            "days_past_due <= %(max_dpd)s::integer", "At most so many days past due, of the oldest open item.",
            "Days past due to", is_folded=True,
        ),
    ] = None  # fmt: skip
    last_payment_from: Annotated[
        date | None,
        Where(
            "last_payment_on >= %(last_payment_from)s::date", "Accounts whose latest payment was on this day or later.",
            "Last payment from", is_folded=True,
        ),
    ] = None  # fmt: skip
    last_payment_to: Annotated[
        date | None,
        Where(
            "last_payment_on <= %(last_payment_to)s::date",
            "Accounts whose latest payment was on this day or before; not those that never paid.",
            "Last payment to", is_folded=True,
        ),
    ] = None  # fmt: skip
    last_contact_from: Annotated[
        date | None,
        Where(
            "last_contact_on >= %(last_contact_from)s::date", "Accounts whose latest contact was on this day or later.",
            "Last contact from", is_folded=True,
        ),
    ] = None  # fmt: skip
    last_contact_to: Annotated[
        date | None,
        Where(
            "last_contact_on <= %(last_contact_to)s::date",
            "Accounts whose latest contact was on this day or before; not those that were never contacted.",
            "Last contact to", is_folded=True,
        ),
    ] = None  # fmt: skip

    def given(self, currency: str) -> dict[str, object]:
        """The parameters of the filters that are given; balances in minor units of the currency."""
        found = {name: value for name, value in self if value is not None and value != ""}
        return {
            name: Money.rounded(value, currency).minor if isinstance(value, Decimal) else value
            for name, value in found.items()
        }


_WHERE: Mapping[str, Where] = {
    name: next(each for each in field.metadata if isinstance(each, Where))
    for name, field in Filters.model_fields.items()
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter as every door offers it."""

    title: str
    means: str
    type: Any
    """What it may be, without None."""
    bounds: tuple[Any, ...]
    """What else pydantic is told of it."""
    is_folded: bool


CHOICES: Mapping[str, Choice] = {
    name: Choice(
        where.title,
        where.means,
        next(each for each in get_args(Filters.model_fields[name].annotation) if each is not NoneType),
        tuple(each for each in Filters.model_fields[name].metadata if not isinstance(each, Where)),
        where.is_folded,
    )
    for name, where in _WHERE.items()
}
"""By name, in the order of the page. HTTP's parameters, bodies and the page's form are made from them."""


def conditions(given: Mapping[str, object], said_of_names: Names = FILLED) -> list[str]:
    """What has to hold for the filters that are given."""
    instead = {} if said_of_names is FILLED else {"search": _FOUND_WITHOUT_NAMES}
    return [instead.get(name, _WHERE[name].condition) for name in given]


def owing(given: Mapping[str, object]) -> str:
    """What holds for the accounts of a report, besides its filters: they owe something, or have funds left. Of what is
    written off nothing is owed: such accounts are there where they are asked for."""
    return "true" if given.get("written_off") == YesNo.YES else "(outstanding <> 0 OR unapplied <> 0)"


def parameters_of_search(given: Mapping[str, object]) -> dict[str, object]:
    """What the condition of `search` needs besides the text; nothing is found by a text without letters and digits."""
    text = given.get("search")
    if not isinstance(text, str):
        return {}
    wanted, digits = compared(text), digits_asked(text)
    return {
        "search_text": wanted if len(wanted) >= SHORTEST_ANYWHERE else "",
        "search_terms": terms_asked(wanted) or None,
        "digits": digits,
        "digits_terms": terms_asked(digits) if digits else None,
    }


@dataclass(frozen=True, slots=True)
class Order:
    """What rows are ordered by; the account's id decides between equals."""

    sort: Sort = Sort.BALANCE
    descending: bool = True

    def __str__(self) -> str:
        return f"{self.sort} {'desc' if self.descending else 'asc'}"

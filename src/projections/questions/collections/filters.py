"""Which accounts a report shows, and in which order."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from aggregates.account.chase import Stage
from aggregates.account.collections_stage import CollectionsStage
from aggregates.values.codes import Code
from aggregates.values.money import Money
from projections.collections_report.columns import Sort
from projections.people.terms import SHORTEST_ANYWHERE, compared, digits_asked, terms_asked
from projections.questions.names import FILLED, Names


@dataclass(frozen=True, slots=True)
class Where:
    """The condition of a filter that is given, over the report's columns; `%(name)s` is what was given."""

    condition: str
    means: str = ""
    """Whose value it is, for who asks by HTTP."""
    title: str = ""
    """Its label on the page, where people choose one of several values; HTTP and the page offer it as it stands."""


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


class WrittenOff(StrEnum):
    YES = "yes"
    NO = "no"


_OF_ITEM = "account_id IN (SELECT item.account_id FROM open_items AS item WHERE item.{column} = %({name})s::text)"
"""The open items are those of the day that the report is of."""


class Filters(BaseModel):
    """Which accounts are shown; what is None does not filter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Annotated[
        Stage | None, Where("stage = %(stage)s::text", means="The stage in auto-collection.", title="Stage")
    ] = None
    bucket: Annotated[
        str | None,
        Field(max_length=40),
        Where("bucket = %(bucket)s::text", means="That of the account's oldest open item.", title="Bucket"),
    ] = None
    flag: Annotated[
        Code | None, Where("%(flag)s::text = ANY (flags)", means="Accounts that carry this flag.", title="Flag")
    ] = None
    collections_stage: Annotated[
        CollectionsStage | None,
        Where(
            "collections_stage = %(collections_stage)s::text",
            means="Where the account stands with an outside agency.",
            title="Collections stage",
        ),
    ] = None
    frozen: Annotated[
        Code | None,
        Where("frozen = %(frozen)s::text", means="Accounts that are frozen for this reason.", title="Frozen"),
    ] = None
    written_off: Annotated[
        WrittenOff | None,
        Where(
            "(written_off > 0) = (%(written_off)s::text = 'yes')",
            means="Whether something is written off of which the claim was kept; such accounts may owe nothing.",
            title="Written off",
        ),
    ] = None
    service: Annotated[
        Code | None,
        Where(
            _OF_ITEM.format(column="service_type", name="service"),
            means="Accounts with an open invoice of this service type.",
            title="Service",
        ),
    ] = None
    subscription: Annotated[
        str | None,
        Field(max_length=100),
        Where(
            _OF_ITEM.format(column="subscription", name="subscription"),
            means="Accounts with an open invoice of this subscription.",
            title="Subscription",
        ),
    ] = None
    placed_with: Annotated[
        Code | None, Where("agency = %(placed_with)s::text", means="Accounts that this agency has.", title="Agency")
    ] = None
    number: Annotated[str | None, Where("number = %(number)s::text")] = None
    """Exactly this number."""
    search: Annotated[str | None, Where(_FOUND)] = None
    """A part of the customer's name, e-mail address or telephone number, or of the account's number; or the number of
    an invoice. A text of less than three characters: how a word of these begins."""
    min_balance: Annotated[Decimal | None, Where("balance >= %(min_balance)s::bigint")] = None
    max_balance: Annotated[Decimal | None, Where("balance <= %(max_balance)s::bigint")] = None
    min_dpd: Annotated[int | None, Where("days_past_due >= %(min_dpd)s::integer")] = None
    max_dpd: Annotated[int | None, Where("days_past_due <= %(max_dpd)s::integer")] = None

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


def _typed(field: FieldInfo) -> Any:
    """The type with its bounds."""
    typed: Any = field.annotation
    for bound in field.metadata:
        if not isinstance(bound, Where):
            typed = Annotated[typed, bound]
    return typed


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter by one of several values, as HTTP and the page offer it."""

    title: str
    means: str
    type: Any
    """What it may be, or None."""


CHOICES: Mapping[str, Choice] = {
    name: Choice(where.title, where.means, _typed(Filters.model_fields[name]))
    for name, where in _WHERE.items()
    if where.title
}
"""By name, in the order of the page."""


def conditions(given: Mapping[str, object], said_of_names: Names = FILLED) -> list[str]:
    """What has to hold for the filters that are given."""
    instead = {} if said_of_names is FILLED else {"search": _FOUND_WITHOUT_NAMES}
    return [instead.get(name, _WHERE[name].condition) for name in given]


def owing(given: Mapping[str, object]) -> str:
    """What holds for the accounts of a report, besides its filters: they owe something, or have funds left. Of what is
    written off nothing is owed: such accounts are there where they are asked for."""
    return "true" if given.get("written_off") == WrittenOff.YES else "(outstanding <> 0 OR unapplied <> 0)"


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

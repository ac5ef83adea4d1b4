"""Which accounts a report shows, and in which order."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from aggregates.account.chase import Stage
from aggregates.values.money import Money
from projections.collections_report.columns import Sort


@dataclass(frozen=True, slots=True)
class Where:
    """The condition of a filter that is given, over the report's columns; `%(name)s` is what was given."""

    condition: str


class Filters(BaseModel):
    """Which accounts are shown; what is None does not filter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Annotated[Stage | None, Where("stage = %(stage)s::text")] = None
    bucket: Annotated[str | None, Where("bucket = %(bucket)s::text")] = None
    """The bucket of the account's oldest open item."""
    flag: Annotated[str | None, Where("%(flag)s::text = ANY (flags)")] = None
    number: Annotated[str | None, Where("number = %(number)s::text")] = None
    """Exactly this number."""
    search: Annotated[
        str | None,
        Where(
            "(strpos(lower(number), lower(%(search)s::text)) > 0"
            " OR strpos(lower(customer_name), lower(%(search)s::text)) > 0)"
        ),
    ] = None
    """A part of the account's number or of the customer's name."""
    min_balance: Annotated[Decimal | None, Where("balance >= %(min_balance)s::bigint")] = None
    max_balance: Annotated[Decimal | None, Where("balance <= %(max_balance)s::bigint")] = None
    min_dpd: Annotated[int | None, Where("days_past_due >= %(min_dpd)s::integer")] = None
    max_dpd: Annotated[int | None, Where("days_past_due <= %(max_dpd)s::integer")] = None

    def given(self, currency: str) -> dict[str, object]:
        """The parameters of the filters that are given; balances in minor units of the currency."""
        found = {name: value for name, value in self if value not in {None, ""}}
        return {
            name: Money.rounded(value, currency).minor if isinstance(value, Decimal) else value
            for name, value in found.items()
        }


_WHERE: Mapping[str, str] = {
    name: next(each.condition for each in field.metadata if isinstance(each, Where))
    for name, field in Filters.model_fields.items()
}


def conditions(given: Mapping[str, object]) -> list[str]:
    """What has to hold for the filters with these names."""
    return [_WHERE[name] for name in given]


@dataclass(frozen=True, slots=True)
class Order:
    """What rows are ordered by; the account's id decides between equals."""

    sort: Sort = Sort.BALANCE
    descending: bool = True

    def __str__(self) -> str:
        return f"{self.sort} {'desc' if self.descending else 'asc'}"

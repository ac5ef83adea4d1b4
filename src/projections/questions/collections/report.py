"""The collections report, and the list of all accounts: a page of rows in an order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money
from projections.answer import AmountText, Answer
from projections.collections_report.columns import SORT_KEYS, CollectionsRow, Sort
from projections.questions.collections.defined import NOTHING_DEFINED, Defined, check_filters
from projections.questions.collections.filters import Filters, Order, conditions, owing, parameters_of_search
from projections.questions.collections.source import Source, row_of, source_of, today_s
from projections.questions.names import FILLED, Names, names
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import rows, scope_of

_PAGE = """
, place AS (
    SELECT account_id, ({key})::text AS sorted_by
    FROM wanted
    WHERE %(after_id)s::uuid IS NULL OR ({key}, account_id) {beyond} (%(after)s::{type}, %(after_id)s::uuid)
    ORDER BY {key} {direction}, account_id {direction}
    LIMIT %(limit)s
),
page AS (SELECT * FROM place JOIN wanted USING (account_id))
"""
"""Everything that a row shows is looked up for the page alone, and not for all that is sorted."""

_WITH_SUMS = """
, totals AS (
    SELECT count(*) AS accounts, coalesce(sum(outstanding), 0)::bigint AS sum_outstanding,
           coalesce(sum(unapplied), 0)::bigint AS sum_unapplied, coalesce(sum(balance), 0)::bigint AS sum_balance,
           coalesce(sum(past_due), 0)::bigint AS sum_past_due, coalesce(sum(disputed), 0)::bigint AS sum_disputed,
           coalesce(sum(paid_since), 0)::bigint AS sum_paid_since
    FROM wanted
)
SELECT totals.*, page.*
FROM totals
LEFT JOIN page ON true
ORDER BY {key} {direction}, account_id {direction}
"""

_ROWS = """
SELECT * FROM page ORDER BY {key} {direction}, account_id {direction}
"""


_EVERY = """
SELECT * FROM wanted ORDER BY {key} {direction}, account_id {direction}
"""
_FETCHED = 2_000


SUMMED = ("balance", "outstanding", "unapplied", "past_due", "disputed", "paid_since")
"""Columns whose sums are over all pages."""


class CollectionsReport(Answer):
    """A page of accounts; the sums are over all pages."""

    as_of: date
    currency: str
    accounts: int
    outstanding: AmountText
    unapplied: AmountText
    balance: AmountText
    past_due: AmountText
    disputed: AmountText
    paid_since: AmountText
    rows: tuple[CollectionsRow, ...]
    next_cursor: str | None
    names: Names = FILLED


class AccountsPage(Answer):
    """A page of accounts."""

    rows: tuple[CollectionsRow, ...]
    next_cursor: str | None
    names: Names = FILLED


def collections(
    connection: Connection[Any],
    *,
    today: date,
    scheme: BucketScheme,
    as_of: date | None = None,
    known_on: date | None = None,
    office: str | None = None,
    currency: str | None = None,
    filters: Filters | None = None,
    defined: Defined = NOTHING_DEFINED,
    order: Order | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> CollectionsReport:
    """A page of the accounts that owed something, or had funds left, at the end of a day (None: of today).

    Money is that of the day, as known on `known_on`. Stage, flags, what is next and the like are as recorded by the
    end of the earlier of the two days, in the office's time zone. Raises ReportRefused.
    """
    order = order or Order()
    of = _selection(
        connection,
        today=today,
        scheme=scheme,
        as_of=as_of,
        known_on=known_on,
        office=office,
        currency=currency,
        filters=filters,
        defined=defined,
    )
    asked = _asked(of.source, of.given, order, limit, cursor)
    found = rows(connection, asked, *of.query, _in(order, _PAGE + _WITH_SUMS))
    sums = found[0]
    page, next_cursor = _cut([each for each in found if each["account_id"] is not None], order, limit)

    def amount(minor: int) -> Decimal:
        return Money(minor, of.currency).decimal()

    return CollectionsReport(
        as_of=as_of or today,
        currency=of.currency,
        accounts=sums["accounts"],
        **{name: amount(sums[f"sum_{name}"]) for name in SUMMED},
        rows=tuple(row_of(each, scheme) for each in page),
        next_cursor=next_cursor,
        names=of.names,
    )


@dataclass(frozen=True, slots=True)
class _Selection:
    """The rows of a report that filters leave, whatever their order."""

    currency: str
    source: Source
    given: Mapping[str, object]
    """What the filters say, as parameters."""
    query: tuple[str, str]
    names: Names


def _selection(
    connection: Connection[Any],
    *,
    today: date,
    scheme: BucketScheme,
    as_of: date | None,
    known_on: date | None,
    office: str | None,
    currency: str | None,
    filters: Filters | None,
    defined: Defined,
) -> _Selection:
    """Raises ReportRefused."""
    scope = scope_of(connection, office=office, currency=currency)
    filters = filters or Filters()
    check_filters(connection, filters, scheme, defined)
    source = source_of(connection, scope, today=today, as_of=as_of, known_on=known_on, scheme=scheme)
    given, said_of_names = filters.given(scope.currency), names(connection)
    query = selected(source, [owing(given), *conditions(given, said_of_names)])
    return _Selection(scope.currency, source, given, query, said_of_names)


def every_row(
    connection: Connection[Any],
    *,
    today: date,
    scheme: BucketScheme,
    as_of: date | None = None,
    office: str | None = None,
    currency: str | None = None,
    filters: Filters | None = None,
    defined: Defined = NOTHING_DEFINED,
    order: Order | None = None,
) -> Iterator[CollectionsRow]:
    """The rows of all pages of the same report, worked out once and read as they are asked for, in the transaction that
    the connection is in. Raises ReportRefused."""
    of = _selection(
        connection,
        today=today,
        scheme=scheme,
        as_of=as_of,
        known_on=None,
        office=office,
        currency=currency,
        filters=filters,
        defined=defined,
    )
    asked = {**of.source.parameters, **of.given, **parameters_of_search(of.given)}
    with connection.cursor(name="every_row", row_factory=dict_row) as cursor:
        cursor.itersize = _FETCHED
        cursor.execute("".join((*of.query, _in(order or Order(), _EVERY))).encode(), asked)
        for each in cursor:
            yield row_of(each, scheme)


def accounts(
    connection: Connection[Any],
    *,
    today: date,
    scheme: BucketScheme,
    office_id: UUID | None = None,
    filters: Filters | None = None,
    among: Sequence[UUID] | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> AccountsPage:
    """Accounts by number as they are now, whether they owe something or not, in whatever currency; `among` these."""
    source = today_s(office_id=office_id, currency=None, today=today)
    order = Order(Sort.NUMBER, descending=False)
    given, said_of_names = (filters or Filters()).given(""), names(connection)
    those = [] if among is None else ["account_id = ANY (%(among)s::uuid[])"]
    query = selected(source, [*those, *conditions(given, said_of_names)])
    asked = {**_asked(source, given, order, limit, cursor), **({} if among is None else {"among": list(among)})}
    found = rows(connection, asked, *query, _in(order, _PAGE + _ROWS))
    page, next_cursor = _cut(found, order, limit)
    shown = tuple(row_of(each, scheme) for each in page)
    return AccountsPage(rows=shown, next_cursor=next_cursor, names=said_of_names)


def selected(source: Source, where: Sequence[str]) -> tuple[str, str]:
    """The CTE `wanted`: rows of `report` for which all of that holds. A past day is worked out once, today is read."""
    how = "MATERIALIZED" if source.is_past else "NOT MATERIALIZED"
    return source.query, f", wanted AS {how} (SELECT * FROM report WHERE {' AND '.join(where) or 'true'})\n"  # noqa: S608


def _in(order: Order, query: str) -> str:
    key, kind = SORT_KEYS[order.sort]
    return (
        query.replace("{key}", key)
        .replace("{type}", kind)
        .replace("{beyond}", "<" if order.descending else ">")
        .replace("{direction}", "DESC" if order.descending else "ASC")
    )


def _asked(
    source: Source, given: Mapping[str, object], order: Order, limit: int, cursor: str | None
) -> dict[str, object]:
    after, after_id = key_after(cursor, str(order), 2)
    limit = check_limit(limit) + 1
    return {
        **source.parameters,
        **given,
        **parameters_of_search(given),
        "after": after,
        "after_id": after_id,
        "limit": limit,
    }


def _cut(found: list[DictRow], order: Order, limit: int) -> tuple[list[DictRow], str | None]:
    """A page's rows, and where the next one begins."""
    page = found[:limit]
    more = len(found) > limit
    return page, cursor_after(str(order), page[-1]["sorted_by"], page[-1]["account_id"]) if more else None

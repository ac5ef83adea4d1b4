"""Collections as of a day: one row per account with what it owes and how old that is."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict

from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import LEDGER, Answer, BadQuestion, Scope, parameters_of, rows, scope_of


class Sort(StrEnum):
    """What rows are ordered by; the account's id decides between equals."""

    BALANCE = "balance"
    OUTSTANDING = "outstanding"
    DAYS_PAST_DUE = "days_past_due"
    OLDEST_DUE_ON = "oldest_due_on"
    NUMBER = "number"
    CUSTOMER_NAME = "customer_name"


class Filters(BaseModel):
    """Which accounts are shown; what is None does not filter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_balance: Decimal | None = None
    max_balance: Decimal | None = None
    min_dpd: int | None = None
    max_dpd: int | None = None
    bucket: str | None = None
    """The bucket of the account's oldest open item."""
    search: str | None = None
    """A part of the account's number or of the customer's name."""


class CollectionsRow(Answer):
    """An account with an open item or unapplied funds. `balance` is `outstanding` less `unapplied`."""

    account_id: UUID
    number: str
    customer_name: str
    office: str | None
    currency: str
    outstanding: Decimal
    unapplied: Decimal
    balance: Decimal
    buckets: dict[str, Decimal]
    items: int
    bucket: str
    days_past_due: int
    oldest_due_on: date | None


class CollectionsReport(Answer):
    """A page of accounts; the sums are over all pages."""

    as_of: date
    currency: str
    accounts: int
    outstanding: Decimal
    unapplied: Decimal
    balance: Decimal
    rows: tuple[CollectionsRow, ...]
    next_cursor: str | None


_TYPES: Mapping[Sort, str] = {
    Sort.BALANCE: "bigint",
    Sort.OUTSTANDING: "bigint",
    Sort.DAYS_PAST_DUE: "integer",
    Sort.OLDEST_DUE_ON: "date",
    Sort.NUMBER: "text",
    Sort.CUSTOMER_NAME: "text",
}

_ROWS = """
,
by_bucket AS (
    SELECT account_id, bucket, sum(open_minor)::bigint AS minor, count(*) AS items, min(due_on) AS oldest_due_on
    FROM open_items
    GROUP BY account_id, bucket
),
by_account AS (
    SELECT account_id, jsonb_object_agg(bucket, minor) AS buckets, sum(minor)::bigint AS outstanding,
           sum(items)::integer AS items, max(bucket) AS bucket, min(oldest_due_on) AS oldest_due_on
    FROM by_bucket
    GROUP BY account_id
),
owing AS (
    SELECT account.account_id, account.number, account.customer_name, account.office,
           coalesce(owed.outstanding, 0)                                      AS outstanding,
           coalesce(unapplied.minor, 0)                                       AS unapplied,
           coalesce(owed.outstanding, 0) - coalesce(unapplied.minor, 0)       AS balance,
           coalesce(owed.buckets, '{}')                                     AS buckets,
           coalesce(owed.items, 0)                                            AS items,
           coalesce(owed.bucket, 0)                                           AS bucket,
           greatest(0, coalesce(%(as_of)s::date - owed.oldest_due_on, 0))     AS days_past_due,
           coalesce(owed.oldest_due_on, 'infinity')                           AS oldest_due_on
    FROM accounts AS account
    LEFT JOIN by_account AS owed USING (account_id)
    LEFT JOIN unapplied          USING (account_id)
    WHERE owed.account_id IS NOT NULL OR unapplied.account_id IS NOT NULL
),
wanted AS (
    SELECT *
    FROM owing
    WHERE (%(min_balance)s::bigint IS NULL OR balance >= %(min_balance)s)
      AND (%(max_balance)s::bigint IS NULL OR balance <= %(max_balance)s)
      AND (%(min_dpd)s::integer    IS NULL OR days_past_due >= %(min_dpd)s)
      AND (%(max_dpd)s::integer    IS NULL OR days_past_due <= %(max_dpd)s)
      AND (%(bucket)s::integer     IS NULL OR bucket = %(bucket)s)
      AND (%(search)s::text        IS NULL OR strpos(lower(number), lower(%(search)s)) > 0
                                           OR strpos(lower(customer_name), lower(%(search)s)) > 0)
),
totals AS (
    SELECT count(*) AS accounts, coalesce(sum(outstanding), 0)::bigint AS sum_outstanding,
           coalesce(sum(unapplied), 0)::bigint AS sum_unapplied
    FROM wanted
),
page AS (
    SELECT *
    FROM wanted
    WHERE %(after_id)s::uuid IS NULL
       OR ({sort}, account_id) {beyond} (%(after)s::{type}, %(after_id)s::uuid)
    ORDER BY {sort} {direction}, account_id {direction}
    LIMIT %(limit)s
)
SELECT totals.*, page.account_id, page.number, page.customer_name, page.office, page.outstanding, page.unapplied,
       page.balance, page.buckets, page.items, page.bucket, page.days_past_due,
       page.{sort}::text AS sorted_by, nullif(page.oldest_due_on, 'infinity') AS oldest_due_on
FROM totals
LEFT JOIN page ON true
ORDER BY page.{sort} {direction}, page.account_id {direction}
"""


def collections(
    connection: Connection[Any],
    *,
    as_of: date,
    scheme: BucketScheme,
    known_on: date | None = None,
    office: str | None = None,
    currency: str | None = None,
    filters: Filters | None = None,
    sort: Sort = Sort.BALANCE,
    descending: bool = True,
    limit: int = 50,
    cursor: str | None = None,
) -> CollectionsReport:
    """A page of the accounts that owed something, or had funds left, at the end of a day. Raises ReportRefused."""
    scope = scope_of(connection, office=office, currency=currency)
    order = f"{sort} {'desc' if descending else 'asc'}"
    after, after_id = key_after(cursor, order, 2)
    asked = {
        **parameters_of(scope, as_of=as_of, known_on=known_on, scheme=scheme),
        **_filtered(filters or Filters(), scope, scheme),
        "after": after,
        "after_id": after_id,
        "limit": check_limit(limit) + 1,
    }
    query = (
        _ROWS.replace("{sort}", sort.value)
        .replace("{type}", _TYPES[sort])
        .replace("{beyond}", "<" if descending else ">")
        .replace("{direction}", "DESC" if descending else "ASC")
    )
    found = rows(connection, asked, LEDGER, query)
    sums = found[0]
    page = [each for each in found if each["account_id"] is not None]
    more = len(page) > limit
    page = page[:limit]

    def amount(minor: int) -> Decimal:
        return Money(minor, scope.currency).decimal()

    return CollectionsReport(
        as_of=as_of,
        currency=scope.currency,
        accounts=sums["accounts"],
        outstanding=amount(sums["sum_outstanding"]),
        unapplied=amount(sums["sum_unapplied"]),
        balance=amount(sums["sum_outstanding"] - sums["sum_unapplied"]),
        rows=tuple(_row(each, scope, scheme) for each in page),
        next_cursor=cursor_after(order, page[-1]["sorted_by"], page[-1]["account_id"]) if more else None,
    )


def _filtered(filters: Filters, scope: Scope, scheme: BucketScheme) -> dict[str, object]:
    if filters.bucket is not None and filters.bucket not in scheme.names:
        raise BadQuestion(f"bucket: expected one of {', '.join(scheme.names)}, not {filters.bucket!r}")
    low, high = filters.min_balance, filters.max_balance
    return {
        "min_balance": None if low is None else Money.rounded(low, scope.currency).minor,
        "max_balance": None if high is None else Money.rounded(high, scope.currency).minor,
        "min_dpd": filters.min_dpd,
        "max_dpd": filters.max_dpd,
        "bucket": None if filters.bucket is None else scheme.names.index(filters.bucket),
        "search": filters.search or None,
    }


def _row(found: DictRow, scope: Scope, scheme: BucketScheme) -> CollectionsRow:
    def amount(minor: int) -> Decimal:
        return Money(minor, scope.currency).decimal()

    return CollectionsRow(
        account_id=found["account_id"],
        number=found["number"],
        customer_name=found["customer_name"],
        office=found["office"],
        currency=scope.currency,
        outstanding=amount(found["outstanding"]),
        unapplied=amount(found["unapplied"]),
        balance=amount(found["balance"]),
        buckets={name: amount(found["buckets"].get(str(place), 0)) for place, name in enumerate(scheme.names)},
        items=found["items"],
        bucket=scheme.names[found["bucket"]],
        days_past_due=found["days_past_due"],
        oldest_due_on=found["oldest_due_on"],
    )

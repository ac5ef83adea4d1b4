"""The collections report of today: where every account stands, why, and what is next; filtered, sorted, paged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from pydantic import BaseModel

from aggregates.account.chase import Stage
from aggregates.account.shields import Why
from aggregates.values.aging import BucketScheme
from api.application.amounts import decimal_text
from api.http.shapes import DecimalText
from projections.questions.paging import cursor_after, key_after
from projections.questions.scope import scope_of


class Sort(StrEnum):
    """What rows are ordered by; the account's id decides between equals."""

    BALANCE = "balance"
    OUTSTANDING = "outstanding"
    PAST_DUE = "past_due"
    DAYS_PAST_DUE = "days_past_due"
    NUMBER = "number"
    CUSTOMER_NAME = "customer_name"
    STAGE = "stage"
    NEXT_ACTION = "next_action"
    LAST_PAYMENT = "last_payment"


class WorkRow(BaseModel):
    """An account in the report, amounts in its currency. What is null for a past day is known of today only."""

    account_id: UUID
    number: str
    customer_name: str
    office: str | None
    currency: str
    balance: DecimalText
    outstanding: DecimalText
    unapplied: DecimalText
    buckets: dict[str, DecimalText]
    bucket: str
    days_past_due: int
    oldest_due_on: date | None
    items: int
    past_due: DecimalText | None = None
    disputed: DecimalText | None = None
    stage: Stage | None = None
    why: Why | None = None
    campaign: str | None = None
    flags: list[str] | None = None
    next_action: str | None = None
    next_action_at: datetime | None = None
    last_payment_on: date | None = None
    last_contact_on: date | None = None
    open_promises: int | None = None
    broken_promises: int | None = None


class WorkReport(BaseModel):
    """A page of accounts; the sums are over all pages."""

    as_of: date
    currency: str
    accounts: int
    outstanding: DecimalText
    unapplied: DecimalText
    balance: DecimalText
    items: list[WorkRow]
    next: str | None


class StageCount(BaseModel):
    stage: Stage | None
    accounts: int
    balance: DecimalText


class BucketSum(BaseModel):
    bucket: str
    amount: DecimalText


class Summary(BaseModel):
    """What all accounts together owe, by age and by stage."""

    as_of: date
    currency: str
    accounts: int
    outstanding: DecimalText
    unapplied: DecimalText
    balance: DecimalText
    buckets: list[BucketSum]
    stages: list[StageCount]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which accounts are shown; what is None does not filter. Balances in minor units."""

    office_id: UUID | None = None
    currency: str = ""
    """Empty: any, for a list without sums."""
    stage: Stage | None = None
    bucket: str | None = None
    flag: str | None = None
    search: str | None = None
    number: str | None = None
    min_balance: int | None = None
    max_balance: int | None = None
    owing_only: bool = True
    """Leaves out accounts with neither an open item nor unapplied funds."""


@dataclass(frozen=True, slots=True)
class Order:
    sort: Sort = Sort.BALANCE
    descending: bool = True

    def __str__(self) -> str:
        return f"{self.sort} {'desc' if self.descending else 'asc'}"


@dataclass(slots=True)
class Found:
    """A page of rows and where the next one begins."""

    rows: Sequence[WorkRow] = field(default_factory=list)
    next_cursor: str | None = None


# By sort: the expression and its type. Where a date is missing the row comes last in the order people look at first.
_KEYS: Mapping[Sort, tuple[str, str]] = {
    Sort.BALANCE: ("balance", "bigint"),
    Sort.OUTSTANDING: ("outstanding", "bigint"),
    Sort.PAST_DUE: ("past_due", "bigint"),
    Sort.DAYS_PAST_DUE: ("coalesce(%(today)s::date - oldest_due_on, -100000)", "integer"),
    Sort.NUMBER: ("number", "text"),
    Sort.CUSTOMER_NAME: ("lower(customer_name)", "text"),
    Sort.STAGE: ("coalesce(stage, '')", "text"),
    Sort.NEXT_ACTION: ("coalesce(next_action_at, 'infinity')", "timestamptz"),
    Sort.LAST_PAYMENT: ("coalesce(last_payment_on, '-infinity')", "date"),
}

_WANTED = """
FROM read_model.collections_report AS account
WHERE (%(office_id)s::uuid     IS NULL OR office_id = %(office_id)s)
  AND (%(currency)s::text      = ''   OR currency = %(currency)s)
  AND (%(stage)s::text         IS NULL OR stage = %(stage)s)
  AND (%(bucket)s::text        IS NULL OR bucket = %(bucket)s)
  AND (%(flag)s::text          IS NULL OR %(flag)s = ANY (flags))
  AND (%(number)s::text        IS NULL OR number = %(number)s)
  AND (%(search)s::text        IS NULL OR strpos(lower(number), lower(%(search)s)) > 0
                                       OR strpos(lower(customer_name), lower(%(search)s)) > 0)
  AND (%(min_balance)s::bigint IS NULL OR balance >= %(min_balance)s)
  AND (%(max_balance)s::bigint IS NULL OR balance <= %(max_balance)s)
  AND (NOT %(owing_only)s OR outstanding <> 0 OR unapplied <> 0)
"""

_PAGE = """
SELECT account.*, ({key})::text AS sorted_by,
       (SELECT code FROM read_model.ledger_offices AS office WHERE office.office_id = account.office_id) AS office,
       (SELECT title FROM read_model.campaigns AS c WHERE c.campaign_id = account.campaign_id) AS campaign
{wanted}
  AND (%(after_id)s::uuid IS NULL OR ({key}, account_id) {beyond} (%(after)s::{type}, %(after_id)s::uuid))
ORDER BY {key} {direction}, account_id {direction}
LIMIT %(limit)s
"""

_SUMS = """
SELECT count(*) AS accounts, coalesce(sum(outstanding), 0)::bigint AS outstanding,
       coalesce(sum(unapplied), 0)::bigint AS unapplied
{wanted}
"""

_STAGES = """
SELECT stage, count(*) AS accounts, sum(balance)::bigint AS balance
{wanted}
GROUP BY stage
"""

_BUCKETS = """
SELECT part.key AS bucket, sum(part.value::bigint)::bigint AS amount
FROM (SELECT buckets {wanted}) AS account, jsonb_each_text(buckets) AS part
GROUP BY part.key
"""


def worklist(
    connection: Connection[Any], filters: Filters, order: Order, *, today: date, limit: int, cursor: str | None
) -> Found:
    """A page of accounts. The cursor is one of this order."""
    after, after_id = key_after(cursor, str(order), 2)
    key, kind = _KEYS[order.sort]
    query = (
        _PAGE.replace("{wanted}", _WANTED)
        .replace("{key}", key)
        .replace("{type}", kind)
        .replace("{beyond}", "<" if order.descending else ">")
        .replace("{direction}", "DESC" if order.descending else "ASC")
    )
    asked = {**asdict(filters), "today": today, "after": after, "after_id": after_id, "limit": limit + 1}
    found = _rows(connection, query, asked)
    page = found[:limit]
    more = len(found) > limit
    return Found(
        rows=[_row(each, today) for each in page],
        next_cursor=cursor_after(str(order), page[-1]["sorted_by"], page[-1]["account_id"]) if more else None,
    )


def work_report(
    connection: Connection[Any], filters: Filters, order: Order, *, today: date, limit: int, cursor: str | None
) -> WorkReport:
    """The collections report of today, with its sums."""
    money = filters.currency
    [sums] = _rows(connection, _SUMS.replace("{wanted}", _WANTED), asdict(filters))
    found = worklist(connection, filters, order, today=today, limit=limit, cursor=cursor)
    return WorkReport(
        as_of=today,
        currency=money,
        accounts=sums["accounts"],
        outstanding=decimal_text(sums["outstanding"], money),
        unapplied=decimal_text(sums["unapplied"], money),
        balance=decimal_text(sums["outstanding"] - sums["unapplied"], money),
        items=list(found.rows),
        next=found.next_cursor,
    )


def summary(
    connection: Connection[Any], *, office: str | None, currency: str | None, scheme: BucketScheme, today: date
) -> Summary:
    """All accounts of an office together, today. Raises ReportRefused."""
    filters = in_scope(connection, office=office, currency=currency)
    asked, money = asdict(filters), filters.currency
    [sums] = _rows(connection, _SUMS.replace("{wanted}", _WANTED), asked)
    stages = {each["stage"]: each for each in _rows(connection, _STAGES.replace("{wanted}", _WANTED), asked)}
    amounts = {
        each["bucket"]: each["amount"] for each in _rows(connection, _BUCKETS.replace("{wanted}", _WANTED), asked)
    }
    return Summary(
        as_of=today,
        currency=money,
        accounts=sums["accounts"],
        outstanding=decimal_text(sums["outstanding"], money),
        unapplied=decimal_text(sums["unapplied"], money),
        balance=decimal_text(sums["outstanding"] - sums["unapplied"], money),
        buckets=[BucketSum(bucket=n, amount=decimal_text(amounts.get(n, 0), money)) for n in _names(scheme, amounts)],
        stages=[
            StageCount(
                stage=stage,
                accounts=stages[stage]["accounts"] if stage in stages else 0,
                balance=decimal_text(stages[stage]["balance"] if stage in stages else 0, money),
            )
            for stage in (*Stage, None)
        ],
    )


def in_scope(connection: Connection[Any], *, office: str | None, currency: str | None) -> Filters:
    """Accounts of an office, or all, in the one currency that sums are in. Raises ReportRefused."""
    scope = scope_of(connection, office=office, currency=currency)
    return Filters(office_id=scope.office_id, currency=scope.currency)


def _names(scheme: BucketScheme, amounts: Mapping[str, int]) -> list[str]:
    """The scheme's buckets, and those an item is still in from an earlier scheme until it is aged again."""
    return [*scheme.names, *sorted(amounts.keys() - set(scheme.names))]


def _rows(connection: Connection[Any], query: str, asked: Mapping[str, object]) -> list[DictRow]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, asked).fetchall()


def _row(found: DictRow, today: date) -> WorkRow:
    def amount(minor: int) -> str:
        return decimal_text(minor, found["currency"])

    oldest = found["oldest_due_on"]
    return WorkRow(
        account_id=found["account_id"],
        number=found["number"],
        customer_name=found["customer_name"],
        office=found["office"],
        currency=found["currency"],
        balance=amount(found["balance"]),
        outstanding=amount(found["outstanding"]),
        unapplied=amount(found["unapplied"]),
        buckets={name: amount(int(minor)) for name, minor in found["buckets"].items()},
        bucket=found["bucket"],
        days_past_due=max(0, (today - oldest).days) if oldest else 0,
        oldest_due_on=oldest,
        items=found["open_items"],
        past_due=amount(found["past_due"]),
        disputed=amount(found["disputed"]),
        stage=found["stage"],
        why=Why(code=found["why_code"], detail=found["why_detail"] or "") if found["why_code"] else None,
        campaign=found["campaign"],
        flags=sorted(found["flags"]),
        next_action=found["next_action"],
        next_action_at=found["next_action_at"],
        last_payment_on=found["last_payment_on"],
        last_contact_on=found["last_contact_on"],
        open_promises=found["open_promises"],
        broken_promises=found["broken_promises"],
    )

"""Reports: collections of today or of a past day, aging, KPIs; and the list of accounts."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from psycopg import Connection

from aggregates.account.chase import Stage
from aggregates.values.codes import Code
from aggregates.values.money import Money
from api.http.paging import Cursor, Limit, Page, unwrap_cursor, wrap_cursor
from api.http.problems import FieldProblem
from api.http.reading import AS_ASKED, AsOf, KnownOn, OfReport, Question, Reader, Readings, Scope
from api.http.shapes import Day, PlainText
from api.http.worklist import (
    Filters,
    Order,
    Sort,
    Summary,
    WorkReport,
    WorkRow,
    in_scope,
    summary,
    work_report,
    worklist,
)
from projections.questions.aging import Aging, aging
from projections.questions.collections import CollectionsReport, CollectionsRow, collections
from projections.questions.collections import Filters as AsOfFilters
from projections.questions.collections import Sort as AsOfSort
from projections.questions.kpi import Kpi, kpi

router = APIRouter(prefix="/v1", tags=["reports"])

Balance = Annotated[
    str | None, Query(pattern=r"^-?[0-9]{1,13}(\.[0-9]{1,4})?$", description='A decimal such as "100.00".')
]
Search = Annotated[PlainText | None, Query(max_length=100, description="A part of the number or the name.")]
Bucket = Annotated[PlainText | None, Query(max_length=40, description="That of the account's oldest open item.")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a collections report shows, and in which order."""

    stage: Stage | None = None
    bucket: str | None = None
    flag: str | None = None
    q: str | None = None
    min_balance: str | None = None
    max_balance: str | None = None
    sort: Sort = Sort.BALANCE
    descending: bool = True


def asked(
    *,
    stage: Annotated[Stage | None, Query(description="Today's stage in auto-collection.")] = None,
    bucket: Bucket = None,
    flag: Annotated[Code | None, Query(description="Accounts that carry this flag today.")] = None,
    q: Search = None,
    min_balance: Balance = None,
    max_balance: Balance = None,
    sort: Sort = Sort.BALANCE,
    descending: bool = True,
) -> Asked:
    """Filters and order of a collections report."""
    return Asked(stage, bucket, flag, q, min_balance, max_balance, sort, descending)


ReportAsked = Annotated[Asked, Depends(asked)]


@router.get("/report/collections", responses=AS_ASKED)
def report_collections(
    *,
    readings: Readings,
    of: OfReport,
    wanted: ReportAsked,
    as_of: AsOf = None,
    known_on: KnownOn = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> WorkReport:
    """One row per account that owes something or has funds left. Stage, flags and what is next are of today only."""
    return collections_report(readings, of, wanted, as_of=as_of, known_on=known_on, limit=limit, cursor=cursor)


@router.get("/report/summary", responses=AS_ASKED)
def report_summary(*, readings: Readings, of: OfReport) -> Summary:
    """All accounts together, today: by age and by stage."""
    today, scheme = readings.today(of.office), readings.scheme(of.office)
    with readings.connection() as connection:
        return summary(connection, office=of.office, currency=of.currency, scheme=scheme, today=today)


@router.get("/report/aging", responses=AS_ASKED)
def report_aging(*, readings: Readings, of: OfReport, as_of: AsOf = None, known_on: KnownOn = None) -> Aging:
    """What is open, by how long it is past due."""
    day, scheme = as_of or readings.today(of.office), readings.scheme(of.office)
    with readings.connection() as connection:
        return aging(connection, as_of=day, known_on=known_on, scheme=scheme, office=of.office, currency=of.currency)


@router.get("/kpi", responses=AS_ASKED)
def report_kpi(
    *,
    readings: Readings,
    of: OfReport,
    start: Annotated[Day, Query(alias="from", description="The first day.")],
    to: Annotated[Day, Query(description="The last day, included.")],
    known_on: KnownOn = None,
) -> Kpi:
    """The KPIs of a period; null where a denominator is zero."""
    with readings.connection() as connection:
        return kpi(connection, start=start, end=to, known_on=known_on, office=of.office, currency=of.currency)


@router.get("/accounts", tags=["accounts"], responses=AS_ASKED)
def list_accounts(
    *,
    readings: Readings,
    office: Annotated[Code | None, Query(description="An office's code; all offices where not given.")] = None,
    number: Annotated[PlainText | None, Query(max_length=100, description="Exactly this number.")] = None,
    q: Search = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[WorkRow]:
    """Accounts by number, whether they owe something or not."""
    today = readings.today(office)
    filters = Filters(
        office_id=readings.office(office).id if office else None, number=number, search=q, owing_only=False
    )
    order = Order(Sort.NUMBER, descending=False)
    return readings.page(
        Question("accounts", office, number, q),
        lambda connection, inner: worklist(connection, filters, order, today=today, limit=limit, cursor=inner),
        cursor,
    )


# --- the report, for this resource and for the page ----------------------------------------------------


def collections_report(
    readings: Reader,
    of: Scope,
    wanted: Asked,
    *,
    as_of: date | None,
    known_on: date | None,
    limit: int,
    cursor: str | None,
) -> WorkReport:
    """Of today from the live table, of a past day from the ledger. Raises a Problem."""
    today = readings.today(of.office)
    question = Question("collections", of, wanted, as_of, known_on)
    inner = unwrap_cursor(question, cursor)
    if known_on is None and as_of in {None, today}:
        with readings.connection(with_cursor=cursor is not None) as connection:
            report = _of_today(connection, of, wanted, today=today, limit=limit, cursor=inner)
    else:
        scheme = readings.scheme(of.office)
        filters, sort = _filters_of_past(wanted), _sort_of_past(wanted.sort)
        with readings.connection(with_cursor=cursor is not None) as connection:
            past = collections(
                connection,
                as_of=as_of or today,
                known_on=known_on,
                scheme=scheme,
                office=of.office,
                currency=of.currency,
                filters=filters,
                sort=sort,
                descending=wanted.descending,
                limit=limit,
                cursor=inner,
            )
        report = _as_work_report(past)
    return report.model_copy(update={"next": wrap_cursor(question, report.next)})


def _of_today(
    connection: Connection[Any], of: Scope, wanted: Asked, *, today: date, limit: int, cursor: str | None
) -> WorkReport:
    filters = in_scope(connection, office=of.office, currency=of.currency)
    filters = replace(
        filters,
        stage=wanted.stage,
        bucket=wanted.bucket,
        flag=wanted.flag,
        search=wanted.q or None,
        min_balance=_minor(wanted.min_balance, filters.currency),
        max_balance=_minor(wanted.max_balance, filters.currency),
    )
    order = Order(wanted.sort, wanted.descending)
    return work_report(connection, filters, order, today=today, limit=limit, cursor=cursor)


def _minor(balance: str | None, currency: str) -> int | None:
    return None if balance is None else Money.rounded(Decimal(balance), currency).minor


# --- of a past day ---------------------------------------------------------------------------------------


def _filters_of_past(wanted: Asked) -> AsOfFilters:
    for name in ("stage", "flag"):
        if getattr(wanted, name) is not None:
            raise FieldProblem(name, "known of today only; leave it out, or as_of and known_on")
    return AsOfFilters(
        bucket=wanted.bucket,
        search=wanted.q or None,
        min_balance=None if wanted.min_balance is None else Decimal(wanted.min_balance),
        max_balance=None if wanted.max_balance is None else Decimal(wanted.max_balance),
    )


def _sort_of_past(sort: Sort) -> AsOfSort:
    try:
        return AsOfSort(sort.value)
    except ValueError:
        known = ", ".join(s.value for s in AsOfSort if s.value in set(Sort))
        raise FieldProblem("sort", f"expected one of {known} for a past day") from None


def _as_work_report(past: CollectionsReport) -> WorkReport:
    return WorkReport(
        as_of=past.as_of,
        currency=past.currency,
        accounts=past.accounts,
        outstanding=f"{past.outstanding:f}",
        unapplied=f"{past.unapplied:f}",
        balance=f"{past.balance:f}",
        items=[_as_work_row(row) for row in past.rows],
        next=past.next_cursor,
    )


def _as_work_row(row: CollectionsRow) -> WorkRow:
    return WorkRow(
        account_id=row.account_id,
        number=row.number,
        customer_name=row.customer_name,
        office=row.office,
        currency=row.currency,
        balance=f"{row.balance:f}",
        outstanding=f"{row.outstanding:f}",
        unapplied=f"{row.unapplied:f}",
        buckets={name: f"{amount:f}" for name, amount in row.buckets.items()},
        bucket=row.bucket,
        days_past_due=row.days_past_due,
        oldest_due_on=row.oldest_due_on,
        items=row.items,
    )

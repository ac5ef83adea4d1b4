"""Reports: collections of today or of a past day, aging, KPIs; and the list of accounts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, RootModel

from aggregates.values.codes import Code
from aggregates.values.saved_filter import SavedFilter
from api.application.account_view import accounts_of_customer
from api.application.offices import scheme_of, today_in
from api.application.saved_filters import filters_with, order_of, saved_filter
from api.http.filters import IN_ADDRESS, filters_of
from api.http.paging import Cursor, Limit, NamedPage, unwrap_cursor, wrap_cursor
from api.http.problems import FieldProblem
from api.http.reading import AS_ASKED, AsOf, KnownOn, OfficeOf, OfReport, Question, Reader, Readings, Scope
from api.http.routing import Router
from api.http.shapes import Day, PlainText
from projections.answer import AmountText
from projections.collections_report.columns import IN_REPORT
from projections.questions import (
    CHOICES,
    Aging,
    CollectionsRow,
    Filters,
    Kpi,
    Order,
    RollRates,
    Sort,
    Summary,
    accounts,
    aging,
    collections,
    kpi,
    roll_rates,
    summary,
)
from projections.questions.collections.defined import defined_by
from projections.questions.names import FILLED, Names

router = Router(prefix="/v1", tags=["reports"])

Search = Annotated[PlainText | None, Query(max_length=100, description=CHOICES["search"].means)]


class CollectionsSums(BaseModel):
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
    """Of a past day: what came in after it and was not taken back."""
    bucket_names: list[str]
    """Every bucket of the report, youngest first; rows may leave out those in which nothing is open."""
    next: str | None
    names: Names = FILLED


class CollectionsPage(CollectionsSums):
    """A page of accounts with every column."""

    items: list[CollectionsRow]


class ChosenRow(RootModel[dict[str, Any]]):
    """An account: its id and the columns that were asked for, in their order, each as in `CollectionsRow`; null where
    that leaves one out."""


class ChosenColumnsPage(CollectionsSums):
    """A page of accounts with the columns that were asked for."""

    items: list[ChosenRow]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a collections report shows, and in which order."""

    filters: Filters
    order: Order = field(default_factory=Order)
    columns: tuple[str, ...] = ()
    """None: all."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A saved filter, the order of rows, and the columns, each a parameter."""

    filter: Annotated[
        Code | None,
        Query(description="The name of a saved filter; other parameters are beside it, or instead of parts of it."),
    ] = None
    sort: Annotated[Sort | None, Query(description="What rows are ordered by; balance where not given.")] = None
    descending: Annotated[bool | None, Query(description="Which way; true where not given.")] = None
    columns: Annotated[
        PlainText | None,
        Query(max_length=1_000, description="Names of columns with commas between them; all where not given."),
    ] = None


async def in_address(*, filters: Annotated[Any, Depends(IN_ADDRESS)]) -> Filters:
    return filters_of(filters)


def asked(
    *,
    filters: Annotated[Filters, Depends(in_address)],
    shown: Annotated[Shown, Depends()],
    readings: Readings,
    office: OfficeOf = None,
) -> Asked:
    """Filters, order and columns of a collections report, with those of a saved filter. Raises a Problem."""
    saved = saved_by(readings, office, shown.filter) if shown.filter else SavedFilter()
    return Asked(
        filters_with(saved, filters),
        order_of(saved, shown.sort, descending=shown.descending),
        columns_of(shown.columns) or tuple(name for name in saved.columns if name in IN_REPORT),
    )


def saved_by(readings: Reader, office: str | None, name: str) -> SavedFilter:
    """A filter of the office that is named, or of the only one. Raises a Problem, Refused."""
    offices = readings.offices_named(office)
    if len(offices) != 1:
        raise FieldProblem("office", "expected one: each office keeps its own filters")
    return saved_filter(offices[0], name)


def columns_of(said: str | None) -> tuple[str, ...]:
    """The columns that are named, each once. Raises a Problem."""
    names = tuple(dict.fromkeys(each.strip() for each in (said or "").split(",") if each.strip()))
    for name in names:
        if name not in IN_REPORT:
            raise FieldProblem("columns", f"expected some of {', '.join(IN_REPORT)}, not {name!r}")
    return names


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
) -> CollectionsPage | ChosenColumnsPage:
    """One row per account that owes something or has funds left, today or as of a past day.

    Money is that of the day. Stage, flags and what is next are as recorded by the end of the earlier of the two days.
    """
    page = collections_report(readings, of, wanted, as_of=as_of, known_on=known_on, limit=limit, cursor=cursor)
    return _with_columns(page, wanted.columns) if wanted.columns else page


def _with_columns(page: CollectionsPage, columns: Sequence[str]) -> ChosenColumnsPage:
    said = [each.model_dump(mode="json") for each in page.items]
    rows = [ChosenRow({name: each.get(name) for name in ("account_id", *columns)}) for each in said]
    return ChosenColumnsPage.model_construct(**{**dict(page), "items": rows})


@router.get("/report/summary", responses=AS_ASKED)
def report_summary(*, readings: Readings, of: OfReport) -> Summary:
    """All accounts together, today: by age and by stage."""
    today, scheme = readings.today(of.office), readings.scheme(of.office)
    with readings.connection() as connection:
        return summary(connection, today=today, scheme=scheme, office=of.office, currency=of.currency)


@router.get("/report/aging", responses=AS_ASKED)
def report_aging(*, readings: Readings, of: OfReport, as_of: AsOf = None, known_on: KnownOn = None) -> Aging:
    """What is open, by how long it is past due."""
    day, scheme = as_of or readings.today(of.office), readings.scheme(of.office)
    with readings.connection() as connection:
        return aging(connection, as_of=day, known_on=known_on, scheme=scheme, office=of.office, currency=of.currency)


@router.get("/report/roll-rates", responses=AS_ASKED)
def report_roll_rates(
    *,
    readings: Readings,
    of: OfReport,
    start: Annotated[Day, Query(alias="from", description="The end of this day is what is looked at first.")],
    to: Annotated[Day, Query(description="The end of this day is what it is compared with.")],
    known_on: KnownOn = None,
) -> RollRates:
    """What became of the amount in each bucket: it stayed, moved on, was paid, was written off."""
    scheme = readings.scheme(of.office)
    with readings.connection() as connection:
        return roll_rates(
            connection, start=start, end=to, scheme=scheme, known_on=known_on, office=of.office, currency=of.currency
        )


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
    office: OfficeOf = None,
    number: Annotated[PlainText | None, Query(max_length=100, description="Exactly this number.")] = None,
    customer: Annotated[PlainText | None, Query(max_length=100, description="The number of their customer.")] = None,
    q: Search = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> NamedPage[CollectionsRow]:
    """Accounts by number, whether they owe something or not."""
    today, scheme = readings.today(office), readings.scheme(office)
    office_id = readings.office(office).id if office else None
    of_customer = None
    if customer is not None:
        offices = [each.id for each in readings.offices_named(office)]
        of_customer = accounts_of_customer(readings.service, offices, customer)
    found = readings.named_page(
        Question("accounts", office, number, q, *([] if customer is None else [customer])),
        lambda connection, inner: accounts(
            connection,
            today=today,
            scheme=scheme,
            office_id=office_id,
            filters=Filters(number=number, search=q),
            among=of_customer,
            limit=limit,
            cursor=inner,
        ),
        cursor,
    )
    return found.model_copy(update={"items": [_with_open_buckets(row) for row in found.items]})


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
) -> CollectionsPage:
    """A page of the report. Raises a Problem."""
    offices = readings.offices_named(of.office)
    today, scheme = today_in(offices, readings.service.clock.now()), scheme_of(offices)
    question = Question("collections", of, wanted, as_of, known_on)
    inner = unwrap_cursor(question, cursor)
    with readings.connection(with_cursor=cursor is not None) as connection:
        report = collections(
            connection,
            today=today,
            scheme=scheme,
            as_of=as_of,
            known_on=known_on,
            office=of.office,
            currency=of.currency,
            filters=wanted.filters,
            defined=defined_by(offices),
            order=wanted.order,
            limit=limit,
            cursor=inner,
        )
    is_past = known_on is not None or as_of not in {None, today}
    return CollectionsPage(
        **{name: getattr(report, name) for name in CollectionsPage.model_fields if name in type(report).model_fields},
        bucket_names=[*scheme.names],
        items=[row if is_past else _with_open_buckets(row) for row in report.rows],
        next=wrap_cursor(question, report.next_cursor),
    )


def _with_open_buckets(row: CollectionsRow) -> CollectionsRow:
    """Today's rows leave empty buckets out, and name the others in the order in which PostgreSQL keeps keys."""
    ordered = sorted(row.buckets, key=lambda name: (len(name.encode()), name.encode()))
    return row.model_copy(update={"buckets": {name: row.buckets[name] for name in ordered if row.buckets[name]}})

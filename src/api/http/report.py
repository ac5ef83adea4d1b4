"""Reports: collections of today or of a past day, aging, KPIs; and the list of accounts."""

from dataclasses import asdict, dataclass, make_dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel

from api.application.account_view import accounts_of_customer
from api.application.plausibility import MOST_COUNT
from api.http.paging import Cursor, Limit, NamedPage, unwrap_cursor, wrap_cursor
from api.http.reading import AS_ASKED, AsOf, KnownOn, OfficeOf, OfReport, Question, Reader, Readings, Scope
from api.http.routing import Router
from api.http.shapes import PLAIN_TEXT, Day, PlainText
from projections.answer import AmountText
from projections.questions import (
    CHOICES,
    Aging,
    CollectionsRow,
    Filters,
    Kpi,
    Order,
    Sort,
    Summary,
    accounts,
    aging,
    collections,
    kpi,
    summary,
)
from projections.questions.names import FILLED, Names

router = Router(prefix="/v1", tags=["reports"])

Balance = Annotated[
    str | None, Query(pattern=r"^-?[0-9]{1,13}(\.[0-9]{1,4})?$", description='A decimal such as "100.00".')
]
DaysPastDue = Annotated[int | None, Query(ge=0, le=MOST_COUNT, description="Of the oldest open item.")]
Search = Annotated[
    PlainText | None,
    Query(
        max_length=100,
        description="A part of the customer's name, e-mail address or telephone number, or of the account's number; or "
        "the number of an invoice. Fewer than three characters: how a word of these begins.",
    ),
]


class CollectionsPage(BaseModel):
    """A page of accounts; the sums are over all pages."""

    as_of: date
    currency: str
    accounts: int
    outstanding: AmountText
    unapplied: AmountText
    balance: AmountText
    bucket_names: list[str]
    """Every bucket of the report, youngest first; rows may leave out those in which nothing is open."""
    items: list[CollectionsRow]
    next: str | None
    names: Names = FILLED


@dataclass(frozen=True, slots=True)
class Asked:
    """What a collections report shows, and in which order."""

    filters: Filters
    sort: Sort
    descending: bool


Chosen: Any = make_dataclass(
    "Chosen",
    [
        (name, Annotated[choice.type, PLAIN_TEXT, Query(description=choice.means)], None)
        for name, choice in CHOICES.items()
    ],
    frozen=True,
)
"""The filters by one of several values, each a parameter."""


@dataclass(frozen=True, slots=True)
class Sought:
    """The other filters, and the order of rows, each a parameter."""

    q: Search = None
    min_balance: Balance = None
    max_balance: Balance = None
    number: Annotated[PlainText | None, Query(max_length=100, description="Exactly this number.")] = None
    min_dpd: DaysPastDue = None
    max_dpd: DaysPastDue = None
    sort: Sort = Sort.BALANCE
    descending: bool = True


async def asked(*, chosen: Annotated[Any, Depends(Chosen)], sought: Annotated[Sought, Depends()]) -> Asked:
    """Filters and order of a collections report."""
    filters = Filters(
        **asdict(chosen),
        search=sought.q,
        min_balance=None if sought.min_balance is None else Decimal(sought.min_balance),
        max_balance=None if sought.max_balance is None else Decimal(sought.max_balance),
        number=sought.number,
        min_dpd=sought.min_dpd,
        max_dpd=sought.max_dpd,
    )
    return Asked(filters, sought.sort, sought.descending)


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
) -> CollectionsPage:
    """One row per account that owes something or has funds left, today or as of a past day.

    Money is that of the day. Stage, flags and what is next are as recorded by the end of the earlier of the two days.
    """
    return collections_report(readings, of, wanted, as_of=as_of, known_on=known_on, limit=limit, cursor=cursor)


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
    today, scheme = readings.today(of.office), readings.scheme(of.office)
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
            order=Order(wanted.sort, wanted.descending),
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

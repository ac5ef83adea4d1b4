"""The collections report as a page: totals, filters, sortable rows."""

from datetime import date
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aggregates.account.chase import Stage
from aggregates.office import Office
from aggregates.values.aging import BucketScheme
from aggregates.values.business_time import local_date
from aggregates.values.codes import Code
from api.http.problems import from_errors
from api.http.reading import Reader, Readings, Scope
from api.http.report import Asked, collections_report
from api.http.shapes import Day, PlainText
from api.http.web.bars import parts_of
from api.http.web.rendering import render
from api.http.worklist import Sort, Summary, WorkRow, summary
from projections.questions.aging import Aging, aging

router = APIRouter(include_in_schema=False)

_PER_PAGE = 50

# Title, what it sorts by, its class; those after `Age` are of today only, or of a past day only.
_COLUMNS = (("Account", Sort.CUSTOMER_NAME, ""), ("Balance", Sort.BALANCE, "amount"))
_OVERDUE = (("Overdue", Sort.DAYS_PAST_DUE, "amount"), ("Age", None, ""))
_TODAY = (("Stage and why", Sort.STAGE, ""), ("Next", Sort.NEXT_ACTION, ""), ("Last payment", Sort.LAST_PAYMENT, ""))
_PAST = (("Unapplied", None, "amount"), ("Oldest due", None, ""))
_ASCENDING_FIRST = {Sort.CUSTOMER_NAME, Sort.STAGE, Sort.NEXT_ACTION}


class ReportForm(BaseModel):
    """What the page's form and links ask."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    office: Code | None = None
    q: PlainText | None = Field(None, max_length=100)
    stage: Stage | None = None
    bucket: PlainText | None = Field(None, max_length=40)
    flag: Code | None = None
    as_of: Day | None = None
    sort: Sort = Sort.BALANCE
    dir: Literal["asc", "desc"] = "desc"
    cursor: str | None = Field(None, max_length=2_000)

    def url(self, **changes: object) -> str:
        """The page's address with something changed; the first page again, unless a cursor is given."""
        asked = {**self.model_dump(mode="json"), "cursor": None, **changes}
        default = ReportForm().model_dump(mode="json")
        given = {
            name: str(value) for name, value in asked.items() if value not in {None, ""} and value != default[name]
        }
        return f"/?{urlencode(given)}" if given else "/"


def form_of(request: Request) -> ReportForm:
    """Fields that were left empty count as not given. Raises a Problem."""
    given = {name: value for name, value in request.query_params.items() if value.strip()}
    try:
        return ReportForm.model_validate(given)
    except ValidationError as error:
        raise from_errors(error.errors()) from None


@router.get("/")
def collections_page(request: Request, readings: Readings) -> HTMLResponse:
    """The collections report of today or of a past day."""
    form = form_of(request)
    offices = readings.offices()
    if not offices:
        return render(request, "nothing.html", area="collections")
    may_show_all = len({(office.currency, office.scheme) for office in offices}) == 1
    if form.office is None and not may_show_all:
        form = form.model_copy(update={"office": offices[0].code})
    today = readings.today(form.office)
    is_past = form.as_of is not None and form.as_of < today
    form = form.model_copy(update={"as_of": form.as_of if is_past else None, **_of_today_only(form, is_past=is_past)})
    scheme = readings.scheme(form.office)
    scope = Scope(form.office, None)
    report = collections_report(
        readings,
        scope,
        Asked(
            stage=form.stage,
            bucket=form.bucket,
            flag=form.flag,
            q=form.q,
            sort=form.sort,
            descending=form.dir == "desc",
        ),
        as_of=form.as_of,
        known_on=None,
        limit=_PER_PAGE,
        cursor=form.cursor,
    )
    zones = {office.code: office for office in offices}
    is_filtered = any((form.q, form.stage, form.bucket, form.flag))
    return render(
        request,
        "collections.html",
        area="collections",
        form=form,
        offices=offices,
        office_title=next((o.title for o in offices if o.code == form.office), "All offices")
        if len(offices) > 1
        else offices[0].title,
        may_show_all=may_show_all,
        today=today,
        as_of=report.as_of,
        is_past=is_past,
        is_filtered=is_filtered,
        today_url=form.url(as_of=None),
        cleared_url=form.url(q=None, stage=None, bucket=None, flag=None),
        totals=_totals(readings, scope, form, scheme, today),
        stages=[stage.value for stage in Stage],
        bucket_names=scheme.names,
        flags=_flags(offices, form.office),
        columns=_columns(form, is_past=is_past),
        rows=[_row(row, scheme, form, zones) for row in report.items],
        found=report.accounts,
        found_balance=report.balance,
        first_url=form.url() if form.cursor else None,
        next_url=form.url(cursor=report.next) if report.next else None,
    )


def _of_today_only(form: ReportForm, *, is_past: bool) -> dict[str, Any]:
    """A past day knows no stages and flags, and cannot be sorted by them."""
    if not is_past:
        return {}
    sortable = {Sort.CUSTOMER_NAME, Sort.BALANCE, Sort.DAYS_PAST_DUE, Sort.OUTSTANDING, Sort.NUMBER}
    return {"stage": None, "flag": None, "sort": form.sort if form.sort in sortable else Sort.BALANCE}


def _totals(readings: Reader, scope: Scope, form: ReportForm, scheme: BucketScheme, today: date) -> dict[str, Any]:
    """What the head of the page shows: everything of the office, whatever the filter."""
    with readings.connection() as connection:
        if form.as_of is None:
            return _of_summary(
                summary(connection, office=scope.office, currency=scope.currency, scheme=scheme, today=today), form
            )
        return _of_aging(
            aging(connection, as_of=form.as_of, scheme=scheme, office=scope.office, currency=scope.currency), form
        )


def _of_summary(found: Summary, form: ReportForm) -> dict[str, Any]:
    stages = [
        {
            "stage": each.stage,
            "accounts": each.accounts,
            "url": form.url(stage=None if form.stage == each.stage else each.stage),
            "chosen": form.stage == each.stage,
        }
        for each in found.stages
        if each.stage is not None
    ]
    return {
        "balance": found.balance,
        "outstanding": found.outstanding,
        "unapplied": found.unapplied,
        "currency": found.currency,
        "accounts": found.accounts,
        "buckets": _linked([(each.bucket, Decimal(each.amount)) for each in found.buckets], form),
        "stages": stages,
    }


def _of_aging(found: Aging, form: ReportForm) -> dict[str, Any]:
    return {
        "balance": found.total,
        "outstanding": found.total + found.unapplied,
        "unapplied": found.unapplied,
        "currency": found.currency,
        "accounts": found.accounts,
        "buckets": _linked([(each.bucket, each.amount) for each in found.buckets], form),
        "stages": [],
    }


def _linked(buckets: list[tuple[str, Decimal]], form: ReportForm) -> list[Any]:
    return parts_of(buckets, urls=[form.url(bucket=None if form.bucket == name else name) for name, _ in buckets])


def _flags(offices: list[Office], chosen: str | None) -> dict[str, Any]:
    flags: dict[str, Any] = {}
    for office in offices:
        if chosen in {None, office.code}:
            flags |= office.flags
    return dict(sorted(flags.items()))


def _columns(form: ReportForm, *, is_past: bool) -> list[dict[str, Any]]:
    columns = []
    for title, sort, style in (*_COLUMNS, *_OVERDUE, *(_PAST if is_past else _TODAY)):
        column: dict[str, Any] = {"title": title, "class": style, "url": None, "order": None, "arrow": ""}
        if sort is not None:
            first = "asc" if sort in _ASCENDING_FIRST else "desc"
            other = "asc" if form.dir == "desc" else "desc"
            column["url"] = form.url(sort=sort.value, dir=other if form.sort == sort else first)
            if form.sort == sort:
                column["order"] = "ascending" if form.dir == "asc" else "descending"
                column["arrow"] = "↑" if form.dir == "asc" else "↓"
        columns.append(column)
    return columns


def _row(row: WorkRow, scheme: BucketScheme, form: ReportForm, offices: dict[str, Office]) -> dict[str, Any]:
    names = [*scheme.names, *(row.buckets.keys() - set(scheme.names))]
    buckets = [(name, Decimal(row.buckets.get(name, "0"))) for name in names]
    parts = parts_of(buckets)
    office = offices.get(row.office or "")
    next_at = row.next_action_at
    return {
        **dict(row),
        "url": f"/accounts/{row.account_id}" + (f"?as_of={form.as_of}" if form.as_of else ""),
        "parts": parts,
        "ages": ", ".join(f"{part.name}: {part.text}" for part in parts if part.width) or "nothing open",
        "why": row.why.detail if row.why else None,
        "next_on": local_date(next_at, office.zone) if next_at and office else next_at,
    }

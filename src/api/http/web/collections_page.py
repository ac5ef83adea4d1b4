"""The collections report as a page: totals, filters, sortable rows."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, cast
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from aggregates.account.bulk_kinds import BULK_KINDS, ROLLBACK
from aggregates.account.chase import Stage
from aggregates.account.shields import Why
from aggregates.office import Office
from aggregates.values.aging import BucketScheme
from aggregates.values.business_time import local_date
from aggregates.values.codes import Code
from aggregates.values.money import Currency
from aggregates.values.saved_filter import SavedFilter
from api.application.saved_filters import order_of
from api.http.filters import ASKED_AS, IN_FORM, NAMES, filters_of
from api.http.problems import FieldProblem, from_errors
from api.http.reading import Reader, Readings, Scope
from api.http.report import Asked, collections_report, columns_of, saved_by
from api.http.routing import Router
from api.http.shapes import Day, PlainText, read_whole_number
from api.http.web.bars import parts_of
from api.http.web.rendering import render
from projections.collections_report.columns import COLUMNS, IN_REPORT, ON_PAGE
from projections.questions import CHOICES, CollectionsRow, Order, Sort, Statement, statement, summary
from projections.questions.collections.report import SUMMED

router = Router(include_in_schema=False)

_PER_PAGE = 50
_PLACE = "place."
"""Before the name of a column: the field with its place from the left."""


class ReportForm(BaseModel):
    """What the page's form and links ask; what `CHOICES` has comes to it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    office: Code | None = None
    currency: Currency | None = None
    as_of: Day | None = None
    sort: Sort = Sort.BALANCE
    dir: Literal["asc", "desc"] = "desc"
    columns: PlainText | None = Field(None, max_length=1_000)
    cursor: str | None = Field(None, max_length=2_000)
    filter: Code | None = None
    """A saved filter, in the place of all that the address says besides the office and the day."""
    open: UUID | None = None
    """The account whose open invoices are shown under its row."""

    @property
    def chosen(self) -> dict[str, Any]:
        """By what it is called here, what is chosen of `CHOICES`."""
        return {name: getattr(self, name) for name in NAMES}

    @property
    def asked(self) -> Asked:
        """Raises a Problem."""
        return Asked(filters_of(self), Order(self.sort, self.dir == "desc"), columns_of(self.columns))

    def hidden(self) -> dict[str, Any]:
        """What says which accounts, for another form."""
        left_out = {"cursor", "sort", "dir", "columns", "open"}
        return self.model_dump(mode="json", exclude=left_out, exclude_none=True)

    def url(self, **changes: object) -> str:
        """The page's address with something changed; the first page again, unless a cursor is given."""
        asked = {**self.model_dump(mode="json"), "cursor": None, "open": None, "filter": None, **changes}
        default = type(self)().model_dump(mode="json")
        given = {
            name: str(value) for name, value in asked.items() if value not in {None, ""} and value != default[name]
        }
        return f"/?{urlencode(given)}" if given else "/"


_Form = create_model(
    "ReportForm",
    __base__=ReportForm,
    **cast(Any, IN_FORM),
)


def form_of(request: Request) -> ReportForm:
    """What the address asks. Raises a Problem."""
    return form_given(request.query_params)


def form_given(fields: Mapping[str, str]) -> ReportForm:
    """Fields that were left empty count as not given. Raises a Problem."""
    given: dict[str, str | None] = {name: value for name, value in fields.items() if value.strip()}
    if any(name.startswith(_PLACE) for name in fields):
        given["columns"] = _by_place(given)
    try:
        return _Form.model_validate(given)
    except ValidationError as error:
        raise from_errors(error.errors()) from None


def _by_place(given: Mapping[str, str | None]) -> str | None:
    """The columns in the order of the places that people gave them; None where that is how it is shown anyway.
    Raises a Problem."""
    places: dict[str, int] = {}
    for name in IN_REPORT:
        said = given.get(_PLACE + name)
        if said is None:
            continue
        place = read_whole_number(said)
        if place is None:
            raise FieldProblem(_PLACE + name, "expected a whole number, the column's place from the left")
        places[name] = place
    chosen = sorted(places, key=places.__getitem__)
    return None if tuple(chosen) == ON_PAGE else ",".join(chosen) or None


@router.get("/")
def collections_page(request: Request, readings: Readings) -> Response:
    """The collections report of today or of a past day."""
    form = form_of(request)
    if form.filter is not None:
        return RedirectResponse(_of_saved(form, saved_by(readings, form.office, form.filter)), 303)
    offices = readings.offices()
    if not offices:
        return render(request, "nothing.html", area="collections")
    may_show_all = len({(office.currency, office.scheme) for office in offices}) == 1
    if form.office is None and not may_show_all:
        form = form.model_copy(update={"office": offices[0].code})
    currencies = readings.currencies(form.office)
    if len(currencies) > 1 and form.currency not in currencies:
        of_office = next((each.currency for each in offices if form.office in (None, each.code)), None)
        form = form.model_copy(update={"currency": of_office if of_office in currencies else currencies[0]})
    today = readings.today(form.office)
    is_past = form.as_of is not None and form.as_of < today
    form = form.model_copy(update={"as_of": form.as_of if is_past else None})
    scheme = readings.scheme(form.office)
    asked = form.asked
    report = collections_report(
        readings,
        Scope(form.office, form.currency),
        asked,
        as_of=form.as_of,
        known_on=None,
        limit=_PER_PAGE,
        cursor=form.cursor,
    )
    zones = {office.code: office for office in offices}
    is_filtered = any(value not in {None, ""} for value in form.chosen.values())
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
        currencies=currencies,
        today=today,
        as_of=report.as_of,
        is_past=is_past,
        is_filtered=is_filtered,
        today_url=form.url(as_of=None),
        cleared_url=form.url(**dict.fromkeys(NAMES)),
        totals=_totals(readings, form, scheme, today),
        choices=_choices(form, scheme, offices),
        columns=_columns(form, asked.columns),
        places=_places(asked.columns),
        sums={name: getattr(report, name) for name in SUMMED},
        rows=[_row(row, scheme, form, zones) for row in report.items],
        opened=_opened(readings, form, today, scheme) if form.open else None,
        found=report.accounts,
        found_balance=report.balance,
        names=report.names,
        actions=bulk_links(form),
        asked=form.hidden(),
        shown={**form.hidden(), "sort": form.sort.value, "dir": form.dir, "columns": form.columns or ""},
        saved=_saved(offices, form.office),
        first_url=form.url() if form.cursor else None,
        next_url=form.url(cursor=report.next) if report.next else None,
    )


def _of_saved(form: ReportForm, saved: SavedFilter) -> str:
    """The page's address with what a saved filter says."""
    filters = {ASKED_AS.get(name, name): value for name, value in saved.filters.items()}
    order = order_of(saved)
    return form.url(
        **{**dict.fromkeys(NAMES), **filters},
        columns=",".join(saved.columns) or None,
        sort=order.sort.value,
        dir="desc" if order.descending else "asc",
    )


def bulk_links(form: ReportForm) -> list[dict[str, str]]:
    """What can be done with the accounts that are shown: a link for each kind of bulk action."""
    given = form.hidden()
    query = f"?{urlencode(given)}" if given else ""
    return [{"title": kind.title, "url": f"/bulk/new/{kind.name}{query}"} for kind in BULK_KINDS.values()]


def _totals(readings: Reader, form: ReportForm, scheme: BucketScheme, today: date) -> dict[str, Any]:
    """What the head of the page shows: everything of the office, whatever the filter."""
    with readings.connection() as connection:
        found = summary(
            connection, today=today, scheme=scheme, as_of=form.as_of, office=form.office, currency=form.currency
        )
    return {
        **{name: getattr(found, name) for name in ("balance", "outstanding", "unapplied", "currency", "accounts")},
        "buckets": _linked([(each.bucket, each.amount) for each in found.buckets], form),
        "stages": [
            {
                "stage": each.stage,
                "accounts": each.accounts,
                "url": form.url(stage=None if form.chosen["stage"] == each.stage else each.stage),
                "chosen": form.chosen["stage"] == each.stage,
            }
            for each in found.stages
            if each.stage is not None
        ],
    }


def _linked(buckets: list[tuple[str, Decimal]], form: ReportForm) -> list[Any]:
    chosen = form.chosen["bucket"]
    return parts_of(buckets, urls=[form.url(bucket=None if chosen == name else name) for name, _ in buckets])


def _choices(form: ReportForm, scheme: BucketScheme, offices: list[Office]) -> list[dict[str, Any]]:
    """What people can choose of, each with its values and their titles."""
    of_office: dict[str, dict[str, str]] = {
        "stage": {stage.value: _words(stage) for stage in Stage},
        "bucket": {name: name for name in scheme.names},
        "flag": _flags(offices, form.office),
        "without_flag": _flags(offices, form.office),
        "frozen": _freeze_reasons(offices, form.office),
        "placed_with": _agencies(offices, form.office),
    }
    for said in ("stage", "bucket", "flag", "without_flag"):
        if form.chosen[said]:  # several, as an address may name them
            of_office[said].setdefault(form.chosen[said], form.chosen[said].replace(",", ", "))
    return [
        {
            "name": said,
            "title": CHOICES[name].title,
            "values": of_office[name] if name in of_office else _titled(CHOICES[name].type),
            "type": _INPUTS.get(CHOICES[name].type, "text"),
            "is_folded": CHOICES[name].is_folded,
            "chosen": form.chosen[said],
        }
        for said, name in NAMES.items()
        if name != "search"
    ]


_INPUTS: Mapping[Any, str] = {date: "date", int: "number"}


def _titled(choice: Any) -> dict[str, str] | None:
    """The values of an enumeration; None where it is written."""
    if not (isinstance(choice, type) and issubclass(choice, StrEnum)):
        return None
    return {value: _words(value) for value in choice}


def _words(value: str) -> str:
    return value.replace("-", " ").capitalize()


def _flags(offices: list[Office], chosen: str | None) -> dict[str, str]:
    flags: dict[str, str] = {}
    for office in offices:
        if chosen in {None, office.code}:
            flags |= {code: flag.title for code, flag in office.flags.items()}
    return dict(sorted(flags.items()))


def _agencies(offices: list[Office], chosen: str | None) -> dict[str, str]:
    of_office = [office.agencies for office in offices if chosen in {None, office.code}]
    return dict(sorted({code: each.title for known in of_office for code, each in known.items()}.items()))


def _freeze_reasons(offices: list[Office], chosen: str | None) -> dict[str, str]:
    of_office = [office.freeze_reasons for office in offices if chosen in {None, office.code}]
    return dict(sorted({code: title for reasons in of_office for code, title in reasons.items()}.items()))


def _saved(offices: list[Office], chosen: str | None) -> list[str] | None:
    """The names of the filters that the office keeps; None where several offices are shown."""
    shown = [office for office in offices if chosen in {None, office.code}]
    return sorted(shown[0].saved_filters) if len(shown) == 1 else None


def _opened(readings: Reader, form: ReportForm, today: date, scheme: BucketScheme) -> Statement:
    """The account whose open invoices are shown. Raises a Problem where there is none of that id."""
    with readings.connection() as connection:
        return statement(connection, cast(UUID, form.open), as_of=form.as_of or today, scheme=scheme)


def title_of(name: str) -> str:
    """The heading of a column."""
    return COLUMNS[name].title or name.replace("_", " ").capitalize()


def _places(chosen: Sequence[str]) -> list[dict[str, Any]]:
    """Every column with its place from the left, if it is shown."""
    shown = {name: place for place, name in enumerate(chosen or ON_PAGE, 1)}
    return [
        {"field": _PLACE + name, "title": title_of(name), "place": shown.get(name)}
        for name in sorted(IN_REPORT, key=lambda name: shown.get(name, len(IN_REPORT)))
        if name != "account_id"
    ]


def _on_page(form: ReportForm, chosen: Sequence[str]) -> list[str]:
    """Who it is stands first, unless it was given another place. Of a past day people see what was paid since."""
    if chosen:
        return [*chosen] if "customer_name" in chosen else ["customer_name", *chosen]
    after = ON_PAGE.index("balance") + 1
    return [*ON_PAGE[:after], *(["paid_since"] if form.as_of else []), *ON_PAGE[after:]]


def _columns(form: ReportForm, chosen: Sequence[str]) -> list[dict[str, Any]]:
    """The headings; a click sorts by what stands in the column, the other way round where it is sorted so already."""
    headings = []
    for name in _on_page(form, chosen):
        column = COLUMNS[name]
        heading: dict[str, Any] = {
            "name": name,
            "title": title_of(name),
            "kind": column.kind,
            "class": "amount" if column.is_figure else "",
            "url": None,
            "order": None,
            "arrow": "",
        }
        if (sort := column.sort) is not None:
            first = "asc" if column.ascending else "desc"
            other = "asc" if form.dir == "desc" else "desc"
            heading["url"] = form.url(sort=sort.value, dir=other if form.sort == sort else first)
            if form.sort == sort:
                heading["order"] = "ascending" if form.dir == "asc" else "descending"
                heading["arrow"] = "↑" if form.dir == "asc" else "↓"
        headings.append(heading)
    return headings


def _row(row: CollectionsRow, scheme: BucketScheme, form: ReportForm, offices: dict[str, Office]) -> dict[str, Any]:
    names = [*scheme.names, *(row.buckets.keys() - set(scheme.names))]
    buckets = [(name, row.buckets.get(name, Decimal())) for name in names]
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
        "cells": {name: _cell(getattr(row, name)) for name in IN_REPORT},
        "open_url": form.url(cursor=form.cursor, open=None if form.open == row.account_id else row.account_id),
        **_rollbacks(row, form),
    }


def _rollbacks(row: CollectionsRow, form: ReportForm) -> dict[str, Any]:
    """Where a frozen account can be rolled back, by itself, and where its frozen subscriptions can, one by one."""
    of = {"office": row.office, "currency": form.currency, "number": row.number}
    account = f"/bulk/new/{ROLLBACK.name}?{urlencode({name: value for name, value in of.items() if value})}"
    subscriptions = f"/accounts/{row.account_id}?tab=subscriptions"
    is_now = form.as_of is None
    return {
        "rollback_url": account if is_now and row.frozen else None,
        "subscriptions_url": subscriptions if is_now and row.frozen_subscriptions else None,
        "has_action": is_now and bool(row.frozen or row.frozen_subscriptions),
    }


def _cell(value: Any) -> Any:
    """What stands in a cell that is made for no column in particular."""
    match value:
        case list():
            return ", ".join(map(str, value)) or None
        case dict():
            return "; ".join(f"{name}: {amount:,f}" for name, amount in value.items() if amount) or None
        case True:
            return "yes"
        case Why():
            return value.detail
        case datetime():
            return value.date()
        case _:
            return value

"""Schedules of bulk actions as pages: all of them, a new one, and what came of each time."""

from collections.abc import Mapping
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aggregates.account.bulk_kinds import BULK_KINDS, BulkKind
from aggregates.bulk.schedule import CancelSchedule, Period
from aggregates.office import Office
from api.application.bulk_schedules import DAYS_OF_WEEK, Times
from api.application.issuing import NotIssued
from api.http.bulk_schedules import found_schedule, scheduled
from api.http.commands import CallerOf, IssuingOf, ServiceOf
from api.http.paging import Cursor
from api.http.problems import FieldProblem, Problem, not_issued
from api.http.reading import Question, Reader, Readings
from api.http.routing import Router
from api.http.shapes import read_day, read_whole_number
from api.http.web.bulk_page import fields_of_kind, in_words, kind_called, once, value_of
from api.http.web.forms import FormOf, moment_of, reason_of
from api.http.web.rendering import render
from projections.questions.bulk_schedules import schedule_runs, schedules

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

HERE = "/bulk/schedules"
_SHOWN = 100


@router.get(HERE)
def schedules_page(request: Request, readings: Readings, cursor: Cursor = None) -> HTMLResponse:
    """Every schedule, the newest first."""
    page = readings.page(
        Question("bulk-schedules", None),
        lambda connection, inner: schedules(connection, limit=_SHOWN, cursor=inner),
        cursor,
    )
    offices = readings.offices()
    return render(
        request,
        "schedules.html",
        area="collections",
        found=page.items,
        next=page.next,
        zones={office.code: office.zone for office in offices},
        offices=offices,
        kinds=BULK_KINDS.values(),
        days_of_week=DAYS_OF_WEEK,
    )


@router.get(f"{HERE}/new")
def new_schedule_page(request: Request, readings: Readings, kind: str, office: str = "") -> HTMLResponse:
    """The parameters of a kind, on which filter, when, and how large it may be."""
    return _new_page(request, readings, kind_called(kind), _office(readings, office))


@form.post(f"{HERE}/new")
def make_schedule(
    *,
    request: Request,
    fields: FormOf,
    service: ServiceOf,
    readings: Readings,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Response:
    """It is made, and shown."""
    kind, office = kind_called(fields.get("kind", "")), _office(readings, fields.get("office", ""))
    try:
        said = {name: value_of(name, each, fields) for name, each in fields_of_kind(kind, office, readings).items()}
        done = scheduled(
            service,
            issuing,
            once(caller, fields),
            kind=kind.name,
            said={name: value for name, value in said.items() if value is not None},
            office=office.code,
            saved=fields.get("filter", ""),
            currency=fields.get("currency", "").strip().upper() or None,
            times=_times(fields, office),
            most_accounts=_most_accounts(fields),
            most_amount=fields.get("most_amount") or None,
            reason=reason_of(fields),
        )
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        return _new_page(request, readings, kind, office, status=problem.status, told=problem.detail, given=fields)
    return RedirectResponse(f"{HERE}/{done.id}", 303)


@router.get(f"{HERE}/{{schedule_id}}")
def schedule_page(request: Request, schedule_id: UUID, readings: Readings) -> HTMLResponse:
    """A schedule, and which bulk action it made when."""
    found = found_schedule(readings, schedule_id)
    with readings.connection() as connection:
        runs = schedule_runs(connection, schedule_id, limit=_SHOWN).rows
    return render(
        request,
        "schedule.html",
        area="collections",
        schedule=found,
        title=BULK_KINDS[found.kind].title if found.kind in BULK_KINDS else found.kind.capitalize(),
        does=in_words({name: value for name, value in found.parameters.items() if value}),
        office=readings.office(found.office),
        days_of_week=DAYS_OF_WEEK,
        runs=runs,
        once=uuid4(),
    )


@form.post(f"{HERE}/{{schedule_id}}/cancellation")
def cancel_schedule(*, schedule_id: UUID, fields: FormOf, issuing: IssuingOf, caller: CallerOf) -> Response:
    """It is ended."""
    issuing.issue(CancelSchedule(schedule_id=schedule_id), once(caller, fields), reason=reason_of(fields))
    return RedirectResponse(f"{HERE}/{schedule_id}", 303)


# --- inside ------------------------------------------------------------------------------------------


def _new_page(
    request: Request,
    readings: Reader,
    kind: BulkKind,
    office: Office,
    *,
    status: int = 200,
    told: str | None = None,
    given: Mapping[str, str] | None = None,
) -> HTMLResponse:
    return render(
        request,
        "schedule_new.html",
        area="collections",
        status=status,
        kind=kind,
        office=office,
        fields=fields_of_kind(kind, office, readings),
        saved=sorted(office.saved_filters),
        periods=[each.value for each in Period],
        told=told,
        given=given or {},
        once=uuid4(),
    )


def _office(readings: Reader, code: str) -> Office:
    """The one that is named, or the only one. Raises a Problem."""
    offices = readings.offices_named(code or None)
    if len(offices) != 1:
        raise FieldProblem("office", "expected one: each office has its own filters")
    return offices[0]


def _times(fields: Mapping[str, str], office: Office) -> Times:
    """Raises a Problem."""
    every, start = fields.get("every"), fields.get("starts_on")
    if every and every not in {*Period}:
        raise FieldProblem("every", f"expected one of {', '.join(Period)}")
    try:
        starts_on = read_day(start) if start else None
    except ValueError as error:
        raise FieldProblem("starts_on", str(error)) from None
    return Times(
        at=moment_of("at", fields, office.zone),
        every=Period(every) if every else None,
        on=fields.get("on") or None,
        starts_on=starts_on,
    )


def _most_accounts(fields: Mapping[str, str]) -> int:
    most = read_whole_number(fields.get("most_accounts", ""))
    if most is None:
        raise FieldProblem("most_accounts", "expected a whole number of accounts")
    return most

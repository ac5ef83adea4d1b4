"""Settings, Offices: where an office is, and what its agents say in a call."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from adapters.delivery.placeholders import PLACEHOLDERS
from aggregates.office import ChangeOfficeSettings, Office
from aggregates.values.call_script import REQUIRED_LINES, STANDARD_SCRIPT
from api.application.issuing import NotIssued
from api.http.commands import CallerOf, IssuingOf
from api.http.problems import FieldProblem, Problem, not_issued
from api.http.reading import Reader, Readings
from api.http.routing import Router
from api.http.web.forms import Fields, FormOf, made, once_of, reason_of
from api.http.web.rendering import render

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

HERE = "/settings/offices"


@router.get(HERE)
def offices_page(request: Request, readings: Readings) -> HTMLResponse:
    """Every office, with a form for each of these settings."""
    return _page(request, readings)


def _address(office: Office, fields: Fields) -> ChangeOfficeSettings:
    return made(ChangeOfficeSettings, office_id=office.id, address=_lines(fields))


def _call_script(office: Office, fields: Fields) -> ChangeOfficeSettings:
    return made(ChangeOfficeSettings, office_id=office.id, call_script=_lines(fields))


OFFICE_FORMS: Mapping[str, Callable[[Office, Fields], ChangeOfficeSettings]] = {
    "address": _address,
    "call-script": _call_script,
}


@form.post(f"{HERE}/{{code}}/{{what}}")
def change(
    *, request: Request, code: str, what: str, fields: FormOf, readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> Response:
    """A setting of an office is changed. The same page sent twice does it once."""
    if what not in OFFICE_FORMS:
        raise FieldProblem("what", f"expected one of {', '.join(OFFICE_FORMS)}")
    office = readings.office(code)
    try:
        once = replace(caller, idempotency_key=once_of(fields) or caller.idempotency_key)
        issuing.issue(OFFICE_FORMS[what](office, fields), once, reason=reason_of(fields))
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        given = {f"{code}/{what}": fields.get("text", "")}
        return _page(request, readings, given=given, told=problem.detail, status=problem.status)
    return RedirectResponse(HERE, 303)


def _lines(fields: Fields) -> list[str]:
    return [line.strip() for line in fields.get("text", "").splitlines() if line.strip()]


def _page(
    request: Request,
    readings: Reader,
    *,
    given: Mapping[str, str] | None = None,
    told: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    """`given` is what a form had that was refused, by office and setting."""
    return render(
        request,
        "offices.html",
        status=status,
        area="settings",
        told=told,
        given=given or {},
        once=uuid4(),
        offices=readings.offices(),
        required=REQUIRED_LINES,
        standard=STANDARD_SCRIPT,
        placeholders=sorted(PLACEHOLDERS),
    )

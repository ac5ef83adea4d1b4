"""Saved filters on the page of the collections report: kept, and removed."""

from dataclasses import replace

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from pydantic import TypeAdapter, ValidationError

from aggregates.office import Office, RemoveFilter
from aggregates.values.codes import Code
from aggregates.values.patterns import message_of
from api.application.saved_filters import save_filter
from api.http.commands import CallerOf, IssuingOf
from api.http.filters import filters_of
from api.http.problems import FieldProblem
from api.http.reading import Reader, Readings
from api.http.report import columns_of
from api.http.web.collections_page import form_given
from api.http.web.forms import FormOf, made, reason_of

form = APIRouter(include_in_schema=False)

_NAME = TypeAdapter[str](Code)
_WAIT_SECONDS = 10.0


@form.post("/filters")
def save_shown(*, fields: FormOf, readings: Readings, issuing: IssuingOf, caller: CallerOf) -> Response:
    """What the page shows is kept under a name."""
    asked = form_given(fields)
    try:
        name = _NAME.validate_python(fields.get("name", ""))
    except ValidationError as error:
        raise FieldProblem("name", message_of(error.errors()[0])) from None
    with readings.connection():  # what the report refuses is a problem
        save_filter(
            issuing,
            replace(caller, wait=_WAIT_SECONDS),
            _office(readings, asked.office),
            name,
            filters_of(asked),
            columns=columns_of(asked.columns),
            sort=asked.sort,
            descending=asked.dir == "desc",
            reason=reason_of(fields),
        )
    return RedirectResponse(asked.url(), 303)


@form.post("/filters/removal")
def remove(*, fields: FormOf, readings: Readings, issuing: IssuingOf, caller: CallerOf) -> Response:
    """A name is free again."""
    asked = form_given(fields)
    command = made(RemoveFilter, office_id=_office(readings, asked.office).id, name=fields.get("name", ""))
    issuing.issue(command, replace(caller, wait=_WAIT_SECONDS), reason=reason_of(fields))
    return RedirectResponse(asked.url(), 303)


def _office(readings: Reader, code: str | None) -> Office:
    """The one that is shown, or the only one. Raises a Problem."""
    offices = readings.offices_named(code)
    if len(offices) != 1:
        raise FieldProblem("office", "expected one: choose an office first")
    return offices[0]

"""Offices: the settings under which their accounts are worked, and pausing all of their automation."""

from typing import Annotated

from fastapi import Path, Response

from aggregates.office import (
    ChangeOfficeSettings,
    Office,
    OpenOffice,
    PauseOfficeAutomation,
    ResumeOfficeAutomation,
    office_id,
)
from aggregates.values.codes import Code
from api.application.issuing import Done, Precondition
from api.application.offices import OfficeView, office_view
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.etags import IfMatch, IfNoneMatch, names, not_modified, tagged
from api.http.pauses import RESUMED, PauseBody, ResumeBody
from api.http.problems import documented
from api.http.reading import Readings
from api.http.routing import Router
from api.http.shapes import JsonBody

router = Router(prefix="/v1/offices", tags=["offices"])

OfficeCode = Annotated[Code, Path(description="The office's code.")]


@body_of(OpenOffice)
class NewOffice(CommandBody):
    """An office, its one currency and its time zone."""


@body_of(ChangeOfficeSettings, address={"office_id"})
class Settings(CommandBody):
    """The sections to change; what is left out stays."""


# --- reading -----------------------------------------------------------------------------------------


@router.get("")
def list_offices(*, service: ServiceOf, readings: Readings) -> list[OfficeView]:
    """Every office, by code."""
    now = service.clock.now()
    return [office_view(office, now) for office in readings.offices()]


@router.get("/{code}", response_model=OfficeView, responses={304: {"description": "Still the same"}, **documented(404)})
def get_office(
    *, code: OfficeCode, service: ServiceOf, readings: Readings, response: Response, if_none_match: IfNoneMatch = None
) -> OfficeView | Response:
    """An office and its settings; the ETag is for changing them safely."""
    office = readings.office(code)
    etag = f'"{office.version}"'
    if names(if_none_match, etag):
        return not_modified(etag)
    tagged(response, etag)
    return office_view(office, service.clock.now())


# --- changing ----------------------------------------------------------------------------------------


@router.post("", status_code=201, responses=MAY_BE_REFUSED)
def open_office(*, body: JsonBody[NewOffice], issuing: IssuingOf, caller: CallerOf, response: Response) -> Done:
    """Open an office. Again with the same settings changes nothing."""
    command = from_body(OpenOffice, body)
    created(response, f"/v1/offices/{command.code}")
    return issuing.issue(command, caller, reason=body.reason)


@router.patch("/{code}", responses=documented(404, 409, 412))
def change_settings(
    *,
    code: OfficeCode,
    body: JsonBody[Settings],
    issuing: IssuingOf,
    readings: Readings,
    caller: CallerOf,
    if_match: IfMatch = None,
) -> Done:
    """Change the sections that are given. With If-Match only where nobody changed anything since it was read."""
    office = readings.office(code)
    command = from_body(ChangeOfficeSettings, body, office_id=office.id)
    return issuing.issue(command, caller, reason=body.reason, precondition=_unchanged(office, if_match))


def _unchanged(office: Office, if_match: str | None) -> Precondition | None:
    if if_match is None:
        return None
    otherwise = f"the settings are at version {office.version} or later; read them again, then decide"
    return Precondition.same_version(office, holds=names(if_match, f'"{office.version}"'), otherwise=otherwise)


@router.post("/{code}/pause", responses=MAY_BE_REFUSED)
def pause_office(*, code: OfficeCode, body: JsonBody[PauseBody], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Stop all automatic messages of the office at once: from now, backdated, or for a time."""
    return issuing.issue(from_body(PauseOfficeAutomation, body, office_id=office_id(code)), caller, reason=body.reason)


@router.post("/{code}/resume", responses=MAY_BE_REFUSED)
def resume_office(
    *, code: OfficeCode, body: JsonBody[ResumeBody] = RESUMED, issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Let automatic messages leave again, under the rules of now."""
    return issuing.issue(ResumeOfficeAutomation(office_id=office_id(code)), caller, reason=body.reason)

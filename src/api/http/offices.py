"""Offices: the settings under which their accounts are worked, and pausing all of their automation."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from aggregates.kernel.command import identifier
from aggregates.office import (
    ChangeOfficeSettings,
    DeliveryLimits,
    FlagDefinition,
    Office,
    OpenOffice,
    PauseOfficeAutomation,
    ResumeOfficeAutomation,
    office_id,
)
from aggregates.values.aging import BucketScheme
from aggregates.values.business_time import BusinessCalendar, SendWindow, TimeZone
from aggregates.values.codes import Code
from aggregates.values.money import Currency
from api.http.commands import MAY_BE_REFUSED, CallerOf, Desk, Precondition, ServiceOf, created
from api.http.etags import IfMatch, IfNoneMatch, names, not_modified, tagged
from api.http.pauses import PauseBody, PauseView, pause_view
from api.http.problems import Problem, documented
from api.http.reading import Readings
from api.http.shapes import Body, Done, JsonBody
from api.processes.service import Service

router = APIRouter(prefix="/v1/offices", tags=["offices"])

OfficeCode = Annotated[Code, Path(description="The office's code.")]
Reason = Annotated[str | None, Field(max_length=1_000)]


class NewOffice(Body):
    """An office, its one currency and its time zone."""

    code: Code
    title: str = Field(min_length=1, max_length=200)
    currency: Currency = "USD"
    time_zone: TimeZone = "UTC"
    reason: Reason = None


class Settings(Body):
    """The sections to change; what is left out stays."""

    scheme: BucketScheme | None = None
    flags: dict[Code, FlagDefinition] | None = None
    limits: DeliveryLimits | None = None
    calendar: BusinessCalendar | None = None
    window: SendWindow | None = None
    grace_days: int | None = Field(None, ge=0, le=60)
    fee_service_types: frozenset[Code] | None = None
    time_zone: TimeZone | None = None
    reason: Reason = None


class OfficeView(BaseModel):
    """An office and its settings."""

    id: UUID
    code: str
    title: str
    currency: str
    time_zone: str
    scheme: BucketScheme
    flags: dict[str, FlagDefinition]
    limits: DeliveryLimits
    calendar: BusinessCalendar
    window: SendWindow
    grace_days: int
    fee_service_types: list[str]
    campaign_ids: list[UUID]
    pause: PauseView | None
    version: int


def office_view(office: Office, service: Service) -> OfficeView:
    return OfficeView(
        id=office.id,
        code=office.code,
        title=office.title,
        currency=office.currency,
        time_zone=office.time_zone,
        scheme=office.scheme,
        flags=office.flags,
        limits=office.limits,
        calendar=office.calendar,
        window=office.window,
        grace_days=office.grace_days,
        fee_service_types=sorted(office.fee_service_types),
        campaign_ids=office.campaign_ids,
        pause=pause_view(office.pause, service.clock.now()),
        version=office.version,
    )


# --- reading -----------------------------------------------------------------------------------------


@router.get("")
def list_offices(*, service: ServiceOf, readings: Readings) -> list[OfficeView]:
    """Every office, by code."""
    return [office_view(office, service) for office in readings.offices()]


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
    return office_view(office, service)


# --- changing ----------------------------------------------------------------------------------------


@router.post("", status_code=201, responses=MAY_BE_REFUSED)
def open_office(*, body: JsonBody[NewOffice], desk: Desk, caller: CallerOf, response: Response) -> Done:
    """Open an office. Again with the same settings changes nothing."""
    command = OpenOffice(code=body.code, title=body.title, currency=body.currency, time_zone=body.time_zone)
    created(response, f"/v1/offices/{body.code}")
    return desk.issue(command, caller, reason=body.reason)


@router.patch("/{code}", responses=documented(404, 409, 412))
def change_settings(
    *,
    code: OfficeCode,
    body: JsonBody[Settings],
    desk: Desk,
    readings: Readings,
    caller: CallerOf,
    if_match: IfMatch = None,
) -> Done:
    """Change the sections that are given. With If-Match only where nobody changed anything since it was read."""
    office = readings.office(code)
    command = ChangeOfficeSettings(
        office_id=office.id, **{name: value for name, value in dict(body).items() if name != "reason"}
    )
    return desk.issue(command, caller, reason=body.reason, precondition=_unchanged(office, if_match))


def _unchanged(office: Office, if_match: str | None) -> Precondition | None:
    if if_match is None:
        return None
    detail = f"the settings are at version {office.version} or later; read them again, then decide"
    return Precondition(
        holds=names(if_match, f'"{office.version}"'),
        key=identifier("change after", office.id, office.version),
        problem=Problem(412, "changed-meanwhile", detail),
    )


@router.post("/{code}/pause", responses=MAY_BE_REFUSED)
def pause_office(*, code: OfficeCode, body: JsonBody[PauseBody], desk: Desk, caller: CallerOf) -> Done:
    """Stop all automatic messages of the office at once: from now, backdated, or for a time."""
    command = PauseOfficeAutomation(
        office_id=office_id(code), paused_from=body.paused_from, paused_until=body.paused_until
    )
    return desk.issue(command, caller, reason=body.reason)


@router.post("/{code}/resume", responses=MAY_BE_REFUSED)
def resume_office(*, code: OfficeCode, desk: Desk, caller: CallerOf) -> Done:
    """Let automatic messages leave again, under the rules of now."""
    return desk.issue(ResumeOfficeAutomation(office_id=office_id(code)), caller)

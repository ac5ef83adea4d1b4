"""Messages of customers as pages: the inbox, and what is done about a conversation on an account's page."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from adapters.inbound.matching import NotReady
from adapters.inbound.receiver import Receiver
from aggregates.account import Account
from aggregates.account.inbound import MarkMessageRead, ReceiveMessage
from aggregates.kernel.command import Command
from api.application.account_view import id_of_account_called
from api.application.inbound import assign, discard
from api.application.issuing import NotIssued
from api.http.commands import CallerOf, IssuingOf, ServiceOf
from api.http.inbound import not_ready
from api.http.problems import FieldProblem, Problem, not_issued
from api.http.reading import Reader, Readings
from api.http.routing import Router
from api.http.web.account_page import SentOf, carried_out
from api.http.web.forms import FormOf, made
from api.http.web.rendering import render
from projections.inbound.projection import TO_READ
from projections.questions.inbound import received, unmatched

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

HERE = "/inbound"
_MOST = 100
_WAIT_SECONDS = 5.0
_STOPS = {"yes": True, "no": False, "": None}


@router.get(HERE)
def inbound_page(request: Request, readings: Readings) -> HTMLResponse:
    """What waits for a person: messages to be read, and messages that no account has."""
    return _page(request, readings)


@form.post(f"{HERE}/{{inbound_id}}/assignment")
def put_on_account(
    *,
    request: Request,
    inbound_id: UUID,
    fields: FormOf,
    service: ServiceOf,
    readings: Readings,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Response:
    """A message without an account is put on the one with this number."""
    try:
        office = readings.office(fields.get("office", ""))
        account = id_of_account_called(service, office.id, fields.get("account", ""), currency=office.currency)
        assign(issuing, replace(caller, wait=_WAIT_SECONDS), inbound_id, account)
    except (Problem, NotIssued, NotReady) as error:
        return _wrong(request, readings, error)
    return RedirectResponse(HERE, 303)


@form.post(f"{HERE}/{{inbound_id}}/discard")
def throw_away(
    *, request: Request, inbound_id: UUID, readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> Response:
    """A message is about no account."""
    try:
        discard(issuing, replace(caller, wait=_WAIT_SECONDS), inbound_id)
    except (Problem, NotIssued) as error:
        return _wrong(request, readings, error)
    return RedirectResponse(HERE, 303)


# --- on an account's page ------------------------------------------------------------------------------


@form.post("/accounts/{account_id}/conversation")
def record(sent: SentOf) -> Response:
    """A message of the customer's that somebody got or heard of elsewhere."""

    def said(account: Account, fields: Mapping[str, str]) -> Command:
        command = made(
            ReceiveMessage,
            account_id=account.id,
            channel=fields.get("channel", ""),
            sender=fields.get("sender", ""),
            subject=fields.get("subject") or None,
            text=fields.get("text", ""),
        )
        try:
            return Receiver(sent.service.arrears, sent.service.database).shared_with(command)
        except NotReady as error:
            raise not_ready(error) from None

    return carried_out(sent, said, tab="conversation")


@form.post("/accounts/{account_id}/conversation/{inbound_id}/read")
def mark_read(inbound_id: UUID, sent: SentOf) -> Response:
    """A message was read and dealt with."""

    def said(account: Account, fields: Mapping[str, str]) -> Command:
        stops = fields.get("stops", "")
        if stops not in _STOPS:
            raise FieldProblem("stops", "expected yes or no")
        return made(MarkMessageRead, account_id=account.id, inbound_id=inbound_id, stops=_STOPS[stops])

    return carried_out(sent, said, tab="conversation")


# --- inside --------------------------------------------------------------------------------------------


def _wrong(request: Request, readings: Reader, error: Exception) -> HTMLResponse:
    match error:
        case NotIssued():
            problem = not_issued(error)
        case NotReady():
            problem = not_ready(error)
        case Problem():
            problem = error
        case _:
            raise error
    return _page(request, readings, status=problem.status, told=problem.detail)


def _page(request: Request, readings: Reader, *, status: int = 200, told: str | None = None) -> HTMLResponse:
    with readings.connection() as connection:
        found: dict[str, Any] = {
            "to_read": received(connection, readings.log, state=TO_READ, limit=_MOST).rows,
            "unmatched": unmatched(connection, readings.log, limit=_MOST).rows,
        }
    offices = readings.offices()
    zones = {office.code: office.zone for office in offices}
    zone = offices[0].zone if offices else ZoneInfo("UTC")
    return render(
        request,
        "inbound.html",
        status=status,
        area="inbound",
        told=told,
        offices=offices,
        zone=zone,
        zone_of=lambda row: zones.get(row.office, zone),
        most=_MOST,
        **found,
    )

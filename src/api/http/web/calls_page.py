"""Calls from an account's page: begun, placed by the voice carrier, and looked at until they have ended."""

from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from aggregates.account import Account
from aggregates.account.calls import StartCall
from aggregates.kernel.command import Command
from api.application.dialling import ClickToCall
from api.application.issuing import Caller, Done, NotIssued
from api.http.problems import Problem, not_issued, unknown
from api.http.web.account_page import AGENT_PHONE, SentOf, carried_out, shown_page
from api.http.web.contact_forms import started
from api.http.web.forms import Fields
from projections.questions import UnknownAccount

form = APIRouter(include_in_schema=False)

TAB = "calls"


@form.post("/accounts/{account_id}/contact/call")
def start(sent: SentOf) -> Response:
    """A call begins. Where the agent says at which number they are, the carrier rings there and puts them through;
    the number is kept for the session of the browser."""
    phone = sent.fields.get("agent_phone", "")

    def makes(account: Account, fields: Fields) -> StartCall:
        return started(account, fields)

    def issue(command: Command, caller: Caller, *, reason: str | None) -> Done:
        assert isinstance(command, StartCall)  # noqa: S101
        calls = ClickToCall.of(sent.service, sent.issuing)
        return calls.start(command, caller, agent_phone=phone or None, reason=reason)

    response = carried_out(sent, makes, tab=TAB, issue=issue)
    if phone and response.status_code == 303:
        is_secure = sent.request.scope["scheme"] == "https"
        response.set_cookie(AGENT_PHONE, phone, httponly=True, samesite="strict", secure=is_secure)
    return response


@form.post("/accounts/{account_id}/calls/{call_id}/look")
def look(call_id: UUID, sent: SentOf) -> Response:
    """How far the carrier is with a call; how it ended is recorded."""
    try:
        ClickToCall.of(sent.service, sent.issuing).look_up(sent.account_id, call_id, sent.caller)
    except UnknownAccount:
        raise unknown("account") from None
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        return shown_page(sent, tab=TAB, status=problem.status, told=problem.detail)
    return RedirectResponse(f"/accounts/{sent.account_id}?tab={TAB}", 303)

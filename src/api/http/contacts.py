"""Contacts with the customer of an account: whether they are allowed, calls, corrections, and what was said of them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import Field

from aggregates.account.activities import CorrectActivity, EndCall
from aggregates.account.calls import StartCall
from aggregates.account.contact import RecordConsent
from aggregates.account.contact_history import RecordContactFact, RestorePoint, RetirePoint, WithdrawContactFact
from aggregates.values.contact import Channel
from api.application.account_contact import AccountContactVerdict, FactKindView, check_account, fact_kinds
from api.application.account_view import read_account
from api.application.call_script import CallScript, call_script_of
from api.application.dialling import CallView, ClickToCall, call_of
from api.application.issuing import Done
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.problems import documented, unknown
from api.http.reading import AS_ASKED, OfficeOf, Readings
from api.http.routing import Router
from api.http.shapes import JsonBody, Moment
from projections.questions import UnknownAccount
from projections.questions.worklist import UndocumentedContact, undocumented

router = Router(prefix="/v1/accounts/{account_id}", tags=["contact"])
everywhere = Router(prefix="/v1", tags=["contact"])

PointId = Annotated[str, Path(max_length=100, description="A number of the account, such as phone-1.")]


@body_of(StartCall, address={"account_id"})
class NewCall(CommandBody):
    """A call that is about to begin. Say why house policy is to be lifted for it.

    With `agent_phone`, a number with its country code, the voice carrier rings there and puts the agent through.
    """

    agent_phone: str | None = Field(None, max_length=40)


@body_of(EndCall, address={"account_id", "call_id"})
class CallEnd(CommandBody):
    """How a call ended, and when to come back to it."""


@body_of(CorrectActivity, address={"account_id", "activity_id"})
class Correction(CommandBody):
    """What an activity was, all of it."""


@body_of(RecordContactFact, address={"account_id"})
class NewContactFact(CommandBody):
    """What was said, or turned out. Each kind has fields of its own: `GET /v1/contact-fact-kinds`."""


@body_of(RetirePoint, address={"account_id", "point_id"})
class PointRetirement(CommandBody):
    """Why the number is used no more; it may be left out."""


@body_of(RecordConsent, address={"account_id"})
class NewConsent(CommandBody):
    """What the customer said of contact over a channel at one of their numbers or addresses."""


_CALL, _RETIREMENT = NewCall(), PointRetirement()


# --- whether it is allowed -----------------------------------------------------------------------------


@router.get("/contact-check", responses=AS_ASKED)
def check_contact_with_account(
    *,
    account_id: UUID,
    service: ServiceOf,
    readings: Readings,
    channel: Annotated[Channel, Query(description="By which medium; voice is a call.")],
    point_id: Annotated[str | None, Query(max_length=100, description="Which number or address.")] = None,
    at: Annotated[Moment | None, Query(description="When. Default: now.")] = None,
    recorded: Annotated[bool, Query(description="A call by an artificial or prerecorded voice.")] = False,
) -> AccountContactVerdict:
    """Whether contact rules allow a contact with the customer, as the account is: every rule that refuses it, and from
    when it would be allowed. Nothing is stored."""
    moment: datetime | None = at
    with readings.connection():  # what cannot be answered is said as by every question
        return check_account(service, account_id, channel=channel, point_id=point_id, at=moment, is_recorded=recorded)


# --- calls and corrections -----------------------------------------------------------------------------


@router.get("/call-script", responses=documented(404))
def get_call_script(*, account_id: UUID, service: ServiceOf, readings: Readings) -> CallScript:
    """What to ask and to say in a call about the account, in this order, with the office's own text filled in."""
    with readings.connection() as connection:
        read = read_account(service, connection, account_id)
    return call_script_of(service, read)


@router.post("/calls", status_code=201, responses=MAY_BE_REFUSED)
def start_call(
    *,
    account_id: UUID,
    body: JsonBody[NewCall] = _CALL,
    service: ServiceOf,
    issuing: IssuingOf,
    caller: CallerOf,
    response: Response,
) -> Done:
    """Begin a call, if contact rules allow it. A refusal (409, contact-refused) names every rule and is recorded."""
    created(response, f"/v1/accounts/{account_id}")
    command = from_body(StartCall, body, account_id=account_id)
    return ClickToCall.of(service, issuing).start(command, caller, agent_phone=body.agent_phone, reason=body.reason)


@router.get("/calls/{call_id}", responses=documented(404))
def get_call(*, account_id: UUID, call_id: UUID, service: ServiceOf) -> CallView:
    """A call that is not documented yet, and how far a carrier is that places it, as it was last known."""
    try:
        return call_of(service, account_id, call_id)
    except UnknownAccount:
        raise unknown("account") from None


@router.post("/calls/{call_id}/lookup", responses=MAY_BE_REFUSED)
def look_up_call(
    *, account_id: UUID, call_id: UUID, service: ServiceOf, issuing: IssuingOf, caller: CallerOf
) -> CallView:
    """Ask the carrier how far a call is that it places; how it ended is recorded."""
    try:
        return ClickToCall.of(service, issuing).look_up(account_id, call_id, caller)
    except UnknownAccount:
        raise unknown("account") from None


@router.post("/calls/{call_id}/end", responses=MAY_BE_REFUSED)
def end_call(*, account_id: UUID, call_id: UUID, body: JsonBody[CallEnd], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Say how a call ended."""
    command = from_body(EndCall, body, account_id=account_id, call_id=call_id)
    return issuing.issue(command, caller, about=call_id, reason=body.reason)


@router.post("/activities/{activity_id}/correction", status_code=201, responses=MAY_BE_REFUSED)
def correct_activity(
    *,
    account_id: UUID,
    activity_id: UUID,
    body: JsonBody[Correction],
    issuing: IssuingOf,
    caller: CallerOf,
    response: Response,
) -> Done:
    """Say anew what an activity was: a new fact that points to the one that was wrong."""
    created(response, f"/v1/accounts/{account_id}/activity")
    command = from_body(CorrectActivity, body, account_id=account_id, activity_id=activity_id)
    return issuing.issue(command, caller, reason=body.reason)


@everywhere.get("/undocumented-contacts", responses=AS_ASKED)
def list_undocumented(
    *,
    readings: Readings,
    office: OfficeOf = None,
    agent: Annotated[str | None, Query(max_length=200, description="Whose: person:dana, or dana.")] = None,
) -> list[UndocumentedContact]:
    """Contacts that people made and of which nobody said how they ended: the 500 oldest."""
    with readings.connection() as connection:
        return undocumented(connection, office=office, agent=agent)


# --- what was said about contact -----------------------------------------------------------------------


@everywhere.get("/contact-fact-kinds")
def list_fact_kinds() -> list[FactKindView]:
    """Every kind of fact about contact, and what may be said of it."""
    return fact_kinds()


@router.post("/contact-facts", status_code=201, responses=MAY_BE_REFUSED)
def record_contact_fact(
    *, account_id: UUID, body: JsonBody[NewContactFact], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Record a cease, an attorney, a bankruptcy, a death, consent, a check of a number …"""
    created(response, f"/v1/accounts/{account_id}")
    return issuing.issue(from_body(RecordContactFact, body, account_id=account_id), caller, reason=body.reason)


@router.delete("/contact-facts/{fact_id}", responses=MAY_BE_REFUSED)
def withdraw_contact_fact(*, account_id: UUID, fact_id: UUID, issuing: IssuingOf, caller: CallerOf) -> Done:
    """It holds no more, or never did."""
    return issuing.issue(WithdrawContactFact(account_id=account_id, fact_id=fact_id), caller, about=fact_id)


@router.post("/consents", responses=MAY_BE_REFUSED)
def record_consent(*, account_id: UUID, body: JsonBody[NewConsent], issuing: IssuingOf, caller: CallerOf) -> Done:
    """The customer allowed or refused contact at a number or address, on all of their accounts."""
    return issuing.issue(from_body(RecordConsent, body, account_id=account_id), caller, reason=body.reason)


@router.put("/contact-points/{point_id}/retirement", responses=MAY_BE_REFUSED)
def retire_point(
    *,
    account_id: UUID,
    point_id: PointId,
    body: JsonBody[PointRetirement] = _RETIREMENT,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """A number is somebody else's: it is used no more."""
    command = RetirePoint(account_id=account_id, point_id=point_id)
    return issuing.issue(command, caller, about=account_id, reason=body.reason)


@router.delete("/contact-points/{point_id}/retirement", responses=MAY_BE_REFUSED)
def restore_point(*, account_id: UUID, point_id: PointId, issuing: IssuingOf, caller: CallerOf) -> Done:
    """A number is the customer's after all."""
    return issuing.issue(RestorePoint(account_id=account_id, point_id=point_id), caller)

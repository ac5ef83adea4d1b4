"""Messages of customers: to be read, without an account, recorded by hand; and conversations."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from adapters.inbound.matching import NotReady
from aggregates.account.inbound import MarkMessageRead, ReceiveMessage
from aggregates.unmatched import SettleUnmatched, UnmatchedState
from aggregates.values.patterns import pattern
from api.application.inbound import ThreadsView, assign, discard, receive_by_hand, threads_of
from api.application.issuing import Done
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.paging import Cursor, Limit, Page, unwrap_cursor, wrap_cursor
from api.http.problems import Problem
from api.http.reading import AS_ASKED, OfficeOf, Question, Readings
from api.http.routing import Router
from api.http.shapes import JsonBody
from projections.inbound.projection import NOTED, READ, TO_READ
from projections.questions.inbound import ReceivedRow, UnmatchedRow, received, thread_entries, unmatched

router = Router(prefix="/v1", tags=["inbound"])

OF_ACCOUNT = "/accounts/{account_id}"

StateOf = Annotated[
    str | None,
    Query(
        pattern=pattern(f"^({TO_READ}|{READ}|{NOTED})$", f"one of {TO_READ}, {READ}, {NOTED}"),
        description="Only messages that stand so: to-read, read, noted.",
    ),
]
UnmatchedStateOf = Annotated[
    UnmatchedState, Query(description="Messages that stand so; where not given, those that nobody has assigned.")
]
NumberOf = Annotated[
    str | None, Query(max_length=320, description="Only the conversation with this number or e-mail address.")
]


@body_of(ReceiveMessage, address={"account_id"}, without={"is_confirmed", "source", "source_id", "shared_with"})
class NewInboundMessage(CommandBody):
    """A message of the customer's that somebody got or heard of elsewhere. A word such as STOP is honoured at once."""


@body_of(MarkMessageRead, address={"account_id", "inbound_id"})
class MessageReading(CommandBody):
    """A message was read and dealt with; of one that might be an opt-out, whether it is one."""


@body_of(SettleUnmatched, address={"inbound_id"})
class InboundAssignment(CommandBody):
    """To which account a message is put."""

    account_id: UUID


_READING = MessageReading()

# --- reading -----------------------------------------------------------------------------------------


@router.get("/inbound", responses=AS_ASKED)
def list_received(
    *,
    readings: Readings,
    office: OfficeOf = None,
    state: StateOf = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ReceivedRow]:
    """Messages of customers, the newest first; `state=to-read` has those that wait for a person."""
    if office is not None:
        readings.office(office)
    return readings.page(
        Question("inbound", office, state),
        lambda connection, inner: received(
            connection, readings.log, office=office, state=state, limit=limit, cursor=inner
        ),
        cursor,
    )


@router.get("/inbound/unmatched", responses=AS_ASKED)
def list_unmatched(
    *,
    readings: Readings,
    state: UnmatchedStateOf = UnmatchedState.UNMATCHED,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[UnmatchedRow]:
    """Messages from numbers and addresses that no account had, the newest first."""
    return readings.page(
        Question("unmatched", state),
        lambda connection, inner: unmatched(connection, readings.log, state=state, limit=limit, cursor=inner),
        cursor,
    )


@router.get(f"{OF_ACCOUNT}/threads", responses=AS_ASKED)
def list_threads(
    *,
    account_id: UUID,
    service: ServiceOf,
    readings: Readings,
    number: NumberOf = None,
    cursor: Cursor = None,
) -> ThreadsView:
    """Conversations with the customer by number and address, of the 200 newest messages; `next` has earlier ones."""
    question = Question("threads", account_id)
    inner = unwrap_cursor(question, cursor)
    with readings.connection(with_cursor=cursor is not None) as connection:
        page = thread_entries(connection, readings.log, account_id, cursor=inner)
        found = threads_of(service, account_id, page, number=number)
    return found.model_copy(update={"next": wrap_cursor(question, found.next)})


# --- writing -----------------------------------------------------------------------------------------


@router.post(f"{OF_ACCOUNT}/inbound-messages", status_code=201, responses=MAY_BE_REFUSED)
def add_inbound_message(
    *,
    account_id: UUID,
    body: JsonBody[NewInboundMessage],
    issuing: IssuingOf,
    caller: CallerOf,
    response: Response,
) -> Done:
    """Record a message of the customer's. What its words ask for is honoured at once."""
    created(response, f"/v1/accounts/{account_id}/threads")
    command = from_body(ReceiveMessage, body, account_id=account_id)
    try:
        return receive_by_hand(issuing, command, replace(caller, reason=body.reason or caller.reason))
    except NotReady as error:
        raise not_ready(error) from None


@router.post(f"{OF_ACCOUNT}/inbound-messages/{{inbound_id}}/read", responses=MAY_BE_REFUSED)
def mark_message_read(
    *,
    account_id: UUID,
    inbound_id: UUID,
    body: JsonBody[MessageReading] = _READING,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """A message was read and dealt with; the sequence goes on."""
    command = from_body(MarkMessageRead, body, account_id=account_id, inbound_id=inbound_id)
    return issuing.issue(command, caller, about=inbound_id, reason=body.reason)


@router.post("/inbound/unmatched/{inbound_id}/assignment", responses=MAY_BE_REFUSED)
def assign_message(
    *, inbound_id: UUID, body: JsonBody[InboundAssignment], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Put a message on an account, as if it had come there."""
    try:
        return assign(issuing, replace(caller, reason=body.reason or caller.reason), inbound_id, body.account_id)
    except NotReady as error:
        raise not_ready(error) from None


@router.post("/inbound/unmatched/{inbound_id}/discard", responses=MAY_BE_REFUSED)
def discard_message(*, inbound_id: UUID, issuing: IssuingOf, caller: CallerOf) -> Done:
    """A message is about no account; its text is destroyed."""
    return discard(issuing, caller, inbound_id)


def not_ready(error: NotReady) -> Problem:
    """Who comes again later finds it ready."""
    return Problem(503, "unavailable", f"{error}; try again", headers={"Retry-After": "5"})

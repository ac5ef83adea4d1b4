"""Messages: written by hand to one account now, shown before they are sent; and what became of any."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from aggregates.account.messages import ResolveMessage, WithdrawMessage
from aggregates.account.writing import SendMessage
from aggregates.values.codes import Code
from api.application.issuing import Done
from api.application.written_messages import MessagePreview, NotAgain, again, preview, template_called
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.paging import Cursor, Limit, Page
from api.http.problems import Problem, documented
from api.http.reading import AS_ASKED, OfficeOf, Question, Readings
from api.http.routing import Router
from api.http.shapes import JsonBody
from api.processes.service import Service
from projections.messages.projection import Standing
from projections.questions.messages import MessageRow, messages

router = Router(prefix="/v1", tags=["messages"])

OF_ACCOUNT = "/accounts/{account_id}/messages"

StateOf = Annotated[Standing | None, Query(description="Only messages that stand so.")]

# --- bodies ------------------------------------------------------------------------------------------


@body_of(SendMessage, address={"account_id"}, instead={"template_id": "template"})
class NewMessage(CommandBody):
    """A message by hand: a text, or a template of the office by its name. A text may have the placeholders of
    templates; an SMS has at most 140 characters once they are filled in."""

    template: Code | None = None


@body_of(WithdrawMessage, address={"account_id", "message_id"})
class MessageWithdrawal(CommandBody):
    """Why it is taken back; it may be left out."""


@body_of(ResolveMessage, address={"account_id", "message_id"})
class MessageResolution(CommandBody):
    """What became of an uncertain message. Say why."""


class MessageRetry(CommandBody):
    """Why it is sent again; it may be left out, unless it ignores preferences."""


_WITHDRAWAL, _RETRY = MessageWithdrawal(), MessageRetry()

# --- reading -----------------------------------------------------------------------------------------


@router.get("/messages", responses=AS_ASKED)
def list_messages(
    *,
    readings: Readings,
    office: OfficeOf = None,
    state: StateOf = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[MessageRow]:
    """Messages of campaigns and by hand, and what became of them, the newest first."""
    if office is not None:
        readings.office(office)
    return readings.page(
        Question("messages", office, state),
        lambda connection, inner: messages(
            connection, readings.log, office=office, state=state, limit=limit, cursor=inner
        ),
        cursor,
    )


@router.get(OF_ACCOUNT, responses=AS_ASKED)
def list_messages_of_account(
    *,
    account_id: UUID,
    readings: Readings,
    state: StateOf = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[MessageRow]:
    """Messages to the customer about this account, the newest first."""
    readings.office_and_currency_of(account_id)
    return readings.page(
        Question("messages of", account_id, state),
        lambda connection, inner: messages(
            connection, readings.log, account_id=account_id, state=state, limit=limit, cursor=inner
        ),
        cursor,
    )


# --- writing -----------------------------------------------------------------------------------------


@router.post(OF_ACCOUNT, status_code=201, responses=MAY_BE_REFUSED)
def send_message(
    *,
    account_id: UUID,
    body: JsonBody[NewMessage],
    service: ServiceOf,
    issuing: IssuingOf,
    caller: CallerOf,
    response: Response,
) -> Done:
    """Write to the customer now. It leaves with the next delivery, if nothing forbids it by then."""
    created(response, f"/v1/accounts/{account_id}/messages")
    return issuing.issue(_said(service, account_id, body), caller, reason=body.reason)


@router.post(f"{OF_ACCOUNT}/preview", responses=documented(404))
def preview_message(*, account_id: UUID, body: JsonBody[NewMessage], service: ServiceOf) -> MessagePreview:
    """The message as it would leave now, and everything that forbids it. Nothing is sent."""
    return preview(service, _said(service, account_id, body))


def _said(service: Service, account_id: UUID, body: NewMessage) -> SendMessage:
    named = template_called(service, account_id, body.template) if body.template is not None else None
    return from_body(SendMessage, body, account_id=account_id, template_id=named)


@router.post(f"{OF_ACCOUNT}/{{message_id}}/withdrawal", responses=MAY_BE_REFUSED)
def withdraw_message(
    *,
    account_id: UUID,
    message_id: UUID,
    body: JsonBody[MessageWithdrawal] = _WITHDRAWAL,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Take back a message that is queued. One of a campaign is queued anew another day, if it still should."""
    command = WithdrawMessage(account_id=account_id, message_id=message_id)
    return issuing.issue(command, caller, about=message_id, reason=body.reason)


@router.post(f"{OF_ACCOUNT}/{{message_id}}/resolution", responses=MAY_BE_REFUSED)
def resolve_message(
    *,
    account_id: UUID,
    message_id: UUID,
    body: JsonBody[MessageResolution],
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Say what became of an uncertain message."""
    command = from_body(ResolveMessage, body, account_id=account_id, message_id=message_id)
    return issuing.issue(command, caller, about=message_id, reason=body.reason)


@router.post(f"{OF_ACCOUNT}/{{message_id}}/retry", status_code=201, responses=MAY_BE_REFUSED)
def send_again(
    *,
    account_id: UUID,
    message_id: UUID,
    body: JsonBody[MessageRetry] = _RETRY,
    service: ServiceOf,
    issuing: IssuingOf,
    caller: CallerOf,
    response: Response,
) -> Done:
    """Send a message by hand that did not leave once more, as another message, if nothing forbids it now."""
    created(response, f"/v1/accounts/{account_id}/messages")
    return issuing.issue(written_again(service, account_id, message_id), caller, reason=body.reason)


def written_again(service: Service, account_id: UUID, message_id: UUID) -> SendMessage:
    """Raises a Problem for what is not to be sent again."""
    try:
        return again(service, account_id, message_id)
    except NotAgain as error:
        raise Problem(404, "refused", f"{error}", reason_code="unknown-message") from None

"""Messages on an account's page: written by hand, shown beforehand, taken back, resolved, sent again."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from aggregates.account import Account
from aggregates.account.messages import ResolveMessage, WithdrawMessage
from aggregates.account.writing import SendMessage
from aggregates.kernel.command import Command
from aggregates.template import template_id
from api.application.attachments import written_with
from api.application.written_messages import preview
from api.http.messages import written_again
from api.http.problems import FieldProblem, Problem
from api.http.web.account_page import Sent, SentOf, carried_out, shown_page
from api.http.web.forms import Fields, files_of, made, once_of

form = APIRouter(include_in_schema=False)

_FILE = "attachment-"
"""Before the id of a file of the account, in the name of its box."""


@form.post("/accounts/{account_id}/messages")
def write(sent: SentOf) -> Response:
    """A message by hand is sent, or only shown as it would leave."""
    if sent.fields.get("do") != "preview":
        return carried_out(sent, partial(_with_files, sent), tab="messages")
    account = sent.service.arrears.load(Account, sent.account_id)
    try:
        shown = preview(sent.service, _message(account, sent.fields))
    except Problem as problem:
        return shown_page(sent, tab="messages", status=problem.status, told=problem.detail)
    return shown_page(sent, tab="messages", more={"shown": shown})


@form.post("/accounts/{account_id}/messages/{message_id}/{what}")
def about_message(message_id: UUID, what: str, sent: SentOf) -> Response:
    """A message is taken back, resolved, or sent again."""

    def retried(account: Account, _: Fields) -> Command:
        return written_again(sent.service, account.id, message_id)

    forms: Mapping[str, Callable[[Account, Fields], Command]] = {
        "withdraw": lambda account, _: made(WithdrawMessage, account_id=account.id, message_id=message_id),
        "resolve": lambda account, fields: made(
            ResolveMessage, account_id=account.id, message_id=message_id, outcome=fields.get("outcome", "")
        ),
        "retry": retried,
    }
    if what not in forms:
        raise FieldProblem("what", f"expected one of {', '.join(forms)}")
    return carried_out(sent, forms[what], tab="messages")


def _with_files(sent: Sent, account: Account, fields: Fields) -> SendMessage:
    """Files that came with the form are kept with the account first."""
    command = _message(account, fields)
    return written_with(sent.service, sent.issuing, command, files_of(sent.request), sent.caller, once=once_of(fields))


def _message(account: Account, fields: Fields) -> SendMessage:
    """A template, where one is chosen; else the text."""
    office_id, name = account.customer.office_id, fields.get("template", "")
    said: dict[str, Any] = {"template_id": template_id(office_id, name)} if name and office_id is not None else {}
    if not said:
        said = {"text": fields.get("text", ""), "subject": fields.get("subject") or None}
    return made(
        SendMessage,
        account_id=account.id,
        channel=fields.get("channel", ""),
        point_id=fields.get("to") or None,
        ignore_preferences=fields.get("ignore") == "yes",
        attachment_ids=tuple(name.removeprefix(_FILE) for name in fields if name.startswith(_FILE)) or None,
        ignore_max_per_minute=fields.get("at_once") == "yes",
        **said,
    )

"""Files on an account's page: added, saved and removed."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from aggregates.account import Account
from aggregates.account.attachments import RemoveAttachment
from api.application import attachments
from api.application.attachments import GivenFile
from api.application.issuing import NotIssued
from api.http.attachments import download
from api.http.commands import ServiceOf
from api.http.etags import IfNoneMatch
from api.http.problems import FieldProblem, Problem, not_issued, unknown
from api.http.routing import Router
from api.http.web.account_page import Sent, SentOf, carried_out, shown_page
from api.http.web.forms import Fields, files_of, made, once_of, reason_of

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

TAB = "attachments"


@router.get("/accounts/{account_id}/attachments/{attachment_id}")
def save(*, account_id: str, attachment_id: str, service: ServiceOf, if_none_match: IfNoneMatch = None) -> Response:
    """A file of the account, to be saved."""
    try:
        of, which = UUID(account_id), UUID(attachment_id)
    except ValueError:
        raise unknown("account") from None
    return download(service, of, which, if_none_match)


@form.post("/accounts/{account_id}/attachments")
def add(sent: SentOf) -> Response:
    """Files are kept with the account, or with one of its cases."""
    try:
        files = files_of(sent.request)
        if not files:
            raise FieldProblem("file", "expected one at least")
        added(sent, files, about=sent.fields.get("about") or None)
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        return shown_page(sent, tab=TAB, status=problem.status, told=problem.detail)
    return RedirectResponse(f"/accounts/{sent.account_id}?tab={TAB}", 303)


@form.post("/accounts/{account_id}/attachments/{attachment_id}/removal")
def remove(attachment_id: UUID, sent: SentOf) -> Response:
    """A file is taken off the account."""

    def makes(account: Account, _: Fields) -> RemoveAttachment:
        return made(RemoveAttachment, account_id=account.id, attachment_id=attachment_id)

    return carried_out(sent, makes, tab=TAB)


def added(sent: Sent, files: Sequence[GivenFile], *, about: str | None = None) -> list[UUID]:
    """All of them, or none where one is not taken. The same page sent twice adds them once. Raises NotIssued."""
    case = attachments.read_case(about) if about else None
    for each in files:
        attachments.checked(sent.service, each)
    key, reason = once_of(sent.fields), reason_of(sent.fields)
    ids = []
    for number, each in enumerate(files):
        caller = replace(sent.caller, idempotency_key=f"{key}-{number}" if key else None)
        done = attachments.add(sent.service, sent.issuing, sent.account_id, each, caller, about=case, reason=reason)
        ids.append(done.id)
    return ids

"""Files of accounts: added, listed, read and removed."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Request, Response

from api.application import attachments
from api.application.attachments import AttachmentRow, attachments_of, content_of, row_of
from api.application.issuing import Done
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.etags import IfNoneMatch, names, not_modified
from api.http.problems import FieldProblem, documented, unknown
from api.http.routing import Router
from api.http.uploads import MULTIPART, UploadRoute, read_upload
from api.processes.service import Service
from projections.questions import UnknownAccount

PREFIX = "/v1/accounts/{account_id}/attachments"

router = Router(prefix=PREFIX, tags=["attachments"])
uploads = APIRouter(prefix=PREFIX, tags=["attachments"], route_class=UploadRoute)

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "One file, with its name."},
                        "about": {"type": "string", "description": "dispute:ID, claim:ID or legal:ID."},
                        "reason": {"type": "string", "maxLength": 1_000},
                    },
                }
            }
        },
    }
}
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
_FIELDS = frozenset({"about", "reason"})
_LONGEST_REASON = 1_000


@uploads.post("", status_code=201, responses=MAY_BE_REFUSED, openapi_extra=_BODY)
async def add_attachment(
    *,
    request: Request,
    account_id: UUID,
    service: ServiceOf,
    issuing: IssuingOf,
    caller: CallerOf,
    response: Response,
) -> Done:
    """Keep a file with the account, or with one of its cases. Its content has to be what its name says."""
    await anyio.to_thread.run_sync(_require_account, service, account_id)
    said = await read_upload(request)
    if unknown_fields := said.fields.keys() - _FIELDS:
        raise FieldProblem(min(unknown_fields), "is not a field here")
    if len(said.files) != 1:
        raise FieldProblem("file", f"expected one file, not {len(said.files)}")
    reason, about = said.fields.get("reason") or None, said.fields.get("about")
    if reason is not None and len(reason) > _LONGEST_REASON:
        raise FieldProblem("reason", f"expected at most {_LONGEST_REASON:,} characters")

    def added() -> Done:
        case = attachments.read_case(about) if about else None
        return attachments.add(service, issuing, account_id, said.files[0], caller, about=case, reason=reason)

    done = await anyio.to_thread.run_sync(added)
    created(response, f"/v1/accounts/{account_id}/attachments/{done.id}")
    return done


def _require_account(service: Service, account_id: UUID) -> None:
    try:
        attachments_of(service, account_id)
    except UnknownAccount:
        raise unknown("account") from None


@router.get("", responses=documented(404))
def list_attachments(*, account_id: UUID, service: ServiceOf) -> list[AttachmentRow]:
    """The files of the account, the latest first."""
    try:
        return attachments_of(service, account_id)
    except UnknownAccount:
        raise unknown("account") from None


@router.get("/{attachment_id}", responses=documented(404))
def get_attachment(*, account_id: UUID, attachment_id: UUID, service: ServiceOf) -> AttachmentRow:
    """What is known of a file."""
    try:
        return row_of(service, account_id, attachment_id)
    except UnknownAccount:
        raise unknown("account") from None


@router.get("/{attachment_id}/content", responses={**documented(404, 409), **_BYTES}, response_class=Response)
def get_content(
    *, account_id: UUID, attachment_id: UUID, service: ServiceOf, if_none_match: IfNoneMatch = None
) -> Response:
    """The bytes of a file, to be saved and never shown in place."""
    return download(service, account_id, attachment_id, if_none_match)


@router.delete("/{attachment_id}", responses=MAY_BE_REFUSED)
def remove_attachment(*, account_id: UUID, attachment_id: UUID, issuing: IssuingOf, caller: CallerOf) -> Done:
    """Take a file off the account. Its bytes are cleared later, unless a message took them with it."""
    return attachments.remove(issuing, account_id, attachment_id, caller)


def download(service: Service, account_id: UUID, attachment_id: UUID, if_none_match: str | None = None) -> Response:
    """An answer that a browser saves: it neither guesses another type, nor shows it, nor runs what is in it."""
    try:
        row = row_of(service, account_id, attachment_id)
        etag = f'"{row.sha256}"'
        if names(if_none_match, etag):
            return not_modified(etag)
        content = content_of(service, account_id, attachment_id).content
    except UnknownAccount:
        raise unknown("account") from None
    headers = {
        "Content-Disposition": disposition(row.name),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "ETag": etag,
    }
    return Response(content, media_type=row.media_type, headers=headers)


def disposition(name: str) -> str:
    """RFC 6266: the name in ASCII for old readers, and as it is."""
    plain = "".join(each if each.isascii() and each.isprintable() and each not in '"\\%' else "_" for each in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"

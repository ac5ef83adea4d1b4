"""Bulk actions: previewed on the collections report, confirmed exactly as shown, and undone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from fastapi.responses import FileResponse
from pydantic import Field, create_model
from starlette.background import BackgroundTask

from adapters.bulk.freezing import Selection
from adapters.readers.runner import NotReached
from aggregates.account.bulk_kinds import BULK_KINDS, BulkKind
from aggregates.bulk.action import BeginBulkUndo, CancelBulk
from aggregates.values.codes import Code
from aggregates.values.money import Currency
from api.application.bulk import WrongParameter, bulk_in_full, confirm, preview, text_of
from api.application.bulk_undo import UndoInAll, UndoneAccount, UndoPreview, undo_preview
from api.application.export import ExportFormat, export
from api.application.issuing import Caller, Done, Issuing
from api.application.written_messages import MessagePreview
from api.http.bodies import CommandBody, Reason, body_of
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.filters import FilterBody, filters_of
from api.http.paging import Cursor, Limit, Page
from api.http.problems import FieldProblem, Problem, documented, from_errors, unknown
from api.http.reading import AS_ASKED, OfficeOf, Question, Reader, Readings
from api.http.routing import Router
from api.http.shapes import Body, Day, FromJson, JsonBody
from api.processes.service import Service
from projections.questions.bulk import BulkRow, BulkView, RowOutcome, bulk_actions, bulk_rows

router = Router(prefix="/v1/bulk", tags=["bulk actions"])

_MOST_ACCOUNTS = 10_000


class SelectionBody(FilterBody):
    """Which accounts: all that the collections report shows with these filters, or those that are named."""

    office: Code | None = None
    currency: Currency | None = None
    as_of: Day | None = None
    filter: Code | None = None
    """A filter that the office keeps by this name; others are beside it, or instead of parts of it."""
    accounts: tuple[Annotated[str, Field(max_length=100)], ...] | None = Field(
        None, min_length=1, max_length=_MOST_ACCOUNTS
    )
    """Numbers or ids. None at all are no list: a list that came out empty must not mean everybody."""


class Confirmation(Body):
    """Whether accounts that changed since the preview are left out; else they keep it from being done."""

    without_changed: bool = False
    reason: Reason = None


@body_of(CancelBulk, address={"bulk_id"})
class BulkCancellation(CommandBody):
    """Why it is stopped; it may be left out. What was done stays done, and can be undone."""


@body_of(BeginBulkUndo, address={"bulk_id"})
class BulkUndo(CommandBody):
    """Why it is taken back; it may be left out."""


class UndoPreviewPage(UndoInAll, Page[UndoneAccount]):
    """What an undo would do, in all and on the accounts of a page. The first page counts, of the first accounts that
    the action changed, at most 5,000 of them; on later pages what it counts is null."""


_CONFIRMATION, _CANCELLATION, _UNDO = Confirmation(), BulkCancellation(), BulkUndo()

# --- preview: a route for each kind ------------------------------------------------------------------


def selection_of(said: SelectionBody) -> Selection:
    """As the application has it."""
    return Selection(
        office=said.office,
        currency=said.currency,
        as_of=said.as_of,
        filters=filters_of(said),
        accounts=said.accounts or (),
        saved=said.filter,
    )


def previewed(
    service: Service, issuing: Issuing, caller: Caller, *, kind: str, said: Mapping[str, Any], of: Selection
) -> Done:
    """Raises a Problem where a parameter is not as expected."""
    try:
        return preview(service, issuing, caller, kind=kind, said=said, of=of)
    except WrongParameter as wrong:
        raise from_errors(wrong.error.errors()) from None


def body_name(kind: BulkKind) -> str:
    """`FlagsPreview`; the name of its schema."""
    return f"{kind.name.replace('-', ' ').title().replace(' ', '')}Preview"


def _body(kind: BulkKind) -> type[SelectionBody]:
    """The parameters of a kind, and the accounts."""
    fields: dict[str, Any] = {name: (each.annotation, each) for name, each in kind.parameters.model_fields.items()}
    return create_model(body_name(kind), __base__=SelectionBody, __doc__=kind.means, __module__=__name__, **fields)


def _route(kind: BulkKind) -> Callable[..., Done]:
    body_class = _body(kind)

    def preview_kind(
        *,
        body: Any,
        service: ServiceOf,
        readings: Readings,
        issuing: IssuingOf,
        caller: CallerOf,
        response: Response,
    ) -> Done:
        said = {name: getattr(body, name) for name in kind.parameters.model_fields}
        with readings.connection():  # what the report refuses is a problem
            done = previewed(service, issuing, caller, kind=kind.name, said=said, of=selection_of(body))
        created(response, f"/v1/bulk/{done.id}")
        return done

    preview_kind.__annotations__["body"] = Annotated[body_class, FromJson()]
    preview_kind.__name__ = f"preview_{kind.name.replace('-', '_')}"
    preview_kind.__doc__ = f"Freeze the accounts that the report shows now; nothing is changed. {kind.means}"
    return preview_kind


for _kind in BULK_KINDS.values():
    router.post(f"/{_kind.name}", status_code=201, responses=MAY_BE_REFUSED)(_route(_kind))


class Export(SelectionBody):
    """The accounts, and the kind of file."""

    format: ExportFormat = ExportFormat.XLSX


_MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.CSV_BOM: "text/csv; charset=utf-8",
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@router.post("/export", responses=MAY_BE_REFUSED, response_class=FileResponse)
def export_report(
    *, body: JsonBody[Export], service: ServiceOf, readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> FileResponse:
    """The collections report as a file, all of one moment. Who took it, and how many rows, is recorded."""
    if body.accounts is not None:
        raise FieldProblem("accounts", "expected none: an export has what the filters show")
    return exported(service, readings, issuing, caller, of=selection_of(body), format=body.format)


def exported(
    service: Service,
    readings: Reader,
    issuing: Issuing,
    caller: Caller,
    *,
    of: Selection,
    format: ExportFormat,  # noqa: A002
) -> FileResponse:
    """The file; it is gone once it was sent. Raises a Problem."""
    folder = Path(mkdtemp(prefix="arrears-export-"))
    path = folder / f"collections.{format.suffix}"
    try:
        with readings.connection():  # what the report refuses is a problem
            bulk_id, _ = export(service, issuing, caller, of, format=format, to=path)
    except BaseException:
        rmtree(folder)
        raise
    headers = {"Location": f"/v1/bulk/{bulk_id}"}
    gone = BackgroundTask(rmtree, folder)
    return FileResponse(path, media_type=_MEDIA_TYPES[format], filename=path.name, headers=headers, background=gone)


# --- look --------------------------------------------------------------------------------------------


@router.get("", responses=AS_ASKED)
def list_bulk(
    *,
    readings: Readings,
    office: OfficeOf = None,
    waiting: Annotated[
        bool, Query(description="Only those that a schedule made and that are too large to be done without a person.")
    ] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[BulkView]:
    """Bulk actions, the newest first."""
    office_id = readings.office(office).id if office else None
    return readings.page(
        Question("bulk", office, *(["waiting"] if waiting else [])),
        lambda connection, inner: bulk_actions(
            connection, office_id=office_id, waiting=waiting, limit=limit, cursor=inner
        ),
        cursor,
    )


@router.get("/{bulk_id}", responses=documented(404))
def get_bulk(*, bulk_id: UUID, readings: Readings) -> BulkView:
    """A bulk action: what it does, how far it is, and what came of it."""
    return found_bulk(readings, bulk_id)


@router.get("/{bulk_id}/rows", responses=documented(404))
def list_bulk_rows(
    *,
    bulk_id: UUID,
    readings: Readings,
    outcome: Annotated[RowOutcome | None, Query(description="Only accounts with this outcome.")] = None,
    rule: Annotated[
        str | None,
        Query(max_length=100, description="Only messages that this contact rule or wish would refuse; sms-too-long."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[BulkRow]:
    """The accounts of a bulk action as its preview froze them, with what came of each."""
    found_bulk(readings, bulk_id)
    return readings.page(
        Question("bulk-rows", bulk_id, outcome, rule),
        lambda connection, inner: bulk_rows(connection, bulk_id, outcome=outcome, rule=rule, limit=limit, cursor=inner),
        cursor,
    )


@router.get("/{bulk_id}/text", responses=MAY_BE_REFUSED)
def show_text(
    *,
    bulk_id: UUID,
    account: Annotated[str, Query(max_length=100, description="An account of the bulk action, by number or id.")],
    service: ServiceOf,
) -> MessagePreview:
    """The message that the bulk action sends to one of its accounts, as it would leave now. Nothing is sent."""
    return text_of(service, bulk_id, account)


@router.get("/{bulk_id}/undo", responses=MAY_BE_REFUSED)
def show_undo(
    *,
    bulk_id: UUID,
    readings: Readings,
    kept: Annotated[
        bool, Query(description="Only accounts on which it would not be reversed, or not all of it.")
    ] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> UndoPreviewPage:
    """What an undo would do on each account that the action changed; nothing is changed."""
    shown, following = undo_page(readings, bulk_id, only_kept=kept, limit=limit, cursor=cursor)
    said = shown.model_dump(exclude={"rows", "next_cursor"})
    return UndoPreviewPage(items=list(shown.rows), next=following, **said)


def undo_page(
    readings: Reader, bulk_id: UUID, *, only_kept: bool, limit: int, cursor: str | None
) -> tuple[UndoPreview, str | None]:
    """A page of what an undo would do, and the cursor of the page after it. Raises Refused."""
    return readings.report(
        Question("bulk-undo", bulk_id, only_kept),
        lambda connection, inner: undo_preview(
            readings.service, connection, bulk_id, only_kept=only_kept, limit=limit, cursor=inner
        ),
        cursor,
    )


# --- confirm, cancel, undo ---------------------------------------------------------------------------


@router.post("/{bulk_id}/confirmation", responses=MAY_BE_REFUSED)
def confirm_bulk(
    *,
    bulk_id: UUID,
    body: JsonBody[Confirmation] = _CONFIRMATION,
    service: ServiceOf,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Do what was previewed, and exactly that. Where accounts changed since, the problem names them in `accounts`."""
    try:
        return confirm(service, issuing, caller, bulk_id, without_changed=body.without_changed, reason=body.reason)
    except NotReached as error:
        raise Problem(503, "unavailable", f"{error}; try again", headers={"Retry-After": "5"}) from None


@router.post("/{bulk_id}/cancellation", responses=MAY_BE_REFUSED)
def cancel_bulk(
    *, bulk_id: UUID, body: JsonBody[BulkCancellation] = _CANCELLATION, issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Stop it: before it is confirmed, or before its next accounts."""
    return issuing.issue(CancelBulk(bulk_id=bulk_id), caller, reason=body.reason)


@router.post("/{bulk_id}/undo", responses=MAY_BE_REFUSED)
def undo_bulk(*, bulk_id: UUID, body: JsonBody[BulkUndo] = _UNDO, issuing: IssuingOf, caller: CallerOf) -> Done:
    """Reverse what it changed on each account; what somebody changed since is left as it is.

    Once it is undone, this asks those accounts again that did not reverse it.
    """
    return issuing.issue(BeginBulkUndo(bulk_id=bulk_id), caller, reason=body.reason)


def found_bulk(readings: Reader, bulk_id: UUID) -> BulkView:
    """Raises a Problem where there is none."""
    with readings.connection() as connection:
        found = bulk_in_full(readings.service, connection, bulk_id)
    if found is None:
        raise unknown("bulk")
    return found

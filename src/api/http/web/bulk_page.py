"""Bulk actions as pages: what is to be done, who it would be about, whether it was done, and taking it back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from adapters.bulk.freezing import Selection
from adapters.readers.runner import NotReached
from aggregates.account.bulk import figure_in_words
from aggregates.account.bulk_kinds import BULK_KINDS, BulkKind
from aggregates.bulk.action import BeginBulkUndo, CancelBulk
from aggregates.office import Office
from api.application.bulk import ChangedSincePreview, confirm, text_of
from api.application.export import ExportFormat
from api.application.issuing import Caller, Issuing, NotIssued, Refused
from api.application.leaving_words import LeavingWords, leaving_in_words
from api.application.templates import templates_of
from api.application.written_messages import MessagePreview
from api.http.bulk import exported, found_bulk, previewed, undo_page
from api.http.commands import CallerOf, IssuingOf, ServiceOf
from api.http.filters import filters_of
from api.http.paging import Cursor
from api.http.problems import FieldProblem, Problem, not_issued, unknown
from api.http.reading import Question, Reader, Readings
from api.http.routing import Router
from api.http.web.collections_page import ReportForm, form_given, form_of
from api.http.web.forms import FormOf, once_of, reason_of
from api.http.web.rendering import moment, render
from api.processes.service import Service
from projections.questions import CHOICES
from projections.questions.bulk import TOO_LONG, BulkView, bulk_actions, bulk_rows

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

_PER_PAGE = 100
_WAIT_SECONDS = 10.0
_SHOWN_CHANGED = 50


@router.get("/bulk")
def bulk_list_page(request: Request, readings: Readings, cursor: Cursor = None) -> HTMLResponse:
    """Bulk actions, the newest first."""
    page = readings.page(
        Question("bulk", None), lambda connection, inner: bulk_actions(connection, limit=50, cursor=inner), cursor
    )
    zones = {office.code: office.zone for office in readings.offices()}
    return render(request, "bulk_list.html", area="collections", found=page.items, next=page.next, zones=zones)


# --- what is to be done ------------------------------------------------------------------------------


@router.get("/bulk/new/{kind}")
def new_bulk_page(request: Request, kind: str, readings: Readings) -> HTMLResponse:
    """The parameters of a kind, for the accounts that the collections page shows."""
    return _new_page(request, kind_called(kind), readings, form_of(request))


@form.post("/bulk/new/{kind}")
def preview_bulk(
    *,
    request: Request,
    kind: str,
    fields: FormOf,
    service: ServiceOf,
    readings: Readings,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Response:
    """The accounts are frozen, and shown."""
    row = kind_called(kind)
    asked = form_given(fields)
    try:
        office = _office(readings, asked)
        said = {name: value_of(name, each, fields) for name, each in fields_of_kind(row, office, readings).items()}
        of = Selection(
            office=office.code,
            currency=asked.currency,
            as_of=asked.as_of,
            filters=filters_of(asked),
            saved=asked.filter,
        )
        with readings.connection():  # what the report refuses is a problem
            given = {name: value for name, value in said.items() if value is not None}
            done = previewed(service, issuing, once(caller, fields), kind=row.name, said=given, of=of)
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        return _new_page(request, row, readings, asked, status=problem.status, told=problem.detail, given=fields)
    return RedirectResponse(f"/bulk/{done.id}", 303)


def _new_page(
    request: Request,
    kind: BulkKind,
    readings: Reader,
    asked: ReportForm,
    *,
    status: int = 200,
    told: str | None = None,
    given: Mapping[str, str] | None = None,
) -> HTMLResponse:
    office = _office(readings, asked)
    asked = asked.model_copy(update={"office": office.code})
    hidden = asked.hidden()
    return render(
        request,
        "bulk_new.html",
        area="collections",
        status=status,
        kind=kind,
        office=office,
        fields=fields_of_kind(kind, office, readings),
        hidden=hidden,
        filters=in_words({name: value for name, value in hidden.items() if name not in {"office", "currency"}}),
        back=asked.url(),
        told=told,
        given=given or {},
        once=uuid4(),
    )


def fields_of_kind(kind: BulkKind, office: Office, readings: Reader) -> dict[str, dict[str, Any]]:
    """The parameters of a kind as fields of a form, by name; `values` are those to choose from, with their titles."""
    found: dict[str, dict[str, Any]] = {}
    for name, each in kind.parameters.model_fields.items():
        hints = each.json_schema_extra if isinstance(each.json_schema_extra, dict) else {}
        found[name] = {
            "title": each.title or name.replace("_", " ").capitalize(),
            "means": each.description or "",
            "values": _values(each.annotation, str(hints.get("choices", "")), office, readings, adds=name == "add"),
            "is_many": bool(hints.get("many")),
            "is_lines": bool(hints.get("lines")),
            "is_tick": each.annotation is bool,
            "is_required": each.is_required(),
        }
    return found


def _values(annotation: Any, choices: str, office: Office, readings: Reader, *, adds: bool) -> dict[str, str] | None:
    """What a field is chosen from; None where it is written."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return {each.value: each.value.replace("-", " ").capitalize() for each in annotation}
    if choices == "fee_service_types":
        return {code: code for code in sorted(office.fee_service_types)}
    if choices == "templates":
        templates = [each for each in templates_of(readings.service, [office]) if not each.is_retired]
        return {each.name: f"{each.name} ({each.channel}, {each.tone})" for each in templates}
    if choices == "agencies":
        return {code: each.title for code, each in sorted(office.agencies.items()) if not each.retired}
    if choices == "freeze_reasons":
        return dict(sorted(office.freeze_reasons.items()))
    if choices == "write_off_reasons":
        return dict(sorted(office.write_off_reasons.items()))
    if choices == "flags":
        return {code: each.title for code, each in sorted(office.flags.items()) if not (adds and each.retired)}
    return None


def value_of(name: str, field: Mapping[str, Any], fields: Mapping[str, str]) -> Any:
    if field["is_many"]:
        return [value for value in field["values"] if fields.get(f"{name}.{value}")]
    return bool(fields.get(name)) if field["is_tick"] else fields.get(name) or None


@form.post("/bulk/export")
def export_page(
    *, fields: FormOf, service: ServiceOf, readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> Response:
    """The accounts that the collections page shows as a file."""
    asked = form_given(fields)
    if fields.get("format") not in {*ExportFormat}:
        raise FieldProblem("format", f"expected one of {', '.join(ExportFormat)}")
    of = Selection(
        office=_office(readings, asked).code,
        currency=asked.currency,
        as_of=asked.as_of,
        filters=filters_of(asked),
        saved=asked.filter,
    )
    return exported(service, readings, issuing, caller, of=of, format=ExportFormat(fields["format"]))


# --- a bulk action -----------------------------------------------------------------------------------


@router.get("/bulk/{bulk_id}")
def bulk_page(
    *,
    request: Request,
    bulk_id: UUID,
    readings: Readings,
    rule: Annotated[str | None, Query(max_length=100)] = None,
    text: Annotated[str | None, Query(max_length=100)] = None,
    cursor: Cursor = None,
) -> HTMLResponse:
    """A bulk action: the accounts as they were frozen, how far it is, and what came of each. Of messages those that a
    `rule` would refuse, and the `text` to an account, by its number or id."""
    if not text:
        return _page(request, bulk_id, readings, rule=rule or None, cursor=cursor)
    try:
        shown = text_of(readings.service, bulk_id, text)
    except Refused as refused:
        problem = not_issued(refused)
        return _page(request, bulk_id, readings, rule=rule or None, status=problem.status, told=problem.detail)
    return _page(request, bulk_id, readings, rule=rule or None, cursor=cursor, shown=Shown(text, shown))


@dataclass(frozen=True, slots=True)
class Shown:
    """The message to an account that somebody asked to see."""

    account: str
    message: MessagePreview


@dataclass(frozen=True, slots=True)
class Sent:
    """A form of the page that somebody sent."""

    request: Request
    bulk_id: UUID
    fields: Mapping[str, str]
    service: Service
    readings: Reader
    issuing: Issuing
    caller: Caller


def read_sent(
    *,
    request: Request,
    bulk_id: UUID,
    fields: FormOf,
    service: ServiceOf,
    readings: Readings,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Sent:
    return Sent(request, bulk_id, fields, service, readings, issuing, once(caller, fields))


SentOf = Annotated[Sent, Depends(read_sent)]


@form.post("/bulk/{bulk_id}/confirmation")
def confirm_bulk(sent: SentOf) -> Response:
    """What was shown is done; where accounts changed since, they are named and nothing is done."""
    without_changed = bool(sent.fields.get("without_changed"))
    try:
        confirm(
            sent.service,
            sent.issuing,
            sent.caller,
            sent.bulk_id,
            without_changed=without_changed,
            reason=reason_of(sent.fields),
        )
    except ChangedSincePreview as changed:
        return _page(sent.request, sent.bulk_id, sent.readings, status=409, told=str(changed), changed=changed.accounts)
    except NotReached as error:
        return _page(sent.request, sent.bulk_id, sent.readings, status=503, told=f"{error}; try again")
    except NotIssued as error:
        problem = not_issued(error)
        return _page(sent.request, sent.bulk_id, sent.readings, status=problem.status, told=problem.detail)
    return RedirectResponse(f"/bulk/{sent.bulk_id}", 303)


@form.post("/bulk/{bulk_id}/cancellation")
def cancel_bulk(sent: SentOf) -> Response:
    """It is stopped."""
    return _carried_out(sent, CancelBulk(bulk_id=sent.bulk_id))


@router.get("/bulk/{bulk_id}/undo")
def bulk_undo_page(*, request: Request, bulk_id: UUID, readings: Readings, cursor: Cursor = None) -> HTMLResponse:
    """What an undo would do: how much it would reverse, and on which accounts it would not, and why."""
    bulk = found_bulk(readings, bulk_id)
    try:
        shown, following = undo_page(readings, bulk_id, only_kept=True, limit=_PER_PAGE, cursor=cursor)
    except Refused as refused:
        problem = not_issued(refused)
        return _page(request, bulk_id, readings, status=problem.status, told=problem.detail)
    return render(
        request,
        "bulk_undo.html",
        area="collections",
        bulk=bulk,
        **_titles(bulk.kind),
        office=readings.office(bulk.office),
        shown=shown,
        next=following,
        is_first=cursor is None,
        once=uuid4(),
    )


@form.post("/bulk/{bulk_id}/undo")
def undo_bulk(sent: SentOf) -> Response:
    """What it changed is reversed."""
    return _carried_out(sent, BeginBulkUndo(bulk_id=sent.bulk_id))


def _carried_out(sent: Sent, command: CancelBulk | BeginBulkUndo) -> Response:
    try:
        sent.issuing.issue(command, sent.caller, reason=reason_of(sent.fields))
    except NotIssued as error:
        problem = not_issued(error)
        return _page(sent.request, sent.bulk_id, sent.readings, status=problem.status, told=problem.detail)
    return RedirectResponse(f"/bulk/{sent.bulk_id}", 303)


def _page(
    request: Request,
    bulk_id: UUID,
    readings: Reader,
    *,
    rule: str | None = None,
    cursor: str | None = None,
    status: int = 200,
    told: str | None = None,
    changed: tuple[str, ...] = (),
    shown: Shown | None = None,
) -> HTMLResponse:
    found = found_bulk(readings, bulk_id)
    page = readings.page(
        Question("bulk-rows", bulk_id, None, rule),
        lambda connection, inner: bulk_rows(connection, bulk_id, rule=rule, limit=_PER_PAGE, cursor=inner),
        cursor,
    )
    office = readings.office(found.office)
    return render(
        request,
        "bulk.html",
        area="collections",
        status=status,
        bulk=found,
        **_titles(found.kind),
        rule=rule,
        shown=shown,
        too_long=TOO_LONG,
        office=office,
        they_leave=_how_they_leave(found, office),
        does=in_words({name: value for name, value in found.parameters.items() if value}),
        filters=in_words(found.filters),
        figure_in_words=figure_in_words,
        rows=page.items,
        next=page.next,
        told=told,
        changed=changed[:_SHOWN_CHANGED],
        more_changed=max(0, len(changed) - _SHOWN_CHANGED),
        once=uuid4(),
        is_moving=found.state in {"running", "undoing"} and not told,
    )


# --- inside ------------------------------------------------------------------------------------------


def kind_called(name: str) -> BulkKind:
    """Raises a Problem where there is none of this name."""
    if name not in BULK_KINDS:
        raise unknown("bulk-kind")
    return BULK_KINDS[name]


def _how_they_leave(bulk: BulkView, office: Office) -> LeavingWords | None:
    """None where no message of it may leave, or it was confirmed."""
    if bulk.leaving is None or not bulk.may_leave:
        return None
    return leaving_in_words(bulk.leaving.model_dump(), bulk.may_leave, lambda at: moment(at, office.zone))


def _titles(name: str) -> dict[str, Any]:
    """What a page of an action calls its kind and the amount in question, and why it cannot be undone."""
    kind = BULK_KINDS.get(name)
    return {
        "title": kind.title if kind is not None else name.capitalize(),
        "amount_title": kind.amount_title if kind is not None else "Amount",
        "cannot_be_undone": kind.cannot_be_undone if kind is not None else None,
    }


def _office(readings: Reader, asked: ReportForm) -> Office:
    """The one that is asked about, or the only one. Raises a Problem."""
    if asked.office is not None:
        return readings.office(asked.office)
    offices = readings.offices()
    if len(offices) != 1:
        raise FieldProblem("office", "expected one: choose an office first")
    return offices[0]


def in_words(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    titles = {name: choice.title for name, choice in CHOICES.items()} | {"q": CHOICES["search"].title}
    return [
        (
            titles.get(name, name.replace("_", " ").capitalize()),
            ", ".join(map(str, value)) if isinstance(value, list) else "yes" if value is True else str(value),
        )
        for name, value in said.items()
    ]


def once(caller: Caller, fields: Mapping[str, str]) -> Caller:
    """The same page sent twice does it once, and what follows shows it."""
    return replace(caller, wait=_WAIT_SECONDS, idempotency_key=once_of(fields) or caller.idempotency_key)

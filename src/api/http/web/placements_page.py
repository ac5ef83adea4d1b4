"""Settings, Agencies: the outside agencies of an office, what they have, their files, and what they send."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from adapters.placement.answers import AnswerProblem
from adapters.placement.layouts import shipped_layouts
from aggregates.account import Account
from aggregates.account.placement import ClosePlacement, PlaceAccount, RecallPlacement
from aggregates.kernel.command import Command
from aggregates.office import RetireAgency, SetAgency
from aggregates.placement_file import FileContents, RedeliverFile, RequestFile
from aggregates.values.agency import AgencyChannel, FileFormat
from api.application.issuing import Caller, Done, Issuing, NotIssued
from api.application.placements import AnswersRead, agencies_of, basis_points, read_answers
from api.http.commands import CallerOf, IssuingOf
from api.http.problems import FieldProblem, Problem, not_issued
from api.http.reading import Reader, Readings
from api.http.routing import Router
from api.http.shapes import read_whole_number
from api.http.web.account_page import SentOf, carried_out
from api.http.web.forms import FormOf, made, once_of, reason_of
from api.http.web.rendering import render
from projections.questions.placements import commissions, placement_files, placements

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

Fields = Mapping[str, str]
HERE = "/settings/agencies"
_SHOWN = 50


@router.get(HERE)
def agencies_page(request: Request, readings: Readings) -> HTMLResponse:
    """Every agency of every office, what it has, and its files."""
    return _page(request, readings)


@form.post(HERE)
def set_agency(
    *, request: Request, fields: FormOf, readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> Response:
    """An agency, or other terms of one."""
    return _carried_out(request, readings, fields, lambda: _issued(issuing, _terms(readings, fields), caller, fields))


@form.post(f"{HERE}/retirement")
def retire_agency(
    *, request: Request, fields: FormOf, readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> Response:
    """Nothing more is placed with it."""
    office = readings.office(fields.get("office", ""))
    command = made(RetireAgency, office_id=office.id, code=fields.get("code", ""))
    return _carried_out(request, readings, fields, lambda: _issued(issuing, command, caller, fields))


@form.post(f"{HERE}/files")
def request_file(
    *, request: Request, fields: FormOf, readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> Response:
    """A file of what happened, or of everything that the agency has."""
    office = readings.office(fields.get("office", ""))
    once = replace(caller, idempotency_key=once_of(fields) or caller.idempotency_key)
    command = made(
        RequestFile,
        file_id=once.new_id("placement-file"),
        office_id=office.id,
        agency=fields.get("code", ""),
        contents=fields.get("contents", ""),
    )
    return _carried_out(request, readings, fields, lambda: _issued(issuing, command, caller, fields))


@form.post(f"{HERE}/files/{{file_id}}/redelivery")
def redeliver_file(
    *, request: Request, file_id: UUID, fields: FormOf, readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> Response:
    """A file of which nobody knows whether it arrived."""
    command = RedeliverFile(file_id=file_id)
    return _carried_out(request, readings, fields, lambda: _issued(issuing, command, caller, fields))


@form.post(f"{HERE}/answers")
def read_agency_file(
    *, request: Request, fields: FormOf, readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> Response:
    """What an agency sent, row by row; or only what would come of it."""
    office = readings.office(fields.get("office", ""))
    try:
        came = read_answers(
            issuing,
            caller,
            office,
            fields.get("code", ""),
            fields.get("text", ""),
            dry_run=bool(fields.get("dry_run")),
            reason=reason_of(fields),
        )
    except AnswerProblem as problem:
        return _wrong(request, readings, fields, FieldProblem("text", str(problem)))
    except (Problem, NotIssued) as error:
        return _wrong(request, readings, fields, error)
    return _page(request, readings, came=came, given=fields if came.dry_run else None)


@form.post("/accounts/{account_id}/placement")
def place_account(sent: SentOf) -> Response:
    """One account is placed, or with no agency chosen taken back."""

    def said(account: Account, fields: Fields) -> Command:
        code = fields.get("agency")
        if not code:
            return RecallPlacement(account_id=account.id)
        return made(PlaceAccount, account_id=account.id, agency=code)

    return carried_out(sent, said, tab="payments")


@form.post("/accounts/{account_id}/placement/closure")
def close_placement(sent: SentOf) -> Response:
    """The agency is done with the account, as it said otherwise than by a file."""

    def said(account: Account, fields: Fields) -> Command:
        current = account.placing.current
        return made(
            ClosePlacement,
            account_id=account.id,
            agency=fields.get("agency", "") if current is None else current.agency,
            code=fields.get("code") or None,
            notes=fields.get("notes") or None,
        )

    return carried_out(sent, said, tab="payments")


def _issued(issuing: Issuing, command: Command, caller: Caller, fields: Fields) -> Done:
    """The same page sent twice does it once."""
    once = replace(caller, idempotency_key=once_of(fields) or caller.idempotency_key)
    return issuing.issue(command, once, reason=reason_of(fields))


def _terms(readings: Reader, fields: Fields) -> SetAgency:
    """What is not said of a known agency stays."""
    office = readings.office(fields.get("office", ""))
    known = office.agencies.get(fields.get("code", ""))
    try:
        said = fields.get("commission")
        commission = basis_points(said) if said else known.commission_bp if known is not None else 0
    except ValueError as wrong:
        raise FieldProblem("commission", str(wrong).removeprefix("commission: ")) from None
    layout = fields.get("layout", "")
    own = known.own_layout if known is not None and known.layout == layout else None
    if own is None and layout not in shipped_layouts():
        raise FieldProblem("layout", f"expected one of {', '.join(shipped_layouts())}")
    days = known.recall_after_days if known is not None else None
    if asked := fields.get("recall_after_days"):
        days = read_whole_number(asked)
        if days is None:
            raise FieldProblem("recall_after_days", "expected a number of days")
    return made(
        SetAgency,
        office_id=office.id,
        code=fields.get("code", ""),
        agency={
            "title": fields.get("title", ""),
            "layout": layout,
            "own_layout": own,
            "format": fields.get("format", ""),
            "channel": fields.get("channel", ""),
            "client_number": fields.get("client_number") or (known.client_number if known is not None else None),
            "public_key": "" if fields.get("without_key") else fields.get("public_key") or None,
            "commission_bp": commission,
            "recall_after_days": days,
            "acknowledged_within": known.acknowledged_within if known is not None else 3,
        },
    )


def _carried_out(request: Request, readings: Reader, fields: Fields, issue: Callable[[], object]) -> Response:
    try:
        issue()
    except (Problem, NotIssued) as error:
        return _wrong(request, readings, fields, error)
    return RedirectResponse(HERE, 303)


def _wrong(request: Request, readings: Reader, fields: Fields, error: Problem | NotIssued) -> HTMLResponse:
    problem = not_issued(error) if isinstance(error, NotIssued) else error
    return _page(request, readings, given=fields, status=problem.status, told=problem.detail)


def _page(
    request: Request,
    readings: Reader,
    *,
    given: Fields | None = None,
    status: int = 200,
    told: str | None = None,
    came: AnswersRead | None = None,
) -> HTMLResponse:
    offices = readings.offices()
    with readings.connection() as connection:
        placed = placements(connection, limit=_SHOWN).rows
        files = placement_files(connection, limit=_SHOWN).rows
        collected = commissions(connection)
    return render(
        request,
        "agencies.html",
        status=status,
        area="settings",
        told=told,
        once=uuid4(),
        given=defaultdict(str, given or {}),
        offices=[{"office": office, "agencies": agencies_of(office)} for office in offices],
        placed=placed,
        files=files,
        collected=collected,
        came=came,
        layouts=sorted({*shipped_layouts(), *(each.layout for office in offices for each in office.agencies.values())}),
        formats=list(FileFormat),
        channels=list(AgencyChannel),
        contents=[FileContents.UPDATES, FileContents.FULL],
    )

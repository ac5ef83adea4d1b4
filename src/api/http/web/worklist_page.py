"""The worklist as a page: what is to be done, why in that order, the next account, and closing the day."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from adapters.readers.runner import NotReached
from aggregates.account.activities import CompleteFollowUp
from aggregates.account.command import AccountCommand
from aggregates.account.worklist import ReassignWorklistItem, SnoozeWorklistItem
from aggregates.office import Office
from api.application.issuing import Caller, Issuing, NotIssued
from api.application.worklist import ContactsUndocumented, close_day, next_account
from api.http.commands import CallerOf, IssuingOf, ServiceOf
from api.http.paging import Cursor
from api.http.problems import FieldProblem, Problem, not_issued
from api.http.reading import Question, Reader, Readings
from api.http.routing import Router
from api.http.web.forms import FormOf, made, moment_of, once_of, reason_of, text_of
from api.http.web.rendering import render
from api.http.worklist import failed_schedules, waiting_bulk
from api.processes.service import Service
from projections.questions.worklist import UndocumentedContact, WorklistItem, last_closed_day, worklist
from projections.worklist.kinds import KINDS

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

VISITED = "arrears_worklist"
"""The cookie of whoever looked at the worklist: whose it was, or nobody's name."""
_MONTH_SECONDS = 30 * 24 * 3600
_PER_PAGE = 50
_LONGEST_NAME = 100
_WAIT_SECONDS = 5.0
_MORNING = time(9)

# --- what the account's page shows of it ---------------------------------------------------------------


def visited(request: Request) -> str | None:
    """Whose worklist was looked at last; empty: everybody's; None: nobody looked at one."""
    said = request.cookies.get(VISITED)
    if said is None:
        return None
    name = unquote(said)
    return name if name.isprintable() and len(name) <= _LONGEST_NAME else ""


def of_account(
    request: Request, service: Service, readings: Reader, account_id: UUID, office: Office
) -> dict[str, Any]:
    """What is to be done about an account, and whether there is a worklist to go on with."""
    now = service.clock.now()
    with readings.connection() as connection:
        found = worklist(connection, now=now, account_id=account_id, limit=_PER_PAGE).rows
    return {"work_rows": found, "work_agent": visited(request), "work_until": _tomorrow(now, office)}


def _tomorrow(now: datetime, office: Office) -> str:
    """Nine o'clock in the morning of the next day in the office, as forms have moments."""
    return f"{datetime.combine(now.astimezone(office.zone).date() + timedelta(days=1), _MORNING):%Y-%m-%dT%H:%M}"


# --- the page ------------------------------------------------------------------------------------------

Name = Annotated[str | None, Query(max_length=_LONGEST_NAME)]


@router.get("/worklist")
def worklist_page(
    *,
    request: Request,
    service: ServiceOf,
    readings: Readings,
    agent: Name = None,
    kind: str = "",
    office: str = "",
    cursor: Cursor = None,
) -> Response:
    """What an agent has to do, and what is nobody's. Whose it is, is remembered."""
    whose = (visited(request) or "") if agent is None else agent.strip()
    return _page(request, service, readings, whose, kind=kind, office=office, cursor=cursor)


@router.get("/worklist/next")
def go_to_next_account(
    *, request: Request, service: ServiceOf, readings: Readings, office: str = "", after: UUID | None = None
) -> Response:
    """The account that comes next on the worklist that was looked at last; the list itself where nothing is left."""
    with readings.connection() as connection:
        found = next_account(connection, service, agent=visited(request) or None, office=office or None, after=after)
    return RedirectResponse("/worklist" if found is None else f"/accounts/{found}", 303)


def _page(
    request: Request,
    service: Service,
    readings: Reader,
    agent: str,
    *,
    kind: str = "",
    office: str = "",
    cursor: str | None = None,
    status: int = 200,
    told: str | None = None,
    undocumented: ContactsUndocumented | None = None,
) -> Response:
    now, offices = service.clock.now(), {each.code: each for each in readings.offices()}
    if office and office not in offices:
        raise FieldProblem("office", f"expected one of {', '.join(offices)}")
    report, following = readings.report(
        Question("worklist page", agent, kind, office),
        lambda connection, inner: worklist(
            connection,
            now=now,
            agent=agent or None,
            kind=kind or None,
            office=office or None,
            limit=_PER_PAGE,
            cursor=inner,
        ),
        cursor,
    )
    with readings.connection() as connection:
        closed = last_closed_day(connection, agent=agent, office=office or None) if agent else None
    asked = {"agent": agent, "kind": kind, "office": office}
    page = render(
        request,
        "worklist.html",
        status=status,
        area="worklist",
        agent=agent,
        kind=kind,
        office=office,
        kinds=KINDS,
        offices=offices,
        work_rows=report.rows,
        waiting=waiting_bulk(readings, office or None) if not kind and cursor is None else [],
        failed=failed_schedules(readings, office or None) if not kind and cursor is None else [],
        work_until=lambda row: _tomorrow(now, _office_of(row, offices)),
        zone_of=lambda row: _office_of(row, offices).zone,
        names=report.names,
        told=told,
        undocumented=undocumented.contacts if undocumented else (),
        once=uuid4(),
        last_closed=closed,
        next_url=f"/worklist?{urlencode({**asked, 'cursor': following})}" if following else None,
    )
    page.set_cookie(
        VISITED,
        quote(agent),
        max_age=_MONTH_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.scope["scheme"] == "https",
    )
    return page


def _office_of(row: WorklistItem | UndocumentedContact, offices: Mapping[str, Office]) -> Office:
    return offices.get(row.office or "") or next(iter(offices.values()))


# --- its forms -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """A form that somebody sent."""

    request: Request
    fields: Mapping[str, str]
    service: Service
    readings: Reader
    issuing: Issuing
    caller: Caller

    @property
    def agent(self) -> str:
        return visited(self.request) or ""


def read_sent(
    *,
    request: Request,
    fields: FormOf,
    service: ServiceOf,
    readings: Readings,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Sent:
    once = replace(caller, wait=_WAIT_SECONDS, idempotency_key=once_of(fields) or caller.idempotency_key)
    return Sent(request, fields, service, readings, issuing, once)


SentOf = Annotated[Sent, Depends(read_sent)]


def _snooze(account_id: UUID, item_id: UUID, sent: Sent) -> SnoozeWorklistItem:
    code, _ = sent.readings.office_and_currency_of(account_id)
    until = moment_of("until", sent.fields, sent.readings.office(code).zone)
    return made(SnoozeWorklistItem, account_id=account_id, item_id=item_id, until=until)


def _assign(account_id: UUID, item_id: UUID, sent: Sent) -> ReassignWorklistItem:
    assignee = text_of(sent.fields, "assignee", _LONGEST_NAME)
    return made(ReassignWorklistItem, account_id=account_id, item_id=item_id, assignee=assignee)


def _done(account_id: UUID, item_id: UUID, _: Sent) -> CompleteFollowUp:
    return made(CompleteFollowUp, account_id=account_id, activity_id=item_id)


_FORMS: Mapping[str, Callable[[UUID, UUID, Sent], AccountCommand]] = {
    "snooze": _snooze,
    "assign": _assign,
    "done": _done,
}


@form.post("/worklist/{account_id}/{item_id}/{what}")
def about_item(account_id: UUID, item_id: UUID, what: str, sent: SentOf) -> Response:
    """Something is put off, given to somebody else, or was done."""
    if what not in _FORMS:
        raise FieldProblem("what", f"expected one of {', '.join(_FORMS)}")
    try:
        sent.issuing.issue(_FORMS[what](account_id, item_id, sent), sent.caller, reason=reason_of(sent.fields))
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        return _page(sent.request, sent.service, sent.readings, sent.agent, status=problem.status, told=problem.detail)
    return RedirectResponse(f"/accounts/{account_id}" if sent.fields.get("back") == "account" else "/worklist", 303)


@form.post("/worklist/closed-days")
def close(sent: SentOf) -> Response:
    """An agent's day is closed; while contacts of theirs are not documented, they are listed."""
    agent, office = text_of(sent.fields, "agent", _LONGEST_NAME) or "", sent.fields.get("office", "")
    told: dict[str, Any] = {}
    try:
        close_day(
            sent.service,
            sent.issuing,
            sent.caller,
            agent=agent,
            office=office or None,
            reason=reason_of(sent.fields),
        )
    except ContactsUndocumented as refused:
        told = {"status": 409, "told": f"{refused}", "undocumented": refused}
    except NotReached as error:
        told = {"status": 503, "told": f"{error}; try again"}
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        told = {"status": problem.status, "told": problem.detail}
    if told:
        return _page(sent.request, sent.service, sent.readings, agent, **told)
    return RedirectResponse(f"/worklist?{urlencode({'agent': agent})}", 303)

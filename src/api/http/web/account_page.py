"""An account as a page: what is owed, where it stands and why, and everything that was done."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account import Account
from aggregates.account.allocation import AllocateFunds
from aggregates.campaign import Campaign
from aggregates.values.business_time import local_date
from api.application.account_view import AccountRead, AccountView, account_view, all_funds, read_account
from api.application.amounts import read_amount
from api.application.issuing import NotIssued
from api.http.commands import CallerOf, IssuingOf, ServiceOf
from api.http.paging import Cursor, unwrap_cursor, wrap_cursor
from api.http.problems import FieldProblem, Problem, from_errors, not_issued, unknown
from api.http.reading import Question, Reader, Readings
from api.http.routing import Router
from api.http.shapes import read_day
from api.http.web.bars import age_of, parts_of
from api.http.web.forms import FormOf
from api.http.web.rendering import render
from api.processes.service import Service
from projections.questions.activity import activity
from projections.questions.audit import audit
from projections.questions.promises import promises

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

TABS = {
    "overview": "Overview",
    "payments": "Payments",
    "activity": "Activity",
    "audit": "Audit trail",
    "contact": "Contact",
}
_PER_PAGE = 100
_WAIT_SECONDS = 5.0
"""For what was done to be seen on the page that follows."""


@router.get("/accounts/{account_id}")
def account_page(
    *,
    request: Request,
    account_id: str,
    service: ServiceOf,
    readings: Readings,
    tab: str = "overview",
    as_of: str = "",
    cursor: Cursor = None,
) -> HTMLResponse:
    """An account, today or as of a day."""
    if tab not in TABS:
        raise FieldProblem("tab", f"expected one of {', '.join(TABS)}")
    return _page(request, _known(account_id), service, readings, tab=tab, as_of=_day(as_of), cursor=cursor)


@form.post("/accounts/{account_id}/allocations")
def allocate(
    *,
    request: Request,
    account_id: str,
    fields: FormOf,
    service: ServiceOf,
    readings: Readings,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Response:
    """A payment or credit is put against an invoice; what is wrong with that is said above the form."""
    known = _known(account_id)
    try:
        command = _allocation(known, fields, service.arrears.load(Account, known).customer.currency)
        issuing.issue(command, replace(caller, wait=_WAIT_SECONDS), reason=fields.get("reason") or None)
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        return _page(
            request, known, service, readings, tab="payments", status=problem.status, told=problem.detail, given=fields
        )
    return RedirectResponse(f"/accounts/{known}?tab=payments", 303)


def _known(account_id: str) -> UUID:
    try:
        return UUID(account_id)
    except ValueError:
        raise unknown("account") from None


def _allocation(account_id: UUID, fields: Mapping[str, str], currency: str) -> AllocateFunds:
    """Raises FieldProblem."""
    kind, _, number = fields.get("money", "").partition(" ")
    try:
        amount = read_amount({"amount": fields.get("amount", "").replace(",", ""), "currency": currency})
    except ValueError as error:
        raise FieldProblem("amount", str(error).removeprefix("amount: ")) from None
    try:
        return AllocateFunds.model_validate(
            {
                "account_id": account_id,
                "kind": kind,
                "number": number,
                "invoice_number": fields.get("invoice", ""),
                "amount": amount,
            }
        )
    except ValidationError as error:
        raise from_errors(error.errors()) from None


def _page(
    request: Request,
    known: UUID,
    service: Service,
    readings: Reader,
    *,
    tab: str,
    as_of: date | None = None,
    cursor: str | None = None,
    status: int = 200,
    told: str | None = None,
    given: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """`told` is what was wrong with what a form of the page was `given`."""
    with readings.connection() as connection:
        read = read_account(service, connection, known, as_of)
    view = account_view(read)
    today = local_date(service.clock.now(), read.office.zone)
    is_past = read.as_of < today
    names = read.office.scheme.names
    here = f"/accounts/{view.id}"
    return render(
        request,
        "account.html",
        status=status,
        told=told,
        given=defaultdict(str, given or {}),
        area="collections",
        account=view,
        office=read.office,
        today=today,
        is_past=is_past,
        here=here,
        tab=tab,
        tabs=TABS,
        past_due=view.outstanding - view.aging[0].amount,
        ages=parts_of(
            [(each.bucket, each.amount.decimal()) for each in view.aging],
            shares=[f"{each.items} {'item' if each.items == 1 else 'items'}" for each in view.aging],
        ),
        age_of=lambda bucket: age_of(read.office.scheme.rank(bucket), len(names)),
        campaign=_campaign(service, view.campaign_id),
        **_tab(tab=tab, read=read, view=view, readings=readings, here=here, cursor=cursor, is_past=is_past),
    )


def _day(given: str) -> date | None:
    try:
        return read_day(given) if given else None
    except ValueError as error:
        raise FieldProblem("as_of", str(error)) from None


def _campaign(service: Service, campaign_id: UUID | None) -> Campaign | None:
    if campaign_id is None:
        return None
    try:
        return service.arrears.load(Campaign, campaign_id)
    except AggregateNotFoundError:
        return None


def _tab(
    *, tab: str, read: AccountRead, view: AccountView, readings: Reader, here: str, cursor: str | None, is_past: bool
) -> dict[str, Any]:
    """What the chosen part of the page shows."""
    as_of = read.as_of if is_past else None
    match tab:
        case "payments":
            funds = all_funds(read)
            return {
                "funds": funds,
                "to_allocate": [] if is_past else [each for each in funds if not each.reversed],
                "by_due_day": read.account.receivables.has_instalments,
            }
        case "activity":
            question = Question("page", tab, view.id, as_of)
            inner = unwrap_cursor(question, cursor)
            with readings.connection(with_cursor=cursor is not None) as connection:
                done = activity(connection, readings.log, view.id, as_of=as_of, limit=_PER_PAGE, cursor=inner)
            return {"activity": done.rows, "next_url": _next(here, tab, as_of, wrap_cursor(question, done.next_cursor))}
        case "audit":
            question = Question("page", tab, view.id)
            inner = unwrap_cursor(question, cursor)
            with readings.connection(with_cursor=cursor is not None) as connection:
                trail = audit(connection, readings.log, view.id, limit=_PER_PAGE, cursor=inner)
            return {"audit": trail.rows, "next_url": _next(here, tab, as_of, wrap_cursor(question, trail.next_cursor))}
        case "overview":
            with readings.connection() as connection:
                made = promises(
                    connection,
                    readings.log,
                    as_of=read.as_of,
                    office=read.office.code,
                    currency=view.currency,
                    account_id=view.id,
                    limit=_PER_PAGE,
                )
            return {"promises": made.rows[::-1]}
        case _:
            return {}


def _next(here: str, tab: str, as_of: date | None, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    return f"{here}?tab={tab}&cursor={cursor}" + (f"&as_of={as_of}" if as_of else "")

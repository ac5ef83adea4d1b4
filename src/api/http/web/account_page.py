"""An account as a page: what is owed, where it stands and why, and everything that was done."""

from datetime import date
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.campaign import Campaign
from aggregates.values.business_time import local_date
from api.application.account_view import AccountRead, AccountView, account_view, all_funds, read_account
from api.http.commands import ServiceOf
from api.http.paging import Cursor, unwrap_cursor, wrap_cursor
from api.http.problems import FieldProblem, unknown
from api.http.reading import Question, Reader, Readings
from api.http.routing import Router
from api.http.shapes import read_day
from api.http.web.bars import age_of, parts_of
from api.http.web.rendering import render
from api.processes.service import Service
from projections.questions.activity import activity
from projections.questions.audit import audit
from projections.questions.promises import promises

router = Router(include_in_schema=False)

TABS = {
    "overview": "Overview",
    "payments": "Payments",
    "activity": "Activity",
    "audit": "Audit trail",
    "contact": "Contact",
}
_PER_PAGE = 100


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
    try:
        known = UUID(account_id)
    except ValueError:
        raise unknown("account") from None
    if tab not in TABS:
        raise FieldProblem("tab", f"expected one of {', '.join(TABS)}")
    with readings.connection() as connection:
        read = read_account(service, connection, known, _day(as_of))
    view = account_view(read)
    today = local_date(service.clock.now(), read.office.zone)
    is_past = read.as_of < today
    names = read.office.scheme.names
    here = f"/accounts/{view.id}"
    return render(
        request,
        "account.html",
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
            return {"funds": all_funds(read)}
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

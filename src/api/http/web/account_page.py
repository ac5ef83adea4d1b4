"""An account as a page: what is owed, where it stands and why, and everything that was done."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account import Account
from aggregates.account.allocation import AllocateFunds
from aggregates.account.between_accounts import MovePayment, TransferPayment
from aggregates.account.disputes import OpenDispute, ResolveDispute
from aggregates.account.receivables import FundsKind
from aggregates.campaign import Campaign
from aggregates.kernel.command import Command
from aggregates.values.business_time import local_date
from aggregates.values.contact import Channel
from api.application.account_view import (
    AccountRead,
    AccountView,
    FundsView,
    account_view,
    all_funds,
    id_of_account_called,
    read_account,
)
from api.application.issuing import Caller, Issuing, NotIssued
from api.application.templates import templates_of
from api.http.commands import CallerOf, IssuingOf, ServiceOf
from api.http.paging import Cursor, unwrap_cursor, wrap_cursor
from api.http.problems import FieldProblem, Problem, not_issued, unknown
from api.http.reading import Question, Reader, Readings
from api.http.routing import Router
from api.http.shapes import read_day
from api.http.web.bars import age_of, parts_of
from api.http.web.forms import FormOf, amount_of, made
from api.http.web.money_forms import MONEY_FORMS
from api.http.web.rendering import render
from api.processes.service import Service
from projections.questions.activity import activity
from projections.questions.audit import audit
from projections.questions.messages import messages
from projections.questions.promises import promises

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

TABS = {
    "overview": "Overview",
    "payments": "Payments",
    "messages": "Messages",
    "activity": "Activity",
    "audit": "Audit trail",
    "contact": "Contact",
}
CHANNELS = {
    Channel.SMS: "Send SMS",
    Channel.EMAIL: "Send e-mail",
    Channel.LETTER: "Send letter",
    Channel.VOICE: "Send voice message",
    Channel.PORTAL: "Send to portal",
}
"""By which a message by hand is written, and what the link to its form says."""
_PER_PAGE = 100
_LONGEST_REASON, _LONGEST_KEY = 1_000, 200
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
    send: str = "",
    cursor: Cursor = None,
) -> HTMLResponse:
    """An account, today or as of a day."""
    if tab not in TABS:
        raise FieldProblem("tab", f"expected one of {', '.join(TABS)}")
    day = _day("as_of", as_of) if as_of else None
    return _page(
        request,
        _known(account_id),
        service,
        readings,
        tab=tab,
        as_of=day,
        cursor=cursor,
        given={"channel": send} if send else None,
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """A form of the page that somebody sent."""

    request: Request
    account_id: UUID
    fields: Mapping[str, str]
    service: Service
    readings: Reader
    issuing: Issuing
    caller: Caller


def read_sent(
    *,
    request: Request,
    account_id: str,
    fields: FormOf,
    service: ServiceOf,
    readings: Readings,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Sent:
    return Sent(request, _known(account_id), fields, service, readings, issuing, caller)


SentOf = Annotated[Sent, Depends(read_sent)]


@form.post("/accounts/{account_id}/allocations")
def allocate(sent: SentOf) -> Response:
    """A payment or credit is put against an invoice."""
    return carried_out(sent, _allocation, tab="payments")


@form.post("/accounts/{account_id}/disputes")
def open_dispute(sent: SentOf) -> Response:
    """The customer disputes an invoice, or a part of it."""
    return carried_out(sent, _dispute, tab="overview")


@form.post("/accounts/{account_id}/disputes/resolution")
def resolve_dispute(sent: SentOf) -> Response:
    """A dispute is over."""
    return carried_out(sent, _resolution, tab="overview")


@form.post("/accounts/{account_id}/transfers")
def send(sent: SentOf) -> Response:
    """A payment goes to another account, whose debt it pays or whose it always was."""
    return carried_out(sent, partial(_transfer, sent.service), tab="payments")


@form.post("/accounts/{account_id}/money/{what}")
def move_money(what: str, sent: SentOf) -> Response:
    """Money is taken back, given back or comes in again, or something never was."""
    if what not in MONEY_FORMS:
        raise FieldProblem("what", f"expected one of {', '.join(MONEY_FORMS)}")
    return carried_out(sent, MONEY_FORMS[what], tab="payments")


def carried_out(sent: Sent, makes: Callable[[Account, Mapping[str, str]], Command], *, tab: str) -> Response:
    """The command that a form of the page says is carried out; what is wrong with it is said above the form.
    The same page sent twice does it once."""
    known, service = sent.account_id, sent.service
    try:
        command = makes(service.arrears.load(Account, known), sent.fields)
        reason, key = _text(sent.fields, "reason", _LONGEST_REASON), _text(sent.fields, "once", _LONGEST_KEY)
        once = replace(sent.caller, wait=_WAIT_SECONDS, idempotency_key=key or sent.caller.idempotency_key)
        sent.issuing.issue(command, once, reason=reason)
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        return shown_page(sent, tab=tab, status=problem.status, told=problem.detail)
    return RedirectResponse(f"/accounts/{known}?tab={tab}", 303)


def shown_page(
    sent: Sent, *, tab: str, status: int = 200, told: str | None = None, more: Mapping[str, Any] | None = None
) -> HTMLResponse:
    """The page with what the form was given, and `more` for the template."""
    return _page(
        sent.request,
        sent.account_id,
        sent.service,
        sent.readings,
        tab=tab,
        status=status,
        told=told,
        given=sent.fields,
        more=more,
    )


def _known(account_id: str) -> UUID:
    try:
        return UUID(account_id)
    except ValueError:
        raise unknown("account") from None


def _text(fields: Mapping[str, str], name: str, most: int) -> str | None:
    """Raises FieldProblem."""
    text = fields.get(name, "")
    if len(text) > most:
        raise FieldProblem(name, f"expected at most {most:,} characters")
    return text or None


def _allocation(account: Account, fields: Mapping[str, str]) -> AllocateFunds:
    kind, _, number = fields.get("money", "").partition(" ")
    return made(
        AllocateFunds,
        account_id=account.id,
        kind=kind,
        number=number,
        invoice_number=fields.get("invoice", ""),
        amount=amount_of(fields, account.customer.currency),
    )


def _dispute(account: Account, fields: Mapping[str, str]) -> OpenDispute:
    """Without an amount all of the invoice is disputed."""
    amount = amount_of(fields, account.customer.currency) if fields.get("amount") else None
    return made(
        OpenDispute,
        account_id=account.id,
        invoices=({"number": fields.get("invoice", ""), "amount": amount},),
        reason_code=fields.get("code", ""),
        notes=fields.get("notes") or None,
    )


def _resolution(account: Account, fields: Mapping[str, str]) -> ResolveDispute:
    return made(
        ResolveDispute,
        account_id=account.id,
        dispute_id=fields.get("dispute", ""),
        resolution=fields.get("resolution", ""),
    )


def _transfer(service: Service, account: Account, fields: Mapping[str, str]) -> TransferPayment | MovePayment:
    """Without an amount all that is free of the payment."""
    customer = account.customer
    office_id, to = customer.office_id, fields.get("to", "")
    said: dict[str, object] = {
        "account_id": account.id,
        "number": fields.get("payment", ""),
        "to_account_id": office_id and id_of_account_called(service, office_id, to, currency=customer.currency),
    }
    if fields.get("do") == "move":
        return made(MovePayment, **said)
    if fields.get("amount"):
        said["amount"] = amount_of(fields, customer.currency)
    return made(TransferPayment, **said, transferred_on=_day("on", fields.get("on", "")))


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
    more: Mapping[str, Any] | None = None,
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
        once=uuid4(),
        given=defaultdict(str, given or {}),
        area="collections",
        account=view,
        office=read.office,
        today=today,
        is_past=is_past,
        here=here,
        tab=tab,
        tabs=TABS,
        by_due_day=read.account.receivables.has_instalments,
        past_due=view.outstanding - view.aging[0].amount,
        ages=parts_of(
            [(each.bucket, each.amount.decimal()) for each in view.aging],
            shares=[f"{each.items} {'item' if each.items == 1 else 'items'}" for each in view.aging],
        ),
        age_of=lambda bucket: age_of(read.office.scheme.rank(bucket), len(names)),
        campaign=_campaign(service, view.campaign_id),
        **{
            **_tab(tab=tab, read=read, view=view, readings=readings, here=here, cursor=cursor, is_past=is_past),
            **(more or {}),
        },
    )


def _day(name: str, given: str) -> date:
    """Raises FieldProblem."""
    try:
        return read_day(given)
    except ValueError as error:
        raise FieldProblem(name, str(error)) from None


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
            there = [] if is_past else [each for each in funds if not each.reversed]
            own = [each for each in there if each.kind is FundsKind.PAYMENT and each.transferred_from is None]
            return {
                "funds": funds,
                "to_allocate": there,
                "to_send": own,
                "taken_back": [] if is_past else [each for each in funds if each.reversed and each.kind == "payment"],
                "documents": [] if is_past else _documents(read, view, funds),
            }
        case "messages":
            question = Question("page", tab, view.id)
            inner = unwrap_cursor(question, cursor)
            with readings.connection(with_cursor=cursor is not None) as connection:
                sent = messages(connection, readings.log, account_id=view.id, limit=_PER_PAGE, cursor=inner)
            return {
                "messages": sent.rows,
                "templates": [each for each in templates_of(readings.service, [read.office]) if not each.is_retired],
                "channels": CHANNELS,
                "shown": None,
                "next_url": _next(here, tab, as_of, wrap_cursor(question, sent.next_cursor)),
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


def _documents(read: AccountRead, view: AccountView, funds: list[FundsView]) -> list[tuple[str, str]]:
    """What may never have been: how the form says it, and how people read it."""
    found = [(f"invoice {item.number}", f"invoice {item.number}, {item.amount}") for item in view.open_items]
    if read.account.receivables.has_instalments:
        found = [
            (f"invoice {item.number}/{item.due_on}", f"invoice {item.number}, due {item.due_on}, {item.amount}")
            for item in view.open_items
        ]
        numbers = Counter(item.number for item in view.open_items)
        found += [(f"invoice {n}", f"invoice {n}, all instalments") for n, items in numbers.items() if items > 1]
    for each in funds:
        if each.kind == "credit" and not each.reversed:
            found.append((f"credit {each.number}", f"credit {each.number}, {each.amount}"))
        if each.kind == "payment" and each.gone_back:
            found.append((f"reversal {each.number}", f"reversal of payment {each.number}"))
    return found


def _next(here: str, tab: str, as_of: date | None, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    return f"{here}?tab={tab}&cursor={cursor}" + (f"&as_of={as_of}" if as_of else "")

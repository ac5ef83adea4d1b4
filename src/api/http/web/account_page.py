"""An account as a page: what is owed, where it stands and why, and everything that was done."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, Protocol
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from adapters.attachments.setup import most_bytes
from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account import Account
from aggregates.account.activities import Direction
from aggregates.account.allocation import AllocateFunds
from aggregates.account.between_accounts import MovePayment, TransferPayment
from aggregates.account.collections_stage import SetCollectionsStage
from aggregates.account.complaints import ComplaintMedium
from aggregates.account.contact_history import FactKind
from aggregates.account.disputes import DISPUTE_REASONS, OpenDispute, ResolveDispute
from aggregates.account.freezing import FreezeAccount, UnfreezeAccount
from aggregates.account.legal import LegalState
from aggregates.account.receivables import FundsKind
from aggregates.campaign import Campaign
from aggregates.kernel.command import Command
from aggregates.office import Office
from aggregates.promise import Instalment
from aggregates.values.attachments import ENDINGS, FILE_TYPES
from aggregates.values.business_time import local_date
from aggregates.values.complaints import COMPLAINT_KINDS
from aggregates.values.contact import Channel
from aggregates.values.fees import FeeBasis, FeeGround
from api.application.account_view import (
    AccountRead,
    AccountView,
    FundsView,
    account_view,
    events_to_be_shown,
    id_of_account_called,
    read_account,
)
from api.application.attachments import AttachmentRow, attachments_of
from api.application.call_script import call_script_of
from api.application.casework import casework_of
from api.application.funds import funds_page
from api.application.inbound import threads_of
from api.application.issuing import Caller, Issuing, NotIssued
from api.application.offices import defined_in
from api.application.templates import templates_of
from api.application.write_offs import write_offs_shown
from api.http.commands import CallerOf, IssuingOf, ServiceOf
from api.http.paging import Cursor, unwrap_cursor, wrap_cursor
from api.http.problems import FieldProblem, Problem, not_issued, unknown
from api.http.reading import Question, Reader, Readings
from api.http.routing import Router
from api.http.web.bars import age_of, parts_of
from api.http.web.casework_forms import CASEWORK_FORMS, instalments_said
from api.http.web.contact_forms import CONTACT_FORMS, OF_CALLS, calls_placed, fact_choices, phone_calls
from api.http.web.forms import FormOf, amount_of, day_of, made, once_of, reason_of
from api.http.web.money_forms import MONEY_FORMS
from api.http.web.rendering import render
from api.http.web.worklist_page import of_account
from api.processes.service import Service
from projections.questions import UnknownAccount
from projections.questions.activity import activity
from projections.questions.activity_filters import TYPES, ActivityFilters
from projections.questions.audit import audit
from projections.questions.fees import FeeView, fees_of
from projections.questions.inbound import thread_entries
from projections.questions.messages import messages
from projections.questions.promises import promises

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

TABS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "details": (
        "Account Details",
        {"overview": "Open items and Promises to Pay", "attachments": "Files", "audit": "Audit trail"},
    ),
    "collections": (
        "Collections",
        {
            "activity": "Activities",
            "calls": "Calls",
            "messages": "SMS Activities and messages",
            "conversation": "Conversations",
            "casework": "Casework",
        },
    ),
    "billing": ("Billing Info", {"payments": "Collections Stage and payments", "subscriptions": "Subscriptions"}),
    "reminders": ("Reminders", {"contact": "Consents and preferences"}),
}
"""The tabs, and the parts of each, of which one is shown; a tab's name leads to its first part."""
_TAB_OF = {part: tab for tab, (_, parts) in TABS.items() for part in parts}
_FIRST_OF = {tab: next(iter(parts)) for tab, (_, parts) in TABS.items()}
ACTIONS = {
    "call": "Phone Call",
    "sms": "Send SMS",
    "email": "Send Email",
    "activity": "Add Activity",
    "promise": "Add Promise to Pay",
}
"""What a collector does most, each with a form of its own: a page, which a browser with scripts shows as a dialog."""
_PART_OF_ACTION = {"call": "calls", "sms": "messages", "email": "messages"}
_HOLDS_BACK = frozenset({FactKind.CEASE, FactKind.ATTORNEY, FactKind.BANKRUPTCY, FactKind.DECEASED})
"""What was said about contact that stands above everything else."""
CHANNELS = {
    Channel.SMS: "Send SMS",
    Channel.EMAIL: "Send e-mail",
    Channel.LETTER: "Send letter",
    Channel.VOICE: "Send voice message",
    Channel.PORTAL: "Send to portal",
}
"""By which a message by hand is written, and what the link to its form says."""
AGENT_PHONE = "arrears_agent_phone"
"""The cookie in which a browser keeps at which number its agent is, for its session."""
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
    send: str = "",
    do: str = "",
    cursor: Cursor = None,
    type: str = "",  # noqa: A002
    channel: str = "",
    direction: str = "",
    agent: str = "",
    outcome: str = "",
    since: Annotated[str, Query(alias="from")] = "",
    until: Annotated[str, Query(alias="to")] = "",
    text: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """An account, today or as of a day."""
    tab = _FIRST_OF.get(tab, tab)
    if tab not in _TAB_OF:
        raise FieldProblem("tab", f"expected one of {', '.join([*TABS, *_TAB_OF])}")
    if do and do not in ACTIONS:
        raise FieldProblem("do", f"expected one of {', '.join(ACTIONS)}")
    day = day_of("as_of", {"as_of": as_of}) if as_of else None
    filters = {
        "type": type,
        "channel": channel,
        "direction": direction,
        "agent": agent,
        "outcome": outcome,
        "from": since,
        "to": until,
        "text": text,
    }
    return _page(
        request,
        _known(account_id),
        service,
        readings,
        tab=_PART_OF_ACTION.get(do, tab),
        action=do,
        as_of=day,
        cursor=cursor,
        filters=filters,
        given={"channel": do if do in set(Channel) else send},
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


@form.post("/accounts/{account_id}/casework/{what}")
def casework(what: str, sent: SentOf) -> Response:
    """What a collector does about the account: promises, flags, holds, exclusion."""
    if what not in CASEWORK_FORMS:
        raise FieldProblem("what", f"expected one of {', '.join(CASEWORK_FORMS)}")
    if what == "plan" and sent.fields.get("do") == "calculate":
        return _calculated(sent)
    return carried_out(sent, CASEWORK_FORMS[what], tab="casework")


def _calculated(sent: Sent) -> Response:
    """The page with days and amounts of the instalment plan that its form says; nothing is recorded."""
    account_id, service, told, status = sent.account_id, sent.service, None, 200
    calculated: Sequence[Instalment] = ()
    try:
        calculated = instalments_said(service.arrears.load(Account, account_id), sent.fields)
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        told, status = problem.detail, problem.status
    return _page(
        sent.request,
        account_id,
        service,
        sent.readings,
        tab="casework",
        status=status,
        told=told,
        given=sent.fields,
        calculated=calculated,
    )


@form.post("/accounts/{account_id}/contact/{what}")
def contact(what: str, sent: SentOf) -> Response:
    """A call begins or ends, something was done outside, or something was said about contact."""
    if what not in CONTACT_FORMS:
        raise FieldProblem("what", f"expected one of {', '.join(CONTACT_FORMS)}")

    def makes(account: Account, fields: Mapping[str, str]) -> Command:
        office_id = account.customer.office_id
        if office_id is None:
            raise unknown("account")
        return CONTACT_FORMS[what](account, fields, sent.service.arrears.load(Office, office_id).zone)

    return carried_out(sent, makes, tab="calls" if what in OF_CALLS else "contact")


@form.post("/accounts/{account_id}/collections-stage")
def set_collections_stage(sent: SentOf) -> Response:
    """Where the account stands with an outside agency."""
    return carried_out(sent, _collections_stage, tab="payments")


@form.post("/accounts/{account_id}/freeze")
def freeze(sent: SentOf) -> Response:
    """The account is frozen, or active again."""
    return carried_out(sent, _freeze, tab="payments")


def _freeze(account: Account, fields: Mapping[str, str]) -> FreezeAccount | UnfreezeAccount:
    code = fields.get("code")
    return made(FreezeAccount, account_id=account.id, code=code) if code else UnfreezeAccount(account_id=account.id)


def _collections_stage(account: Account, fields: Mapping[str, str]) -> SetCollectionsStage:
    return made(SetCollectionsStage, account_id=account.id, collections_stage=fields.get("stage") or None)


class Issues(Protocol):
    """Carries a command out. Raises NotIssued."""

    def __call__(self, command: Command, caller: Caller, /, *, reason: str | None) -> object: ...


def carried_out(
    sent: Sent, makes: Callable[[Account, Mapping[str, str]], Command], *, tab: str, issue: Issues | None = None
) -> Response:
    """The command that a form of the page says is carried out; what is wrong with it is said above the form.
    The same page sent twice does it once."""
    known, service = sent.account_id, sent.service
    try:
        command = makes(service.arrears.load(Account, known), sent.fields)
        reason, key = reason_of(sent.fields), once_of(sent.fields)
        once = replace(sent.caller, wait=_WAIT_SECONDS, idempotency_key=key or sent.caller.idempotency_key)
        (issue or sent.issuing.issue)(command, once, reason=reason)
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        return shown_page(sent, tab=tab, status=problem.status, told=problem.detail, wrong=_field_of(problem))
    return RedirectResponse(f"/accounts/{known}?tab={tab}", 303)


def _field_of(problem: Problem) -> str:
    """The field that was wrong; empty: it was no field, or several."""
    errors = problem.more.get("errors", ())
    return str(errors[0]["field"]) if len(errors) == 1 else ""


def shown_page(
    sent: Sent,
    *,
    tab: str,
    status: int = 200,
    told: str | None = None,
    wrong: str = "",
    more: Mapping[str, Any] | None = None,
) -> HTMLResponse:
    """The page with what the form was given, and `more` for the template."""
    return _page(
        sent.request,
        sent.account_id,
        sent.service,
        sent.readings,
        tab=tab,
        cursor=sent.fields.get("cursor") or None,
        status=status,
        told=told,
        wrong=wrong,
        given=sent.fields,
        more=more,
    )


def _known(account_id: str) -> UUID:
    try:
        return UUID(account_id)
    except ValueError:
        raise unknown("account") from None


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
        assignee=fields.get("assignee") or None,
        answer_by=fields.get("answer_by") or None,
    )


def _resolution(account: Account, fields: Mapping[str, str]) -> ResolveDispute:
    return made(
        ResolveDispute,
        account_id=account.id,
        dispute_id=fields.get("dispute", ""),
        resolution=fields.get("resolution", ""),
        in_favour_of=fields.get("side") or None,
        credit_number=fields.get("credit") or None,
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
    return made(TransferPayment, **said, transferred_on=day_of("on", fields))


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
    wrong: str = "",
    given: Mapping[str, str] | None = None,
    action: str = "",
    calculated: Sequence[Instalment] = (),
    filters: Mapping[str, str] = MappingProxyType({}),
    more: Mapping[str, Any] | None = None,
) -> HTMLResponse:
    """`told` is what was wrong with what a form of the page was `given`, in its field `wrong` where it was one;
    `calculated` is the plan that it says. With an `action` the page is the form of that alone."""
    with readings.connection() as connection:
        read = read_account(service, connection, known, as_of)
    view = account_view(read)
    today = local_date(service.clock.now(), read.office.zone)
    is_past = read.as_of < today
    names = read.office.scheme.names
    here = f"/accounts/{view.id}"
    return render(
        request,
        "account_action.html" if action and not is_past else "account.html",
        status=status,
        told=told,
        wrong=wrong,
        action=action,
        actions=ACTIONS,
        calculated=calculated,
        freeze_reasons=read.office.freeze_reasons,
        agencies={code: each.title for code, each in sorted(read.office.agencies.items()) if not each.retired},
        fee_ground=read.account.fees.ground,
        fee_grounds=list(FeeGround),
        placed_with=read.account.placing.current.agency if read.account.placing.current else None,
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
        tab_shown=_TAB_OF[tab],
        warnings=_warnings(view),
        by_due_day=read.account.receivables.has_instalments,
        past_due=view.outstanding - view.aging[0].amount,
        ages=parts_of(
            [(each.bucket, each.amount.decimal()) for each in view.aging],
            shares=[f"{each.items} {'item' if each.items == 1 else 'items'}" for each in view.aging],
        ),
        age_of=lambda bucket: age_of(read.office.scheme.rank(bucket), len(names)),
        campaign=_campaign(service, view.campaign_id),
        dispute_reasons=read.office.casework.dispute_reasons or DISPUTE_REASONS,
        filters=filters,
        **({} if is_past else of_account(request, service, readings, view.id, read.office)),
        agent_phone=request.cookies.get(AGENT_PHONE, ""),
        **{
            **_tab(
                service,
                filters,
                tab=tab,
                read=read,
                view=view,
                readings=readings,
                here=here,
                cursor=cursor,
                is_past=is_past,
            ),
            **(more or {}),
        },
    )


def _warnings(view: AccountView) -> list[str]:
    """What somebody has to know before they contact the customer, in a few words each."""
    found = [each.says for each in view.contact_facts if each.kind in _HOLDS_BACK]
    if view.disputes:
        found.append("Disputed" if len(view.disputes) == 1 else f"{len(view.disputes)} disputes")
    found += [f"On hold: {each.code}" for each in view.holds]
    found += [f"Legal case: {each.kind}" for each in view.legal_cases]
    if any(each.answered_on is None for each in view.complaints):
        found.append("Complaint to be answered")
    if view.payment_claims:
        found.append("Said to be paid")
    if view.exclusion:
        found.append("Excluded from auto-collection")
    if view.frozen:
        found.append("Frozen")
    return found


def _filters(said: Mapping[str, str], office: Office) -> ActivityFilters:
    """Raises FieldProblem."""
    days = {name: day_of(name, said) for name in ("from", "to") if said.get(name)}
    return ActivityFilters(
        type=said.get("type") or None,
        channel=said.get("channel") or None,
        direction=said.get("direction") or None,
        agent=said.get("agent") or None,
        outcome=said.get("outcome") or None,
        since=days.get("from"),
        until=days.get("to"),
        text=said.get("text") or None,
        defined=defined_in([office]),
    )


def _campaign(service: Service, campaign_id: UUID | None) -> Campaign | None:
    if campaign_id is None:
        return None
    try:
        return service.arrears.load(Campaign, campaign_id)
    except AggregateNotFoundError:
        return None


def _fees(readings: Reader, view: AccountView) -> list[FeeView]:
    """None yet of an account that the ledger does not show: it was opened a moment ago."""
    with readings.connection() as connection, suppress(UnknownAccount):
        return fees_of(connection, view.id)
    return []


def _tab(
    service: Service,
    filters: Mapping[str, str],
    *,
    tab: str,
    read: AccountRead,
    view: AccountView,
    readings: Reader,
    here: str,
    cursor: str | None,
    is_past: bool,
) -> dict[str, Any]:
    """What the chosen part of the page shows."""
    as_of = read.as_of if is_past else None
    match tab:
        case "payments":
            question = Question("page", tab, view.id, as_of)
            inner = unwrap_cursor(question, cursor)
            with readings.connection(with_cursor=cursor is not None) as connection:
                later = events_to_be_shown(service, connection, view.id)
                came_in = funds_page(connection, readings.log, read, later=later, limit=_PER_PAGE, cursor=inner)
                write_offs = write_offs_shown(connection, readings.log, read.account, later=later)
            funds = came_in.rows
            there = [] if is_past else _there(funds, view)
            own = [each for each in there if each.kind is FundsKind.PAYMENT and each.transferred_from is None]
            return {
                "funds": funds,
                "cursor": cursor,
                "next_url": _next(here, tab, as_of, wrap_cursor(question, came_in.next_cursor)),
                "to_allocate": there,
                "to_send": own,
                "taken_back": [] if is_past else [each for each in funds if each.reversed and each.kind == "payment"],
                "documents": [] if is_past else _documents(read, view, funds),
                "write_offs": [each for each in write_offs if each.written_off_on <= read.as_of],
                "fees": [fee for fee in _fees(readings, view) if fee.issued_on <= read.as_of],
                "fee_bases": [*FeeBasis],
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
                "attachments": attachments_of(service, view.id),
                "next_url": _next(here, tab, as_of, wrap_cursor(question, sent.next_cursor)),
            }
        case "attachments":
            return files_shown(service, view.id)
        case "conversation":
            question = Question("page", tab, view.id)
            inner = unwrap_cursor(question, cursor)
            with readings.connection(with_cursor=cursor is not None) as connection:
                page = thread_entries(connection, readings.log, view.id, limit=_PER_PAGE, cursor=inner)
            following = _next(here, tab, as_of, wrap_cursor(question, page.next_cursor))
            return {"threads": threads_of(service, view.id, page).threads, "next_url": following}
        case "activity":
            asked = _filters(filters, read.office)
            question = Question("page", tab, view.id, as_of, *astuple(asked))
            inner = unwrap_cursor(question, cursor)
            with readings.connection(with_cursor=cursor is not None) as connection:
                done = activity(
                    connection, readings.log, view.id, as_of=as_of, filters=asked, limit=_PER_PAGE, cursor=inner
                )
            following = _next(here, tab, as_of, wrap_cursor(question, done.next_cursor))
            said = urlencode({name: value for name, value in filters.items() if value})
            return {
                "activity": done.rows,
                "choices": {"type": [*TYPES], "channel": [*Channel], "direction": [*Direction]},
                "next_url": f"{following}&{said}" if following and said else following,
            }
        case "audit":
            question = Question("page", tab, view.id)
            inner = unwrap_cursor(question, cursor)
            with readings.connection(with_cursor=cursor is not None) as connection:
                trail = audit(connection, readings.log, view.id, limit=_PER_PAGE, cursor=inner)
            return {"audit": trail.rows, "next_url": _next(here, tab, as_of, wrap_cursor(question, trail.next_cursor))}
        case "calls":
            calls = {} if is_past else phone_calls(service, read.account)
            placed = calls_placed(service, read.account, read.office)
            script = {} if is_past else {"call_script": call_script_of(service, read)}
            return {"phone_calls": calls, **script, **placed}
        case "contact":
            return {"fact_choices": fact_choices()}
        case "overview" | "casework":
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
            shown: dict[str, Any] = {"promises": made.rows[::-1]}
            if tab == "casework":
                shown |= _casework(readings.service, view.id)
            return shown
        case _:
            return {}


def files_shown(service: Service, account_id: UUID) -> dict[str, Any]:
    """Files of the account, and which ones may be added."""
    return {
        "attachments": attachments_of(service, account_id),
        "file_endings": [f".{ending}" for ending in ENDINGS],
        "file_titles": [each.title for each in FILE_TYPES.values()],
        "file_megabytes": most_bytes(service.env) // 1_000_000,
    }


def _casework(service: Service, account_id: UUID) -> dict[str, Any]:
    """What was said and done about the account, in force or over."""
    files: dict[str, list[AttachmentRow]] = defaultdict(list)
    for each in attachments_of(service, account_id):
        files[each.about or ""].append(each)
    found = casework_of(service, account_id)
    return {
        "files_of": files,
        "flag_rows": found.flags,
        "hold_rows": found.holds,
        "complaint_rows": found.complaints,
        "complaint_kinds": COMPLAINT_KINDS,
        "media": list(ComplaintMedium),
        "dispute_rows": found.disputes,
        "legal_rows": found.legal_cases,
        "legal_states": [state for state in LegalState if state is not LegalState.PREPARED],
        "claim_rows": found.payment_claims,
    }


def _there(funds: list[FundsView], view: AccountView) -> list[FundsView]:
    """What the forms offer: of the payments and credits that are shown those that were not taken back, and all of which
    something is unapplied."""
    shown = {each.id for each in funds}
    others = [each for each in view.unapplied_funds[::-1] if each.id not in shown]
    return [each for each in (*funds, *others) if not each.reversed]


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

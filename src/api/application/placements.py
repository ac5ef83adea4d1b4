"""Placements for every door: which agencies an office has, what comes back from them, and files that are asked for."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from adapters.eventstore.application import Arrears
from adapters.eventstore.requests import Requests
from adapters.placement.answers import Came, Context, Said, lines_of, names_in, said_by
from adapters.placement.answers import RowProblem as RowProblem  # noqa: PLC0414  doors show it
from adapters.placement.encryption import key_shown
from adapters.placement.layouts import LayoutError, layout_of, shipped_layout, shipped_layouts
from aggregates.account import Account
from aggregates.account.command import ids_by_name
from aggregates.account.placement import PostAgencyPayment
from aggregates.kernel.command import Accepted, Issued, Rejected
from aggregates.kernel.deciding import rejected
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office
from aggregates.values.agency import Agency, Layout
from aggregates.values.money import Money
from api.application.authority import may_issue
from api.application.issuing import Caller, Issuing, NotPermitted, Refused
from api.processes.service import Service
from projections.answer import AmountText
from projections.questions.placements import placement_files

_ROWS_AT_ONCE = 250
MOST_NAMED = 1_000
"""Rejected rows that are named in an answer."""

# --- agencies ----------------------------------------------------------------------------------------


class AgencyView(BaseModel):
    """An agency of an office, and its terms. `commission` is in percent."""

    code: str
    office: str
    title: str
    layout: str
    format: str
    channel: str
    client_number: str | None
    fingerprint: str | None
    """Of the OpenPGP key that its files are encrypted with; null: they leave as they are written."""
    key_expires_on: date | None
    """The day on which that ends."""
    commission: str
    recall_after_days: int | None
    acknowledged_within: int
    retired: bool


def agencies_of(office: Office) -> list[AgencyView]:
    """By code; those that are retired too."""
    return [
        AgencyView(
            code=code,
            office=office.code,
            title=each.title,
            layout=each.layout,
            format=each.format.value,
            channel=each.channel.value,
            client_number=each.client_number,
            **_key(each),
            commission=percent(each.commission_bp),
            recall_after_days=each.recall_after_days,
            acknowledged_within=each.acknowledged_within,
            retired=each.retired,
        )
        for code, each in sorted(office.agencies.items())
    ]


def _key(agency: Agency) -> dict[str, Any]:
    shown = None if agency.public_key is None else key_shown(agency.public_key)
    expires = None if shown is None else shown.expires_at
    return {
        "fingerprint": None if shown is None else shown.fingerprint,
        "key_expires_on": None if expires is None else expires.date(),
    }


def percent(basis_points: int) -> str:
    """`25` or `12.5`."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02}".rstrip("0").rstrip(".") if rest else str(whole)


def basis_points(percentage: str) -> int:
    """Of `25`, `25%` or `12.5`. Raises ValueError."""
    whole, point, rest = percentage.strip().removesuffix("%").strip().partition(".")
    if not _are_digits(whole) or len(whole) > 3 or (point and not _are_digits(rest)):
        raise ValueError(f"commission: expected a percentage such as 25 or 12.5, not {percentage!r}")
    if len(rest) > 2 or int(whole) > 100 or (int(whole) == 100 and rest.strip("0")):
        raise ValueError("commission: expected 0 to 100 percent, with at most two decimal places")
    return int(whole) * 100 + int(rest.ljust(2, "0") or 0)


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def with_layout(terms: Mapping[str, Any], named: str | None, text: str | None) -> dict[str, Any]:
    """The terms of an agency with a layout that Arrears has, or with its own in TOML. Raises ValueError."""
    if text is not None:
        own: Layout = layout_of(text)
        if own.name in shipped_layouts():
            raise LayoutError(f"layout, name: expected another than {own.name}, which Arrears has")
        return {**terms, "layout": own.name, "own_layout": own.model_dump(mode="json")}
    if named is None:
        return dict(terms)
    return {**terms, "layout": shipped_layout(named).name, "own_layout": None}


def require_agency(office: Office, code: str) -> Agency:
    """Also one that is retired. Raises Refused."""
    if code in office.agencies:
        return office.agencies[code]
    try:
        return office.require_agency(code)
    except Refusal as refusal:
        raise Refused(rejected(refusal)) from None


# --- what comes back ---------------------------------------------------------------------------------


class RejectedRow(BaseModel):
    """A row that was not brought in, by its line in the file, and why."""

    line: int
    record: str
    account: str
    code: str
    problem: str


class PaidIn(BaseModel):
    """The payments of a file in one currency."""

    currency: str
    total: AmountText


class AnswersRead(BaseModel):
    """What came of an agency's file: rows that were brought in by their `record`, and those that were rejected."""

    agency: str
    office: str
    dry_run: bool
    rows: int
    done: dict[str, int]
    known: int
    """Rows that had been brought in before; they are not done again."""
    rejected: int
    paid: list[PaidIn]
    problems: list[RejectedRow]
    """At most `MOST_NAMED`."""


def read_answers(
    issuing: Issuing,
    caller: Caller,
    office: Office,
    agency: str,
    content: str,
    *,
    dry_run: bool = False,
    reason: str | None = None,
) -> AnswersRead:
    """Brings in what an agency's file says: row by row, each once, however often it is read.

    Raises AnswerProblem where the file as a whole cannot be read, or its trailer says other totals; Refused.
    """
    require_agency(office, agency)
    service, caller = issuing.service, replace(caller, reason=reason or caller.reason)
    lines = lines_of(content)
    came = Came()
    with ExitStack() as closing:
        arrears: Arrears = closing.enter_context(service.trial()) if dry_run else service.arrears
        for first in range(0, len(lines), _ROWS_AT_ONCE):
            some = lines[first : first + _ROWS_AT_ONCE]
            context = _context(service, office, agency, names_in(some))
            found = [said_by(each, context) for each in some]
            came.problems += [each for each in found if isinstance(each, RowProblem)]
            _bring_in(arrears, issuing.requests, caller, [each for each in found if isinstance(each, Said)], came)
    return AnswersRead(
        agency=agency,
        office=office.code,
        dry_run=dry_run,
        rows=len(lines),
        done=came.done,
        known=came.known,
        rejected=len(came.problems),
        paid=[PaidIn(currency=each, total=total.decimal()) for each, total in sorted(came.paid.items())],
        problems=[
            RejectedRow(line=e.line, record=e.record, account=e.account, code=e.code, problem=e.problem)
            for e in sorted(came.problems, key=lambda each: each.line)[:MOST_NAMED]
        ],
    )


def _context(service: Service, office: Office, agency: str, names: Sequence[str]) -> Context:
    """Accounts are found by their ids, which follow from their numbers: as they are stored, not as tables show them."""
    ids = [each for name in names if name for each in ids_by_name(office.id, name)]
    accounts = service.arrears.load_many(Account, ids)

    def file_named(name: str) -> tuple[UUID, str] | None:
        with service.database.connect("arrears_app") as connection:
            page = placement_files(connection, office=office.code, agency=agency, name=name, limit=1)
        return (page.rows[0].id, page.rows[0].currency) if page.rows else None

    return Context(office.id, agency, {each.id: each for each in accounts}, file_named)


def _bring_in(arrears: Arrears, requests: Requests, caller: Caller, rows: Sequence[Said], came: Came) -> None:
    for each in rows:
        if not may_issue(caller.authority, each.command):
            raise NotPermitted(f"{each.command.command_name} is for Arrears itself")
    seen = set[UUID]()
    fresh = list[Said]()
    for each in rows:
        if each.command_id in seen or requests.is_done(each.command_id):
            came.known += 1
        elif problem := _no_more(each, requests):
            came.problems.append(problem)
        else:
            seen.add(each.command_id)
            fresh.append(each)
    outcomes = arrears.handle([_issued(each, caller) for each in fresh])
    for each, outcome in zip(fresh, outcomes, strict=True):
        if isinstance(outcome, Rejected):
            came.problems.append(RowProblem(each.line, each.record, each.account, outcome.reason_code, _said(outcome)))
        else:
            _count(each, outcome, came)


def _no_more(row: Said, requests: Requests) -> RowProblem | None:
    """Why a row is not brought in that is about a placement that is over, or may be."""
    if row.is_over:
        return RowProblem(row.line, row.record, row.account, "not-placed", "the placement is over already")
    if any(requests.is_done(each) for each in row.said_before):
        problem = "placement_id or date: expected one, because the same came in for an earlier placement of the account"
        return RowProblem(row.line, row.record, row.account, "bad-row", problem)
    return None


def _count(row: Said, outcome: Accepted, came: Came) -> None:
    if not outcome.event_ids:
        came.known += 1
        return
    came.done[row.record] = came.done.get(row.record, 0) + 1
    if isinstance(row.command, PostAgencyPayment):
        amount = row.command.amount
        came.paid[amount.currency] = came.paid.get(amount.currency, Money.zero(amount.currency)) + amount


def _said(outcome: Rejected) -> str:
    if outcome.reason_code == "duplicate":
        return "another payment of this reference was brought in before"
    return outcome.detail


def _issued(row: Said, caller: Caller) -> Issued:
    key = row.command.natural_key()
    return Issued(
        command=row.command,
        command_id=row.command_id,
        actor=caller.actor,
        reason=caller.reason,
        correlation_id=caller.correlation_id,
        key=key.id if key is not None else None,
        keeps_refusal=False,
    )

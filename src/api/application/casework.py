"""What people said and did about an account, in force or over, from its events: flags, holds, payment claims,
complaints, disputes, legal cases."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from pydantic import BaseModel

from aggregates.account import Account
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.complaints import (
    ComplaintAnswered,
    ComplaintClosed,
    ComplaintMedium,
    ComplaintOutcome,
    ComplaintOverdue,
    ComplaintReceived,
)
from aggregates.account.customer import AccountOpened
from aggregates.account.disputes import DISPUTE_REASONS, DisputeOpened, DisputeOverdue, DisputeResolved, Side
from aggregates.account.flags import FlagCleared, FlagSet
from aggregates.account.holds import HoldPlaced, HoldReleased
from aggregates.account.legal import LegalCaseMoved, LegalCaseNoted, LegalCaseOpened, LegalKind, LegalState
from aggregates.account.messages import MessageQueued, MessageSent, MessageWritten
from aggregates.account.payment_claims import PaymentClaimAccepted, PaymentClaimed, PaymentClaimEnded
from aggregates.kernel.event import Event, Recorded
from aggregates.office import Office
from aggregates.values.complaints import COMPLAINT_KINDS
from aggregates.values.contact import Channel
from api.application.amounts import Amount
from api.processes.service import Service
from projections.opening import without_nul
from projections.questions import UnknownAccount

# --- shapes ------------------------------------------------------------------------------------------


class FlagRow(BaseModel):
    """A flag that the account carries, or carried from one day to another."""

    flag: str
    title: str
    """As the office calls it now; its code where the office has it no more."""
    since: date
    until: date | None
    """The day on which it was taken off; null while it is carried."""
    set_by: str
    reason: str | None
    """Why it was set."""


class SentMessage(BaseModel):
    """A message that left."""

    sent_on: date
    channel: Channel
    title: str


class HoldRow(BaseModel):
    """A hold in force, or over."""

    id: UUID
    code: str
    invoices: list[str]
    """Of which only the chase rests; none: of the whole account."""
    since: date
    until: date | None
    """Its last day, where one was said."""
    ended_on: date | None
    """The day on which the chase went on; null while it rests."""
    placed_by: str
    reason: str | None
    sent_meanwhile: list[SentMessage]
    """Of a hold that began on an earlier day than it was said: what had left since then. It stays sent."""


class PaymentClaimRow(BaseModel):
    """What the customer says is paid, while that is checked or afterwards. `reference` and `notes` are personal."""

    id: UUID
    claimed_on: date
    invoices: list[str]
    """None: an amount of what is owed."""
    amount: Amount | None
    """What they say they paid, where they said."""
    expected: Amount
    paid_on: date | None
    reference: str | None
    notes: str | None
    assignee: str | None
    until: date
    """The last day of the check."""
    state: str
    """open, accepted (found to be paid, and to be booked), settled, rejected or lapsed."""
    ended_on: date | None
    reason: str | None
    """Why a person accepted or rejected it."""


class ComplaintRow(BaseModel):
    """A complaint, and what became of it. `subject` and the notes are personal."""

    id: UUID
    kind: str
    title: str
    """Of its kind."""
    source: str
    """The law that says by when it is answered; empty: the office says."""
    medium: ComplaintMedium
    received_on: date
    answer_by: date
    """The last day on which an answer is in time."""
    state: str
    """open, answered or closed."""
    overdue: bool
    """It was not answered in time."""
    rests: bool
    """The chase rests until it is answered or closed."""
    subject: str | None
    notes: str | None
    assignee: str | None
    answered_on: date | None
    answer: str | None
    """What was noted of the answer."""
    closed_on: date | None
    outcome: ComplaintOutcome | None
    reason: str | None
    """Why it ended so."""


class LegalStep(BaseModel):
    """A state of a legal case, and the day on which it began."""

    state: LegalState
    since: date


class LegalCaseRow(BaseModel):
    """A demand, lien or suit. Court, number, documents and notes are personal."""

    id: UUID
    kind: LegalKind
    state: LegalState
    since: date
    invoices: list[str]
    """None: all that is owed."""
    court: str | None
    case_number: str | None
    costs: Amount | None
    """All that were noted; no part of what is owed."""
    documents: list[str]
    notes: list[str]
    history: list[LegalStep]


class DisputeRow(BaseModel):
    """A dispute, open or resolved. `notes` is personal."""

    id: UUID
    reason_code: str
    title: str
    """What the office, or else the standard, calls the reason."""
    opened_on: date
    invoices: list[str]
    amounts: list[Amount]
    """Of those in part: how much of each; none: all of them."""
    assignee: str | None
    answer_by: date | None
    overdue: bool
    """It was not resolved by its day."""
    notes: str | None
    resolved_on: date | None
    resolution: str | None
    in_favour_of: Side | None
    reason: str | None
    """Why it ended so."""


# --- reading -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Casework:
    """All that was said and done about an account, each the latest first."""

    flags: list[FlagRow]
    holds: list[HoldRow]
    payment_claims: list[PaymentClaimRow]
    complaints: list[ComplaintRow]
    disputes: list[DisputeRow]
    legal_cases: list[LegalCaseRow]


def casework_of(service: Service, account_id: UUID) -> Casework:
    """All of it from one reading of the account's events. Raises UnknownAccount."""
    office, history = _read(service, account_id)
    return Casework(
        flags=flag_rows(history, office),
        holds=hold_rows(history),
        payment_claims=payment_claim_rows(history),
        complaints=complaint_rows(history),
        disputes=dispute_rows(history, _dispute_titles(office)),
        legal_cases=legal_case_rows(history),
    )


def flags_of(service: Service, account_id: UUID) -> list[FlagRow]:
    """Every flag that the account carries or carried, the latest first. Raises UnknownAccount."""
    office, history = _read(service, account_id)
    return flag_rows(history, office)


def flag_rows(history: Iterable[Recorded], office: Office) -> list[FlagRow]:
    """The flags that the events of an account tell of, with the titles that the office has for them."""
    rows: list[FlagRow] = []
    carried: dict[str, FlagRow] = {}
    for recorded in history:
        match recorded.event:
            case FlagSet(flag=flag):
                defined = office.flags.get(flag)
                row = FlagRow(
                    flag=flag,
                    title=defined.title if defined is not None else flag,
                    since=recorded.effective_on,
                    until=None,
                    set_by=_who(recorded),
                    reason=_reason(recorded),
                )
                rows.append(row)
                carried[flag] = row
            case FlagCleared(flag=flag) if flag in carried:
                carried.pop(flag).until = recorded.effective_on
    return rows[::-1]


def holds_of(service: Service, account_id: UUID) -> list[HoldRow]:
    """Every hold, the latest first. Raises UnknownAccount."""
    return hold_rows(_read(service, account_id)[1])


def hold_rows(history: Iterable[Recorded]) -> list[HoldRow]:
    """The holds that the events of an account tell of."""
    rows: dict[UUID, HoldRow] = {}
    names, sent = Names(), list[tuple[MessageSent, frozenset[UUID]]]()
    about: dict[UUID, frozenset[UUID]] = {}
    for recorded in history:
        names.note(recorded.event)
        match recorded.event:
            case (MessageQueued() | MessageWritten()) as queued:
                about[queued.message_id] = frozenset(item.item_id for item in queued.items)
            case MessageSent() as message:
                sent.append((message, about.get(message.message_id, frozenset())))
            case HoldPlaced() as placed:
                rows[placed.hold_id] = HoldRow(
                    id=placed.hold_id,
                    code=placed.code,
                    invoices=names.of(placed.item_ids or ()),
                    sent_meanwhile=[
                        SentMessage(sent_on=each.sent_on, channel=each.channel, title=each.step_title or "by hand")
                        for each, items in sent
                        if placed.begins_on is not None
                        and each.sent_on >= placed.begins_on
                        and (placed.item_ids is None or items & set(placed.item_ids))
                    ],
                    since=recorded.effective_on,
                    until=placed.until,
                    ended_on=None,
                    placed_by=_who(recorded),
                    reason=_reason(recorded),
                )
            case HoldReleased(hold_id=hold_id) if hold_id in rows:
                rows[hold_id].ended_on = recorded.effective_on
    return [*rows.values()][::-1]


def payment_claims_of(service: Service, account_id: UUID) -> list[PaymentClaimRow]:
    """Every payment claim, the latest first. Raises UnknownAccount."""
    return payment_claim_rows(_read(service, account_id)[1])


def payment_claim_rows(history: Iterable[Recorded]) -> list[PaymentClaimRow]:
    """The payment claims that the events of an account tell of."""
    rows: dict[UUID, PaymentClaimRow] = {}
    names = Names()
    for recorded in history:
        names.note(recorded.event)
        match recorded.event:
            case PaymentClaimed() as event:
                rows[event.claim_id] = PaymentClaimRow(
                    id=event.claim_id,
                    claimed_on=event.claimed_on,
                    invoices=names.of(event.item_ids),
                    amount=event.amount,
                    expected=event.expected,
                    paid_on=event.paid_on,
                    reference=without_nul(event.reference),
                    notes=without_nul(event.notes),
                    assignee=event.assignee,
                    until=event.until,
                    state="open",
                    ended_on=None,
                    reason=None,
                )
            case PaymentClaimAccepted(claim_id=claim_id, until=until):
                row = rows[claim_id]
                row.state, row.until, row.reason = "accepted", until, _reason(recorded)
            case PaymentClaimEnded(claim_id=claim_id, outcome=outcome):
                row = rows[claim_id]
                row.state, row.ended_on = outcome.value, recorded.effective_on
                row.reason = _reason(recorded) or row.reason
    return [*rows.values()][::-1]


def complaints_of(service: Service, account_id: UUID) -> list[ComplaintRow]:
    """Every complaint, the latest first. Raises UnknownAccount."""
    return complaint_rows(_read(service, account_id)[1])


def complaint_rows(history: Iterable[Recorded]) -> list[ComplaintRow]:
    """The complaints that the events of an account tell of."""
    rows: dict[UUID, ComplaintRow] = {}
    for recorded in history:
        match recorded.event:
            case ComplaintReceived() as event:
                kind = COMPLAINT_KINDS.get(event.kind)
                rows[event.complaint_id] = ComplaintRow(
                    id=event.complaint_id,
                    kind=event.kind,
                    title=kind.title if kind is not None else event.kind,
                    source=kind.source if kind is not None else "",
                    medium=event.medium,
                    received_on=event.received_on,
                    answer_by=event.answer_by,
                    state="open",
                    overdue=False,
                    rests=event.rests,
                    subject=without_nul(event.subject),
                    notes=without_nul(event.notes),
                    assignee=event.assignee,
                    answered_on=None,
                    answer=None,
                    closed_on=None,
                    outcome=None,
                    reason=None,
                )
            case ComplaintAnswered(complaint_id=complaint_id) as event:
                row = rows[complaint_id]
                row.state, row.answered_on, row.answer = "answered", event.answered_on, without_nul(event.notes)
            case ComplaintOverdue(complaint_id=complaint_id):
                rows[complaint_id].overdue = True
            case ComplaintClosed(complaint_id=complaint_id, outcome=outcome):
                row = rows[complaint_id]
                row.state, row.closed_on, row.outcome = "closed", recorded.effective_on, outcome
                row.reason = _reason(recorded)
    return [*rows.values()][::-1]


def legal_cases_of(service: Service, account_id: UUID) -> list[LegalCaseRow]:
    """Every legal case, the latest first. Raises UnknownAccount."""
    return legal_case_rows(_read(service, account_id)[1])


def legal_case_rows(history: Iterable[Recorded]) -> list[LegalCaseRow]:
    """The legal cases that the events of an account tell of."""
    rows: dict[UUID, LegalCaseRow] = {}
    names = Names()
    for recorded in history:
        names.note(recorded.event)
        match recorded.event:
            case LegalCaseOpened() as event:
                rows[event.case_id] = LegalCaseRow(
                    id=event.case_id,
                    kind=event.kind,
                    state=LegalState.PREPARED,
                    since=event.opened_on,
                    invoices=names.of(event.item_ids),
                    court=None,
                    case_number=None,
                    costs=None,
                    documents=[],
                    notes=[],
                    history=[LegalStep(state=LegalState.PREPARED, since=event.opened_on)],
                )
                _note(rows[event.case_id], event)
            case LegalCaseMoved() as event:
                row = rows[event.case_id]
                row.state, row.since = event.state, event.moved_on
                row.history.append(LegalStep(state=event.state, since=event.moved_on))
                _note(row, event)
            case LegalCaseNoted() as event:
                _note(rows[event.case_id], event)
    return [*rows.values()][::-1]


def _note(row: LegalCaseRow, event: LegalCaseOpened | LegalCaseMoved | LegalCaseNoted) -> None:
    row.court = without_nul(event.court) or row.court
    row.case_number = without_nul(event.case_number) or row.case_number
    if event.cost is not None:
        row.costs = event.cost if row.costs is None else row.costs + event.cost
    row.documents += [name for each in event.documents if (name := without_nul(each))]
    if notes := without_nul(event.notes):
        row.notes.append(notes)


def disputes_of(service: Service, account_id: UUID) -> list[DisputeRow]:
    """Every dispute, the latest first. Raises UnknownAccount."""
    office, history = _read(service, account_id)
    return dispute_rows(history, _dispute_titles(office))


def _dispute_titles(office: Office) -> Mapping[str, str]:
    return {**DISPUTE_REASONS, **office.casework.dispute_reasons}


def dispute_rows(history: Iterable[Recorded], titles: Mapping[str, str]) -> list[DisputeRow]:
    """The disputes that the events of an account tell of; `titles` are those of reasons, by code."""
    rows: dict[UUID, DisputeRow] = {}
    names = Names()
    for recorded in history:
        names.note(recorded.event)
        match recorded.event:
            case DisputeOpened() as event:
                rows[event.dispute_id] = DisputeRow(
                    id=event.dispute_id,
                    reason_code=event.reason_code,
                    title=titles.get(event.reason_code, event.reason_code),
                    opened_on=event.opened_on,
                    invoices=names.of(event.item_ids),
                    amounts=[part.amount for part in event.parts or ()],
                    assignee=event.assignee,
                    answer_by=event.answer_by,
                    overdue=False,
                    notes=without_nul(event.notes),
                    resolved_on=None,
                    resolution=None,
                    in_favour_of=None,
                    reason=None,
                )
            case DisputeOverdue(dispute_id=dispute_id):
                rows[dispute_id].overdue = True
            case DisputeResolved() as event:
                row = rows[event.dispute_id]
                row.resolved_on = event.resolved_on or recorded.effective_on
                row.resolution, row.in_favour_of = event.resolution, event.in_favour_of
                row.reason = _reason(recorded)
    return [*rows.values()][::-1]


class Names:
    """What people call the items of an account, from its events."""

    def __init__(self) -> None:
        self._names: dict[UUID, str] = {}

    def note(self, event: Event) -> None:
        if isinstance(event, InvoiceBilled | InvoiceCorrected):
            self._names[event.item.id] = event.item.name

    def of(self, item_ids: Iterable[UUID]) -> list[str]:
        return [self._names[each] for each in item_ids if each in self._names]


def _read(service: Service, account_id: UUID) -> tuple[Office, list[Recorded]]:
    history = service.arrears.history(Account, account_id)
    return service.arrears.load(Office, _opened(history).office_id), history


def _opened(history: Iterable[Recorded]) -> AccountOpened:
    for recorded in history:
        if isinstance(recorded.event, AccountOpened):
            return recorded.event
    raise UnknownAccount("there is no such account")


def _who(recorded: Recorded) -> str:
    return recorded.meta.actor


def _reason(recorded: Recorded) -> str | None:
    return without_nul(recorded.meta.reason)

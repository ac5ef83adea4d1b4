"""What people said and did about an account, in force or over, from its events: flags, holds, payment
claims."""

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from pydantic import BaseModel

from aggregates.account import Account
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.customer import AccountOpened
from aggregates.account.flags import FlagCleared, FlagSet
from aggregates.account.holds import HoldPlaced, HoldReleased
from aggregates.account.messages import MessageQueued, MessageSent
from aggregates.account.payment_claims import PaymentClaimAccepted, PaymentClaimed, PaymentClaimEnded
from aggregates.kernel.event import Event, Recorded
from aggregates.office import Office
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


# --- reading -----------------------------------------------------------------------------------------


def flags_of(service: Service, account_id: UUID) -> list[FlagRow]:
    """Every flag that the account carries or carried, the latest first. Raises UnknownAccount."""
    office, history = _read(service, account_id)
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
            case MessageQueued() as queued:
                about[queued.message_id] = frozenset(item.item_id for item in queued.items)
            case MessageSent() as message:
                sent.append((message, about.get(message.message_id, frozenset())))
            case HoldPlaced() as placed:
                rows[placed.hold_id] = HoldRow(
                    id=placed.hold_id,
                    code=placed.code,
                    invoices=names.of(placed.item_ids or ()),
                    sent_meanwhile=[
                        SentMessage(sent_on=each.sent_on, channel=each.channel, title=each.step_title)
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

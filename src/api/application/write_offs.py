"""Write-offs of an account, standing or reversed, from its events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from pydantic import BaseModel

from adapters.postgres.database import Connection
from aggregates.account import Account
from aggregates.account.write_offs import DebtWrittenOff, WriteOffReversed
from aggregates.kernel.event import Recorded
from aggregates.values.money import Money
from api.application.account_view import account_now, events_to_be_shown, together
from api.application.amounts import Amount
from api.processes.service import Service
from projections.opening import Opens, without_nul
from projections.questions.audit import positions_of
from projections.questions.funds import latest_of_items


class WriteOffRow(BaseModel):
    """What was written off, and what became of it."""

    number: str
    code: str
    """The office's reason."""
    written_off_on: date
    amount: Amount
    recovered: Amount
    """What was paid of it since; of one that was reversed, before that."""
    stands: Amount
    """What still is written off; of one that was reversed, what is open again."""
    claim_kept: bool
    invoices: list[str]
    """At most 20 of them."""
    by: str
    reason: str | None
    reversed_on: date | None


@dataclass
class _Said:
    first: Recorded
    parts: list[DebtWrittenOff] = field(default_factory=list)
    reversal: WriteOffReversed | None = None


MOST_INVOICES = 20
_ABOUT = (DebtWrittenOff, WriteOffReversed)


def write_offs_of(service: Service, connection: Connection, account_id: UUID) -> list[WriteOffRow]:
    """The latest first. Raises UnknownAccount."""
    account = account_now(service, account_id)
    later = events_to_be_shown(service, connection, account_id)
    return write_offs_shown(connection, service.feed, account, later=later)


def write_offs_shown(
    connection: Connection, log: Opens, account: Account, *, later: Sequence[Recorded]
) -> list[WriteOffRow]:
    """The same: however long the history is, only what is said of write-offs is read of it. `later` are the events that
    read tables do not show yet."""
    opened = log.at(positions_of(connection, account.id, [each.event_name for each in _ABOUT]))
    history = together(opened, (recorded for recorded in later if isinstance(recorded.event, _ABOUT)))
    if not history:
        return []
    items = [
        part.item_id
        for recorded in history
        if isinstance(recorded.event, DebtWrittenOff)
        for part in recorded.event.parts[:MOST_INVOICES]
    ]
    billed = log.at(latest_of_items(connection, account.id, items))
    return _rows(history, account, dict(_names(together(billed, later))))


def _rows(history: Iterable[Recorded], account: Account, names: Mapping[UUID, str]) -> list[WriteOffRow]:
    said: dict[UUID, _Said] = {}
    for recorded in history:
        match recorded.event:
            case DebtWrittenOff() as event:
                said.setdefault(event.write_off_id, _Said(recorded)).parts.append(event)
            case WriteOffReversed() as event:
                said[event.write_off_id].reversal = event
            case _:
                pass
    return [_row(each, account, names) for each in said.values()][::-1]


def _names(history: Iterable[Recorded]) -> Iterable[tuple[UUID, str]]:
    for recorded in history:
        item = getattr(recorded.event, "item", None)
        if item is not None and hasattr(item, "name"):
            yield item.id, item.name


def _row(said: _Said, account: Account, names: Mapping[UUID, str]) -> WriteOffRow:
    first, reversal = said.parts[0], said.reversal
    standing = account.receivables.write_offs.get(first.write_off_id)
    if reversal is not None:
        stands, recovered = reversal.amount, reversal.recovered
    elif standing is not None:
        stands, recovered = standing.stands, standing.recovered
    else:
        stands = Money.total((each.amount for each in said.parts), first.amount.currency)
        recovered = stands - stands
    of = [part.item_id for each in said.parts for part in each.parts if part.amount]
    return WriteOffRow(
        number=first.number,
        code=first.code,
        written_off_on=first.written_off_on,
        amount=stands + recovered,
        recovered=recovered,
        stands=stands,
        claim_kept=first.keeps_claim,
        invoices=[names.get(item_id, "") for item_id in of[:MOST_INVOICES]],
        by=str(said.first.meta.actor),
        reason=without_nul(said.first.meta.reason),
        reversed_on=None if reversal is None else reversal.reversed_on,
    )

"""Money that is put elsewhere than it was, because a fact of an earlier day was booked: events of a bounded size."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, partial
from typing import Annotated
from uuid import UUID

from aggregates.account.allocation_walk import Move
from aggregates.account.receivables import (
    Funds,
    Item,
    KeptFor,
    OpenItem,
    Place,
    Receipt,
    Receivables,
    WriteOffChange,
    place_if_open,
)
from aggregates.kernel.event import Event
from aggregates.kernel.value import LATER, Value
from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money

_MOST_MOVES = 500
_MOST_BYTES = 240_000
"""Of an event's own, roughly: the contract allows 256 kB with everything around."""

# --- values ------------------------------------------------------------------------------------------


class MovedAmount(Value):
    """Money that is put against an item as of a day, or (negative) was not put there on that day after all."""

    moved_on: date
    funds_id: UUID
    item_id: UUID
    amount: Money


class MovedItem(Value):
    """An item after money moved. `item` says what it is where nothing was open before: `open_after` zero settles it."""

    item_id: UUID
    open_after: Money
    open_since: date
    bucket: str
    """The one that its days past due say when the money is moved; `next_on` is the day of the next one."""
    next_on: date | None
    known_on: date
    item: Item | None = None
    dispute_id: UUID | None = None
    steps: tuple[str, ...] = ()
    place: Annotated[Place | None, LATER] = None


class MovedFunds(Value):
    """A payment or credit after its money moved. `receipt` says what it is where all of it was used before."""

    funds_id: UUID
    unapplied_after: Money
    receipt: Receipt | None = None
    kept_for: KeptFor = None


class MovedWriteOff(Value):
    """An amount of an item that is written off as of a day, or (negative) is not: recovered, reversed or never was."""

    moved_on: date
    write_off_id: UUID
    item_id: UUID
    amount: Money
    keeps_claim: bool
    change: WriteOffChange


# --- the event ---------------------------------------------------------------------------------------


class FundsReallocated(Event, name="account.funds-reallocated"):
    """Money is put against items as the facts of a day and all later ones say. The balance is what it was.

    What is taken back is negative, on the day on which it had been put there: it never was. `more`: another such event
    follows at once, since one holds 500 movements at most.
    """

    from_day: date
    moves: tuple[MovedAmount, ...]
    items: tuple[MovedItem, ...]
    funds: tuple[MovedFunds, ...]
    more: bool = False
    write_offs: Annotated[tuple[MovedWriteOff, ...] | None, LATER] = None
    """Write-offs that give way to money, or take what that money no longer pays."""


def reallocations(
    receivables: Receivables,
    changes: Iterable[Move],
    since: Mapping[UUID, date],
    *,
    from_day: date,
    today: date,
    scheme: BucketScheme,
) -> Iterator[FundsReallocated]:
    """The events that move all of that, each to be applied before the next is asked for; one where nothing moves.

    `since` is the latest day on which something was taken back from an item. The whole history is at hand.
    """
    after = _After(receivables, since, today, scheme)
    rest = deque(changes)
    while True:
        part = _Part()
        while rest and not part.is_full:
            after.move(rest.popleft(), part)
        yield FundsReallocated(
            from_day=from_day,
            moves=tuple(map(after.amount_of, part.moves)),
            write_offs=tuple(each for moved in part.write_offs for each in after.written_off_of(*moved)) or None,
            items=tuple(after.item_of(*each) for each in part.items.values()),
            funds=tuple(after.funds_of(*each) for each in part.funds.values()),
            more=bool(rest),
        )
        if not rest:
            return


@dataclass
class _Part:
    """What one event moves. Items and funds stand with whether nothing of them was open, or left, before."""

    moves: list[Move] = field(default_factory=list)
    write_offs: list[tuple[Move, OpenItem]] = field(default_factory=list)
    items: dict[UUID, tuple[OpenItem, bool]] = field(default_factory=dict)
    funds: dict[UUID, tuple[Funds, bool]] = field(default_factory=dict)
    weight: int = 0
    """Bytes, roughly."""

    @property
    def is_full(self) -> bool:
        return len(self.moves) + len(self.write_offs) >= _MOST_MOVES or self.weight >= _MOST_BYTES


class _After:
    """Items and funds as they are after everything that was moved so far."""

    def __init__(self, receivables: Receivables, since: Mapping[UUID, date], today: date, scheme: BucketScheme) -> None:
        self._receivables = receivables
        self._since = since
        self._today = today
        self._scheme = scheme
        self._open: dict[UUID, int] = {}
        self._left: dict[UUID, int] = {}
        self._aged = cache(self._age)
        self._money = cache(partial(Money, currency=receivables.customer.currency))

    def move(self, move: Move, part: _Part) -> None:
        receivables = self._receivables
        item = receivables.items.get(move.item_id) or receivables.settled[move.item_id]
        was_open = self._open.get(item.id, item.open.minor)
        self._open[item.id] = was_open - move.amount
        part.weight += 200
        if item.id not in part.items:
            part.items[item.id] = item, not was_open
            part.weight += _weight_of_item(item, is_reopened=not was_open)
        if move.funds_id in receivables.written_off:
            part.write_offs.append((move, item))
            part.weight += 50
            return
        funds = receivables.funds.get(move.funds_id) or receivables.used_up[move.funds_id]
        had = self._left.get(funds.id, funds.unapplied.minor)
        self._left[funds.id] = had - move.amount
        part.moves.append(move)
        if funds.id not in part.funds:
            part.funds[funds.id] = funds, not had
            part.weight += 150 if had else 650

    def amount_of(self, move: Move) -> MovedAmount:
        return MovedAmount(
            moved_on=move.day, funds_id=move.funds_id, item_id=move.item_id, amount=self._money(move.amount)
        )

    def written_off_of(self, move: Move, item: OpenItem) -> Iterator[MovedWriteOff]:
        """One, or two where a part of what is taken back had counted as written off on the write-off's own day."""
        receivables = self._receivables
        gone = receivables.reversed_write_offs.get(move.funds_id)
        write_off, gone_on = gone or (receivables.write_offs[move.funds_id], None)
        counted = receivables.on_its_day.get((move.funds_id, move.item_id, move.day), 0)
        back = -min(counted, -move.amount) if counted > 0 and move.amount < 0 else 0
        rest = _change(move.day, max(write_off.written_off_on, item.item.issued_on), gone_on)
        for amount, change in ((back, WriteOffChange.WRITTEN_OFF), (move.amount - back, rest)):
            if amount:
                yield MovedWriteOff(
                    moved_on=move.day,
                    write_off_id=move.funds_id,
                    item_id=move.item_id,
                    amount=self._money(amount),
                    keeps_claim=write_off.keeps_claim,
                    change=change,
                )

    def item_of(self, item: OpenItem, was_settled: bool) -> MovedItem:
        open_after = self._money(self._open[item.id])
        bucket, next_on = self._aged(item.due_on)
        return MovedItem(
            item_id=item.id,
            open_after=open_after,
            open_since=max(self._since.get(item.id, date.min), item.item.issued_on),
            bucket=bucket,
            next_on=next_on,
            known_on=item.known_on,
            item=item.item if was_settled else None,
            dispute_id=item.dispute_id,
            steps=tuple(item.steps),
            place=place_if_open(item, open_after, self._today),
        )

    def funds_of(self, funds: Funds, was_used_up: bool) -> MovedFunds:
        return MovedFunds(
            funds_id=funds.id,
            unapplied_after=self._money(self._left[funds.id]),
            receipt=funds.receipt if was_used_up else None,
            kept_for=self._receivables.kept_for(funds) if was_used_up else None,
        )

    def _age(self, due_on: date) -> tuple[str, date | None]:
        return self._scheme.bucket_of((self._today - due_on).days), self._scheme.next_boundary(due_on, self._today)


def _change(day: date, begins: date, gone_on: date | None) -> WriteOffChange:
    """One that is reversed as of its own day never was."""
    if day <= begins:
        return WriteOffChange.WRITTEN_OFF
    return WriteOffChange.REVERSED if day == gone_on else WriteOffChange.RECOVERED


def _weight_of_item(item: OpenItem, *, is_reopened: bool) -> int:
    """With its place in the sequence, and with what it is where nothing of it was open."""
    place = item.place
    weight = 600 + 60 * (len(place.passed_over) + len(place.failed)) + (80 if place.counted_from else 0)
    return weight + (650 + sum(map(len, item.item.information.values())) if is_reopened else 0)

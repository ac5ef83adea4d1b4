"""What payments and credits are put against, and taken back from."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import ClassVar
from uuid import UUID

from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.receivables import Funds, Item, OpenItem, Receipt, Receivables, allocation_order
from aggregates.kernel.aggregate import Needs, applies
from aggregates.kernel.event import Event
from aggregates.kernel.value import Value
from aggregates.values.business_time import ONE_DAY
from aggregates.values.money import Money

# --- values ------------------------------------------------------------------------------------------


class AllocatedPart(Value):
    """An amount put against an item. `open_after` zero settles the item."""

    item_id: UUID
    amount: Money
    open_after: Money


class ReleasedPart(Value):
    """An amount taken back from an item, which is open again with its original dates."""

    item: Item
    amount: Money
    open_after: Money
    open_since: date
    known_on: date
    dispute_id: UUID | None = None
    steps: tuple[str, ...] = ()
    """The item's place in the sequence, which a settled item took with it."""


# --- events ------------------------------------------------------------------------------------------


class FundsAllocated(Event, name="account.funds-allocated"):
    """A payment or credit was put against open items."""

    funds_id: UUID
    allocated_on: date
    parts: tuple[AllocatedPart, ...]
    unapplied_after: Money


class AllocationReleased(Event, name="account.allocation-released"):
    """Allocated amounts were taken back; the items are open again, with their original due dates."""

    receipt: Receipt
    released_on: date
    parts: tuple[ReleasedPart, ...]
    unapplied_after: Money


# --- decisions ---------------------------------------------------------------------------------------


@dataclass
class Allocations(AccountPart):
    """Puts funds against items and takes them back; decided as part of what brings money, items or their correction."""

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)

    def allocate_everything(self) -> None:
        """Puts what is unapplied against what is open, wherever it may."""
        if not self.receivables.items or not any(funds.unapplied for funds in self.receivables.funds.values()):
            return
        meant_first = sorted(self.receivables.funds.values(), key=_funds_order)
        for funds in meant_first:
            if funds.unapplied:
                self.allocate(funds)

    def allocate(self, funds: Funds) -> None:
        """As instructed, else oldest due first; never to a disputed item unless the customer named it."""
        if funds.waits:
            return
        number = funds.receipt.invoice_number
        named = self.receivables.items.get(self.receivables.item_id(number)) if number else None
        others = sorted(
            (i for i in self.receivables.items.values() if not i.dispute_id and i is not named), key=allocation_order
        )
        left = funds.unapplied
        parts: list[tuple[date, AllocatedPart]] = []
        for item in ([named] if named else []) + others:
            amount = min(left, item.open)
            if not amount:
                break
            left -= amount
            part = AllocatedPart(item_id=item.id, amount=amount, open_after=item.open - amount)
            parts.append((max(funds.receipt.received_on, item.open_since), part))
        parts.sort(key=lambda part: part[0])
        for allocated_on, group in groupby(parts, key=lambda part: part[0]):
            same_day = tuple(part for _, part in group)
            self.emit(
                FundsAllocated(
                    funds_id=funds.id,
                    allocated_on=allocated_on,
                    parts=same_day,
                    unapplied_after=funds.unapplied - Money.total((p.amount for p in same_day), self.customer.currency),
                ),
                effective_on=allocated_on,
            )

    def release_everything(self, funds: Funds, gone_on: date) -> None:
        """Money that is gone from a day on releases then what it had settled; what it settled later, it never did."""
        amounts: dict[date, dict[UUID, Money]] = {}
        for item_id, parts in funds.allocated.items():
            for part in parts:
                day = amounts.setdefault(max(gone_on, part.allocated_on), {})
                day[item_id] = day.get(item_id, self.customer.zero) + part.amount
        reopened = {i for i, parts in funds.allocated.items() if any(part.allocated_on < gone_on for part in parts)}
        for released_on, of_items in sorted(amounts.items()):
            self._release(funds, of_items, released_on, reopened if released_on == gone_on else frozenset())

    def release_from_item(self, was: OpenItem, *, down_to: Money) -> None:
        """Take allocations back from an item, the newest first, until no more than `down_to` is allocated."""
        self.receivables.require_history()
        excess = was.item.amount - was.open - down_to
        given = [
            (part, funds)
            for funds in (*self.receivables.funds.values(), *self.receivables.used_up.values())
            for part in funds.allocated.get(was.id, ())
        ]
        for part, funds in sorted(given, key=lambda given: given[0].allocated_on, reverse=True):
            amount = min(excess, part.amount)
            if amount:
                excess -= amount
                self._release(funds, {was.id: amount}, part.allocated_on, frozenset())

    def _release(
        self, funds: Funds, amounts: Mapping[UUID, Money], released_on: date, reopened: AbstractSet[UUID]
    ) -> None:
        """`reopened` are the items that were settled up to that day; on the others the money never was."""
        parts = tuple(
            ReleasedPart(
                item=was.item,
                amount=amount,
                open_after=was.open + amount,
                open_since=max(was.open_since, released_on) if was.id in reopened else was.open_since,
                known_on=was.known_on,
                dispute_id=was.dispute_id,
                steps=tuple(was.steps),
            )
            for item_id, amount in amounts.items()
            for was in (self.receivables.items.get(item_id) or self.receivables.settled[item_id],)
        )
        self.emit(
            AllocationReleased(
                receipt=funds.receipt,
                released_on=released_on,
                parts=parts,
                unapplied_after=funds.unapplied + Money.total(amounts.values(), self.customer.currency),
            ),
            effective_on=released_on,
        )

    # --- apply ---

    @applies(FundsAllocated)
    def _allocated(self, event: FundsAllocated) -> None:
        funds = self.receivables.funds[event.funds_id]
        for part in event.parts:
            funds.allocate(part.item_id, part.amount, event.allocated_on)
            item = self.receivables.items.pop(part.item_id)
            item.open = part.open_after
            self.receivables.keep_item(item)
        funds.unapplied = event.unapplied_after
        self.receivables.keep_funds(funds)

    @applies(AllocationReleased)
    def _allocation_released(self, event: AllocationReleased) -> None:
        known = self.receivables.funds.get(event.receipt.id) or self.receivables.used_up.pop(event.receipt.id, None)
        funds = known or Funds(receipt=event.receipt, unapplied=self.customer.zero)
        for part in event.parts:
            self.receivables.forget_item(part.item.id)
            self.receivables.items[part.item.id] = OpenItem(
                item=part.item,
                open=part.open_after,
                open_since=part.open_since,
                known_on=part.known_on,
                next_on=part.item.due_on + ONE_DAY,
                dispute_id=part.dispute_id,
                steps=list(part.steps),
            )
            funds.release(part.item.id, part.amount, event.released_on)
        funds.unapplied = event.unapplied_after
        self.receivables.funds[funds.id] = funds


def _funds_order(funds: Funds) -> tuple[bool, date, str]:
    """Money that was meant for an invoice comes first, then the oldest."""
    return funds.receipt.invoice_number is None, funds.receipt.received_on, str(funds.id)

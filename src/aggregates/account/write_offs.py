"""Write-offs: credits by which the office gives up collecting what is owed, all of it or a part, and their reversal.

Where the claim is kept, what comes in later pays it first: the write-off gives way by as much, and nothing is owed
(`allocation_walk`). Disputes and promises stay as they are: a write-off takes what is disputed too, and what comes in
later counts towards promises.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, NamedTuple, Self
from uuid import UUID

from pydantic import model_validator

from aggregates.account.allocation import AllocatedPart, Allocations, write_off_order
from aggregates.account.allocation_walk import Move, WrittenOff
from aggregates.account.command import AccountCommand, document_id
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.receivables import OpenItem, Receivables, WriteOff, WriteOffChange, allocation_order
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.values.codes import Code, Number
from aggregates.values.money import Money

MOST_PARTS = 500
"""An event that holds them is of bounded size."""

# --- events ------------------------------------------------------------------------------------------


class DebtWrittenOff(Event, name="account.written-off"):
    """What was open was written off for a reason of the office: it is not owed any more, but for the claim if it is
    kept.

    One of more than 500 items is said in several events of one id, each with the amount of its own items.
    """

    write_off_id: UUID
    number: Number
    code: str
    """The office's reason."""
    keeps_claim: bool
    """Whether money that comes in later is put against what was written off."""
    written_off_on: date
    amount: Money
    """Of these items."""
    parts: tuple[AllocatedPart, ...]
    """Of each item how much. Nothing of one that money at hand paid at that moment."""


class WriteOffReversed(Event, name="account.write-off-reversed"):
    """A write-off was taken back; what of it was not recovered is open again, with its original due dates.

    Which items those are stands in `account.funds-reallocated`, which follows. As of its own day it never was.
    """

    write_off_id: UUID
    number: Number
    code: str
    keeps_claim: bool
    reversed_on: date
    amount: Money
    """What is open again."""
    recovered: Money
    """What of it had been recovered, and stays paid."""


# --- commands ----------------------------------------------------------------------------------------


class WriteOffDebt(AccountCommand, name="write-off", may_need_history=True):
    """Write off what is owed today, for a reason of the office: all of it, an amount of it, or of some invoices."""

    code: Code
    amount: Money | None = None
    """The oldest due first; None: all of it."""
    invoices: tuple[Number, ...] = ()
    """Only what is open of these, each `NUMBER` or `NUMBER/DUE-DAY`; none: of all."""
    keeps_claim: bool = True
    """Whether money that comes in later is put against what was written off."""
    number: Number | None = None
    """None: the next one of the account."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount is not None and self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero")
        if len(set(self.invoices)) < len(self.invoices):
            raise ValueError("invoices: expected each once")
        return self


class ReverseWriteOff(AccountCommand, name="reverse-write-off", may_need_history=True):
    """Take a write-off back: what of it was not recovered is open again."""

    number: Number
    reversed_on: date | None = None
    """From the day of the write-off, as of which it never was, to today; None: today."""


# --- decisions ---------------------------------------------------------------------------------------


class Planned(NamedTuple):
    """How much of an item is to be written off: nothing, where money at hand pays it."""

    item: OpenItem
    minor: int


@dataclass(slots=True)
class WriteOffs(AccountPart):
    """Decisions about write-offs. What stands of them is the receivables'."""

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)
    allocation: ClassVar = Needs(Allocations)

    @decides(WriteOffDebt)
    def write_off(self, command: WriteOffDebt, context: Context) -> None:
        self.require_account()
        context.require_reason()
        if command.amount is not None:
            self.customer.require_currency(command.amount)
        self.write_off_for(
            command.code,
            context,
            amount=command.amount,
            invoices=command.invoices,
            keeps_claim=command.keeps_claim,
            number=command.number,
        )

    def write_off_for(
        self,
        code: str,
        context: Context,
        *,
        amount: Money | None = None,
        invoices: Sequence[str] = (),
        keeps_claim: bool = True,
        number: str | None = None,
    ) -> WriteOff:
        """Refuses a reason that the office has not, and more than is owed."""
        self.customer.office(context).require_write_off_reason(code)
        receivables = self.receivables
        self.allocation.settle_what_is_due(context)
        if number is None:
            number = str(receivables.last_write_off + 1)
        else:
            receivables.require_history()
        write_off_id = document_id(self.whole.id, "write-off", number)
        if receivables.known_write_off(write_off_id) is not None:
            raise Refusal("duplicate-write-off", f"write-off {number} is on the account already")
        if receivables.balance.minor <= 0:
            raise Refusal("nothing-to-write-off", f"nothing is owed that could be written off: {receivables.balance}")
        planned = self._planned(amount, invoices)
        said = WrittenOff(
            id=write_off_id,
            since=context.today,
            order=write_off_order(context.today, number),
            most={each.item.id: each.minor for each in planned},
            keeps_claim=keeps_claim,
        )
        takes: Iterable[Move]
        if receivables.unapplied or receivables.write_offs:
            receivables.require_history()
            takes = self.allocation.make_room(said, context)
        else:
            takes = [Move(said.since, said.id, each.item.id, each.minor) for each in planned]
        taken = {move.item_id: move.amount for move in takes}
        if not any(taken.values()):
            raise Refusal("nothing-to-write-off", "nothing is left that could be written off: money at hand pays it")
        self._say(said, number, code, [Planned(each.item, taken.get(each.item.id, 0)) for each in planned])
        return receivables.write_offs[write_off_id]

    def standing(self, number: str) -> WriteOff | None:
        """One that was not reversed."""
        return self.receivables.write_offs.get(document_id(self.whole.id, "write-off", number))

    def _planned(self, amount: Money | None, invoices: Sequence[str]) -> list[Planned]:
        """Oldest due first, less what money at hand pays of that, until the amount is reached. All there is, unless an
        amount is said."""
        receivables = self.receivables
        named = set(receivables.open_named(invoices))
        items = sorted(receivables.items.values(), key=allocation_order)
        at_hand = receivables.unapplied.minor
        kept = sum(each.unapplied.minor for each in receivables.funds.values() if each.waits or each.unknown)
        to_pay, left = at_hand - kept, None if amount is None else amount.minor
        planned: list[Planned] = []
        for item in items:
            if named and item.id not in named:
                continue
            paid = min(to_pay, item.open.minor)
            to_pay -= paid
            waits = min(kept, item.open.minor - paid)
            kept -= waits
            rest = item.open.minor - paid - waits
            minor = rest if left is None else min(rest, left)
            if minor or (paid and not waits):
                planned.append(Planned(item, minor))
            if left is not None:
                left -= minor
                if not left:
                    break
        most = Money(sum(each.minor for each in planned), self.customer.currency)
        if amount is not None and left:
            raise Refusal("write-off-too-large", f"amount: expected at most {most}, which is owed of it")
        if not most:
            raise Refusal("nothing-to-write-off", "nothing is left that could be written off: money at hand pays it")
        return planned

    def _say(self, said: WrittenOff, number: str, code: str, takes: Sequence[Planned]) -> None:
        for first in range(0, len(takes), MOST_PARTS):
            parts = []
            for item, minor in takes[first : first + MOST_PARTS]:
                amount = Money(minor, self.customer.currency)
                known = self.receivables.known_item(item.id)
                open_after = self.customer.zero if known is None else known.open - amount
                parts.append(AllocatedPart(item_id=item.id, amount=amount, open_after=open_after))
            self.emit(
                DebtWrittenOff(
                    write_off_id=said.id,
                    number=number,
                    code=code,
                    keeps_claim=said.keeps_claim,
                    written_off_on=said.since,
                    amount=Money.total((part.amount for part in parts), self.customer.currency),
                    parts=tuple(parts),
                ),
                effective_on=said.since,
            )

    @decides(ReverseWriteOff)
    def reverse_write_off(self, command: ReverseWriteOff, context: Context) -> None:
        self.require_account()
        context.require_reason()
        self.reverse(command.number, context, on=command.reversed_on)

    def reverse(self, number: str, context: Context, *, on: date | None = None) -> None:
        """Refuses one of which nothing is left."""
        self.receivables.require_history()
        self.allocation.settle_what_is_due(context)
        write_off_id = document_id(self.whole.id, "write-off", number)
        write_off = self.receivables.write_offs.get(write_off_id)
        if write_off is None:
            if write_off_id in self.receivables.reversed_write_offs:
                raise Refusal("write-off-reversed", f"write-off {number} was reversed already")
            raise Refusal("unknown-write-off", f"the account has no write-off {number}")
        day = on or context.today
        if not write_off.written_off_on <= day <= context.today:
            first = write_off.written_off_on
            raise Refusal("write-off-day", f"reversed_on: expected a day from {first} to {context.today}")
        if not write_off.stands:
            raise Refusal("write-off-recovered", f"all of write-off {number} was recovered: nothing can be restored")
        self.emit(
            WriteOffReversed(
                write_off_id=write_off_id,
                number=number,
                code=write_off.code,
                keeps_claim=write_off.keeps_claim,
                reversed_on=day,
                amount=write_off.stands,
                recovered=write_off.recovered,
            ),
            effective_on=day,
        )
        self.allocation.walk_again(day, context)

    # --- apply ---

    @applies(DebtWrittenOff)
    def _written_off(self, event: DebtWrittenOff) -> None:
        receivables = self.receivables
        if event.write_off_id not in receivables.write_offs:
            receivables.write_offs[event.write_off_id] = WriteOff(
                id=event.write_off_id,
                number=event.number,
                code=event.code,
                keeps_claim=event.keeps_claim,
                written_off_on=event.written_off_on,
                amount=self.customer.zero,
                stands=self.customer.zero,
            )
        if event.number.isascii() and event.number.isdecimal():
            receivables.last_write_off = max(receivables.last_write_off, int(event.number))
        if receivables.keeps_all:
            of_items = receivables.written_off.setdefault(event.write_off_id, {})
            of_items.update({part.item_id: part.amount.minor for part in event.parts})
        for part in event.parts:
            if part.amount:
                move = Move(event.written_off_on, event.write_off_id, part.item_id, part.amount.minor)
                receivables.write_off_moved(move, WriteOffChange.WRITTEN_OFF)
            item = receivables.items.pop(part.item_id, None)
            if item is not None:
                item.open = part.open_after
                receivables.keep_item(item)

    @applies(WriteOffReversed)
    def _write_off_reversed(self, event: WriteOffReversed) -> None:
        write_off = self.receivables.write_offs.pop(event.write_off_id)
        if self.receivables.keeps_all:
            self.receivables.reversed_write_offs[event.write_off_id] = (write_off, event.reversed_on)

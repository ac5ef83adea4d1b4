"""What payments and credits are put against, and taken back from."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate, groupby
from typing import Annotated, ClassVar, Self, cast
from uuid import UUID

from pydantic import model_validator

from aggregates.account.aging import Aging
from aggregates.account.allocation_walk import (
    Back,
    Debt,
    Decided,
    Means,
    Move,
    Named,
    Put,
    Span,
    WrittenOff,
    by_money,
    differences,
    net_by_item,
    reopened_on,
    standing,
    taken_back,
    walk,
)
from aggregates.account.command import AccountCommand, document_id
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.reallocation import FundsReallocated, reallocations
from aggregates.account.receivables import (
    NOWHERE,
    Funds,
    FundsKind,
    GoneBack,
    Item,
    ItemsByName,
    KeptFor,
    OpenItem,
    Place,
    Receipt,
    Receivables,
    WriteOff,
    allocation_order,
    day_named,
    place_if_open,
)
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.values.business_time import ONE_DAY
from aggregates.values.codes import Number, listed
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
    """The steps that were taken about the item, which a settled item took with it."""
    place: Annotated[Place | None, LATER] = None


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
    kept_for: KeptFor = None


class AllocationDue(Event, name="account.allocation-due"):
    """A fact of an earlier day was booked: what money was put against from that day on is worked out anew."""

    from_day: date


class AllocationDecided(Event, name="account.allocation-decided"):
    """A person said which item a payment or credit is for. It is put there as of that day and never moved again."""

    funds_id: UUID
    item_id: UUID
    amount: Money
    allocated_on: date


# --- commands ----------------------------------------------------------------------------------------


class SettleAllocation(AccountCommand, name="settle-allocation", may_need_history=True, internal=True):
    """Work out anew what money is put against, where that is due."""


class AllocateFunds(AccountCommand, name="allocate-funds", may_need_history=True):
    """Say which invoice a payment or credit is for; it stays there whatever is booked later."""

    kind: FundsKind = FundsKind.PAYMENT
    number: Number
    """Of the payment or credit."""
    invoice_number: Number
    """`NUMBER/DUE-DAY` for one of several instalments."""
    amount: Money
    allocated_on: date | None = None
    """None: the first day on which both are there."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero")
        return self


class RestateAllocation(AccountCommand, name="restate-allocation", may_need_history=True):
    """Work out anew what all money of the account was put against, from the first day on, by the rules of now."""


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Allocations(AccountPart):
    """Puts funds against items and takes them back; decided as part of what brings money, items or their correction.

    The rule is `allocation_walk`. Most facts are of a day after all that was done with money before: the walk goes on
    from there, over what is open. One of an earlier day needs the account's history; it is booked and walked later,
    once for all such facts, unless the history is at hand.
    """

    due_from: date | None = None
    """The day from which money has to be put against items anew; until then nothing new is."""
    people_decided: bool = False
    """Whether people ever said where money is to go."""
    decided: list[AllocationDecided] = field(default_factory=list)
    """What they said; kept only where the whole history is."""

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)
    aging: ClassVar = Needs(Aging)

    # --- after a fact was booked ---

    def goes_on(self, day: date) -> bool:
        """Whether a fact of that day comes after everything that was done with money."""
        through = self.receivables.allocated_through
        return through is None or day > through

    def follow(self, day: date, context: Context, *, goes_on: bool | None = None) -> None:
        """Puts money against items as of a day on which a fact was booked, and of later days.

        `goes_on` is what `goes_on` said before the fact was booked, where that makes a difference.
        """
        if goes_on is None:
            goes_on = self.goes_on(day)
        if goes_on and self.due_from is None and not self.receivables.write_offs:
            self._go_on(day)
        elif self.receivables.keeps_all:
            self.walk_again(day, context)
        elif self.due_from is None or day < self.due_from:
            self.emit(AllocationDue(from_day=day))

    def follow_change(self, changed: UUID, day: date, context: Context) -> None:
        """The same for money or an item that is not what it was. What a person decided about it was kept free on
        earlier days too: of each side, since it was there."""
        if self.people_decided:
            self.receivables.require_history()
        days = [day]
        for each in self.decided:
            if changed in (each.funds_id, each.item_id):
                item = self.receivables.known_item(each.item_id)
                funds = self.receivables.known_funds(each.funds_id)
                days += [] if item is None else [item.item.issued_on]
                days += [] if funds is None else [funds.receipt.received_on]
        self.follow(min(days), context)

    def follow_money(self, funds: Funds, context: Context) -> None:
        """The same for money that came in. Where it names its item and covers no more than that, no other money may be
        concerned. Of an account with instalments a number may mean more than is open."""
        item = None if self.receivables.has_instalments else self._named(funds)
        if item is not None and not self.due_from and funds.unapplied <= item.open:
            day = max(funds.receipt.received_on, item.open_since)
            if self._concerns_no_other(funds, item, day):
                self._allocate(day, funds, [(item, funds.unapplied)])
                return
        if self.receivables.write_offs:  # what is written off gives way at once, so that the balance stays
            self.receivables.require_history()
        self.follow(funds.receipt.received_on, context)

    def _concerns_no_other(self, funds: Funds, item: OpenItem, day: date) -> bool:
        """What was put against the item later is concerned. Where there are write-offs so is what waited for the item,
        because it was disputed: it may recover something instead."""
        if item.moved_on is not None and item.moved_on >= day:
            return False
        receivables = self.receivables
        if receivables.write_offs or receivables.last_write_off:
            return self.goes_on(day) and receivables.unapplied == funds.unapplied
        return True

    def follow_item(self, item: Item, context: Context) -> None:
        """The same for a new item: it concerns only money that may go to any item, and money that names it, which has
        waited for it, or of an account with instalments may have gone to another of them."""
        day, receivables = item.issued_on, self.receivables
        if day_named(item.number) is not None or len(listed(item.number)) > 1:
            day = min([day, *self._named_otherwise(item)])
        through = receivables.allocated_through if receivables.has_instalments else receivables.freely_through
        if (through is not None and day <= through) or any(
            funds.unapplied and not funds.waits for funds in self.receivables.funds.values()
        ):
            self.follow(day, context)

    def _named_otherwise(self, item: Item) -> list[date]:
        """The days on which money came in that was taken to name something else, before there was an invoice that has
        just that for its number."""
        self.receivables.require_history()
        funds = (*self.receivables.funds.values(), *self.receivables.used_up.values())
        return [each.receipt.received_on for each in funds if each.receipt.invoice_number == item.number]

    def follow_dispute(self, day: date, context: Context) -> None:
        """The same for items that are disputed since a day: what was put against them later is taken back."""
        if not self.goes_on(day):
            self.follow(day, context)

    @decides(SettleAllocation)
    def settle(self, command: SettleAllocation, context: Context) -> None:
        self.require_account()
        self.settle_what_is_due(context)

    def settle_what_is_due(self, context: Context) -> None:
        if self.due_from is not None:
            self.receivables.require_history()
            self.walk_again(self.due_from, context)

    @decides(RestateAllocation)
    def restate(self, command: RestateAllocation, context: Context) -> None:
        self.require_account()
        self.receivables.require_history()
        if (first := self._first_day()) is not None:
            self.walk_again(first, context)

    @decides(AllocateFunds)
    def allocate_funds(self, command: AllocateFunds, context: Context) -> None:
        self.require_account()
        self.customer.require_currency(command.amount)
        if command.kind is FundsKind.PAYMENT:
            funds = self.funds_with_history("payment", command.number)
        else:
            funds = self.funds_with_history("credit", command.number)
        item = self.receivables.one_named(command.invoice_number)
        first = max(funds.receipt.received_on, item.item.issued_on)
        day = command.allocated_on or first
        if not first <= day <= context.today:
            raise Refusal("allocation-day", f"allocated_on: expected a day from {first} to {context.today}")
        most = self._free_on(day, funds, item)
        if command.amount > most:
            raise Refusal("allocation-too-large", f"amount: expected at most {most}, which both have left on {day}")
        self.emit(
            AllocationDecided(funds_id=funds.id, item_id=item.id, amount=command.amount, allocated_on=day),
            effective_on=day,
        )
        # On earlier days too what was decided is kept free, since either side was there.
        begins = min(funds.receipt.received_on, item.item.issued_on)
        self.walk_again(begins, context)

    def funds_with_history(self, kind: str, number: str) -> Funds:
        """The payment or credit with everything it settled, none that was taken back."""
        funds = self.known_funds(kind, number)
        if funds.reversed:
            raise Refusal(f"{kind}-reversed", f"{kind} {number} was taken back already")
        return funds

    def known_funds(self, kind: str, number: str) -> Funds:
        """The same, taken back or not; only a remembering account knows it."""
        self.receivables.require_history()
        funds = self.receivables.known_funds(document_id(self.whole.id, kind, number))
        if funds is None:
            raise Refusal(f"unknown-{kind}", f"the account has no {kind} {number}")
        return funds

    def open_before(self, day: date, item: OpenItem) -> Money:
        """What was open of it the evening before a day; needs the whole history."""
        self.receivables.require_history()
        put = net_by_item(move for move in self.receivables.moves if move.day < day and move.item_id == item.id)
        return item.item.amount - self._money(put.get(item.id, 0))

    def unallocated_from(self, day: date, funds: Funds) -> Money:
        """What of it is put against nothing, and is here, at the end of that day and of every later one."""
        if funds.reversed or day < funds.receipt.received_on:
            return self.customer.zero
        changes: dict[date, int] = {day: 0}
        for changed_on, minor in (
            *((move.day, move.amount) for move in self.receivables.moves if move.funds_id == funds.id),
            *((each.sent_on, each.amount.minor) for each in funds.sent),
            *((each.gone_on, each.amount.minor) for each in funds.gone_back),
        ):
            changes[max(day, changed_on)] = changes.get(max(day, changed_on), 0) - minor
        left = accumulate((minor for _, minor in sorted(changes.items())), initial=funds.receipt.amount.minor)
        return self._money(max(0, min(list(left)[1:])))

    def _free_on(self, day: date, funds: Funds, item: OpenItem) -> Money:
        """What a person may decide about: neither put somewhere on an earlier day, nor decided about already."""
        free = min(funds.kept, item.item.amount).minor
        for of_funds, whole in ((True, funds.kept), (False, item.item.amount)):
            used = sum(
                move.amount
                for move in self.receivables.moves
                if move.day < day and (move.funds_id == funds.id if of_funds else move.item_id == item.id)
                if not self._gives_way(move.funds_id)
            ) + sum(
                each.amount.minor
                for each in self.decided
                if self._day_of(each) >= day and (each.funds_id == funds.id if of_funds else each.item_id == item.id)
            )
            free = min(free, whole.minor - used)
        return self._money(max(0, free))

    def _gives_way(self, funds_id: UUID) -> bool:
        write_off = self.receivables.known_write_off(funds_id)
        return write_off is not None and write_off.keeps_claim

    def _day_of(self, decided: AllocationDecided) -> date:
        """The day of a decision, or the first one on which both sides are there, as they are known now."""
        receivables = self.receivables
        funds = receivables.known_funds(decided.funds_id)
        item = receivables.known_item(decided.item_id)
        days = [decided.allocated_on]
        days += [] if funds is None else [funds.receipt.received_on]
        days += [] if item is None else [item.item.issued_on]
        return max(days)

    # --- the walk goes on ---

    def _go_on(self, day: date) -> None:
        """From a day after everything that was done with money: what is open and what is left say it all."""
        receivables = self.receivables
        if not receivables.items:
            return
        by_name = receivables.by_name()
        means = [
            Means(
                id=funds.id,
                since=funds.receipt.received_on,
                order=funds_order(funds),
                left=funds.unapplied.minor,
                named=self._open_named(funds, by_name),
                put=self._put_before(funds),
            )
            for funds in receivables.funds.values()
            if funds.unapplied and not (funds.waits and day_named(funds.receipt.waits_for or "") is None)
        ]
        if not means:
            return
        debts = [
            Debt(item.id, item.open_since, allocation_order(item), item.open.minor, self._disputes_of(item))
            for item in receivables.items.values()
        ]
        moves = walk(debts, means, day)
        for (moved_on, funds_id), group in groupby(moves, key=lambda move: (move.day, move.funds_id)):
            of_items = net_by_item(group)  # an invoice may get what was said for it, and some of the rest
            against = [(receivables.items[item_id], self._money(amount)) for item_id, amount in of_items.items()]
            self._allocate(moved_on, receivables.funds[funds_id], against)

    def _allocate(self, day: date, funds: Funds, against: Iterable[tuple[OpenItem, Money]]) -> None:
        parts = tuple(
            AllocatedPart(item_id=item.id, amount=amount, open_after=item.open - amount) for item, amount in against
        )
        left = funds.unapplied - Money.total((part.amount for part in parts), self.customer.currency)
        self.emit(
            FundsAllocated(funds_id=funds.id, allocated_on=day, parts=parts, unapplied_after=left), effective_on=day
        )

    def _named(self, funds: Funds) -> OpenItem | None:
        """The open item that money is meant for, by the number alone."""
        number = funds.receipt.invoice_number
        return self.receivables.items.get(self.receivables.item_id(number)) if number else None

    def _open_named(self, funds: Funds, by_name: ItemsByName) -> tuple[Named, ...]:
        """What money that is left is meant for, of what is open. What is not open may be settled or unknown; of the
        number alone it is known which, else only the whole history knows."""
        receipt = funds.receipt
        if receipt.invoice_number is None and receipt.instructions is None:
            return ()
        is_plain = receipt.instructions is None and day_named(receipt.invoice_number or "") is None
        named = []
        for items, amount in _instructed(receipt, by_name):
            still = tuple(item.id for item in items if item.id in self.receivables.items)
            if not items and not is_plain:
                self.receivables.require_history()
                named.append(Named((), amount))
            elif still:
                named.append(Named(still, amount, tuple(item.id for item in items if item.id not in still)))
        if receipt.invoice_number is not None and receipt.instructions and not by_name.find(receipt.invoice_number):
            self.receivables.require_history()
        return tuple(named)

    def _put_before(self, funds: Funds) -> Put:
        """What counts towards the amounts of its instructions."""
        said = funds.receipt.instructions or ()
        if funds.unapplied == funds.receipt.amount or all(each.amount is None for each in said):
            return {}
        self.receivables.require_history()
        return self._put_of(funds)

    def _disputes_of(self, item: OpenItem) -> list[Span]:
        return [
            Span(each.begins_on, each.ends_on, None if (part := each.amounts.get(item.id)) is None else part.minor)
            for each in self.receivables.disputes.values()
            if item.id in each.item_ids
        ]

    def _money(self, minor: int) -> Money:
        return Money(minor, self.customer.currency)

    # --- the walk again ---

    def walk_again(self, day: date, context: Context) -> None:
        """From the evening before a day on, and moves what then is different; needs the whole history."""
        day = min(day, self.due_from or day)
        changes, since = self._changes(day)
        if changes or self.due_from is not None:
            self._move(changes, since, day, context)
            if changes:
                self.aging.look_again(context)

    def make_room(self, write_off: WrittenOff, context: Context) -> list[Move]:
        """What a write-off that is about to be takes of items; money at hand is put there before. Needs the whole
        history, and nothing that is due."""
        changes, since = self._changes(write_off.since, write_off)
        others = [move for move in changes if move.funds_id != write_off.id]
        if others:
            self._move(others, since, write_off.since, context)
        return [move for move in changes if move.funds_id == write_off.id]

    def _move(self, changes: Iterable[Move], since: Mapping[UUID, date], day: date, context: Context) -> None:
        scheme, today = self.customer.office(context).scheme, context.today
        for event in reallocations(self.receivables, changes, since, from_day=day, today=today, scheme=scheme):
            self.emit(event, effective_on=day)

    def restated(self) -> list[Move]:
        """What `restate-allocation` would move; needs the whole history."""
        first = self._first_day()
        return [] if first is None else self._changes(first)[0]

    def _first_day(self) -> date | None:
        """Of anything that money is put against, or that is put."""
        receivables = self.receivables
        days = [item.item.issued_on for item in (*receivables.items.values(), *receivables.settled.values())]
        days += [funds.receipt.received_on for funds in (*receivables.funds.values(), *receivables.used_up.values())]
        return min((*days, *(move.day for move in receivables.moves)), default=None)

    def _changes(self, day: date, *more: WrittenOff) -> tuple[list[Move], Mapping[UUID, date]]:
        """What has to be moved since a day, and since when each item then is open again that was paid before. `more`
        are write-offs that are about to be."""
        before: list[Move] = []
        after: list[Move] = []
        for move in self.receivables.moves:
            (before if move.day < day else after).append(move)
        put = by_money(before)
        moves = walk(
            self._debts(net_by_item(before)),
            self._means(day, put),
            day,
            decided=(Decided(d.allocated_on, d.funds_id, d.item_id, d.amount.minor) for d in self.decided),
            written_off=(*self._written_off(day, put), *more),
        )
        return differences(after, moves), reopened_on([*before, *moves])

    def _written_off(self, day: date, put: Mapping[UUID, Put]) -> Iterator[WrittenOff]:
        """Write-offs that stood the evening before, or came later, but for what never was."""
        receivables = self.receivables
        known: list[tuple[WriteOff, date | None]] = [(each, None) for each in receivables.write_offs.values()]
        known += receivables.reversed_write_offs.values()
        for write_off, gone_on in known:
            begins = write_off.written_off_on
            if gone_on is not None and (gone_on <= begins or gone_on < day):
                continue
            held: dict[UUID, int] = {}
            for (_, item_id), amount in put.get(write_off.id, {}).items():
                held[item_id] = held.get(item_id, 0) + amount
            yield WrittenOff(
                id=write_off.id,
                since=begins,
                order=write_off_order(begins, write_off.number),
                most=receivables.written_off[write_off.id],
                keeps_claim=write_off.keeps_claim,
                gone_on=gone_on,
                held=held,
            )

    def _debts(self, put: Mapping[UUID, int]) -> list[Debt]:
        return [
            Debt(
                item.id,
                item.item.issued_on,
                allocation_order(item),
                item.item.amount.minor - put.get(item.id, 0),
                self._disputes_of(item),
            )
            for item in (*self.receivables.items.values(), *self.receivables.settled.values())
        ]

    def _means(self, day: date, put: Mapping[UUID, Put]) -> Iterator[Means]:
        """Money that there was the evening before, or came later, but for what never was."""
        receivables = self.receivables
        by_name = receivables.by_name()
        known = (*receivables.funds.values(), *receivables.used_up.values(), *receivables.gone)
        gone_later = self._gone_later(day)
        for funds in known:
            receipt, gone_on = funds.receipt, funds.gone_on
            if gone_on is not None and (gone_on <= receipt.received_on or gone_on < day):
                continue
            here: Put = {}
            if receipt.received_on < day and (gone_on is not None or receipt.id not in gone_later):
                here = _since(receipt.received_on, put.get(receipt.id, {}))
            leaves = [Back(part.gone_on, part.amount.minor, part.item_id) for part in funds.gone_back]
            leaves += [Back(each.sent_on, each.amount.minor) for each in funds.sent]
            went = sum(part.amount for part in leaves if part.day < day)
            yield Means(
                id=receipt.id,
                since=receipt.received_on,
                order=(*funds_order(funds), gone_on is None),
                left=receipt.amount.minor - went - sum(here.values()),
                named=_named_of(receipt, by_name),
                gone_on=gone_on,
                back=[part for part in leaves if part.day >= day],
                put=here,
            )

    def _gone_later(self, day: date) -> set[UUID]:
        """Numbers under which other money was there the evening before."""
        return {
            funds.id
            for funds in self.receivables.gone
            if funds.gone_on is not None and funds.receipt.received_on < day <= funds.gone_on
        }

    def release_everything(self, funds: Funds, gone_on: date, today: date) -> None:
        """Money that is gone from a day on releases then what it had settled; what it settled later, it never did."""
        amounts: dict[date, dict[UUID, Money]] = {}
        allocated = self.receivables.allocated_of(funds)
        for item_id, parts in allocated.items():
            for part in parts:
                day = amounts.setdefault(max(gone_on, part.allocated_on), {})
                day[item_id] = day.get(item_id, self.customer.zero) + part.amount
        reopened = {i for i, parts in allocated.items() if any(part.allocated_on < gone_on for part in parts)}
        for released_on, of_items in sorted(amounts.items()):
            self._release(funds, of_items, released_on, reopened if released_on == gone_on else frozenset(), today)

    def release_part(self, funds: Funds, part: GoneBack, today: date) -> None:
        """Of money that has so much less from a day on, releases what is put against items and is not there any more:
        as the walk does where all of it was put before that day; else it is walked again."""
        back = Back(part.gone_on, part.amount.minor, part.item_id)
        taken, _ = taken_back([back], funds.unapplied.minor, self._put_of(funds), self._order_of)
        amounts: dict[date, dict[UUID, Money]] = {}
        for (put_on, item_id), minor in taken:
            day = amounts.setdefault(max(part.gone_on, put_on), {})
            day[item_id] = day.get(item_id, self.customer.zero) + self._money(minor)
        reopened = {item_id for (put_on, item_id), _ in taken if put_on < part.gone_on}
        for released_on, of_items in sorted(amounts.items()):
            self._release(funds, of_items, released_on, reopened if released_on == part.gone_on else frozenset(), today)

    def _put_of(self, funds: Funds) -> Put:
        """What is put against each item, by the day."""
        put: Put = {}
        for item_id, of in self.receivables.allocated_of(funds).items():
            for each in of:
                key = each.allocated_on, item_id
                put[key] = put.get(key, 0) + each.amount.minor
        return put

    def _order_of(self, item_id: UUID) -> tuple[bool, date, date, str, date]:
        return allocation_order(self.receivables.items.get(item_id) or self.receivables.settled[item_id])

    def release_from_item(self, was: OpenItem, *, down_to: Money, context: Context) -> None:
        """Take allocations back from an item, the newest first, until no more than `down_to` is allocated. Write-offs
        let go of it before: what they are of then, the walk says once the item is what it is."""
        self.receivables.require_history()
        was = self._let_go_of(was, context)
        excess = was.item.amount - was.open - down_to
        if not excess.minor > 0:
            return
        given = [
            (part, funds)
            for funds in (*self.receivables.funds.values(), *self.receivables.used_up.values())
            for part in self.receivables.allocated_of(funds).get(was.id, ())
        ]
        for part, funds in sorted(given, key=lambda given: given[0].allocated_on, reverse=True):
            amount = min(excess, part.amount)
            if amount:
                excess -= amount
                self._release(funds, {was.id: amount}, part.allocated_on, frozenset(), context.today)

    def _let_go_of(self, was: OpenItem, context: Context) -> OpenItem:
        """The item, without anything of it written off."""
        receivables = self.receivables
        moves = [m for m in receivables.moves if m.item_id == was.id and m.funds_id in receivables.written_off]
        back = differences(moves, ())
        if not back:
            return was
        self._move(back, {}, min(move.day for move in back), context)
        return receivables.known_item(was.id) or was

    def _release(
        self, funds: Funds, amounts: Mapping[UUID, Money], released_on: date, reopened: AbstractSet[UUID], today: date
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
                place=place_if_open(was, was.open + amount, today),
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
                kept_for=self.receivables.kept_for(funds),
            ),
            effective_on=released_on,
        )

    # --- apply ---

    @applies(FundsAllocated)
    def _allocated(self, event: FundsAllocated) -> None:
        funds = self.receivables.funds[event.funds_id]
        named = self._named(funds)
        for part in event.parts:
            funds.allocate(part.item_id, part.amount, event.allocated_on)
            self._moved(Move(event.allocated_on, funds.id, part.item_id, part.amount.minor), named)
            item = self.receivables.items.pop(part.item_id)
            item.open = part.open_after
            self.receivables.keep_item(item)
        funds.unapplied = event.unapplied_after
        self.receivables.keep_funds(funds)

    @applies(AllocationReleased)
    def _allocation_released(self, event: AllocationReleased) -> None:
        funds = self.receivables.here_again(event.receipt, self.customer.zero, event.kept_for)
        for part in event.parts:
            self.receivables.forget_item(part.item.id)
            self.receivables.items[part.item.id] = OpenItem(
                item=part.item,
                open=part.open_after,
                open_since=part.open_since,
                known_on=part.known_on,
                next_on=part.item.due_on + ONE_DAY,
                dispute_id=part.dispute_id,
                moved_on=self.receivables.allocated_through,
                steps=list(part.steps),
                place=part.place or NOWHERE,
            )
            funds.release(part.item.id, part.amount, event.released_on)
            self._moved(Move(event.released_on, funds.id, part.item.id, -part.amount.minor), None)
        funds.unapplied = event.unapplied_after
        self.receivables.funds[funds.id] = funds

    @applies(AllocationDue)
    def _due(self, event: AllocationDue) -> None:
        self.due_from = event.from_day

    @applies(AllocationDecided)
    def _decided(self, event: AllocationDecided) -> None:
        self.people_decided = True
        if self.receivables.keeps_all:
            self.decided.append(event)

    @applies(FundsReallocated)
    def _reallocated(self, event: FundsReallocated) -> None:
        receivables = self.receivables
        for move in event.moves:
            self._moved(Move(move.moved_on, move.funds_id, move.item_id, move.amount.minor), None)
        for each in event.write_offs or ():
            receivables.write_off_moved(
                Move(each.moved_on, each.write_off_id, each.item_id, each.amount.minor), each.change
            )
        for moved in event.items:
            item = receivables.known_item(moved.item_id) or OpenItem(
                item=cast(Item, moved.item), open=moved.open_after, open_since=moved.open_since,
                known_on=moved.known_on, next_on=moved.next_on,
            )  # fmt: skip
            item.open, item.open_since, item.bucket, item.next_on = (
                moved.open_after, moved.open_since, moved.bucket, moved.next_on,
            )  # fmt: skip
            item.dispute_id, item.steps, item.place = moved.dispute_id, list(moved.steps), moved.place or NOWHERE
            receivables.forget_item(moved.item_id)
            item.moved_on = receivables.allocated_through
            receivables.keep_item(item)
        for of in event.funds:
            funds = receivables.funds.get(of.funds_id) or receivables.here_again(
                cast(Receipt, of.receipt), of.unapplied_after, of.kept_for
            )
            funds.unapplied = of.unapplied_after
            receivables.funds[funds.id] = funds
            receivables.keep_funds(funds)
        receivables.was_reallocated = receivables.keeps_all
        self.due_from = event.from_day if event.more else None

    def _moved(self, move: Move, named: OpenItem | None) -> None:
        self.receivables.moved(move, named=named is not None and named.id == move.item_id)


def _named_of(receipt: Receipt, by_name: ItemsByName) -> tuple[Named, ...]:
    """What money is meant for, among everything that there ever was."""
    return tuple(Named(tuple(item.id for item in items), amount) for items, amount in _instructed(receipt, by_name))


def _instructed(receipt: Receipt, by_name: ItemsByName) -> list[tuple[list[OpenItem], int | None]]:
    """The items of each invoice that the payer named, and what is for it. The text as it stands comes first, then what
    it lists: the number of an invoice may hold a comma."""
    whole = [] if receipt.invoice_number is None else by_name.find(receipt.invoice_number)
    if whole or receipt.instructions is None:
        return [] if receipt.invoice_number is None else [(whole, None)]
    return [
        (by_name.find(each.invoice_number), None if each.amount is None else each.amount.minor)
        for each in receipt.instructions
    ]


def _since(received_on: date, put: Put) -> Put:
    """What is there of it, on no day before its receipt: other money had the number then."""
    here: Put = {}
    for (day, item_id), amount in standing(put).items():
        key = max(day, received_on), item_id
        here[key] = here.get(key, 0) + amount
    return here


def write_off_order(day: date, number: str) -> tuple[date, int, str]:
    """Write-offs of a day by number: 2 before 10."""
    return day, len(number), number


def funds_order(funds: Funds) -> tuple[date, str, str]:
    """Money of a day by receipt day, kind and number; never by when or how it arrived here."""
    return funds.receipt.received_on, funds.receipt.kind.value, funds.receipt.number

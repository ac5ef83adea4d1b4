"""What is owed and what came in: open items, and payments and credits with what is left of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, NamedTuple
from uuid import UUID

from pydantic import ConfigDict, Field

from aggregates.account.allocation_walk import Move
from aggregates.account.command import account_name, document_id
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs
from aggregates.kernel.context import NeedsHistory
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.values.aging import CURRENT
from aggregates.values.codes import Number
from aggregates.values.money import Currency, Money

# --- values ------------------------------------------------------------------------------------------


class ItemKind(StrEnum):
    INVOICE = "invoice"
    FEE = "fee"


class Item(Value):
    """What an invoice says; the part of an open item that never moves by itself."""

    id: UUID
    number: Number
    kind: ItemKind = ItemKind.INVOICE
    issued_on: date
    due_on: date
    amount: Money
    charges: Money
    """Original charges before discount; at least the amount."""
    service_type: str | None = None
    subscription: Number | None = None
    marked_disputed: bool = False
    """Kept as information where a billing file says so without a date; suspends nothing."""
    information: dict[str, Personal] = Field(default_factory=dict)
    """What the billing file says besides; nothing is decided by it."""
    instalment: Annotated[date | None, LATER] = None
    """Of a further instalment of the invoice: the due day that told it apart from the others, which it keeps."""

    @property
    def name(self) -> str:
        """What tells it apart from the other items of the account."""
        return self.number if self.instalment is None else f"{self.number}/{self.instalment}"

    @property
    def is_withdrawn(self) -> bool:
        """It never was owed: nothing is billed at zero, only corrected to it."""
        return not self.amount


class CountedFrom(Value):
    """The days from which steps are counted about an item, where they are not its due date and its account's first
    message: it entered the sequence late, or was paid for a time."""

    due_on: date
    engaged_on: date


class Place(Value):
    """An item's place in the sequence, besides the steps whose message covered it."""

    passed_over: dict[str, str] = Field(default_factory=dict)
    """Steps that were not sent about it, each with its reason."""
    failed: dict[str, int] = Field(default_factory=dict)
    """Steps whose message could not be sent, each with the version of the plan by which it should have been."""
    counted_from: CountedFrom | None = None
    reopened_on: date | None = None
    """The local day on which Arrears learned that it is not settled after all."""


NOWHERE = Place()


@dataclass(kw_only=True)
class OpenItem:
    """An item that still has an open amount (or, where the account remembers, had one)."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    item: Item
    open: Money
    open_since: date
    """No allocation can be effective before this: the issue date, or the day a reversal reopened the item."""
    known_on: date
    """The local day on which Arrears learned of the item; steps due before it are never sent."""
    bucket: str = CURRENT
    next_on: date | None
    """The day on which it moves to the next bucket; None in the oldest."""
    dispute_id: UUID | None = None
    moved_on: date | None = None
    """The latest day on which money was put against it or taken back from it, since it is open."""
    steps: list[str] = field(default_factory=list)
    """Steps of the sequence whose message covered this item."""
    place: Place = NOWHERE

    @property
    def id(self) -> UUID:
        return self.item.id

    @property
    def due_on(self) -> date:
        return self.item.due_on


class FundsKind(StrEnum):
    PAYMENT = "payment"
    CREDIT = "credit"


class ReversalKind(StrEnum):
    NSF = "nsf"
    CHARGEBACK = "chargeback"
    REFUND = "refund"
    ERROR = "error"


class PromiseShare(Value):
    """The part of a payment that counts towards a promise."""

    promise_id: UUID
    amount: Money


class Instruction(Value):
    """An invoice that the payer named among several."""

    invoice_number: Number
    """Or `NUMBER/DUE-DAY` for one instalment of it."""
    amount: Annotated[Money | None, LATER] = None
    """What is for it at most; None: as much as it takes of what no amount was said for, in this order."""


KeptFor = Annotated[tuple[Number, ...] | None, LATER]
"""Of money of which all had been used, and that is here again: the invoices, not known yet, that it waits for."""
Instructions = Annotated[tuple[Instruction, ...] | None, LATER]


class MeantFor(NamedTuple):
    """What a payer said that money is for; see `Receipt`."""

    invoice_number: str | None = None
    instructions: tuple[Instruction, ...] | None = None


class OtherPayment(Value):
    """A payment as it stands on another account of the office: where money came from, or where it went."""

    account_id: UUID
    account_number: Number
    number: Number
    """Of the payment there."""
    other_currency: Annotated[Currency | None, LATER] = None
    """In which the account is, where its office works in another one."""

    @property
    def account_name(self) -> str:
        """What people call the account."""
        return account_name(self.account_number, self.other_currency)


class Receipt(Value):
    """What a payment or credit says; the part of funds that never moves by itself."""

    id: UUID
    kind: FundsKind
    number: Number
    amount: Money
    received_on: date
    invoice_number: Number | None = None
    """The invoice, or `NUMBER/DUE-DAY` for one instalment of it, that the payer named."""
    waits_for: Number | None = None
    """The same where no such invoice was known when the money came in."""
    promises: tuple[PromiseShare, ...] = ()
    instructions: Instructions = None
    """Several invoices that the payer named. With `invoice_number`, that is their list as it stood there: the number of
    one invoice, if there is one that has it."""
    unknown: Annotated[tuple[Number, ...] | None, LATER] = None
    """Those among the instructions that were not known when the money came in."""
    transferred_from: Annotated[OtherPayment | None, LATER] = None
    """The payment on another account that this is a part of, or all: no money came in a second time."""

    @property
    def meant_for(self) -> MeantFor:
        return MeantFor(self.invoice_number, self.instructions)


class Sent(Value):
    """What of a payment went to another account on a day."""

    to: OtherPayment
    amount: Money
    sent_on: date
    back_on: date | None = None
    """The day on which it came back, because the payment was taken back then."""


class GoneBack(Value):
    """A part of a payment or credit that left the account again on a day."""

    amount: Money
    gone_on: date
    reversal: ReversalKind | None
    """Why it was taken back; None: it was refunded, of what was put nowhere."""
    item_id: UUID | None = None
    """The item for which it was taken back, where that was said."""
    promises: tuple[PromiseShare, ...] = ()
    """What of it had counted towards promises."""

    def is_like(self, other: "GoneBack") -> bool:
        """Whether the same went back, whatever it had counted for."""
        return self.model_copy(update={"promises": other.promises}) == other


class WriteOffChange(StrEnum):
    """Why a write-off is of more or less of an item as of a day."""

    WRITTEN_OFF = "written-off"
    """On its own day."""
    RECOVERED = "recovered"
    """Money was put there instead; more than zero where that money went back."""
    REVERSED = "reversed"


@dataclass(kw_only=True)
class WriteOff:
    """A write-off that stands: what was written off of items, and what of that still is."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: UUID
    number: str
    code: str
    """The office's reason."""
    keeps_claim: bool
    written_off_on: date
    amount: Money
    """What was written off on its day."""
    stands: Money
    """What of it was not recovered since."""

    @property
    def recovered(self) -> Money:
        return self.amount - self.stands


class DisputedItems(Value):
    """Items that a dispute is about, and its days; `ends_on` is the day on which they are disputed no more."""

    item_ids: tuple[UUID, ...]
    begins_on: date
    ends_on: date | None = None
    amounts: dict[UUID, Money] = Field(default_factory=dict)
    """Of items that are disputed in part: how much of each."""


class Allocation(Value):
    """What one payment or credit put against one item on one day."""

    amount: Money
    allocated_on: date


@dataclass(kw_only=True)
class Funds:
    """A payment or credit with an amount not yet allocated (or, where the account remembers, any)."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    receipt: Receipt
    unapplied: Money
    waits: bool = False
    """Kept for an invoice that is not known yet."""
    unknown: tuple[str, ...] = ()
    """Invoices of its instructions that are not known yet, for which a part of it is kept."""
    allocated: dict[UUID, tuple[Allocation, ...]] = field(default_factory=dict)
    """What it put against each item, oldest day first; asked through `Receivables.allocated_of`."""
    gone_back: tuple[GoneBack, ...] = ()
    """What left the account again, part by part; of a payment that is used up it is kept only where all is."""
    reversal: ReversalKind | None = None
    """Why nothing of it is here any more, where it (or the last part of it) was taken back."""
    gone_on: date | None = None
    """The day since which nothing of it is here any more."""
    moved_to: OtherPayment | None = None
    """Where it always was, where it was booked here by mistake."""
    method: str | None = None
    """How a payment was made; kept only where the account remembers."""
    sent: tuple[Sent, ...] = ()
    """What of it went to other accounts; kept only where the account remembers."""

    def waits_as(self, kept_for: Sequence[str] | None) -> None:
        """For the invoices that an event says it still waits for, after which something of it is here again."""
        named = kept_for or ()
        self.waits = self.receipt.waits_for in named
        self.unknown = tuple(each for each in named if each != self.receipt.waits_for)

    @property
    def id(self) -> UUID:
        return self.receipt.id

    @property
    def reversed(self) -> bool:
        return self.reversal is not None

    @property
    def remaining(self) -> Money:
        """What did not go back, part by part; whether it was put against an item or not."""
        return self.receipt.amount - Money.total((part.amount for part in self.gone_back), self.receipt.amount.currency)

    def has_gone(self, part: GoneBack) -> bool:
        return any(each.is_like(part) for each in self.gone_back)

    def part_gone(self, part: GoneBack) -> None:
        """It has so much less. Once nothing remains, it is gone."""
        self.gone_back = (*self.gone_back, part)
        self.unapplied -= part.amount
        if not self.remaining:
            self.gone_on = max(each.gone_on for each in self.gone_back)
            self.reversal = next((each.reversal for each in self.gone_back if each.reversal), None)

    def part_here_again(self, part: GoneBack) -> None:
        """The part did not go back after all."""
        others = list(self.gone_back)
        same = [each for each in others if each.is_like(part)]
        if same:  # else all of it had gone, or it went while less was kept
            others.remove(same[0])
        self.gone_back, self.gone_on, self.reversal = tuple(others), None, None
        self.unapplied += part.amount

    @property
    def kept(self) -> Money:
        """What of it is here: neither on another account nor gone back. Asked where the account remembers."""
        there = (each.amount for each in self.sent if each.back_on is None)
        return self.remaining - Money.total(there, self.receipt.amount.currency)

    def allocate(self, item_id: UUID, amount: Money, allocated_on: date) -> None:
        parts = (*self.allocated.get(item_id, ()), Allocation(amount=amount, allocated_on=allocated_on))
        self.allocated[item_id] = tuple(sorted(parts, key=lambda part: part.allocated_on))

    def release(self, item_id: UUID, amount: Money, released_on: date) -> None:
        """Takes back what was put against the item by that day, the newest first."""
        kept = []
        for part in reversed(self.allocated.get(item_id, ())):
            taken = min(amount, part.amount) if part.allocated_on <= released_on else amount - amount
            amount -= taken
            if taken < part.amount:
                kept.append(part.model_copy(update={"amount": part.amount - taken}))
        self.allocated[item_id] = tuple(reversed(kept))


# --- state -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Receivables(AccountPart):
    """Open items, and funds with something left: bounded by what is open, unless the whole history was loaded."""

    keeps_all: bool = False
    """True keeps settled items and funds that are used up too: for reversals and corrections."""
    items: dict[UUID, OpenItem] = field(default_factory=dict)
    settled: dict[UUID, OpenItem] = field(default_factory=dict)
    """Items with nothing open; kept only where `keeps_all`."""
    funds: dict[UUID, Funds] = field(default_factory=dict)
    used_up: dict[UUID, Funds] = field(default_factory=dict)
    """Funds with nothing left, or taken back; kept only where `keeps_all`."""
    gone: list[Funds] = field(default_factory=list)
    """Funds that were taken back, and of which others have the number since; kept only where `keeps_all`."""
    moves: list[Move] = field(default_factory=list)
    """Everything that was put against items and taken back; kept only where `keeps_all`."""
    was_reallocated: bool = False
    """Since what funds are put against was last worked out from `moves`: nobody asks after most reallocations."""
    disputes: dict[UUID, DisputedItems] = field(default_factory=dict)
    """By dispute; those that are over only where `keeps_all`."""
    allocated_through: date | None = None
    """The latest day on which money was put against an item or taken back, or a dispute ended."""
    freely_through: date | None = None
    """The latest day on which that was done with money that did not name the item."""
    has_instalments: bool = False
    """Whether an invoice of the account ever was owed in instalments."""
    write_offs: dict[UUID, WriteOff] = field(default_factory=dict)
    """Those that were not reversed, recovered or not."""
    last_write_off: int = 0
    """The number that the latest write-off was given, of those that were given one here."""
    written_off: dict[UUID, dict[UUID, int]] = field(default_factory=dict)
    """By write-off how much of each item; kept only where `keeps_all`."""
    on_its_day: dict[tuple[UUID, UUID, date], int] = field(default_factory=dict)
    """By write-off, item and day how much counts as written off on the write-off's own day. The item may be of another
    day by now, and what is taken back is what had counted. Kept only where `keeps_all`."""
    reversed_write_offs: dict[UUID, tuple[WriteOff, date]] = field(default_factory=dict)
    """With the days since which they are; kept only where `keeps_all`."""

    customer: ClassVar = Needs(Customer)

    @property
    def outstanding(self) -> Money:
        """Sum of open items, due or not."""
        return Money.total((item.open for item in self.items.values()), self.customer.currency)

    @property
    def unapplied(self) -> Money:
        """Sum of payments and credits not allocated yet."""
        return Money.total((funds.unapplied for funds in self.funds.values()), self.customer.currency)

    @property
    def balance(self) -> Money:
        """What the customer owes: open items less unapplied funds; negative where they have credit."""
        return self.outstanding - self.unapplied

    @property
    def charged_off_on(self) -> date | None:
        """The day of the latest write-off of which a claim stands; None where there is none."""
        claims = [each for each in self.write_offs.values() if each.keeps_claim and each.stands]
        return max((each.written_off_on for each in claims), default=None)

    @property
    def claims(self) -> Money:
        """What is written off with the claim kept: not owed in any report, and still to be recovered."""
        standing = (each.stands for each in self.write_offs.values() if each.keeps_claim)
        return Money.total(standing, self.customer.currency)

    def oldest_due_on(self) -> date | None:
        return min((item.due_on for item in self.items.values()), default=None)

    def days_past_due(self, today: date) -> int:
        """Days past due of the oldest open item; 0 where nothing is past due."""
        oldest = self.oldest_due_on()
        return max(0, (today - oldest).days) if oldest else 0

    def item_id(self, number: str) -> UUID:
        return document_id(self.whole.id, "invoice", number)

    def known_item(self, item_id: UUID) -> OpenItem | None:
        """The item, open or, where it is kept, settled."""
        return self.items.get(item_id) or self.settled.get(item_id)

    def by_name(self) -> "ItemsByName":
        """The items that are open or kept, to look many names up in."""
        return ItemsByName((*self.items.values(), *self.settled.values()))

    def kept_for(self, funds: Funds) -> tuple[str, ...] | None:
        """The invoices that money waits for still, for an event after which some of it is here again; None: it waits
        for none, or some of it is here. Needs the whole history."""
        waits_for = (funds.receipt.waits_for,) if funds.waits and funds.receipt.waits_for else ()
        names = () if funds.unapplied else (*waits_for, *funds.unknown)
        return tuple(name for name in names if not self.named(name)) or None

    def here_again(self, receipt: Receipt, unapplied: Money, kept_for: Sequence[str] | None) -> Funds:
        """Money of which something is left, or will be; where all had been used it waits as the event says."""
        if known := self.funds.get(receipt.id):
            return known
        funds = self.used_up.pop(receipt.id, None) or Funds(receipt=receipt, unapplied=unapplied)
        funds.waits_as(kept_for)
        return funds

    def named(self, name: str) -> list[OpenItem]:
        """What a number, or `NUMBER/DUE-DAY`, names of the items that are open or kept, oldest due first."""
        if not self.has_instalments and ((item := self.known_item(self.item_id(name))) or day_named(name) is None):
            return [item] if item is not None else []
        return self.by_name().find(name)

    def open_named(self, names: Iterable[str]) -> tuple[UUID, ...]:
        """The open items that numbers, or `NUMBER/DUE-DAY`, name. Refuses one that names none."""
        by_name = self.by_name()
        found: dict[UUID, None] = {}
        for name in names:
            named = [item.id for item in by_name.find(name) if item.id in self.items]
            if not named:
                raise Refusal("not-open", f"invoice {name} has no open amount")
            found.update(dict.fromkeys(named))
        return tuple(found)

    def one_named(self, name: str) -> OpenItem:
        """The item where only one will do. Raises NeedsHistory, Refusal."""
        self.require_history()
        found = self.named(name)
        if len(found) > 1:
            found = [item for item in found if item.item.name == name and item.item.instalment is not None] or found
        if not found:
            raise Refusal("unknown-invoice", f"the account has no invoice {name}")
        if len(found) > 1:
            names = ", ".join(f"{item.item.number}/{item.due_on}" for item in found)
            raise Refusal("several-instalments", f"invoice {name} is owed in instalments; say which: {names}")
        return found[0]

    def known_funds(self, funds_id: UUID) -> Funds | None:
        """The payment or credit, with something left or, where it is kept, used up or taken back."""
        return self.funds.get(funds_id) or self.used_up.get(funds_id)

    def part_of(self, item: OpenItem) -> Money | None:
        """The part of it that its dispute is about; None: all of it, or it is not disputed."""
        dispute = self.disputes.get(item.dispute_id) if item.dispute_id is not None else None
        return None if dispute is None else dispute.amounts.get(item.id)

    def disputed_of(self, item: OpenItem) -> Money:
        """How much of what is open of it is disputed: all of it, or at most the disputed part."""
        if item.dispute_id is None:
            return self.customer.zero
        part = self.part_of(item)
        return item.open if part is None else min(item.open, part)

    def require_history(self) -> None:
        """What was settled is only known once everything was loaded."""
        if not self.keeps_all:
            raise NeedsHistory

    def shields(self) -> list[Shield]:
        """Money that is not allocated yet covers what it will be put against."""
        unapplied = self.unapplied
        if not unapplied:
            return []
        why = Why(code="unapplied", detail="money that is not allocated yet covers what is owed")
        return [
            Shield(ShieldSource.UNAPPLIED, why, amount=unapplied, said="is covered by money that is not allocated yet")
        ]

    # --- for apply methods ---

    def moved(self, move: Move, *, named: bool) -> None:
        """Notes that money was put against an item, or taken back; `named`: against the item that it names."""
        self.allocated_through = _later(self.allocated_through, move.day)
        if not named:
            self.freely_through = _later(self.freely_through, move.day)
        item = self.items.get(move.item_id)
        if item is not None:
            item.moved_on = _later(item.moved_on, move.day)
        if self.keeps_all:
            self.moves.append(move)

    def write_off_moved(self, move: Move, change: WriteOffChange) -> None:
        """Notes that a write-off is of more or less of an item. One that is reversed is not kept up."""
        self.moved(move, named=False)
        if self.keeps_all and change is WriteOffChange.WRITTEN_OFF:
            key = (move.funds_id, move.item_id, move.day)
            self.on_its_day[key] = self.on_its_day.get(key, 0) + move.amount
        write_off = self.write_offs.get(move.funds_id)
        if write_off is None:
            return
        amount = Money(move.amount, self.customer.currency)
        write_off.stands += amount
        if change is WriteOffChange.WRITTEN_OFF:
            write_off.amount += amount

    def known_write_off(self, write_off_id: UUID) -> WriteOff | None:
        """One that stands or, where it is kept, that was reversed."""
        if write_off_id in self.reversed_write_offs:
            return self.reversed_write_offs[write_off_id][0]
        return self.write_offs.get(write_off_id)

    def went(self, day: date) -> None:
        """Notes that money that was there went on a day: what is dated earlier may have been paid with it."""
        self.allocated_through = _later(self.allocated_through, day)
        self.freely_through = _later(self.freely_through, day)

    def gone_for_another(self, funds: Funds) -> None:
        """Keeps funds apart that were taken back, and whose number other ones have from now on."""
        self.allocated_of(funds)  # while all that was moved under the number is of these
        self.gone.append(self.used_up.pop(funds.id))

    def allocated_of(self, funds: Funds) -> Mapping[UUID, tuple[Allocation, ...]]:
        """What it put against each item, oldest day first."""
        if self.was_reallocated:
            self._allocate_again()
            self.was_reallocated = False
        return funds.allocated

    def _allocate_again(self) -> None:
        """Works out what funds are put against, from everything that was ever done with them."""
        known = {**self.used_up, **self.funds}
        for funds in known.values():
            funds.allocated = {}
        for move in sorted(self.moves, key=_by_day):
            if move.funds_id in self.written_off:
                continue
            funds = known[move.funds_id]
            amount = Money(abs(move.amount), funds.receipt.amount.currency)
            if move.amount > 0:
                funds.allocate(move.item_id, amount, move.day)
            else:
                funds.release(move.item_id, amount, move.day)

    def end_dispute(self, dispute_id: UUID, day: date | None) -> None:
        """A day that is not known is taken for the first: what the dispute held back then is not walked again."""
        was = self.disputes.pop(dispute_id)
        if self.keeps_all:
            self.disputes[dispute_id] = was.model_copy(update={"ends_on": day or was.begins_on})
        if day is not None:
            self.allocated_through = _later(self.allocated_through, day)

    def forget_item(self, item_id: UUID) -> None:
        self.items.pop(item_id, None)
        self.settled.pop(item_id, None)

    def keep_item(self, item: OpenItem) -> None:
        if item.open:
            self.items[item.id] = item
        elif self.keeps_all:
            self.settled[item.id] = item

    def keep_funds(self, funds: Funds) -> None:
        if not funds.unapplied:
            del self.funds[funds.id]
            if self.keeps_all:
                self.used_up[funds.id] = funds


class ItemsByName:
    """Which items a number names: the invoice, or all its instalments. `NUMBER/DUE-DAY` names what of it is due on that
    day, or was when it was billed; an invoice that has just that for its number comes first."""

    def __init__(self, items: Iterable[OpenItem]) -> None:
        self._by_number: dict[str, list[OpenItem]] = {}
        for item in items:
            self._by_number.setdefault(item.item.number, []).append(item)

    def find(self, name: str) -> list[OpenItem]:
        """Oldest due first; empty where nothing has that name."""
        found = self._by_number.get(name)
        if found is None and (named := day_named(name)) is not None:
            number, day = named
            found = [item for item in self._by_number.get(number, ()) if _is_of(item.item, day)]
        return sorted(found, key=allocation_order) if found is not None and len(found) > 1 else found or []


_OF_A_DAY = re.compile(r"(.+)/(\d{4}-\d{2}-\d{2})")


def day_named(name: str) -> tuple[str, date] | None:
    """Number and day, where it can be read as `NUMBER/DUE-DAY`."""
    parts = _OF_A_DAY.fullmatch(name)
    try:
        return None if parts is None else (parts[1], date.fromisoformat(parts[2]))
    except ValueError:
        return None


def has_name(item: Item, name: str | None) -> bool:
    """Whether the name can mean this item."""
    if name is None or item.number == name:
        return name is not None
    named = day_named(name)
    return named is not None and item.number == named[0] and _is_of(item, named[1])


def _is_of(item: Item, day: date) -> bool:
    return day in (item.due_on, item.instalment)


def _by_day(move: Move) -> tuple[date, bool]:
    return move.day, move.amount < 0


def _later(known: date | None, day: date) -> date:
    return day if known is None or day > known else known


def place_if_open(was: OpenItem, open_after: Money, today: date) -> Place | None:
    """The item's place once so much of it is open: one that was settled is reopened today. None: nowhere."""
    place = was.place.model_copy(update={"reopened_on": today}) if open_after and not was.open else was.place
    return place if place != NOWHERE else None


def allocation_order(item: OpenItem) -> tuple[bool, date, date, str, date]:
    """Oldest due first, fees last: in this order money is put against items."""
    said = item.item
    return said.kind is ItemKind.FEE, item.due_on, said.issued_on, said.number, said.instalment or date.min

"""A second opinion: the same receivables worked out from nothing but the facts, each day by itself.

It is told facts only (invoices, money in, reversals, disputes, what a person decided) and keeps no allocation: whenever
it is asked, it goes through every day from the first on, in plain dictionaries and integers.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from aggregates.account.allocation import AllocationDecided, AllocationReleased, FundsAllocated
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.disputes import DisputeOpened, DisputeResolved
from aggregates.account.payments import CreditNoted, CreditWithdrawn, PaymentReceived, PaymentReversed
from aggregates.account.reallocation import FundsReallocated
from aggregates.account.receivables import Item, Receipt
from aggregates.account.transfers import PaymentTransferred, TransferReturned
from aggregates.kernel.event import Event, Recorded

Row = dict[str, Any]
Put = dict[tuple[date, UUID, UUID], int]
"""What was put against an item by which money on which day; negative where it was taken back."""


class PlainLedger:
    """Facts, and what follows from them."""

    def __init__(self) -> None:
        self.items: dict[UUID, Row] = {}
        self.money: list[Row] = []
        self.disputes: dict[UUID, Row] = {}
        self.decided: list[AllocationDecided] = []
        self._known: tuple[int, Put] | None = None
        self._facts = 0

    # --- facts ---

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            self._facts += 1
            match event:
                case InvoiceBilled(item=item) | InvoiceCorrected(item=item):
                    self.items[item.id] = _item(item)
                case PaymentReceived(receipt=receipt) | CreditNoted(receipt=receipt):
                    self.money.append({
                        "id": receipt.id, "amount": receipt.amount.minor, "on": receipt.received_on,
                        "kind": receipt.kind.value, "number": receipt.number, "named": event.invoice_number,
                        "said": _said(receipt), "gone": None, "sent": [],
                    })  # fmt: skip
                case PaymentReversed(receipt=receipt, reversed_on=gone):
                    self._latest(receipt.id)["gone"] = gone
                case PaymentTransferred(receipt=receipt):
                    self._latest(receipt.id)["sent"].append((event.to, event.transferred_on, event.amount.minor))
                case TransferReturned(receipt=receipt, to=there):
                    of = self._latest(receipt.id)
                    if event.returned_on == event.transferred_on:
                        of["sent"] = [each for each in of["sent"] if each[0] != there]
                case CreditWithdrawn(receipt=receipt):
                    self._latest(receipt.id)["gone"] = receipt.received_on
                case DisputeOpened():
                    said = {part.item_id: part.amount.minor for part in event.parts or ()}
                    about = {item_id: said.get(item_id, "everything") for item_id in event.item_ids}
                    self.disputes[event.dispute_id] = {"about": about, "from": event.opened_on, "until": None}
                case DisputeResolved():
                    self.disputes[event.dispute_id]["until"] = event.resolved_on
                case AllocationDecided():
                    self.decided.append(event)
                case _:
                    self._facts -= 1

    def _latest(self, money_id: UUID) -> Row:
        return [each for each in self.money if each["id"] == money_id][-1]

    def is_there(self, money_id: UUID) -> bool:
        return any(each["id"] == money_id and each["gone"] is None for each in self.money)

    # --- what follows ---

    def put(self) -> Put:
        if self._known is None or self._known[0] != self._facts:
            self._known = self._facts, self._work_out()
        return self._known[1]

    def open_items(self) -> dict[UUID, int]:
        put = self.put()
        left = {
            item_id: item["amount"] - sum(a for (_, _, to), a in put.items() if to == item_id)
            for item_id, item in self.items.items()
        }
        return {item_id: amount for item_id, amount in left.items() if amount}

    def left_over(self) -> dict[UUID, int]:
        put = self.put()
        left = {
            each["id"]: each["amount"] - _sent(each) - sum(a for (_, of, _), a in put.items() if of == each["id"])
            for each in self.money
            if each["gone"] is None
        }
        return {money_id: amount for money_id, amount in left.items() if amount}

    def balance(self) -> int:
        """Without looking at any allocation."""
        billed = sum(item["amount"] for item in self.items.values())
        return int(billed - sum(each["amount"] - _sent(each) for each in self.money if each["gone"] is None))

    def buckets(self, today: date) -> dict[str, int]:
        sums = dict.fromkeys(("current", "1-30", "31-60", "61-90", "91-120", "121+"), 0)
        for item_id, amount in self.open_items().items():
            late = (today - self.items[item_id]["due"]).days
            if late <= 0:
                name = "current"
            elif late > 120:
                name = "121+"
            else:
                low = (late - 1) // 30 * 30
                name = f"{low + 1}-{low + 30}"
            sums[name] += amount
        return sums

    # --- a day after the other ---

    def _work_out(self) -> Put:
        put: Put = {}
        open_amounts = {i: item["amount"] for i, item in self.items.items()}
        left = [0 if each["gone"] is not None and each["gone"] <= each["on"] else each["amount"] for each in self.money]
        went: list[dict[UUID, int]] = [{} for _ in self.money]

        def pay(day: date, nth: int, item_id: UUID, amount: int) -> None:
            if amount:
                key = day, self.money[nth]["id"], item_id
                put[key] = put.get(key, 0) + amount
                left[nth] -= amount
                open_amounts[item_id] -= amount
                went[nth][item_id] = went[nth].get(item_id, 0) + amount

        def promised(day: date, **of: UUID) -> int:
            """What a person decided of this money, or for this item, for a later day on which the money is there."""
            return sum(
                d.amount.minor
                for d in self.decided
                if self._day_of(d) > day and all(getattr(d, name) == value for name, value in of.items())
                if (gone := self.money[self._money_of(d)]["gone"]) is None or self._day_of(d) < gone
            )

        for day in self._days():
            for nth, money in enumerate(self.money):
                if money["gone"] == day and money["gone"] > money["on"]:
                    for item_id, amount in list(went[nth].items()):
                        pay(day, nth, item_id, -amount)
                    left[nth] = 0
                if money["gone"] is None or day < money["gone"]:
                    for _, _, amount in (each for each in money["sent"] if each[1] == day):
                        missing = max(0, amount - left[nth])
                        left[nth] = max(0, left[nth] - amount)
                        by_age = sorted(
                            went[nth], key=lambda i: [self.items[i][k] for k in ("fee", "due", "issued", "number")]
                        )
                        for item_id in by_age[::-1]:
                            back = min(missing, went[nth][item_id])
                            pay(day, nth, item_id, -back)
                            left[nth] -= back
                            missing -= back
            for decided in self.decided:
                if self._day_of(decided) == day:
                    nth = self._money_of(decided)
                    if self.money[nth]["gone"] is None or day < self.money[nth]["gone"]:
                        most = min(left[nth], open_amounts[decided.item_id], decided.amount.minor)
                        pay(day, nth, decided.item_id, most)
            there = sorted(
                (nth for nth, m in enumerate(self.money) if m["on"] <= day and left[nth]),
                key=lambda nth: [self.money[nth][k] for k in ("on", "kind", "number")],
            )
            by_age = sorted(
                (i for i, item in self.items.items() if item["issued"] <= day),
                key=lambda i: [self.items[i][k] for k in ("fee", "due", "issued", "number", "part")],
            )
            kept: dict[int, int] = {}
            for nth in there:
                said = self._said_of(self.money[nth])
                away = [most for items, most in said if not items.intersection(by_age)]
                kept[nth] = sum(each for each in away if each is not None)
                for limited in (True, False):
                    for items, limit in said:
                        for item_id in by_age:
                            if item_id in items and limited == (limit is not None):
                                had = sum(went[nth].get(each, 0) for each in items)
                                most = min(
                                    left[nth] - kept[nth] - promised(day, funds_id=self.money[nth]["id"]),
                                    open_amounts[item_id] - promised(day, item_id=item_id),
                                    left[nth] if limit is None else limit - had,
                                )
                                pay(day, nth, item_id, max(0, most))
                if None in away:
                    kept[nth] = left[nth]
            for nth in there:
                for item_id in by_age:
                    most = min(
                        left[nth] - kept[nth] - promised(day, funds_id=self.money[nth]["id"]),
                        open_amounts[item_id] - self._waits(item_id, day) - promised(day, item_id=item_id),
                    )
                    pay(day, nth, item_id, max(0, most))
        return {key: amount for key, amount in put.items() if amount}

    def _said_of(self, money: Row) -> list[tuple[set[UUID], int | None]]:
        """The items of each invoice that a payer named, and the amount for it. What is named as a whole comes first."""
        if money["named"] is not None and (not money["said"] or self._meant(money["named"])):
            return [(self._meant(money["named"]), None)]
        return [(self._meant(name), amount) for name, amount in money["said"]]

    def _meant(self, name: str | None) -> set[UUID]:
        """The items that a name means: by their number, else by number and a day on which it is or was due."""
        if whole := {i for i, item in self.items.items() if item["number"] == name}:
            return whole
        return {i for i, item in self.items.items() for day in item["days"] if f"{item['number']}/{day}" == name}

    def _day_of(self, decided: AllocationDecided) -> date:
        """Not before both sides were there, as they are known now."""
        money = self.money[self._money_of(decided)]
        issued: date = self.items[decided.item_id]["issued"]
        came: date = money["on"]
        return max(decided.allocated_on, issued, came)

    def _money_of(self, decided: AllocationDecided) -> int:
        """What came last under its number."""
        return max(nth for nth, each in enumerate(self.money) if each["id"] == decided.funds_id)

    def _days(self) -> list[date]:
        days = {item["issued"] for item in self.items.values()} | {self._day_of(d) for d in self.decided}
        days |= {day for each in self.money for day in (each["on"], each["gone"]) if day is not None}
        days |= {day for each in self.money for _, day, _ in each["sent"]}
        days |= {day for each in self.disputes.values() for day in (each["from"], each["until"]) if day is not None}
        if not days:
            return []
        return [min(days) + timedelta(days=n) for n in range((max(days) - min(days)).days + 1)]

    def _waits(self, item_id: UUID, day: date) -> int:
        """How much of what is open of an item is not paid with money that could go anywhere; more than is open, where
        the customer disputes more than is left."""
        amount = 0
        for each in self.disputes.values():
            if each["from"] > day or (each["until"] is not None and each["until"] <= day):
                continue
            part = each["about"].get(item_id, 0)
            amount += self.items[item_id]["amount"] if part == "everything" else part
        return amount

    def disputed(self, day: date) -> dict[UUID, int]:
        """What of each open item is disputed on a day that all facts are known of."""
        amounts = {i: min(left, self._waits(i, day)) for i, left in self.open_items().items()}
        return {item_id: amount for item_id, amount in amounts.items() if amount}


def _sent(money: Row) -> int:
    return sum(amount for _, _, amount in money["sent"])


def _said(receipt: Receipt) -> list[tuple[str, int | None]]:
    return [
        (each.invoice_number, None if each.amount is None else each.amount.minor) for each in receipt.instructions or ()
    ]


def _item(item: Item) -> Row:
    return {
        "number": item.number,
        "amount": item.amount.minor,
        "issued": item.issued_on,
        "due": item.due_on,
        "fee": item.kind == "fee",
        "days": [day for day in (item.due_on, item.instalment) if day],
        "part": str(item.instalment or ""),
    }


def put_by(log: Iterable[Recorded]) -> Put:
    """The same as the log says it."""
    put: Put = {}

    def add(day: date, money_id: UUID, item_id: UUID, amount: int) -> None:
        put[day, money_id, item_id] = put.get((day, money_id, item_id), 0) + amount

    for recorded in log:
        match recorded.event:
            case FundsAllocated() as event:
                for part in event.parts:
                    add(event.allocated_on, event.funds_id, part.item_id, part.amount.minor)
            case AllocationReleased() as event:
                for released in event.parts:
                    add(event.released_on, event.receipt.id, released.item.id, -released.amount.minor)
            case FundsReallocated() as event:
                for move in event.moves:
                    add(move.moved_on, move.funds_id, move.item_id, move.amount.minor)
            case _:
                pass
    return {key: amount for key, amount in put.items() if amount}


def as_of(log: list[Recorded]) -> dict[date, tuple[dict[UUID, int], int]]:
    """Open amounts per item and what is unapplied at the end of every day on which anything was effective."""
    moves: list[tuple[date, UUID | None, int, int]] = []
    for recorded in log:
        day = recorded.effective_on
        match recorded.event:
            case InvoiceBilled(item=item):
                moves.append((day, item.id, item.amount.minor, 0))
            case InvoiceCorrected(item=item, previous=previous):
                moves.append((previous.issued_on, previous.id, -previous.amount.minor, 0))
                moves.append((day, item.id, item.amount.minor, 0))
            case PaymentReceived(receipt=receipt) | CreditNoted(receipt=receipt):
                moves.append((day, None, 0, receipt.amount.minor))
            case PaymentTransferred(amount=amount):
                moves.append((day, None, 0, -amount.minor))
            case TransferReturned(amount=amount):
                moves.append((day, None, 0, amount.minor))
            case PaymentReversed(receipt=receipt) | CreditWithdrawn(receipt=receipt):
                moves.append((day, None, 0, -receipt.amount.minor))
            case FundsAllocated(parts=allocated):
                moves += [(day, part.item_id, -part.amount.minor, -part.amount.minor) for part in allocated]
            case AllocationReleased(parts=released):
                moves += [(day, part.item.id, part.amount.minor, part.amount.minor) for part in released]
            case FundsReallocated(moves=moved):
                moves += [(m.moved_on, m.item_id, -m.amount.minor, -m.amount.minor) for m in moved]
            case _:
                pass
    days: dict[date, tuple[dict[UUID, int], int]] = {}
    items: dict[UUID, int] = {}
    unapplied = 0
    for day, item_id, of_item, of_unapplied in sorted(moves, key=lambda move: move[0]):
        unapplied += of_unapplied
        if item_id is not None:
            items[item_id] = items.get(item_id, 0) + of_item
        days[day] = (dict(items), unapplied)
    return days

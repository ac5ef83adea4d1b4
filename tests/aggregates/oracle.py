"""A second opinion: the same receivables kept in plain dictionaries and integers.

It is told facts only (invoices, money in, reversals, disputes) and works out by itself what is open, in which
bucket, and what is left over.
"""

from datetime import date
from typing import Any
from uuid import UUID

from aggregates.account.allocation import AllocationReleased, FundsAllocated
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.disputes import DisputeOpened, DisputeResolved
from aggregates.account.payments import CreditNoted, CreditWithdrawn, PaymentReceived, PaymentReversed
from aggregates.account.receivables import Item
from aggregates.kernel.event import Recorded

Row = dict[str, Any]


class PlainLedger:
    """Items, money, and rows that say which money went to which item."""

    def __init__(self) -> None:
        self.items: dict[UUID, Row] = {}
        self.money: dict[UUID, Row] = {}
        self.rows: list[Row] = []
        self.numbers: set[str] = set()

    # --- what is known ---

    def open(self, item_id: UUID) -> int:
        return int(self.items[item_id]["amount"] - sum(r["amount"] for r in self.rows if r["item"] == item_id))

    def left(self, money_id: UUID) -> int:
        if self.money[money_id]["gone"]:
            return 0
        return int(self.money[money_id]["amount"] - sum(r["amount"] for r in self.rows if r["money"] == money_id))

    def open_items(self) -> dict[UUID, int]:
        return {i: amount for i in self.items if (amount := self.open(i))}

    def left_over(self) -> dict[UUID, int]:
        return {m: amount for m in self.money if (amount := self.left(m))}

    def balance(self) -> int:
        """Without looking at any allocation."""
        billed = sum(item["amount"] for item in self.items.values())
        return int(billed - sum(m["amount"] for m in self.money.values() if not m["gone"]))

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

    # --- what happens ---

    def take(self, log: list[Recorded], live_rows: list[Row]) -> None:
        """The facts of one command. Which money a corrected invoice gives back is taken over from `live_rows`."""
        facts = [recorded.event for recorded in log]
        for event in facts:
            match event:
                case InvoiceBilled(item=item):
                    self._bill(item)
                case PaymentReceived(receipt=receipt) | CreditNoted(receipt=receipt):
                    self.money[receipt.id] = {
                        "amount": receipt.amount.minor,
                        "on": receipt.received_on,
                        "named": event.invoice_number,
                        "gone": False,
                    }
                    self._spend(receipt.id)
                case PaymentReversed(receipt=receipt) | CreditWithdrawn(receipt=receipt):
                    self.money[receipt.id]["gone"] = True
                    self.rows = [r for r in self.rows if r["money"] != receipt.id]
                case DisputeOpened(item_ids=item_ids):
                    for item_id in item_ids:
                        self.items[item_id]["disputed"] = True
                case DisputeResolved(item_ids=item_ids):
                    for item_id in item_ids:
                        self.items[item_id]["disputed"] = False
                case InvoiceCorrected(item=item):
                    disputed = self.items[item.id]["disputed"]
                    self._bill(item)
                    self.items[item.id]["disputed"] = disputed
        if any(isinstance(event, InvoiceCorrected) for event in facts):
            self.rows = live_rows
        self._spend_all()

    def _bill(self, item: Item) -> None:
        self.numbers.add(item.number)
        self.items[item.id] = {
            "number": item.number,
            "amount": item.amount.minor,
            "issued": item.issued_on,
            "due": item.due_on,
            "fee": item.kind == "fee",
            "disputed": False,
        }

    def _spend_all(self) -> None:
        for money_id in sorted(self.money, key=lambda m: (not self.money[m]["named"], self.money[m]["on"], str(m))):
            self._spend(money_id)

    def _spend(self, money_id: UUID) -> None:
        money = self.money[money_id]
        if money["named"] and money["named"] not in self.numbers:
            return
        by_age = sorted(self.items, key=lambda i: [self.items[i][k] for k in ("fee", "due", "issued", "number")])
        named = [i for i in by_age if self.items[i]["number"] == money["named"]]
        for item_id in named + [i for i in by_age if i not in named and not self.items[i]["disputed"]]:
            amount = min(self.left(money_id), self.open(item_id))
            if amount:
                self.rows.append({"money": money_id, "item": item_id, "amount": amount})


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
            case PaymentReversed(receipt=receipt) | CreditWithdrawn(receipt=receipt):
                moves.append((day, None, 0, -receipt.amount.minor))
            case FundsAllocated(parts=allocated):
                moves += [(day, part.item_id, -part.amount.minor, -part.amount.minor) for part in allocated]
            case AllocationReleased(parts=released):
                moves += [(day, part.item.id, part.amount.minor, part.amount.minor) for part in released]
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

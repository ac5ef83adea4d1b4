"""A second opinion: the same receivables worked out from nothing but the facts, each day by itself.

It is told facts only (invoices, money in, reversals, disputes, what a person decided) and keeps no allocation: whenever
it is asked, it goes through every day from the first on, in plain dictionaries and integers.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from aggregates.account.allocation import AllocationDecided, AllocationReleased, FundsAllocated
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.disputes import DisputeOpened, DisputeResolved
from aggregates.account.payments import (
    CreditNoted,
    CreditWithdrawn,
    FundsRefunded,
    PaymentReceived,
    PaymentReversed,
    PaymentReversedInPart,
    RefundWithdrawn,
    ReversalWithdrawn,
)
from aggregates.account.reallocation import FundsReallocated
from aggregates.account.receivables import GoneBack, Item, Receipt, ReversalKind
from aggregates.account.transfers import PaymentTransferred, TransferReturned
from aggregates.account.write_offs import DebtWrittenOff, WriteOffReversed
from aggregates.kernel.event import Event, Recorded
from aggregates.values.business_time import ONE_DAY

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
        self.write_offs: dict[UUID, Row] = {}
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
                        "said": _said(receipt), "gone": None, "back": [], "never": False, "sent": [],
                    })  # fmt: skip
                case PaymentReversed(receipt=receipt, reversed_on=gone, reversal=why):
                    self._latest(receipt.id).update(gone=gone, never=why is ReversalKind.ERROR)
                case PaymentReversedInPart(receipt=receipt, part=part) | FundsRefunded(receipt=receipt, part=part):
                    self._part_back(receipt.id, part)
                case ReversalWithdrawn(receipt=receipt, part=part) | RefundWithdrawn(receipt=receipt, part=part):
                    self._part_here(receipt.id, part)
                case PaymentTransferred(receipt=receipt):
                    self._latest(receipt.id)["sent"].append((event.to, event.transferred_on, event.amount.minor))
                case TransferReturned(receipt=receipt, to=there):
                    of = self._latest(receipt.id)
                    if event.returned_on == event.transferred_on:
                        of["sent"] = [each for each in of["sent"] if each[0] != there]
                case CreditWithdrawn(receipt=receipt):
                    self._latest(receipt.id).update(gone=receipt.received_on, never=True)
                case DisputeOpened():
                    said = {part.item_id: part.amount.minor for part in event.parts or ()}
                    about = {item_id: said.get(item_id, "everything") for item_id in event.item_ids}
                    self.disputes[event.dispute_id] = {"about": about, "from": event.opened_on, "until": None}
                case DisputeResolved():
                    self.disputes[event.dispute_id]["until"] = event.resolved_on
                case DebtWrittenOff():
                    of = self.write_offs.setdefault(event.write_off_id, _write_off(event))
                    of["most"] |= {part.item_id: part.amount.minor for part in event.parts}
                case WriteOffReversed():
                    self.write_offs[event.write_off_id]["gone"] = event.reversed_on
                case AllocationDecided():
                    self.decided.append(event)
                case _:
                    self._facts -= 1

    def _part_back(self, money_id: UUID, part: GoneBack) -> None:
        row = self._latest(money_id)
        row["back"].append(_part(part))
        if row["amount"] == _gone_back(row):
            row["gone"] = max(part["on"] for part in row["back"])

    def _part_here(self, money_id: UUID, part: GoneBack) -> None:
        row = self._latest(money_id)
        row.update(gone=None, never=False)
        if row["back"]:
            row["back"].remove(_part(part))

    def unapplied_since(self, day: date) -> dict[UUID, int]:
        """What was here and put nowhere at the end of a day, and of each day since."""
        ends = [day, *(each for each in self._days() if each > day)]
        return {
            each["id"]: min(self._nowhere(each, end) for end in ends)
            for each in self.money
            if each["gone"] is None and each["on"] <= day
        }

    def _nowhere(self, money: Row, day: date) -> int:
        put = sum(a for (on, of, _), a in self.put().items() if of == money["id"] and on <= day)
        went = sum(part["amount"] for part in money["back"] if part["on"] <= day)
        return int(money["amount"] - went - sum(a for _, on, a in money["sent"] if on <= day) - put)

    def there_once(self) -> set[UUID]:
        return {each["id"] for each in self.money}

    def parts_of(self, money_id: UUID) -> list[Row]:
        return self._latest(money_id)["back"] if money_id in self.there_once() else []

    def reversals_of(self, money_id: UUID) -> list[tuple[Any, ...]]:
        """Day, amount, kind and item of each, the whole among them."""
        if money_id not in self.there_once():
            return []
        row = self._latest(money_id)
        if row["gone"] is not None and not row["back"]:
            return [(row["gone"], row["amount"], "whole", None)]
        return [(part["on"], part["amount"], part["why"], part["item"]) for part in row["back"] if part["why"]]

    def was_taken_back(self, money_id: UUID) -> bool:
        return money_id in self.there_once() and not self.is_there(money_id) and bool(self.reversals_of(money_id))

    def free_from(self, money_id: UUID) -> date:
        """When what had the number was gone; what never was had it at no time."""
        return max(
            (m["gone"] for m in self.money if m["id"] == money_id and m["gone"] and not m["never"]), default=date.min
        )

    def can_be_restated(self, money_id: UUID, day: date, amount: int) -> bool:
        """What went back of it has to fit, and what had the number before has to be gone."""
        if money_id not in self.there_once():
            return False
        row = self._latest(money_id)
        others = [m for m in self.money if m["id"] == money_id and m is not row and not m["never"]]
        if any(day < other["gone"] for other in others):
            return False
        parts = row["back"]
        if row["gone"] is not None and not parts:
            return bool(row["never"] or day <= row["gone"])
        return amount >= sum(part["amount"] for part in parts) and all(day <= part["on"] for part in parts)

    def _kept(self, row: Row) -> int:
        return int(row["amount"] - _gone_back(row) - _sent(row))

    def amount_of(self, money_id: UUID) -> int:
        return int(self._latest(money_id)["amount"]) if self.is_there(money_id) else 0

    def remains(self, money_id: UUID) -> int:
        return self._kept(self._latest(money_id)) if self.is_there(money_id) else 0

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
            each["id"]: self._kept(each) - sum(a for (_, of, _), a in put.items() if of == each["id"])
            for each in self.money
            if each["gone"] is None
        }
        return {money_id: amount for money_id, amount in left.items() if amount}

    def balance(self) -> int:
        """Without looking at any allocation."""
        billed = sum(item["amount"] for item in self.items.values())
        came = sum(self._kept(each) for each in self.money if each["gone"] is None)
        return int(billed - came - sum(self.written_off().values()))

    def owes_as_before(self, day: date) -> bool:
        """Whether a dispute that begins or ends on a day only changes what is chased: all that was written off was so
        before, its invoices are of before, and no money went in part since, which is what is put nowhere first."""
        written = (
            max(each["on"], self.items[item_id]["issued"])
            for each in self.write_offs.values()
            for item_id in each["most"]
        )
        went = (part["on"] for each in self.money for part in each["back"])
        return all(each < day for each in (*written, *went))

    def written_off(self) -> dict[UUID, int]:
        """What still is, of each write-off that was not reversed."""
        put = self.put()
        return {
            write_off_id: sum(a for (_, of, _), a in put.items() if of == write_off_id)
            for write_off_id, each in self.write_offs.items()
            if each["gone"] is None
        }

    def written_off_on_its_day(self, write_off_id: UUID) -> int:
        """Or when the items were there, as they are known now."""
        on = self.write_offs[write_off_id]["on"]
        return sum(
            a
            for (day, of, to), a in self.put().items()
            if of == write_off_id and day <= max(on, self.items[to]["issued"])
        )

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
        went: list[dict[tuple[date, UUID], int]] = [{} for _ in self.money]
        again: dict[UUID, int] = {}
        not_put: dict[UUID, int] = {}
        """Of a day: what of items is open again, and what of it a person decided that was not there."""

        def pay(day: date, nth: int, item_id: UUID, amount: int) -> None:
            if amount:
                key = day, self.money[nth]["id"], item_id
                put[key] = put.get(key, 0) + amount
                left[nth] -= amount
                open_amounts[item_id] -= amount
                again[item_id] = again.get(item_id, 0) + max(0, -amount)
                went[nth][day, item_id] = went[nth].get((day, item_id), 0) + amount

        held: dict[tuple[UUID, UUID], int] = {}
        in_turn = sorted(self.write_offs, key=lambda w: [self.write_offs[w][k] for k in ("on", "digits", "number")])

        def write_off(day: date, by: UUID, item_id: UUID, amount: int) -> None:
            """Less than zero: it gives way."""
            if amount:
                put[day, by, item_id] = put.get((day, by, item_id), 0) + amount
                open_amounts[item_id] -= amount
                held[by, item_id] = held.get((by, item_id), 0) + amount

        def claim(item_id: UUID) -> int:
            return sum(a for (by, of), a in held.items() if of == item_id and self.write_offs[by]["claim"])

        def pay_claim_too(day: date, nth: int, item_id: UUID, amount: int) -> None:
            """What is open first, and of write-offs the latest."""
            short = amount - open_amounts[item_id]
            for by in in_turn[::-1] if amount > 0 else ():
                if self.write_offs[by]["claim"] and short > 0:
                    gives = min(short, held.get((by, item_id), 0))
                    write_off(day, by, item_id, -gives)
                    short -= gives
            pay(day, nth, item_id, amount)

        def put_by_day(nth: int) -> list[tuple[date, UUID, int]]:
            """What is put against items, each amount on the day since which it is there, the latest first; of a day
            what would have been paid last."""
            found = []
            for item_id in {item_id for _, item_id in went[nth]}:
                days = sorted((day, amount) for (day, to), amount in went[nth].items() if to == item_id)
                still = sum(amount for _, amount in days)
                running = 0
                kept: list[tuple[date, int]] = []
                for day, amount in days:  # what was taken back was the newest, so the low-water marks are what stands
                    running += amount
                    kept = [(d, min(w, running)) for d, w in kept if w] + [(day, running)]
                before = 0
                for day, water in kept:
                    if water > before:
                        found.append((day, item_id, water - before))
                        before = water
                assert before == still
            order = ("fee", "due", "issued", "number", "part")
            return sorted(found, key=lambda f: [f[0], *(self.items[f[1]][k] for k in order)], reverse=True)

        def give_back(day: date, nth: int) -> None:
            """Or send elsewhere: first from the items that were named for it, then what is nowhere, then what was put
            somewhere latest."""
            parts = [part for part in self.money[nth]["back"] if part["on"] == day]
            parts += [{"amount": a, "item": None} for _, sent_on, a in self.money[nth]["sent"] if sent_on == day]
            rest = sum(part["amount"] for part in parts)
            named = {part["item"] for part in parts if part["item"] is not None}
            for item_id in named:
                there = sum(amount for _, to, amount in put_by_day(nth) if to == item_id)
                most = min(there, sum(part["amount"] for part in parts if part["item"] == item_id))
                pay(day, nth, item_id, -most)
                left[nth] -= most
                rest -= most
            loose = min(rest, left[nth])
            left[nth] -= loose
            rest -= loose
            for _, item_id, amount in put_by_day(nth):
                pay(day, nth, item_id, -min(rest, amount))
                left[nth] -= min(rest, amount)
                rest -= min(rest, amount)
            assert not rest

        def promised(day: date, **of: UUID) -> int:
            """What a person decided of this money, or for this item, for a later day on which the money is there."""
            return sum(
                d.amount.minor
                for d in self.decided
                if self._day_of(d) > day and all(getattr(d, name) == value for name, value in of.items())
                if (gone := self.money[self._money_of(d)]["gone"]) is None or self._day_of(d) < gone
            )

        for day in self._days():
            again, not_put = {}, {}
            for nth, money in enumerate(self.money):
                if money["gone"] == day and money["gone"] > money["on"]:
                    for _, item_id, amount in put_by_day(nth):
                        pay(day, nth, item_id, -amount)
                    left[nth] = 0
                elif money["gone"] is None or day < money["gone"]:
                    give_back(day, nth)
            for by, item_id in list(held):
                if self.write_offs[by]["gone"] == day:
                    again[item_id] = again.get(item_id, 0) + held[by, item_id]
                    write_off(day, by, item_id, -held[by, item_id])
            for by in (each for each in in_turn if self._stands(each, day) and self.write_offs[each]["on"] < day):
                row = self.write_offs[by]
                for item_id in again.keys() & row["most"].keys():
                    is_there = open_amounts[item_id] - (0 if row["claim"] else promised(day - ONE_DAY, item_id=item_id))
                    most = min(is_there, again[item_id], row["most"][item_id] - held.get((by, item_id), 0))
                    write_off(day, by, item_id, max(0, most))
            for decided in self.decided:
                if self._day_of(decided) == day:
                    nth = self._money_of(decided)
                    if self.money[nth]["gone"] is None or day < self.money[nth]["gone"]:
                        there_of_it = open_amounts[decided.item_id] + claim(decided.item_id)
                        most = min(left[nth], there_of_it, decided.amount.minor)
                        pay_claim_too(day, nth, decided.item_id, most)
                        short = decided.amount.minor - most
                        not_put[decided.item_id] = not_put.get(decided.item_id, 0) + short
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
                                had = sum(amount for (_, to), amount in went[nth].items() if to in items)
                                most = min(
                                    left[nth] - kept[nth] - promised(day, funds_id=self.money[nth]["id"]),
                                    open_amounts[item_id] + claim(item_id) - promised(day, item_id=item_id),
                                    left[nth] if limit is None else limit - had,
                                )
                                pay_claim_too(day, nth, item_id, max(0, most))
                if None in away:
                    kept[nth] = left[nth]
            for nth in there:
                for item_id in by_age:
                    most = min(
                        left[nth] - kept[nth] - promised(day, funds_id=self.money[nth]["id"]),
                        open_amounts[item_id] - self._waits(item_id, day) - promised(day, item_id=item_id),
                    )
                    pay(day, nth, item_id, max(0, most))

            def free(nth: int, day: date = day, kept: dict[int, int] = kept) -> int:
                return left[nth] - kept[nth] - promised(day, funds_id=self.money[nth]["id"])

            for by in in_turn:
                row = self.write_offs[by]
                if not self._stands(by, day):
                    continue
                mine = [item_id for item_id in by_age if item_id in row["most"]]
                for item_id, nth in ((i, n) for i in mine for n in there if row["on"] == day):
                    most = min(free(nth), open_amounts[item_id] - promised(day, item_id=item_id))
                    pay(day, nth, item_id, max(0, most))
                for item_id in mine:
                    most = open_amounts[item_id] - (0 if row["claim"] else promised(day, item_id=item_id))
                    if day > max(row["on"], self.items[item_id]["issued"]):  # what was left open before stays open
                        most = 0 if row["claim"] else min(most, not_put.get(item_id, 0))
                    write_off(day, by, item_id, max(0, min(most, row["most"][item_id] - held.get((by, item_id), 0))))
            still = sum(max(0, open_amounts[i] - promised(day, item_id=i)) for i in by_age)
            beyond = {}
            for nth in there:  # what came first covers what is open still
                covers = max(0, min(free(nth), still))
                beyond[nth] = max(0, free(nth)) - covers
                still -= covers
            for item_id, nth in ((i, n) for i in by_age for n in there):
                there_of_it = open_amounts[item_id] + claim(item_id) - promised(day, item_id=item_id)
                most = max(0, min(beyond[nth], claim(item_id), there_of_it))
                beyond[nth] -= most
                for back in in_turn[::-1]:  # room is made also where some of it is open, because it is disputed
                    if self.write_offs[back]["claim"]:
                        gives = min(most, held.get((back, item_id), 0))
                        write_off(day, back, item_id, -gives)
                        pay(day, nth, item_id, gives)
                        most -= gives
        return {key: amount for key, amount in put.items() if amount}

    def _stands(self, write_off_id: UUID, day: date) -> bool:
        row = self.write_offs[write_off_id]
        return bool(row["on"] <= day and (row["gone"] is None or day < row["gone"]))

    def only(self, name: str) -> bool:
        """Whether a name means one item and no other."""
        found = self.meant(name)
        own = [i for i in found if name == f"{self.items[i]['number']}/{self.items[i]['part']}"]
        return len(own or found) == 1

    def _said_of(self, money: Row) -> list[tuple[set[UUID], int | None]]:
        """The items of each invoice that a payer named, and the amount for it. What is named as a whole comes first."""
        if money["named"] is not None and (not money["said"] or self.meant(money["named"])):
            return [(self.meant(money["named"]), None)]
        return [(self.meant(name), amount) for name, amount in money["said"]]

    def meant(self, name: str | None) -> set[UUID]:
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
        days |= {part["on"] for each in self.money for part in each["back"]}
        days |= {day for each in self.money for _, day, _ in each["sent"]}
        days |= {day for each in self.write_offs.values() for day in (each["on"], each["gone"]) if day is not None}
        days |= {day for each in self.disputes.values() for day in (each["from"], each["until"]) if day is not None}
        if not days:
            return []
        return [min(days) + n * ONE_DAY for n in range((max(days) - min(days)).days + 1)]

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


def _write_off(event: DebtWrittenOff) -> Row:
    number = event.number
    return {
        "on": event.written_off_on, "digits": len(number), "number": number,
        "claim": event.keeps_claim, "most": {}, "gone": None,
    }  # fmt: skip


def _gone_back(money: Row) -> int:
    return sum(part["amount"] for part in money["back"])


def _sent(money: Row) -> int:
    return sum(amount for _, _, amount in money["sent"])


def _part(part: GoneBack) -> Row:
    return {"on": part.gone_on, "amount": part.amount.minor, "item": part.item_id, "why": part.reversal}


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
                for of in event.write_offs or ():
                    add(of.moved_on, of.write_off_id, of.item_id, of.amount.minor)
            case DebtWrittenOff() as event:
                for part in event.parts:
                    add(event.written_off_on, event.write_off_id, part.item_id, part.amount.minor)
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
            case PaymentReversedInPart(part=part) | FundsRefunded(part=part):
                moves.append((day, None, 0, -part.amount.minor))
            case ReversalWithdrawn(part=part) | RefundWithdrawn(part=part):
                moves.append((day, None, 0, part.amount.minor))
            case FundsAllocated(parts=allocated):
                moves += [(day, part.item_id, -part.amount.minor, -part.amount.minor) for part in allocated]
            case AllocationReleased(parts=released):
                moves += [(day, part.item.id, part.amount.minor, part.amount.minor) for part in released]
            case FundsReallocated(moves=moved, write_offs=written):
                moves += [(m.moved_on, m.item_id, -m.amount.minor, -m.amount.minor) for m in moved]
                moves += [(w.moved_on, w.item_id, -w.amount.minor, 0) for w in written or ()]
            case DebtWrittenOff(parts=parts):
                moves += [(day, part.item_id, -part.amount.minor, 0) for part in parts]
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

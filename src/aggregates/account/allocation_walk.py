"""What money is put against, day by day: the same whatever the order in which the facts arrived.

The rule, within a day: invoices and their corrections; money that is taken back, given back or goes to another account;
disputes that begin or end; what a person decided; money that names its invoices; other money, by receipt day, kind and
number. What is meant for an invoice waits, whole, for the invoice's issue day, and pays its instalments oldest due
first. What is left after that, and all other money, goes to the oldest due item that is not disputed, fees last, on the
first day on which it can. Of an item that is disputed in part it goes to the rest, and never to what would then be
left: at most the disputed part. A later day changes nothing of an earlier one.

Of a part that leaves so the item for which it is has to give first; then goes what was not put anywhere, then what
was put somewhere latest, and of one day what comes last among the items.

Amounts are minor units of one currency. Plain data in and out: what holds it is the account's business.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID


class Span(NamedTuple):
    """Days in which an item is disputed: from the first on, and without the last; None: it still is."""

    begins: date
    ends: date | None
    part: int | None = None
    """How much of it is disputed; None: all of it."""

    def holds(self, day: date) -> bool:
        return self.begins <= day and (self.ends is None or day < self.ends)


@dataclass(slots=True)
class Debt:
    """An item as it is when the walk begins."""

    id: UUID
    since: date
    """The first day on which money can be put against it."""
    order: tuple[Any, ...]
    """Its place among the items that money is put against; never the same for two."""
    open: int
    disputes: Sequence[Span] = ()
    reserved: int = 0
    """For what a person decided, on a day that has not come yet."""
    is_there: bool = False
    """Whether the walk has come to `since`."""

    @property
    def free(self) -> int:
        return self.open - self.reserved

    def free_to_any(self, day: date) -> int:
        """What other money than that which names it can be put against it on a day: what is not disputed of it. What is
        reserved is reserved of that. It may be less than zero, where more is reserved."""
        if not self.disputes:
            return self.free
        parts = [span.part for span in self.disputes if span.holds(day)]
        if None in parts:
            return 0
        return self.free - min(self.open, sum(part for part in parts if part is not None))


class Back(NamedTuple):
    """A part of a payment or credit that leaves the account on a day."""

    day: date
    amount: int
    item_id: UUID | None = None
    """The item that it is taken back from first."""


Put = dict[tuple[date, UUID], int]
"""What of one payment or credit is put against each item on each day, less what is taken back from it on that day."""


class Named(NamedTuple):
    """An invoice that money is meant for."""

    items: tuple[UUID, ...]
    """Its instalments, oldest due first; none: no such invoice is known."""
    amount: int | None = None
    """The most that is meant for it, counting all that this money is put against there; None: as much as there is."""
    settled: tuple[UUID, ...] = ()
    """Further instalments, of which nothing is open; what is put against them counts."""


@dataclass(slots=True)
class Means:
    """A payment or credit as it is when the walk begins."""

    id: UUID
    since: date
    """The day of its receipt."""
    order: tuple[Any, ...]
    """Its place among the money of a day; never the same for two."""
    left: int
    named: tuple[Named, ...] = ()
    """What it is meant for; said amounts come first, then the others in order."""
    gone_on: date | None = None
    """The day since which nothing of it is here."""
    back: Sequence[Back] = ()
    """Parts that leave on the first day of the walk or later."""
    put: Put = field(default_factory=dict)
    """What was put against items before, and since."""
    reserved: int = 0

    @property
    def free(self) -> int:
        return self.left - self.reserved

    def is_later_than(self, other: "Means") -> bool:
        """Of two that came under the same number, the first of which was taken back."""
        return other.gone_on is not None and (self.gone_on is None or self.gone_on > other.gone_on)


class Decided(NamedTuple):
    """What a person put against an item. It is never moved, only cut where the payment or the item became less."""

    day: date
    funds_id: UUID
    item_id: UUID
    amount: int


class Move(NamedTuple):
    """An amount that is put against an item on a day, or (negative) taken back from it."""

    day: date
    funds_id: UUID
    item_id: UUID
    amount: int


def walk(debts: Iterable[Debt], means: Iterable[Means], begins: date, *, decided: Iterable[Decided] = ()) -> list[Move]:
    """Every movement from a day on, in order. `debts` and `means` are as the evening before left them, and changed."""
    return _Walk(debts, means, begins, decided).run()


class _Walk:
    def __init__(self, debts: Iterable[Debt], means: Iterable[Means], begins: date, decided: Iterable[Decided]) -> None:
        self._begins = begins
        self._debts = {debt.id: debt for debt in debts}
        self._means = sorted(means, key=lambda each: each.order)
        for each in self._means:
            if len(each.named) > 1:
                each.named = tuple(sorted(each.named, key=lambda named: named.amount is None))
        self._issued: dict[date, list[Debt]] = {}
        self._came: dict[date, list[int]] = {}
        self._gone: dict[date, set[int]] = {}
        self._disputed: dict[date, list[Debt]] = {}
        self._decided: dict[date, list[Decided]] = {}
        self._open: list[tuple[tuple[Any, ...], UUID]] = []
        """Items that other money can be put against, in order."""
        self._left: list[int] = []
        """Money of which something can be put against any item: places in `_means`."""
        self._meant: dict[UUID, list[int]] = {}
        """Money that came and has something left, by the items that it names."""
        self._latest: dict[UUID, int] = {}
        """Of money with the same number, the place of what came last."""
        self._moves: list[Move] = []
        self._note(decided)

    def _note(self, decided: Iterable[Decided]) -> None:
        for debt in self._debts.values():
            self._issued.setdefault(max(debt.since, self._begins), []).append(debt)
            for span in debt.disputes:
                for day in (span.begins, span.ends):
                    if day is not None and day > max(debt.since, self._begins):
                        self._disputed.setdefault(day, []).append(debt)
        for place, each in enumerate(self._means):
            self._came.setdefault(max(each.since, self._begins), []).append(place)
            days = [part.day for part in each.back]
            for day in days if each.gone_on is None else [*days, each.gone_on]:
                self._gone.setdefault(day, set()).add(place)
            known = self._latest.get(each.id)
            if known is None or each.is_later_than(self._means[known]):
                self._latest[each.id] = place
        for said in decided:
            if said.funds_id in self._latest and said.item_id in self._debts:
                self._reserve(said, self._means[self._latest[said.funds_id]], self._debts[said.item_id])

    def _reserve(self, said: Decided, money: Means, debt: Debt) -> None:
        day = max(said.day, money.since, debt.since)  # either may have been corrected to a later day
        if day >= self._begins and (money.gone_on is None or day < money.gone_on):
            self._decided.setdefault(day, []).append(said)
            money.reserved += said.amount
            debt.reserved += said.amount

    def run(self) -> list[Move]:
        for day in sorted({*self._issued, *self._came, *self._gone, *self._disputed, *self._decided}):
            touched = self._issue(day)
            touched |= self._take_back(day)
            self._see_disputes(day)
            for each in self._decided.get(day, ()):
                self._carry_out(each, day)
            self._receive(day, touched)
            self._put_named(day, touched)
            self._put_others(day)
        return self._moves

    # --- a day, in order ---

    def _issue(self, day: date) -> set[UUID]:
        """Returns the items that money which names them may be put against anew."""
        issued = self._issued.get(day, ())
        for debt in issued:
            debt.is_there = True
            if debt.free_to_any(day) > 0:
                insort(self._open, (debt.order, debt.id))
            for place in self._meant.get(debt.id, ()):
                self._can_be_put(place)
        return {debt.id for debt in issued}

    def _take_back(self, day: date) -> set[UUID]:
        reopened: set[UUID] = set()
        for place in sorted(self._gone.get(day, ())):
            money = self._means[place]
            parts = [part for part in money.back if part.day == day]
            if money.gone_on == day:
                released, money.left = list(standing(money.put).items()), 0
            else:
                released, money.left = taken_back(parts, money.left, money.put, lambda item: self._debts[item].order)
            for (_, item_id), amount in released:
                self._moved(day, money, self._debts[item_id], -amount)
                reopened.add(item_id)
                self._show(self._debts[item_id], day)
            if money.left <= 0:
                self._used_up(place)
        return reopened

    def _see_disputes(self, day: date) -> None:
        for debt in self._disputed.get(day, ()):
            self._show(debt, day)

    def _carry_out(self, decided: Decided, day: date) -> None:
        place, debt = self._latest[decided.funds_id], self._debts[decided.item_id]
        money = self._means[place]
        money.reserved -= decided.amount
        debt.reserved -= decided.amount
        amount = min(decided.amount, money.left, debt.open)
        if amount > 0:
            self._put(day, place, debt, amount)
        self._show(debt, day)

    def _receive(self, day: date, touched: set[UUID]) -> None:
        for place in self._came.get(day, ()):
            money = self._means[place]
            if money.left <= 0 or (money.gone_on is not None and money.gone_on <= day):
                continue
            for each in money.named:
                for item_id in each.items:
                    self._meant.setdefault(item_id, []).append(place)
                    if self._debts[item_id].is_there:
                        touched.add(item_id)
            self._can_be_put(place)

    def _put_named(self, day: date, touched: set[UUID]) -> None:
        """Money that names an item goes there, disputed or not; what is not disputed of it comes first."""
        places = sorted({place for item_id in touched for place in self._meant.get(item_id, ())})
        for place in places:
            for each in self._means[place].named:
                self._put_as_said(day, place, each)

    def _put_as_said(self, day: date, place: int, each: Named) -> None:
        money = self._means[place]
        for item_id in each.items:
            debt = self._debts[item_id]
            if debt.is_there:
                most = money.free - self._set_aside(money)
                if each.amount is not None:
                    counted = {*each.items, *each.settled}
                    most = min(most, each.amount - sum(a for (_, to), a in money.put.items() if to in counted))
                amount = min(most, debt.free)
                if amount > 0:
                    self._put(day, place, debt, amount)

    def _put_others(self, day: date) -> None:
        at = 0
        while self._open and at < len(self._left):
            place = self._left[at]
            money, debt = self._means[place], self._debts[self._open[0][1]]
            amount = min(self._for_others(money), debt.free_to_any(day))
            if amount > 0:
                self._put(day, place, debt, amount)
            if at < len(self._left) and self._left[at] == place and self._for_others(money) <= 0:
                at += 1  # the rest of it is for what a person decided, or for invoices that are not there

    # --- inside ---

    def _put(self, day: date, place: int, debt: Debt, amount: int) -> None:
        money = self._means[place]
        self._moved(day, money, debt, amount)
        money.left -= amount
        if money.left <= 0:
            self._used_up(place)
        if debt.free_to_any(day) <= 0:
            self._hide(debt)

    def _moved(self, day: date, money: Means, debt: Debt, amount: int) -> None:
        self._moves.append(Move(day, money.id, debt.id, amount))
        debt.open -= amount
        money.put[day, debt.id] = money.put.get((day, debt.id), 0) + amount

    def _can_be_put(self, place: int) -> None:
        """Among what can be put against any item, unless all that is left of it is kept for what is not there."""
        money = self._means[place]
        if money.left > 0 and self._kept(money) < money.left:
            at = bisect_left(self._left, place)
            if self._left[at : at + 1] != [place]:
                self._left.insert(at, place)

    def _is_there(self, named: Named) -> bool:
        return bool(named.settled) or any(self._debts[item_id].is_there for item_id in named.items)

    def _set_aside(self, money: Means) -> int:
        """The amounts that were said for invoices that are not there."""
        return sum(each.amount for each in money.named if each.amount is not None and not self._is_there(each))

    def _kept(self, money: Means) -> int:
        """What goes nowhere else before the invoices that are not there: all that is left where no amount was said."""
        if any(each.amount is None and not self._is_there(each) for each in money.named):
            return money.left
        return self._set_aside(money)

    def _for_others(self, money: Means) -> int:
        return money.free - self._kept(money) if money.named else money.free

    def _used_up(self, place: int) -> None:
        _remove(self._left, place)
        for each in self._means[place].named:
            for item_id in each.items:
                if place in (places := self._meant.get(item_id, [])):
                    places.remove(place)

    def _show(self, debt: Debt, day: date) -> None:
        """Puts it among what is open to other money, or takes it out, as it is now."""
        self._hide(debt)
        if debt.is_there and debt.free_to_any(day) > 0:
            insort(self._open, (debt.order, debt.id))

    def _hide(self, debt: Debt) -> None:
        _remove(self._open, (debt.order, debt.id))


def _remove(ordered: list[Any], entry: Any) -> None:
    at = bisect_left(ordered, entry)
    if at < len(ordered) and ordered[at] == entry:
        del ordered[at]


def standing(put: Put) -> Put:
    """What is there of what was put against items: what was taken back had been put there latest."""
    there: dict[UUID, list[tuple[date, int]]] = {}
    for (day, item_id), amount in sorted(put.items(), key=lambda entry: entry[0][0]):
        of = there.setdefault(item_id, [])
        put_on, left = day, amount
        while left < 0 and of:
            put_on, was = of.pop()
            left += was
        if left > 0:
            of.append((put_on, left))
    return {(day, item_id): amount for item_id, of in there.items() for day, amount in of}


def taken_back(
    parts: Sequence[Back], left: int, put: Put, order: Callable[[UUID], tuple[Any, ...]]
) -> tuple[list[tuple[tuple[date, UUID], int]], int]:
    """What these parts take back from items, each with the day on which it was put there, and what then is left."""
    there = sorted(standing(put).items(), key=lambda entry: (entry[0][0], order(entry[0][1])), reverse=True)
    wanted: dict[UUID, int] = {}
    for part in parts:
        if part.item_id is not None:
            wanted[part.item_id] = wanted.get(part.item_id, 0) + part.amount
    taken = dict.fromkeys((key for key, _ in there), 0)
    for key, amount in there:
        taken[key] = min(amount, wanted.get(key[1], 0))
        if taken[key]:
            wanted[key[1]] -= taken[key]
    short = sum(part.amount for part in parts) - sum(taken.values())
    unapplied = min(left, short)
    short -= unapplied
    for key, amount in there:
        more = min(amount - taken[key], short)
        taken[key] += more
        short -= more
    return [(key, amount) for key, amount in taken.items() if amount], left - unapplied


def differences(before: Iterable[Move], after: Iterable[Move]) -> list[Move]:
    """What has to be moved for the second to be true instead of the first: what is taken back comes first."""
    changed: dict[tuple[date, UUID, UUID], int] = {}
    for sign, moves in ((-1, before), (1, after)):
        for move in moves:
            key = move.day, move.funds_id, move.item_id
            changed[key] = changed.get(key, 0) + sign * move.amount
    moves = [Move(*key, amount) for key, amount in changed.items() if amount]
    return sorted(moves, key=lambda move: (move.amount > 0, move.day, move.funds_id, move.item_id))


def by_money(moves: Iterable[Move]) -> dict[UUID, Put]:
    """What is put against each item on each day, by the money that is."""
    found: dict[UUID, Put] = {}
    for move in moves:
        of = found.setdefault(move.funds_id, {})
        of[move.day, move.item_id] = of.get((move.day, move.item_id), 0) + move.amount
    return found


def net_by_item(moves: Iterable[Move]) -> dict[UUID, int]:
    """What is put against each item."""
    found: dict[UUID, int] = {}
    for move in moves:
        found[move.item_id] = found.get(move.item_id, 0) + move.amount
    return found


def reopened_on(moves: Iterable[Move]) -> dict[UUID, date]:
    """The latest day on which something was taken back from an item, all movements of a day together."""
    days: dict[tuple[date, UUID], int] = {}
    for move in moves:
        days[move.day, move.item_id] = days.get((move.day, move.item_id), 0) + move.amount
    since: dict[UUID, date] = {}
    for (day, item_id), amount in days.items():
        if amount < 0 and day > since.get(item_id, date.min):
            since[item_id] = day
    return since

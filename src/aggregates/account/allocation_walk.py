"""What money is put against, day by day: the same whatever the order in which the facts arrived.

The rule, within a day: invoices and their corrections; money that is taken back, given back or goes to another account;
write-offs that are reversed, and others that take what is open again; disputes that begin or end; what a person
decided; money that names its invoices; other money, by receipt day, kind and number. What is meant for an invoice
waits, whole, for the invoice's issue day, and pays its instalments oldest due first. What is left after that, and all
other money, goes to the oldest due item that is not disputed, fees last, on the first day on which it can. Of an item
that is disputed in part it goes to the rest, and never to what would then be left: at most the disputed part. A later
day changes nothing of an earlier one.

A write-off comes last in its day: of the items that it names it takes what is open then, up to what was written off of
each; money that is at hand that day goes there before, disputed or not. On later days it takes of them what is open
again, up to the same amounts and before money is put anywhere, because money was taken back or another write-off is
reversed. Where the claim is kept it gives way to money: to what names the item, and to what is more than all that is
open, which goes to written-off items in their order, disputed or not. What is open because it is disputed keeps as much
money waiting, that which came first; so a dispute makes nobody owe more or less. Of several write-offs of an item the
earliest takes first, and the latest gives way first.

Of a part that leaves so the item for which it is has to give first; then goes what was not put anywhere, then what
was put somewhere latest, and of one day what comes last among the items.

Amounts are minor units of one currency. Plain data in and out: what holds it is the account's business.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    claim: int = 0
    """What write-offs took of it that keep the claim."""

    @property
    def free(self) -> int:
        return self.open - self.reserved

    @property
    def free_with_claim(self) -> int:
        """What money that names it can be put against it."""
        return self.open + self.claim - self.reserved

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


@dataclass(slots=True)
class WrittenOff:
    """A write-off as it is when the walk begins."""

    id: UUID
    since: date
    order: tuple[Any, ...]
    """Its place among write-offs; never the same for two."""
    most: Mapping[UUID, int]
    """How much of each item was written off."""
    keeps_claim: bool
    gone_on: date | None = None
    """The day since which it is reversed."""
    held: dict[UUID, int] = field(default_factory=dict)
    """What it took of each item before, and since."""

    def stands(self, day: date) -> bool:
        return self.since <= day and (self.gone_on is None or day < self.gone_on)


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


def walk(
    debts: Iterable[Debt],
    means: Iterable[Means],
    begins: date,
    *,
    decided: Iterable[Decided] = (),
    written_off: Iterable[WrittenOff] = (),
) -> list[Move]:
    """Every movement from a day on, in order. `debts`, `means` and `written_off` are as the evening before left them,
    and changed. A movement of a write-off has its id as `funds_id`."""
    return _Walk(debts, means, begins, decided, written_off).run()


class _Walk:
    def __init__(
        self,
        debts: Iterable[Debt],
        means: Iterable[Means],
        begins: date,
        decided: Iterable[Decided],
        written_off: Iterable[WrittenOff],
    ) -> None:
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
        self._again: dict[UUID, int] = {}
        """Of items how much is open again on the day."""
        self._not_put: dict[UUID, int] = {}
        """Of items how much was kept for what a person decided for the day, and did not come."""
        self._write_offs = sorted(written_off, key=lambda each: each.order)
        self._disputable = [debt for debt in self._debts.values() if debt.disputes]
        self._claimed: set[UUID] = set()
        """Items of which write-offs that keep the claim took something, or did once."""
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
        for write_off in self._write_offs:
            for item_id, held in write_off.held.items():
                if write_off.keeps_claim and held:
                    self._debts[item_id].claim += held
                    self._claimed.add(item_id)

    def _reserve(self, said: Decided, money: Means, debt: Debt) -> None:
        day = max(said.day, money.since, debt.since)  # either may have been corrected to a later day
        if day >= self._begins and (money.gone_on is None or day < money.gone_on):
            self._decided.setdefault(day, []).append(said)
            money.reserved += said.amount
            debt.reserved += said.amount

    def run(self) -> list[Move]:
        written = {day for each in self._write_offs for day in (each.since, each.gone_on) if day is not None}
        days = {*self._issued, *self._came, *self._gone, *self._disputed, *self._decided, *written}
        for day in sorted(day for day in days if day >= self._begins):
            self._again, self._not_put = {}, {}
            touched = self._issue(day)
            touched |= self._take_back(day)
            touched |= self._reverse_write_offs(day)
            self._take_again(day)
            self._see_disputes(day)
            for each in self._decided.get(day, ()):
                self._carry_out(each, day)
            self._receive(day, touched)
            self._put_named(day, touched)
            self._put_others(day)
            if self._write_offs:
                self._write_off(day)
                self._recover(day)
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
                self._opened(self._debts[item_id], amount)
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
        amount = min(decided.amount, money.left, debt.open + debt.claim)
        if amount > 0:
            self._put(day, place, debt, amount)
        if (short := decided.amount - max(0, amount)) > 0:
            self._not_put[debt.id] = self._not_put.get(debt.id, 0) + short
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
                amount = min(most, debt.free_with_claim)
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

    def _reverse_write_offs(self, day: date) -> set[UUID]:
        """Returns the items that are open again."""
        reopened = set()
        for write_off in self._write_offs:
            if write_off.gone_on == day:
                for debt in self._in_order(item_id for item_id, held in write_off.held.items() if held):
                    self._opened(debt, write_off.held[debt.id])
                    self._give_way(day, write_off, debt, write_off.held[debt.id])
                    self._show(debt, day)
                    reopened.add(debt.id)
        return reopened

    def _write_off(self, day: date) -> None:
        concerned = {*self._not_put, *(debt.id for debt in self._issued.get(day, ()))}
        for write_off in self._write_offs:
            if not write_off.stands(day):
                continue
            if write_off.since == day:
                for debt in self._in_order(write_off.most):
                    self._put_at_hand(day, debt)
            most = write_off.most.keys()
            for debt in self._in_order(most if write_off.since == day else most & concerned):
                if day == max(write_off.since, debt.since):
                    self._take_at_most(day, write_off, debt, debt.open)
                elif not write_off.keeps_claim:  # it left open what was kept for a decision
                    self._take_at_most(day, write_off, debt, self._not_put.get(debt.id, 0))

    def _take_again(self, day: date) -> None:
        for write_off in self._write_offs if self._again else ():
            if write_off.since < day and write_off.stands(day):
                for debt in self._in_order(self._again.keys() & write_off.most.keys()):
                    self._take_at_most(day, write_off, debt, self._again[debt.id])

    def _put_at_hand(self, day: date, debt: Debt) -> None:
        """What is left of money goes to an item that is written off, disputed or not."""
        for place in list(self._left):
            amount = min(self._for_others(self._means[place]), debt.free)
            if debt.is_there and amount > 0:
                self._put(day, place, debt, amount)

    def _recover(self, day: date) -> None:
        """What money there is beyond all that is open goes to what is written off with the claim."""
        beyond = self._beyond_what_is_open()
        if not beyond:
            return
        for debt in self._in_order(item_id for item_id in self._claimed if self._debts[item_id].claim):
            for place, left in beyond.items():
                amount = min(left, debt.claim, debt.free_with_claim)
                if amount > 0:
                    beyond[place] -= amount
                    self._make_room(day, debt, amount)
                    self._put(day, place, debt, amount)

    def _beyond_what_is_open(self) -> dict[int, int]:
        """Money, by its place, that is left once what came first covers what is open: only disputed items are, where
        any money is left."""
        left = {place: self._for_others(self._means[place]) for place in self._left} if self._claimed else {}
        open_still = sum(max(0, debt.free) for debt in self._disputable if debt.is_there) if left else 0
        beyond = {}
        for place, amount in left.items():
            covers = min(max(0, amount), open_still)
            open_still -= covers
            if amount > covers:
                beyond[place] = amount - covers
        return beyond

    # --- inside ---

    def _opened(self, debt: Debt, amount: int) -> None:
        self._again[debt.id] = self._again.get(debt.id, 0) + amount

    def _in_order(self, item_ids: Iterable[UUID]) -> list[Debt]:
        known = (self._debts[item_id] for item_id in item_ids if item_id in self._debts)
        return sorted(known, key=lambda debt: debt.order)

    def _take_at_most(self, day: date, write_off: WrittenOff, debt: Debt, most: int) -> None:
        amount = min(
            most,
            debt.open if write_off.keeps_claim else debt.free,
            write_off.most[debt.id] - write_off.held.get(debt.id, 0),
        )
        if debt.is_there and amount > 0:
            self._take(day, write_off, debt, amount)

    def _take(self, day: date, write_off: WrittenOff, debt: Debt, amount: int) -> None:
        self._moves.append(Move(day, write_off.id, debt.id, amount))
        debt.open -= amount
        write_off.held[debt.id] = write_off.held.get(debt.id, 0) + amount
        if write_off.keeps_claim:
            debt.claim += amount
            self._claimed.add(debt.id)
        self._show(debt, day)

    def _give_way(self, day: date, write_off: WrittenOff, debt: Debt, amount: int) -> None:
        self._moves.append(Move(day, write_off.id, debt.id, -amount))
        debt.open += amount
        write_off.held[debt.id] -= amount
        if write_off.keeps_claim:
            debt.claim -= amount

    def _make_room(self, day: date, debt: Debt, amount: int) -> None:
        """Takes so much back from the write-offs of an item that keep the claim, from the latest first."""
        for write_off in reversed(self._write_offs):
            most = min(amount, write_off.held.get(debt.id, 0)) if write_off.keeps_claim else 0
            if most > 0:
                self._give_way(day, write_off, debt, most)
                amount -= most

    def _put(self, day: date, place: int, debt: Debt, amount: int) -> None:
        if amount > debt.open:
            self._make_room(day, debt, amount - debt.open)
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

"""Rows of the report as they are while a batch is worked on. Field by field they are the tables' columns."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from operator import attrgetter
from typing import Any, TypeVar, cast
from uuid import UUID

import orjson

from aggregates.account.freezing import SubscriptionStatus
from aggregates.account.receivables import Item
from aggregates.kernel.event import Recorded
from aggregates.values.aging import CURRENT
from projections.collections_report.columns import STORED, StoredRow

AnyRow = TypeVar("AnyRow", "OpenItem", "Campaign")

REVIEW = "Review"
_KEPT_PAYMENTS = 5


@dataclass(slots=True)
class OpenItem:
    """A row of `open_items`. Days are ISO text: they come from JSON, go into JSON, and sort as days do."""

    item_id: str
    account_id: str
    number: str
    kind: str
    issued_on: str
    due_on: str
    amount: int
    open: int
    bucket: str
    dispute_id: str | None
    disputed_part: int | None
    service_type: str | None
    subscription: str | None
    last_position: int

    @classmethod
    def of(cls, item: Item, account_id: str, *, open_minor: int, position: int) -> "OpenItem":
        return cls(
            str(item.id),
            account_id,
            item.number,
            item.kind.value,
            item.issued_on.isoformat(),
            item.due_on.isoformat(),
            item.amount.minor,
            open_minor,
            CURRENT,
            None,
            None,
            item.service_type,
            item.subscription,
            position,
        )


class AccountRow(StoredRow):
    """A row of `collections_report`. What is derived from the items is filled in by `add_up`, once a batch."""

    __slots__ = ()

    @classmethod
    def stored(cls, columns: Sequence[Any]) -> "AccountRow":
        """From the table, read as `AS_READ` says."""
        row = cls(*columns)
        for name in IN_JSON:
            setattr(row, name, orjson.loads(getattr(row, name)))
        return row

    def values(self) -> tuple[object, ...]:
        """In the order of the columns; flags as PostgreSQL writes an array (they are made of letters and dashes)."""
        before, after = _AROUND_FLAGS
        return *before(self), "{" + ",".join(self.flags) + "}", *after(self)

    # --- small facts that need remembering ---

    def plan(self, title: str | None, step_id: str | None, at: Any) -> None:
        """The next step, or none: then a planned review is what comes next."""
        self.next_step = step_id
        if step_id is not None:
            self.next_action, self.next_action_at = title, at
        else:
            self.next_action, self.next_action_at = (REVIEW if self.review_at else None), self.review_at

    def contacted(self, day: str) -> None:
        if self.last_contact_on is None or day > self.last_contact_on:
            self.last_contact_on = day

    def paid(self, payment_id: str, day: str, minor: int) -> None:
        """So much of it; with what is here of it already."""
        others = [payment for payment in self.memory["payments"] if payment[:2] != [payment_id, day]]
        here = sum(payment[2] for payment in self.memory["payments"] if payment[:2] == [payment_id, day])
        kept = [*others, [payment_id, day, here + minor]]
        self._keep_payments(sorted(kept, key=lambda payment: payment[1])[-_KEPT_PAYMENTS:])

    def payment_gone(self, payment_id: str, minor: int | None = None) -> None:
        """All of it, or so much of it; a payment of which nothing is here any more was none."""
        kept = [
            [of, day, was - (was if minor is None else minor)] if of == payment_id else [of, day, was]
            for of, day, was in self.memory["payments"]
        ]
        self._keep_payments([payment for payment in kept if payment[2] > 0])

    def _keep_payments(self, kept: list[list[Any]]) -> None:
        self.memory["payments"] = kept
        _, self.last_payment_on, self.last_payment_minor = kept[-1] if kept else (None, None, None)

    def hold(self, hold_id: str, *, on: bool) -> None:
        self.held = bool(self._change("holds", hold_id, on=on))

    def promise(self, promise_id: str, *, on: bool) -> None:
        self.open_promises = len(self._change("promises", promise_id, on=on))

    @property
    def disputed_parts(self) -> dict[str, int]:
        """Of items, open or settled, that are disputed in part: how much of each."""
        return dict(self.memory.get("disputed_parts", {}))

    def dispute_parts(self, parts: Mapping[str, int]) -> None:
        if parts:
            self.memory["disputed_parts"] = {**self.disputed_parts, **parts}

    def end_dispute(self, item_ids: Collection[str]) -> None:
        left = {item_id: part for item_id, part in self.disputed_parts.items() if item_id not in item_ids}
        if left:
            self.memory["disputed_parts"] = left
        else:
            self.memory.pop("disputed_parts", None)

    def flag(self, name: str, *, on: bool) -> None:
        others = [flag for flag in self.flags if flag != name]
        self.flags = sorted([*others, name]) if on else others

    def subscribe(self, number: str, *, is_cancelled: bool) -> None:
        """One that is frozen already stays so, unless it is cancelled."""
        is_frozen = self.subscriptions.get(number) == SubscriptionStatus.FROZEN
        running = SubscriptionStatus.FROZEN if is_frozen else SubscriptionStatus.ACTIVE
        self.give_status([number], SubscriptionStatus.CANCELLED if is_cancelled else running)

    def give_status(self, numbers: Iterable[str], status: SubscriptionStatus) -> None:
        self.subscriptions = {**self.subscriptions, **dict.fromkeys(numbers, status.value)}

    def _change(self, what: str, entry: str, *, on: bool) -> list[str]:
        others = [each for each in self.memory[what] if each != entry]
        self.memory[what] = [*others, entry] if on else others
        return list(self.memory[what])


@dataclass(slots=True)
class Campaign:
    """A row of `campaigns`."""

    campaign_id: str
    office_id: str
    title: str
    plan_version: int
    status: str
    paused_from: Any
    paused_until: Any
    last_position: int

    def begin(self, recorded: Recorded) -> bool:
        """Whether the event is news to this campaign; then its method says what it changes."""
        position = cast(int, recorded.position)
        if position <= self.last_position:
            return False
        self.last_position = position
        return True


_TYPES = {
    **dict.fromkeys(("account_id", "office_id", "campaign_id", "item_id", "dispute_id"), "uuid"),
    **dict.fromkeys(("issued_on", "due_on"), "date"),
    **dict.fromkeys(("paused_from", "paused_until"), "timestamptz"),
    **dict.fromkeys(("amount", "open", "disputed_part", "last_position"), "bigint"),
    "plan_version": "integer",
}
"""Columns of items and campaigns that are not text."""


def columns_of(row_class: type[AnyRow]) -> tuple[str, ...]:
    return tuple(column.name for column in fields(row_class))


def typed(row_class: type[AnyRow]) -> list[str]:
    """The columns of a table, each `name type`."""
    return [f"{name} {_TYPES.get(name, 'text')}" for name in columns_of(row_class)]


_NAMES = tuple(STORED)
_AS_TEXT = {"uuid", "date", "timestamptz", "jsonb"}
AS_READ = ", ".join(f"{name}::text" if column.kind in _AS_TEXT else name for name, column in STORED.items())
"""The columns of `collections_report`; ids, days and moments as text: quicker to read, and going back as it came."""
IN_JSON = tuple(name for name, column in STORED.items() if column.kind == "jsonb")
_FLAGS = _NAMES.index("flags")
_AROUND_FLAGS = attrgetter(*_NAMES[:_FLAGS]), attrgetter(*_NAMES[_FLAGS + 1 :])
_VALUES = {OpenItem: attrgetter(*columns_of(OpenItem)), Campaign: attrgetter(*columns_of(Campaign))}


def values_of(row: OpenItem | Campaign) -> tuple[object, ...]:
    """The row's values in the order of the columns."""
    return cast(tuple[object, ...], _VALUES[type(row)](row))


@dataclass(slots=True)
class Account:
    """An account at work: its row, its open items, and which of them changed in this batch."""

    row: AccountRow
    items: dict[str, OpenItem] = field(default_factory=dict)
    changed_items: set[str] = field(default_factory=set)
    counted_items: int = 0
    """Items by which it counts among those that are at hand."""
    effective_on: date = date.min
    """Of the event at work."""

    def begin(self, recorded: Recorded) -> bool:
        """Whether the event is news to this account; then its method says what it changes."""
        position = cast(int, recorded.position)
        if position <= self.row.last_position:
            return False
        self.row.last_position, self.row.updated_at = position, recorded.recorded_at
        self.effective_on = recorded.effective_on
        return True

    def open_item(self, item: Item, open_minor: int, dispute_id: UUID | None = None) -> None:
        """The item is open with its original dates, and current until it is aged."""
        opened = OpenItem.of(item, self.row.account_id, open_minor=open_minor, position=self.row.last_position)
        if dispute_id is not None:
            opened.dispute_id = str(dispute_id)
            opened.disputed_part = self.row.disputed_parts.get(opened.item_id)
        self.items[opened.item_id] = opened
        self.changed_items.add(opened.item_id)

    def change_item(self, item_id: str) -> OpenItem:
        """The item, to be changed. Raises KeyError for one that is not open."""
        item = self.items[item_id]
        item.last_position = self.row.last_position
        self.changed_items.add(item_id)
        return item

    def settle_item(self, item_id: str) -> None:
        self.items.pop(item_id, None)
        self.changed_items.add(item_id)

    def add_up(self) -> None:
        """Brings the sums up to date."""
        row = self.row
        if self.changed_items:
            self._add_up(row)
        row.balance = row.outstanding - row.unapplied

    def _add_up(self, row: AccountRow) -> None:
        buckets: dict[str, int] = {}
        outstanding = disputed = 0
        oldest = oldest_past_due = None
        row.bucket = CURRENT
        for item in self.items.values():
            outstanding += item.open
            buckets[item.bucket] = buckets.get(item.bucket, 0) + item.open
            if item.dispute_id is not None:
                disputed += item.open if item.disputed_part is None else min(item.open, item.disputed_part)
            if oldest is None or item.due_on < oldest:
                oldest = item.due_on
            if item.bucket != CURRENT and (oldest_past_due is None or item.due_on < oldest_past_due):
                oldest_past_due, row.bucket = item.due_on, item.bucket
        row.outstanding, row.disputed, row.buckets = outstanding, disputed, buckets
        row.past_due = outstanding - buckets.get(CURRENT, 0)
        row.oldest_due_on, row.open_items = oldest, len(self.items)

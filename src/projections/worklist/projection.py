"""From what happened about accounts to what has to be done about them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from aggregates.account.worklist import WorklistItemReassigned, WorklistItemSnoozed
from aggregates.kernel.event import Event, Recorded
from aggregates.values.money import Money
from aggregates.workday import WorkdayClosed
from projections.batch import Row, TableProjection, as_json, rows_from
from projections.upsert import upsert
from projections.worklist.kinds import (
    FOLLOW_UP,
    INTEREST,
    KINDS,
    UNDOCUMENTED,
    WORKLIST_VERSION,
    Cause,
    Item,
    WorklistKind,
    agent_of,
)

_PUT_ROWS = upsert(
    "worklist", "item_id, kind",
    "item_id uuid", "kind text", "account_id uuid", "what text", "since timestamptz", "due_on date",
    "due_at timestamptz", "shows_on date", "assignee text", "amount_minor bigint", "currency text", "about uuid",
    "is_task boolean",
    "snoozed_until timestamptz", "snoozed_by text", "last_position bigint",
)  # fmt: skip
_DELETE_ROWS = f"""
    DELETE FROM worklist USING ({rows_from("item_id uuid", "kind text")}) AS gone
    WHERE worklist.item_id = gone.item_id AND worklist.kind = gone.kind
"""  # noqa: S608
_PUT_ACCOUNTS = upsert(
    "worklist_accounts", "account_id", "account_id uuid", "causes jsonb", "last_position bigint"
)  # fmt: skip
_PUT_DAYS = upsert(
    "closed_days", "office_id, agent, day",
    "office_id uuid", "agent text", "day date", "closed_at timestamptz", "closed_by text", "contacts integer",
    "follow_ups integer", "remaining integer", "last_position bigint",
)  # fmt: skip
_GET_ACCOUNTS = "SELECT account_id, causes, last_position FROM worklist_accounts WHERE account_id = ANY (%s)"

_OPENS: Mapping[type[Event], list[WorklistKind]] = {
    event_class: [kind for kind in KINDS if event_class in kind.opens] for event_class in INTEREST
}
_ENDS: Mapping[type[Event], list[WorklistKind]] = {
    event_class: [kind for kind in KINDS if event_class in kind.ends] for event_class in INTEREST
}
_CAUSES: Mapping[type[Event], list[WorklistKind]] = {
    event_class: [kind for kind in KINDS if event_class in kind.causes] for event_class in INTEREST
}
_MINE: frozenset[type[Event]] = INTEREST | {WorklistItemSnoozed, WorklistItemReassigned, WorkdayClosed}

Key = tuple[UUID, str]
"""Of a row: the item and its kind."""


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """A row while a batch is worked on, in the order of the columns."""

    item_id: UUID
    kind: str
    account_id: UUID
    what: str | None
    since: datetime
    due_on: date | None
    due_at: datetime | None
    shows_on: date | None
    assignee: str | None
    amount_minor: int | None
    currency: str | None
    about: UUID | None
    is_task: bool
    snoozed_until: datetime | None = None
    snoozed_by: str | None = None
    last_position: int = 0

    def row(self) -> Row:
        return tuple(getattr(self, name) for name in _NAMES)


_NAMES = tuple(each.name for each in fields(WorklistRow))
_GET_ROWS = f"SELECT {', '.join(_NAMES)} FROM worklist WHERE account_id = ANY (%s)"  # noqa: S608


@dataclass(slots=True)
class AccountWork:
    """What has to be done about an account, and what the batch changed of that."""

    account_id: UUID
    rows: dict[Key, WorklistRow] = field(default_factory=dict)
    causes: dict[str, list[Any]] = field(default_factory=dict)
    """By event of which a policy makes a task: the kind, minor units, currency, the item it is about."""
    last_position: int = 0
    put: set[Key] = field(default_factory=set)
    gone: set[Key] = field(default_factory=set)
    is_changed: bool = False
    _at: int = 0
    """The position of the event at work."""

    def tell(self, recorded: Recorded) -> None:
        """An event that was seen before changes nothing."""
        self._at = recorded.position or 0
        if self._at > self.last_position:
            self._handle(recorded, recorded.event)

    def _handle(self, recorded: Recorded, event: Event) -> None:
        if isinstance(event, WorklistItemSnoozed):
            self._say(event.item_id, snoozed_until=event.until, snoozed_by=recorded.meta.actor)
            return
        if isinstance(event, WorklistItemReassigned):
            assignee = event.assignee and agent_of(event.assignee)
            self._say(event.item_id, but=UNDOCUMENTED.name, assignee=assignee)
            return
        event_class = type(event)
        for kind in _ENDS[event_class]:
            for item_id in kind.ends[event_class](event):
                if item_id is not None:
                    self._remove((item_id, kind.name))
        for kind in _CAUSES[event_class]:
            cause = kind.causes[event_class](event)
            if cause is not None:
                self._remember(recorded.event_id, kind, cause)
        for kind in _OPENS[event_class]:
            item = kind.opens[event_class](recorded, event)
            if item is not None:
                self._open(recorded, kind, item)

    def _open(self, recorded: Recorded, kind: WorklistKind, item: Item) -> None:
        name, amount, about = kind.name, item.amount, item.about
        cause = self.causes.pop(str(recorded.meta.causation_id), None) if kind is FOLLOW_UP else None
        if cause is not None:
            name, minor, currency, said_about = cause
            amount = Money(minor, currency) if minor is not None else None
            about = UUID(said_about) if said_about else None
        self._put(
            WorklistRow(
                item_id=item.item_id,
                kind=name,
                account_id=self.account_id,
                what=item.what,
                since=item.since,
                due_on=item.due_on,
                due_at=item.due_at,
                shows_on=item.shows_on,
                assignee=item.assignee,
                amount_minor=amount.minor if amount else None,
                currency=amount.currency if amount else None,
                about=about,
                is_task=kind is FOLLOW_UP,
            )
        )

    def _remember(self, event_id: UUID, kind: WorklistKind, cause: Cause) -> None:
        amount = cause.amount
        self.causes[str(event_id)] = [
            kind.name,
            amount.minor if amount else None,
            amount.currency if amount else None,
            str(cause.about) if cause.about else None,
        ]
        self._change()

    def _say(self, item_id: UUID, *, but: str | None = None, **said: Any) -> None:
        for key, row in [*self.rows.items()]:
            if key[0] == item_id and key[1] != but:
                self._put(replace(row, **said))

    def _put(self, row: WorklistRow) -> None:
        key = row.item_id, row.kind
        self.rows[key] = replace(row, last_position=self._at)
        self.put.add(key)
        self.gone.discard(key)
        self._change()

    def _remove(self, key: Key) -> None:
        if self.rows.pop(key, None) is not None:
            self.put.discard(key)
            self.gone.add(key)
            self._change()

    def _change(self) -> None:
        self.is_changed, self.last_position = True, self._at


class WorklistProjection(TableProjection):
    """One row per thing that has to be done, and one per day that an agent closed."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "worklist"
    version: ClassVar[int] = WORKLIST_VERSION
    public: ClassVar[tuple[str, ...]] = ("worklist", "closed_days")

    @property
    def interest(self) -> frozenset[str]:
        return frozenset(event_class.event_name for event_class in _MINE)

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        mine = [recorded for recorded in batch if type(recorded.event) in _MINE]
        if not mine:
            return
        works = _load({recorded.account_id for recorded in mine if recorded.account_id}, connection)
        days: dict[tuple[UUID, str, date], Row] = {}
        for recorded in mine:
            event = recorded.event
            if isinstance(event, WorkdayClosed):
                days[event.office_id, event.agent, event.day] = (
                    event.office_id, event.agent, event.day, recorded.recorded_at, recorded.meta.actor,
                    event.contacts, event.follow_ups, event.left, recorded.position,
                )  # fmt: skip
            elif recorded.account_id is not None:
                works[recorded.account_id].tell(recorded)
        _write([work for work in works.values() if work.is_changed], [*days.values()], connection)


def _load(account_ids: Collection[UUID], connection: Connection[Any]) -> dict[UUID, AccountWork]:
    works = {account_id: AccountWork(account_id) for account_id in account_ids}
    asked = [[*account_ids]]
    for account_id, causes, position in connection.execute(_GET_ACCOUNTS, asked, prepare=True):
        works[account_id].causes, works[account_id].last_position = causes, position
    for found in connection.execute(_GET_ROWS, asked, prepare=True):
        row = WorklistRow(*found)
        works[row.account_id].rows[row.item_id, row.kind] = row
    return works


def _write(works: Sequence[AccountWork], days: Sequence[Row], connection: Connection[Any]) -> None:
    rows: list[Row] = [work.rows[key].row() for work in works for key in work.put]
    gone: list[Row] = [key for work in works for key in work.gone]
    accounts: list[Row] = [(work.account_id, work.causes, work.last_position) for work in works]
    for statement, said in (
        (_DELETE_ROWS, gone),
        (_PUT_ROWS, rows),
        (_PUT_ACCOUNTS, accounts),
        (_PUT_DAYS, days),
    ):
        if said:
            connection.execute(statement, [as_json(said)], prepare=True)

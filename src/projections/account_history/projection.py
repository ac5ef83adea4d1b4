"""From events to the history of accounts."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar, cast
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from aggregates.account.disputes import DisputeOpened, DisputeResolved
from aggregates.kernel.event import Event, Recorded
from projections.batch import Row, Table, as_array, as_json, on
from projections.collections_report.columns import HISTORY_VERSION, RECORDED, STORED, comments, definitions
from projections.collections_report.events import AccountEvents
from projections.collections_report.state import Account, AccountRow
from projections.upsert import upsert

_CACHED = 10_000
"""Accounts that are kept at hand between batches."""
_PER_EVENT = 5
"""A rebuild keeps more: so many for each event of its batches."""

_KEPT = (*RECORDED, "next_step", "review_at", "memory")
"""What later events of an account need, of the columns of the report."""


def _typed(names: Iterable[str]) -> list[str]:
    return [f"{name} {STORED[name].kind}" for name in names]


_HISTORY = Table(
    "account_history",
    key="position",
    columns=[
        "position bigint",
        "account_id uuid",
        "recorded_at timestamptz",
        *_typed(RECORDED),
        "disputed_items uuid[]",
    ],
)
_PUT = upsert(
    "account_state", "account_id",
    "account_id uuid", "recorded_at timestamptz", *_typed(_KEPT), "disputed_items uuid[]", "last_position bigint",
)  # fmt: skip
_GET = f"""
    SELECT account_id, recorded_at, last_position, disputed_items,
           {", ".join(f"{name}::text" if STORED[name].kind == "date" else name for name in _KEPT)}
    FROM account_state WHERE account_id = ANY (%s)
"""  # noqa: S608
_DATES = [RECORDED.index(name) for name in RECORDED if STORED[name].kind == "date"]
_recorded = attrgetter(*RECORDED)
_kept = attrgetter(*_KEPT)

_Methods = dict[type[Event], Callable[[Any, Event, Any], None]]


@dataclass(slots=True)
class AccountAtWork(Account):
    """An account without its items, and what was written of it last."""

    disputed: list[UUID] = field(default_factory=list)
    recorded_at: datetime | None = None
    """Of the latest event; a clock that went back does not take it along."""
    written: tuple[object, ...] = ()

    def begin(self, recorded: Recorded) -> bool:
        news = Account.begin(self, recorded)
        if news and (self.recorded_at is None or recorded.recorded_at > self.recorded_at):
            self.recorded_at = recorded.recorded_at
        return news

    def values(self) -> tuple[object, ...]:
        """What the history has of it, in the order of the columns."""
        return (*_recorded(self.row), self.disputed)


class AccountHistoryProjection(AccountEvents):
    """One row for each event that changed what an account shows besides its money.

    The accounts that a batch touches are loaded in one query; its rows are written in one statement per table. An
    event at or below the account's last position was seen before and is passed over.
    """

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "account_history"
    version: ClassVar[int] = HISTORY_VERSION
    public: ClassVar[tuple[str, ...]] = ("account_history",)

    def __init__(self) -> None:
        self._accounts: OrderedDict[UUID, AccountAtWork] = OrderedDict()

    def create(self, connection: Connection[Any]) -> None:
        self.run_schema(connection, columns=definitions(RECORDED), comments=comments("account_history", RECORDED))

    def forget(self) -> None:
        self._accounts.clear()

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        methods = cast(_Methods, self._methods)
        mine = [recorded for recorded in batch if type(recorded.event) in methods]
        self._load({recorded.aggregate_id for recorded in mine}, connection)
        touched: dict[UUID, AccountAtWork] = {}
        rows: list[Row] = []
        for recorded in mine:
            account = self._accounts[recorded.aggregate_id]
            if account.begin(recorded):
                methods[type(recorded.event)](self, recorded.event, account)
                touched[recorded.aggregate_id] = account
                now = account.values()
                if now != account.written:
                    account.written = now
                    rows.append((recorded.position, recorded.aggregate_id, account.recorded_at, *_as_typed(now)))
        _HISTORY.add(connection, rows)
        if touched:
            connection.execute(_PUT, [as_json([_state(account) for account in touched.values()])], prepare=True)
        while len(self._accounts) > max(_CACHED, _PER_EVENT * len(batch)):
            self._accounts.popitem(last=False)

    def _load(self, account_ids: set[UUID], connection: Connection[Any]) -> None:
        """Brings in what is not at hand; an account of which nothing was recorded yet is as it was opened."""
        missing = []
        for account_id in account_ids:
            if account_id in self._accounts:
                self._accounts.move_to_end(account_id)
            else:
                missing.append(account_id)
                account = self._accounts[account_id] = AccountAtWork(AccountRow(account_id=str(account_id)))
                account.written = account.values()
        if not missing:
            return
        with connection.cursor(row_factory=tuple_row) as cursor:
            found = cursor.execute(_GET, [missing], prepare=True, binary=True)
            for account_id, recorded_at, last_position, disputed, *kept in found:
                row = AccountRow(account_id=str(account_id), last_position=last_position)
                for name, value in zip(_KEPT, kept, strict=True):
                    setattr(row, name, value)
                account = AccountAtWork(row, disputed=disputed, recorded_at=recorded_at)
                account.written = account.values()
                self._accounts[account_id] = account

    @on(DisputeOpened, DisputeResolved)
    def _disputed(self, event: DisputeOpened | DisputeResolved, account: AccountAtWork) -> None:
        others = [item_id for item_id in account.disputed if item_id not in event.item_ids]
        account.disputed = sorted([*others, *event.item_ids]) if isinstance(event, DisputeOpened) else others


def _state(account: AccountAtWork) -> Row:
    row = account.row
    return (
        row.account_id,
        account.recorded_at,
        *map(as_array, _kept(row)),
        as_array(account.disputed),
        row.last_position,
    )


def _as_typed(values: tuple[object, ...]) -> list[object]:
    """As COPY wants them: days, and ids, are text in the report's rows."""
    typed = list(values)
    for index in _DATES:
        if typed[index] is not None:
            typed[index] = date.fromisoformat(cast(str, typed[index]))
    return typed

"""From events to the history of accounts."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar, cast
from uuid import UUID

import orjson
from psycopg import Connection
from psycopg.rows import tuple_row

from aggregates.account.disputes import DisputeOpened, DisputeResolved
from aggregates.kernel.event import Event, Recorded
from projections.batch import Row, Table, on
from projections.collections_report.columns import HISTORY_VERSION, RECORDED, STORED, comments, definitions
from projections.collections_report.events import AccountEvents
from projections.collections_report.state import Account, AccountRow

_CACHED = 10_000
"""Accounts that are kept at hand between batches."""
_PER_EVENT = 5
"""A rebuild keeps more: so many for each event of its batches."""

_KEPT = (*RECORDED, "next_step", "review_at", "memory")
"""What is kept of the report's columns: what is asked for, and what an account's later events need."""

_COLUMNS = [
    "position bigint",
    "account_id uuid",
    "recorded_at timestamptz",
    *(f"{name} {STORED[name].kind}" for name in _KEPT),
    "disputed_items uuid[]",
    "disputed_parts jsonb",
]
_HISTORY = Table("account_history", key="account_id, recorded_at, position", columns=_COLUMNS)
_GET_LATEST = f"""
    SELECT latest.* FROM unnest(%s::uuid[]) AS wanted (account_id) CROSS JOIN LATERAL (
        SELECT account_id, position, recorded_at, disputed_items, disputed_parts::text,
               {", ".join(f"{name}::text" if STORED[name].kind in ("date", "jsonb") else name for name in _KEPT)}
        FROM account_history AS history
        WHERE history.account_id = wanted.account_id ORDER BY recorded_at DESC, position DESC LIMIT 1
    ) AS latest
"""  # noqa: S608
_DATES = [_KEPT.index(name) for name in _KEPT if STORED[name].kind == "date"]
_JSON = [_KEPT.index(name) for name in _KEPT if STORED[name].kind == "jsonb"]
_kept = attrgetter(*_KEPT)

_Methods = dict[type[Event], Callable[[Any, Event, Any], None]]


@dataclass(slots=True)
class AccountAtWork(Account):
    """An account without its items, and what was written of it last."""

    disputed: list[UUID] = field(default_factory=list)
    disputed_parts: dict[str, int] = field(default_factory=dict)
    """Of those that are disputed in part: how much of each. In the order of their ids."""
    recorded_at: datetime | None = None
    """Of the latest row; a clock that went back does not take it along."""
    written: list[object] = field(default_factory=list)

    def values(self) -> list[object]:
        """What the history has of it, in the order of the columns; days are text, as in the report's row."""
        values = [*_kept(self.row), self.disputed, orjson.dumps(self.disputed_parts)]
        for index in _JSON:
            values[index] = orjson.dumps(values[index])
        return values


def _for_copy(values: list[object]) -> list[object]:
    """The values as COPY wants them; days are read only here, since most events change none of the values."""
    values = list(values)
    for index in _DATES:
        if values[index] is not None:
            values[index] = date.fromisoformat(cast(str, values[index]))
    return values


class AccountHistoryProjection(AccountEvents):
    """One row for each event that changed what an account shows besides its money, or what its later events need.

    An account's latest row is all that is known of it, so there is no second table to keep in step. The accounts that
    a batch touches are loaded in one query, its rows written in one statement. An event that wrote no row changed
    nothing, so to see it again changes nothing; one at or below the latest row is passed over.
    """

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "account_history"
    version: ClassVar[int] = HISTORY_VERSION
    public: ClassVar[tuple[str, ...]] = ("account_history",)

    def __init__(self) -> None:
        self._accounts: OrderedDict[UUID, AccountAtWork] = OrderedDict()

    def create(self, connection: Connection[Any]) -> None:
        self.run_schema(connection, columns=definitions(_KEPT), comments=comments("account_history", _KEPT))

    def forget(self) -> None:
        self._accounts.clear()

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        methods = cast(_Methods, self._methods)
        mine = [recorded for recorded in batch if type(recorded.event) in methods]
        self._load({recorded.aggregate_id for recorded in mine}, connection)
        rows: list[Row] = []
        for recorded in mine:
            account = self._accounts[recorded.aggregate_id]
            if account.begin(recorded):
                methods[type(recorded.event)](self, recorded.event, account)
                now = account.values()
                if now != account.written:
                    account.written = now
                    if account.recorded_at is None or recorded.recorded_at > account.recorded_at:
                        account.recorded_at = recorded.recorded_at
                    rows.append((recorded.position, recorded.aggregate_id, account.recorded_at, *_for_copy(now)))
        _HISTORY.add(connection, rows)
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
            found = cursor.execute(_GET_LATEST, [missing], prepare=True, binary=True)
            for account_id, position, recorded_at, disputed, parts, *kept in found:
                row = AccountRow(account_id=str(account_id), last_position=position)
                for name, value in zip(_KEPT, kept, strict=True):
                    setattr(row, name, value)
                for index in _JSON:
                    setattr(row, _KEPT[index], orjson.loads(getattr(row, _KEPT[index])))
                account = AccountAtWork(
                    row, disputed=disputed, disputed_parts=orjson.loads(parts), recorded_at=recorded_at
                )
                account.written = account.values()
                self._accounts[account_id] = account

    @on(DisputeOpened)
    def _dispute_opened(self, event: DisputeOpened, account: AccountAtWork) -> None:
        account.disputed = sorted({*account.disputed, *event.item_ids})
        parts = {**account.disputed_parts, **{str(part.item_id): part.amount.minor for part in event.parts or ()}}
        account.disputed_parts = {item_id: parts[item_id] for item_id in sorted(parts)}

    @on(DisputeResolved)
    def _dispute_resolved(self, event: DisputeResolved, account: AccountAtWork) -> None:
        account.disputed = [item_id for item_id in account.disputed if item_id not in event.item_ids]
        for item_id in event.item_ids:
            account.disputed_parts.pop(str(item_id), None)

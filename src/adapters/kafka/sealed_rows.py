"""The log as it is stored, for whoever passes it on: events stay closed, so no key is needed to read them."""

from collections.abc import Collection
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import psycopg

from adapters.eventstore.closed import Closed
from adapters.eventstore.feed import LogHole
from adapters.eventstore.sealer import CHANNEL
from adapters.eventstore.seals import head_seal
from adapters.postgres.database import Database
from adapters.postgres.errors import explained
from adapters.postgres.kept_connection import KeptConnection, in_utc
from aggregates.kernel.event import Recorded

_POLL_SECONDS = 1.0


class SealedRow(Closed):
    """A recorded event as it lies in the store: JSON in UTF-8, in the version in which it was written.

    Ids and days are kept as texts, which is what the wire wants; ids are there as such for the runner.
    """

    __slots__ = ("about", "account", "day", "event_version", "id", "leaf", "meta_json", "state")

    def __init__(  # noqa: PLR0917  the columns, as they come
        self,
        position: int,
        about: str,
        version: int,
        id: str,  # noqa: A002
        account: str | None,
        named: str,
        event_version: int,
        day: str,
        recorded_at: datetime,
        state: bytes,
        meta_json: bytes,
        leaf: bytes,
    ) -> None:
        self.position = position
        self.about = about
        self.version = version
        self.id = id
        self.account = account
        self.named = named
        self.event_version = event_version
        self.day = day
        self.recorded_at = recorded_at
        self.state = state
        self.meta_json = meta_json
        self.leaf = leaf

    @property
    def aggregate_id(self) -> UUID:  # type: ignore[override]
        return UUID(self.about)

    @property
    def account_id(self) -> UUID | None:  # type: ignore[override]
        return None if self.account is None else UUID(self.account)

    @property
    def event_id(self) -> UUID:  # type: ignore[override]
        return UUID(self.id)

    @property
    def traceparent(self) -> str | None:
        return orjson.loads(self.meta_json).get("traceparent") if b'"traceparent"' in self.meta_json else None

    @property
    def effective_on(self) -> date:  # type: ignore[override]
        return date.fromisoformat(self.day)


class SealedRows:
    """A source of batches for one runner: reads by position, and hears the sealer on the same connection."""

    def __init__(self, database: Database) -> None:
        self._connection = KeptConnection(partial(database.connect, "arrears_app", autocommit=True), _listening)

    @explained()
    def read(self, after: int, limit: int = 1_000, names: Collection[str] | None = None) -> list[Recorded]:
        """The events from position after+1 on, at most `limit`, all of them closed. Raises LogHole where a position is
        missing."""
        del names
        rows = self._execute(
            """
            SELECT position, aggregate_id::text, version, event_id::text, account_id::text, name, event_version,
                   effective_on::text, recorded_at, state, meta, leaf
            FROM arrears.events WHERE position > %b ORDER BY position LIMIT %b
            """,
            after,
            limit,
        )
        for expected, row in enumerate(rows, after + 1):
            if row[0] != expected:
                raise LogHole(expected, row[0])
        return [SealedRow(*row) for row in rows]

    @explained()
    def head(self) -> int:
        return head_seal(self._connection.get()).position

    @explained()
    def wait(self, after: int, timeout: float = _POLL_SECONDS) -> bool:
        """Whether there is an event after this position; waits for one up to `timeout` seconds."""
        if self.head() > after:
            return True
        for _ in self._connection.get().notifies(timeout=timeout, stop_after=1):
            pass
        return self.head() > after

    def close(self) -> None:
        self._connection.close()

    # --- inside ---

    def _execute(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.get().execute(query.encode(), parameters, prepare=True, binary=True).fetchall()


def _listening(connection: psycopg.Connection) -> None:
    in_utc(connection)
    connection.execute("SET enable_seqscan TO off")
    connection.execute(f"LISTEN {CHANNEL}")

"""The log as it is stored, for whoever passes it on: events stay closed, so no key is needed to read them."""

import contextlib
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg

from adapters.eventstore.feed import LogHole
from adapters.eventstore.sealer import CHANNEL
from adapters.eventstore.seals import head_seal
from adapters.postgres.database import Database
from adapters.postgres.errors import explained
from aggregates.event import Event, Meta, Recorded

_POLL_SECONDS = 1.0


class StillClosed(TypeError):
    """Somebody wants to look into an event that was read without opening it."""


class SealedRow(Recorded):
    """A recorded event as JSON in UTF-8, in the version in which it was written; personal text is ciphertext."""

    __slots__ = ("event_version", "meta_json", "named", "state")

    def __init__(  # noqa: PLR0917  the columns, as they come
        self,
        position: int,
        aggregate_id: UUID,
        version: int,
        event_id: UUID,
        account_id: UUID | None,
        name: str,
        event_version: int,
        effective_on: date,
        recorded_at: datetime,
        state: bytes,
        meta_json: bytes,
    ) -> None:
        self.position = position
        self.aggregate_id = aggregate_id
        self.version = version
        self.event_id = event_id
        self.account_id = account_id
        self.named = name
        self.event_version = event_version
        self.effective_on = effective_on
        self.recorded_at = recorded_at
        self.state = state
        self.meta_json = meta_json

    def __repr__(self) -> str:
        return f"<{self.named} at position {self.position}, not opened>"

    @property
    def name(self) -> str:
        return self.named

    @property
    def event(self) -> Event:  # type: ignore[override]
        raise StillClosed(f"{self.named} at position {self.position} is read without being opened")

    @property
    def meta(self) -> Meta:  # type: ignore[override]
        raise StillClosed(f"{self.named} at position {self.position} is read without being opened")


class SealedRows:
    """A source of batches for one runner: reads by position, and hears the sealer on the same connection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: psycopg.Connection | None = None

    @explained()
    def read(self, after: int, limit: int = 1_000) -> list[Recorded]:
        """The events from position after+1 on, at most `limit`. Raises LogHole where a position is missing."""
        rows = self._execute(
            """
            SELECT position, aggregate_id, version, event_id, account_id, name, event_version,
                   effective_on, recorded_at, state, meta
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
        return head_seal(self._connected()).position

    @explained()
    def wait(self, after: int, timeout: float = _POLL_SECONDS) -> bool:
        """Whether there is an event after this position; waits for one up to `timeout` seconds."""
        if self.head() > after:
            return True
        for _ in self._connected().notifies(timeout=timeout, stop_after=1):
            pass
        return self.head() > after

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    # --- inside ---

    def _execute(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._connected().execute(query.encode(), parameters, prepare=True, binary=True).fetchall()

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            connection = self._database.connect("arrears_app", autocommit=True)
            connection.execute("SET timezone TO 'UTC'")
            connection.execute("SET enable_seqscan TO off")
            connection.execute(f"LISTEN {CHANNEL}")
            self._connection = connection
        return self._connection

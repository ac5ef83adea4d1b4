"""A log to read: events appended as given and sealed at once, on the real tables."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from adapters.eventstore.feed import Feed
from adapters.eventstore.keys import KeyRing
from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.recorder import LogRecorder, app_connections
from adapters.eventstore.sealer import Sealer
from adapters.eventstore.stored import leaf_hash
from adapters.postgres.database import Database
from aggregates.kernel.command import identifier
from aggregates.kernel.event import REGISTRY, Event, Meta, Recorded

MASTER_KEY = bytes(range(32))
DAY_ONE = date(2026, 3, 2)
MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Log:
    """Appends events and seals them. Each event is a second later than the one before."""

    def __init__(self, database: Database) -> None:
        self._connections = app_connections(database)
        self._mapper = EventMapper(KeyRing(self._connections, MASTER_KEY))
        self._recorder = LogRecorder(self._connections)
        self._sealer = Sealer(database)
        self._versions: dict[UUID, int] = {}
        self._count = 0
        self.feed = Feed(database, self._connections, self._mapper)

    def append(
        self, aggregate_id: UUID, *events: Event, account_id: UUID | None = None, effective_on: date = DAY_ONE
    ) -> int:
        """Stores and seals events of one aggregate (an account, unless an `account_id` is given); the last position."""
        return self.append_all([self.recorded(aggregate_id, e, account_id, effective_on) for e in events])

    def append_all(self, events: Iterable[Recorded]) -> int:
        facts, keys = self._mapper.encode(list(events))
        self._recorder.append(facts, new_keys=keys)
        return self._sealed()

    def append_earlier(self, aggregate_id: UUID, name: str, version: int, data: Mapping[str, Any]) -> int:
        """Stores and seals an event as a release stored it whose current version that was; the last position."""
        current = REGISTRY.current(name).model_validate(REGISTRY.lift(name, version, dict(data)))
        recorded = self.recorded(aggregate_id, current)
        (fact,), keys = self._mapper.encode([recorded])
        state = orjson.dumps(data)
        leaf = leaf_hash(
            aggregate_id,
            recorded.version,
            recorded.event_id,
            recorded.account_id,
            name,
            version,
            recorded.effective_on,
            recorded.recorded_at,
            state,
            fact.meta,
        )
        self._recorder.append([replace(fact, event_version=version, state=state, leaf=leaf)], new_keys=keys)
        return self._sealed()

    def let_others_seal(self) -> None:
        """Until it appends again: then it takes their place, as soon as it can."""
        self._sealer.close()

    def _sealed(self) -> int:
        while self._sealer.seal_once():
            pass
        return self.feed.head()

    def recorded(
        self, aggregate_id: UUID, event: Event, account_id: UUID | None = None, effective_on: date = DAY_ONE
    ) -> Recorded:
        """The next event of an aggregate, which is an account where the event's name says so."""
        if account_id is None and event.event_name.split(".")[0] in {"account", "test"}:
            account_id = aggregate_id
        version = self._versions[aggregate_id] = self._versions.get(aggregate_id, 0) + 1
        self._count += 1
        return Recorded(
            aggregate_id=aggregate_id,
            version=version,
            event_id=identifier("event", aggregate_id, version),
            account_id=account_id,
            effective_on=effective_on,
            recorded_at=MORNING + timedelta(seconds=self._count),
            event=event,
            meta=Meta(actor="person:ann", command_id=identifier(self._count), correlation_id=identifier(self._count)),
        )

    def read_all(self) -> list[Recorded]:
        return self.feed.read(0, 1_000_000)

    def close(self) -> None:
        self.feed.close()
        self._sealer.close()
        self._connections.close()


def rows(database: Database, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """What a query gives, to whoever may see everything."""
    with database.connect() as connection:
        return connection.execute(query.encode(), parameters).fetchall()


def fingerprint(database: Database, schema: str) -> str:
    """A hash over every row of every table of a schema."""
    tables = [r[0] for r in rows(database, "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", schema)]
    hashes = [
        rows(database, f"SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM {schema}.{table} t")[0][0]
        for table in tables
    ]
    return "\n".join(f"{table} {digest}" for table, digest in zip(tables, hashes, strict=True))

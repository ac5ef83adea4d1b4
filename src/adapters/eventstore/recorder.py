"""Writing to the log without a lock, and loading many aggregates in one round trip."""

import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import psycopg
from eventsourcing.persistence import ApplicationRecorder, IntegrityError, Notification, StoredEvent, Subscription
from psycopg import errors as pg

from adapters.eventstore import arrays
from adapters.eventstore.arrays import Blobs, Dates, Integers, Jsons, Moments, Smallints, Texts, Uuids
from adapters.eventstore.connections import Connections, always_by_index
from adapters.eventstore.keys import NewKey
from adapters.eventstore.stored import StoredFact
from adapters.postgres.database import Database, Role
from adapters.postgres.errors import ConnectionFailed, ConnectionLost, DatabaseProblem, explained
from adapters.postgres.kept_connection import in_utc
from aggregates.kernel.command import Key
from aggregates.kernel.holders import Holding

Result = TypeVar("Result")

_PATIENCE = 10  # attempts on lost connections: about ten seconds, a server's restart
_LOST = (
    pg.AdminShutdown,
    pg.CrashShutdown,
    pg.CannotConnectNow,
    pg.IdleSessionTimeout,
    ConnectionFailed,
    ConnectionLost,
)


class Conflict(IntegrityError):
    """Somebody else stored one of these versions, commands or keys first, or changed what the decisions looked at;
    nothing of this append was stored."""


_STORED = attrgetter(
    "originator_id", "originator_version", "event_id", "account_id", "topic", "event_version", "effective_on",
    "recorded_at", "state", "meta", "leaf",
)  # fmt: skip
"""What a row of the log holds, in the order of the statements' columns; `_ARRAYS` are these columns of many rows."""

_ARRAYS: tuple[Callable[[Any], arrays.Array], ...] = (
    Uuids, Integers, Uuids, Uuids, Texts, Smallints, Dates, Moments, Blobs, Blobs, Blobs,
)  # fmt: skip


class EventRow(NamedTuple):
    """What folding needs of a stored event."""

    version: int
    event_id: UUID
    account_id: UUID | None
    name: str
    event_version: int
    state: bytes
    recorded_at: datetime


class SnapshotRow(NamedTuple):
    aggregate_id: UUID
    version: int
    kind: str
    state_version: int
    account_id: UUID | None
    state: bytes
    recorded_at: datetime | None = None
    """Of the last event in it; known where it was loaded."""


class Wanted(NamedTuple):
    """An aggregate to load: its events after a version; from 0, the latest snapshot of a state version (0: none)."""

    aggregate_id: UUID
    after: int = 0
    state_version: int = 0


@dataclass(slots=True)
class Loaded:
    events: dict[UUID, list[EventRow]] = field(default_factory=dict)
    snapshots: dict[UUID, SnapshotRow] = field(default_factory=dict)
    outcomes: dict[UUID, bytes] = field(default_factory=dict)
    keys: list[tuple[UUID, bytes | None]] = field(default_factory=list)
    """Wrapped keys, by account."""
    holders: dict[Key, list[UUID]] = field(default_factory=dict)
    """Of the keys that were looked up and that anything holds."""


def app_connections(database: Database, role: Role = "arrears_app") -> Connections:
    """Connections as the recorder needs them: autocommit, every statement prepared, times in UTC."""

    def connect() -> psycopg.Connection:
        connection = database.connect(role, autocommit=True)
        connection.prepare_threshold = 0
        in_utc(connection)
        connection.execute("SET max_parallel_workers_per_gather TO 0")  # results come in the order asked for
        always_by_index(connection)
        arrays.register(connection)
        return connection

    return Connections(connect)


class LogRecorder(ApplicationRecorder):
    """The library's recorder over our tables: no table lock, no notification; positions come from the sealer.

    Many aggregates, command ids, new keys and snapshots go into one statement, so an append is one round trip.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    # --- batches ---

    def append(
        self,
        facts: Sequence[StoredFact],
        *,
        outcomes: Mapping[UUID, bytes] | None = None,
        new_keys: Mapping[UUID, NewKey] | None = None,
        snapshots: Sequence[SnapshotRow] = (),
        holdings: Sequence[Holding] = (),
        seen: Mapping[UUID, int] | None = None,
        now: datetime | None = None,
    ) -> None:
        """Stores all of it, or raises Conflict and stores nothing. Events are sealed in the order given here.

        `seen` are versions of other aggregates that the decisions looked at: a conflict where one has moved on.
        `holdings` are keys that the events' aggregates come to hold: a conflict where another came to hold one first.
        `outcomes` are JSON by command id (or natural key). A connection lost after the commit looks like a conflict
        on the retry: if these very events are there by then, it worked.
        """
        outcomes, new_keys = outcomes or {}, new_keys or {}
        parameters: list[Any] = []
        if len(facts) == 1:
            parts = [_INSERT_EVENT]
            parameters += _STORED(facts[0])
        else:
            parts = [_INSERT_EVENTS]
            columns = list(zip(*map(_STORED, facts), strict=True)) or [()] * len(_ARRAYS)
            parameters += [array(column) for array, column in zip(_ARRAYS, columns, strict=True)]
        if outcomes:
            parts.append(_INSERT_OUTCOMES)
            parameters += [now or datetime.now(UTC), Uuids(outcomes), Jsons(outcomes.values())]
        if new_keys:
            parts.append(_INSERT_KEYS)
            parameters += [Uuids(new_keys), Blobs(new.wrapped for new in new_keys.values())]
        if snapshots:
            parts.append(_INSERT_SNAPSHOTS)
            parameters += [
                Uuids(s.aggregate_id for s in snapshots),
                Integers(s.version for s in snapshots),
                Texts(s.kind for s in snapshots),
                Smallints(s.state_version for s in snapshots),
                Uuids(s.account_id for s in snapshots),
                Blobs(s.state for s in snapshots),
            ]
        if holdings:
            parts.append(_INSERT_HOLDINGS)
            parameters += [
                Texts(h.key.kind for h in holdings),
                Uuids(h.key.id for h in holdings),
                Integers(h.ordinal for h in holdings),
                Uuids(h.aggregate_id for h in holdings),
            ]
        statement = ",\n".join(parts) + "\nSELECT 1"
        if seen:
            statement += _REQUIRE_CURRENT
            parameters += [Uuids(seen), Integers(seen.values())]
        was_lost = False

        def lost() -> None:
            nonlocal was_lost
            was_lost = True

        try:
            self._run(lambda connection: connection.execute(statement, parameters), on_loss=lost)
        except (pg.UniqueViolation, pg.DeadlockDetected, pg.SerializationFailure) as error:
            if was_lost and self._is_stored(facts, outcomes):
                return
            raise Conflict(str(error)) from error

    def load(
        self, wanted: Iterable[Wanted], command_ids: Iterable[UUID] = (), *, looked_up: Collection[Key] = ()
    ) -> Loaded:
        """Snapshots, events, keys and stored outcomes of thousands of aggregates and commands, in one round trip; and
        who holds the keys that are looked up."""
        wanted = list(wanted)
        afresh = any(w.after == 0 for w in wanted)
        parameters = [
            Uuids(w.aggregate_id for w in wanted),
            Integers(w.after for w in wanted),
            *([Smallints(w.state_version for w in wanted)] if afresh else []),
            Uuids(command_ids),
        ]
        statement = _LOAD_AFRESH if afresh else _LOAD_ON
        if looked_up:
            statement += _LOAD_HOLDERS
            parameters += [Texts(key.kind for key in looked_up), Uuids(key.id for key in looked_up)]
        rows = self._run(lambda connection: connection.execute(statement, parameters, binary=True).fetchall())
        loaded = Loaded()
        for what, identity, version, event_id, account_id, name, shape, state, at in rows:
            if what == 2:
                row = EventRow(version, event_id, account_id, name, shape, state, at)
                loaded.events.setdefault(identity, []).append(row)
            elif what == 1:
                loaded.snapshots[identity] = SnapshotRow(identity, version, name, shape, account_id, state, at)
            elif what == 3:
                loaded.outcomes[identity] = state
            elif what == 5:
                loaded.holders.setdefault(Key(name, event_id), []).append(identity)
            else:
                loaded.keys.append((identity, state))
        return loaded

    # --- the library's interface ---

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> None:
        """Positions are given later, by the sealer, so there are none to return."""
        facts = [event for event in stored_events if isinstance(event, StoredFact)]
        if len(facts) != len(stored_events):
            raise TypeError("only events from EventMapper can be stored")
        if facts:
            self.append(facts)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredFact]:
        statement = _SELECT_LAST if desc else _SELECT_FIRST
        parameters = [originator_id, gt or 0, lte, lte, limit]
        rows = self._run(lambda connection: connection.execute(statement, parameters, binary=True).fetchall())
        return [_fact(row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        """Sealed events only: what is not sealed has no place in the log yet."""
        after = (start or 1) - 1 if inclusive_of_start or start is None else start
        statement = """
            SELECT position, aggregate_id, version, name, state FROM arrears.events
            WHERE position > %b AND (%b::bigint IS NULL OR position <= %b) AND (%b::text[] IS NULL OR name = ANY(%b))
            ORDER BY position LIMIT %b
        """
        names = list(topics) or None
        parameters = [after, stop, stop, names, names, limit]
        rows = self._run(lambda connection: connection.execute(statement, parameters, binary=True).fetchall())
        return [
            Notification(id=position, originator_id=aggregate_id, originator_version=version, topic=name, state=state)
            for position, aggregate_id, version, name, state in rows
        ]

    def max_notification_id(self) -> int | None:
        statement = "SELECT max(last) FROM arrears.seals"
        row = self._run(lambda connection: connection.execute(statement).fetchone())
        return row[0] if row else None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        return LogSubscription(self, gt, topics)

    # --- inside ---

    @explained()
    def _run(self, use: Callable[[psycopg.Connection], Result], on_loss: Callable[[], None] = lambda: None) -> Result:
        """Does something on a connection, again on a new one while connections get lost."""
        for attempt in range(1, _PATIENCE + 1):
            connection: psycopg.Connection | None = None
            try:
                with self._connections.use() as connection:
                    return use(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError, DatabaseProblem) as error:
                gone = isinstance(error, _LOST) or (connection is not None and connection.closed)
                if not gone or attempt == _PATIENCE:
                    raise
                on_loss()
                self._connections.drop_idle()
                time.sleep(random.uniform(0.01, 0.05) * 1.6**attempt)  # noqa: S311
        raise AssertionError("the last attempt returns or raises")

    def _is_stored(self, facts: Sequence[StoredFact], outcomes: Mapping[UUID, bytes]) -> bool:
        """Whether an append whose answer was lost had been committed: it was one statement, so all or nothing."""
        stored = self._run(
            lambda connection: connection.execute(
                """
                SELECT (SELECT count(*) FROM unnest(%s, %s, %s) AS mine (aggregate_id, version, event_id)
                        JOIN arrears.events USING (aggregate_id, version, event_id)),
                       (SELECT count(*) FROM arrears.commands WHERE command_id = ANY(%s))
                """,
                [
                    Uuids(f.originator_id for f in facts),
                    Integers(f.originator_version for f in facts),
                    Uuids(f.event_id for f in facts),
                    Uuids(outcomes),
                ],
            ).fetchone()
        )
        return stored == (len(facts), len(outcomes))


class LogSubscription(Subscription[ApplicationRecorder]):
    """The library's endless iterator of notifications. Our own readers use `Feed`, which gives batches."""

    def __init__(self, recorder: LogRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder, gt, topics)
        self._waiting: list[Notification] = []

    def __next__(self) -> Notification:
        while not self._waiting:
            if self._has_been_stopped:
                raise StopIteration
            self._waiting = list(
                self._recorder.select_notifications(
                    self._last_notification_id or 0, 500, topics=self._topics, inclusive_of_start=False
                )
            )
            self._waiting.reverse()
            if not self._waiting:
                time.sleep(0.05)
        notification = self._waiting.pop()
        self._last_notification_id = notification.id
        return notification


def _fact(row: tuple[Any, ...]) -> StoredFact:
    position, aggregate_id, version, event_id, account_id, name, shape, effective_on, at, state, meta, leaf = row
    return StoredFact(
        aggregate_id, version, name, state, event_id, account_id, shape, effective_on, at, meta, leaf, position
    )


_SELECT_FIRST = """
SELECT position, aggregate_id, version, event_id, account_id, name, event_version, effective_on, recorded_at,
       state, meta, leaf
FROM arrears.events WHERE aggregate_id = %b AND version > %b AND (%b::int IS NULL OR version <= %b)
ORDER BY version LIMIT %b
"""

_SELECT_LAST = _SELECT_FIRST.replace("ORDER BY version", "ORDER BY version DESC")

# One row needs neither order nor arrays, and costs a third less.
_INSERT_EVENT = """
WITH new_events AS (
    INSERT INTO arrears.events (seq, aggregate_id, version, event_id, account_id, name, event_version, effective_on,
                                recorded_at, state, meta, leaf)
    VALUES (nextval('arrears.events_seq'), %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b)
)"""

# Numbers are taken in the order of decisions, so that positions follow cause within an append too; rows go in
# sorted, so that two appends that meet on several aggregates wait for each other in one order and cannot deadlock.
_INSERT_EVENTS = """
WITH given AS MATERIALIZED (
    SELECT nextval('arrears.events_seq') AS seq, e.*
    FROM unnest(%b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b)
         AS e (aggregate_id, version, event_id, account_id, name, event_version, effective_on, recorded_at,
               state, meta, leaf)
), new_events AS (
    INSERT INTO arrears.events (seq, aggregate_id, version, event_id, account_id, name, event_version, effective_on,
                                recorded_at, state, meta, leaf)
    SELECT seq, aggregate_id, version, event_id, account_id, name, event_version, effective_on, recorded_at,
           state, meta, leaf
    FROM given ORDER BY aggregate_id, version
)"""

_INSERT_OUTCOMES = """
new_outcomes AS (
    INSERT INTO arrears.commands (command_id, outcome, recorded_at)
    SELECT command_id, outcome, %b FROM unnest(%b, %b) AS o (command_id, outcome) ORDER BY command_id
)"""

_INSERT_KEYS = """
new_keys AS (
    INSERT INTO arrears.account_keys (account_id, wrapped_key)
    SELECT account_id, wrapped_key FROM unnest(%b, %b) AS k (account_id, wrapped_key) ORDER BY account_id
)"""

_INSERT_SNAPSHOTS = """
new_snapshots AS (
    INSERT INTO arrears.snapshots (aggregate_id, version, kind, state_version, account_id, state)
    SELECT aggregate_id, version, kind, state_version, account_id, state
    FROM unnest(%b, %b, %b, %b, %b, %b) AS s (aggregate_id, version, kind, state_version, account_id, state)
    ORDER BY aggregate_id, version
    ON CONFLICT DO NOTHING
)"""

_INSERT_HOLDINGS = """
new_holdings AS (
    INSERT INTO arrears.holders (kind, key, ordinal, aggregate_id)
    SELECT kind, key, ordinal, aggregate_id
    FROM unnest(%b, %b, %b, %b) AS h (kind, key, ordinal, aggregate_id) ORDER BY kind, key, ordinal
)"""

_REQUIRE_CURRENT = " WHERE arrears.require_current(%b, %b)"

# LATERAL with ORDER BY keeps the planner on one index probe per aggregate, whatever it believes about table sizes.
_LOAD_ON = """
WITH wanted AS MATERIALIZED (SELECT * FROM unnest(%b, %b) AS w (aggregate_id, after))
SELECT 2::smallint, e.aggregate_id, e.version, e.event_id, e.account_id, e.name, e.event_version, e.state, e.recorded_at
FROM wanted w CROSS JOIN LATERAL (
    SELECT * FROM arrears.events e WHERE e.aggregate_id = w.aggregate_id AND e.version > w.after ORDER BY e.version
) e
UNION ALL
SELECT 4, k.account_id, NULL, NULL, NULL, NULL, NULL, k.wrapped_key, NULL
FROM wanted w JOIN arrears.account_keys k ON k.account_id = w.aggregate_id WHERE k.wrapped_key IS NULL
UNION ALL
SELECT 3, c.command_id, NULL, NULL, NULL, NULL, NULL, convert_to(c.outcome::text, 'UTF8'), NULL
FROM arrears.commands c WHERE c.command_id = ANY(%b)
"""

_LOAD_AFRESH = """
WITH wanted AS MATERIALIZED (SELECT * FROM unnest(%b, %b, %b) AS w (aggregate_id, after, state_version)),
shot AS MATERIALIZED (
    SELECT s.*, (SELECT e.recorded_at FROM arrears.events e
                 WHERE e.aggregate_id = s.aggregate_id AND e.version = s.version) AS recorded_at
    FROM wanted w CROSS JOIN LATERAL (
        SELECT * FROM arrears.snapshots s
        WHERE s.aggregate_id = w.aggregate_id AND s.state_version = w.state_version
        ORDER BY s.version DESC LIMIT 1
    ) s
    WHERE w.after = 0 AND w.state_version > 0
)
SELECT 1::smallint, aggregate_id, version, NULL::uuid, account_id, kind, state_version, state, recorded_at FROM shot
UNION ALL
SELECT 2, e.aggregate_id, e.version, e.event_id, e.account_id, e.name, e.event_version, e.state, e.recorded_at
FROM wanted w LEFT JOIN shot USING (aggregate_id) CROSS JOIN LATERAL (
    SELECT * FROM arrears.events e
    WHERE e.aggregate_id = w.aggregate_id AND e.version > coalesce(shot.version, w.after) ORDER BY e.version
) e
UNION ALL
SELECT 4, k.account_id, NULL, NULL, NULL, NULL, NULL, k.wrapped_key, NULL
FROM wanted w JOIN arrears.account_keys k ON k.account_id = w.aggregate_id WHERE w.after = 0 OR k.wrapped_key IS NULL
UNION ALL
SELECT 3, c.command_id, NULL, NULL, NULL, NULL, NULL, convert_to(c.outcome::text, 'UTF8'), NULL
FROM arrears.commands c WHERE c.command_id = ANY(%b)
"""

# In the order in which they came to hold it.
_LOAD_HOLDERS = """
UNION ALL
SELECT * FROM (
    SELECT 5::smallint, h.aggregate_id, h.ordinal, h.key, NULL::uuid, h.kind, NULL::smallint, NULL::bytea,
           NULL::timestamptz
    FROM unnest(%b, %b) AS w (kind, key) JOIN arrears.holders h USING (kind, key) ORDER BY h.kind, h.key, h.ordinal
) held
"""

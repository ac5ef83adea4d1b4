"""Who holds which key, as the log says: to compare what was written with it, and to write it anew."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
import psycopg

from adapters.postgres.errors import explained
from aggregates.kernel.command import Key
from aggregates.kernel.event import REGISTRY, Event

_AT_ONCE = 2_000


def keys_in(name: str, event_version: int, state: bytes) -> tuple[Key, ...]:
    """The keys that a stored event gives its aggregate; nothing of what they are made of is encrypted."""
    event_class = REGISTRY.current(name)
    data = REGISTRY.lift(name, event_version, orjson.loads(state))
    return event_class.model_validate_json(orjson.dumps(data)).found_by()


def finding_events() -> list[str]:
    """The names of events by which aggregates come to hold keys."""
    return [name for name in REGISTRY.names() if REGISTRY.current(name).found_by is not Event.found_by]


def differences(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str, str]]:
    """What is written of holders and is not as the log says: (what, expected, found). In bounded memory, in one
    transaction of the caller's that sees one moment."""
    for name, event_version, aggregate_id, state in _events(connection):
        for key in keys_in(name, event_version, state):
            if not _is_held(connection, key, aggregate_id):
                yield (
                    f"{key.kind} {key.id} does not lead to aggregate {aggregate_id}",
                    "a row of arrears.holders",
                    "none",
                )
    with connection.cursor("holders_written", binary=True) as cursor:
        cursor.itersize = _AT_ONCE
        before: tuple[Key, int, int] | None = None
        for kind, key_id, ordinal, aggregate_id, found in cursor.execute(_WRITTEN, [finding_events()]):
            key = Key(kind, key_id)
            seqs = [seq for seq, name, version, state in found or () if key in keys_in(name, version, bytes(state))]
            if not seqs:
                yield f"{kind} {key_id} leads to aggregate {aggregate_id}", "an event that says so", "none"
                continue
            after = before[1:] if before is not None and before[0] == key else (0, 0)
            if ordinal != after[0] + 1 or seqs[0] < after[1]:
                yield f"holders of {kind} {key_id} are not in their order", f"ordinal {after[0] + 1}", f"{ordinal}"
            before = key, ordinal, seqs[0]


@explained()
def write_anew(connection: psycopg.Connection[Any]) -> int:
    """The holders as the log says, in place of those that are written; returns how many. Appends that let an aggregate
    hold a key wait meanwhile. `connection` is of the owner of the tables."""
    with connection.transaction():
        connection.execute("LOCK TABLE arrears.holders IN ACCESS EXCLUSIVE MODE")
        connection.execute(
            "CREATE TEMPORARY TABLE found (nth bigserial, kind text, key uuid, aggregate_id uuid) ON COMMIT DROP"
        )
        found = (
            (key.kind, key.id, aggregate_id)
            for name, event_version, aggregate_id, state in _events(connection)
            for key in keys_in(name, event_version, state)
        )
        for rows in _chunks(found):
            with connection.cursor().copy("COPY found (kind, key, aggregate_id) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        connection.execute("DELETE FROM arrears.holders")
        return connection.execute(_WRITE).rowcount


def _chunks(rows: Iterable[tuple[str, UUID, UUID]]) -> Iterator[list[tuple[str, UUID, UUID]]]:
    rows = iter(rows)
    while chunk := list(islice(rows, _AT_ONCE)):
        yield chunk


def _events(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, int, UUID, bytes]]:
    """Those by which aggregates come to hold keys, in the order in which they were stored."""
    with connection.cursor("holders_said", binary=True) as cursor:
        cursor.itersize = _AT_ONCE
        for name, event_version, aggregate_id, state in cursor.execute(_SAID, [finding_events()]):
            yield name, event_version, aggregate_id, bytes(state)


def _is_held(connection: psycopg.Connection[Any], key: Key, aggregate_id: UUID) -> bool:
    statement = "SELECT FROM arrears.holders WHERE kind = %s AND key = %s AND aggregate_id = %s"
    return connection.execute(statement, [key.kind, key.id, aggregate_id], prepare=True).fetchone() is not None


_SAID = "SELECT name, event_version, aggregate_id, state FROM arrears.events WHERE name = ANY(%s) ORDER BY seq"

_WRITTEN = """
SELECT h.kind, h.key, h.ordinal, h.aggregate_id,
       (SELECT array_agg(ROW (e.seq, e.name, e.event_version, e.state) ORDER BY e.seq)
        FROM arrears.events e WHERE e.aggregate_id = h.aggregate_id AND e.name = ANY(%s))
FROM arrears.holders h ORDER BY h.kind, h.key, h.ordinal
"""

_WRITE = """
INSERT INTO arrears.holders (kind, key, ordinal, aggregate_id)
SELECT kind, key, row_number() OVER (PARTITION BY kind, key ORDER BY first), aggregate_id
FROM (SELECT kind, key, aggregate_id, min(nth) AS first FROM found GROUP BY kind, key, aggregate_id) AS each_once
"""

"""Our own consumers need what the wire leaves out: they read it from the store, a batch at a time."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from adapters.eventstore.feed import LogHole
from adapters.eventstore.mapper import EventMapper
from adapters.kafka.cloudevents import Envelope
from aggregates.event import Recorded


def complete(envelopes: Sequence[Envelope], connection: Connection[Any], mapper: EventMapper) -> list[Recorded]:
    """The events as the log has them, in the order given; those with personal text come from the store, in one query.

    Raises LogHole where the store does not have one that the topic has: the store was replaced by an older copy.
    """
    wanted = [each.position for each in envelopes if each.withheld]
    stored: dict[int, Recorded] = {}
    if wanted:
        rows = connection.execute(
            """
            SELECT position, aggregate_id, version, event_id, account_id, name, event_version,
                   effective_on, recorded_at, state, meta
            FROM arrears.events WHERE position = ANY (%b)
            """,
            [wanted],
            prepare=True,
            binary=True,
        ).fetchall()
        stored = {row[0]: recorded for row, recorded in zip(rows, mapper.decode_all(rows), strict=True)}
    return [_of(stored, each) if each.withheld else each.recorded() for each in envelopes]


def _of(stored: dict[int, Recorded], envelope: Envelope) -> Recorded:
    recorded = stored.get(envelope.position)
    if recorded is None or recorded.event_id != envelope.event_id:
        raise LogHole(envelope.position, envelope.position)
    return recorded

"""Events as they arrive from the topic: looked at by their headers, and opened only for readers that want them."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog
from psycopg import Connection

from adapters.eventstore.feed import LogHole
from adapters.eventstore.mapper import EventMapper, LogRow
from adapters.kafka.cloudevents import Envelope, NotOurs, from_message
from aggregates.event import Recorded

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Arrival:
    """A message of the topic. `offset` is its own; what it says is decoded once, for whoever asks."""

    __slots__ = ("_mapper", "_recorded", "_stored", "envelope", "offset")

    def __init__(self, envelope: Envelope, mapper: EventMapper) -> None:
        self.envelope = envelope
        self.offset = envelope.offset
        self._mapper = mapper
        self._stored: LogRow | None = None
        self._recorded: Recorded | None = None

    @property
    def position(self) -> int:
        return self.envelope.position

    @property
    def account_id(self) -> UUID | None:
        return self.envelope.account_id

    @property
    def aggregate_id(self) -> UUID:
        return self.envelope.aggregate_id

    @property
    def event_id(self) -> UUID:
        return self.envelope.event_id

    @property
    def name(self) -> str:
        return self.envelope.name

    @property
    def late(self) -> bool:
        return self.envelope.late

    def found(self, row: LogRow) -> None:
        """The stored row, for an event of which the wire leaves something out."""
        self._stored = row

    def recorded(self) -> Recorded:
        """The event as the log has it. Raises what the models and the mapper raise, and LogHole where the store does
        not have an event that the topic has: the store was replaced by an older copy."""
        if self._recorded is None:
            self._recorded = self._open()
        return self._recorded

    def _open(self) -> Recorded:
        if not self.envelope.withheld:
            return self.envelope.recorded()
        if self._stored is None or self._stored[3] != self.event_id:
            raise LogHole(self.position, self.position)
        return self._mapper.decode(self._stored)


def arrivals(records: Iterable[Any], mapper: EventMapper) -> list[Arrival]:
    """The events among messages; a message of somebody else is passed over, and said to be."""
    found = []
    for record in records:
        try:
            envelope = from_message(record.headers, record.value, partition=record.partition, offset=record.offset)
        except NotOurs as error:
            _log.warning("passed over a message that is no event of the log", problem=str(error))
        else:
            found.append(Arrival(envelope, mapper))
    return found


def fetch_withheld(
    batch: Sequence[Arrival], wanted: Collection[str] | None, connection: Connection[Any], mapper: EventMapper
) -> None:
    """Reads, in one query, what the wire leaves out of the events that somebody wants to open."""
    lacking = {
        each.position: each for each in batch if each.envelope.withheld and (wanted is None or each.name in wanted)
    }
    if not lacking:
        return
    rows = connection.execute(
        """
        SELECT position, aggregate_id, version, event_id, account_id, name, event_version,
               effective_on, recorded_at, state, meta
        FROM arrears.events WHERE position = ANY (%b)
        """,
        [list(lacking)],
        prepare=True,
        binary=True,
    ).fetchall()
    mapper.keys.fetch({row[4] for row in rows if row[4] is not None})
    for row in rows:
        lacking[row[0]].found(row)

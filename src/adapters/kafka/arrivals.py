"""Events as they arrive from the topic: looked at by their headers, and opened only for readers that want them."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog
from psycopg import Connection

from adapters.eventstore.feed import LogHole
from adapters.eventstore.mapper import EventMapper, LogRow
from adapters.kafka.cloudevents import Envelope, NotOurs, glance, opened
from aggregates.kernel.event import Recorded

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Arrival:
    """A message of the topic. Its headers are read once, and what it says is decoded once, when somebody asks."""

    __slots__ = (
        "_envelope",
        "_mapper",
        "_record",
        "_recorded",
        "_said",
        "_stored",
        "late",
        "name",
        "offset",
        "position",
    )

    def __init__(self, record: Any, mapper: EventMapper) -> None:
        """Takes a consumer's record. Raises NotOurs."""
        self._said = dict(record.headers)
        seen = glance(self._said)
        self.position = seen.position
        self.name = seen.name
        self.late = seen.late
        self.offset: int = record.offset
        self._record = record
        self._mapper = mapper
        self._envelope: Envelope | None = None
        self._stored: LogRow | None = None
        self._recorded: Recorded | None = None

    @property
    def envelope(self) -> Envelope:
        if self._envelope is None:
            record = self._record
            self._envelope = opened(self._said, record.value, partition=record.partition, offset=record.offset)
        return self._envelope

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
    def is_whole(self) -> bool:
        """Whether it is an event through and through; what only looks like one is passed over, and said to be."""
        try:
            return self.envelope is not None
        except NotOurs as error:
            _log.warning("passed over a message that is no event of the log", problem=str(error))
            return False

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
            found.append(Arrival(record, mapper))
        except NotOurs as error:
            _log.warning(
                "passed over a message that is no event of the log",
                partition=record.partition,
                offset=record.offset,
                problem=str(error),
            )
    return found


def fetch_withheld(
    batch: Sequence[Arrival], wanted: Collection[str] | None, connection: Connection[Any], mapper: EventMapper
) -> None:
    """Reads, in one query, what the wire leaves out of the events that somebody wants to open."""
    lacking: dict[int, list[Arrival]] = {}
    for each in batch:
        if (wanted is None or each.name in wanted) and each.is_whole and each.envelope.withheld:
            lacking.setdefault(each.position, []).append(each)  # more than one where the publisher repeated itself
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
        for each in lacking[row[0]]:
            each.found(row)

"""Events as they arrive from the topic. A message only says which event it is: what the event says is read from the
log, and a message that says something else than the log is not taken.

Anybody who may write to the topic could have written it, so nothing of it is believed. It is taken where the sealed log
has this event at this position, of this name and with this hash, and where it stands in the partition of its key. What
is only a repeat of such an event has no effect, because repeats are dropped by position.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from psycopg import Connection

from adapters.eventstore.feed import LogHole
from adapters.eventstore.mapper import EventMapper, LogRow, wants_key
from adapters.kafka.cloudevents import Envelope, NotOurs, glance, headers_of, public_body
from adapters.kafka.quarantine import Reason, Refused, keep, refused
from aggregates.kernel.event import REGISTRY, Recorded
from projections.agenda.partition import place_of


class Arrival:
    """A message of the topic that says it is an event. `seen` is what it says; once it was checked, everything else is
    that of the log."""

    __slots__ = ("_mapper", "_recorded", "_stored", "offset", "record", "seen")

    def __init__(self, record: Any, mapper: EventMapper) -> None:
        """Takes a consumer's record. Raises NotOurs."""
        self.seen = glance(headers_of(record.headers))
        self.offset: int = record.offset
        self.record = record
        self._mapper = mapper
        self._stored: LogRow | None = None
        self._recorded: Recorded | None = None

    @property
    def position(self) -> int:
        return self.seen.position

    @property
    def name(self) -> str:
        return self.seen.name

    @property
    def late(self) -> bool:
        return self.seen.late

    @property
    def event_id(self) -> UUID:
        return self.seen.event_id

    @property
    def aggregate_id(self) -> UUID:
        return self._row()[1]

    @property
    def account_id(self) -> UUID | None:
        return self._row()[4]

    def found(self, row: LogRow | None) -> None:
        """The log's row of the event, for whoever wants to open it."""
        self._stored = row

    def recorded(self) -> Recorded:
        """The event as the log has it. Raises what the mapper raises."""
        if self._recorded is None:
            self._recorded = self._mapper.decode(self._row())
        return self._recorded

    def _row(self) -> LogRow:
        if self._stored is None:
            raise LogHole(self.position, self.position)
        return self._stored


# Of what nobody wants to open only that is read by which it is known.
_SEALED = """
    SELECT e.position, e.event_id, e.name, e.leaf, coalesce(e.account_id, e.aggregate_id), w.*
    FROM arrears.events AS e
    LEFT JOIN LATERAL (
        SELECT e.position, e.aggregate_id, e.version, e.event_id, e.account_id, e.name, e.event_version, e.effective_on,
               e.recorded_at, e.state, e.meta
    ) AS w ON %(names)b::text[] IS NULL OR e.name = ANY (%(names)b::text[])
    WHERE e.position = ANY (%(positions)b::bigint[])
      AND e.position <= (SELECT last FROM arrears.seals ORDER BY last DESC LIMIT 1)
"""


class Inspector:
    """Looks at messages of a topic for a reader, or for several that share a consumer. Used by one thread."""

    def __init__(self, topic: str, reader: str, mapper: EventMapper) -> None:
        """`reader` is whose name stands with what is not taken."""
        self._topic = topic
        self._reader = reader
        self._mapper = mapper
        self._malformed: dict[tuple[int, int], Refused] = {}
        """By partition and offset: a stretch may come more than once before it can be checked."""

    def opened(self, records: Iterable[Any]) -> list[Arrival]:
        """Those messages that have the form of an event; the others are kept with what `checked` finds."""
        found = []
        for record in records:
            try:
                found.append(Arrival(record, self._mapper))
            except NotOurs:
                self._malformed[record.partition, record.offset] = refused(record, Reason.MALFORMED)
        return found

    def checked(
        self,
        arrived: Mapping[int, Sequence[Arrival]],
        names: Collection[str] | None,
        connection: Connection[Any],
        of: int,
    ) -> dict[int, list[Arrival]]:
        """Those that are in the sealed log, by partition, in one query; the others are kept as rows, and said.

        Events of these `names` (None: of all) can be opened. `of` is how many partitions the topic has now.
        """
        found = list(self._malformed.values())
        self._malformed = {}
        rows = self._rows([each for given in arrived.values() for each in given], names, connection)
        taken: dict[int, list[Arrival]] = {partition: [] for partition in arrived}
        divisions: frozenset[int] | None = None
        for partition, given in arrived.items():
            for each in given:
                row = rows.get(each.position)
                reason = _difference(each, row)
                if row is not None and reason is None and not _belongs(row.key, partition, of):
                    if divisions is None:
                        divisions = _divisions(connection, self._topic)
                    if not any(_belongs(row.key, partition, number) for number in divisions):
                        reason = Reason.OTHER_PARTITION
                if row is None or reason is not None:
                    found.append(refused(each.record, reason or Reason.NOT_IN_LOG, each.position))
                    continue
                each.found(row.whole)
                taken[partition].append(each)
        keep(connection, self._topic, self._reader, found)
        return taken

    def _rows(
        self, arrived: Sequence[Arrival], names: Collection[str] | None, connection: Connection[Any]
    ) -> dict[int, "_Sealed"]:
        if not arrived:
            return {}
        if any(each.seen.leaf is None for each in arrived):
            names = None  # an earlier release sent it: without a hash it is known by what it says
        rows = connection.execute(
            _SEALED.encode(),
            {
                "positions": list({each.position for each in arrived}),
                "names": None if names is None else list(names),
            },
            prepare=True,
            binary=True,
        ).fetchall()
        found = {row[0]: _Sealed(row[1], row[2], row[3], row[4], None if row[5] is None else row[5:]) for row in rows}
        opened = (each.whole for each in found.values() if each.whole is not None)
        self._mapper.keys.fetch({row[4] for row in opened if row[4] is not None and wants_key(row)})
        return found


@dataclass(slots=True)
class _Sealed:
    """What the log has at a position; `whole` None: nobody wants to open it."""

    event_id: UUID
    name: str
    leaf: bytes
    key: UUID
    whole: LogRow | None


def _difference(arrival: Arrival, sealed: _Sealed | None) -> Reason | None:
    """What a message says otherwise than the log."""
    seen = arrival.seen
    if sealed is None:
        return Reason.NOT_IN_LOG
    if sealed.event_id != seen.event_id or sealed.name != seen.name:
        return Reason.OTHER_EVENT
    if seen.leaf is not None and seen.leaf != sealed.leaf:
        return Reason.OTHER_HASH
    if sealed.whole is not None and not _says_the_same(arrival, sealed.whole):
        return Reason.OTHER_BODY
    return None


def _says_the_same(arrival: Arrival, row: LogRow) -> bool:
    """Whether the body is what the publisher makes of the event, as far as that can be told.

    Nobody here reads the body; but others do. One of another version was sent by another release: then the position,
    the id and the name have to do.
    """
    name, stored_version, state = row[5], row[6], row[9]
    if name not in REGISTRY or arrival.seen.version != REGISTRY.current(name).event_version:
        return True
    body: bytes | None = arrival.record.value
    if body == state:  # nearly always: nothing in it is secret, and it is sent as it is stored
        return True
    try:
        return body == public_body(name, stored_version, state)[0]
    except Exception:  # what is stored cannot be read: whoever opens it finds that out, and parks it
        return True


def _belongs(key: UUID, partition: int, of: int) -> bool:
    """Whether an event's key leads to this partition. More partitions than we know of: nobody can say."""
    return partition >= of or _place(key) % of == partition


@lru_cache(maxsize=100_000)
def _place(key: UUID) -> int:
    return place_of(key)


def _divisions(connection: Connection[Any], topic: str) -> frozenset[int]:
    """Into how many partitions the topic was divided before, if it ever was divided otherwise."""
    rows = connection.execute("SELECT partitions FROM read_model.topic_divisions WHERE topic = %s", [topic]).fetchall()
    return frozenset(row[0] for row in rows)


def is_in_log(connection: Connection[Any], envelope: Envelope) -> bool:
    """Whether the sealed log has this event, for whoever looks at single messages."""
    row = connection.execute(
        """
        SELECT encode(leaf, 'hex') FROM arrears.events
        WHERE position = %s AND event_id = %s
          AND position <= (SELECT last FROM arrears.seals ORDER BY last DESC LIMIT 1)
        """,
        [envelope.position, envelope.event_id],
        prepare=True,
    ).fetchone()
    return row is not None and envelope.leaf_hash in {None, row[0]}

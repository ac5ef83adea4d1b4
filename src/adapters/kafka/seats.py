"""A reader at the topic: what it has handled of each partition, kept in the transaction of what it wrote."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from psycopg import Connection

from adapters.kafka.arrivals import Arrival, Inspector
from adapters.kafka.quarantine import digest_of
from adapters.postgres.database import Database
from adapters.postgres.kept_connection import KeptConnection
from adapters.postgres.lease import Lease
from adapters.readers import partitions
from adapters.readers.handling import Handling
from adapters.readers.partitions import KnownTopic, PartitionMoved, Place
from adapters.readers.poison import sequence_of
from adapters.readers.runner import Reader, begin, connect, lock_name, register
from adapters.telemetry import tracing
from adapters.telemetry.metrics import count_events
from aggregates.kernel.event import Recorded
from projections.agenda.partition import partition_of


@dataclass(frozen=True, slots=True)
class Polled:
    """A stretch of a partition: from offset `first` up to, and without, offset `until`; its events in order."""

    first: int
    until: int
    events: Sequence[Arrival]


Batch = Mapping[int, Polled]
"""What was polled, by partition."""

Find = Callable[[Mapping[int, Place]], Mapping[int, int]]
"""From what is remembered of partitions to the offsets where to go on: the same, unless the topic is another."""


class TopicChanged(PartitionMoved):
    """A partition holds what it did not hold when it was read: the topic was made anew. Its places are found again."""


def checked(
    inspector: Inspector, batch: Batch, names: Collection[str] | None, connection: Connection[Any], of: int
) -> Batch:
    """The same stretches with those of their events that are in the log; see `Inspector.checked`."""
    taken = inspector.checked({each: given.events for each, given in batch.items()}, names, connection, of)
    return {each: replace(given, events=taken[each]) for each, given in batch.items()}


class Seat:
    """One reader's work on the partitions that this process has. Used by one thread.

    Several processes share a reader's work by partition; one that reads the whole log alone keeps them out.
    """

    def __init__(
        self,
        database: Database,
        reader: Reader,
        *,
        search_path: str | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self._reader = reader
        self._on_progress = on_progress
        self._handling: Handling[Arrival | Recorded] = Handling(reader.name, self)
        self._connection = KeptConnection(partial(connect, database, search_path), self._sit)
        self._whole_log = Lease(database, reader.name, lock=lock_name(reader.name))
        """What keeps this one out while another process has it."""
        self.places: dict[int, Place] = {}
        self._topic: KnownTopic | None = None
        self._retired: Mapping[int, Mapping[int, int]] = {}
        """See `partitions.retired`."""
        self._skipped: frozenset[tuple[int, int, bytes]] = frozenset()
        self.has_worked = False
        """Whether anything was stored since it was made."""

    @property
    def name(self) -> str:
        return self._reader.name

    @property
    def interest(self) -> frozenset[str] | None:
        """Names of the events that the reader does something about; None: all."""
        return self._reader.interest

    # --- partitions ---

    def enter(self, owned: Collection[int], find: Find, topic: KnownTopic | None = None) -> None:
        """Takes these partitions, and no others, from where they stand in the store. What is stored afterwards is of
        this topic; None: nobody knows which one it is.

        Raises ReaderRetired, and what `find` raises.
        """
        connection = self._connection.get()
        self.forget()
        self.places = {}
        self._topic = topic
        if owned:
            places = partitions.enter(connection, self.name, owned, topic)
            self._retired = partitions.retired(connection, self.name)
            self._skipped = partitions.skipped(connection, self.name)
            found = {
                each: Place(offset, places[each].position)
                for each, offset in find(places).items()
                if offset != places[each].next_offset
            }
            if found:
                with connection.transaction():
                    partitions.move(connection, self.name, places, found, topic)
            self.places = {**places, **found}

    # --- events ---

    def take(self, batch: Batch, of: int) -> set[int]:
        """Handles what is new of a batch, and returns the partitions that have to be read again from further back.

        `of` is how many partitions there are. Raises PartitionMoved, TopicChanged, ReaderRetired, ReaderBroken, and
        what is no event's fault.
        """
        behind: set[int] = set()
        after: dict[int, Place] = {}
        news: list[Arrival] = []
        for partition, given in batch.items():
            place = self.places.get(partition)
            if place is None:
                continue
            self._check_same_topic(partition, given, place)
            if given.until <= place.next_offset:
                continue
            if given.first > place.next_offset:
                behind.add(partition)
                continue
            position = place.position
            for each in given.events:
                if self._is_skipped(partition, each):
                    position = max(position, each.position)
                    continue
                if each.offset >= place.next_offset and (each.late or each.position > position):
                    news.append(each)
                    position = max(position, each.position)  # what is late comes after all others up to there
            after[partition] = Place(given.until, position)
        if after:
            interest = self.interest
            wanted = [
                each
                for each in news
                if (interest is None or each.name in interest) and (each.late or not self._was_handled(each))
            ]
            wanted.sort(key=_by_position)
            self._store(wanted, after, of)
            count_events(self.name, len(news))
        return behind

    def confirm(self, ends: Mapping[int, int], position: int, of: int, whole: Collection[int] = ()) -> None:
        """Nothing more is in these partitions up to a position of the log: they have been read to their ends.

        Of those that are `whole` every message up to the end was handed over. What is left there is none: the end of a
        transaction takes an offset, too.
        """
        for partition, place in self.places.items():
            if place.next_offset > ends.get(partition, place.next_offset):
                raise TopicChanged(f"{self.name} has read more of partition {partition} than there is")
        after = {
            partition: Place(ends[partition], position)
            for partition, place in self.places.items()
            if place.position < position and (place.next_offset == ends.get(partition) or partition in whole)
        }
        if after:
            self._store([], after, of)

    def fill(self, events: Sequence[Recorded], after: Mapping[int, Place], of: int) -> None:
        """Handles events that the store has and the topic did not bring, in order of position, up to these places.
        Raises as `take` does."""
        interest = self.interest
        wanted = [
            each for each in events if (interest is None or each.name in interest) and not self._was_handled(each)
        ]
        self._store(wanted, after, of)
        count_events(self.name, len(events))

    def handle(self, batch: Sequence[Arrival | Recorded], connection: Connection[Any]) -> None:
        opened = [each if isinstance(each, Recorded) else each.recorded() for each in batch]
        with tracing.batch(self.name, opened):
            self._reader.handle(opened, connection)

    def forget(self) -> None:
        """Lets the reader drop what it remembers."""
        self._reader.forget()

    def release(self) -> None:
        self.places = {}
        self._connection.close()

    # --- inside ---

    def _was_handled(self, event: Arrival | Recorded) -> bool:
        """Whether that was where the topic was divided otherwise, and the event's account in another partition."""
        return any(
            (event.position or 0) <= positions.get(partition_of(sequence_of(event), of), 0)
            for of, positions in self._retired.items()
        )

    def _is_skipped(self, partition: int, arrival: Arrival) -> bool:
        return bool(self._skipped) and (partition, arrival.offset, digest_of(arrival.record)) in self._skipped

    def _check_same_topic(self, partition: int, given: Polled, place: Place) -> None:
        """The last message that was read is none that is new. (One before it may be, where a stretch was repeated.)"""
        last = place.next_offset - 1
        if given.first <= last < given.until and any(
            each.offset == last and each.position > place.position and not each.late for each in given.events
        ):
            raise TopicChanged(f"partition {partition} has an event at offset {last} that was not read from there")

    def _store(self, news: Sequence[Arrival | Recorded], after: Mapping[int, Place], of: int) -> None:
        connection = self._connection.get()

        def begin() -> None:
            partitions.hold(connection, self.name)
            partitions.take_turn(connection, self.name, after.keys())

        self._handling.work(
            news,
            connection,
            begin=begin,
            save=lambda: partitions.move(connection, self.name, self.places, after, self._topic),
        )
        self.places.update(after)
        self.has_worked = True
        checkpoint = partitions.advance(connection, self.name, of)
        if self._retired:
            self._retired = partitions.retired(connection, self.name)
        if self._on_progress is not None:
            self._on_progress(checkpoint)

    def _sit(self, connection: Connection[Any]) -> None:
        row = connection.execute(
            "SELECT pg_try_advisory_lock_shared(hashtextextended(%s, 0))", [lock_name(self.name)]
        ).fetchone()
        if row is None or not row[0]:
            self._whole_log.watch(connection)
            raise PartitionMoved(f"another process reads the whole log for {self.name}")
        begin(self._reader, connection)
        register(connection, self.name)


def _by_position(arrival: Arrival) -> int:
    return arrival.position

"""A reader at the topic: what it has handled of each partition, kept in the transaction of what it wrote."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from adapters.kafka.arrivals import Arrival
from adapters.postgres.database import Database
from adapters.readers import partitions
from adapters.readers.handling import Handling
from adapters.readers.partitions import UNKNOWN, PartitionMoved, Place
from adapters.readers.runner import Reader, connect, lock_name, register
from aggregates.event import Recorded


@dataclass(frozen=True, slots=True)
class Polled:
    """A stretch of a partition: from offset `first` up to, and without, offset `until`; its events in order."""

    first: int
    until: int
    events: Sequence[Arrival]


Batch = Mapping[int, Polled]
"""What was polled, by partition."""

Find = Callable[[Mapping[int, int]], Mapping[int, int]]
"""From positions to the offsets of the first events behind them, by partition."""


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
        self._database = database
        self._reader = reader
        self._search_path = search_path
        self._on_progress = on_progress
        self._handling: Handling[Arrival | Recorded] = Handling(reader.name, self)
        self._connection: Connection[Any] | None = None
        self.places: dict[int, Place] = {}

    @property
    def name(self) -> str:
        return self._reader.name

    @property
    def interest(self) -> frozenset[str] | None:
        """Names of the events that the reader does something about; None: all."""
        found: frozenset[str] | None = getattr(self._reader, "interest", None)
        return found

    # --- partitions ---

    def enter(self, owned: Collection[int], find: Find) -> None:
        """Takes these partitions, and no others, from where they stand in the store. Raises ReaderRetired."""
        connection = self._connected()
        self.forget()
        self.places = {}
        if owned:
            places = partitions.enter(connection, self.name, owned)
            unknown = {each: place.position for each, place in places.items() if place.next_offset == UNKNOWN}
            found: dict[int, Place] = {}
            if unknown:
                found = {each: Place(offset, unknown[each]) for each, offset in find(unknown).items()}
                with connection.transaction():
                    partitions.move(connection, self.name, places, found)
            self.places = {**places, **found}

    # --- events ---

    def take(self, batch: Batch, of: int) -> set[int]:
        """Handles what is new of a batch, and returns the partitions that have to be read again from further back.

        `of` is how many partitions there are. Raises PartitionMoved, ReaderRetired, ReaderBroken, and what is no
        event's fault.
        """
        behind: set[int] = set()
        after: dict[int, Place] = {}
        news: list[Arrival] = []
        for partition, given in batch.items():
            place = self.places.get(partition)
            if place is None or given.until <= place.next_offset:
                continue
            if given.first > place.next_offset:
                behind.add(partition)
                continue
            position = place.position
            for each in given.events:
                if each.offset >= place.next_offset and (each.late or each.position > position):
                    news.append(each)
                    if not each.late:
                        position = each.position
            after[partition] = Place(given.until, position)
        if after:
            interest = self.interest
            wanted = [each for each in news if interest is None or each.name in interest]
            wanted.sort(key=_by_position)
            self._store(wanted, after, of)
        return behind

    def confirm(self, ends: Mapping[int, int], position: int, of: int) -> None:
        """Nothing more is in these partitions up to a position of the log: they have been read to their ends."""
        after = {
            partition: Place(place.next_offset, position)
            for partition, place in self.places.items()
            if place.position < position and place.next_offset >= ends.get(partition, place.next_offset + 1)
        }
        if after:
            self._store([], after, of)

    def fill(self, partition: int, events: Sequence[Recorded], place: Place, of: int) -> None:
        """Handles events that the store has and the topic did not bring, up to a place. Raises as `take` does."""
        interest = self.interest
        self._store([each for each in events if interest is None or each.name in interest], {partition: place}, of)

    def handle(self, batch: Sequence[Arrival | Recorded], connection: Connection[Any]) -> None:
        opened = [each if isinstance(each, Recorded) else each.recorded() for each in batch]
        self._reader.handle(opened, connection)

    def forget(self) -> None:
        """Lets the reader drop what it remembers, if it does."""
        forget = getattr(self._reader, "forget", None)
        if forget is not None:
            forget()

    def release(self) -> None:
        connection, self._connection, self.places = self._connection, None, {}
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    # --- inside ---

    def _store(self, news: Sequence[Arrival | Recorded], after: Mapping[int, Place], of: int) -> None:
        connection = self._connected()
        self._handling.work(
            news,
            connection,
            begin=lambda: partitions.hold(connection, self.name),
            save=lambda: partitions.move(connection, self.name, self.places, after),
        )
        self.places.update(after)
        checkpoint = partitions.advance(connection, self.name, of)
        if self._on_progress is not None:
            self._on_progress(checkpoint)

    def _connected(self) -> Connection[Any]:
        if self._connection is None or self._connection.closed:
            connection = connect(self._database, self._search_path)
            row = connection.execute(
                "SELECT pg_try_advisory_lock_shared(hashtextextended(%s, 0))", [lock_name(self.name)]
            ).fetchone()
            if row is None or not row[0]:
                connection.close()
                raise PartitionMoved(f"another process reads the whole log for {self.name}")
            register(connection, self.name)
            self._connection = connection
        return self._connection


def _by_position(arrival: Arrival) -> int:
    return arrival.position

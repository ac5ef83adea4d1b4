"""The log as it lies on a topic: messages made by the publisher's own code, handed over as a consumer would."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.eventstore.keys import KeyRing
from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.recorder import app_connections
from adapters.kafka.arrivals import Inspector
from adapters.kafka.cloudevents import to_message
from adapters.kafka.sealed_rows import SealedRow, SealedRows
from adapters.kafka.seats import Batch, Polled, checked
from adapters.postgres.database import Database
from projections.agenda.partition import partition_of
from tests.adapters.readers.log import MASTER_KEY

PARTITIONS = 2
TOPIC = "paper"


@dataclass(frozen=True)
class Written:
    """A message with its place on the topic, as clients give it."""

    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: list[tuple[str, Any]]


class Paper:
    """A topic on paper: what is written stays in order, and any stretch of it can be handed over."""

    def __init__(self, database: Database, partitions: int = PARTITIONS) -> None:
        self._database = database
        self._rows = SealedRows(database)
        self._connections = app_connections(database)
        self.mapper = EventMapper(KeyRing(self._connections, MASTER_KEY))
        self.partitions = partitions
        self.messages: dict[int, list[Written]] = {each: [] for each in range(partitions)}

    def publish(self, positions: Iterable[int] | None = None, *, late: bool = False) -> None:
        """Writes these events of the log, or all."""
        wanted = None if positions is None else set(positions)
        for row in self._rows.read(0, 100_000):
            if isinstance(row, SealedRow) and (wanted is None or row.position in wanted):
                message = to_message(row, late=late)
                self.write(UUID(message.key.decode()), message.value, message.headers)

    def write(
        self,
        key: UUID,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        *,
        partition: int | None = None,
    ) -> Written:
        """Into the partition of its key, unless another is named."""
        if partition is None:
            partition = partition_of(key, self.partitions)
        stretch = self.messages[partition]
        stretch.append(Written(partition, len(stretch), str(key).encode(), value, list(headers)))
        return stretch[-1]

    def forget(self) -> None:
        """The topic is made anew."""
        self.messages = {each: [] for each in range(self.partitions)}

    @property
    def ends(self) -> dict[int, int]:
        return {partition: len(stretch) for partition, stretch in self.messages.items()}

    def given(self, first: int = 0, until: int | None = None, *, of: Iterable[int] | None = None) -> Batch:
        """What lies from offset `first` up to `until` in these partitions, as far as it is in the log."""
        chosen = range(self.partitions) if of is None else of
        inspector = Inspector(TOPIC, "test", self.mapper)
        batch = {
            partition: Polled(stretch[0].offset, stretch[-1].offset + 1, inspector.opened(stretch))
            for partition in chosen
            if (stretch := self.messages[partition][first:until])
        }
        with self._database.connect("arrears_app", autocommit=True) as connection:
            connection.execute("SET timezone TO 'UTC'")
            return checked(inspector, batch, None, connection, self.partitions)

    def close(self) -> None:
        self._rows.close()
        self._connections.close()


def accounts_in(partition: int, count: int, *, make: Callable[[int], UUID], partitions: int = PARTITIONS) -> list[UUID]:
    """The first so many accounts of a partition."""
    found: list[UUID] = []
    number = 0
    while len(found) < count:
        number += 1
        if partition_of(make(number), partitions) == partition:
            found.append(make(number))
    return found


def positions_of(polled: Any) -> list[int]:
    return [each.position for given in polled.values() for each in given.events]

"""The publisher, wired: the sealed log of a database to Kafka. It needs no key: what is encrypted stays unread."""

import gc
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from psycopg import Connection

from adapters.eventstore.seals import head_seal
from adapters.eventstore.verify import LogBehind
from adapters.kafka.cloudevents import Envelope
from adapters.kafka.connection import events_topic
from adapters.kafka.publisher import ROUND, Publisher
from adapters.kafka.sealed_rows import SealedRows
from adapters.kafka.tail import Tail
from adapters.postgres.database import Database
from adapters.postgres.migrations import require_current
from adapters.readers.read_ahead import ReadAhead
from adapters.readers.runner import Runner, Source
from adapters.stop import Stop
from aggregates.kernel.event import REGISTRY, Recorded

_COLLECT_AFTER = (50_000, 20, 100)
"""A round makes many small objects that are soon gone; with the usual thresholds they are looked through many times."""

_LOOK_BACK = (1, 100, 2_000)
"""How many messages of each partition are looked at, where the last ones are none of the log."""

_LOOK_SECONDS = 5.0
"""Between two looks at which topic it is, while nothing is published."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@contextmanager
def publishing(
    database: Database,
    env: Mapping[str, str] = os.environ,
    *,
    topic: str | None = None,
    on_progress: Callable[[int], None] | None = None,
    stop: Stop | None = None,
) -> Iterator[Runner]:
    """A runner for the reader `publisher`, of this topic or the one that the environment names.

    Raises KafkaNotNamed and SchemaNotCurrent.
    """
    gc.set_threshold(*_COLLECT_AFTER)
    REGISTRY.check()
    with database.connect("arrears_app") as connection:
        require_current(connection)
    rows, publisher = SealedRows(database), Publisher(env, topic=topic)
    ahead = ReadAhead(rows)
    source = _Looking(ahead, publisher)
    runner = Runner(database, source, publisher, batch=ROUND, on_progress=on_progress, stop=stop)
    try:
        yield runner
    finally:
        runner.release()
        publisher.close()
        ahead.forget()
        rows.close()


class _Looking:
    """A source that has the publisher look at its topic, also while there is nothing to publish: one that was made anew
    is empty until somebody notices."""

    def __init__(self, source: Source, publisher: Publisher) -> None:
        self._source = source
        self._publisher = publisher
        self.wait = source.wait
        self.head = source.head

    def read(self, after: int, limit: int = ROUND, names: Collection[str] | None = None) -> list[Recorded]:
        """Raises TopicReplaced and NotPublished."""
        self._publisher.check_topic(every=_LOOK_SECONDS)
        return self._source.read(after, limit, names)


def head_of(database: Database) -> int:
    """The position of the last sealed event; 0 for an empty log."""
    with database.connect("arrears_app") as connection:
        return head_seal(connection).position


def check_same_log(database: Database, env: Mapping[str, str] = os.environ) -> None:
    """Raises LogBehind where the topic has events that this log has not: an older copy was restored, or another.

    A message or two that the log has not are no sign of that: somebody else wrote them, which is said, and readers pass
    them over. A topic that has lost what was published is no fault here: the publisher sees to that.
    """
    topic = events_topic(env)
    with Tail(env) as tail, database.connect("arrears_app", autocommit=True) as connection:
        newest: list[Envelope] = []
        strange: set[int] = set()
        for most in _LOOK_BACK:
            last = tail.last(most)
            newest = [event for events in last.values() for event in events]
            strange = _not_in_log(connection, newest)
            if newest and not strange:
                break
        head = head_seal(connection).position
    if strange and (len(strange) == len(newest) or _continues(strange, head)):
        raise LogBehind(
            f"Kafka has an event at position {max(strange):,} that this log has not: an older copy of the database was "
            "restored, or the topic belongs to another log"
        )
    if strange:
        _log.error(
            "somebody else has written to the topic",
            topic=topic,
            messages=len(strange),
            highest_position=max(strange),
            head=head,
        )


def _not_in_log(connection: Connection[Any], found: Sequence[Envelope]) -> set[int]:
    """The positions of those that are not."""
    rows = connection.execute(
        "SELECT position, event_id FROM arrears.events WHERE position = ANY (%s)", [[each.position for each in found]]
    ).fetchall()
    kept: dict[int, UUID] = dict(rows)
    return {each.position for each in found if kept.get(each.position) != each.event_id}


def _continues(strange: Collection[int], head: int) -> bool:
    """Whether most of what follows the log's end is on the topic, as where the log was longer when it was published."""
    beyond = [position for position in strange if position > head]
    return bool(beyond) and 2 * len(beyond) > max(beyond) - head

"""The publisher, wired: the sealed log of a database to Kafka. It needs no key: what is encrypted stays unread."""

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from adapters.eventstore.seals import head_seal
from adapters.eventstore.verify import LogBehind
from adapters.kafka.connection import events_topic
from adapters.kafka.publisher import ROUND, Publisher, TopicUnfit, published_to, reader_name
from adapters.kafka.sealed_rows import SealedRows
from adapters.kafka.tail import Tail
from adapters.postgres.database import Database
from adapters.postgres.migrations import require_current
from adapters.readers.read_ahead import ReadAhead
from adapters.readers.runner import Runner
from adapters.stop import Stop
from aggregates.kernel.event import REGISTRY

_COLLECT_AFTER = (50_000, 20, 100)
"""A round makes many small objects that are soon gone; with the usual thresholds they are looked through many times."""


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
    runner = Runner(database, ahead, publisher, batch=ROUND, on_progress=on_progress, stop=stop)
    try:
        yield runner
    finally:
        runner.release()
        publisher.close()
        ahead.forget()
        rows.close()


def head_of(database: Database) -> int:
    """The position of the last sealed event; 0 for an empty log."""
    with database.connect("arrears_app") as connection:
        return head_seal(connection).position


def check_same_log(database: Database, env: Mapping[str, str] = os.environ) -> None:
    """Raises LogBehind where the topic has events that this log has not: an older copy was restored, or another.

    Raises TopicUnfit where it has lost all that was published: whoever reads it would go on behind a gap.
    """
    topic = events_topic(env)
    with Tail(env) as tail:
        published = {each.position: each.event_id for each in tail.last()}
    with database.connect("arrears_app") as connection:
        position = published_to(connection, reader_name(topic))
        if position and not published:
            raise TopicUnfit(
                f"{topic} is empty, and this log was published to it up to position {position:,}: it was made anew or "
                "emptied. Publish to one of another name, from the beginning: ARREARS_EVENTS_TOPIC"
            )
        rows = connection.execute(
            "SELECT position, event_id FROM arrears.events WHERE position = ANY (%s)", [list(published)]
        ).fetchall()
    kept: dict[int, UUID] = dict(rows)
    strange = sorted(position for position, event_id in published.items() if kept.get(position) != event_id)
    if strange:
        raise LogBehind(
            f"Kafka has an event at position {strange[-1]:,} that this log has not: an older copy of the database was "
            "restored, or the topic belongs to another log"
        )

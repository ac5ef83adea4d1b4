"""Which topic the publisher's checkpoint belongs to, and from where that has the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from adapters.kafka.identity import TopicIdentity


@dataclass(frozen=True, slots=True)
class Published:
    """A topic that has the log in order from its first event on: each partition from the offset in `log_begins`."""

    topic: TopicIdentity
    log_begins: tuple[int, ...]


def published_topic(connection: Connection[Any], reader: str) -> Published | None:
    """The topic that a publisher works on; None where no release that notes it has published."""
    row = connection.execute(
        "SELECT topic_id, log_begins FROM read_model.published_topics WHERE reader = %s", [reader], prepare=True
    ).fetchone()
    return None if row is None else Published(TopicIdentity(row[0], len(row[1])), tuple(row[1]))


def note_topic(connection: Connection[Any], reader: str, topic: TopicIdentity, log_begins: Sequence[int]) -> None:
    """The publisher works on this topic from now on. It has a checkpoint."""
    connection.execute(
        """
        INSERT INTO read_model.published_topics (reader, topic_id, log_begins) VALUES (%s, %s, %s)
        ON CONFLICT (reader) DO UPDATE
        SET topic_id = excluded.topic_id, log_begins = excluded.log_begins, begun_at = clock_timestamp()
        """,
        [reader, topic.id, list(log_begins)],
    )


def publish_anew(connection: Connection[Any], reader: str) -> None:
    """Sets a publisher back to the log's beginning; what it had put aside it meets again."""
    connection.execute("DELETE FROM read_model.dead_letters WHERE reader = %s", [reader])
    connection.execute(
        "UPDATE read_model.checkpoints SET position = 0, seal_hash = NULL, updated_at = clock_timestamp()"
        " WHERE reader = %s",
        [reader],
    )

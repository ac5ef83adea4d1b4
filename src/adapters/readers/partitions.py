"""Where readers of a divided topic go on, kept in Postgres with what they write."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from psycopg import Connection

from adapters.postgres.errors import DatabaseProblem
from adapters.readers.handling import ReaderRetired
from adapters.telemetry.metrics import TopicChange, count_topic_change

UNKNOWN = -1

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class PartitionMoved(DatabaseProblem):
    """Another process handled a partition meanwhile; this one looks again where it stands."""


@dataclass(frozen=True, slots=True)
class Place:
    """The next offset of a partition (`UNKNOWN`: to be found), and the log position up to which it was handled."""

    next_offset: int
    position: int


@dataclass(frozen=True, slots=True)
class KnownTopic:
    """The topic that a publisher works on."""

    publisher: str
    id: UUID
    partitions: int


def enter(
    connection: Connection[Any], reader: str, partitions: Collection[int], topic: KnownTopic | None = None
) -> dict[int, Place]:
    """Where the reader stands in these partitions. One that is new begins at the reader's checkpoint, and so does one
    that is behind it: meanwhile the reader read the whole log alone.

    What any reader has read of the topic is at or before the position that stands beside its offset. So whoever is as
    far as that, or further, has all of it, and goes on at that offset.

    Offsets of another topic than this one are unknown here. Where that was divided otherwise, all partitions begin at
    the checkpoint, and `retired` says what was handled behind it. None: nobody knows which topic it is.

    Raises ReaderRetired for a reader without a checkpoint.
    """
    with connection.transaction():
        if topic is not None and _is_of_another(connection, reader, topic):
            hold_alone(connection, reader)
            _go_over(connection, reader, topic)
        else:
            hold(connection, reader)
        connection.execute(
            """
            INSERT INTO read_model.partitions (reader, partition, next_offset, position, topic_id, divided_into)
            SELECT c.reader, p.partition, coalesce(known.next_offset, -1), c.position, %(id)s, %(divided_into)s
            FROM read_model.checkpoints AS c CROSS JOIN unnest(%(partitions)s::smallint[]) AS p (partition)
            LEFT JOIN LATERAL (
                SELECT max(other.next_offset) AS next_offset FROM read_model.partitions AS other
                WHERE other.partition = p.partition AND other.position <= c.position
                  AND other.topic_id = %(id)s AND other.divided_into = %(divided_into)s) AS known ON true
            WHERE c.reader = %(reader)s
            ON CONFLICT (reader, partition) DO UPDATE
            SET next_offset = greatest(partitions.next_offset, excluded.next_offset), position = excluded.position
            WHERE partitions.position < excluded.position
            """,
            {
                "id": None if topic is None else topic.id,
                "divided_into": None if topic is None else topic.partitions,
                "partitions": list(partitions),
                "reader": reader,
            },
        )
        rows = connection.execute(
            "SELECT partition, next_offset, position FROM read_model.partitions"
            " WHERE reader = %s AND partition = ANY (%s)",
            [reader, list(partitions)],
        ).fetchall()
    return {partition: Place(offset, position) for partition, offset, position in rows}


def _is_of_another(connection: Connection[Any], reader: str, topic: KnownTopic) -> bool:
    row = connection.execute(
        """
        SELECT FROM read_model.partitions
        WHERE reader = %s AND (topic_id IS DISTINCT FROM %s OR divided_into IS DISTINCT FROM %s) LIMIT 1
        """,
        [reader, topic.id, topic.partitions],
    ).fetchone()
    return row is not None


def _go_over(connection: Connection[Any], reader: str, topic: KnownTopic) -> None:
    """Takes all places of a reader over to another topic; nobody else works on them meanwhile."""
    stood = connection.execute(
        "SELECT topic_id, divided_into, count(*) FROM read_model.partitions WHERE reader = %s GROUP BY 1, 2", [reader]
    ).fetchall()
    ids = {found for found, _, _ in stood if found is not None}
    divided_into = {partitions for _, partitions, _ in stood if partitions is not None}
    if not ids:  # an earlier release did not say which topic it read
        if sum(count for _, _, count in stood) == topic.partitions:
            _name_topic(connection, reader, topic)
        else:
            _begin_again(connection, reader, topic)
        return
    is_divided_otherwise = divided_into != {topic.partitions}
    if ids == {topic.id} and not is_divided_otherwise:  # an earlier release worked on it meanwhile
        _name_topic(connection, reader, topic)
        return
    change = TopicChange.DIVIDED if ids == {topic.id} else TopicChange.ANEW
    count_topic_change(reader, change)
    _log.error(
        "the topic is another than was read, and the reader finds its place there",
        reader=reader,
        before=sorted(map(str, ids)),
        now=str(topic.id),
        partitions_before=sorted(divided_into),
        partitions=topic.partitions,
    )
    if not is_divided_otherwise:
        _name_topic(connection, reader, topic)
        connection.execute("UPDATE read_model.partitions SET next_offset = -1 WHERE reader = %s", [reader])
        return
    connection.execute(
        """
        INSERT INTO read_model.retired_places (reader, divided_into, partition, position)
        SELECT reader, divided_into, partition, position FROM read_model.partitions
        WHERE reader = %s AND divided_into IS NOT NULL
        ON CONFLICT (reader, divided_into, partition) DO UPDATE
        SET position = greatest(retired_places.position, excluded.position)
        """,
        [reader],
    )
    _begin_again(connection, reader, topic)


def _name_topic(connection: Connection[Any], reader: str, topic: KnownTopic) -> None:
    connection.execute(
        "UPDATE read_model.partitions SET topic_id = %s, divided_into = %s WHERE reader = %s",
        [topic.id, topic.partitions, reader],
    )


def _begin_again(connection: Connection[Any], reader: str, topic: KnownTopic) -> None:
    """All partitions at the checkpoint: it is the least of those that there were."""
    connection.execute("DELETE FROM read_model.partitions WHERE reader = %s", [reader])
    connection.execute(
        """
        INSERT INTO read_model.partitions (reader, partition, next_offset, position, topic_id, divided_into)
        SELECT reader, partition, -1, position, %(id)s, %(partitions)s
        FROM read_model.checkpoints CROSS JOIN generate_series(0, %(partitions)s - 1) AS p (partition)
        WHERE reader = %(reader)s
        """,
        {"id": topic.id, "partitions": topic.partitions, "reader": reader},
    )


def retired(connection: Connection[Any], reader: str) -> dict[int, dict[int, int]]:
    """How far the reader was where the topic was divided otherwise: by number of partitions, the position by
    partition. Those that its checkpoint has passed are let go of."""
    connection.execute(
        """
        DELETE FROM read_model.retired_places AS r USING read_model.checkpoints AS c
        WHERE r.reader = %s AND c.reader = r.reader AND r.position <= c.position
        """,
        [reader],
    )
    found: dict[int, dict[int, int]] = {}
    for of, partition, position in connection.execute(
        "SELECT divided_into, partition, position FROM read_model.retired_places WHERE reader = %s", [reader]
    ):
        found.setdefault(of, {})[partition] = position
    return found


def hold(connection: Connection[Any], reader: str) -> None:
    """Keeps retries and the switch of generations out until the transaction ends; those who divide the work may all
    hold it. Raises ReaderRetired."""
    found = connection.execute(
        "SELECT FROM read_model.checkpoints WHERE reader = %s FOR KEY SHARE", [reader], prepare=True
    ).fetchone()
    if found is None:
        raise ReaderRetired(f"{reader} has no checkpoint any more")


def hold_alone(connection: Connection[Any], reader: str) -> None:
    """As `hold`, and nobody else holds it meanwhile. Raises ReaderRetired."""
    found = connection.execute("SELECT FROM read_model.checkpoints WHERE reader = %s FOR UPDATE", [reader]).fetchone()
    if found is None:
        raise ReaderRetired(f"{reader} has no checkpoint any more")


def take_turn(connection: Connection[Any], reader: str, partitions: Collection[int]) -> None:
    """Waits until nobody else works on these partitions, and keeps others out until the transaction ends.

    `move` alone keeps what is written from being written twice. What a reader does elsewhere, such as sending a
    message, must not be done by two at once: one that was held up while its partitions went to another.
    """
    connection.execute(
        """
        SELECT FROM read_model.partitions WHERE reader = %s AND partition = ANY (%s::smallint[])
        ORDER BY partition FOR NO KEY UPDATE
        """,
        [reader, list(partitions)],
        prepare=True,
    )


def move(
    connection: Connection[Any],
    reader: str,
    before: Mapping[int, Place],
    after: Mapping[int, Place],
    topic: KnownTopic | None = None,
) -> None:
    """Stores new places, inside the transaction that stores what was written.

    Raises PartitionMoved where one does not stand where it was: another process has it now. So it does where the
    publisher has gone over to another topic than this one: what was read may be of either.
    """
    moved = connection.execute(
        """
        UPDATE read_model.partitions AS p
        SET next_offset = m.next_offset, position = m.position, updated_at = clock_timestamp()
        FROM unnest(%s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
             AS m (partition, old_offset, old_position, next_offset, position)
        WHERE p.reader = %s AND p.partition = m.partition
          AND p.next_offset = m.old_offset AND p.position = m.old_position
          AND (%s::uuid IS NULL OR p.topic_id = %s
               AND NOT EXISTS (SELECT FROM read_model.published_topics AS t
                               WHERE t.reader = %s AND (t.topic_id <> %s OR cardinality(t.log_begins) <> %s)))
        """,
        [
            list(after),
            [before[each].next_offset for each in after],
            [before[each].position for each in after],
            [place.next_offset for place in after.values()],
            [place.position for place in after.values()],
            reader,
            topic.id if topic is not None else None,
            topic.id if topic is not None else None,
            topic.publisher if topic is not None else None,
            topic.id if topic is not None else None,
            topic.partitions if topic is not None else None,
        ],
        prepare=True,
    )
    if moved.rowcount != len(after):
        raise PartitionMoved(f"a partition of {reader} was handled by another process meanwhile")


def advance(connection: Connection[Any], reader: str, partitions: int) -> int:
    """Moves the reader's checkpoint to the least of its partitions, once all of them are known; returns it."""
    row = connection.execute(
        """
        UPDATE read_model.checkpoints AS c
        SET position = least.position, updated_at = clock_timestamp(),
            seal_hash = (SELECT hash FROM arrears.seals WHERE last <= least.position ORDER BY last DESC LIMIT 1)
        FROM (SELECT min(position) AS position, count(*) AS known
              FROM read_model.partitions WHERE reader = %(reader)s) AS least
        WHERE c.reader = %(reader)s AND least.known = %(partitions)s AND least.position > c.position
        RETURNING c.position
        """,
        {"reader": reader, "partitions": partitions},
        prepare=True,
    ).fetchone()
    if row is None:
        row = connection.execute(
            "SELECT position FROM read_model.checkpoints WHERE reader = %s", [reader], prepare=True
        ).fetchone()
    if row is None:
        raise ReaderRetired(f"{reader} has no checkpoint any more")
    return int(row[0])


def skip(connection: Connection[Any], reader: str, partition: int, offset: int, digest: bytes) -> None:
    """Has the reader pass over a message when it next looks where it stands."""
    connection.execute(
        """
        INSERT INTO read_model.skipped_messages (reader, partition, "offset", digest) VALUES (%s, %s, %s, %s)
        ON CONFLICT DO NOTHING
        """,
        [reader, partition, offset, digest],
    )


def skipped(connection: Connection[Any], reader: str) -> frozenset[tuple[int, int, bytes]]:
    """The messages that the reader passes over: partition, offset, digest."""
    rows = connection.execute(
        'SELECT partition, "offset", digest FROM read_model.skipped_messages WHERE reader = %s', [reader]
    ).fetchall()
    return frozenset((partition, offset, bytes(digest)) for partition, offset, digest in rows)


def reader_named(connection: Connection[Any], name: str) -> str | None:
    """The reader of a divided topic whose name this is, for a projection that of its live generation."""
    row = connection.execute(
        """
        SELECT p.reader FROM read_model.partitions AS p LEFT JOIN read_model.projections AS g USING (reader)
        WHERE split_part(p.reader, '@', 1) = %s AND coalesce(g.state, 'live') = 'live' LIMIT 1
        """,
        [name],
    ).fetchone()
    return None if row is None else str(row[0])


def position_of(connection: Connection[Any], projection: str, partition: int) -> int:
    """How far a projection's live generation is in a partition, or as a whole where its work is not divided; -1 where
    there is none."""
    row = connection.execute(
        """
        SELECT coalesce(p.position, c.position)
        FROM read_model.projections AS g
        JOIN read_model.checkpoints AS c USING (reader)
        LEFT JOIN read_model.partitions AS p ON p.reader = g.reader AND p.partition = %s
        WHERE g.name = %s AND g.state = 'live'
        """,
        [partition, projection],
        prepare=True,
    ).fetchone()
    return int(row[0]) if row is not None else -1


def furthest(connection: Connection[Any], reader: str) -> int:
    """The highest position of any partition; 0 where the reader's work is not divided."""
    row = connection.execute(
        "SELECT coalesce(max(position), 0) FROM read_model.partitions WHERE reader = %s", [reader]
    ).fetchone()
    return int(row[0]) if row is not None else 0


def hand_over(connection: Connection[Any], old: str, new: str) -> None:
    """A new generation goes on from its own checkpoint in each partition of the old one, which is not further: what
    that has read there is known to the new one."""
    connection.execute(
        """
        INSERT INTO read_model.partitions (reader, partition, next_offset, position, topic_id, divided_into)
        SELECT c.reader, p.partition, p.next_offset, c.position, p.topic_id, p.divided_into
        FROM read_model.checkpoints AS c, read_model.partitions AS p WHERE c.reader = %s AND p.reader = %s
        """,
        [new, old],
    )

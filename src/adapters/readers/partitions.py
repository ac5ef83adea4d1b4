"""Where readers of a divided topic go on, kept in Postgres with what they write."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from adapters.postgres.errors import DatabaseProblem
from adapters.readers.handling import ReaderRetired

UNKNOWN = -1


class PartitionMoved(DatabaseProblem):
    """Another process handled a partition meanwhile; this one looks again where it stands."""


@dataclass(frozen=True, slots=True)
class Place:
    """The next offset of a partition (`UNKNOWN`: to be found), and the log position up to which it was handled."""

    next_offset: int
    position: int


def enter(connection: Connection[Any], reader: str, partitions: Collection[int]) -> dict[int, Place]:
    """Where the reader stands in these partitions. One that is new begins at the reader's checkpoint, and so does one
    that is behind it: meanwhile the reader read the whole log alone.

    Raises ReaderRetired for a reader without a checkpoint.
    """
    with connection.transaction():
        hold(connection, reader)
        connection.execute(
            """
            INSERT INTO read_model.partitions (reader, partition, next_offset, position)
            SELECT reader, partition, -1, position
            FROM read_model.checkpoints CROSS JOIN unnest(%s::smallint[]) AS p (partition)
            WHERE reader = %s
            ON CONFLICT (reader, partition) DO UPDATE
            SET next_offset = excluded.next_offset, position = excluded.position
            WHERE partitions.position < excluded.position
            """,
            [list(partitions), reader],
        )
        rows = connection.execute(
            "SELECT partition, next_offset, position FROM read_model.partitions"
            " WHERE reader = %s AND partition = ANY (%s)",
            [reader, list(partitions)],
        ).fetchall()
    return {partition: Place(offset, position) for partition, offset, position in rows}


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


def move(connection: Connection[Any], reader: str, before: Mapping[int, Place], after: Mapping[int, Place]) -> None:
    """Stores new places, inside the transaction that stores what was written.

    Raises PartitionMoved where one does not stand where it was: another process has it now.
    """
    moved = connection.execute(
        """
        UPDATE read_model.partitions AS p
        SET next_offset = m.next_offset, position = m.position, updated_at = clock_timestamp()
        FROM unnest(%s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
             AS m (partition, old_offset, old_position, next_offset, position)
        WHERE p.reader = %s AND p.partition = m.partition
          AND p.next_offset = m.old_offset AND p.position = m.old_position
        """,
        [
            list(after),
            [before[each].next_offset for each in after],
            [before[each].position for each in after],
            [place.next_offset for place in after.values()],
            [place.position for place in after.values()],
            reader,
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
    """A new generation goes on from its own checkpoint in each partition of the old one, which is not further."""
    connection.execute(
        """
        INSERT INTO read_model.partitions (reader, partition, next_offset, position)
        SELECT c.reader, p.partition, -1, c.position
        FROM read_model.checkpoints AS c, read_model.partitions AS p WHERE c.reader = %s AND p.reader = %s
        """,
        [new, old],
    )

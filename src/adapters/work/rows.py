"""The table `arrears.work`: how far each piece of work is, and who may take its next chunk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from aggregates.work import BeginWork


@dataclass(frozen=True, slots=True)
class WorkRow:
    """Open work whose next chunk is taken."""

    work_id: UUID
    office_id: UUID
    cause_position: int
    accounts: int | None
    last_account_id: UUID
    done: int
    refused: int
    failed: int
    attempts: int
    """How often this chunk has failed by now."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of a chunk's commands."""

    done: int = 0
    refused: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class LastEvent:
    """The last event that a chunk led to."""

    account_id: UUID
    version: int


# A transaction takes its lock on the log before it takes the snapshot by which it looks at the log. So whoever may not
# have seen the work's cause, and is not through yet, holds that lock now. Only those are waited for, as CREATE INDEX
# CONCURRENTLY does it: a fence by transaction ids (pg_snapshot_xmin) would let an import, a dump's writer or another
# database on the server hold up the work for hours, and would miss an append that has no id yet.
_APPENDING = """
    SELECT l.virtualtransaction FROM pg_locks AS l
    WHERE l.relation = 'arrears.events'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_ADD = f"""
    INSERT INTO arrears.work (work_id, office_id, command, policy, cause_position, appends_before)
    VALUES (%s, %s, %s, %s, %s, ARRAY ({_APPENDING}))
    ON CONFLICT (work_id) DO NOTHING
"""  # noqa: S608 - constants

# The row's lock is the lease: it ends with the transaction that did the chunk, or at once with the process that died.
# Works take turns, so a small office does not wait for a large one. The accounts come from the collections report,
# which has to show the cause. None is asked while policies have not seen what the last chunks led to: a payment that
# comes now waits for the reactions to one chunk, not to a hundred.
_TAKE = f"""
    SELECT w.work_id, w.office_id, w.cause_position, w.accounts, w.last_account_id, w.done, w.refused, w.failed,
           w.attempts
    FROM arrears.work AS w
    WHERE w.is_open
      AND (w.retry_at IS NULL OR w.retry_at <= clock_timestamp())
      AND w.cause_position <= (
          SELECT c.position FROM read_model.projections AS g JOIN read_model.checkpoints AS c USING (reader)
          WHERE g.name = 'collections_report' AND g.state = 'live')
      AND NOT w.appends_before && ARRAY ({_APPENDING})
      AND NOT EXISTS (
          SELECT FROM arrears.work AS each
          JOIN arrears.events AS e ON e.aggregate_id = each.follows_account_id AND e.version = each.follows_version
          WHERE each.is_open
            AND (e.position IS NULL
                 OR e.position > (SELECT position FROM read_model.checkpoints WHERE reader = 'policies')))
    ORDER BY w.moved_at, w.work_id
    LIMIT 1
    FOR UPDATE OF w SKIP LOCKED
"""  # noqa: S608 - constants

_FROZEN = """
    FROM read_model.collections_report AS r
    JOIN arrears.events AS opened ON opened.aggregate_id = r.account_id AND opened.version = 1
    WHERE r.office_id = %s AND r.account_id > %s AND opened.position <= %s
"""


def add(connection: Connection[Any], begun: BeginWork) -> None:
    """Makes the row of work that has begun, in the transaction of the reader that met the cause."""
    connection.execute(_ADD, [begun.work_id, begun.office_id, begun.command, begun.policy, begun.cause_position])


def take(connection: Connection[Any]) -> WorkRow | None:
    """The work whose next chunk is for whoever asks, locked until the transaction ends; None where there is none."""
    with connection.cursor(row_factory=class_row(WorkRow)) as cursor:
        return cursor.execute(_TAKE, prepare=True).fetchone()


def is_any_open(connection: Connection[Any]) -> bool:
    row = connection.execute("SELECT EXISTS (SELECT FROM arrears.work WHERE is_open)", prepare=True).fetchone()
    return row is not None and bool(row[0])


def next_accounts(connection: Connection[Any], work: WorkRow, limit: int) -> Sequence[UUID]:
    """Accounts that come next and were opened in time; none at the end."""
    rows = connection.execute(
        f"SELECT r.account_id {_FROZEN} ORDER BY r.account_id LIMIT %s",
        [work.office_id, work.last_account_id, work.cause_position, limit],
        prepare=True,
    )
    return [row[0] for row in rows]


def count_accounts(connection: Connection[Any], work: WorkRow) -> None:
    """Stores how many accounts the work is about. That does not change any more."""
    connection.execute(
        f"UPDATE arrears.work SET accounts = (SELECT count(*) {_FROZEN}) WHERE work_id = %s",  # noqa: S608 - constants
        [work.office_id, UUID(int=0), work.cause_position, work.work_id],
    )


def advance(
    connection: Connection[Any], work: WorkRow, last_account_id: UUID, counts: Counts, last_event: LastEvent | None
) -> None:
    """The chunk is done up to an account."""
    connection.execute(
        """
        UPDATE arrears.work
        SET last_account_id = %s, done = done + %s, refused = refused + %s, failed = failed + %s,
            follows_account_id = %s, follows_version = %s,
            attempts = 0, retry_at = NULL, moved_at = clock_timestamp()
        WHERE work_id = %s
        """,
        [
            last_account_id,
            counts.done,
            counts.refused,
            counts.failed,
            last_event.account_id if last_event else None,
            last_event.version if last_event else None,
            work.work_id,
        ],
        prepare=True,
    )


def postpone(connection: Connection[Any], work: WorkRow, seconds: float) -> None:
    """The chunk failed; it is tried again, not before so many seconds have gone by."""
    connection.execute(
        "UPDATE arrears.work SET attempts = attempts + 1, retry_at = clock_timestamp() + make_interval(secs => %s),"
        " moved_at = clock_timestamp() WHERE work_id = %s",
        [seconds, work.work_id],
    )


def close(connection: Connection[Any], work: WorkRow) -> None:
    """The log says that it has ended."""
    connection.execute(
        "UPDATE arrears.work SET is_open = false, moved_at = clock_timestamp() WHERE work_id = %s", [work.work_id]
    )

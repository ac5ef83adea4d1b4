"""The table `arrears.work`: how far each piece of work is, and who may take its next chunk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from aggregates.account.bulk import ApplyBulkAction, UndoBulkAction
from aggregates.account.placement import MarkPlacementSent
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
    bulk_id: UUID | None
    command: str
    is_followed: bool
    """Whether the last chunk led to something that is not waited for yet: it has not ended before that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An account that comes next, and what its row says of the command."""

    account_id: UUID
    arguments: Mapping[str, Any]


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
    INSERT INTO arrears.work (work_id, office_id, command, policy, cause_position, bulk_id, appends_before)
    VALUES (%s, %s, %s, %s, %s, %s, ARRAY ({_APPENDING}))
    ON CONFLICT (work_id) DO NOTHING
"""  # noqa: S608 - constants

# The row's lock is the lease: it ends with the transaction that did the chunk, or at once with the process that died.
# Works take turns, so a small office does not wait for a large one. The accounts come from the collections report,
# which has to show the cause. While policies read what one chunk led to, another is asked, but no third: a payment that
# comes now waits for the reactions to two chunks, not to a hundred.
#
# A bulk action's accounts come from its own read table, which also has to show what the chunk before the last did, and
# in the end the last: by that its outcomes are counted, and undone. Its undo waits for the end of what it undoes.
_POLICIES = "(SELECT position FROM read_model.checkpoints WHERE reader = 'policies')"
_UNSEEN = f"""(
          SELECT count(*) FROM arrears.work AS each
          CROSS JOIN LATERAL (
              VALUES (each.follows_account_id, each.follows_version), (each.awaits_account_id, each.awaits_version)
          ) AS led_to (account_id, version)
          JOIN arrears.events AS e ON e.aggregate_id = led_to.account_id AND e.version = led_to.version
          WHERE each.is_open AND (e.position IS NULL OR e.position > {_POLICIES}))"""  # noqa: S608 - constants
_TAKE = f"""
    SELECT w.work_id, w.office_id, w.cause_position, w.accounts, w.last_account_id, w.done, w.refused, w.failed,
           w.attempts, w.bulk_id, w.command, w.follows_account_id IS NOT NULL AS is_followed
    FROM arrears.work AS w
    LEFT JOIN arrears.events AS awaited
      ON awaited.aggregate_id = w.awaits_account_id AND awaited.version = w.awaits_version
    WHERE w.is_open
      AND (w.retry_at IS NULL OR w.retry_at <= clock_timestamp())
      AND CASE WHEN w.bulk_id IS NULL THEN w.cause_position ELSE greatest(w.cause_position, awaited.position) END <= (
          SELECT c.position FROM read_model.projections AS g JOIN read_model.checkpoints AS c USING (reader)
          WHERE g.name = CASE WHEN w.bulk_id IS NULL THEN 'collections_report' ELSE 'bulk_actions' END
            AND g.state = 'live')
      AND NOT EXISTS (
          SELECT FROM arrears.work AS before
          WHERE before.is_open AND before.bulk_id = w.bulk_id AND before.cause_position < w.cause_position)
      AND NOT w.appends_before && ARRAY ({_APPENDING})
      AND (w.awaits_account_id IS NULL OR awaited.position <= {_POLICIES})
      AND {_UNSEEN} < 2
    ORDER BY w.moved_at, w.work_id
    LIMIT 1
    FOR UPDATE OF w SKIP LOCKED
"""  # noqa: S608 - constants

_FROZEN = """
    FROM read_model.collections_report AS r
    JOIN arrears.events AS opened ON opened.aggregate_id = r.account_id AND opened.version = 1
    WHERE r.office_id = %s AND r.account_id > %s AND opened.position <= %s
"""

_ROWS = """
    FROM read_model.bulk_rows AS r
    WHERE r.bulk_id = %s AND r.account_id > %s AND {condition}
"""
_DONE = "r.outcome = 'done'"
_OF_COMMAND = {
    ApplyBulkAction.command_name: "true",
    UndoBulkAction.command_name: f"{_DONE} AND r.undo_outcome IS DISTINCT FROM 'done'",
    MarkPlacementSent.command_name: _DONE,
}
"""By the command which of a bulk action's rows are asked."""


def add(connection: Connection[Any], begun: BeginWork) -> None:
    """Makes the row of work that has begun, in the transaction of the reader that met the cause."""
    row = [begun.work_id, begun.office_id, begun.command, begun.policy, begun.cause_position, begun.bulk_id]
    connection.execute(_ADD, row)


def take(connection: Connection[Any]) -> WorkRow | None:
    """The work whose next chunk is for whoever asks, locked until the transaction ends; None where there is none."""
    with connection.cursor(row_factory=class_row(WorkRow)) as cursor:
        return cursor.execute(_TAKE, prepare=True).fetchone()


def is_any_open(connection: Connection[Any]) -> bool:
    row = connection.execute("SELECT EXISTS (SELECT FROM arrears.work WHERE is_open)", prepare=True).fetchone()
    return row is not None and bool(row[0])


def next_accounts(connection: Connection[Any], work: WorkRow, limit: int) -> Sequence[Asked]:
    """Accounts that come next: of the office, opened in time, or of the bulk action; none at the end."""
    said = "r.expected" if work.command == ApplyBulkAction.command_name else "NULL::jsonb"
    of, parameters = _meant(work, work.last_account_id)
    rows = connection.execute(
        f"SELECT r.account_id, {said if work.bulk_id else 'NULL::jsonb'} {of} ORDER BY r.account_id LIMIT %s",
        [*parameters, limit],
        prepare=True,
    )
    return [Asked(row[0], {} if row[1] is None else {"expected": row[1]}) for row in rows]


def count_accounts(connection: Connection[Any], work: WorkRow) -> None:
    """Stores how many accounts the work is about. That does not change any more."""
    of, parameters = _meant(work, UUID(int=0))
    connection.execute(
        f"UPDATE arrears.work SET accounts = (SELECT count(*) {of}) WHERE work_id = %s",  # noqa: S608 - constants
        [*parameters, work.work_id],
    )


def _meant(work: WorkRow, after: UUID) -> tuple[str, list[object]]:
    """Whom the work asks after an account, as the end of a SELECT over `r`, and its parameters."""
    if work.bulk_id is None:
        return _FROZEN, [work.office_id, after, work.cause_position]
    return _ROWS.replace("{condition}", _OF_COMMAND[work.command]), [work.bulk_id, after]


_OUTCOMES = """
    SELECT CASE WHEN %(undone)s THEN r.undo_outcome ELSE r.outcome END AS outcome, count(*)
    FROM read_model.bulk_rows AS r
    WHERE r.bulk_id = %(bulk_id)s AND (NOT %(undone)s OR r.outcome = 'done')
    GROUP BY 1
"""


def outcomes(connection: Connection[Any], work: WorkRow) -> dict[str | None, int]:
    """What came of a bulk action's rows, or of their undo, and of how many; None: they could not be asked."""
    undone = work.command == UndoBulkAction.command_name
    return dict(connection.execute(_OUTCOMES, {"bulk_id": work.bulk_id, "undone": undone}).fetchall())


def advance(
    connection: Connection[Any], work: WorkRow, last_account_id: UUID, counts: Counts, last_event: LastEvent | None
) -> None:
    """The chunk is done up to an account. One without accounts lets the work wait for what the last one led to."""
    connection.execute(
        """
        UPDATE arrears.work
        SET last_account_id = %s, done = done + %s, refused = refused + %s, failed = failed + %s,
            awaits_account_id = follows_account_id, awaits_version = follows_version,
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


def postpone(connection: Connection[Any], work: WorkRow, seconds: float, *, counts: bool = True) -> None:
    """The chunk failed; it is tried again, not before so many seconds have gone by. `counts` among its attempts."""
    connection.execute(
        "UPDATE arrears.work SET attempts = attempts + %s, retry_at = clock_timestamp() + make_interval(secs => %s),"
        " moved_at = clock_timestamp() WHERE work_id = %s",
        [int(counts), seconds, work.work_id],
    )


def close(connection: Connection[Any], work: WorkRow) -> None:
    """The log says that it has ended."""
    connection.execute(
        "UPDATE arrears.work SET is_open = false, moved_at = clock_timestamp() WHERE work_id = %s", [work.work_id]
    )

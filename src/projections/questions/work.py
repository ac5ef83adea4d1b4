"""Work over many accounts: what is asked of them, because of what, and how far it is."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection

from projections.answer import Answer
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import rows

WorkState = Literal["open", "finished", "cancelled"]


class WorkProgress(Answer):
    """A piece of work. Whether it has ended is what the log says; `accounts` and `left` are null before its first
    chunk, and `left` is what was not asked where it was cancelled."""

    id: UUID
    office_id: UUID
    command: str
    policy: str
    state: WorkState
    accounts: int | None
    done: int
    refused: int
    failed: int
    left: int | None
    cause_event_id: UUID
    cause_position: int
    begun_at: datetime
    ended_at: datetime | None


class WorkReport(Answer):
    """A page of work, the newest cause first."""

    rows: tuple[WorkProgress, ...]
    next_cursor: str | None


# The log says whether it has ended, the row how far it is: a second event of a piece of work is its last.
_PROGRESS = """
    SELECT w.work_id AS id, w.office_id, w.command, w.policy,
           CASE ended.name WHEN 'work.finished' THEN 'finished' WHEN 'work.cancelled' THEN 'cancelled'
                           ELSE 'open' END AS state,
           w.accounts, w.done, w.refused, w.failed, w.accounts - w.done - w.refused - w.failed AS left,
           cause.event_id AS cause_event_id, w.cause_position, begun.recorded_at AS begun_at,
           ended.recorded_at AS ended_at
    FROM arrears.work AS w
    JOIN arrears.events AS begun ON begun.aggregate_id = w.work_id AND begun.version = 1
    JOIN arrears.events AS cause ON cause.position = w.cause_position
    LEFT JOIN arrears.events AS ended ON ended.aggregate_id = w.work_id AND ended.version = 2
"""

_PAGE = f"""
    SELECT * FROM ({_PROGRESS}) AS progress
    WHERE (%(office_id)s::uuid IS NULL OR office_id = %(office_id)s)
      AND (%(state)s::text IS NULL OR state = %(state)s)
      AND (%(position)s::bigint IS NULL OR (cause_position, id) < (%(position)s::bigint, %(id)s::uuid))
    ORDER BY cause_position DESC, id DESC
    LIMIT %(limit)s
"""  # noqa: S608 - constants


def works(
    connection: Connection[Any],
    *,
    office_id: UUID | None = None,
    state: WorkState | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> WorkReport:
    """Work of one office, or of all, in any state or in one. Raises BadQuestion."""
    position, last = key_after(cursor, "cause", 2)
    asked = {"office_id": office_id, "state": state, "position": position, "id": last, "limit": check_limit(limit) + 1}
    found = [WorkProgress.model_validate(each) for each in rows(connection, asked, _PAGE)]
    page = found[:limit]
    return WorkReport(
        rows=tuple(page),
        next_cursor=cursor_after("cause", page[-1].cause_position, page[-1].id) if len(found) > limit else None,
    )


def work(connection: Connection[Any], work_id: UUID) -> WorkProgress | None:
    """One piece of work; None where there is none of this id."""
    found = rows(connection, {"id": work_id}, _PROGRESS + " WHERE w.work_id = %(id)s")
    return WorkProgress.model_validate(found[0]) if found else None

"""Schedules of bulk actions: when each is due next, how large it may be, and what came of each time."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection

from aggregates.values.money import Money
from projections.answer import AmountText, Answer
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import rows

RunOutcomeName = Literal["confirmed", "waiting", "nothing", "failed"]


class ScheduleView(Answer):
    """A schedule. It is due next at a moment or on a local day of the office; with neither it is over."""

    id: UUID
    office: str
    kind: str
    parameters: dict[str, Any]
    filter: str
    currency: str
    every: Literal["day", "week", "month"] | None
    """None: once."""
    on: int | None
    """Of a week its day, Monday is 1; of a month its day."""
    starts_on: date | None
    next_at: datetime | None
    next_on: date | None
    most_accounts: int
    most_amount: AmountText | None
    runs: int
    last_outcome: RunOutcomeName | None
    last_detail: str | None
    """Why it waits, or failed, the last time."""
    made_at: datetime
    made_by: str
    cancelled_at: datetime | None
    cancelled_by: str | None


class ScheduleRun(Answer):
    """A time at which a schedule was due, and what came of it; null while it is made."""

    id: UUID
    due_at: datetime | None
    due_on: date | None
    fell_due_at: datetime
    outcome: RunOutcomeName | None
    bulk_id: UUID | None
    accounts: int | None
    touched: AmountText | None
    """The amounts in question, or the balances: what was compared with the most that it may be."""
    detail: str | None
    ended_at: datetime | None


class SchedulePage(Answer):
    rows: tuple[ScheduleView, ...]
    next_cursor: str | None


class ScheduleRunPage(Answer):
    rows: tuple[ScheduleRun, ...]
    next_cursor: str | None


_SCHEDULES = """
    SELECT s.*, office.code AS office, coalesce(s.currency, office.currency) AS in_currency, last.outcome, last.detail,
           coalesce(last.runs, 0) AS runs,
           CASE WHEN s.cancelled_at IS NULL AND last.run_id IS NULL THEN s.due_at END AS next_at,
           CASE WHEN s.cancelled_at IS NULL
                THEN CASE WHEN last.run_id IS NULL THEN s.due_on ELSE last.next_on END END AS next_on
    FROM read_model.bulk_schedules AS s
    LEFT JOIN read_model.ledger_offices AS office USING (office_id)
    LEFT JOIN LATERAL (
        SELECT run.run_id, run.next_on, run.outcome, run.detail, count(*) OVER () AS runs
        FROM read_model.bulk_schedule_runs AS run
        WHERE run.schedule_id = s.schedule_id
        ORDER BY run.fell_due_at DESC
        LIMIT 1
    ) AS last ON true
    WHERE s.made_at IS NOT NULL
      AND (%(id)s::uuid IS NULL OR s.schedule_id = %(id)s)
      AND (%(office_id)s::uuid IS NULL OR s.office_id = %(office_id)s)
      AND (NOT %(failed)s OR (s.cancelled_at IS NULL AND last.outcome = 'failed'))
      AND (%(at)s::timestamptz IS NULL OR (s.made_at, s.schedule_id) < (%(at)s::timestamptz, %(after)s::uuid))
    ORDER BY s.made_at DESC, s.schedule_id DESC
    LIMIT %(limit)s
"""

_RUNS = """
    SELECT run.*, coalesce(action.currency, s.currency, office.currency) AS currency
    FROM read_model.bulk_schedule_runs AS run
    JOIN read_model.bulk_schedules AS s USING (schedule_id)
    LEFT JOIN read_model.ledger_offices AS office ON office.office_id = s.office_id
    LEFT JOIN read_model.bulk_actions AS action ON action.bulk_id = run.bulk_id
    WHERE run.schedule_id = %(id)s AND run.fell_due_at IS NOT NULL
      AND (%(at)s::timestamptz IS NULL OR (run.fell_due_at, run.run_id) < (%(at)s::timestamptz, %(after)s::uuid))
    ORDER BY run.fell_due_at DESC, run.run_id DESC
    LIMIT %(limit)s
"""


def schedule(connection: Connection[Any], schedule_id: UUID) -> ScheduleView | None:
    """None where there is none of this id, or it is not shown yet."""
    asked = {"id": schedule_id, "office_id": None, "failed": False, "at": None, "after": None, "limit": 1}
    found = rows(connection, asked, _SCHEDULES)
    return _view(found[0]) if found else None


def schedules(
    connection: Connection[Any],
    *,
    office_id: UUID | None = None,
    failed: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> SchedulePage:
    """Of one office, or of all, the newest first; those that are over too, or only those that `failed` the last time
    and were not ended. Raises BadQuestion."""
    at, after = key_after(cursor, "made", 2)
    asked = {
        "id": None,
        "office_id": office_id,
        "failed": failed,
        "at": at,
        "after": after,
        "limit": check_limit(limit) + 1,
    }
    found = [_view(each) for each in rows(connection, asked, _SCHEDULES)]
    page = found[:limit]
    following = cursor_after("made", page[-1].made_at, page[-1].id) if len(found) > limit else None
    return SchedulePage(rows=tuple(page), next_cursor=following)


def schedule_runs(
    connection: Connection[Any], schedule_id: UUID, *, limit: int = 50, cursor: str | None = None
) -> ScheduleRunPage:
    """Each time that a schedule was due, the latest first. Raises BadQuestion."""
    at, after = key_after(cursor, "fell-due", 2)
    asked = {"id": schedule_id, "at": at, "after": after, "limit": check_limit(limit) + 1}
    found = rows(connection, asked, _RUNS)
    page = found[:limit]
    following = cursor_after("fell-due", page[-1]["fell_due_at"], page[-1]["run_id"]) if len(found) > limit else None
    return ScheduleRunPage(rows=tuple(map(_run, page)), next_cursor=following)


def _view(found: Mapping[str, Any]) -> ScheduleView:
    recurrence = found["recurrence"] or {}
    most = found["most_minor"]
    said = {name: found[name] for name in ScheduleView.model_fields if name in found and name != "currency"}
    return ScheduleView(
        **said,
        id=found["schedule_id"],
        currency=found["in_currency"],
        every=recurrence.get("every"),
        on=recurrence.get("on"),
        starts_on=recurrence.get("starts_on"),
        most_amount=None if most is None else Money(most, found["in_currency"]).decimal(),
        last_outcome=found["outcome"],
        last_detail=found["detail"] or None,
    )


def _run(found: Mapping[str, Any]) -> ScheduleRun:
    touched = found["touched_minor"]
    said = {name: found[name] for name in ScheduleRun.model_fields if name in found}
    amount = None if touched is None else Money(touched, found["currency"]).decimal()
    return ScheduleRun(**said, id=found["run_id"], touched=amount)

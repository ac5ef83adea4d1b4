"""What was done about an account, or in an office."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from projections.activity_history.projection import notes_of
from projections.answer import Answer
from projections.opening import Opens
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import rows


class Activity(Answer):
    """One thing that was done or happened. `notes` is personal text."""

    position: int
    event_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    effective_on: date
    kind: str
    channel: str | None
    direction: str | None
    disposition: str | None
    summary: str
    notes: str | None
    assignee: str | None
    follow_up_on: date | None
    actor: str
    campaign_id: UUID | None
    plan_version: int | None
    ref_id: UUID | None


class ActivityReport(Answer):
    """A page of an account's history, the newest first."""

    account_id: UUID
    as_of: date | None
    rows: tuple[Activity, ...]
    next_cursor: str | None


class OfficeActivity(Activity):
    """An activity with whose it is."""

    account_id: UUID
    number: str | None
    office: str | None


class OfficeActivityReport(Answer):
    """A page of what was done in an office, or everywhere, the newest first."""

    as_of: date
    rows: tuple[OfficeActivity, ...]
    next_cursor: str | None


_AT_ONCE = 1_000

_DONE = """
FROM read_model.activity_history AS activity
LEFT JOIN read_model.ledger_accounts AS account USING (account_id)
LEFT JOIN read_model.ledger_offices  AS office  USING (office_id)
WHERE (%(as_of)s::date IS NULL OR activity.effective_on <= %(as_of)s)
  AND (%(known_on)s::date IS NULL
       OR activity.recorded_at < (%(known_on)s::date + 1)::timestamp AT TIME ZONE coalesce(office.time_zone, 'UTC'))
"""

_PAGE = f"""
SELECT activity.*
{_DONE}
  AND activity.account_id = %(account_id)s
  AND (%(kinds)s::text[] IS NULL OR activity.kind = ANY (%(kinds)s))
  AND (%(after)s::date IS NULL
       OR (activity.effective_on, activity.position) < (%(after)s::date, %(after_position)s::bigint))
ORDER BY activity.effective_on DESC, activity.position DESC
LIMIT %(limit)s
"""

_ALL = f"""
SELECT activity.*, account.number, office.code AS office
{_DONE}
  AND (%(office)s::text IS NULL OR %(office)s IN (office.code, office.office_id::text))
  AND (%(account_id)s::uuid IS NULL OR activity.account_id = %(account_id)s)
  AND (%(after)s::date IS NULL
       OR (activity.effective_on, activity.position) < (%(after)s::date, %(after_position)s::bigint))
ORDER BY activity.effective_on DESC, activity.position DESC
LIMIT %(limit)s
"""


def activity(
    connection: Connection[Any],
    log: Opens,
    account_id: UUID,
    *,
    as_of: date | None = None,
    known_on: date | None = None,
    kinds: Sequence[str] | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> ActivityReport:
    """An account's history up to a day (None: all of it), newest first; `log` opens the events that have notes.

    Raises BadQuestion.
    """
    after, after_position = key_after(cursor, "effective_on", 2)
    asked = {
        "account_id": account_id,
        "as_of": as_of,
        "known_on": known_on,
        "kinds": list(kinds) if kinds else None,
        "after": after,
        "after_position": after_position,
        "limit": check_limit(limit) + 1,
    }
    found = rows(connection, asked, _PAGE)
    page = [Activity.model_validate(each) for each in _with_notes(found[:limit], log)]
    return ActivityReport(
        account_id=account_id,
        as_of=as_of,
        rows=tuple(page),
        next_cursor=(
            cursor_after("effective_on", page[-1].effective_on, page[-1].position) if len(found) > limit else None
        ),
    )


def office_activity(
    connection: Connection[Any],
    log: Opens,
    *,
    as_of: date,
    known_on: date | None = None,
    office: str | None = None,
    account_id: UUID | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> OfficeActivityReport:
    """What was done in an office, or everywhere, up to a day: a page, the newest first. Raises BadQuestion."""
    after, after_position = key_after(cursor, "effective_on", 2)
    asked: dict[str, object] = {"as_of": as_of, "known_on": known_on, "office": office, "account_id": account_id}
    asked |= {"after": after, "after_position": after_position, "limit": check_limit(limit) + 1}
    found = rows(connection, asked, _ALL)
    page = [OfficeActivity.model_validate(each) for each in _with_notes(found[:limit], log)]
    return OfficeActivityReport(
        as_of=as_of,
        rows=tuple(page),
        next_cursor=(
            cursor_after("effective_on", page[-1].effective_on, page[-1].position) if len(found) > limit else None
        ),
    )


def activities(
    connection: Connection[Any],
    log: Opens,
    *,
    as_of: date,
    known_on: date | None = None,
    office: str | None = None,
    account_id: UUID | None = None,
    limit: int | None = None,
) -> Iterator[OfficeActivity]:
    """All of what `office_activity` has in pages, in bounded memory; inside a transaction."""
    asked: dict[str, object] = {"as_of": as_of, "known_on": known_on, "office": office, "account_id": account_id}
    asked |= {"after": None, "after_position": None, "limit": limit}
    with connection.cursor("activities", row_factory=dict_row) as cursor:
        cursor.execute(_ALL, asked)
        while found := cursor.fetchmany(_AT_ONCE):
            for each in _with_notes(found, log):
                yield OfficeActivity.model_validate(each)


def _with_notes(found: Sequence[DictRow], log: Opens) -> list[DictRow]:
    """The rows with what was said or written, which is in the log alone."""
    opened = log.at([each["position"] for each in found if each["has_notes"]])
    notes = {position: notes_of(recorded) for position, recorded in opened.items()}
    return [{**each, "notes": notes.get(each["position"])} for each in found]

"""What was done about an account, or in an office."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from typing import Annotated, Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from pydantic import Field

from aggregates.kernel.value import LATER
from projections.activity_history.projection import KINDS, notes_of
from projections.answer import Answer
from projections.opening import Opens
from projections.questions.activity_filters import EVERYTHING, WHERE, ActivityFilters
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import BadQuestion, row, rows


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
    corrects: Annotated[UUID | None, LATER] = None
    """The activity that was recorded wrongly, and of which this one says what it was."""
    undocumented: Annotated[bool, Field(exclude_if=lambda said: not said)] = False
    """A contact of which nobody had said how it ended."""


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
{_DONE}{WHERE}
  AND activity.account_id = %(account_id)s
  AND (%(kinds)s::text[] IS NULL OR activity.kind = ANY (%(kinds)s))
  AND (%(after)s::date IS NULL
       OR (activity.effective_on, activity.position) < (%(after)s::date, %(after_position)s::bigint))
ORDER BY activity.effective_on DESC, activity.position DESC
LIMIT %(limit)s
"""

_ALL = f"""
SELECT activity.*, account.number, office.code AS office
{_DONE}{WHERE}
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
    filters: ActivityFilters = EVERYTHING,
    limit: int = 50,
    cursor: str | None = None,
) -> ActivityReport:
    """An account's history up to a day (None: all of it), newest first; `log` opens the events that have notes.

    Raises BadQuestion.
    """
    _require_kinds(connection, account_id, kinds or ())
    after, after_position = key_after(cursor, "effective_on", 2)
    asked = {
        "account_id": account_id,
        "as_of": as_of,
        "known_on": known_on,
        "kinds": list(kinds) if kinds else None,
        "after": after,
        "after_position": after_position,
        "limit": check_limit(limit) + 1,
        **filters.asked(connection),
    }
    found = _matching(connection, log, asked, _PAGE, filters)
    page = [Activity.model_validate(each) for each in found[:limit]]
    return ActivityReport(
        account_id=account_id,
        as_of=as_of,
        rows=tuple(page),
        next_cursor=(
            cursor_after("effective_on", page[-1].effective_on, page[-1].position) if len(found) > limit else None
        ),
    )


_IS_USED = """
SELECT EXISTS (
    SELECT FROM read_model.activity_history WHERE account_id = %(account_id)s AND kind = %(kind)s
) AS is_used
"""


def _require_kinds(connection: Connection[Any], account_id: UUID, kinds: Sequence[str]) -> None:
    """Raises BadQuestion for one that no entry has: the history would be empty."""
    for kind in kinds:
        if kind not in KINDS and not row(connection, {"account_id": account_id, "kind": kind}, _IS_USED)["is_used"]:
            close = get_close_matches(kind, sorted(KINDS)) or ["call", "payment", "message-sent"]
            raise BadQuestion(f"kind: expected a kind of entry such as {', '.join(close)}, not {kind!r}")


def office_activity(
    connection: Connection[Any],
    log: Opens,
    *,
    as_of: date,
    known_on: date | None = None,
    office: str | None = None,
    account_id: UUID | None = None,
    filters: ActivityFilters = EVERYTHING,
    limit: int = 50,
    cursor: str | None = None,
) -> OfficeActivityReport:
    """What was done in an office, or everywhere, up to a day: a page, the newest first. Raises BadQuestion."""
    after, after_position = key_after(cursor, "effective_on", 2)
    asked: dict[str, object] = {"as_of": as_of, "known_on": known_on, "office": office, "account_id": account_id}
    asked |= {"after": after, "after_position": after_position, "limit": check_limit(limit) + 1}
    _require_account_for_words(filters, account_id)
    found = _matching(connection, log, asked | filters.asked(connection), _ALL, filters)
    page = [OfficeActivity.model_validate(each) for each in found[:limit]]
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
    filters: ActivityFilters = EVERYTHING,
    limit: int | None = None,
) -> Iterator[OfficeActivity]:
    """All of what `office_activity` has in pages, in bounded memory; inside a transaction."""
    asked: dict[str, object] = {"as_of": as_of, "known_on": known_on, "office": office, "account_id": account_id}
    asked |= {"after": None, "after_position": None, "limit": limit if filters.text is None else None}
    asked |= filters.asked(connection)
    _require_account_for_words(filters, account_id)
    left = limit
    with connection.cursor("activities", row_factory=dict_row) as cursor:
        cursor.execute(_ALL, asked)
        while found := cursor.fetchmany(_AT_ONCE):
            for each in _with_notes(found, log):
                if filters.matches(each["summary"], each["notes"]):
                    yield OfficeActivity.model_validate(each)
                    if left is not None and (left := left - 1) == 0:
                        return


def _matching(
    connection: Connection[Any], log: Opens, asked: dict[str, object], query: str, filters: ActivityFilters
) -> list[DictRow]:
    """A page of rows in which the words stand: as many as are asked for, else all that are left."""
    wanted = int(str(asked["limit"]))
    if filters.text is None:
        return _with_notes(rows(connection, asked, query), log)
    found: list[DictRow] = []
    while len(found) < wanted:
        batch = rows(connection, {**asked, "limit": _AT_ONCE}, query)
        found += [each for each in _with_notes(batch, log) if filters.matches(each["summary"], each["notes"])]
        if len(batch) < _AT_ONCE:
            break
        asked = {**asked, "after": batch[-1]["effective_on"], "after_position": batch[-1]["position"]}
    return found[:wanted]


def _require_account_for_words(filters: ActivityFilters, account_id: UUID | None) -> None:
    """What was said and written is encrypted: whoever looks for words has all of it opened, and names whose."""
    if filters.text is not None and account_id is None:
        raise BadQuestion("text: expected together with the account in whose history it is looked for")


def _with_notes(found: Sequence[DictRow], log: Opens) -> list[DictRow]:
    """The rows with what was said or written, which is in the log alone."""
    opened = log.at([each["position"] for each in found if each["has_notes"]])
    notes = {position: notes_of(recorded) for position, recorded in opened.items()}
    return [{**each, "notes": notes.get(each["position"])} for each in found]

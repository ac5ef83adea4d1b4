"""What has to be done about accounts, the most urgent first, and why in that order; and days that agents closed.

The score is worked out when somebody looks: it goes by the day. Its parts are

- that of the kind (`projections.worklist.kinds`),
- for its day: 10 on the day it is due, or since which it is there where it has none; 2 more for each day after it, 40
  at most; before it 1 less for each day, down to none,
- for its amount: 5 for each digit before the decimal mark, 30 at most.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from psycopg import Connection
from psycopg.rows import DictRow

from aggregates.values.money import EXPONENTS, Money
from projections.answer import AmountText, Answer
from projections.questions.activity_filters import known_agents
from projections.questions.names import FILLED, Names, names
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import BadQuestion, rows
from projections.worklist.kinds import BY_NAME, KINDS, UNDOCUMENTED, agent_of


class ScorePart(Answer):
    """A part of the score, and what it is for."""

    points: int
    because: str


class WorklistItem(Answer):
    """Something that has to be done about an account."""

    item_id: UUID
    kind: str
    says: str
    """The kind in a sentence."""
    what: str | None
    """Which of the kind: how a contact was made, the kind of a complaint, the reason of a dispute."""
    account_id: UUID
    number: str | None
    """The account's."""
    customer_name: str | None
    office: str | None
    since: datetime
    due_on: date | None
    due_at: datetime | None
    """The moment of that day, where one was said."""
    assignee: str | None
    """Null: everybody sees it."""
    amount: AmountText | None
    """What is at stake: of the item, else what is past due on the account."""
    currency: str | None
    is_task: bool
    """It ends by saying that it was done: a follow-up, or a task that a policy asked for."""
    snoozed_until: datetime | None
    """Until when somebody had put it off, where they had."""
    score: int
    why: tuple[ScorePart, ...]
    """The parts of the score."""


class WorklistReport(Answer):
    """A page of the worklist, the highest score first."""

    rows: tuple[WorklistItem, ...]
    next_cursor: str | None
    names: Names = FILLED


class ClosedDay(Answer):
    """A local day that an agent closed, as its last closing says."""

    office: str | None
    agent: str
    day: date
    closed_at: datetime
    closed_by: str
    contacts: int
    follow_ups: int
    remaining: int


class ClosedDays(Answer):
    """A page of them, the newest first."""

    rows: tuple[ClosedDay, ...]
    next_cursor: str | None


_SHOWN = """
WITH kinds AS (
    SELECT * FROM unnest(%(kinds)s::text[], %(bases)s::integer[], %(deadlines)s::boolean[])
        AS kind (kind, base, has_deadline)
),
found AS (
    SELECT work.*, account.number, office.code AS office, kind.base, kind.has_deadline, day.today,
           coalesce(work.due_on, (work.since AT TIME ZONE coalesce(office.time_zone, 'UTC'))::date) AS counts_from,
           coalesce(work.amount_minor, nullif(report.past_due, 0)) AS at_stake,
           coalesce(work.currency, report.currency) AS in_currency,
           work.amount_minor IS NOT NULL AS is_own
    FROM read_model.worklist AS work
    JOIN kinds AS kind USING (kind)
    LEFT JOIN read_model.ledger_accounts    AS account ON account.account_id = work.account_id
    LEFT JOIN read_model.ledger_offices     AS office  ON office.office_id = account.office_id
    LEFT JOIN read_model.collections_report AS report  ON report.account_id = work.account_id
    CROSS JOIN LATERAL (SELECT (%(now)s AT TIME ZONE coalesce(office.time_zone, 'UTC'))::date AS today) AS day
    WHERE {whose}
      AND (%(kind)s::text IS NULL OR work.kind = %(kind)s)
      AND (%(account_id)s::uuid IS NULL OR work.account_id = %(account_id)s)
      AND (%(office)s::text IS NULL OR %(office)s IN (office.code, office.office_id::text))
      AND (work.shows_on IS NULL OR work.shows_on <= day.today)
      AND (work.snoozed_until IS NULL OR work.snoozed_until <= %(now)s
           OR kind.has_deadline AND work.due_on <= day.today)
      AND NOT EXISTS (SELECT FROM read_model.worklist AS itself WHERE itself.item_id = work.about)
)
"""
"""What is to be done now; `whose` is one of the conditions below."""

_OF_AGENT = "(work.assignee = %(agent)s OR work.assignee IS NULL)"
_ONLY_OF_AGENT = "work.assignee = %(agent)s"
_OF_EVERYBODY = "true"

_PAGE = """
, scored AS (
    SELECT found.*, today - counts_from AS late,
           greatest(0, least(40, CASE WHEN today >= counts_from THEN 10 + 2 * (today - counts_from)
                                      ELSE 10 - (counts_from - today) END)) AS for_day,
           CASE WHEN at_stake > 0 THEN least(30, 5 * length(
               (at_stake / coalesce((%(units)s::jsonb ->> in_currency)::bigint, 100))::text))
               ELSE 0 END AS for_amount
    FROM found
),
ranked AS (
    SELECT scored.*, -(base + for_day + for_amount) AS rank FROM scored
)
SELECT ranked.*, coalesce(person.customer_name, ranked.number) AS customer_name
FROM ranked
LEFT JOIN personal.people AS person USING (account_id)
WHERE (%(after)s::integer IS NULL
       OR (rank, counts_from, item_id, kind)
          > (%(after)s::integer, %(after_day)s::date, %(after_id)s::uuid, %(after_kind)s::text))
ORDER BY rank, counts_from, item_id, kind
LIMIT %(limit)s
"""

_COUNT = "SELECT count(*) AS items FROM found"

_UNITS = orjson.dumps({currency: 10**places for currency, places in EXPONENTS.items()}).decode()
"""How many minor units a major one has, where it is not a hundred."""


def worklist(
    connection: Connection[Any],
    *,
    now: datetime,
    agent: str | None = None,
    kind: str | None = None,
    office: str | None = None,
    account_id: UUID | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> WorklistReport:
    """What has to be done at a moment: an agent's and what is nobody's, or everybody's; about one account, or all.

    Raises BadQuestion.
    """
    if kind is not None and kind not in BY_NAME:
        raise BadQuestion(f"kind: expected one of {', '.join(BY_NAME)}")
    after, after_day, after_id, after_kind = key_after(cursor, "score", 4)
    asked = {
        **_asked(now, agent, office),
        "kind": kind,
        "account_id": account_id,
        "units": _UNITS,
        "after": after,
        "after_day": after_day,
        "after_id": after_id,
        "after_kind": after_kind,
        "limit": check_limit(limit) + 1,
    }
    found = rows(connection, asked, _shown(_OF_EVERYBODY if agent is None else _OF_AGENT), _PAGE)
    page, last = found[:limit], found[min(limit, len(found)) - 1] if found else None
    following = None
    if last is not None and len(found) > limit:
        following = cursor_after("score", last["rank"], last["counts_from"], last["item_id"], last["kind"])
    return WorklistReport(rows=tuple(map(_item, page)), next_cursor=following, names=names(connection))


def count_of_agent(connection: Connection[Any], *, now: datetime, agent: str, office: str) -> int:
    """How much an agent has to do in an office, without what is nobody's."""
    asked = {**_asked(now, agent, office), "kind": None, "account_id": None}
    [counted] = rows(connection, asked, _shown(_ONLY_OF_AGENT), _COUNT)
    return int(counted["items"])


def _shown(whose: str) -> str:
    return _SHOWN.replace("{whose}", whose)


def _asked(now: datetime, agent: str | None, office: str | None) -> dict[str, object]:
    return {
        "kinds": [kind.name for kind in KINDS],
        "bases": [kind.base for kind in KINDS],
        "deadlines": [kind.has_deadline for kind in KINDS],
        "now": now,
        "agent": None if agent is None else agent_of(agent),
        "office": office,
    }


def _item(found: DictRow) -> WorklistItem:
    kind = BY_NAME[found["kind"]]
    amount = Money(found["at_stake"], found["in_currency"]) if found["at_stake"] is not None else None
    parts = [ScorePart(points=found["base"], because=kind.says)]
    if found["for_day"]:
        parts.append(
            ScorePart(points=found["for_day"], because=_day(found["late"], is_due=found["due_on"] is not None))
        )
    if found["for_amount"] and amount is not None:
        at_stake = "" if found["is_own"] else " past due on the account"
        parts.append(ScorePart(points=found["for_amount"], because=f"{amount}{at_stake}"))
    decimal: Decimal | None = amount.decimal() if amount is not None else None
    return WorklistItem(
        **{name: found[name] for name in WorklistItem.model_fields if name in found and name != "currency"},
        says=kind.says,
        amount=decimal,
        currency=amount.currency if amount is not None else None,
        score=-found["rank"],
        why=tuple(parts),
    )


def _day(late: int, *, is_due: bool) -> str:
    days = f"{abs(late)} {'day' if abs(late) == 1 else 'days'}"
    if late == 0:
        return "due today" if is_due else "since today"
    if late < 0:
        return f"due in {days}"
    return f"due {days} ago" if is_due else f"since {days}"


# --- contacts that nobody documented -------------------------------------------------------------------


class UndocumentedContact(Answer):
    """A contact that a person made and of which nobody said yet how it ended."""

    id: UUID
    """Of the call, or of the activity."""
    account_id: UUID
    number: str | None
    """The account's."""
    office: str | None
    kind: str
    agent: str
    at: datetime


_UNDOCUMENTED = """
SELECT work.item_id AS id, work.account_id, account.number, office.code AS office, work.what AS kind,
       CASE WHEN work.assignee LIKE '%%:%%' THEN work.assignee ELSE 'person:' || work.assignee END AS agent,
       work.since AS at
FROM read_model.worklist AS work
LEFT JOIN read_model.ledger_accounts AS account USING (account_id)
LEFT JOIN read_model.ledger_offices  AS office  USING (office_id)
WHERE work.kind = %(kind)s
  AND (%(office)s::text IS NULL OR %(office)s IN (office.code, office.office_id::text))
  AND (%(agents)s::text[] IS NULL OR work.assignee = ANY (%(agents)s))
ORDER BY work.since, work.item_id
LIMIT %(limit)s
"""


def undocumented(
    connection: Connection[Any], *, office: str | None = None, agent: str | None = None, limit: int = 500
) -> list[UndocumentedContact]:
    """The oldest first: of an agent, or of everybody. Raises BadQuestion where nobody is called so."""
    asked = {
        "kind": UNDOCUMENTED.name,
        "office": office,
        "agents": None if agent is None else [agent_of(each) for each in known_agents(connection, agent)],
        "limit": limit,
    }
    return [UndocumentedContact.model_validate(each) for each in rows(connection, asked, _UNDOCUMENTED)]


# --- days that were closed -----------------------------------------------------------------------------

_CLOSED = """
SELECT closed.*, office.code AS office
FROM read_model.closed_days AS closed
LEFT JOIN read_model.ledger_offices AS office USING (office_id)
WHERE (%(office)s::text IS NULL OR office.code = %(office)s)
  AND (%(agent)s::text IS NULL OR closed.agent = %(agent)s)
  AND (%(day)s::date IS NULL OR (closed.day, closed.last_position) < (%(day)s::date, %(position)s::bigint))
ORDER BY closed.day DESC, closed.last_position DESC
LIMIT %(limit)s
"""

_DONE = """
SELECT count(*) FILTER (WHERE activity.kind = ANY (%(contacts)s::text[]) AND activity.direction = 'outbound'
                              AND activity.corrects IS NULL) AS contacts,
       count(*) FILTER (WHERE activity.kind = 'follow-up-completed') AS follow_ups
FROM read_model.activity_history AS activity
JOIN read_model.ledger_accounts  AS account USING (account_id)
JOIN read_model.ledger_offices   AS office  USING (office_id)
WHERE activity.actor = %(actor)s AND activity.effective_on = %(day)s AND office.code = %(office)s
"""


def closed_days(
    connection: Connection[Any],
    *,
    office: str | None = None,
    agent: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> ClosedDays:
    """The newest first. Raises BadQuestion, also where nobody who did anything is called so."""
    found = _closed_days(connection, office=office, agent=agent, limit=limit, cursor=cursor)
    if agent is not None and not found.rows:
        known_agents(connection, agent)
    return found


def last_closed_day(connection: Connection[Any], *, agent: str, office: str | None = None) -> ClosedDay | None:
    """None of an agent who closed none, also where they did nothing yet."""
    return next(iter(_closed_days(connection, office=office, agent=agent, limit=1, cursor=None).rows), None)


def _closed_days(
    connection: Connection[Any], *, office: str | None, agent: str | None, limit: int, cursor: str | None
) -> ClosedDays:
    day, position = key_after(cursor, "closed", 2)
    asked = {
        "office": office,
        "agent": None if agent is None else agent_of(agent),
        "day": day,
        "position": position,
        "limit": check_limit(limit) + 1,
    }
    found = rows(connection, asked, _CLOSED)
    page = found[:limit]
    following = cursor_after("closed", page[-1]["day"], page[-1]["last_position"]) if len(found) > limit else None
    said = ({name: each[name] for name in ClosedDay.model_fields} for each in page)
    return ClosedDays(rows=tuple(map(ClosedDay.model_validate, said)), next_cursor=following)


def done_by(
    connection: Connection[Any], *, agent: str, office: str, day: date, contacts: Sequence[str]
) -> tuple[int, int]:
    """How many contacts of these kinds an agent made in an office on a day, and how many follow-ups they completed."""
    actor = agent if ":" in agent else f"person:{agent}"
    asked = {"actor": actor, "office": office, "day": day, "contacts": [*contacts]}
    [counted] = rows(connection, asked, _DONE)
    return int(counted["contacts"]), int(counted["follow_ups"])

"""Asking the agenda: what is due, what is next, and what time it is for those who look."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import Connection

from policies.agenda import KINDS, SENDING

Key = tuple[int, datetime, UUID]
"""Rank of the kind, due from, ref: where a page ended."""

Share = tuple[int, int]
"""A partition, and how many there are: whose items are asked for."""


@dataclass(frozen=True, slots=True)
class AgendaItem:
    """A row of the agenda whose time has come. `position` is the log position that put it there."""

    owner_id: UUID
    """The account, or the campaign or office whose pause ends."""
    kind: str
    ref: str
    command_name: str
    payload: dict[str, Any]
    position: int
    key: Key
    office_id: UUID


_DUE = """
    SELECT found.owner_id, wanted.kind, found.ref, found.command_name, found.payload, found.last_position,
           wanted.rank, found.due_from, found.office_id
    FROM unnest(%(kinds)s::text[]) WITH ORDINALITY AS wanted (kind, rank)
    CROSS JOIN LATERAL (
        SELECT agenda.*
        FROM read_model.agenda LEFT JOIN read_model.offices USING (office_id)
        WHERE agenda.kind = wanted.kind
          AND agenda.due_from <= greatest(%(now)s::timestamptz AT TIME ZONE 'UTC', %(latest)s::date::timestamp)
          AND (agenda.due_at <= %(now)s
               OR agenda.due_on <= least(%(latest)s, (%(now)s AT TIME ZONE coalesce(time_zone, 'UTC'))::date))
          AND (%(share)s::integer IS NULL OR place %% %(shares)s = %(share)s)
          AND NOT (agenda.kind = ANY (%(sending)s::text[]) AND agenda.office_id = ANY (%(full)s::uuid[]))
          AND (agenda.due_from, agenda.ref)
              > (CASE WHEN wanted.rank > %(rank)s THEN '-infinity' ELSE %(from)s::timestamp END, %(ref)s::uuid)
        ORDER BY agenda.due_from, agenda.ref
        LIMIT %(limit)s
    ) AS found
    WHERE wanted.rank >= %(rank)s
    ORDER BY wanted.rank, found.due_from, found.ref
    LIMIT %(limit)s
"""

_BEFORE_ALL: Key = (0, datetime.min, UUID(int=0))  # noqa: DTZ901 - a bound for a column without a zone


def due_page(
    connection: Connection[Any],
    *,
    now: datetime,
    latest_local_date: date,
    after: Key | None = None,
    limit: int = 1_000,
    share: Share | None = None,
    kinds: Sequence[str] = KINDS,
    full: Collection[UUID] = (),
) -> list[AgendaItem]:
    """What is due at `now`, by kind and then by time; a page from behind the key of the last item seen.

    A row with a day is due once that day has begun in its office's zone, and not later than `latest_local_date`. Of
    offices that are `full` nothing that sends is found.
    """
    rank, due_from, ref = after or _BEFORE_ALL
    found = connection.execute(
        _DUE,
        {
            "kinds": list(kinds),
            "now": now,
            "latest": latest_local_date,
            "share": share[0] if share else None,
            "shares": share[1] if share else 1,
            "rank": rank,
            "from": due_from,
            "ref": ref,
            "limit": limit,
            "sending": list(SENDING),
            "full": list(full),
        },
    )
    return [
        AgendaItem(owner_id, kind, str(ref), command_name, payload, position, (rank, due_from, ref), office_id)
        for owner_id, kind, ref, command_name, payload, position, rank, due_from, office_id in found
    ]


def due(
    connection: Connection[Any],
    *,
    now: datetime,
    latest_local_date: date,
    page: int = 1_000,
    share: Share | None = None,
    kinds: Sequence[str] = KINDS,
    full: Collection[UUID] = (),
) -> Iterator[list[AgendaItem]]:
    """Everything due at `now`, page by page; what is planned anew meanwhile may or may not be among it.

    `full` is looked at for each page.
    """
    after: Key | None = None
    while items := due_page(
        connection,
        now=now,
        latest_local_date=latest_local_date,
        after=after,
        limit=page,
        share=share,
        kinds=kinds,
        full=full,
    ):
        yield items
        after = items[-1].key


def count_due(
    connection: Connection[Any],
    *,
    now: datetime,
    latest_local_date: date,
    most: int = 10_000,
    share: Share | None = None,
    kinds: Sequence[str] | None = None,
) -> dict[str, int]:
    """How many items of each kind are due at `now`; counts no more than `most`.

    Without `kinds` all that the agenda holds are counted: first those that this release does not know, which nobody
    works, then the others in their order.
    """
    rank, due_from, ref = _BEFORE_ALL
    found = connection.execute(
        "SELECT kind, count(*) FROM (" + _DUE + ") AS due GROUP BY kind",  # noqa: S608 - constants
        {
            "kinds": [*unknown_kinds(connection), *KINDS] if kinds is None else list(kinds),
            "now": now,
            "latest": latest_local_date,
            "share": share[0] if share else None,
            "shares": share[1] if share else 1,
            "rank": rank,
            "from": due_from,
            "ref": ref,
            "limit": most,
            "sending": [],
            "full": [],
        },
    )
    return dict(found.fetchall())


# As many looks into the index as there are kinds, however long the agenda is.
_KINDS_THERE = """
    WITH RECURSIVE found (kind) AS (
        SELECT min(kind) FROM read_model.agenda
        UNION ALL
        SELECT (SELECT min(kind) FROM read_model.agenda WHERE agenda.kind > found.kind) FROM found
        WHERE found.kind IS NOT NULL
    )
    SELECT kind FROM found WHERE kind <> ALL (%s)
"""


def unknown_kinds(connection: Connection[Any]) -> list[str]:
    """Kinds of items that the agenda holds and this release does not know: a newer one planned them."""
    return [row[0] for row in connection.execute(_KINDS_THERE, [list(KINDS)], prepare=True)]


_NEXT = """
    WITH planned AS NOT MATERIALIZED (
        SELECT agenda.kind, agenda.due_from,
               coalesce(agenda.due_at, agenda.due_on::timestamp AT TIME ZONE coalesce(time_zone, 'UTC')) AS due_at
        FROM read_model.agenda LEFT JOIN read_model.offices USING (office_id)
    )
    SELECT min(nearest.due_at)
    FROM unnest(%(kinds)s::text[]) AS wanted (kind)
    CROSS JOIN LATERAL (
        SELECT due_from FROM planned
        WHERE planned.kind = wanted.kind AND due_from > %(from)s::timestamp - interval '15 hours' AND due_at > %(after)s
        ORDER BY due_from LIMIT 1
    ) AS first
    CROSS JOIN LATERAL (
        SELECT min(due_at) AS due_at FROM planned
        WHERE planned.kind = wanted.kind AND due_at > %(after)s
          AND due_from BETWEEN first.due_from AND first.due_from + interval '27 hours'
    ) AS nearest
"""


def next_due_at(
    connection: Connection[Any], *, after: datetime | None = None, kinds: Sequence[str] = KINDS
) -> datetime | None:
    """The earliest moment later than `after` (None: of all) at which something is due; a day counts from its beginning.

    Zones differ by at most 26 hours, so what is due first is found near what comes first in the order of days.
    """
    given = {
        "kinds": list(kinds),
        "after": after if after is not None else "-infinity",
        "from": after.astimezone(_UTC).replace(tzinfo=None) if after is not None else "-infinity",
    }
    row = connection.execute(_NEXT, given).fetchone()
    return row[0] if row else None


_UTC = ZoneInfo("UTC")


def latest_zones(connection: Connection[Any]) -> list[ZoneInfo]:
    """The time zones of all offices: the latest local date is in one of them."""
    rows = connection.execute("SELECT DISTINCT time_zone FROM read_model.offices ORDER BY time_zone")
    return [ZoneInfo(row[0]) for row in rows]


def set_clock(connection: Connection[Any], now: datetime) -> None:
    """Says what time it is for those who look at dashboards; ticks on a clock that is set do."""
    connection.execute(
        "INSERT INTO read_model.clock (now) VALUES (%s) ON CONFLICT (only_one) DO UPDATE SET now = excluded.now", [now]
    )


def advance_clock(connection: Connection[Any], now: datetime, *, tolerance: timedelta) -> None:
    """The same by a clock that runs: not beyond the database's clock, and never back, unless what stands there is ahead
    of that clock by more than is tolerated.

    That was a clock that was set, or one that was wrong; it would be "today" for those who look until it came true.
    """
    connection.execute(
        """
        INSERT INTO read_model.clock AS clock (now) VALUES (least(%(now)s::timestamptz, clock_timestamp()))
        ON CONFLICT (only_one) DO UPDATE
        SET now = CASE WHEN clock.now > clock_timestamp() + %(tolerance)s THEN excluded.now
                       ELSE greatest(clock.now, excluded.now) END
        """,
        {"now": now, "tolerance": tolerance},
    )

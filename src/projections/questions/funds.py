"""Payments and credits of an account in pages, and where the log says what became of them and of invoices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import Connection

from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import rows


@dataclass(frozen=True, slots=True)
class FundsPlace:
    """A payment or credit, and the events about it, but for those that say what it was put against."""

    funds_id: UUID
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FundsPlaces:
    """A page, the latest first."""

    rows: tuple[FundsPlace, ...]
    next_cursor: str | None


_PAGE = """
WITH came AS (
    SELECT DISTINCT ON (funds_id) funds_id, effective_on, position
    FROM read_model.ledger_entries
    WHERE account_id = %(account_id)s
      AND kind IN ('payment', 'credit', 'transfer-in')
      AND (%(as_of)s::date IS NULL OR effective_on <= %(as_of)s::date)
    ORDER BY funds_id, position
),
page AS (
    SELECT *
    FROM came
    WHERE %(after)s::date IS NULL OR (effective_on, position) < (%(after)s::date, %(after_position)s::bigint)
    ORDER BY effective_on DESC, position DESC
    LIMIT %(limit)s
)
SELECT page.funds_id, page.effective_on, page.position, array_agg(DISTINCT entry.position) AS positions
FROM page
JOIN read_model.ledger_entries AS entry ON entry.account_id = %(account_id)s AND entry.funds_id = page.funds_id
WHERE entry.kind NOT IN ('allocation', 'release')
GROUP BY page.funds_id, page.effective_on, page.position
ORDER BY page.effective_on DESC, page.position DESC
"""


def funds_places(
    connection: Connection[Any],
    account_id: UUID,
    *,
    as_of: date | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> FundsPlaces:
    """What came in until a day (None: all that did), by the day on which it did. Raises BadQuestion."""
    after, after_position = key_after(cursor, "funds", 2)
    asked = {
        "account_id": account_id,
        "as_of": as_of,
        "after": after,
        "after_position": after_position,
        "limit": check_limit(limit) + 1,
    }
    found = rows(connection, asked, _PAGE)
    page = found[:limit]
    last = cursor_after("funds", page[-1]["effective_on"], page[-1]["position"]) if len(found) > limit else None
    return FundsPlaces(tuple(FundsPlace(each["funds_id"], tuple(each["positions"])) for each in page), last)


def latest_of_items(connection: Connection[Any], account_id: UUID, items: Sequence[UUID]) -> list[int]:
    """The positions of the events that say what these invoices of the account are now."""
    query = """
        SELECT max(position) AS position FROM read_model.ledger_items
        WHERE account_id = %(account_id)s AND item_id = ANY (%(items)s::uuid[])
        GROUP BY item_id
    """
    return [each["position"] for each in rows(connection, {"account_id": account_id, "items": list(items)}, query)]

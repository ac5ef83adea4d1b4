"""What was done in an office, or about one account, up to a day."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from projections.questions import Activity

_AT_ONCE = 1_000

_ROWS = """
SELECT activity.*, account.number, office.code AS office
FROM read_model.activity_history AS activity
LEFT JOIN read_model.ledger_accounts AS account USING (account_id)
LEFT JOIN read_model.ledger_offices  AS office  USING (office_id)
WHERE activity.effective_on <= %(as_of)s
  AND (%(known_on)s::date IS NULL
       OR activity.recorded_at < (%(known_on)s::date + 1)::timestamp AT TIME ZONE coalesce(office.time_zone, 'UTC'))
  AND (%(office)s::text IS NULL OR %(office)s IN (office.code, office.office_id::text))
  AND (%(account_id)s::uuid IS NULL OR activity.account_id = %(account_id)s)
ORDER BY activity.effective_on DESC, activity.position DESC
LIMIT %(limit)s
"""


class OfficeActivity(Activity):
    """An activity with whose it is."""

    account_id: UUID
    number: str | None
    office: str | None


def activities(
    connection: Connection[Any],
    *,
    as_of: date,
    known_on: date | None = None,
    office: str | None = None,
    account_id: UUID | None = None,
    limit: int | None = None,
) -> Iterator[OfficeActivity]:
    """The newest first, in bounded memory; inside a transaction."""
    asked = {"as_of": as_of, "known_on": known_on, "office": office, "account_id": account_id, "limit": limit}
    with connection.cursor("activities", row_factory=dict_row) as cursor:
        cursor.itersize = _AT_ONCE
        for row in cursor.execute(_ROWS, asked):
            yield OfficeActivity.model_validate(row)

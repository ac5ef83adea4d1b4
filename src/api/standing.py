"""Where accounts stood in auto-collection at the end of a day, and why; from the audit trail."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import Connection

_LAST_JUDGED = """
SELECT DISTINCT ON (trail.aggregate_id)
       trail.aggregate_id, trail.data ->> 'stage' AS stage, trail.data -> 'why' AS why
FROM read_model.audit_trail AS trail
LEFT JOIN read_model.ledger_accounts AS account ON account.account_id = trail.aggregate_id
LEFT JOIN read_model.ledger_offices  AS office  USING (office_id)
WHERE trail.aggregate_id = ANY (%(accounts)s)
  AND trail.event_name = 'account.stage-changed'
  AND trail.effective_on <= %(as_of)s
  AND (%(known_on)s::date IS NULL
       OR trail.recorded_at < (%(known_on)s::date + 1)::timestamp AT TIME ZONE coalesce(office.time_zone, 'UTC'))
ORDER BY trail.aggregate_id, trail.position DESC
"""


def standings(
    connection: Connection[Any], accounts: Sequence[UUID], *, as_of: date, known_on: date | None = None
) -> dict[UUID, dict[str, Any]]:
    """For every given account `stage` and `why` (`code`, `detail`); both None before it was first judged."""
    standing: dict[UUID, dict[str, Any]] = {account: {"stage": None, "why": None} for account in accounts}
    found = connection.execute(_LAST_JUDGED, {"accounts": list(accounts), "as_of": as_of, "known_on": known_on})
    for account, stage, why in found:
        standing[account] = {"stage": stage, "why": why}
    return standing

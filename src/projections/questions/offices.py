"""Which offices there are."""

from typing import Any
from uuid import UUID

from psycopg import Connection

from projections.questions.scope import rows

_OFFICES = """
SELECT office_id
FROM read_model.ledger_offices
WHERE %(office)s::text IS NULL OR %(office)s IN (code, office_id::text)
ORDER BY code
"""


def office_ids(connection: Connection[Any], office: str | None = None) -> list[UUID]:
    """Every office by code, or the one with this code or id; none where there is no such office."""
    return [each["office_id"] for each in rows(connection, {"office": office}, _OFFICES)]

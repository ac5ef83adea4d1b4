"""Which offices there are, and whose an account is."""

from typing import Any
from uuid import UUID

from psycopg import Connection

from projections.questions.scope import UnknownAccount, rows

_OFFICES = """
SELECT office_id
FROM read_model.ledger_offices
WHERE %(office)s::text IS NULL OR %(office)s IN (code, office_id::text)
ORDER BY code
"""

_OFFICE_AND_CURRENCY = """
SELECT office.code AS office, account.currency
FROM read_model.ledger_accounts AS account
JOIN read_model.ledger_offices  AS office USING (office_id)
WHERE account.account_id = %(account_id)s
"""


def office_ids(connection: Connection[Any], office: str | None = None) -> list[UUID]:
    """Every office by code, or the one with this code or id; none where there is no such office."""
    return [each["office_id"] for each in rows(connection, {"office": office}, _OFFICES)]


def office_and_currency_of(connection: Connection[Any], account_id: UUID) -> tuple[str, str]:
    """The code of the account's office, and its currency. Raises UnknownAccount, also where it was not read yet."""
    found = rows(connection, {"account_id": account_id}, _OFFICE_AND_CURRENCY)
    if not found:
        raise UnknownAccount(f"account: there is no {account_id}")
    return found[0]["office"], found[0]["currency"]

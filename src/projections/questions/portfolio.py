"""What there is at all."""

from typing import Any
from uuid import UUID

from psycopg import Connection


def has_accounts(connection: Connection[Any]) -> bool:
    """Whether any account was opened, as far as was read."""
    row = connection.execute("SELECT EXISTS (SELECT FROM read_model.collections_report)").fetchone()
    return row is not None and bool(row[0])


def accounts_that_owe(connection: Connection[Any], office_id: UUID, *, most: int) -> tuple[list[UUID], int]:
    """Accounts of an office with something open, by their ids and no more than `most`; and how many there are."""
    owing = "FROM read_model.collections_report WHERE office_id = %s AND outstanding > 0"
    row = connection.execute(f"SELECT count(*) {owing}", [office_id]).fetchone()
    found = connection.execute(
        f"SELECT account_id {owing} ORDER BY account_id LIMIT %s",
        [office_id, most],
    )
    return [account_id for (account_id,) in found], row[0] if row is not None else 0


def messages_sent(connection: Connection[Any]) -> int:
    """How many messages were sent, to whomever."""
    row = connection.execute("SELECT count(*) FROM read_model.activity_history WHERE kind = 'message-sent'").fetchone()
    return row[0] if row is not None else 0

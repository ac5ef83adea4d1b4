"""What there is at all."""

from typing import Any

from psycopg import Connection


def has_accounts(connection: Connection[Any]) -> bool:
    """Whether any account was opened, as far as was read."""
    row = connection.execute("SELECT EXISTS (SELECT FROM read_model.collections_report)").fetchone()
    return row is not None and bool(row[0])


def messages_sent(connection: Connection[Any]) -> int:
    """How many messages were sent, to whomever."""
    row = connection.execute("SELECT count(*) FROM read_model.activity_history WHERE kind = 'message-sent'").fetchone()
    return row[0] if row is not None else 0

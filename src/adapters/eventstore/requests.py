"""What was asked under an idempotency key, so that the same key with another content is noticed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import psycopg

Lend = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]
"""A connection for a transaction, which is committed when it is given back."""


class Requests:
    """Commands that came with an idempotency key, by the id that follows from it."""

    def __init__(self, lend: Lend) -> None:
        self._lend = lend

    def keep(self, command_id: UUID, content: bytes) -> bool:
        """Remembers the digest of what was asked (SHA-256). False where something else was asked under this id."""
        with self._lend() as connection:
            connection.execute(
                "INSERT INTO arrears.http_requests (command_id, content) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [command_id, content],
            )
            row = connection.execute(
                "SELECT content FROM arrears.http_requests WHERE command_id = %s", [command_id]
            ).fetchone()
        return row is not None and bytes(row[0]) == content

    def is_done(self, command_id: UUID) -> bool:
        """Whether the command has an outcome."""
        with self._lend() as connection:
            found = connection.execute("SELECT FROM arrears.commands WHERE command_id = %s", [command_id]).fetchone()
        return found is not None

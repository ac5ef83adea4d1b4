"""Transactions of a process that may be frozen in the middle of one: what they lock would stay locked for ever.

PostgreSQL ends the connection of whoever stays idle in a transaction. So whoever waits there for something else, such
as an answer of another server, shows now and then that it is there.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.pq import TransactionStatus

IDLE_SECONDS = 60.0
"""Longer than a carrier takes to answer, or Kafka to take a round. Whoever is slower does its batch again."""

_SIGNS = 4


def end_when_frozen(connection: Connection[Any]) -> None:
    """PostgreSQL ends this connection when nothing comes from its client in the middle of a transaction."""
    connection.execute(
        "SELECT set_config('idle_in_transaction_session_timeout', %s, false)", [str(int(IDLE_SECONDS * 1_000))]
    )


@dataclass(slots=True)
class _Used:
    connection: Connection[Any]
    seen: float


_used: ContextVar[_Used | None] = ContextVar("used", default=None)


@contextmanager
def working_in(connection: Connection[Any]) -> Iterator[None]:
    """While it is entered, `show_life` keeps the connection."""
    token = _used.set(_Used(connection, time.monotonic()))
    try:
        yield
    finally:
        _used.reset(token)


def show_life() -> None:
    """Asks the server for nothing, if that was not done just now."""
    used = _used.get()
    if used is None or time.monotonic() - used.seen < IDLE_SECONDS / _SIGNS:
        return
    if used.connection.info.transaction_status is TransactionStatus.INTRANS:
        used.connection.execute("SELECT")
    used.seen = time.monotonic()

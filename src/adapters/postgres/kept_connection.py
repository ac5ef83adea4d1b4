"""A connection that somebody keeps: made when it is first needed, and anew after it was lost."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import Connection

Connect = Callable[[], Connection[Any]]
Prepare = Callable[[Connection[Any]], object]


class KeptConnection:
    """Used by one thread. `prepare` is done on each new connection; where it raises, the connection is not kept."""

    def __init__(self, connect: Connect, prepare: Prepare = lambda _: None) -> None:
        self._connect = connect
        self._prepare = prepare
        self._connection: Connection[Any] | None = None

    def get(self) -> Connection[Any]:
        """Raises what connecting and preparing raise."""
        if self._connection is None or self._connection.closed:
            connection = self._connect()
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def close(self) -> None:
        """The next call of `get` connects again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()


def in_utc(connection: Connection[Any]) -> None:
    """Moments are read as UTC, which is how events hold them."""
    connection.execute("SET timezone TO 'UTC'")

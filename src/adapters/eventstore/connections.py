"""A few connections, kept open and lent out one at a time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

_PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


def always_by_index(connection: psycopg.Connection) -> None:
    """One plan for each statement, and by index: all of the store's statements are for a few rows of a large table.

    A plan made while the table was small would go on reading all of it while it grows, until somebody analyses it.
    """
    for name, value in _PLANS.items():
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])


Connect = Callable[[], psycopg.Connection]


class Connections:
    """Lends connections, the most recently used first; a broken one is dropped, and a new one made when needed.

    psycopg's own pool hands out through a worker thread and checks each time, which costs as much as an append.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._idle: list[psycopg.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def use(self) -> Iterator[psycopg.Connection]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._connect()
        try:
            yield connection
        finally:
            with self._lock:
                keep = not self._closed and not connection.closed
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def drop_idle(self) -> None:
        """After one connection was lost the others are most likely lost too."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def close(self) -> None:
        self._closed = True
        self.drop_idle()

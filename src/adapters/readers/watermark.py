"""Watermarks: waiting until a projection shows what was just written, so that people read their own writes."""

import threading
import time
from collections.abc import Callable

from adapters.eventstore.connections import Connections
from adapters.postgres.database import Database
from adapters.postgres.errors import explained

_FIRST_LOOK_SECONDS = 0.01
_LONGEST_LOOK_SECONDS = 0.1


class Watermark:
    """The positions that live projections have passed: announced in this process, looked up where another runs them."""

    def __init__(self, database: Database) -> None:
        self._connections = Connections(lambda: database.connect("arrears_app", autocommit=True))
        self._passed: dict[str, int] = {}
        self._moved = threading.Condition()
        self._others: list[Callable[[str, int], None]] = []

    def tell(self, other: Callable[[str, int], None]) -> None:
        """Hands on what is announced here from now on: to where it is waited for."""
        self._others.append(other)

    def announce(self, name: str, position: int) -> None:
        """A projection has committed everything up to this position."""
        with self._moved:
            self._passed[name] = max(position, self._passed.get(name, 0))
            self._moved.notify_all()
        for other in self._others:
            other(name, position)

    @explained()
    def wait(self, name: str, position: int, *, timeout: float, stop: threading.Event | None = None) -> bool:
        """Whether the projection shows everything up to `position`, at the latest after `timeout` seconds, or soon
        after `stop` was set."""
        deadline = time.monotonic() + timeout
        pause = _FIRST_LOOK_SECONDS
        while True:
            with self._moved:
                if self._moved.wait_for(
                    lambda: self._passed.get(name, 0) >= position, min(pause, max(0.0, deadline - time.monotonic()))
                ):
                    return True
            if self._look(name) >= position:
                return True
            if time.monotonic() >= deadline or (stop is not None and stop.is_set()):
                return False
            pause = min(2 * pause, _LONGEST_LOOK_SECONDS)

    def _look(self, name: str) -> int:
        with self._connections.use() as connection:
            row = connection.execute(
                "SELECT position FROM read_model.checkpoints JOIN read_model.projections USING (reader) "
                "WHERE name = %s AND state = 'live'",
                [name],
            ).fetchone()
        if row is None:
            return -1
        self.announce(name, row[0])
        return int(row[0])

    def close(self) -> None:
        self._connections.close()

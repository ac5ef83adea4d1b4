"""Looking after the server of a data folder: one that was killed is started again, so many times and not for ever."""

import threading
import time

import structlog

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.errors import DatabaseProblem

_LOOK_SECONDS = 0.5
_TRIES = 6
_FIRST_PAUSE_SECONDS = 0.5
"""Before the second try; twice as long before each that follows: sixteen seconds in all."""
_STEADY_SECONDS = 60.0
"""A server that lived so long has recovered; when it dies after that, the tries are counted anew."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ServerLost(DatabaseProblem):
    """The server of the data folder ended, and cannot be started again or does not stay."""


class Keeper:
    """For the process that owns the folder. Whoever uses the server finds it at the address where it was."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._tries = 0
        self._tried_at = 0.0
        self._last: DatabaseProblem | None = None

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. Raises ServerLost."""
        while not stop.wait(_LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Starts a server that ended, unless it is too early for another try. Raises ServerLost after the last one."""
        now = time.monotonic()
        if self._server.is_alive:
            if now - self._tried_at > _STEADY_SECONDS:
                self._tries = 0
            return
        if self._tries and now - self._tried_at < _FIRST_PAUSE_SECONDS * 2 ** (self._tries - 1):
            return
        if self._tries >= _TRIES:
            raise ServerLost(
                f"PostgreSQL of {self._server.data_dir} ended and was started again {_TRIES} times without staying"
                + (f": {self._last.message}" if self._last else ""),
                hint=f"Its log is {self._server.data_dir / 'postgres' / 'log'}. What was confirmed is safe.",
            )
        try:
            if not self._server.revive():  # somebody else did
                return
        except DatabaseProblem as problem:
            self._last = problem
            _log.error("PostgreSQL ended and did not start again", attempt=self._tries + 1, said=problem.message)
        else:
            self._last = None
            _log.error("PostgreSQL ended and was started again", attempt=self._tries + 1)
        self._tries += 1
        self._tried_at = time.monotonic()

"""The lease of a role that one process works at a time: whoever has it shows that it goes on, or is replaced.

It belongs to the connection that the role writes on, by an advisory lock: who loses the connection, loses the role at
once. A process that is frozen keeps its connection, since the kernel answers for it. So the loop that does the work
also renews a row, and who stands by ends the connection of a holder that did not for long. Each holder has a number,
which grows; what is written is written under it.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from adapters.postgres.database import Database, Role
from adapters.postgres.errors import DatabaseProblem, explained
from adapters.postgres.kept_connection import KeptConnection
from adapters.postgres.transactions import show_life

LEASE_SECONDS = 10.0
"""After this a holder that did not renew is replaced."""

RENEWALS = 4
"""A holder renews so often within a lease."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class LeaseLost(DatabaseProblem):
    """Another process has the role now. Nothing is written any more by this one."""


class Lease:
    """One process's side of a role's lease. Used by one thread.

    `lock` is the role's advisory lock, or the text that it is the hash of; `connects_as` what is renewed as from within
    a transaction. `now` is a clock that never jumps and stands still while the machine sleeps, in seconds.
    """

    def __init__(
        self,
        database: Database,
        role: str,
        *,
        lock: int | str,
        connects_as: Role = "arrears_app",
        seconds: float = LEASE_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.role = role
        self.number: int | None = None
        """What is written under it; None while another process may have the role."""
        self._lock = lock
        self._seconds = seconds
        self._now = now
        self._database = database
        self._beside = KeptConnection(lambda: database.connect(connects_as, autocommit=True))
        self._renewed = 0.0
        self._watched: _Watched | None = None

    @property
    def renewal_seconds(self) -> float:
        """How long the holder may rest before it renews."""
        return self._seconds / RENEWALS

    # --- the holder ---

    def take(self, connection: Connection[Any]) -> bool:
        """Whether the role is this process's from now on, for as long as the connection lives. Asks without waiting.

        Else looks whether the holder goes on, and ends its connection where it does not: a later call gets the role
        then. The connection is in no transaction.
        """
        row = connection.execute(_TAKE, self.about() | {"holder": _holder()}).fetchone()
        if row is None:
            self.watch(connection)
            return False
        self._watched = None
        self.number, self._renewed = int(row[0]), self._now()
        return True

    def renew(self, connection: Connection[Any]) -> None:
        """Says that the loop goes on, if that was not said just now. Raises LeaseLost.

        Whoever slept, and whom nobody replaced, has the role still.
        """
        if self._now() - self._renewed < self.renewal_seconds:
            return
        renewed = connection.execute(_RENEW, self.about(), prepare=True)
        if renewed.rowcount != 1:
            raise self._lost()
        self._renewed = self._now()

    def is_kept(self, connection: Connection[Any]) -> bool:
        """As `renew`; False where another process has the role, or the connection was lost: then it is asked for anew.

        For the begin of a turn, when nothing is at hand. Whoever works now and then only is replaced meanwhile.
        """
        try:
            self.renew(connection)
        except (LeaseLost, psycopg.OperationalError):
            return False
        return True

    def hold(self, connection: Connection[Any]) -> None:
        """Keeps the next holder out until the caller's transaction ends. Raises LeaseLost."""
        if connection.execute(HOLD, self.about(), prepare=True).fetchone() is None:
            raise self._lost()

    @contextmanager
    def working(self) -> Iterator[None]:
        """While it is entered, `going_on` renews this lease."""
        token = _worked_under.set(self)
        try:
            yield
        finally:
            _worked_under.reset(token)
            self._beside.close()

    def let_go(self) -> None:
        """The connection is closed, or about to be."""
        self.number = None
        self._beside.close()

    @explained()
    def renew_beside(self) -> None:
        """As `renew`, while the connection is in a transaction, of which nobody would see it."""
        if self.number is not None and self._now() - self._renewed >= self.renewal_seconds:
            self.renew(self._beside.get())

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"another process is {self.role} now (this one was number {self.number})")

    def about(self) -> dict[str, Any]:
        """What statements name of this lease."""
        return {
            "role": self.role,
            "number": self.number,
            "lock": self._lock if isinstance(self._lock, int) else None,
            "lock_name": self._lock if isinstance(self._lock, str) else None,
            "lasts": timedelta(seconds=self._seconds),
        }

    # --- who stands by ---

    def watch(self, connection: Connection[Any]) -> None:
        """Ends the connection of a holder whose lease ran out, and that was seen not to renew it.

        The second is for those who slept together: after that, or a jump of the database's clock, every lease has run
        out, and its holder renews it as soon as it is awake.
        """
        row = connection.execute(_LOOK, [self.role], prepare=True).fetchone()
        if row is None:
            return
        number, holder, renewed_at, ran_out = row
        if self._watched is None or (self._watched.number, self._watched.renewed_at) != (number, renewed_at):
            self._watched = _Watched(number, renewed_at, self._now())
        if ran_out and self._now() - self._watched.since >= self._seconds / 2:
            self._watched = None
            self._end(number, holder)

    def _end(self, number: int, holder: str) -> None:
        """Without a role: a login may end the connections of its own, and this needs no other right."""
        try:
            with self._database.connect(autocommit=True) as connection:
                ended = connection.execute(_END, {"role": self.role, "number": number}).fetchone()
        except psycopg.errors.InsufficientPrivilege as error:
            _log.error(
                "a holder does not go on, and its connection is another login's",
                role=self.role,
                holder=holder,
                said=error.diag.message_primary,
            )
            return
        if ended is not None:
            _log.warning("a holder did not go on, its connection was ended", role=self.role, holder=holder)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A holder as it was seen, and since when."""

    number: int
    renewed_at: datetime
    since: float


_worked_under: ContextVar[Lease | None] = ContextVar("worked under", default=None)
"""The lease under which this context works; None: nobody else would do that work."""


def going_on() -> None:
    """Said by whatever takes long between two turns of a loop, wherever that is safe to end. Raises LeaseLost."""
    show_life()
    lease = _worked_under.get()
    if lease is not None:
        lease.renew_beside()


def current_number(connection: Connection[Any], role: str) -> int:
    """The number of a role's last holder; 0 where there was none."""
    row = connection.execute("SELECT number FROM arrears.leases WHERE role = %s", [role], prepare=True).fetchone()
    return int(row[0]) if row is not None else 0


def forget(connection: Connection[Any], role: str) -> None:
    """For a role that nobody will have again."""
    connection.execute("DELETE FROM arrears.leases WHERE role = %s", [role])


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


# One statement: whoever is frozen in it has the lock and the row, or neither. The number has to survive a crash of the
# server, so it is on the disk when it is answered.
_TAKE = """
WITH lock AS MATERIALIZED (
    SELECT key, pg_try_advisory_lock(key) AS is_held, set_config('synchronous_commit', 'on', true)
    FROM (SELECT coalesce(%(lock)s::bigint, hashtextextended(%(lock_name)s::text, 0)) AS key) AS named
)
INSERT INTO arrears.leases AS lease (role, number, lock, holder, pid, taken_at, renewed_at, until)
SELECT %(role)s, 1, lock.key, %(holder)s, pg_backend_pid(), now.at, now.at, now.at + %(lasts)s
FROM lock, (SELECT clock_timestamp() AS at) AS now
WHERE lock.is_held
ON CONFLICT (role) DO UPDATE
SET number = lease.number + 1, lock = excluded.lock, holder = excluded.holder, pid = excluded.pid,
    taken_at = excluded.taken_at, renewed_at = excluded.renewed_at, until = excluded.until
RETURNING number
"""

_RENEW = """
UPDATE arrears.leases SET renewed_at = clock_timestamp(), until = clock_timestamp() + %(lasts)s
WHERE role = %(role)s AND number = %(number)s
"""

HOLD = "SELECT FROM arrears.leases WHERE role = %(role)s AND number = %(number)s FOR KEY SHARE"
"""A row where this process has the role still, and has it until the transaction ends, in SQL, of `Lease.about`."""

_LOOK = "SELECT number, holder, renewed_at, until < clock_timestamp() FROM arrears.leases WHERE role = %s"

HELD = """
    arrears.leases AS lease
    JOIN pg_locks AS held
      ON held.pid = lease.pid AND held.locktype = 'advisory' AND held.mode = 'ExclusiveLock' AND held.granted
     AND held.objsubid = 1 AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     AND (held.classid::bigint << 32 | held.objid::bigint) = lease.lock
"""
"""Leases whose holder is there, in SQL: its backend has the lock, and is not another one by the same process id."""

# Whoever waits for a statement that the server is at work on is not frozen, however long that takes.
_END = f"""
SELECT pg_terminate_backend(lease.pid)
FROM {HELD} JOIN pg_stat_activity AS activity ON activity.pid = lease.pid
WHERE lease.role = %(role)s AND lease.number = %(number)s AND lease.until < clock_timestamp()
  AND (activity.state <> 'active' OR activity.wait_event_type = 'Client')
"""  # noqa: S608 - constants

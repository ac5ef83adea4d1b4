"""The sealer: gives committed events their place in the log, and chains a hash over them."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import structlog

from adapters.eventstore.connections import always_by_index
from adapters.eventstore.seals import Seal, write_anchor
from adapters.postgres.database import Database
from adapters.postgres.errors import DatabaseProblem
from adapters.postgres.lease import Lease

CHANNEL = "arrears_sealed"
ROLE = "sealer"
"""Its lease's name."""

_ADVISORY_LOCK = 0x7365616C6572  # "sealer"
_BATCH = 5_000
_BUSY_SECONDS = 0.004
_IDLE_SECONDS = 0.04
_STANDBY_SECONDS = 0.25
_ANCHOR_SECONDS = 5.0
_LAST_SECONDS = 3.0
"""For sealing what is stored when told to end; of a large backlog the next start does the rest."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# One statement is one snapshot. Whoever stored an effect had seen its cause committed, so a snapshot with the effect
# has the cause too, with the lower number. Rows are reached by ctid: nobody else updates this table. The lease's row is
# locked where there is something to seal: a holder that was replaced seals nothing.
_SEAL = """
WITH head AS (
    SELECT coalesce((SELECT last FROM arrears.seals ORDER BY last DESC LIMIT 1), 0)                AS last,
           coalesce((SELECT hash FROM arrears.seals ORDER BY last DESC LIMIT 1), sha256(''::bytea)) AS hash
), waiting AS MATERIALIZED (
    SELECT ctid AS row, seq FROM arrears.events WHERE position IS NULL ORDER BY seq LIMIT %b
), mine AS MATERIALIZED (
    SELECT FROM arrears.leases WHERE role = %b AND number = %b AND EXISTS (SELECT FROM waiting) FOR KEY SHARE
), placed AS MATERIALIZED (
    SELECT row, head.last + row_number() OVER (ORDER BY seq) AS place FROM waiting, head, mine
), moved AS (
    UPDATE arrears.events e SET position = placed.place FROM placed WHERE e.ctid = placed.row
    RETURNING e.position, e.leaf
), seal AS (
    INSERT INTO arrears.seals (first, last, previous_hash, hash)
    SELECT min(moved.position), max(moved.position), head.hash,
           sha256(head.hash || string_agg(moved.leaf, ''::bytea ORDER BY moved.position))
    FROM moved, head GROUP BY head.hash
    RETURNING first, last, hash
)
SELECT last - first + 1, last, hash, pg_notify('arrears_sealed', last::text) FROM seal
"""


def somebody_seals(connection: psycopg.Connection) -> bool:
    """Whether a sealer is at work, in whatever process."""
    row = connection.execute(
        """
        SELECT EXISTS (SELECT FROM pg_locks
                       WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                         AND (classid::bigint << 32) + objid::bigint = %s)
        """,
        [_ADVISORY_LOCK],
    ).fetchone()
    return row is not None and bool(row[0])


class Sealer:
    """Seals while it has the lease; any number may stand by. One connection, which must not go through a pooler.

    `poke` wakes it at once for writers of this process; it looks by itself for those of others.
    """

    def __init__(
        self,
        database: Database,
        *,
        anchor: Path | None = None,
        on_sealed: Callable[[int], None] | None = None,
    ) -> None:
        self._database = database
        self._anchor = anchor
        self._on_sealed = on_sealed
        self._connection: psycopg.Connection | None = None
        self._lease = Lease(database, ROLE, lock=_ADVISORY_LOCK, connects_as="arrears_sealer")
        self._poked = threading.Event()
        self._head: Seal | None = None
        self._anchored = 0.0

    @property
    def is_active(self) -> bool:
        return self._lease.number is not None

    def poke(self) -> None:
        self._poked.set()

    def run(self, stop: threading.Event) -> None:
        """Seals until `stop` is set and nothing, or a large backlog, is left. A lost connection is made anew."""
        idle = 0
        try:
            while not stop.is_set():
                try:
                    self._poked.clear()  # before looking: what is poked from here on is looked for again
                    sealed = self.seal_once() if self._take_lock() else None
                except (psycopg.OperationalError, psycopg.InterfaceError, DatabaseProblem):
                    self._disconnect()
                    sealed = None
                if sealed is None:
                    stop.wait(_STANDBY_SECONDS)
                elif sealed < _BATCH:
                    idle = 0 if sealed else idle + 1
                    self._rest(idle, stop)
            # whoever seals next does the rest
            with suppress(psycopg.OperationalError, psycopg.InterfaceError, DatabaseProblem):
                until = time.monotonic() + _LAST_SECONDS
                while self.is_active and self.seal_once() and time.monotonic() < until:
                    pass
        finally:
            self.close()

    def seal_once(self) -> int:
        """Seals what is committed, up to a batch, and returns how many events that were."""
        if not self._take_lock():
            return 0
        connection = self._connected()
        row = connection.execute(_SEAL, [_BATCH, ROLE, self._lease.number], prepare=True, binary=True).fetchone()
        if row is None:
            return 0
        sealed, last, digest, _ = row
        self._head = Seal(last, digest)
        if self._on_sealed is not None:
            self._on_sealed(last)
        return int(sealed)

    def close(self) -> None:
        self._write_anchor()
        self._disconnect()

    # --- inside ---

    def _rest(self, idle: int, stop: threading.Event) -> None:
        """A short while after work (others commit meanwhile, and are sealed together), longer when nothing comes."""
        if idle == 0:
            stop.wait(_BUSY_SECONDS)
            return
        if time.monotonic() - self._anchored > _ANCHOR_SECONDS:
            self._write_anchor()
        self._poked.wait(min(_BUSY_SECONDS * idle, _IDLE_SECONDS))

    def _take_lock(self) -> bool:
        """Asks without waiting: a blocked statement would hold back vacuum for as long as another one seals."""
        connection = self._connected()
        if self.is_active:
            if self._lease.is_kept(connection):
                return True
            self._disconnect()
            connection = self._connected()
        return self._lease.take(connection)

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._disconnect()
            self._connection = self._database.connect("arrears_sealer", autocommit=True)
            always_by_index(self._connection)
        return self._connection

    def _disconnect(self) -> None:
        """The lease goes with the connection."""
        self._lease.let_go()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write_anchor(self) -> None:
        self._anchored = time.monotonic()
        if self._anchor is not None and self._head is not None:
            try:
                write_anchor(self._anchor, self._head)
            except OSError as error:  # sealing goes on, and the next seal is written there
                _log.error("the last seal was not remembered", path=str(self._anchor), said=error.strerror)
            else:
                self._head = None

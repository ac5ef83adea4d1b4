"""A tick: what the agenda has due is turned into commands, in order, in batches."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from psycopg import Connection

from adapters.clock_check import TOLERANCE, ClockCheck, TickAhead
from adapters.daily_limit import DailyLimits
from adapters.eventstore.application import Arrears
from adapters.eventstore.connections import Connections
from adapters.postgres.database import Database
from adapters.reactor import chunks
from adapters.stop import Stop, check
from adapters.telemetry.metrics import count_refused_tick, count_tick
from aggregates.kernel.command import Accepted
from aggregates.values.business_time import local_date
from policies.agenda import issued_for
from projections.agenda.queries import (
    Share,
    count_due,
    due,
    latest_zones,
    next_due_at,
    unknown_kinds,
)

_CHUNK = 1_000

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TickReport:
    """What a tick did. A second tick at the same moment has nothing to do."""

    at: datetime
    due: int
    """Agenda items that were due, and that an office's limit of messages a day left room for."""
    commands: int
    events: int
    refused: int


class Ticker:
    """Works the agenda. The agenda has to be up to date: the caller lets readers catch up first."""

    def __init__(
        self, arrears: Arrears, database: Database, *, stop: Stop | None = None, tolerance: timedelta = TOLERANCE
    ) -> None:
        """`tolerance`: how far the clock may be from the database's."""
        self._arrears = arrears
        self._stop = stop or Stop()
        self._clock_check = ClockCheck(arrears.clock, tolerance)
        self._connections = Connections(lambda: database.connect("arrears_app", autocommit=True))

    def tick(self, now: datetime, share: Share | None = None) -> TickReport:
        """Everything due at `now`, or one partition's share of it, once. What that makes due again is for the next.

        What is due by this process's own clock alone is worked: earlier it would only be decided that it is too early.
        Raises ClockDiffers, TickAhead, and Stopped between two chunks: what is left is due at the next tick.
        """
        found = commands = events = refused = 0
        with self._connections.use() as connection:
            self._clock_check.require(connection)
            try:
                self._clock_check.require_not_ahead(connection, now)
            except TickAhead:
                count_refused_tick()
                raise
            if not self._arrears.clock.is_set:
                now = min(now, self._arrears.clock.now())
            if share is None:
                self._clock_check.show(connection, now)
            today = max((local_date(now, zone) for zone in latest_zones(connection)), default=now.date())
            limits = DailyLimits(self._arrears, connection, now)
            pages = due(connection, now=now, latest_local_date=today, page=_CHUNK, share=share, full=limits.full)
            answered: set[tuple[str, UUID]] = set()
            for page in pages:
                items = limits.allowed(page)
                found += len(items)
                issued = list(issued_for(items, answered))
                commands += len(issued)
                for chunk in chunks(issued, _CHUNK):
                    check(self._stop)
                    for outcome in self._arrears.handle(chunk):
                        if isinstance(outcome, Accepted):
                            events += len(outcome.event_ids)
                        else:
                            refused += 1
            unknown = _unknown_due(connection, now, today, share)
        count_tick(due=found, commands=commands, unknown=unknown)
        return TickReport(now, found, commands, events, refused)

    def close(self) -> None:
        self._connections.close()

    def next_due(self, *, after: datetime) -> datetime | None:
        """The earliest later moment at which something is due, by the agenda as it stands."""
        with self._connections.use() as connection:
            return next_due_at(connection, after=after)


def _unknown_due(connection: Connection[Any], now: datetime, today: date, share: Share | None) -> int:
    """How many items are due of kinds that this release does not know. They are left, and that is said."""
    kinds = unknown_kinds(connection)
    if not kinds:
        return 0
    due_by_kind = count_due(connection, now=now, latest_local_date=today, share=share, kinds=kinds)
    _log.error("the agenda holds kinds that this release does not know", kinds=kinds, due=due_by_kind)
    return sum(due_by_kind.values())

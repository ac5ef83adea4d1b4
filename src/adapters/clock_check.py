"""Whether the clock of this machine agrees with the database's: what is due, and when it was recorded, hangs on it."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from psycopg import Connection

from adapters.clock import Clock
from adapters.postgres.errors import DatabaseProblem
from projections.agenda.queries import advance_clock, set_clock

TOLERANCE_VARIABLE = "ARREARS_CLOCK_TOLERANCE"
TOLERANCE = timedelta(seconds=30)

_HINT = "Set the clocks right (NTP). Ticks go on by themselves once they agree; nothing that is due is lost."

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ClockDiffers(DatabaseProblem):
    """The clocks differ by more than is tolerated. Nothing that depends on the time is done by either."""


class TickAhead(ClockDiffers):
    """A tick says a time that has not come yet by the database's clock. It is not worked."""


def tolerance_of(env: Mapping[str, str]) -> timedelta:
    """ARREARS_CLOCK_TOLERANCE, in seconds. Raises DatabaseProblem for what is no positive number."""
    said = env.get(TOLERANCE_VARIABLE)
    if not said:
        return TOLERANCE
    try:
        seconds = float(said)
        if not 0 < seconds < float("inf"):
            raise ValueError(said)
        return timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        raise DatabaseProblem(f"{TOLERANCE_VARIABLE}={said}: expected a number of seconds above 0") from None


def difference(clock: Clock, connection: Connection[Any]) -> timedelta:
    """How far the clock is ahead of the database's at least; below zero where it is behind.

    A clock that is set has a time of its own, and differs from nobody's.
    """
    if clock.is_set:
        return timedelta(0)
    before = clock.now()
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    after = clock.now()
    assert row is not None  # noqa: S101
    theirs: datetime = row[0]
    return min(max(theirs, before), after) - theirs if before <= after else before - theirs


class ClockCheck:
    """Says in the log when the clocks begin to differ and when they agree again."""

    def __init__(self, clock: Clock, tolerance: timedelta = TOLERANCE) -> None:
        self._clock = clock
        self._tolerance = tolerance
        self._differed = False
        self._refused = False
        self._turn = threading.Lock()

    def problem(self, connection: Connection[Any]) -> str | None:
        """What is wrong, or None."""
        ahead = difference(self._clock, connection)
        differs = abs(ahead) > self._tolerance
        with self._turn:
            if differs != self._differed:
                self._differed = differs
                if differs:
                    _log.error("the clock differs from the database's; no ticks", seconds=ahead.total_seconds())
                else:
                    _log.warning("the clock agrees with the database's again", seconds=ahead.total_seconds())
        if not differs:
            return None
        how = "ahead of" if ahead > timedelta(0) else "behind"
        return f"this machine's clock is {abs(ahead).total_seconds():,.0f} s {how} the database's; there are no ticks"

    def require_not_ahead(self, connection: Connection[Any], moment: datetime) -> None:
        """Raises TickAhead for a moment further ahead of the database's clock than is tolerated, whoever says it.

        On a clock that is set the time is what it is set to.
        """
        if self._clock.is_set:
            return
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None  # noqa: S101
        ahead: timedelta = moment - row[0]
        is_ahead = ahead > self._tolerance
        with self._turn:
            begins, ends = is_ahead and not self._refused, self._refused and not is_ahead
            self._refused = is_ahead
        if begins:
            _log.error("ticks say a time that has not come, and are not worked", seconds=ahead.total_seconds())
        elif ends:
            _log.warning("ticks say the time again")
        if is_ahead:
            raise TickAhead(
                f"A tick is {ahead.total_seconds():,.0f} s ahead of the database's clock; it is not worked", hint=_HINT
            )

    def show(self, connection: Connection[Any], now: datetime) -> None:
        """Says what time it is to those who look."""
        if self._clock.is_set:
            set_clock(connection, now)
        else:
            advance_clock(connection, now, tolerance=self._tolerance)

    def require(self, connection: Connection[Any]) -> None:
        """Raises ClockDiffers."""
        if (problem := self.problem(connection)) is not None:
            raise ClockDiffers(f"{problem[0].upper()}{problem[1:]}", hint=_HINT)

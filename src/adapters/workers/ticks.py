"""Ticks: a message says what time it is to a partition, and whoever has that works its share of the agenda."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import orjson
import structlog

from adapters.clock_check import ClockDiffers, TickAhead
from adapters.eventstore.connections import Connections
from adapters.eventstore.seals import head_seal
from adapters.kafka.connection import TICKS_TOPIC
from adapters.kafka.quarantine import Reason, Refused, keep, refused
from adapters.postgres.database import Database
from adapters.postgres.lease import current_number
from adapters.readers.partitions import position_of
from adapters.stop import Stopped
from adapters.ticker import Ticker, TickReport

CLOCK = "clock"
"""The role, of which one process says the time: its lease's name."""

_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.02

_READER = "ticks"
"""Under this name stands what is not taken."""
_HIGHEST_POSITION = 2**63 - 1

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class NotATick(ValueError):
    """A message on the topic says no time."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What time it is, and the log's end then: the agenda has to show all up to there before it is worked.

    `number` is that of the lease under which it was said; None from a release that had none.
    """

    now: datetime
    position: int
    number: int | None = None

    def to_json(self) -> bytes:
        return orjson.dumps({"now": self.now, "position": self.position, "number": self.number})

    @classmethod
    def from_json(cls, text: bytes | None) -> Self:
        """Of a message's value, whatever it is. Raises NotATick."""
        try:
            said = orjson.loads(text or b"")
            now, position, number = datetime.fromisoformat(said["now"]), said["position"], said.get("number")
        except Exception as error:  # whatever it is that cannot be read: the message is to blame
            raise NotATick(type(error).__name__) from None
        if now.tzinfo is None or not all(_is_number(each) for each in (position, 0 if number is None else number)):
            raise NotATick("a moment without time zone, or a position or number that is none")
        return cls(now, position, number)


def _is_number(said: object) -> bool:
    return type(said) is int and 0 <= said <= _HIGHEST_POSITION


class TickWorker:
    """Works ticks, in one thread. The latest tick of a partition says all that earlier ones said."""

    def __init__(
        self,
        database: Database,
        ticker: Ticker,
        *,
        partitions: int,
        stop: threading.Event,
        topic: str = TICKS_TOPIC,
        on_worked: Callable[[int, TickReport], None] | None = None,
    ) -> None:
        """`on_worked` is told the partition of a tick that was worked to its end, and what that did."""
        self._connections = Connections(lambda: database.connect("arrears_app", autocommit=True))
        self._ticker = ticker
        self._partitions = partitions
        self._stop = stop
        self._topic = topic
        self._on_worked = on_worked

    def take(self, messages: Sequence[Any]) -> None:
        """A tick that cannot be worked is left to the next one; what is no tick, or says a time that has not come, is
        passed over."""
        try:
            ticks = self._ticks(messages)
        except Exception as error:
            _log.error("ticks not looked at", error=type(error).__name__, said=str(error))
            return
        for partition, given in sorted(ticks.items()):
            for tick in reversed(given):
                if self._stop.is_set():
                    return
                try:
                    self._work(partition, tick)
                except Stopped:
                    return
                except TickAhead:  # it was said; one before it may be right
                    continue
                except ClockDiffers:  # it was said
                    break
                except Exception as error:
                    _log.error("tick not worked", partition=partition, error=type(error).__name__, said=str(error))
                break

    def close(self) -> None:
        self._connections.close()

    def _ticks(self, messages: Sequence[Any]) -> dict[int, list[Tick]]:
        """By partition, as they came. A tick that names a place beyond the end of the log would be waited for."""
        ticks: dict[int, list[Tick]] = {}
        found: list[Refused] = []
        with self._connections.use() as connection:
            head = head_seal(connection).position
            for each in messages:
                try:
                    tick = Tick.from_json(each.value)
                except NotATick:
                    found.append(refused(each, Reason.MALFORMED))
                    continue
                if tick.position > head:
                    found.append(refused(each, Reason.NOT_IN_LOG, tick.position))
                else:
                    ticks.setdefault(each.partition, []).append(tick)
            keep(connection, self._topic, _READER, found)
        return ticks

    def _work(self, partition: int, tick: Tick) -> None:
        if self._is_superseded(tick):
            _log.warning("refused the tick of a clock that was replaced", partition=partition, number=tick.number)
            return
        if not self._is_shown(partition, tick.position):
            _log.warning("the agenda is too far behind for a tick", partition=partition, position=tick.position)
            return
        report = self._ticker.tick(tick.now, (partition, self._partitions))
        if self._on_worked is not None:
            self._on_worked(partition, report)

    def _is_superseded(self, tick: Tick) -> bool:
        """Whether another process had the role before the tick came: this one was held up, and its time is over."""
        if tick.number is None:
            return False
        with self._connections.use() as connection:
            return tick.number < current_number(connection, CLOCK)

    def _is_shown(self, partition: int, position: int) -> bool:
        """Whether the partition's agenda has passed a position; waits for it a while."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with self._connections.use() as connection:
            while position_of(connection, "agenda", partition) < position:
                if time.monotonic() > deadline or self._stop.wait(_LOOK_SECONDS):
                    return False
        return True

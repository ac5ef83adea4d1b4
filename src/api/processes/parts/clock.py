"""The part that says what time it is. In one process it works what is due then, in a cluster `react` does."""

import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from api.processes.parts.part import Helper, HowMany, Need, Run, Worker

if TYPE_CHECKING:
    from adapters.ticker import Ticker
    from api.processes.core import Core

TICK_SECONDS = 2.0
"""Between two ticks."""

_PATIENCE_SECONDS = 60.0


class Clock(Worker):
    name = "clock"
    does = "Say what time it is to each partition"
    at_work = "Ticking"
    how_many = HowMany.ONE_WORKS
    needs = frozenset({Need.KEY, Need.KAFKA})
    helper = Helper.DECIDING

    def in_thread(self, core: "Core", stop: threading.Event) -> Run:
        del stop
        return partial(_tick, core, ticker_of(core))

    def alone(self, core: "Core", stop: threading.Event, *, every: float = TICK_SECONDS) -> Run:
        """A tick for each partition every so many seconds."""
        from adapters.kafka.connection import ticks_topic
        from adapters.kafka.partition_counts import partitions_of
        from adapters.workers.clock import ClockWork

        del stop
        partitions_of(ticks_topic(core.env), core.env)
        clockwork = ClockWork(core.database, core.clock, env=core.env, tolerance=core.clock_tolerance)
        core.closing.callback(clockwork.close)
        return partial(clockwork.run, every=every)


def ticker_of(core: "Core") -> "Ticker":
    """What works the agenda. It is closed with `core`."""
    from adapters.ticker import Ticker

    ticker = Ticker(core.arrears, core.database, stop=core.stop, tolerance=core.clock_tolerance)
    core.closing.callback(ticker.close)
    return ticker


def _tick(core: "Core", ticker: "Ticker", stop: threading.Event) -> None:
    """Works what is due, each time once the agenda shows the log's end. Raises NotReached, Stopped."""
    from adapters.clock_check import ClockDiffers
    from adapters.readers.runner import NotReached

    while not stop.is_set():
        try:
            core.projections.wait_for(core.feed.head(), names=["agenda"], timeout=_PATIENCE_SECONDS, stop=stop)
        except NotReached:
            if stop.is_set():
                return
            raise
        with suppress(ClockDiffers):  # it was said; what is due waits until the clocks agree
            ticker.tick(core.clock.now())
        stop.wait(TICK_SECONDS)

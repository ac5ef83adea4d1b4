"""The part that reacts: policies, and in a cluster the ticks of each partition."""

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from api.processes.parts.clock import ticker_of
from api.processes.parts.part import HowMany, Need, Reading, Run

if TYPE_CHECKING:
    from adapters.reactor import Reactor
    from adapters.readers.runner import Runner
    from adapters.ticker import TickReport
    from api.processes.core import Core


class React(Reading):
    name = "react"
    does = "Apply policies, and work the ticks of the agenda"
    at_work = "Reacting"
    how_many = HowMany.SHARE
    needs = frozenset({Need.KEY, Need.TABLES, Need.KAFKA})

    def from_store(self, core: "Core", stop: threading.Event) -> "Runner":
        from adapters.readers.runner import Runner

        runner = Runner(core.database, core.feed, self._reactor(core, stop))
        core.closing.callback(runner.release)
        return runner

    def alone(
        self,
        core: "Core",
        stop: threading.Event,
        *,
        on_worked: "Callable[[int, TickReport], None] | None" = None,
    ) -> Run:
        """In Faust workers, which raise WorkerEnded where Faust gives up. `on_worked`: see `TickWorker`."""
        from adapters.kafka.partition_counts import shared_partitions
        from adapters.workers.app import run_workers
        from adapters.workers.policies import PolicyWorker
        from adapters.workers.ticks import TickWorker

        partitions = shared_partitions(core.env)
        policies = PolicyWorker(
            core.database, core.arrears, self._reactor(core, stop), env=core.env, partitions=partitions, stop=stop
        )
        ticks = TickWorker(core.database, ticker_of(core), partitions=partitions, stop=stop, on_worked=on_worked)
        return lambda until: run_workers(policies, ticks, env=core.env, stop=until)

    @staticmethod
    def _reactor(core: "Core", stop: threading.Event) -> "Reactor":
        from adapters.reactor import Reactor
        from adapters.readers.shown import report_shown
        from policies.table import POLICIES

        return Reactor(core.arrears, POLICIES, partial(report_shown, core.projections, stop=stop))

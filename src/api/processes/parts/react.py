"""The part that reacts: policies, and in a cluster the ticks of each partition."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from api.processes.parts.clock import ticker_of
from api.processes.parts.part import Helper, HowMany, Need, Reading, Run

if TYPE_CHECKING:
    from adapters.reactor import Reactor
    from adapters.readers.runner import Runner
    from adapters.ticker import TickReport
    from adapters.work.worker import Worker
    from api.processes.core import Core


class React(Reading):
    name = "react"
    does = "Apply policies, work the ticks of the agenda, and do work over many accounts"
    at_work = "Reacting"
    how_many = HowMany.SHARE
    needs = frozenset({Need.KEY, Need.TABLES, Need.KAFKA})
    helper = Helper.DECIDING

    def readers(self, env: Mapping[str, str]) -> Sequence[str]:
        from adapters.reactor import Reactor

        del env
        return (Reactor.name,)

    def from_store(self, core: "Core", stop: threading.Event) -> "Runner":
        del stop
        from adapters.readers.runner import Runner

        runner = Runner(core.database, core.feed, self._reactor(core), stop=core.stop)
        core.closing.callback(runner.release)
        return runner

    def in_thread(self, core: "Core", stop: threading.Event) -> Run:
        return self._beside_work(core, self.from_store(core, stop).run)

    def worker(self, core: "Core") -> "Worker":
        """Does work over many accounts, chunk by chunk."""
        from adapters.bulk.scheduled import ScheduledBulk
        from adapters.inbound.refused_points import RefusedPoints
        from adapters.work.worker import InBackground, Worker
        from aggregates.account.inbound import HeedPoint
        from aggregates.bulk.schedule import RunSchedule

        background: dict[str, InBackground] = {
            RunSchedule.command_name: ScheduledBulk(core.database, core.arrears, core.stop, lambda: core.renderer),
            HeedPoint.command_name: RefusedPoints(core.database, core.arrears),
        }
        worker = Worker(core.database, core.arrears, background)
        core.closing.callback(worker.close)
        return worker

    def alone(
        self,
        core: "Core",
        stop: threading.Event,
        *,
        on_worked: "Callable[[int, TickReport], None] | None" = None,
    ) -> Run:
        """In Faust workers, which raise WorkerEnded where Faust gives up. `on_worked`: see `TickWorker`."""
        from adapters.kafka.connection import ticks_topic
        from adapters.kafka.partition_counts import shared_partitions
        from adapters.workers.app import run_workers
        from adapters.workers.policies import PolicyWorker
        from adapters.workers.ticks import TickWorker

        partitions = shared_partitions(core.env)
        policies = PolicyWorker(
            core.database, core.arrears, self._reactor(core), env=core.env, partitions=partitions, stop=stop
        )
        ticks = TickWorker(
            core.database,
            ticker_of(core),
            partitions=partitions,
            stop=stop,
            topic=ticks_topic(core.env),
            on_worked=on_worked,
        )
        return self._beside_work(core, lambda until: run_workers(policies, ticks, env=core.env, stop=until))

    def _beside_work(self, core: "Core", run: Run) -> Run:
        """With a thread that does work over many accounts. It ends by an event of its own: by looking at the part's it
        would give a sign of life for a loop that hangs."""
        worker = self.worker(core)

        def run_both(stop: threading.Event) -> None:
            ending = threading.Event()
            thread = threading.Thread(target=worker.run, args=[ending], name="work", daemon=True)
            thread.start()
            try:
                run(stop)
            finally:
                ending.set()
                thread.join()

        return run_both

    @staticmethod
    def _reactor(core: "Core") -> "Reactor":
        from adapters.reactor import Reactor
        from policies.table import POLICIES

        return Reactor(core.arrears, POLICIES)

"""The part that delivers."""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from api.processes.parts.part import HowMany, Need, Reading, Run

if TYPE_CHECKING:
    from adapters.delivery.carrier import Carrier
    from adapters.delivery.deliverer import Deliverer
    from adapters.placement.sender import PlacementSender
    from adapters.readers.runner import Runner
    from api.processes.core import Core


_SLICE = timedelta(seconds=1)
"""While a message waits for its turn, whoever stands by is told so often that it waits."""


class Deliver(Reading):
    name = "deliver"
    does = "Send queued messages, and placement files"
    at_work = "Delivering"
    how_many = HowMany.SHARE
    needs = frozenset({Need.KEY, Need.TABLES, Need.KAFKA})

    def readers(self, env: Mapping[str, str]) -> Sequence[str]:
        from adapters.delivery.deliverer import Deliverer

        del env
        return (Deliverer.name,)

    def from_store(
        self,
        core: "Core",
        stop: threading.Event,
        *,
        carrier: "Carrier | None" = None,
        owner: UUID | None = None,
    ) -> "Runner":
        """`carrier` for every channel, not those of the environment; `owner` of the claims, one that nobody else is
        unless it is given. Raises CarrierMisconfigured."""
        from adapters.delivery.deliverer import AT_ONCE
        from adapters.readers.runner import Runner

        deliverer = self._deliverer(core, stop, carrier, owner)
        runner = Runner(core.database, core.feed, deliverer, at_once=AT_ONCE, stop=core.stop)
        core.closing.callback(runner.release)
        return runner

    def in_one_process(self, core: "Core", stop: threading.Event) -> Run:
        return self._beside_files(core, self.from_store(core, stop).run)

    def sender(self, core: "Core") -> "PlacementSender":
        """Makes placement files, and delivers them."""
        from adapters.delivery.carriers.setup import outbox_folder
        from adapters.placement.sender import PlacementSender

        outbox = outbox_folder(core.env, core.data_dir)
        sender = PlacementSender(core.database, core.arrears, core.clock, core.env, outbox)
        core.closing.callback(sender.close)
        return sender

    def alone(self, core: "Core", stop: threading.Event) -> Run:
        from adapters.delivery.deliverer import AT_ONCE
        from adapters.kafka.connection import events_topic, group_of
        from adapters.kafka.partition_counts import partitions_of
        from adapters.kafka.seats import Seat
        from adapters.kafka.topic_runner import TopicRunner

        partitions_of(events_topic(core.env), core.env)
        deliverer = self._deliverer(core, stop)
        runner = TopicRunner(
            core.database,
            core.arrears.event_mapper,
            core.feed,
            {deliverer.name: lambda: Seat(core.database, deliverer)},
            group=group_of(self.name, core.env),
            env=core.env,
            batch=AT_ONCE,
        )
        return self._beside_files(core, runner.run)

    def _beside_files(self, core: "Core", run: Run) -> Run:
        """With a thread that sends placement files. It ends by an event of its own: by looking at the part's it would
        give a sign of life for a loop that hangs."""
        sender = self.sender(core)

        def run_both(stop: threading.Event) -> None:
            ending = threading.Event()
            thread = threading.Thread(target=sender.run, args=[ending], name="placement-files", daemon=True)
            thread.start()
            try:
                run(stop)
            finally:
                ending.set()
                thread.join()

        return run_both

    @staticmethod
    def _deliverer(
        core: "Core", stop: threading.Event, carrier: "Carrier | None" = None, owner: UUID | None = None
    ) -> "Deliverer":
        from adapters.delivery.carriers.setup import Carriers, carriers_of
        from adapters.delivery.deliverer import Deliverer
        from adapters.postgres.lease import going_on
        from adapters.stop import check

        def wait_until(moment: datetime) -> None:
            """Told to end meanwhile, the message is left to the next start: its turn has not come."""
            while (now := core.clock.now()) < moment:
                core.clock.wait_until(min(moment, now + _SLICE), stop)
                check(stop)
                going_on()

        carriers = Carriers(carrier) if carrier else carriers_of(core.env, core.data_dir, core.clock)
        core.closing.callback(carriers.close)
        carriers.say()
        return Deliverer(core.arrears, carriers, wait_until, core.renderer, owner=owner)

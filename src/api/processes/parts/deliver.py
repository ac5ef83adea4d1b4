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
    from adapters.readers.runner import Runner
    from api.processes.core import Core


_SLICE = timedelta(seconds=1)
"""While a message waits for its turn, whoever stands by is told so often that it waits."""


class Deliver(Reading):
    name = "deliver"
    does = "Send queued messages"
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

    def alone(self, core: "Core", stop: threading.Event) -> Run:
        from adapters.delivery.deliverer import AT_ONCE
        from adapters.kafka.connection import events_topic, group_of
        from adapters.kafka.partition_counts import partitions_of
        from adapters.kafka.seats import Seat
        from adapters.kafka.topic_runner import TopicRunner

        partitions_of(events_topic(core.env), core.env)
        deliverer = self._deliverer(core, stop)
        return TopicRunner(
            core.database,
            core.arrears.event_mapper,
            core.feed,
            {deliverer.name: lambda: Seat(core.database, deliverer)},
            group=group_of(self.name, core.env),
            env=core.env,
            batch=AT_ONCE,
        ).run

    @staticmethod
    def _deliverer(
        core: "Core", stop: threading.Event, carrier: "Carrier | None" = None, owner: UUID | None = None
    ) -> "Deliverer":
        from adapters.attachments.setup import say_where
        from adapters.delivery.attached import AttachedFiles
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
        say_where(core.attachments, core.env, core.data_dir)
        files = AttachedFiles(core.attachments)
        return Deliverer(core.arrears, carriers, wait_until, core.renderer, owner=owner, files=files)

"""The part that delivers."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from api.processes.parts.part import Helper, HowMany, Need, Reading, Run

if TYPE_CHECKING:
    from adapters.delivery.carrier import Carrier
    from adapters.delivery.sender import Sender
    from adapters.placement.sender import PlacementSender
    from adapters.readers.runner import Runner
    from api.processes.core import Core


class Deliver(Reading):
    """A reader fills the queue of deliveries; a thread for each carrier empties it."""

    name = "deliver"
    does = "Send queued messages, and placement files"
    at_work = "Delivering"
    how_many = HowMany.SHARE
    needs = frozenset({Need.KEY, Need.TABLES, Need.KAFKA})
    helper = Helper.DECIDING

    def readers(self, env: Mapping[str, str]) -> Sequence[str]:
        from adapters.delivery.intake import Intake

        del env
        return (Intake.name,)

    def from_store(self, core: "Core", stop: threading.Event) -> "Runner":
        del stop
        from adapters.delivery.intake import Intake
        from adapters.readers.runner import Runner

        runner = Runner(core.database, core.feed, Intake(core.arrears), stop=core.stop)
        core.closing.callback(runner.release)
        return runner

    def in_thread(self, core: "Core", stop: threading.Event, *, carrier: "Carrier | None" = None) -> Run:
        """`carrier` for every channel, not those of the environment. Raises CarrierMisconfigured."""
        return self._beside_senders(core, self.senders(core, carrier), self.from_store(core, stop).run)

    def sender(self, core: "Core") -> "PlacementSender":
        """Makes placement files, and delivers them."""
        from adapters.delivery.carriers.setup import outbox_folder
        from adapters.placement.sender import PlacementSender

        outbox = outbox_folder(core.env, core.data_dir)
        sender = PlacementSender(core.database, core.arrears, core.clock, core.env, outbox)
        core.closing.callback(sender.close)
        return sender

    def alone(self, core: "Core", stop: threading.Event) -> Run:
        del stop
        from adapters.delivery.intake import Intake
        from adapters.kafka.connection import events_topic, group_of
        from adapters.kafka.partition_counts import partitions_of
        from adapters.kafka.seats import Seat
        from adapters.kafka.topic_runner import TopicRunner

        partitions_of(events_topic(core.env), core.env)
        intake = Intake(core.arrears)
        runner = TopicRunner(
            core.database,
            core.arrears.event_mapper,
            core.feed,
            {intake.name: lambda: Seat(core.database, intake)},
            group=group_of(self.name, core.env),
            env=core.env,
        )
        return self._beside_senders(core, self.senders(core), runner.run)

    def senders(
        self, core: "Core", carrier: "Carrier | None" = None, *, burst: timedelta | None = None
    ) -> "list[Sender]":
        """One for each carrier; `burst` as in the queue. Raises CarrierMisconfigured."""
        from adapters.delivery.attached import AttachedFiles
        from adapters.delivery.carriers.setup import Carriers, carriers_of
        from adapters.delivery.queue import BURST
        from adapters.delivery.sender import senders

        carriers = Carriers(carrier) if carrier else carriers_of(core.env, core.data_dir, core.clock)
        core.closing.callback(carriers.close)
        carriers.say()
        files = AttachedFiles(core.attachments)
        made = senders(core.arrears, core.database, carriers, core.renderer, files=files, burst=burst or BURST)
        for each in made:
            core.closing.callback(each.close)
        return made

    def _beside_senders(self, core: "Core", senders: "Sequence[Sender]", run: Run) -> Run:
        """With a thread for each, and one for placement files. They end by an event of their own: by looking at the
        part's they would give a sign of life for a loop that hangs."""
        from adapters.attachments.setup import say_where

        say_where(core.attachments, core.env, core.data_dir)
        runs = {f"send-{each.carrier.name}": each.run for each in senders} | {"placement-files": self.sender(core).run}

        def run_all(stop: threading.Event) -> None:
            ending = threading.Event()
            with ExitStack() as ended:
                for name, send in runs.items():
                    thread = threading.Thread(target=send, args=[ending], name=name, daemon=True)
                    thread.start()
                    ended.callback(thread.join)
                ended.callback(ending.set)
                run(stop)

        return run_all

"""The part that publishes."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from api.processes.parts.part import HowMany, Need, Run, Worker

if TYPE_CHECKING:
    from api.processes.core import Opened


class Publish(Worker):
    """It opens no event, so it needs the database and no key."""

    name = "publish"
    does = "Copy the sealed log to Kafka"
    at_work = "Publishing"
    how_many = HowMany.ONE_WORKS
    needs = frozenset({Need.KAFKA})

    def readers(self, env: Mapping[str, str]) -> Sequence[str]:
        from adapters.kafka.connection import events_topic
        from adapters.kafka.publisher import reader_name

        return (reader_name(events_topic(env)),)

    def alone(self, core: "Opened", stop: threading.Event) -> Run:
        """Raises LogBehind where the topic has events that this log has not."""
        from api.processes.publishing import check_same_log, publishing

        del stop
        check_same_log(core.database, core.env)
        return core.closing.enter_context(publishing(core.database, core.env, stop=core.stop)).run

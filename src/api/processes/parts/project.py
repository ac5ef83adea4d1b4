"""The part that projects."""

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from api.processes.parts.part import Helper, HowMany, Need, Reading, Run

if TYPE_CHECKING:
    from adapters.kafka.seats import Seat
    from adapters.readers.projections import Progress, Projections
    from api.processes.core import Core


class Project(Reading):
    name = "project"
    does = "Keep read tables up to date"
    at_work = "Projecting"
    how_many = HowMany.SHARE
    needs = frozenset({Need.KEY, Need.KAFKA})
    helper = Helper.PROJECTING

    def readers(self, env: Mapping[str, str]) -> Sequence[str]:
        from api.processes.core import PROJECTIONS

        del env
        return tuple(each.name for each in PROJECTIONS)

    def from_store(self, core: "Core", stop: threading.Event) -> "Projections":
        del stop
        return core.projections

    def alone(
        self, core: "Core", stop: threading.Event, *, names: Sequence[str] = (), progress: "Progress | None" = None
    ) -> Run:
        """Those of the `names`, or all; builds what is missing first. Processes of the same names are a group.

        Raises UnknownProjection.
        """
        from adapters.kafka.connection import events_topic, group_of
        from adapters.kafka.partition_counts import partitions_of
        from adapters.kafka.topic_runner import TopicRunner
        from adapters.readers.projections import silent

        del stop
        core.projections.check(names)
        partitions_of(events_topic(core.env), core.env)
        core.projections.start_keeping(progress or silent)
        return TopicRunner(
            core.database,
            core.arrears.event_mapper,
            core.feed,
            {name: partial(projection_seat, core, name) for name in names or core.projections.names},
            group=group_of(self.name, core.env, names),
            env=core.env,
        ).run


def projection_seat(core: "Core", name: str) -> "Seat":
    """The seat of a projection's live generation. Raises ReaderRetired where there is none."""
    from adapters.kafka.seats import Seat
    from adapters.readers.generations import GenerationReader

    projection, generation = core.projections.live(name)
    return Seat(
        core.database,
        GenerationReader(projection, generation),
        search_path=generation.search_path,
        on_progress=partial(core.projections.watermark.announce, name),
    )

"""The part that seals."""

import threading
from typing import TYPE_CHECKING

from api.processes.parts.part import HowMany, Need, Run, Worker

if TYPE_CHECKING:
    from adapters.eventstore.sealer import Sealer
    from api.processes.core import Core


class Seal(Worker):
    name = "seal"
    does = "Give stored events their place in the log"
    at_work = "Sealing"
    how_many = HowMany.ONE_WORKS
    needs = frozenset({Need.KEY})
    shows_installation = True

    def sealer(self, core: "Core") -> "Sealer":
        """A sealer that writers and readers of this process know of. It is closed with `core`."""
        from adapters.eventstore.sealer import Sealer

        sealer = Sealer(core.database, anchor=core.anchor, on_sealed=core.feed.announce)
        core.closing.callback(sealer.close)
        core.when_stored(sealer.poke)
        return sealer

    def in_thread(self, core: "Core", stop: threading.Event) -> Run:
        del stop
        return self.sealer(core).run

    alone = in_thread

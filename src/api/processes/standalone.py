"""Arrears without a cluster: every part in a thread of its own, of this process or of a helper."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import structlog

from adapters.postgres.keeper import Keeper, ServerLost
from api.processes import parts
from api.processes.helper import HelperProcess
from api.processes.parts.part import Helper
from api.processes.service import Service
from api.processes.supervise import supervise

_END_SECONDS = 12.0
"""For what the parts have in hand. It is safe to leave them behind: what is not stored is done at the next start."""

_TURN_SECONDS = 0.001
"""How long a thread that computes may keep others waiting for the interpreter. An answer to a person waits some twenty
times for the database, and for its turn after each: with the usual five milliseconds that is a tenth of a second."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Standalone(Service):
    """A service that does its own work: `start` runs the parts until `close`."""

    failure: ServerLost | None = None
    """Why the process tells itself to end, where it does."""
    _threads: tuple[threading.Thread, ...] = ()

    def start(self, helpers: Sequence[HelperProcess] = ()) -> None:
        """Runs every part that has something to do, each in a thread named like it: in its helper where that is one of
        these, else here. Helpers live by the system's clock.

        Raises what a part cannot be set up by, such as InboundMisconfigured, and HelperFailed; nothing runs then.
        """
        sys.setswitchinterval(_TURN_SECONDS)
        self.projections.start_keeping()
        with ExitStack() as undone:
            for each in helpers:
                undone.callback(each.end)
                each.begin(self)
            elsewhere = {each.helper for each in helpers}
            runs = {part.name: part.in_thread(self, self.stop) for part in parts.PARTS if part.helper not in elsewhere}
            for each in helpers:
                each.wait_until_begun()
                runs[each.helper] = each.run
            undone.pop_all()
        for name, run in runs.items():
            if run is not None:
                thread = threading.Thread(
                    target=supervise, args=(name, run, self.stop, self.restarts.note), name=name, daemon=True
                )
                thread.start()
                self._threads += (thread,)
        if (server := self.database.embedded) is not None:
            keeper = threading.Thread(target=self._keep, args=[Keeper(server)], name="postgres", daemon=True)
            keeper.start()
            self._threads += (keeper,)

    def _keep(self, keeper: Keeper) -> None:
        """Nothing can be done without the server: whoever looks after this process has to see that it ended."""
        try:
            keeper.run(self.stop)
        except ServerLost as lost:
            self.failure = lost
            os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """Ends the parts, which finish what they have in hand and seal what is stored, and lets the database go."""
        self.stop.set()
        until = time.monotonic() + _END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if left := [thread.name for thread in self._threads if thread.is_alive()]:
            _log.warning("parts did not end in time and are left behind", parts=left, seconds=_END_SECONDS)
        self._threads = ()
        super().close()


@contextmanager
def helpers_of_this_machine() -> Iterator[list[HelperProcess]]:
    """All of them, started; or none where there is one processor, which they would only share. They are ended after."""
    made = [HelperProcess(each) for each in Helper] if (os.cpu_count() or 1) > 1 else []
    try:
        yield made
    finally:
        for each in made:
            each.end()

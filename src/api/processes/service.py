"""What HTTP and the command line are handed: commands in, read tables out, and when they show what was written."""

import time
from collections.abc import Callable, Iterator

from adapters.clock_check import ClockCheck
from adapters.eventstore.sealer import somebody_seals
from adapters.eventstore.verify import Finding, verify
from adapters.readers.projections import Progress as BuildProgress
from adapters.readers.projections import Status, checkpoints, silent
from adapters.readers.runner import NotReached
from api.processes.core import Core, anchored
from projections.questions.names import FILLED, names

_LOOK_SECONDS = 0.002


def _silent(done: int, total: int) -> None:
    """No progress is shown."""


class Service(Core):
    """Arrears as one uses it. By itself it runs nothing: sealing and projecting is the work of other processes.

    `Standalone` does that work too, in threads; `StepByStep` does it when it is asked to.
    """

    def wait_until_shown(self, timeout: float = 5.0) -> None:
        """Returns once the read tables show everything stored before this call. Raises NotReached after `timeout`
        seconds."""
        deadline = time.monotonic() + timeout
        while self.has_unsealed():
            if time.monotonic() > deadline:
                raise NotReached("stored events are not sealed yet")
            time.sleep(_LOOK_SECONDS)
        self.projections.wait_for(self.feed.head(), timeout=max(0.0, deadline - time.monotonic()))

    def needs_hands(self) -> bool:
        """Whether read tables are missing, or behind the log or without names and nobody is there who mends that."""
        if not self.projections.are_built():
            return True
        with self.database.connect("arrears_app") as connection:
            if somebody_seals(connection):
                return False
            if names(connection) is not FILLED:
                return True
        head = self.feed.head()
        return self.has_unsealed() or any(each.state == "live" and each.checkpoint < head for each in self.status())

    def has_unsealed(self) -> bool:
        """Whether something stored has no place in the log yet."""
        with self.database.connect("arrears_app") as connection:
            row = connection.execute("SELECT EXISTS (SELECT FROM arrears.events WHERE position IS NULL)").fetchone()
        return row is not None and bool(row[0])

    # --- looking after it ---

    def prepare(self, progress: BuildProgress = silent) -> None:
        """Builds projections that are missing or outdated."""
        self.projections.start(progress)

    def status(self) -> list[Status]:
        return self.projections.status()

    def clock_problem(self) -> str | None:
        """What is wrong with this machine's clock, or None."""
        with self.database.connect("arrears_app") as connection:
            return ClockCheck(self.clock, self.clock_tolerance).problem(connection)

    def rebuild(self, name: str, progress: BuildProgress = silent) -> None:
        """Builds a projection anew beside the live one and switches. Raises UnknownProjection, BeingBuilt."""
        self.projections.rebuild(name, progress)

    def verify(self, progress: Callable[[int, int], None] = _silent) -> Iterator[Finding]:
        """Proves the log against itself and against what readers remember of it."""
        with self.database.connect("arrears_app") as connection:
            remembered = [*checkpoints(connection), *anchored(self.anchor)]
        with self.database.connect("arrears_app", autocommit=True) as connection:
            yield from verify(connection, checkpoints=remembered, progress=progress)

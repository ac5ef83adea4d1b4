"""Whether the process can be used, answered apart from all other work."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from adapters.telemetry.checks import Check

KEPT_SECONDS = 1.0
LONGEST_SECONDS = 2.0


class Kept:
    """A check that is made in a thread of its own, once for all who ask at the same time, and kept for a moment.

    However many ask, and whatever else is worked on: they make no more work, and wait for none.
    """

    def __init__(self, check: Check, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._made: Future[str | None] | None = None
        self._made_at = 0.0

    async def problem(self) -> str | None:
        """What is wrong; None where nothing is. Raises what the check raised."""
        made = self._made
        if made is None or (made.done() and self._clock() >= self._made_at + KEPT_SECONDS):
            made, self._made_at = self._begin(), self._clock()
            self._made = made
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(made)), LONGEST_SECONDS)
        except TimeoutError:
            return f"whether it is ready was not known after {LONGEST_SECONDS:.0f} seconds"

    def _begin(self) -> "Future[str | None]":
        made: Future[str | None] = Future()

        def make() -> None:
            try:
                made.set_result(self._check())
            except BaseException as error:
                made.set_exception(error)

        threading.Thread(target=make, name="readiness", daemon=True).start()
        return made

"""Which parts of a process ended by an error lately: one that ends again and again does none of its work."""

import time
from collections.abc import Callable

RECOVERED_SECONDS = 30.0
"""Longer than a start takes."""


class Restarts:
    """Parts that ended by an error lately, and its kind. `now` is a clock that never jumps back, in seconds.

    One that runs for RECOVERED_SECONDS after it has recovered; one that ends again and again never does.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failed: dict[str, tuple[str, float]] = {}

    def note(self, part: str, error: str) -> None:
        """It ended by an error of this kind, and is started again. May be called by any thread."""
        self._failed[part] = error, self._now()

    def problem(self) -> str | None:
        """What is wrong, or None. Anybody may ask, so an error's own words, which may quote anything, are not said."""
        since = self._now() - RECOVERED_SECONDS
        lately = [f"{part} ({error})" for part, (error, at) in sorted(self._failed.items()) if at > since]
        return f"failed and started again, the log says why: {', '.join(lately)}" if lately else None

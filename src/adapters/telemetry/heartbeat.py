"""A sign of life: a loop beats at each turn, and whoever asks learns whether it has lately."""

import threading
import time
from collections.abc import Callable

WITHIN_SECONDS = 120.0
"""Longer than any batch takes."""


class Heartbeat:
    """Of one loop. It counts as beating from the start; `now` is a clock that never jumps back, in seconds."""

    def __init__(self, loop: str, *, within: float = WITHIN_SECONDS, now: Callable[[], float] = time.monotonic) -> None:
        self.loop = loop
        self._within = within
        self._now = now
        self._last = now()

    def beat(self) -> None:
        """The loop goes on. Costs nothing worth counting; may be called by any thread."""
        self._last = self._now()

    def problem(self) -> str | None:
        """What is wrong, or None."""
        silent = self._now() - self._last
        if silent <= self._within:
            return None
        return f"no sign of life for {silent:.0f} s; {self._within:.0f} s at most are expected"

    def watching(self, stop: threading.Event) -> threading.Event:
        """An event for a loop to run on in place of `stop`: each look at it, and each wait for it, is a beat."""
        return _WatchedStop(stop, self.beat, slice_seconds=self._within / 4)


class _WatchedStop(threading.Event):
    """Waits on another event, in slices, so that a loop that waits for long is seen to live."""

    def __init__(self, stop: threading.Event, beat: Callable[[], None], *, slice_seconds: float) -> None:
        super().__init__()
        self._stop = stop
        self._beat = beat
        self._slice = slice_seconds

    def is_set(self) -> bool:
        self._beat()
        return self._stop.is_set()

    def set(self) -> None:
        self._stop.set()

    def clear(self) -> None:
        self._stop.clear()

    def wait(self, timeout: float | None = None) -> bool:
        ends = None if timeout is None else time.monotonic() + timeout
        while True:
            self._beat()
            left = self._slice if ends is None else min(self._slice, ends - time.monotonic())
            if self._stop.wait(max(0.0, left)):
                return True
            if ends is not None and time.monotonic() >= ends:
                return False

"""Waiting for what other threads and processes do, on a machine that may be as slow as it likes."""

import time
from collections.abc import Callable

HANG = 600.0
"""Seconds after which something hangs: a limit that no test reaches by being slow."""


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Returns once it is so. AssertionError where it never is, with `what` should have happened."""
    deadline = time.monotonic() + HANG
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: it did not happen"
        time.sleep(0.02)

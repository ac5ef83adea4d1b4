"""Ending when told to: one event, handed to whatever goes on for long, which looks at it between its batches.

A batch takes a second or two at most. What was stored by then stays, and the next start goes on from there.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

Stop = threading.Event
"""Set once the process, or the part of it, is to end."""

_LOOK_SECONDS = 0.1
_CANCEL_SECONDS = 2.0


class Stopped(Exception):
    """Told to end before everything was done."""


def check(stop: Stop) -> None:
    """Raises Stopped where it is set."""
    if stop.is_set():
        raise Stopped("told to end")


def pause(stop: Stop, seconds: float) -> None:
    """Waits so long. Raises Stopped where it is set, or gets set meanwhile."""
    if stop.wait(seconds):
        raise Stopped("told to end")


@contextmanager
def cancelled_on(stop: Stop, connection: "Connection[Any]") -> Iterator[None]:
    """For statements that may take long: the one under way is cancelled when `stop` gets set.

    Raises Stopped then; the transaction has failed. The connection is used by nobody else meanwhile.
    """
    from psycopg.errors import QueryCanceled  # not above: every command imports this module

    check(stop)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_LOOK_SECONDS):  # what ends early is waited for by nobody
            if stop.is_set():
                connection.cancel_safe(timeout=_CANCEL_SECONDS)

    watcher = threading.Thread(target=watch, name="cancels", daemon=True)
    watcher.start()
    try:
        yield
    except QueryCanceled:
        check(stop)
        raise
    finally:
        done.set()
        watcher.join()

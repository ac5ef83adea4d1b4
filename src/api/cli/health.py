"""What a role shows of itself on a port of its own: whether it lives, whether it can work, what it has counted."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.cli.problems import Problem
from api.processes.parts.part import Part

if TYPE_CHECKING:
    from api.processes.core import Opened


@contextmanager
def watched(part: Part, core: "Opened", ending: threading.Event | None = None) -> Iterator[threading.Event]:
    """Answers on ARREARS_HEALTH_PORT, if that is set, and gives an event for the part's loop to run on.

    Each look at the event is a sign of life. A part that needs read tables is ready once every projection is built.
    Raises Problem where the port cannot be used.
    """
    from adapters.clock import SystemClock
    from adapters.telemetry.health import HOST_VARIABLE, PORT_VARIABLE, HealthServer
    from adapters.telemetry.heartbeat import Heartbeat
    from adapters.telemetry.store_collector import StoreCollector
    from api.processes.readiness import checks_of

    heartbeat = Heartbeat(part.name)
    stop = heartbeat.watching(ending or threading.Event())
    if not (port := os.environ.get(PORT_VARIABLE)):
        yield stop
        return
    try:
        server = HealthServer(
            int(port),
            host=os.environ.get(HOST_VARIABLE) or "127.0.0.1",
            checks=checks_of(core, part.needs),
            heartbeats=[heartbeat] if part.has_loop else [],
            collectors=[StoreCollector(core.database, SystemClock())] if part.shows_installation else [],
        )
    except (OSError, ValueError) as error:
        raise Problem(f"{PORT_VARIABLE}={port} cannot be used: {error}") from None
    with server:
        yield stop

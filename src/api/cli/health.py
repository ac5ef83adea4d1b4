"""What a role shows of itself on a port of its own: whether it lives, whether it can work, what it has counted."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.cli.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.postgres.database import Database
    from adapters.readers.projections import Status

PORT_VARIABLE = "ARREARS_HEALTH_PORT"
HOST_VARIABLE = "ARREARS_HEALTH_HOST"

_KEEPS_NO_LOOP = "api"
_TELLS_OF_ALL = "seal"
"""Figures of the whole installation come from the database; of the roles one asks for them."""


@contextmanager
def watched(
    role: str,
    database: "Database",
    told: threading.Event | None = None,
    *,
    status: "Callable[[], Sequence[Status]] | None" = None,
) -> Iterator[threading.Event]:
    """Answers on ARREARS_HEALTH_PORT, if that is set, and gives an event for the role's loop to run on.

    Each look at the event is a sign of life. With `status` it is ready once every projection is built. Raises Problem
    where the port cannot be used.
    """
    from adapters.clock import SystemClock
    from adapters.telemetry.checks import database_answers, projections_built
    from adapters.telemetry.health import HealthServer
    from adapters.telemetry.heartbeat import Heartbeat
    from adapters.telemetry.store_collector import StoreCollector

    heartbeat = Heartbeat(role)
    stop = heartbeat.watching(told or threading.Event())
    if not (port := os.environ.get(PORT_VARIABLE)):
        yield stop
        return
    try:
        server = HealthServer(
            int(port),
            host=os.environ.get(HOST_VARIABLE) or "127.0.0.1",
            checks={
                "database": database_answers(database),
                **({} if status is None else {"projections": projections_built(status)}),
            },
            heartbeats=[] if role == _KEEPS_NO_LOOP else [heartbeat],
            collectors=[StoreCollector(database, SystemClock())] if role == _TELLS_OF_ALL else [],
        )
    except (OSError, ValueError) as error:
        raise Problem(f"{PORT_VARIABLE}={port} cannot be used: {error}") from None
    with server:
        yield stop

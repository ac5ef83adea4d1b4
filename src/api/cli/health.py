"""What a role shows of itself on a port of its own: whether it lives, whether it can work, what it has counted."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from api.cli.problems import Problem
from api.processes.parts.part import Need, Part

if TYPE_CHECKING:
    from adapters.kafka.watch import KafkaWatch
    from adapters.telemetry.checks import Check
    from adapters.telemetry.health import HealthServer
    from adapters.telemetry.heartbeat import Heartbeat
    from api.processes.core import Opened


class Watched:
    """A process that is looked at from outside. It is not ready until it has what it works with."""

    def __init__(self, part: Part, heartbeat: "Heartbeat", kafka: "KafkaWatch | None") -> None:
        self._part = part
        self._heartbeat = heartbeat
        self._kafka = kafka
        self._waits_for: str | None = "it has only begun"
        self.checks: dict[str, Check] = {"start": lambda: self._waits_for}
        """What `/ready` asks, by name."""
        self.server: HealthServer | None = None

    def waits_for(self, problem: str | None) -> None:
        """It cannot begin, or go on, because of this; None: it does."""
        self._heartbeat.beat()
        self._waits_for = problem

    def looking_at(self, stop: threading.Event) -> threading.Event:
        """An event for a loop to run on in place of `stop`: each look at it is a sign of life."""
        return self._heartbeat.watching(stop)

    def works_with(self, core: "Opened", *, readers: Sequence[str] = ()) -> None:
        """From now on it is ready while what it works with is. `readers`: see `Part.readers`."""
        from adapters.clock import SystemClock
        from adapters.telemetry.store_collector import StoreCollector
        from api.processes.readiness import checks_of

        self.checks.update(checks_of(core, self._part.needs, readers=readers))
        if self._kafka is not None:
            self.checks["kafka"] = self._kafka.problem
        if self._part.shows_installation and self.server is not None:
            self.server.add(StoreCollector(core.database, SystemClock()))


@contextmanager
def watched(part: Part) -> Iterator[Watched]:
    """Answers on ARREARS_HEALTH_PORT, if that is set, from the start of a process on, whatever it has to wait for.

    Raises Problem where the port cannot be used.
    """
    from adapters.kafka.connection import SERVERS_VARIABLE
    from adapters.kafka.watch import KafkaWatch
    from adapters.telemetry.health import HOST_VARIABLE, PORT_VARIABLE, HealthServer
    from adapters.telemetry.heartbeat import Heartbeat

    heartbeat = Heartbeat(part.name)
    with ExitStack() as stack:
        looks = Need.KAFKA in part.needs and os.environ.get(SERVERS_VARIABLE)
        kafka = stack.enter_context(KafkaWatch(os.environ)) if looks else None
        watched = Watched(part, heartbeat, kafka)
        if port := os.environ.get(PORT_VARIABLE):
            try:
                watched.server = HealthServer(
                    int(port),
                    host=os.environ.get(HOST_VARIABLE) or "127.0.0.1",
                    checks=watched.checks,
                    heartbeats=[heartbeat] if part.has_loop else [],
                )
            except (OSError, ValueError) as error:
                raise Problem(f"{PORT_VARIABLE}={port} cannot be used: {error}") from None
            stack.enter_context(watched.server)
        yield watched

"""Connections that cannot be held for nothing: how many there may be, and how long each may take over what it says.

uvicorn gives a connection all the time in the world to send its request and to take its answer. Here the head, the
body and the taking of an answer have their seconds each, counted as a whole: a byte now and then does not help. Where
too many connections are open, the one that has been idle for longest makes room; where none is idle, a new one gets no
answer but to questions after health.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from adapters.telemetry.metrics import HTTP_CONNECTIONS, count_closed
from api.http.admission import CROWDED, Overloaded
from api.http.problems import MEDIA_TYPE, Problem

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """`open`: connections at once, and `spare` more for health. The others are seconds."""

    open: int = 512
    spare: int = 16
    head: float = 10.0
    body: float = 30.0
    answer: float = 30.0
    """Without taking anything of an answer that is too large for the buffers in between."""


BOUNDS = Bounds()


class Closed(StrEnum):
    """Why a connection was closed by us; the label of its metric."""

    SLOW_HEAD = "slow-head"
    SLOW_BODY = "slow-body"
    SLOW_READER = "slow-reader"
    CROWDED = "crowded"


def protocol_of(bounds: Bounds) -> type["BoundedConnection"]:
    """The protocol that uvicorn is to speak."""
    return type("BoundedConnection", (BoundedConnection,), {"bounds": bounds})


class BoundedConnection(H11Protocol):
    """A connection of HTTP/1.1 within its bounds."""

    bounds: ClassVar[Bounds] = BOUNDS

    _deadline: asyncio.TimerHandle | None = None
    """Of what the client is saying."""
    _saying: Any = None
    """Which part of a request that is."""
    _taking: asyncio.TimerHandle | None = None
    """Of what it takes of the answer."""
    _since = 0.0
    """When it was opened, or last did something."""

    # --- of asyncio ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = time.monotonic()
        HTTP_CONNECTIONS.inc()
        if len(self.connections) > self.bounds.open and not self._others_make_room():
            if len(self.connections) > self.bounds.open + self.bounds.spare:
                self._close(Closed.CROWDED, Overloaded())
                return
            self.app_state = {**self.app_state, CROWDED: True}
        self._look()

    def data_received(self, data: bytes) -> None:
        self._since = time.monotonic()
        super().data_received(data)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        HTTP_CONNECTIONS.dec()
        self._set_deadline(None)
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking = self.loop.call_later(self.bounds.answer, self._abort, Closed.SLOW_READER)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    # --- of uvicorn ---

    def on_response_complete(self) -> None:
        self._since = time.monotonic()
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE:
            self._set_deadline(None)  # between requests uvicorn has a deadline of its own
        else:
            self._look()

    def send_400_response(self, msg: str) -> None:
        self._end(Problem(400, "request", msg))

    # --- deadlines ---

    def _look(self) -> None:
        """Begins the time of the part of a request that has begun, and ends that of the one before."""
        saying = self.conn.their_state if self.conn.their_state in (h11.IDLE, h11.SEND_BODY) else None
        if saying is not self._saying:
            self._set_deadline(saying)

    def _set_deadline(self, saying: Any) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._saying = saying
        if saying is h11.IDLE:
            self._deadline = self.loop.call_later(self.bounds.head, self._too_slow, Closed.SLOW_HEAD)
        elif saying is h11.SEND_BODY:
            self._deadline = self.loop.call_later(self.bounds.body, self._too_slow, Closed.SLOW_BODY)

    def _too_slow(self, why: Closed) -> None:
        detail = "the request took too long to arrive; nothing was done"
        self._close(why, Problem(408, "request-timeout", detail))

    # --- room ---

    def _others_make_room(self) -> bool:
        """Whether one that was idle was closed for this one."""
        idle = min(self._idle_others(), key=lambda each: each._since, default=None)
        if idle is not None:
            idle._close(Closed.CROWDED, None)
        return idle is not None

    def _idle_others(self) -> Iterator["BoundedConnection"]:
        for each in self.connections:
            if isinstance(each, BoundedConnection) and each is not self and each._is_idle:
                yield each

    @property
    def _is_idle(self) -> bool:
        return not self._is_under_way and not self.transport.is_closing()

    @property
    def _is_under_way(self) -> bool:
        """Whether a request was taken in and is not answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    # --- the end ---

    def _close(self, why: Closed, problem: Problem | None) -> None:
        if not self.transport.is_closing():
            count_closed(why.value)
            _log.info("connection closed", why=why.value)
            self._end(problem)

    def _end(self, problem: Problem | None) -> None:
        """Says why, where an answer can still begin, and closes. For what is under way, the client has left."""
        if self._is_under_way:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if problem is not None and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(self._said(problem))
        self.transport.close()

    def _said(self, problem: Problem) -> bytes:
        body = json.dumps(problem.content()).encode()
        headers = {
            **problem.headers,
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        events = (
            h11.Response(status_code=problem.status, headers=list(headers.items())),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        return b"".join(self.conn.send(event) for event in events)

    def _abort(self, why: Closed) -> None:
        """At once: whoever takes nothing would not take the rest either."""
        count_closed(why.value)
        _log.info("connection closed", why=why.value)
        self.transport.abort()

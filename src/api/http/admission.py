"""How much work is taken in at once: each kind has its places and its queue, and what finds no place soon is refused.

Requests are sorted by what they cost. Whoever left while waiting is dropped before work begins; of whoever leaves
later, statements that only read are cancelled. Health is answered beside all that.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import anyio
import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.postgres.waiting import NobodyWaits, Waiter, working_for
from adapters.telemetry.metrics import HTTP_RUNNING, HTTP_WAITING, Came, count_request
from api.http.auth import READING
from api.http.commands import seconds_to_wait
from api.http.problems import Problem
from api.http.uploads import carries_files

HEALTH = "/health/"
CROWDED = "crowded"
"""In the state of a request: it came on a connection for which there was no room."""


class Kind(StrEnum):
    """A kind of work, by what it costs; the label of its metrics."""

    COMMANDS = "commands"
    SHOWN = "shown"
    """Commands that are answered once the read tables show them: they hold a place that long."""
    REPORTS = "reports"
    """Questions over the whole portfolio, of past days too: a few long ones must not keep anybody from an account."""
    QUESTIONS = "questions"
    PAGES = "pages"
    FILES = "files"
    UPLOADS = "uploads"
    """Requests that carry files: so many are in memory at once. A slow one holds its place."""
    FIGURES = "figures"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests of a kind are worked on at once, how many may wait, and for how many seconds each."""

    at_once: int
    waiting: int
    longest: float


LIMITS: Mapping[Kind, Limits] = {
    # Commands that are decided together are stored together: more at once cost little.
    Kind.COMMANDS: Limits(at_once=8, waiting=256, longest=0.15),
    Kind.SHOWN: Limits(at_once=8, waiting=64, longest=1.0),
    # Python works on one at a time: more at once make each of them slower, and the health check too.
    Kind.REPORTS: Limits(at_once=2, waiting=256, longest=0.15),
    Kind.QUESTIONS: Limits(at_once=2, waiting=256, longest=0.15),
    Kind.PAGES: Limits(at_once=1, waiting=256, longest=0.15),
    Kind.FILES: Limits(at_once=4, waiting=256, longest=1.0),
    Kind.UPLOADS: Limits(at_once=2, waiting=16, longest=10.0),
    Kind.FIGURES: Limits(at_once=1, waiting=8, longest=5.0),
}

_RETRY_SECONDS = 1


def kind_of(scope: Scope) -> Kind | None:
    """None for what is answered beside all other work."""
    path: str = scope["path"]
    if path.startswith(HEALTH):
        return None
    if carries_files(scope):
        return Kind.UPLOADS
    if scope["method"] not in READING:
        return Kind.SHOWN if seconds_to_wait(Headers(scope=scope).get("prefer")) else Kind.COMMANDS
    if path == "/metrics":
        return Kind.FIGURES
    if path.startswith("/static/") or path == "/openapi.json":
        return Kind.FILES
    if path.startswith("/v1/report/") or path == "/v1/kpi":
        return Kind.REPORTS
    return Kind.QUESTIONS if path.startswith("/v1/") else Kind.PAGES


class Overloaded(Problem):
    """There is no place now; nothing was done."""

    def __init__(self, **headers: str) -> None:
        detail = "too much is being asked at once; nothing was done, try again"
        super().__init__(503, "overloaded", detail, headers={"Retry-After": str(_RETRY_SECONDS), **headers})


class Admission:
    """The middleware nearest to the app. Raises Overloaded for what is refused."""

    def __init__(self, app: ASGIApp, *, limits: Mapping[Kind, Limits] = LIMITS) -> None:
        self._app = app
        self._places = {kind: _Places(kind, each) for kind, each in limits.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = kind_of(scope) if scope["type"] == "http" else None
        if kind is None:
            await self._app(scope, receive, send)
            return
        came = Came.ANSWERED
        try:
            if scope.get("state", {}).get(CROWDED):
                raise Overloaded(Connection="close")
            if kind is Kind.UPLOADS:  # it is in memory only once it has a place
                await self._work(self._places[kind], _Uploading(receive), scope, send)
            else:
                client = await _Client.read(receive)  # a slow body must not hold a place
                with client.watched():
                    await self._work(self._places[kind], client, scope, send)
        except Overloaded:
            came = Came.REFUSED
            raise
        except NobodyWaits:
            came = Came.DROPPED
        except asyncio.CancelledError:  # the process ends and waits no longer
            came = Came.DROPPED
            raise
        finally:
            count_request(kind.value, came)
            Request(scope).state.came = came

    async def _work(self, places: "_Places", client: "_Client", scope: Scope, send: Send) -> None:
        async def leaving_the_place(message: Message) -> None:
            if message["type"] == "http.response.start":  # it is worked out; a slow reader must not hold a place
                places.leave(client)
            await send(message)

        try:
            await places.take(client)
            with working_for(client.waiter):
                await self._app(scope, client.receive, leaving_the_place)
        finally:
            places.leave(client)


_CANCELLING = anyio.CapacityLimiter(4)
"""Threads that tell the database that nobody waits any more."""


class _Client:
    """Who asks: what it said, and whether it is still there."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self.waiter = Waiter()
        self._body: bytes | None = body
        self._receive = receive
        self._left = asyncio.Event()
        self._queue: anyio.CancelScope | None = None

    @classmethod
    async def read(cls, receive: Receive) -> "_Client":
        """Raises NobodyWaits where it leaves before it has said everything."""
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise NobodyWaits
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return cls(body, receive)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Sees whether it leaves, as long as it is entered."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        except asyncio.CancelledError:
            self.waiter.leave()
            raise
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left.set()
        if self._queue is not None:
            self._queue.cancel()
        else:
            await anyio.to_thread.run_sync(self.waiter.leave, limiter=_CANCELLING)

    @contextmanager
    def queueing(self) -> Iterator[None]:
        """Raises NobodyWaits where it leaves meanwhile."""
        with anyio.CancelScope() as self._queue:
            yield
        self._queue = None
        if self._left.is_set():
            raise NobodyWaits

    async def receive(self) -> Message:
        """What it said, once; then that it left, when it does."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}


class _Uploading(_Client):
    """Who sends files, which are taken in as they come."""

    def __init__(self, receive: Receive) -> None:
        super().__init__(b"", receive)

    async def receive(self) -> Message:
        return await self._receive()


class _Places:
    """The places of a kind of work, given to those who wait in the order in which they came."""

    def __init__(self, kind: Kind, limits: Limits) -> None:
        self._limits = limits
        self._places = anyio.CapacityLimiter(limits.at_once)
        self._held: set[_Client] = set()
        self._running = HTTP_RUNNING.labels(kind.value)
        self._waiting = HTTP_WAITING.labels(kind.value)

    async def take(self, client: _Client) -> None:
        """Raises Overloaded where too many wait or it takes too long, NobodyWaits where the client leaves."""
        now = self._places.statistics()
        if now.borrowed_tokens >= self._limits.at_once and now.tasks_waiting >= self._limits.waiting:
            raise Overloaded
        try:
            self._places.acquire_on_behalf_of_nowait(client)  # free: a process that stood still does not refuse it
        except anyio.WouldBlock:
            await self._wait(client)
        self._held.add(client)
        self._running.inc()

    async def _wait(self, client: _Client) -> None:
        with self._waiting.track_inprogress(), client.queueing():
            try:
                with anyio.fail_after(self._limits.longest):
                    await self._places.acquire_on_behalf_of(client)
            except TimeoutError:
                raise Overloaded from None

    def leave(self, client: _Client) -> None:
        """Does nothing where it holds none any more."""
        if client in self._held:
            self._held.remove(client)
            self._running.dec()
            self._places.release_on_behalf_of(client)

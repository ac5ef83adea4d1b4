"""A small HTTP server beside a process that has no door of its own: does it live, can it work, what has it counted."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from socketserver import TCPServer
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import orjson
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from adapters.telemetry.checks import Check
from adapters.telemetry.heartbeat import Heartbeat
from adapters.telemetry.metrics import exposition, registry_of

PORT_VARIABLE = "ARREARS_HEALTH_PORT"
HOST_VARIABLE = "ARREARS_HEALTH_HOST"
"""Where a process without an HTTP door of its own answers."""

_JSON = "application/json"
_REQUEST_SECONDS = 10
_LOOK_SECONDS = 0.1

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class HealthServer:
    """Answers `/live`, `/ready` and `/metrics` while it is entered. Raises OSError where the port cannot be had.

    `/live` is 200 while every heartbeat has beaten lately; `/ready` is 200 while that is so and every check finds
    nothing wrong; else both are 503, and say what is wrong. `checks` is looked into each time. Port 0 takes a free
    one. Nothing is asked of who asks: on another address than this machine's own, only those who may see figures
    should reach it.
    """

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        checks: Mapping[str, Check] = MappingProxyType({}),
        heartbeats: Sequence[Heartbeat] = (),
        collectors: Iterable[Collector] = (),
    ) -> None:
        server = _Server6 if ":" in host else _Server
        self._server = server((host, port), _Handler)
        self._server.answers = _Answers(checks, heartbeats, registry_of(collectors))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=[_LOOK_SECONDS], name="health", daemon=True
        )

    def add(self, collector: Collector) -> None:
        """Shows more figures at `/metrics` from now on."""
        self._server.answers.registry.register(collector)

    @property
    def port(self) -> int:
        """The port it answers on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


Answer = tuple[int, str, bytes]
"""Status, media type, body."""


class _Answers:
    """What is answered, apart from how it travels."""

    def __init__(
        self, checks: Mapping[str, Check], heartbeats: Sequence[Heartbeat], registry: CollectorRegistry
    ) -> None:
        self._checks = checks
        self._heartbeats = {each.loop: each.problem for each in heartbeats}
        self.registry = registry

    def to(self, path: str, accept: str | None) -> Answer:
        match path:
            case "/live":
                return _report(self._heartbeats, well="live", ill="stuck")
            case "/ready":
                return _report({**self._checks, **self._heartbeats}, well="ready", ill="not-ready")
            case "/metrics":
                return (HTTPStatus.OK, *exposition(self.registry, accept))
            case _:
                return HTTPStatus.NOT_FOUND, _JSON, b'{"paths":["/live","/ready","/metrics"]}'


def _report(checks: Mapping[str, Check], *, well: str, ill: str) -> Answer:
    problems = {name: _result(name, check) for name, check in checks.items()}
    is_well = all(problem is None for problem in problems.values())
    said: dict[str, Any] = {
        "status": well if is_well else ill,
        "checks": {
            name: {"ok": True} if problem is None else {"ok": False, "problem": problem}
            for name, problem in problems.items()
        },
    }
    return HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE, _JSON, orjson.dumps(said)


def _result(name: str, check: Check) -> str | None:
    try:
        return check()
    except Exception as error:  # a check that cannot be made is one that fails
        _log.exception("a check could not be made", check=name)
        return f"the check failed: {type(error).__name__}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answers: _Answers

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's own asks the name service for the host's name, which may take long
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
        _log.debug("whoever asked went away", exc_info=True)


class _Server6(_Server):
    address_family = AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "arrears"
    sys_version = ""
    timeout = _REQUEST_SECONDS

    def do_GET(self) -> None:
        status, media_type, body = self.server.answers.to(urlsplit(self.path).path, self.headers.get("Accept"))
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815  the name that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Probes come every few seconds and are nothing to tell."""

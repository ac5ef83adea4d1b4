"""Around every request: a correlation id, the gate, headers that browsers heed, a log line, and no raw errors."""

import time
from collections.abc import Mapping
from uuid import UUID, uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.telemetry.log_context import CORRELATION as CORRELATION_KEY
from adapters.telemetry.log_context import TRACE as TRACE_KEY
from adapters.telemetry.metrics import Came
from adapters.telemetry.tracing import current_traceparent, trace_id_of
from api.http.auth import SIGN_IN, Gate
from api.http.problems import Problem, of_the_framework, path_of, unexpected, wants_page
from api.http.shapes import read_whole_number
from api.http.uploads import carries_files, largest_upload

CORRELATION = "X-Correlation-Id"
LOCAL = "Arrears-Local"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_log = structlog.get_logger(__name__)


_MAX_BODY = 1_000_000
_LARGER = {"/v1/inbound/email": 10_000_000}
"""By path: a mail may have files in it. Admission lets only so many be read at once."""


class Surroundings:
    """Around the app and its admission; everything inside may raise."""

    def __init__(self, app: ASGIApp, *, gate: Gate, env: Mapping[str, str]) -> None:
        """`env` says how large files may be."""
        self._app = app
        self._gate = gate
        self._env = env

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD":  # the answer to GET without its body, whatever is asked
            scope = {**scope, "method": "GET"}
        request = Request(scope)
        correlation_id = _correlation_of(request)
        request.state.correlation_id = correlation_id
        started, status = time.perf_counter(), 0

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")  # balances and names are nobody's cache's business
                headers[CORRELATION] = str(correlation_id)
                if self._gate.is_local(request):
                    headers[LOCAL] = "yes"  # to somebody who has to know that this is the service of its data folder
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        with structlog.contextvars.bound_contextvars(**_logged_with(correlation_id)):
            try:
                self._gate.check(request)
                most = largest_upload(self._env) if carries_files(scope) else _LARGER.get(path_of(request), _MAX_BODY)
                await self._app(scope, _limited(request, receive, most), with_headers)
            except Exception as error:
                if status:  # too late for another answer
                    raise
                await _answer_to(request, error)(scope, receive, with_headers)
            finally:
                _log.info(
                    "request",
                    method=method,
                    path=path_of(request),
                    status=status,
                    ms=round((time.perf_counter() - started) * 1000, 1),
                    **_unanswered(request),
                )


def _unanswered(request: Request) -> dict[str, str]:
    """What came of a request that was not worked on, or not to its end."""
    came = getattr(request.state, "came", Came.ANSWERED)
    return {} if came is Came.ANSWERED else {"outcome": came.value}


def _logged_with(correlation_id: UUID) -> dict[str, str]:
    """What stands in every line that is logged about the request."""
    trace_id = trace_id_of(current_traceparent())
    return {CORRELATION_KEY: str(correlation_id)} | ({TRACE_KEY: trace_id} if trace_id else {})


def _limited(request: Request, receive: Receive, most: int) -> Receive:
    """Refuses a body that is too large: by what it says of itself, else as soon as it is seen."""
    said = read_whole_number(request.headers.get("content-length", "0"))
    if said is None or said > most:
        raise _too_large()
    seen = 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise _too_large()
        return message

    return counting


def _too_large() -> HTTPException:
    return HTTPException(413)


def _answer_to(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return of_the_framework(request, error)
    if not isinstance(error, Problem):
        return unexpected(request, error)
    if error.status == 401 and request.method == "GET" and wants_page(request):
        return RedirectResponse(SIGN_IN, 303)
    return error.response(request)


def _correlation_of(request: Request) -> UUID:
    try:
        return UUID(request.headers.get(CORRELATION, ""))
    except ValueError:
        return uuid4()

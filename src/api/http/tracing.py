"""Each request a span, where traces are wanted: it continues the caller's trace, and commands carry it on."""

from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.telemetry import tracing

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_DEFECT = 500


class Traced:
    """The outermost middleware. A span has the route and never the path, which has ids in it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not tracing.is_on():
            await self._app(scope, receive, send)
            return
        status = 0

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        with tracing.request(method, Headers(scope=scope).get("traceparent")) as span:
            try:
                await self._app(scope, receive, noting_status)
            finally:
                if span is not None:
                    _describe(span, method, _route_of(scope), status)


def _describe(span: Any, method: str, route: str | None, status: int) -> None:
    if route is not None:
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)
    if status:
        span.set_attribute("http.response.status_code", status)
    if status >= _DEFECT:
        span.set_attribute("error.type", str(status))


def _route_of(scope: Scope) -> str | None:
    path: str | None = getattr(scope.get("route"), "path", None)
    return path

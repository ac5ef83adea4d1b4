"""Who may come in: a bearer token for programs, a signed session for people's browsers, and nobody from elsewhere."""

import hashlib
import hmac
import ipaddress
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

from api.http.problems import Problem, path_of
from api.http.shapes import read_whole_number

COOKIE = "arrears_session"
SESSION_SECONDS = 12 * 3600
SIGN_IN = "/sign-in"
OPEN_PATHS = ("/health/live", "/health/ready", "/openapi.json", SIGN_IN)
OPEN_FOLDERS = ("/static/",)
SIGNED_PATHS = ("/v1/inbound/twilio/sms", "/v1/inbound/twilio/status", "/v1/inbound/email")
"""Open to whoever signs what they send; `webhooks` checks that."""
READING = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets requests in. Without a token only those made on this machine are."""

    token: str | None
    local_token: str | None = None
    """Of the commands of this machine, which a service in a data folder made when it started: it lets them read."""

    def check(self, request: Request) -> None:
        """Raises a Problem where the request may not come in."""
        if self.token is None:
            self._only_here(request)
        if request.method not in READING:
            self._own_origin(request)
        if self.token is None or self._is_open(path_of(request)) or self.is_token(_bearer(request)):
            return
        if self.is_local(request):
            return
        if not path_of(request).startswith("/v1") and self.has_session(request):
            return
        raise Problem(
            401, "unauthorized", "send Authorization: Bearer and the API token", headers={"WWW-Authenticate": "Bearer"}
        )

    def is_token(self, given: str) -> bool:
        """Constant in time, so that nobody can feel their way to it."""
        return _same(given, self.token)

    def is_local(self, request: Request) -> bool:
        """Whether a command of this machine asks, which it may, and which changes nothing."""
        return request.method in READING and _same(_bearer(request), self.local_token)

    # --- sessions: an end and a signature, no state to keep ---

    def new_session(self) -> str:
        ends = str(int(time.time()) + SESSION_SECONDS)
        return f"{ends}.{self._signature(ends)}"

    def has_session(self, request: Request) -> bool:
        """Whether somebody signed in with the token, not too long ago."""
        ends, _, signature = request.cookies.get(COOKIE, "").partition(".")
        if (read_whole_number(ends) or 0) < time.time():
            return False
        return hmac.compare_digest(signature.encode(), self._signature(ends).encode())

    def _signature(self, ends: str) -> str:
        return hmac.new((self.token or "").encode(), f"session {ends}".encode(), hashlib.sha256).hexdigest()

    # --- inside ---

    @staticmethod
    def _is_open(path: str) -> bool:
        return path in OPEN_PATHS or path in SIGNED_PATHS or path.startswith(OPEN_FOLDERS)

    @staticmethod
    def _only_here(request: Request) -> None:
        """A page of another site can make its own name point to this machine; the Host header tells."""
        if not is_loopback(_hostname(request)):
            raise Problem(421, "host", "without an API token this service answers on this machine's own address only")

    @staticmethod
    def _own_origin(request: Request) -> None:
        """A browser says where a request comes from; changes come from our own pages or from programs."""
        origin = request.headers.get("origin")
        foreign = origin is not None and _netloc(origin) != request.headers.get("host")
        if foreign or request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            raise Problem(403, "origin", "changes are taken from this service's own pages and from programs only")


def _bearer(request: Request) -> str:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip() if kind.lower() == "bearer" else ""


def _same(given: str, token: str | None) -> bool:
    return token is not None and hmac.compare_digest(given.encode(), token.encode())


def _hostname(request: Request) -> str:
    """By which name this service was reached; empty where the Host header has none."""
    host = request.headers.get("host")
    if host is None:
        server: tuple[str, int | None] = request.scope.get("server") or ("", None)
        return server[0]
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _netloc(origin: str) -> str | None:
    """None where it is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

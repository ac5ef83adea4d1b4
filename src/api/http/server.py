"""Running the HTTP door: on this machine's own address, or elsewhere behind an API token."""

import socket
from collections.abc import Callable, Mapping

import structlog
import uvicorn

from adapters.attachments.setup import most_bytes, say_where
from adapters.inbound.setup import doors_of
from api.application.dialling import dialler_of
from api.http.admission import LIMITS, Kind, Limits
from api.http.app import create_app
from api.http.auth import is_loopback
from api.http.connections import BOUNDS, Bounds, protocol_of
from api.http.problems import Problem
from api.processes.service import Service

_SHUTDOWN_SECONDS = 10

Answers = Callable[[], None]

_log = structlog.get_logger(__name__)


def _silent() -> None:
    """Nobody waits for it."""


class BindRefused(Problem):
    """The address would let others in and no API token is configured."""

    def __init__(self, detail: str) -> None:
        super().__init__(403, "bind-refused", detail)


def check_bind(host: str, token: str | None) -> None:
    """Raises BindRefused."""
    if token is not None and not token.strip():
        raise BindRefused("The API token is empty. Give one, or none and bind 127.0.0.1.")
    if token is None and not is_loopback(host):
        raise BindRefused(
            f"Binding {host} would let anybody on the network in, and no API token is configured."
            " Set ARREARS_API_TOKEN, or bind 127.0.0.1."
        )


class _Server(uvicorn.Server):
    """One that says when it takes connections."""

    def __init__(self, config: uvicorn.Config, answers: Answers) -> None:
        super().__init__(config)
        self._answers = answers

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._answers()


def serve(
    service: Service,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    local_token: str | None = None,
    *,
    answers: Answers = _silent,
) -> None:
    """Serves until SIGINT or SIGTERM; requests under way are finished first. Raises BindRefused.

    `local_token` lets the commands of this machine read. `answers` is called once connections are taken.
    """
    _log.info("serving", url=f"http://{f'[{host}]' if ':' in host else host}:{port}/", token=token is not None)
    server_of(service, host, port, token, local_token, answers=answers).run()


def server_of(
    service: Service,
    host: str,
    port: int,
    token: str | None,
    local_token: str | None = None,
    *,
    limits: Mapping[Kind, Limits] = LIMITS,
    bounds: Bounds = BOUNDS,
    answers: Answers = _silent,
) -> uvicorn.Server:
    """The server, not yet running. Raises BindRefused, AttachmentsMisconfigured, CarrierMisconfigured,
    InboundMisconfigured."""
    check_bind(host, token)
    most_bytes(service.env)
    dialler_of(service)
    say_where(service.attachments, service.env, service.data_dir)
    doors_of(service.env)
    return _Server(
        uvicorn.Config(
            create_app(service, token, local_token, limits=limits),
            host=host,
            port=port,
            http=protocol_of(bounds),
            log_config=None,  # the app logs its requests itself
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        ),
        answers,
    )

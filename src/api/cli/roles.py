"""`arrears api|seal|project|react|clock|deliver`: the processes of a cluster, one role each."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.health import watched
from api.cli.options import DataDir
from api.cli.output import note
from api.cli.progress import Bars
from api.cli.running import Host, Port, TokenFile, check_door, token_of
from api.cli.signals import until_told

if TYPE_CHECKING:
    from api.processes.core import Core

_NEED_TABLES = frozenset({"react", "deliver"})
"""Roles that look into read tables, and are not ready before those are built."""


def add_to(app: typer.Typer) -> None:
    app.command("api")(serve_api)
    for command in (seal, project, react, clock, deliver):
        app.command(command.__name__)(command)


def serve_api(data: DataDir = None, host: Host = "127.0.0.1", port: Port = 8000, token_file: TokenFile = None) -> None:
    """Serve HTTP and nothing else; other processes seal, react and project. Any number may run."""
    from adapters.telemetry.tracing import traced
    from api import logs
    from api.http.server import serve as serve_http
    from api.processes.service import Service

    token = token_of(token_file)
    check_door(host, port, token)
    logs.configure(default="info")
    with traced("api"), Service.open(data, reading=True) as service:
        service.be_a_door()
        with watched("api", service.database, status=service.status):
            note(f"The API is at http://{f'[{host}]' if ':' in host else host}:{port}/")
            serve_http(service, host=host, port=port, token=token)


def seal(data: DataDir = None) -> None:
    """Give events their place in the log. One process seals, others stand by."""
    from api.processes import roles

    _work(data, "seal", "Sealing.", roles.seal)


def project(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Default: every projection.")] = None,
    data: DataDir = None,
) -> None:
    """Keep read tables up to date from Kafka. Processes share the partitions; those of the same NAMEs are a group."""
    from api.processes import roles

    chosen = names or []

    def run(core: "Core", stop: threading.Event) -> None:
        core.projections.check(chosen)
        with Bars() as bars:

            def progress(name: str, position: int, target: int) -> None:
                stop.is_set()  # a sign of life
                bars.show(f"Building {name}", position, target)

            core.projections.start(progress)
        roles.project(core, stop, names=chosen)

    _work(data, "project", f"Projecting {', '.join(chosen) or 'everything'}.", run)


def react(data: DataDir = None) -> None:
    """Apply policies and work ticks, in Faust workers that share the partitions."""
    from api.processes import roles

    _work(data, "react", "Reacting.", roles.react)


def clock(
    data: DataDir = None,
    every: Annotated[float, typer.Option("--every", min=0.1, metavar="SECONDS", help="Between two ticks.")] = 2.0,
) -> None:
    """Say what time it is to every partition. One process does, others stand by."""
    from api.processes import roles

    def run(core: "Core", stop: threading.Event) -> None:
        roles.clock(core, stop, every=every)

    _work(data, "clock", f"A tick every {every:g} seconds.", run)


def deliver(data: DataDir = None) -> None:
    """Send queued messages. Processes share the partitions."""
    from adapters.delivery.outbox import Outbox
    from api.processes import roles
    from api.processes.service import outbox_folder

    def run(core: "Core", stop: threading.Event) -> None:
        roles.deliver(core, stop, carrier=Outbox(outbox_folder(core.env, core.data_dir)))

    _work(data, "deliver", "Delivering.", run)


def _work(data: Path | None, role: str, says: str, run: Callable[["Core", threading.Event], None]) -> None:
    """Until SIGTERM or Ctrl-C; what is at hand is finished first."""
    from adapters.telemetry.tracing import traced
    from api import logs
    from api.processes.core import Core

    logs.configure(default="info")
    with traced(role), Core.open(data, reading=True) as core, until_told() as told:
        status = core.projections.status if role in _NEED_TABLES else None
        with watched(role, core.database, told, status=status) as stop:
            note(f"{says} SIGTERM or Ctrl-C ends it.")
            run(core, stop)

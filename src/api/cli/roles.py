"""`arrears api|seal|project|react|clock|deliver`: the processes of a cluster, one role each."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DataDir
from api.cli.output import note
from api.cli.progress import Bars
from api.cli.running import Host, Port, TokenFile, check_door, token_of
from api.cli.signals import until_told

if TYPE_CHECKING:
    from api.core import Core


def add_to(app: typer.Typer) -> None:
    app.command("api")(serve_api)
    for command in (seal, project, react, clock, deliver):
        app.command(command.__name__)(command)


def serve_api(data: DataDir = None, host: Host = "127.0.0.1", port: Port = 8000, token_file: TokenFile = None) -> None:
    """Serve HTTP and nothing else; other processes seal, react and project. Any number may run."""
    from api import logs
    from api.http.server import serve as serve_http
    from api.service import Service

    token = token_of(token_file)
    check_door(host, port, token)
    logs.configure(default="info")
    with Service.open(data, reading=True) as service:
        service.be_a_door()
        note(f"The API is at http://{f'[{host}]' if ':' in host else host}:{port}/")
        serve_http(service, host=host, port=port, token=token)


def seal(data: DataDir = None) -> None:
    """Give events their place in the log. One process seals, others stand by."""
    from api import roles

    _work(data, "Sealing.", roles.seal)


def project(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Default: every projection.")] = None,
    data: DataDir = None,
) -> None:
    """Keep read tables up to date from Kafka. Processes share the partitions; those of the same NAMEs are a group."""
    from api import roles

    chosen = names or []

    def run(core: "Core", stop: Any, beat: Any) -> None:
        core.projections.check(chosen)
        with Bars() as bars:
            core.projections.start(lambda name, position, target: bars.show(f"Building {name}", position, target))
        roles.project(core, stop, beat, names=chosen)

    _work(data, f"Projecting {', '.join(chosen) or 'everything'}.", run)


def react(data: DataDir = None) -> None:
    """Apply policies and work ticks, in Faust workers that share the partitions."""
    from api import roles

    _work(data, "Reacting.", roles.react)


def clock(
    data: DataDir = None,
    every: Annotated[float, typer.Option("--every", min=0.1, metavar="SECONDS", help="Between two ticks.")] = 2.0,
) -> None:
    """Say what time it is to every partition. One process does, others stand by."""
    from api import roles

    _work(data, f"A tick every {every:g} seconds.", lambda core, stop, beat: roles.clock(core, stop, beat, every=every))


def deliver(data: DataDir = None) -> None:
    """Send queued messages. Processes share the partitions."""
    from adapters.delivery.outbox import Outbox
    from api import roles
    from api.service import outbox_folder

    def run(core: "Core", stop: Any, beat: Any) -> None:
        roles.deliver(core, stop, beat, carrier=Outbox(outbox_folder(core.env, core.data_dir)))

    _work(data, "Delivering.", run)


def _work(data: Path | None, says: str, run: Callable[["Core", Any, Any], None]) -> None:
    """Until SIGTERM or Ctrl-C; what is at hand is finished first."""
    from api import logs
    from api.core import Core
    from api.roles import no_beat

    logs.configure(default="info")
    with Core.open(data, reading=True) as core, until_told() as stop:
        note(f"{says} SIGTERM or Ctrl-C ends it.")
        run(core, stop, no_beat)

"""`arrears run`, `serve`, `tick`, `migrate`, `version`: what keeps Arrears going."""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli.local_service import announced
from api.cli.opening import commanding, owning
from api.cli.options import AsJson, DataDir, read_moment
from api.cli.output import note, print_json, say
from api.cli.problems import Problem
from api.cli.progress import Bars
from api.cli.signals import ended_as_told, until_told

TOKEN_VARIABLE = "ARREARS_API_TOKEN"  # noqa: S105

Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Elsewhere than this machine needs an API token.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65535)]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help=f"Holds the API token; {TOKEN_VARIABLE} is the other way to give it.",
    ),
]


def add_to(app: typer.Typer) -> None:
    for name, command in (
        ("run", run),
        ("serve", serve),
        ("tick", tick),
        ("migrate", migrate),
        ("version", version),
    ):
        app.command(name)(command)


def run(
    data: DataDir = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    sample: Annotated[
        bool, typer.Option("--sample", help="Fill an empty data folder with a generated portfolio first.")
    ] = False,
    token_file: TokenFile = None,
) -> None:
    """Serve on this machine and say where to look; with --sample on a portfolio to try things on."""
    check_door(host, port, token_of(token_file))
    if sample:
        seed_sample(data)
    serve(data=data, host=host, port=port, token_file=token_file)


def seed_sample(data: Path | None) -> None:
    from api import logs
    from api.sample import seed

    logs.configure()
    with Bars() as bars:
        seeded = seed(
            data,
            begins=lambda accounts, days: note(
                f"Making a sample portfolio: {accounts} accounts, {days} days. Wait a bit."
            ),
            progress=bars.bar("Living through it"),
        )
    if seeded is None:
        note("The data folder holds accounts already; they stay as they are.")
    else:
        note(f"{seeded.accounts} accounts, {seeded.events:,} events, {seeded.messages:,} messages in the outbox.")


def serve(
    data: DataDir = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token_file: TokenFile = None,
) -> None:
    """Run everything: HTTP, web pages, policies, ticks, delivery, projections."""
    from adapters.telemetry.tracing import traced
    from api import logs
    from api.http.server import serve as serve_http
    from api.processes.standalone import Standalone, helpers_of_this_machine

    token = token_of(token_file)
    check_door(host, port, token)
    logs.configure(default="info")
    with helpers_of_this_machine() as helpers, traced("serve"), Standalone.open(data) as service:
        with until_told(service.stop), Bars() as bars:
            service.prepare(lambda name, position, target: bars.show(f"Building {name}", position, target))
        service.start(helpers)
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        with (
            announced(service.data_dir, host=host, port=port) as local_token,
            ended_as_told(lambda: service.failure),
        ):
            serve_http(
                service,
                host=host,
                port=port,
                token=token,
                local_token=local_token,
                answers=lambda: say(f"Arrears is at {address} (Ctrl+C ends it)"),
            )


def check_door(host: str, port: int, token: str | None) -> None:
    """Raises Problem before anything is started, or made, where the address cannot be served."""
    import socket

    from api.http.server import check_bind

    check_bind(host, token)

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Problem(f"{host}:{port} cannot be used: {error.strerror}", hint="Take another: --port N") from None


def token_of(file: Path | None) -> str | None:
    token = file.read_text(encoding="utf-8").strip() if file is not None else os.environ.get(TOKEN_VARIABLE, "").strip()
    if file is not None and not token:
        raise Problem(f"{file} is empty; expected the API token in it")
    return token or None


def tick(
    data: DataDir = None,
    now: Annotated[
        datetime | None,
        typer.Option(
            "--now", parser=read_moment, metavar="MOMENT", help="Such as 2026-03-31T09:00Z. Default: the clock's time."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let one tick happen: what is due by now is done, with all that follows. The same tick again does nothing.

    Beside a running service, which ticks by itself, the clock cannot be set.
    """
    from adapters.clock import ManualClock

    alone = "tick --now sets the clock, which a running service lives by"
    with commanding(data) if now is None else owning(data, because=alone, clock=ManualClock(now)) as service:
        report = service.tick(now)
    if as_json:
        print_json(report)
    else:
        refused = f", {report.refused:,} refused" if report.refused else ""
        done = f"{report.due:,} due, {report.commands:,} commands, {report.events:,} events{refused}"
        say(f"{report.at:%Y-%m-%d %H:%M} UTC: {done}")


def migrate(data: DataDir = None) -> None:
    """Bring the database's schema to this release. Services never do it by themselves, except in a new folder."""
    from adapters.postgres.database import open_database
    from adapters.postgres.errors import DataFolderInUse
    from adapters.postgres.migrations import migrate as apply
    from api import logs

    logs.configure()
    try:
        database = open_database(data)
    except DataFolderInUse:
        database = open_database(data, reading=True)
    with database:
        applied = apply(database)
    for migration in applied:
        say(f"applied {migration}")
    if not applied:
        say("The schema is that of this release; nothing to do.")


def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    number = version_of("arrears")
    if as_json:
        print_json({"arrears": number})
    else:
        say(f"arrears {number}")

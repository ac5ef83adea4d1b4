"""`arrears api|seal|publish|project|react|deliver|clock|receive`: the processes of a cluster, one part each."""

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from api.cli.health import watched
from api.cli.options import AsJson, DataDir
from api.cli.output import note, print_json, say
from api.cli.progress import Bars
from api.cli.running import Host, Port, TokenFile, check_door, token_of
from api.cli.signals import ended_as_told, until_told
from api.processes import parts
from api.processes.parts import API, CLOCK, PROJECT, PUBLISH, RECEIVE
from api.processes.parts.clock import TICK_SECONDS
from api.processes.parts.part import Part, Run, Worker

if TYPE_CHECKING:
    from adapters.readers.runner import Runner
    from api.processes.core import Opened

_Opened = TypeVar("_Opened", bound="Opened")

_NAMES = "Default: every projection. Processes of the same names are a group."


def add_to(app: typer.Typer) -> None:
    """A command for each part; those that can be told more than `--data` have a function of their own below."""
    own: dict[Part, Callable[..., None]] = {
        API: serve_api,
        PUBLISH: publish,
        PROJECT: project,
        CLOCK: clock,
        RECEIVE: receive,
    }
    for part in parts.PARTS:
        command = own[part] if part in own else _command_of(part)
        app.command(part.name, help=part.help)(command)


def _command_of(part: Part) -> Callable[..., None]:
    if not isinstance(part, Worker):
        raise TypeError(f"{part.name} has no process of its own")

    def command(data: DataDir = None) -> None:
        from api.processes.core import Core

        _run(part, lambda: Core.open(data, reading=True), part.alone)

    return command


def serve_api(data: DataDir = None, host: Host = "127.0.0.1", port: Port = 8000, token_file: TokenFile = None) -> None:
    from adapters.telemetry.tracing import traced
    from api import logs
    from api.http.server import serve as serve_http
    from api.processes.service import Service
    from api.processes.supervise import when_there

    token = token_of(token_file)
    check_door(host, port, token)
    logs.configure(default="info")
    with (
        ended_as_told(),
        traced(API.name),
        watched(API) as watch,
        when_there(lambda: Service.open(data, reading=True), threading.Event(), watch.waits_for) as service,
    ):
        watch.works_with(service)
        note(f"The API is at http://{f'[{host}]' if ':' in host else host}:{port}/")
        serve_http(service, host=host, port=port, token=token)


def publish(
    data: DataDir = None,
    once: Annotated[bool, typer.Option("--once", help="Publish what is sealed by now, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    from adapters.postgres.database import open_database
    from api.processes.core import Opened

    def opened() -> Opened:
        return Opened(open_database(data, reading=True), data_dir=data, env=os.environ)

    if once:
        _publish_once(opened, as_json=as_json)
    else:
        _run(PUBLISH, opened, PUBLISH.alone)


def _publish_once(opened: "Callable[[], Opened]", *, as_json: bool) -> None:
    from api import logs
    from api.processes.publishing import check_same_log, head_of, publishing

    logs.configure()
    with opened() as core:
        check_same_log(core.database)
        head = head_of(core.database)
        with (
            until_told(core.stop) as stop,
            Bars() as bars,
            publishing(core.database, on_progress=lambda at: bars.show("Publishing", at, head), stop=stop) as runner,
        ):
            _publish_to_the_end(runner, as_json=as_json)


def _publish_to_the_end(runner: "Runner", *, as_json: bool) -> None:
    before = runner.catch_up(0)
    position = runner.catch_up()
    if as_json:
        print_json({"position": position, "published": position - before})
    else:
        say(f"{position - before:,} events published; Kafka has the log up to position {position:,}.")


def project(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help=_NAMES)] = None,
    data: DataDir = None,
) -> None:
    from api.processes.core import Core

    chosen = names or []

    def make(core: Core, stop: threading.Event) -> Run:
        with Bars() as bars:

            def progress(name: str, position: int, target: int) -> None:
                stop.is_set()  # a sign of life
                bars.show(f"Building {name}", position, target)

            return PROJECT.alone(core, stop, names=chosen, progress=progress)

    says = f"Projecting {', '.join(chosen) or 'everything'}"
    _run(PROJECT, lambda: Core.open(data, reading=True), make, says=says, readers=chosen)


def clock(
    data: DataDir = None,
    every: Annotated[
        float, typer.Option("--every", min=0.1, metavar="SECONDS", help="Between two ticks.")
    ] = TICK_SECONDS,
) -> None:
    from api.processes.core import Core

    says = f"A tick every {every:g} seconds"
    _run(CLOCK, lambda: Core.open(data, reading=True), partial(CLOCK.alone, every=every), says=says)


def receive(
    data: DataDir = None,
    once: Annotated[bool, typer.Option("--once", help="Take what is there now, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    from api.processes.core import Core

    if once:
        from api.cli.inbound import take_mail_once

        take_mail_once(data, as_json=as_json)
    else:
        _run(RECEIVE, lambda: Core.open(data, reading=True), RECEIVE.alone)


def _run(
    part: Worker,
    opened: Callable[[], _Opened],
    make: Callable[[_Opened, threading.Event], Run],
    *,
    says: str | None = None,
    readers: Sequence[str] = (),
) -> None:
    """Until SIGTERM or Ctrl-C; what is at hand is finished first. Waits for PostgreSQL and Kafka, at the start too.

    `readers`: those whose standing still makes the process not ready, where they are not all of the part's.
    """
    from adapters.stop import Stopped
    from adapters.telemetry.tracing import traced
    from api import logs
    from api.processes.supervise import when_there

    logs.configure(default="info")
    with (
        traced(part.name),
        watched(part) as watch,
        when_there(opened, threading.Event(), watch.waits_for) as core,
        until_told(core.stop) as ending,
        suppress(Stopped),
    ):
        stop = watch.looking_at(ending)
        watch.works_with(core, readers=readers or part.readers(core.env))
        run = when_there(lambda: make(core, stop), stop, watch.waits_for)
        note(f"{says or part.at_work}. SIGTERM or Ctrl-C ends it.")

        def go_on() -> None:
            watch.waits_for(None)
            run(stop)

        when_there(go_on, stop, watch.waits_for)

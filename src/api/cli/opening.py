"""Opening Arrears for a command: alone in the data folder, or as a guest beside a running service."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from api.cli.problems import Problem
from api.cli.progress import Bars

if TYPE_CHECKING:
    from psycopg import Connection

    from adapters.clock import Clock
    from aggregates.kernel.actor import Actor
    from aggregates.kernel.command import Accepted, Command
    from api.processes.service import Service
    from api.processes.step_by_step import StepByStep


@contextmanager
def owning(data: Path | None, *, clock: "Clock | None" = None, **options: Any) -> Iterator["StepByStep"]:
    """Nobody else works in the data folder meanwhile; a new one is made. More `options` go to `StepByStep.open`."""
    with _open(data, clock=clock, reading=False, **options) as service:
        yield service


@contextmanager
def guest(data: Path | None, *, catch_up: bool = True) -> Iterator["StepByStep"]:
    """Beside whoever runs in the folder, which has to exist. What is read is up to date, unless that is not wanted."""
    with _open(data, clock=None, reading=True) as service:
        if catch_up:
            _catch_up(service)
        yield service


@contextmanager
def commanding(data: Path | None) -> Iterator["StepByStep"]:
    """To send commands, alone or beside a running service, which then does what follows from them."""
    from adapters.postgres.errors import DataFolderInUse

    try:
        service = _open(data, clock=None, reading=False)
    except DataFolderInUse:
        service = _open(data, clock=None, reading=True)
    with service:
        service.prepare()
        yield service
        service.drain()


@contextmanager
def question(data: Path | None) -> Iterator[tuple["Service", "Connection[Any]"]]:
    """For reports: all figures of an answer are of one moment, while the projections go on."""
    from psycopg import IsolationLevel

    with guest(data) as service, service.database.connect("arrears_app") as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield service, connection


def issue(service: "Service", command: "Command", *, reason: str | None = None) -> "Accepted":
    """Sends a command in the name of the person at the keyboard. Raises Problem where it is refused."""
    from aggregates.kernel.command import Issued, Rejected

    issued = Issued(command=command, command_id=uuid4(), actor=actor(), reason=reason)
    (outcome,) = service.arrears.handle([issued])
    if isinstance(outcome, Rejected):
        hint = 'Say why: --reason "…"' if outcome.reason_code == "reason-required" else ""
        raise Problem(outcome.detail, hint=hint)
    return outcome


def actor() -> "Actor":
    """Who the audit trail says it was: the user of this machine."""
    from aggregates.kernel.actor import Actor

    try:
        return Actor.person(getpass.getuser())
    except (OSError, KeyError):
        return Actor.person("cli")


def _open(data: Path | None, *, clock: "Clock | None", reading: bool, **options: Any) -> "StepByStep":
    from api import logs
    from api.processes.step_by_step import StepByStep

    logs.configure()
    return StepByStep.open(data, clock=clock, reading=reading, **options)


def _catch_up(service: "StepByStep") -> None:
    """Whatever a process that ended has left: events to be sealed, projections to be built or brought up to date."""
    while service.sealer.seal_once():
        pass
    live = {row.name for row in service.status() if row.state == "live" and row.version >= row.wanted_version}
    if live != set(service.projections.names):
        with Bars() as bars:
            service.prepare(lambda name, position, target: bars.show(f"Building {name}", position, target))
    service.projections.catch_up()

"""Opening Arrears for a command: alone in the data folder, or as a guest beside a running service."""

import getpass
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import typer

from api.cli.problems import Problem
from api.cli.progress import Bars
from api.cli.signals import until_told

if TYPE_CHECKING:
    from pydantic import BaseModel

    from adapters.clock import Clock
    from adapters.postgres.database import Connection
    from aggregates.kernel.actor import Actor
    from aggregates.kernel.command import Command
    from api.application.issuing import Caller, Done, Issuing
    from api.processes.core import Core
    from api.processes.service import Service
    from api.processes.step_by_step import StepByStep

Model = TypeVar("Model", bound="BaseModel")


@contextmanager
def owning(data: Path | None, *, because: str, clock: "Clock | None" = None, **options: Any) -> Iterator["StepByStep"]:
    """Nobody else works in the data folder meanwhile; a new one is made. Raises Problem with `because` in it.

    Told to end, it ends between two batches. More `options` go to `StepByStep.open`.
    """
    from adapters.postgres.errors import DataFolderInUse

    try:
        service = _open(data, clock=clock, reading=False, **options)
    except DataFolderInUse as error:
        raise Problem(f"{because}. {error.message}", hint="Stop it first, or name another folder: --data DIR") from None
    with service, until_told(service.stop):
        yield service


@contextmanager
def trying(data: Path | None, **options: Any) -> Iterator["Core"]:
    """For one who changes nothing, alone or beside a running service: where there is no data yet, none is made.

    Told to end, it ends between two batches. More `options` go to `Core.open`.
    """
    from adapters.eventstore.keys import KEY_VARIABLE, MasterKeyNotMade, key_for_a_while
    from adapters.postgres.database import URL_VARIABLE
    from adapters.postgres.new_folder import has_data, made_for_a_while
    from api import logs
    from api.processes.core import Core

    logs.configure()
    with ExitStack() as closing:
        if data is None or URL_VARIABLE in os.environ or has_data(data):
            try:
                core = Core.open(data, reading=True, **options)
            except MasterKeyNotMade:  # and the one who changes nothing does not make it
                env = {**os.environ, KEY_VARIABLE: key_for_a_while()}
                core = Core.open(data, env=env, reading=True, **options)
            closing.enter_context(core)
        else:
            folder = closing.enter_context(made_for_a_while())
            core = closing.enter_context(Core.open(folder, **options))
        closing.enter_context(until_told(core.stop))
        yield core


@contextmanager
def guest(data: Path | None, *, catch_up: bool = True) -> Iterator["StepByStep"]:
    """Beside whoever runs in the folder, which has to exist. What is read is up to date, unless that is not wanted."""
    with _open(data, clock=None, reading=True) as service:
        if catch_up:
            _catch_up(service)
        yield service


@contextmanager
def commanding(data: Path | None, **options: Any) -> Iterator["StepByStep"]:
    """To send commands, alone or beside a running service, which then does what follows from them.

    At the end all of it is done and shown, whoever did it. More `options` go to `StepByStep.open`.
    """
    from adapters.postgres.errors import DataFolderInUse

    try:
        service = _open(data, clock=None, reading=False, **options)
    except DataFolderInUse:
        service = _open(data, clock=None, reading=True, **options)
    with service, until_told(service.stop):
        service.prepare()
        yield service
        service.drain()


@contextmanager
def question(data: Path | None, *, catch_up: bool = True) -> Iterator[tuple["Service", "Connection"]]:
    """For reports: all figures of an answer are of one moment, while the projections go on.

    Where nobody runs, what a process that ended has left is done first. Where somebody does, it is not waited for.
    """
    from api import logs
    from api.processes.service import Service

    logs.configure()
    with Service.open(data, reading=True) as service:
        if catch_up and service.needs_hands():
            with guest(data):
                pass
        with service.database.snapshot("arrears_app") as connection:
            yield service, connection


def command_of(command: "type[Model]", options: Mapping[str, str], /, **said: object) -> "Model":
    """The command, or the filters, that options say; `options` are their names, where those are not the fields'.

    Raises BadParameter.
    """
    from pydantic import ValidationError

    from aggregates.values.patterns import message_of

    try:
        return command.model_validate(said)
    except ValidationError as error:
        wrong = error.errors()[0]
        message = message_of(wrong).removeprefix("Value error, ")
        field = str(wrong["loc"][0]) if wrong["loc"] else None
        option = f"{options.get(field, '--' + field.replace('_', '-'))}: " if field else ""
        raise typer.BadParameter(f"{option}{message[:1].lower()}{message[1:]}") from None


def check_text(kind: Any, said_by: str, text: str) -> None:
    """Raises BadParameter for a text that is none of the kind; `said_by`: the option or argument."""
    from pydantic import TypeAdapter, ValidationError

    from aggregates.values.patterns import message_of

    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        said = message_of(error.errors()[0]).removeprefix("Value error, ")
        raise typer.BadParameter(f"{said_by} {text!r}: {said[:1].lower()}{said[1:]}") from None


def issue(
    service: "Service",
    command: "Command",
    *,
    reason: str | None = None,
    command_id: UUID | None = None,
    effective_on: date | None = None,
) -> "Done":
    """Issues a command in the name of the person at the keyboard. Raises NotIssued where it is not carried out."""
    issuing, caller = by_whom(service, reason)
    return issuing.issue(command, caller, command_id=command_id, effective_on=effective_on)


def by_whom(service: "Service", reason: str | None) -> "tuple[Issuing, Caller]":
    """What issues, and in whose name."""
    from adapters.eventstore.requests import Requests
    from api.application.authority import Authority
    from api.application.issuing import Caller, Issuing

    issuing = Issuing(service, Requests(partial(service.database.connect, "arrears_app")))
    return issuing, Caller(actor(), Authority.OPERATOR, reason)


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

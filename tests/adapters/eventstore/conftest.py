"""Applications over a test's own database, and a sealer to go with them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.clock import ManualClock
from adapters.eventstore.application import Arrears
from adapters.eventstore.sealer import Sealer
from adapters.postgres.database import Database
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued
from tests.adapters.eventstore.ledger import Case

MASTER_KEY = bytes(range(32))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def issue(command: Command, **more: Any) -> Issued:
    """The command as a person of the tests gives it."""
    given: dict[str, Any] = {"command": command, "command_id": uuid4(), "actor": Actor.person("tester"), **more}
    return Issued(**given)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def new_app(database: Database, clock: ManualClock) -> Iterator[Callable[..., Arrears]]:
    """Makes applications over one database, as several processes would."""
    with ExitStack() as stack:

        def make(**more: Any) -> Arrears:
            given: dict[str, Any] = {"master_key": MASTER_KEY, "clock": clock, **more}
            return stack.enter_context(Arrears(database, **given))

        yield make


@pytest.fixture
def app(new_app: Callable[..., Arrears]) -> Arrears:
    return new_app()


@pytest.fixture
def sealer(database: Database) -> Iterator[Sealer]:
    """Seals when told to."""
    sealer = Sealer(database)
    yield sealer
    sealer.close()


@pytest.fixture
def running_sealer(database: Database) -> Iterator[Sealer]:
    """Seals by itself."""
    sealer, stop = Sealer(database), threading.Event()
    thread = threading.Thread(target=sealer.run, args=[stop])
    thread.start()
    yield sealer
    stop.set()
    sealer.poke()
    thread.join()


@pytest.fixture
def admin(database: Database) -> Iterator[psycopg.Connection]:
    """A connection that may do anything, for looking behind the scenes and for doing damage."""
    with database.connect(autocommit=True) as connection:
        yield connection


def names(app: Arrears, aggregate_id: UUID) -> list[str]:
    return [recorded.name for recorded in app.history(Case, aggregate_id)]


@contextmanager
def before_the_append_of(app: Arrears, meanwhile: Callable[[], object]) -> Iterator[None]:
    """Something happens between an application's load and its next append."""
    append = app._log.append
    todo = [meanwhile]

    def late(*arguments: Any, **more: Any) -> None:
        if todo:
            todo.pop()()
        append(*arguments, **more)

    app._log.append = late  # type: ignore[method-assign]
    yield
    app._log.append = append  # type: ignore[method-assign]

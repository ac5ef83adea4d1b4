"""A service that is driven step by step reads what nobody has read yet, however long the log is."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Issued
from aggregates.office import OpenOffice
from api.processes.step_by_step import StepByStep
from tests.adapters.readers.log import rows
from tests.conftest import TestServer

OFFICES = 20


@pytest.fixture
def env(postgres: TestServer, built_template: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of a database whose log has a few events, which all have been read."""
    name = postgres.create(template=built_template)
    env = {
        "ARREARS_DATABASE_URL": postgres.dsn_of(name),
        "ARREARS_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
        "ARREARS_OUTBOX": str(tmp_path),
    }
    with StepByStep.open(None, env=env) as service:
        open_offices(service, *(f"office-{number}" for number in range(OFFICES)))
        service.drain()
    yield env
    postgres.drop(name)


def open_offices(service: StepByStep, *codes: str) -> None:
    ann = Actor.parse("person:ann")
    service.arrears.handle(
        [Issued(command=OpenOffice(code=each, title=each), command_id=uuid4(), actor=ann) for each in codes]
    )


def read_from(service: StepByStep, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The positions after which the log is read from now on."""
    found: list[int] = []
    fetch = service.feed._fetch

    def fetching(after: int, *more: Any) -> Any:
        found.append(after)
        return fetch(after, *more)

    monkeypatch.setattr(service.feed, "_fetch", fetching)
    return found


def test_what_was_read_before_is_not_read_again(env: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    with StepByStep.open(None, env=env) as service:
        head, found = service.feed.head(), read_from(service, monkeypatch)
        service.drain()
        open_offices(service, "another")
        service.drain()
        assert head >= OFFICES
        assert min(found) == head - 1
        assert [each.checkpoint for each in service.status()] == [head + 1] * len(service.status())


def test_the_database_knows_how_much_tables_hold_once_much_was_read(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("api.processes.step_by_step._MUCH", OFFICES)
    known = "SELECT reltuples FROM pg_class WHERE oid = 'arrears.events'::regclass"
    with StepByStep.open(None, env=env) as service:
        open_offices(service, *(f"more-{number}" for number in range(OFFICES)))
        [(before,)] = rows(service.database, known)
        service.drain()
        assert before < rows(service.database, known)[0][0] == service.feed.head()


@pytest.mark.parametrize("reader", ["policies", "delivery", "agenda@"])
def test_whoever_is_behind_is_brought_up(env: dict[str, str], monkeypatch: pytest.MonkeyPatch, reader: str):
    behind = "reader LIKE %s"
    with StepByStep.open(None, env=env) as service:
        with service.database.connect("arrears_app", autocommit=True) as connection:
            moved = connection.execute(
                f"UPDATE read_model.checkpoints SET position = 3 WHERE {behind}", [f"{reader}%"]
            ).rowcount
        found = read_from(service, monkeypatch)
        service.drain()
        assert moved > 0
        assert min(found) == 3
        head = service.feed.head()
        positions = rows(service.database, f"SELECT position FROM read_model.checkpoints WHERE {behind}", f"{reader}%")
        assert positions == [(head,)] * moved

"""A whole Arrears for a test, on a database of its own, driven step by step."""

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.clock import Clock
from api.processes.step_by_step import StepByStep
from tests.conftest import TestServer

AService = Callable[[Clock], StepByStep]
MASTER_KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def a_service(postgres: TestServer, built_template: str, tmp_path: Path) -> Iterator[AService]:
    """Makes services; each has a fresh database and an outbox, and is closed after the test."""
    with ExitStack() as closing:

        def make(clock: Clock) -> StepByStep:
            name = postgres.create(template=built_template)
            closing.callback(postgres.drop, name)
            env = {
                "ARREARS_DATABASE_URL": postgres.dsn_of(name),
                "ARREARS_MASTER_KEY": MASTER_KEY,
                "ARREARS_OUTBOX": str(tmp_path / f"outbox-{name}"),
            }
            service = closing.enter_context(StepByStep.open(None, env=env, clock=clock))
            service.prepare()
            return service

        yield make

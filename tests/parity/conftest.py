"""The same history, lived through embedded and in a cluster."""

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.clock import ManualClock
from adapters.postgres.database import Database
from api.processes.step_by_step import StepByStep
from tests.adapters.kafka.fixture import TestKafka
from tests.conftest import TestServer
from tests.parity.cluster import ClusterService

PARTITIONS = 4

Open = Callable[[ManualClock], StepByStep]
Pair = tuple[Open, Open]
"""Makes an embedded service, and one over Kafka; each on a fresh database."""


@contextmanager
def a_pair(postgres: TestServer, template: str, kafka: TestKafka, folder: Path) -> Iterator[Pair]:
    with ExitStack() as closing:

        def fresh(**more: str) -> tuple[Database, dict[str, str]]:
            name = postgres.create(template=template)
            closing.callback(postgres.drop, name)
            env = {
                "ARREARS_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
                "ARREARS_OUTBOX": str(folder / f"outbox-{uuid4().hex[:8]}"),
                **more,
            }
            return Database(postgres.dsn_of(name)), env

        def embedded(clock: ManualClock) -> StepByStep:
            database, env = fresh()
            service = closing.enter_context(StepByStep(database, data_dir=None, env=env, clock=clock))
            service.prepare()
            return service

        def cluster(clock: ManualClock) -> StepByStep:
            topics = {
                "ARREARS_EVENTS_TOPIC": kafka.topic(partitions=PARTITIONS),
                "ARREARS_TICKS_TOPIC": kafka.topic(partitions=PARTITIONS),
            }
            database, env = fresh(**kafka.env, **topics)
            return closing.enter_context(ClusterService(database, env=env, clock=clock))

        yield embedded, cluster


@pytest.fixture
def pair(postgres: TestServer, built_template: str, kafka: TestKafka, tmp_path: Path) -> Iterator[Pair]:
    with a_pair(postgres, built_template, kafka, tmp_path) as made:
        yield made

"""PostgreSQL or Kafka are away for a while, under real processes of every role: all wait, say so, and stay small."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from adapters.kafka.local import LocalKafka
from adapters.postgres.database import Database
from aggregates.account.chase import Stage
from aggregates.kernel.command import identifier
from api.processes.core import PROJECTIONS
from api.processes.parts import PARTS
from api.processes.parts.part import Need, Worker
from api.processes.publishing import publishing
from tests.adapters.kafka.fixture import local_kafka
from tests.adapters.readers.builders import opened, staged
from tests.chaos.world import READERS, World, a_world
from tests.roles import Role, running, wait_until_ready
from tests.waiting import HANG, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.kafka]

ROLES = [part.name for part in PARTS if isinstance(part, Worker)]
AT_KAFKA = {part.name for part in PARTS if Need.KAFKA in part.needs}
PARTITIONS = 12
OUTAGE_SECONDS = float(os.environ.get("ARREARS_OUTAGE_SECONDS", "25"))
"""Ten minutes show more; in 25 seconds a process that began consumers anew had grown by more than its limit already."""
MAY_GROW_MB = 50.0
MAY_GROW_THREADS = 2
MAY_END_SECONDS = 30.0
LONG_ENOUGH_TO_TRY_AGAIN_SECONDS = 8.0
"""By then each has noticed, and is in the middle of an attempt or between two."""
ACCOUNTS, STAGES = 150, 130
"""Some twenty megabytes on the topic: much more than a process may grow by, once they are fetched again and again."""


EVERYBODY = (*READERS, *(each.name for each in PROJECTIONS))


def fill(world: World) -> int:
    for number in range(ACCOUNTS):
        who = identifier("account", number)
        events = [staged(Stage.SCHEDULED, code="x" * 500) for _ in range(STAGES)]
        world.log.append_all([world.log.recorded(who, each) for each in (opened(f"A-{number}"), *events)])
    with publishing(world.database, world.env) as publisher:
        return publisher.catch_up(timeout=HANG)


@pytest.fixture(scope="module")
def kafka() -> Iterator[LocalKafka]:
    with local_kafka() as kafka:
        yield kafka


@pytest.fixture
def world(kafka: LocalKafka, database: Database, tmp_path: Path) -> Iterator[World]:
    servers = kafka.bootstrap_servers
    with a_world(
        database, tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": servers}, plain=servers, partitions=PARTITIONS
    ) as world:
        yield world


@dataclass(frozen=True)
class Grown:
    """What each role had more of during an outage than when it began."""

    memory: dict[str, float]
    """In megabytes, at most."""
    threads: dict[str, int]
    """In the end."""

    @classmethod
    def through(cls, roles: list[Role], seconds: float) -> Self:
        memory = {role.name: role.memory for role in roles}
        threads = {role.name: role.threads for role in roles}
        most = dict(memory)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for role in roles:
                assert role.is_running, (role.name, role.said[-2_000:])
                most[role.name] = max(most[role.name], role.memory)
            time.sleep(0.5)
        return cls(
            {name: round(most[name] - memory[name], 1) for name in most},
            {role.name: role.threads - threads[role.name] for role in roles},
        )

    def check(self) -> None:
        """A consumer that is left behind shows by its thread at once, by what it fetched only after long."""
        print("grown by MB:", self.memory, "threads:", self.threads)
        assert {name: mb for name, mb in self.memory.items() if mb > MAY_GROW_MB} == {}
        assert {name: count for name, count in self.threads.items() if count > MAY_GROW_THREADS} == {}


def test_without_postgresql_every_role_waits_says_so_and_stays_small(world: World, tmp_path: Path):
    head = fill(world)
    with running(world.env, ROLES, tmp_path / "logs") as roles:
        wait_until_ready(roles)
        wait_until(lambda: world.is_read(head, *EVERYBODY), "all is read")
        world.postgres.cut()
        for role in roles:
            role.wait_until_it_says("database", "")
            assert role.ask("/live")[0] == 200
        grown = Grown.through(roles, OUTAGE_SECONDS)
        world.postgres.restore()
        wait_until_ready(roles)
        world.goes_on(*EVERYBODY)
    grown.check()


def test_without_kafka_every_role_waits_says_so_and_stays_small(world: World, kafka: LocalKafka, tmp_path: Path):
    head = fill(world)
    with running(world.env, ROLES, tmp_path / "logs") as roles:
        wait_until_ready(roles)
        wait_until(lambda: world.is_read(head, *EVERYBODY), "all is read")
        kafka.kill_broker(1)
        for role in roles:
            if role.name in AT_KAFKA:
                role.wait_until_it_says("kafka", "does not answer")
        grown = Grown.through(roles, OUTAGE_SECONDS)
        assert {role.name for role in roles if role.is_ready} == set(ROLES) - AT_KAFKA
        kafka.start_broker(1)
        wait_until_ready(roles)
        world.goes_on(*EVERYBODY)
        for role in roles:
            if role.name in AT_KAFKA:
                assert role.said.count("Kafka cannot be used") == role.said.count("Kafka can be used again") == 1
    grown.check()


@contextmanager
def postgres_gone(world: World, _: LocalKafka) -> Iterator[None]:
    world.postgres.cut()
    try:
        yield
    finally:
        world.postgres.restore()


@contextmanager
def kafka_gone(_: World, kafka: LocalKafka) -> Iterator[None]:
    kafka.kill_broker(1)
    try:
        yield
    finally:
        kafka.start_broker(1)


@contextmanager
def kafka_silent(_: World, kafka: LocalKafka) -> Iterator[None]:
    """Connections are taken, and nothing is answered."""
    broker = kafka.pid(1)
    assert broker is not None
    os.kill(broker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(broker, signal.SIGCONT)


@pytest.mark.parametrize("away", [postgres_gone, kafka_gone, kafka_silent])
def test_whoever_is_told_to_end_while_what_it_needs_is_away_ends_in_time(
    away: Callable[[World, LocalKafka], AbstractContextManager[None]], world: World, kafka: LocalKafka, tmp_path: Path
):
    """An orchestrator gives them 40 seconds, and kills then."""
    world.write(10)
    with running({**world.env, "PYTHONFAULTHANDLER": "1"}, ROLES, tmp_path / "logs") as roles:
        wait_until_ready(roles)
        with away(world, kafka):
            time.sleep(LONG_ENOUGH_TO_TRY_AGAIN_SECONDS)
            for role in roles:
                role.process.terminate()
            until = time.monotonic() + MAY_END_SECONDS
            wait_until(lambda: time.monotonic() > until or not any(each.is_running for each in roles), "they end")
            late = [each for each in roles if each.is_running]
            for role in late:
                role.process.send_signal(signal.SIGABRT)  # it says where it stands
                role.process.wait()
    assert {role.name: role.said[-5_000:] for role in late} == {}


def test_a_role_that_is_started_before_what_it_needs_waits_for_it(world: World, kafka: LocalKafka, tmp_path: Path):
    world.postgres.cut()
    kafka.kill_broker(1)
    with running(world.env, ROLES, tmp_path / "logs") as roles:
        for role in roles:
            role.wait_until_it_says("start", "cannot be reached")
            assert role.ask("/live")[0] == 200
        world.postgres.restore()
        (seal,) = (role for role in roles if role.name == "seal")
        wait_until_ready([seal])
        for role in roles:
            if role.name in AT_KAFKA:
                role.wait_until_it_says("start", "does not answer")
        kafka.start_broker(1)
        wait_until_ready(roles)
        world.goes_on(*EVERYBODY)
        for role in roles:
            assert role.said.count("what was waited for is there") >= 1

"""The process of a role that only one works at a time is frozen: another goes on, and no harm is done when it wakes.

These are processes that get SIGSTOP. Their connections stay up, because the kernel answers for them.
"""

import os
import signal
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.eventstore.application import Arrears as Application
from adapters.eventstore.verify import verify
from adapters.kafka.publisher import reader_name
from adapters.postgres.database import Database
from adapters.workers.ticks import Tick
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Issued
from aggregates.office import OpenOffice
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.wire import envelopes, records, without_repeats
from tests.adapters.readers.log import rows
from tests.api.cli.conftest import MASTER_KEY
from tests.api.cli.test_roles import Member, running
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def env(database: Database, tmp_path: Path) -> dict[str, str]:
    ours = {name: text for name, text in os.environ.items() if not name.startswith("ARREARS_")}
    return {**ours, "ARREARS_DATABASE_URL": database.dsn, "ARREARS_MASTER_KEY": MASTER_KEY}


@pytest.fixture
def with_kafka(env: dict[str, str], kafka: TestKafka) -> dict[str, str]:
    return {
        **env,
        **kafka.env,
        "ARREARS_EVENTS_TOPIC": kafka.topic(partitions=2),
        "ARREARS_TICKS_TOPIC": kafka.topic(partitions=2),
    }


@pytest.fixture
def app(database: Database) -> Iterator[Application]:
    app = Application(database, master_key=b64decode(MASTER_KEY))
    yield app
    app.close()


class Store:
    """Stores one event after another."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self.stored = 0

    def one(self) -> None:
        command = OpenOffice(code=f"office-{self.stored}", title="An office")
        (outcome,) = self._app.handle([Issued(command=command, command_id=uuid4(), actor=Actor.parse("person:ann"))])
        assert isinstance(outcome, Accepted)
        self.stored += len(outcome.event_ids)


def holder(database: Database, role: str) -> tuple[int, int]:
    """The number and the process id of who has a role."""
    found = rows(
        database, "SELECT number, split_part(holder, ':', 2)::integer FROM arrears.leases WHERE role = %s", role
    )
    return found[0] if found else (0, 0)


@contextmanager
def frozen(member: Member) -> Iterator[None]:
    member.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        member.process.send_signal(signal.SIGCONT)


def sealers(database: Database) -> int:
    """How many processes are connected as a sealer is."""
    return len(
        rows(
            database,
            "SELECT FROM pg_stat_activity WHERE application_name = 'arrears_sealer' AND datname = current_database()",
        )
    )


def of_process(members: list[Member], pid: int) -> Member:
    (found,) = (each for each in members if each.process.pid == pid)
    return found


def test_a_frozen_sealer_is_replaced_and_wakes_without_harm(env: dict[str, str], database: Database, app: Application):
    store = Store(app)
    with running(env, "seal", "seal") as members:
        wait_until(lambda: holder(database, "sealer")[0], "one seals")
        number, pid = holder(database, "sealer")
        store.one()
        wait_until(lambda: app.feed.head() == store.stored, "it is sealed")
        with frozen(of_process(members, pid)):
            store.one()
            wait_until(lambda: app.feed.head() == store.stored, "another seals")
            assert holder(database, "sealer")[0] == number + 1
        wait_until(lambda: sealers(database) == 2, "the one that woke stands by")
        for _ in range(50):
            store.one()
        wait_until(lambda: app.feed.head() == store.stored, "all is sealed")
        assert holder(database, "sealer")[0] == number + 1
        with database.connect(autocommit=True) as connection:
            assert list(verify(connection)) == []
        assert all(member.process.poll() is None for member in members)


def test_a_frozen_publisher_is_replaced_and_wakes_without_harm(
    with_kafka: dict[str, str], database: Database, app: Application
):
    store, topic = Store(app), with_kafka["ARREARS_EVENTS_TOPIC"]
    role = reader_name(topic)

    def published() -> bool:
        return rows(database, "SELECT position FROM read_model.checkpoints WHERE reader = %s", role) == [
            (store.stored,)
        ]

    with running(with_kafka, "seal", "publish", "publish") as members:
        wait_until(lambda: holder(database, role)[0], "one publishes")
        number, pid = holder(database, role)
        store.one()
        wait_until(published, "it is published")
        with frozen(of_process(members, pid)):
            for _ in range(20):
                store.one()
            wait_until(published, "another publishes")
            assert holder(database, role)[0] == number + 1
        for _ in range(20):
            store.one()
        wait_until(published, "all is published")
        assert all(member.process.poll() is None for member in members)
    wire = envelopes(with_kafka["KAFKA_BOOTSTRAP_SERVERS"], topic)
    assert sorted(each.position for each in without_repeats(wire)) == list(range(1, store.stored + 1))


def test_a_frozen_clock_is_replaced_and_wakes_without_harm(with_kafka: dict[str, str], database: Database):
    def numbers() -> list[int | None]:
        found = records(with_kafka["KAFKA_BOOTSTRAP_SERVERS"], with_kafka["ARREARS_TICKS_TOPIC"])
        return [Tick.from_json(each.value).number for each in found if each.partition == 0]

    with running(with_kafka, "clock", "clock") as members:
        wait_until(lambda: 1 in numbers(), "one says the time")
        number, pid = holder(database, "clock")
        with frozen(of_process(members, pid)):
            wait_until(lambda: number + 1 in numbers(), "another says the time")
        said = len(numbers())
        wait_until(lambda: len(numbers()) > said + 2, "it goes on")
        late = [each for each in numbers()[numbers().index(number + 1) :] if each != number + 1]
        assert len(late) <= 1, "at most the tick in whose middle it was frozen, which receivers refuse"
        assert holder(database, "clock")[0] == number + 1
        assert all(member.process.poll() is None for member in members)

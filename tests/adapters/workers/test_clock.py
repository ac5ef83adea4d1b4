"""The clock: one process says what time it is, to every partition; another takes over when it is gone."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
import structlog

from adapters.clock import ManualClock
from adapters.kafka.jars import KafkaUnavailable
from adapters.postgres.database import Database
from adapters.workers.clock import ClockWork
from adapters.workers.ticks import Tick
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.wire import records, some_accounts
from tests.adapters.readers.log import Log, rows
from tests.adapters.workers.conftest import MORNING
from tests.waiting import HANG, wait_until


@pytest.fixture
def env(kafka: TestKafka) -> dict[str, str]:
    return {**kafka.env, "ARREARS_TICKS_TOPIC": kafka.topic(partitions=3)}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MORNING)


@pytest.fixture
def first(database: Database, clock: ManualClock, env: dict[str, str]) -> Iterator[ClockWork]:
    work = ClockWork(database, clock, env=env)
    yield work
    work.close()


@pytest.fixture
def second(database: Database, clock: ManualClock, env: dict[str, str]) -> Iterator[ClockWork]:
    work = ClockWork(database, clock, env=env)
    yield work
    work.close()


def ticks(env: dict[str, str]) -> list[tuple[int, Tick]]:
    found = records(env["KAFKA_BOOTSTRAP_SERVERS"], env["ARREARS_TICKS_TOPIC"])
    return [(each.partition, Tick.from_json(each.value)) for each in found]


def lose_the_connection(database: Database) -> None:
    rows(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND datname = current_database() AND application_name = 'arrears_app'",
    )


def test_every_partition_is_told_the_time_and_the_logs_end(
    first: ClockWork, log: Log, database: Database, env: dict[str, str]
):
    head = some_accounts(log, 2)
    assert first.tick()
    assert ticks(env) == [(partition, Tick(MORNING, head, number=1)) for partition in range(3)]
    assert rows(database, "SELECT now FROM read_model.clock") == [(MORNING,)]


def test_one_says_the_time_and_the_other_stands_by(
    first: ClockWork, second: ClockWork, clock: ManualClock, env: dict[str, str]
):
    assert first.tick()
    clock.set(MORNING + timedelta(hours=1))
    assert not second.tick()
    assert first.tick()
    assert [tick.now for partition, tick in ticks(env) if partition == 0] == [MORNING, clock.now()]
    first.close()
    assert second.tick()


def test_whoever_lost_the_connection_is_replaced_and_stands_by_from_then_on(
    first: ClockWork, second: ClockWork, database: Database
):
    stop = threading.Event()
    said: list[str] = []

    def say(work: ClockWork, name: str) -> None:
        tick = work.tick
        work.tick = lambda: tick() and not said.append(name)  # type: ignore[func-returns-value,method-assign]
        work.run(stop, every=0.05)

    leader = threading.Thread(target=say, args=[first, "first"])
    standby = threading.Thread(target=say, args=[second, "second"])
    leader.start()
    try:
        wait_until(lambda: "first" in said, "the first says the time")
        standby.start()
        lose_the_connection(database)
        wait_until(lambda: "second" in said, "the second has taken over")
        at = len(said)
        wait_until(lambda: len(said) > at + 5, "it goes on")
        assert set(said[at:]) == {"second"}
    finally:
        stop.set()
        leader.join()
        standby.join()


def test_no_topic_is_said_and_tried_again(database: Database, clock: ManualClock, kafka: TestKafka):
    work = ClockWork(database, clock, env={**kafka.env, "ARREARS_TICKS_TOPIC": "nowhere"})
    with pytest.raises(KafkaUnavailable, match="Kafka has no topic nowhere"):
        work.tick()
    stop = threading.Event()
    with structlog.testing.capture_logs() as said:
        thread = threading.Thread(target=work.run, args=[stop], kwargs={"every": 0.05})
        thread.start()
        wait_until(lambda: said, "it is said")
        stop.set()
        thread.join()
    work.close()
    assert "arrears topics apply" in said[0]["said"]


def test_a_clock_that_is_told_to_stop_does(first: ClockWork):
    stop = threading.Event()
    thread = threading.Thread(target=first.run, args=[stop], kwargs={"every": 2 * HANG})
    thread.start()
    stop.set()
    thread.join(HANG)
    assert not thread.is_alive()

"""A clock that goes wrong in one process: the others do not believe it."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from adapters.clock import SystemClock
from adapters.clock_check import TickAhead
from adapters.eventstore.application import Arrears
from adapters.postgres.database import Database
from adapters.readers.projections import Projections
from adapters.telemetry.metrics import TICKS_REFUSED
from adapters.ticker import Ticker, TickReport
from adapters.workers.clock import ClockWork
from adapters.workers.ticks import Tick, TickWorker
from projections.agenda.projection import AgendaProjection
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.wire import records
from tests.adapters.readers.log import MASTER_KEY, Log, rows
from tests.adapters.test_clock_check import WrongClock

THREE_DAYS = timedelta(days=3)
FOR_EVER = timedelta(days=36_500)


@pytest.fixture
def log(database: Database) -> Iterator[Log]:
    log = Log(database)
    yield log
    log.close()


@pytest.fixture
def ticker(database: Database) -> Iterator[Ticker]:
    """By a clock that is right."""
    with Arrears(database, master_key=MASTER_KEY, clock=SystemClock()) as arrears:
        projections = Projections(database, arrears.feed, [AgendaProjection])
        projections.start()
        ticker = Ticker(arrears, database)
        yield ticker
        ticker.close()
        projections.close()


def message(now: datetime, partition: int = 0) -> Any:
    return SimpleNamespace(partition=partition, value=Tick(now, 0).to_json())


def refused() -> float:
    return float(TICKS_REFUSED._value.get())


def test_a_tick_that_says_a_time_that_has_not_come_is_refused_said_once_and_counted(database: Database, ticker: Ticker):
    worked: list[tuple[int, TickReport]] = []
    worker = TickWorker(
        database, ticker, partitions=2, stop=threading.Event(), on_worked=lambda *what: worked.append(what)
    )
    before = refused()
    with structlog.testing.capture_logs() as told:
        for _ in range(3):
            worker.take([message(datetime.now(UTC) + THREE_DAYS)])
        assert worked == []
        worker.take([message(datetime.now(UTC))])
    worker.close()
    assert [partition for partition, _ in worked] == [0]
    assert refused() - before == 3
    assert [each["event"] for each in told] == [
        "ticks say a time that has not come, and are not worked",
        "ticks say the time again",
    ]


def test_a_right_tick_is_worked_although_a_wrong_one_came_after_it(database: Database, ticker: Ticker):
    worked: list[int] = []
    worker = TickWorker(
        database, ticker, partitions=2, stop=threading.Event(), on_worked=lambda partition, _: worked.append(partition)
    )
    now = datetime.now(UTC)
    worker.take([message(now), message(now + THREE_DAYS), message(now, partition=1)])
    worker.close()
    assert worked == [0, 1]


def test_a_little_ahead_is_tolerated_and_worked_by_the_own_clock(ticker: Ticker):
    now = datetime.now(UTC)
    report = ticker.tick(now + timedelta(seconds=20))
    assert now <= report.at <= datetime.now(UTC)
    with pytest.raises(TickAhead, match="ahead of the database's clock"):
        ticker.tick(datetime.now(UTC) + timedelta(seconds=60))


def test_a_stale_tick_is_worked_as_of_its_moment_and_turns_no_clock_back(database: Database, ticker: Ticker):
    """What a clock sends that was frozen for an hour, or a worker has at hand that was."""
    now = datetime.now(UTC)
    ticker.tick(now)
    report = ticker.tick(now - timedelta(hours=1))
    assert (report.due, report.commands) == (0, 0)
    assert rows(database, "SELECT now FROM read_model.clock") == [(now,)]


def test_whoever_says_the_time_by_a_clock_that_is_ahead_shows_no_time_that_has_not_come(
    database: Database, kafka: TestKafka, log: Log
):
    """Even one that was told to tolerate it."""
    env = {**kafka.env, "ARREARS_TICKS_TOPIC": kafka.topic(partitions=2)}
    work = ClockWork(database, WrongClock(THREE_DAYS), env=env, tolerance=FOR_EVER)
    assert work.tick()
    work.close()
    ((shown,),) = rows(database, "SELECT now FROM read_model.clock")
    assert shown <= datetime.now(UTC)
    sent = [Tick.from_json(each.value).now for each in records(kafka.bootstrap_servers, env["ARREARS_TICKS_TOPIC"])]
    assert min(sent) > datetime.now(UTC) + THREE_DAYS / 2  # so receivers have to refuse them

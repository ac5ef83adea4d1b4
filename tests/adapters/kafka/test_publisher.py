"""The publisher on a real Kafka: everything arrives, in order, and nothing personal with it."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
import structlog
from kafka import KafkaProducer

from adapters.eventstore.verify import LogBehind
from adapters.kafka import publisher as publisher_module
from adapters.kafka.cloudevents import LARGEST
from adapters.kafka.identity import TopicUnfit
from adapters.kafka.publisher import BATCH_BYTES, NotPublished, Publisher
from adapters.kafka.sealed_rows import SealedRows
from adapters.postgres.database import Database
from adapters.readers.poison import dead_letters
from adapters.readers.runner import Runner
from aggregates.kernel.command import identifier
from aggregates.kernel.event import Event
from api.processes.publishing import check_same_log, publishing
from tests.adapters.kafka.fixture import TestKafka, local_kafka
from tests.adapters.kafka.wire import assert_is_the_log, envelopes, records, some_accounts, without_repeats
from tests.adapters.readers.builders import an_item, billed, opened, staged
from tests.adapters.readers.log import Log, rows
from tests.waiting import HANG, wait_until


def account(n: object) -> UUID:
    return identifier("account", n)


def of_size(size: int) -> Event:
    """An event whose message has at least this many bytes."""
    return staged(None, code="x" * (size // 2))


def publish(database: Database, env: dict[str, str], topic: str, *, to: int | None = None) -> int:
    with publishing(database, env, topic=topic) as runner:
        return runner.catch_up(to, timeout=HANG)


@contextmanager
def running(runner: Runner) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=runner.run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def checkpoint(database: Database) -> int:
    found = rows(database, "SELECT position FROM read_model.checkpoints WHERE reader LIKE 'publisher:%%'")
    return found[0][0] if found else 0


# --- what arrives --------------------------------------------------------------------------------------


def test_everything_arrives_once_and_each_account_in_order(kafka: TestKafka, log: Log, database: Database):
    topic = kafka.topic(partitions=6)
    head = some_accounts(log, 200)
    assert publish(database, kafka.env, topic) == head
    found = envelopes(kafka.bootstrap_servers, topic)
    assert len(found) == head
    assert_is_the_log(found, log.read_all())


def test_positions_grow_within_a_partition(kafka: TestKafka, log: Log, database: Database):
    topic = kafka.topic(partitions=3)
    some_accounts(log, 50)
    publish(database, kafka.env, topic)
    found = envelopes(kafka.bootstrap_servers, topic)
    assert without_repeats(found) == found


def test_personal_text_is_nowhere_on_the_wire(kafka: TestKafka, log: Log, database: Database):
    topic = kafka.topic(partitions=2)
    some_accounts(log, 30)
    publish(database, kafka.env, topic)
    wire = b"\n".join(
        r.key + r.value + b"".join(name.encode() + value for name, value in r.headers)
        for r in records(kafka.bootstrap_servers, topic)
    )
    assert b"A-17" in wire
    assert b"Secret Person" not in wire
    assert b"enc:" not in wire


def test_publishing_goes_on_where_it_was(kafka: TestKafka, log: Log, database: Database):
    topic = kafka.topic()
    some_accounts(log, 20)
    publish(database, kafka.env, topic)
    some_accounts(log, 20, start=20)
    publish(database, kafka.env, topic)
    assert len(envelopes(kafka.bootstrap_servers, topic)) == len(log.read_all())


def test_a_partition_never_has_two_batches_under_way(kafka: TestKafka, log: Log, database: Database):
    """So that none can get through while an earlier one did not: see the module's text."""
    batches: list[dict[int, object]] = [{}]

    class Watched(KafkaProducer):  # type: ignore[misc]
        def send(self, *args, **kwargs):
            future = super().send(*args, **kwargs)
            partition = kwargs["partition"]
            assert batches[-1].setdefault(partition, future._produce_future) is future._produce_future
            return future

        def flush(self, timeout=None):
            super().flush(timeout)
            batches.append({})

    topic = kafka.topic(partitions=2)
    filling = of_size(10_000)
    log.append_all([log.recorded(account(n % 7), filling) for n in range(3 * BATCH_BYTES // 10_000)])
    rows_ = SealedRows(database)
    publisher = Publisher(kafka.env, topic=topic, producer=Watched)
    runner = Runner(database, rows_, publisher, batch=1_000)
    runner.catch_up()
    runner.release()
    publisher.close()
    rows_.close()
    assert len([each for each in batches if each]) >= 2
    assert_is_the_log(envelopes(kafka.bootstrap_servers, topic), log.read_all())


# --- what does not fit ---------------------------------------------------------------------------------


def test_an_event_that_is_too_large_parks_its_account_only(kafka: TestKafka, log: Log, database: Database):
    topic = kafka.topic()
    log.append(account(1), opened("A-1"))
    too_large = log.append(account(1), of_size(LARGEST))
    behind = log.append(account(1), billed(an_item("I-2")))
    some_accounts(log, 5, start=10)
    with structlog.testing.capture_logs() as alarms:
        publish(database, kafka.env, topic)
    found = {e.position for e in envelopes(kafka.bootstrap_servers, topic)}
    assert found == {r.position for r in log.read_all()} - {too_large, behind}
    with database.connect("arrears_app") as connection:
        letters = dead_letters(connection, reader=f"publisher:{topic}")
    assert [(each.position, each.error_class) for each in letters] == [(too_large, "TooLarge"), (behind, None)]
    assert [each["position"] for each in alarms if each["log_level"] == "error"] == [too_large]


def test_what_was_held_back_comes_late_and_says_so(kafka: TestKafka, log: Log, database: Database):
    topic = kafka.topic(partitions=1)
    too_large = log.append(account(1), of_size(LARGEST))
    behind = log.append(account(1), billed(an_item("I-2")))
    log.append(account(2), opened("A-2"))
    with publishing(database, kafka.env, topic=topic) as runner:
        runner.catch_up()
        runner.discard(too_large, on_discard=lambda letter: None)
    found = envelopes(kafka.bootstrap_servers, topic)
    assert [(e.position, e.late) for e in found] == [(behind + 1, False), (behind, True)]


def test_a_missing_topic_is_no_events_fault(kafka: TestKafka, log: Log, database: Database):
    log.append(account(1), opened("A-1"))
    with pytest.raises(TopicUnfit, match="arrears topics apply"):
        publish(database, kafka.env, "nowhere")
    assert checkpoint(database) == 0
    assert rows(database, "SELECT count(*) FROM read_model.dead_letters") == [(0,)]


def test_a_topic_that_takes_too_little_is_refused(kafka: TestKafka, log: Log, database: Database):
    topic = kafka.topic(configs={"max.message.bytes": "100000"})
    log.append(account(1), opened("A-1"))
    with pytest.raises(TopicUnfit, match=r"max\.message\.bytes"):
        publish(database, kafka.env, topic)


def test_without_kafka_nothing_moves(log: Log, database: Database):
    log.append(account(1), opened("A-1"))
    with pytest.raises(NotPublished):
        publish(database, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "events")
    assert checkpoint(database) == 0


class Impatient(KafkaProducer):  # type: ignore[misc]
    """Gives a batch up after a second."""

    def __init__(self, **options):
        super().__init__(**{**options, "linger_ms": 100, "request_timeout_ms": 500, "delivery_timeout_ms": 1_000})


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize("partitions", [1, 2])
def test_the_checkpoint_waits_until_kafka_has_taken_everything(
    partitions: int, log: Log, database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(publisher_module, "_DELIVERY_MS", 2_000)
    with local_kafka() as broker:
        own = TestKafka(broker.bootstrap_servers)
        topic = own.topic(partitions=partitions)
        before = some_accounts(log, 5)
        source, publisher = SealedRows(database), Publisher(own.env, topic=topic, producer=Impatient)
        runner = Runner(database, source, publisher)
        assert runner.catch_up() == before

        head = some_accounts(log, 5, start=5)
        os.kill(broker.pid(1) or 0, signal.SIGSTOP)
        try:
            with pytest.raises(NotPublished, match="did not take"):
                runner.catch_up()
        finally:
            os.kill(broker.pid(1) or 0, signal.SIGCONT)
        assert not [each for each in threading.enumerate() if each.name.startswith("arrears-publisher")]
        assert checkpoint(database) == before
        assert rows(database, "SELECT count(*) FROM read_model.dead_letters") == [(0,)]

        assert runner.catch_up() == head
        runner.release()
        publisher.close()
        source.close()
        assert_is_the_log(envelopes(own.bootstrap_servers, topic), log.read_all())


# --- what goes wrong -----------------------------------------------------------------------------------

KILLED_AFTER_SENDING = """
import os, signal, sys
from adapters.kafka.publisher import Publisher
from adapters.postgres.database import Database
from api.processes.publishing import publishing

handle, rounds = Publisher.handle, []

def handle_and_die(self, batch, connection):
    handle(self, batch[:int(sys.argv[3])], connection) if len(rounds) == 1 else handle(self, batch, connection)
    rounds.append(1)
    if len(rounds) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

Publisher.handle = handle_and_die
with Database(sys.argv[1]) as database, publishing(database, topic=sys.argv[2]) as runner:
    runner._batch = 100
    runner.catch_up()
"""


def test_killed_between_sending_and_the_checkpoint_nothing_is_lost(kafka: TestKafka, log: Log, database: Database):
    topic = kafka.topic(partitions=3)
    head = some_accounts(log, 100, invoices=2)
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AFTER_SENDING, database.dsn, topic, "70"],
        env={"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "PATH": ""},
        check=False,
        timeout=HANG,
    )
    assert done.returncode == -signal.SIGKILL
    assert len(envelopes(kafka.bootstrap_servers, topic)) == 170
    assert publish(database, kafka.env, topic) == head
    found = envelopes(kafka.bootstrap_servers, topic)
    assert_is_the_log(found, log.read_all())
    assert Counter(Counter(e.position for e in found).values()) == {1: head - 70, 2: 70}


def test_a_standby_takes_over(kafka: TestKafka, log: Log, database: Database):
    topic = kafka.topic()
    with (
        publishing(database, kafka.env, topic=topic) as first,
        publishing(database, kafka.env, topic=topic) as second,
    ):
        with running(first):
            wait_until(lambda: first.is_active, "the first is active")
            with running(second):
                some_accounts(log, 5)
                head = log.feed.head()
                wait_until(lambda: checkpoint(database) == head, "all is published")
                assert (first.is_active, second.is_active) == (True, False)
        with running(second):
            wait_until(lambda: second.is_active, "the second is active")
            head = some_accounts(log, 5, start=5)
            wait_until(lambda: checkpoint(database) == head, "all is published")
    found = envelopes(kafka.bootstrap_servers, topic)
    assert len(found) == head
    assert_is_the_log(found, log.read_all())


def test_another_log_than_the_published_one_is_noticed(
    kafka: TestKafka, log: Log, database: Database, empty_database: Database
):
    topic = kafka.topic()
    env = {**kafka.env, "ARREARS_EVENTS_TOPIC": topic}
    some_accounts(log, 3)
    check_same_log(database, env)
    publish(database, env, topic)
    check_same_log(database, env)
    with database.connect() as connection:
        connection.execute("UPDATE arrears.events SET position = position + 1000")
    with pytest.raises(LogBehind, match="position 12 "):
        check_same_log(database, env)


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize("kill", [True, False], ids=["killed", "restarted"])
def test_a_broker_that_goes_and_comes_back_costs_nothing(kill: bool, log: Log, database: Database):
    with local_kafka() as broker:
        own = TestKafka(broker.bootstrap_servers)
        topic = own.topic()
        some_accounts(log, 300)
        with publishing(database, own.env, topic=topic) as runner, running(runner):
            runner._batch = 50
            wait_until(lambda: checkpoint(database) > 0, "something is published")
            broker.restart_broker(1, kill=kill)
            head = some_accounts(log, 100, start=300)
            wait_until(lambda: checkpoint(database) == head, "all is published")
        assert_is_the_log(envelopes(own.bootstrap_servers, topic), log.read_all())
        assert rows(database, "SELECT count(*) FROM read_model.dead_letters") == [(0,)]


@pytest.mark.kafka
@pytest.mark.slow
def test_leaders_may_change_while_it_publishes(log: Log, database: Database):
    with local_kafka(brokers=3) as cluster:
        own = TestKafka(cluster.bootstrap_servers)
        topic = own.topic(partitions=6, copies=3, configs={"min.insync.replicas": "2"})
        some_accounts(log, 300)
        with publishing(database, own.env, topic=topic) as runner, running(runner):
            runner._batch = 50
            wait_until(lambda: checkpoint(database) > 0, "something is published")
            cluster.kill_broker(1)
            head = some_accounts(log, 100, start=300)
            wait_until(lambda: checkpoint(database) == head, "all is published")
            cluster.start_broker(1)
            cluster.stop_broker(2)
            head = some_accounts(log, 100, start=400)
            wait_until(lambda: checkpoint(database) == head, "all is published")
        cluster.start_broker(2)
        assert_is_the_log(envelopes(own.bootstrap_servers, topic), log.read_all())

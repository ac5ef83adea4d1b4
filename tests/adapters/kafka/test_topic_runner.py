"""Readers of a real topic: what counts is what Postgres says, and one reader's trouble is its own."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, cast
from uuid import UUID

import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from psycopg import Connection

from adapters.eventstore.keys import KeyRing
from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.recorder import app_connections
from adapters.kafka import topic_runner as topic_runner_module
from adapters.kafka.cloudevents import LARGEST
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.places import Places
from adapters.kafka.publisher import reader_name
from adapters.kafka.seats import Seat
from adapters.kafka.tail import Tail
from adapters.kafka.topic_runner import TopicRunner, last_heartbeat
from adapters.postgres.database import Database
from adapters.readers.generations import GenerationReader
from adapters.readers.handling import ReaderRetired
from adapters.readers.partitions import UNKNOWN, Place
from adapters.readers.poison import MOST_AT_ONCE
from adapters.readers.projections import Projections, Status
from adapters.readers.runner import NotReached, Retried, note_trouble
from aggregates.kernel.event import Recorded
from api.processes.publishing import publishing
from projections.base import Projection
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.wire import records
from tests.adapters.kafka.written import Paper, accounts_in
from tests.adapters.readers.builders import opened, staged
from tests.adapters.readers.counter import Counted, Counter, Odd, account
from tests.adapters.readers.log import MASTER_KEY, Log, fingerprint, rows
from tests.waiting import HANG, wait_until

PARTITIONS = 3
ANN, CID = accounts_in(0, 2, make=account, partitions=PARTITIONS)
(BOB,) = accounts_in(1, 1, make=account, partitions=PARTITIONS)


class Names(Projection):
    """What customers are called: personal text, which no topic has."""

    name: ClassVar[str] = "names"
    version: ClassVar[int] = 1
    public: ClassVar[tuple[str, ...]] = ("names",)
    fails_with: ClassVar[Exception | None] = None

    def create(self, connection: Connection[Any]) -> None:
        connection.execute("CREATE TABLE names (account_id uuid PRIMARY KEY, name text NOT NULL)")

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        if (problem := type(self).fails_with) is not None:
            raise problem
        for recorded in batch:
            if name := getattr(recorded.event, "customer_name", None):
                connection.execute(
                    "INSERT INTO names VALUES (%s, %s) ON CONFLICT DO NOTHING", [recorded.account_id, name]
                )


@dataclass
class Stage:
    """A log, its topic, and projections that read it there."""

    database: Database
    log: Log
    projections: Projections
    mapper: EventMapper
    kafka: TestKafka
    env: dict[str, str]

    @property
    def topic(self) -> str:
        return self.env["ARREARS_EVENTS_TOPIC"]

    def publish(self, *, again: bool = False) -> int:
        """Copies the log to the topic; `again`: from its beginning, as after a checkpoint was lost."""
        if again:
            with self.database.connect() as connection:
                connection.execute("DELETE FROM read_model.checkpoints WHERE reader = %s", [reader_name(self.topic)])
        with publishing(self.database, self.env) as runner:
            return runner.catch_up(timeout=HANG)

    def count(self, who: UUID, times: int = 1) -> int:
        return self.log.append(who, *[Counted() for _ in range(times)])

    def another_topic(self) -> None:
        """The same events at other places: what a topic is that was deleted and made anew."""
        self.env = {**self.env, "ARREARS_EVENTS_TOPIC": self.kafka.topic(partitions=PARTITIONS)}

    def seat(self, name: str) -> Seat:
        projection, live = self.projections.live(name)
        return Seat(
            self.database,
            GenerationReader(projection, live),
            search_path=live.search_path,
            on_progress=lambda position: self.projections.watermark.announce(name, position),
        )

    def runner(self, *names: str, group: str = "", **more: Any) -> TopicRunner:
        readers = {name: lambda name=name: self.seat(name) for name in names or ("counter",)}
        return TopicRunner(
            self.database,
            self.mapper,
            self.log.feed,
            readers,
            group=f"{self.topic}.{group}",
            env=self.env,
            heartbeat_interval_ms=200,
            **more,
        )

    @contextmanager
    def running(self, *names: str, **more: Any) -> Iterator[TopicRunner]:
        runner = self.runner(*names, **more)
        with in_a_thread(runner.run):
            yield runner

    def wait(self, position: int, *names: str) -> None:
        self.projections.wait_for(position, names=names or ["counter"], timeout=HANG)

    def status(self, name: str = "counter") -> Status:
        return next(each for each in self.projections.status(name) if each.state == "live")

    @property
    def totals(self) -> dict[UUID, int]:
        return dict(rows(self.database, "SELECT account_id, total FROM read_model.counts"))

    @property
    def places(self) -> dict[int, tuple[int, int]]:
        found = rows(
            self.database,
            "SELECT partition, next_offset, position FROM read_model.partitions WHERE reader LIKE 'counter@%%'",
        )
        return {partition: (offset, position) for partition, offset, position in found}


@contextmanager
def in_a_thread(run: Callable[[threading.Event], object]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def stage(kafka: TestKafka, database: Database, log: Log) -> Iterator[Stage]:
    connections = app_connections(database)
    projections = Projections(database, log.feed, [Counter, Names])
    projections.start()
    env = {**kafka.env, "ARREARS_EVENTS_TOPIC": kafka.topic(partitions=PARTITIONS)}
    yield Stage(database, log, projections, EventMapper(KeyRing(connections, MASTER_KEY)), kafka, env)
    projections.close()
    connections.close()


# --- sharing -----------------------------------------------------------------------------------------


def test_two_of_a_group_share_the_partitions_and_one_takes_over_from_the_other(stage: Stage):
    everybody = [account(number) for number in range(1, 13)]
    for who in everybody:
        stage.count(who)
    stage.publish()
    with stage.running() as first:
        with stage.running() as second:
            wait_until(
                lambda: first.owned and second.owned and sorted((*first.owned, *second.owned)) == [0, 1, 2],
                "they share",
            )
            for who in everybody:
                stage.count(who)
            stage.wait(stage.publish())
            assert stage.totals == dict.fromkeys(everybody, 2)
        wait_until(lambda: first.owned == {0, 1, 2}, "the first has all partitions")
        for who in everybody:
            stage.count(who)
        stage.wait(stage.publish())
    assert stage.totals == dict.fromkeys(everybody, 3)
    assert stage.status().trouble is None


def test_two_groups_on_the_same_reader_do_everything_once(stage: Stage):
    with stage.running(group="one") as first, stage.running(group="two") as second:
        wait_until(lambda: first.owned and second.owned, "both have partitions")
        for _ in range(5):
            for number in range(1, 13):
                stage.count(account(number))
            stage.publish()
        stage.wait(stage.log.feed.head())
    assert stage.totals == {account(number): 5 for number in range(1, 13)}
    assert stage.status().trouble is None


def test_a_whole_log_reader_and_those_who_share_it_keep_each_other_out(stage: Stage):
    position = stage.count(ANN)
    stage.publish()
    with stage.running():
        stage.wait(position)
        position = stage.count(ANN)
        with pytest.raises(NotReached):
            stage.projections.catch_up(position, names=["counter"], timeout=0.2)
        assert stage.totals == {ANN: 1}
        stage.wait(stage.publish())
    stage.count(ANN)
    stage.projections.catch_up(names=["counter"])
    with stage.running():
        position = stage.count(ANN)
        stage.publish()
        assert stage.totals == {ANN: 3}
        stage.projections.close()
        stage.wait(position)
    assert stage.totals == {ANN: 4}


# --- where it goes on --------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["beginning", "end"])
def test_what_the_group_remembers_does_not_count(stage: Stage, to: str):
    for who in (ANN, BOB, ANN):
        stage.count(who)
    position = stage.publish()
    with stage.running():
        stage.wait(position)
    stage.count(ANN, 2)
    position = stage.publish()
    consumer = KafkaConsumer(
        bootstrap_servers=stage.kafka.bootstrap_servers, group_id=f"{stage.topic}.", enable_auto_commit=False
    )
    everywhere = [TopicPartition(stage.topic, each) for each in range(PARTITIONS)]
    consumer.assign(everywhere)
    ends = consumer.end_offsets(everywhere)
    consumer.commit({each: OffsetAndMetadata(ends[each] if to == "end" else 0, "", -1) for each in everywhere})
    consumer.close()
    with stage.running():
        stage.wait(position)
    assert stage.totals == {ANN: 4, BOB: 1}


def test_whoever_read_the_log_alone_goes_on_in_the_topic_by_position(stage: Stage):
    stage.count(ANN, 5)
    stage.count(BOB, 2)
    stage.projections.catch_up(names=["counter"])
    stage.projections.close()
    stage.count(ANN, 3)
    position = stage.publish()
    with stage.running():
        stage.wait(position)
    assert stage.totals == {ANN: 8, BOB: 2}
    assert stage.places == {0: (8, position), 1: (2, position), 2: (0, position)}


def test_a_topic_that_was_made_anew_and_published_again_is_gone_on_with_by_position(stage: Stage):
    stage.count(ANN, 4)
    stage.publish()
    position = stage.publish(again=True)
    with stage.running():
        stage.wait(position)
    assert stage.places[0] == (8, 4)
    stage.another_topic()
    stage.count(ANN, 6)
    stage.count(BOB)
    position = stage.publish()
    with stage.running():
        stage.wait(position)
    assert stage.totals == {ANN: 10, BOB: 1}
    assert stage.places[0] == (10, position)


def test_a_topic_that_is_published_again_while_it_is_read_is_gone_on_with_too(stage: Stage):
    """It is shorter than what was read of the earlier one, and grows beyond that."""
    stage.count(ANN, 2)
    stage.publish()
    stage.publish(again=True)
    position = stage.publish(again=True)
    with stage.running():
        stage.wait(position)
    assert stage.places[0] == (6, 2)
    stage.another_topic()
    stage.publish()
    with stage.running():
        for _ in range(8):
            position = stage.count(ANN)
            stage.publish()
        stage.wait(position)
    assert stage.totals == {ANN: 10}


@pytest.mark.parametrize("known", [True, False], ids=["known place", "unknown place"])
def test_what_was_deleted_from_a_topic_is_taken_from_the_store(stage: Stage, known: bool):
    position = stage.count(ANN, 3)
    stage.count(BOB)
    stage.publish()
    with stage.running():
        stage.wait(position)
    if not known:
        rows(stage.database, "UPDATE read_model.partitions SET next_offset = -1 RETURNING reader")
    position = stage.count(ANN, 5)
    stage.publish()
    stage.kafka.delete_before(stage.topic, {0: 6})
    with stage.running():
        stage.wait(position)
        assert stage.totals == {ANN: 8, BOB: 1}
        stage.count(ANN)
        stage.wait(stage.publish())
        wait_until(lambda: stage.status().trouble is None, "the trouble is gone")
    assert stage.totals == {ANN: 9, BOB: 1}


@pytest.mark.parametrize("known", [True, False], ids=["known place", "unknown place"])
def test_old_events_that_come_once_more_at_the_end_hide_nothing_that_is_before_them(stage: Stage, known: bool):
    """Somebody copied them, or a publisher that was frozen for long sent its last round when it woke."""
    first = stage.count(ANN, 3)
    stage.publish()
    with stage.running():
        stage.wait(first)
    if not known:
        rows(stage.database, "UPDATE read_model.partitions SET next_offset = -1 RETURNING reader")
    position = stage.count(ANN, 5)
    stage.publish()
    copied = records(stage.kafka.bootstrap_servers, stage.topic)[:2]
    assert [each.offset for each in copied] == [0, 1]
    put(stage, copied)
    with stage.running():
        stage.wait(position)
        assert stage.totals == {ANN: 8}
        put(stage, copied)
        stage.wait(stage.count(ANN) and stage.publish())
    assert stage.totals == {ANN: 9}


def test_a_generation_that_takes_over_goes_on_where_the_one_before_it_was(stage: Stage):
    """What that had read is at or before the position up to which the new one was built, wherever copies of it are."""
    first = stage.count(ANN, 3)
    stage.publish()
    with stage.running():
        stage.wait(first)
    put(stage, records(stage.kafka.bootstrap_servers, stage.topic)[:2])
    stage.projections.rebuild("counter")
    assert stage.places[0] == (3, first)
    position = stage.count(ANN, 5)
    stage.publish()
    put(stage, records(stage.kafka.bootstrap_servers, stage.topic)[:2])
    with stage.running():
        stage.wait(position)
    assert stage.totals == {ANN: 8}


def test_a_reader_that_is_new_begins_where_another_is_that_is_not_further(stage: Stage):
    position = stage.count(ANN, 3)
    stage.publish()
    with stage.running("counter"):
        stage.wait(position)
    with stage.running("names", group="names"):
        stage.wait(position, "names")
    places = rows(stage.database, "SELECT reader, next_offset FROM read_model.partitions WHERE partition = 0")
    assert {offset for _, offset in places} == {3}


def put(stage: Stage, copied: Sequence[Any]) -> None:
    """Messages of partition 0 once more, at its end."""
    producer = KafkaProducer(bootstrap_servers=stage.kafka.bootstrap_servers)
    for each in copied:
        producer.send(stage.topic, key=each.key, value=each.value, headers=list(each.headers), partition=each.partition)
    producer.flush()
    producer.close()


def test_a_place_in_a_partition_that_was_emptied_is_not_guessed(stage: Stage):
    stage.count(ANN, 3)
    stage.publish()
    stage.kafka.delete_before(stage.topic, {0: 3})
    with Tail(stage.env) as tail:
        assert tail.going_on({0: Place(3, 2), 1: Place(UNKNOWN, 2)}) == ({0: 3, 1: 0}, {})
        for next_offset in (UNKNOWN, 1):
            assert tail.going_on({0: Place(next_offset, 1)}) == ({0: next_offset}, {0: 3})


# --- trouble -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "said"),
    [(psycopg.OperationalError("no room"), "OperationalError: no room"), (ValueError("broken"), "ReaderBroken")],
    ids=["a database error", "a broken reader"],
)
def test_one_readers_trouble_neither_stops_nor_skips_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, problem: Exception, said: str
):
    everybody = [account(number) for number in range(1, 301)]  # in each partition too many to be parked one by one
    stage.log.append_all([stage.log.recorded(who, opened(f"A-{who}", name="Ann")) for who in everybody])
    monkeypatch.setattr(Names, "fails_with", problem)
    position = stage.publish()
    with stage.running("counter", "names"):
        wait_until(lambda: said in (stage.status("names").trouble or ""), "the trouble is shown")
        stage.wait(position)
        position = stage.count(ANN)
        stage.publish()
        stage.wait(position)
        assert stage.totals == {ANN: 1}
        wait_until(lambda: stage.status().trouble is None, "the other one is well")
        assert stage.status("names").checkpoint == 0
        monkeypatch.setattr(Names, "fails_with", None)
        stage.wait(position, "names")
        wait_until(lambda: stage.status("names").trouble is None, "the trouble is gone")
    parked = {letter.sequence_id for letter in stage.projections.dead_letters()}
    assert len(parked) <= MOST_AT_ONCE  # those of a first few events, before it could be seen that all of them fail
    [(named, name)] = rows(stage.database, "SELECT count(*), min(name) FROM read_model.names")
    assert (named + len(parked), name) == (len(everybody), "Ann")


def test_trouble_is_shown_without_interruption_and_tried_again_more_and_more_seldom(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Names, "fails_with", psycopg.OperationalError("no room"))
    stage.log.append(ANN, opened())
    stage.publish()
    told: list[bool] = []
    note = note_trouble

    def noted(database: Database, reader: str, error: Exception | None) -> None:
        told.append(error is not None)
        note(database, reader, error)

    monkeypatch.setattr(topic_runner_module, "note_trouble", noted)
    runner = stage.runner("names")
    with in_a_thread(runner.run):
        wait_until(lambda: told.count(True) == 4, "it was tried again")
        assert runner._chairs[0].backoff.failed() >= 0.8
    assert all(told[told.index(True) :])


def test_trouble_that_an_ended_process_left_is_taken_away(stage: Stage):
    rows(stage.database, "UPDATE read_model.checkpoints SET trouble = 'a bad day' RETURNING reader")
    with stage.running("counter"):
        wait_until(lambda: stage.status().trouble is None, "the trouble is gone")
    assert stage.status("names").trouble == "a bad day"


class Silent:
    """Kafka that is asked for places and answers nobody: who asked, and whether they have given up waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.give_up = threading.Event()
        monkeypatch.setattr(Places, "enter", lambda places, seat, owned, stop: self._enter(seat))

    def _enter(self, seat: Seat) -> None:
        self.asked.append(seat.name)
        self.give_up.wait(HANG)
        raise KafkaUnavailable("nobody answered")


def test_whoever_is_told_to_end_while_kafka_does_not_answer_asks_for_no_other_reader(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    """Each of them waits for seconds: ten of them had not ended half a minute after they were told to."""
    stage.publish()
    silent, stop = Silent(monkeypatch), threading.Event()
    thread = threading.Thread(target=stage.runner("counter", "names").run, args=[stop])
    thread.start()
    wait_until(lambda: silent.asked, "somebody asks")
    stop.set()
    silent.give_up.set()
    thread.join()
    assert len(silent.asked) == 1


def test_where_kafka_does_not_answer_one_reader_the_others_wait_and_ask_in_turn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    stage.publish()
    silent = Silent(monkeypatch)
    silent.give_up.set()
    runner = stage.runner("counter", "names")
    turns: list[int] = []
    turn = runner._turn

    def counted(consumer: Any) -> None:
        turn(consumer)
        turns.append(len(silent.asked))

    def slow(*_: object) -> None:
        """Noting why takes longer than the first pause before another attempt."""
        time.sleep(0.2)

    monkeypatch.setattr(topic_runner_module, "note_trouble", slow)
    monkeypatch.setattr(runner, "_turn", counted)
    with in_a_thread(runner.run):
        wait_until(lambda: len(silent.asked) >= 4, "all of them asked")
    assert all(after - before <= 1 for before, after in pairwise([0, *turns]))
    assert set(silent.asked[:2]) == set(silent.asked[2:4])
    assert len(set(silent.asked)) == 2


def test_connections_that_are_lost_are_made_anew(stage: Stage):
    with stage.running("counter", "names"):
        stage.count(ANN)
        stage.wait(stage.publish(), "counter", "names")
        rows(
            stage.database,
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE locktype = 'advisory' AND datname = current_database() AND application_name = 'arrears_app'",
        )
        for _ in range(3):
            stage.count(ANN)
        stage.wait(stage.publish(), "counter", "names")
    assert stage.totals == {ANN: 4}


def test_whoever_joins_knows_the_topic(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    """One that does not divides nothing as its group's leader, and was seen without partitions for half a minute."""
    real, known = KafkaConsumer.poll, list[Any]()

    def poll(consumer: KafkaConsumer, *args: Any, **named: Any) -> Any:
        known.append(consumer._cluster.partitions_for_topic(stage.env["ARREARS_EVENTS_TOPIC"]))
        return real(consumer, *args, **named)

    monkeypatch.setattr(KafkaConsumer, "poll", poll)
    stage.count(ANN)
    read = stage.publish()
    with stage.running():
        stage.wait(read)
    assert known[0] is not None
    assert len(known[0]) == PARTITIONS


def test_a_member_that_its_group_has_forgotten_joins_anew(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    heard: list[float] = []
    consumers: set[int] = set()

    def heartbeat(consumer: KafkaConsumer) -> float:
        consumers.add(id(consumer))
        heard.append(last_heartbeat(consumer))
        return 1_000.0 if len(consumers) == 1 else 0.0

    monkeypatch.setattr(topic_runner_module, "_SILENT_SECONDS", 3.0)
    monkeypatch.setattr(topic_runner_module, "_LISTEN_SECONDS", 0.1)
    monkeypatch.setattr(topic_runner_module, "last_heartbeat", heartbeat)
    stage.count(ANN)
    stage.publish()
    with stage.running():
        stage.wait(position=1)
        wait_until(lambda: len(consumers) == 2 and len(heard) > 5, "another consumer joined")
        stage.count(ANN)
        stage.publish()
        stage.wait(position=2)
    assert stage.totals == {ANN: 2}
    assert min(heard) < 3


def test_whoever_joins_waits_for_a_member_that_is_at_work(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    """Another client would make the group begin again, and so the one at work would lose what it does each time."""
    at_work, may_end = threading.Event(), threading.Event()
    joined: list[str] = []
    join, handle = TopicRunner._join, Names.handle

    def noted(self: TopicRunner) -> Any:
        joined.append(threading.current_thread().name)
        return join(self)

    def long_work(self: Names, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        at_work.set()
        assert may_end.wait(HANG)
        handle(self, batch, connection)

    monkeypatch.setattr(topic_runner_module, "_SILENT_SECONDS", 3.0)
    monkeypatch.setattr(topic_runner_module, "_LISTEN_SECONDS", 3.0)
    with stage.running("names"):
        stage.wait(0, "names")
        monkeypatch.setattr(TopicRunner, "_join", noted)
        monkeypatch.setattr(Names, "handle", long_work)
        position = stage.count(ANN)
        stage.publish()
        assert at_work.wait(HANG)
        second = stage.runner("names")
        turns: list[float] = []
        turn = second._turn

        def counted(consumer: Any) -> None:
            turns.append(time.monotonic())
            turn(consumer)

        monkeypatch.setattr(second, "_turn", counted)
        with in_a_thread(second.run):
            wait_until(lambda: len(turns) > 1 and turns[-1] - turns[0] > 14.0, "the second one has waited for long")
            may_end.set()
            stage.wait(position, "names")
            wait_until(lambda: second.owned, "the second one has partitions")
    assert len(joined) == 1


# --- poison ------------------------------------------------------------------------------------------


def test_poison_parks_its_account_and_retry_and_discard_work_beside_the_runner(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    stage.log.append(CID, Counted(), Odd(), Counted())
    stage.log.append(BOB, Odd(), Counted())
    stage.count(ANN)
    with stage.running():
        stage.wait(stage.publish())
        assert stage.totals == {ANN: 1, CID: 1}
        assert stage.status().parked == 2
        stage.count(CID)
        stage.wait(stage.publish())
        assert [each.position for each in stage.projections.dead_letters("counter")] == [2, 3, 4, 5, 7]
        given_up = stage.projections.discard("counter", 4, on_discard=lambda _: None)
        assert given_up == Retried(handled=1, left=0)
        assert stage.projections.retry("counter", CID) == Retried(handled=0, left=3)
        monkeypatch.setattr(Counter, "chokes", False)
        assert stage.projections.retry("counter", CID) == Retried(handled=3, left=0)
        stage.count(BOB)
        stage.count(CID)
        stage.wait(stage.publish())
    assert stage.totals == {ANN: 1, BOB: 2, CID: 4}
    assert stage.status().parked == 0


# --- what comes otherwise ----------------------------------------------------------------------------


def test_what_the_publisher_held_back_reaches_readers_late(stage: Stage):
    large = stage.log.append(CID, staged(None, code="x" * LARGEST))
    stage.count(CID, 2)
    with stage.running():
        position = stage.count(ANN)
        stage.wait(stage.publish())
        assert stage.totals == {ANN: 1}
        with publishing(stage.database, stage.env) as publisher:
            publisher.discard(large, on_discard=lambda _: None)
        position = stage.count(CID)
        stage.publish()
        stage.wait(position)
    assert stage.totals == {ANN: 1, CID: 3}


def test_everything_published_once_more_changes_nothing(stage: Stage):
    stage.log.append(ANN, opened("A-1", name="Ann"), Counted())
    stage.count(BOB, 3)
    stage.publish()
    with stage.running("counter", "names"):
        stage.wait(stage.publish(again=True), "counter", "names")
        stage.publish(again=True)
        stage.count(ANN)
        stage.wait(stage.publish(), "counter", "names")
    assert stage.totals == {ANN: 2, BOB: 3}
    assert rows(stage.database, "SELECT name FROM read_model.names") == [("Ann",)]
    assert stage.projections.dead_letters() == []


# --- waiting -----------------------------------------------------------------------------------------


def test_idle_partitions_do_not_hold_up_whoever_waits(stage: Stage):
    with stage.running():
        for _ in range(3):
            stage.count(ANN)
            stage.wait(stage.publish())
    assert {position for _, position in stage.places.values()} == {3}


def test_a_steady_stream_in_one_partition_does_not_hold_up_whoever_waits(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(topic_runner_module, "_LOOK_SECONDS", 2.0)  # so that every look finds something

    def stream(stop: threading.Event) -> None:
        with publishing(stage.database, stage.env) as publisher:
            while not stop.is_set():
                publisher.catch_up(stage.count(ANN), timeout=HANG)
                stop.wait(0.02)

    with stage.running(), in_a_thread(stream):
        wait_until(lambda: stage.totals.get(ANN, 0) >= 3, "it flows")
        stage.wait(stage.log.feed.head())


# --- generations -------------------------------------------------------------------------------------


def test_a_rebuild_beside_the_runner_loses_nothing_and_the_runner_goes_over(stage: Stage):
    everybody = [account(number) for number in range(1, 9)]

    def stream(stop: threading.Event) -> None:
        with publishing(stage.database, stage.env) as publisher:
            while not stop.is_set():
                for who in everybody:
                    stage.count(who)
                publisher.catch_up(timeout=HANG)

    with stage.running():
        with in_a_thread(stream):
            for generation in (2, 3):
                wait_until(lambda: stage.status().checkpoint > 0, "it reads")
                made = stage.projections.rebuild("counter")
                assert made.generation == generation
                goal = stage.status().checkpoint + 1
                stage.wait(goal)
        head = stage.publish()
        stage.wait(head)
        live = fingerprint(stage.database, "read_counter_3")
    assert stage.totals == dict.fromkeys(everybody, head // len(everybody))
    stage.projections.rebuild("counter")
    assert fingerprint(stage.database, "read_counter_4") == live


def test_a_reader_that_is_opened_while_others_have_something_at_hand_misses_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    """What was polled by then stands behind what that reader has not seen."""
    real, is_read_past, has_some = KafkaConsumer.poll, threading.Event(), threading.Event()
    runner = stage.runner("names", "counter")
    late = runner._chairs[1]

    def poll(consumer: KafkaConsumer, *args: Any, **named: Any) -> Any:
        found = real(consumer, *args, **named)
        if is_read_past.is_set() and found:
            has_some.set()
            late.again_at = 0.0
        return found

    def make() -> Seat:
        if not has_some.is_set():
            raise ReaderRetired("not yet")
        return stage.seat("counter")

    monkeypatch.setattr(KafkaConsumer, "poll", poll)
    late.make = make
    stage.count(ANN, 5)
    read = stage.publish()
    with in_a_thread(runner.run):
        stage.wait(read, "names")
        is_read_past.set()
        stage.count(ANN)
        stage.wait(stage.publish())
    assert stage.totals == {ANN: 6}


# --- a topic that is cut while it is read ----------------------------------------------------------------


def test_whoever_is_read_past_looks_for_its_place_again_where_the_topic_was_cut(stage: Stage):
    """Reading from an offset that is gone goes on at the topic's beginning, again and again: that is noticed."""

    class Cut:
        """As much of a consumer as says where the topic begins now."""

        def __init__(self, first: int) -> None:
            self.first = first
            self.sought: list[int] = []

        def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
            return dict.fromkeys(partitions, self.first)

        def seek(self, _: TopicPartition, offset: int) -> None:
            self.sought.append(offset)

        def resume(self, _: TopicPartition) -> None:
            """It is fetched from there."""

    stage.count(ANN, 4)
    paper = Paper(stage.database, PARTITIONS)
    paper.publish()
    for first, goes_on in ((0, True), (2, False)):
        runner = stage.runner()
        seat = stage.seat("counter")
        seat.enter([0], lambda places: dict.fromkeys(places, 0))
        runner._chairs[0].seat, runner._owned = seat, frozenset({0})
        consumer = Cut(first)
        runner._take(paper.given(2, of=[0]), cast("Any", consumer))
        assert (runner._chairs[0].seat is not None, consumer.sought) == (goes_on, [0] if goes_on else [])
        runner._leave()
    paper.close()
    assert stage.totals == {}

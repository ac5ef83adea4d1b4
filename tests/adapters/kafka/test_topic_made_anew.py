"""A topic that was deleted and made anew, or divided otherwise: its readers notice, and miss and repeat nothing.

The counter counts here whatever comes, so what is handled twice is seen as well as what is skipped.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from kafka.errors import NotLeaderForPartitionError
from psycopg import Connection

from adapters.kafka import topic_runner as topic_runner_module
from adapters.kafka.arrivals import Inspector
from adapters.kafka.identity import TopicReplaced
from adapters.kafka.membership import partitions_of_nobody
from adapters.kafka.places import Places
from adapters.kafka.publisher import reader_name
from adapters.kafka.seats import Polled, checked
from adapters.kafka.tail import Tail
from adapters.readers.partitions import PartitionMoved, Place
from adapters.telemetry.store_collector import LAG_EVENTS, StoreCollector
from aggregates.kernel.event import Recorded
from tests.adapters.kafka.test_topic_runner import ANN, BOB, CID, PARTITIONS, Stage, stage
from tests.adapters.readers.counter import Counter, account
from tests.adapters.readers.log import rows
from tests.waiting import wait_until

__all__ = ["stage"]

EVERYBODY = [account(number) for number in range(1, 13)]


@pytest.fixture(autouse=True)
def counting_repeats_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(_: Counter, recorded: Recorded, by: int, connection: Connection[Any]) -> None:
        connection.execute(
            """
            INSERT INTO counts VALUES (%s, %s, %s)
            ON CONFLICT (account_id) DO UPDATE
            SET total = counts.total + EXCLUDED.total, last_position = EXCLUDED.last_position
            """,
            [recorded.account_id, by, recorded.position],
        )

    monkeypatch.setattr(Counter, "_count", count)


@pytest.fixture(autouse=True)
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_runner_module, "_LISTEN_SECONDS", 0.1)


def everybody_once(stage: Stage) -> int:
    return max(stage.count(who) for who in EVERYBODY)


def trouble(stage: Stage) -> str:
    return stage.status().trouble or ""


def test_what_was_not_read_of_a_topic_that_was_made_anew_is_not_skipped(stage: Stage):
    everybody_once(stage)
    stage.publish()
    with stage.running():
        stage.wait(stage.log.feed.head())
    everybody_once(stage)
    stage.publish()
    stage.kafka.make_anew(stage.topic, partitions=PARTITIONS)
    head = everybody_once(stage)
    stage.publish()
    with stage.running():
        stage.wait(head)
    assert stage.totals == dict.fromkeys(EVERYBODY, 3)
    assert sum(offset for offset, _ in stage.places.values()) == head


def test_nobody_goes_on_before_the_publisher_has_begun_with_the_new_topic(stage: Stage):
    """An empty partition of it is no sign that there is nothing more."""
    head = everybody_once(stage)
    stage.publish()
    with stage.running():
        stage.wait(head)
    head = everybody_once(stage)
    stage.publish()
    stage.kafka.make_anew(stage.topic, partitions=PARTITIONS)
    with stage.running():
        wait_until(lambda: "TopicReplaced" in trouble(stage), "the trouble is shown")
        assert stage.totals == dict.fromkeys(EVERYBODY, 1)
        stage.publish()
        stage.wait(head)
        wait_until(lambda: not trouble(stage), "the trouble is gone")
    assert stage.totals == dict.fromkeys(EVERYBODY, 2)


def test_a_topic_that_is_made_anew_while_it_is_read_is_gone_on_with(stage: Stage):
    everybody_once(stage)
    stage.publish()
    with stage.running():
        stage.wait(stage.log.feed.head())
        stage.kafka.make_anew(stage.topic, partitions=PARTITIONS)
        head = everybody_once(stage)
        stage.publish()
        stage.wait(head)
        stage.kafka.make_anew(stage.topic, partitions=PARTITIONS)
        head = everybody_once(stage)
        stage.publish()
        stage.wait(head)
    assert stage.totals == dict.fromkeys(EVERYBODY, 3)


@pytest.mark.parametrize("partitions", [2, 5], ids=["fewer", "more"])
def test_a_topic_that_was_made_anew_with_another_number_of_partitions_is_gone_on_with(stage: Stage, partitions: int):
    """Readers stood at different places, and no account has its events where it had them."""
    stage.count(ANN, 4)
    stage.publish()
    with stage.running():
        stage.wait(stage.log.feed.head())
    one_partition_alone_moves_on(stage)
    head = everybody_once(stage)
    stage.kafka.make_anew(stage.topic, partitions=partitions)
    stage.publish()
    with stage.running():
        stage.wait(head)
        wait_until(lambda: not retired(stage), "the old places are let go of")
        head = everybody_once(stage)
        stage.publish()
        stage.wait(head)
    assert stage.totals == {**dict.fromkeys(EVERYBODY, 2), ANN: 8, BOB: 4, CID: 4}
    assert stage.places.keys() == set(range(partitions))
    assert lags(stage) == {str(each): 0.0 for each in range(partitions)}


def one_partition_alone_moves_on(stage: Stage) -> None:
    """BOB's two events are handled, and neither CID's nor ANN's: these are in another partition."""
    for who in (ANN, BOB, CID):
        stage.count(who, 2)
    stage.publish()
    places, seat = Places(stage.database, stage.log.feed, stage.env), stage.seat("counter")
    inspector = Inspector(stage.topic, "test", stage.mapper)
    places.enter(seat, [1], threading.Event())
    with Tail(stage.env) as tail, stage.database.connect("arrears_app", autocommit=True) as connection:
        for _, records in tail.stretch(1, seat.places[1].next_offset, tail.ends()[1]):
            given = Polled(records[0].offset, records[-1].offset + 1, inspector.opened(records))
            seat.take(checked(inspector, {1: given}, None, connection, PARTITIONS), PARTITIONS)
    seat.release()
    places.close()
    assert stage.totals == {ANN: 4, BOB: 2}


def retired(stage: Stage) -> list[object]:
    return list(rows(stage.database, "SELECT divided_into, partition FROM read_model.retired_places"))


def lags(stage: Stage) -> dict[str, float]:
    (family,) = (each for each in StoreCollector(stage.database).collect() if each.name == LAG_EVENTS.name)
    return {
        each.labels["partition"]: each.value
        for each in family.samples
        if each.labels["reader"] == "counter" and each.labels["state"] == "live"
    }


def test_a_topic_that_is_divided_otherwise_is_gone_on_with(stage: Stage):
    everybody_once(stage)
    stage.publish()
    with stage.running():
        stage.wait(stage.log.feed.head())
        everybody_once(stage)
        stage.publish()
        stage.kafka.divide(stage.topic, partitions=5)
        head = everybody_once(stage)
        stage.publish()
        stage.wait(head)
    assert stage.totals == dict.fromkeys(EVERYBODY, 3)
    assert stage.places.keys() == set(range(5))


def test_places_of_partitions_that_an_earlier_release_left_are_retired(stage: Stage):
    """It kept those of a topic that had more of them, and the checkpoint stood still for good."""
    everybody_once(stage)
    stage.publish()
    with stage.running():
        stage.wait(stage.log.feed.head())
    rows(
        stage.database,
        """
        WITH old AS (UPDATE read_model.partitions SET topic_id = NULL, divided_into = NULL RETURNING reader)
        INSERT INTO read_model.partitions (reader, partition, next_offset, position)
        SELECT DISTINCT reader, 7, 3, 1 FROM old RETURNING reader
        """,
    )
    head = everybody_once(stage)
    stage.publish()
    with stage.running():
        stage.wait(head)
    assert stage.places.keys() == set(range(PARTITIONS))
    assert set(lags(stage).values()) == {0.0}


def test_what_was_read_of_another_topic_than_is_published_to_is_not_stored(stage: Stage):
    stage.count(ANN)
    stage.publish()
    places, seat = Places(stage.database, stage.log.feed, stage.env), stage.seat("counter")
    places.begin()
    places.enter(seat, [0], threading.Event())
    rows(
        stage.database,
        "UPDATE read_model.published_topics SET topic_id = gen_random_uuid() WHERE reader = %s RETURNING reader",
        reader_name(stage.topic),
    )
    with pytest.raises(PartitionMoved):
        seat.confirm({0: seat.places[0].next_offset}, 1, PARTITIONS)
    with pytest.raises(TopicReplaced, match="has not begun"):
        places.begin()
    seat.release()
    places.close()


def test_what_comes_from_the_store_comes_in_portions_that_the_reader_can_take(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    """Delivery sends what it is given, and holds a transaction open meanwhile."""
    sizes: list[int] = []
    handle = Counter.handle

    def noted(self: Counter, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        sizes.append(len(batch))
        handle(self, batch, connection)

    monkeypatch.setattr(Counter, "handle", noted)
    stage.count(ANN, 7)
    position = stage.count(BOB)
    stage.publish()
    stage.kafka.delete_before(stage.topic, {0: -1})
    with stage.running(batch=3):
        stage.wait(position)
    assert stage.totals == {ANN: 7, BOB: 1}
    assert max(sizes) == 3


def test_what_the_topic_refuses_for_long_has_the_reader_join_anew(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(topic_runner_module, "_IDLE_SECONDS", 0.5)
    position = stage.count(ANN)
    stage.publish()
    refused = [True]
    going_on = Tail.going_on

    def refuse(self: Tail, places: Mapping[int, Place]) -> object:
        if refused:
            raise NotLeaderForPartitionError
        return going_on(self, places)

    monkeypatch.setattr(Tail, "going_on", refuse)
    with stage.running():
        wait_until(lambda: "StillRefused" in trouble(stage), "the trouble is shown")
        refused.clear()
        stage.wait(position)
        wait_until(lambda: not trouble(stage), "the trouble is gone")
    assert stage.totals == {ANN: 1}


# --- no partitions ---------------------------------------------------------------------------------------


def test_the_group_is_asked_who_has_which_partition(stage: Stage):
    group = f"{stage.topic}."
    assert partitions_of_nobody(stage.env, group, stage.topic) == set(range(PARTITIONS))
    with stage.running() as runner:
        wait_until(lambda: len(runner.owned) == PARTITIONS, "it has all")
        assert partitions_of_nobody(stage.env, group, stage.topic) == set()


def test_whoever_has_no_partitions_although_some_are_left_joins_anew(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    """One too many stands by; it is told here that there is something left."""
    monkeypatch.setattr(topic_runner_module, "_IDLE_SECONDS", 0.5)
    stage.env = {**stage.env, "ARREARS_EVENTS_TOPIC": stage.kafka.topic(partitions=1)}
    stage.publish()
    with stage.running() as first:
        wait_until(lambda: first.owned, "the first has it")
        with stage.running():
            monkeypatch.setattr(topic_runner_module, "partitions_of_nobody", lambda *_: frozenset({0}))
            wait_until(lambda: "NoPartitions" in trouble(stage), "the trouble is shown")
            monkeypatch.setattr(topic_runner_module, "partitions_of_nobody", lambda *_: frozenset())
            stage.wait(stage.count(ANN) and stage.publish())
    assert stage.totals == {ANN: 1}

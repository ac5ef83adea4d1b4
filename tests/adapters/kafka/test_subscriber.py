"""The subscriber that other services use: typed, in order, without repeats, committed after handling."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from adapters.kafka import subscriber as subscriber_module
from adapters.kafka.cloudevents import Envelope, to_message
from adapters.kafka.consumer import Consumer
from adapters.kafka.sealed_rows import SealedRow, SealedRows
from adapters.kafka.subscriber import EventsLost, Subscriber, plain_name
from adapters.kafka.tail import Tail
from adapters.postgres.database import Database
from aggregates.account.billing import InvoiceBilled
from aggregates.account.customer import AccountOpened
from api.processes.publishing import publishing
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.wire import some_accounts
from tests.adapters.readers.log import Log
from tests.waiting import HANG, wait_until


@pytest.fixture
def topic(kafka: TestKafka) -> str:
    return kafka.topic(partitions=2)


@pytest.fixture
def published(kafka: TestKafka, topic: str, log: Log, database: Database) -> int:
    """How many events stand on the topic."""
    head = some_accounts(log, 10)
    publish(kafka, topic, database)
    return head


def publish(kafka: TestKafka, topic: str, database: Database) -> None:
    with publishing(database, kafka.env, topic=topic) as runner:
        runner.catch_up(timeout=HANG)


def subscriber(kafka: TestKafka, topic: str, group: str = "mirror", **options) -> Subscriber:
    return Subscriber(f"{group}-{topic}", topic=topic, env=kafka.env, **options)


class Oops(Exception):
    """What handling an event may raise."""


def take(events: Subscriber, count: int) -> list[Envelope]:
    """The next events; the last one counts as handled too."""
    taken = []
    for event in events:
        taken.append(event)
        if len(taken) == count:
            events.stop()
    return taken


def test_events_come_typed_and_each_account_in_order(kafka: TestKafka, topic: str, published: int):
    with subscriber(kafka, topic) as events:
        taken = take(events, published)
    assert {type(e.event) for e in taken} == {AccountOpened, InvoiceBilled}
    assert sorted(e.position for e in taken) == list(range(1, published + 1))
    by_account: dict[object, list[int]] = {}
    for event in taken:
        by_account.setdefault(event.account_id, []).append(event.aggregate_version)
    assert all(versions == [1, 2, 3, 4] for versions in by_account.values())


def test_only_the_types_that_were_asked_for(kafka: TestKafka, topic: str, published: int):
    with subscriber(kafka, topic, types=["collections.account.opened.v1"]) as events:
        assert {e.name for e in take(events, 10)} == {"account.opened"}


def test_a_group_goes_on_where_it_was(kafka: TestKafka, topic: str, published: int):
    with subscriber(kafka, topic) as events:
        first = take(events, 15)
    with subscriber(kafka, topic) as events:
        rest = take(events, published - 15)
    assert sorted(e.position for e in first + rest) == list(range(1, published + 1))


def test_what_was_not_handled_comes_again(kafka: TestKafka, topic: str, published: int):
    def fail_at_the_eighth() -> None:
        with subscriber(kafka, topic) as events:
            for event in events:
                begun.append(event)
                if len(begun) == 8:
                    raise Oops

    begun: list[Envelope] = []
    with pytest.raises(Oops):
        fail_at_the_eighth()
    with subscriber(kafka, topic) as events:
        again = take(events, published - 7)
    assert begun[-1].event_id in {e.event_id for e in again}
    assert len(again) == published - 7


def test_whoever_fails_and_iterates_again_misses_nothing(kafka: TestKafka, topic: str, published: int):
    handled: list[int] = []

    def fail_once(event: Envelope) -> None:
        if len(handled) == 7 and not failures:
            failures.append(event.position)
            raise Oops
        handled.append(event.position)
        if len(handled) == published:
            events.stop()

    failures: list[int] = []
    with subscriber(kafka, topic) as events:
        while len(handled) < published:
            with suppress(Oops):
                for event in events:
                    fail_once(event)
    assert failures
    assert sorted(handled) == list(range(1, published + 1))


def test_repeats_of_the_publisher_are_dropped_even_by_another_process(
    kafka: TestKafka, topic: str, published: int, database: Database, log: Log
):
    with subscriber(kafka, topic) as events:
        take(events, published)
    with database.connect() as connection:  # as if the checkpoint had not been stored
        connection.execute("UPDATE read_model.checkpoints SET position = 5 WHERE reader LIKE 'publisher:%'")
    some_accounts(log, 1, start=99)
    publish(kafka, topic, database)
    with subscriber(kafka, topic) as events:
        assert sorted(e.position for e in take(events, 4)) == list(range(published + 1, published + 5))


def test_an_event_that_was_held_back_is_no_repeat(kafka: TestKafka, topic: str, published: int, database: Database):
    send_late(kafka, topic, database, position=3)
    with subscriber(kafka, topic) as events:
        taken = take(events, published + 1)
    assert [e.position for e in taken if e.late] == [3]
    assert len({e.event_id for e in taken}) == published


def send_late(kafka: TestKafka, topic: str, database: Database, *, position: int) -> None:
    """Sends an event again with the mark of one that was held back."""
    source = SealedRows(database)
    (row,) = source.read(position - 1, 1)
    source.close()
    assert isinstance(row, SealedRow)
    message = to_message(row, late=True)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    for _ in range(2):  # and the second time it is a repeat
        producer.send(topic, key=message.key, value=message.value, headers=message.headers).get(30)
    producer.close()


def test_a_message_of_somebody_else_is_passed_over(kafka: TestKafka, topic: str, published: int):
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    producer.send(topic, key=b"x", value=b"not ours").get(30)
    producer.close()
    with subscriber(kafka, topic) as events:
        assert len(take(events, published)) == published


def test_batches_are_committed_when_the_next_is_asked_for(kafka: TestKafka, topic: str, published: int):
    seen: list[Envelope] = []
    with subscriber(kafka, topic) as events:
        for batch in events.batches():
            seen += batch
            if len(seen) == published:
                events.stop()
    assert sorted(e.position for e in seen) == list(range(1, published + 1))
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    offsets = admin.list_group_offsets(f"mirror-{topic}")
    admin.close()
    assert str(published) in str(offsets)


@pytest.mark.parametrize("one_by_one", [True, False])
def test_how_far_a_group_is_is_stored_once_for_all_partitions_that_came_together(
    one_by_one: bool, kafka: TestKafka, database: Database, log: Log, monkeypatch: pytest.MonkeyPatch
):
    """Storing takes a broker milliseconds: once for each partition, whoever reads twelve of them is late by that."""
    topic = kafka.topic(partitions=4)
    published = some_accounts(log, 12)
    publish(kafka, topic, database)
    asked, came, stored = Consumer.poll, list[int](), list[int]()

    def poll(consumer: Consumer, **named: Any) -> Any:
        polled = asked(consumer, **named)
        came.extend([len(polled)] if polled else [])
        return polled

    def commit(_: Consumer, offsets: dict[TopicPartition, OffsetAndMetadata], **__: Any) -> None:
        stored.extend([len(offsets)] if any(each.offset for each in offsets.values()) else [])

    monkeypatch.setattr(subscriber_module, "_COMMIT_SECONDS", HANG)  # however slow this is
    monkeypatch.setattr(Consumer, "poll", poll)
    monkeypatch.setattr(Consumer, "commit", commit)
    seen: list[int] = []
    with subscriber(kafka, topic) as events:
        for batch in ([each] for each in events) if one_by_one else events.batches():
            seen += [each.position for each in batch]
            if len(seen) == published:
                events.stop()
    assert sorted(seen) == list(range(1, published + 1))
    assert max(came) > 1
    assert stored == came


def test_a_group_may_start_at_the_end(kafka: TestKafka, topic: str, published: int, database: Database, log: Log):
    with subscriber(kafka, topic, start="end") as events:
        polled = events.batches()
        events.stop()
        list(polled)
    with subscriber(kafka, topic, "late", start="end") as events:
        wait_for_places(events)
    some_accounts(log, 1, start=50)
    publish(kafka, topic, database)
    with subscriber(kafka, topic, "late", start="end") as events:
        assert sorted(e.position for e in take(events, 4)) == list(range(published + 1, published + 5))


# --- what the topic has no more ------------------------------------------------------------------------


def test_what_was_deleted_before_it_was_handled_is_said_and_not_skipped(
    kafka: TestKafka, topic: str, published: int, database: Database, log: Log
):
    with subscriber(kafka, topic) as events:
        handled = take(events, 10)
    kafka.delete_before(topic, ends(kafka, topic))
    some_accounts(log, 4, start=50)
    publish(kafka, topic, database)
    with subscriber(kafka, topic) as events:
        told = lost_to(events)
        assert lost_to(events).lost == told.lost  # whoever goes on all the same is told again
        events.accept_loss()
        rest = take(events, 16)
    for each in told.lost:
        assert each.handled == max((e.position for e in handled if e.partition == each.partition), default=0)
        assert each.first is not None
        assert each.first > published
    assert sorted(e.position for e in rest) == list(range(published + 1, published + 17))
    assert {*range(1, published + 1)} - {e.position for e in handled} <= replayed_by(told)


def lost_to(events: Subscriber) -> EventsLost:
    """What whoever asks for an event is told."""
    with pytest.raises(EventsLost) as raised:
        next(iter(events))
    return raised.value


def ends(kafka: TestKafka, topic: str) -> dict[int, int]:
    with Tail(kafka.env, topic=topic) as tail:
        return tail.ends()


def replayed_by(error: EventsLost) -> set[int]:
    """The positions that the command shows that the error names."""
    said = error.replay.split()
    first, last = (int(said[said.index(each) + 1]) for each in ("--from", "--to"))
    return {*range(first, last + 1)}


def test_copies_of_old_events_do_not_hide_what_was_deleted_before_them(
    kafka: TestKafka, topic: str, published: int, database: Database, log: Log
):
    with subscriber(kafka, topic) as events:
        take(events, published)
    some_accounts(log, 4, start=50)
    publish(kafka, topic, database)
    before = ends(kafka, topic)
    send(kafka, topic, database, range(1, published + 1))
    kafka.delete_before(topic, before)
    with subscriber(kafka, topic) as events:
        told = lost_to(events)
    assert {each.first for each in told.lost} == {None}
    assert "--to" not in told.replay


def test_a_group_that_accepted_a_loss_is_not_told_again(
    kafka: TestKafka, topic: str, published: int, database: Database, log: Log
):
    with subscriber(kafka, topic) as events:
        take(events, 10)
    kafka.delete_before(topic, ends(kafka, topic))
    with subscriber(kafka, topic) as events:
        with pytest.raises(EventsLost, match="it has no event now"):
            take(events, 1)
        events.accept_loss()
    some_accounts(log, 4, start=50)
    publish(kafka, topic, database)
    with subscriber(kafka, topic) as events:
        assert len(take(events, 16)) == 16


def test_a_group_that_began_at_the_end_does_not_jump_to_it_later(
    kafka: TestKafka, topic: str, published: int, database: Database, log: Log
):
    """Its place is kept before anything came, and Kafka is not asked for another one."""
    with subscriber(kafka, topic, start="end") as events:
        wait_for_places(events)
    some_accounts(log, 4, start=50)
    publish(kafka, topic, database)
    with subscriber(kafka, topic, start="end") as events:
        assert len(take(events, 5)) == 5
    kafka.delete_before(topic, ends(kafka, topic))
    some_accounts(log, 4, start=60)
    publish(kafka, topic, database)
    with subscriber(kafka, topic, start="end") as events, pytest.raises(EventsLost):
        take(events, 1)


def wait_for_places(events: Subscriber) -> None:
    """Until the group has given it partitions, and their places were found; then it is stopped."""
    watching = stopping(events, lambda: bool(events._stood))
    assert list(events) == []
    watching.join()


def stopping(events: Subscriber, when: Callable[[], bool]) -> threading.Thread:
    def stop_then() -> None:
        wait_until(when, "it has looked")
        events.stop()

    thread = threading.Thread(target=stop_then)
    thread.start()
    return thread


def test_what_is_deleted_under_a_running_subscriber_is_said_too(
    kafka: TestKafka, topic: str, published: int, database: Database, log: Log
):
    for start in range(50, 90, 4):  # one after the other: a fetch brings all that was sent at once
        some_accounts(log, 4, start=start)
        publish(kafka, topic, database)
    with subscriber(kafka, topic, max_poll_records=5, fetch_max_bytes=1, max_partition_fetch_bytes=1) as events:
        going = iter(events)
        next(going)
        kafka.delete_before(topic, ends(kafka, topic))
        head = some_accounts(log, 4, start=90)
        publish(kafka, topic, database)
        with pytest.raises(EventsLost):
            list(going)
        events.accept_loss()
        watching = stopping(events, lambda: head in events._last.values())
        assert list(events)[-1].position <= head
        watching.join()


def test_deleted_events_that_were_handled_are_no_loss(
    kafka: TestKafka, topic: str, published: int, database: Database, log: Log
):
    with subscriber(kafka, topic) as events:
        take(events, published)
    kafka.delete_before(topic, {each: end - 1 for each, end in ends(kafka, topic).items()})
    some_accounts(log, 1, start=50)
    publish(kafka, topic, database)
    with subscriber(kafka, topic) as events:
        assert len(take(events, 4)) == 4


def test_a_topic_that_was_made_anew_while_it_is_read_is_gone_on_with_by_position(
    kafka: TestKafka, topic: str, published: int, database: Database, log: Log
):
    with subscriber(kafka, topic) as events:
        going = iter(events)
        taken = [next(going) for _ in range(published)]
        kafka.make_anew(topic, partitions=2)
        some_accounts(log, 1, start=50)
        publish(kafka, topic, database)
        taken += [next(going) for _ in range(4)]
    assert sorted(e.position for e in taken) == list(range(1, published + 5))


@pytest.mark.parametrize("accounts", [2, 30], ids=["shorter than what was read", "longer"])
@pytest.mark.usefixtures("published")
def test_a_topic_that_was_made_anew_without_what_was_not_handled_is_said(
    kafka: TestKafka, topic: str, database: Database, log: Log, accounts: int
):
    """As by a publisher that goes on from its old place."""
    with subscriber(kafka, topic) as events:
        take(events, log.feed.head())
    with subscriber(kafka, topic) as events:
        wait_for_places(events)
        after = some_accounts(log, 1, start=40)  # never on a topic
        kafka.make_anew(topic, partitions=2)
        head = some_accounts(log, accounts, start=50)
        send(kafka, topic, database, range(after + 1, head + 1))
        with pytest.raises(EventsLost):  # some of it may come before it is seen that the topic is another
            list(going_on(events))
        events.accept_loss()
        watching = stopping(events, lambda: head in events._last.values())
        while watching.is_alive():
            with suppress(EventsLost):  # the other partition, of which nothing was there yet
                list(events)
            events.accept_loss()
        watching.join()


@pytest.mark.usefixtures("published")
def test_a_topic_that_is_empty_is_believed_once_its_first_event_has_come(
    kafka: TestKafka, topic: str, database: Database, log: Log
):
    with subscriber(kafka, topic) as events:
        take(events, log.feed.head())
    with subscriber(kafka, topic) as events:
        wait_for_places(events)
        kafka.make_anew(topic, partitions=2)
        watching = stopping(events, lambda: events._unproven == events._consumer.assignment())
        assert list(going_on(events)) == []
        watching.join()
        after = some_accounts(log, 1, start=40)
        head = some_accounts(log, 6, start=50)
        send(kafka, topic, database, range(after + 1, head + 1))
        assert lost_to(going_on(events)).lost


def going_on(events: Subscriber) -> Subscriber:
    """The same, which was stopped."""
    events._stopping.clear()
    return events


def send(kafka: TestKafka, topic: str, database: Database, positions: range) -> None:
    """Puts these events on the topic, whatever a publisher would do."""
    source = SealedRows(database)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    for row in source.read(positions.start - 1, len(positions)):
        assert isinstance(row, SealedRow)
        message = to_message(row)
        producer.send(topic, key=message.key, value=message.value, headers=message.headers).get(30)
    producer.close()
    source.close()


# --- from a position -----------------------------------------------------------------------------------


def test_a_group_may_start_at_a_position_and_goes_on_where_it_was(kafka: TestKafka, topic: str, published: int):
    with subscriber(kafka, topic, start=21) as events:
        first = take(events, 5)
    with subscriber(kafka, topic, start=21) as events:
        rest = take(events, published - 25)
    assert sorted(e.position for e in first + rest) == list(range(21, published + 1))


def test_a_group_that_starts_at_a_position_that_was_deleted_is_told(kafka: TestKafka, topic: str, published: int):
    kafka.delete_before(topic, {each: end - 1 for each, end in ends(kafka, topic).items()})
    with subscriber(kafka, topic, start=3) as events:
        told = lost_to(events)
    assert told.replay.startswith("arrears replay --from 3 --to ")
    assert {each.handled for each in told.lost} == {2}


def test_an_offset_that_somebody_else_has_set_is_taken(kafka: TestKafka, topic: str, published: int):
    """As `kafka-consumer-groups.sh --reset-offsets` does, to read something once more."""
    with subscriber(kafka, topic) as events:
        take(events, published)
        places = {each: OffsetAndMetadata(0, "", -1) for each in events._consumer.assignment()}
        events._consumer.commit(places)
    with subscriber(kafka, topic) as events:
        assert sorted(e.position for e in take(events, published)) == list(range(1, published + 1))


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("account.opened", "account.opened"),
        ("collections.account.opened.v12", "account.opened"),
        ("account.opened.v1", "account.opened"),
        ("collections.account.viewed", "account.viewed"),
    ],
)
def test_a_type_may_be_named_in_full_or_in_short(given: str, plain: str):
    assert plain_name(given) == plain

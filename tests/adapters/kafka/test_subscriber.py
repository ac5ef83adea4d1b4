"""The subscriber that other services use: typed, in order, without repeats, committed after handling."""

from contextlib import suppress

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from adapters.kafka.cloudevents import Envelope, to_message
from adapters.kafka.sealed_rows import SealedRow, SealedRows
from adapters.kafka.subscriber import Subscriber, plain_name
from adapters.postgres.database import Database
from aggregates.account.billing import InvoiceBilled
from aggregates.account.customer import AccountOpened
from api.processes.publishing import publishing
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.wire import some_accounts
from tests.adapters.readers.log import Log
from tests.waiting import HANG


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


def test_a_group_may_start_at_the_end(kafka: TestKafka, topic: str, published: int, database: Database, log: Log):
    with subscriber(kafka, topic, start="end") as events:
        polled = events.batches()
        events.stop()
        list(polled)
    with subscriber(kafka, topic, "late", start="end") as events:
        waiting = iter(events)
        events._consumer.poll(timeout_ms=2_000)
        for partition in events._consumer.assignment():
            events._consumer.position(partition)
        some_accounts(log, 1, start=50)
        publish(kafka, topic, database)
        assert next(waiting).position > published


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

"""What is on a topic, and whether it is what a reader may rely on."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition
from psycopg import Connection

from adapters.eventstore.mapper import EventMapper
from adapters.kafka.arrivals import Inspector
from adapters.kafka.cloudevents import Envelope, Message, NotOurs, from_message
from adapters.readers.poison import sequence_of
from aggregates.kernel.command import identifier
from aggregates.kernel.event import Recorded
from tests.adapters.readers.builders import an_item, billed, opened
from tests.adapters.readers.log import Log


def records(servers: str, topic: str, *, at_most: int | None = None) -> list[Any]:
    """Every message of a topic, partition by partition, in order of offset; or the first that come."""
    consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, each) for each in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        for partition, offset in consumer.beginning_offsets(partitions).items():
            consumer.seek(partition, offset)
        ends = consumer.end_offsets(partitions)
        found: dict[TopicPartition, list[Any]] = {each: [] for each in partitions}
        while any(consumer.position(each) < ends[each] for each in partitions):
            for partition, batch in consumer.poll(timeout_ms=200).items():
                found[partition] += batch
            if at_most is not None and any(found.values()):
                break
        return [record for each in partitions for record in found[each]][:at_most]
    finally:
        consumer.close()


def partition_count(servers: str, topic: str) -> int:
    consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    try:
        return len(consumer.partitions_for_topic(topic) or ())
    finally:
        consumer.close()


def events_among(servers: str, topic: str) -> list[Envelope]:
    """What reads as an event, whoever wrote it."""
    found = []
    for r in records(servers, topic):
        with suppress(NotOurs):
            found.append(from_message(r.headers, r.value, partition=r.partition, offset=r.offset))
    return found


def envelopes(servers: str, topic: str) -> list[Envelope]:
    return [from_message(r.headers, r.value, partition=r.partition, offset=r.offset) for r in records(servers, topic)]


def without_repeats(found: Iterable[Envelope]) -> list[Envelope]:
    """As a reader sees them who drops what is not above the last position of the partition."""
    last: dict[int, int] = defaultdict(int)
    kept = []
    for envelope in found:
        if envelope.position > last[envelope.partition]:
            last[envelope.partition] = envelope.position
            kept.append(envelope)
    return kept


def assert_is_the_log(found: Sequence[Envelope], recorded: Sequence[Recorded]) -> None:
    """Nothing is missing to a reader who drops repeats, and every account is in order."""
    kept = without_repeats(found)
    assert sorted(e.position for e in kept) == [r.position for r in recorded]
    wire: dict[UUID, list[UUID]] = defaultdict(list)
    stored: dict[UUID, list[UUID]] = defaultdict(list)
    for envelope in kept:
        wire[envelope.account_id or envelope.aggregate_id].append(envelope.event_id)
    for each in recorded:
        stored[sequence_of(each)].append(each.event_id)
    assert wire == stored


def some_accounts(log: Log, count: int, *, invoices: int = 3, start: int = 0) -> int:
    """Accounts with invoices, mixed as they would come; the last position."""
    numbers = range(start, start + count)
    names = [(n, opened(f"A-{n}", name=f"Secret Person {n}")) for n in numbers]
    bills = [(n, billed(an_item(f"I-{i}", of=n))) for i in range(invoices) for n in numbers]
    return log.append_all([log.recorded(identifier("account", n), event) for n, event in [*names, *bills]])


def completed(messages: Iterable[Message], connection: Connection[Any], mapper: EventMapper) -> list[Recorded]:
    """The events as our own readers get them: with what the wire leaves out, from the store."""
    records = [
        SimpleNamespace(key=each.key, headers=each.headers, value=each.value, partition=0, offset=offset)
        for offset, each in enumerate(messages)
    ]
    inspector = Inspector("paper", "test", mapper)
    taken = inspector.checked({0: inspector.opened(records)}, None, connection, 1)
    return [each.recorded() for each in taken[0]]

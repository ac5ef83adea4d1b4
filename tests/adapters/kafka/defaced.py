"""Somebody else writes to our topics: what is no event, what looks like one, and what is one in the wrong place."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import orjson
from kafka import KafkaProducer, TopicPartition

from aggregates.kernel.command import identifier
from tests.waiting import HANG

Message = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]
"""Key, value, headers."""


class NoText(str):
    """A header's name that goes to Kafka as bytes that are no UTF-8, as clients in other languages can send it."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        del encoding, errors
        return b"\xff\xfe" + super().encode()


def broken(genuine: Any, head: int) -> Iterator[Message]:
    """Made from a message of an event: a kind of each."""
    key, value, headers = genuine.key, genuine.value, dict(genuine.headers)

    def otherwise(**said: bytes | None) -> Message:
        return key, value, list({**headers, **said}.items())

    yield b"key", b"garbage \xff\xfe\x00", []
    yield None, None, []
    yield key, None, list(headers.items())
    yield b"\xff", b"{}", [(NoText("name"), b"\xff"), *headers.items()]
    for name in headers:
        yield otherwise(**{name: None})
        if name not in {"ce_dataschema", "ce_partitionkey", "content-type", "ce_source"}:
            yield otherwise(**{name: b"\xff\xfe"})
    for position in (0, -1, 2**63, 2**63 - 1, 10**5_000, head + 60):
        yield otherwise(ce_position=str(position).encode() if position < 10**50 else b"9" * 5_000)
    yield otherwise(ce_sequence=str(2**31).encode())
    yield otherwise(ce_effectiveon=b"2026-02-30", ce_position=b"%d" % (head + 61))
    yield key, value, [*headers.items(), ("ce_position", b"%d" % (head + 62))]
    yield key, value, [*headers.items(), *((f"x-{n}", bytes(1_000)) for n in range(200))]
    yield key, b"[" * 100_000, list(headers.items())
    yield forged_payment(genuine, head + 60)


def forged_payment(genuine: Any, position: int) -> Message:
    """A payment that nobody received, complete in itself."""
    body = {"receipt": "forged", "amount": {"amount": 123_456_789, "currency": "USD"}, "allocations": []}
    said: Mapping[str, bytes] = {
        "ce_type": b"collections.account.payment-received.v1",
        "ce_id": str(identifier("forged", str(uuid4()))).encode(),
        "ce_position": b"%d" % position,
        "ce_leafhash": b"ab" * 32,
    }
    return genuine.key, orjson.dumps(body), list({**dict(genuine.headers), **said}.items())


class _Uncounted(list[tuple[str, bytes | None]]):
    """Headers whose bytes kafka-python does not count for its metrics, which it cannot where a value is missing."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


class _Producer(KafkaProducer):  # type: ignore[misc]
    """Sends what kafka-python's own refuses, and Kafka takes: nothing at all, and headers without a value."""

    def put(self, partition: TopicPartition, message: Message) -> Any:
        key, value, headers = message
        self._wait_on_metadata(partition.topic, 10_000)
        if self._transaction_manager is not None and self._transaction_manager.is_transactional():
            self._transaction_manager.maybe_add_partition_to_transaction(partition)
        future, *_ = self._accumulator.append(partition, None, key, value, _Uncounted(headers))
        self._sender.wakeup()
        return future


def deface(servers: str, topic: str, partitions: int, messages: list[Message], *, in_a_transaction: bool = True) -> int:
    """Writes all of them to each partition, compressed; returns how many. The end of a transaction takes an offset in
    each partition, and is no message."""
    options: dict[str, Any] = {"transactional_id": f"vandal-{uuid4()}"} if in_a_transaction else {}
    producer = _Producer(bootstrap_servers=servers, compression_type="gzip", **options)
    try:
        if in_a_transaction:
            producer.init_transactions()
            producer.begin_transaction()
        sent = [
            producer.put(TopicPartition(topic, partition), message)
            for partition in range(partitions)
            for message in messages
        ]
        if in_a_transaction:
            producer.commit_transaction()
        producer.flush()
        for each in sent:
            each.get(HANG)
    finally:
        producer.close()
    return len(sent)

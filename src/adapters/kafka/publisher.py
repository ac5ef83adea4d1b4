"""The publisher: copies the sealed log to Kafka, in order of position, at least once.

What must hold is that readers of a partition may drop whatever is not above the last position they saw. So no message
may get through while an earlier one of its partition did not. kafka-python sends the batches of a partition one after
the other, but it goes on with the next when one has failed for good: therefore a partition never has more than one
unsent batch here. A round fills at most one batch for each partition, and ends with every message acknowledged.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError
from psycopg import Connection

from adapters.kafka.cloudevents import LARGEST, SOURCE, SOURCE_VARIABLE, Message, to_message
from adapters.kafka.connection import EVENTS_TOPIC, client_options, events_topic, reaching
from adapters.kafka.flushing import flush
from adapters.kafka.identity import IdentityWatch, TopicIdentity, TopicReplaced, TopicUnfit
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.published import note_topic, publish_anew, published_topic
from adapters.kafka.sealed_rows import SealedRow
from adapters.kafka.topics import Topics
from adapters.postgres.lease import going_on
from adapters.readers.poison import OutOfReach
from adapters.readers.runner import register
from adapters.telemetry.metrics import TopicChange, count_topic_change
from aggregates.kernel.event import Recorded
from projections.agenda.partition import partition_of

READER = "publisher"
BATCH_BYTES = 524_288
ROUND = 5_000
"""Events between two checkpoints when there is a backlog; with twelve partitions they fit into one batch for each."""

_LINGER_MS = 5_000
"""Nothing leaves before the round's end, which flushes; a lone event is flushed at once."""
_FILL_SECONDS = _LINGER_MS / 1_000 / 2
_REQUEST_MS = 10_000
_DELIVERY_MS = 20_000
_BLOCK_MS = 10_000
_BATCH_OVERHEAD = 61
_TOPIC_TAKES = BATCH_BYTES + 16_384
_HEADERS_AT_MOST = 4_096
_RECORD_OVERHEAD = 36
_HEADER_OVERHEAD = 6

PRODUCER_SETTINGS: Mapping[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,
    "max_in_flight_requests_per_connection": 5,
    "linger_ms": _LINGER_MS,
    "batch_size": BATCH_BYTES,
    "request_timeout_ms": _REQUEST_MS,
    "delivery_timeout_ms": _DELIVERY_MS,
    "max_block_ms": _BLOCK_MS,
    "bootstrap_timeout_ms": _BLOCK_MS,
    "reconnect_backoff_max_ms": 1_000,
    "allow_auto_create_topics": False,
}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class NotPublished(OutOfReach):
    """Kafka did not take every message of a round. Nothing is skipped: the round is sent again from its beginning."""


class TooLarge(Exception):
    """An event that is larger than the contract allows. It is parked, with what follows of its account."""


def reader_name(topic: str) -> str:
    """A topic has a checkpoint of its own: another one is published from the log's beginning."""
    return READER if topic == EVENTS_TOPIC else f"{READER}:{topic}"


class Publisher:
    """A reader for the runner: returns from `handle` once Kafka has acknowledged everything.

    The source has to be SealedRows. Settings come from the environment; `producer` makes the producer.
    """

    def __init__(
        self,
        env: Mapping[str, str] = os.environ,
        *,
        topic: str | None = None,
        producer: Callable[..., KafkaProducer] = KafkaProducer,
    ) -> None:
        self._env = env
        client_options(env)  # what is wrong with them is said before anything begins
        self._topic = topic or events_topic(env)
        self._source = (env.get(SOURCE_VARIABLE) or SOURCE).encode()
        self._make = producer
        self._producer: KafkaProducer | None = None
        self._partitions = 0
        self._identity = IdentityWatch(self._topic, env)
        self._on: TopicIdentity | None = None
        """The topic that the checkpoint belongs to."""
        self._looked_at = 0.0
        self._noted = 0
        """The number of partitions that readers know of."""

    # --- the reader ---

    @property
    def name(self) -> str:
        return reader_name(self._topic)

    @property
    def interest(self) -> None:
        """Everything is published."""

    def forget(self) -> None:
        """There is nothing that it remembers."""

    def begin(self, connection: Connection[Any]) -> bool:
        """Takes up the topic that there is now. Where that is another one than was published to, or is divided
        otherwise, it gets the log from its beginning, behind whatever it holds by now; returns whether it does.

        Raises NotPublished and TopicUnfit.
        """
        self.close()
        topic = self._look()
        known = published_topic(connection, self.name)
        if known is None or known.topic != topic:
            ends = self._ends(topic)
            position = register(connection, self.name)
            # Where an earlier release published, it is the same unless it never had anything.
            is_other = known is not None or not any(ends)
            with connection.transaction():
                if position > 0 and is_other:
                    self._say_other(None if known is None else known.topic, topic, position)
                    publish_anew(connection, self.name)
                note_topic(connection, self.name, topic, ends if position == 0 or is_other else [0] * topic.partitions)
        self._on = topic
        return False  # its batches are as large as its rounds, wherever it begins

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        """Raises TooLarge before anything was sent, NotPublished, TopicUnfit and TopicReplaced."""
        rows = [row for row in batch if isinstance(row, SealedRow)]
        before = published_to(connection, self.name)  # what was held back and is sent late
        _check_sizes(rows, self._source)
        self.send(to_message(row, source=self._source, late=(row.position or 0) <= before) for row in rows)
        self.check_topic()  # what was acknowledged before this is on the topic that the checkpoint belongs to
        self._note_division(connection)

    def check_topic(self, *, every: float = 0.0) -> None:
        """Raises TopicReplaced where the topic is another one by now, and NotPublished where nobody can say. Looks
        again once `every` seconds have passed."""
        if time.monotonic() - self._looked_at < every:
            return
        topic = self._look()
        if self._on is not None and topic != self._on:
            self.close()
            raise TopicReplaced(f"{self._topic} was {self._on}, and is {topic}")

    def send(self, messages: Iterable[Message]) -> None:
        """Sends messages in order and waits for Kafka to have them all."""
        try:
            producer = self._connected()
            _Round(producer, self._topic, self._partitions).send(messages)
        except (KafkaError, KafkaUnavailable) as error:
            self.close()
            raise NotPublished(f"Kafka did not take a round of events: {_said(error)}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets the producer go; between rounds it holds nothing."""
        self._identity.close()
        producer, self._producer = self._producer, None
        if producer is not None:
            _end(producer)

    # --- inside ---

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            self._partitions = self._look_at_topic()
            going_on()
            with reaching(self._env) as options:
                self._producer = self._make(**options, **PRODUCER_SETTINGS, client_id="arrears-publisher")
        return self._producer

    def _look(self) -> TopicIdentity:
        try:
            topic = self._identity.look()
        except (KafkaError, KafkaUnavailable) as error:
            raise NotPublished(f"Kafka does not say which topic {self._topic} is: {_said(error)}") from error
        self._looked_at = time.monotonic()
        return topic

    def _ends(self, topic: TopicIdentity) -> list[int]:
        try:
            with Topics(self._env) as topics:
                return topics.ends(self._topic, topic.partitions)
        except (KafkaError, KafkaUnavailable) as error:
            raise NotPublished(f"Kafka does not say where {self._topic} ends: {_said(error)}") from error

    def _say_other(self, before: TopicIdentity | None, now: TopicIdentity, position: int) -> None:
        """Whoever reads the topic without Arrears has to know that everything comes once more."""
        is_same = before is not None and before.id == now.id
        count_topic_change(self.name, TopicChange.DIVIDED if is_same else TopicChange.ANEW)
        _log.error(
            "the topic is another one, the log is published to it from the beginning",
            topic=self._topic,
            was=None if before is None else str(before),
            now=str(now),
            published_to=position,
        )

    def _note_division(self, connection: Connection[Any]) -> None:
        """Whoever meets an event after the topic was divided otherwise has to know that it was in its place."""
        if self._noted != self._partitions:
            connection.execute(
                "INSERT INTO read_model.topic_divisions (topic, partitions) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [self._topic, self._partitions],
            )
            self._noted = self._partitions

    def _look_at_topic(self) -> int:
        """The number of partitions, which never changes: a change would move accounts to other partitions."""
        with Topics(self._env) as topics:
            partitions = topics.partitions(self._topic)
            if not partitions:
                raise TopicUnfit(f"Kafka has no topic {self._topic}. Make it: arrears topics apply")
            largest = int(topics.config(self._topic)["max.message.bytes"])
        if largest < _TOPIC_TAKES:
            raise TopicUnfit(
                f"{self._topic} takes {largest:,} bytes at a time (max.message.bytes), and has to take "
                f"{_TOPIC_TAKES:,}. Change it: arrears topics apply"
            )
        return partitions


class _Round:
    """Messages that are under way together: at most one batch for each partition."""

    def __init__(self, producer: KafkaProducer, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._count = partitions
        self._sent: list[Any] = []
        self._room = [BATCH_BYTES - _BATCH_OVERHEAD] * partitions
        self._full_at = 0.0

    def send(self, messages: Iterable[Message]) -> None:
        for message in messages:
            partition = _partition(message.key, self._count)
            needed = message.size + _RECORD_OVERHEAD + _HEADER_OVERHEAD * len(message.headers)
            if self._sent and (self._room[partition] < needed or time.monotonic() > self._full_at):
                self._finish()
            if not self._sent:
                self._full_at = time.monotonic() + _FILL_SECONDS
            self._room[partition] -= needed
            self._sent.append(
                self._producer.send(
                    self._topic,
                    key=message.key,
                    value=message.value,
                    headers=message.headers,
                    partition=partition,
                    timestamp_ms=message.timestamp_ms,
                )
            )
        self._finish()

    def _finish(self) -> None:
        """Waits for every message to be acknowledged. Raises the first error there is, and LeaseLost: whoever was
        replaced sends nothing after what is under way."""
        flush(self._producer, seconds=_DELIVERY_MS / 1_000 + 1.0)
        for future in self._sent:
            if not future.succeeded():
                future.get(timeout=_DELIVERY_MS / 1_000)
        self._sent = []
        self._room = [BATCH_BYTES - _BATCH_OVERHEAD] * self._count


def _end(producer: KafkaProducer) -> None:
    """Ends a producer and what it still holds.

    KafkaProducer.close waits for every batch first and gives up, with its thread still running, where one is stuck: a
    producer that lost its id keeps what it holds until it gets another. Left alone they would pile up in an outage.
    """
    with suppress(KafkaError):
        producer.close(timeout=0)
    sender = producer._sender
    sender.force_close()
    sender.join(_BLOCK_MS / 1_000)
    with suppress(KafkaError):
        producer.close(timeout=0)


@lru_cache(maxsize=100_000)
def _partition(key: bytes, partitions: int) -> int:
    return partition_of(UUID(key.decode()), partitions)


def published_to(connection: Connection[Any], reader: str) -> int:
    """The log position that a publisher has come to; 0 for one that nobody has heard of."""
    row = connection.execute(
        "SELECT position FROM read_model.checkpoints WHERE reader = %s", [reader], prepare=True
    ).fetchone()
    return int(row[0]) if row is not None else 0


def _check_sizes(rows: Sequence[SealedRow], source: bytes) -> None:
    """Raises TooLarge, with an alarm once the culprit stands alone: events are tried together first."""
    for row in rows:
        if len(row.state) + len(row.meta_json) < LARGEST - _HEADERS_AT_MOST:
            continue
        size = to_message(row, source=source).size
        if size > LARGEST:
            if len(rows) == 1:
                _log.error(
                    "event too large for Kafka, its account waits",
                    position=row.position,
                    name=row.name,
                    account=str(row.account_id or row.aggregate_id),
                    bytes=size,
                    limit=LARGEST,
                )
            raise TooLarge(f"{size:,} bytes, more than the {LARGEST:,} that the contract allows")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0]

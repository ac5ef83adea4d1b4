"""The publisher beside a bare producer, and the wire format by itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaProducer

from adapters.eventstore.application import Arrears
from adapters.eventstore.sealer import Sealer
from adapters.kafka.cloudevents import Message, to_message
from adapters.kafka.local import LocalKafka
from adapters.kafka.publisher import PRODUCER_SETTINGS
from adapters.kafka.sealed_rows import SealedRow, SealedRows
from adapters.postgres.database import Database
from adapters.rules import RULES
from api.processes.publishing import publishing
from tests.benchmarks.harness import Row, benchmark, fresh_database
from tests.benchmarks.portfolio import due_tomorrow, portfolio, send
from tests.temporary import temporary_folder

_ACCOUNTS = 25_000
_PARTITIONS = 12
_TIMES = 5
_TODAY = date(2026, 3, 2)
_QUICK = {"linger_ms": 20}

_Rates = tuple[float, float, float]
"""Messages a second: bare, ours, bare with a short linger."""


@benchmark("publisher")
def publisher() -> list[Row]:
    """Events from the sealed log to Kafka, beside a bare producer of the same keys, headers, bytes and settings."""
    with _kafka() as servers, _log() as database:
        messages = _messages(database)
        count = len(messages)
        rounds = [  # in turns: whatever else the machine does, it does to all
            (
                count / _bare(servers, messages, {}),
                count / _ours(servers, database),
                count / _bare(servers, messages, _QUICK),
            )
            for _ in range(_TIMES)
        ]
    bare, ours, _ = _median(rounds, peer=0)
    _, ours_again, bare_quick = _median(rounds, peer=2)
    return [
        Row("publisher", ours, "events/s", "bare producer, same settings", bare, 0.7),
        Row("publisher", ours_again, "events/s", "bare producer, linger_ms=20", bare_quick, 0.7),
    ]


def _median(rounds: list[_Rates], *, peer: int) -> _Rates:
    """The round whose ratio to the peer is in the middle."""
    return sorted(rounds, key=lambda rates: rates[1] / rates[peer])[len(rounds) // 2]


def _ours(servers: str, database: Database) -> float:
    """Seconds from the first event to the last checkpoint; the log is published from its beginning."""
    env = {"KAFKA_BOOTSTRAP_SERVERS": servers}
    with publishing(database, env, topic=_topic(servers)) as runner:
        runner.catch_up(1)  # connected, and the topic known
        started = time.perf_counter()
        runner.catch_up()
        return time.perf_counter() - started


def _bare(servers: str, messages: list[Message], changed: dict[str, int]) -> float:
    producer = KafkaProducer(bootstrap_servers=servers, **{**PRODUCER_SETTINGS, **changed})
    topic = _topic(servers)
    try:
        producer.partitions_for(topic)
        started = time.perf_counter()
        for message in messages:
            producer.send(
                topic,
                key=message.key,
                value=message.value,
                headers=message.headers,
                timestamp_ms=message.timestamp_ms,
            )
        producer.flush()
        return time.perf_counter() - started
    finally:
        producer.close()


def _messages(database: Database) -> list[Message]:
    rows = SealedRows(database)
    try:
        return [to_message(row) for row in rows.read(0, 1_000_000) if isinstance(row, SealedRow)]
    finally:
        rows.close()


def _topic(servers: str) -> str:
    name = f"bench.{uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        admin.create_topics({name: {"num_partitions": _PARTITIONS, "replication_factor": 1}}, wait_for_metadata=True)
    finally:
        admin.close()
    return name


@contextmanager
def _kafka() -> Iterator[str]:
    with temporary_folder() as folder, LocalKafka(folder) as kafka:
        yield kafka.bootstrap_servers


@contextmanager
def _log() -> Iterator[Database]:
    """A sealed log of accounts and invoices."""
    with fresh_database() as database, Arrears(database, master_key=bytes(32), rules=RULES) as arrears:
        send(arrears, portfolio(_ACCOUNTS, issued_on=_TODAY, due_on=due_tomorrow(0, _TODAY)))
        sealer = Sealer(database)
        while sealer.seal_once():
            pass
        sealer.close()
        yield database

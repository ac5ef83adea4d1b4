"""The topic, read by clients that know nothing of us: kcat, and the cloudevents SDK over a plain consumer."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from adapters.postgres.database import Database
from api.processes.publishing import publishing
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.wire import envelopes, records, some_accounts
from tests.adapters.readers.log import Log
from tests.waiting import HANG


@pytest.fixture
def topic(kafka: TestKafka, log: Log, database: Database) -> str:
    """A topic with events on it."""
    name = kafka.topic(partitions=3)
    some_accounts(log, 10)
    with publishing(database, kafka.env, topic=name) as runner:
        runner.catch_up(timeout=HANG)
    return name


def kcat(kafka: TestKafka, *arguments: str) -> Sequence[dict[str, Any]]:
    if shutil.which("kcat") is None:
        pytest.fail("kcat is missing (Debian, Ubuntu: apt-get install kcat; ./dev test does it)", pytrace=False)
    done = subprocess.run(
        ["kcat", "-b", kafka.bootstrap_servers, *arguments], capture_output=True, text=True, timeout=HANG, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_kcat_reads_keys_headers_and_bodies(kafka: TestKafka, topic: str):
    read = kcat(kafka, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J")
    ours = {(e.partition, e.offset): e for e in envelopes(kafka.bootstrap_servers, topic)}
    assert len(read) == len(ours)
    for message in read:
        envelope = ours[message["partition"], message["offset"]]
        headers = dict(zip(message["headers"][::2], message["headers"][1::2], strict=True))
        assert message["key"] == str(envelope.account_id) == headers["ce_partitionkey"]
        assert headers["ce_type"] == f"collections.{envelope.name}.v{envelope.event_version}"
        assert headers["ce_specversion"] == "1.0"
        assert headers["content-type"] == "application/json"
        assert int(headers["ce_position"]) == envelope.position
        assert json.loads(message["payload"]) == envelope.data


def test_the_cloudevents_sdk_reads_every_message(kafka: TestKafka, topic: str):
    read = [
        from_binary_event(KafkaMessage(headers=dict(r.headers), key=r.key, value=r.value))
        for r in records(kafka.bootstrap_servers, topic)
    ]
    ours = envelopes(kafka.bootstrap_servers, topic)
    for event, envelope in zip(read, ours, strict=True):
        assert event.get_id() == str(envelope.event_id)
        assert event.get_type() == f"collections.{envelope.name}.v{envelope.event_version}"
        assert event.get_time() == envelope.recorded_at
        assert event.get_subject() == str(envelope.aggregate_id)
        assert event.get_extension("position") == str(envelope.position)
        assert event.get_data() == envelope.data

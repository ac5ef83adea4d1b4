"""The Kafka that tests and developers run on their machine."""

import os
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from adapters.kafka.jars import KafkaUnavailable, jars
from tests.adapters.kafka.fixture import TestKafka, local_kafka

pytestmark = pytest.mark.kafka


def test_what_is_sent_is_read(kafka: TestKafka):
    topic = kafka.topic(partitions=1)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    producer.send(topic, b"hello").get(30)
    producer.close()

    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    assert next(consumer).value == b"hello"
    consumer.close()


@pytest.mark.slow
def test_a_broker_that_was_killed_comes_back_with_its_topics():
    with local_kafka() as kafka:
        topic = TestKafka(kafka.bootstrap_servers).topic(partitions=1)
        before = kafka.pid(1)
        kafka.kill_broker(1)
        assert kafka.pid(1) is None
        kafka.start_broker(1)
        assert kafka.pid(1) not in {None, before}
        admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        assert topic in admin.list_topics()
        admin.close()


def test_without_maven_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KafkaUnavailable, match="no mvn on PATH") as problem:
        jars(env={"XDG_CACHE_HOME": str(tmp_path)})
    assert "apt-get install openjdk-17-jre-headless maven" in str(problem.value)


def test_jars_that_could_not_be_fetched_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tools, cache = tmp_path / "bin", tmp_path / "cache"
    tools.mkdir()
    failing = tools / "mvn"
    failing.write_text("#!/bin/sh\necho 'no route to host'\nexit 1\n", encoding="utf-8")
    failing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(KafkaUnavailable, match="no route to host"):
        jars(env={"XDG_CACHE_HOME": str(cache)})
    assert list((cache / "arrears").iterdir()) == []

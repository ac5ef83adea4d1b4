"""Topics are brought in line with their file, and never in a way that breaks the order of events."""

import threading
from pathlib import Path

import pytest
from kafka import KafkaProducer

from adapters.kafka import topics
from adapters.kafka.connection import KafkaNotNamed, client_options
from adapters.kafka.jars import KafkaAway
from adapters.kafka.topics import DEFINITIONS, Topic, Topics, TopicsProblem, read_topics
from tests.adapters.kafka.fixture import TestKafka


class TestApply:
    def test_a_missing_topic_is_made_as_defined(self, kafka: TestKafka):
        (events,) = [each for each in read_topics() if each.name == "collections.events"]
        wanted = Topic(f"{kafka.topic()}.new", events.partitions, 1, events.with_copies(1).config)
        with Topics(kafka.env) as topics:
            (change,) = topics.plan([wanted])
            topics.apply(change)
            assert topics.partitions(wanted.name) == events.partitions
            assert topics.config(wanted.name).items() >= dict(wanted.config).items()
            assert topics.plan([wanted]) == []

    def test_settings_are_shown_and_changed(self, kafka: TestKafka):
        name = kafka.topic(partitions=2, configs={"retention.ms": "1000"})
        with Topics(kafka.env) as topics:
            (change,) = topics.plan([Topic(name, 2, 1, {"retention.ms": "-1"})])
            assert change.what == "retention.ms: 1000 → -1"
            topics.apply(change)
            assert topics.config(name)["retention.ms"] == "-1"

    def test_an_empty_topic_may_get_more_partitions(self, kafka: TestKafka):
        name = kafka.topic(partitions=2)
        with Topics(kafka.env) as topics:
            (change,) = topics.plan([Topic(name, 5, 1)])
            topics.apply(change)
            assert topics.partitions(name) == 5

    def test_a_topic_with_events_keeps_its_partitions(self, kafka: TestKafka):
        name = kafka.topic(partitions=2)
        producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
        producer.send(name, key=b"k", value=b"v").get(30)
        producer.close()
        with Topics(kafka.env) as topics, pytest.raises(TopicsProblem, match="read out of order"):
            topics.plan([Topic(name, 5, 1)])

    def test_fewer_partitions_are_refused(self, kafka: TestKafka):
        name = kafka.topic(partitions=2)
        with Topics(kafka.env) as topics, pytest.raises(TopicsProblem, match="cannot make them 1"):
            topics.plan([Topic(name, 1, 1)])

    def test_more_copies_than_brokers_are_refused(self, kafka: TestKafka):
        with Topics(kafka.env) as topics, pytest.raises(TopicsProblem, match="wants 9 copies"):
            topics.plan([Topic("test.never", 1, 9)])

    def test_a_setting_that_kafka_does_not_take_is_an_error(self, kafka: TestKafka):
        name = kafka.topic(partitions=1)
        with Topics(kafka.env) as topics:
            (change,) = topics.plan([Topic(name, 1, 1, {"retention.ms": "soon"})])
            with pytest.raises(TopicsProblem, match=r"retention\.ms"):
                topics.apply(change)


def test_the_topic_of_the_log_is_kept_for_good():
    (events,) = [each for each in read_topics(DEFINITIONS) if each.name == "collections.events"]
    assert events.config["retention.ms"] == "-1"
    assert events.config["cleanup.policy"] == "delete"
    assert int(events.config["max.message.bytes"]) > 540_000


def test_a_small_cluster_gets_fewer_copies():
    topic = Topic("t", 1, 3, {"min.insync.replicas": "2"})
    assert topic.with_copies(1).config == {"min.insync.replicas": "1"}
    assert topic.with_copies(3).config == {"min.insync.replicas": "2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[topics.a]\npartitions = 1", "a.copies"),
        ("[topics.a]\npartitions = 0\ncopies = 1", "a.partitions"),
        ("[topics.a]\npartitions = 1\ncopies = 1\nowner = 'x'", "nothing else"),
        ("[topics.a]\npartitions = 1\ncopies = 1\nconfig = { x = 1 }", "are texts"),
        ("[tables]", "unknown key 'tables'"),
        ("topics", "not a TOML file"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, text: str, said: str):
    file = tmp_path / "topics.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TopicsProblem, match=said):
        read_topics(file)


def test_nobody_said_where_kafka_is():
    with pytest.raises(KafkaNotNamed, match="KAFKA_BOOTSTRAP_SERVERS"):
        client_options({})


def test_a_cluster_that_does_not_answer_is_said_to(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(topics, "ANSWER_MS", 100)
    with pytest.raises(KafkaAway, match="does not answer at"):
        Topics({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})


def test_a_client_that_does_not_get_through_leaves_no_thread_behind(monkeypatch: pytest.MonkeyPatch):
    """With all that it holds: an outage is long, and many are made meanwhile."""
    monkeypatch.setattr(topics, "ANSWER_MS", 100)
    before = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(KafkaAway):
            Topics({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert set(threading.enumerate()) <= before

"""Apache Kafka for tests. Where none can be had the tests fail and say why; they are never skipped."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient, TopicPartition

from adapters.kafka.docker import DockerKafka, docker_answers
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.local import QUICK_START, LocalKafka
from tests.temporary import temporary_folder
from tests.waiting import wait_until


@dataclass(frozen=True)
class TestKafka:
    """A Kafka on which tests make topics; every test uses topics of its own."""

    __test__ = False
    bootstrap_servers: str

    @property
    def env(self) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers}

    @property
    def publisher_env(self) -> dict[str, str]:
        """For whoever publishes: the same, unless readers may not write."""
        return self.env

    def topic(self, *, partitions: int = 4, copies: int = 1, configs: dict[str, str] | None = None) -> str:
        """A new topic's name; its partitions have leaders.

        Like the topic of the log it keeps what it has: tests tell of days long ago, which Kafka would delete.
        """
        name = f"test.{uuid4().hex[:16]}"
        self._create(name, partitions, copies, configs)
        return name

    def make_anew(self, topic: str, *, partitions: int = 4) -> None:
        """Deletes a topic, and makes one of the same name."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            admin.delete_topics([topic])
            wait_until(lambda: admin.describe_topics([topic])[0]["error_code"], "the topic is gone")
        finally:
            admin.close()
        self._create(topic, partitions, 1, None)

    def divide(self, topic: str, *, partitions: int) -> None:
        """Gives a topic more partitions."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            admin.create_partitions({topic: partitions})
            wait_until(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == partitions, "it is divided")
        finally:
            admin.close()

    def delete_before(self, topic: str, offsets: dict[int, int]) -> None:
        """Deletes what stands before an offset of each partition."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            admin.delete_records({TopicPartition(topic, each): offset for each, offset in offsets.items()})
        finally:
            admin.close()

    def _create(self, name: str, partitions: int, copies: int, configs: dict[str, str] | None) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            admin.create_topics(
                {
                    name: {
                        "num_partitions": partitions,
                        "replication_factor": copies,
                        "configs": {"retention.ms": "-1", **(configs or {})},
                    }
                },
                wait_for_metadata=True,
            )
        finally:
            admin.close()


@contextmanager
def local_kafka(*, brokers: int = 1) -> Iterator[LocalKafka]:
    """Brokers of this test's own, to be stopped and killed at will."""
    with temporary_folder() as folder, LocalKafka(folder, brokers=brokers, jvm=QUICK_START) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[TestKafka]:
    """The Kafka of this run: KAFKA_BOOTSTRAP_SERVERS, else a Docker engine's, else one from Maven Central."""

    def tell(which: str) -> None:
        with _uncaptured(pytestconfig)():
            print(f"\nKafka for these tests: {which}", file=sys.stderr, flush=True)

    if servers := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        tell(f"{servers} (KAFKA_BOOTSTRAP_SERVERS)")
        yield TestKafka(servers)
        return
    try:
        if docker_answers():
            tell("the image apache/kafka, in Docker")
            with DockerKafka() as in_docker:
                yield TestKafka(in_docker.bootstrap_servers)
            return
        tell("a broker of its own, with the jars from Maven Central")
        with local_kafka() as local:
            yield TestKafka(local.bootstrap_servers)
    except KafkaUnavailable as problem:
        pytest.fail(f"These tests need an Apache Kafka.\n{problem}", pytrace=False)


def _uncaptured(config: pytest.Config) -> Callable[[], AbstractContextManager[None]]:
    manager = config.pluginmanager.getplugin("capturemanager")
    return manager.global_and_fixture_disabled  # type: ignore[no-any-return]

"""Apache Kafka for tests. Where none can be had the tests fail and say why; they are never skipped."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient

from adapters.kafka.docker import DockerKafka, docker_answers
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.local import QUICK_START, LocalKafka
from tests.temporary import temporary_folder


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
        return name


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

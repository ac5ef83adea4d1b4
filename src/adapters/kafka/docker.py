"""Apache Kafka in a container: one broker, where a Docker engine runs."""

import contextlib
import shutil
import subprocess
from types import TracebackType
from typing import Self

from adapters.kafka.jars import KafkaUnavailable, kafka_version
from adapters.kafka.local import HOST, free_ports, wait_for_metadata

_ANSWER_SECONDS = 10
_PULL_SECONDS = 600
_START_SECONDS = 120.0


def docker_answers() -> bool:
    """Whether there is a Docker engine, not only its client."""
    if shutil.which("docker") is None:
        return False
    try:
        asked = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0 and bool(asked.stdout.strip())


class DockerKafka:
    """The image `apache/kafka`, reachable on a free port of loopback; removed when it is left."""

    def __init__(self) -> None:
        self._port, controller = free_ports(2)
        self._container = ""
        self._settings = {
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_NODE_ID": "1",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@localhost:{controller}",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_LISTENERS": f"PLAINTEXT://:{self._port},CONTROLLER://:{controller}",
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{self._port}",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "KAFKA_HEAP_OPTS": "-Xmx384m",
        }

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self._port}"

    def __enter__(self) -> Self:
        image = f"apache/kafka:{kafka_version()}"
        settings = [part for name, value in self._settings.items() for part in ("-e", f"{name}={value}")]
        published = ["-p", f"{HOST}:{self._port}:{self._port}"]
        self._container = _docker("run", "-d", "--rm", *published, *settings, image).strip()
        try:
            wait_for_metadata(self.bootstrap_servers, {1}, seconds=_START_SECONDS)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(KafkaUnavailable):
            _docker("rm", "-f", self._container)


def _docker(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=_PULL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise KafkaUnavailable(f"docker {arguments[0]} did not end within {_PULL_SECONDS} s.") from None
    if done.returncode != 0:
        raise KafkaUnavailable(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout

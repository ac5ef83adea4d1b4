"""The Kafka that tests and developers run on their machine."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from adapters.kafka.jars import KafkaUnavailable, jars
from tests.adapters.kafka.fixture import TestKafka, local_kafka
from tests.waiting import HANG


def test_what_is_sent_is_read(kafka: TestKafka):
    topic = kafka.topic(partitions=1)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    producer.send(topic, b"hello").get(30)
    producer.close()

    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    assert next(consumer).value == b"hello"
    consumer.close()


@pytest.mark.kafka
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


ABANDONED = """
import os, signal, sys
from pathlib import Path
from adapters.kafka.local import QUICK_START, LocalKafka

kafka = LocalKafka(Path(sys.argv[1]), jvm=QUICK_START).start()
print(kafka.pid(1), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.kafka
@pytest.mark.slow
def test_a_broker_does_not_outlive_whoever_started_it(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", ABANDONED, str(tmp_path)], capture_output=True, text=True, timeout=HANG, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    broker = int(done.stdout)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(broker).wait(timeout=HANG)


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

"""Brokers that are there and do not work: slow ones, one whose disk is full, one whose certificate has expired."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.kafka.local import QUICK_START, Listener, LocalKafka, free_ports
from adapters.postgres.database import Database
from tests.adapters.kafka.certificates import DAY, Authority
from tests.chaos.world import a_world
from tests.proxy import Proxy
from tests.roles import running, wait_until_ready
from tests.temporary import temporary_folder
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.kafka]

NAMES = ("seal", "publish", "project", "deliver")
READERS = ("publisher", "delivery", "ledger")
AT_KAFKA = ("publish", "project", "deliver")


def test_a_broker_that_answers_slowly_is_waited_for_and_one_that_is_too_slow_is_said(
    database: Database, tmp_path: Path
):
    (port,) = free_ports(1)
    with (
        temporary_folder() as folder,
        LocalKafka(folder, jvm=QUICK_START, listeners={"SLOW": Listener("PLAINTEXT", advertised=port)}) as kafka,
    ):
        host, _, own = kafka.servers_at("SLOW").rpartition(":")
        env = {"KAFKA_BOOTSTRAP_SERVERS": f"{host}:{port}"}
        with (
            Proxy((host, int(own)), listens=port) as slow,
            a_world(database, tmp_path, env, plain=kafka.bootstrap_servers) as world,
            running(world.env, NAMES, tmp_path / "logs") as roles,
        ):
            wait_until_ready(roles)
            world.goes_on(*READERS)
            slow.delay = 0.5
            world.goes_on(*READERS)
            assert [role.problems for role in roles] == [{}] * len(NAMES)
            slow.delay = 20.0
            for role in roles:
                if role.name in AT_KAFKA:
                    role.wait_until_it_says("kafka", "does not answer")
            slow.delay = 0.0
            wait_until_ready(roles)
            world.goes_on(*READERS)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own."""
    with temporary_folder() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(folder)], check=True)
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.mount
def test_a_broker_whose_disk_is_full_is_said_and_all_goes_on_when_there_is_room(
    database: Database, small_disk: Path, tmp_path: Path
):
    with LocalKafka(small_disk, jvm=QUICK_START) as kafka:
        servers = kafka.bootstrap_servers
        with (
            a_world(database, tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": servers}, plain=servers) as world,
            running(world.env, NAMES, tmp_path / "logs") as roles,
        ):
            wait_until_ready(roles)
            world.goes_on(*READERS)
            filler = small_disk / "filler"
            with filler.open("wb") as file:
                try:
                    while True:
                        file.write(bytes(65_536))
                        file.flush()
                except OSError:
                    pass
            wait_until(lambda: world.write(100) and kafka.pid(1) is None, "the broker gives up")
            for role in roles:
                if role.name in AT_KAFKA:
                    role.wait_until_it_says("kafka", "does not answer")
            filler.unlink()
            kafka.restart_broker(1, kill=True)
            wait_until_ready(roles)
            world.goes_on(*READERS)


def test_a_certificate_that_expires_is_named_and_all_goes_on_with_another(database: Database, tmp_path: Path):
    authority = Authority(tmp_path)
    shown = authority.sign("broker")
    settings = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(shown.both)}
    with (
        temporary_folder() as folder,
        LocalKafka(folder, jvm=QUICK_START, listeners={"SECURE": Listener("SSL", settings)}) as kafka,
    ):
        env = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.servers_at("SECURE"),
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CAFILE": str(authority.file),
        }
        with (
            a_world(database, tmp_path, env, plain=kafka.bootstrap_servers) as world,
            running(world.env, NAMES, tmp_path / "logs") as roles,
        ):
            wait_until_ready(roles)
            authority.sign("broker", until=datetime.now(UTC) - timedelta(minutes=1))
            kafka.restart_broker(1)  # connections that there are would live on
            for role in roles:
                if role.name in AT_KAFKA:
                    role.wait_until_it_says("kafka", "its certificate, or that of who signed it, has expired")
                    assert "has expired" in role.said
            with running(world.env, ["publish"], tmp_path / "begun-meanwhile") as begun:
                begun[0].wait_until_it_says("start", "has expired")
            authority.sign("broker", until=datetime.now(UTC) + DAY)
            kafka.restart_broker(1)
            wait_until_ready(roles)
            world.goes_on(*READERS)

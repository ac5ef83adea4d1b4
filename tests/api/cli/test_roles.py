"""The roles of a cluster as processes: each starts, works, ends when told; what is missing is said in a line."""

import os
import signal
import subprocess
import sys
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.eventstore.application import Arrears as Application
from adapters.postgres.database import Database
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Issued
from aggregates.office import OpenOffice
from api.processes.parts import PARTS, PUBLISH
from api.processes.parts.part import Need, Worker
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.readers.log import rows
from tests.api.cli.conftest import MASTER_KEY, Arrears
from tests.waiting import HANG, wait_until

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-c", "from api.cli import main; main()")
ROLES = [part.name for part in PARTS if isinstance(part, Worker)]
READ_TOPICS = [part.name for part in PARTS if Need.KAFKA in part.needs and part is not PUBLISH]


@dataclass
class Member:
    """A process of a role, and what it said."""

    role: str
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def listen(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(self.process.stderr)


@contextmanager
def running(env: dict[str, str], *roles: str) -> Iterator[list[Member]]:
    members = [
        Member(role, subprocess.Popen([*COMMAND, role], env=env, stderr=subprocess.PIPE, text=True)) for role in roles
    ]
    ears = [threading.Thread(target=member.listen) for member in members]
    for ear in ears:
        ear.start()
    try:
        yield members
    finally:
        for member in members:
            member.process.kill()
            member.process.wait()
        for ear in ears:
            ear.join()


@pytest.fixture
def env(kafka: TestKafka, database: Database, tmp_path: Path) -> dict[str, str]:
    ours = {name: text for name, text in os.environ.items() if not name.startswith("ARREARS_")}
    return {
        **ours,
        **kafka.env,
        "ARREARS_DATABASE_URL": database.dsn,
        "ARREARS_MASTER_KEY": MASTER_KEY,
        "ARREARS_OUTBOX": str(tmp_path / "outbox"),
        "ARREARS_EVENTS_TOPIC": kafka.topic(partitions=2),
        "ARREARS_TICKS_TOPIC": kafka.topic(partitions=2),
    }


@pytest.fixture
def here(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Arrears:
    """The command in this process, in the same surroundings."""
    for name, text in env.items() - os.environ.items():
        monkeypatch.setenv(name, text)
    monkeypatch.delenv("ARREARS_DATA", raising=False)
    return Arrears()


def test_every_role_starts_works_and_ends_when_told(env: dict[str, str], database: Database):
    def ready() -> bool:
        for member in members:
            assert member.process.poll() is None, (member.role, member.said)
        return all(any("SIGTERM or Ctrl-C ends it." in line for line in member.said) for member in members)

    def worked() -> bool:
        readers = dict(rows(database, "SELECT split_part(reader, ':', 1), position FROM read_model.checkpoints"))
        return (
            min(readers.get(name, 0) for name in ("publisher", "policies", "delivery")) >= 1
            and rows(database, "SELECT code FROM read_model.offices") == [("main",)]
            and bool(rows(database, "SELECT now FROM read_model.clock"))
        )

    with running(env, *ROLES) as members:
        wait_until(ready, "every role is ready")
        app = Application(database, master_key=b64decode(MASTER_KEY))
        command = OpenOffice(code="main", title="Main office")
        app.handle([Issued(command=command, command_id=uuid4(), actor=Actor.parse("person:ann"))])
        app.close()
        wait_until(worked, "every role works")
        for member in members:
            member.process.send_signal(signal.SIGTERM)
        codes = {member.role: member.process.wait(HANG) for member in members}
    assert codes == dict.fromkeys(ROLES, 0)
    assert not [(each.role, each.said) for each in members if any("Traceback" in line for line in each.said)]


# --- what is missing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("role", READ_TOPICS)
def test_without_kafkas_address_a_role_says_so_and_ends(here: Arrears, monkeypatch: pytest.MonkeyPatch, role: str):
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS")
    assert "Error: Nobody said where Kafka is." in here(role, code=1).err


@pytest.mark.parametrize("role", READ_TOPICS)
def test_without_its_topic_a_role_says_so_and_ends(here: Arrears, monkeypatch: pytest.MonkeyPatch, role: str):
    monkeypatch.setenv("ARREARS_EVENTS_TOPIC", "nowhere")
    monkeypatch.setenv("ARREARS_TICKS_TOPIC", "nowhere")
    assert "Error: Kafka has no topic nowhere. Make it: arrears topics apply" in here(role, code=1).err


def test_topics_of_different_sizes_are_refused(here: Arrears, kafka: TestKafka, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ARREARS_TICKS_TOPIC", kafka.topic(partitions=3))
    said = here("react", code=1).err
    assert "has 2 partitions" in said
    assert "has 3 partitions; they have to have the same number" in said


@pytest.mark.parametrize("role", ["seal", *READ_TOPICS])
def test_a_database_that_nobody_migrated_is_refused(
    here: Arrears, empty_database: Database, monkeypatch: pytest.MonkeyPatch, role: str
):
    monkeypatch.setenv("ARREARS_DATABASE_URL", empty_database.dsn)
    said = here(role, code=1).err
    assert said.startswith("Error: ")
    assert "arrears migrate" in said


def test_a_projection_that_does_not_exist_is_said(here: Arrears):
    assert "there is no projection 'weather'" in here("project", "weather", code=1).err

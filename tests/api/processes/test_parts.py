"""One list of parts: one process runs it in threads, a cluster as processes, and nothing is wired a second time."""

import re
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner

from adapters.kafka.jars import KafkaAway
from adapters.postgres.database import Database
from adapters.postgres.errors import ServerAway
from adapters.readers.runner import NotReached
from adapters.stop import Stopped
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Issued
from aggregates.office import OpenOffice, office_id
from api.cli import roles
from api.processes import parts, supervise
from api.processes.core import Core
from api.processes.local_cluster import LocalCluster
from api.processes.parts.part import HowMany, Part, Reading, Run, Worker
from api.processes.restarts import RECOVERED_SECONDS, Restarts
from api.processes.service import Service
from api.processes.standalone import Standalone
from api.processes.step_by_step import StepByStep
from tests.adapters.kafka.fixture import TestKafka
from tests.waiting import HANG

DOCS = Path(__file__).parents[3] / "docs"
WORKERS = [part for part in parts.PARTS if isinstance(part, Worker)]
READING = [part for part in parts.PARTS if isinstance(part, Reading)]

Open = Callable[[type[Core]], Any]


class Beep(Worker):
    """A part of these tests; it notes that it runs."""

    name = "beep"
    does = "Say that it is there"
    at_work = "Beeping"
    how_many = HowMany.ANY
    needs = frozenset()

    def __init__(self) -> None:
        self.runs = threading.Event()

    def in_thread(self, core: Core, stop: threading.Event) -> Run:
        return self._beep

    alone = in_thread

    def _beep(self, stop: threading.Event) -> None:
        self.runs.set()
        stop.wait()


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"ARREARS_MASTER_KEY": b64encode(bytes(32)).decode(), "ARREARS_OUTBOX": str(tmp_path / "outbox")}


@pytest.fixture
def opened(database: Database, env: dict[str, str]) -> Iterator[Open]:
    """Opens a process of a kind on the test's database; it is closed after the test."""
    made: list[Core] = []

    def new(kind: type[Core]) -> Core:
        made.append(kind(Database(database.dsn), data_dir=None, env=env))
        return made[-1]

    yield new
    for each in reversed(made):
        each.close()


@pytest.fixture
def beep(monkeypatch: pytest.MonkeyPatch) -> Beep:
    """The list with one more part."""
    beep = Beep()
    monkeypatch.setattr(parts, "PARTS", (*parts.PARTS, beep))
    return beep


def threads() -> set[str]:
    return {each.name for each in threading.enumerate()}


def open_office(service: Service) -> None:
    command = OpenOffice(code="main", title="Main office")
    (outcome,) = service.arrears.handle([Issued(command=command, command_id=uuid4(), actor=Actor.person("ann"))])
    assert isinstance(outcome, Accepted)


def offices(service: Service) -> list[Any]:
    with service.database.connect("arrears_app") as connection:
        return [row[0] for row in connection.execute("SELECT office_id FROM read_model.offices").fetchall()]


# --- one process ---------------------------------------------------------------------------------------------


def test_one_process_runs_the_parts_of_the_list_but_those_of_a_cluster_alone(opened: Open):
    before = threads()
    service = opened(Standalone)
    service.start()
    assert (threads() - before) & {part.name for part in parts.PARTS} == {
        "seal",
        "project",
        "react",
        "deliver",
        "clock",
    }
    service.close()
    assert not threads() & {part.name for part in parts.PARTS}


def test_what_is_written_is_shown_where_one_process_runs_everything(opened: Open):
    service = opened(Standalone)
    service.start()
    open_office(service)
    service.wait_until_shown(HANG)
    assert offices(service) == [office_id("main")]


def test_a_service_waits_for_what_others_do(opened: Open):
    service = opened(Service)
    service.prepare()
    open_office(service)
    with pytest.raises(NotReached, match="not sealed yet"):
        service.wait_until_shown(0.0)
    opened(Standalone).start()
    service.wait_until_shown(HANG)
    assert offices(service) == [office_id("main")]


def test_a_part_that_fails_is_started_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervise, "RESTART_SECONDS", 0.0)
    stop, starts = threading.Event(), list[int]()

    def run(until: threading.Event) -> None:
        starts.append(len(starts))
        if len(starts) < 3:
            raise ValueError("a bad day")
        until.set()

    failed: list[tuple[str, str]] = []
    supervise.supervise("odd", run, stop, lambda *what: failed.append(what))
    assert starts == [0, 1, 2]
    assert failed == [("odd", "ValueError")] * 2


@pytest.mark.parametrize("away", [ServerAway("it is starting"), KafkaAway("nobody answers"), Stopped()])
def test_a_part_whose_server_is_away_is_not_to_blame(away: Exception, monkeypatch: pytest.MonkeyPatch):
    """The checks of those servers say so, and it is well once they are there."""
    monkeypatch.setattr(supervise, "RESTART_SECONDS", 0.0)
    stop, failed = threading.Event(), list[tuple[str, str]]()

    def run(until: threading.Event) -> None:
        until.set()
        raise away

    supervise.supervise("odd", run, stop, lambda *what: failed.append(what))
    assert not failed


def test_a_part_that_failed_has_recovered_once_it_runs_for_a_while():
    now = 100.0
    restarts = Restarts(lambda: now)
    restarts.note("receive", "ValueError")
    restarts.note("clock", "KeyError")
    said = "failed and started again, the log says why: "
    assert restarts.problem() == f"{said}clock (KeyError), receive (ValueError)"
    now += RECOVERED_SECONDS - 1
    restarts.note("receive", "OSError")
    now += 1
    assert restarts.problem() == f"{said}receive (OSError)"
    now += RECOVERED_SECONDS
    assert restarts.problem() is None


# --- step by step --------------------------------------------------------------------------------------------


def test_step_by_step_drives_every_part_that_reads_the_log(opened: Open, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def noting(part: Reading) -> Any:
        made = type(part).from_store

        def from_store(self: Reading, core: Core, stop: threading.Event, **named: Any) -> Any:
            asked.append(self.name)
            return made(self, core, stop, **named)

        return from_store

    for part in READING:
        monkeypatch.setattr(type(part), "from_store", noting(part))
    service = opened(StepByStep)
    assert asked == [part.name for part in READING]
    service.prepare()
    open_office(service)
    service.wait_until_shown()
    assert offices(service) == [office_id("main")]
    assert [runner.name for runner in service.runners] == ["policies", "delivery"]


# --- what follows from the list --------------------------------------------------------------------------------


def test_a_part_of_the_list_runs_in_the_one_process(opened: Open, beep: Beep):
    opened(Standalone).start()
    assert beep.runs.wait(HANG)


def test_a_part_of_the_list_is_a_command_with_its_sentence(beep: Beep):
    app = typer.Typer()
    roles.add_to(app)
    assert [each.name for each in app.registered_commands] == [part.name for part in parts.PARTS]
    for part in parts.PARTS:
        said = CliRunner().invoke(app, [part.name, "--help"])
        assert said.exit_code == 0
        assert part.does in re.sub(r"\s+", " ", said.stdout)


def test_a_part_of_the_list_has_a_process_in_the_local_cluster(beep: Beep, tmp_path: Path):
    cluster = LocalCluster(tmp_path, count={"react": 2})
    assert [each.name for each in cluster.members] == [
        f"{part.name}-{number}"
        for part in parts.PARTS
        if part is not parts.RECEIVE  # no mailbox is set up
        for number in range(1, 3 if part.name == "react" else 2)
    ]
    (tmp_path / "new").mkdir()
    (tmp_path / "cur").mkdir()
    with_mail = LocalCluster(tmp_path, env={"ARREARS_INBOUND_MAILDIR": str(tmp_path)})
    assert "receive-1" in [each.name for each in with_mail.members]


@pytest.mark.parametrize("part", parts.PARTS, ids=lambda part: part.name)
def test_a_part_says_what_it_is_in_the_documentation(part: Part):
    rows = (DOCS / "cluster.md").read_text(encoding="utf-8").splitlines()
    arguments = " [NAME]…" if part is parts.PROJECT else ""
    assert f"| `arrears {part.name}{arguments}` | {part.does} | {part.how_many} |" in rows


def test_the_documentation_has_no_other_part():
    rows = (DOCS / "cluster.md").read_text(encoding="utf-8").splitlines()
    assert len([row for row in rows if row.startswith("| `arrears ")]) == len(parts.PARTS)


# --- alone ----------------------------------------------------------------------------------------------------


@pytest.fixture
def topics(kafka: TestKafka, env: dict[str, str]) -> None:
    env |= {
        **kafka.env,
        "ARREARS_EVENTS_TOPIC": kafka.topic(partitions=2),
        "ARREARS_TICKS_TOPIC": kafka.topic(partitions=2),
    }


@pytest.mark.kafka
@pytest.mark.parametrize("part", WORKERS, ids=lambda part: part.name)
def test_each_part_can_be_made_alone_and_ends(opened: Open, topics: None, part: Worker):
    stop = threading.Event()
    run = part.alone(opened(Core), stop)
    stop.set()
    run(stop)

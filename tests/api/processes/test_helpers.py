"""Helpers of `arrears serve`: they do work of it, end with it, and are started again where they end by themselves."""

import os
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE
from typing import Any
from uuid import uuid4

import psutil
import pytest
from prometheus_client.samples import Sample

from adapters.inbound.setup import InboundMisconfigured
from adapters.postgres.database import Database
from adapters.stop import Stopped
from adapters.telemetry import metrics
from adapters.telemetry.metrics import exposition, registry_of
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued
from aggregates.office import ChangeOfficeSettings, OpenOffice, office_id
from aggregates.values.aging import BucketScheme
from api.processes import helper, parts
from api.processes.helper import HelperFailed, HelperProcess
from api.processes.parts.part import Helper
from api.processes.standalone import Standalone, helpers_of_this_machine
from api.processes.step_by_step import StepByStep
from tests.api.cli.running import serving
from tests.waiting import HANG, wait_until

MODULE = "api.processes.helper_process"

Open = Callable[..., Standalone]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"ARREARS_MASTER_KEY": b64encode(bytes(32)).decode(), "ARREARS_OUTBOX": str(tmp_path / "outbox")}


@pytest.fixture
def opened(database: Database, env: dict[str, str]) -> Iterator[Open]:
    """Opens a service of the test's database, and starts it with these helpers."""
    with ExitStack() as stack:

        def new(*of: Helper, **more: str) -> Standalone:
            service = Standalone(Database(database.dsn), data_dir=None, env=env | more)
            stack.callback(service.close)
            made = [HelperProcess(each) for each in of]
            for each in made:
                stack.callback(each.end)
            service.start(made)
            return service

        yield new


def helpers(of: int | None = None) -> list[psutil.Process]:
    """The helper processes that a process has started, in the order of their names in the list of helpers."""
    return [each for each in psutil.Process(of).children() if is_helper(each)]


def is_helper(process: psutil.Process) -> bool:
    try:
        return MODULE in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def do(service: Standalone, command: Command) -> None:
    (outcome,) = service.arrears.handle([Issued(command=command, command_id=uuid4(), actor=Actor.person("ann"))])
    assert isinstance(outcome, Accepted)


def open_office(service: Standalone) -> None:
    do(service, OpenOffice(code="main", title="Main office"))


def offices(service: Any) -> set[str]:
    with service.database.connect("arrears_app") as connection:
        return {row[0] for row in connection.execute("SELECT code FROM read_model.offices").fetchall()}


def test_parts_run_in_the_helpers_that_they_name(opened: Open):
    before = {each.name for each in threading.enumerate()}
    service = opened(*Helper)
    here = {each.name for each in threading.enumerate()} - before
    assert here & ({part.name for part in parts.PARTS} | set(Helper)) == {"seal", "deciding", "projecting"}
    assert len(helpers()) == len(Helper)
    open_office(service)
    service.wait_until_shown(HANG)
    assert offices(service) == {"main"}
    service.close()
    assert not helpers()


def test_no_helpers_where_there_is_one_processor(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with helpers_of_this_machine() as made:
        assert not made
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with helpers_of_this_machine() as made:
        assert [each.helper for each in made] == list(Helper)
    assert not helpers()


def test_whoever_waits_for_what_he_wrote_is_told_by_the_helper(opened: Open, monkeypatch: pytest.MonkeyPatch):
    service = opened(*Helper)
    monkeypatch.setattr(service.projections.watermark, "_look", lambda name: -1)  # nobody looks it up
    open_office(service)
    service.wait_until_shown(HANG)


def test_a_helper_that_is_killed_is_started_again_and_goes_on(opened: Open):
    service = opened(*Helper)
    first = helpers()
    for each in first:
        each.kill()
    open_office(service)
    service.wait_until_shown(HANG)
    assert offices(service) == {"main"}
    wait_until(lambda: len(helpers()) == len(Helper), "both were started again")
    assert not {each.pid for each in first} & {each.pid for each in helpers()}


def test_a_helper_that_ends_by_itself_is_why_the_service_is_not_ready(opened: Open):
    service = opened(Helper.PROJECTING)
    assert service.restarts.problem() is None
    (process,) = helpers()
    process.kill()
    wait_until(service.restarts.problem, "it is noticed")
    assert service.restarts.problem() == "failed and started again, the log says why: projecting (HelperFailed)"


def test_a_part_that_fails_in_a_helper_is_heard_of_here(opened: Open):
    service, made = opened(), HelperProcess(Helper.DECIDING)
    made.begin(service)
    made.wait_until_begun()
    made._hear("failed", ["receive", "ValueError"])
    made.end()
    assert service.restarts.problem() == "failed and started again, the log says why: receive (ValueError)"


def test_a_helper_that_is_told_to_end_finishes_and_is_started_again(opened: Open):
    service = opened(Helper.PROJECTING)
    (first,) = helpers()
    first.terminate()
    assert first.wait(HANG) in {0, None}
    wait_until(lambda: len(helpers()) == 1 and helpers() != [first], "it was started again")
    open_office(service)
    service.wait_until_shown(HANG)


@pytest.mark.postgres
def test_helpers_do_not_outlive_a_service_that_is_killed(tmp_path: Path):
    with StepByStep.open(tmp_path / "data", env={}) as service:
        service.prepare()
    with serving(tmp_path / "data", tmp_path / "log") as running:
        started = helpers(running.process.pid)
        assert len(started) == len(Helper)
        running.process.kill()
        _, alive = psutil.wait_procs(started, timeout=HANG)
        assert not alive


def test_what_a_part_in_a_helper_cannot_work_by_ends_the_start(opened: Open):
    with pytest.raises(InboundMisconfigured, match="ARREARS_INBOUND_IMAP_URL"):
        opened(*Helper, ARREARS_INBOUND_IMAP_URL="ftp://example.com")
    wait_until(lambda: not helpers(), "none was left behind")


def test_a_helper_that_ends_before_it_begins(opened: Open, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(helper, "_MODULE", "api.processes.nowhere")
    with pytest.raises(HelperFailed, match="the process for projecting ended with code 1"):
        opened(Helper.PROJECTING)


def test_an_error_that_is_none_of_ours_is_said_with_its_name():
    made = HelperProcess(Helper.DECIDING)
    made._hear("refused", ["builtins", "ValueError", "a bad day"])
    with pytest.raises(HelperFailed, match="the process for deciding did not start: ValueError: a bad day"):
        made.wait_until_begun()
    made.end()


def test_what_a_helper_was_refused_by_before_is_over_once_it_begins(opened: Open):
    service, made = opened(), HelperProcess(Helper.PROJECTING)
    made._hear("refused", ["builtins", "ValueError", "a bad day"])
    made.begin(service)
    try:
        made.wait_until_begun()
    finally:
        made.end()


def test_a_helper_that_is_not_there_yet_is_not_waited_for_by_a_service_that_ends(
    opened: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(helper, "_started", lambda: subprocess.Popen(["sleep", "600"], stdin=PIPE, stdout=PIPE))
    service, made = opened(), HelperProcess(Helper.PROJECTING)
    made.begin(service)
    service.stop.set()
    with pytest.raises(Stopped):
        made.wait_until_begun()
    made.end()


def test_what_a_helper_stores_wakes_whoever_waits_for_it_here(opened: Open):
    service, stored = opened(Helper.DECIDING), list[None]()
    service.when_stored(lambda: stored.append(None))
    open_office(service)
    do(service, ChangeOfficeSettings(office_id=office_id("main"), scheme=BucketScheme.of([10, 20])))
    wait_until(lambda: len(stored) > 2, "work, which a policy begins for the new buckets, was stored by the helper")


def samples(name: str) -> dict[tuple[str, ...], float]:
    found: list[Sample] = [each for metric in registry_of().collect() for each in metric.samples if each.name == name]
    return {tuple(each.labels.values()): each.value for each in found}


def test_what_helpers_count_is_shown_with_what_is_counted_here(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metrics, "_OF_HELPERS", {})
    metrics.count_events("ledger@1", 3)
    here = samples("arrears_reader_events_total")[("ledger",)]
    handled = samples("arrears_handle_seconds_count")[()]
    began = samples("arrears_handle_seconds_created")[()]
    metrics.heard(
        "projecting",
        [
            ["arrears_reader_events", "arrears_reader_events_total", {"reader": "ledger"}, 4.0],
            ["arrears_reader_events", "arrears_reader_events_total", {"reader": "of a helper alone"}, 5.0],
            ["arrears_handle_seconds", "arrears_handle_seconds_count", {}, 2.0],
            ["arrears_handle_seconds", "arrears_handle_seconds_created", {}, began - 1.0],
        ],
    )
    metrics.heard("deciding", [["arrears_handle_seconds", "arrears_handle_seconds_created", {}, began + 1.0]])
    assert samples("arrears_reader_events_total")[("ledger",)] == here + 4
    assert samples("arrears_reader_events_total")[("of a helper alone",)] == 5
    assert samples("arrears_handle_seconds_count")[()] == handled + 2
    assert samples("arrears_handle_seconds_created")[()] == began - 1
    _, text = exposition(registry_of(), None)
    assert b'arrears_reader_events_total{reader="of a helper alone"} 5.0' in text


def test_a_service_shows_what_its_helpers_count(opened: Open, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metrics, "_OF_HELPERS", {})
    service = opened(Helper.PROJECTING)
    open_office(service)
    service.wait_until_shown(HANG)
    wait_until(lambda: samples("arrears_reader_events_total").get(("fees",), 0) >= 1, "the helper said it")

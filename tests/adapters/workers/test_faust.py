"""Faust workers on a real Kafka: partitions come and go, and nothing is lost or done twice by it."""

import asyncio
import threading
from contextlib import ExitStack
from pathlib import Path

import faust
import pytest

from adapters.kafka.connection import group_of
from adapters.kafka.identity import TopicUnfit
from adapters.readers.poison import OutOfReach
from adapters.workers import app as app_module
from adapters.workers import policies as policies_module
from adapters.workers.app import WorkerEnded, make_app
from adapters.workers.clock import ClockWork
from projections.agenda.partition import partition_of
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.workers.conftest import NewPlant, Notes, Plant, account
from tests.waiting import HANG, wait_until

EVERYBODY = range(1, 25)


def test_an_app_keeps_to_what_faust_is_good_at():
    app = make_app({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092,127.0.0.1:9093", "ARREARS_WORKER_ID": "react-0"})
    conf = app.conf
    assert [str(each) for each in conf.broker] == ["kafka://127.0.0.1:9092", "kafka://127.0.0.1:9093"]
    assert str(conf.processing_guarantee.value) == "at_least_once"
    assert (conf.topic_disable_leader, conf.topic_allow_declare, conf.web_enabled) == (True, False, False)
    assert conf.consumer_group_instance_id == "react-0"


def test_an_app_that_starts_makes_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asyncio.run(make_app({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092"}).on_first_start())
    assert list(tmp_path.iterdir()) == []


def test_two_workers_share_the_partitions_and_one_takes_over_from_the_other(new_plant: NewPlant):
    plant = new_plant(partitions=12)
    plant.open_accounts(*EVERYBODY)
    plant.bill(*[(number, "1") for number in EVERYBODY])
    with ExitStack() as both:
        first = both.enter_context(plant.faust())
        wait_until(lambda: len(plant.notes) == 24, "the first does everything")
        with plant.faust() as second:
            wait_until(lambda: second.owned, "the second has partitions")
            plant.bill(*[(number, "2") for number in EVERYBODY])
            wait_until(lambda: len(plant.notes) == 48, "both do everything")
        plant.bill(*[(number, "3") for number in EVERYBODY])
        wait_until(lambda: len(plant.notes) == 72, "the first does everything again")
        wait_until(lambda: first.owned == set(range(12)), "the first has all partitions")
    assert plant.notes == [text for _ in EVERYBODY for text in ("1", "2", "3")]
    assert plant.parked == []


def test_a_worker_that_is_stopped_in_the_middle_of_a_batch_leaves_nothing_undone(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
):
    """Faust acknowledges what was under way; the next worker notices that it is not done."""
    monkeypatch.setattr(policies_module, "_STUCK_SECONDS", 0.5)
    monkeypatch.setattr(Notes, "fails_with", OutOfReach("the broker sleeps"))
    monkeypatch.setattr(Notes, "fails_on", "5")
    plant.open_accounts(*EVERYBODY)
    with plant.faust():
        plant.bill(*[(number, str(number)) for number in EVERYBODY])
        wait_until(lambda: plant.trouble == "OutOfReach: the broker sleeps", "it is in the middle of it")
    assert len(plant.notes) < 24
    monkeypatch.setattr(Notes, "fails_on", None)
    with plant.faust():
        wait_until(lambda: len(plant.notes) == 24, "the rest is done")
        wait_until(lambda: plant.checkpoint == plant.publish() - 24 or plant.checkpoint > 49, "all is confirmed")
    assert sorted(plant.notes, key=int) == [str(number) for number in EVERYBODY]
    assert plant.parked == []


def test_a_worker_whose_topic_is_made_anew_starts_again_and_goes_on(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app_module, "_LISTEN_SECONDS", 0.2)
    monkeypatch.setattr(policies_module, "_STUCK_SECONDS", 0.5)
    plant.open_accounts(*EVERYBODY)
    plant.bill(*[(number, "1") for number in EVERYBODY])
    kafka = TestKafka(plant.env["KAFKA_BOOTSTRAP_SERVERS"])
    with plant.faust() as running:
        wait_until(lambda: len(plant.notes) == 24, "everything is done")
        kafka.make_anew(plant.env["ARREARS_EVENTS_TOPIC"], partitions=plant.partitions)
        wait_until(lambda: "TopicReplaced" in (plant.trouble or ""), "the trouble is shown")
        plant.bill(*[(number, "2") for number in EVERYBODY])
        wait_until(lambda: len(plant.notes) == 48, "it goes on in the new topic")
        wait_until(lambda: plant.trouble is None, "the trouble is gone")
        assert running.ended_with is None
    assert plant.notes == [text for _ in EVERYBODY for text in ("1", "2")]


def test_a_worker_whose_topic_is_divided_otherwise_ends_and_says_so(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    """Ticks are for as many partitions as there were; the process starts again, and finds out whether they agree."""
    monkeypatch.setattr(app_module, "_LISTEN_SECONDS", 0.2)
    plant.open_accounts(*EVERYBODY)
    worker = plant.policies()
    assert worker.begin()
    TestKafka(plant.env["KAFKA_BOOTSTRAP_SERVERS"]).make_anew(plant.env["ARREARS_EVENTS_TOPIC"], partitions=5)
    worker.look()
    plant.publish()
    with pytest.raises(TopicUnfit, match="5 partitions, and had 2"):
        worker.begin()


def test_a_worker_without_partitions_although_some_are_left_starts_again(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app_module, "_IDLE_SECONDS", 0.0)
    worker = plant.policies()
    idle = app_module._Idle(group_of("react", plant.env), plant.env)
    idle.look(worker, True)
    assert worker.must_leave is None
    idle.look(worker, False)
    assert "nobody has [0, 1]" in str(worker.must_leave)


def test_poison_and_what_is_out_of_reach_leave_no_agent(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Notes, "fails_on", "5")
    plant.open_accounts(*EVERYBODY)
    with plant.faust():
        plant.bill(*[(number, str(number)) for number in EVERYBODY])
        wait_until(lambda: len(plant.notes) == 23, "the others are done")
        assert [each.sequence_id for each in plant.parked] == [account(5)]
        monkeypatch.setattr(Notes, "fails_with", OutOfReach("the broker sleeps"))
        monkeypatch.setattr(Notes, "fails_on", "7b")
        plant.bill((7, "7b"), (8, "8b"))
        wait_until(lambda: plant.trouble, "it is said")
        monkeypatch.setattr(Notes, "fails_on", None)
        wait_until(lambda: len(plant.notes) == 25, "it is done")
        wait_until(lambda: plant.trouble is None, "the trouble is gone")
    assert [each.sequence_id for each in plant.parked] == [account(5)]


def test_a_tick_of_the_clock_is_worked_in_every_partition_once(plant: Plant):
    plant.open_accounts(*EVERYBODY)
    position = plant.bill(*[(number, str(number)) for number in EVERYBODY])
    clock = ClockWork(plant.database, plant.clock, env=plant.env)
    with plant.projecting("agenda"), plant.faust() as worker:
        plant.projections.wait_for(position, names=["agenda"], timeout=HANG)  # a tick is not waited with for long
        try:
            assert clock.tick()
            wait_until(lambda: sorted(worker.ticked) == [0, 1], "both partitions have worked it")
        finally:
            clock.close()
    assert {partition_of(account(number), 2) for number in EVERYBODY} == {0, 1}


def test_a_worker_ends_soon_after_it_was_told(plant: Plant):
    with plant.faust() as worker:
        plant.open_accounts(1)
        plant.bill((1, "1"))
        wait_until(lambda: plant.notes == ["1"], "it works")
        worker.stop.set()
    assert worker.ended_with is None


@pytest.mark.parametrize("hanging", ["start", "stop"])
def test_a_worker_ends_although_faust_does_not(plant: Plant, monkeypatch: pytest.MonkeyPatch, hanging: str):
    let_go, told, ended = threading.Event(), threading.Event(), threading.Event()
    real = getattr(faust.App, hanging)

    async def hangs(app: faust.App) -> None:
        told.set()
        while not let_go.is_set():  # noqa: ASYNC110  another thread lets go
            await asyncio.sleep(0.02)
        await real(app)

    def work() -> None:
        with plant.faust() as running:
            wait_until(lambda: told.is_set() or running.owned, "it is at work, or tries to be")
        ended.set()

    monkeypatch.setattr(app_module, "_LEAVE_SECONDS", 0.5)
    monkeypatch.setattr(faust.App, hanging, hangs)
    threading.Thread(target=work, daemon=True).start()
    try:
        assert ended.wait(HANG)
        assert told.is_set()
    finally:
        let_go.set()


def test_a_worker_gives_up_a_faust_that_does_not_start(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    async def hangs(app: faust.App) -> None:
        await asyncio.sleep(2 * HANG)

    monkeypatch.setattr(app_module, "_START_SECONDS", 0.3)
    monkeypatch.setattr(faust.App, "start", hangs)
    with pytest.raises(WorkerEnded, match="did not start"), plant.faust() as running:
        assert running.stop.wait(HANG)

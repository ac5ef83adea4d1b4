"""Policies over batches as Faust gives them: each event becomes its commands once, whatever it forgets or repeats."""

import threading
from contextlib import closing
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaProducer

from adapters.eventstore import application
from adapters.kafka.ends import Ends
from adapters.kafka.identity import TopicReplaced
from adapters.reactor import Reactor
from adapters.readers.poison import OutOfReach
from adapters.readers.runner import Runner
from adapters.workers import policies as policies_module
from aggregates.campaign import CampaignPlan, LaunchCampaign, Step, Template
from aggregates.kernel.command import Issued, Outcome
from aggregates.values.contact import Channel
from projections.agenda.partition import partition_of
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.readers.log import rows
from tests.adapters.workers.conftest import NOTES, OFFICE, Notes, Plant, account
from tests.waiting import wait_until

EVERYWHERE = frozenset({0, 1})


def of_partition(partition: int, count: int, partitions: int = 2) -> list[int]:
    """Numbers of accounts that have their events there."""
    found = (n for n in range(1, 1_000) if partition_of(account(n), partitions) == partition)
    return [next(found) for _ in range(count)]


LEFT, ALSO_LEFT = of_partition(0, 2)
(RIGHT,) = of_partition(1, 1)


@pytest.fixture
def billed(plant: Plant) -> Plant:
    """Three invoices on the left, one on the right."""
    plant.open_accounts(LEFT, ALSO_LEFT, RIGHT)
    plant.bill((LEFT, "1"), (RIGHT, "2"), (LEFT, "3"), (ALSO_LEFT, "4"))
    return plant


def test_events_become_commands_once(billed: Plant):
    worker = billed.policies()
    messages = billed.messages
    worker.take(messages[:5])
    worker.take(messages[5:])
    worker.take(messages)
    assert sorted(billed.notes) == ["1", "2", "3", "4"]
    wait_until(lambda: _confirmed(worker, billed), "all is confirmed")
    assert billed.checkpoint == 8


def test_a_worker_goes_on_where_the_one_before_it_stopped(billed: Plant, monkeypatch: pytest.MonkeyPatch):
    billed.policies().take(billed.messages)
    billed.workers[-1].close()
    seen: list[int | None] = []
    monkeypatch.setattr(Notes, "before", lambda recorded: seen.append(recorded.position))
    last = billed.bill((LEFT, "5"))
    billed.policies().take(billed.messages)
    assert seen == [last]


def test_of_two_workers_on_a_partition_each_event_has_its_effect_once(billed: Plant):
    first, second = billed.policies(), billed.policies()
    messages = billed.messages
    for start in range(0, len(messages), 2):
        first.take(messages[start : start + 2])
        second.take(messages[start : start + 2])
    assert sorted(billed.notes) == ["1", "2", "3", "4"]
    assert billed.trouble is None


# --- gaps --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [1, 3, 5])
def test_what_faust_did_not_bring_is_fetched(billed: Plant, missing: int, monkeypatch: pytest.MonkeyPatch):
    """It acknowledged a batch that was under way when it was stopped."""
    monkeypatch.setattr(policies_module, "_STUCK_SECONDS", 0.2)
    worker = billed.policies()
    by_partition = [[each for each in billed.messages if each.partition == which] for which in (0, 1)]
    for messages in by_partition:
        worker.take(messages[missing:])
    wait_until(lambda: _confirmed(worker, billed), "what is left is fetched")
    assert sorted(billed.notes) == ["1", "2", "3", "4"]


def _confirmed(worker: Any, plant: Plant) -> bool:
    worker.confirm(EVERYWHERE)
    (published,) = rows(plant.database, "SELECT position FROM read_model.checkpoints WHERE reader LIKE 'publisher%%'")[
        0
    ]
    return [place.position for place in worker._seat.places.values()] == [published] * plant.partitions


def _confirmed_all(worker: Any, plant: Plant) -> bool:
    worker.confirm(EVERYWHERE)
    return len(plant.notes) == 4


def test_a_gap_in_the_middle_of_a_batch_is_fetched(billed: Plant):
    messages = [each for each in billed.messages if each.partition == 0]
    billed.policies().take([*messages[:2], *messages[-1:]])
    assert sorted(billed.notes) == ["1", "3", "4"]


def test_messages_that_come_in_another_order_after_a_rebalance_are_put_in_order(billed: Plant):
    messages = [each for each in billed.messages if each.partition == 0]
    billed.policies().take([*messages[2:], *messages])
    assert sorted(billed.notes) == ["1", "3", "4"]
    assert rows(billed.database, "SELECT next_offset FROM read_model.partitions WHERE partition = 0") == [
        (len(messages),)
    ]


def test_what_comes_late_and_was_not_brought_is_fetched_too(billed: Plant, monkeypatch: pytest.MonkeyPatch):
    """Its position is below what was handled, so only the topic can say that it came."""
    topic = billed.env["ARREARS_EVENTS_TOPIC"]
    worker = billed.policies()
    messages = billed.messages
    late = next(each for each in messages if each.partition == 0 and b"invoice-billed" in dict(each.headers)["ce_type"])
    with _producing(billed) as producer:
        # as the publisher sends it when an account that was held back goes on
        producer.send(topic, key=late.key, value=late.value, headers=[*late.headers, ("ce_late", b"true")], partition=0)
        producer.flush()
    seen: list[int | None] = []
    monkeypatch.setattr(Notes, "before", lambda recorded: seen.append(recorded.position))
    worker.take(messages)
    seen.clear()
    billed.bill((LEFT, "5"))
    worker.take([each for each in billed.messages if each.partition == 0][-1:])
    assert int(dict(late.headers)["ce_position"]) in seen
    assert sorted(billed.notes) == ["1", "2", "3", "4", "5"]


def _producing(plant: Plant) -> Any:
    return closing(KafkaProducer(bootstrap_servers=plant.env["KAFKA_BOOTSTRAP_SERVERS"], acks="all"))


def test_what_is_there_and_never_comes_is_fetched_and_what_is_under_way_is_not_passed_over(
    billed: Plant, monkeypatch: pytest.MonkeyPatch
):
    """The publisher has sent a round whose checkpoint is not stored yet."""
    monkeypatch.setattr(policies_module, "_STUCK_SECONDS", 0.0)
    monkeypatch.setattr(policies_module, "_BUSY_SECONDS", 0.0)
    monkeypatch.setattr(Ends, "published", lambda _: 5)
    worker = billed.policies()
    wait_until(lambda: _confirmed_all(worker, billed), "all is fetched")
    worker.take(billed.messages)
    assert sorted(billed.notes) == ["1", "2", "3", "4"]


def test_what_the_topic_has_no_more_is_taken_from_the_store(billed: Plant):
    worker = billed.policies()
    worker._enter(EVERYWHERE)
    messages = [each for each in billed.messages if each.partition == 0]
    delete_before(billed, {0: messages[-1].offset})
    worker.take(messages[-1:])
    assert sorted(billed.notes) == ["1", "3", "4"]


@pytest.mark.parametrize("kept", [0, 1], ids=["all", "all but the last"])
def test_a_worker_that_begins_behind_what_was_deleted_takes_it_from_the_store(
    billed: Plant, kept: int, monkeypatch: pytest.MonkeyPatch
):
    messages = [each for each in billed.messages if each.partition == 0]
    delete_before(billed, {0: len(messages) - kept})
    worker = billed.policies()
    monkeypatch.setattr(policies_module, "_STUCK_SECONDS", 0.2)
    wait_until(lambda: _confirmed(worker, billed), "nothing is left")
    assert sorted(billed.notes) == ["1", "2", "3", "4"]
    billed.bill((LEFT, "5"))
    worker.take([each for each in billed.messages if each.partition == 0][-1:])
    assert sorted(billed.notes) == ["1", "2", "3", "4", "5"]
    assert billed.trouble is None


def test_what_a_topic_brought_that_was_made_anew_since_is_dropped_and_the_worker_has_to_leave(billed: Plant):
    """Its offsets are those of the topic that there was."""
    worker = billed.policies()
    assert worker.begin()
    messages = billed.messages
    worker._enter(EVERYWHERE)
    TestKafka(billed.env["KAFKA_BOOTSTRAP_SERVERS"]).make_anew(billed.env["ARREARS_EVENTS_TOPIC"], partitions=2)
    worker.take(messages)
    assert isinstance(worker.must_leave, TopicReplaced)
    assert billed.notes == []
    assert "TopicReplaced" in (billed.trouble or "")
    billed.publish()
    assert worker.begin()
    worker.take(billed.messages)
    assert sorted(billed.notes) == ["1", "2", "3", "4"]
    assert billed.trouble is None


def delete_before(plant: Plant, offsets: dict[int, int]) -> None:
    TestKafka(plant.env["KAFKA_BOOTSTRAP_SERVERS"]).delete_before(plant.env["ARREARS_EVENTS_TOPIC"], offsets)


# --- failures ----------------------------------------------------------------------------------------


def test_poison_parks_its_account_and_nobody_else(billed: Plant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Notes, "fails_on", "1")
    worker = billed.policies()
    worker.take(billed.messages)
    assert sorted(billed.notes) == ["2", "4"]
    assert [each.error_text for each in billed.parked] == ["too odd", None]
    monkeypatch.setattr(Notes, "fails_on", None)
    runner = Runner(billed.database, billed.arrears.feed, Reactor(billed.arrears, [NOTES]))
    assert runner.retry(account(LEFT)).handled == 2
    billed.bill((LEFT, "5"))
    worker.take(billed.messages)
    assert sorted(billed.notes) == ["1", "2", "3", "4", "5"]


def test_what_is_out_of_reach_is_tried_again_and_said_and_nothing_is_skipped(
    billed: Plant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Notes, "fails_on", "3")
    monkeypatch.setattr(Notes, "fails_with", OutOfReach("the broker sleeps"))
    worker = billed.policies()
    thread = threading.Thread(target=worker.take, args=[billed.messages])
    thread.start()
    try:
        wait_until(lambda: billed.trouble == "OutOfReach: the broker sleeps", "the trouble is shown")
        assert billed.parked == []
    finally:
        monkeypatch.setattr(Notes, "fails_on", None)
        thread.join()
    assert sorted(billed.notes) == ["1", "2", "3", "4"]
    assert billed.trouble is None


def test_a_worker_that_is_told_to_stop_gives_up_and_the_next_one_misses_nothing(
    billed: Plant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Notes, "fails_on", "3")
    monkeypatch.setattr(Notes, "fails_with", OutOfReach("the broker sleeps"))
    stop = threading.Event()
    worker = billed.policies(stop)
    messages = billed.messages
    thread = threading.Thread(target=worker.take, args=[messages])
    thread.start()
    wait_until(lambda: billed.trouble, "it tries")
    stop.set()
    thread.join()
    worker.close()
    monkeypatch.setattr(Notes, "fails_on", None)
    billed.bill((LEFT, "5"), (RIGHT, "6"))
    billed.policies().take(billed.messages[len(messages) :] or billed.messages[-1:])
    after = billed.policies()
    after.take([each for each in billed.messages if each.offset >= 4])
    assert sorted(billed.notes) == ["1", "2", "3", "4", "5", "6"]


def test_trouble_in_looking_at_the_topic_goes_away_by_itself(billed: Plant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(policies_module, "_BUSY_SECONDS", 0.0)
    worker = billed.policies()
    worker.take(billed.messages)
    with monkeypatch.context() as patch:
        patch.setattr(Ends, "published", _unreachable)
        worker.confirm(EVERYWHERE)
    assert billed.trouble == "OutOfReach: no broker"
    worker.confirm(EVERYWHERE)
    assert billed.trouble is None


def _unreachable(_: object) -> int:
    raise OutOfReach("no broker")


# --- everybody ---------------------------------------------------------------------------------------


def test_a_wish_for_everybody_becomes_work_and_holds_up_nobody(billed: Plant):
    step = Step(id="one", title="One", days=1, channel=Channel.EMAIL, templates={"en": Template(body="…")})
    launched = billed.do(LaunchCampaign(office_id=OFFICE, title="All", plan=CampaignPlan(steps=(step,))))
    billed.bill((LEFT, "5"))
    billed.policies().take(billed.messages)
    assert sorted(billed.notes) == ["1", "2", "3", "4", "5"]
    begun = rows(billed.database, "SELECT command, cause_position, done, is_open FROM arrears.work")
    assert begun == [("age-account", launched - 1, 0, True)]  # the last event is the office's


# --- the fault, seeded -------------------------------------------------------------------------------


def forget_places(plant: Plant) -> None:
    rows(plant.database, "DELETE FROM read_model.checkpoints WHERE reader = 'policies' RETURNING reader")


def test_without_the_check_of_command_ids_a_repeat_would_have_its_effect_twice(
    billed: Plant, monkeypatch: pytest.MonkeyPatch
):
    messages = billed.messages
    billed.policies().take(messages)
    forget_places(billed)
    real = application.Arrears.handle

    def forgetful(self: Any, commands: list[Issued]) -> list[Outcome]:
        return real(self, [replace(each, command_id=uuid4()) for each in commands])

    billed.workers[-1].close()
    repeat = billed.policies()
    repeat.take(messages)
    assert sorted(billed.notes) == ["1", "2", "3", "4"]
    repeat.close()
    forget_places(billed)
    monkeypatch.setattr(application.Arrears, "handle", forgetful)
    billed.policies().take(messages)
    assert len(billed.notes) == 8  # with the guarantee in place: 4

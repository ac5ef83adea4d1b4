"""Whatever others write to our topics: every role goes on, says what it passed over, and does what the log says."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from adapters.kafka.subscriber import Subscriber
from adapters.workers.clock import ClockWork
from aggregates.kernel.command import identifier
from api.processes.publishing import check_same_log
from tests.adapters.kafka.defaced import Message, broken, deface, forged_payment
from tests.adapters.readers.log import rows
from tests.adapters.workers.conftest import Plant, Running, account
from tests.waiting import wait_until

EVERYBODY = range(1, 5)
TABLES = ("agenda", "collections_report")


@contextmanager
def working(plant: Plant) -> Iterator[Running]:
    """Projections and workers, which end with it."""
    with plant.projecting(*TABLES), plant.faust() as worker:
        yield worker


def deface_events(plant: Plant) -> int:
    genuine = next(each for each in plant.messages if dict(each.headers).get("ce_accountid"))
    messages = list(broken(genuine, plant.arrears.feed.head()))
    return deface(plant.env["KAFKA_BOOTSTRAP_SERVERS"], plant.env["ARREARS_EVENTS_TOPIC"], plant.partitions, messages)


def is_shown(plant: Plant, head: int) -> bool:
    return {each.checkpoint for each in plant.projections.status()} == {head}


def test_every_role_goes_on_behind_broken_and_forged_messages_and_after_a_restart(plant: Plant):
    plant.open_accounts(*EVERYBODY)
    plant.bill((1, "before"))
    deface_events(plant)
    with working(plant):
        head = plant.bill((1, "between"), (2, "between"))
        wait_until(lambda: plant.notes.count("between") == 2, "policies have reacted")
        wait_until(lambda: is_shown(plant, plant.publish()), "tables show it")
        kinds = _passed_over(plant)
        assert kinds > 50
        deface_events(plant)
        wait_until(lambda: _passed_over(plant) == 2 * kinds, "all was put aside while it runs")
        wait_until(lambda: is_shown(plant, plant.publish()), "tables show all")
    deface_events(plant)  # the last thing before the next process: what is before its place is none of ours
    with working(plant):
        plant.bill((3, "after"), (4, "after"))
        wait_until(lambda: plant.notes.count("after") == 2, "policies have reacted after a restart")
        wait_until(lambda: is_shown(plant, plant.publish()), "tables show it after a restart")
    assert head > 0
    assert sorted(plant.notes) == ["after", "after", "before", "between", "between"]
    assert plant.trouble is None
    assert plant.parked == []
    amounts = rows(plant.database, "SELECT account_id, outstanding FROM read_model.collections_report")
    assert dict(amounts) == {account(1): 20_000, **{account(n): 10_000 for n in (2, 3, 4)}}


def _passed_over(plant: Plant) -> int:
    return int(rows(plant.database, "SELECT count(*) FROM read_model.quarantined_messages")[0][0])


def test_the_publisher_starts_beside_a_forged_position_and_goes_on_from_its_own(plant: Plant):
    head = plant.open_accounts(*EVERYBODY)
    genuine = next(each for each in plant.messages if dict(each.headers).get("ce_accountid"))
    message = forged_payment(genuine, head + 60)
    deface(plant.env["KAFKA_BOOTSTRAP_SERVERS"], plant.env["ARREARS_EVENTS_TOPIC"], 2, [message])
    check_same_log(plant.database, plant.env)
    assert plant.bill((1, "real")) == head + 1
    assert [
        at
        for (at,) in rows(plant.database, "SELECT position FROM read_model.checkpoints WHERE reader LIKE 'publisher%%'")
    ] == [head + 1]


def test_a_tick_is_worked_behind_messages_that_are_none(plant: Plant):
    plant.open_accounts(*EVERYBODY)
    plant.publish()
    servers, topic = plant.env["KAFKA_BOOTSTRAP_SERVERS"], plant.env["ARREARS_TICKS_TOPIC"]
    clockwork = ClockWork(plant.database, plant.clock, env=plant.env)
    beyond = b'{"now": "2026-03-02T09:00:00+00:00", "position": 9000000}'
    odd: list[Message] = [(None, None, []), (b"k", b"\xff", [("x", None)]), (None, b"{}", []), (None, beyond, [])]
    with working(plant) as worker:
        deface(servers, topic, plant.partitions, odd)
        assert clockwork.tick()
        deface(servers, topic, plant.partitions, odd)
        wait_until(lambda: set(worker.ticked) == {0, 1}, "ticks are worked")
        deface(servers, topic, plant.partitions, odd)
        worker.ticked.clear()
        assert clockwork.tick()
        wait_until(lambda: set(worker.ticked) == {0, 1}, "ticks go on")
    clockwork.close()
    found = rows(plant.database, "SELECT DISTINCT topic, reader FROM read_model.quarantined_messages")
    assert found == [(topic, "ticks")]


@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_subscriber_passes_over_what_is_no_event_and_what_its_check_refuses(plant: Plant, one_by_one: bool):
    plant.open_accounts(*EVERYBODY)
    plant.bill((1, "before"))
    deface_events(plant)
    head = plant.bill((1, "after"))
    known = {each.position: each.event_id for each in plant.arrears.feed.read(0, head)}
    seen: set[int] = set()
    group = str(identifier("group", plant.env["ARREARS_EVENTS_TOPIC"]))
    with Subscriber(group, env=plant.env, check=lambda event: known.get(event.position) == event.event_id) as events:
        source = ([each] for each in events) if one_by_one else events.batches()
        for batch in source:
            for each in batch:
                assert each.event.event_name == each.name
                seen.add(each.position)
            if len(seen) == head:
                break
    assert seen == set(range(1, head + 1))

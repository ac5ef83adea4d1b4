"""The queue of deliveries: an office's turns over all processes, and who has which message."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from adapters.delivery import queue
from adapters.delivery.queue import Back, Begun, Delivery, Queued
from adapters.postgres.database import Database
from tests.waiting import wait_until

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SLOW, QUICK = uuid4(), uuid4()


class Process:
    """One that delivers, with a connection of its own."""

    def __init__(self, connection: Connection[Any]) -> None:
        self.owner, self.connection = uuid4(), connection
        queue.appear(connection, self.owner)

    def take(self, now: datetime, *, most: int = 250, channels: tuple[str, ...] = ("sms", "email")) -> list[Delivery]:
        return list(queue.take(self.connection, self.owner, channels, most=most, now=now).deliveries)

    def finish(self, taken: list[Delivery]) -> None:
        queue.finish(self.connection, [each.message_id for each in taken])


@pytest.fixture
def processes(database: Database) -> Iterator[list[Process]]:
    with ExitStack() as stack:
        connections = [stack.enter_context(database.connect("arrears_app", autocommit=True)) for _ in range(3)]
        queue.set_paces(connections[0], {SLOW: 300, QUICK: 100_000})
        yield [Process(each) for each in connections]


def a_message(office: UUID, position: int, *, channel: str = "sms", is_paced: bool = True) -> Queued:
    return Queued(uuid4(), uuid4(), office, channel, position, uuid4(), None, None, NOON, is_paced)


def fill(process: Process, office: UUID, count: int) -> list[UUID]:
    rows = [a_message(office, position) for position in range(count)]
    queue.add(process.connection, rows)
    return [each.message_id for each in rows]


def test_three_processes_together_keep_to_an_offices_messages_a_minute_for_ten_minutes(processes: list[Process]):
    """Each looks now and then, and one of them stands still for a while."""
    messages = fill(processes[0], SLOW, 4_000)
    left: list[tuple[datetime, UUID]] = []
    for step, process in zip(range(1_200), cycle(processes), strict=False):
        now = NOON + step * timedelta(milliseconds=500)
        if process is processes[2] and 200 < step < 600:
            continue
        taken = process.take(now)
        left += [(now, each.message_id) for each in taken]
        process.finish(taken)
    minutes = Counter((at - NOON) // MINUTE for at, _ in left)
    assert sorted(minutes) == list(range(10))
    assert all(abs(count - 300) <= 6 for count in minutes.values()), minutes
    assert abs(len(left) - 3_000) <= 60
    assert [each for _, each in left] == messages[: len(left)]


def test_turns_that_nobody_took_are_lost(processes: list[Process]):
    fill(processes[0], SLOW, 500)
    assert len(processes[0].take(NOON)) <= 6
    after = NOON + 10 * MINUTE
    assert len(processes[0].take(after)) == 6
    assert processes[1].take(after) == []
    assert len(processes[1].take(after + timedelta(seconds=0.2))) == 1


def test_an_office_that_waits_for_its_turn_holds_up_no_other_office_and_a_message_that_takes_none_leaves(
    processes: list[Process],
):
    fill(processes[0], SLOW, 100)
    processes[0].take(NOON)
    quick = fill(processes[0], QUICK, 30)
    urgent = a_message(SLOW, 500, is_paced=False)
    queue.add(processes[0].connection, [urgent])
    taken = queue.take(processes[1].connection, processes[1].owner, ["sms"], most=250, now=NOON)
    assert {each.message_id for each in taken.deliveries} == {*quick, urgent.message_id}
    assert taken.next_turn_at == NOON + timedelta(seconds=0.2)


def test_offices_share_what_is_taken_at_a_time(processes: list[Process]):
    others = [uuid4() for _ in range(4)]
    queue.set_paces(processes[0].connection, dict.fromkeys(others, 100_000))
    for office in others:
        fill(processes[0], office, 100)
    assert Counter(each.office_id for each in processes[0].take(NOON, most=40)) == dict.fromkeys(others, 10)


def test_what_another_channels_sender_has_to_send_is_left_to_it(processes: list[Process]):
    queue.add(processes[0].connection, [a_message(QUICK, 1, channel="email"), a_message(QUICK, 2)])
    assert [each.channel for each in processes[0].take(NOON, channels=("sms",))] == ["sms"]


def test_a_change_of_an_offices_pace_holds_from_the_next_turn_on(processes: list[Process]):
    fill(processes[0], SLOW, 100)
    processes[0].take(NOON)
    queue.set_paces(processes[0].connection, {SLOW: 60})
    later = NOON + timedelta(seconds=10)
    assert len(processes[0].take(later)) == 2


# --- owners ------------------------------------------------------------------------------------------


def test_a_message_is_in_the_hands_of_one_until_that_one_is_gone(processes: list[Process]):
    first, second, _ = processes
    [message] = fill(first, QUICK, 1)
    assert [each.message_id for each in first.take(NOON)] == [message]
    assert second.take(NOON) == []
    first.connection.close()
    found: list[queue.Delivery] = []

    def is_free() -> bool:
        found.extend(second.take(NOON))
        return bool(found)

    wait_until(is_free, "the server notices that the first is gone")
    [again] = found
    assert (again.message_id, again.takes, again.begun_at) == (message, 2, None)


def test_one_that_is_frozen_is_not_waited_for_and_does_not_begin_what_another_has(processes: list[Process]):
    first, second, _ = processes
    [message] = fill(first, QUICK, 1)
    first.take(NOON)
    late = NOON + queue.HOLDS
    assert len(second.take(late)) == 1
    begun = Begun(message, b"letter", late, late + MINUTE)
    assert not queue.begin(first.connection, first.owner, begun)
    assert queue.begin(second.connection, second.owner, begun)
    assert not queue.begin(second.connection, second.owner, begun), "once begun it is not begun again"


def test_what_was_begun_is_waited_for_until_its_claim_ends(processes: list[Process]):
    first, second, _ = processes
    [message] = fill(first, QUICK, 1)
    first.take(NOON)
    queue.begin(first.connection, first.owner, Begun(message, b"letter", NOON, NOON + 3 * MINUTE))
    assert second.take(NOON + 2 * MINUTE) == []
    [found] = second.take(NOON + 3 * MINUTE)
    assert (found.begun_at, found.letter, found.taken_at) == (NOON, b"letter", None)


def test_what_was_put_back_is_due_later_to_whoever_comes_and_nobody_began_it(processes: list[Process]):
    first, second, _ = processes
    [message] = fill(first, QUICK, 1)
    first.take(NOON)
    queue.begin(first.connection, first.owner, Begun(message, b"letter", NOON, NOON + MINUTE))
    queue.put_back(first.connection, first.owner, [Back(message, NOON + MINUTE, 1, "busy")])
    assert second.take(NOON + MINUTE - timedelta(seconds=1)) == []
    [found] = second.take(NOON + MINUTE)
    assert (found.attempts, found.begun_at, found.letter) == (1, None, None)


def test_a_message_is_in_the_queue_once(processes: list[Process]):
    message = a_message(QUICK, 1)
    queue.add(processes[0].connection, [message, replace(message, position=2)])
    queue.add(processes[0].connection, [message])
    assert len(processes[0].take(NOON)) == 1

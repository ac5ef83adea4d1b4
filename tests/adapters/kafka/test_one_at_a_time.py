"""What a reader does outside of the database happens in one process at a time, whoever believes to have a partition."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from adapters.kafka.seats import Seat
from adapters.postgres import transactions
from adapters.postgres.database import Database
from adapters.readers import partitions
from adapters.readers.partitions import PartitionMoved, Place
from aggregates.kernel.event import Recorded
from tests.adapters.kafka.written import Paper, accounts_in
from tests.adapters.readers.any_reader import AnyReader
from tests.adapters.readers.counter import Counted, account
from tests.adapters.readers.log import Log, rows
from tests.waiting import HANG

(ANN,) = accounts_in(0, 1, make=account)


class Sender(AnyReader):
    """Sends what it finds unsent, as one does who looks first and notes it afterwards; the first one is slow."""

    name = "sender"

    def __init__(self, sent: list[int | None], noted: set[int | None]) -> None:
        self.sent, self.noted = sent, noted
        self.looked = threading.Event()
        self.go_on = threading.Event()

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        unsent = [each.position for each in batch if each.position not in self.noted]
        self.looked.set()
        self.go_on.wait(HANG)
        self.sent += unsent
        self.noted.update(unsent)


@pytest.fixture
def paper(database: Database) -> Iterator[Paper]:
    paper = Paper(database)
    yield paper
    paper.close()


def sent_by_two(database: Database, paper: Paper, *, patience: float = 0.5) -> list[int | None]:
    """What two send who believe to have the same partition, while the first is in the middle of it.

    The second is given so many seconds to get there too. What one of them wrote is refused.
    """
    sent: list[int | None] = []
    noted: set[int | None] = set()
    slow, quick = Sender(sent, noted), Sender(sent, noted)
    quick.go_on.set()
    seats = Seat(database, slow), Seat(database, quick)
    for seat in seats:
        seat.enter([0], from_the_beginning)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(seats[0].take, paper.given(), 2)
        assert slow.looked.wait(HANG)
        second = threads.submit(seats[1].take, paper.given(), 2)
        quick.looked.wait(patience)
        slow.go_on.set()
        refused = [isinstance(each.exception(HANG), PartitionMoved) for each in (first, second)]
        assert sorted(refused) == [False, True]
    for seat in seats:
        seat.release()
    return sent


def from_the_beginning(places: Mapping[int, Place]) -> dict[int, int]:
    return {each: max(place.next_offset, 0) for each, place in places.items()}


def test_the_second_waits_until_the_first_has_noted_what_it_did(log: Log, paper: Paper, database: Database):
    log.append(ANN, Counted())
    paper.publish()
    assert sent_by_two(database, paper) == [1]


def test_the_turn_of_a_process_that_is_frozen_in_it_ends(
    log: Log, paper: Paper, database: Database, monkeypatch: pytest.MonkeyPatch
):
    """Kafka has given the partition to another one, and the kernel answers for the frozen one's connection."""
    monkeypatch.setattr(transactions, "IDLE_SECONDS", 0.5)
    log.append(ANN, Counted())
    paper.publish()
    frozen, other = Sender([], set()), Sender([], set())
    other.go_on.set()
    seats = Seat(database, frozen), Seat(database, other)
    for seat in seats:
        seat.enter([0], from_the_beginning)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(seats[0].take, paper.given(), 2)
        assert frozen.looked.wait(HANG)
        second = threads.submit(seats[1].take, paper.given(), 2)
        try:
            second.result(HANG)
        finally:
            frozen.go_on.set()
        assert isinstance(first.exception(HANG), psycopg.Error)
    for seat in seats:
        seat.release()
    assert rows(database, "SELECT position FROM read_model.partitions WHERE reader = 'sender'") == [(1,)]


def test_without_the_turn_both_would_send(log: Log, paper: Paper, database: Database, monkeypatch: pytest.MonkeyPatch):
    """The fault, seeded: nobody waits, and only what is stored is fenced."""
    monkeypatch.setattr(partitions, "take_turn", lambda *_: None)
    log.append(ANN, Counted())
    paper.publish()
    assert sent_by_two(database, paper, patience=4) == [1, 1]

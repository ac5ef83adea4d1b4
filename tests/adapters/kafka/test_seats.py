"""A reader at the topic: each event has its effect once, whoever handles it, and what it stood at is in Postgres."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection

from adapters.kafka.quarantine import digest_of
from adapters.kafka.seats import Seat, TopicChanged
from adapters.postgres.database import Database
from adapters.readers import handling, partitions
from adapters.readers.generations import GenerationReader
from adapters.readers.handling import ReaderRetired
from adapters.readers.partitions import UNKNOWN, PartitionMoved, Place, position_of, skip
from adapters.readers.poison import ReaderBroken
from adapters.readers.projections import Projections
from adapters.readers.runner import NotReached, Retried, Runner
from aggregates.kernel.command import identifier
from aggregates.kernel.event import Recorded
from projections.base import Projection
from tests.adapters.kafka.written import Paper, accounts_in
from tests.adapters.readers.any_reader import AnyReader
from tests.adapters.readers.builders import opened
from tests.adapters.readers.counter import BrokenCounter, Counted, Counter, Odd, TolerantCounter, account
from tests.adapters.readers.log import Log, rows

ANN, CID = accounts_in(0, 2, make=account)
BOB, DAN = accounts_in(1, 2, make=account)

NewSeat = Callable[..., Seat]


@pytest.fixture
def paper(database: Database) -> Iterator[Paper]:
    paper = Paper(database)
    yield paper
    paper.close()


@pytest.fixture
def projections(database: Database, log: Log) -> Iterator[Projections]:
    projections = Projections(database, log.feed, [Counter])
    projections.start()
    yield projections
    projections.close()


@pytest.fixture
def new_seat(database: Database, projections: Projections) -> Iterator[NewSeat]:
    """Makes seats of the counter, or of another reader."""
    made: list[Seat] = []

    def new(reader: Any = None, *, owned: Sequence[int] = (0, 1), kind: type[Projection] = Counter) -> Seat:
        path = None
        if reader is None:
            _, live = projections.live("counter")
            reader, path = GenerationReader(kind(), live), live.search_path
        seat = Seat(database, reader, search_path=path)
        made.append(seat)
        seat.enter(owned, from_the_beginning)
        return seat

    yield new
    for seat in made:
        seat.release()


def from_the_beginning(places: Mapping[int, Place]) -> dict[int, int]:
    return {each: max(place.next_offset, 0) for each, place in places.items()}


def totals(database: Database) -> dict[UUID, int]:
    return dict(rows(database, "SELECT account_id, total FROM read_model.counts"))


def places(database: Database) -> dict[int, tuple[int, int]]:
    found = rows(database, "SELECT partition, next_offset, position FROM read_model.partitions ORDER BY partition")
    return {partition: (offset, position) for partition, offset, position in found}


def checkpoint(database: Database) -> int:
    return int(rows(database, "SELECT position FROM read_model.checkpoints WHERE reader LIKE 'counter@%%'")[0][0])


class Notebook(AnyReader):
    """A reader that keeps what it saw, and nothing in the database."""

    name = "notebook"

    def __init__(self) -> None:
        self.seen: list[int | None] = []
        self.names: list[str] = []

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        self.seen += [recorded.position for recorded in batch]
        self.names += [getattr(recorded.event, "customer_name", "") for recorded in batch]


# --- reading -----------------------------------------------------------------------------------------


def test_events_of_all_partitions_come_in_order_of_position(log: Log, paper: Paper, new_seat: NewSeat):
    for who in (ANN, BOB, CID, DAN, BOB, ANN):
        log.append(who, Counted())
    paper.publish()
    notebook = Notebook()
    new_seat(notebook).take(paper.given(), of=2)
    assert notebook.seen == [1, 2, 3, 4, 5, 6]


def test_a_seat_goes_on_where_the_one_before_it_stopped(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database, projections: Projections
):
    log.append(ANN, *[Counted() for _ in range(4)])
    paper.publish()
    first = new_seat()
    first.take(paper.given(0, 3), of=2)
    first.release()
    second = new_seat()
    assert second.places[0] == Place(3, 3)
    second.take(paper.given(), of=2)
    assert totals(database) == {ANN: 4}


def test_what_lies_before_the_own_offset_was_handled(log: Log, paper: Paper, new_seat: NewSeat, database: Database):
    """Another reader of the process is further back, so older messages come along."""
    log.append(ANN, *[Counted() for _ in range(4)])
    paper.publish()
    seat = new_seat()
    seat.take(paper.given(0, 2), of=2)
    seat.take(paper.given(1, 4), of=2)
    seat.take(paper.given(0, 4), of=2)
    assert totals(database) == {ANN: 4}


def test_a_stretch_from_further_on_is_refused_and_nothing_moves(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database
):
    log.append(ANN, *[Counted() for _ in range(4)])
    log.append(BOB, Counted())
    paper.publish()
    seat = new_seat()
    assert seat.take({**paper.given(2, of=[0]), **paper.given(of=[1])}, of=2) == {0}
    assert totals(database) == {BOB: 1}
    assert seat.places[0] == Place(0, 0)


def test_repeats_of_the_publisher_change_nothing(log: Log, paper: Paper, new_seat: NewSeat, database: Database):
    log.append(ANN, Counted(), Counted(), Counted())
    paper.publish()
    paper.publish([2, 3])
    log.append(ANN, Counted())
    paper.publish([4])
    notebook = Notebook()
    new_seat(notebook).take(paper.given(), of=2)
    assert notebook.seen == [1, 2, 3, 4]


def test_repeats_in_one_batch_are_completed_from_the_store_too(log: Log, paper: Paper, new_seat: NewSeat):
    log.append(ANN, opened("A-1", name="Ann"))
    paper.publish()
    paper.publish()
    notebook = Notebook()
    new_seat(notebook).take(paper.given(), of=2)
    assert (notebook.seen, notebook.names) == ([1], ["Ann"])


def test_what_was_held_back_is_handled_when_it_comes(log: Log, paper: Paper, new_seat: NewSeat):
    log.append(ANN, Counted())
    log.append(CID, Counted())
    log.append(CID, Counted())
    paper.publish([2, 3])
    paper.publish([1], late=True)
    notebook = Notebook()
    seat = new_seat(notebook)
    seat.take(paper.given(0, 2), of=2)
    seat.take(paper.given(2), of=2)
    assert notebook.seen == [2, 3, 1]
    assert seat.places[0] == Place(3, 3)
    seat.take(paper.given(), of=2)
    assert notebook.seen == [2, 3, 1]


@pytest.mark.parametrize("how", ["late", "skipped"])
def test_no_event_is_before_an_offset_and_behind_the_position_beside_it(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database, how: str
):
    """Others go on at that offset who are as far as that position."""
    log.append(CID, Counted())
    log.append(ANN, Counted())
    paper.publish([1])
    paper.publish([2], late=how == "late")
    if how == "skipped":
        with database.connect("arrears_app") as connection:
            digest = digest_of(paper.given()[0].events[1].record)
            skip(connection, new_seat().name, 0, 1, digest)
    new_seat().take(paper.given(), of=2)
    assert places(database)[0] == (2, 2)


def test_foreign_messages_are_passed_over(log: Log, paper: Paper, new_seat: NewSeat, database: Database):
    log.append(ANN, Counted(), Counted())
    paper.publish([1])
    paper.write(ANN, b"hello", [])
    mine = paper.messages[0][0]
    assert mine.value is not None
    paper.write(ANN, mine.value, [(name, text) for name, text in mine.headers if name != "ce_type"])
    paper.write(ANN, mine.value, [(name, b"?" if name == "ce_id" else text) for name, text in mine.headers])
    paper.publish([2])
    seat = new_seat()
    seat.take(paper.given(), of=2)
    assert totals(database) == {ANN: 2}
    assert seat.places[0] == Place(5, 2)
    assert rows(database, "SELECT count(*) FROM read_model.dead_letters") == [(0,)]


def test_personal_text_comes_from_the_store(log: Log, paper: Paper, new_seat: NewSeat):
    log.append(ANN, opened("A-1", name="Ann"))
    paper.publish()
    assert b"Ann" not in (paper.messages[0][0].value or b"")
    notebook = Notebook()
    new_seat(notebook).take(paper.given(), of=2)
    assert notebook.names == ["Ann"]


def test_an_event_that_the_log_does_not_have_is_not_taken_and_moves_no_place(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database
):
    log.append(ANN, opened("A-1", name="Ann"))
    paper.publish()
    rows(database, "UPDATE arrears.events SET event_id = gen_random_uuid() RETURNING position")
    notebook = Notebook()
    seat = new_seat(notebook)
    seat.take(paper.given(), of=2)
    assert notebook.seen == []
    assert seat.places[0] == Place(1, 0)
    assert rows(database, "SELECT reason FROM read_model.quarantined_messages") == [("other-event",)]
    assert rows(database, "SELECT count(*) FROM read_model.dead_letters") == [(0,)]


# --- one at a time -----------------------------------------------------------------------------------


def test_of_two_seats_on_a_partition_one_wins_and_the_other_looks_again(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database
):
    log.append(ANN, Counted(), Counted())
    paper.publish()
    winner, loser = new_seat(), new_seat()
    winner.take(paper.given(0, 1), of=2)
    with pytest.raises(PartitionMoved):
        loser.take(paper.given(0, 2), of=2)
    assert totals(database) == {ANN: 1}
    loser.enter([0, 1], from_the_beginning)
    loser.take(paper.given(0, 2), of=2)
    assert totals(database) == {ANN: 2}
    with pytest.raises(PartitionMoved):
        winner.take(paper.given(0, 2), of=2)
    assert totals(database) == {ANN: 2}


def test_without_the_fence_an_event_would_count_twice(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database, monkeypatch: pytest.MonkeyPatch
):
    """The fault, seeded: whoever comes second stores its place whatever stands there."""

    class Careless(Counter):
        def _count(self, recorded: Recorded, by: int, connection: Connection[Any]) -> None:
            connection.execute(
                "INSERT INTO counts VALUES (%s, %s, %s)"
                " ON CONFLICT (account_id) DO UPDATE SET total = counts.total + EXCLUDED.total",
                [recorded.account_id, by, recorded.position],
            )

    monkeypatch.setattr(partitions, "move", lambda *_: None)
    log.append(ANN, Counted())
    paper.publish()
    first, second = new_seat(kind=Careless), new_seat(kind=Careless)
    first.take(paper.given(), of=2)
    second.take(paper.given(), of=2)
    assert totals(database) == {ANN: 2}


def test_seats_on_different_partitions_do_not_disturb_each_other(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database
):
    for who in (ANN, BOB, ANN, BOB):
        log.append(who, Counted())
    paper.publish()
    left, right = new_seat(owned=[0]), new_seat(owned=[1])
    left.take(paper.given(0, 1, of=[0]), of=2)
    right.take(paper.given(of=[1]), of=2)
    assert checkpoint(database) == 1
    left.take(paper.given(of=[0]), of=2)
    assert totals(database) == {ANN: 2, BOB: 2}
    assert checkpoint(database) == 3


def test_a_partition_that_was_given_away_is_not_worked(log: Log, paper: Paper, new_seat: NewSeat, database: Database):
    log.append(ANN, Counted())
    log.append(BOB, Counted())
    paper.publish()
    seat = new_seat()
    seat.enter([1], from_the_beginning)
    seat.take(paper.given(), of=2)
    assert totals(database) == {BOB: 1}


def test_whoever_reads_the_whole_log_and_those_who_share_it_keep_each_other_out(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database
):
    log.append(ANN, Counted(), Counted())
    paper.publish()
    whole = Runner(database, log.feed, Notebook())
    whole.catch_up(1)
    with pytest.raises(PartitionMoved, match="reads the whole log"):
        new_seat(Notebook())
    whole.release()
    seats = [new_seat(Notebook(), owned=[each]) for each in (0, 1)]
    seats[0].take(paper.given(of=[0]), of=2)
    with pytest.raises(NotReached):
        whole.catch_up(2, timeout=0.1)
    for seat in seats:
        seat.release()
    whole.catch_up(2)
    whole.release()


def test_a_reader_that_is_divided_begins_where_it_stood_undivided(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database, projections: Projections
):
    log.append(ANN, Counted(), Counted())
    projections.catch_up()
    projections.close()
    log.append(ANN, Counted())
    paper.publish()
    seat = new_seat()
    assert seat.places == {0: Place(0, 2), 1: Place(0, 2)}
    seat.take(paper.given(), of=2)
    assert totals(database) == {ANN: 3}


def test_what_the_whole_log_reader_did_meanwhile_is_not_read_again(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database, projections: Projections
):
    log.append(ANN, Counted())
    paper.publish()
    seat = new_seat()
    seat.take(paper.given(), of=2)
    seat.release()
    log.append(ANN, Counted(), Counted())
    projections.catch_up()
    projections.close()
    seat = new_seat()
    assert seat.places == {0: Place(1, 3), 1: Place(0, 3)}
    assert totals(database) == {ANN: 3}


# --- where it goes on --------------------------------------------------------------------------------


def test_an_unknown_place_is_asked_for_once(log: Log, database: Database, projections: Projections):
    _, live = projections.live("counter")
    seat = Seat(database, GenerationReader(Counter(), live), search_path=live.search_path)
    asked: list[dict[int, Place]] = []

    def find(unknown: Mapping[int, Place]) -> dict[int, int]:
        asked.append(dict(unknown))
        return dict.fromkeys(unknown, 7)

    seat.enter([0, 1], find)
    seat.enter([1], find)
    seat.release()
    assert asked == [{0: Place(UNKNOWN, 0), 1: Place(UNKNOWN, 0)}, {1: Place(7, 0)}]
    assert places(database) == {0: (7, 0), 1: (7, 0)}


def test_a_topic_that_was_made_anew_is_noticed_and_nothing_of_it_is_missed(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database
):
    log.append(ANN, Counted(), Counted())
    paper.publish()
    paper.publish()  # with a repeat, offsets are further than events
    seat = new_seat()
    seat.take(paper.given(), of=2)
    assert seat.places[0] == Place(4, 2)
    log.append(ANN, Counted(), Counted())
    paper.forget()
    paper.publish()
    with pytest.raises(TopicChanged):
        seat.take(paper.given(), of=2)
    assert totals(database) == {ANN: 2}


def test_a_topic_that_is_shorter_than_what_was_read_confirms_nothing(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database
):
    log.append(ANN, Counted(), Counted())
    paper.publish()
    seat = new_seat()
    seat.take(paper.given(), of=2)
    with pytest.raises(TopicChanged):
        seat.confirm({0: 1, 1: 0}, 9, of=2)
    assert places(database)[0] == (2, 2)


# --- the checkpoint ----------------------------------------------------------------------------------


def test_the_checkpoint_is_the_least_of_all_partitions(log: Log, paper: Paper, new_seat: NewSeat, database: Database):
    log.append(ANN, Counted(), Counted())
    paper.publish()
    told: list[int] = []
    seat = new_seat(owned=[0])
    seat._on_progress = told.append
    seat.take(paper.given(of=[0]), of=2)
    assert (checkpoint(database), told) == (0, [0])  # nobody has been to the other partition
    other = new_seat(owned=[1])
    other.confirm({1: 0}, 2, of=2)
    assert checkpoint(database) == 2


def test_an_idle_partition_moves_when_it_is_read_to_its_end(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database
):
    log.append(ANN, Counted())
    log.append(BOB, Counted())
    log.append(ANN, Counted())
    paper.publish()
    seat = new_seat()
    seat.take(paper.given(of=[0]), of=2)
    seat.confirm(paper.ends, 3, of=2)
    assert places(database) == {0: (2, 3), 1: (0, 0)}  # one event is left in the other
    seat.take(paper.given(of=[1]), of=2)
    assert checkpoint(database) == 2
    seat.confirm(paper.ends, 3, of=2)
    assert checkpoint(database) == 3


def test_a_partition_whose_end_nobody_knows_is_not_confirmed(new_seat: NewSeat, database: Database):
    new_seat().confirm({0: 0}, 5, of=2)
    assert places(database) == {0: (0, 5), 1: (0, 0)}


def test_a_projection_is_as_far_as_its_partition(log: Log, paper: Paper, new_seat: NewSeat, database: Database):
    log.append(ANN, Counted(), Counted())
    paper.publish()
    with database.connect("arrears_app") as connection:
        assert position_of(connection, "counter", 0) == 0  # undivided: its checkpoint
        assert position_of(connection, "nothing", 0) == -1
    new_seat().take(paper.given(of=[0]), of=2)
    with database.connect("arrears_app") as connection:
        assert [position_of(connection, "counter", each) for each in (0, 1)] == [2, 0]


# --- poison ------------------------------------------------------------------------------------------


def test_poison_parks_one_account_and_others_of_its_partition_go_on(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database, projections: Projections
):
    for who, event in ((ANN, Counted()), (CID, Odd()), (BOB, Counted()), (CID, Counted()), (ANN, Counted())):
        log.append(who, event)
    paper.publish()
    seat = new_seat()
    seat.take(paper.given(), of=2)
    assert totals(database) == {ANN: 2, BOB: 1}
    letters = [(each.sequence_id, each.position, each.error_class) for each in projections.dead_letters()]
    assert letters == [(CID, 2, "ValueError"), (CID, 4, None)]
    log.append(CID, Counted())
    paper.publish([6])
    seat.take(paper.given(), of=2)
    assert [each.position for each in projections.dead_letters()] == [2, 4, 6]
    assert seat.places == {0: Place(5, 6), 1: Place(1, 3)}


def test_a_retry_beside_the_seat_catches_the_account_up_and_it_goes_on_in_order(
    *, log: Log, paper: Paper, new_seat: NewSeat, database: Database, projections: Projections, monkeypatch: Any
):
    log.append(CID, Counted(), Odd(), Counted())
    paper.publish()
    seat = new_seat()
    seat.take(paper.given(), of=2)
    assert projections.retry("counter", CID) == Retried(handled=0, left=2)
    monkeypatch.setattr(Counter, "chokes", False)
    assert projections.retry("counter", CID) == Retried(handled=2, left=0)
    log.append(CID, Counted())
    paper.publish([4])
    seat.take(paper.given(), of=2)
    assert totals(database) == {CID: 3}
    assert projections.dead_letters() == []


def test_a_discard_beside_the_seat_lets_the_account_go_on(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database, projections: Projections
):
    log.append(CID, Odd(), Counted())
    paper.publish()
    seat = new_seat()
    seat.take(paper.given(), of=2)
    assert projections.discard("counter", 1, on_discard=lambda _: None) == Retried(handled=1, left=0)
    log.append(CID, Counted())
    paper.publish([3])
    seat.take(paper.given(), of=2)
    assert totals(database) == {CID: 2}


def test_a_reader_that_fails_on_everything_stops_and_parks_nobody(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database
):
    for number in range(1, 50):
        log.append(account(number), Counted())
    paper.publish()
    seat = new_seat(kind=BrokenCounter)
    with pytest.raises(ReaderBroken, match="no_such_table"):
        seat.take(paper.given(), of=2)
    assert rows(database, "SELECT count(*) FROM read_model.dead_letters") == [(0,)]
    assert places(database) == {0: (0, 0), 1: (0, 0)}
    seat.release()
    new_seat(kind=TolerantCounter).take(paper.given(), of=2)
    assert len(totals(database)) == 49


def test_skipping_a_parked_account_would_lose_its_events(
    *, log: Log, paper: Paper, new_seat: NewSeat, database: Database, projections: Projections, monkeypatch: Any
):
    """The fault, seeded: what waits behind a parked event is passed over instead of put aside."""
    monkeypatch.setattr(handling, "park_behind", lambda *_: None)
    log.append(CID, Odd())
    paper.publish()
    seat = new_seat()
    seat.take(paper.given(), of=2)
    log.append(CID, Counted(), Counted())
    paper.publish([2, 3])
    seat.take(paper.given(), of=2)
    monkeypatch.setattr(Counter, "chokes", False)
    projections.retry("counter", CID)
    assert totals(database) == {}  # with the guarantee in place: {CID: 2}


# --- generations -------------------------------------------------------------------------------------


def test_a_seat_of_a_retired_generation_stores_nothing_and_its_successor_goes_on(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database, projections: Projections
):
    log.append(ANN, Counted())
    log.append(BOB, Counted())
    log.append(ANN, Counted())
    paper.publish()
    old = new_seat()
    old.take(paper.given(of=[0]), of=2)
    projections.rebuild("counter")
    with pytest.raises(ReaderRetired):
        old.take(paper.given(), of=2)
    new = new_seat()
    assert new.places == {0: Place(2, 3), 1: Place(0, 3)}  # it has all from the store
    log.append(BOB, Counted())
    paper.publish([4])
    new.take(paper.given(), of=2)
    assert totals(database) == {ANN: 2, BOB: 2}
    assert checkpoint(database) == 3


def test_a_rebuild_is_not_behind_the_partition_that_is_furthest(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database, projections: Projections
):
    log.append(ANN, *[Counted() for _ in range(5)])
    paper.publish()
    new_seat().take(paper.given(), of=2)
    assert checkpoint(database) == 0
    projections.rebuild("counter")
    assert checkpoint(database) == 5
    assert places(database) == {0: (5, 5), 1: (0, 5)}


# --- what is stored together -------------------------------------------------------------------------


class PowerCut(BaseException):
    """The process ends here."""


def test_rows_and_places_are_stored_together_or_not_at_all(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database, monkeypatch: Any
):
    log.append(ANN, Counted())
    paper.publish()
    seat = new_seat()

    def cut(*_: Any) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(partitions, "move", cut)
        with pytest.raises(PowerCut):
            seat.take(paper.given(), of=2)
    assert (totals(database), places(database)[0]) == ({}, (0, 0))
    seat.release()
    new_seat().take(paper.given(), of=2)
    assert totals(database) == {ANN: 1}


def test_a_place_that_is_stored_before_the_rows_would_lose_them(
    log: Log, paper: Paper, new_seat: NewSeat, database: Database, monkeypatch: Any
):
    """The fault, seeded: the place is committed by itself, and then the process ends."""
    log.append(ANN, Counted())
    paper.publish()
    seat = new_seat()
    real = partitions.move

    def ahead(connection: Connection[Any], *arguments: Any) -> None:
        with database.connect("arrears_app", autocommit=True) as other:
            real(other, *arguments)
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(partitions, "take_turn", lambda *_: None)  # else the other connection waits for this one
        patch.setattr(partitions, "move", ahead)
        with pytest.raises(PowerCut):
            seat.take(paper.given(), of=2)
    seat.release()
    new_seat().take(paper.given(), of=2)
    assert totals(database) == {}  # with the guarantee in place: {ANN: 1}


def test_a_message_says_where_it_lies(log: Log, paper: Paper):
    log.append(ANN, Counted())
    log.append(identifier("account", "x"), Counted())
    paper.publish()
    for partition, stretch in paper.messages.items():
        assert stretch == [replace(each, partition=partition, offset=at) for at, each in enumerate(stretch)]

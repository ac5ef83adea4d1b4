"""A reader believes nothing that the topic says: what is not in the log as it is told is put aside, and seen."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import orjson
import psycopg
import pytest
import structlog

from adapters.kafka.quarantine import digest_of
from adapters.kafka.seats import Seat
from adapters.postgres.database import Database
from adapters.readers import partitions
from adapters.readers.partitions import Place
from adapters.telemetry.metrics import QUARANTINED
from aggregates.kernel.command import identifier
from projections.questions.quarantined import quarantined as quarantined_messages
from tests.adapters.kafka.test_seats import Notebook, from_the_beginning
from tests.adapters.kafka.written import Paper, Written, accounts_in
from tests.adapters.readers.builders import an_item, billed, opened
from tests.adapters.readers.counter import Counted, account
from tests.adapters.readers.log import Log, rows

ANN, CID = accounts_in(0, 2, make=account)
(BOB,) = accounts_in(1, 1, make=account)

NewSeat = Callable[..., Seat]


@pytest.fixture
def paper(database: Database) -> Iterator[Paper]:
    paper = Paper(database)
    yield paper
    paper.close()


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def seat(database: Database, notebook: Notebook) -> Iterator[Seat]:
    seat = Seat(database, notebook)
    seat.enter([0, 1], from_the_beginning)
    yield seat
    seat.release()


def quarantined(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, 'SELECT "offset", reason, position FROM read_model.quarantined_messages ORDER BY "offset"')


def with_headers(message: Written, **said: bytes | None) -> list[tuple[str, bytes | None]]:
    """The message's headers, some of them otherwise."""
    return list({**dict(message.headers), **said}.items())


def without(message: Written, *names: str) -> list[tuple[str, bytes | None]]:
    return [(name, said) for name, said in message.headers if name not in names]


# --- forged ------------------------------------------------------------------------------------------

FORGED: dict[str, tuple[dict[str, bytes | None], str]] = {
    "beyond the head": ({"ce_position": b"62"}, "not-in-log"),
    "far beyond the head": ({"ce_position": b"9223372036854775807"}, "not-in-log"),
    "beyond what a column holds": ({"ce_position": b"9223372036854775808"}, "malformed"),
    "below the first": ({"ce_position": b"0"}, "malformed"),
    "another id": ({"ce_id": str(identifier("forged")).encode()}, "other-event"),
    "another name": ({"ce_type": b"collections.account.payment-received.v1"}, "other-event"),
    "a name that no release has": ({"ce_type": b"collections.nobody.knows-this.v1"}, "other-event"),
    "another hash": ({"ce_leafhash": b"ab" * 32}, "other-hash"),
    "a hash that is none": ({"ce_leafhash": b"ab"}, "malformed"),
    "no position": ({"ce_position": None}, "malformed"),
    "no type": ({"ce_type": None}, "malformed"),
}


@pytest.mark.parametrize(("said", "reason"), FORGED.values(), ids=FORGED)
def test_a_forged_message_is_put_aside_and_what_follows_is_read(  # noqa: PLR0917
    log: Log, paper: Paper, seat: Seat, notebook: Notebook, database: Database, said: dict[str, Any], reason: str
):
    log.append(ANN, Counted(), Counted())
    paper.publish([1])
    first = paper.messages[0][0]
    paper.write(ANN, first.value, with_headers(first, **said))
    paper.publish([2])
    seat.take(paper.given(), of=2)
    assert notebook.seen == [1, 2]
    assert seat.places[0] == Place(3, 2)
    ((at, found, _),) = quarantined(database)
    assert (at, found) == (1, reason)


def test_a_forged_body_is_put_aside_and_the_real_event_is_read(
    log: Log, paper: Paper, seat: Seat, notebook: Notebook, database: Database
):
    log.append(ANN, opened("A-1", name="Ann"), billed(an_item("I-1")))
    paper.publish()
    _, bill = paper.messages[0]
    body = orjson.loads(bill.value or b"")
    forged = orjson.dumps({**body, "item": {**body["item"], "number": "forged"}})
    genuine = paper.messages[0].pop()
    paper.write(ANN, forged, genuine.headers)
    paper.write(ANN, genuine.value, genuine.headers)
    seat.take(paper.given(), of=2)
    assert notebook.seen == [1, 2]
    assert quarantined(database) == [(1, "other-body", 2)]


@pytest.mark.parametrize("header", ["ce_effectiveon", "ce_actor", "ce_subject", "ce_accountid", "ce_sequence"])
def test_what_a_header_says_otherwise_than_the_log_has_no_effect(
    log: Log, paper: Paper, seat: Seat, database: Database, header: str
):
    """The log is read, not the message."""
    log.append(ANN, billed(an_item("I-1")))
    paper.publish()
    genuine = paper.messages[0].pop()
    said = {"ce_effectiveon": b"1999-01-01", "ce_actor": b"person:eve", "ce_sequence": b"9"}
    forged = said.get(header, str(BOB).encode())
    paper.write(ANN, genuine.value, with_headers(genuine, **{header: forged}))
    (arrival,) = paper.given()[0].events
    assert arrival.recorded() == log.read_all()[0]
    assert arrival.recorded().effective_on != date(1999, 1, 1)


def test_a_copy_in_another_partition_does_not_hide_what_comes_there(
    log: Log, paper: Paper, seat: Seat, notebook: Notebook, database: Database
):
    """It would move the place beyond events that are still to come."""
    log.append(BOB, Counted())
    log.append(ANN, Counted())
    paper.publish([2])
    copied = paper.messages[0][0]
    paper.write(ANN, copied.value, copied.headers, partition=1)
    paper.publish([1])
    seat.take(paper.given(), of=2)
    assert sorted(each or 0 for each in notebook.seen) == [1, 2]
    assert quarantined(database) == [(0, "other-partition", 2)]


def test_a_topic_that_was_divided_otherwise_before_keeps_its_events(
    log: Log, paper: Paper, seat: Seat, notebook: Notebook, database: Database
):
    """Made more partitions by Kafka's own tools, it has events where fewer had put them."""
    moved = accounts_in(1, 1, make=lambda n: identifier("moved", n), partitions=3)[0]
    rows(database, "INSERT INTO read_model.topic_divisions VALUES ('paper', 3), ('paper', 2) RETURNING 1")
    log.append(moved, Counted())
    paper.publish()
    (message,) = [each for given in paper.messages.values() for each in given]
    paper.forget()
    paper.write(moved, message.value, message.headers, partition=1)
    seat.take(paper.given(), of=2)
    assert notebook.seen == [1]
    assert quarantined(database) == []


def test_an_event_that_is_not_sealed_yet_is_not_taken(
    log: Log, paper: Paper, seat: Seat, notebook: Notebook, database: Database
):
    log.append(ANN, Counted(), Counted())
    paper.publish()
    rows(database, "DELETE FROM arrears.seals WHERE last = 2 RETURNING last")
    seat.take(paper.given(), of=2)
    assert notebook.seen == []
    assert {reason for _, reason, _ in quarantined(database)} == {"not-in-log"}


# --- what an earlier release sent ----------------------------------------------------------------------


def test_a_message_without_a_hash_is_known_by_what_it_says(
    log: Log, paper: Paper, seat: Seat, notebook: Notebook, database: Database
):
    log.append(ANN, opened("A-1", name="Ann"), billed(an_item("I-1")))
    log.append(CID, Counted())
    paper.publish()
    before, paper.messages[0] = paper.messages[0], []
    for each in before:
        paper.write(ANN, each.value, without(each, "ce_leafhash"))
    paper.write(CID, b'{"forged":1}', without(before[2], "ce_leafhash"))
    seat.take(paper.given(), of=2)
    assert notebook.seen == [1, 2, 3]
    assert quarantined(database) == [(3, "other-body", 3)]


# --- what is seen of it --------------------------------------------------------------------------------


def test_it_is_said_counted_and_kept_without_what_it_says(log: Log, paper: Paper, seat: Seat, database: Database):
    log.append(ANN, Counted())
    for number in range(3):
        paper.write(ANN, b"secret text", [("secret", b"secret"), ("n", b"%d" % number)])
    counter = QUARANTINED.labels("test", "paper", "malformed")
    before = counter._value.get()
    with structlog.testing.capture_logs() as said:
        seat.take(paper.given(), of=2)
    assert counter._value.get() == before + 3
    (line,) = [each for each in said if "passed over" in each["event"]]
    assert (line["log_level"], line["partition"], line["first_offset"], line["messages"]) == ("error", 0, 0, 3)
    assert "secret" not in str(said)
    kept = rows(database, 'SELECT * FROM read_model.quarantined_messages ORDER BY "offset"')
    assert "secret" not in str(kept)
    sizes = rows(database, "SELECT DISTINCT key_bytes, headers_bytes, value_bytes FROM read_model.quarantined_messages")
    assert sizes == [(36, 14, 11)]


def test_rows_are_shown_page_by_page_the_latest_first(log: Log, paper: Paper, database: Database):
    for number in range(5):
        paper.write(ANN, b"%d" % number, [])
    paper.given(0, 3)  # found together, at one moment
    paper.given()
    seen: list[int] = []
    cursor = None
    with database.connect("arrears_app") as connection:
        while True:
            page = quarantined_messages(connection, topic="paper", partition=0, limit=2, cursor=cursor)
            seen += [each.offset for each in page.rows]
            if (cursor := page.next_cursor) is None:
                break
        assert quarantined_messages(connection, topic="other").rows == ()
        assert quarantined_messages(connection, partition=1).rows == ()
    assert seen == [4, 3, 2, 1, 0]


def test_a_message_is_kept_once_whoever_finds_it_and_another_at_its_place_beside_it(
    log: Log, paper: Paper, database: Database
):
    log.append(ANN, Counted())
    paper.write(ANN, b"one", [])
    for _ in range(3):
        paper.given()
    paper.forget()
    paper.write(ANN, b"two", [])
    paper.given()
    assert quarantined(database) == [(0, "malformed", None)] * 2


def test_the_application_can_add_rows_and_change_none(database: Database, paper: Paper, log: Log):
    paper.write(ANN, b"one", [])
    paper.given()
    with database.connect("arrears_app") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM read_model.quarantined_messages")


# --- passing over what a reader cannot get over -----------------------------------------------------------


def test_a_message_that_people_skipped_is_passed_over_by_that_reader_alone(
    log: Log, paper: Paper, seat: Seat, notebook: Notebook, database: Database
):
    log.append(ANN, Counted(), Counted(), Counted())
    paper.publish()
    skipped = paper.messages[0][1]
    with database.connect("arrears_app") as connection:
        partitions.skip(connection, "notebook", 0, skipped.offset, digest_of(skipped))
    seat.enter([0, 1], from_the_beginning)
    seat.take(paper.given(), of=2)
    assert notebook.seen == [1, 3]
    assert seat.places[0] == Place(3, 3)
    other = Notebook()
    other.name = "other"
    another = Seat(database, other)
    another.enter([0, 1], from_the_beginning)
    another.take(paper.given(), of=2)
    another.release()
    assert other.seen == [1, 2, 3]


def test_another_message_at_the_place_of_one_that_was_skipped_is_read(
    log: Log, paper: Paper, seat: Seat, notebook: Notebook, database: Database
):
    """The topic was made anew."""
    log.append(ANN, Counted())
    paper.publish()
    with database.connect("arrears_app") as connection:
        partitions.skip(connection, "notebook", 0, 0, bytes(32))
    seat.enter([0, 1], from_the_beginning)
    seat.take(paper.given(), of=2)
    assert notebook.seen == [1]

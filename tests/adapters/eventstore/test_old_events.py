"""Events of every version ever stored stay readable; what cannot be read is said, not guessed."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from adapters.eventstore.application import Arrears
from adapters.eventstore.mapper import UnreadableEvent
from aggregates.kernel.event import BrokenUpcasterChain, Event, EventRegistry, UnknownEvent
from tests.adapters.eventstore.ledger import CaseOpened, Contact, Counted

EVENT = UUID(int=7)

# Every version of every event, as it lies in the log.
CORPUS: list[tuple[str, int, bytes, Event]] = [
    ("test-case.opened", 1, b'{"title":"a case"}', CaseOpened(label="a case")),
    ("test-case.opened", 1, b'{"title":"a case","who":"Ada"}', CaseOpened(label="a case", who="Ada")),
    ("test-case.opened", 2, b'{"label":"a case","who":"Ada"}', CaseOpened(label="a case", who="Ada")),
    (
        "test-case.opened",
        3,
        b'{"label":"a case","who":null,"contact":{"phones":["1"]}}',
        CaseOpened(label="a case", contact=Contact(phones=["1"])),
    ),
    ("test-case.counted", 1, b'{"by":3}', Counted(by=3)),
]


@pytest.mark.parametrize(("name", "version", "stored", "event"), CORPUS)
def test_every_stored_version_is_readable(app: Arrears, name: str, version: int, stored: bytes, event: Event):
    assert app.event_mapper.decode_event(name, version, EVENT, None, stored) == event


@pytest.mark.parametrize(
    ("name", "version", "stored", "error"),
    [
        ("test.never-was", 1, b"{}", UnknownEvent),
        ("test-case.counted", 2, b"{}", UnknownEvent),
        ("test-case.counted", 1, b'{"by":"many"}', UnreadableEvent),
        ("test-case.counted", 1, b'{"by":1,"and":2}', UnreadableEvent),
        ("test-case.counted", 1, b"not json", UnreadableEvent),
        ("test-case.opened", 2, b"not json", UnreadableEvent),
    ],
)
def test_what_cannot_be_read_is_an_error(app: Arrears, name: str, version: int, stored: bytes, error: type[Exception]):
    with pytest.raises(error, match=name):
        app.event_mapper.decode_event(name, version, EVENT, None, stored)


def test_a_missing_upcaster_is_found_at_start_up():
    class Gone(Event):
        event_name = "test.gone"
        event_version = 2

    registry = EventRegistry()
    registry.add(Gone)
    with pytest.raises(BrokenUpcasterChain, match="no upcaster from version 1"):
        registry.check()


def test_dates_and_times_survive_to_the_microsecond(app: Arrears):
    from adapters.eventstore.stored import leaf_hash

    moment = datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    one = leaf_hash(EVENT, 1, EVENT, None, "n", 1, date(1, 1, 1), moment, b"s", b"m")
    assert one != leaf_hash(EVENT, 1, EVENT, None, "n", 1, date(1, 1, 2), moment, b"s", b"m")
    assert one != leaf_hash(EVENT, 1, EVENT, None, "n", 1, date(1, 1, 1), moment, b"sm", b"")

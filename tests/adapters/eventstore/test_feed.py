"""Reading the log: in order, without holes, decoded once for several readers."""

from collections.abc import Callable, Collection, Iterable
from uuid import uuid4

import psycopg
import pytest

from adapters.eventstore import feed
from adapters.eventstore.application import Arrears
from adapters.eventstore.closed import StillClosed
from adapters.eventstore.feed import LogHole
from adapters.eventstore.mapper import LogRow
from adapters.eventstore.sealer import Sealer
from adapters.eventstore.seals import NO_SEAL
from aggregates.kernel.event import Recorded
from tests.adapters.eventstore.conftest import issue
from tests.adapters.eventstore.ledger import Count, OpenCase
from tests.waiting import HANG


@pytest.fixture
def ten(app: Arrears, sealer: Sealer) -> Arrears:
    case_id = uuid4()
    app.handle([issue(OpenCase(case_id=case_id)), *(issue(Count(case_id=case_id)) for _ in range(9))])
    sealer.seal_once()
    return app


def positions(app: Arrears, after: int, limit: int = 1_000) -> list[int | None]:
    return [e.position for e in app.feed.read(after, limit)]


def test_a_reader_goes_on_where_it_stopped(ten: Arrears):
    assert positions(ten, 0, 4) == [1, 2, 3, 4]
    assert positions(ten, 4, 4) == [5, 6, 7, 8]
    assert positions(ten, 8, 4) == [9, 10]
    assert positions(ten, 10) == []


def test_a_hole_is_an_alarm(ten: Arrears, new_app: Callable[..., Arrears], admin: psycopg.Connection):
    admin.execute("DELETE FROM arrears.events WHERE position = 5")
    fresh = new_app()
    with pytest.raises(LogHole, match="no position 5; the next one is 6"):
        fresh.feed.read(0)
    with pytest.raises(LogHole):
        fresh.feed.read(4)


def test_readers_at_the_same_place_share_one_decoding(ten: Arrears):
    first = ten.feed.read(0)
    assert ten.feed.read(0)[0] is first[0]
    assert ten.feed.read(3)[0] is first[3]


def test_a_reader_that_lags_and_one_that_does_not_share_what_each_fetched(
    ten: Arrears, monkeypatch: pytest.MonkeyPatch
):
    ahead = ten.feed.read(6)
    behind = ten.feed.read(2, limit=3)
    decode_all, decoded = ten.event_mapper.decode_all, list[int]()

    def counting(rows: Iterable[LogRow], names: Collection[str] | None = None) -> list[Recorded]:
        found = decode_all(rows, names)
        decoded.extend(each.position or 0 for each in found)
        return found

    monkeypatch.setattr(ten.event_mapper, "decode_all", counting)
    assert ten.feed.read(2) == behind
    assert ten.feed.read(5, limit=1) == ten.feed.read(5, limit=1)
    assert decoded == [6]
    whole = ten.feed.read(2)
    assert [each.position for each in whole] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert (whole[0] is behind[0], whole[-1] is ahead[-1]) == (True, True)
    assert decoded == [6]


def test_what_is_kept_for_other_readers_is_bounded(ten: Arrears, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feed, "_SHARED", 4)
    first = ten.feed.read(0, limit=2)
    for after in (2, 4, 6):
        ten.feed.read(after, limit=2)
    assert ten.feed.read(4, limit=2)[0] is ten.feed.read(4, limit=2)[0]
    assert ten.feed.read(0, limit=2)[0] is not first[0]


def test_readers_at_the_head_leave_nothing_behind_and_what_follows_is_one_run(
    app: Arrears, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
):
    """Else each look of an idle reader, and each event that comes alone, would be looked through by all that follow."""
    monkeypatch.setattr(feed, "_SHARED", 4)
    for head in range(7):
        for _ in range(3):
            assert app.feed.read(head) == []
        assert all(each.events for each in app.feed._runs)
        app.handle([issue(OpenCase(case_id=uuid4()))])
        sealer.seal_once()
        assert [each.position for each in app.feed.read(head)] == [head + 1]
    assert [(each.after, each.end) for each in app.feed._runs] == [(3, 7)]


def test_large_events_that_others_fetched_are_not_put_together(app: Arrears, sealer: Sealer):
    app.handle([issue(OpenCase(case_id=uuid4(), label="x" * 9_000)) for _ in range(10)])
    sealer.seal_once()
    for _ in range(2):
        assert positions(app, 0, 10) == [1, 2, 3]
        assert positions(app, 3, 10) == [4, 5, 6]


def test_what_nobody_wants_to_open_stays_closed_and_keeps_its_place(ten: Arrears):
    (opened, *_) = whole = ten.feed.read(0)
    some = ten.feed.read(0, names={opened.name})
    assert some[0] == opened
    assert [(e.position, e.event_id, e.name, e.recorded_at) for e in some] == [
        (e.position, e.event_id, e.name, e.recorded_at) for e in whole
    ]
    with pytest.raises(StillClosed, match="position 2 is read without being opened"):
        _ = some[1].event


def test_a_batch_of_large_events_is_cut_and_goes_on_behind_it(app: Arrears, sealer: Sealer):
    app.handle([issue(OpenCase(case_id=uuid4(), label="x" * 9_000)) for _ in range(10)])
    sealer.seal_once()
    assert positions(app, 0, 10) == [1, 2, 3]
    assert positions(app, 3, 10) == [4, 5, 6]
    assert positions(app, 9, 10) == [10]
    assert positions(app, 9, 1) == [10]


def test_what_a_batch_of_large_events_left_out_is_not_fetched_with_each_one(
    app: Arrears, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
):
    app.handle([issue(OpenCase(case_id=uuid4(), label="x" * 240_000)) for _ in range(100)])
    sealer.seal_once()
    fetched, fetchall = [0], psycopg.Cursor.fetchall

    def counting(cursor: psycopg.Cursor[tuple[object, ...]]) -> list[tuple[object, ...]]:
        found = fetchall(cursor)
        fetched[0] += len(found)
        return found

    monkeypatch.setattr(psycopg.Cursor, "fetchall", counting)
    read = 0
    while found := positions(app, read):
        read = found[-1] or 0
    assert read == 100
    assert fetched[0] <= 3 * 100


def test_what_is_not_sealed_is_not_read(ten: Arrears):
    ten.handle([issue(OpenCase(case_id=uuid4()))])
    assert ten.feed.head() == 10
    assert len(ten.feed.read(0)) == 10


def test_the_seal_before_a_position_goes_with_a_checkpoint(ten: Arrears, sealer: Sealer):
    ten.handle([issue(OpenCase(case_id=uuid4()))])
    sealer.seal_once()
    assert ten.feed.seal_at(11).position == 11
    assert ten.feed.seal_at(10).position == 10
    assert (ten.feed.seal_at(9).position, ten.feed.seal_at(9).hash) == (0, NO_SEAL)


def test_waiting_ends_when_the_feed_closes(app: Arrears):
    app.feed.close()
    assert not app.feed.wait(0, timeout=HANG)

"""Tampering is seen: changed, removed, inserted, reordered rows, a cut tail, a restored older copy."""

from collections.abc import Callable
from uuid import uuid4

import psycopg
import pytest

from adapters.eventstore.application import Arrears
from adapters.eventstore.sealer import Sealer
from adapters.eventstore.seals import Checkpoint, head_seal
from adapters.eventstore.stored import leaf_hash
from adapters.eventstore.verify import LogBehind, check_not_behind, verify
from tests.adapters.eventstore.conftest import issue
from tests.adapters.eventstore.ledger import Count, OpenCase


@pytest.fixture
def log(app: Arrears, sealer: Sealer, admin: psycopg.Connection) -> psycopg.Connection:
    """Nine events under three seals (1-3, 4-6, 7-9), and two more that wait for the sealer."""
    one, two = uuid4(), uuid4()
    for _ in range(3):
        app.handle([issue(Count(case_id=one)), issue(Count(case_id=two)), issue(Count(case_id=one))])
        sealer.seal_once()
    app.handle([issue(Count(case_id=one)), issue(Count(case_id=one))])
    assert list(verify(admin)) == []
    return admin


def recompute_leaves(log: psycopg.Connection) -> None:
    """What somebody does who knows how leaves are made."""
    log.execute("SET timezone TO 'UTC'")
    rows = log.execute(
        "SELECT aggregate_id, version, event_id, account_id, name, event_version, effective_on, recorded_at,"
        " state, meta FROM arrears.events"
    ).fetchall()
    for row in rows:
        log.execute(
            "UPDATE arrears.events SET leaf = %s WHERE aggregate_id = %s AND version = %s",
            [leaf_hash(*row), row[0], row[1]],
        )


def recompute_seals(log: psycopg.Connection) -> None:
    """The whole chain anew over what is there, as somebody does who knows how seals are made."""
    first_last = log.execute("SELECT first, last FROM arrears.seals ORDER BY last").fetchall()
    previous = log.execute("SELECT sha256('')").fetchone()
    for first, last in first_last:
        log.execute(
            "UPDATE arrears.seals SET previous_hash = %(previous)b, hash = (SELECT sha256(%(previous)b ||"
            " string_agg(leaf, ''::bytea ORDER BY position)) FROM arrears.events"
            " WHERE position BETWEEN %(first)s AND %(last)s) WHERE last = %(last)s",
            {"previous": previous[0] if previous else b"", "first": first, "last": last},
        )
        previous = log.execute("SELECT hash FROM arrears.seals WHERE last = %s", [last]).fetchone()


COLUMNS = {
    "state": "state || ' '",
    "meta": "meta || ' '",
    "name": "'test-case.noted'",
    "event_version": "event_version + 1",
    "event_id": "gen_random_uuid()",
    "account_id": "NULL",
    "aggregate_id": "gen_random_uuid()",
    "version": "version + 100",
    "effective_on": "effective_on + 1",
    "recorded_at": "recorded_at + interval '1 microsecond'",
    "leaf": "sha256(leaf)",
}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_column_is_found_with_its_position(log: psycopg.Connection, column: str):
    log.execute(f"UPDATE arrears.events SET {column} = {COLUMNS[column]} WHERE position = 5")
    found = list(verify(log))
    assert any(f.position == 5 and f.what == "the event was changed" for f in found)


@pytest.mark.parametrize("column", ["state", "effective_on"])
def test_a_changed_event_that_waits_for_the_sealer_is_found(log: psycopg.Connection, column: str):
    log.execute(f"UPDATE arrears.events SET {column} = {COLUMNS[column]} WHERE position IS NULL")
    assert len([f for f in verify(log) if "was changed" in f.what]) == 2


Damage = Callable[[psycopg.Connection], None]


def changed_with_its_leaf(log: psycopg.Connection) -> None:
    log.execute("UPDATE arrears.events SET effective_on = effective_on + 1 WHERE position = 5")
    recompute_leaves(log)


def removed_from_the_middle(log: psycopg.Connection) -> None:
    log.execute("DELETE FROM arrears.events WHERE position = 5")


def removed_and_closed_up(log: psycopg.Connection) -> None:
    log.execute("DELETE FROM arrears.events WHERE position = 5")
    for position in range(6, 10):
        log.execute("UPDATE arrears.events SET position = %s - 1 WHERE position = %s", [position, position])


def removed_at_the_start(log: psycopg.Connection) -> None:
    log.execute("DELETE FROM arrears.events WHERE position = 1")


def inserted_at_the_end(log: psycopg.Connection) -> None:
    log.execute("UPDATE arrears.events SET position = 10 WHERE seq = (SELECT max(seq) - 1 FROM arrears.events)")


def inserted_in_the_middle(log: psycopg.Connection) -> None:
    for position in range(9, 4, -1):
        log.execute("UPDATE arrears.events SET position = %s + 1 WHERE position = %s", [position, position])
    log.execute("UPDATE arrears.events SET position = 5 WHERE seq = (SELECT max(seq) - 1 FROM arrears.events)")


def reordered(log: psycopg.Connection) -> None:
    for old, new in ((4, 99), (6, 4), (99, 6)):
        log.execute("UPDATE arrears.events SET position = %s WHERE position = %s", [new, old])


def cut_events_only(log: psycopg.Connection) -> None:
    log.execute("DELETE FROM arrears.events WHERE position > 7")


def seal_removed(log: psycopg.Connection) -> None:
    log.execute("DELETE FROM arrears.seals WHERE last = 6")


def last_seal_removed(log: psycopg.Connection) -> None:
    log.execute("DELETE FROM arrears.seals WHERE last = 9")


def seal_changed(log: psycopg.Connection) -> None:
    log.execute("UPDATE arrears.seals SET hash = sha256(hash) WHERE last = 6")


def last_seal_changed(log: psycopg.Connection) -> None:
    log.execute("UPDATE arrears.seals SET hash = sha256(hash) WHERE last = 9")


def waiting_version_removed(log: psycopg.Connection) -> None:
    log.execute("DELETE FROM arrears.events WHERE seq = (SELECT max(seq) - 1 FROM arrears.events)")


@pytest.mark.parametrize(
    ("damage", "position", "what"),
    [
        (changed_with_its_leaf, 6, "are not the ones that were sealed"),
        (removed_from_the_middle, 5, "events are missing"),
        (removed_and_closed_up, 6, "are not the ones that were sealed"),
        (removed_at_the_start, 1, "events are missing"),
        (inserted_at_the_end, 10, "has a position but no seal"),
        (inserted_in_the_middle, 6, "are not the ones that were sealed"),
        (reordered, 6, "are not the ones that were sealed"),
        (cut_events_only, 9, "are not the ones that were sealed"),
        (seal_removed, 7, "seals are missing"),
        (last_seal_removed, 7, "has a position but no seal"),
        (seal_changed, 7, "chain is broken"),
        (last_seal_changed, 9, "are not the ones that were sealed"),
        (waiting_version_removed, None, "is missing or out of order"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_damage_is_found(log: psycopg.Connection, damage: Damage, position: int | None, what: str):
    damage(log)
    found = list(verify(log))
    assert any(f.position == position and what in f.what for f in found), [str(f) for f in found]


def test_versions_out_of_order_are_found_even_under_a_forged_chain(log: psycopg.Connection):
    log.execute("SET timezone TO 'UTC'")
    (aggregate_id,) = log.execute("SELECT aggregate_id FROM arrears.events WHERE position = 9").fetchone() or ()
    two = log.execute(
        "SELECT position FROM arrears.events WHERE aggregate_id = %s AND position > 0 ORDER BY position LIMIT 2",
        [aggregate_id],
    ).fetchall()
    (low,), (high,) = two
    for old, new in ((low, 99), (high, low), (99, high)):
        log.execute("UPDATE arrears.events SET position = %s WHERE position = %s", [new, old])
    recompute_seals(log)
    found = list(verify(log))
    assert found
    assert all("out of order" in f.what for f in found)


# --- a cut tail and a restored copy: seen by what others remember ---


def cut_cleanly(log: psycopg.Connection) -> None:
    log.execute("DELETE FROM arrears.events WHERE position > 6 OR position IS NULL")
    log.execute("DELETE FROM arrears.seals WHERE last > 6")


def test_a_cleanly_cut_tail_is_seen_by_whoever_read_further(log: psycopg.Connection):
    cut_cleanly(log)
    assert list(verify(log)) == []  # by itself it is a log that never was longer
    (finding,) = verify(log, checkpoints=[Checkpoint("report", 9), Checkpoint("agenda", 6)])
    assert (finding.position, "report has seen" in finding.what) == (9, True)
    with pytest.raises(LogBehind, match="shorter than what report has seen"):
        check_not_behind(log, [Checkpoint("report", 9)])


def test_a_restored_copy_that_grew_again_is_seen_by_the_hash(
    log: psycopg.Connection, new_app: Callable[..., Arrears], sealer: Sealer
):
    kept = Checkpoint("report", 9, head_seal(log).hash)
    check_not_behind(log, [kept])
    cut_cleanly(log)
    case_id = uuid4()
    new_app().handle([issue(OpenCase(case_id=case_id)), *(issue(Count(case_id=case_id)) for _ in range(5))])
    sealer.seal_once()
    check_not_behind(log, [Checkpoint("without a hash", 9)])
    with pytest.raises(LogBehind, match="not the one that report has seen"):
        check_not_behind(log, [kept])


def test_a_chain_forged_from_end_to_end_is_seen_by_an_anchor(log: psycopg.Connection):
    anchor = Checkpoint("anchor", 9, head_seal(log).hash)
    changed_with_its_leaf(log)
    recompute_seals(log)
    assert list(verify(log)) == []
    (finding,) = verify(log, checkpoints=[anchor])
    assert finding.what == "the log is not the one that anchor has seen"


def test_verifying_says_how_far_it_is(log: psycopg.Connection):
    steps: list[tuple[int, int]] = []
    assert list(verify(log, progress=lambda done, last: steps.append((done, last)))) == []
    assert steps[-1] == (9, 9)


def test_an_empty_log_is_whole(admin: psycopg.Connection):
    assert list(verify(admin)) == []
    check_not_behind(admin, [Checkpoint("new", 0)])

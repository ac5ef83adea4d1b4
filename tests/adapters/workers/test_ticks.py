"""Ticks: each partition's share of the agenda, once, and not before the agenda is as far as the tick."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.postgres.lease import Lease
from adapters.ticker import Ticker, TickReport
from adapters.workers import ticks as ticks_module
from adapters.workers.ticks import CLOCK, NotATick, Tick, TickWorker
from aggregates.account.aging import Aged
from projections.agenda import queries
from projections.agenda.partition import partition_of
from tests.adapters.readers.log import rows
from tests.adapters.workers.conftest import NewPlant, Plant, account
from tests.waiting import HANG, wait_until

ACCOUNTS = range(1, 13)
OVERDUE = datetime(2026, 3, 10, 9, tzinfo=UTC)


def message(partition: int, value: bytes | None, *, offset: int = 0) -> Any:
    """As a client gives it."""
    return SimpleNamespace(partition=partition, offset=offset, key=None, headers=[], value=value)


@dataclass
class Ticking:
    """Twelve accounts that fall due to be aged, and whoever works their ticks."""

    plant: Plant
    worker: TickWorker
    worked: list[tuple[int, TickReport]]
    stop: threading.Event

    def tick(self, partition: int, now: datetime = OVERDUE, position: int | None = None) -> Any:
        at = self.plant.seal() if position is None else position
        return message(partition, Tick(now, at).to_json())

    def catch_up(self) -> None:
        self.plant.seal()
        self.plant.projections.catch_up()

    @property
    def aged(self) -> dict[int, int]:
        """How often accounts were put into a bucket, by partition."""
        head, at, found = self.plant.seal(), 0, dict.fromkeys(range(self.plant.partitions), 0)
        while at < head:
            events = self.plant.arrears.feed.read(at)
            for each in events:
                if isinstance(each.event, Aged) and each.account_id is not None and each.event.days_past_due:
                    found[partition_of(each.account_id, self.plant.partitions)] += 1
            at += len(events)
        return found

    @property
    def shares(self) -> dict[int, int]:
        every = [partition_of(account(number), self.plant.partitions) for number in ACCOUNTS]
        return {partition: every.count(partition) for partition in range(self.plant.partitions)}


@pytest.fixture
def ticking(new_plant: NewPlant) -> Iterator[Ticking]:
    plant = new_plant(partitions=3)
    plant.open_accounts(*ACCOUNTS)
    plant.bill(*[(number, f"I-{number}") for number in ACCOUNTS], due_on=date(2026, 3, 5))
    plant.projections.catch_up()
    plant.clock.set(OVERDUE)
    worked: list[tuple[int, TickReport]] = []
    stop = threading.Event()
    ticker = Ticker(plant.arrears, plant.database)
    worker = TickWorker(
        plant.database,
        ticker,
        partitions=plant.partitions,
        stop=stop,
        on_worked=lambda partition, report: worked.append((partition, report)),
    )
    yield Ticking(plant, worker, worked, stop)
    stop.set()
    worker.close()
    ticker.close()


def test_a_tick_is_said_as_it_is_read():
    tick = Tick(OVERDUE, 17)
    assert Tick.from_json(tick.to_json()) == tick


def test_a_partitions_tick_works_its_share_and_nothing_else(ticking: Ticking):
    for partition in range(3):
        ticking.worker.take([ticking.tick(partition)])
        assert ticking.worked[-1][1].due == ticking.shares[partition]
        ticking.catch_up()
    assert ticking.aged == ticking.shares
    assert sum(ticking.shares.values()) == len(ACCOUNTS)


def test_a_tick_of_which_the_partition_is_ignored_would_work_everybodys_share(
    ticking: Ticking, monkeypatch: pytest.MonkeyPatch
):
    """The fault, seeded."""
    monkeypatch.setattr(queries, "_DUE", queries._DUE.replace("place %% %(shares)s = %(share)s", "true"))
    ticking.worker.take([ticking.tick(0)])
    assert ticking.aged != {0: ticking.shares[0], 1: 0, 2: 0}
    assert ticking.worked[-1][1].due == len(ACCOUNTS)


def test_the_same_tick_twice_emits_nothing_new(ticking: Ticking):
    tick = ticking.tick(1)
    for _ in range(2):
        ticking.worker.take([tick])  # before the agenda shows what the first one did
    ticking.catch_up()
    ticking.worker.take([tick])
    assert [report.events for _, report in ticking.worked[2:]] == [0]
    assert ticking.aged == {0: 0, 1: ticking.shares[1], 2: 0}


def test_of_several_waiting_ticks_the_latest_is_worked(ticking: Ticking):
    early = datetime(2026, 3, 3, 9, tzinfo=UTC)
    ticking.worker.take([ticking.tick(0, early), ticking.tick(1, early), ticking.tick(0)])
    assert [(partition, report.at) for partition, report in ticking.worked] == [(0, OVERDUE), (1, early)]


def test_a_tick_waits_until_its_partitions_agenda_has_passed_it(ticking: Ticking):
    ticking.plant.bill((1, "II-1"), due_on=date(2026, 3, 6))
    thread = threading.Thread(target=ticking.worker.take, args=[[ticking.tick(each) for each in range(3)]])
    thread.start()
    try:
        assert not ticking.stop.wait(0.3)
        assert ticking.worked == []
    finally:
        ticking.plant.projections.catch_up()
        thread.join()
    assert [partition for partition, _ in ticking.worked] == [0, 1, 2]
    assert sum(report.due for _, report in ticking.worked) == len(ACCOUNTS) + 1


def test_a_tick_waits_for_its_own_partition_only(ticking: Ticking):
    position = ticking.plant.bill((1, "II-1"))
    (reader,) = rows(ticking.plant.database, "SELECT reader FROM read_model.projections WHERE name = 'agenda'")[0]
    for partition in range(3):
        rows(
            ticking.plant.database,
            "INSERT INTO read_model.partitions VALUES (%s, %s, 0, %s) RETURNING reader",
            reader,
            partition,
            position if partition == 2 else 0,
        )
    ticking.worker.take([ticking.tick(2)])
    assert [partition for partition, _ in ticking.worked] == [2]


def test_a_tick_that_did_not_wait_would_miss_what_is_due(ticking: Ticking, monkeypatch: pytest.MonkeyPatch):
    """The fault, seeded."""
    monkeypatch.setattr(ticks_module, "position_of", lambda *_: 1_000_000)
    ticking.plant.bill((1, "II-1"), due_on=date(2026, 3, 6))
    ticking.worker.take([ticking.tick(each) for each in range(3)])
    assert sum(report.due for _, report in ticking.worked) == len(ACCOUNTS)  # with the guarantee in place: one more


def test_a_tick_whose_agenda_does_not_come_is_left_to_the_next_one(ticking: Ticking, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ticks_module, "_PATIENCE_SECONDS", 0.05)
    ticking.plant.open_accounts(99)
    ticking.worker.take([ticking.tick(0)])
    assert ticking.worked == []
    ticking.catch_up()
    ticking.worker.take([ticking.tick(0)])
    assert ticking.aged[0] == ticking.shares[0]


NO_TICKS: dict[str, bytes | None] = {
    "no JSON": b"midnight",
    "nothing": None,
    "empty": b"",
    "a list": b"[]",
    "a number": b"7",
    "no position": b'{"now": "2026-03-10T09:00:00+00:00"}',
    "no moment": b'{"position": 1}',
    "a moment that is none": b'{"now": "2026-13-10T09:00:00+00:00", "position": 1}',
    "a moment without time zone": b'{"now": "2026-03-10T09:00:00", "position": 1}',
    "a position below 0": b'{"now": "2026-03-10T09:00:00+00:00", "position": -1}',
    "a position beyond what a column holds": b'{"now": "2026-03-10T09:00:00+00:00", "position": 9223372036854775808}',
    "a position that is a text": b'{"now": "2026-03-10T09:00:00+00:00", "position": "1"}',
    "a number that is none": b'{"now": "2026-03-10T09:00:00+00:00", "position": 1, "number": "1"}',
    "no UTF-8": b"\xff\xfe",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("value", NO_TICKS.values(), ids=NO_TICKS)
def test_a_message_that_is_no_tick_harms_no_other_and_is_kept_as_a_row(ticking: Ticking, value: bytes | None):
    with pytest.raises(NotATick):
        Tick.from_json(value)
    ticking.worker.take([ticking.tick(0), message(0, value, offset=7), ticking.tick(1)])
    assert [partition for partition, _ in ticking.worked] == [0, 1]
    found = rows(ticking.plant.database, 'SELECT topic, partition, "offset", reader, reason FROM '
                 "read_model.quarantined_messages")  # fmt: skip
    assert found == [("collections.ticks", 0, 7, "ticks", "malformed")]


def test_a_tick_that_names_a_place_beyond_the_log_is_not_waited_for(ticking: Ticking):
    """Nothing would ever come there, and the ticks behind it would wait too."""
    beyond = ticking.plant.seal() + 1
    ticking.worker.take([ticking.tick(0), ticking.tick(0, position=beyond)])
    assert [partition for partition, _ in ticking.worked] == [0]
    found = rows(ticking.plant.database, "SELECT reason, position FROM read_model.quarantined_messages")
    assert found == [("not-in-log", beyond)]


def test_a_worker_that_is_told_to_stop_waits_no_longer(ticking: Ticking):
    ticking.plant.open_accounts(99)
    thread = threading.Thread(target=ticking.worker.take, args=[[ticking.tick(0)]])
    thread.start()
    ticking.stop.set()
    thread.join(HANG)
    assert not thread.is_alive()
    wait_until(lambda: ticking.worked == [], "nothing was worked")


def test_the_tick_of_a_clock_that_was_replaced_is_refused(ticking: Ticking):
    """It was held up between its time and its sending; another one has said later times since."""
    ticking.catch_up()
    head = ticking.plant.seal()
    with ticking.plant.database.connect("arrears_app", autocommit=True) as connection:
        lease = Lease(ticking.plant.database, CLOCK, lock="of the clock")
        for _ in range(2):
            assert lease.take(connection)
    for number, worked in ((1, 0), (2, 1), (None, 2)):  # none was in the ticks of an earlier release
        message = SimpleNamespace(partition=0, value=Tick(OVERDUE, head, number).to_json())
        ticking.worker.take([message])
        assert len(ticking.worked) == worked

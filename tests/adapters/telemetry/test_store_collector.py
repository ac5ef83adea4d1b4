"""What the database says about lag, backlog, dead letters and the agenda, and what is shown when it says nothing."""

import os
import socket
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from adapters.clock import ManualClock
from adapters.postgres.database import Database
from adapters.postgres.lease import Lease
from adapters.readers.projections import Projections
from adapters.readers.runner import Runner
from adapters.telemetry import store_collector
from adapters.telemetry.metrics import exposition, registry_of
from adapters.telemetry.store_collector import StoreCollector
from aggregates.kernel.command import identifier
from projections.agenda.projection import AgendaProjection
from projections.agenda.queries import count_due, due, latest_zones
from tests.adapters.readers.any_reader import AnyReader
from tests.adapters.readers.builders import NOON, a_step, an_item, an_office, billed, opened
from tests.adapters.readers.counter import Counted, Counter, Odd
from tests.adapters.readers.log import Log
from tests.waiting import HANG, wait_until

LIVE = {"reader": "counter", "state": "live"}


class Scrape:
    """One look at everything the collector finds."""

    def __init__(self, database: Database, at: datetime = NOON) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(StoreCollector(database, ManualClock(at)))
        self._samples = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in self._registry.collect()
            for sample in family.samples
        }

    def __call__(self, name: str, labels: Mapping[str, str] | None = None, **more: str) -> float | None:
        return self._samples.get((name, *sorted({**(labels or {}), **more}.items())))

    def all(self, name: str) -> list[float]:
        return [value for (found, *_), value in self._samples.items() if found == name]


@pytest.fixture
def counted(database: Database, log: Log):
    """A projection that has read one event of five, on a log with two more that are not sealed."""
    account = uuid4()
    projections = Projections(database, log.feed, [Counter])
    log.append(account, Counted())
    projections.start()
    log.append(account, *[Counted() for _ in range(4)])
    facts, keys = log._mapper.encode([log.recorded(account, Counted()) for _ in range(2)])
    log._recorder.append(facts, new_keys=keys)
    yield projections
    projections.close()


def test_lag_is_shown_in_events_and_in_seconds(database: Database, counted: Projections):
    with database.connect(autocommit=True) as connection:
        connection.execute("UPDATE arrears.seals SET sealed_at = sealed_at - interval '1 minute'")
    scrape = Scrape(database)
    assert scrape("arrears_database_up") == 1
    assert scrape("arrears_log_head_position") == 5
    assert scrape("arrears_log_unsealed_events") == 2
    assert scrape("arrears_reader_lag_events", LIVE, partition="") == 4
    assert 60 <= (scrape("arrears_reader_lag_seconds", LIVE, partition="") or 0) < 60 + HANG
    assert scrape("arrears_reader_stands_still", LIVE) == 0
    counted.catch_up()
    scrape = Scrape(database)
    assert scrape("arrears_reader_lag_events", LIVE, partition="") == 0
    assert scrape("arrears_reader_lag_seconds", LIVE, partition="") == 0


def test_the_lag_is_the_one_that_the_status_shows(database: Database, counted: Projections):
    (status,) = counted.status()
    assert Scrape(database)("arrears_reader_lag_events", LIVE, partition="") == status.lag_events


def test_a_divided_reader_is_shown_by_partition(database: Database, counted: Projections):
    with database.connect("arrears_app") as connection:
        connection.execute(
            """
            INSERT INTO read_model.partitions (reader, partition, next_offset, position)
            VALUES ('counter@1', 0, 7, 5), ('counter@1', 1, 3, 2), ('counter@1', 2, -1, 0)
            """
        )
    scrape = Scrape(database)
    lags = {each: scrape("arrears_reader_lag_events", LIVE, partition=each) for each in ("0", "1", "2", "")}
    assert lags == {"0": 0, "1": 3, "2": 4, "": None}
    assert scrape("arrears_reader_lag_seconds", LIVE, partition="0") == 0
    assert scrape("arrears_reader_lag_seconds", LIVE, partition="1") != 0


def test_a_rebuild_is_shown_beside_the_live_one(database: Database, counted: Projections):
    with database.connect("arrears_app") as connection:
        connection.execute(
            "INSERT INTO read_model.projections (name, generation, version, schema, public, state)"
            " VALUES ('counter', 2, 2, 'read_counter_2', '{}', 'building')"
        )
        connection.execute("INSERT INTO read_model.checkpoints (reader, position) VALUES ('counter@2', 3)")
    scrape = Scrape(database)
    assert scrape("arrears_reader_lag_events", reader="counter", state="building", partition="") == 2
    assert scrape("arrears_reader_lag_events", LIVE, partition="") == 4


def test_accounts_that_are_put_aside_are_counted_once_each(database: Database, log: Log):
    class Choosy(AnyReader):
        name = "choosy"

        def handle(self, batch, connection):
            if any(isinstance(each.event, Odd) for each in batch):
                raise ValueError

    ill, worse, well = uuid4(), uuid4(), uuid4()
    log.append(ill, Odd(), Odd())
    log.append(worse, Odd())
    log.append(well, Counted())
    runner = Runner(database, log.feed, Choosy())
    runner.catch_up()
    runner.release()
    assert Scrape(database)("arrears_reader_parked_sequences", reader="choosy", state="live") == 2


def test_a_reader_in_trouble_is_shown_as_standing_still(database: Database, counted: Projections):
    with database.connect("arrears_app") as connection:
        connection.execute("UPDATE read_model.checkpoints SET trouble = 'OutOfReach: no broker'")
    assert Scrape(database)("arrears_reader_stands_still", LIVE) == 1


def test_a_reader_without_read_tables_goes_on_too(database: Database):
    """Policies and delivery have no generations; a figure that is none would be no metrics at all."""
    with database.connect("arrears_app") as connection:
        connection.execute("INSERT INTO read_model.checkpoints (reader, position) VALUES ('policies', 0)")
    assert Scrape(database)("arrears_reader_stands_still", reader="policies", state="live") == 0


def test_who_has_a_role_and_when_it_last_went_on_is_shown_while_somebody_has_it(database: Database):
    def age() -> float | None:
        return Scrape(database)("arrears_lease_age_seconds", role="clock", holder=holder)

    lease, holder = Lease(database, "clock", lock="of the clock"), f"{socket.gethostname()}:{os.getpid()}"
    with database.connect("arrears_app", autocommit=True) as connection:
        lease.take(connection)
        assert (age() or 0) < HANG
        connection.execute("UPDATE arrears.leases SET renewed_at = renewed_at - interval '1 hour'")
        assert 3600 <= (age() or 0) < 3600 + HANG
    wait_until(lambda: age() is None, "the server lets the lock go")


# --- work over many accounts ---------------------------------------------------------------------------


def test_open_work_and_the_accounts_that_are_left_are_counted(database: Database, log: Log):
    with database.connect("arrears_app") as connection:
        for accounts, done, is_open in ((None, 0, True), (7, 3, True), (9, 9, False)):
            connection.execute(
                "INSERT INTO arrears.work (work_id, office_id, command, policy, cause_position, appends_before,"
                " accounts, done, is_open) VALUES (%s, %s, 'age-account', 'aging', 1, '{}', %s, %s, %s)",
                [uuid4(), uuid4(), accounts, done, is_open],
            )
    scrape = Scrape(database)
    assert (scrape("arrears_work_open"), scrape("arrears_work_left_accounts")) == (2, 4)


# --- the agenda ----------------------------------------------------------------------------------------


def test_a_generation_that_was_begun_stands_still_once_nobody_builds_it(database: Database, counted: Projections):
    building = {"reader": "counter", "state": "building"}

    class Interrupted(Exception):
        pass

    def interrupt(name: str, position: int, target: int) -> None:
        assert Scrape(database)("arrears_reader_stands_still", building) == 0
        raise Interrupted

    with pytest.raises(Interrupted):
        counted.rebuild("counter", interrupt)
    scrape = Scrape(database)
    assert scrape("arrears_reader_stands_still", building) == 1
    assert scrape("arrears_reader_stands_still", LIVE) == 0
    counted.rebuild("counter")
    assert Scrape(database)("arrears_reader_stands_still", building) is None


@pytest.fixture
def planned(database: Database, log: Log):
    """Two accounts, each with a step at noon and an item that ages the day after it is due."""
    office = identifier("office", "main")
    log.append(office, an_office())
    for number in range(2):
        account = uuid4()
        log.append(account, opened(number=f"A-{number}"), billed(an_item(f"I-{number}")), a_step())
    projections = Projections(database, log.feed, [AgendaProjection])
    projections.start()
    yield projections
    projections.close()


@pytest.mark.parametrize("later", [timedelta(hours=-1), timedelta(hours=1), timedelta(days=200)])
def test_what_is_due_is_what_a_tick_would_find(database: Database, planned: Projections, later: timedelta):
    at = NOON + later
    with database.connect("arrears_app") as connection:
        zones = latest_zones(connection)
        today = max(at.astimezone(zone).date() for zone in zones)
        found = [item.kind for page in due(connection, now=at, latest_local_date=today) for item in page]
        assert sum(count_due(connection, now=at, latest_local_date=today, most=1).values()) == min(1, len(found))
    scrape = Scrape(database, at)
    assert scrape("arrears_agenda_due_items", kind="step") == found.count("step") == (0 if later < timedelta() else 2)
    assert sum(scrape.all("arrears_agenda_due_items")) == len(found)


def test_what_a_newer_release_planned_is_shown_under_its_kind(database: Database, planned: Projections):
    with database.connect() as connection:
        connection.execute("UPDATE read_model.agenda SET kind = 'escalation' WHERE kind = 'step'")
    scrape = Scrape(database, NOON + timedelta(hours=1))
    assert scrape("arrears_agenda_due_items", kind="escalation") == 2
    assert scrape("arrears_agenda_due_items", kind="step") == 0


def test_before_the_first_projection_is_built_there_is_no_agenda(database: Database):
    scrape = Scrape(database)
    assert scrape("arrears_database_up") == 1
    assert scrape.all("arrears_agenda_due_items") == []


# --- when something is wrong ---------------------------------------------------------------------------


def test_a_database_that_is_away_is_a_figure_and_no_failure():
    scrape = Scrape(Database("postgresql://127.0.0.1:1/nowhere"))
    assert scrape("arrears_database_up") == 0
    assert scrape("arrears_log_head_position") is None


def test_a_database_that_nobody_migrated_is_one_that_is_away(empty_database: Database):
    assert Scrape(empty_database)("arrears_database_up") == 0


def test_a_query_that_fails_leaves_no_half_of_the_figures(
    database: Database, planned: Projections, monkeypatch: pytest.MonkeyPatch
):
    def slow(*_: object, **__: object) -> None:
        raise psycopg.errors.QueryCanceled

    monkeypatch.setattr(store_collector, "count_due", slow)
    scrape = Scrape(database)
    assert scrape("arrears_database_up") == 0
    assert scrape("arrears_log_head_position") is None


def test_nothing_in_it_says_whom_it_is_about(database: Database, planned: Projections, log: Log):
    _, text = exposition(registry_of([StoreCollector(database)]), None)
    for recorded in log.read_all():
        assert str(recorded.aggregate_id).encode() not in text


def test_registering_asks_nothing():
    CollectorRegistry(auto_describe=True).register(StoreCollector(Database("postgresql://127.0.0.1:1/nowhere")))

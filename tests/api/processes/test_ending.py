"""Told to end, whatever goes on for long ends between two batches; the next start does the rest, once."""

import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.billing.importer import OfficeDefaults
from adapters.clock import ManualClock
from adapters.postgres.database import Database
from adapters.readers import projections
from adapters.stop import Stop, Stopped, cancelled_on
from api.processes import parts, standalone
from api.processes.core import Core
from api.processes.parts.part import HowMany, Run, Worker
from api.processes.standalone import Standalone
from api.processes.step_by_step import StepByStep
from tests.adapters.readers.log import rows

BILLED = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = datetime(2026, 4, 20, 9, tzinfo=UTC)
ACCOUNTS = 1_200
"""More than a chunk of the importer, of the ticker, and of work over many accounts."""
SOON = 60.0


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"ARREARS_MASTER_KEY": b64encode(bytes(32)).decode(), "ARREARS_OUTBOX": str(tmp_path / "outbox")}


@pytest.fixture
def invoices(tmp_path: Path) -> Path:
    lines = [f"A-{n},INV-{n},2026-03-01,2026-03-31,10.00,USD" for n in range(ACCOUNTS)]
    file = tmp_path / "invoices.csv"
    file.write_text("\n".join(["account_number,invoice_number,issued_on,due_on,amount,currency", *lines]))
    return file


class Processes:
    """Processes of a kind on one database, one after the other, each told to end once it has stored something."""

    def __init__(self, database: Database, env: dict[str, str]) -> None:
        self.database = database
        self.env = env
        self.clock = ManualClock(BILLED)
        self.open: list[Core] = []

    def new(self, *, ends_after_an_append: bool = False) -> StepByStep:
        self.close()
        made = StepByStep(Database(self.database.dsn), data_dir=None, env=self.env, clock=self.clock)
        if ends_after_an_append:
            made.when_stored(made.stop.set)
        self.open.append(made)
        return made

    def close(self) -> None:
        while self.open:
            self.open.pop().close()

    def count(self, question: str) -> int:
        return int(rows(self.database, question)[0][0])

    def events(self, name: str) -> int:
        return self.count(f"SELECT count(*) FROM arrears.events WHERE name = '{name}'")


@pytest.fixture
def processes(database: Database, env: dict[str, str]) -> Iterator[Processes]:
    made = Processes(database, env)
    yield made
    made.close()


def bring_in(service: StepByStep, file: Path) -> Any:
    return service.import_file(file, "invoices", defaults=OfficeDefaults(currency="USD"))


def test_an_import_ends_between_chunks_and_the_next_one_brings_in_the_rest(processes: Processes, invoices: Path):
    with pytest.raises(Stopped):
        bring_in(processes.new(ends_after_an_append=True), invoices)
    some = processes.events("account.invoice-billed")
    assert 0 <= some < ACCOUNTS
    report = bring_in(processes.new(), invoices)
    assert report.unchanged == some
    assert processes.events("account.invoice-billed") == ACCOUNTS


def test_a_tick_ends_between_chunks_and_what_is_left_is_done_at_the_next_once(processes: Processes, invoices: Path):
    service = processes.new()
    bring_in(service, invoices)
    before = processes.events("account.aged")
    processes.clock.set(LATER)
    with pytest.raises(Stopped):
        processes.new(ends_after_an_append=True).ticker.tick(LATER)
    some = processes.events("account.aged") - before
    assert 0 < some < ACCOUNTS
    processes.new().tick()
    assert processes.events("account.aged") - before == ACCOUNTS


def test_bringing_up_to_date_ends_between_batches(processes: Processes, invoices: Path):
    service = processes.new()
    bring_in(service, invoices)
    service.stop.set()
    with pytest.raises(Stopped):
        service.drain()
    service = processes.new()
    for reader in service.runners:
        service.stop.set()
        with pytest.raises(Stopped):
            reader.catch_up(service.feed.head() + 1)


def test_building_read_tables_ends_between_batches_and_the_next_start_goes_on(processes: Processes, invoices: Path):
    bring_in(processes.new(), invoices)
    service, seen = processes.new(), list[int]()

    def progress(name: str, position: int, target: int) -> None:
        del name, target
        seen.append(position)
        service.stop.set()

    with pytest.raises(Stopped):
        service.projections.rebuild_all(progress)
    assert len(seen) == 1
    states = rows(processes.database, "SELECT DISTINCT state FROM read_model.projections ORDER BY state")
    assert states == [("building",), ("live",)]
    processes.new().projections.rebuild_all()
    assert rows(processes.database, "SELECT DISTINCT state FROM read_model.projections") == [("live",)]


def test_a_switch_that_a_long_query_delays_does_not_wait_for_it(processes: Processes):
    service = processes.new()
    service.prepare()
    service.drain()
    with processes.database.connect() as looking, looking.transaction():
        looking.execute("SELECT * FROM read_model.promises")
        ended: list[type[BaseException] | None] = []

        def rebuild() -> None:
            try:
                service.projections.rebuild("promises", progress)
            except BaseException as error:
                ended.append(type(error))

        reached = threading.Event()

        def progress(name: str, position: int, target: int) -> None:
            del name, position, target
            reached.set()

        thread = threading.Thread(target=rebuild)
        thread.start()
        assert reached.wait(SOON)
        service.stop.set()
        thread.join(SOON)
    assert ended == [Stopped]


def test_waiting_for_somebody_else_who_builds_ends_too(processes: Processes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(projections, "_STANDBY_SECONDS", SOON)
    service = processes.new()
    with processes.database.connect() as elsewhere:
        for name in service.projections.names:
            elsewhere.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"arrears.projection:{name}"])
        threading.Timer(0.2, service.stop.set).start()
        with pytest.raises(Stopped):
            service.prepare()


def test_a_statement_that_takes_long_is_cancelled(database: Database):
    stop = Stop()
    with database.connect() as connection:
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(Stopped), cancelled_on(stop, connection):
            connection.execute("SELECT pg_sleep(600)")
        connection.rollback()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_statement_that_somebody_else_cancels_is_no_order_to_end(database: Database):
    with database.connect() as connection:
        connection.execute("SET statement_timeout TO 50")
        with pytest.raises(psycopg.errors.QueryCanceled), cancelled_on(Stop(), connection):
            connection.execute("SELECT pg_sleep(600)")


class Deaf(Worker):
    """A part of these tests that does not listen."""

    name = "deaf"
    does = "Not listen"
    at_work = "Working"
    how_many = HowMany.ANY
    needs = frozenset()

    def __init__(self) -> None:
        self.works = threading.Event()
        self.may_end = threading.Event()

    def in_thread(self, core: Core, stop: threading.Event) -> Run:
        del core, stop
        return self._work

    alone = in_thread

    def _work(self, stop: threading.Event) -> None:
        del stop
        self.works.set()
        self.may_end.wait(SOON)


def test_threads_of_a_service_keep_each_other_waiting_for_a_millisecond(
    database: Database, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    """An answer to a person waits for its turn some twenty times."""
    monkeypatch.setattr(parts, "PARTS", ())
    usual = sys.getswitchinterval()
    with Standalone(Database(database.dsn), data_dir=None, env=env) as service:
        service.start()
        now = sys.getswitchinterval()
        sys.setswitchinterval(usual)
    assert now == pytest.approx(0.001)


def test_a_part_that_does_not_end_is_left_behind(
    database: Database, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    deaf = Deaf()
    monkeypatch.setattr(parts, "PARTS", (*parts.PARTS, deaf))
    monkeypatch.setattr(standalone, "_END_SECONDS", 2.0)
    service = Standalone(Database(database.dsn), data_dir=None, env=env)
    service.start()
    assert deaf.works.wait(SOON)
    service.close()
    left = [each.name for each in threading.enumerate() if each.name == "deaf"]
    deaf.may_end.set()
    assert left == ["deaf"]

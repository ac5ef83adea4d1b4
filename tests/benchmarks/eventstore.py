"""The event store beside the library's own: appends, whole commands, batches."""

import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Signal
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate as StockAggregate
from eventsourcing.domain import event as stock_event
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from adapters.eventstore.application import Arrears
from adapters.eventstore.keys import KeyRing
from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.recorder import LogRecorder, app_connections
from adapters.eventstore.sealer import Sealer
from adapters.postgres.database import Database
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Issued
from aggregates.kernel.event import Meta, Recorded
from tests.adapters.eventstore.ledger import Count, Counted, OpenCase
from tests.benchmarks.harness import Row, benchmark, fresh_database

ACTOR = Actor.service("benchmark")
_PROCESSES, _THREADS = 2, 8
_SECONDS = 4.0
_ROUNDS = 3
_MASTER_KEY = bytes(32)
_PAYLOAD = 150  # bytes of JSON in a stock event, as in one of ours

Once = Callable[[], None]
"""Does one unit of work and returns when it is durable."""


# --- many writers at once ------------------------------------------------------------------------------------


def _writers(make: Callable[[str], Callable[[], Once]], dsn: str) -> tuple[int, float]:
    """How often 16 threads in 2 processes did it, and in how many seconds."""
    context = multiprocessing.get_context("spawn")
    ready, counts = context.Queue(), context.Queue()
    go = context.Event()
    processes = [context.Process(target=_writer, args=[make, dsn, ready, go, counts]) for _ in range(_PROCESSES)]
    for process in processes:
        process.start()
    for _ in processes:
        ready.get(timeout=60)
    started = time.perf_counter()
    go.set()
    total = sum(counts.get(timeout=60 + _SECONDS) for _ in processes)
    seconds = time.perf_counter() - started
    for process in processes:
        process.join()
    return total, seconds


def _writer(
    make: Callable[[str], Callable[[], Once]], dsn: str, ready: "Queue[int]", go: Signal, counts: "Queue[int]"
) -> None:
    new_worker = make(dsn)
    workers = [new_worker() for _ in range(_THREADS)]
    done = [0] * _THREADS

    def work(number: int) -> None:
        once = workers[number]
        once()  # connections and statements are made before the clock runs
        ready_here.wait()
        go.wait()
        until = time.perf_counter() + _SECONDS
        while time.perf_counter() < until:
            once()
            done[number] += 1

    ready_here = threading.Barrier(_THREADS + 1)
    threads = [threading.Thread(target=work, args=[number]) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    ready_here.wait()
    ready.put(1)
    for thread in threads:
        thread.join()
    counts.put(sum(done))


def _rate(make: Callable[[str], Callable[[], Once]], dsn: str) -> float:
    total, seconds = _writers(make, dsn)
    return total / seconds


# --- the recorder alone ----------------------------------------------------------------------------------------


def our_recorder(dsn: str) -> Callable[[], Once]:
    recorder = LogRecorder(app_connections(Database(dsn)))
    mapper = EventMapper(KeyRing(app_connections(Database(dsn)), _MASTER_KEY))

    def new_worker() -> Once:
        aggregate_id, version, command_id = uuid4(), 0, uuid4()
        meta = Meta(actor="service:benchmark", command_id=command_id, correlation_id=command_id)
        today, now = datetime.now(UTC).date(), datetime.now(UTC)

        def once() -> None:
            nonlocal version
            version += 1
            event = Recorded(aggregate_id, version, uuid4(), aggregate_id, today, now, Counted(by=version), meta)
            recorder.append(mapper.encode([event])[0])

        return once

    return new_worker


def _stock_datastore(dsn: str) -> PostgresDatastore:
    given = conninfo_to_dict(dsn)
    return PostgresDatastore(
        dbname=str(given.get("dbname", "postgres")),
        host=str(given.get("host", "")),
        port=str(given.get("port", "5432")),
        user=str(given.get("user", "")),
        password=str(given.get("password", "")),
        pool_size=_THREADS,
        max_overflow=_THREADS,
    )


def stock_recorder(dsn: str) -> Callable[[], Once]:
    recorder = PostgresApplicationRecorder(_stock_datastore(dsn))
    recorder.datastore.register_type_adapters()
    recorder.datastore.pool.open()
    if not recorder.datastore.psycopg_type_adapters:
        recorder.create_table()

    def new_worker() -> Once:
        originator_id, version = uuid4(), 0
        state = b"x" * _PAYLOAD

        def once() -> None:
            nonlocal version
            version += 1
            recorder.insert_events([StoredEvent(originator_id, version, "benchmark:Counted", state)])

        return once

    return new_worker


class _Reader:
    """Reads along by position from another thread, and notices what it was never shown."""

    def __init__(self, recorder: LogRecorder | PostgresApplicationRecorder) -> None:
        self._recorder = recorder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.position, self.count = 0, 0

    def _read(self) -> None:
        while not self._stop.is_set():
            batch = self._recorder.select_notifications(self.position, 1_000, inclusive_of_start=False)
            self.count += len(batch)
            if batch:
                self.position = batch[-1].id
            else:
                time.sleep(0.005)

    def __enter__(self) -> "_Reader":
        self._thread.start()
        return self

    def wait_for(self, count: int) -> None:
        until = time.monotonic() + 60
        while self.count < count and time.monotonic() < until:
            time.sleep(0.005)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def _count(database: Database, table: str) -> int:
    with database.connect() as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0


@benchmark("recorder")
def recorder_rate() -> list[Row]:
    """Appends of one event per transaction by 16 writers in 2 processes, sealed and read along."""
    ours, stock = [], []
    with fresh_database() as database:
        stock_reader = PostgresApplicationRecorder(_stock_datastore(database.dsn))
        stock_reader.create_table()
        our_reader = LogRecorder(app_connections(database))
        sealer, stop = Sealer(database), threading.Event()
        sealing = threading.Thread(target=sealer.run, args=[stop])
        sealing.start()
        with _Reader(our_reader) as along:
            for _ in range(_ROUNDS):
                ours.append(_rate(our_recorder, database.dsn))
                written = _count(database, "arrears.events")
                along.wait_for(written)
                if (along.count, along.position) != (written, written):
                    raise AssertionError(f"{written} were written, {along.count} read, up to {along.position}")
                stock.append(_rate(stock_recorder, database.dsn))
        stop.set()
        sealing.join()
        stock_reader.datastore.close()
    return [
        Row(
            "recorder, 1 event per transaction, 16 writers",
            statistics.median(ours),
            "events/s",
            "eventsourcing's Postgres recorder",
            statistics.median(stock),
            3.5,
        ),
    ]


# --- whole commands --------------------------------------------------------------------------------------------


def our_commands(dsn: str) -> Callable[[], Once]:
    app = Arrears(Database(dsn), master_key=_MASTER_KEY)

    def new_worker() -> Once:
        case_id = uuid4()
        app.handle([Issued(OpenCase(case_id=case_id), uuid4(), ACTOR)])

        def once() -> None:
            app.handle([Issued(Count(case_id=case_id), uuid4(), ACTOR)])

        return once

    return new_worker


class StockCase(StockAggregate):
    """The same aggregate in the library's own way."""

    @stock_event("Opened")
    def __init__(self, label: str) -> None:
        self.label = label
        self.total = 0

    @stock_event("Counted")
    def count(self, by: int) -> None:
        self.total += by


def _stock_application(dsn: str) -> "Application[UUID]":
    given = conninfo_to_dict(dsn)
    return Application(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": str(given.get("dbname", "postgres")),
            "POSTGRES_HOST": str(given.get("host", "")),
            "POSTGRES_PORT": str(given.get("port", "5432")),
            "POSTGRES_USER": str(given.get("user", "")),
            "POSTGRES_PASSWORD": str(given.get("password", "")),
            "POSTGRES_POOL_SIZE": str(_THREADS),
            "AGGREGATE_CACHE_MAXSIZE": "1000",
        }
    )


def stock_commands(dsn: str) -> Callable[[], Once]:
    app = _stock_application(dsn)

    def new_worker() -> Once:
        case = StockCase("a case")
        app.save(case)

        def once() -> None:
            loaded: StockCase = app.repository.get(case.id)
            loaded.count(1)
            app.save(loaded)

        return once

    return new_worker


@benchmark("command")
def command_rate() -> list[Row]:
    """Single commands (load, decide, append, command id) by 16 threads in 2 processes, sealer running."""
    ours, stock = [], []
    with fresh_database() as database:
        _stock_application(database.dsn).close()
        sealer, stop = Sealer(database), threading.Event()
        sealing = threading.Thread(target=sealer.run, args=[stop])
        sealing.start()
        for _ in range(_ROUNDS):
            ours.append(_rate(our_commands, database.dsn))
            stock.append(_rate(stock_commands, database.dsn))
        stop.set()
        sealing.join()
    return [
        Row(
            "one command at a time, 16 callers",
            statistics.median(ours),
            "commands/s",
            "eventsourcing's get and save",
            statistics.median(stock),
            2.5,
        )
    ]


@benchmark("batch")
def batch_rate() -> list[Row]:
    """Batches of 1,000 commands on 1,000 aggregates through handle, sealer running."""
    ours, stock = [], []
    with fresh_database() as database, Arrears(database, master_key=_MASTER_KEY) as app:
        sealer, stop = Sealer(database), threading.Event()
        sealing = threading.Thread(target=sealer.run, args=[stop])
        sealing.start()
        for _ in range(_ROUNDS):
            case_ids = [uuid4() for _ in range(1_000)]
            app.handle([Issued(OpenCase(case_id=i, who="Ada"), uuid4(), ACTOR) for i in case_ids])
            ours.append(_batches(lambda ids=case_ids: _count_all(app, ids)))  # type: ignore[misc]
            stock_app = _stock_application(database.dsn)
            cases = [StockCase("a case") for _ in range(1_000)]
            stock_app.save(*cases)
            stock.append(_batches(lambda a=stock_app, c=cases: _stock_count_all(a, c)))  # type: ignore[misc]
            stock_app.close()
        stop.set()
        sealing.join()
    return [
        Row(
            "batches of 1,000 commands",
            statistics.median(ours),
            "commands/s",
            "eventsourcing's save of the same 1,000 events",
            statistics.median(stock),
            5_000,
            goal_is_value=True,
        )
    ]


def _batches(once: Callable[[], Any]) -> float:
    once()
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < _SECONDS / 2:
        once()
        count += 1_000
    return count / (time.perf_counter() - started)


def _count_all(app: Arrears, case_ids: list[UUID]) -> None:
    app.handle([Issued(Count(case_id=i), uuid4(), ACTOR) for i in case_ids])


def _stock_count_all(app: "Application[UUID]", cases: list[StockCase]) -> None:
    """Without loading: the library has no way to load many at once."""
    for case in cases:
        case.count(1)
    app.save(*cases)

"""Rebuilding projections from a long log, beside the library's runner, which gives them one event at a time."""

import multiprocessing
import os
import time
from collections.abc import Callable
from datetime import date, datetime
from multiprocessing.queues import Queue
from typing import Any, ClassVar
from uuid import UUID

import orjson
import psutil
from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection as StockProjection
from eventsourcing.projection import ProjectionRunner
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import tuple_row

from adapters.eventstore.feed import Feed
from adapters.eventstore.keys import KeyRing
from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.recorder import app_connections
from adapters.postgres.database import Database
from adapters.readers.projections import Projections
from aggregates.kernel.event import REGISTRY, Meta, Recorded
from projections.account_history.projection import AccountHistoryProjection
from projections.activity_history.projection import ActivityHistoryProjection
from projections.agenda.projection import AgendaProjection
from projections.audit_trail.projection import AuditTrailProjection
from projections.base import Projection
from projections.collections_report.projection import CollectionsReportProjection
from projections.ledger.projection import LedgerProjection
from projections.promises.projection import PromisesProjection
from tests.benchmarks.harness import Row, benchmark, fresh_database
from tests.benchmarks.history import MASTER_KEY, history, write

EVENTS_VARIABLE = "ARREARS_BENCH_EVENTS"
_EVENTS = 1_000_000
_PEER_EVENTS = 4_000
_PEER_CHUNK = 200  # the library's pipeline waits for ever on thousands
_PEER = "eventsourcing's ProjectionRunner"

_FACTORIES: tuple[Callable[[], Projection], ...] = (
    CollectionsReportProjection,
    AgendaProjection,
    LedgerProjection,
    AccountHistoryProjection,
    ActivityHistoryProjection,
    AuditTrailProjection,
    PromisesProjection,
)


@benchmark("rebuild")
def rebuild() -> list[Row]:
    """Every projection rebuilt from the whole log: 1,000,000 events, or as many as ARREARS_BENCH_EVENTS says."""
    rows: list[Row] = []
    with fresh_database() as database:
        events = write(database, int(os.environ.get(EVENTS_VARIABLE, _EVENTS)))
        with database.connect(autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE arrears.events")
        projections = _projections(database)
        for make in _FACTORIES:
            name = make().name
            ours = _timed(events, lambda name=name: projections.rebuild(name))  # type: ignore[misc]
            stock = _stock_rate(database, make)
            rows.append(Row(f"rebuild {name}", ours, "events/s", _PEER, stock, 15))
            rows.append(Row(f"rebuild {name}, at least", ours, "events/s", "", None, 20_000, goal_is_value=True))
        together = _timed(events, lambda: projections.rebuild_all(afresh=True))
        rows.append(Row("rebuild all in one pass", together, "events/s", "", None, None))
        memory = psutil.Process().memory_info().rss / 1e6
        rows.append(Row("memory of the rebuilding process", memory, "MB", "", None, None))
    return rows


def _projections(database: Database) -> Projections:
    connections = app_connections(database)
    feed = Feed(database, connections, EventMapper(KeyRing(connections, MASTER_KEY)))
    return Projections(database, feed, _FACTORIES)


def _timed(events: int, work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return events / (time.perf_counter() - started)


# --- the library's way: the same projection, one event and one transaction at a time -----------------------------


def _stock_rate(database: Database, make: Callable[[], Projection]) -> float:
    """Events per second on a sample of the same history, in a database of its own on the same server."""
    name = f"peer_{make().name}"
    with database.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    peer = Database(make_conninfo(database.dsn, dbname=name))
    with peer.connect() as connection:
        make().create(connection)
        make().complete(connection)
    context = multiprocessing.get_context("spawn")
    rates: Queue[float] = context.Queue()
    process = context.Process(target=_run_stock, args=[peer.dsn, make, rates], daemon=True)
    process.start()
    try:
        return rates.get(timeout=300)
    finally:
        process.kill()  # the library's runner may wait for its own listening thread for ever
        process.join()
        with database.connect(autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _run_stock(dsn: str, make: Callable[[], Projection], rates: "Queue[float]") -> None:
    given = conninfo_to_dict(dsn)
    env = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(given["dbname"]),
        "POSTGRES_HOST": str(given.get("host", "")),
        "POSTGRES_PORT": str(given.get("port", "5432")),
        "POSTGRES_USER": str(given.get("user", "")),
        "POSTGRES_PASSWORD": str(given.get("password", "")) or "none",
    }
    log = _StockLog(env)
    sample = [event for visit in history(_PEER_EVENTS // 28) for event in visit][:_PEER_EVENTS]
    for start in range(0, len(sample), _PEER_CHUNK):
        log.recorder.insert_events([log.mapper.to_stored_event(each) for each in sample[start : start + _PEER_CHUNK]])
    _StockView.projection = make()
    started = time.perf_counter()
    with ProjectionRunner(
        application_class=_StockLog, projection_class=_StockReader, view_class=_StockView, env=env
    ) as runner:
        runner.wait(len(sample), timeout=300)
        rates.put(len(sample) / (time.perf_counter() - started))


class _StockMapper(Mapper[UUID]):
    """Our events in the library's rows: models as JSON, read back into models."""

    def __init__(self) -> None:
        super().__init__(transcoder=JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        recorded: Any = domain_event
        state = orjson.dumps(
            {
                "event_id": recorded.event_id,
                "account_id": recorded.account_id,
                "effective_on": recorded.effective_on,
                "recorded_at": recorded.recorded_at,
                "event": recorded.event.model_dump(mode="json"),
                "meta": recorded.meta.model_dump(mode="json"),
            }
        )
        return StoredEvent(recorded.aggregate_id, recorded.version, recorded.name, state)

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        data = orjson.loads(stored_event.state)
        return Recorded(
            aggregate_id=UUID(str(stored_event.originator_id)),
            version=stored_event.originator_version,
            event_id=UUID(data["event_id"]),
            account_id=UUID(data["account_id"]) if data["account_id"] else None,
            effective_on=date.fromisoformat(data["effective_on"]),
            recorded_at=datetime.fromisoformat(data["recorded_at"]),
            event=REGISTRY.current(stored_event.topic).model_validate(data["event"]),
            meta=Meta.model_validate(data["meta"]),
        )


class _StockLog(Application[UUID]):
    name = "log"

    def construct_mapper(self) -> Mapper[UUID]:
        return _StockMapper()


class _StockView(PostgresTrackingRecorder):
    projection: ClassVar[Projection]

    def show(self, recorded: Recorded, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            connection: Connection[Any] = cursor.connection
            theirs, connection.row_factory = connection.row_factory, tuple_row
            self.projection.handle([recorded], connection)
            connection.row_factory = theirs


class _StockReader(StockProjection[_StockView]):
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        domain_event.position = tracking.notification_id
        self.view.show(domain_event, tracking)

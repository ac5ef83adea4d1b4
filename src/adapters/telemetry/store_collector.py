"""What the database knows about how well Arrears is, asked when somebody looks: lag, backlog, dead letters, agenda."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg import Connection

from adapters.clock import Clock, SystemClock
from adapters.clock_check import difference
from adapters.postgres.database import Database
from adapters.postgres.lease import HELD
from adapters.readers.generations import IS_BEING_BUILT
from aggregates.values.business_time import local_date
from policies.agenda import KINDS
from projections.agenda.queries import count_due, latest_zones

CONNECT_SECONDS = 3
_STATEMENT_MS = 5_000
MOST_UNSEALED = 100_000
MOST_DUE = 10_000

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure that is asked for: its name, what it means, and what it is told apart by."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()


_OF_A_READER = ("reader", "state")
_OF_A_PARTITION = ("reader", "state", "partition")

UP = Gauge("arrears_database_up", "1 where the database answered, else 0, and then nothing else is known.")
HEAD = Gauge("arrears_log_head_position", "Position of the last sealed event.")
UNSEALED = Gauge(
    "arrears_log_unsealed_events",
    f"Stored events that wait for the sealer; at most {MOST_UNSEALED:,} are counted.",
)
LAG_EVENTS = Gauge("arrears_reader_lag_events", "How far a reader is behind the head of the log.", _OF_A_PARTITION)
LAG_SECONDS = Gauge(
    "arrears_reader_lag_seconds", "How long the next event of a reader has been sealed; 0 at the head.", _OF_A_PARTITION
)
PARKED = Gauge(
    "arrears_reader_parked_sequences", "Accounts whose events a reader has put aside after a failure.", _OF_A_READER
)
STANDS_STILL = Gauge(
    "arrears_reader_stands_still",
    "1 while something keeps a reader from going on, such as a generation's builder that ended.",
    _OF_A_READER,
)
DUE = Gauge(
    "arrears_agenda_due_items",
    f"Agenda items that are due and not worked yet; at most {MOST_DUE:,} of all kinds are counted.",
    ("kind",),
)

WORK_OPEN = Gauge("arrears_work_open", "Pieces of work over many accounts that are not finished.")
WORK_LEFT = Gauge(
    "arrears_work_left_accounts",
    "Accounts that open work has not asked yet; counted with its first chunk.",
)

PLACEMENT_FILES = Gauge(
    "arrears_placement_files",
    "Files for agencies that wait, of which nobody knows whether they arrived, or that were not acknowledged in time.",
    ("state",),
)

CLOCK_DIFFERENCE = Gauge(
    "arrears_clock_difference_seconds",
    "How far the clock of this process is ahead of the database's, below 0 behind; beyond the tolerance there are no"
    " ticks.",
)

LEASE_AGE = Gauge(
    "arrears_lease_age_seconds",
    "How long ago the process that has a role showed that it goes on; beyond 10 another may take over.",
    ("role", "holder"),
)

GAUGES = (
    UP,
    HEAD,
    UNSEALED,
    LAG_EVENTS,
    LAG_SECONDS,
    PARKED,
    STANDS_STILL,
    DUE,
    WORK_OPEN,
    WORK_LEFT,
    PLACEMENT_FILES,
    CLOCK_DIFFERENCE,
    LEASE_AGE,
)


class StoreCollector(Collector):
    """Asks with a few queries each time it is collected, on a connection of its own. Never raises.

    What it finds concerns the whole installation: one process need show it.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._one_at_a_time = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        with self._one_at_a_time:
            try:
                found = self._ask()
            except Exception as error:  # whoever looks must see the rest, and that the database is away
                _log.warning("the database was not there to be measured", error=type(error).__name__)
                found = [_family(UP, {(): 0})]
        yield from found

    def describe(self) -> Iterator[Metric]:
        """The same without figures: registering asks nothing."""
        yield from (_family(gauge, {}) for gauge in GAUGES)

    def _ask(self) -> list[Metric]:
        with (
            psycopg.connect(
                self._database.conninfo("arrears_app"), connect_timeout=CONNECT_SECONDS, autocommit=True
            ) as connection,
            connection.transaction(),
        ):
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(_STATEMENT_MS)])
            return [
                _family(UP, {(): 1}),
                _family(CLOCK_DIFFERENCE, {(): difference(self._clock, connection).total_seconds()}),
                *_of_the_log(connection),
                *_of_readers(connection),
                *_of_leases(connection),
                *_of_work(connection),
                *_of_placement_files(connection),
                *_of_the_agenda(connection, self._clock.now()),
            ]


_HEAD_AND_BACKLOG = """
    SELECT coalesce((SELECT max(last) FROM arrears.seals), 0),
           (SELECT count(*) FROM (SELECT FROM arrears.events WHERE position IS NULL ORDER BY seq LIMIT %s) AS waiting)
"""


def _of_the_log(connection: Connection[Any]) -> Iterator[Metric]:
    row = connection.execute(_HEAD_AND_BACKLOG, [MOST_UNSEALED]).fetchone()
    head, unsealed = row or (0, 0)
    yield _family(HEAD, {(): head})
    yield _family(UNSEALED, {(): unsealed})


# A divided reader stands in each of its partitions, and nowhere before the checkpoint, which is the least of them.
_READERS = f"""
    SELECT split_part(c.reader, '@', 1), coalesce(g.state, 'live'), coalesce(p.partition::text, ''),
           greatest(0, (SELECT coalesce(max(last), 0) FROM arrears.seals) - stands.at),
           coalesce(greatest(0, extract(epoch FROM clock_timestamp() - next.sealed_at)), 0)::float8,
           (SELECT count(DISTINCT d.sequence_id) FROM read_model.dead_letters AS d
            WHERE d.reader = c.reader AND d.state = 'parked'),
           c.trouble IS NOT NULL
           OR (g.state IS NOT DISTINCT FROM 'building' AND NOT {IS_BEING_BUILT.format(name="g.name")})
    FROM read_model.checkpoints AS c
    LEFT JOIN read_model.projections AS g ON g.reader = c.reader
    LEFT JOIN read_model.partitions  AS p ON p.reader = c.reader
    CROSS JOIN LATERAL (SELECT greatest(c.position, p.position) AS at) AS stands
    LEFT JOIN LATERAL (
        SELECT sealed_at FROM arrears.seals WHERE last > stands.at ORDER BY last LIMIT 1
    ) AS next ON true
    WHERE g.state IS DISTINCT FROM 'retired'
    ORDER BY 1, 2, p.partition
"""  # noqa: S608 - constants


def _of_readers(connection: Connection[Any]) -> Iterator[Metric]:
    events: dict[tuple[str, ...], float] = {}
    seconds: dict[tuple[str, ...], float] = {}
    parked: dict[tuple[str, ...], float] = {}
    stands_still: dict[tuple[str, ...], float] = {}
    for reader, state, partition, behind, waiting, put_aside, has_trouble in connection.execute(_READERS):
        events[reader, state, partition] = behind
        seconds[reader, state, partition] = waiting
        parked[reader, state] = put_aside
        stands_still[reader, state] = has_trouble
    yield _family(LAG_EVENTS, events)
    yield _family(LAG_SECONDS, seconds)
    yield _family(PARKED, parked)
    yield _family(STANDS_STILL, stands_still)


_LEASES = f"""
    SELECT lease.role, lease.holder, greatest(0, extract(epoch FROM clock_timestamp() - lease.renewed_at))::float8
    FROM {HELD} WHERE lease.role NOT LIKE '%@%'
"""  # noqa: S608 - constants


def _of_leases(connection: Connection[Any]) -> Iterator[Metric]:
    """Roles that a process has now, but for projections, whose lag says as much."""
    yield _family(LEASE_AGE, {(role, holder): age for role, holder, age in connection.execute(_LEASES)})


def _of_work(connection: Connection[Any]) -> Iterator[Metric]:
    row = connection.execute(
        "SELECT count(*), coalesce(sum(accounts - done - refused - failed), 0)::bigint FROM arrears.work WHERE is_open"
    ).fetchone()
    is_open, left = row or (0, 0)
    yield _family(WORK_OPEN, {(): is_open})
    yield _family(WORK_LEFT, {(): left})


_FILES = """
    SELECT count(*) FILTER (WHERE state IN ('requested', 'made', 'delivering')),
           count(*) FILTER (WHERE state = 'uncertain'),
           count(*) FILTER (WHERE overdue_on IS NOT NULL AND matches IS NOT TRUE)
    FROM read_model.placement_files
"""


def _of_placement_files(connection: Connection[Any]) -> Iterator[Metric]:
    row = connection.execute("SELECT to_regclass('read_model.placement_files') IS NOT NULL").fetchone()
    if row is None or not row[0]:  # not built yet
        return
    counts = connection.execute(_FILES).fetchone() or (0, 0, 0)
    states = ("waiting", "uncertain", "overdue")
    yield _family(PLACEMENT_FILES, {(state,): count for state, count in zip(states, counts, strict=True)})


def _of_the_agenda(connection: Connection[Any], now: datetime) -> Iterator[Metric]:
    row = connection.execute("SELECT to_regclass('read_model.agenda') IS NOT NULL").fetchone()
    if row is None or not row[0]:  # no projection was built yet
        return
    latest = max((local_date(now, zone) for zone in latest_zones(connection)), default=now.date())
    due = count_due(connection, now=now, latest_local_date=latest, most=MOST_DUE)
    yield _family(DUE, {(kind,): count for kind, count in {**dict.fromkeys(KINDS, 0), **due}.items()})


def _family(gauge: Gauge, figures: Mapping[tuple[str, ...], float]) -> Metric:
    family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=gauge.labels)
    for labels, figure in figures.items():
        family.add_metric(labels, figure)
    return family

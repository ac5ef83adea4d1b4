"""Readers of the topic: projections and subscribers, beside a bare consumer."""

import statistics
import threading
import time
from uuid import UUID, uuid4

from kafka import KafkaConsumer
from psycopg import sql

from adapters.kafka.connection import events_topic
from adapters.kafka.seats import Batch, Seat
from adapters.kafka.subscriber import Subscriber
from adapters.kafka.topic_runner import TopicRunner
from adapters.readers.generations import Generation
from aggregates.kernel.command import Accepted
from api.processes.core import PROJECTIONS
from api.processes.parts.project import projection_seat
from api.processes.step_by_step import StepByStep
from tests.benchmarks.flow import payment
from tests.benchmarks.harness import Row, benchmark
from tests.benchmarks.stage import TODAY, Stage, billed, real_mix, running, staged, until

_INVOICES = 7_500
_ROUNDS = 3
_RATE, _SECONDS = 100, 15
_ACCOUNTS = 1_000


@benchmark("consumers")
def projections() -> list[Row]:
    """Each projection over Kafka from the topic's beginning, beside a bare consumer of the same messages."""
    rows = []
    with staged(real_mix(_INVOICES)) as stage:
        for projection in PROJECTIONS:
            rates = [(_bare(stage), _projected(stage, projection.name)) for _ in range(_ROUNDS)]
            bare, ours = map(statistics.median, zip(*rates, strict=True))
            rows.append(Row(f"{projection.name} over Kafka", ours, "events/s", "bare consumer", bare, 0.35))
    return rows


def _bare(stage: Stage) -> float:
    """Messages a second, from the first poll that brings some."""
    consumer = KafkaConsumer(
        events_topic(stage.env),
        bootstrap_servers=stage.env["KAFKA_BOOTSTRAP_SERVERS"],
        group_id=f"bench-{uuid4().hex[:8]}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    started, seen = 0.0, 0
    try:
        while seen < stage.events:
            polled = consumer.poll(timeout_ms=1_000, max_records=2_000)
            started = started or time.perf_counter()
            seen += sum(map(len, polled.values()))
        return stage.events / (time.perf_counter() - started)
    finally:
        consumer.close()


def _projected(stage: Stage, name: str) -> float:
    """Events a second, from the first batch to the last checkpoint, into tables that are emptied."""
    with stage.service() as service:
        _empty(stage, service.projections.live(name)[1])
        started: list[float] = []

        def seated() -> Seat:
            seat = projection_seat(service, name)
            take = seat.take

            def timed(batch: Batch, of: int) -> set[int]:
                started.append(time.perf_counter())
                return take(batch, of)

            seat.take = timed  # type: ignore[method-assign]
            return seat

        runner = TopicRunner(
            service.database,
            service.arrears.event_mapper,
            service.feed,
            {name: seated},
            group=f"bench-{uuid4().hex[:8]}",
            env=stage.env,
        )
        stop = threading.Event()
        thread = threading.Thread(target=runner.run, args=[stop])
        thread.start()
        try:
            if not service.projections.watermark.wait(name, stage.events, timeout=300):
                raise TimeoutError(f"{name} does not show everything after 300 s")
            seconds = time.perf_counter() - started[0]
        finally:
            stop.set()
            thread.join()
        return stage.events / seconds


def _empty(stage: Stage, generation: Generation) -> None:
    """Takes a generation back to the log's beginning."""
    with stage.database.connect(autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [generation.schema])
        for (table,) in tables.fetchall():
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(generation.schema, table)))
        connection.execute("DELETE FROM read_model.partitions WHERE reader = %s", [generation.reader])
        connection.execute("UPDATE read_model.checkpoints SET position = 0 WHERE reader = %s", [generation.reader])


# --- command to a subscriber's hands --------------------------------------------------------------------------


@benchmark("subscriber")
def subscriber() -> list[Row]:
    """From sending a command to a subscriber of the topic having its event, at 100 commands a second."""
    with (
        staged(billed(_ACCOUNTS)) as stage,
        stage.service() as service,
        running(stage, ("seal", "publish")),
    ):
        stop, seen, reading = threading.Event(), dict[UUID, float](), threading.Event()
        thread = threading.Thread(target=_subscribe, args=(stage, stop, seen, reading))
        thread.start()
        reading.wait(60)
        sent: dict[UUID, float] = {}
        first = _pay(service, 0)
        until(lambda: first in seen, 60)  # everything runs
        started = time.perf_counter()
        for n in range(1, _RATE * _SECONDS):
            time.sleep(max(0.0, started + n / _RATE - time.perf_counter()))
            at = time.perf_counter()
            sent[_pay(service, n)] = at
        until(lambda: sent.keys() <= seen.keys(), 60)
        stop.set()
        thread.join()
    delays = sorted(1_000 * (seen[event] - at) for event, at in sent.items())
    return [
        Row(
            f"command to a subscriber, {name}", delays[int(len(delays) * part)], "ms", "limit", 250.0, goal,
            goal_is_value=True, less_is_better=True,
        )
        for name, part, goal in (("p99", 0.99, 250.0), ("p50", 0.5, None))
    ]  # fmt: skip


def _pay(service: StepByStep, n: int) -> UUID:
    outcome = service.arrears.handle([payment(n % _ACCOUNTS, f"P-{n}", TODAY)])[0]
    if not isinstance(outcome, Accepted) or not outcome.event_ids:
        raise RuntimeError(f"not accepted: {outcome}")
    return outcome.event_ids[0]


def _subscribe(stage: Stage, stop: threading.Event, seen: dict[UUID, float], reading: threading.Event) -> None:
    with Subscriber("bench", env=stage.env) as events:

        def end() -> None:
            stop.wait()
            events.stop()

        threading.Thread(target=end, daemon=True).start()
        for batch in events.batches():
            at = time.perf_counter()
            seen.update((envelope.event_id, at) for envelope in batch)
            reading.set()

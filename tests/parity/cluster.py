"""A service whose parts run as in the cluster: over Kafka, by partition, in Faust workers; on a clock that is set."""

import threading
import time
from collections.abc import Mapping
from datetime import datetime

from adapters.clock import ManualClock
from adapters.delivery.queue import is_any_due
from adapters.kafka.connection import events_topic
from adapters.kafka.partition_counts import shared_partitions
from adapters.kafka.publisher import reader_name
from adapters.postgres.database import Database
from adapters.ticker import Ticker, TickReport
from adapters.work.rows import is_any_open
from adapters.workers.clock import ClockWork
from api.processes.parts import CLOCK, PARTS, REACT
from api.processes.parts.part import Part, Worker
from api.processes.step_by_step import StepByStep
from tests.waiting import HANG

_LOOK_SECONDS = 0.01


class ClusterService(StepByStep):
    """Driven step by step like its parent: `drain` waits until every part has nothing left to do."""

    def __init__(self, database: Database, *, env: Mapping[str, str], clock: ManualClock) -> None:
        super().__init__(database, data_dir=None, env=env, clock=clock)
        self.projections.start()
        self.ending = threading.Event()
        self.partitions = shared_partitions(env)
        self._ticks_worked: list[TickReport] = []
        self._ticked = threading.Condition()
        self._clockwork = ClockWork(database, clock, env=env)
        self._failed: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(part,), name=part.name, daemon=True)
            for part in PARTS
            if part is not CLOCK  # it ticks when the test says so
        ]
        for each in self._threads:
            each.start()
        self.ticker.close()
        self.ticker = _ClusterTicker(self)  # type: ignore[assignment]

    def close(self) -> None:
        self.ending.set()
        for each in self._threads:
            each.join(HANG)
        self._clockwork.close()
        super().close()

    def _run(self, part: Part) -> None:
        """As a process of its own does."""
        try:
            if part is REACT:
                REACT.alone(self, self.ending, on_worked=self._tick_worked)(self.ending)
            elif isinstance(part, Worker):
                part.alone(self, self.ending)(self.ending)
        except BaseException as error:
            self._failed.append(error)
            raise

    # --- steps ---

    def drain(self) -> None:
        """Everything stored is sealed, published, projected, reacted to and delivered, and nothing more came of it."""
        if not hasattr(self, "_clockwork"):
            return
        readers = [reader_name(events_topic(self.env)), "policies", "delivery"]
        deadline = time.monotonic() + HANG
        while True:
            head = self.feed.head()
            positions = self._positions(readers)
            is_at_end = not self.has_unsealed() and self.feed.head() == head and all(each >= head for each in positions)
            if is_at_end and not self._is_anything_open():
                return
            if self._failed:
                raise RuntimeError("a part ended") from self._failed[0]
            if time.monotonic() > deadline:
                raise TimeoutError(f"head {head}, readers at {positions}")
            time.sleep(_LOOK_SECONDS)

    def _is_anything_open(self) -> bool:
        with self.database.connect("arrears_app") as connection:
            return is_any_open(connection) or is_any_due(connection, self.clock.now())

    def _positions(self, readers: list[str]) -> list[int]:
        with self.database.connect("arrears_app") as connection:
            rows = connection.execute(
                "SELECT position FROM read_model.checkpoints c LEFT JOIN read_model.projections p USING (reader)"
                " WHERE p.state = 'live' OR reader = ANY (%s)",
                [readers],
            ).fetchall()
        return [0] * (len(readers) + len(self.projections.names) - len(rows)) + [row[0] for row in rows]

    def tick_all(self, now: datetime) -> TickReport:
        """A tick for every partition, worked to its end by whoever has it."""
        with self._ticked:
            self._ticks_worked.clear()
        if not self._clockwork.tick():
            raise RuntimeError("another process says the time")
        with self._ticked:
            if not self._ticked.wait_for(lambda: len(self._ticks_worked) >= self.partitions, HANG):
                raise TimeoutError(f"{len(self._ticks_worked)} of {self.partitions} ticks were worked")
            done = list(self._ticks_worked)
        return TickReport(
            now,
            sum(each.due for each in done),
            sum(each.commands for each in done),
            sum(each.events for each in done),
            sum(each.refused for each in done),
        )

    def _tick_worked(self, partition: int, report: TickReport) -> None:
        del partition
        with self._ticked:
            self._ticks_worked.append(report)
            self._ticked.notify_all()


class _ClusterTicker:
    """What a play asks of a ticker, answered by the cluster."""

    def __init__(self, service: ClusterService) -> None:
        self._service = service
        self._agenda = Ticker(service.arrears, service.database)

    def tick(self, now: datetime) -> TickReport:
        return self._service.tick_all(now)

    def next_due(self, *, after: datetime) -> datetime | None:
        return self._agenda.next_due(after=after)

    def close(self) -> None:
        self._agenda.close()

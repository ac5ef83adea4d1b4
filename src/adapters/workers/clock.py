"""The clock of the cluster: says what time it is to every partition. One process says it, others stand by."""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError
from psycopg import Connection

from adapters.clock import Clock
from adapters.clock_check import TOLERANCE, ClockCheck, ClockDiffers
from adapters.eventstore.seals import head_seal
from adapters.kafka.connection import reaching, ticks_topic
from adapters.kafka.flushing import flush
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.topics import Topics
from adapters.postgres.database import Database
from adapters.postgres.errors import DatabaseProblem
from adapters.postgres.lease import Lease
from adapters.workers.ticks import CLOCK, Tick

_LOCK = "arrears.clock"
_SEND_SECONDS = 10.0
_RETRY_SECONDS = 1.0
_STANDBY_SECONDS = 1.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ClockWork:
    """Sends a tick to each partition, while it has the lease: ticks carry its number."""

    def __init__(
        self, database: Database, clock: Clock, *, env: Mapping[str, str], tolerance: timedelta = TOLERANCE
    ) -> None:
        """`tolerance`: how far the clock may be from the database's."""
        self._database = database
        self._clock = clock
        self._clock_check = ClockCheck(clock, tolerance)
        self._env = env
        self._topic = ticks_topic(env)
        self._connection: Connection[Any] | None = None
        self._lease = Lease(database, CLOCK, lock=_LOCK)
        self._producer: KafkaProducer | None = None
        self._partitions = 0

    def run(self, stop: threading.Event, *, every: float) -> None:
        """A tick every so many seconds, where no other process says the time, until `stop` is set."""
        while not stop.is_set():
            try:
                said = self.tick()
                self._rest(every if said else min(every, _STANDBY_SECONDS), stop)
            except ClockDiffers:  # it was said; another process, whose clock is right, may take over
                self.close()
                stop.wait(every)
            except (psycopg.Error, DatabaseProblem, KafkaError, KafkaUnavailable) as error:
                _log.error("no tick was sent", error=type(error).__name__, said=str(error))
                self.close()
                stop.wait(_RETRY_SECONDS)

    def tick(self) -> bool:
        """Whether it was this process that said the time.

        Raises ClockDiffers, KafkaError, KafkaUnavailable, DatabaseProblem.
        """
        connection = self._leading()
        if connection is None:
            return False
        self._clock_check.require(connection)
        tick = Tick(self._clock.now(), head_seal(connection).position, self._lease.number)
        with connection.transaction():
            self._lease.hold(connection)
            self._clock_check.show(connection, tick.now)
        producer = self._connected()
        sent = [producer.send(self._topic, value=tick.to_json(), partition=each) for each in range(self._partitions)]
        with self._lease.working():
            flush(producer, seconds=_SEND_SECONDS)
        for each in sent:
            each.get(timeout=_SEND_SECONDS)
        return True

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError):
                producer.close(timeout=1.0)
        self._lease.let_go()
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    # --- inside ---

    def _leading(self) -> Connection[Any] | None:
        if self._connection is not None:
            if not self._connection.closed and self._lease.is_kept(self._connection):
                return self._connection
            self.close()
        connection = self._database.connect("arrears_app", autocommit=True)
        try:
            has_it = self._lease.take(connection)
        except BaseException:
            connection.close()
            raise
        if not has_it:
            connection.close()
            return None
        self._connection = connection
        return connection

    def _rest(self, seconds: float, stop: threading.Event) -> None:
        """Until the next tick; meanwhile the lease is renewed."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not stop.wait(min(left, self._lease.renewal_seconds)):
            if self._connection is not None:
                self._lease.renew(self._connection)

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            with Topics(self._env) as topics:
                self._partitions = topics.partitions(self._topic)
            if not self._partitions:
                raise KafkaUnavailable(f"Kafka has no topic {self._topic}.", hint="arrears topics apply makes it.")
            with reaching(self._env) as options:
                self._producer = KafkaProducer(
                    **options,
                    client_id="arrears-clock",
                    acks="all",
                    request_timeout_ms=int(_SEND_SECONDS * 1_000),
                    delivery_timeout_ms=int(_SEND_SECONDS * 1_000) + 1_000,
                    max_block_ms=int(_SEND_SECONDS * 1_000),
                    bootstrap_timeout_ms=int(_SEND_SECONDS * 1_000),
                    allow_auto_create_topics=False,
                )
        return self._producer

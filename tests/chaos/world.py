"""A log, its topics, and what processes of roles need to reach them: PostgreSQL through a proxy, Kafka as is given."""

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.kafka.topics import Topic, Topics
from adapters.postgres.database import Database
from aggregates.kernel.command import identifier
from tests.adapters.readers.builders import OFFICE, an_office, opened
from tests.adapters.readers.log import MASTER_KEY, Log, rows
from tests.proxy import Proxy, before_postgres
from tests.roles import surroundings
from tests.waiting import wait_until

READERS = frozenset({"publisher", "policies", "delivery"})
"""Those that are no projections."""


@dataclass
class World:
    """One office, which has no accounts yet."""

    database: Database
    log: Log
    postgres: Proxy
    env: dict[str, str]

    def goes_on(self, *readers: str) -> None:
        """Something new reaches these readers."""
        position = self.write(1)
        wait_until(lambda: self.is_read(position, *readers), "what is new is read by all")

    def write(self, count: int) -> int:
        """Stores and seals so many events; the last position."""
        names = [f"N-{time.monotonic_ns()}" for _ in range(count)]
        return self.log.append_all([self.log.recorded(identifier("account", each), opened(each)) for each in names])

    def is_read(self, position: int, *readers: str) -> bool:
        """Whether these readers have read up to a position of the log."""
        found = dict(
            rows(self.database, "SELECT substring(reader FROM '^[^@:]*'), position FROM read_model.checkpoints")
        )
        return all(found.get(each, 0) >= position for each in readers)


@contextmanager
def a_world(
    database: Database, folder: Path, kafka: Mapping[str, str], *, plain: str, partitions: int = 2
) -> Iterator[World]:
    """`kafka` is how processes reach it, `plain` an address at which its topics are made."""
    topics = {"ARREARS_EVENTS_TOPIC": f"events.{folder.name}", "ARREARS_TICKS_TOPIC": f"ticks.{folder.name}"}
    with Topics({"KAFKA_BOOTSTRAP_SERVERS": plain}) as made:
        for name in topics.values():
            for change in made.plan([Topic(name, partitions, 1, {"retention.ms": "-1"})]):
                made.apply(change)
    proxy, dsn = before_postgres(database.dsn)
    log = Log(database)
    log.append(OFFICE, an_office())
    with proxy as postgres:
        env = surroundings(
            **kafka,
            **topics,
            ARREARS_DATABASE_URL=dsn,
            ARREARS_MASTER_KEY=base64.b64encode(MASTER_KEY).decode(),
            ARREARS_OUTBOX=str(folder / "outbox"),
        )
        yield World(database, log, postgres, env)
    log.close()

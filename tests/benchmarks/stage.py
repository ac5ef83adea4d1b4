"""A cluster to measure on: Kafka, a database, and a log that is published already."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from adapters.billing.importer import OfficeDefaults
from adapters.eventstore.seals import head_seal
from adapters.kafka.local import LocalKafka
from adapters.kafka.topics import Topics, read_topics
from adapters.postgres.database import Database
from api.processes.publishing import publishing
from api.processes.step_by_step import StepByStep
from tests.benchmarks.harness import fresh_database
from tests.benchmarks.portfolio import due_tomorrow, portfolio, send
from tests.temporary import temporary_folder

TODAY = datetime.now(UTC).date()
"""As the measured processes have it: what is billed today is not past due before they look at it."""

REAL_INVOICES = Path(__file__).parents[3] / "shared" / "data" / "ibm-late-payments.csv"
SAMPLE_INVOICES = Path(__file__).parents[1] / "projections" / "late-payments-sample.csv"
_MASTER_KEY = "A" * 43 + "="
_COMMAND = (sys.executable, "-c", "from api.cli import main; main()")

Fill = Callable[[StepByStep], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """`env` says where everything is; `events` is the log's length, all of it published."""

    database: Database
    env: dict[str, str]
    events: int

    def service(self) -> StepByStep:
        """Another one on the same database; closing it leaves the database open."""
        return StepByStep(Database(self.database.dsn), data_dir=None, env=self.env)

    def begin_anew(self, reader: str, group: str) -> None:
        """Lets a reader begin at the log's beginning, and Kafka's group with it."""
        with self.database.connect("arrears_app", autocommit=True) as connection:
            connection.execute("DELETE FROM read_model.checkpoints WHERE reader = %s", [reader])
        admin = KafkaAdminClient(bootstrap_servers=self.env["KAFKA_BOOTSTRAP_SERVERS"])
        try:
            with suppress(KafkaError):
                admin.delete_groups([group])
        finally:
            admin.close()

    def head(self) -> int:
        """The log's last position by now."""
        with self.database.connect("arrears_app") as connection:
            return head_seal(connection).position


@contextmanager
def staged(fill: Fill, *, publish: bool = True) -> Iterator[Stage]:
    """What `fill` puts into the log, sealed, and published to a broker of its own; tables are made and wait for it."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        kafka = stack.enter_context(LocalKafka(folder))
        database = stack.enter_context(fresh_database())
        env = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "ARREARS_MASTER_KEY": _MASTER_KEY,
            "ARREARS_OUTBOX": str(folder / "outbox"),
        }
        with Topics(env) as topics:
            for change in topics.plan([topic.with_copies(1) for topic in read_topics()]):
                topics.apply(change)
        with StepByStep(Database(database.dsn), data_dir=None, env=env) as service:
            service.prepare()
            fill(service)
            while service.sealer.seal_once():
                pass
            events = service.feed.head()
        if publish:
            with publishing(database, env) as runner:
                runner.catch_up()
        yield Stage(database, env, events)


def real_mix(invoices: int) -> Fill:
    """At least so many of the real invoices, each customer several times over where they are too few: facts, and what
    aging and judging made of them."""

    def fill(service: StepByStep) -> None:
        with _several_times(invoices) as file:
            service.import_file(file, "ibm", defaults=OfficeDefaults())

    return fill


@contextmanager
def _several_times(invoices: int) -> Iterator[Path]:
    source = REAL_INVOICES if REAL_INVOICES.exists() else SAMPLE_INVOICES
    with source.open(encoding="utf-8", newline="") as given:
        rows = list(csv.DictReader(given))
    with temporary_folder() as folder:
        path = folder / "invoices.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, fieldnames=list(rows[0]))
            out.writeheader()
            for copy in range(-(-invoices // len(rows))):
                for row in rows:
                    out.writerow(
                        {
                            **row,
                            "customerID": f"{row['customerID']}-{copy}",
                            "invoiceNumber": f"{row['invoiceNumber']}{copy}",
                        }
                    )
        yield path


def billed(accounts: int) -> Fill:
    """Accounts with an invoice that is due, as they were stored: nobody has looked at them yet."""

    def fill(service: StepByStep) -> None:
        send(service.arrears, portfolio(accounts, issued_on=TODAY, due_on=due_tomorrow(accounts, TODAY)))

    return fill


@contextmanager
def running(stage: Stage, roles: Sequence[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A process for each of these roles, ended afterwards."""
    processes = [
        subprocess.Popen(
            [*_COMMAND, role],
            env={**os.environ, **stage.env, "ARREARS_DATABASE_URL": stage.database.dsn},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for role in roles
    ]
    try:
        yield processes
    finally:
        for each in processes:
            with suppress(ProcessLookupError):
                each.terminate()
        for each in processes:
            each.wait(60)


def until(is_so: Callable[[], bool], seconds: float) -> None:
    """Returns once something is so. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not after {seconds:.0f} s")
        time.sleep(0.01)

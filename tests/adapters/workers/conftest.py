"""A log that commands are sent to, its topics, and a policy whose effect can be counted."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from adapters.clock import ManualClock
from adapters.eventstore.application import Arrears
from adapters.eventstore.sealer import Sealer
from adapters.kafka.connection import group_of
from adapters.kafka.seats import Seat
from adapters.kafka.topic_runner import TopicRunner
from adapters.postgres.database import Database
from adapters.reactor import Reactor
from adapters.readers.generations import GenerationReader
from adapters.readers.poison import DeadLetter, dead_letters
from adapters.readers.projections import Projections
from adapters.rules import template_faults
from adapters.ticker import Ticker
from adapters.workers.app import run_workers
from adapters.workers.policies import PolicyWorker
from adapters.workers.ticks import TickWorker
from aggregates.account.activities import ActivityKind, ActivityRecorded, Direction, RecordActivity
from aggregates.account.aging import AgeAccount
from aggregates.account.billing import BillInvoice, InvoiceBilled
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.campaign import CampaignLaunched
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, Rejected
from aggregates.kernel.event import Recorded
from aggregates.office import OpenOffice, office_id
from aggregates.values.money import Money
from aggregates.values.template_text import TEMPLATE_RULES
from api.processes.publishing import publishing
from policies.policy import EveryAccount, Policy, PolicyName, Reaction
from projections.agenda.projection import AgendaProjection
from projections.collections_report.projection import CollectionsReportProjection
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.wire import records
from tests.adapters.readers.log import MASTER_KEY, Log, rows
from tests.waiting import HANG

OFFICE = office_id("main")
MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)
DUE = date(2026, 3, 2)


def account(number: int) -> UUID:
    return account_id(OFFICE, f"A-{number}")


def a_note(account: UUID, text: str = "billed") -> Command:
    return RecordActivity(account_id=account, kind=ActivityKind.NOTE, direction=Direction.INTERNAL, notes=text)


class Notes:
    """A policy that takes a note of every invoice, and ages everybody when a campaign begins. It fails on request."""

    fails_on: ClassVar[str | None] = None
    fails_with: ClassVar[Exception] = ValueError("too odd")
    before: ClassVar[Any] = staticmethod(lambda _: None)

    @classmethod
    def react(cls, recorded: Recorded) -> Sequence[Reaction]:
        event = recorded.event
        cls.before(recorded)
        if isinstance(event, CampaignLaunched):
            return [EveryAccount(event.office_id, AgeAccount)]
        if isinstance(event, InvoiceBilled) and recorded.account_id is not None:
            if event.item.number == cls.fails_on:
                raise cls.fails_with
            return [a_note(recorded.account_id, event.item.number)]
        return []


NOTES = Policy(PolicyName("notes", 1), frozenset({InvoiceBilled, CampaignLaunched}), Notes.react)


@dataclass
class Plant:
    """Everything that workers need, and ways to look at what they did."""

    database: Database
    arrears: Arrears
    sealer: Sealer
    clock: ManualClock
    projections: Projections
    env: dict[str, str]
    partitions: int
    publisher_env: dict[str, str] | None = None
    """Where the publisher logs in otherwise than readers."""
    workers: list[PolicyWorker] = field(default_factory=list)

    # --- the log ---

    def do(self, *commands: Command) -> int:
        """Sends commands, seals and publishes what they lead to; the log's end."""
        outcomes = self.arrears.handle(
            [Issued(command=each, command_id=uuid4(), actor=Actor.parse("person:ann")) for each in commands]
        )
        assert not [each for each in outcomes if isinstance(each, Rejected)], outcomes
        return self.publish()

    def seal(self) -> int:
        while self.sealer.seal_once():
            pass
        return self.arrears.feed.head()

    def publish(self) -> int:
        self.seal()
        with publishing(self.database, self.publisher_env or self.env) as publisher:
            return publisher.catch_up(timeout=HANG)

    def open_accounts(self, *numbers: int) -> int:
        return self.do(
            *[OpenAccount(office_id=OFFICE, number=f"A-{n}", customer_name="Ann", currency="USD") for n in numbers]
        )

    def bill(self, *bills: tuple[int, str], due_on: date = DUE) -> int:
        """Invoices as (account, number)."""
        return self.do(
            *[
                BillInvoice(
                    account_id=account(n), number=number, issued_on=date(2026, 2, 1), due_on=due_on,
                    amount=Money(10_000, "USD"),
                )
                for n, number in bills
            ]
        )  # fmt: skip

    @property
    def notes(self) -> list[str]:
        """What was noted, in order of account and then of time."""
        head, found, at = self.seal(), list[tuple[str, str]](), 0
        while at < head:
            events = self.arrears.feed.read(at)
            found += [(str(e.account_id), e.event.notes or "") for e in events if isinstance(e.event, ActivityRecorded)]
            at += len(events)
        return [notes for _, notes in sorted(found, key=lambda pair: pair[0])]

    # --- the topic ---

    @property
    def messages(self) -> list[Any]:
        return records(self.env["KAFKA_BOOTSTRAP_SERVERS"], self.env["ARREARS_EVENTS_TOPIC"])

    # --- workers ---

    def policies(self, stop: threading.Event | None = None) -> PolicyWorker:
        reactor = Reactor(self.arrears, [NOTES])
        worker = PolicyWorker(
            self.database,
            self.arrears,
            reactor,
            env=self.env,
            partitions=self.partitions,
            stop=stop or threading.Event(),
        )
        self.workers.append(worker)
        return worker

    @contextmanager
    def faust(self) -> Iterator["Running"]:
        """A Faust worker in a thread of this process."""
        running = Running(threading.Event())
        policies = self.policies(running.stop)
        running.policies = policies
        ticker = Ticker(self.arrears, self.database)
        ticks = TickWorker(
            self.database,
            ticker,
            partitions=self.partitions,
            stop=running.stop,
            topic=self.env["ARREARS_TICKS_TOPIC"],
            on_worked=lambda partition, _: running.ticked.append(partition),
        )

        def run() -> None:
            try:
                run_workers(policies, ticks, env=self.env, stop=running.stop)
            except BaseException as error:
                running.ended_with = error

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield running
        finally:
            running.stop.set()
            thread.join()
            ticker.close()
        if running.ended_with is not None:
            raise running.ended_with

    @contextmanager
    def projecting(self, *names: str) -> Iterator[None]:
        """Projections that read the topic."""

        def seat(name: str) -> Seat:
            projection, live = self.projections.live(name)
            return Seat(self.database, GenerationReader(projection, live), search_path=live.search_path)

        runner = TopicRunner(
            self.database,
            self.arrears.event_mapper,
            self.arrears.feed,
            {name: partial(seat, name) for name in names},
            group=group_of("project", self.env),
            env=self.env,
            heartbeat_interval_ms=200,
        )
        stop = threading.Event()
        thread = threading.Thread(target=runner.run, args=[stop])
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    @property
    def parked(self) -> list[DeadLetter]:
        with self.database.connect("arrears_app") as connection:
            return dead_letters(connection, reader="policies")

    @property
    def trouble(self) -> str | None:
        found = rows(self.database, "SELECT trouble FROM read_model.checkpoints WHERE reader = 'policies'")
        return found[0][0] if found else None

    @property
    def checkpoint(self) -> int:
        found = rows(self.database, "SELECT position FROM read_model.checkpoints WHERE reader = 'policies'")
        return int(found[0][0]) if found else 0


@dataclass
class Running:
    """A Faust worker that runs."""

    stop: threading.Event
    policies: PolicyWorker | None = None
    ticked: list[int] = field(default_factory=list)
    ended_with: BaseException | None = None

    @property
    def owned(self) -> set[int]:
        return set(self.policies._seat.places) if self.policies is not None else set()


NewPlant = Callable[..., Plant]


@pytest.fixture
def new_plant(kafka: TestKafka, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewPlant]:
    """Makes the plant of a test, with so many partitions."""
    monkeypatch.setattr(Notes, "fails_on", None)
    made: list[Plant] = []

    def new(partitions: int = 2) -> Plant:
        clock = ManualClock(MORNING)
        arrears = Arrears(database, master_key=MASTER_KEY, clock=clock, rules={TEMPLATE_RULES: template_faults})
        projections = Projections(database, arrears.feed, [CollectionsReportProjection, AgendaProjection])
        projections.start()
        topics = {
            "ARREARS_EVENTS_TOPIC": kafka.topic(partitions=partitions),
            "ARREARS_TICKS_TOPIC": kafka.topic(partitions=partitions),
        }
        plant = Plant(
            database, arrears, Sealer(database), clock, projections, {**kafka.env, **topics}, partitions,
            None if kafka.publisher_env == kafka.env else {**kafka.publisher_env, **topics},
        )  # fmt: skip
        made.append(plant)
        plant.do(OpenOffice(code="main", title="Main"))
        return plant

    yield new
    for plant in made:
        for worker in plant.workers:
            worker.close()
        plant.projections.close()
        plant.sealer.close()
        plant.arrears.close()


@pytest.fixture
def plant(new_plant: NewPlant) -> Plant:
    return new_plant()


@pytest.fixture
def log(database: Database) -> Iterator[Log]:
    log = Log(database)
    yield log
    log.close()

"""A service with accounts whose parts are moved one by one, and work for all of them."""

import base64
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from adapters.clock import ManualClock
from adapters.postgres.database import Database
from adapters.work.worker import Worker
from aggregates.account import Account
from aggregates.account.aging import AgeAccount, Aged
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, Outcome, Rejected
from aggregates.office import ChangeOfficeSettings, OpenOffice, office_id
from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money
from aggregates.work import Work
from api.processes.standalone import Standalone
from api.processes.step_by_step import StepByStep
from projections.questions.work import WorkProgress, work, works
from tests.work import begun

OFFICE = office_id("main")
OTHER_BUCKETS = ChangeOfficeSettings(office_id=OFFICE, scheme=BucketScheme.of([10, 20]))
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DUE = date(2026, 1, 31)
"""Thirty days before."""
MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass
class Plant:
    """Everything runs only when it is told to, but for workers, which tests run themselves."""

    service: Any
    """A `StepByStep`, or while it is `running` a `Standalone`."""
    database: Database
    env: dict[str, str]
    most_accounts: ClassVar[int] = 7

    @property
    def accounts(self) -> list[UUID]:
        """In the order in which work asks them."""
        return sorted(account_id(OFFICE, f"A-{n}") for n in range(self.most_accounts))

    def do(self, *commands: Command, reason: str | None = None) -> list[Outcome]:
        issued = [Issued(command=c, command_id=uuid4(), actor=Actor.person("carla"), reason=reason) for c in commands]
        outcomes: list[Outcome] = self.service.arrears.handle(issued)
        assert not [each for each in outcomes if isinstance(each, Rejected)], outcomes
        return outcomes

    def open_accounts(self, *numbers: str, office: UUID = OFFICE) -> list[UUID]:
        """Accounts that each owe an invoice."""
        accounts = [account_id(office, number) for number in numbers]
        self.do(
            *[OpenAccount(office_id=office, number=n, customer_name="Ann", currency="USD") for n in numbers],
            *[
                BillInvoice(
                    account_id=account,
                    number="I-1",
                    issued_on=date(2026, 1, 1),
                    due_on=DUE,
                    amount=Money(10_000, "USD"),
                )
                for account in accounts
            ],
        )
        return accounts

    def seal(self) -> None:
        while self.service.sealer.seal_once():
            pass

    def project(self) -> None:
        self.seal()
        self.service.projections.catch_up()

    def react(self) -> None:
        self.seal()
        self.service.runners[0].catch_up()

    def catch_up(self) -> None:
        """Everything but work."""
        self.project()
        self.react()
        self.project()

    def change_buckets(self) -> WorkProgress:
        """The accounts are thirty days past due, so another scheme moves all of them; the work that is to do it."""
        self.do(OTHER_BUCKETS)
        self.catch_up()
        (open_work,) = self.open_work
        return open_work

    def begin(self, asks: type[Command], office: str = "main", **arguments: Any) -> WorkProgress:
        """Work that was begun at the log's end."""
        self.catch_up()
        return self.progress_of(begun(self.service, office, asks, **arguments))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Everything runs by itself, in one process; nothing is moved by hand any more."""
        self.service.close()
        with Standalone.open(None, env=self.env, clock=ManualClock(NOW)) as service:
            self.service = service
            service.start()
            yield

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        with closing(Worker(self.database, self.service.arrears)) as worker:
            yield worker

    @property
    def open_work(self) -> Sequence[WorkProgress]:
        with self.database.connect("arrears_app") as connection:
            return works(connection, state="open").rows

    def progress(self, of: WorkProgress) -> WorkProgress:
        return self.progress_of(of.id)

    def progress_of(self, work_id: UUID) -> WorkProgress:
        with self.database.connect("arrears_app") as connection:
            found = work(connection, work_id)
        assert found is not None
        return found

    def times_aged(self, account: UUID) -> int:
        return sum(isinstance(each.event, Aged) for each in self.service.arrears.history(Account, account))

    def names(self, of: WorkProgress) -> list[str]:
        return [each.name for each in self.service.arrears.history(Work, of.id)]


@pytest.fixture
def plant(built_database: Database, tmp_path: Any) -> Iterator[Plant]:
    env = {
        "ARREARS_DATABASE_URL": built_database.dsn,
        "ARREARS_MASTER_KEY": MASTER_KEY,
        "ARREARS_OUTBOX": str(tmp_path / "outbox"),
    }
    with StepByStep.open(None, env=env, clock=ManualClock(NOW)) as service:
        service.prepare()
        plant = Plant(service, built_database, env)
        plant.do(OpenOffice(code="main", title="Main"))
        plant.open_accounts(*[f"A-{n}" for n in range(plant.most_accounts)])
        plant.do(*[AgeAccount(account_id=each) for each in plant.accounts])
        plant.catch_up()
        yield plant

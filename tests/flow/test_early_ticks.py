"""Ticks that come early, from whoever's clock: nothing is tried before its time, and all is done at it."""

import base64
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from adapters.clock import ManualClock
from aggregates.account import Account
from aggregates.account.billing import BillInvoice
from aggregates.account.chase import StepScheduled
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.account.messages import MessageQueued
from aggregates.campaign import CampaignPlan, LaunchCampaign, Step, Template
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, Rejected
from aggregates.office import OpenOffice, office_id
from aggregates.values.contact import Channel, ContactDetails, EmailAddress
from aggregates.values.money import Money
from api.processes.step_by_step import StepByStep
from tests.adapters.readers.log import rows
from tests.conftest import TestServer

OFFICE = office_id("main")
MINUTE = timedelta(minutes=1)


class RunningClock(ManualClock):
    """A clock that runs, as far as others can tell; it is moved by the test."""

    is_set = False


@pytest.fixture
def clock() -> RunningClock:
    return RunningClock(datetime(2025, 3, 3, 8, tzinfo=UTC))


@pytest.fixture
def service(postgres: TestServer, built_template: str, tmp_path: Path, clock: RunningClock) -> Iterator[StepByStep]:
    name = postgres.create(template=built_template)
    env = {
        "ARREARS_DATABASE_URL": postgres.dsn_of(name),
        "ARREARS_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
        "ARREARS_OUTBOX": str(tmp_path / "outbox"),
        "ARREARS_CLOCK_TOLERANCE": "3e9",  # a hundred years: the day of this test is long past
    }
    with StepByStep.open(None, env=env, clock=clock) as service:
        service.prepare()
        step = Step(
            id="one", title="One", days=1, channel=Channel.EMAIL, templates={"en": Template(subject="", body="…")}
        )
        do(service, OpenOffice(code="main", title="Main"))
        plan = CampaignPlan(steps=(step,), business_days_only=False)
        do(service, LaunchCampaign(office_id=OFFICE, title="Reminders", plan=plan))
        yield service
    postgres.drop(name)


def do(service: StepByStep, *commands: Command) -> None:
    outcomes = service.arrears.handle(
        [Issued(command=each, command_id=uuid4(), actor=Actor.parse("person:ann")) for each in commands]
    )
    assert not [each for each in outcomes if isinstance(each, Rejected)], outcomes


def owing(service: StepByStep, due_on: date) -> UUID:
    """A new account with an invoice that falls due on a day."""
    number = f"A-{uuid4().hex[:12]}"
    who = account_id(OFFICE, number)
    email = EmailAddress(id="email-1", address="ann@example.org")
    contact = ContactDetails(emails=(email,))
    do(
        service,
        OpenAccount(office_id=OFFICE, number=number, customer_name="Ann", currency="USD", contact=contact),
        BillInvoice(account_id=who, number="I", issued_on=due_on, due_on=due_on, amount=Money(10_000, "USD")),
    )
    service.drain()
    return who


def step_due(service: StepByStep, who: UUID) -> list[datetime]:
    """When the agenda has the account's next step, if it has one."""
    found = rows(service.database, "SELECT due_at FROM read_model.agenda WHERE kind = 'step' AND owner_id = %s", who)
    return [due_at for (due_at,) in found]


def test_a_step_that_is_tried_early_costs_nothing_and_is_taken_at_its_time(service: StepByStep, clock: RunningClock):
    """Whatever ticks say, before or behind the clock of those who work them."""

    @settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.generate))
    @given(st.lists(st.tuples(st.integers(1, 600), st.integers(-1_000, 5_000)), min_size=3, max_size=8))
    def holds(moves: list[tuple[int, int]]) -> None:
        clock.set(datetime.combine(clock.now() + timedelta(days=7 - clock.now().weekday()), time(8), UTC))  # a Monday
        who = owing(service, clock.now().date())
        taken_before, taken = False, list[int]()
        at_last = [(None, 0)] * 3  # when the step is due, which may be put off to the morning once or twice
        for minutes, ahead in [*moves, (1_440, 0), *at_last]:
            if minutes is not None:
                clock.set(clock.now() + minutes * MINUTE)
            elif planned := step_due(service, who):
                clock.set(max(planned[0], clock.now()))
            tick = clock.now() + ahead * MINUTE
            due = [at for at in step_due(service, who) if at <= min(tick, clock.now())]
            report = service.ticker.tick(tick)
            assert report.events >= report.commands, "something was tried that had no effect"
            assert report.refused == 0
            service.drain()
            history = [each.event for each in service.arrears.history(Account, who)]
            taken = [number for number, event in enumerate(history) if isinstance(event, MessageQueued)]
            steps = [event.step.due_at for event in history if isinstance(event, StepScheduled)]
            if due:
                assert taken or steps[-1] > clock.now(), "it is taken when it is due, or put off"
            elif not taken_before:
                assert not taken, "it is not taken before"
            assert step_due(service, who) == ([] if taken else steps[-1:]), "until then it stays on the agenda"
            taken_before = bool(taken)
        assert len(taken) == 1

    holds()

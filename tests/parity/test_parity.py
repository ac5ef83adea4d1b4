"""Embedded and cluster: the same history gives the same events and the same tables."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.billing.importer import OfficeDefaults
from adapters.clock import ManualClock
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.account.payments import ReceivePayment
from aggregates.campaign import CampaignPlan, LaunchCampaign, Step, Template
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, identifier
from aggregates.office import OpenOffice, office_id
from aggregates.promise import Instalment, MakePromise
from aggregates.values.contact import Channel, ContactDetails, EmailAddress
from aggregates.values.money import Money
from api.application.play import play
from api.processes.step_by_step import StepByStep
from tests.adapters.kafka.fixture import TestKafka
from tests.conftest import TestServer
from tests.parity.conftest import Pair, a_pair
from tests.parity.sameness import events_of, outbox_of, tables_of

REAL = Path(__file__).parents[3] / "shared" / "data" / "ibm-late-payments.csv"
SAMPLE = Path(__file__).parents[1] / "projections" / "late-payments-sample.csv"
FIRST = date(2012, 1, 3)
DAYS = int(os.environ.get("ARREARS_PARITY_DAYS", "15"))
"""How much of the real history is lived through; all of it are 731 days."""

OFFICE = office_id("main")
STEPS = tuple(
    Step(
        id=f"day-{days}",
        title=f"Day {days}",
        days=days,
        channel=Channel.EMAIL,
        templates={"en": Template(subject="{{ account_number }}", body="{{ customer_name }} owes {{ amount_due }}")},
    )
    for days in (1, 3, 7)
)


def at(day: date) -> ManualClock:
    return ManualClock(datetime.combine(day, datetime.min.time(), UTC) + timedelta(seconds=1))


def do(service: StepByStep, seed: str, *commands: Command) -> None:
    service.arrears.handle(
        [
            Issued(command=command, command_id=identifier("parity", seed, n), actor=Actor.parse("service:parity"))
            for n, command in enumerate(commands)
        ]
    )


def founded() -> list[Command]:
    return [
        OpenOffice(code="main", title="Main", currency="USD", time_zone="UTC"),
        LaunchCampaign(office_id=OFFICE, title="Reminders", plan=CampaignPlan(steps=STEPS, business_days_only=False)),
    ]


def same(one: StepByStep, other: StepByStep) -> None:
    events, others = events_of(one), events_of(other)
    assert events.keys() == others.keys()
    for owner, said in events.items():
        assert others[owner] == said
    tables, other_tables = tables_of(one), tables_of(other)
    for table, rows in tables.items():
        assert other_tables[table] == rows, table
    assert outbox_of(other) == outbox_of(one)


@pytest.mark.slow
def test_the_real_invoices_lived_through(pair: Pair):
    """Facts of the days, aging, judging and reminders, each tick drained."""
    services = []
    for open_service in pair:
        service = open_service(at(FIRST))
        do(service, "founded", *founded())
        play(
            service,
            REAL if REAL.exists() else SAMPLE,
            "ibm",
            first=FIRST,
            last=FIRST + timedelta(days=DAYS - 1),
            defaults=OfficeDefaults(),
        )
        services.append(service)
    same(*services)


# --- histories made up --------------------------------------------------------------------------------------

_NUMBERS = st.sampled_from(["ada", "bob", "eve"])
_BILL = st.tuples(st.just("bill"), _NUMBERS, st.integers(-3, 4), st.integers(1_000, 9_000))
_PAY = st.tuples(st.just("pay"), _NUMBERS, st.just(0), st.integers(500, 9_000))
_PROMISE = st.tuples(st.just("promise"), _NUMBERS, st.integers(0, 3), st.integers(500, 5_000))
_HISTORIES = st.lists(st.lists(st.one_of(_BILL, _BILL, _PAY, _PROMISE), max_size=3), min_size=4, max_size=6)


def commands_of(day: date, n: int, doings: list[tuple[str, str, int, int]]) -> list[Command]:
    made: list[Command] = []
    for m, (what, number, days, minor) in enumerate(doings):
        account, amount = account_id(OFFICE, number), Money(minor, "USD")
        if what == "bill":
            due = day + timedelta(days=days)
            made.append(
                BillInvoice(account_id=account, number=f"I-{n}-{m}", issued_on=min(day, due), due_on=due, amount=amount)
            )
        elif what == "pay":
            made.append(ReceivePayment(account_id=account, number=f"P-{n}-{m}", amount=amount, received_on=day))
        else:
            made.append(
                MakePromise(
                    promise_id=identifier("promise", n, m),
                    account_id=account,
                    instalments=(Instalment(due_on=day + timedelta(days=days), amount=amount),),
                )
            )
    return made


@pytest.mark.slow
@given(history=_HISTORIES)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_a_history_made_up(
    postgres: TestServer,
    built_template: str,
    kafka: TestKafka,
    tmp_path_factory: pytest.TempPathFactory,
    history: list[list[tuple[str, str, int, int]]],
):
    with a_pair(postgres, built_template, kafka, tmp_path_factory.mktemp("parity")) as pair:
        services = []
        for open_service in pair:
            clock = at(FIRST)
            service = open_service(clock)
            people = [
                OpenAccount(
                    office_id=OFFICE,
                    number=number,
                    customer_name=number.title(),
                    currency="USD",
                    contact=ContactDetails(emails=(EmailAddress(id="email-1", address=f"{number}@example.org"),)),
                )
                for number in ("ada", "bob", "eve")
            ]
            do(service, "founded", *founded(), *people)
            for n, doings in enumerate(history):
                day = FIRST + timedelta(days=n)
                clock.set(max(clock.now(), datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=9)))
                do(service, f"day-{n}", *commands_of(day, n, doings))
                for hour in (9, 15):
                    clock.set(max(clock.now(), datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=hour)))
                    service.tick()
            services.append(service)
        same(*services)

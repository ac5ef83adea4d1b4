"""A portfolio of any size, brought in through the write path."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import islice

from adapters.eventstore.application import Arrears
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.campaign import CampaignPlan, LaunchCampaign, Step, Template
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, Rejected, identifier
from aggregates.office import OpenOffice, office_id
from aggregates.values.contact import Channel, ContactDetails, EmailAddress
from aggregates.values.money import Money

OFFICE = office_id("bench")
_CHUNK = 1_000

ACTOR = Actor.service("bench")


def send(arrears: Arrears, commands: Iterator[Command]) -> int:
    """Carries the commands out in chunks and returns how many; a refusal is an error here."""
    sent = 0
    while chunk := list(islice(commands, _CHUNK)):
        issued = [
            Issued(command=command, command_id=identifier("bench", sent + n), actor=ACTOR)
            for n, command in enumerate(chunk)
        ]
        for outcome in arrears.handle(issued):
            if isinstance(outcome, Rejected):
                raise RuntimeError(f"{outcome.reason_code}: {outcome.detail}")
        sent += len(chunk)
    return sent


def portfolio(
    accounts: int, *, issued_on: date, due_on: Callable[[int], date], time_zone: str = "UTC"
) -> Iterator[Command]:
    """An office with a campaign, and accounts with an e-mail address and one invoice each."""
    yield OpenOffice(code="bench", title="Benchmark", currency="USD", time_zone=time_zone)
    steps = [
        Step(
            id=f"day-{days}",
            title=f"Day {days}",
            days=days,
            channel=Channel.EMAIL,
            templates={"en": Template(subject="Reminder", body="{{ customer_name }}: {{ amount_due }} {{ currency }}")},
        )
        for days in (3, 14, 30)
    ]
    yield LaunchCampaign(office_id=OFFICE, title="Reminders", plan=CampaignPlan(steps=tuple(steps)))
    for n in range(accounts):
        number = f"A-{n:07}"
        yield OpenAccount(
            office_id=OFFICE,
            number=number,
            customer_name=f"Customer {n}",
            currency="USD",
            contact=ContactDetails(emails=(EmailAddress(id="email-1", address=f"c{n}@example.org"),)),
        )
        yield BillInvoice(
            account_id=account_id(OFFICE, number),
            number=f"I-{n:07}",
            issued_on=issued_on,
            due_on=due_on(n),
            amount=Money(1_000 + n % 9_000, "USD"),
        )


def due_tomorrow(due: int, today: date) -> Callable[[int], date]:
    """The first `due` accounts become past due tomorrow, the others in two months."""
    return lambda n: today if n < due else today + timedelta(days=60)

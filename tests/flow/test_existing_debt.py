"""A portfolio that is past due when it is imported: what is said beforehand, and what then leaves, day by day."""

import json
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.clock import ManualClock
from aggregates.account import Account
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.account.messages import MessageSent
from aggregates.account.payments import NoteCredit
from aggregates.campaign import Campaign, CampaignPlan, LaunchCampaign, Step, Template, campaign_id
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, Rejected
from aggregates.office import ChangeOfficeSettings, DeliveryLimits, Office, OpenOffice, office_id
from aggregates.values.contact import Channel, ContactDetails, EmailAddress, PhoneNumber
from aggregates.values.money import Money
from api.application.campaign_forecast import forecast, forecast_of, in_words
from api.processes.step_by_step import StepByStep
from tests.flow.conftest import AService

MAIN = office_id("main")
MONDAY = date(2026, 3, 2)
TEXT = "{{ amount_due }} since {{ oldest_due_on }}:{% for i in invoices %} {{ i.number }} {{ i.open }};{% endfor %}"
TEXTS = {"en": Template(subject="Due", body=TEXT), "de": Template(subject="Fällig", body=TEXT)}
PLAN = CampaignPlan(
    steps=(
        Step(id="reminder", title="Reminder", days=5, channel=Channel.EMAIL, templates=TEXTS),
        Step(id="final", title="Final notice", days=12, channel=Channel.EMAIL, templates=TEXTS, required=True),
    )
)


@pytest.fixture
def service(a_service: AService) -> StepByStep:
    """An office that opens at nine, on a Monday at eight."""
    made = a_service(ManualClock(datetime.combine(MONDAY, time(8), UTC)))
    do(made, OpenOffice(code="main", title="Main"))
    return made


def do(service: StepByStep, *commands: Command) -> None:
    issued = [Issued(command=each, command_id=uuid4(), actor=Actor.person("dana"), reason="Test") for each in commands]
    outcomes = service.arrears.handle(issued)
    assert not [each for each in outcomes if isinstance(each, Rejected)], outcomes


def owing(
    service: StepByStep,
    number: str,
    *,
    days: int = 60,
    language: str = "en",
    invoices: int = 1,
    phone: str | None = None,
) -> UUID:
    """Somebody who owes 1,234.50 an invoice, so many days past due."""
    who, due_on = account_id(MAIN, number), MONDAY - timedelta(days=days)
    contact = ContactDetails(
        emails=(EmailAddress(id="email-1", address=f"{number}@example.org"),),
        phones=() if phone is None else (PhoneNumber(id="phone-1", number=phone),),
        language=language,
    )
    do(
        service,
        OpenAccount(office_id=MAIN, number=number, customer_name=number, currency="USD", contact=contact),
        *(
            BillInvoice(
                account_id=who,
                number=f"I-{each}",
                issued_on=due_on - timedelta(days=20),
                due_on=due_on + timedelta(days=each),
                amount=Money(123_450, "USD"),
            )
            for each in range(invoices)
        ),
    )
    return who


def launch(service: StepByStep, plan: CampaignPlan = PLAN) -> None:
    do(service, LaunchCampaign(office_id=MAIN, title="Reminders", plan=plan))


def live(service: StepByStep, days: int) -> None:
    """Three ticks a day, from the first morning on."""
    for day in range(days):
        for hour in (0.5, 9, 15):
            moment = datetime.combine(MONDAY, time.min, UTC) + timedelta(days=day, hours=hour)
            service.tick(max(moment, service.clock.now()))


def sent(service: StepByStep, *accounts: UUID) -> Counter[tuple[date, str]]:
    """How many messages of each step left on each day."""
    events = [each.event for who in accounts for each in service.arrears.history(Account, who)]
    return Counter((each.sent_on, each.step_id or "") for each in events if isinstance(each, MessageSent))


def letters(outbox: Path) -> dict[str, str]:
    """Bodies by address."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in outbox.glob("outbox-*/*.json")]
    return {each["to"]: each["body"] for each in found}


def test_what_is_said_before_is_what_leaves_on_those_days_and_no_more_than_the_office_allows(service: StepByStep):
    do(service, ChangeOfficeSettings(office_id=MAIN, limits=DeliveryLimits(max_per_minute=100_000, max_per_day=3)))
    everybody = [owing(service, f"A-{number}", days=30 + number) for number in range(7)]
    service.drain()
    said = forecast(service, service.arrears.load(Office, MAIN), PLAN)
    [sentence] = in_words(said)
    assert sentence == "If nobody pays, it sends 14 messages to 7 accounts until 2026-05-01, at most 3 a day."
    expected = {(day.day, step.step): step.messages for day in said.days for step in day.steps}
    assert expected == {
        (date(2026, 3, 2), "reminder"): 3,
        (date(2026, 3, 3), "reminder"): 3,
        (date(2026, 3, 4), "reminder"): 1,
        (date(2026, 3, 9), "final"): 3,
        (date(2026, 3, 10), "final"): 3,
        (date(2026, 3, 11), "final"): 1,
    }
    launch(service)
    live(service, 14)
    assert sent(service, *everybody) == expected


def test_a_customer_who_may_be_written_to_only_later_in_the_day_gets_every_step_that_is_said(service: StepByStep):
    """Each is put off by the hours of New York, at which the office in London has been open for long."""
    who = owing(service, "A-1", phone="+12125550100")
    service.drain()
    said = forecast(service, service.arrears.load(Office, MAIN), PLAN)
    expected = {(day.day, step.step): step.messages for day in said.days for step in day.steps}
    assert expected == {(date(2026, 3, 2), "reminder"): 1, (date(2026, 3, 9), "final"): 1}
    launch(service)
    live(service, 14)
    assert sent(service, who) == expected


def test_a_weekend_uses_up_no_place_of_the_days_after_it(service: StepByStep):
    do(service, ChangeOfficeSettings(office_id=MAIN, limits=DeliveryLimits(max_per_minute=100_000, max_per_day=2)))
    assert isinstance(service.clock, ManualClock)
    service.clock.set(datetime(2026, 3, 6, 17, tzinfo=UTC))
    launch(service)
    everybody = [owing(service, f"A-{number}") for number in range(4)]
    live(service, 10)
    assert sorted(sent(service, *everybody).items()) == [
        ((date(2026, 3, 6), "reminder"), 2),
        ((date(2026, 3, 9), "reminder"), 2),
    ]


def test_the_rows_of_a_message_add_up_to_its_amount(service: StepByStep, tmp_path: Path):
    """Money that waits for an invoice nobody knows covers a part of what is owed."""
    launch(service)
    who = owing(service, "anna", invoices=2)
    do(
        service,
        NoteCredit(
            account_id=who, number="C-1", amount=Money(120_000, "USD"), issued_on=MONDAY, invoice_number="UNKNOWN"
        ),
    )
    live(service, 1)
    [body] = letters(tmp_path).values()
    assert body.startswith("1269.00 since 2026-01-01: I-0 34.50; I-1 1234.50;")


def test_amounts_days_and_fixed_lines_are_in_the_customer_s_language(service: StepByStep, tmp_path: Path):
    launch(service)
    owing(service, "berlin", language="de")
    owing(service, "paris", language="fr")
    live(service, 1)
    found = letters(tmp_path)
    assert found["berlin@example.org"].startswith("1.234,50 since 01.01.2026: I-0 1.234,50;")
    assert "antworten Sie mit UNSUBSCRIBE" in found["berlin@example.org"]
    assert found["paris@example.org"].startswith("1234.50 since 2026-01-01: I-0 1234.50;"), "its text is English"
    assert "reply with UNSUBSCRIBE" in found["paris@example.org"]


def test_nothing_is_sent_to_an_address_that_was_erased(service: StepByStep, tmp_path: Path):
    launch(service)
    who, other = owing(service, "anna"), owing(service, "eve")
    service.arrears.keys.destroy(who)
    live(service, 1)
    assert set(letters(tmp_path)) == {"eve@example.org"}
    assert sent(service, who) == Counter()
    assert sent(service, other).total() == 1


def test_the_campaign_that_runs_says_what_it_will_send(service: StepByStep):
    launch(service)
    owing(service, "anna")
    service.tick(service.clock.now())
    said = forecast_of(service, service.arrears.load(Campaign, campaign_id(MAIN, "Reminders")))
    assert [(day.day, day.messages) for day in said.days] == [(MONDAY, 1), (date(2026, 3, 9), 1)]
    assert (said.accounts_owing, said.accounts_looked_at, said.accounts_written_to) == (1, 1, 1)

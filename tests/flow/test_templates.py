"""Texts that cannot be made: the message fails with its reason, and nobody else notices."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import islice, product
from string import ascii_lowercase
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from adapters.clock import ManualClock
from adapters.delivery.carrier import Attempt, Carrier
from adapters.delivery.rendering import Letter
from adapters.eventstore.application import Arrears
from adapters.reactor import Reactor
from adapters.readers.poison import MOST_AT_ONCE, ReaderBroken, dead_letters
from adapters.readers.runner import Runner
from adapters.rules import RULES
from aggregates.account import Account
from aggregates.account.billing import BillInvoice, InvoiceBilled
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.account.messages import MessageFailed, MessageSent
from aggregates.campaign import CampaignPlan, LaunchCampaign, Step, Template
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, identifier
from aggregates.kernel.event import Recorded
from aggregates.office import ChangeOfficeSettings, DeliveryLimits, OpenOffice, office_id
from aggregates.values.contact import Channel, ContactDetails, EmailAddress
from aggregates.values.money import Money
from aggregates.values.template_text import TEMPLATE_RULES
from api.processes.step_by_step import StepByStep
from policies.policy import AGING, Policy
from tests.adapters.delivery.hostile import HOSTILE
from tests.flow.conftest import AService

OFFICE = office_id("main")
DUE = date(2025, 3, 3)  # a Monday
EVENING_BEFORE = datetime(2025, 3, 2, 20, tzinfo=UTC)
REMINDED = datetime(2025, 3, 4, 12, tzinfo=UTC)
MASTER_KEY = bytes(32)

GOOD = "Dear {{ customer_name }}, {{ amount_due }} is due."


def languages() -> Iterator[str]:
    """aa, ab, ac, …"""
    return map("".join, product(ascii_lowercase, repeat=2))


def issued(command: Command) -> Issued:
    return Issued(command, identifier("test", command.model_dump_json()), actor=Actor.parse("person:carla"))


def do(arrears: Arrears, *commands: Command) -> None:
    outcomes = arrears.handle([issued(each) for each in commands])
    assert all(isinstance(each, Accepted) for each in outcomes), outcomes


def launch(service: StepByStep, texts: Mapping[str, str], **more: Any) -> None:
    """A campaign with a text for each language, as a release took it that looked at none of them."""
    step = Step(
        id="reminder",
        title="Reminder",
        days=1,
        channel=Channel.EMAIL,
        templates={language: Template(body=text, **more) for language, text in texts.items()},
    )
    rules = {**RULES, TEMPLATE_RULES: lambda _: ()}
    earlier = Arrears(service.database, master_key=MASTER_KEY, clock=service.clock, rules=rules)
    plan = CampaignPlan(steps=(step,), business_days_only=False)
    do(earlier, LaunchCampaign(office_id=OFFICE, title="Reminders", plan=plan))
    earlier.close()


def owing(service: StepByStep, name: str, *, language: str = "en") -> UUID:
    """An account whose invoice was due on the Monday."""
    who = account_id(OFFICE, name)
    mail = EmailAddress(id="email-1", address=f"{name}@example.org")
    contact = ContactDetails(emails=(mail,), language=language)
    do(
        service.arrears,
        OpenAccount(office_id=OFFICE, number=name, customer_name=name.title(), currency="USD", contact=contact),
        BillInvoice(
            account_id=who,
            number=f"{name}-1",
            issued_on=DUE - timedelta(days=20),
            due_on=DUE,
            amount=Money(10_000, "USD"),
        ),
    )
    return who


@pytest.fixture
def service(a_service: AService) -> StepByStep:
    """One with an office that sends as much as it wants to."""
    service = a_service(ManualClock(EVENING_BEFORE))
    limits = DeliveryLimits(max_per_minute=100_000)
    do(service.arrears, OpenOffice(code="main", title="Main"), ChangeOfficeSettings(office_id=OFFICE, limits=limits))
    return service


def live(service: StepByStep) -> None:
    """Up to the day of the reminder."""
    for moment in (EVENING_BEFORE, REMINDED - timedelta(hours=11), REMINDED):
        service.tick(moment)


def last(service: StepByStep, who: UUID, kind: type[Any]) -> Any:
    found = [each.event for each in service.arrears.history(Account, who) if isinstance(each.event, kind)]
    assert len(found) == 1, [each.name for each in service.arrears.history(Account, who)]
    return found[0]


# --- texts that an earlier release took ---------------------------------------------------------------


def test_hostile_texts_that_are_stored_fail_their_messages_and_park_nobody(service: StepByStep):
    texts = dict(zip(islice(languages(), len(HOSTILE)), HOSTILE.values(), strict=True))
    launch(service, {**texts, "zz": GOOD})
    hurt = [owing(service, f"hurt-{language}", language=language) for language in texts]
    well = [owing(service, f"well-{number}", language="zz") for number in range(3)]
    with capture_logs() as logs:
        live(service)
    failed = [last(service, who, MessageFailed) for who in hurt]
    assert {each.code for each in failed} == {"bad-template"}
    assert all(each.detail.startswith("line ") for each in failed)
    assert [last(service, who, MessageSent).body.split(",")[0] for who in well] == [
        "Dear Well-0", "Dear Well-1", "Dear Well-2",
    ]  # fmt: skip
    with service.database.connect() as connection:
        assert dead_letters(connection) == []
    said = [each for each in logs if each["event"] == "a message failed"]
    assert {(each["language"], each["step"]) for each in said} == {(language, "reminder") for language in texts}
    assert not [each for each in said for text in HOSTILE.values() if text in str(each)]


def test_a_text_that_becomes_too_long_fails_its_message(service: StepByStep):
    launch(service, {"en": "{% for i in invoices %}" + "x" * 19_000 + "{% endfor %}"})
    who = owing(service, "anna")
    for number in range(2, 8):
        amount = Money(100, "USD")
        bill = BillInvoice(account_id=who, number=f"I-{number}", issued_on=DUE, due_on=DUE, amount=amount)
        do(service.arrears, bill)
    live(service)
    assert last(service, who, MessageFailed).code == "text-too-long"


def test_whatever_goes_wrong_in_making_a_text_fails_this_message_alone(
    service: StepByStep, monkeypatch: pytest.MonkeyPatch
):
    launch(service, {"en": GOOD})
    hurt, well = owing(service, "hurt"), owing(service, "well")
    render = service.renderer.render

    def render_or_fail(drafts: Sequence[Any]) -> list[Any]:
        if drafts[0].values["account_number"] == "hurt":
            raise RecursionError("too deep")
        return render(drafts)

    monkeypatch.setattr(service.renderer, "render", render_or_fail)
    live(service)
    failed = last(service, hurt, MessageFailed)
    assert (failed.code, failed.detail) == ("bad-template", "no text can be made (RecursionError)")
    assert last(service, well, MessageSent)


def test_where_no_process_makes_texts_delivery_waits_and_fails_no_message(
    service: StepByStep, monkeypatch: pytest.MonkeyPatch
):
    launch(service, {"en": GOOD})
    who = owing(service, "anna")
    with monkeypatch.context() as broken:
        broken.setattr("sys.executable", "/nowhere/python")
        with pytest.raises(Exception, match="can be started"):
            live(service)
    service.drain()
    assert last(service, who, MessageSent).body.startswith("Dear Anna, 100.00 is due.")


# --- readers that fail for many accounts --------------------------------------------------------------


class Breaks(Carrier):
    """A carrier that takes nothing and does not say so."""

    is_idempotent = False
    answers_within = timedelta(seconds=10)

    def send(self, message_id: UUID, letter: Letter) -> str:
        raise RuntimeError("no answer")

    def took(self, message_id: UUID, attempt: Attempt) -> bool:
        return False


def parked(service: StepByStep, reader: str) -> int:
    with service.database.connect() as connection:
        return len({each.sequence_id for each in dead_letters(connection, reader=reader)})


def test_a_carrier_that_breaks_parks_nobody_and_each_message_is_tried_again_later(service: StepByStep):
    launch(service, {"en": GOOD})
    accounts = [owing(service, f"account-{number}") for number in range(MOST_AT_ONCE + 10)]
    service.deliver_through(Breaks())
    live(service)
    assert parked(service, "delivery") == 0
    told = [each.event for who in accounts for each in service.arrears.history(Account, who)]
    assert [each for each in told if isinstance(each, MessageSent | MessageFailed)] == []
    with service.database.connect("arrears_app") as connection:
        waiting = connection.execute(
            "SELECT attempts > 0, due_at > queued_at, owner FROM arrears.deliveries"
        ).fetchall()
    assert waiting == [(True, True, None)] * len(accounts)


def test_policies_that_fail_for_many_accounts_stand_still(service: StepByStep):
    def react(_: Recorded) -> Iterator[Command]:
        raise ZeroDivisionError

    class Broken(Reactor):
        name = "broken-policies"

    broken = Broken(service.arrears, [Policy(AGING, frozenset({InvoiceBilled}), react)])
    with closing_runner(Runner(service.database, service.feed, broken, batch=7)) as runner:
        for number in range(MOST_AT_ONCE):
            owing(service, f"account-{number}")
            service.drain()
            runner.catch_up()
        owing(service, "one-more")
        service.drain()
        before = position_of(service, "broken-policies")
        with pytest.raises(ReaderBroken, match="more than 20 accounts"):
            runner.catch_up()
    assert parked(service, "broken-policies") == MOST_AT_ONCE
    assert position_of(service, "broken-policies") == before


@contextmanager
def closing_runner(runner: Runner) -> Iterator[Runner]:
    try:
        yield runner
    finally:
        runner.release()


def position_of(service: StepByStep, reader: str) -> int:
    with service.database.connect() as connection:
        row = connection.execute("SELECT position FROM read_model.checkpoints WHERE reader = %s", [reader]).fetchone()
    assert row is not None
    return int(row[0])

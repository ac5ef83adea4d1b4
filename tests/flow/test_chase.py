"""Auto-collection from the first overdue day to the message in the outbox, with every part running for real."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters import ticker
from adapters.clock import ManualClock
from adapters.delivery.carrier import Attempt
from adapters.delivery.outbox import Outbox
from adapters.delivery.rendering import Letter
from aggregates.account import Account
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.contact import OptOutOfContact
from aggregates.account.customer import OpenAccount
from aggregates.account.exclusion import ExcludeAccount
from aggregates.account.messages import MessageSent
from aggregates.account.payments import ReceivePayment, ReversePayment
from aggregates.account.receivables import ReversalKind
from aggregates.campaign import CampaignPlan, LaunchCampaign, PauseCampaign, Step, Template, campaign_id
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, Outcome, Rejected
from aggregates.kernel.event import Recorded
from aggregates.office import OpenOffice, office_id
from aggregates.promise import Instalment, MakePromise
from aggregates.values.contact import Channel, ContactDetails, EmailAddress
from aggregates.values.money import Money
from api.processes.step_by_step import StepByStep
from tests.flow.conftest import AService

OFFICE = office_id("main")
CAMPAIGN = campaign_id(OFFICE, "Reminders")
DUE = date(2025, 3, 3)  # a Monday
ANNA = account_id(OFFICE, "anna")


def step(days: int, *, required: bool = False) -> Step:
    return Step(
        id=f"day-{days}",
        title=f"Day {days}",
        days=days,
        channel=Channel.EMAIL,
        required=required,
        templates={"en": Template(subject="{{ account_number }}", body="{{ customer_name }} owes {{ amount_due }}")},
    )


STEPS = (step(1), step(3), step(8), step(15, required=True))


class World:
    """A service with one office, one campaign, and Anna, who owes an invoice due on a Monday."""

    def __init__(self, service: StepByStep, clock: ManualClock, outbox: Path, steps: Sequence[Step]) -> None:
        self.service, self.clock, self.outbox = service, clock, outbox
        plan = CampaignPlan(steps=tuple(steps), business_days_only=False)
        self.do(
            OpenOffice(code="main", title="Main"),
            LaunchCampaign(office_id=OFFICE, title="Reminders", plan=plan),
            OpenAccount(
                office_id=OFFICE,
                number="anna",
                customer_name="Anna",
                currency="USD",
                contact=ContactDetails(emails=(EmailAddress(id="email-1", address="anna@example.org"),)),
            ),
        )
        self.bill("I-1", DUE)

    def do(self, *commands: Command, reason: str | None = None) -> list[Outcome]:
        outcomes = self.service.arrears.handle(
            [Issued(command=c, command_id=uuid4(), actor=Actor.parse("person:carla"), reason=reason) for c in commands]
        )
        assert not [o for o in outcomes if isinstance(o, Rejected)], outcomes
        return outcomes

    def bill(self, number: str, due_on: date, minor: int = 10_000) -> None:
        self.do(
            BillInvoice(
                account_id=ANNA,
                number=number,
                issued_on=due_on - timedelta(days=20),
                due_on=due_on,
                amount=Money(minor, "USD"),
            )
        )

    def pay(self, minor: int, number: str = "P-1") -> None:
        today = self.clock.now().date()
        self.do(ReceivePayment(account_id=ANNA, number=number, amount=Money(minor, "USD"), received_on=today))

    def until(self, day: date) -> None:
        """Lives up to a day's evening: ticks after midnight, in the morning and in the afternoon."""
        while self.clock.now().date() <= day:
            midnight = datetime.combine(self.clock.now().date(), time.min, UTC)
            for hours in (0.5, 9.5, 16):
                moment = midnight + timedelta(hours=hours)
                if moment > self.clock.now():
                    self.tick(moment)
            self.clock.set(midnight + timedelta(days=1))
        self.clock.set(datetime.combine(day, time(20), UTC))

    def tick(self, moment: datetime) -> None:
        self.service.tick(moment)

    @property
    def sent(self) -> list[tuple[date, str]]:
        """The local day and step of every message that left, by the log."""
        return [(e.event.sent_on, e.event.step_id or "") for e in self.history if isinstance(e.event, MessageSent)]

    @property
    def history(self) -> list[Recorded]:
        return self.service.arrears.history(Account, ANNA)

    @property
    def names(self) -> list[str]:
        return [e.name.removeprefix("account.") for e in self.history]

    def row(self, columns: str) -> tuple[object, ...] | None:
        self.service.drain()
        with self.service.database.connect("arrears_app") as connection:
            return connection.execute(
                f"SELECT {columns} FROM read_model.collections_report WHERE account_id = %s", [ANNA]
            ).fetchone()

    def letters(self) -> list[dict[str, str]]:
        return [json.loads(path.read_text()) for path in sorted(self.outbox.glob("*.json"))]


@pytest.fixture
def world(a_service: AService, tmp_path: Path) -> World:
    return a_world(a_service)


def a_world(a_service: AService, steps: Sequence[Step] = STEPS) -> World:
    clock = ManualClock(datetime(2025, 2, 20, 6, tzinfo=UTC))
    service = a_service(clock)
    return World(service, clock, Path(service.env["ARREARS_OUTBOX"]), steps)


NINE = datetime(2025, 3, 4, 9, 30, tzinfo=UTC)


def until_queued(world: World) -> None:
    """Up to the morning of the first step; nobody has delivered it."""
    world.until(day(0))
    world.service.tick(datetime(2025, 3, 4, 0, 30, tzinfo=UTC))
    world.clock.set(NINE)
    world.service.ticker.tick(NINE)
    while world.service.sealer.seal_once():
        pass


def day(n: int) -> date:
    return DUE + timedelta(days=n)


def test_reminders_leave_on_their_days_and_the_account_walks_through_the_stages(world: World) -> None:
    world.until(DUE)
    assert world.row("stage, why_code") == ("outstanding", "min-dpd")
    world.tick(datetime(2025, 3, 4, 0, 30, tzinfo=UTC))
    assert world.row("stage, bucket") == ("scheduled", "1-30")
    world.until(day(1))
    assert world.row("stage") == ("engaged",)
    world.until(day(20))
    assert world.sent == [(day(1), "day-1"), (day(3), "day-3"), (day(8), "day-8"), (day(15), "day-15")]
    assert world.row("stage, why_code") == ("follow-up", "sequence-finished")
    assert world.letters()[0]["body"].startswith("Anna owes 100.00")
    assert "UNSUBSCRIBE" in world.letters()[0]["body"]


def test_whoever_paid_gets_no_reminder(world: World) -> None:
    world.until(day(1))
    world.pay(10_000)
    world.until(day(20))
    assert world.sent == [(day(1), "day-1")]
    assert world.row("stage, outstanding") == (None, 0)


def test_a_payment_that_comes_between_queue_and_dispatch_withdraws_the_message(world: World) -> None:
    world.until(day(0))
    world.service.tick(datetime(2025, 3, 4, 0, 30, tzinfo=UTC))
    world.clock.set(datetime(2025, 3, 4, 9, 30, tzinfo=UTC))
    world.service.ticker.tick(world.clock.now())  # queued, and not yet delivered
    assert "message-queued" in world.names
    world.pay(10_000)
    world.service.drain()
    assert world.sent == []
    assert world.names.count("message-withdrawn") == 1
    assert world.letters() == []


def test_after_an_outage_the_latest_missed_reminder_leaves_and_the_required_one_follows(world: World) -> None:
    world.until(day(0))
    world.clock.set(datetime(2025, 3, 13, 6, tzinfo=UTC))  # ten days without a tick
    world.until(day(20))
    assert world.sent == [(day(10), "day-8"), (day(15), "day-15")]
    assert "steps-passed-over" in world.names


def test_a_required_step_is_sent_late_rather_than_never(a_service: AService, tmp_path: Path) -> None:
    world = a_world(a_service, (step(1), step(3, required=True), step(5), step(7, required=True)))
    world.until(day(0))
    world.clock.set(datetime(2025, 3, 13, 6, tzinfo=UTC))
    world.until(day(20))
    assert world.sent == [(day(10), "day-3"), (day(11), "day-7")]


def test_no_message_leaves_while_paused_and_nothing_bursts_afterwards(world: World) -> None:
    world.until(day(0))
    ends = datetime(2025, 3, 12, 0, tzinfo=UTC)
    world.do(PauseCampaign(campaign_id=CAMPAIGN, paused_until=ends))
    world.until(day(8))
    assert world.sent == []
    assert world.row("why_code") == ("paused",)
    world.until(day(20))
    assert world.sent == [(day(9), "day-8"), (day(15), "day-15")]


def test_an_exclusion_and_an_opt_out_are_honoured_at_once(world: World) -> None:
    world.until(day(1))
    world.do(ExcludeAccount(account_id=ANNA), reason="asked by the lawyer")
    world.until(day(4))
    assert world.row("stage, why_code") == ("blocked", "excluded")
    assert world.sent == [(day(1), "day-1")]


def test_nobody_is_written_to_who_opted_out(world: World) -> None:
    world.do(OptOutOfContact(account_id=ANNA, channel=Channel.EMAIL))
    world.until(day(20))
    assert world.sent == []
    assert "contact-refused" in world.names


def test_an_open_promise_rests_the_chase_and_a_broken_one_resumes_it(world: World) -> None:
    world.until(day(1))
    promise = uuid4()
    owed = (Instalment(due_on=day(5), amount=Money(10_000, "USD")),)
    world.do(MakePromise(promise_id=promise, account_id=ANNA, instalments=owed, assignee="carla"))
    world.until(day(8))
    assert world.sent == [(day(1), "day-1")]
    assert world.row("stage, why_code") == ("blocked", "promise")
    world.until(day(9))  # due on day 5 and three days of grace
    assert "promise-closed" in world.names
    assert world.names.count("activity-recorded") == 1
    world.until(day(20))
    assert world.sent == [(day(1), "day-1"), (day(9), "day-8"), (day(15), "day-15")]


def test_a_reversed_payment_reopens_the_debt_at_its_original_due_date(world: World) -> None:
    world.until(day(1))
    world.pay(10_000)
    world.until(day(4))
    today = world.clock.now().date()
    world.do(ReversePayment(account_id=ANNA, number="P-1", reversal=ReversalKind.NSF, reversed_on=today))
    world.service.tick(world.clock.now())
    assert world.row("outstanding, bucket, oldest_due_on") == (10_000, "1-30", DUE)


def test_paying_the_oldest_invoice_moves_the_chase_to_the_next_without_skipping_a_step(world: World) -> None:
    world.bill("I-2", day(6))
    world.until(day(8))
    world.pay(10_000)
    world.until(day(25))
    assert world.sent[-4:] == [(day(8), "day-8"), (day(9), "day-3"), (day(14), "day-8"), (day(21), "day-15")]


class Dying(Outbox):
    """An outbox whose process dies right after, or right before, it took the message."""

    def __init__(self, folder: Path, *, takes: bool) -> None:
        super().__init__(folder)
        self.takes, self.alive = takes, False

    def send(self, message_id: UUID, letter: Letter) -> str:
        if self.alive:
            return super().send(message_id, letter)
        self.alive = True
        if self.takes:
            super().send(message_id, letter)
        raise KeyboardInterrupt


@pytest.mark.parametrize("takes", [True, False])
def test_a_sender_that_dies_while_sending_neither_loses_nor_doubles_the_message(world: World, takes: bool) -> None:
    world.service.deliver_through(Dying(world.outbox, takes=takes))
    world.until(day(0))
    world.service.tick(datetime(2025, 3, 4, 0, 30, tzinfo=UTC))
    world.clock.set(datetime(2025, 3, 4, 9, 30, tzinfo=UTC))
    world.service.ticker.tick(world.clock.now())
    with pytest.raises(KeyboardInterrupt):
        world.service.drain()
    world.service.drain()
    assert world.sent == [(day(1), "day-1")]
    assert len(world.letters()) == 1


class NeverKnows(Dying):
    is_idempotent = False

    def took(self, message_id: UUID, attempt: Attempt) -> None:
        del message_id


def test_a_message_of_which_nobody_knows_whether_it_left_is_uncertain_and_never_repeated(world: World) -> None:
    world.service.deliver_through(NeverKnows(world.outbox, takes=False))
    world.until(day(0))
    world.service.tick(datetime(2025, 3, 4, 0, 30, tzinfo=UTC))
    world.clock.set(datetime(2025, 3, 4, 9, 30, tzinfo=UTC))
    world.service.ticker.tick(world.clock.now())
    with pytest.raises(KeyboardInterrupt):
        world.service.drain()
    world.until(day(2))
    assert world.sent == []
    assert world.names.count("message-uncertain") == 1
    assert world.names.count("message-dispatched") == 1


def test_every_table_is_the_same_after_a_rebuild(world: World) -> None:
    world.until(day(10))
    world.service.drain()
    before = tables(world.service)
    for name in world.service.projections.names:
        world.service.rebuild(name)
    assert tables(world.service) == before


def tables(service: StepByStep) -> dict[str, list[tuple[object, ...]]]:
    found = {}
    with service.database.connect("arrears_app") as connection:
        views = connection.execute(
            "SELECT CASE WHEN schema LIKE 'personal%' THEN 'personal.' ELSE 'read_model.' END || unnest(public) "
            "FROM read_model.projections WHERE state = 'live' ORDER BY 1"
        ).fetchall()
        for (view,) in views:
            found[view] = connection.execute(f"SELECT to_jsonb(v)::text FROM {view} v ORDER BY 1").fetchall()
    return found


def test_a_repeated_command_has_the_same_outcome_and_no_second_event(world: World) -> None:
    issued = Issued(
        command=ReceivePayment(account_id=ANNA, number="P-9", amount=Money(1, "USD"), received_on=date(2025, 2, 20)),
        command_id=uuid4(),
        actor=Actor.parse("person:carla"),
    )
    first, again = world.service.arrears.handle([issued]), world.service.arrears.handle([issued])
    assert first == again
    assert isinstance(first[0], Accepted)
    assert world.names.count("payment-received") == 1


def test_a_tick_ages_an_account_once_however_many_pages_its_items_are_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticker, "_CHUNK", 2)
    for number in range(2, 7):
        world.bill(f"I-{number}", DUE)
    world.clock.set(datetime.combine(day(1), time(6), UTC))
    world.service.drain()
    report = world.service.ticker.tick(world.clock.now())
    assert (report.due, report.commands) == (6, 1)
    world.service.drain()
    assert world.row("buckets ->> '1-30'") == ("60000",)

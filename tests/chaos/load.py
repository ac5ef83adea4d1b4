"""What customers and collectors do meanwhile: a steady stream of commands with bursts, and what came of each."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg

from adapters.eventstore.application import Arrears
from adapters.eventstore.recorder import Conflict
from adapters.postgres.errors import DatabaseProblem
from aggregates.account.activities import ActivityKind, RecordActivity
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.contact import OptOutOfContact
from aggregates.account.customer import OpenAccount
from aggregates.account.exclusion import ExcludeAccount
from aggregates.account.flags import ClearFlag, SetFlag
from aggregates.account.holds import PlaceHold
from aggregates.account.payments import ReceivePayment, ReversePayment
from aggregates.account.receivables import ReversalKind
from aggregates.campaign import CampaignPlan, LaunchCampaign, PauseCampaign, Step, Template, campaign_id
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, Outcome
from aggregates.office import (
    STANDARD_FLAGS,
    ChangeOfficeSettings,
    DeliveryLimits,
    FlagDefinition,
    OpenOffice,
    office_id,
)
from aggregates.promise import Instalment, MakePromise
from aggregates.values.business_time import SendWindow
from aggregates.values.contact import Channel, Consent, ContactDetails, EmailAddress
from aggregates.values.money import Money

ACTOR = Actor.person("chaos")
OFFICE = office_id("chaos")
CAMPAIGN = campaign_id(OFFICE, "Reminders")
STEP_DAYS = (1, 3, 8, 15)

_RETRY_SECONDS = 0.2
_PATIENCE_SECONDS = 120.0
_PAUSE_EVERY_SECONDS = 60.0
_LOST = (psycopg.OperationalError, psycopg.InterfaceError, DatabaseProblem, Conflict)


@dataclass(frozen=True, slots=True)
class Answered:
    """A command and what came of it."""

    issued: Issued
    outcome: Outcome


@dataclass
class Memory:
    """Every command that was answered; shared by those who send."""

    answered: list[Answered] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    """Where the same command id had another outcome than before."""
    lost: int = 0
    """Times that an answer did not come and the same command was sent again."""
    failures: list[str] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def add(self, issued: Sequence[Issued], outcomes: Sequence[Outcome]) -> None:
        with self._turn:
            self.answered += map(Answered, issued, outcomes)

    def add_repeat(self, before: Answered, now: Outcome) -> None:
        if before.outcome != now:
            with self._turn:
                self.contradictions.append(f"{before.issued.command_id}: {before.outcome}, and then {now}")

    def add_lost(self) -> None:
        with self._turn:
            self.lost += 1


@dataclass
class _Customer:
    id: UUID
    number: str
    payments: list[str] = field(default_factory=list)
    flagged: bool = False
    documents: int = 0

    def next_number(self, letter: str) -> str:
        self.documents += 1
        return f"{letter}-{self.documents}"


class Load:
    """Sends commands from several threads between `start` and `stop`."""

    def __init__(self, arrears: Arrears, *, seed: int, desks: int = 3, rate: float = 12.0) -> None:
        """`rate` is how many times a second something is sent, by all desks together."""
        self.memory = Memory()
        self._stop = threading.Event()
        self._zone = where_it_is_noon(datetime.now(UTC))
        self._desks = [
            Desk(arrears, self.memory, n, Random(f"{seed}-desk-{n}"), zone=self._zone, pause=desks / rate)
            for n in range(desks)
        ]
        self._head_office = Desk(arrears, self.memory, desks, Random(f"{seed}-office"), zone=self._zone, pause=0.0)
        self._threads = [
            threading.Thread(target=desk.work, args=(self._stop,), name=f"desk-{n}", daemon=True)
            for n, desk in enumerate(self._desks)
        ]

    def start(self) -> None:
        """Opens the office and its campaign, and begins."""
        self._desks[0].send(*opening(self._zone))
        for thread in self._threads:
            thread.start()

    def begin_work(self) -> None:
        """The office changes its flags, and every account is judged anew. For one thread."""
        self._head_office.change_flags()

    def stop(self) -> None:
        """Returns once every command that was sent has its answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


def where_it_is_noon(now: datetime) -> str:
    """A time zone in which messages may leave for hours from now on, and the day does not change meanwhile."""
    hours = 12 - now.hour
    return f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"  # the signs of these zones are the other way round


def opening(zone: str) -> list[Command]:
    """An office and its campaign."""
    steps = [
        Step(
            id=f"day-{days}",
            title=f"Day {days}",
            days=days,
            channel=Channel.EMAIL,
            templates={"en": Template(subject="Reminder", body="{{ customer_name }}: {{ amount_due }} {{ currency }}")},
        )
        for days in STEP_DAYS
    ]
    return [
        OpenOffice(code="chaos", title="Chaos", currency="USD", time_zone=zone),
        ChangeOfficeSettings(
            office_id=OFFICE,
            limits=DeliveryLimits(max_per_minute=100_000),
            window=SendWindow(opens=clock_time(0, 0), closes=clock_time(23, 59)),
        ),
        LaunchCampaign(
            office_id=OFFICE, title="Reminders", plan=CampaignPlan(steps=tuple(steps), business_days_only=False)
        ),
    ]


class Desk:
    """One who sends. Its customers are its own, so that what it does to each of them comes in order."""

    def __init__(
        self, arrears: Arrears, memory: Memory, number: int, random: Random, *, zone: str, pause: float
    ) -> None:
        self._arrears = arrears
        self._memory = memory
        self._number = number
        self._random = random
        self._zone = ZoneInfo(zone)
        self._pause = pause
        self._customers: list[_Customer] = []
        self._mine: list[Answered] = []
        self._paused_at = time.monotonic()
        self._vip_blocks = False

    def work(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                scene = self._random.choices(_SCENES, _WEIGHTS)[0]
                scene(self)
                stop.wait(self._random.uniform(0, 2 * self._pause))
        except Exception as error:
            self._memory.failures.append(f"desk {self._number}: {type(error).__name__}: {error}")
            raise

    def send(self, *commands: Command, effective_on: date | None = None) -> list[Outcome]:
        """Sends commands together, the same ones again until they are answered."""
        issued = [
            Issued(
                command=command,
                command_id=UUID(int=self._random.getrandbits(128), version=4),
                actor=ACTOR,
                reason="chaos",
                effective_on=effective_on,
            )
            for command in commands
        ]
        outcomes = self._until_answered(issued)
        self._memory.add(issued, outcomes)
        self._mine += map(Answered, issued, outcomes)
        return outcomes

    def _until_answered(self, issued: Sequence[Issued]) -> list[Outcome]:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return self._arrears.handle(issued)
            except _LOST:
                self._memory.add_lost()
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)

    # --- scenes ---

    def _today(self) -> date:
        """The office's, which may be another than ours."""
        return datetime.now(self._zone).date()

    def _anybody(self) -> _Customer:
        return self._random.choice(self._customers or [self._new_customer()])

    def _new_customer(self) -> _Customer:
        number = f"{self._number}-{len(self._customers):05}"
        customer = _Customer(account_id(OFFICE, number), number)
        self._send_new([customer])
        return customer

    def _send_new(self, customers: Sequence[_Customer]) -> None:
        commands: list[Command] = []
        for customer in customers:
            email = EmailAddress(id="email-1", address=f"{customer.number}@example.org", consent=Consent.GIVEN)
            commands.append(
                OpenAccount(
                    office_id=OFFICE,
                    number=customer.number,
                    customer_name=f"Customer {customer.number}",
                    currency="USD",
                    contact=ContactDetails(emails=(email,)),
                )
            )
            commands += [self._invoice(customer) for _ in range(self._random.randint(1, 2))]
        self.send(*commands)
        self._customers += customers

    def _invoice(self, customer: _Customer) -> BillInvoice:
        """Due at a day on which a reminder is sent, at another one in the past, or soon."""
        days = self._random.choice((*STEP_DAYS, *STEP_DAYS, 5, 45, 100, 0, -3, -10))
        due_on = self._today() - timedelta(days=days)
        return BillInvoice(
            account_id=customer.id,
            number=customer.next_number("I"),
            issued_on=due_on - timedelta(days=30),
            due_on=due_on,
            amount=Money(self._random.randint(5_000, 20_000), "USD"),
        )

    def newcomer(self) -> None:
        self._new_customer()

    def burst(self) -> None:
        """Many new customers at once, as from a billing file."""
        first = len(self._customers)
        numbers = [f"{self._number}-{first + n:05}" for n in range(self._random.randint(15, 40))]
        self._send_new([_Customer(account_id(OFFICE, number), number) for number in numbers])

    def bill(self) -> None:
        self.send(self._invoice(self._anybody()))

    def pay(self) -> None:
        customer = self._anybody()
        payment = ReceivePayment(
            account_id=customer.id,
            number=customer.next_number("P"),
            amount=Money(self._random.choice((500, 2_000, 10_000, 30_000)), "USD"),
            received_on=self._today(),
        )
        self.send(payment)
        customer.payments.append(payment.number)

    def reverse(self) -> None:
        """One that was reversed before is refused."""
        customer = self._anybody()
        if customer.payments:
            self.send(
                ReversePayment(
                    account_id=customer.id,
                    number=self._random.choice(customer.payments),
                    reversal=ReversalKind.NSF,
                    reversed_on=self._today(),
                )
            )

    def promise_in_time(self) -> None:
        self._promise(made=0, due=5)

    def promise_long_broken(self) -> None:
        """One that somebody made days ago and that is entered only now: judged at the next tick."""
        self._promise(made=-12, due=-6)

    def _promise(self, *, made: int, due: int) -> None:
        customer, today = self._anybody(), self._today()
        part = Instalment(due_on=today + timedelta(days=due), amount=Money(self._random.randint(500, 4_000), "USD"))
        promise = MakePromise(
            promise_id=UUID(int=self._random.getrandbits(128), version=4),
            account_id=customer.id,
            instalments=(part,),
            assignee="carla",
        )
        self.send(promise, effective_on=today + timedelta(days=made))

    def note(self) -> None:
        follow_up = self._today() if self._random.random() < 0.7 else None
        self.send(
            RecordActivity(
                account_id=self._anybody().id, kind=ActivityKind.CALL, notes="Called.", follow_up_on=follow_up
            )
        )

    def flag(self) -> None:
        customer = self._anybody()
        code = "vip" if self._random.random() < 0.7 else "legal"
        self.send((ClearFlag if customer.flagged else SetFlag)(account_id=customer.id, flag=code))
        customer.flagged = not customer.flagged

    def stop_chasing(self) -> None:
        customer = self._anybody()
        self.send(
            self._random.choice(
                (
                    OptOutOfContact(account_id=customer.id, channel=Channel.EMAIL),
                    ExcludeAccount(account_id=customer.id),
                    PlaceHold(account_id=customer.id, code="chaos", until=self._today()),
                )
            )
        )

    def nonsense(self) -> None:
        """Refused: there is no such flag, or no such account."""
        nobody = account_id(OFFICE, "nobody")
        self.send(
            SetFlag(account_id=self._anybody().id, flag="no-such-flag"),
            RecordActivity(account_id=nobody, kind=ActivityKind.NOTE),
        )

    def again(self) -> None:
        """A command that was answered before: the same outcome, and nothing happens."""
        if self._mine:
            before = self._random.choice(self._mine)
            (outcome,) = self._until_answered([before.issued])
            self._memory.add_repeat(before, outcome)

    def pause(self) -> None:
        """The campaign rests for two seconds, and every account of the office is judged anew, twice."""
        if self._number == 0 and time.monotonic() - self._paused_at > _PAUSE_EVERY_SECONDS:
            self._paused_at = time.monotonic()
            self.send(PauseCampaign(campaign_id=CAMPAIGN, paused_until=datetime.now(UTC) + timedelta(seconds=2)))

    def change_flags(self) -> None:
        """A flag that many carry blocks from now on, or does so no longer."""
        self._vip_blocks = not self._vip_blocks
        vip = FlagDefinition(title="Handle with care", blocks=self._vip_blocks)
        self.send(ChangeOfficeSettings(office_id=OFFICE, flags={**STANDARD_FLAGS, "vip": vip}))


_PLAY: dict[Callable[[Desk], None], int] = {
    Desk.newcomer: 20,
    Desk.burst: 2,
    Desk.bill: 8,
    Desk.pay: 16,
    Desk.reverse: 6,
    Desk.promise_in_time: 8,
    Desk.promise_long_broken: 8,
    Desk.note: 12,
    Desk.flag: 6,
    Desk.stop_chasing: 3,
    Desk.nonsense: 3,
    Desk.again: 6,
    Desk.pause: 6,
}
_SCENES, _WEIGHTS = list(_PLAY), list(_PLAY.values())


def accepted(memory: Memory) -> list[tuple[Issued, Accepted]]:
    return [(each.issued, each.outcome) for each in memory.answered if isinstance(each.outcome, Accepted)]

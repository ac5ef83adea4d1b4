"""A rule change for many accounts: how long others wait for their policies meanwhile, and how fast it goes."""

import os
import statistics
import threading
import time
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.account.payments import ReceivePayment
from aggregates.campaign import CampaignPlan, LaunchCampaign, Step, Template
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued
from aggregates.office import OpenOffice, office_id
from aggregates.promise import Instalment, MakePromise
from aggregates.values.contact import Channel
from aggregates.values.money import Money
from api.processes.service import Service
from api.processes.standalone import Standalone, helpers_of_this_machine
from api.processes.step_by_step import StepByStep
from projections.questions.work import WorkProgress, works
from tests.benchmarks.harness import Row, benchmark
from tests.benchmarks.portfolio import OFFICE, due_tomorrow, portfolio, send
from tests.temporary import temporary_folder

ACCOUNTS_VARIABLE = "ARREARS_BENCH_ACCOUNTS"
_ACCOUNTS = 100_000
_EVERY_SECONDS = 0.1
_LIMIT_MS = 1_000.0
_OTHER = office_id("other")
_PAYER = account_id(_OTHER, "payer")
_PROMISE = uuid4()
_PLAN = CampaignPlan(
    steps=(
        Step(
            id="day-5", title="Day 5", days=5, channel=Channel.EMAIL,
            templates={"en": Template(subject="Reminder", body="{{ amount_due }}")},
        ),
    )
)  # fmt: skip


@benchmark("fanout")
def fanout() -> list[Row]:
    """100,000 accounts (or ARREARS_BENCH_ACCOUNTS) re-judged by a new campaign; payments elsewhere every 100 ms."""
    accounts = int(os.environ.get(ACCOUNTS_VARIABLE, _ACCOUNTS))
    with temporary_folder() as folder:
        with StepByStep.open(folder, env={}) as before:
            before.prepare()
            _fill(before, accounts)
        with helpers_of_this_machine() as helpers, Standalone.open(folder, env={}) as service:
            service.start(helpers)
            delays, seconds, work = _pay_meanwhile(service)
    if work.done != accounts:
        raise RuntimeError(f"{work.done} of {accounts} accounts were judged")
    what = f"payment to its policies while {accounts:,} accounts are re-judged"
    p99, p50 = 1_000 * delays[int(len(delays) * 0.99)], 1_000 * statistics.median(delays)
    return [
        Row(f"{what}, p99", p99, "ms", "limit", _LIMIT_MS, _LIMIT_MS, goal_is_value=True, less_is_better=True),
        Row(f"{what}, p50", p50, "ms", "limit", _LIMIT_MS, None, less_is_better=True),
        Row(f"{what}, longest", 1_000 * delays[-1], "ms", "limit", _LIMIT_MS, None, less_is_better=True),
        Row("accounts re-judged, everything running", accounts / seconds, "accounts/s", "", None, None),
    ]


def _pay_meanwhile(service: Service) -> tuple[list[float], float, WorkProgress]:
    """Seconds from each payment to its policies, in order of length; how long the work took, and what came of it."""
    with _Promise(service) as promise:
        service.arrears.handle([_issued(LaunchCampaign(office_id=OFFICE, title="Another", plan=_PLAN))])
        started, sent = time.perf_counter(), list[float]()
        while (work := _work(service)) is None or work.state == "open":
            time.sleep(max(0.0, started + len(sent) * _EVERY_SECONDS - time.perf_counter()))
            sent.append(time.perf_counter())
            _pay(service, len(sent))
        return sorted(promise.delays(sent)), time.perf_counter() - started, work


def _today() -> date:
    return datetime.now(UTC).date()


def _fill(service: StepByStep, accounts: int) -> None:
    """Accounts that nobody has looked at yet, shown in the report; and one elsewhere with a promise."""
    today = _today()
    send(service.arrears, portfolio(accounts, issued_on=today, due_on=due_tomorrow(0, today)))
    amount = Money(1_000_000, "USD")
    due_on = today + timedelta(days=30)
    service.arrears.handle(
        [
            _issued(command)
            for command in (
                OpenOffice(code="other", title="Other", currency="USD", time_zone="UTC"),
                OpenAccount(office_id=_OTHER, number="payer", customer_name="Payer", currency="USD"),
                BillInvoice(account_id=_PAYER, number="I-1", issued_on=today, due_on=due_on, amount=amount),
                MakePromise(
                    promise_id=_PROMISE, account_id=_PAYER, instalments=(Instalment(due_on=due_on, amount=amount),)
                ),
            )
        ]
    )
    while service.sealer.seal_once():
        pass
    service.projections.catch_up()
    with service.database.connect("arrears_app", autocommit=True) as connection:
        connection.execute(
            "INSERT INTO read_model.checkpoints (reader, position) VALUES ('policies', %s)", [service.feed.head()]
        )


def _issued(command: Command) -> Issued:
    return Issued(command=command, command_id=uuid4(), actor=Actor.service("bench"))


def _pay(service: Service, number: int) -> None:
    command = ReceivePayment(
        account_id=_PAYER, number=f"P-{number}", amount=Money(1, "USD"), received_on=_today()
    )  # fmt: skip
    (outcome,) = service.arrears.handle([_issued(command)])
    if not isinstance(outcome, Accepted):
        raise RuntimeError(f"not accepted: {outcome}")


def _work(service: Service) -> WorkProgress | None:
    """What the campaign has led to; None before policies have heard of it."""
    with service.database.connect("arrears_app") as connection:
        found = works(connection, office_id=OFFICE).rows
    return found[0] if found else None


class _Promise:
    """Looks every two milliseconds how many payments count towards the promise, as another process sees it."""

    def __init__(self, service: Service) -> None:
        self._database = service.database
        self._stop = threading.Event()
        self._counted: list[float] = []
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Promise":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        with self._database.connect("arrears_app", autocommit=True) as connection:
            while not self._stop.wait(0.002):
                row = connection.execute(
                    "SELECT count(*) FROM arrears.events WHERE aggregate_id = %s AND name = 'promise.payment-counted'",
                    [_PROMISE],
                    prepare=True,
                ).fetchone()
                now = time.perf_counter()
                self._counted += [now] * ((row[0] if row else 0) - len(self._counted))

    def delays(self, sent: list[float]) -> list[float]:
        """Seconds from sending a payment to its counting, once all are counted: they count in their order."""
        deadline = time.monotonic() + 60
        while len(self._counted) < len(sent):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self._counted)} of {len(sent)} payments were counted")
            time.sleep(0.01)
        return [counted - at for counted, at in zip(self._counted, sent, strict=True)]

"""The whole flow: from a command to the report, and a business day on portfolios of different sizes."""

import statistics
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from adapters.clock import Clock, ManualClock
from adapters.postgres.database import Database
from aggregates.account.command import account_id
from aggregates.account.payments import ReceivePayment
from aggregates.kernel.command import Accepted, Issued
from aggregates.values.money import Money
from api.processes.standalone import Standalone, helpers_of_this_machine
from api.processes.step_by_step import StepByStep
from tests.benchmarks.harness import Row, benchmark
from tests.benchmarks.portfolio import ACTOR, OFFICE, due_tomorrow, portfolio, send
from tests.temporary import temporary_folder

_TODAY = date(2026, 3, 2)
_RATE, _SECONDS = 100, 15
_DUE = 5_000


@contextmanager
def _service(clock: Clock | None = None) -> Iterator[StepByStep]:
    with temporary_folder() as folder, StepByStep.open(folder, env={}, clock=clock) as service:
        service.prepare()
        yield service


# --- command to report ---------------------------------------------------------------------------------------


@benchmark("latency")
def latency() -> list[Row]:
    """From sending a command to its effect in the collections report, at 100 commands a second, everything running."""
    accounts = 2_000
    with temporary_folder() as folder:
        with StepByStep.open(folder, env={}) as before:
            before.prepare()
            send(before.arrears, portfolio(accounts, issued_on=_TODAY, due_on=due_tomorrow(0, date(2030, 1, 1))))
            before.drain()
        with helpers_of_this_machine() as helpers, Standalone.open(folder, env={}) as service:
            service.start(helpers)
            service.arrears.handle([payment(n, "P-before", datetime.now(UTC).date()) for n in range(accounts)])
            service.wait_until_shown(30)  # from here on accounts are at hand, as in a service that has run for a while
            with _Watch(service.database) as watch:
                sent = _pay_at_a_rate(service, accounts)
                service.wait_until_shown(30)
            delays = sorted(watch.delays(sent))
    p99 = 1_000 * delays[int(len(delays) * 0.99)]
    p50 = 1_000 * statistics.median(delays)
    return [
        Row("command to report, p99", p99, "ms", "limit", 100.0, 100.0, goal_is_value=True, less_is_better=True),
        Row("command to report, p50", p50, "ms", "limit", 100.0, None, less_is_better=True),
    ]


def _pay_at_a_rate(service: Standalone, accounts: int) -> dict[UUID, float]:
    """Sends payments at a steady rate and returns when each event's command was sent."""
    sent: dict[UUID, float] = {}
    started = time.perf_counter()
    for n in range(_RATE * _SECONDS):
        time.sleep(max(0.0, started + n / _RATE - time.perf_counter()))
        at = time.perf_counter()
        outcome = service.arrears.handle([payment(n % accounts, f"P-{n}", datetime.now(UTC).date())])[0]
        if not isinstance(outcome, Accepted) or not outcome.event_ids:
            raise RuntimeError(f"not accepted: {outcome}")
        sent[outcome.event_ids[0]] = at
    return sent


class _Watch:
    """Looks at the report's checkpoint every two milliseconds, as another reader of the database sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stop = threading.Event()
        self._seen: list[tuple[int, float]] = []
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        with self._database.connect("arrears_app", autocommit=True) as connection:
            ended = False
            while not ended:
                ended = self._stop.wait(0.002)  # and one look after it
                row = connection.execute(
                    "SELECT position FROM read_model.checkpoints JOIN read_model.projections USING (reader)"
                    " WHERE name = 'collections_report' AND state = 'live'",
                    prepare=True,
                ).fetchone()
                if row and (not self._seen or row[0] > self._seen[-1][0]):
                    self._seen.append((row[0], time.perf_counter()))

    def delays(self, sent: dict[UUID, float]) -> list[float]:
        """Seconds from sending to the first look that showed the event."""
        with self._database.connect("arrears_app") as connection:
            rows = connection.execute(
                "SELECT event_id, position FROM arrears.events WHERE event_id = ANY(%s)", [list(sent)]
            ).fetchall()
        positions = [position for position, _ in self._seen]
        return [self._seen[bisect_left(positions, position)][1] - sent[event] for event, position in rows]


# --- batches of account commands -----------------------------------------------------------------------------


@benchmark("account-batch")
def account_batch() -> list[Row]:
    """Payments in batches of 1,000 through `handle`: loaded, decided with allocation (two events each), durable."""
    accounts, rounds = 10_000, 4
    today = datetime.now(UTC).date()
    rates = []
    with _service() as service:
        send(service.arrears, portfolio(accounts, issued_on=today, due_on=due_tomorrow(0, today)))
        for round_ in range(rounds):
            commands = [payment(n, f"P-{round_}-{n}", today) for n in range(accounts)]
            started = time.perf_counter()
            for first in range(0, accounts, 1_000):
                service.arrears.handle(commands[first : first + 1_000])
            rates.append(accounts / (time.perf_counter() - started))
    rate = statistics.median(rates)
    return [Row("account commands in batches of 1,000", rate, "commands/s", "limit", 5_000, 5_000, goal_is_value=True)]


def payment(account: int, number: str, day: date) -> Issued:
    """A cent from an account of the portfolio."""
    command = ReceivePayment(
        account_id=account_id(OFFICE, f"A-{account:07}"), number=number, amount=Money(1, "USD"), received_on=day
    )
    return Issued(command=command, command_id=uuid4(), actor=ACTOR)


# --- a business day ------------------------------------------------------------------------------------------


@benchmark("business-day")
def business_day() -> list[Row]:
    """A tick with 5,000 due transitions, with everything it leads to, on 100,000 accounts and on 10,000."""
    (small, events), (large, events_of_large) = _day_on(10_000), _day_on(100_000)
    if events != events_of_large or events < _DUE:
        raise RuntimeError(f"the days differ: {events} and {events_of_large} events")
    return [
        Row(
            "business day, 5,000 due of 100,000 accounts",
            large,
            "s",
            "5,000 due of 10,000 accounts",
            small,
            1 / 1.5,
            less_is_better=True,
        )
    ]


def _day_on(accounts: int) -> tuple[float, int]:
    """Seconds and events of the day on which 5,000 accounts become past due."""
    clock = ManualClock(datetime(2026, 3, 2, 6, tzinfo=UTC))
    with _service(clock) as service:
        send(service.arrears, portfolio(accounts, issued_on=_TODAY, due_on=due_tomorrow(_DUE, _TODAY)))
        service.tick()
        with service.database.connect(autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        clock.set(clock.now() + timedelta(days=1))
        started = time.perf_counter()
        report = service.tick()
        seconds = time.perf_counter() - started
        return seconds, report.events

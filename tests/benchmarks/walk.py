"""Allocation that is walked again: an account with a long history, and money that comes late or in another order."""

import csv
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from adapters.billing.importer import OfficeDefaults
from aggregates.account.allocation import SettleAllocation
from aggregates.account.command import account_id
from aggregates.account.payments import ReceivePayment
from aggregates.kernel.command import Accepted, Command, Issued, identifier
from aggregates.values.money import Money
from api.processes.step_by_step import StepByStep
from tests.benchmarks.harness import Row, benchmark
from tests.benchmarks.portfolio import ACTOR, OFFICE
from tests.temporary import temporary_folder

_COUNT = 5_000
_LATE = 1_000
_A_DAY = 10
"""Invoices of one day, and payments of one day."""

_FIRST = date(2024, 1, 1)
_INVOICES = "account_number,invoice_number,issued_on,due_on,amount,currency"
_PAYMENTS = "account_number,payment_number,received_on,amount,currency"
_ACCOUNT = account_id(OFFICE, "1001")


@benchmark("walk")
def walk() -> list[Row]:
    """An account with 5,000 invoices and payments: one payment that comes late, 1,000 of them, files in any order."""
    with temporary_folder() as folder:
        files = _files(folder)
        with _service(folder / "straight") as service:
            straight = _bring_in(service, files["invoices"], files["payments"])
            decided, shown = _late_payment(service)
            at_once = _timed(lambda: _bring_in(service, files["late"]))
        with _service(folder / "other") as service:
            other = _bring_in(service, files["payments"], files["invoices"])
    return [
        Row("one late payment, decided and stored", decided, "s", "limit", 1.0, 1.0, True, True),
        Row("the same, shown everywhere", shown, "s", "limit", 1.0, None, True, True),
        Row("1,000 late payments in one file, shown", at_once, "s", "one of them", shown, None, less_is_better=True),
        Row("payments before invoices", other, "s", "invoices first", straight, 0.5, less_is_better=True),
    ]


@contextmanager
def _service(folder: Path) -> Iterator[StepByStep]:
    with StepByStep.open(folder, env={}) as service:
        service.prepare()
        yield service


def _bring_in(service: StepByStep, *files: Path) -> float:
    """Seconds until all of it is shown."""
    defaults = OfficeDefaults(code="bench", currency="USD", time_zone="UTC")

    def all_of_them() -> None:
        for path in files:
            service.import_file(path, "payments" if path.stem != "invoices" else "invoices", defaults=defaults)

    return _timed(all_of_them)


def _late_payment(service: StepByStep) -> tuple[float, float]:
    """Seconds until it is stored with everything that it moves, and until it is shown."""
    late = ReceivePayment(
        account_id=_ACCOUNT, number="L-one", received_on=_FIRST + timedelta(days=40), amount=Money(5_000, "USD")
    )
    decided = _timed(lambda: _carry_out(service, late, SettleAllocation(account_id=_ACCOUNT)))
    return decided, decided + _timed(service.drain)


def _carry_out(service: StepByStep, *commands: Command) -> None:
    for command in commands:
        issued = Issued(command=command, command_id=identifier("bench", type(command).__name__), actor=ACTOR)
        outcome = service.arrears.handle([issued])[0]
        if not isinstance(outcome, Accepted) or not outcome.event_ids:
            raise RuntimeError(f"not accepted: {outcome}")


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _files(folder: Path) -> dict[str, Path]:
    def written(name: str, head: str, lines: Iterator[tuple[object, ...]]) -> Path:
        path = folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(head.split(","))
            rows.writerows(lines)
        return path

    def on(n: int, later: int) -> date:
        return _FIRST + timedelta(days=n // _A_DAY + later)

    of = range(_COUNT)
    return {
        "invoices": written(
            "invoices",
            _INVOICES,
            ((1001, f"I-{n}", on(n, 0), on(n, 30), f"{100 + n % 50}.00", "USD") for n in of),
        ),
        "payments": written(
            "payments", _PAYMENTS, ((1001, f"P-{n}", on(n, 20), f"{90 + n % 50}.00", "USD") for n in of)
        ),
        "late": written("late", _PAYMENTS, ((1001, f"L-{n}", on(n * 4, 40), "5.00", "USD") for n in range(_LATE))),
    }

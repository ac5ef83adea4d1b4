"""Bulk actions over a large portfolio: how long a preview takes, and how fast what is confirmed is done."""

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from adapters.bulk.freezing import Selection
from adapters.eventstore.requests import Requests
from aggregates.kernel.actor import Actor
from api.application.authority import Authority
from api.application.bulk import confirm, preview
from api.application.issuing import Caller, Issuing
from api.processes.one_process import OneProcess
from api.processes.service import Service
from api.processes.step_by_step import StepByStep
from projections.questions.bulk import BulkView, bulk_action
from tests.benchmarks.fanout import ACCOUNTS_VARIABLE
from tests.benchmarks.harness import Row, benchmark
from tests.benchmarks.portfolio import due_tomorrow, portfolio, send
from tests.temporary import temporary_folder

T = TypeVar("T")

_FEES = {"basis": "invoice-balance-percent", "percent": "5", "service_type": "late-fee"}
_ACCOUNTS = 100_000
_PREVIEW_SECONDS, _LEAST_SECONDS = 20.0, 3.0
_ACCOUNTS_A_SECOND = 200.0
_LOOK_SECONDS = 0.1


@benchmark("bulk")
def bulk() -> list[Row]:
    """A flag and a fee for 100,000 accounts (or ARREARS_BENCH_ACCOUNTS): previewed, and confirmed with everything
    running."""
    accounts = int(os.environ.get(ACCOUNTS_VARIABLE, _ACCOUNTS))
    with temporary_folder() as folder:
        with StepByStep.open(folder, env={}) as before:
            before.prepare()
            _fill(before, accounts)
            previewed, bulk_id = _timed(partial(_preview, before, "flags", {"add": ["vip"]}))
            fees_previewed, fees_id = _timed(partial(_preview, before, "fees", _FEES))
        with OneProcess.open(folder, env={}) as service:
            service.start()
            service.wait_until_shown(timeout=600.0)
            flagged, _ = _timed(partial(_confirm, service, bulk_id, accounts))
            charged, _ = _timed(partial(_confirm, service, fees_id, accounts))
    return [
        _of_preview(f"preview of {accounts:,} accounts", previewed, accounts),
        _of_preview(f"preview of fees of {accounts:,} accounts", fees_previewed, accounts),
        _of_confirmation("accounts flagged, everything running", flagged, accounts),
        _of_confirmation("fees made, everything running", charged, accounts),
    ]


def _of_preview(name: str, seconds: float, accounts: int) -> Row:
    limit = max(_LEAST_SECONDS, _PREVIEW_SECONDS * accounts / _ACCOUNTS)
    return Row(name, seconds, "s", "limit", limit, limit, goal_is_value=True, less_is_better=True)


def _of_confirmation(name: str, seconds: float, accounts: int) -> Row:
    limit = _ACCOUNTS_A_SECOND
    return Row(name, accounts / seconds, "accounts/s", "limit", limit, limit, goal_is_value=True)


def _timed(does: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    found = does()
    return time.perf_counter() - started, found


def _confirm(service: OneProcess, bulk_id: UUID, accounts: int) -> None:
    confirm(service, _issuing(service), _CALLER, bulk_id, without_changed=False)
    while (found := _found(service, bulk_id)).state != "finished":
        time.sleep(_LOOK_SECONDS)
    if found.done != accounts:
        raise RuntimeError(f"{found.done} of {accounts} accounts were done")


_CALLER = Caller(Actor.service("bench"), Authority.OPERATOR)


def _issuing(service: Service) -> Issuing:
    return Issuing(service, Requests(partial(service.database.connect, "arrears_app")))


def _preview(service: Service, kind: str, said: Mapping[str, Any]) -> UUID:
    return preview(service, _issuing(service), _CALLER, kind=kind, said=said, of=Selection()).id


def _found(service: Service, bulk_id: UUID) -> BulkView:
    with service.database.connect("arrears_app") as connection:
        found = bulk_action(connection, bulk_id)
    if found is None:
        raise RuntimeError("the preview is not shown")
    return found


def _fill(service: StepByStep, accounts: int) -> None:
    """Accounts that owe something, shown in the report; what policies had to say of them is said."""
    today = datetime.now(UTC).date()
    send(service.arrears, portfolio(accounts, issued_on=today, due_on=due_tomorrow(0, today)))
    while service.sealer.seal_once():
        pass
    service.projections.catch_up()
    with service.database.connect("arrears_app", autocommit=True) as connection:
        connection.execute(
            "INSERT INTO read_model.checkpoints (reader, position) VALUES ('policies', %s)", [service.feed.head()]
        )
    service.drain()
    with service.database.connect(autocommit=True) as connection:
        connection.execute("ANALYZE")  # as the database does by itself within seconds, and an import at its end

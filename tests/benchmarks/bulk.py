"""Bulk actions over a large portfolio: how long a preview takes, and how fast what is confirmed is done."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog

from adapters.bulk.freezing import Selection
from adapters.eventstore.requests import Requests
from aggregates.bulk.action import BeginBulkUndo
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
from tests.benchmarks.report import report_rows
from tests.temporary import temporary_folder

T = TypeVar("T")

_FEES = {"basis": "invoice-balance-percent", "percent": "5", "service_type": "late-fee"}
_ACCOUNTS = 100_000
_PREVIEW_SECONDS, _LEAST_SECONDS = 20.0, 3.0
_FLAGS_SECONDS, _FEES_SECONDS, _FREEZE_SECONDS, _UNDO_SECONDS = 60.0, 90.0, 60.0, 60.0
_LOOK_SECONDS = 0.5


@benchmark("bulk")
def bulk() -> list[Row]:
    """A flag, a fee and a freeze for 100,000 accounts (or ARREARS_BENCH_ACCOUNTS): previewed, and confirmed and undone
    with everything running; and what is asked of the report of so many."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # not a line a request
    accounts = int(os.environ.get(ACCOUNTS_VARIABLE, _ACCOUNTS))
    kinds: dict[str, dict[str, Any]] = {"flags": {"add": ["vip"]}, "fees": _FEES, "freeze": {"code": "non-payment"}}
    with temporary_folder() as folder:
        with StepByStep.open(folder, env={}) as before:
            before.prepare()
            _fill(before, accounts)
            report = report_rows(before, _issuing(before), _CALLER, folder, accounts)
            previews = {kind: _timed(partial(_preview, before, kind, said)) for kind, said in kinds.items()}
        with OneProcess.open(folder, env={}) as service:
            service.start()
            service.wait_until_shown(timeout=600.0)
            confirmed = {
                kind: _timed(partial(_confirm, service, bulk_id, accounts))[0]
                for kind, (_, bulk_id) in previews.items()
            }
            undone, _ = _timed(partial(_undo, service, previews["flags"][1]))
    return [
        *report,
        *(_row(f"preview of {kind}", seconds, _PREVIEW_SECONDS, accounts) for kind, (seconds, _) in previews.items()),
        _row("flags, everything running", confirmed["flags"], _FLAGS_SECONDS, accounts),
        _row("fees, everything running", confirmed["fees"], _FEES_SECONDS, accounts),
        _row("freeze, everything running", confirmed["freeze"], _FREEZE_SECONDS, accounts),
        _row("flags undone, everything running", undone, _UNDO_SECONDS, accounts),
    ]


def _row(name: str, seconds: float, limit: float, accounts: int) -> Row:
    limit = max(_LEAST_SECONDS, limit * accounts / _ACCOUNTS)
    return Row(f"{accounts:,} accounts: {name}", seconds, "s", "limit", limit, limit, True, True)


def _timed(does: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    found = does()
    return time.perf_counter() - started, found


def _confirm(service: OneProcess, bulk_id: UUID, accounts: int) -> None:
    confirm(service, _issuing(service), _CALLER, bulk_id, without_changed=False)
    found = _wait(service, bulk_id, "finished")
    if found.done != accounts:
        raise RuntimeError(f"{found.done} of {accounts} accounts were done")


def _undo(service: OneProcess, bulk_id: UUID) -> None:
    _issuing(service).issue(BeginBulkUndo(bulk_id=bulk_id), _CALLER)
    _wait(service, bulk_id, "undone")


def _wait(service: OneProcess, bulk_id: UUID, state: str) -> BulkView:
    while (found := _found(service, bulk_id)).state != state:
        time.sleep(_LOOK_SECONDS)
    return found


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
    """Accounts that owe something, judged and shown in the report."""
    today = datetime.now(UTC).date()
    send(service.arrears, portfolio(accounts, issued_on=today, due_on=due_tomorrow(0, today)))
    service.tick()  # today's report is what was aged today

"""A bulk action over a large portfolio: how long its preview takes, and how fast what is confirmed is done."""

import os
import time
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from adapters.eventstore.requests import Requests
from aggregates.kernel.actor import Actor
from api.application.authority import Authority
from api.application.bulk import Selection, confirm, preview
from api.application.issuing import Caller, Issuing
from api.processes.one_process import OneProcess
from api.processes.service import Service
from api.processes.step_by_step import StepByStep
from projections.questions.bulk import BulkView, bulk_action
from tests.benchmarks.fanout import ACCOUNTS_VARIABLE
from tests.benchmarks.harness import Row, benchmark
from tests.benchmarks.portfolio import due_tomorrow, portfolio, send
from tests.temporary import temporary_folder

_ACCOUNTS = 100_000
_PREVIEW_SECONDS, _LEAST_SECONDS = 20.0, 3.0
_ACCOUNTS_A_SECOND = 200.0
_LOOK_SECONDS = 0.1


@benchmark("bulk")
def bulk() -> list[Row]:
    """A flag for 100,000 accounts (or ARREARS_BENCH_ACCOUNTS): previewed, and confirmed with everything running."""
    accounts = int(os.environ.get(ACCOUNTS_VARIABLE, _ACCOUNTS))
    with temporary_folder() as folder:
        with StepByStep.open(folder, env={}) as before:
            before.prepare()
            _fill(before, accounts)
            started = time.perf_counter()
            bulk_id = _preview(before)
            previewed = time.perf_counter() - started
        with OneProcess.open(folder, env={}) as service:
            service.start()
            service.wait_until_shown(timeout=600.0)
            started = time.perf_counter()
            confirm(service, _issuing(service), _CALLER, bulk_id, without_changed=False)
            while (found := _found(service, bulk_id)).state != "finished":
                time.sleep(_LOOK_SECONDS)
            done = time.perf_counter() - started
    if found.done != accounts:
        raise RuntimeError(f"{found.done} of {accounts} accounts were done")
    limit, a_second = max(_LEAST_SECONDS, _PREVIEW_SECONDS * accounts / _ACCOUNTS), accounts / done
    return [
        Row(
            f"preview of {accounts:,} accounts",
            previewed,
            "s",
            "limit",
            limit,
            limit,
            goal_is_value=True,
            less_is_better=True,
        ),
        Row(
            "accounts flagged, everything running",
            a_second,
            "accounts/s",
            "limit",
            _ACCOUNTS_A_SECOND,
            _ACCOUNTS_A_SECOND,
            goal_is_value=True,
        ),
    ]


_CALLER = Caller(Actor.service("bench"), Authority.OPERATOR)


def _issuing(service: Service) -> Issuing:
    return Issuing(service, Requests(partial(service.database.connect, "arrears_app")))


def _preview(service: Service) -> UUID:
    return preview(service, _issuing(service), _CALLER, kind="flags", said={"add": ["vip"]}, of=Selection()).id


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

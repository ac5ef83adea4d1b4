"""Bulk actions over a large portfolio: how long a preview takes, how fast what is confirmed is done, and how long
others wait meanwhile."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
from api.http.server import server_of
from api.processes.service import Service
from api.processes.standalone import Standalone, helpers_of_this_machine
from api.processes.step_by_step import StepByStep
from projections.questions.bulk import BulkView, bulk_action
from tests.benchmarks import bulk_client
from tests.benchmarks.fanout import ACCOUNTS_VARIABLE
from tests.benchmarks.harness import Row, benchmark
from tests.benchmarks.overload_client import percentile
from tests.benchmarks.portfolio import due_tomorrow, portfolio, send
from tests.benchmarks.report import report_rows
from tests.benchmarks.tryton_peer import FEES, OPTIMIZED, fee_rates
from tests.temporary import temporary_folder

T = TypeVar("T")

_ALL = Selection()
"""The accounts of the report, all of them."""

_FLAGS, _FREEZE, _STAGE = {"add": ["vip"]}, {"code": "non-payment"}, {"to": "pending"}
_MESSAGE = {
    "channel": "email",
    "subject": "Your account",
    "text": "Dear {{ customer_name }}, {{ amount_due }} {{ currency }} is due.",
    "ignore_max_per_minute": True,
}
_FEES = {"basis": "invoice-balance-percent", "percent": "5", "service_type": "late-fee"}
_ACCOUNTS = 100_000
_PREVIEW_SECONDS, _LEAST_SECONDS = 20.0, 3.0
_FLAGS_SECONDS, _FEES_SECONDS, _FREEZE_SECONDS, _UNDO_SECONDS = 60.0, 90.0, 60.0, 60.0
_MESSAGES_PREVIEW_SECONDS, _MESSAGES_SECONDS = 20.0, 60.0
_MESSAGES_OF = 10
"""Of so many accounts one is written to: what the carrier takes is measured by `desk`."""
_REQUEST_MS = 100.0
_LOOK_SECONDS = 0.5


@benchmark("bulk")
def bulk() -> list[Row]:
    """A flag, a fee, a freeze and messages for 100,000 accounts (or ARREARS_BENCH_ACCOUNTS); requests meanwhile.

    They are previewed, and confirmed and undone with everything running; messages go to a tenth. Beside that what is
    asked of the report of so many, and how long others wait for their answers while a bulk action runs. The fees stand
    beside Tryton's dunning fees too, each of which it posts.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # not a line a request
    [theirs] = fee_rates(OPTIMIZED)  # first: where Tryton cannot be had, that is known at once
    accounts = int(os.environ.get(ACCOUNTS_VARIABLE, _ACCOUNTS))
    some = Selection(accounts=tuple(f"A-{n:07}" for n in range(0, accounts, _MESSAGES_OF)))
    kinds: dict[str, dict[str, Any]] = {"flags": _FLAGS, "fees": _FEES, "freeze": _FREEZE}
    with temporary_folder() as folder:
        with StepByStep.open(folder, env={}) as before:
            before.prepare()
            _fill(before, accounts)
            report = report_rows(before, _issuing(before), _CALLER, folder, accounts)
            previews = {kind: _timed(partial(_preview, before, kind, said)) for kind, said in kinds.items()}
            staged = _preview(before, "stage", _STAGE)
        with helpers_of_this_machine() as helpers, Standalone.open(folder, env={}) as service:
            service.start(helpers)
            service.wait_until_shown(timeout=600.0)
            confirmed = {
                kind: _timed(partial(_confirm, service, bulk_id, accounts))[0]
                for kind, (_, bulk_id) in previews.items()
            }
            undone, _ = _timed(partial(_undo, service, previews["flags"][1]))
            with _asking(service) as took:
                _confirm(service, staged, accounts)
            shown, written = _timed(partial(_preview, service, "message", _MESSAGE, some))
            service.wait_until_shown(timeout=600.0)
            sent, _ = _timed(partial(_confirm, service, written, len(some.accounts)))
    few = partial(_row, accounts=len(some.accounts), of=accounts)
    return [
        *report,
        *(_row(f"preview of {kind}", seconds, _PREVIEW_SECONDS, accounts) for kind, (seconds, _) in previews.items()),
        _row("flags, everything running", confirmed["flags"], _FLAGS_SECONDS, accounts),
        _row("fees, everything running", confirmed["fees"], _FEES_SECONDS, accounts),
        Row("the same fees, beside Tryton", accounts / confirmed["fees"], "accounts/s", f"{FEES}, -O", theirs, 20.0),
        _row("freeze, everything running", confirmed["freeze"], _FREEZE_SECONDS, accounts),
        _row("flags undone, everything running", undone, _UNDO_SECONDS, accounts),
        few("preview of messages, everything running", shown, _MESSAGES_PREVIEW_SECONDS),
        few("messages queued, everything running", sent, _MESSAGES_SECONDS),
        *(
            Row(
                f"{accounts:,} accounts: {name} while a bulk action runs, p99",
                percentile(each, 0.99),
                "ms",
                "limit",
                _REQUEST_MS,
                None if name == bulk_client.REPORT else _REQUEST_MS,
                goal_is_value=True,
                less_is_better=True,
            )
            for name, each in took.items()
        ),
    ]


def _row(name: str, seconds: float, limit: float, accounts: int, *, of: int | None = None) -> Row:
    limit = max(_LEAST_SECONDS, limit * (of or accounts) / _ACCOUNTS)
    return Row(f"{accounts:,} accounts: {name}", seconds, "s", "limit", limit, limit, True, True)


@contextmanager
def _asking(service: Service) -> Iterator[dict[str, list[float]]]:
    """People ask the service's HTTP from another process; what each request took, in ms, is there at the end."""
    took: dict[str, list[float]] = {}
    server = server_of(service, "127.0.0.1", 0, None)
    thread = threading.Thread(target=server.run)
    with ExitStack() as stack:
        thread.start()
        stack.callback(thread.join)
        stack.callback(setattr, server, "should_exit", True)
        while not server.started:
            time.sleep(_LOOK_SECONDS)
        [socket] = server.servers[0].sockets
        command = [sys.executable, "-m", "tests.benchmarks.bulk_client", "http://{}:{}".format(*socket.getsockname())]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        stack.callback(client.wait)
        stack.callback(client.kill)
        assert client.stdout is not None
        client.stdout.readline()
        yield took
        said, _ = client.communicate()
        if client.returncode:
            raise RuntimeError("not answered")
        took |= json.loads(said)


def _timed(does: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    found = does()
    return time.perf_counter() - started, found


def _confirm(service: Standalone, bulk_id: UUID, accounts: int) -> None:
    confirm(service, _issuing(service), _CALLER, bulk_id, without_changed=False)
    found = _wait(service, bulk_id, "finished")
    if found.done != accounts:
        raise RuntimeError(f"{found.done} of {accounts} accounts were done")


def _undo(service: Standalone, bulk_id: UUID) -> None:
    _issuing(service).issue(BeginBulkUndo(bulk_id=bulk_id), _CALLER)
    _wait(service, bulk_id, "undone")


def _wait(service: Standalone, bulk_id: UUID, state: str) -> BulkView:
    while (found := _found(service, bulk_id)).state != state:
        time.sleep(_LOOK_SECONDS)
    return found


_CALLER = Caller(Actor.service("bench"), Authority.OPERATOR)


def _issuing(service: Service) -> Issuing:
    return Issuing(service, Requests(partial(service.database.connect, "arrears_app")))


def _preview(service: Service, kind: str, said: Mapping[str, Any], of: Selection = _ALL) -> UUID:
    return preview(service, _issuing(service), _CALLER, kind=kind, said=said, of=of).id


def _found(service: Service, bulk_id: UUID) -> BulkView:
    with service.database.connect("arrears_app") as connection:
        found = bulk_action(connection, bulk_id)
    if found is None:
        raise RuntimeError("the preview is not shown")
    return found


def _fill(service: StepByStep, accounts: int) -> None:
    """Accounts that owe something, judged and shown in the report."""
    now = datetime.now(UTC)
    today, zone = now.date(), _at_noon(now)
    send(service.arrears, portfolio(accounts, issued_on=today, due_on=due_tomorrow(0, today), time_zone=zone))
    service.tick()  # today's report is what was aged today


def _at_noon(now: datetime) -> str:
    """A time zone in which it is about noon of the same day: contact rules name hours, and a benchmark runs at any."""
    ahead = 12 - now.astimezone(UTC).hour
    return f"Etc/GMT{-ahead:+d}"  # whose signs are the other way round

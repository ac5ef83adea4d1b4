"""What the desk sends: from the judgement to the carrier, at the office's pace, and the account's page beside it."""

import logging
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from uuid import uuid4

import structlog

from adapters.clock import ManualClock, SystemClock
from adapters.delivery import queue
from adapters.delivery.carriers.setup import Carriers
from adapters.delivery.carriers.smtp import Smtp, server_of
from adapters.delivery.outbox import Outbox
from adapters.delivery.queue import Queued
from adapters.delivery.sender import senders
from adapters.kafka.local import free_ports
from aggregates.account.activities import ActivityKind, Direction, RecordActivity
from aggregates.account.command import account_id
from aggregates.kernel.command import Command, Issued, Rejected
from aggregates.office import ChangeOfficeSettings, DeliveryLimits
from api.http.app import create_app
from api.processes.step_by_step import StepByStep
from tests.adapters.delivery.carriers.stands import SENDER
from tests.api.http.client import Client
from tests.benchmarks.harness import Row, benchmark, fresh_database
from tests.benchmarks.portfolio import ACTOR, OFFICE, portfolio, send
from tests.benchmarks.tryton_peer import OPTIMIZED, REMINDERS, reminder_rates
from tests.temporary import temporary_folder

_DUE_ON = date(2026, 3, 2)
_FEW, _MANY = 2_000, 50_000
_MESSAGES = 10_000
_ENTRIES = 5_000
_PAGES = 200
_PER_MINUTE = 600


@benchmark("desk")
def desk() -> list[Row]:
    """Messages judged, rendered, queued and delivered; the pace of an office over three processes, by a clock that is
    set; and an account's page. The messages stand beside Tryton's dunnings too, which it generates and processes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # not a line a request
    [theirs] = reminder_rates(OPTIMIZED)  # first: where Tryton cannot be had, that is known at once
    few, many = _into_the_outbox(_FEW), _into_the_outbox(_MANY)
    whole = _whole()
    page, activities, statement = _pages("", "?tab=activity", "/statement")
    return [
        Row("messages into the local outbox, of 2,000 accounts", few, "messages/s", "limit", 1_000, 1_000, True),
        Row("the same of 50,000 accounts", many, "messages/s", "of 2,000", few, 0.8),
        Row("messages through a mail server of this machine", _by_mail(), "messages/s", "limit", 300, 300, True),
        Row("10,000 messages judged, queued, rendered, in the outbox", whole, "s", "limit", 12.0, 12.0, True, True),
        Row("the same, beside Tryton", _MESSAGES / whole, "messages/s", f"{REMINDERS}, -O", theirs, 3.0),
        Row("off the pace in the worst of ten minutes, three processes", _off(), "%", "limit", 2.0, 2.0, True, True),
        Row("an account's page with 5,000 entries, p99", page, "ms", "limit", 100.0, 100.0, True, True),
        Row("its activities, p99", activities, "ms", "limit", 100.0, 100.0, True, True),
        Row("its statement as PDF, p99", statement, "ms", "limit", 250.0, 250.0, True, True),
    ]


@contextmanager
def _before_the_messages(accounts: int, messages: int) -> Iterator[tuple[StepByStep, Path]]:
    """So many messages are to be sent at once, and their accounts have been judged for the day."""
    clock = ManualClock(datetime(2026, 3, 2, 6, tzinfo=UTC))
    with temporary_folder() as folder:
        outbox = folder / "outbox"
        with StepByStep.open(folder / "data", env={"ARREARS_OUTBOX": str(outbox)}, clock=clock) as service:
            service.prepare()
            due = lambda n: _DUE_ON if n < messages else date(2027, 1, 1)  # noqa: E731
            send(service.arrears, portfolio(accounts, issued_on=date(2026, 2, 1), due_on=due))
            limits = DeliveryLimits(max_per_minute=100_000)
            _do(service, [ChangeOfficeSettings(office_id=OFFICE, limits=limits)])
            service.tick()
            service.tick(datetime(2026, 3, 5, 0, 30, tzinfo=UTC))
            with service.database.connect(autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
            clock.set(datetime(2026, 3, 5, 15, tzinfo=UTC))
            yield service, outbox


def _do(service: StepByStep, commands: list[Command]) -> None:
    for start in range(0, len(commands), 1_000):
        some = commands[start : start + 1_000]
        outcomes = service.arrears.handle([Issued(command=each, command_id=uuid4(), actor=ACTOR) for each in some])
        if any(isinstance(each, Rejected) for each in outcomes):
            raise RuntimeError(f"refused: {outcomes[0]}")


def _queued(service: StepByStep) -> None:
    service.ticker.tick(service.clock.now())
    while service.sealer.seal_once():
        pass
    [intake] = [each for each in service.runners if each.name == "delivery"]
    intake.catch_up()


def _rate(service: StepByStep, carriers: Carriers, messages: int) -> float:
    made = senders(service.arrears, service.database, carriers, service.renderer, burst=timedelta(minutes=10))
    started, sent = time.perf_counter(), 0
    for each in made:
        while count := each.turn().count:
            sent += count
    seconds = time.perf_counter() - started
    if sent != messages:
        raise RuntimeError(f"{sent} messages were delivered, not {messages}")
    for each in made:
        each.close()
    return messages / seconds


def _into_the_outbox(accounts: int) -> float:
    with _before_the_messages(accounts, _FEW) as (service, outbox):
        _queued(service)
        return _rate(service, Carriers(Outbox(outbox)), _FEW)


def _by_mail() -> float:
    with ExitStack() as stack:
        [port] = free_ports(1)
        command = [sys.executable, "-m", "tests.benchmarks.mail_taker", str(port)]
        server = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
        stack.callback(server.kill)
        assert server.stdout is not None
        server.stdout.readline()
        service, outbox = stack.enter_context(_before_the_messages(_FEW, _FEW))
        _queued(service)
        return _rate(service, Carriers(Outbox(outbox), _smtp_to(port)), _FEW)


def _smtp_to(port: int) -> Smtp:
    server = server_of({"ARREARS_SMTP_URL": f"smtp://127.0.0.1:{port}?starttls=none"})
    return Smtp(server, lambda: None, SystemClock(), sender=SENDER)


def _whole() -> float:
    """Seconds from the tick that judges them until the last file is there."""
    with _before_the_messages(_MESSAGES, _MESSAGES) as (service, outbox):
        started = time.perf_counter()
        _queued(service)
        _rate(service, Carriers(Outbox(outbox)), _MESSAGES)
        return time.perf_counter() - started


def _off() -> float:
    """By how many percent the worst of ten minutes is off the office's pace. The clock is set, the queue is real."""
    office, began = uuid4(), datetime(2026, 3, 2, 12, tzinfo=UTC)
    left: Counter[int] = Counter()
    with fresh_database() as database, ExitStack() as stack:
        processes = [(uuid4(), stack.enter_context(database.connect("arrears_app", autocommit=True))) for _ in range(3)]
        queue.set_paces(processes[0][1], {office: _PER_MINUTE})
        queue.add(
            processes[0][1],
            [
                Queued(uuid4(), uuid4(), office, "sms", n, uuid4(), None, None, began, is_paced=True)
                for n in range(11 * _PER_MINUTE)
            ],
        )
        for owner, connection in processes:
            queue.appear(connection, owner)
        for step, (owner, connection) in zip(range(2_400), cycle(processes), strict=False):
            now = began + step * timedelta(seconds=0.25)
            taken = queue.take(connection, owner, ["sms"], most=250, now=now).deliveries
            queue.finish(connection, [each.message_id for each in taken])
            left[step // 240] += len(taken)
    return max(100 * abs(count / _PER_MINUTE - 1) for count in left.values())


def _pages(*asked: str) -> list[float]:
    """Milliseconds for what is asked of the page of an account of which 5,000 things are recorded."""
    clock = ManualClock(datetime(2026, 3, 2, 6, tzinfo=UTC))
    with temporary_folder() as folder, StepByStep.open(folder, env={}, clock=clock) as service:
        service.prepare()
        send(service.arrears, portfolio(1, issued_on=date(2026, 2, 1), due_on=lambda _: _DUE_ON))
        account = account_id(OFFICE, "A-0000000")
        calls: list[Command] = [
            RecordActivity(account_id=account, kind=ActivityKind.CALL, direction=Direction.INBOUND, notes=f"Call {n}.")
            for n in range(_ENTRIES)
        ]
        _do(service, calls)
        service.drain()
        with Client(create_app(service, None)) as client:
            return [_slowest(client, f"/accounts/{account}{each}") for each in asked]


def _slowest(client: Client, path: str) -> float:
    """Milliseconds, p99."""
    times = []
    for _ in range(_PAGES):
        started = time.perf_counter()
        answer = client.get(path)
        times.append(time.perf_counter() - started)
        if answer.status_code != 200:
            raise RuntimeError(f"the page answers {answer.status_code}")
    return 1_000 * quantiles(times, n=100)[98]

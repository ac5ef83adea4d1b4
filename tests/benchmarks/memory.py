"""Memory of the Python processes, PostgreSQL apart: a service on a large portfolio, the import of a large file."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import date, timedelta

import psutil

from api.processes.step_by_step import StepByStep
from tests.benchmarks.harness import Row, benchmark
from tests.benchmarks.portfolio import due_tomorrow, portfolio, send
from tests.temporary import temporary_folder

_ACCOUNTS = 100_000
_ROWS = 1_000_000
_PORT = 18_473
_MEGABYTE = 1024 * 1024


def _arrears(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from api.cli import main; main()", *arguments]


def _resident(process: psutil.Process) -> float:
    """Megabytes of the process and its Python children."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            if "postgres" not in each.name():
                total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / _MEGABYTE


def _peak_until(command: list[str], finished: Callable[[subprocess.Popen[bytes]], bool]) -> float:
    """The most that a command was seen to need, looking ten times a second, until it is told to end or ends."""
    peak = 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None and not finished(process):
            peak = max(peak, _resident(watched))
            time.sleep(0.1)
        if process.poll() is None:
            process.terminate()
        _, said = process.communicate(timeout=60)
        if process.returncode not in (0, -15, 143):
            raise RuntimeError(said.decode()[-2_000:])
    return peak


@benchmark("serve-memory")
def serve_memory() -> list[Row]:
    """`arrears serve` on 100,000 accounts, while its pages are read."""
    with temporary_folder() as folder:
        today = date.today()  # noqa: DTZ011
        with StepByStep.open(folder, env={}) as service:
            service.prepare()
            send(service.arrears, portfolio(_ACCOUNTS, issued_on=today, due_on=due_tomorrow(0, today)))
            service.tick()
        reader = _Reads(f"http://127.0.0.1:{_PORT}", times=200)
        peak = _peak_until(_arrears("serve", "--data", str(folder), "--port", str(_PORT)), reader.is_done)
    return [
        Row("serve on 100,000 accounts", peak, "MB", "limit", 400.0, 400.0, goal_is_value=True, less_is_better=True)
    ]


class _Reads:
    """Reads pages of the running service, one each time it is asked whether it is done."""

    def __init__(self, base: str, *, times: int) -> None:
        self._base, self._left = base, times
        self._until = time.monotonic() + 120

    def is_done(self, process: subprocess.Popen[bytes]) -> bool:
        del process
        path = ("/", "/v1/report/collections?limit=200", "/v1/report/aging")[self._left % 3]
        try:
            with urllib.request.urlopen(self._base + path, timeout=30) as answer:
                answer.read()
            self._left -= 1
        except OSError:
            if time.monotonic() > self._until:
                raise
        return self._left <= 0


@benchmark("import-memory")
def import_memory() -> list[Row]:
    """`arrears import` of a file with a million invoices of 20,000 customers."""
    with temporary_folder() as folder:
        path = folder / "invoices.csv"
        issued = date(2025, 1, 1)
        with path.open("w", encoding="utf-8") as file:
            file.write("account_number,invoice_number,issued_on,due_on,amount,currency\n")
            for n in range(_ROWS):
                day = issued + timedelta(days=n % 300)
                due = day + timedelta(days=30)
                file.write(f"C-{n % 20_000:05},I-{n:07},{day},{due},{n % 900 + 10}.{n % 100:02},USD\n")
        command = _arrears("import", str(path), "--profile", "invoices", "--data", str(folder / "data"))
        started = time.perf_counter()
        peak = _peak_until(command, lambda process: False)
        seconds = time.perf_counter() - started
    return [
        Row("import of 1,000,000 rows", peak, "MB", "limit", 300.0, 300.0, goal_is_value=True, less_is_better=True),
        Row("import of 1,000,000 rows, speed", _ROWS / seconds, "rows/s", "", None, None),
    ]

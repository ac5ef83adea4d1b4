"""A service that is asked for more than it can do: what it takes in is answered soon, the rest is refused at once."""

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from urllib.error import URLError

from adapters.kafka.local import free_ports
from api.processes.step_by_step import StepByStep
from tests.benchmarks.harness import Row, benchmark
from tests.benchmarks.overload_client import Seen, percentile
from tests.benchmarks.portfolio import due_tomorrow, portfolio, send
from tests.temporary import temporary_folder

_ACCOUNTS = 2_000
_CONNECTIONS = (64, 256)
_SECONDS = 20
_STARTS_SECONDS = 60
_MOST_MS, _MOST_HEALTH_MS = 500.0, 200.0


@benchmark("overload")
def overload() -> list[Row]:
    """Questions, pages and payments on many connections, each asking again as soon as it is answered; and health."""
    rows = []
    with _served() as address:
        for connections in _CONNECTIONS:
            seen = _load(address, connections)
            if seen.failed:
                raise RuntimeError(f"not answered: {Counter(seen.failed)}")
            asked = len(seen.admitted) + seen.refused
            p99, health = percentile(seen.admitted, 0.99), percentile(seen.health, 0.99)
            at = f"at {connections} connections"
            rows += [
                _at_most(f"admitted requests {at}, p99", p99, _MOST_MS),
                _at_most(f"health {at}, p99", health, _MOST_HEALTH_MS),
                Row(f"admitted {at}", len(seen.admitted) / _SECONDS, "requests/s", "", None, None),
                Row(f"refused {at}", 100 * seen.refused / asked, "%", "", None, None),
            ]
    return rows


def _at_most(name: str, milliseconds: float, limit: float) -> Row:
    return Row(name, milliseconds, "ms", "limit", limit, limit, goal_is_value=True, less_is_better=True)


def _load(address: str, connections: int) -> Seen:
    """What a client in a process of its own saw."""
    command = [sys.executable, "-m", "tests.benchmarks.overload_client", address, str(connections), str(_SECONDS)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=10 * _SECONDS).stdout
    return Seen(**json.loads(said))


@contextmanager
def _served() -> Iterator[str]:
    """The address of a service with everything running, in a process of its own."""
    today = datetime.now(UTC).date()
    with temporary_folder() as folder:
        with StepByStep.open(folder, env={}) as service:
            service.prepare()
            send(service.arrears, portfolio(_ACCOUNTS, issued_on=today, due_on=due_tomorrow(_ACCOUNTS, today)))
            service.drain()
        [port] = free_ports(1)
        command = [sys.executable, "-c", "from api.cli import main; main()", "serve"]
        process = subprocess.Popen(
            [*command, "--data", str(folder), "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield _answering(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(60)


def _answering(address: str) -> str:
    deadline = time.monotonic() + _STARTS_SECONDS
    while True:
        with suppress(URLError):
            urllib.request.urlopen(f"{address}/health/ready", timeout=5).close()
            return address
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing answers at {address}")
        time.sleep(0.1)

"""People who ask a service now and then, whatever else it does: a process of its own.

`python -m tests.benchmarks.bulk_client ADDRESS` asks until its input ends, and prints milliseconds by path as JSON.
"""

import json
import sys
import threading
import time
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

REPORT = "the report"
EVERY = {"an account": 0.2, "an account's page": 0.5, REPORT: 2.0}
"""Seconds between the requests of each kind, which has a connection of its own."""


def ask(address: str) -> dict[str, list[float]]:
    """How long each request took from when it was due, so that what an earlier one delayed counts."""
    account = _get(_connection(address), "/v1/accounts?limit=1")["items"][0]["account_id"]
    paths = dict(
        zip(EVERY, (f"/v1/accounts/{account}", f"/accounts/{account}", "/v1/report/collections?limit=50"), strict=True)
    )
    took: dict[str, list[float]] = {name: [] for name in paths}
    stop = threading.Event()

    def go_on(name: str, path: str) -> None:
        connection = _connection(address)
        due = time.perf_counter()
        while not stop.wait(max(0.0, due - time.perf_counter())):
            _get(connection, path)
            took[name].append(1_000 * (time.perf_counter() - due))
            due += EVERY[name]

    for path in paths.values():
        _get(_connection(address), path)  # what is made at the first request is no part of later ones
    threads = [threading.Thread(target=go_on, args=each) for each in paths.items()]
    for each in threads:
        each.start()
    print("asking", flush=True)
    sys.stdin.read()
    stop.set()
    for each in threads:
        each.join()
    return took


def _connection(address: str) -> HTTPConnection:
    parts = urlsplit(address)
    return HTTPConnection(parts.hostname or "", parts.port, timeout=60)


def _get(connection: HTTPConnection, path: str) -> Any:
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status} {answer[:500]!r}")
    return json.loads(answer) if path.startswith("/v1/") else answer


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1])))

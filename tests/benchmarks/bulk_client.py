"""Somebody who asks a service so often, whatever else it does: a process of its own.

`python -m tests.benchmarks.bulk_client ADDRESS` asks until its input ends, and prints milliseconds by path as JSON.
"""

import itertools
import json
import select
import sys
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

A_SECOND = 10
"""Requests, each of them one of the paths in their turn."""


def ask(address: str) -> dict[str, list[float]]:
    """How long each request took from when it was due, so that what an earlier one delayed counts."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    paths = {
        "account": f"/v1/accounts/{_get(connection, '/v1/accounts?limit=1')['items'][0]['account_id']}",
        "report": "/v1/report/collections?limit=50",
    }
    for path in paths.values():
        _get(connection, path)  # what is made at the first request is no part of later ones
    took: dict[str, list[float]] = {name: [] for name in paths}
    print("asking", flush=True)
    began = time.perf_counter()
    for n, (name, path) in enumerate(itertools.cycle(paths.items())):
        due = began + n / A_SECOND
        if select.select([sys.stdin], [], [], max(0.0, due - time.perf_counter()))[0]:
            return took
        _get(connection, path)
        took[name].append(1_000 * (time.perf_counter() - due))
    return took


def _get(connection: HTTPConnection, path: str) -> dict[str, list[dict[str, str]]]:
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status} {answer[:500]!r}")
    found: dict[str, list[dict[str, str]]] = json.loads(answer)
    return found


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1])))

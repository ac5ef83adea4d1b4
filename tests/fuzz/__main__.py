"""`./dev fuzz`: every phase of schemathesis against a served sample portfolio, for a few thousand cases."""

import json
import math
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import SystemRandom
from typing import Annotated, Any
from urllib.error import URLError

import typer

from adapters.kafka.local import free_ports
from tests.fuzz.hooks import IDS_VARIABLE
from tests.temporary import temporary_folder

_ARREARS = (sys.executable, "-c", "from api.cli import main; main()")
_STARTS_SECONDS = 300
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)
_KINDS = {"accounts": "account_id", "campaigns": "id", "promises": "promise_id"}


def main(
    cases: Annotated[int, typer.Option("--cases", min=100, metavar="N", help="At least so many.")] = 5_000,
    seed: Annotated[int | None, typer.Option("--seed", metavar="S", help="Default: another one each time.")] = None,
) -> None:
    """Ask a service everything that its contract allows and much that it does not; a 5xx or a breach is a failure."""
    seed = SystemRandom().randrange(1_000_000) if seed is None else seed
    typer.echo(f"seed {seed}")
    with _served() as (address, log):
        code = _fuzz(address, cases=cases, seed=seed)
        defects = [line for line in log.read_text().splitlines() if '"event": "unexpected"' in line]
    for line in defects:
        typer.echo(line)
    raise typer.Exit(1 if defects else code)


def _fuzz(address: str, *, cases: int, seed: int) -> int:
    with urllib.request.urlopen(f"{address}/openapi.json") as answer:
        operations = sum(len(methods) for methods in json.load(answer)["paths"].values())
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json"),
        "--phases=examples,coverage,fuzzing,stateful",
        f"--checks={','.join(_CHECKS)}",
        f"--max-examples={math.ceil(cases / operations)}",
        f"--seed={seed}",
        "--generation-database=none",
        "--continue-on-failure",
        "--warnings=off",
        "--request-timeout=30",
    ]
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", IDS_VARIABLE: json.dumps(_ids(address))}
    return subprocess.run(command, env=env, check=False).returncode


def _ids(address: str) -> list[str]:
    """Of a few accounts, campaigns, promises and of the office."""
    found: list[str] = []
    for what, name in _KINDS.items():
        rows = _get(f"{address}/v1/{what}")
        found += [row[name] for row in (rows if isinstance(rows, list) else rows["items"])[:8]]
    return [*found, _get(f"{address}/v1/accounts/{found[0]}")["office_id"]]


def _get(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


@contextmanager
def _served() -> Iterator[tuple[str, Path]]:
    """The address of a sample portfolio, served by a process of its own, and that one's log."""
    with temporary_folder() as folder:
        [port] = free_ports(1)
        address, log = f"http://127.0.0.1:{port}", folder / "log"
        with log.open("w") as lines:
            process = subprocess.Popen(
                [*_ARREARS, "run", "--sample", "--data", str(folder / "data"), "--port", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=lines,
            )
        try:
            _wait_for(f"{address}/health/ready", process)
            yield address, log
        finally:
            process.terminate()
            process.wait(60)


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _STARTS_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(URLError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.2)
    raise TimeoutError(f"nothing answers at {url}")


if __name__ == "__main__":
    typer.run(main)

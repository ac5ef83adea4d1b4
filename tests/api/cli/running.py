"""`arrears` as processes of their own that go on for a while, and what they say."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.kafka.local import free_ports
from tests.waiting import HANG, wait_until


@dataclass
class Running:
    """A process, with its output in a file."""

    process: "subprocess.Popen[bytes]"
    log: Path
    port: int = 0

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def ends(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(HANG)

    def told(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.ends()

    def ready(self) -> tuple[int, str]:
        """Status and detail of `/health/ready`; (0, "") where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=HANG) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as error:
            body: dict[str, Any] = json.loads(error.read())
            return error.code, body["detail"]
        except OSError:
            return 0, ""

    def until_ready(self) -> None:
        def is_ready() -> bool:
            assert self.process.poll() is None, self.said
            return self.ready()[0] == 200

        wait_until(is_ready, f"ready; {self.ready()}")

    def until_not_ready(self, because: str) -> None:
        wait_until(lambda: because in self.ready()[1], f"not ready because of {because!r}; {self.ready()}")


@contextmanager
def started(*arguments: object, data: Path, log: Path, port: int = 0, **env: str) -> Iterator[Running]:
    """Ended with SIGTERM where it has not ended by itself."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ARREARS_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from api.cli import main; main()", *map(str, arguments)],
            env={**inherited, "ARREARS_DATA": str(data), **env},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Running(process, log, port)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(HANG)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def serving(data: Path, log: Path, **env: str) -> Iterator[Running]:
    """`arrears serve`, ready."""
    [port] = free_ports(1)
    with started("serve", "--port", port, data=data, log=log, port=port, **env) as running:
        running.until_ready()
        yield running

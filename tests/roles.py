"""Processes of roles as a cluster has them, each with a port where it answers how it is."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from adapters.kafka.local import HOST, free_ports
from tests.waiting import HANG, wait_until

COMMAND = (sys.executable, "-c", "from api.cli import main; main()")


@dataclass
class Role:
    """A process of a role."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def ask(self, path: str) -> tuple[int, Any]:
        """Status and what is said; 0 where nobody answers."""
        connection = HTTPConnection(HOST, self.port, timeout=HANG)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, HTTPException):
            return 0, {"checks": {}}
        finally:
            connection.close()

    @property
    def is_ready(self) -> bool:
        assert self.is_running, (self.name, self.said[-2_000:])
        return self.ask("/ready")[0] == 200

    @property
    def problems(self) -> dict[str, str]:
        """What keeps it from working, by check."""
        assert self.is_running, (self.name, self.said[-2_000:])
        found = self.ask("/ready")[1]["checks"]
        return {name: each["problem"] for name, each in found.items() if not each["ok"]}

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.is_ready, f"{self.name} is ready: {self.problems}")

    def wait_until_it_says(self, check: str, what: str) -> None:
        """Returns once `/ready` finds this wrong."""
        wait_until(lambda: what in self.problems.get(check, ""), f"{self.name} says {check}: {what}")

    @property
    def memory(self) -> float:
        """Resident megabytes."""
        return self._status("VmRSS") / 1_024

    @property
    def threads(self) -> int:
        """How many it has: each client of Kafka brings one."""
        return self._status("Threads")

    def _status(self, name: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition(f"{name}:")[2].split()[0])

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def running(env: Mapping[str, str], names: Sequence[str], folder: Path) -> Iterator[list[Role]]:
    """A process for each; they are killed in the end. `folder` has what they say."""
    folder.mkdir(exist_ok=True)
    roles = []
    try:
        for number, (name, port) in enumerate(zip(names, free_ports(len(names)), strict=True)):
            log = folder / f"{name}-{number}.log"
            with log.open("ab") as output:
                process = subprocess.Popen(
                    [*COMMAND, name],
                    env={**env, "ARREARS_HEALTH_PORT": str(port)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            roles.append(Role(name, process, port, log))
        yield roles
    finally:
        for role in roles:
            role.process.kill()  # one that is frozen too
            role.process.wait()


def surroundings(**more: str) -> dict[str, str]:
    """The environment without what belongs to Arrears and Kafka, and with what is given."""
    return {**{n: text for n, text in os.environ.items() if not n.startswith(("ARREARS_", "KAFKA_"))}, **more}


def wait_until_ready(roles: Sequence[Role]) -> None:
    for role in roles:
        role.wait_until_ready()

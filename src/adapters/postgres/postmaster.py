"""The running server process of one cluster folder, known by its id and by working in exactly that folder."""

import os
import signal
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from adapters.postgres.errors import ServerDidNotStart

STEP = 0.01
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_LINE, STATUS_LINE = 4, 7
ANSWERS_WITHIN = 10.0
MAY_I_ENCRYPT = struct.pack("!ii", 8, 80877103)
"""SSLRequest of PostgreSQL's protocol: a server says yes or no to it before it asks who is there."""
FAST_STOP, IMMEDIATE_STOP = signal.SIGINT, signal.SIGQUIT


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What PostgreSQL writes into postmaster.pid."""

    cluster: Path
    pid: int
    socket_folder: Path
    status: str

    @property
    def is_alive(self) -> bool:
        """True while the process lives *and* works in our cluster; a reused process id does not count."""
        return works_in(self.pid, self.cluster)

    @property
    def answers(self) -> bool:
        """Whether it lets somebody in. One that was just killed looks alive a moment longer, and the kernel still takes
        connections for it, so only what the server itself says counts."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(ANSWERS_WITHIN)
            try:
                client.connect(str(self.socket_folder / SOCKET_NAME))
                client.sendall(MAY_I_ENCRYPT)
                return client.recv(1) in {b"S", b"N"}
            except OSError:
                return False

    def stop(self, *, patience: float) -> None:
        """End it: politely first (open transactions roll back, a checkpoint is written), then without a checkpoint."""
        for how, seconds in ((FAST_STOP, patience), (IMMEDIATE_STOP, 10.0)):
            if not self.is_alive:
                return
            os.kill(self.pid, how)
            if wait_until(lambda: not self.is_alive, seconds=seconds):
                return
        raise ServerDidNotStart(f"The PostgreSQL server of {self.cluster} (process {self.pid}) does not stop")

    def crash(self) -> None:
        """End it at once: nothing more is written, and the next start has to recover."""
        if self.is_alive:
            os.kill(self.pid, IMMEDIATE_STOP)
        if not wait_until(lambda: not self.is_alive, seconds=10.0):
            raise ServerDidNotStart(f"The PostgreSQL server of {self.cluster} (process {self.pid}) does not stop")


def read_postmaster(cluster: Path) -> Postmaster | None:
    """What postmaster.pid says, alive or not; None where there is none. While starting, its last lines are missing."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    is_whole = len(lines) > STATUS_LINE
    return Postmaster(
        cluster=cluster,
        pid=pid,
        socket_folder=Path(lines[SOCKET_LINE]) if is_whole else cluster,
        status=lines[STATUS_LINE].strip() if is_whole else "starting",
    )


def works_in(pid: int, cluster: Path) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == cluster
    except psutil.Error:
        return False


def processes_in(cluster: Path) -> list[int]:
    """Every server process of the cluster, also backends whose postmaster is gone."""
    return [pid for pid in psutil.pids() if works_in(pid, cluster)]


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """True as soon as the condition holds, False when it never did in the time given."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(STEP)
    return True

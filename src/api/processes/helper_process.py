"""A process that runs some parts of `arrears serve`: `python -m api.processes.helper_process`.

It is told on its standard input which helper it is, of which installation. It says on its standard output that it has
begun, or why it cannot, that a part of it failed, that it stored something, how far its projections are, and what it
has counted. It ends when its input does, and so with whoever started it. Frames are those of `adapters.frames`.
"""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any

from adapters.frames import read_frame, write_frame
from adapters.telemetry import metrics
from adapters.telemetry.tracing import traced
from api import logs
from api.processes import parts
from api.processes.core import Core
from api.processes.supervise import supervise

_END_SECONDS = 9.0
"""For what the parts have in hand."""
_SAY_SECONDS = 5.0
"""Between two times that it says what it has counted."""


class _Says:
    """What is said to whoever started it, by any thread. What nobody hears any more is not said."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._lock = threading.Lock()

    def __call__(self, said: str, what: Any) -> None:
        with self._lock, suppress(OSError, ValueError):
            write_frame(self._target, {said: what})


def main() -> None:
    says = _Says(_own_output())
    told = read_frame(sys.stdin.buffer)
    if told is None:
        return
    logs.configure(default=told["log_level"])
    data = None if told["data"] is None else Path(told["data"])
    with traced("serve", told["env"]):
        try:
            core = Core.open(data, env=told["env"], reading=True)
        except Exception as error:
            _refuse(says, error)
            return
        with core:
            signal.signal(signal.SIGTERM, lambda number, frame: _end(core, number, frame))
            threading.Thread(target=_until_input_ends, args=[core], name="input", daemon=True).start()
            core.when_stored(lambda: says("stored", True))
            core.projections.watermark.tell(lambda name, position: says("shows", [name, position]))
            _work(core, told["helper"], says)


def _own_output() -> IO[bytes]:
    """Standard output for frames alone: what else is printed goes where logs go."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own


def _refuse(says: _Says, error: Exception) -> None:
    kind = type(error)
    says("refused", [kind.__module__, kind.__qualname__, getattr(error, "message", "") or str(error)])


def _end(core: Core, number: int, frame: FrameType | None) -> None:
    del number, frame
    core.stop.set()


def _until_input_ends(core: Core) -> None:
    """Past Python's buffer, whose lock a thread that still waits would hold at the process's end."""
    while os.read(0, 1):
        pass
    core.stop.set()


def _work(core: Core, helper: str, says: _Says) -> None:
    """Every part in a thread of its own, until it is to end."""
    try:
        runs = {each.name: each.in_thread(core, core.stop) for each in parts.PARTS if each.helper == helper}
    except Exception as error:
        _refuse(says, error)
        return

    def failed(part: str, error: str) -> None:
        says("failed", [part, error])

    threads = [
        threading.Thread(target=supervise, args=(name, run, core.stop, failed), name=name, daemon=True)
        for name, run in runs.items()
        if run is not None
    ]
    for thread in threads:
        thread.start()
    says("begun", True)
    said: metrics.Counted = []
    while not core.stop.wait(_SAY_SECONDS):
        if (counted := metrics.counted()) != said:
            says("counted", counted)
            said = counted
    until = time.monotonic() + _END_SECONDS
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


if __name__ == "__main__":
    main()

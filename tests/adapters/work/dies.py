"""A worker that is killed between its first chunk's commands and its progress: run as a program."""

import os
import signal
from collections.abc import Callable
from functools import wraps
from typing import Any

from adapters.clock import ManualClock
from adapters.work import rows, worker
from api.processes.core import Core
from tests.adapters.work.conftest import NOW

_done: list[str] = []


def second_dies(what: Callable[..., Any]) -> Any:
    """Whichever of them comes second: whatever the order, one is done and the other is not."""

    @wraps(what)
    def doing(*given: Any) -> Any:
        if _done:
            os.kill(os.getpid(), signal.SIGKILL)
        result = what(*given)
        _done.append(what.__name__)
        return result

    return doing


def main() -> None:
    worker.CHUNK = 3
    rows.advance = second_dies(rows.advance)
    with Core.open(None, clock=ManualClock(NOW), reading=True) as core:
        core.arrears.handle = second_dies(core.arrears.handle)  # type: ignore[method-assign]
        worker.Worker(core.database, core.arrears).turn()


if __name__ == "__main__":
    main()

"""Keeps a test, and every Python process that it starts, from programs that it does not declare, and sets their clock.

Python imports a module of this name when it starts, where the folder is on PYTHONPATH; tests/needs.py puts it there.
"""

import os
import sys
from typing import Any

FORBIDDEN = "PROGRAMS_THAT_THIS_TEST_DOES_NOT_DECLARE"
"""Variable of the environment: names of programs, with commas. tests/needs.py sets it for each test."""


NOW = "NOW_OF_THIS_TEST"
"""Variable of the environment: the moment at which the machine's clock stands, for processes that a test starts."""

LATER = "SECONDS_LATER_IN_THIS_TEST"
"""Variable of the environment: by how much the machine's clock is later than it is, for the same; it goes on."""


class UndeclaredNeed(RuntimeError):
    """A test starts a program that no fixture and no mark of it declares."""


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in {"subprocess.Popen", "os.posix_spawn"}:
        return
    program = os.path.basename(os.fsdecode(arguments[0]))  # noqa: PTH119  nothing more is imported into every process
    if program in os.environ.get(FORBIDDEN, "").split(","):
        raise UndeclaredNeed(
            f"this test starts {program}, which it does not declare: mark it, or use a fixture that brings it"
            " (tests/needs.py has the list)"
        )


def _set_clock(moment: str) -> None:
    from datetime import datetime

    from adapters.clock import SystemClock

    now = datetime.fromisoformat(moment)
    setattr(SystemClock, "now", lambda _: now)  # noqa: B010  a method in place of another


def _shift_clock(seconds: str) -> None:
    from datetime import timedelta

    from adapters.clock import SystemClock

    real, later = SystemClock.now, timedelta(seconds=float(seconds))
    setattr(SystemClock, "now", lambda clock: real(clock) + later)  # noqa: B010  as above


sys.addaudithook(_refuse)
if NOW in os.environ:
    _set_clock(os.environ[NOW])
elif LATER in os.environ:
    _shift_clock(os.environ[LATER])

"""An import that is killed while it takes back what a complete file does not have: run as a program.

Arguments: the file, its profile, the confirmed token, and after which step of its second chunk it dies.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

from adapters.billing import absent as absent_module
from adapters.billing.absent import CompleteFile, CompleteOptions
from adapters.billing.importer import OfficeDefaults
from adapters.billing.taking_back import TakingBack
from adapters.clock import ManualClock
from api.processes.step_by_step import StepByStep

NOW = datetime(2026, 4, 10, 12, tzinfo=UTC)
DEFAULTS = OfficeDefaults(currency="USD", time_zone="UTC")


class Step(StrEnum):
    """What was done of a chunk."""

    NOTHING = "nothing"
    """Its facts were looked up, no more."""
    BOOKED = "booked"
    """And nothing is remembered of it."""
    REMEMBERED = "remembered"
    """In a transaction that did not end."""


FUNCTIONS: dict[Step, tuple[type[Any], str]] = {
    Step.NOTHING: (CompleteFile, "_as_listed"),
    Step.BOOKED: (TakingBack, "take_back"),
    Step.REMEMBERED: (TakingBack, "forget"),
}


def second_dies(what: Callable[..., Any]) -> Callable[..., Any]:
    calls = count(1)

    @wraps(what)
    def doing(*given: Any) -> Any:
        result = what(*given)
        if next(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return doing


def main(path: str, profile: str, token: str, step: str) -> None:
    setattr(absent_module, "CHUNK", 2)  # noqa: B010  it is the importer's
    owner, name = FUNCTIONS[Step(step)]
    setattr(owner, name, second_dies(getattr(owner, name)))
    with StepByStep.open(None, clock=ManualClock(NOW)) as service:
        confirmed = CompleteOptions(take_back=token, force=True)
        service.import_file(Path(path), profile, defaults=DEFAULTS, complete=confirmed)


if __name__ == "__main__":
    main(*sys.argv[1:])

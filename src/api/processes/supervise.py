"""What keeps a part going that may not end."""

import threading

import structlog

from adapters.postgres.errors import DatabaseProblem
from adapters.stop import Stopped
from api.processes.parts.part import Run

RESTART_SECONDS = 1.0
"""Between the end of something that should run and its next start."""

log = structlog.get_logger("arrears.service")


def supervise(name: str, run: Run, stop: threading.Event) -> None:
    """Whatever fails is said aloud and begins again, until `stop` is set; nothing is skipped by it."""
    while not stop.is_set():
        try:
            run(stop)
        except Stopped:
            return
        except DatabaseProblem as problem:  # what it needs is away, and nothing of it is wrong
            log.error("part is started again", part=name, error=type(problem).__name__, said=problem.message)
            stop.wait(RESTART_SECONDS)
        except Exception:
            log.exception("part failed and is started again", part=name)
            stop.wait(RESTART_SECONDS)

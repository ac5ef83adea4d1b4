"""What keeps a part going that may not end."""

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from adapters.postgres.errors import ConnectionLost, DatabaseProblem, ServerAway, in_plain_words
from adapters.readers.backoff import Backoff
from adapters.stop import Stopped, pause
from api.processes.parts.part import Run

Result = TypeVar("Result")

RESTART_SECONDS = 1.0
"""Between the end of something that should run and its next start."""

log = structlog.get_logger("arrears.service")


def supervise(name: str, run: Run, stop: threading.Event, failed: Callable[[str, str], None]) -> None:
    """Whatever fails is said aloud and begins again, until `stop` is set; nothing is skipped by it.

    `failed` is told the name and the kind of error, unless that is only that PostgreSQL or Kafka are away.
    """
    while not stop.is_set():
        try:
            run(stop)
        except Stopped:
            return
        except Exception as error:
            if isinstance(error, DatabaseProblem):
                log.error("part is started again", part=name, error=type(error).__name__, said=error.message)
            else:
                log.exception("part failed and is started again", part=name)
            if what_is_away(error) is None:
                failed(name, type(error).__name__)
            stop.wait(RESTART_SECONDS)


def when_there(do: Callable[[], Result], stop: threading.Event, waits_for: Callable[[str | None], None]) -> Result:
    """Does it, and where PostgreSQL or Kafka are away does it again, after pauses that grow, until they are there.

    `waits_for` is told what it waits for, each time, and None once it is over. The log says it when it begins, when it
    is something else, and when it is over. Raises Stopped where `stop` is set meanwhile, and whatever else is wrong.
    """
    backoff = Backoff()
    before: str | None = None
    while True:
        try:
            done = do()
        except Exception as error:
            away = what_is_away(error)
            if away is None:
                raise
            if away != before:
                log.error("waits for what it needs", said=away)
            before = away
            waits_for(away)
            pause(stop, backoff.failed())
        else:
            if before is not None:
                log.warning("what was waited for is there")
            waits_for(None)
            return done


def what_is_away(error: BaseException) -> str | None:
    """That PostgreSQL or Kafka cannot be reached now, though nothing is wrong here; None for any other error."""
    problem = error if isinstance(error, DatabaseProblem) else in_plain_words(error)
    if isinstance(problem, ServerAway | ConnectionLost):
        return problem.message
    # Looked up, not imported: whoever does without Kafka does without its modules.
    for module, name in (("adapters.kafka.jars", "KafkaAway"), ("kafka.errors", "RetriableError")):
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return getattr(error, "message", "") or f"Kafka: {type(error).__name__}: {error}"
    return None

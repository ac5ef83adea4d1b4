"""Whether a client that is made now would get through to Kafka: looked at every few seconds beside the others.

Clients that have lost their connections only try again, without a word: they are not told why.
"""

import os
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import structlog

from adapters.kafka.connection import client_options
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.security import security
from adapters.kafka.unreachable import keeps_away

_EVERY_SECONDS = 5.0
_FIRST_SECONDS = 4.0
"""Whoever asks before the first look is over waits so long for it; probes give up after five seconds."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def kafka_problem(env: Mapping[str, str] = os.environ) -> str | None:
    """Why no client gets through now, in a sentence, or None. Takes some seconds where nobody answers.

    Passwords and certificates are read anew each time.
    """
    try:
        found = keeps_away(client_options(env), security(env))
    except KafkaUnavailable as problem:  # what is set does not fit together, such as a certificate that has expired
        found = problem
    return None if found is None else f"{found.message} {found.hint}".strip()


class KafkaWatch:
    """Looks in a thread of its own while it is entered; says in the log when Kafka goes and when it is back."""

    def __init__(self, env: Mapping[str, str] = os.environ, *, every: float = _EVERY_SECONDS) -> None:
        """`every`: seconds between two looks."""
        self._env = env
        self._every = every
        self._found: str | None = None
        self._looked = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """A look that is under way is left behind: it may take long, and nothing depends on it."""
        self._ending.set()

    def problem(self) -> str | None:
        """What the last look found: a check of `/ready`."""
        if not self._looked.wait(_FIRST_SECONDS):
            return "whether Kafka answers is not known yet"
        return self._found

    def _run(self) -> None:
        while not self._ending.is_set():
            before, self._found = self._found, kafka_problem(self._env)
            self._looked.set()
            if self._found is not None and self._found != before:
                _log.error("Kafka cannot be used; what needs it waits", said=self._found)
            elif self._found is None and before is not None:
                _log.warning("Kafka can be used again")
            self._ending.wait(self._every)

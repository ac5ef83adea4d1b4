"""A helper of `arrears serve`: a process that runs some of its parts, so that answers do not wait for their work."""

import logging
import subprocess
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from signal import Signals
from typing import IO, Any, cast

import structlog

from adapters.frames import read_frame, write_frame
from adapters.postgres.database import URL_VARIABLE
from adapters.stop import check
from adapters.telemetry import metrics
from api.processes.core import Core
from api.processes.parts.part import Helper

_MODULE = "api.processes.helper_process"
_START_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_END_SECONDS = 11.0
"""Longer than it gives its parts for what they have in hand."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class HelperFailed(Exception):
    """A helper did not start, or ended though nobody told it to."""


class HelperProcess:
    """A process that is started at once, so that it is there when it is told what to run.

    Used by one thread after the other.
    """

    def __init__(self, helper: Helper) -> None:
        self.helper = helper
        self._begun = threading.Event()
        self._refused: Exception | None = None
        self._process = _started()

    def begin(self, core: Core) -> None:
        """Tells it to run its parts. It works once it has what it needs; `wait_until_begun` says so."""
        self._core, self._refused = core, None
        self._begun.clear()
        if self._process.poll() is not None:
            self._process = _started()
        with suppress(OSError):  # it ended already, which whoever waits for it finds
            write_frame(cast(IO[bytes], self._process.stdin), self._told())
        hears = threading.Thread(target=self._listen, args=[self._process.stdout], name=f"hears {self.helper}")
        hears.daemon = True
        hears.start()

    def wait_until_begun(self) -> None:
        """Raises what it could not start by, such as CarrierMisconfigured, HelperFailed, and Stopped where the service
        is to end meanwhile."""
        until = time.monotonic() + _START_SECONDS
        while not self._begun.wait(_LOOK_SECONDS):
            check(self._core.stop)
            if self._process.poll() is not None and not self._begun.wait(_LOOK_SECONDS):
                raise HelperFailed(f"the process for {self.helper} {_how(self._process.returncode)}")
            if time.monotonic() > until:
                raise HelperFailed(f"the process for {self.helper} did not start within {_START_SECONDS:.0f} seconds")
        if self._refused is not None:
            raise self._refused

    def run(self, stop: threading.Event) -> None:
        """Looks after it until `stop` is set, and ends it then. Raises HelperFailed where it ends before."""
        try:
            if self._process.poll() is not None:  # it ended, and is started again
                self.begin(self._core)
                self.wait_until_begun()
            while not stop.wait(_LOOK_SECONDS):
                if self._process.poll() is not None:
                    raise HelperFailed(f"the process for {self.helper} {_how(self._process.returncode)}")
        finally:
            self.end()

    def end(self) -> None:
        """Lets it finish what it has in hand. What it leaves is safe: it is done at the next start."""
        process = self._process
        if not self._begun.is_set():
            process.kill()
        with suppress(OSError):
            cast(IO[bytes], process.stdin).close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            _log.warning("a helper did not end in time and is killed", helper=self.helper, seconds=_END_SECONDS)
            process.kill()
            process.wait()

    # --- inside ---

    def _told(self) -> dict[str, Any]:
        core = self._core
        env = dict(core.env)
        if core.data_dir is None:
            env[URL_VARIABLE] = core.database.dsn
        return {
            "helper": self.helper,
            "data": None if core.data_dir is None else str(core.data_dir),
            "env": env,
            "log_level": logging.getLevelName(logging.getLogger().getEffectiveLevel()),
        }

    def _listen(self, source: IO[bytes]) -> None:
        """Until it ends."""
        with source, suppress(EOFError):
            while (frame := read_frame(source)) is not None:
                for said, what in frame.items():
                    self._hear(said, what)

    def _hear(self, said: str, what: Any) -> None:
        match said:
            case "begun":
                self._begun.set()
            case "refused":
                self._refused = _error(self.helper, *what)
                self._begun.set()
            case "failed":
                self._core.restarts.note(*what)
            case "shows":
                self._core.projections.watermark.announce(*what)
            case "stored":
                self._core.stored()
            case "counted":
                metrics.heard(self.helper, what)


def _started() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is meant for the service, which ends its helpers
    )


def _how(code: int) -> str:
    return f"was ended by {Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _error(helper: Helper, module: str, name: str, message: str) -> Exception:
    """The error that it could not start by, where it is one of ours."""
    kind = getattr(import_module(module), name, None) if module.startswith(("adapters.", "api.")) else None
    if isinstance(kind, type) and issubclass(kind, Exception):
        with suppress(TypeError):  # one that is made of more than its message
            return kind(message)
    return HelperFailed(f"the process for {helper} did not start: {name}: {message}")

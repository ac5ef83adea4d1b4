"""Texts are filled in by processes of their own, under limits of time, memory and length."""

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from signal import SIGXCPU
from typing import Any

import structlog

from adapters.delivery.languages import ENGLISH
from adapters.delivery.rendering_process import READY, TOO_MUCH
from adapters.frames import write_frame
from adapters.readers.poison import HelperAway

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_MODULE = "adapters.delivery.rendering_process"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a text may use. Work is counted, not waited for, so a busy machine fails nobody's message."""

    cpu_seconds: int = 2
    memory: int = 512 * 1024 * 1024
    """Bytes of address space of the whole process."""
    wall_seconds: float = 60.0
    """For an answer, however little was worked for it."""
    start_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Draft:
    """Templates that are filled in with the same values, and the most characters that each may become."""

    texts: tuple[str, ...]
    values: Mapping[str, Any]
    most: int
    language: str = ENGLISH
    """In which amounts and days are written."""

    def as_json(self) -> dict[str, Any]:
        return {"texts": self.texts, "values": self.values, "most": self.most, "language": self.language}


@dataclass(frozen=True, slots=True)
class NotRendered:
    """Why there is no text; `code` is stable, `detail` may quote the template."""

    code: str
    detail: str


Rendered = tuple[str, ...] | NotRendered
"""The texts of a draft, or why there are none."""

AT_ONCE = 25
"""Drafts of one trip to a process, which share its memory. Where one of them ends it each goes by itself."""


class RendererUnavailable(HelperAway):
    """No process that makes texts can be started. That is no text's fault: it is tried again."""


class _Died(Exception):
    """The process ended, or was ended, without an answer; `detail` None where that may be nobody's fault."""

    def __init__(self, detail: str | None) -> None:
        super().__init__(detail)
        self.detail = detail


class Renderer:
    """A pool of processes, started when they are needed and kept. Used by any thread.

    A draft at which a process ends fails, and another process goes on with the next one. A process may also be ended
    by somebody else, so a draft gets a second one unless its own work was what ended the first.
    """

    def __init__(self, limits: Limits = Limits(), *, most_processes: int = 2) -> None:
        self._limits = limits
        self._idle: deque[_Process] = deque()
        self._free = threading.BoundedSemaphore(most_processes)
        self._is_closed = False

    def render(self, drafts: Sequence[Draft]) -> list[Rendered]:
        """One answer for each draft, in order. Raises RendererUnavailable, and nothing by a template's fault."""
        parts = [drafts[start : start + AT_ONCE] for start in range(0, len(drafts), AT_ONCE)]
        return [rendered for part in parts for rendered in self._all(part)]

    def _all(self, drafts: Sequence[Draft]) -> list[Rendered]:
        answers: list[Rendered] = [NotRendered(TOO_MUCH, "")] * len(drafts)
        if len(drafts) > 1:
            with suppress(_Died), self._process() as process:
                answers = process.answers(drafts)
        return [
            self._rendered(draft) if isinstance(answer, NotRendered) and answer.code == TOO_MUCH else answer
            for draft, answer in zip(drafts, answers, strict=True)
        ]

    def _rendered(self, draft: Draft) -> Rendered:
        try:
            return self._tried(draft)
        except _Died as died:
            if died.detail is None:
                with suppress(_Died):
                    return self._tried(draft)
            return NotRendered(TOO_MUCH, died.detail or "the process that makes texts ended twice at it")

    def _tried(self, draft: Draft) -> Rendered:
        try:
            with self._process() as process:
                [rendered] = process.answers([draft])
                return rendered
        except _Died as died:
            _log.warning("a process that makes texts ended", why=died.detail)
            raise

    def close(self) -> None:
        """Ends every process. Nothing is rendered afterwards."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().end()

    @contextmanager
    def _process(self) -> "Iterator[_Process]":
        with self._free:
            try:
                process = self._idle.pop()
            except IndexError:
                process = _Process(self._limits)
            try:
                yield process
            except BaseException:  # what it has not answered must not be taken for the answer to something else
                process.end()
                raise
            if self._is_closed:
                process.end()
            else:
                self._idle.append(process)


class _Process:
    """A running `rendering_process`."""

    def __init__(self, limits: Limits) -> None:
        """Raises RendererUnavailable."""
        self._limits = limits
        try:
            self._process = self._start()
        except OSError as error:
            raise RendererUnavailable(f"no process that makes texts can be started: {error}") from error
        try:
            ready = self._answer(limits.start_seconds)
        except _Died:
            ready = []
        if ready != [READY]:
            self.end()
            raise RendererUnavailable(f"{_MODULE} does not start")

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE, str(self._limits.memory), str(self._limits.cpu_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback would quote the text
            env=_environment(),
            start_new_session=True,  # a Ctrl-C is meant for whoever waits for it
        )

    def answers(self, drafts: Sequence[Draft]) -> list[Rendered]:
        """Raises _Died."""
        assert self._process.stdin is not None  # noqa: S101
        try:
            write_frame(self._process.stdin, [draft.as_json() for draft in drafts])
        except OSError:
            raise _Died(self._reason()) from None
        return [_rendered(answer) for answer in self._answer(self._limits.wall_seconds)]

    def _answer(self, seconds: float) -> list[dict[str, Any]]:
        deadline = time.monotonic() + seconds
        try:
            length = int.from_bytes(self._read(4, deadline), "big")
            answer: list[dict[str, Any]] = json.loads(self._read(length, deadline))
        except TimeoutError:
            raise _Died(f"it was not made within {seconds:g} seconds") from None
        return answer

    def _read(self, count: int, deadline: float) -> bytes:
        assert self._process.stdout is not None  # noqa: S101
        descriptor = self._process.stdout.fileno()
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        found = bytearray()
        while len(found) < count:
            if not waiting.poll(1000 * max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            more = os.read(descriptor, count - len(found))
            if not more:
                raise _Died(self._reason())
            found += more
        return bytes(found)

    def _reason(self) -> str | None:
        """Why it ended, where that is known to be the text's fault."""
        if self._process.wait() == -SIGXCPU:
            return f"it takes more than {self._limits.cpu_seconds} seconds of work"
        return None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _environment() -> dict[str, str]:
    """Where the modules are, and nothing else: no key and no address."""
    return {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each), "PYTHONUTF8": "1"}


def _rendered(answer: Mapping[str, Any]) -> Rendered:
    if "code" in answer:
        return NotRendered(answer["code"], answer["detail"])
    return tuple(answer["texts"])

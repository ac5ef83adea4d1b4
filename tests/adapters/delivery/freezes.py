"""A process that delivers, and notes each sending in a file. The first of them is frozen while it sends: a program."""

import os
import signal
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from adapters.delivery.carrier import Attempt, Carrier
from adapters.delivery.rendering import Letter
from api.processes.core import Core
from api.processes.parts import DELIVER
from tests.adapters.delivery.hurried import Hurried

SENT = "sent"
BEGUN = "begun"


class Recording(Carrier):
    """Sends by writing a line into a file. What it took before it takes once more, unless it promised not to.

    The process that is to be frozen stops itself in the middle, before anything left.
    """

    answers_within = timedelta(seconds=10)

    def __init__(self, file: Path, *, is_idempotent: bool, freezes: bool) -> None:
        self._file = file
        self._freezes = freezes
        self.is_idempotent = is_idempotent

    def send(self, message_id: UUID, letter: Letter) -> str:
        del letter
        self._note(BEGUN, message_id)
        if self._freezes:
            self._freezes = False
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(0.3)  # a thread may go on for a moment until all of them are stopped
        if not (self.is_idempotent and self._has_left(message_id)):
            self._note(SENT, message_id)
        return "reference"

    def took(self, message_id: UUID, attempt: Attempt) -> Letter | bool | None:
        """It knows what left, though not with which words; and when it says no it says what is so now."""
        return None if self._has_left(message_id) else False

    def _has_left(self, message_id: UUID) -> bool:
        return any(line.startswith(f"{SENT} {message_id} ") for line in self._file.read_text().splitlines())

    def _note(self, what: str, message_id: UUID) -> None:
        with self._file.open("a") as file:
            file.write(f"{what} {message_id} {os.getpid()}\n")


def main(file: str, now: str, began: str, contract: str, freezes: str) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    carrier = Recording(Path(file), is_idempotent=contract == "idempotent", freezes=freezes == "freezes")
    with Core.open(None, clock=Hurried(datetime.fromisoformat(now), float(began)), reading=True) as core:
        DELIVER.in_thread(core, stop, carrier=carrier)(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])

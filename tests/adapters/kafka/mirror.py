"""A service that mirrors events, as a process: it writes the position of each into a file once it has handled it.

    python -m tests.adapters.kafka.mirror GROUP FILE [START] [DIES_AT]

It kills itself where it has handled so many, before it asks for the next one. What the topic has no more it says, and
ends with 3.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Literal

from adapters.kafka.subscriber import EventsLost, Subscriber


def main(group: str, file: str, start: str = "beginning", dies_at: str = "0") -> None:
    with (
        Subscriber(group, start=start_of(start), session_timeout_ms=6_000, heartbeat_interval_ms=500) as events,
        Path(file).open("a", encoding="utf-8") as written,
    ):
        signal.signal(signal.SIGTERM, lambda *_: events.stop())
        for count, event in enumerate(events, 1):
            print(event.position, file=written, flush=True)
            if count == int(dies_at):
                os.kill(os.getpid(), signal.SIGKILL)


def start_of(text: str) -> Literal["beginning", "end"] | int:
    match text:
        case "beginning" | "end":
            return text
        case _:
            return int(text)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except EventsLost as lost:
        print(lost, file=sys.stderr)
        sys.exit(3)

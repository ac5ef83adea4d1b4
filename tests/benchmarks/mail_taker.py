"""A mail server that takes everything, in a process of its own: `python -m tests.benchmarks.mail_taker PORT`."""

import sys
import threading
from typing import Any

from aiosmtpd.controller import Controller


class Takes:
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        del server, session, envelope
        return "250 taken"


def main(port: str) -> None:
    Controller(Takes(), hostname="127.0.0.1", port=int(port), ready_timeout=60.0).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A process that delivers by mail, to be killed at any moment: a program."""

import signal
import sys
import threading
from datetime import datetime

from adapters.delivery.carriers.smtp import Smtp, server_of
from adapters.kafka.local import HOST
from api.processes.core import Core
from api.processes.parts import DELIVER
from tests.adapters.delivery.carriers.stands import SENDER
from tests.adapters.delivery.hurried import Hurried


def main(port: str, now: str, began: str) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server = server_of({"ARREARS_SMTP_URL": f"smtp://{HOST}:{port}?starttls=none"})
    clock = Hurried(datetime.fromisoformat(now), float(began))
    with Core.open(None, clock=clock, reading=True) as core:
        carrier = Smtp(server, lambda: None, clock, sender=SENDER, send_seconds=5.0)
        DELIVER.in_one_process(core, stop, carrier=carrier)(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])

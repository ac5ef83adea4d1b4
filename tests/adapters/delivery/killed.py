"""A process that delivers over one carrier, to be killed at any moment: a program."""

import signal
import sys
import threading
from datetime import datetime

from adapters.clock import Clock
from adapters.delivery.carrier import Carrier
from adapters.delivery.carriers.smtp import Smtp, server_of
from adapters.delivery.carriers.twilio import Twilio
from adapters.kafka.local import HOST
from adapters.secret_text import Secret
from api.processes.core import Core
from api.processes.parts import DELIVER
from tests.adapters.delivery.carriers import twilio_server
from tests.adapters.delivery.carriers.stands import SENDER, WAIT
from tests.adapters.delivery.hurried import Hurried


def by_mail(port: str, clock: Clock) -> Carrier:
    server = server_of({"ARREARS_SMTP_URL": f"smtp://{HOST}:{port}?starttls=none"})
    return Smtp(server, lambda: None, clock, sender=SENDER, send_seconds=5.0)


def by_text(port: str, clock: Clock) -> Carrier:
    """What is sent names its message, in the address that is told what became of it."""
    del clock
    base, token = f"http://{HOST}:{port}", Secret(twilio_server.TOKEN)
    at = "https://arrears.example.com"
    return Twilio(twilio_server.ACCOUNT, token, twilio_server.NUMBER, base=base, reports_to=at, seconds=(WAIT, WAIT))


def main(carrier: str, port: str, now: str, began: str) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    clock = Hurried(datetime.fromisoformat(now), float(began))
    with Core.open(None, clock=clock, reading=True) as core:
        made = {"mail": by_mail, "text": by_text}[carrier](port, clock)
        DELIVER.in_thread(core, stop, carrier=made)(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A server that answers as Twilio's API does, as far as messages and calls go."""

import base64
import json
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from adapters.kafka.local import HOST
from tests.waiting import HANG

ACCOUNT, TOKEN, NUMBER = "AC" + "0" * 32, "twilio-token-of-the-test", "+15005550006"

_MOMENT = 0.05
"""Seconds."""


class Does(Enum):
    TAKES = "takes what it is given"
    REFUSES = "says that there is no such number"
    BUSY = "takes nothing now"
    NO_LOGIN = "does not know the account"
    FAILS = "fails, and does not say whether it took it"
    DIES = "takes it, and drops the line"
    DROPS = "drops the line, and does not take it"
    STOPS = "takes it, and drops the line in the middle of its answer"
    SLOW = "takes it, and takes its time to say so"
    SILENT = "takes it, and says nothing for long"
    LATE = "takes it when nobody waits for its answer any more"
    TWICE = "takes it, and says so once more a moment later"
    REFUSES_TWICE = "says that there is no such number, and once more a moment later"


LEAVES_OPEN = frozenset({Does.FAILS, Does.DIES, Does.DROPS, Does.STOPS, Does.SILENT, Does.LATE})
"""After these nobody knows by the answer whether it was taken."""


class TwilioServer:
    """A context manager. `does` may be set while it runs."""

    late_after = 0.0
    """Seconds after which it takes what it takes late."""

    def __init__(self) -> None:
        self.does = Does.TAKES
        self.messages: list[dict[str, str]] = []
        self.calls: list[dict[str, str]] = []
        self.agents_call, self.customers_call, self.seconds = "ringing", "", 0
        """How far calls of agents are, and those to customers that they began; empty: none was."""
        self.meanwhile = threading.Event()
        self.turn = threading.Lock()
        server = self

        class Handler(_Handler):
            stand = server

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.base = f"http://{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def does_with(self, form: dict[str, str]) -> Does:
        """What it does with a request to send something."""
        del form
        return self.does

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.meanwhile.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    stand: TwilioServer
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        form = {
            name: texts[0] for name, texts in parse_qs(self.rfile.read(size).decode(), keep_blank_values=True).items()
        }
        does = self.stand.does_with(form)
        if not self._knows() or does is Does.NO_LOGIN:
            self._say(401, {"code": 20003, "message": "Authenticate", "status": 401})
        elif does in {Does.REFUSES, Does.REFUSES_TWICE}:
            self._say(400, {"code": 21211, "message": f"{form['To']} is not a valid number", "status": 400})
            if does is Does.REFUSES_TWICE:
                self.stand.meanwhile.wait(_MOMENT)
                self._say(400, {"code": 21211, "message": f"{form['To']} is not a valid number", "status": 400})
        elif does is Does.BUSY:
            self._say(429, {"code": 20429, "message": "Too Many Requests", "status": 429})
        elif does is Does.FAILS:
            self._say(500, {"code": 20500, "message": "Internal Server Error", "status": 500})
        elif does is Does.DROPS:
            self._drop()
        else:
            self._take(form, does)

    def _take(self, form: dict[str, str], does: Does) -> None:
        if does is Does.LATE:
            self.stand.meanwhile.wait(self.stand.late_after)
        taken = self.stand.messages if self.path.endswith("/Messages.json") else self.stand.calls
        with self.stand.turn:
            taken.append(form)
            shown = _shown(form, len(taken))
        if does is Does.DIES:
            self._drop()
            return
        if does is Does.SLOW:
            self.stand.meanwhile.wait(_MOMENT)
        elif does is Does.SILENT:
            self.stand.meanwhile.wait(HANG)
        self._say(201, shown, whole=does is not Does.STOPS)
        if does is Does.STOPS:
            self._drop()
        elif does is Does.TWICE:
            self.stand.meanwhile.wait(_MOMENT)
            self._say(201, shown)

    def _drop(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        asked = {name: texts[0] for name, texts in parse_qs(urlsplit(self.path).query).items()}
        if self._knows() and "/Calls" in self.path and self.stand.does is Does.TAKES:
            self._say_of_calls(asked)
            return
        if not self._knows() or self.stand.does is Does.BUSY:
            self._say(429, {"code": 20429, "message": "Too Many Requests", "status": 429})
            return
        found = [
            _shown(each, n)
            for n, each in enumerate(self.stand.messages, 1)
            if each["To"] == asked["To"] and each["From"] == asked["From"] and "DateSent>" in asked
        ]
        self._say(200, {"messages": found, "next_page_uri": None, "page_size": 50})

    def _say_of_calls(self, asked: dict[str, str]) -> None:
        stand = self.stand
        if "ParentCallSid" not in asked:
            sid = urlsplit(self.path).path.rpartition("/")[2].removesuffix(".json")
            self._say(200, {"sid": sid, "status": stand.agents_call, "duration": None})
            return
        begun = {"sid": "CA" + "9" * 32, "status": stand.customers_call, "duration": str(stand.seconds)}
        self._say(200, {"calls": [begun] if stand.customers_call else [], "next_page_uri": None, "page_size": 50})

    def _knows(self) -> bool:
        wanted = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        return self.headers["Authorization"] == f"Basic {wanted}" and f"/Accounts/{ACCOUNT}/" in self.path

    def _say(self, status: int, said: dict[str, Any], *, whole: bool = True) -> None:
        body = json.dumps(said).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if whole else body[: len(body) // 2])
        except OSError:
            self.close_connection = True


def message_sid(number: int) -> str:
    """That of the text that it took as this one, counted from 1."""
    return f"SM{number:032d}"


def _shown(form: dict[str, str], number: int) -> dict[str, Any]:
    now = format_datetime(datetime.now(UTC))
    sid = message_sid(number) if "Body" in form else f"CA{number:032d}"
    shown: dict[str, Any] = {"sid": sid, "to": form["To"], "from": form["From"], "status": "queued"}
    return {**shown, "body": form.get("Body"), "date_created": now, "date_sent": now, "account_sid": ACCOUNT}

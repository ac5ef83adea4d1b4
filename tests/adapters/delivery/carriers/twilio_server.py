"""A server that answers as Twilio's API does, as far as messages and calls go."""

import base64
import json
import threading
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


class Does(Enum):
    TAKES = "takes what it is given"
    REFUSES = "says that there is no such number"
    BUSY = "takes nothing now"
    NO_LOGIN = "does not know the account"
    FAILS = "fails, and does not say whether it took it"
    DIES = "takes it, and drops the line"
    SILENT = "takes it, and says nothing for long"


class TwilioServer:
    """A context manager. `does` may be set while it runs."""

    def __init__(self) -> None:
        self.does = Does.TAKES
        self.messages: list[dict[str, str]] = []
        self.calls: list[dict[str, str]] = []
        self.agents_call, self.customers_call, self.seconds = "ringing", "", 0
        """How far calls of agents are, and those to customers that they began; empty: none was."""
        self.meanwhile = threading.Event()
        server = self

        class Handler(_Handler):
            stand = server

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self.base = f"http://{HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

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

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        form = {
            name: texts[0] for name, texts in parse_qs(self.rfile.read(size).decode(), keep_blank_values=True).items()
        }
        stand = self.stand
        if not self._knows() or stand.does is Does.NO_LOGIN:
            self._say(401, {"code": 20003, "message": "Authenticate", "status": 401})
        elif stand.does is Does.REFUSES:
            self._say(400, {"code": 21211, "message": f"{form['To']} is not a valid number", "status": 400})
        elif stand.does is Does.BUSY:
            self._say(429, {"code": 20429, "message": "Too Many Requests", "status": 429})
        elif stand.does is Does.FAILS:
            self._say(500, {"code": 20500, "message": "Internal Server Error", "status": 500})
        else:
            self._take(form)

    def _take(self, form: dict[str, str]) -> None:
        taken = self.stand.messages if self.path.endswith("/Messages.json") else self.stand.calls
        taken.append(form)
        if self.stand.does is Does.DIES:
            self.close_connection = True
            self.connection.shutdown(2)
            return
        if self.stand.does is Does.SILENT:
            self.stand.meanwhile.wait(HANG)
        self._say(201, _shown(form, len(taken)))

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

    def _say(self, status: int, said: dict[str, Any]) -> None:
        body = json.dumps(said).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


def _shown(form: dict[str, str], number: int) -> dict[str, Any]:
    now = format_datetime(datetime.now(UTC))
    kind = "SM" if "Body" in form else "CA"
    shown: dict[str, Any] = {"sid": f"{kind}{number:032d}", "to": form["To"], "from": form["From"], "status": "queued"}
    return {**shown, "body": form.get("Body"), "date_created": now, "date_sent": now, "account_sid": ACCOUNT}

"""A mail server for a test: takes mail, refuses it, is busy, and breaks in the middle."""

import asyncio
import email
import logging
import ssl
import threading
from email.message import EmailMessage
from email.policy import default
from enum import Enum
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from adapters.kafka.local import HOST, free_ports
from tests.waiting import HANG


class Does(Enum):
    TAKES = "takes what it is given"
    REFUSES = "knows nobody"
    HAS_NO_SUCH_MAILBOX = "knows nobody of this address, and says so by its status"
    BUSY = "takes nothing now"
    BUSY_AFTER_THE_TEXT = "reads the text, and takes nothing now"
    REFUSES_THE_TEXT = "reads the text, and does not want it"
    DIES_WITH_THE_TEXT = "takes the text, and drops the line before it says so"
    SILENT = "takes the text, and says nothing for long"


class MailServer:
    """A context manager. `does` may be set while it runs."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        starts_tls: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
        utf8: bool = False,
        port: int | None = None,
    ) -> None:
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # it quotes addresses, and its log is this process's
        self.does = Does.TAKES
        self.busy: set[str] = set()
        """Addresses that it takes nothing for now."""
        self.taken: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[str] = []
        self.connections = 0
        self.meanwhile = threading.Event()
        self.port = port or free_ports(1)[0]
        self._open: set[Any] = set()
        self._login = login
        self._controller = Controller(
            self,
            hostname=HOST,
            port=self.port,
            ssl_context=tls,
            tls_context=starts_tls,
            require_starttls=starts_tls is not None,
            authenticator=self._knows if login else None,
            auth_required=login is not None,
            enable_SMTPUTF8=utf8,
            ready_timeout=HANG,
        )

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.drop()
        self._controller.stop()

    def drop(self) -> None:
        """Ends every connection."""
        done = threading.Event()

        def drop() -> None:
            for transport in list(self._open):
                transport.abort()
            self._open.clear()
            done.set()

        self._controller.loop.call_soon_threadsafe(drop)
        done.wait(HANG)

    def _knows(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        self.logins.append(data.login.decode())
        knows = (data.login.decode(), data.password.decode()) == self._login
        return AuthResult(success=knows, handled=knows)

    # --- what the library calls ---

    async def handle_EHLO(  # noqa: N802 - the library's name
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        if server.transport not in self._open:
            self._open.add(server.transport)
            self.connections += 1
        return responses

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.does is Does.REFUSES:
            return f"550 {address} is not known here"
        if self.does is Does.HAS_NO_SUCH_MAILBOX:
            return f"550 5.1.1 <{address}>: user unknown"
        if self.does is Does.BUSY or address in self.busy:
            return f"451 {address} is greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.does is Does.BUSY_AFTER_THE_TEXT:
            return "452 no room"
        if self.does is Does.REFUSES_THE_TEXT:
            return "554 5.7.1 no thanks"
        self.taken.append(email.message_from_bytes(envelope.original_content, policy=default))
        self.recipients.append(list(envelope.rcpt_tos))
        if self.does is Does.DIES_WITH_THE_TEXT:
            server.transport.abort()
        if self.does is Does.SILENT:
            await asyncio.get_running_loop().run_in_executor(None, self.meanwhile.wait, HANG)
        return "250 taken"

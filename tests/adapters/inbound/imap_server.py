"""A server that speaks as much IMAP as taking mail out of a mailbox needs."""

import re
import socketserver
import threading
from types import TracebackType
from typing import Self

from adapters.kafka.local import HOST

USER, PASSWORD = "office", "imap-password-of-the-test"


class ImapServer:
    """A context manager. `mails` and `seen` may be looked at while it runs; it drops the line after `drops_after`
    mails were fetched."""

    def __init__(self, *mails: bytes) -> None:
        self.mails = dict(enumerate(mails, 1))
        self.seen: set[int] = set()
        self.fetched = 0
        self.drops_after: int | None = None
        server = self

        class Handler(_Handler):
            stand = server

        self._server = socketserver.ThreadingTCPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"imap://{USER}@{HOST}:{self._server.server_address[1]}/Replies?starttls=none"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(socketserver.StreamRequestHandler):
    stand: ImapServer

    def handle(self) -> None:
        self._say("* OK ready")
        while line := self.rfile.readline().decode().strip():
            tag, _, command = line.partition(" ")
            if not self._answer(tag, command):
                return

    def _answer(self, tag: str, command: str) -> bool:
        """Whether the line goes on."""
        if command == "CAPABILITY":
            self._say("* CAPABILITY IMAP4rev1")
        elif command.startswith("LOGIN") and command != f'LOGIN {USER} "{PASSWORD}"':
            return self._say(f"{tag} NO no such login")
        elif command.startswith("SELECT"):
            self._say(f"* {len(self.stand.mails)} EXISTS")
        elif command == "UID SEARCH UNSEEN":
            self._say("* SEARCH " + " ".join(str(each) for each in self.stand.mails if each not in self.stand.seen))
        elif found := re.match(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.\d+>\)", command):
            if self.stand.fetched == self.stand.drops_after:
                return False
            self.stand.fetched += 1
            raw = self.stand.mails[int(found[1])]
            self.wfile.write(
                f"* {found[1]} FETCH (UID {found[1]} BODY[]<0> {{{len(raw)}}}\r\n".encode() + raw + b")\r\n"
            )
        elif found := re.match(r"UID STORE (\d+) \+FLAGS\.SILENT \(\\Seen\)", command):
            self.stand.seen.add(int(found[1]))
        elif command == "LOGOUT":
            self._say("* BYE")
            return self._say(f"{tag} OK done") and False
        return self._say(f"{tag} OK done")

    def _say(self, line: str) -> bool:
        self.wfile.write(f"{line}\r\n".encode())
        return True

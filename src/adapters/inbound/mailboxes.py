"""Mailboxes that mail is taken from: a maildir, and a mailbox on an IMAP server (RFC 3501).

A mail is marked as read once it is stored, so one that was stored and not marked comes again, which changes nothing.
"""

import imaplib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from adapters.inbound.mail import MOST_BYTES
from adapters.inbound.matching import NotReady
from adapters.inbound.receiver import Refused
from adapters.inbound.setup import InboundMisconfigured
from adapters.mail_lines import Server, ServerMisconfigured, Variables, server_at
from adapters.readers.poison import is_poison
from adapters.secret_text import SecretProblem, secret_of

MAILDIR = "ARREARS_INBOUND_MAILDIR"
IMAP_URL = "ARREARS_INBOUND_IMAP_URL"
IMAP_PASSWORD, IMAP_PASSWORD_FILE = "ARREARS_INBOUND_IMAP_PASSWORD", "ARREARS_INBOUND_IMAP_PASSWORD_FILE"
IMAP_CA_FILE = "ARREARS_INBOUND_IMAP_CA_FILE"

_VARIABLES = Variables(
    url=IMAP_URL,
    password_file=IMAP_PASSWORD_FILE,
    ca_file=IMAP_CA_FILE,
    ports={"imap": 143, "imaps": 993},
    expected="imaps://USER@HOST:993/INBOX or imap://USER@HOST:143?starttls=required",
)
_SECONDS = 60.0
_AT_ONCE = 500
"""Mails of a mailbox in a round: then whoever waits for the process to end is looked at."""

Take = Callable[[bytes], object]
"""Stores a mail. Raises NotReady for all of them, Refused for this one."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class MailboxAway(Exception):
    """A mailbox cannot be read now; the text names it, and nobody's mail."""


class Mailbox(ABC):
    """Where mail is taken from."""

    name: str
    leads_from: str
    """Without secrets."""

    @abstractmethod
    def poll(self, take: Take) -> int:
        """Takes what is new; how much was stored. What was refused stays. Raises MailboxAway, and what `take` raises
        for all."""


class Maildir(Mailbox):
    """A folder as Courier and others write it: `new` has what nobody has read, `cur` the rest."""

    name = "maildir"

    def __init__(self, folder: Path) -> None:
        self.leads_from = str(folder)
        self._new, self._cur = folder / "new", folder / "cur"

    def poll(self, take: Take) -> int:
        stored = 0
        try:
            names = sorted(each.name for each in os.scandir(self._new) if each.is_file(follow_symlinks=False))
        except OSError as error:
            raise MailboxAway(f"{self.leads_from} cannot be read: {error.strerror}") from None
        for name in names[:_AT_ONCE]:
            try:
                with (self._new / name).open("rb") as file:
                    raw = file.read(MOST_BYTES)
            except OSError as error:
                _log.warning("a mail cannot be read", folder=self.leads_from, error=error.strerror)
                continue
            if _stored(take, raw, self.leads_from):
                stored += 1
                with suppress(FileNotFoundError):  # somebody else was as quick
                    (self._new / name).rename(self._cur / f"{name.partition(':')[0]}:2,S")
        return stored


class Imap(Mailbox):
    """What is not seen in a mailbox of a server. A connection for each round: rounds are rare."""

    name = "imap"

    def __init__(self, server: Server, password: Callable[[], str | None], folder: str = "INBOX") -> None:
        """`password` is read anew for each connection; the server names the user."""
        self.leads_from = f"{server.shown}/{folder}"
        self._server, self._password, self._folder = server, password, folder

    def poll(self, take: Take) -> int:
        try:
            line = self._opened()
        except SecretProblem as problem:
            raise MailboxAway(str(problem)) from None
        except (OSError, imaplib.IMAP4.error) as error:
            raise MailboxAway(f"{self.leads_from} cannot be reached: {type(error).__name__}") from None
        try:
            return self._taken(line, take)
        except (OSError, imaplib.IMAP4.error) as error:
            raise MailboxAway(f"{self.leads_from} dropped the line: {type(error).__name__}") from None
        finally:
            with suppress(OSError, imaplib.IMAP4.error):
                line.logout()

    def _opened(self) -> imaplib.IMAP4:
        server = self._server
        line: imaplib.IMAP4
        if server.is_tls:
            line = imaplib.IMAP4_SSL(server.host, server.port, ssl_context=server.trusted, timeout=_SECONDS)
        else:
            line = imaplib.IMAP4(server.host, server.port, timeout=_SECONDS)
        try:
            if server.starts_tls:
                line.starttls(ssl_context=server.trusted)
            line.login(server.user or "", self._password() or "")
            said, _ = line.select(f'"{self._folder}"')
            if said != "OK":
                raise imaplib.IMAP4.error("no such mailbox")
        except BaseException:
            with suppress(OSError, imaplib.IMAP4.error):
                line.logout()
            raise
        return line

    def _taken(self, line: imaplib.IMAP4, take: Take) -> int:
        stored = 0
        _, found = line.uid("SEARCH", "UNSEEN")
        for uid in (found[0] or b"").split()[:_AT_ONCE]:
            _, parts = line.uid("FETCH", uid.decode("ascii"), f"(BODY.PEEK[]<0.{MOST_BYTES}>)")
            raw = next((part[1] for part in parts or () if isinstance(part, tuple)), None)
            if raw is not None and _stored(take, raw, self.leads_from):
                stored += 1
                line.uid("STORE", uid.decode("ascii"), "+FLAGS.SILENT", r"(\Seen)")
        return stored


def _stored(take: Take, raw: bytes, where: str) -> bool:
    """Whatever is wrong with one mail keeps no other from coming in."""
    try:
        take(raw)
    except Refused as error:
        _log.warning("a mail cannot be stored, and stays where it is", mailbox=where, error=str(error))
        return False
    except Exception as error:
        if not is_poison(error) or isinstance(error, NotReady):
            raise
        _log.exception("a mail cannot be decided on, and stays where it is", mailbox=where)
        return False
    return True


# --- set up ------------------------------------------------------------------------------------------


def mailboxes_of(env: Mapping[str, str]) -> list[Mailbox]:
    """Those that the environment names. Raises InboundMisconfigured."""
    found: list[Mailbox] = []
    if folder := env.get(MAILDIR):
        missing = [each for each in ("new", "cur") if not (Path(folder) / each).is_dir()]
        if missing:
            raise InboundMisconfigured(f"{MAILDIR}: {folder} is no maildir: it has no folder {missing[0]}.")
        found.append(Maildir(Path(folder)))
    if any(env.get(name) for name in (IMAP_URL, IMAP_PASSWORD, IMAP_PASSWORD_FILE, IMAP_CA_FILE)):
        try:
            found.append(_imap(env))
        except SecretProblem as problem:
            raise InboundMisconfigured(str(problem)) from None
    return found


def _imap(env: Mapping[str, str]) -> Imap:
    if not env.get(IMAP_URL):
        raise InboundMisconfigured(f"{IMAP_URL} is missing: a password or certificate for it is set.")
    try:
        server = server_at(_VARIABLES, env)
        folder = server.path.strip("/") or "INBOX"
        if server.user is None or not folder.isprintable() or '"' in folder or "\\" in folder:
            raise _VARIABLES.not_understood()
    except ServerMisconfigured as problem:
        raise InboundMisconfigured(str(problem)) from None
    if secret_of(env, IMAP_PASSWORD, IMAP_PASSWORD_FILE) is None:
        raise InboundMisconfigured(f"{IMAP_PASSWORD_FILE} is missing: {IMAP_URL} names a user, who logs in.")
    return Imap(server, lambda: secret_of(env, IMAP_PASSWORD, IMAP_PASSWORD_FILE), folder)

"""Mailboxes that mail is taken from: a maildir, and a mailbox on an IMAP server (RFC 3501).

A mail is marked as read once it is stored, so one that was stored and not marked comes again, which changes nothing.
"""

import imaplib
import os
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import structlog

from adapters.inbound.mail import MOST_BYTES
from adapters.inbound.matching import NotReady
from adapters.inbound.receiver import Refused
from adapters.inbound.setup import InboundMisconfigured
from adapters.readers.poison import is_poison
from adapters.secret_text import SecretProblem, secret_of, text_of

MAILDIR = "ARREARS_INBOUND_MAILDIR"
IMAP_URL = "ARREARS_INBOUND_IMAP_URL"
IMAP_PASSWORD, IMAP_PASSWORD_FILE = "ARREARS_INBOUND_IMAP_PASSWORD", "ARREARS_INBOUND_IMAP_PASSWORD_FILE"
IMAP_CA_FILE = "ARREARS_INBOUND_IMAP_CA_FILE"

_PORTS = {"imap": 143, "imaps": 993}
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
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

    def __init__(
        self,
        host: str,
        port: int,
        *,
        user: str,
        password: Callable[[], str | None],
        folder: str = "INBOX",
        is_tls: bool = True,
        starts_tls: bool = False,
        trusted: ssl.SSLContext,
    ) -> None:
        self.leads_from = f"{'imaps' if is_tls else 'imap'}://{host}:{port}/{folder}"
        self._host, self._port = host, port
        self._user, self._password, self._folder = user, password, folder
        self._is_tls, self._starts_tls, self._trusted = is_tls, starts_tls, trusted

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
        line: imaplib.IMAP4
        if self._is_tls:
            line = imaplib.IMAP4_SSL(self._host, self._port, ssl_context=self._trusted, timeout=_SECONDS)
        else:
            line = imaplib.IMAP4(self._host, self._port, timeout=_SECONDS)
        try:
            if self._starts_tls:
                line.starttls(ssl_context=self._trusted)
            line.login(self._user, self._password() or "")
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
        url = urlsplit(env[IMAP_URL])
        host, port = url.hostname, url.port
    except ValueError:
        raise _no_url() from None
    asked = dict(parse_qsl(url.query, keep_blank_values=True))
    starttls = asked.pop("starttls", "required")
    folder = unquote(url.path.strip("/")) or "INBOX"
    if url.scheme not in _PORTS or not host or not url.username or url.fragment or asked or '"' in folder:
        raise _no_url()
    if starttls not in {"required", "none"} or not folder.isprintable() or "\\" in folder:
        raise _no_url()
    if url.password is not None:
        raise InboundMisconfigured(f"{IMAP_URL} has a password in it; it belongs into a file: {IMAP_PASSWORD_FILE}.")
    if starttls == "none" and host not in _LOCAL:
        raise InboundMisconfigured(f"{IMAP_URL}: starttls=none is for a server on this machine; {host} is another.")
    if secret_of(env, IMAP_PASSWORD, IMAP_PASSWORD_FILE) is None:
        raise InboundMisconfigured(f"{IMAP_PASSWORD_FILE} is missing: {IMAP_URL} names a user, who logs in.")
    return Imap(
        host,
        port or _PORTS[url.scheme],
        user=unquote(url.username),
        password=lambda: secret_of(env, IMAP_PASSWORD, IMAP_PASSWORD_FILE),
        folder=folder,
        is_tls=url.scheme == "imaps",
        starts_tls=url.scheme == "imap" and starttls == "required",
        trusted=_trusting(env.get(IMAP_CA_FILE)),
    )


def _no_url() -> InboundMisconfigured:
    return InboundMisconfigured(
        f"{IMAP_URL} is not understood; expected imaps://USER@HOST:993/INBOX or imap://USER@HOST:143?starttls=required."
    )


def _trusting(file: str | None) -> ssl.SSLContext:
    """Trusts the authorities of a file, else those of this machine."""
    try:
        context = ssl.create_default_context(cadata=text_of(IMAP_CA_FILE, Path(file)) if file else None)
    except (ssl.SSLError, ValueError):
        raise InboundMisconfigured(f"{IMAP_CA_FILE}: {file} holds no certificate in PEM.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

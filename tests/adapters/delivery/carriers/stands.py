"""Every carrier with what is at its other end, in the same terms."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path

from pypdf import PdfReader

from adapters.clock import SystemClock
from adapters.delivery.carrier import Carrier
from adapters.delivery.carriers.letters_folder import LettersFolder
from adapters.delivery.carriers.letters_sftp import LettersSftp, host_of
from adapters.delivery.carriers.smtp import Smtp, server_of
from adapters.delivery.carriers.twilio import Twilio
from adapters.delivery.outbox import Outbox
from adapters.delivery.rendering import Letter
from adapters.kafka.local import HOST
from adapters.mail_lines import Server
from adapters.secret_text import Secret
from aggregates.values.contact import Channel
from tests.adapters.delivery.carriers import mail_server, sftp_server, twilio_server
from tests.adapters.delivery.carriers.mail_server import MailServer
from tests.adapters.delivery.carriers.sftp_server import SftpServer
from tests.adapters.delivery.carriers.twilio_server import TwilioServer

TODAY = datetime(2026, 11, 29, 12, tzinfo=UTC)
SENDER = Address(display_name="Main Office", addr_spec="office@sender.example")
WAIT = 2.0
"""Seconds that carriers of tests wait for an answer that does not come."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the other end has: for whom, and the words, with blanks as they may be set in a letter."""

    to: str
    words: str


class Stand(ABC):
    """A carrier, and what its other end does and has."""

    carrier: Carrier
    letter: Letter
    """One that it takes."""
    bad_address: str = ""
    """That of nobody; empty where it writes to no address."""
    has_peer = True
    """Whether there is somebody who may die with the text."""
    peer_refuses = False
    """Whether there is somebody who may say that it will never take it."""
    shows = "Zażółć gęślą jaźń, שלום, مرحبا, 😀 👩‍👩‍👧"
    """What is not ASCII and arrives as it is."""

    @abstractmethod
    def seen(self) -> list[Seen]:
        """Everything that arrived."""

    def refuses(self) -> None:
        """From now on it says that it will never take it, where `peer_refuses`."""
        raise NotImplementedError

    @abstractmethod
    def unavailable(self) -> None:
        """From now on it takes nothing."""

    def dies(self) -> None:
        """It takes the text and is gone before it says so, where `has_peer`."""
        raise NotImplementedError

    @abstractmethod
    def recovers(self) -> None:
        """It takes messages again."""


class OverSmtp(Stand):
    bad_address = "nobody at home"
    peer_refuses = True

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self.carrier = smtp_to(server)
        self.letter = Letter(Channel.EMAIL, "anna@example.org", "Your account", "Dear Anna")

    def seen(self) -> list[Seen]:
        return [
            Seen(",".join(to), mail.get_content().replace("\r\n", "\n").rstrip("\n"))
            for mail, to in zip(self._server.taken, self._server.recipients, strict=True)
        ]

    def refuses(self) -> None:
        self._server.does = mail_server.Does.REFUSES

    def unavailable(self) -> None:
        self._server.does = mail_server.Does.BUSY

    def dies(self) -> None:
        self._server.does = mail_server.Does.DIES_WITH_THE_TEXT

    def recovers(self) -> None:
        self._server.does = mail_server.Does.TAKES


def smtp_to(server: MailServer, **options: object) -> Smtp:
    """A carrier to the server, in the clear."""
    found: Server = server_of({"ARREARS_SMTP_URL": f"smtp://{HOST}:{server.port}?starttls=none"})
    options = {"sender": SENDER, "connect_seconds": 10.0, "send_seconds": WAIT, **options}
    return Smtp(found, lambda: None, SystemClock(), **options)  # type: ignore[arg-type]


class OverTwilio(Stand):
    bad_address = "call me"
    peer_refuses = True

    def __init__(self, server: TwilioServer, channel: Channel) -> None:
        self._server = server
        self._channel = channel
        self.carrier = twilio_to(server)
        self.letter = Letter(channel, "(202) 555-0143", None, "Dear Anna", country="US")

    def seen(self) -> list[Seen]:
        if self._channel is Channel.SMS:
            return [Seen(each["To"], each["Body"]) for each in self._server.messages]
        from xml.etree.ElementTree import fromstring

        said = [(each["To"], fromstring(each["Twiml"]).find("Say")) for each in self._server.calls]
        return [Seen(to, say.text or "") for to, say in said if say is not None]

    def refuses(self) -> None:
        self._server.does = twilio_server.Does.REFUSES

    def unavailable(self) -> None:
        self._server.does = twilio_server.Does.BUSY

    def dies(self) -> None:
        self._server.does = twilio_server.Does.DIES

    def recovers(self) -> None:
        self._server.does = twilio_server.Does.TAKES


def twilio_to(server: TwilioServer) -> Twilio:
    token = Secret(twilio_server.TOKEN)
    return Twilio(twilio_server.ACCOUNT, token, twilio_server.NUMBER, base=server.base, seconds=(WAIT, WAIT))


A_LETTER = Letter(
    Channel.LETTER,
    "Ringstr. 1\n12345 Ort\nDE",
    "Your account",
    "Dear Anna",
    country="DE",
    sender="Main Office",
    recipient="Anna Example",
)


class OnPaper(Stand):
    bad_address = "Anna"
    shows = "Zażółć gęślą jaźń, Привет"

    def __init__(self, carrier: Carrier, folder: Path) -> None:
        self.carrier = carrier
        self._folder = folder
        self.letter = A_LETTER

    def seen(self) -> list[Seen]:
        return [self._seen(path) for path in sorted(self._folder.glob("*.pdf"))]

    @staticmethod
    def _seen(path: Path) -> Seen:
        text = "\n".join(page.extract_text() for page in PdfReader(path).pages)
        return Seen("\n".join(text.splitlines()[3:6]), text)


class InFolder(OnPaper):
    has_peer = False

    def __init__(self, folder: Path) -> None:
        self._letters = folder / "letters"
        self._letters.mkdir()
        super().__init__(LettersFolder(self._letters, folder / "texts", SystemClock()), self._letters)

    def unavailable(self) -> None:
        self._letters.rename(self._letters.with_name("away"))

    def recovers(self) -> None:
        self._letters.with_name("away").rename(self._letters)


class OverSftp(OnPaper):
    def __init__(self, server: SftpServer, folder: Path) -> None:
        self._server = server
        super().__init__(sftp_to(server, folder / "texts"), server.files / "letters")

    def unavailable(self) -> None:
        self._server.does = sftp_server.Does.DROPS

    def dies(self) -> None:
        self._server.does = sftp_server.Does.DIES

    def recovers(self) -> None:
        self._server.does = sftp_server.Does.TAKES


def sftp_to(server: SftpServer, texts: Path) -> LettersSftp:
    host = host_of(
        {
            "ARREARS_LETTERS_SFTP_URL": server.url,
            "ARREARS_LETTERS_SFTP_KNOWN_HOSTS_FILE": str(server.known_hosts),
            "ARREARS_LETTERS_SFTP_KEY_FILE": str(server.key),
        }
    )
    return LettersSftp(host, texts, SystemClock(), connect_seconds=10.0, send_seconds=20.0)


class InOutbox(Stand):
    has_peer = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "outbox"
        self.carrier = Outbox(self._folder)
        self.letter = Letter(Channel.PORTAL, "portal", "Your account", "Dear Anna")

    def seen(self) -> list[Seen]:
        import json

        found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self._folder.glob("*.json"))]
        return [Seen(each["to"], each["body"]) for each in found]

    def unavailable(self) -> None:
        self._folder.touch()  # a file, where the folder should be

    def recovers(self) -> None:
        self._folder.unlink()


@contextmanager
def _smtp(folder: Path) -> Iterator[Stand]:
    with MailServer() as server:
        yield OverSmtp(server)


@contextmanager
def _twilio(channel: Channel) -> Iterator[Stand]:
    with TwilioServer() as server:
        yield OverTwilio(server, channel)


@contextmanager
def _sftp(folder: Path) -> Iterator[Stand]:
    with SftpServer(folder) as server:
        yield OverSftp(server, folder)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a stand is made in a folder, and of which class it is."""

    of: type[Stand]
    make: Callable[[Path], AbstractContextManager[Stand]]
    is_idempotent: bool = False


STANDS: dict[str, Kind] = {
    "smtp": Kind(OverSmtp, _smtp),
    "twilio, text": Kind(OverTwilio, lambda _: _twilio(Channel.SMS)),
    "twilio, call": Kind(OverTwilio, lambda _: _twilio(Channel.VOICE)),
    "letters in a folder": Kind(InFolder, lambda folder: nullcontext(InFolder(folder)), is_idempotent=True),
    "letters by sftp": Kind(OverSftp, _sftp, is_idempotent=True),
    "outbox": Kind(InOutbox, lambda folder: nullcontext(InOutbox(folder)), is_idempotent=True),
}
"""A new carrier is one more."""


def saying(letter: Letter, **what: str | None) -> Letter:
    return replace(letter, **what)  # type: ignore[arg-type]

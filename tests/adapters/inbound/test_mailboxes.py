"""Mail out of a maildir and out of a mailbox on a server: all of it, marked once it is stored."""

import mailbox
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg import OperationalError
from psycopg.errors import UndefinedTable

from adapters.clock import ManualClock
from adapters.inbound.mailboxes import MailboxAway, Maildir, mailboxes_of
from adapters.inbound.matching import NotReady
from adapters.inbound.polling import Polling
from adapters.inbound.receiver import Outcome, Refused
from adapters.inbound.setup import InboundMisconfigured
from tests.adapters.inbound.imap_server import PASSWORD, ImapServer
from tests.adapters.inbound.mails import a_mail

ONE, TWO, THREE = (a_mail(text, Message_ID=f"<{text}@example.org>") for text in ("one", "two", "three"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Made and filled as mail servers do."""
    box = mailbox.Maildir(tmp_path / "mail")
    for each in (ONE, TWO):
        box.add(each)
    return tmp_path / "mail"


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with ImapServer(ONE, TWO) as server:
        yield server


def imap_env(server: ImapServer, password: str = PASSWORD) -> dict[str, str]:
    return {"ARREARS_INBOUND_IMAP_URL": server.url, "ARREARS_INBOUND_IMAP_PASSWORD": password}


# --- a maildir -----------------------------------------------------------------------------------------


def test_a_maildir_is_read_once(folder: Path) -> None:
    taken: list[bytes] = []
    [box] = mailboxes_of({"ARREARS_INBOUND_MAILDIR": str(folder)})
    assert (box.poll(taken.append), box.poll(taken.append)) == (2, 0)
    assert sorted(each.replace(b"\n", b"\r\n").replace(b"\r\r", b"\r") for each in taken) == sorted([ONE, TWO])
    assert {each.get_flags() for each in mailbox.Maildir(folder)} == {"S"}


def test_what_is_not_stored_stays_for_the_next_round(folder: Path) -> None:
    def away(_: bytes) -> None:
        raise NotReady("names are being filled in")

    with pytest.raises(NotReady):
        Maildir(folder).poll(away)
    taken: list[bytes] = []
    assert Maildir(folder).poll(taken.append) == 2


@pytest.mark.parametrize("error", [Refused("not this one"), ZeroDivisionError("a defect")], ids=["refused", "defect"])
def test_one_mail_that_is_refused_or_cannot_be_decided_on_holds_up_no_other(folder: Path, error: Exception) -> None:
    def picky(raw: bytes) -> None:
        if b"one" in raw:
            raise error

    assert Maildir(folder).poll(picky) == 1
    assert len(list((folder / "new").iterdir())) == 1


# --- a mailbox on a server -----------------------------------------------------------------------------


def test_what_nobody_has_seen_is_taken_and_marked(server: ImapServer) -> None:
    [box] = mailboxes_of(imap_env(server))
    taken: list[bytes] = []
    assert (box.poll(taken.append), box.poll(taken.append)) == (2, 0)
    assert taken == [ONE, TWO]
    assert server.seen == {1, 2}
    server.mails[3] = THREE
    assert box.poll(taken.append) == 1


def test_a_line_that_is_dropped_loses_nothing(server: ImapServer) -> None:
    [box] = mailboxes_of(imap_env(server))
    server.drops_after = 1
    taken: list[bytes] = []
    with pytest.raises(MailboxAway, match="imap://127"):
        box.poll(taken.append)
    server.drops_after = None
    assert box.poll(taken.append) == 1
    assert taken == [ONE, TWO]


def test_a_login_that_is_refused_is_said_without_the_password(server: ImapServer) -> None:
    [box] = mailboxes_of(imap_env(server, "a wrong secret"))
    with pytest.raises(MailboxAway) as refused:
        box.poll(lambda _: None)
    assert "wrong secret" not in str(refused.value)


# --- both ----------------------------------------------------------------------------------------------


class Kept:
    """Where mail is put."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.away: list[Exception] = []

    def look_again(self) -> int:
        if self.away:
            raise self.away.pop()
        return 0

    def take_mail(self, raw: bytes, now: datetime) -> Outcome:
        del now
        self.mails.append(raw)
        return Outcome.FILED


def test_a_mailbox_that_is_away_holds_up_no_other(folder: Path, server: ImapServer) -> None:
    mailboxes = mailboxes_of({**imap_env(server, "wrong"), "ARREARS_INBOUND_MAILDIR": str(folder)})
    kept = Kept()
    stored, away = Polling(kept, mailboxes[::-1], ManualClock(datetime(2026, 3, 3, tzinfo=UTC))).once()
    assert (stored, len(away), len(kept.mails)) == (2, 1, 2)


@pytest.mark.parametrize("away", [UndefinedTable("no such table"), OperationalError("connection failed"), NotReady("")])
def test_a_database_that_is_away_ends_no_polling(
    folder: Path, away: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is mail held up by it: its own storing says whether the database is there."""
    kept, stop, rounds = Kept(), threading.Event(), iter((1, 2))

    def wait(_: float) -> None:
        if next(rounds) == 2:
            stop.set()

    kept.away = [away]
    monkeypatch.setattr(stop, "wait", wait)
    mailboxes = mailboxes_of({"ARREARS_INBOUND_MAILDIR": str(folder)})
    Polling(kept, mailboxes, ManualClock(datetime(2026, 3, 3, tzinfo=UTC))).run(stop)
    assert (kept.away, len(kept.mails)) == ([], 2)


def test_a_defect_is_not_taken_for_a_database_that_is_away() -> None:
    kept = Kept()
    kept.away = [AttributeError("a defect")]
    with pytest.raises(AttributeError):
        Polling(kept, [], ManualClock(datetime(2026, 3, 3, tzinfo=UTC))).once()


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"ARREARS_INBOUND_MAILDIR": "/nowhere"}, "ARREARS_INBOUND_MAILDIR"),
        ({"ARREARS_INBOUND_IMAP_PASSWORD": "x"}, "ARREARS_INBOUND_IMAP_URL"),
        ({"ARREARS_INBOUND_IMAP_URL": "imaps://mail.example.com"}, "ARREARS_INBOUND_IMAP_URL"),
        ({"ARREARS_INBOUND_IMAP_URL": "imaps://a:b@mail.example.com"}, "ARREARS_INBOUND_IMAP_PASSWORD_FILE"),
        ({"ARREARS_INBOUND_IMAP_URL": "imaps://a@mail.example.com"}, "ARREARS_INBOUND_IMAP_PASSWORD_FILE"),
        ({"ARREARS_INBOUND_IMAP_URL": "imap://a@mail.example.com/?starttls=none"}, "on this machine"),
        ({"ARREARS_INBOUND_IMAP_URL": "pop3://a@mail.example.com"}, "ARREARS_INBOUND_IMAP_URL"),
    ],
)
def test_what_is_given_by_half_is_refused(said: dict[str, str], names: str) -> None:
    with pytest.raises(InboundMisconfigured, match=names):
        mailboxes_of(said)

"""`arrears carriers` and its test message: nothing of the data is opened, and no secret is shown."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.kafka.local import HOST
from aggregates.values import contact
from api.cli.carriers import Channel
from tests.adapters.delivery.carriers.mail_server import Does, MailServer
from tests.api.cli.conftest import Arrears


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arrears:
    """The command in a folder where there is nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARREARS_DATABASE_URL", raising=False)
    monkeypatch.setenv("ARREARS_DATA", str(tmp_path))
    return Arrears()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with MailServer() as server:
        monkeypatch.setenv("ARREARS_SMTP_URL", f"smtp://{HOST}:{server.port}?starttls=none")
        monkeypatch.setenv("ARREARS_MAIL_FROM", "office@sender.example")
        yield server


def test_channels_are_those_of_the_domain():
    assert [each.value for each in Channel] == [each.value for each in contact.Channel]


def test_it_says_what_carries_which_channel_and_makes_nothing(here: Arrears, server: MailServer, tmp_path: Path):
    rows = here("carriers", "--json").json["rows"]
    assert {row["channel"]: row["carrier"] for row in rows} == {
        each.value: "smtp" if each is Channel.EMAIL else "outbox" for each in Channel
    }
    assert f"smtp://{HOST}:{server.port}" in here("carriers").out
    assert list(tmp_path.iterdir()) == []
    assert server.connections == 0


def test_a_test_message_is_sent(here: Arrears, server: MailServer, tmp_path: Path):
    said = here("carriers", "test", "--channel", "email", "--to", "me@example.org")
    [mail] = server.taken
    assert mail["To"] == "me@example.org"
    assert mail["Message-ID"] in said.out
    assert "a test message was sent" in said.err
    assert "me@example.org" not in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("does", "says"),
    [
        (Does.REFUSES, "smtp refused it (smtp-550)"),
        (Does.BUSY, "does not take a message now (451)"),
        (Does.DIES_WITH_THE_TEXT, "did not answer after the text was sent"),
    ],
)
def test_a_test_message_that_was_not_taken_says_why(here: Arrears, server: MailServer, does: Does, says: str):
    server.does = does
    assert says in here("carriers", "test", "--channel", "email", "--to", "me@example.org", code=1).err


def test_over_the_other_channels_it_goes_to_the_outbox(here: Arrears, tmp_path: Path):
    here("carriers", "test", "--channel", "letter", "--to", "Ringstr. 1\\n12345 Ort")
    [file] = (tmp_path / "outbox").iterdir()
    assert json.loads(file.read_text())["to"] == "Ringstr. 1\n12345 Ort"


@pytest.mark.parametrize("command", [("carriers",), ("tick",), ("serve", "--port", "1")])
def test_what_is_set_up_by_half_is_refused_at_the_start(
    arrears: Arrears, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
):
    if command[0] == "serve":
        monkeypatch.setattr("api.cli.running.check_door", lambda *_: None)
    monkeypatch.setenv("ARREARS_SMTP_URL", "smtp://arrears@mail.example.org")
    monkeypatch.setenv("ARREARS_MAIL_FROM", "office@sender.example")
    monkeypatch.setenv("ARREARS_SMTP_PASSWORD_FILE", "/missing/password")
    said = arrears(*command, code=1)
    assert "ARREARS_SMTP_PASSWORD_FILE: /missing/password cannot be read" in said.err

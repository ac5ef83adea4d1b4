"""Which carrier carries which channel, by what the environment says."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.clock import ManualClock, SystemClock
from adapters.delivery.carrier import CarrierMisconfigured
from adapters.delivery.carriers import setup
from adapters.delivery.carriers.setup import Carriers, carriers_of
from aggregates.values.contact import Channel
from tests.adapters.delivery.carriers.stands import twilio_to
from tests.adapters.delivery.carriers.twilio_server import TwilioServer


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "letters").mkdir()
    (tmp_path / "password").write_text("smtp-secret\n")
    (tmp_path / "token").write_text("twilio-secret\n")
    return {
        "ARREARS_OUTBOX": str(tmp_path / "outbox"),
        "ARREARS_SMTP_URL": "smtp://arrears@mail.example.org",
        "ARREARS_SMTP_PASSWORD_FILE": str(tmp_path / "password"),
        "ARREARS_MAIL_FROM": "office@sender.example",
        "ARREARS_TWILIO_ACCOUNT_SID": "AC0",
        "ARREARS_TWILIO_AUTH_TOKEN_FILE": str(tmp_path / "token"),
        "ARREARS_TWILIO_FROM": "+15005550006",
        "ARREARS_LETTERS_FOLDER": str(tmp_path / "letters"),
    }


def names(carriers: Carriers) -> dict[Channel, str]:
    return {channel: carrier.name for channel, carrier in carriers}


def test_each_channel_has_the_carrier_that_is_set_up_for_it(env: dict[str, str]):
    assert names(carriers_of(env, None, SystemClock())) == {
        Channel.SMS: "twilio",
        Channel.VOICE: "twilio",
        Channel.EMAIL: "smtp",
        Channel.LETTER: "letters-folder",
        Channel.PORTAL: "outbox",
    }


def test_what_no_carrier_is_set_up_for_goes_to_the_outbox(env: dict[str, str]):
    """Variables that are there and empty say nothing: so a manifest may name them all."""
    given = {name: value if "SMTP" in name or "MAIL" in name or "OUTBOX" in name else "" for name, value in env.items()}
    found = names(carriers_of(given, None, SystemClock()))
    assert found == {**dict.fromkeys(Channel, "outbox"), Channel.EMAIL: "smtp"}


def test_while_history_is_lived_through_nobody_is_written_to(env: dict[str, str]):
    clock = ManualClock(datetime(2025, 3, 4, tzinfo=UTC))
    assert names(carriers_of(env, None, clock)) == dict.fromkeys(Channel, "outbox")


def test_a_secret_that_cannot_be_read_is_refused_at_the_start(env: dict[str, str], tmp_path: Path):
    (tmp_path / "password").unlink()
    with pytest.raises(CarrierMisconfigured, match=r"ARREARS_SMTP_PASSWORD_FILE: .* cannot be read"):
        carriers_of(env, None, SystemClock())


def test_two_carriers_of_one_channel_are_refused():
    server = TwilioServer()
    server._server.server_close()
    with pytest.raises(CarrierMisconfigured, match="has two carriers"):
        Carriers(twilio_to(server), twilio_to(server), twilio_to(server))


def test_the_log_says_which_carrier_carries_what_and_no_secret(env: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    said: list[dict[str, object]] = []
    monkeypatch.setattr(setup, "_log", SimpleNamespace(info=lambda _, **what: said.append(what)))
    carriers_of(env, None, SystemClock()).say()
    assert [each["channel"] for each in said] == list(Channel)
    assert "smtp://mail.example.org:587" in str(said)
    assert "secret" not in str(said)


def test_what_a_carrier_needs_is_loaded_only_where_it_is_set_up(tmp_path: Path):
    script = (
        "import sys; from adapters.clock import SystemClock; from adapters.delivery.carriers.setup import carriers_of; "
        "carriers_of({}, None, SystemClock()); "
        "print([each for each in ('asyncssh', 'smtplib', 'twilio', 'typst') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"

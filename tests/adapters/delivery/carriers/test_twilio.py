"""Text messages and calls, and what becomes of them where Twilio or the line fails."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.delivery.carrier import (
    Attempt,
    CarrierMisconfigured,
    CarrierRefused,
    CarrierUnavailable,
    CarrierUncertain,
    Told,
)
from adapters.delivery.carriers.twilio import Twilio, spoken
from adapters.delivery.rendering import Letter
from adapters.kafka.local import HOST, free_ports
from adapters.secret_text import Secret, SecretProblem
from aggregates.account.inbound import Receipt
from aggregates.values.contact import Channel
from tests.adapters.delivery.carriers.stands import twilio_to
from tests.adapters.delivery.carriers.twilio_server import ACCOUNT, NUMBER, TOKEN, Does, TwilioServer, message_sid

TEXT = Letter(Channel.SMS, "(202) 555-0143", None, "Dear Anna, 100.00 is due.", country="US")
CALL = Letter(Channel.VOICE, "+49 30 901820", None, "Guten Tag", language="de")


@pytest.fixture
def server() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


def attempt(letter: Letter | None = TEXT) -> Attempt:
    return Attempt(datetime.now(UTC) - timedelta(minutes=5), lambda: letter)


def test_a_text_goes_to_the_number_as_it_is_dialled_from_anywhere(server: TwilioServer):
    assert twilio_to(server).send(uuid4(), TEXT).startswith("SM")
    assert server.messages == [{"To": "+12025550143", "From": NUMBER, "Body": TEXT.body}]


@pytest.mark.parametrize("first", [Does.TWICE, Does.REFUSES_TWICE])
def test_an_answer_that_comes_twice_says_nothing_of_what_is_sent_next(server: TwilioServer, first: Does):
    """The second one comes while the next is under way."""
    carrier = twilio_to(server)
    server.does = first
    with suppress(CarrierRefused):
        carrier.send(uuid4(), TEXT)
    server.does = Does.REFUSES if first is Does.TWICE else Does.SLOW
    if first is Does.TWICE:
        with pytest.raises(CarrierUncertain, match="asked before"):
            carrier.send(uuid4(), TEXT)
        with pytest.raises(CarrierRefused):
            carrier.send(uuid4(), TEXT)
    else:
        assert carrier.send(uuid4(), TEXT) == message_sid(1)


def test_what_became_of_it_is_reported_to_where_this_service_is_reached(server: TwilioServer):
    env = {
        "ARREARS_TWILIO_ACCOUNT_SID": ACCOUNT,
        "ARREARS_TWILIO_AUTH_TOKEN": TOKEN,
        "ARREARS_TWILIO_FROM": NUMBER,
        "ARREARS_TWILIO_BASE_URL": server.base,
        "ARREARS_PUBLIC_URL": "https://arrears.example.com/",
    }
    message_id = uuid4()
    for each in (TEXT, CALL):
        Twilio.from_env(env).send(message_id, each)
    said = {sent["StatusCallback"] for sent in (*server.messages, *server.calls)}
    assert said == {f"https://arrears.example.com/v1/inbound/twilio/status?message={message_id}"}
    with pytest.raises(CarrierMisconfigured, match="ARREARS_PUBLIC_URL"):
        Twilio.from_env({**env, "ARREARS_PUBLIC_URL": "arrears"})


def test_a_call_says_the_text_in_its_language(server: TwilioServer):
    assert twilio_to(server).send(uuid4(), CALL).startswith("CA")
    [call] = server.calls
    assert call["To"] == "+4930901820"
    assert '<Say language="de-DE">Guten Tag</Say>' in call["Twiml"]


@pytest.mark.parametrize(
    ("language", "is_spoken"), [("en", "en-US"), ("de", "de-DE"), ("de-AT", "de-AT"), ("pt", "pt-BR"), ("xx", "xx")]
)
def test_a_language_is_spoken_with_a_country(language: str, is_spoken: str):
    assert f'language="{is_spoken}"' in spoken(replace(CALL, language=language))


def test_a_text_is_data_in_a_call():
    said = spoken(replace(CALL, body="</Say><Dial>+15005550001</Dial>\x00\ud800"))
    assert "<Dial>" not in said
    assert "&lt;Dial&gt;" in said
    assert "\x00" not in said


@pytest.mark.parametrize("number", ["202 555 0143", "call me", "+1 202 555 0143 ext. 5", "", "12"])
def test_what_nobody_can_dial_is_refused_and_not_asked(server: TwilioServer, number: str):
    with pytest.raises(CarrierRefused) as refused:
        twilio_to(server).send(uuid4(), replace(TEXT, to=number, country=None))
    assert refused.value.code == "bad-number"
    assert server.messages == []


def test_a_refusal_has_the_code_of_twilio(server: TwilioServer):
    server.does = Does.REFUSES
    with pytest.raises(CarrierRefused) as refused:
        twilio_to(server).send(uuid4(), TEXT)
    assert refused.value.code == "twilio-21211"
    assert refused.value.told == Told(Receipt.NOT_IN_SERVICE, "21211")
    assert "+12025550143" in refused.value.detail


@pytest.mark.parametrize("does", [Does.BUSY, Does.NO_LOGIN])
def test_what_is_no_fault_of_the_message_is_for_now(server: TwilioServer, does: Does):
    """A token that was replaced must not fail every message that is queued."""
    server.does = does
    with pytest.raises(CarrierUnavailable) as unavailable:
        twilio_to(server).send(uuid4(), TEXT)
    assert "2025550143" not in str(unavailable.value)
    assert server.messages == []


def test_who_is_not_there_took_nothing():
    server = TwilioServer()  # not started, and its port is let go of
    server._server.server_close()
    with pytest.raises(CarrierUnavailable, match="cannot be reached"):
        twilio_to(server).send(uuid4(), TEXT)
    with pytest.raises(CarrierUnavailable, match="cannot be reached"):
        Twilio(ACCOUNT, Secret(TOKEN), NUMBER, base=f"https://{HOST}:{free_ports(1)[0]}").send(uuid4(), TEXT)


@pytest.mark.parametrize("does", [Does.FAILS, Does.DIES, Does.SILENT])
@pytest.mark.parametrize("letter", [TEXT, CALL], ids=["text", "call"])
def test_nobody_knows_what_became_of_a_request_without_an_answer(server: TwilioServer, does: Does, letter: Letter):
    server.does = does
    with pytest.raises(CarrierUncertain) as uncertain:
        twilio_to(server).send(uuid4(), letter)
    assert not [part for part in ("2025550143", "901820", letter.body, TOKEN) if part in str(uncertain.value)]


def test_a_text_that_was_taken_and_not_answered_is_found_by_its_words(server: TwilioServer):
    carrier = twilio_to(server)
    server.does = Does.DIES
    with pytest.raises(CarrierUncertain):
        carrier.send(uuid4(), TEXT)
    assert carrier.took(uuid4(), attempt()) == TEXT
    assert carrier.took(uuid4(), attempt(replace(TEXT, body="other words"))) is None
    assert carrier.took(uuid4(), attempt(replace(TEXT, to="+12025550199"))) is None


@pytest.mark.parametrize("letter", [None, CALL], ids=["no text can be made", "a call"])
def test_of_what_cannot_be_found_nobody_knows(server: TwilioServer, letter: Letter | None):
    twilio_to(server).send(uuid4(), CALL)
    assert twilio_to(server).took(uuid4(), attempt(letter)) is None


def test_where_twilio_does_not_answer_nobody_knows(server: TwilioServer):
    server.does = Does.BUSY
    assert twilio_to(server).took(uuid4(), attempt()) is None


# --- settings ---

WHOLE = {
    "ARREARS_TWILIO_ACCOUNT_SID": ACCOUNT,
    "ARREARS_TWILIO_AUTH_TOKEN": TOKEN,
    "ARREARS_TWILIO_FROM": NUMBER,
}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"ARREARS_TWILIO_ACCOUNT_SID": ""}, "ARREARS_TWILIO_ACCOUNT_SID is missing"),
        ({"ARREARS_TWILIO_AUTH_TOKEN": ""}, "ARREARS_TWILIO_AUTH_TOKEN_FILE is missing"),
        ({"ARREARS_TWILIO_FROM": ""}, "ARREARS_TWILIO_FROM is missing"),
        ({"ARREARS_TWILIO_BASE_URL": "api.twilio.com"}, "ARREARS_TWILIO_BASE_URL is not understood"),
    ],
)
def test_settings_that_are_given_by_half_are_refused_and_name_the_variable(change: dict[str, str], names: str):
    with pytest.raises(CarrierMisconfigured, match=names) as refused:
        Twilio.from_env({**WHOLE, **change})
    assert TOKEN not in str(refused.value)


def test_a_token_that_is_given_twice_or_cannot_be_read_is_refused():
    with pytest.raises(SecretProblem, match="are both set"):
        Twilio.from_env({**WHOLE, "ARREARS_TWILIO_AUTH_TOKEN_FILE": "/missing"})
    with pytest.raises(SecretProblem, match="ARREARS_TWILIO_AUTH_TOKEN_FILE: /missing cannot be read"):
        Twilio.from_env({**WHOLE, "ARREARS_TWILIO_AUTH_TOKEN": "", "ARREARS_TWILIO_AUTH_TOKEN_FILE": "/missing"})


def test_nothing_else_of_the_environment_moves_messages_elsewhere(
    server: TwilioServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    monkeypatch.setenv("TWILIO_REGION", "au1")
    Twilio.from_env({**WHOLE, "ARREARS_TWILIO_BASE_URL": server.base}).send(uuid4(), TEXT)
    assert len(server.messages) == 1


def test_neither_token_nor_text_reaches_a_log(server: TwilioServer, caplog: pytest.LogCaptureFixture):
    """As the process's log is set up: of what libraries tell, only warnings are kept."""
    for library in ("twilio", "urllib3"):
        caplog.set_level(logging.WARNING, logger=library)
    carrier = Twilio.from_env({**WHOLE, "ARREARS_TWILIO_BASE_URL": server.base})
    for does in (Does.TAKES, Does.BUSY, Does.REFUSES, Does.DIES):
        server.does = does
        try:
            carrier.send(uuid4(), TEXT)
        except (CarrierRefused, CarrierUnavailable, CarrierUncertain):
            continue
    assert not [part for part in (TOKEN, "2025550143", TEXT.body) if part in caplog.text + carrier.leads_to]

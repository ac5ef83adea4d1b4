"""Calls of agents through Twilio: whom it rings, what they hear, and what is known of how it ended."""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from adapters.delivery.carrier import CarrierRefused, CarrierUnavailable, CarrierUncertain
from adapters.delivery.carriers.twilio_calls import TwilioCalls
from adapters.delivery.dialler import CallEnded, international
from aggregates.account.dialling import DialResult
from tests.adapters.delivery.carriers.stands import twilio_to
from tests.adapters.delivery.carriers.twilio_server import NUMBER, Does, TwilioServer

AGENT, CUSTOMER = "+12125552301", "+12125552368"


@pytest.fixture
def server() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


@pytest.fixture
def calls(server: TwilioServer) -> TwilioCalls:
    return TwilioCalls(lambda: twilio_to(server))


def test_it_rings_the_agent_and_puts_them_through_under_the_offices_number(server: TwilioServer, calls: TwilioCalls):
    assert calls.place(AGENT, CUSTOMER).startswith("CA")
    [call] = server.calls
    assert (call["To"], call["From"]) == (AGENT, NUMBER)
    dial = ET.fromstring(call["Twiml"]).find("Dial")
    assert dial is not None
    assert (dial.get("answerOnBridge"), dial.get("callerId"), dial.findtext("Number")) == ("true", NUMBER, CUSTOMER)


@pytest.mark.parametrize(
    ("does", "raised"),
    [
        (Does.REFUSES, CarrierRefused),
        (Does.BUSY, CarrierUnavailable),
        (Does.DIES, CarrierUncertain),
        (Does.FAILS, CarrierUncertain),
    ],
)
def test_what_is_certain_is_told_apart(server: TwilioServer, calls: TwilioCalls, does: Does, raised: type[Exception]):
    server.does = does
    with pytest.raises(raised):
        calls.place(AGENT, CUSTOMER)


@pytest.mark.parametrize(
    ("agents", "customers", "ended"),
    [
        ("queued", "", None),
        ("ringing", "", None),
        ("in-progress", "ringing", None),
        ("completed", "in-progress", None),
        ("completed", "completed", CallEnded(DialResult.ANSWERED, 42)),
        ("completed", "busy", CallEnded(DialResult.BUSY, None)),
        ("completed", "no-answer", CallEnded(DialResult.NO_ANSWER, None)),
        ("completed", "failed", CallEnded(DialResult.FAILED, None)),
        ("completed", "canceled", CallEnded(DialResult.NO_ANSWER, None)),
        ("no-answer", "", CallEnded(DialResult.AGENT_AWAY, None)),
        ("busy", "", CallEnded(DialResult.AGENT_AWAY, None)),
    ],
)
def test_how_a_call_ended_is_what_became_of_the_customers(
    server: TwilioServer, calls: TwilioCalls, agents: str, customers: str, ended: CallEnded | None
):
    reference = calls.place(AGENT, CUSTOMER)
    server.agents_call, server.customers_call, server.seconds = agents, customers, 42
    assert calls.look_up(reference) == ended


@pytest.mark.parametrize("text", ["", "555 2368", "+1 212", "tel:+1", "+12125552368;ext=7", "<script>"])
def test_what_is_no_number_with_its_country_is_not_dialled(text: str):
    with pytest.raises(ValueError, match="country code"):
        international(text)


def test_numbers_are_dialled_in_one_spelling():
    assert international("+1 (212) 555-2368") == CUSTOMER
    assert international("212 555 2368", "US") == CUSTOMER

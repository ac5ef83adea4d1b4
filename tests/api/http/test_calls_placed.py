"""Click-to-call: the carrier is asked once, what became of the call is looked up, and the form to document it opens."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from adapters.delivery.carriers.twilio_calls import TwilioCalls
from api.processes.step_by_step import StepByStep
from tests.adapters.delivery.carriers.stands import twilio_to
from tests.adapters.delivery.carriers.twilio_server import Does, TwilioServer
from tests.api.http.client import Client

HTML = {"Accept": "text/html"}
AGENT, CUSTOMER = "+12125552301", "+12125552368"


@pytest.fixture
def twilio(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwilioServer]:
    """The clock is set here, so nobody places calls unless it is said."""
    with TwilioServer() as server:
        dialler = TwilioCalls(lambda: twilio_to(server))
        for module in ("api.application.dialling", "api.http.web.contact_forms"):
            monkeypatch.setattr(f"{module}.dialler_of", lambda _: dialler)
        yield server


@pytest.fixture
def ada(client: Client, account: str, service: StepByStep) -> str:
    client.done("PUT", f"{account}/contact", {"phones": [{"id": "phone-1", "number": CUSTOMER, "kind": "mobile"}]})
    service.drain()
    return account


def started(client: Client, ada: str, **more: Any) -> str:
    done = client.done("POST", f"{ada}/calls", {"agent_phone": AGENT}, **more)
    return str(done["id"])


def test_a_call_is_placed_looked_up_and_documented(client: Client, ada: str, twilio: TwilioServer):
    call = started(client, ada)
    assert [each["To"] for each in twilio.calls] == [AGENT]
    assert CUSTOMER in twilio.calls[0]["Twiml"]
    assert client.get(f"{ada}/calls/{call}").json()["state"] == "placed"
    twilio.agents_call, twilio.customers_call, twilio.seconds = "in-progress", "in-progress", 7
    assert client.done("POST", f"{ada}/calls/{call}/lookup")["result"] is None
    twilio.agents_call = twilio.customers_call = "completed"
    shown = client.done("POST", f"{ada}/calls/{call}/lookup")
    assert (shown["state"], shown["result"], shown["seconds"]) == ("over", "answered", 7)
    assert shown["disposition"] is not None
    client.done("POST", f"{ada}/calls/{call}/end", {"disposition": shown["disposition"], "notes": "Will pay."})
    assert client.get(f"{ada}/calls/{call}").status_code == 404


def test_the_same_request_places_one_call(client: Client, ada: str, twilio: TwilioServer):
    once = {"Idempotency-Key": "call-7"}
    assert started(client, ada, headers=once) == started(client, ada, headers=once)
    assert len(twilio.calls) == 1


def test_a_line_that_breaks_leaves_a_call_of_which_nobody_knows_and_that_is_not_placed_again(
    client: Client, ada: str, twilio: TwilioServer
):
    twilio.does = Does.DIES
    once = {"Idempotency-Key": "call-8"}
    call = started(client, ada, headers=once)
    twilio.does = Does.TAKES
    assert started(client, ada, headers=once) == call
    assert client.done("POST", f"{ada}/calls/{call}/lookup")["state"] == "asked"
    assert len(twilio.calls) == 1
    client.done("POST", f"{ada}/calls/{call}/end", {"disposition": "no-answer"})


def test_what_the_carrier_refuses_is_dialled_by_hand(client: Client, ada: str, twilio: TwilioServer):
    twilio.does = Does.REFUSES
    call = started(client, ada)
    shown = client.get(f"{ada}/calls/{call}").json()
    assert (shown["state"], shown["number"]) == ("not-placed", CUSTOMER)


def test_a_refused_call_is_not_placed(client: Client, ada: str, twilio: TwilioServer):
    client.done("POST", f"{ada}/contact-facts", {"kind": "cease"})
    assert client.refused(409, "POST", f"{ada}/calls", {"agent_phone": AGENT})["reason_code"] == "contact-refused"
    assert twilio.calls == []


def test_what_is_no_number_of_an_agent_begins_no_call(client: Client, ada: str, twilio: TwilioServer):
    refused = client.refused(422, "POST", f"{ada}/calls", {"agent_phone": "extension 12"})
    assert refused["errors"][0]["field"] == "agent_phone"
    assert client.get(ada).json().get("undocumented") is None
    assert twilio.calls == []


def test_without_a_carrier_a_call_begins_and_is_dialled_by_hand(client: Client, ada: str):
    refused = client.refused(409, "POST", f"{ada}/calls", {"agent_phone": AGENT})
    assert refused["reason_code"] == "no-voice-carrier"
    call = client.done("POST", f"{ada}/calls", {})["id"]
    assert client.get(f"{ada}/calls/{call}").json()["state"] is None


def sent(client: Client, path: str, **fields: str) -> httpx.Response:
    return client.request("POST", path, data=fields, headers=HTML)


def test_the_page_places_a_call_keeps_the_agents_number_and_opens_the_form(
    client: Client, ada: str, twilio: TwilioServer
):
    here = ada.removeprefix("/v1")
    tab = f"{here}?tab=calls"
    assert "Your telephone" in client.get(tab, headers=HTML).text
    begun = sent(client, f"{here}/contact/call", point="phone-1", agent_phone=AGENT, once="1")
    assert (begun.status_code, begun.headers["location"]) == (303, tab)
    cookie = begun.headers["set-cookie"]
    assert AGENT in cookie
    assert "HttpOnly" in cookie
    assert "expires" not in cookie.lower()
    page = client.get(tab, headers=HTML).text
    assert "The carrier rings you" in page
    [undocumented] = client.get(ada).json()["undocumented"]
    assert f'data-look="{undocumented["id"]}"' in page
    twilio.agents_call, twilio.customers_call = "completed", "busy"
    assert sent(client, f"{here}/calls/{undocumented['id']}/look", once="2").status_code == 303
    page = client.get(tab, headers=HTML).text
    assert "The call is over: busy" in page
    assert '<option value="busy" selected>' in page
    assert "data-look" not in page

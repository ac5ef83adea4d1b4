"""Doors for carriers: only what is signed comes in, and what comes twice is one fact."""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import pytest
from twilio.request_validator import RequestValidator

from adapters.inbound.setup import InboundMisconfigured, doors_of
from aggregates.kernel.command import identifier
from api.http.app import create_app
from api.processes.step_by_step import StepByStep
from tests.adapters.inbound.mails import a_bounce, a_complaint, a_mail
from tests.api.http.client import Client
from tests.api.http.test_inbound import ada, address, may_text, number, threads

__all__ = ["ada", "address", "number"]

TOKEN, SECRET = "a twilio token", "a secret of mail"
PUBLIC = "https://arrears.example.com/behind/a/proxy"
SMS, STATUS = "/v1/inbound/twilio/sms", "/v1/inbound/twilio/status"
_IDS = count(1)


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    return {
        "ARREARS_TWILIO_AUTH_TOKEN": TOKEN,
        "ARREARS_INBOUND_EMAIL_SECRET": SECRET,
        "ARREARS_PUBLIC_URL": f"{PUBLIC}/",
    }


@pytest.fixture(scope="module")
def service(service: StepByStep, env: dict[str, str]) -> StepByStep:
    """The same, with carriers that send."""
    service.env = {**service.env, **env}
    return service


@pytest.fixture(scope="module")
def client(service: StepByStep) -> Iterator[Client]:
    """A service behind a token, which its carriers do not have."""
    with Client(create_app(service, "the token"), headers={"Authorization": "Bearer the token"}) as client:
        yield client


def from_twilio(client: Client, path: str, signature: str | None = None, **fields: str) -> httpx.Response:
    signature = RequestValidator(TOKEN).compute_signature(f"{PUBLIC}{path}", fields) if signature is None else signature
    headers = {
        "X-Twilio-Signature": signature,
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "Authorization": "",
        "Host": "arrears.example.com",
    }
    return client.request("POST", path, content=urlencode(fields).encode(), headers=headers)


def a_text(number: str, text: str, **more: str) -> dict[str, str]:
    return {
        "MessageSid": f"SM{next(_IDS)}",
        "From": number,
        "To": "+12125550000",
        "Body": text,
        "NumMedia": "0",
        **more,
    }


def test_a_text_comes_in_once(client: Client, service: StepByStep, ada: str, number: str) -> None:
    text = a_text(number, "Hello ⚡ \u202eevil\u0007")
    for _ in range(2):
        answer = from_twilio(client, SMS, **text)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        assert "<Response/>" in answer.text
    [thread] = threads(client, service, ada)
    assert [each["text"] for each in thread["messages"]] == ["Hello ⚡ \ufffdevil\ufffd"]


@pytest.mark.parametrize("signature", ["", "nonsense", RequestValidator("another").compute_signature(PUBLIC + SMS, {})])
@pytest.mark.parametrize("path", [SMS, f"{STATUS}?message={identifier('x')}"])
def test_what_is_not_signed_is_refused(client: Client, signature: str, path: str) -> None:
    assert from_twilio(client, path, signature, **a_text("+1", "x")).status_code == 403


def test_a_signature_is_for_its_address_and_its_words(client: Client, number: str) -> None:
    text = a_text(number, "x")
    right = RequestValidator(TOKEN).compute_signature(PUBLIC + SMS, text)
    elsewhere = RequestValidator(TOKEN).compute_signature(f"https://other.example.com{SMS}", text)
    assert from_twilio(client, SMS, elsewhere, **text).status_code == 403
    assert from_twilio(client, SMS, right, **{**text, "Body": "y"}).status_code == 403
    assert from_twilio(client, SMS, right, **text).status_code == 200


def test_stop_stops_and_is_confirmed_once_however_often_it_comes(
    client: Client, service: StepByStep, ada: str, number: str
) -> None:
    assert may_text(client, ada)
    stop = a_text(number, "STOP")
    for text in (stop, stop, a_text(number, "stop.")):
        from_twilio(client, SMS, **text)
    service.drain()
    assert not may_text(client, ada)
    written = [each for each in threads(client, service, ada)[0]["messages"] if each["direction"] == "outbound"]
    assert [each["state"] for each in written] == ["sent"]
    assert "opted out" in written[0]["text"]
    assert "STOP" not in written[0]["text"]


def test_twilio_that_confirmed_leaves_nothing_to_confirm(
    client: Client, service: StepByStep, ada: str, number: str
) -> None:
    from_twilio(client, SMS, **a_text(number, "STOP", OptOutType="STOP"))
    assert [each["direction"] for each in threads(client, service, ada)[0]["messages"]] == ["inbound"]


def a_status(client: Client, message_id: str, state: str, **more: str) -> int:
    fields = {"MessageSid": "SM0", "MessageStatus": state, **more}
    return from_twilio(client, f"{STATUS}?message={message_id}", **fields).status_code


def test_what_became_of_a_text_stands_beside_it(client: Client, service: StepByStep, ada: str) -> None:
    ours = client.done("POST", f"{ada}/messages", {"channel": "sms", "text": "please call"})
    service.drain()
    states: list[tuple[str, dict[str, Any]]] = [
        ("sent", {}),
        ("delivered", {}),
        ("delivered", {}),
        ("undelivered", {"ErrorCode": "30005"}),
    ]
    for state, more in states:
        assert a_status(client, ours["id"], state, **more) == 204
    [thread] = threads(client, service, ada)
    assert thread["messages"][0]["receipts"] == ["delivered", "not-in-service"]
    facts = client.get(ada).json()["contact_facts"]
    assert [each["kind"] for each in facts] == ["wrong-number"]


def test_a_report_about_what_is_not_known_is_to_come_again(client: Client) -> None:
    assert a_status(client, str(identifier("nobody's")), "delivered") == 503


# --- e-mail --------------------------------------------------------------------------------------------


def mailed(client: Client, raw: bytes, secret: str = SECRET) -> httpx.Response:
    signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"X-Arrears-Signature": f"sha256={signature}", "Content-Type": "message/rfc822", "Authorization": ""}
    return client.request("POST", "/v1/inbound/email", content=raw, headers=headers)


def test_a_mail_comes_in_once_and_only_signed(client: Client, service: StepByStep, ada: str, address: str) -> None:
    raw = a_mail("I paid.", sender=address, Message_ID=f"<{ada}>")
    assert mailed(client, raw, "another secret").status_code == 403
    assert [mailed(client, raw).json() for _ in range(2)] == [{"outcome": "filed"}] * 2
    [thread] = threads(client, service, ada)
    assert [(each["subject"], each["text"].strip()) for each in thread["messages"]] == [("Re: You owe", "I paid.")]


def test_a_large_mail_is_taken_and_too_large_a_one_refused(client: Client, address: str) -> None:
    large = a_mail("x" * 2_000_000, sender=address, Message_ID=f"<large-{address}>")
    assert mailed(client, large).status_code == 202
    assert mailed(client, large + b"x" * 9_000_000).status_code == 413


@pytest.mark.parametrize("report", [a_bounce, a_complaint])
def test_a_bounce_and_a_complaint_opt_the_address_out(
    client: Client, service: StepByStep, ada: str, report: Callable[[UUID], bytes]
) -> None:
    ours = client.done("POST", f"{ada}/messages", {"channel": "email", "subject": "You", "text": "please call"})
    service.drain()
    assert mailed(client, report(UUID(ours["id"]))).json() == {"outcome": "filed"}
    [thread] = threads(client, service, ada)
    assert thread["opted_out"]
    assert len(thread["messages"][0]["receipts"]) == 1


def test_a_report_about_what_nobody_knows_is_kept(client: Client, service: StepByStep) -> None:
    assert mailed(client, a_bounce(identifier("what nobody knows"))).json() == {"outcome": "unmatched"}


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"ARREARS_PUBLIC_URL": "arrears.example.com"}, "ARREARS_PUBLIC_URL"),
        ({"ARREARS_PUBLIC_URL": "https://a.example/?x=1"}, "ARREARS_PUBLIC_URL"),
        ({"ARREARS_PUBLIC_URL": "https://a.example"}, "ARREARS_TWILIO_AUTH_TOKEN_FILE"),
        ({"ARREARS_INBOUND_EMAIL_SECRET_FILE": "/nowhere"}, "ARREARS_INBOUND_EMAIL_SECRET_FILE"),
    ],
)
def test_what_is_given_by_half_is_refused_at_the_start(said: dict[str, str], names: str) -> None:
    with pytest.raises(InboundMisconfigured, match=names):
        doors_of(said)

"""Messages of customers over HTTP: by hand, from nobody known, read; and conversations."""

from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from adapters.inbound.incoming import IncomingMessage, IncomingReceipt
from adapters.inbound.matching import NotReady
from adapters.inbound.receiver import Outcome, Receiver
from aggregates.account.inbound import Incoming, Receipt
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Issued, identifier
from aggregates.unmatched import SettleUnmatched, UnmatchedMessage
from api.processes.step_by_step import StepByStep
from tests.adapters.inbound.mails import a_bounce
from tests.api.http.client import Client
from tests.api.http.conftest import NOW
from tests.api.http.test_pages import HOSTILE, HTML, page

_LINES = count(100)
_IDS = count(1)
_AREAS = count(213)


@pytest.fixture
def number() -> str:
    """Nobody else's."""
    return f"+1212555{next(_LINES):04}"


@pytest.fixture
def address(number: str) -> str:
    return f"c{number[1:]}@example.org"


def reached_at(client: Client, account: str, number: str, address: str) -> str:
    phone = {"id": "phone-1", "number": number, "kind": "mobile", "sms_consent": "given"}
    client.done("PUT", f"{account}/contact", {"phones": [phone], "emails": [{"id": "email-1", "address": address}]})
    return account


@pytest.fixture
def ada(client: Client, service: StepByStep, account: str, number: str, address: str) -> str:
    reached_at(client, account, number, address)
    service.drain()
    return account


@pytest.fixture
def bert(client: Client, service: StepByStep, office: str, number: str, address: str) -> str:
    """Another customer with the same number, spelled otherwise, and the same address."""
    said = {"office": office, "number": f"B-{number}", "customer_name": "Bert Beige", "currency": "USD"}
    opened = client.done("POST", "/v1/accounts", said)
    national = f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    account = reached_at(client, f"/v1/accounts/{opened['id']}", national, address.upper())
    client.done(
        "PUT",
        f"{account}/contact",
        {
            "phones": [{"id": "phone-1", "number": national, "kind": "mobile", "sms_consent": "given"}],
            "emails": [{"id": "email-1", "address": address.upper()}],
            "addresses": [{"id": "address-1", "lines": ["1 Main St"], "city": "New York", "country": "US"}],
        },
    )
    service.drain()
    return account


@pytest.fixture
def receiver(service: StepByStep) -> Receiver:
    return Receiver(service.arrears, service.database)


def a_text(sender: str, text: str, **more: Any) -> IncomingMessage:
    said = {"channel": Incoming.SMS, "source": "twilio", "source_id": f"SM{next(_IDS)}", "received_at": NOW, **more}
    return IncomingMessage(sender=sender, text=text, **said)


def threads(client: Client, service: StepByStep, account: str, **asked: str) -> list[dict[str, Any]]:
    service.drain()
    found: list[dict[str, Any]] = client.get(f"{account}/threads", params=asked).json()["threads"]
    return found


def may_text(client: Client, account: str) -> bool:
    allowed: bool = client.get(f"{account}/contact-check?channel=sms").json()["allowed"]
    return allowed


# --- by hand -------------------------------------------------------------------------------------------


def test_a_message_that_somebody_heard_of_is_recorded_read_and_shown(
    client: Client, service: StepByStep, ada: str, number: str
) -> None:
    said = {"channel": "sms", "sender": number, "text": "I paid on Friday."}
    done = client.done("POST", f"{ada}/inbound-messages", said, headers={"Idempotency-Key": ada})
    assert client.done("POST", f"{ada}/inbound-messages", said, headers={"Idempotency-Key": ada}) == done
    [thread] = threads(client, service, ada)
    assert (thread["channel"], thread["point"], thread["to_read"]) == ("sms", number, 1)
    [message] = thread["messages"]
    assert (message["text"], message["state"], message["direction"]) == ("I paid on Friday.", "to-read", "inbound")
    waiting = client.get("/v1/inbound?state=to-read").json()["items"]
    assert done["id"] in {each["inbound_id"] for each in waiting}
    client.done("POST", f"{ada}/inbound-messages/{done['id']}/read", {"reason": "was thanked"})
    [thread] = threads(client, service, ada, number=number)
    assert thread["messages"][0]["state"] == "read"
    assert threads(client, service, ada, number="+12125559999") == []
    again = client.refused(404, "POST", f"{ada}/inbound-messages/{done['id']}/read", {})
    assert again["reason_code"] == "unknown-inbound-message"
    history = client.get(f"{ada}/activity?type=sms&direction=inbound").json()["items"]
    assert [each["notes"] for each in history] == ["I paid on Friday."]


def test_stop_that_somebody_heard_of_stops_every_account_with_the_number(
    client: Client, service: StepByStep, ada: str, bert: str, number: str
) -> None:
    assert may_text(client, ada)
    assert may_text(client, bert)
    client.done("POST", f"{ada}/inbound-messages", {"channel": "sms", "sender": number, "text": "STOP"})
    service.drain()
    assert not may_text(client, ada)
    assert not may_text(client, bert)
    [thread] = threads(client, service, bert)
    assert thread["opted_out"]
    assert thread["messages"][0]["account_id"] == ada.rpartition("/")[2]


# --- from outside --------------------------------------------------------------------------------------


def test_a_text_is_filed_where_the_number_was_written_to_last(
    client: Client, service: StepByStep, ada: str, bert: str, number: str
) -> None:
    receiver = Receiver(service.arrears, service.database)
    client.done("POST", f"{bert}/messages", {"channel": "sms", "text": "please call"})
    service.drain()
    message = a_text(number, "who is this")
    assert [receiver.receive(message) for _ in range(3)] == [Outcome.FILED] * 3
    [mine], [his] = threads(client, service, ada), threads(client, service, bert)
    assert [each["text"] for each in his["messages"] if each["direction"] == "inbound"] == ["who is this"]
    assert [each["id"] for each in mine["messages"]] == [his["messages"][-1]["id"]]
    assert his["messages"][-1]["account_id"] == bert.rpartition("/")[2]
    assert mine["to_read"] == 1


def test_an_answer_is_filed_where_its_question_is_even_from_another_address(
    client: Client, service: StepByStep, receiver: Receiver, ada: str, bert: str
) -> None:
    ours = client.done("POST", f"{ada}/messages", {"channel": "email", "subject": "You", "text": "please call"})
    service.drain()
    answer = IncomingMessage(
        channel=Incoming.EMAIL,
        sender="phone@example.net",
        subject="Re: You",
        text="UNSUBSCRIBE",
        source="email",
        source_id=f"<{ada}@example.net>",
        received_at=NOW,
        answers=(identifier("nobody's"), UUID(ours["id"])),
    )
    assert receiver.receive(answer) is Outcome.FILED
    service.drain()
    check = client.get(f"{ada}/contact-check?channel=email").json()
    assert "medium-refused" in {each["rule"] for each in check["refusals"]}


def test_what_nobody_is_known_for_is_kept_until_a_person_assigns_it(
    client: Client, service: StepByStep, receiver: Receiver, ada: str
) -> None:
    message = a_text("+13125550000", "Anna here, stop writing to my old number")
    assert receiver.receive(message) is Outcome.UNMATCHED
    assert receiver.receive(message) is Outcome.KNOWN
    service.drain()
    [kept] = client.get("/v1/inbound/unmatched").json()["items"]
    assert (kept["sender"], kept["text"]) == ("+13125550000", message.text)
    assign = f"/v1/inbound/unmatched/{kept['inbound_id']}/assignment"
    assert client.refused(404, "POST", assign, {"account_id": str(identifier("x"))})["reason_code"] == "unknown-account"
    for _ in range(2):
        client.done("POST", assign, {"account_id": ada.rpartition("/")[2]})
    service.drain()
    assert client.get("/v1/inbound/unmatched").json()["items"] == []
    [assigned] = client.get("/v1/inbound/unmatched?state=assigned").json()["items"]
    assert (assigned["account_id"], assigned["text"]) == (ada.rpartition("/")[2], "erased")
    [thread] = threads(client, service, ada)
    assert (thread["point"], thread["messages"][0]["text"]) == ("+13125550000", message.text)
    elsewhere = client.refused(409, "POST", f"/v1/inbound/unmatched/{kept['inbound_id']}/discard")
    assert elsewhere["reason_code"] == "settled-already"
    assert receiver.receive(message) is Outcome.KNOWN


def test_what_is_about_nobody_is_discarded_and_its_text_destroyed(
    client: Client, service: StepByStep, receiver: Receiver, office: str
) -> None:
    receiver.receive(a_text("+13125550001", "buy gold"))
    service.drain()
    [kept] = client.get("/v1/inbound/unmatched").json()["items"]
    client.done("POST", f"/v1/inbound/unmatched/{kept['inbound_id']}/discard")
    service.drain()
    assert client.get("/v1/inbound/unmatched").json()["items"] == []
    discarded = client.get("/v1/inbound/unmatched?state=discarded").json()["items"]
    assert {each["text"] for each in discarded} == {"erased"}
    nobody = client.refused(404, "POST", f"/v1/inbound/unmatched/{identifier('x')}/discard")
    assert nobody["reason_code"] == "unknown-unmatched-message"


# --- receipts ------------------------------------------------------------------------------------------


def test_a_bounce_opts_the_address_out_on_every_account_and_stands_beside_the_message(
    client: Client, service: StepByStep, receiver: Receiver, ada: str, bert: str
) -> None:
    ours = client.done("POST", f"{ada}/messages", {"channel": "email", "subject": "You", "text": "please call"})
    service.drain()
    for _ in range(2):
        receiver.report(IncomingReceipt(UUID(ours["id"]), Receipt.DELIVERED, NOW))
        receiver.report(IncomingReceipt(UUID(ours["id"]), Receipt.HARD_BOUNCED, NOW + timedelta(days=1), code="5.1.1"))
    [thread] = threads(client, service, ada)
    [message] = thread["messages"]
    assert (thread["opted_out"], message["receipts"]) == (True, ["delivered", "hard-bounced"])
    assert message["text"].startswith("please call")
    for account in (ada, bert):
        assert not client.get(f"{account}/contact-check?channel=email").json()["allowed"]
    with pytest.raises(NotReady):
        receiver.report(IncomingReceipt(identifier("no message"), Receipt.DELIVERED, NOW))


def test_a_message_that_two_put_on_an_account_is_on_one(
    client: Client, service: StepByStep, receiver: Receiver, ada: str, bert: str
) -> None:
    message = a_text("+13125550002", "Anna here")
    receiver.receive(message)
    inbound_id = identifier("inbound", message.source, message.source_id)
    first = SettleUnmatched(inbound_id=inbound_id, account_id=UUID(ada.rpartition("/")[2]))
    service.arrears.handle([Issued(first, identifier("first"), Actor.service("tester"))])  # and ended there
    assign = f"/v1/inbound/unmatched/{inbound_id}/assignment"
    second = client.refused(409, "POST", assign, {"account_id": bert.rpartition("/")[2]})
    assert second["reason_code"] == "settled-already"
    assert threads(client, service, bert) == []
    client.done("POST", assign, {"account_id": ada.rpartition("/")[2]})
    assert threads(client, service, ada)[0]["messages"][0]["text"] == message.text


def test_what_was_assigned_by_one_who_died_over_it_is_on_its_account(
    client: Client, service: StepByStep, receiver: Receiver, ada: str
) -> None:
    message = a_text("+13125550078", "STOP")
    receiver.receive(message)
    inbound_id = identifier("inbound", message.source, message.source_id)
    settle = SettleUnmatched(inbound_id=inbound_id, account_id=UUID(ada.rpartition("/")[2]))
    service.arrears.handle([Issued(settle, identifier("settled"), Actor.service("tester"))])  # and ended there
    service.drain()
    assert receiver.look_again() >= 1
    [thread] = [each for each in threads(client, service, ada) if each["point"] == message.sender]
    assert [each["text"] for each in thread["messages"]] == ["STOP"]


@pytest.mark.parametrize(
    ("known", "writes"),
    [
        ("bert@bücher.example.net", "bert@xn--bcher-kva.example.net"),
        ("bert@xn--mller-kva.example.net", "bert@Müller.example.net"),
        ("bert@пример.example.net", "bert@xn--e1afmkfd.example.net"),
    ],
)
def test_an_address_whose_domain_is_in_another_script_is_found_in_either_form(  # noqa: PLR0917
    client: Client, service: StepByStep, receiver: Receiver, bert: str, known: str, writes: str
) -> None:
    client.done("PUT", f"{bert}/contact", {"emails": [{"id": "email-1", "address": known}]})
    service.drain()
    assert receiver.receive(a_text(writes, "unsubscribe", channel=Incoming.EMAIL, source="imap")) is Outcome.FILED


def test_an_address_in_a_line_with_a_name_is_found(
    client: Client, service: StepByStep, receiver: Receiver, bert: str
) -> None:
    emails = [{"id": "email-1", "address": "Bert Short <bert.short@example.net>"}]
    client.done("PUT", f"{bert}/contact", {"emails": emails})
    service.drain()
    mail = a_text("bert.short@example.net", "unsubscribe", channel=Incoming.EMAIL, source="imap")
    assert receiver.receive(mail) is Outcome.FILED
    assert [each["messages"][0]["text"] for each in threads(client, service, bert)] == ["unsubscribe"]


def test_whoever_gets_a_number_later_has_nothing_to_do_with_what_came_from_it_before(
    client: Client, service: StepByStep, receiver: Receiver, bert: str
) -> None:
    """Neither does a process that starts anew look again for whose it is."""
    message = a_text("+13125550077", "STOP")
    assert receiver.receive(message, comes_again=False) is Outcome.UNMATCHED
    phones = [{"id": "phone-1", "number": message.sender, "kind": "mobile"}]
    client.done("PUT", f"{bert}/contact", {"phones": phones})
    service.drain()
    assert receiver.look_again() == 0
    assert threads(client, service, bert) == []


def test_what_came_while_names_were_filled_in_is_on_its_account_once_they_are(  # noqa: PLR0917
    client: Client, service: StepByStep, receiver: Receiver, ada: str, bert: str, number: str
) -> None:
    assert receiver.look_again() == 0
    with service.database.connect("arrears_app", autocommit=True) as connection:
        connection.execute("UPDATE personal.filling SET until = until + 1000000")
        message = a_text(number, "STOP")
        assert receiver.receive(message, comes_again=False) is Outcome.UNMATCHED
        assert receiver.look_again() == 0
        connection.execute("UPDATE personal.filling SET until = until - 1000000")
        assert receiver.look_again() == 0  # the table does not show it yet
        service.drain()
    inbound_id = identifier("inbound", message.source, message.source_id)
    received = service.arrears.load(UnmatchedMessage, inbound_id).received
    assert received is not None
    assert received.names_missing
    assert receiver.look_again() == 1
    assert [each["text"] for each in threads(client, service, ada)[0]["messages"]][:1] == ["STOP"]
    for account in (ada, bert):
        assert not client.get(f"{account}/contact-check?channel=sms").json()["allowed"]
    assert receiver.look_again() == 0


def test_a_bounce_that_comes_before_its_message_is_shown_comes_again(
    client: Client, service: StepByStep, receiver: Receiver, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.inbound.receiver._PATIENCE_SECONDS", 0)
    ours = client.done("POST", f"{ada}/messages", {"channel": "email", "subject": "You", "text": "please call"})
    while service.sealer.seal_once():
        pass
    with pytest.raises(NotReady):
        receiver.take_mail(a_bounce(UUID(ours["id"])), NOW)
    service.drain()
    assert receiver.take_mail(a_bounce(UUID(ours["id"])), NOW) is Outcome.FILED
    assert threads(client, service, ada)[0]["opted_out"]


def test_of_many_numbers_that_end_alike_none_is_passed_over(  # noqa: PLR0917
    client: Client,
    service: StepByStep,
    receiver: Receiver,
    office: str,
    ada: str,
    number: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adapters.inbound.matching._AT_ONCE", 1)
    for letter in "0", "00", "000":  # before Ada's, by number
        said = {"office": office, "number": f"{letter}-{number}", "customer_name": "Another", "currency": "USD"}
        opened = client.done("POST", "/v1/accounts", said)
        reached_at(
            client, f"/v1/accounts/{opened['id']}", f"+1{next(_AREAS)}{number[5:]}", f"another{number}@example.org"
        )
    service.drain()
    assert receiver.receive(a_text(number, "hello there")) is Outcome.FILED
    assert threads(client, service, ada)[0]["messages"][0]["text"] == "hello there"


# --- pages ---------------------------------------------------------------------------------------------


def sent(client: Client, path: str, **fields: str) -> int:
    headers = {"Content-Type": "application/x-www-form-urlencoded", **HTML}
    return client.request("POST", path, content=urlencode(fields).encode(), headers=headers).status_code


def test_a_conversation_is_held_on_the_page(client: Client, service: StepByStep, ada: str, number: str) -> None:
    here = ada.removeprefix("/v1")
    assert sent(client, f"{here}/conversation", channel="sms", sender=number, text=f"{HOSTILE} leave me alone") == 303
    service.drain()
    conversation, inbox = page(client, f"{here}?tab=conversation"), page(client, "/inbound")
    for shown in (conversation, inbox):
        assert HOSTILE in shown.text
        assert not [name for name, _ in shown.tags if name == "img"]
    assert "may ask for no more messages" in conversation.text
    assert f"{here}?tab=conversation" in {attributes.get("href") for _, attributes in inbox.tags}
    [message] = threads(client, service, ada)[0]["messages"]
    assert sent(client, f"{here}/conversation/{message['id']}/read", stops="perhaps") == 422
    assert sent(client, f"{here}/conversation/{message['id']}/read", stops="no", reason="only cross") == 303
    assert sent(client, f"{here}/messages", channel="sms", to="phone-1", text="We are sorry", do="send") == 303
    service.drain()
    conversation = page(client, f"{here}?tab=conversation")
    assert "We are sorry" in conversation.text
    assert "It is dealt with" not in conversation.text


def test_a_message_without_an_account_is_assigned_on_the_page(
    client: Client, service: StepByStep, receiver: Receiver, ada: str
) -> None:
    for n, text in enumerate(("first of nobody", "second of nobody")):
        receiver.receive(a_text(f"+1312555002{n}", text))
    service.drain()
    assert "first of nobody" in page(client, "/inbound").text
    second, first = [each["inbound_id"] for each in client.get("/v1/inbound/unmatched?limit=2").json()["items"]]
    account = client.get(ada).json()["number"]
    assert sent(client, f"/inbound/{first}/assignment", office="main", account="none such") == 404
    assert sent(client, f"/inbound/{first}/assignment", office="main", account=account) == 303
    assert sent(client, f"/inbound/{second}/discard") == 303
    service.drain()
    assert "second of nobody" not in page(client, "/inbound").text
    assert "first of nobody" in page(client, f"{ada.removeprefix('/v1')}?tab=conversation").text

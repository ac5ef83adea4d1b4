"""Messages by hand over HTTP and on the account's page: shown, sent, failed, resolved; and templates of an office."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from aggregates.account.activities import ActivityKind, RecordActivity
from aggregates.account.messages import DispatchMessage, ReportUncertain
from aggregates.account.writing import SendMessage
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, identifier
from aggregates.office import ChangeOfficeSettings
from aggregates.values.contact import Channel
from aggregates.values.contact_record import Role
from aggregates.values.contact_settings import ContactSettings
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client
from tests.api.http.test_pages import HOSTILE, HTML, Elements, page

OPT_OUT = "Reply STOP to opt out"


@pytest.fixture
def ada(client: Client, account: str) -> str:
    """The account's address; she can be reached by e-mail and, with consent, by text."""
    phone = {"id": "phone-1", "number": "+12125550100", "kind": "mobile", "sms_consent": "given"}
    contact = {"emails": [{"id": "email-1", "address": "ada@example.org"}], "phones": [phone]}
    client.done("PUT", f"{account}/contact", contact)
    return account


def outbox(service: StepByStep, message_id: str) -> dict[str, Any]:
    file = Path(service.env["ARREARS_OUTBOX"]) / f"{message_id}.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def messages(client: Client, service: StepByStep, account: str) -> list[dict[str, Any]]:
    service.drain()
    found: list[dict[str, Any]] = client.get(f"{account}/messages").json()["items"]
    return found


def issue(service: StepByStep, command: Command) -> None:
    """Past the doors."""
    issued = Issued(command, identifier(command.command_name, command.model_dump_json()), Actor.person("tester"))
    service.arrears.handle([issued])


def a_text(text: str, **more: Any) -> dict[str, Any]:
    return {"channel": "sms", "text": text, **more}


# --- shown and sent ---


def test_what_is_shown_is_what_is_sent(client: Client, service: StepByStep, ada: str):
    said = {
        "channel": "email",
        "subject": "Your {{ currency }} account",
        "text": "{{ customer_name }}: {{ amount_due }}",
    }
    shown = client.post(f"{ada}/messages/preview", said).json()
    assert (shown["to"], shown["subject"], shown["may_leave"]) == ("ada@example.org", "Your USD account", True)
    assert shown["body"].startswith("Ada Lovelace: 100.00\n\nTo stop e-mails")
    assert shown["characters"] == len(shown["body"])
    assert messages(client, service, ada) == []
    done = client.done("POST", f"{ada}/messages", said, headers={"Idempotency-Key": ada})
    assert client.done("POST", f"{ada}/messages", said, headers={"Idempotency-Key": ada}) == done
    [message] = messages(client, service, ada)
    assert (message["message_id"], message["state"], message["step_id"]) == (done["id"], "sent", None)
    sent = outbox(service, done["id"])
    assert (sent["to"], sent["subject"], sent["body"]) == (shown["to"], shown["subject"], shown["body"])


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("Call us", ("GSM-7", 1, 29)),
        ("x" * 118, ("GSM-7", 1, 140)),
        ("[~]" * 30, ("GSM-7", 2, 112)),
        ("שלום", ("UCS-2", 1, 26)),
        ("🙏" * 30, ("UCS-2", 2, 52)),
    ],
    ids=["short", "just fits", "extended", "another script", "emoji"],
)
def test_a_text_message_is_counted_with_its_last_line(
    client: Client, ada: str, text: str, counted: tuple[str, int, int]
):
    shown = client.post(f"{ada}/messages/preview", a_text(text)).json()
    assert shown["body"] == f"{text} {OPT_OUT}"
    assert (shown["sms"]["alphabet"], shown["sms"]["segments"], shown["characters"]) == counted


def test_an_sms_that_becomes_too_long_is_refused_with_its_length(client: Client, service: StepByStep, ada: str):
    text = a_text("x" * 112 + "{{ amount_due }}")
    assert "141 characters, expected at most 140" not in client.post(f"{ada}/messages/preview", text).text
    text = a_text("x" * 113 + "{{ amount_due }}")
    assert client.post(f"{ada}/messages/preview", text).json()["problem"] == "141 characters, expected at most 140"
    problem = client.refused(422, "POST", f"{ada}/messages", text)
    assert problem["errors"] == [{"field": "text", "expected": "141 characters, expected at most 140"}]
    assert messages(client, service, ada) == []


def test_every_rule_that_refuses_it_is_named_and_from_when(client: Client, ada: str):
    client.done("PUT", f"{ada}/contact", {"time_zone": "Pacific/Honolulu", "preferred_channel": "letter"})
    shown = client.post(f"{ada}/messages/preview", {"channel": "portal", "text": "Hello"}).json()
    assert [each["rule"] for each in shown["refused_by"]] == ["preferred-channel"]
    client.done(
        "PUT", f"{ada}/contact", {"time_zone": "Pacific/Honolulu", "emails": [{"id": "e", "address": "a@b.co"}]}
    )
    shown = client.post(f"{ada}/messages/preview", {"channel": "email", "text": "Hello"}).json()
    [refused] = shown["refused_by"]
    assert (refused["rule"], refused["until"], shown["may_leave"]) == ("hours-8-to-21", "2026-03-16T18:00:00Z", False)
    problem = client.refused(409, "POST", f"{ada}/messages", {"channel": "email", "text": "Hello"})
    assert problem["reason_code"] == "contact-refused"


@pytest.fixture
def third_party(client: Client, service: StepByStep, ada: str) -> Iterator[None]:
    """The office collects for others meanwhile."""
    office_id = UUID(client.get(ada).json()["office_id"])
    issue(service, ChangeOfficeSettings(office_id=office_id, contact=ContactSettings(role=Role.THIRD_PARTY)))
    yield
    issue(service, ChangeOfficeSettings(office_id=office_id, contact=ContactSettings()))


@pytest.mark.usefixtures("third_party")
def test_what_is_shown_counts_contacts_about_the_customer_s_other_accounts(
    client: Client, service: StepByStep, office: str, ada: str
):
    mine, account = UUID(ada.rsplit("/", 1)[1]), client.get(ada).json()
    other = {"office": office, "number": f"{account['number']}-B", "customer_number": account["number"]}
    theirs = client.done("POST", "/v1/accounts", {**other, "customer_name": "Ada Lovelace", "currency": "USD"})
    home = {"id": "home", "lines": ["1 Main St"], "region": "WA", "postal_code": "98101", "country": "US"}
    phone = {"id": "phone-1", "number": "+12065550100", "kind": "mobile", "sms_consent": "given"}
    client.done("PUT", f"{ada}/contact", {"addresses": [home], "phones": [phone]})
    for nth in range(3):
        kind, disposition = ActivityKind.CALL, "no-answer"
        account_id = mine if nth == 0 else UUID(theirs["id"])
        issue(service, RecordActivity(account_id=account_id, kind=kind, disposition=disposition, notes=str(nth)))
    shown = client.post(f"{ada}/messages/preview", a_text("Hello")).json()
    assert "wa-3-in-7" in [each["rule"] for each in shown["refused_by"]], shown


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"channel": "email", "text": "{{ ''.__class__ }}"}, "text"),
        ({"channel": "email", "text": "x", "subject": "{% set a %}"}, "subject"),
        ({"channel": "email", "text": "x", "subject": "a\r\nBcc: eve@example.org"}, "subject"),
        ({"channel": "email", "text": "x" * 20_001}, "text"),
        ({"channel": "pigeon", "text": "x"}, "channel"),
        ({"channel": "email"}, "text"),
    ],
)
def test_what_is_no_message_is_refused_by_field(client: Client, ada: str, said: dict[str, Any], field: str):
    problem = client.refused(422, "POST", f"{ada}/messages", said)
    assert problem["errors"][0]["field"] == field


def test_a_megabyte_of_text_is_too_much(client: Client, ada: str):
    assert client.post(f"{ada}/messages", {"channel": "email", "text": "x" * 1_000_000}).status_code == 413


# --- what became of it ---


def test_one_that_failed_says_why_and_is_sent_again(client: Client, service: StepByStep, ada: str):
    account_id = UUID(ada.rpartition("/")[2])
    issue(service, SendMessage(account_id=account_id, channel=Channel.SMS, text="x" * 141))
    [failed] = messages(client, service, ada)
    assert (failed["state"], failed["code"]) == ("failed", "sms-too-long")
    assert client.refused(422, "POST", f"{ada}/messages/{failed['message_id']}/retry", {})["errors"]
    shown = page(client, f"{ada.removeprefix('/v1')}?tab=messages")
    assert "Try again" in shown.text
    assert "163 characters, expected at most 140" in shown.text
    again = client.done("POST", f"{ada}/messages", {"channel": "email", "text": "Hello"})
    assert messages(client, service, ada)[0]["state"] == "sent"
    problem = client.refused(404, "POST", f"{ada}/messages/{again['id']}/retry", {})
    assert problem["detail"] == "the message left"


def test_one_that_was_taken_back_is_sent_again_as_another(client: Client, service: StepByStep, ada: str):
    said = {"channel": "email", "text": "Hello {{ customer_name }}", "subject": "About you"}
    first = client.done("POST", f"{ada}/messages", said)["id"]
    client.refused(404, "POST", f"{ada}/messages/{first}/retry", {})
    client.done("POST", f"{ada}/messages/{first}/withdrawal", {})
    second = form(client, ada, f"messages/{first}/retry", once="1")
    assert second.status_code == 303
    states = {each["message_id"]: each["state"] for each in messages(client, service, ada)}
    assert states.pop(first) == "withdrawn"
    [(other, state)] = states.items()
    assert (state, outbox(service, other)["subject"]) == ("sent", "About you")
    assert client.refused(404, "POST", f"{ada}/messages/{other}/withdrawal", {})["reason_code"] == "unknown-message"


def test_one_of_a_template_is_sent_again_in_its_language_and_with_a_reason_on_the_page(
    client: Client, service: StepByStep, office: str, ada: str
):
    template = {"office": office, "name": "in-english", "channel": "email"}
    text = {"subject": "What you owe", "body": "You owe {{ amount_due }}."}
    saved = client.done("POST", "/v1/templates", {**template, "texts": {"en": text}})
    emails = [{"id": "email-1", "address": "ada@example.org"}]
    client.done("PUT", f"{ada}/contact", {"language": "de", "preferred_channel": "letter", "emails": emails})
    said = {"channel": "email", "template": "in-english", "ignore_preferences": True}
    first = client.done("POST", f"{ada}/messages", said, headers={"X-Reason": "Asked for it"})["id"]
    client.done("POST", f"{ada}/messages/{first}/withdrawal", {})
    assert "say why" in form(client, ada, f"messages/{first}/retry", once="1").text
    service.drain()
    offered = page(client, f"{ada.removeprefix('/v1')}?tab=messages")
    assert [attributes.get("name") for tag, attributes in offered.tags if tag == "input"].count("reason") == 1
    assert form(client, ada, f"messages/{first}/retry", once="2", reason="Asked again").status_code == 303
    again = messages(client, service, ada)[0]
    assert (again["template_id"], again["template_version"]) == (saved["id"], 1)
    assert outbox(service, again["message_id"])["body"].startswith("You owe 100.00.")
    client.done("POST", "/v1/templates", {**template, "texts": {"en": {**text, "body": "Please pay."}}})
    problem = client.refused(404, "POST", f"{ada}/messages/{first}/retry", {})
    assert "in-english was changed since" in problem["detail"]


@pytest.mark.parametrize(("outcome", "state"), [("sent", "sent"), ("not-sent", "failed")])
def test_an_uncertain_one_is_resolved_with_a_reason(
    client: Client, service: StepByStep, ada: str, outcome: str, state: str
):
    about: dict[str, Any] = {"account_id": UUID(ada.rpartition("/")[2])}
    about["message_id"] = UUID(client.done("POST", f"{ada}/messages", {"channel": "email", "text": "Hello"})["id"])
    issue(service, DispatchMessage(**about))
    issue(service, ReportUncertain(**about))
    [message] = messages(client, service, ada)
    assert message["state"] == "uncertain"
    path = f"messages/{about['message_id']}/resolve"
    assert "say why" in form(client, ada, path, outcome=outcome).text
    assert form(client, ada, path, outcome=outcome, reason="She called").status_code == 303
    [message] = messages(client, service, ada)
    assert message["state"] == state


def test_messages_are_listed_by_state_over_all_accounts(client: Client, service: StepByStep, office: str, ada: str):
    sent = client.done("POST", f"{ada}/messages", {"channel": "email", "text": "Hello"})["id"]
    service.drain()
    found = client.get("/v1/messages", params={"office": office, "state": "sent", "limit": 1}).json()
    assert [each["message_id"] for each in found["items"]] == [sent]
    assert found["next"] is not None
    assert client.get("/v1/messages", params={"state": "lost"}).status_code == 422
    assert client.get("/v1/messages", params={"office": "other"}).status_code == 404


# --- the page ---


def form(client: Client, account: str, what: str, **fields: str) -> httpx.Response:
    return client.request("POST", f"{account.removeprefix('/v1')}/{what}", data=fields, headers=HTML)


def test_the_page_shows_it_first_and_then_sends_it(client: Client, service: StepByStep, ada: str):
    said = {"channel": "email", "text": "One\r\n{{ amount_due }} שלום", "subject": HOSTILE[:20]}
    shown = form(client, ada, "messages", do="preview", **said)
    assert shown.status_code == 200
    seen = Elements(shown.text)
    assert "It may leave now" in seen.text
    assert "One\n100.00 שלום" in seen.text
    scripts = [attributes.get("src") or "" for tag, attributes in seen.tags if tag == "script"]
    expected = {f"/static/{each}.js" for each in ("desk", "messages", "calls")}
    assert {each.partition("?")[0] for each in scripts} == expected
    assert messages(client, service, ada) == []
    assert form(client, ada, "messages", do="send", once="2", **said).status_code == 303
    [message] = messages(client, service, ada)
    assert outbox(service, message["message_id"])["subject"] == HOSTILE[:20]


def test_what_is_wrong_with_it_is_said_above_the_form_which_keeps_what_was_written(client: Client, ada: str):
    wrong = form(client, ada, "messages", do="send", channel="email", text="{{ amount }} </textarea><script>")
    assert wrong.status_code == 422
    assert "there is no placeholder" in wrong.text
    assert "{{ amount }} &lt;/textarea&gt;&lt;script&gt;</textarea>" in wrong.text


def test_each_channel_has_its_form(client: Client, ada: str):
    address = f"{ada.removeprefix('/v1')}?tab=messages"
    assert "textarea" not in [tag for tag, _ in page(client, address).tags]
    for channel, has_subject in (
        ("sms", False),
        ("email", True),
        ("letter", True),
        ("voice", False),
        ("portal", False),
    ):
        seen = page(client, f"{address}&send={channel}")
        assert "textarea" in [tag for tag, _ in seen.tags]
        assert (("Subject" in seen.text), "+12125550100" in seen.text) == (has_subject, channel in {"sms", "voice"})


# --- templates ---


def test_a_template_is_saved_listed_shown_used_and_retired(client: Client, service: StepByStep, office: str, ada: str):
    texts = {"en": {"subject": "Please call", "body": "{{ customer_name }}, please call us."}}
    body = {"office": office, "name": "call-us", "channel": "email", "tone": "friendly", "texts": texts}
    saved = client.done("POST", "/v1/templates", body, headers={"X-Reason": "Asked by legal"})
    assert client.done("POST", "/v1/templates", body)["event_ids"] == []
    [listed] = [each for each in client.get("/v1/templates").json() if each["name"] == "call-us"]
    assert (listed["id"], listed["template_version"], listed["languages"]) == (saved["id"], 1, ["en"])
    [version] = client.get(f"/v1/templates/{saved['id']}").json()["versions"]
    assert (version["reason"], version["texts"]["en"]["subject"]) == ("Asked by legal", "Please call")
    named = {"account_id": ada.rpartition("/")[2]}
    shown = client.get(f"/v1/templates/{saved['id']}/preview", params=named).json()["texts"]
    assert [each["body"].partition(",")[0] for each in shown] == ["Ironbridge Machine Works Inc.", "Ada Lovelace"]
    sent = client.done("POST", f"{ada}/messages", {"channel": "email", "template": "call-us"})
    assert messages(client, service, ada)[0]["template_version"] == 1
    assert outbox(service, sent["id"])["subject"] == "Please call"
    client.done("POST", f"/v1/templates/{saved['id']}/retire", {})
    problem = client.refused(409, "POST", f"{ada}/messages", {"channel": "email", "template": "call-us"})
    assert problem["reason_code"] == "template-retired"
    client.refused(404, "POST", f"{ada}/messages", {"channel": "email", "template": "unheard-of"})


@pytest.mark.parametrize(
    ("channel", "text", "expected"),
    [
        ("letter", {"body": "{{ amount }}"}, "there is no placeholder 'amount'"),
        ("letter", {"body": "{% if amount_due %}"}, "line 1"),
        ("email", {"subject": "", "body": "x"}, "expected, for an e-mail has one"),
        ("email", {"subject": " ", "body": "x"}, "expected text that can be seen"),
        ("email", {"subject": "=?utf-8?q?a?=", "body": "x"}, "expected text without =?"),
        ("sms", {"body": "x" * 140}, "162 characters, expected at most 140"),
        ("portal", {"subject": "One", "body": "x"}, "for an e-mail or a letter only"),
    ],
)
def test_a_template_of_which_no_message_can_be_made_is_refused_by_field(
    client: Client, office: str, channel: str, text: dict[str, str], expected: str
):
    body = {"office": office, "name": "faulty", "channel": channel, "texts": {"en": text}}
    [error] = client.refused(422, "POST", "/v1/templates", body)["errors"]
    assert error["field"] == f"texts.en.{'subject' if 'subject' in text else 'body'}"
    assert expected in error["expected"]


def test_a_template_of_e_mails_without_a_subject_is_refused_by_field_at_every_door(client: Client, office: str):
    body = {"office": office, "name": "mute", "channel": "email", "texts": {"en": {"body": "Please call us."}}}
    [error] = client.refused(422, "POST", "/v1/templates", body)["errors"]
    assert error == {"field": "texts.en.subject", "expected": "expected, for an e-mail has one"}
    said = {"office": office, "name": "mute", "channel": "email", "tone": "firm", "language": "en", "text": "Call us"}
    shown = client.request("POST", "/settings/templates", data=said, headers=HTML)
    assert (shown.status_code, "an e-mail has one" in shown.text) == (422, True)


def test_the_page_of_templates_saves_the_next_version_in_a_language_and_retires(client: Client, office: str):
    said = {"office": office, "name": "by-page", "channel": "portal", "tone": "firm", "language": "en"}

    def sent(path: str = "", **fields: str) -> httpx.Response:
        return client.request("POST", f"/settings/templates{path}", data=fields, headers=HTML)

    first = sent(**said, text="Hello <b>{{ customer_name }}</b>")
    assert first.status_code == 303
    assert sent(**{**said, "language": "de"}, text="Guten Tag\r\n{{ customer_name }}").status_code == 303
    seen = page(client, first.headers["location"])
    assert "Hello <b>Ironbridge Machine Works Inc.</b>" in seen.text
    assert "Guten Tag\nIronbridge Machine Works Inc." in seen.text
    assert "b" not in [tag for tag, _ in seen.tags]
    assert [attributes.get("name") for tag, attributes in seen.tags if tag == "input"].count("once") == 2
    wrong = sent(**said, text="Hello", reason="x" * 1_001)
    assert (wrong.status_code, "expected at most 1,000 characters" in wrong.text) == (422, True)
    wrong = sent(**said, text="{{ nothing }}")
    assert (wrong.status_code, "there is no placeholder" in wrong.text) == (422, True)
    assert "by-page" in page(client, "/settings/templates").text
    assert (
        client.request("POST", f"{first.headers['location']}/retirement", data={"reason": ""}, headers=HTML).status_code
        == 303
    )
    assert "retired" in page(client, first.headers["location"]).text

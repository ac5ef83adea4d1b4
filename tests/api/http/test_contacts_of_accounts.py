"""Contacts with the customer of an account by HTTP and page: judged, called, documented, and what was said of it."""

from typing import Any

import pytest

from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client

PHONES = {"phones": [{"id": "phone-1", "number": "+12125550100", "kind": "mobile", "sms_consent": "given"}]}


@pytest.fixture
def reached(client: Client, account: str) -> str:
    """An account whose customer has a number in New York."""
    client.done("PUT", f"{account}/contact", PHONES)
    return account


def called(client: Client, account: str, disposition: str, **more: Any) -> str:
    """A call that began and ended."""
    call: str = client.done("POST", f"{account}/calls")["id"]
    client.done("POST", f"{account}/calls/{call}/end", {"disposition": disposition, **more})
    return call


def test_a_call_begins_is_undocumented_and_ends(client: Client, reached: str, service: StepByStep):
    call = client.done("POST", f"{reached}/calls", headers={"X-Actor": "dana"})["id"]
    [shown] = client.get(reached).json()["undocumented"]
    assert {**shown, "at": ...} == {
        "id": call, "kind": "call", "agent": "person:dana", "at": ..., "is_call": True, "point_id": "phone-1",
        "number": "+12125550100",
    }  # fmt: skip
    service.drain()
    [listed] = client.get("/v1/undocumented-contacts?agent=dana").json()
    assert (listed["id"], listed["kind"], listed["agent"]) == (call, "call", "person:dana")
    client.refused(409, "POST", f"{reached}/calls/{call}/end", {"disposition": "refused"})
    client.done("POST", f"{reached}/calls/{call}/end", {"disposition": "no-answer"})
    service.drain()
    assert "undocumented" not in client.get(reached).json()
    assert client.get("/v1/undocumented-contacts?agent=dana").json() == []


def test_a_refused_call_names_every_rule_is_recorded_and_a_repeat_is_refused_too(
    client: Client, reached: str, service: StepByStep
):
    called(client, reached, "spoke-to-customer")
    client.done("POST", f"{reached}/contact-facts", {"kind": "deceased"})
    problem: dict[str, Any] = {}
    for _ in range(2):
        problem = client.refused(409, "POST", f"{reached}/calls", headers={"Idempotency-Key": "again"})
        assert problem["reason_code"] == "contact-refused"
        assert [each["rule"] for each in problem["refusals"]] == ["deceased", "calls-after-conversation"]
    assert problem["refusals"][1]["allowed_from"] == "2026-03-23T04:00:00Z"
    service.drain()
    rows = client.get(f"{reached}/activity?type=call").json()["items"]
    assert [row["kind"] for row in rows] == ["call-refused", "call", "call-started"]
    checked = client.get(f"{reached}/contact-check?channel=voice").json()
    assert (checked["allowed"], checked["allowed_from"]) == (False, None)


def test_house_policy_is_lifted_with_a_reason(client: Client, reached: str):
    called(client, reached, "spoke-to-customer")
    client.refused(409, "POST", f"{reached}/calls", {"override": True})
    client.done("POST", f"{reached}/calls", {"override": True, "reason": "They asked for it."})


def test_a_contact_is_checked_at_any_moment(client: Client, reached: str):
    early = client.get(f"{reached}/contact-check?channel=sms&at=2026-03-17T11:00:00Z").json()
    assert [each["rule"] for each in early["refusals"]] == ["hours-8-to-21"]
    assert early["allowed_from"] == "2026-03-17T12:00:00Z"
    assert client.get(f"{reached}/contact-check?channel=sms&at=2026-03-17T12:00:00Z").json()["allowed"]
    assert client.get(f"{reached}/contact-check?channel=email").json()["point_id"] is None
    assert client.get(f"{reached}/contact-check?channel=voice&recorded=true").json()["allowed"] is False
    client.refused(422, "GET", f"{reached}/contact-check?channel=fax")
    client.refused(422, "GET", f"{reached}/contact-check?channel=sms&point_id=phone-9")


def test_what_was_said_of_contact_is_recorded_shown_and_withdrawn(client: Client, reached: str):
    body = {"kind": "bankruptcy", "chapter": "13", "case_number": "26-10001", "filed_on": "2026-03-02"}
    fact = client.done("POST", f"{reached}/contact-facts", body)["id"]
    [shown] = client.get(reached).json()["contact_facts"]
    assert (shown["id"], shown["says"], shown["chapter"]) == (fact, "The customer is in bankruptcy", "13")
    client.refused(422, "POST", f"{reached}/contact-facts", {"kind": "cease", "chapter": "13"})
    client.done("DELETE", f"{reached}/contact-facts/{fact}")
    client.refused(404, "DELETE", f"{reached}/contact-facts/{fact}")
    assert "contact_facts" not in client.get(reached).json()


def test_a_number_is_retired_and_restored(client: Client, reached: str):
    client.done("PUT", f"{reached}/contact-points/phone-1/retirement")
    assert client.get(reached).json()["retired_points"] == ["phone-1"]
    problem = client.refused(409, "POST", f"{reached}/calls")
    assert [each["rule"] for each in problem["refusals"]] == ["wrong-number"]
    client.done("DELETE", f"{reached}/contact-points/phone-1/retirement")
    client.done("POST", f"{reached}/calls")
    client.refused(404, "PUT", f"{reached}/contact-points/phone-7/retirement")


def test_a_contact_made_outside_is_corrected_by_a_new_fact(client: Client, reached: str, service: StepByStep):
    made = {"kind": "call", "at": "2026-03-16T11:30:00Z", "point_id": "phone-1"}
    activity = client.done("POST", f"{reached}/activities", made)["id"]
    correction = {"disposition": "busy", "notes": "The line was busy."}
    new = client.done("POST", f"{reached}/activities/{activity}/correction", correction)["id"]
    service.drain()
    first, second = client.get(f"{reached}/activity?type=call").json()["items"]
    assert (first["ref_id"], first["corrects"], first["disposition"]) == (new, activity, "busy")
    assert "broke hours-8-to-21 (house)" in second["summary"]
    assert "undocumented" not in client.get(reached).json()


def test_settings_of_contact_are_the_office_s(client: Client, reached: str):
    shown = client.get("/v1/offices/main").json()
    assert (shown["contact"]["role"], "no-answer" in shown["dispositions"]) == ("first_party", True)
    refused = client.refused(409, "PATCH", "/v1/offices/main", {"contact": {"rules": {"ma-2-in-7": {"on": False}}}})
    assert refused["reason_code"] == "faulty-contact-settings"
    kinds = client.get("/v1/contact-fact-kinds").json()
    assert {"kind": "deceased", "says": "The customer has died", "fields": ["died_on"], "needs": [],
            "is_about_debt": False} in kinds  # fmt: skip


# --- the history ---


def test_the_history_is_filtered(client: Client, reached: str, service: StepByStep):
    called(client, reached, "no-answer")
    client.done("POST", f"{reached}/activities", {"kind": "note", "direction": "internal", "notes": "Has a dog."})
    client.done("POST", f"{reached}/activities", {"kind": "sms", "direction": "inbound", "disposition": "delivered"})
    service.drain()

    def kinds(**filters: str) -> list[str]:
        return [row["kind"] for row in client.get(f"{reached}/activity", params=filters).json()["items"]]

    assert kinds(type="sms") == ["sms"]
    assert kinds(channel="voice") == ["call", "call-started"]
    assert kinds(direction="inbound") == ["sms"]
    assert kinds(outcome="no-answer") == ["call"]
    assert kinds(text="DOG") == ["note"]
    assert kinds(type="note", text="cat") == []
    assert kinds(**{"type": "call", "from": "2026-03-17"}) == []
    assert kinds(agent="local", type="note") == ["note"]
    for name, value, known in (
        ("type", "fax", "call, sms"),
        ("channel", "fax", "sms, voice"),
        ("direction", "up", "inbound, outbound"),
        ("outcome", "fine", "no-answer"),
        ("agent", "nobody", "person:"),
    ):
        problem = client.refused(422, "GET", f"{reached}/activity?{name}={value}")
        assert problem["detail"].startswith(f"{name}: expected one of ")
        assert known in problem["detail"]
    client.refused(422, "GET", "/v1/activity?text=dog")
    known = client.get("/v1/offices/main").json()["dispositions"]
    client.done(
        "PATCH", "/v1/offices/main", {"dispositions": {**known, "fine": {"title": "Fine", "result": "answered"}}}
    )
    assert kinds(outcome="fine") == []
    page = client.get(
        f"/accounts/{reached.rpartition('/')[2]}?tab=activity&outcome=fine", headers={"Accept": "text/html"}
    )
    assert page.status_code == 200


# --- the page ---


def test_the_page_says_why_a_number_may_not_be_called_and_from_when(client: Client, reached: str):
    called(client, reached, "spoke-to-customer")
    page = client.get(f"/accounts/{reached.rpartition('/')[2]}?tab=calls", headers={"Accept": "text/html"}).text
    assert "Not allowed before" in page
    assert "calls-after-conversation" in page
    assert "Call all the same" in page


def test_a_call_by_the_page(client: Client, reached: str):
    address = f"/accounts/{reached.rpartition('/')[2]}"
    form: dict[str, Any] = {"headers": {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}}
    sent = client.request("POST", f"{address}/contact/call", data={"point": "phone-1"}, **form)
    assert sent.status_code == 303
    page = client.get(f"{address}?tab=calls", headers={"Accept": "text/html"}).text
    assert "tel:+12125550100" in page
    [call] = client.get(reached).json()["undocumented"]
    ended = {"call": call["id"], "disposition": "wrong-number", "notes": "Somebody else lives there."}
    assert client.request("POST", f"{address}/contact/end", data=ended, **form).status_code == 303
    assert client.get(reached).json()["retired_points"] == ["phone-1"]
    restored = client.request("POST", f"{address}/contact/restore", data={"point": "phone-1"}, **form)
    assert restored.status_code == 303
    fact = {"kind": "attorney", "name": "Grace", "at": "2026-03-16T09:00"}
    assert client.request("POST", f"{address}/contact/fact", data=fact, **form).status_code == 303
    [shown] = client.get(reached).json()["contact_facts"]
    assert (shown["name"], shown["at"]) == ("Grace", "2026-03-16T13:00:00Z")
    refused = client.request("POST", f"{address}/contact/call", data={"point": "phone-1"}, **form)
    assert refused.status_code == 409
    assert "attorney (house)" in refused.text
    withdrawn = client.request("POST", f"{address}/contact/withdraw", data={"fact": shown["id"]}, **form)
    assert withdrawn.status_code == 303
    outside = {"kind": "call", "disposition": "busy", "direction": "outbound", "at": "2026-03-16T09:30"}
    assert client.request("POST", f"{address}/contact/activity", data=outside, **form).status_code == 303


def test_a_customer_s_wishes_and_numbers_are_recorded_on_the_page(client: Client, reached: str):
    address = reached.removeprefix("/v1")
    form: dict[str, Any] = {"headers": {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}}

    def sends(what: str, **fields: str) -> None:
        sent = client.request("POST", f"{address}/contact/{what}", data=fields, **form)
        assert (sent.status_code, sent.headers.get("location", "").partition("?")[2][:11]) == (303, "tab=contact"), sent

    def shown() -> str:
        return client.get(f"{address}?tab=contact", headers={"Accept": "text/html"}).text

    sends("wish", point="phone-1", wish="opt-out sms", reason="On the phone.")
    assert "phone-1 · texts allowed · opted out of sms" in shown()
    sends("wish", point="phone-1", wish="opt-in sms")
    sends("wish", point="phone-1", wish="refused voice")
    assert "phone-1 · texts allowed · calls refused" in shown()
    sends("wish", point="phone-1", wish="given voice")
    sends("wish", wish="opt-out letter")
    assert "Not by letter at all." in shown()
    sends("details", phone="212 555 0177", phone_kind="work")
    sends("details", email="ada@example.org")
    sends("details", language="es", preferred_channel="email", time_zone="America/Denver")
    sends("details", remove="phone-1")
    contact = client.get(reached).json()["contact"]
    assert [(each["id"], each["number"], each["kind"]) for each in contact["phones"]] == [
        ("phone-2", "212 555 0177", "work")
    ]
    assert [each["address"] for each in contact["emails"]] == ["ada@example.org"]
    assert (contact["language"], contact["preferred_channel"], contact["time_zone"]) == (
        "es", "email", "America/Denver",
    )  # fmt: skip

    for what, fields, status, said in (
        ("wish", {"point": "phone-2", "wish": "forget sms"}, 422, "expected one of opt-out, opt-in, given, refused"),
        ("wish", {"point": "phone-2", "wish": "opt-out"}, 422, "channel"),
        ("wish", {"point": "phone-9", "wish": "given sms"}, 404, "sms cannot use"),
        ("wish", {"point": "phone-9", "wish": "opt-out sms"}, 404, "expected one of phone-2, not"),
        ("details", {"phone": "<b>"}, 422, "phone: expected a telephone number"),
        ("details", {"remove": "phone-9"}, 404, "expected one of email-1, phone-2"),
        ("details", {"phone": "1", "phone_kind": "pager"}, 422, "phone_kind"),
        ("details", {"language": "English"}, 422, "language"),
    ):
        refused = client.request("POST", f"{address}/contact/{what}", data=fields, **form)
        assert (refused.status_code, said in refused.text) == (status, True), (what, fields, refused.text[:2_000])


def test_consent_at_a_number_is_recorded_with_who_and_why(client: Client, reached: str, service: StepByStep):
    said = {"channel": "voice", "point_id": "phone-1", "consent": "refused", "reason": "Asked on the phone."}
    client.done("POST", f"{reached}/consents", said, headers={"X-Actor": "dana"})
    assert client.get(reached).json()["contact"]["phones"][0]["voice_consent"] == "refused"
    assert client.get(f"{reached}/contact-check?channel=voice").json()["allowed"] is False
    client.done("POST", f"{reached}/consents", {**said, "consent": "given"})
    assert client.get(reached).json()["contact"]["phones"][0]["voice_consent"] == "given"
    client.refused(404, "POST", f"{reached}/consents", {**said, "point_id": "phone-9"})
    client.refused(422, "POST", f"{reached}/consents", {**said, "consent": "perhaps"})
    service.drain()
    entries = client.get(f"{reached}/audit").json()["items"]
    assert ("dana", "Asked on the phone.") in {(each["actor_id"], each["reason"]) for each in entries}


# --- the script of a call ---


def said_in(client: Client, account: str, kind: str) -> list[tuple[str, str | None]]:
    steps = client.get(f"{account}/call-script").json()["steps"]
    return [(step["text"], step.get("source")) for step in steps if step["kind"] == kind]


def test_an_office_says_its_own_in_a_call_and_never_less_than_the_law(client: Client, reached: str):
    number = client.get(reached).json()["number"]
    assert said_in(client, reached, "say") == [
        (f"This is Main office. I am calling about your account {number}.", None)
    ]
    assert said_in(client, reached, "required") == []
    own = {"call_script": ["Dear {{ customer_name }} & co.", "You owe {{ amount_due }} {{ currency }}."]}
    client.done("PATCH", "/v1/offices/main", {**own, "contact": {"role": "third_party"}})
    assert said_in(client, reached, "say") == [("Dear Ada Lovelace & co.", None), ("You owe 100.00 USD.", None)]
    [(said, law)] = said_in(client, reached, "required")
    assert ("debt collector" in said, "Main office" in said, law) == (True, True, "15 USC 1692e(11)")
    page = client.get(f"{reached.removeprefix('/v1')}?do=call", headers={"Accept": "text/html"}).text
    in_order = ["May I speak with Ada Lovelace?", "to collect a debt", "Dear Ada Lovelace &amp; co.", "You owe 100.00"]
    assert sorted(in_order, key=page.index) == in_order
    client.done("PATCH", "/v1/offices/main", {"call_script": [], "contact": {}})
    assert "call_script" not in client.get("/v1/offices/main").json()


def test_script_and_address_of_an_office_are_set_by_the_page(client: Client, reached: str, service: StepByStep):
    service.drain()
    form: dict[str, Any] = {"headers": {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}}
    faulty = {"text": "You owe {{ balanse }}.", "once": "faulty"}
    refused = client.request("POST", "/settings/offices/main/call-script", data=faulty, **form)
    assert (refused.status_code, "You owe {{ balanse }}." in refused.text, "line 1" in refused.text) == (
        409,
        True,
        True,
    )
    for what, text in (("call-script", "Good day.\r\n\r\nThis is us.\r\n"), ("address", "5 Wall St\r\nNew York")):
        sent = client.request("POST", f"/settings/offices/main/{what}", data={"text": text, "once": what}, **form)
        assert sent.status_code == 303
    office = client.get("/v1/offices/main").json()
    assert office["call_script"] == ["Good day.", "This is us."]
    assert office["address"] == ["5 Wall St", "New York"]
    assert [text for text, _ in said_in(client, reached, "say")] == ["Good day.", "This is us."]
    assert "This is us." in client.get("/settings/offices", headers={"Accept": "text/html"}).text
    client.done("PATCH", "/v1/offices/main", {"call_script": [], "address": []})


def test_the_page_s_history_is_filtered(client: Client, reached: str, service: StepByStep):
    called(client, reached, "no-answer", notes="Nobody there.")
    service.drain()
    address = f"/accounts/{reached.rpartition('/')[2]}?tab=activity"
    page = client.get(f"{address}&type=call&outcome=no-answer", headers={"Accept": "text/html"}).text
    assert "Nobody there." in page
    page = client.get(f"{address}&type=email", headers={"Accept": "text/html"}).text
    assert "Nothing was done yet." in page


def test_the_history_has_changes_of_the_collections_stage(client: Client, reached: str, service: StepByStep):
    client.done("PUT", f"{reached}/collections-stage", {"collections_stage": "pending"})
    client.done("PUT", f"{reached}/freeze", {"code": "moved"})
    service.drain()
    for kind, first in (("stage", "collections-stage-changed"), ("freeze", "frozen")):
        kinds = {each["kind"] for each in client.get(f"{reached}/activity?type={kind}").json()["items"]}
        assert first in kinds, kinds

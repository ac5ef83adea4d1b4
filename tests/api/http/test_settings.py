"""Offices and campaigns over HTTP: settings that nobody overwrites unseen, pauses, versions."""

from collections.abc import Mapping
from itertools import count

import pytest

from tests.adapters.delivery.hostile import HOSTILE, TOO_LONG
from tests.api.http.client import Client, usd

_codes = count(1)
PLAN = {
    "rules": {"min_amount": usd("25.00"), "min_dpd": 1},
    "steps": [
        {
            "id": "reminder",
            "title": "Reminder",
            "days": 5,
            "channel": "email",
            "templates": {"en": {"subject": "Your account", "body": "{{ amount_due }} is due"}},
        }
    ],
}


@pytest.fixture
def address(client: Client) -> str:
    """A new office's address."""
    code = f"office-{next(_codes)}"
    client.done("POST", "/v1/offices", {"code": code, "title": "An office"})
    return f"/v1/offices/{code}"


def test_settings_change_by_section(client: Client, address: str):
    client.done("PATCH", address, {"grace_days": 5, "limits": {"max_per_minute": 10}})
    office = client.get(address).json()
    assert (office["grace_days"], office["limits"]["max_per_minute"], office["time_zone"]) == (5, 10, "UTC")


def test_who_read_an_older_version_changes_nothing(client: Client, address: str):
    read = client.get(address).headers["etag"]
    client.done("PATCH", address, {"grace_days": 5}, headers={"If-Match": read})
    problem = client.refused(412, "PATCH", address, {"grace_days": 9}, headers={"If-Match": read})
    assert problem["type"] == "urn:arrears:problem:changed-meanwhile"
    assert client.get(address).json()["grace_days"] == 5
    client.done("PATCH", address, {"grace_days": 9}, headers={"If-Match": "*"})


def test_a_repeat_under_a_key_is_no_conflict_with_itself(client: Client, address: str):
    headers = {"If-Match": client.get(address).headers["etag"], "Idempotency-Key": "once"}
    first = client.done("PATCH", address, {"grace_days": 5}, headers=headers)
    assert client.done("PATCH", address, {"grace_days": 5}, headers=headers) == first


def test_what_is_still_the_same_is_not_sent_again(client: Client, address: str, account: str):
    for path in (address, account):
        etag = client.get(path).headers["etag"]
        again = client.get(path, headers={"If-None-Match": f'"other", {etag}'})
        assert (again.status_code, again.content) == (304, b"")
    client.done("POST", f"{account}/activities", {"kind": "note", "notes": "called"})
    etag = client.get(account).headers["etag"]
    client.done("PUT", f"{account}/flags/vip")
    assert client.get(account, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"grace_days": "5"}, "grace_days"),
        ({"grace_days": 61}, "grace_days"),
        ({"scheme": {"buckets": [{"name": "all", "from_dpd": None, "to_dpd": 0}]}}, "scheme.buckets"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"window": {"opens": "18:00", "closes": "09:00"}}, "window"),
        ({"calendar": {"weekdays": [7]}}, "calendar.weekdays.0"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_setting_that_cannot_be_says_which(client: Client, address: str, settings: dict[str, object], field: str):
    assert client.refused(422, "PATCH", address, settings)["errors"][0]["field"] == field


def test_automation_is_paused_and_resumed(client: Client, address: str):
    client.done(
        "POST", f"{address}/pause", {"paused_from": "2026-03-15T00:00:00Z", "paused_until": "2026-03-20T09:00:00-04:00"}
    )
    pause = client.get(address).json()["pause"]
    assert pause == {"paused_from": "2026-03-15T00:00:00Z", "paused_until": "2026-03-20T13:00:00Z", "in_force": True}
    client.done("POST", f"{address}/resume")
    assert client.get(address).json()["pause"] is None
    problem = client.refused(
        409, "POST", f"{address}/pause", {"paused_from": "2026-03-15T00:00:00Z", "paused_until": "2026-03-14T00:00:00Z"}
    )
    assert problem["reason_code"] == "pause-ends-first"
    body = {"paused_from": "2026-03-15"}
    assert client.refused(422, "POST", f"{address}/pause", body)["errors"][0]["field"] == "paused_from"


def test_a_campaign_keeps_every_version(client: Client, office: str):
    body = {"office": office, "title": "Reminders", "plan": PLAN}
    response = client.post("/v1/campaigns", body)
    assert response.status_code == 201
    address = response.headers["location"]
    revised = {**PLAN, "rules": {"min_amount": usd("50.00")}}
    client.done(
        "PUT", f"{address}/plan", {"plan": revised, "reason": "too many small ones"}, headers={"X-Actor": "ada"}
    )
    campaign = client.get(address).json()
    assert campaign["plan"]["rules"]["min_amount"] == usd("50.00")
    assert [(v["plan_version"], v["actor"], v["reason"]) for v in campaign["versions"]] == [
        (2, "person:ada", "too many small ones"),
        (1, "person:local", None),
    ]
    assert [c["title"] for c in client.get("/v1/campaigns", params={"office": office}).json()] == ["Reminders"]

    client.done("POST", f"{address}/pause", {})
    assert client.get(address).json()["pause"]["in_force"] is True
    client.done("POST", f"{address}/resume")
    client.done("POST", f"{address}/retire")
    assert client.refused(409, "POST", f"{address}/pause", {})["reason_code"] == "campaign-retired"
    assert client.refused(409, "POST", "/v1/campaigns", body)["reason_code"] == "campaign-exists"


# --- what is checked before a campaign is taken -------------------------------------------------------


@pytest.fixture
def own(address: str) -> str:
    """The code of an office that no other test has."""
    return address.removeprefix("/v1/offices/")


def a_plan(text: str, *, channel: str = "email", rules: Mapping[str, object] | None = None) -> dict[str, object]:
    step = {"id": "reminder", "title": "Reminder", "days": 5, "channel": channel, "templates": {"en": {"body": text}}}
    return {"rules": rules or {}, "steps": [step]}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_is_refused_whichever_way_it_comes(client: Client, own: str, text: str):
    body = {"office": own, "title": "Hostile", "plan": a_plan(text)}
    if "\x00" not in text:
        [error, *_] = client.refused(422, "POST", "/v1/campaigns", body)["errors"]
        assert error["field"] == "plan.steps.0.templates.en.body"
        assert error["expected"].startswith("step 'reminder', en, body, line ")
    office_id = client.get(f"/v1/offices/{own}").json()["id"]
    command = {"office_id": office_id, "title": "Hostile", "plan": a_plan(text)}
    problem = client.refused(422, "POST", "/v1/commands", {"name": "launch-campaign", "body": command})
    assert problem["errors"][0]["field"].endswith("plan.steps.0.templates.en.body")
    assert client.get("/v1/campaigns", params={"office": own}).json() == []


@pytest.mark.parametrize("text", TOO_LONG.values(), ids=TOO_LONG)
def test_a_text_of_too_many_characters_is_refused(client: Client, own: str, text: str):
    body = {"office": own, "title": "Long", "plan": a_plan(text)}
    assert client.request("POST", "/v1/campaigns", json=body).status_code in (413, 422)


def test_every_fault_of_a_plan_is_said_with_its_field(client: Client, own: str):
    rules = {"flags_any": ["legl"], "buckets": ["31-61"]}
    plan = a_plan("{{ amount }}\n{{ 1/0 }}", rules=rules)
    launched = client.done("POST", "/v1/campaigns", {"office": own, "title": "Good", "plan": a_plan("Well")})
    for method, path, body in (
        ("POST", "/v1/campaigns", {"office": own, "title": "Bad", "plan": plan}),
        ("PUT", f"/v1/campaigns/{launched['id']}/plan", {"plan": plan}),
    ):
        errors = client.refused(422, method, path, body)["errors"]
        assert [each["field"] for each in errors] == [
            "plan.rules.flags_any",
            "plan.rules.buckets",
            "plan.steps.0.templates.en.body",
            "plan.steps.0.templates.en.body",
        ]
        assert errors[2]["expected"].endswith("line 1: there is no placeholder 'amount'; close to it: amount_due")


def test_a_text_message_that_is_too_long_for_anybody_is_refused(client: Client, own: str):
    body = {"office": own, "title": "Long", "plan": a_plan("x" * 130, channel="sms")}
    [error] = client.refused(422, "POST", "/v1/campaigns", body)["errors"]
    assert error["expected"] == (
        "step 'reminder', en, written for a made-up account: 152 characters, expected at most 140"
    )


def test_a_text_that_is_too_long_for_one_customer_is_taken(client: Client, own: str):
    plan = a_plan("{{ customer_name }} " + "x" * 80, channel="sms")
    account = {"office": own, "number": "L-1", "customer_name": "N" * 60, "currency": "USD"}
    client.done("POST", "/v1/accounts", account, headers={"Prefer": "wait=5"})
    checked = client.done("POST", "/v1/campaigns/check", {"office": own, "plan": plan})
    assert [(each["account"], each["problem"]) for each in checked["texts"]] == [
        (None, None),
        ("L-1", "163 characters, expected at most 140"),
    ]
    assert checked["faults"] == []
    client.done("POST", "/v1/campaigns", {"office": own, "title": "Long names", "plan": plan})


def test_a_launch_that_was_taken_is_answered_again_whatever_the_office_says_now(client: Client, own: str):
    plan = a_plan("Well", rules={"flags_none": ["vip"]})
    body, once = {"office": own, "title": "Once", "plan": plan}, {"Idempotency-Key": "once"}
    first = client.done("POST", "/v1/campaigns", body, headers=once)
    client.done("PATCH", f"/v1/offices/{own}", {"flags": {}})
    assert client.done("POST", "/v1/campaigns", body, headers=once) == first


def test_a_plan_is_checked_and_its_texts_are_seen_and_nothing_changes(client: Client, own: str):
    account = {"office": own, "number": "C-7", "customer_name": "Ada <Lovelace>", "currency": "USD"}
    address = client.post("/v1/accounts", account).headers["location"]
    invoice = {"number": "I-7", "issued_on": "2026-01-02", "due_on": "2026-02-02", "amount": usd("1234.50")}
    client.done("POST", f"{address}/invoices", invoice, headers={"Prefer": "wait=5"})
    text = "{{ customer_name }}: {% for i in invoices %}{{ i.number }} {{ i.open|amount('1.234,50') }}{% endfor %}"
    checked = client.done("POST", "/v1/campaigns/check", {"office": own, "plan": a_plan(text)})
    assert checked["faults"] == []
    made_up, real = checked["texts"]
    assert made_up["account"] is None
    assert real["account"] == "C-7"
    assert real["body"].startswith("Ada <Lovelace>: I-7 1.234,50")
    faulty = client.done("POST", "/v1/campaigns/check", {"office": own, "plan": a_plan("{{ x }}")})
    assert (len(faulty["faults"]), faulty["texts"]) == (1, [])
    assert client.get("/v1/campaigns", params={"office": own}).json() == []
    client.refused(404, "POST", "/v1/campaigns/check", {"office": "nowhere", "plan": a_plan("x")})
    launched = client.done("POST", "/v1/campaigns", {"office": own, "title": "Seen", "plan": a_plan(text)})
    seen = client.get(f"/campaigns/{launched['id']}/texts", headers={"Accept": "text/html"})
    assert seen.status_code == 200
    assert "Ada &lt;Lovelace&gt;: I-7 1.234,50" in seen.text
    assert (
        client.get("/campaigns", headers={"Accept": "text/html"}).text.count(f"/campaigns/{launched['id']}/texts") == 1
    )


def test_a_campaign_says_what_it_will_send_and_on_which_day(client: Client, own: str):
    """Before it is launched, in the answer's link afterwards, and on its page."""
    emails = [{"id": "email-1", "address": "ada@example.org"}]
    account = {"office": own, "number": "C-8", "customer_name": "Ada", "currency": "USD", "contact": {"emails": emails}}
    address = client.post("/v1/accounts", account).headers["location"]
    invoice = {"number": "I-8", "issued_on": "2026-01-02", "due_on": "2026-02-02", "amount": usd("70.00")}
    client.done("POST", f"{address}/invoices", invoice, headers={"Prefer": "wait=5"})
    plan = a_plan("You owe {{ amount_due }}")
    before = client.done("POST", "/v1/campaigns/forecast", {"office": own, "plan": plan})
    [day] = before["days"]
    assert (before["messages"], before["accounts_written_to"], before["accounts_owing"]) == (1, 1, 1)
    assert day["steps"] == [{"step": "reminder", "title": "Reminder", "messages": 1}]
    left_alone = {"office": own, "plan": {**plan, "existing": "leave"}}
    assert client.done("POST", "/v1/campaigns/forecast", left_alone)["messages"] == 0

    response = client.post("/v1/campaigns", {"office": own, "title": "Said", "plan": plan})
    where = f"{response.headers['location']}/forecast"
    assert response.headers["link"] == f'<{where}>; rel="describedby"'
    assert client.get(where).json() == before
    page = client.get(where.removeprefix("/v1"), headers={"Accept": "text/html"})
    assert "If nobody pays, it sends 1 message to 1 account" in page.text
    assert f'<th scope="row">{day["day"]}</th>' in page.text
    revised = {**left_alone, "campaign_id": response.json()["id"]}
    assert client.done("POST", "/v1/campaigns/forecast", revised)["messages"] == 0
    assert client.get(response.headers["location"]).json()["plan"]["existing"] == "from-the-start"
    unknown = {**revised, "campaign_id": "00000000-0000-0000-0000-000000000001"}
    client.refused(404, "POST", "/v1/campaigns/forecast", unknown)

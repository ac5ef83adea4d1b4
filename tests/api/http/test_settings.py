"""Offices and campaigns over HTTP: settings that nobody overwrites unseen, pauses, versions."""

from itertools import count

import pytest

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

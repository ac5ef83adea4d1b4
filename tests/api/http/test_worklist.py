"""The worklist by HTTP and page: what is to be done, put off, given to others; closing the day."""

from typing import Any

import pytest

from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client

DANA = {"X-Actor": "dana"}


@pytest.fixture
def task(client: Client, account: str, service: StepByStep) -> str:
    """A follow-up of today that is kim's, as an address."""
    said = {"kind": "task", "direction": "internal", "follow_up_on": "2026-03-16", "assignee": "kim"}
    activity = client.done("POST", f"{account}/activities", said)["id"]
    service.tick()
    return f"{account}/worklist/{activity}"


def listed(client: Client, **asked: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/worklist", params=asked).json()["items"]
    return found


def of_account(rows: list[dict[str, Any]], account: str) -> list[dict[str, Any]]:
    return [row for row in rows if account.endswith(row["account_id"])]


def test_what_is_to_be_done_says_why_it_stands_there(client: Client, task: str, account: str):
    [row] = of_account(listed(client, agent="kim"), account)
    said = ("kind", "says", "what", "due_on", "assignee", "amount", "currency", "score")
    assert {name: row[name] for name in said} == {
        "kind": "follow-up", "says": "Follow up", "what": "task", "due_on": "2026-03-16", "assignee": "kim",
        "amount": "100.00", "currency": "USD", "score": 45,
    }  # fmt: skip
    assert sum(part["points"] for part in row["why"]) == row["score"]
    assert task.endswith(row["item_id"])
    assert of_account(listed(client, agent="kim", kind="complaint"), account) == []
    assert of_account(listed(client, agent="lee"), account) == []


def test_what_is_put_off_or_given_to_somebody_else_leaves_the_list(
    client: Client, task: str, account: str, service: StepByStep
):
    client.done("PUT", f"{task}/assignee", {"assignee": "lee"})
    service.drain()
    assert of_account(listed(client, agent="kim"), account) == []
    [_] = of_account(listed(client, agent="lee"), account)
    assert client.get(account).json()["follow_ups"][0]["assignee"] == "lee"
    assert client.refused(409, "POST", f"{task}/snooze", {"until": "2026-03-16T09:00:00Z", "reason": "lunch"})
    client.done("POST", f"{task}/snooze", {"until": "2026-03-16T18:00:00Z", "reason": "lunch"})
    service.drain()
    assert of_account(listed(client, agent="lee"), account) == []


def test_a_day_is_closed_once_its_contacts_are_documented(client: Client, account: str, service: StepByStep):
    letter = client.done("POST", f"{account}/activities", {"kind": "letter"}, headers=DANA)["id"]
    service.drain()
    problem = client.refused(409, "POST", "/v1/closed-days", {"agent": "dana"}, headers=DANA)
    assert (problem["reason_code"], [each["id"] for each in problem["contacts"]]) == ("contacts-undocumented", [letter])
    client.done("POST", f"{account}/activities/{letter}/correction", {"disposition": "delivered"}, headers=DANA)
    for _ in range(2):
        client.done("POST", "/v1/closed-days", {"agent": "dana"}, headers={**DANA, "Idempotency-Key": "once"})
    service.drain()
    [day] = client.get("/v1/closed-days?agent=dana").json()
    assert {**day, "closed_at": ...} == {
        "office": "main", "agent": "dana", "day": "2026-03-16", "closed_at": ..., "closed_by": "person:dana",
        "contacts": 1, "follow_ups": 0, "remaining": 0,
    }  # fmt: skip
    assert client.get("/v1/audit/" + client.post("/v1/closed-days", {"agent": "dana"}).json()["id"]).json()["items"]


def test_what_nobody_knows_is_refused(client: Client, account: str, service: StepByStep):
    service.drain()
    nothing = f"{account}/worklist/00000000-0000-0000-0000-000000000001"
    client.refused(404, "PUT", f"{nothing}/assignee", {"assignee": "lee"})
    assert "agent: expected one of" in client.refused(422, "POST", "/v1/closed-days", {"agent": "nobody"})["detail"]
    client.refused(404, "POST", "/v1/closed-days", {"agent": "local", "office": "other"})
    assert "kind: expected one of undocumented" in client.refused(422, "GET", "/v1/worklist?kind=x")["detail"]

"""The worklist by HTTP and page: what is to be done, put off, given to others; closing the day."""

from typing import Any

import pytest

from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client
from tests.api.http.test_pages import HTML, page

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
    [day] = client.get("/v1/closed-days?agent=dana").json()["items"]
    assert {**day, "closed_at": ...} == {
        "office": "main", "agent": "dana", "day": "2026-03-16", "closed_at": ..., "closed_by": "person:dana",
        "contacts": 1, "follow_ups": 0, "remaining": 0,
    }  # fmt: skip
    assert client.get("/v1/audit/" + client.post("/v1/closed-days", {"agent": "dana"}).json()["id"]).json()["items"]


def test_what_nobody_knows_is_refused(client: Client, account: str, service: StepByStep):
    service.drain()
    nothing = f"{account}/worklist/00000000-0000-0000-0000-000000000001"
    client.refused(404, "PUT", f"{nothing}/assignee", {"assignee": "lee"})
    assert "agent: expected one of" in client.refused(404, "POST", "/v1/closed-days", {"agent": "nobody"})["detail"]
    client.refused(404, "POST", "/v1/closed-days", {"agent": "local", "office": "other"})
    assert "agent: expected one of" in client.refused(422, "GET", "/v1/closed-days?agent=nobody")["detail"]
    assert "kind: expected one of undocumented" in client.refused(422, "GET", "/v1/worklist?kind=x")["detail"]


# --- the page ----------------------------------------------------------------------------------------


def test_the_page_has_the_list_of_whose_name_it_remembers_and_leads_to_the_next_account(
    client: Client, task: str, account: str, service: StepByStep
):
    where = account.removeprefix("/v1")
    assert "/worklist/next" not in page(client, where).text
    row = next(each for each in listed(client, agent="kim") if task.endswith(each["item_id"]))
    shown = page(client, "/worklist?agent=kim")
    assert [word for word in ("Follow up", "due today", "Next account") if word not in shown.text] == []
    assert row["number"] in shown.text
    assert row["number"] in page(client, "/worklist").text, "whose list it was is remembered"
    followed = client.get("/worklist/next", headers=HTML)
    assert (followed.status_code, followed.headers["location"].startswith("/accounts/")) == (303, True)
    after = client.get(f"/worklist/next?after={row['account_id']}", headers=HTML).headers["location"]
    assert after != where
    links = [attrs.get("href") for tag, attrs in page(client, where).tags if tag == "a"]
    assert f"/worklist/next?after={row['account_id']}" in links
    assert row["number"] not in page(client, "/worklist?agent=lee").text


def test_forms_of_the_page_put_off_give_away_finish_and_close_the_day(
    client: Client, task: str, account: str, service: StepByStep
):
    here = task.removeprefix("/v1/accounts").replace("/worklist", "")
    form = {"Content-Type": "application/x-www-form-urlencoded", **HTML}

    def sent(path: str, said: str, status: int = 303) -> str:
        response = client.post(path, content=said, headers=form)
        assert response.status_code == status, response.text
        return response.text if status != 303 else response.headers["location"]

    assert sent(f"/worklist{here}/assign", "assignee=lee&once=1&back=account") == account.removeprefix("/v1")
    assert "say why" in sent(f"/worklist{here}/snooze", "until=2026-03-17T09:00", 409)
    assert sent(f"/worklist{here}/snooze", "until=2026-03-17T09:00&reason=lunch&once=2") == "/worklist"
    assert of_account(listed(client, agent="lee"), account) == []
    sent(f"/worklist{here}/done", "once=3")
    assert client.get(account).json()["follow_ups"] == []
    said = "kind=task&assignee=lee&follow_up_at=2026-03-16T14:30&once=4"
    sent(account.removeprefix("/v1") + "/contact/activity", said)
    assert "16 Mar 2026, 14:30" in page(client, "/worklist?agent=lee").text
    client.done("POST", f"{account}/activities", {"kind": "letter"}, headers={"X-Actor": "mo"})
    refused = sent("/worklist/closed-days", "agent=mo", 409)
    assert "letter with" in refused
    assert "the day of mo stays open" in refused
    assert "agent: expected one of" in sent("/worklist/closed-days", "agent=nobody", 404)

"""Bulk actions over HTTP: previewed, confirmed exactly as shown, undone; and their page."""

import re
from html import unescape
from io import BytesIO
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from openpyxl import load_workbook

from aggregates.account.bulk_kinds import BULK_KINDS
from aggregates.bulk.schedule import BulkSchedule
from aggregates.office import STANDARD_FREEZE_REASONS
from api.cli.bulk import KINDS
from api.cli.offices import _STANDARD_FREEZE_REASONS
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd

NOW = {"Prefer": "wait=10"}
PAGE = {"Accept": "text/html"}


@pytest.fixture
def number(service: StepByStep, client: Client, account: str) -> str:
    """Of an account that owes something, and is shown."""
    service.drain()
    found: str = client.get(account).json()["number"]
    return found


def previewed(client: Client, number: str, **more: Any) -> str:
    """The address of a bulk action about one account."""
    body = {"accounts": [number], "add": ["vip"], **more}
    return "/v1/bulk/" + str(client.done("POST", "/v1/bulk/flags", body, headers=NOW)["id"])


def test_it_is_previewed_confirmed_and_undone(client: Client, account: str, number: str):
    address = previewed(client, number)
    shown = client.get(address).json()
    assert (shown["state"], shown["accounts"], shown["total"], shown["asked"]) == ("previewed", 1, None, 0)
    client.done("POST", f"{address}/confirmation", headers=NOW)
    assert client.get(account).json()["flags"] == ["vip"]
    (row,) = client.get(f"{address}/rows").json()["items"]
    assert (row["account"], row["outcome"], row["reason"]) == (number, "done", None)
    would = client.get(f"{address}/undo").json()
    assert (would["accounts"], would["counted"], would["can_be_undone"], would["reasons"]) == (1, 1, 1, {})
    assert [(each["account"], each["can_be_undone"]) for each in would["items"]] == [(number, True)]
    assert client.get(f"{address}/undo?kept=true").json()["items"] == []
    client.done("POST", f"{address}/undo", {"reason": "A mistake"}, headers=NOW)
    assert client.get(account).json()["flags"] == []
    assert client.get(address).json()["state"] == "undone"
    again = client.get(f"{address.removeprefix('/v1')}/undo").text
    assert ("On 1 of its accounts it is undone" in again, "Nothing is undone yet" in again) == (True, False)
    assert ('method="post" action="/bulk' in again, "<td data-label" in again) == (False, False)
    assert address.rpartition("/")[2] in {each["id"] for each in client.get("/v1/bulk?office=main").json()["items"]}


def test_what_was_not_reversed_is_asked_again_by_request_and_on_the_page(client: Client, account: str, number: str):
    address = previewed(client, number)
    client.done("POST", f"{address}/confirmation", headers=NOW)
    page, origin = address.removeprefix("/v1"), {"Origin": "http://localhost"}
    assert "Undo the rest" not in client.get(page).text
    client.done("DELETE", f"{account}/flags/vip", headers=NOW)
    for times in (1, 2):
        assert len(client.done("POST", f"{address}/undo", headers=NOW)["event_ids"]) == 1
        shown = client.get(address).json()
        assert (shown["state"], shown["undone"], shown["kept"], times) == ("undone", 0, 1, times)
    assert "Undo the rest" in client.get(page).text
    assert f'method="post" action="{page}/undo"' in client.get(f"{page}/undo").text
    assert client.post(f"{page}/undo", headers=origin, data={"once": "1"}).status_code == 303


def test_the_problem_names_the_accounts_that_changed(client: Client, account: str, number: str):
    address = previewed(client, number)
    client.done("PUT", f"{account}/flags/legal")
    problem = client.refused(409, "POST", f"{address}/confirmation")
    assert (problem["reason_code"], problem["accounts"], problem["accounts_in_all"]) == (
        "changed-since-preview",
        [number],
        1,
    )
    client.done("POST", f"{address}/confirmation", {"without_changed": True}, headers=NOW)
    assert client.get(address).json()["changed"] == 1


def test_the_same_request_twice_is_one_preview(client: Client, number: str):
    key = {**NOW, "Idempotency-Key": f"preview of {number}"}
    one, other = (
        client.done("POST", "/v1/bulk/flags", {"add": ["vip"], "accounts": [number]}, headers=key) for _ in "ab"
    )
    assert one["id"] == other["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "add"),
        ({"add": ["vip"], "remove": ["vip"]}, "add"),
        ({"add": ["vip"], "bucket": "unheard of"}, "bucket"),
        ({"add": ["vip"], "accounts": ["unheard of"]}, "account"),
        ({"add": ["vip"], "accounts": []}, "accounts"),
        ({"add": ["vip"], "min_balance": "much"}, "min_balance"),
        ({"add": ["vip"], "colour": "red"}, "colour"),
    ],
)
@pytest.mark.usefixtures("number")
def test_what_cannot_be_previewed_is_said_by_its_field(client: Client, body: dict[str, Any], field: str):
    problem = client.refused(422, "POST", "/v1/bulk/flags", body)
    assert [each["field"] for each in problem["errors"]] == [field]


def test_people_choose_it_on_the_page_and_confirm_what_they_see(client: Client, account: str, number: str):
    page = client.get(f"/?q={number}").text
    assert f'href="/bulk/new/flags?q={number}"' in page
    new = client.get(f"/bulk/new/flags?q={number}").text
    assert 'name="add.vip"' in new
    origin = {"Origin": "http://localhost"}
    nothing = client.post("/bulk/new/flags", headers=origin, data={"q": number, "office": "main"})
    assert nothing.status_code == 422
    assert "expected at least one flag" in nothing.text
    sent = client.post("/bulk/new/flags", headers=origin, data={"q": number, "office": "main", "add.vip": "on"})
    assert sent.status_code == 303
    address = sent.headers["location"]
    assert number in client.get(address).text
    client.done("PUT", f"{account}/flags/legal", headers=NOW)
    told = client.post(f"{address}/confirmation", headers=origin, data={"once": "1"})
    assert told.status_code == 409
    assert "Do the rest" in told.text
    assert number in told.text


def test_the_page_shows_what_an_undo_would_do_before_it_is_done(client: Client, account: str, number: str):
    address = previewed(client, number)
    page, origin = address.removeprefix("/v1"), {"Origin": "http://localhost"}
    early = client.get(f"{page}/undo")
    assert (early.status_code, "changed nothing" in early.text) == (409, True)
    assert client.refused(409, "GET", f"{address}/undo")["reason_code"] == "bulk-not-done"
    client.done("POST", f"{address}/confirmation", headers=NOW)
    assert f'href="{page}/undo"' in client.get(page).text
    assert "Nothing keeps it from being reversed" in client.get(f"{page}/undo").text
    client.done("DELETE", f"{account}/flags/vip", headers=NOW)
    shown = client.get(f"{page}/undo").text
    assert "changed since: vip" in shown
    assert "<dt>Would not, or not all of it</dt><dd>1</dd>" in shown
    assert client.get(address).json()["state"] == "finished"
    assert client.post(f"{page}/undo", headers=origin, data={"once": "1", "reason": "A mistake"}).status_code == 303
    assert client.get(address).json()["kept"] == 1
    assert f'method="post" action="{page}/undo"' in client.get(f"{page}/undo").text  # of the rest


def test_the_report_is_taken_as_a_workbook_and_who_took_it_is_recorded(client: Client, number: str):
    taken = client.request("POST", "/v1/bulk/export", json={"q": number}, headers={**NOW, "X-Actor": "ada"})
    assert taken.status_code == 200
    sheet: Any = load_workbook(BytesIO(taken.content)).active
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    place = {name: place for place, name in enumerate(rows[0])}
    assert (rows[1][place["number"]], rows[1][place["balance"]], rows[1][place["bucket 31-60"]]) == (number, 150, 100)
    assert (rows[2][0], rows[2][place["balance"]]) == ("Total", 150)
    recorded = client.get(taken.headers["location"]).json()
    said = [recorded[name] for name in ("kind", "state", "accounts", "total", "previewed_by", "filters")]
    assert said == ["export", "finished", 1, "150.00", "person:ada", {"search": True}]
    problem = client.refused(409, "POST", taken.headers["location"] + "/confirmation")
    assert problem["reason_code"] == "bulk-finished"


CALL = {"channel": "portal", "text": "Dear {{ customer_name }}, {{ currency }} {{ amount_due }} is open."}


def test_messages_are_shown_with_their_verdict_and_text_and_are_not_undone(client: Client, account: str, number: str):
    client.done("PUT", f"{account}/flags/cease-contact", headers=NOW)
    body = {"accounts": [number], **CALL}
    address = "/v1/bulk/" + str(client.done("POST", "/v1/bulk/message", body, headers=NOW)["id"])
    shown = client.get(address).json()
    assert (shown["may_leave"], shown["refused_by"], shown["too_long"]) == (0, {"cease": 1}, 0)
    assert client.get("/v1/bulk").json()["items"][0]["refused_by"] is None
    [row] = client.get(f"{address}/rows?rule=cease").json()["items"]
    assert (row["amount"], row["refused_by"], row["too_long"]) == ("100.00", ["cease"], False)
    assert client.get(f"{address}/rows?rule=sms-too-long").json()["items"] == []
    wrong = client.get(f"{address}/rows?rule=ceese")
    assert wrong.status_code == 422
    assert "expected one of cease, sms-too-long" in wrong.json()["errors"][0]["expected"]
    text = client.get(f"{address}/text?account={number}").json()
    assert (text["body"], text["may_leave"]) == ("Dear Ada Lovelace, USD 100.00 is open.", False)
    assert client.refused(404, "GET", f"{address}/text?account=nobody")["reason_code"] == "unknown-account"
    flags = previewed(client, number)
    assert client.refused(409, "GET", f"{flags}/text?account={number}")["reason_code"] == "bulk-without-text"
    client.done("POST", f"{address}/confirmation", headers=NOW)
    [row] = client.get(f"{address}/rows?outcome=refused").json()["items"]
    assert row["reason_code"] == "contact-refused"
    assert client.refused(409, "POST", f"{address}/undo", {})["reason_code"] == "bulk-not-undoable"
    assert client.refused(409, "GET", f"{address}/undo")["reason_code"] == "bulk-not-undoable"


def test_people_write_a_message_see_any_text_and_confirm_it(client: Client, account: str, number: str):
    assert f'href="/bulk/new/message?q={number}"' in client.get(f"/?q={number}").text
    texts = {"en": {"body": "Please call us."}}
    saved = {"office": "main", "name": "call-us", "channel": "portal", "tone": "friendly", "texts": texts}
    client.done("POST", "/v1/templates", saved)
    new = client.get(f"/bulk/new/message?q={number}").text
    assert '<textarea name="text"' in new
    assert "call-us (portal, friendly)" in new
    origin, form = {"Origin": "http://localhost"}, {"q": number, "office": "main", **CALL}
    wrong = client.post("/bulk/new/message", headers=origin, data={**form, "ignore_preferences": "on"})
    assert (wrong.status_code, "expected why preferences are ignored" in wrong.text) == (422, True)
    faulty = client.post("/bulk/new/message", headers=origin, data={**form, "text": "{{ nmae }}"})
    assert (faulty.status_code, "there is no placeholder" in faulty.text) == (409, True)
    sent = client.post("/bulk/new/message", headers=origin, data=form)
    assert sent.status_code == 303
    address = sent.headers["location"]
    page = client.get(address).text
    assert "1 may leave: confirmed now, 1 leave in the first minute, at 60 a minute, the last by " in page
    assert "cannot be undone" in page
    assert "Dear Ada Lovelace" not in page
    assert "Dear Ada Lovelace, USD 100.00 is open." in client.get(f"{address}?text={number}").text
    assert "is not about" in client.get(f"{address}?text=nobody").text
    assert client.post(f"{address}/confirmation", headers=origin, data={"once": "2"}).status_code == 303
    done = client.get(address).text
    assert ">Undo<" not in done
    assert [each["state"] for each in client.get(f"{account}/messages").json()["items"]] == ["sent"]


def test_the_command_line_has_every_kind_with_every_parameter_and_filter():
    assert {name: [each.name for each in kind.parameters] for name, kind in KINDS.items()} == {
        name: list(kind.parameters.model_fields) for name, kind in BULK_KINDS.items()
    }
    assert {*_STANDARD_FREEZE_REASONS} == STANDARD_FREEZE_REASONS.keys()


def test_an_action_on_a_page_with_a_saved_filter_is_about_what_that_shows(
    client: Client, service: StepByStep, number: str
):
    client.done("PUT", "/v1/filters/mine", {"office": "main", "number": number})
    other = {"office": "main", "number": "ELSE-1", "customer_name": "Bert", "currency": "USD"}
    address = f"/v1/accounts/{client.done('POST', '/v1/accounts', other)['id']}"
    owed = {"number": "E-1", "issued_on": "2026-01-01", "due_on": "2026-01-31", "amount": usd("10.00")}
    client.done("POST", f"{address}/invoices", owed)
    service.drain()
    origin = {"Origin": "http://localhost"}
    assert 'name="filter" value="mine"' in client.get("/bulk/new/flags?office=main&filter=mine").text
    said = {"office": "main", "filter": "mine", "add.vip": "on", "once": str(uuid4())}
    sent = client.post("/bulk/new/flags", headers=origin, data=said)
    assert sent.status_code == 303, sent.text
    service.drain()
    assert client.get(f"/v1{sent.headers['location']}").json()["accounts"] == 1


# --- schedules ---------------------------------------------------------------------------------------


def test_a_schedule_that_is_too_large_waits_for_a_person_everywhere(client: Client, service: StepByStep, number: str):
    client.done("PUT", "/v1/filters/one", {"office": "main", "number": number})
    said = {
        "kind": "flags", "parameters": {"add": ["vip"]}, "filter": "one", "every": "day", "most_accounts": 0,
        "most_amount": "10.00",
    }  # fmt: skip
    address = f"/v1/bulk-schedules/{client.done('POST', '/v1/bulk-schedules', said)['id']}"
    service.tick()
    service.drain()
    [run] = client.get(f"{address}/runs").json()["items"]
    assert (run["outcome"], run["accounts"]) == ("waiting", 1)
    schedule = client.get(address).json()
    assert (schedule["last_outcome"], schedule["most_amount"], schedule["every"]) == ("waiting", "10.00", "day")
    kept = service.arrears.load(BulkSchedule, UUID(address.rpartition("/")[2]))
    assert kept.currency == "USD"  # accounts in another one that come later are not meant
    [waits] = client.get("/v1/bulk?waiting=true").json()["items"]
    assert [each["id"] for each in client.get("/v1/worklist").json()["waiting"]] == [waits["id"]] == [run["bulk_id"]]
    html = {"Accept": "text/html"}
    for page, shown in (
        ("/worklist", f"/bulk/{waits['id']}"),
        ("/bulk", "waits for a person"),
        (f"/bulk/{waits['id']}", "waits for a person"),
        ("/bulk/schedules", address.rpartition("/")[2]),
        (address.removeprefix("/v1").replace("bulk-schedules", "bulk/schedules"), "1 accounts, of at most 0"),
        ("/bulk/schedules/new?kind=fees", "most_accounts"),
    ):
        assert shown in client.get(page, headers=html).text, page
    client.done("POST", f"/v1/bulk/{waits['id']}/confirmation")
    service.drain()
    assert client.get("/v1/worklist").json()["waiting"] == []
    assert client.done("POST", f"{address}/cancellation")["event_ids"]
    service.drain()
    assert client.get(address).json()["cancelled_at"] is not None


def test_a_schedule_that_could_not_be_made_is_on_the_worklist_until_it_is_ended(
    client: Client, service: StepByStep, number: str
):
    client.done("PUT", "/v1/filters/gone", {"office": "main", "number": number})
    said = {"kind": "flags", "parameters": {"add": ["vip"]}, "filter": "gone", "every": "day", "most_accounts": 0}
    address = f"/v1/bulk-schedules/{client.done('POST', '/v1/bulk-schedules', said)['id']}"
    client.done("DELETE", "/v1/filters/gone?office=main")
    service.drain()
    assert client.get("/v1/worklist").json()["failed"] == []
    service.tick()
    service.drain()
    [failed] = client.get("/v1/worklist").json()["failed"]
    assert (failed["id"], failed["last_outcome"]) == (address.rpartition("/")[2], "failed")
    assert "gone" in failed["last_detail"]
    assert client.get("/v1/bulk-schedules?failed=true").json()["items"] == [failed]
    assert failed["last_detail"] in unescape(client.get("/worklist", headers={"Accept": "text/html"}).text)
    assert client.get("/v1/worklist?kind=reply").json()["failed"] == []
    client.done("POST", f"{address}/cancellation")
    service.drain()
    assert client.get("/v1/worklist").json()["failed"] == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"every": "week", "on": "31"}, "on"),
        ({"every": "month", "on": "32"}, "on"),
        ({"every": "day", "on": "1"}, "on"),
        ({}, "at"),
        ({"at": "2030-01-01T00:00:00Z", "every": "day"}, "at"),
        ({"at": "2030-01-01T00:00:00Z", "starts_on": "2030-01-01"}, "starts_on"),
        ({"every": "day", "parameters": {"colour": "red"}}, "colour"),
    ],
)
def test_what_makes_no_schedule_names_its_field(client: Client, number: str, wrong: dict[str, Any], field: str):
    said = {"kind": "rollback", "filter": "one", "most_accounts": 1, **wrong}
    problem = client.refused(422, "POST", "/v1/bulk-schedules", said)
    assert problem["errors"][0]["field"] == field


def test_a_filter_and_a_schedule_on_it_are_made_and_ended_on_the_page(client: Client, service: StepByStep, number: str):
    ours = {"Origin": "http://localhost", "Accept": "text/html"}

    def sent(path: str, **fields: str) -> str:
        response = client.request("POST", path, data=fields, headers=ours)
        assert response.status_code == 303, response.text
        service.drain()
        return response.headers["location"]

    sent("/filters", name="shown", number=number, sort="number", dir="asc", columns="number,balance")
    [kept] = [each for each in client.get("/v1/filters").json() if each["name"] == "shown"]
    assert (kept["filters"], kept["sort"], kept["descending"]) == ({"number": number}, "number", False)
    said = {"kind": "rollback", "filter": "shown", "every": "week", "on": "friday", "most_accounts": "5"}
    made = sent("/bulk/schedules/new", **said)
    assert "every week on Friday" in client.get(made, headers=ours).text
    refused = client.request("POST", "/bulk/schedules/new", data={**said, "on": "31"}, headers=ours)
    assert (refused.status_code, "a day of the week" in refused.text) == (422, True)
    sent(f"{made}/cancellation", once=str(uuid4()))
    assert "ended by" in client.get(made, headers=ours).text
    sent("/filters/removal", name="shown")
    assert "shown" not in [each["name"] for each in client.get("/v1/filters").json()]


def test_the_report_has_the_rollback_of_what_is_frozen_beside_it(
    client: Client, service: StepByStep, account: str, number: str
):
    assert "Roll back" not in client.get(f"/?number={number}", headers=PAGE).text
    assert client.put(f"{account}/freeze", {"code": "moved"}).is_success
    service.drain()
    page = client.get(f"/?number={number}", headers=PAGE).text
    [link] = re.findall(r'<a href="([^"]+)" aria-label="Roll back', page)
    assert ">Action</th>" in page
    form = unescape(client.get(unescape(link), headers=PAGE).text)
    assert f'name="number" value="{number}"' in form
    client.request("DELETE", f"{account}/freeze")
    service.drain()
    assert "Roll back" not in client.get(f"/?number={number}", headers=PAGE).text


def test_a_subscription_is_frozen_and_rolled_back_by_itself(
    client: Client, service: StepByStep, account: str, number: str
):
    def status() -> dict[str, str]:
        return {each["number"]: each["status"] for each in client.get(account).json()["subscriptions"]}

    for each in ("S-1", "S-2"):
        assert client.post(f"{account}/subscriptions", {"number": each}).is_success
    one = f"{account}/subscriptions/S-1/freeze"
    assert client.put(one, {"code": "moved", "reason": "as they wrote"}).is_success
    assert status() == {"S-1": "frozen", "S-2": "active"}
    assert client.put(one, {"code": "other"}).json()["reason_code"] == "frozen-already"
    assert client.put(f"{account}/subscriptions/S-9/freeze", {"code": "moved"}).status_code == 404
    service.drain()
    row = client.get(f"/v1/report/collections?number={number}&frozen_subscription=yes").json()["items"][0]
    assert (row["frozen_subscriptions"], row.get("frozen")) == (["S-1"], None)
    assert client.put(f"{account}/freeze", {"code": "moved"}).is_success
    assert status() == {"S-1": "frozen", "S-2": "frozen"}
    said = {"number": "S-2", "cancelled_on": "2026-03-01"}
    assert client.post(f"{account}/subscriptions", said).is_success
    assert client.request("DELETE", f"{account}/freeze").is_success
    assert status() == {"S-1": "frozen", "S-2": "cancelled"}
    assert client.request("DELETE", one).is_success
    assert status() == {"S-1": "active", "S-2": "cancelled"}
    late = client.put(f"{account}/subscriptions/S-2/freeze", {"code": "moved"})
    assert late.json()["reason_code"] == "subscription-cancelled"
    wrong = client.post(f"{account}/subscriptions", {**said, "reinstated": True})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "reinstated")
    assert client.post(f"{account}/subscriptions", {"number": "S-2", "reinstated": True}).is_success
    assert status() == {"S-1": "active", "S-2": "active"}
    service.drain()
    done = client.get(f"{account}/activity?type=freeze").json()["items"]
    assert "Subscription S-2 left as it is: cancelled" in [each["summary"] for each in done]


@pytest.mark.parametrize("number", ["S/1", "a/freeze", "S 1", "Ü-1", "S%2F"])
def test_any_number_of_a_subscription_can_be_in_an_address(client: Client, account: str, number: str):
    assert client.post(f"{account}/subscriptions", {"number": number}).is_success
    address = f"{account}/subscriptions/{quote(number, safe='')}/freeze"
    assert client.put(address, {"code": "moved"}).is_success
    assert [each["status"] for each in client.get(account).json()["subscriptions"]] == ["frozen"]
    assert client.request("DELETE", address).is_success
    assert [each["status"] for each in client.get(account).json()["subscriptions"]] == ["active"]


def test_a_subscription_is_frozen_on_the_accounts_page(client: Client, service: StepByStep, account: str, number: str):
    own = account.removeprefix("/v1")
    ours = {"Origin": "http://localhost", "Accept": "text/html"}
    assert client.post(f"{account}/subscriptions", {"number": "S-1"}).is_success

    def sent(**fields: str) -> str:
        form = {"once": str(uuid4()), "number": "S-1", **fields}
        assert client.request("POST", f"{own}/subscriptions/freeze", data=form, headers=ours).status_code == 303
        service.drain()
        return client.get(f"{own}?tab=subscriptions", headers=ours).text

    page = sent(code="moved")
    assert "Roll back subscription S-1" in page
    assert "frozen since" in page
    assert f'href="{own}?tab=subscriptions"' in client.get(f"/?number={number}", headers=ours).text
    again = {"once": str(uuid4()), "number": "S-1", "code": ""}
    assert client.request("POST", f"{own}/subscriptions/freeze", data=again, headers=ours).status_code == 422
    assert "Freeze subscription S-1" in sent(status="active")
    assert "Frozen subscriptions of" not in client.get(f"/?number={number}", headers=ours).text

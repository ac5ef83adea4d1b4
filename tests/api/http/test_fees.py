"""Fees over HTTP and on pages: shown before they are made, added singly by the same rules, and let off."""

from typing import Any

import pytest

from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd

NOW = {"Prefer": "wait=10"}
ORIGIN = {"Origin": "http://localhost"}
FIXED = {"basis": "fixed", "amount": "10.00", "service_type": "late-fee"}


@pytest.fixture
def number(service: StepByStep, client: Client, account: str) -> str:
    """Of an account that owes 150.00, and is shown."""
    service.drain()
    found: str = client.get(account).json()["number"]
    return found


def fees(client: Client, account: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{account}/fees").json()
    return found


def test_a_bulk_action_shows_the_fees_and_makes_just_those(client: Client, account: str, number: str):
    body = {"basis": "invoice-total-percent", "percent": "1.5", "service_type": "late-fee", "accounts": [number]}
    address = "/v1/bulk/" + str(client.done("POST", "/v1/bulk/fees", body, headers=NOW)["id"])
    found = client.get(address).json()
    said = [found[name] for name in ("kind", "state", "accounts", "currency")]
    assert said == ["fees", "previewed", 1, "USD"]
    (row,) = client.get(f"{address}/rows").json()["items"]
    assert (row["account"], row["amount"], row["outcome"], row["reason"]) == (number, found["total"], None, None)
    client.done("POST", f"{address}/confirmation", headers=NOW)
    (fee,) = fees(client, account)
    assert (fee["amount"], fee["open"], fee["basis"]) == (found["total"], found["total"], "invoice-total-percent")
    assert [line["amount"] for line in fee["lines"]] == [line[2] for line in row["expected"]["lines"]]
    client.done("POST", f"{address}/undo", {"reason": "A mistake"}, headers=NOW)
    assert [(each["withdrawn"], each["open"]) for each in fees(client, account)] == [(True, "0.00")]


def test_a_fee_of_one_account_is_added_by_the_same_rules_and_waived_with_a_reason(
    client: Client, account: str, number: str
):
    key = {**NOW, "Idempotency-Key": f"fee of {number}"}
    for _ in "ab":
        client.done("POST", f"{account}/fees", FIXED, headers=key)
    (fee,) = fees(client, account)
    assert (fee["amount"], fee["lines"]) == ("10.00", [{"source": None, "base": "150.00", "amount": "10.00"}])
    slash = client.refused(404, "POST", f"{account}/fees/F%2F1/waiver", {"reason": "Goodwill"}, headers=NOW)
    assert slash["reason_code"] == "unknown-invoice"
    waiver = f"{account}/fees/{fee['number']}/waiver"
    assert client.refused(409, "POST", waiver, {})["reason_code"] == "reason-required"
    client.done("POST", waiver, {"reason": "Goodwill"}, headers=NOW)
    assert fees(client, account)[0]["open"] == "0.00"
    assert client.get(account).json()["balance"] == usd("150.00")


def test_where_there_is_nothing_to_take_it_of_that_is_said(client: Client, account: str, number: str):
    assert number
    told = client.refused(409, "POST", f"{account}/fees", {**FIXED, "basis": "initial-discount-percent",
                                                           "amount": None, "percent": "5"})  # fmt: skip
    assert told["reason_code"] == "no-fee"
    wrong = client.refused(422, "POST", f"{account}/fees", {**FIXED, "percent": "5"})
    assert [each["field"] for each in wrong["errors"]] == ["percent"]


def test_people_see_the_fees_before_they_are_made_and_add_or_waive_one_on_the_accounts_page(
    client: Client, account: str, number: str
):
    new = client.get(f"/bulk/new/fees?q={number}").text
    assert 'value="late-fee"' in new
    assert "Proceed to verification" in new
    form = {"q": number, "office": "main", **FIXED, "include_disputed": "on"}
    sent = client.post("/bulk/new/fees", headers=ORIGIN, data=form)
    assert sent.status_code == 303, sent.text
    page = client.get(sent.headers["location"]).text
    assert "Fees to apply" in page
    assert "10.00" in page
    own = account.replace("/v1", "")
    form = {"basis": "balance-percent", "much": "5", "service_type": "late-fee", "once": "1"}
    assert client.post(f"{own}/fees", headers=ORIGIN, data=form).status_code == 303
    (fee,) = fees(client, account)
    assert fee["number"] in client.get(f"{own}?tab=payments").text
    form = {"fee": fee["number"], "reason": "Goodwill", "once": "2"}
    assert client.post(f"{own}/fees/waiver", headers=ORIGIN, data=form).status_code == 303
    assert fees(client, account)[0]["open"] == "0.00"
    told = client.post(f"{own}/fees", headers=ORIGIN, data={"basis": "fixed", "much": "0", "service_type": "late-fee"})
    assert (told.status_code, "more than zero" in told.text) == (422, True)


def test_what_allows_fees_is_recorded_on_the_accounts_page(client: Client, account: str):
    own = account.replace("/v1", "")
    for ground, shown in (("law", 'value="law" selected'), ("", '<option value="">Nothing')):
        form = {"ground": ground, "once": f"ground-{ground}"}
        assert client.post(f"{own}/fee-ground", headers=ORIGIN, data=form).status_code == 303
        seen = client.get(f"{own}?tab=payments").text
        assert (shown in seen, 'value="law" selected' in seen) == (True, ground == "law")
    assert client.post(f"{own}/fee-ground", headers=ORIGIN, data={"ground": "a wish"}).status_code == 422


def test_a_subscription_is_recorded_on_the_accounts_page_and_what_is_left_out_stays(client: Client, account: str):
    own, form = account.replace("/v1", ""), {"number": "S-1", "services_agreed": "10", "initial_discount": "12.50"}
    assert client.post(f"{own}/subscriptions", headers=ORIGIN, data={**form, "once": "s1"}).status_code == 303
    more = {"number": "S-1", "services_done": "4", "started_on": "2026-01-31", "once": "s2"}
    assert client.post(f"{own}/subscriptions", headers=ORIGIN, data=more).status_code == 303
    [found] = client.get(account).json()["subscriptions"]
    assert (found["services_agreed"], found["services_done"], found["started_on"]) == (10, 4, "2026-01-31")
    assert found["initial_discount"] == {"amount": "12.50", "currency": "USD"}
    assert "4 of 10 services done" in client.get(f"{own}?tab=subscriptions").text
    wrong = client.post(f"{own}/subscriptions", headers=ORIGIN, data={**form, "services_agreed": "many"})
    assert (wrong.status_code, "expected a number" in wrong.text) == (422, True)

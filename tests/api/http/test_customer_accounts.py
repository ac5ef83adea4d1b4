"""A customer's accounts, over HTTP and on their pages: found by the customer's number, and leading to each other."""

from typing import Any

import pytest

from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd
from tests.api.http.test_pages import HTML, page


@pytest.fixture(scope="module")
def accounts(client: Client, service: StepByStep, office: str) -> dict[str, str]:
    """Ids by name: in dollars, in euros, of another number, and of the same number in another office."""
    client.done("POST", "/v1/offices", {"code": "north", "title": "North", "currency": "USD", "time_zone": "UTC"})
    found = {}
    for name, body in {
        "C-1": {"number": "C-1", "currency": "USD"},
        "C-1/EUR": {"number": "C-1", "currency": "EUR"},
        "C-2": {"number": "C-2", "currency": "USD", "customer_number": "C-1"},
        "north": {"number": "C-1", "currency": "USD", "office": "north"},
        "alone": {"number": "C-3", "currency": "USD"},
    }.items():
        opened = client.done("POST", "/v1/accounts", {"office": office, "customer_name": "Ada", **body})
        found[name] = str(opened["id"])
    service.wait_until_shown()
    return found


def numbers(client: Client, **asked: str) -> list[str]:
    return [str(each["number"]) for each in listed(client, **asked)["items"]]


def listed(client: Client, **asked: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/v1/accounts", params=asked).json()
    return answer


def test_accounts_are_listed_by_the_number_of_their_customer(client: Client, accounts: dict[str, str]):
    rows = listed(client, customer="C-1", office="main")["items"]
    names = ("C-1", "C-1/EUR", "C-2")
    assert [(row["number"], row["account_id"], row["currency"]) for row in rows] == [
        (name, accounts[name], currency) for name, currency in zip(names, ("USD", "EUR", "USD"), strict=True)
    ]
    assert numbers(client, customer=" C-1 ") == ["C-1", "C-1", "C-1/EUR", "C-2"]
    assert numbers(client, customer="C-3") == ["C-3"]
    assert numbers(client, customer="C-2") == [], "an account's number is not its customer's where another is said"
    assert numbers(client, customer="C-1", office="north") == ["C-1"]
    assert numbers(client, customer="C-1", number="C-2") == ["C-2"]


def test_a_customer_s_accounts_come_in_pages_of_that_question(client: Client, accounts: dict[str, str]):
    first = listed(client, customer="C-1", office="main", limit="2")
    assert [each["number"] for each in first["items"]] == ["C-1", "C-1/EUR"]
    assert numbers(client, customer="C-1", office="main", limit="2", cursor=first["next"]) == ["C-2"]
    other = {"customer": "C-3", "office": "main", "limit": "2", "cursor": first["next"]}
    assert client.get("/v1/accounts", params=other).status_code == 422


def test_an_account_that_left_its_customer_is_not_listed_any_more(client: Client, service: StepByStep, office: str):
    body = {"office": office, "customer_name": "Bo", "currency": "USD"}
    client.done("POST", "/v1/accounts", {**body, "number": "L-1"})
    client.done("POST", "/v1/accounts", {**body, "number": "L-2", "customer_number": "L-1"})
    client.done("POST", "/v1/accounts", {**body, "number": "L-2", "customer_number": "L-9"})
    service.wait_until_shown()
    assert (numbers(client, customer="L-1"), numbers(client, customer="L-9")) == (["L-1"], ["L-2"])


def test_an_account_answers_with_the_others_of_its_customer(client: Client, accounts: dict[str, str]):
    answer = client.get(f"/v1/accounts/{accounts['C-1/EUR']}").json()
    assert (answer["number"], answer["customer_number"], answer["currency"]) == ("C-1/EUR", "C-1", "EUR")
    assert answer["accounts"] == [{"id": accounts[n], "number": n, "currency": "USD"} for n in ("C-1", "C-2")]
    alone = client.get(f"/v1/accounts/{accounts['alone']}").json()
    assert not {"accounts", "customer_number"} & alone.keys()


def test_the_pages_of_a_customer_s_accounts_lead_to_each_other(client: Client, accounts: dict[str, str]):
    ours = ("C-1", "C-1/EUR", "C-2")
    for name in ours:
        seen = page(client, f"/accounts/{accounts[name]}")
        linked = [attrs.get("href") for tag, attrs in seen.tags if tag == "a"]
        assert name in seen.text
        assert "Other accounts of customer C-1" in seen.text
        for other, account in accounts.items():
            assert (f"/accounts/{account}" in linked) == (other in ours and other != name), other
    assert "Other accounts" not in page(client, f"/accounts/{accounts['alone']}").text


def test_the_page_transfers_between_accounts_in_another_currency_and_refuses_other_money(
    client: Client, accounts: dict[str, str], office: str
):
    opened = {"office": office, "number": "C-4", "customer_name": "Bo", "currency": "EUR"}
    theirs = client.done("POST", "/v1/accounts", opened)["id"]
    address = f"/v1/accounts/{accounts['C-1/EUR']}"
    money = {"amount": "40.00", "currency": "EUR"}
    client.done("POST", f"{address}/payments", {"number": "P-1", "amount": money, "received_on": "2026-03-11"})
    asked = {"to_account_id": accounts["C-1"], "transferred_on": "2026-03-12", "reason": "theirs"}
    refused = client.refused(409, "POST", f"{address}/payments/P-1/transfers", asked)
    assert (refused["reason_code"], "account C-1 is in USD" in refused["detail"]) == ("wrong-currency", True)
    fields = {"payment": "P-1", "on": "2026-03-12", "reason": "theirs", "do": "transfer"}
    own = f"/accounts/{accounts['C-1/EUR']}"
    done = client.request("POST", f"{own}/transfers", data={**fields, "to": "C-4/EUR", "amount": "10"}, headers=HTML)
    assert done.status_code == 303, done.text
    by_number = {**fields, "to": "C-4", "amount": "5"}
    assert client.request("POST", f"{own}/transfers", data=by_number, headers=HTML).status_code == 303
    to_dollars = client.request("POST", f"{own}/transfers", data={**fields, "to": "C-2"}, headers=HTML)
    assert (to_dollars.status_code, "account C-2 is in USD" in to_dollars.text) == (409, True)
    assert "to account C-4/EUR" in page(client, f"{own}?tab=payments").text
    assert "from account C-1/EUR" in page(client, f"/accounts/{theirs}?tab=payments").text
    [sent] = client.get(f"{address}/payments").json()
    assert [(each["account_number"], each["number"]) for each in sent["transferred_to"]] == [
        ("C-4/EUR", "P-1/C-1/EUR"),
        ("C-4/EUR", "P-1/C-1/EUR/2"),
    ]
    for there in client.get(f"/v1/accounts/{theirs}/payments").json():
        source = {"account_id": accounts["C-1/EUR"], "account_number": "C-1/EUR", "number": "P-1"}
        assert there["transferred_from"] == source


def test_a_balance_in_another_currency_is_that_account_s(client: Client, accounts: dict[str, str]):
    address = f"/v1/accounts/{accounts['C-2']}"
    invoice = {"number": "I-1", "issued_on": "2026-01-01", "due_on": "2026-01-31", "amount": usd("9.00")}
    client.done("POST", f"{address}/invoices", invoice)
    refused = client.refused(409, "POST", f"/v1/accounts/{accounts['C-1/EUR']}/invoices", invoice)
    assert refused["reason_code"] == "wrong-currency"

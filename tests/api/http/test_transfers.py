"""Payments between accounts, over HTTP and on the account's page."""

import html
from typing import Any

import pytest

from tests.api.http.client import Client, usd

HTML = {"Accept": "text/html"}


@pytest.fixture
def debtor(client: Client, office: str, account: str) -> dict[str, Any]:
    """Another account of the office; the first one has a payment of 40 dollars that waits for its invoice."""
    opened = {"office": office, "number": f"D-{account[-6:]}", "customer_name": "Bo", "currency": "USD"}
    made = client.done("POST", "/v1/accounts", opened)
    payment = {"number": "P-1", "amount": usd("40.00"), "received_on": "2026-03-11", "invoice_number": "INV-9"}
    client.done("POST", f"{account}/payments", payment)
    return {"id": made["id"], "number": opened["number"], "address": f"/v1/accounts/{made['id']}"}


def balance(client: Client, address: str) -> str:
    return str(client.get(address).json()["balance"]["amount"])


def test_a_transfer_is_seen_on_both_accounts_and_withdrawn(client: Client, account: str, debtor: dict[str, Any]):
    asked = {"to_account_id": debtor["id"], "transferred_on": "2026-03-12", "amount": usd("25.00"), "reason": "theirs"}
    seen = {"Prefer": "wait=5"}
    done = client.request("POST", f"{account}/payments/P-1/transfers", json=asked, headers=seen)
    assert done.status_code == 201, done.text
    [sent] = client.get(f"{account}/payments").json()
    [received] = client.get(f"{debtor['address']}/payments").json()
    number = client.get(account).json()["number"]
    assert (sent["unapplied"]["amount"], "transferred_from" in sent) == ("15.00", False)
    [there] = sent["transferred_to"]
    assert (there["account_number"], there["number"]) == (debtor["number"], f"P-1/{number}")
    assert (there["amount"]["amount"], there["transferred_on"]) == ("25.00", "2026-03-12")
    assert received["transferred_from"]["account_number"] == number
    assert (balance(client, account), balance(client, debtor["address"])) == ("135.00", "-25.00")
    for address, said in (
        (account, f"25.00 USD of payment P-1 transferred to account {debtor['number']}, payment P-1/{number}"),
        (debtor["address"], f"Payment P-1/{number} of 25.00 USD received: transferred from account {number}"),
    ):
        rows = client.get(f"{address}/activity").json()["items"]
        assert any(said in row["summary"] for row in rows), rows
    client.done("POST", f"{debtor['address']}/payments/P-1%2F{number}/withdrawal", {"reason": "not theirs"})
    assert (balance(client, account), balance(client, debtor["address"])) == ("110.00", "0.00")
    assert "transferred_to" not in client.get(f"{account}/payments").json()[0]


def test_a_payment_is_moved(client: Client, account: str, debtor: dict[str, Any]):
    client.done("POST", f"{account}/payments/P-1/move", {"to_account_id": debtor["id"], "reason": "mistyped"})
    assert (balance(client, account), balance(client, debtor["address"])) == ("150.00", "-40.00")
    refused = client.refused(
        409, "POST", f"{account}/payments/P-1/move", {"to_account_id": debtor["id"], "reason": "again"}
    )
    assert refused["reason_code"] == "payment-reversed"


def test_the_page_transfers_and_moves(client: Client, account: str, debtor: dict[str, Any]):
    page = account.removeprefix("/v1")
    fields = {"payment": "P-1", "to": debtor["number"], "amount": "10", "on": "2026-03-12", "reason": "theirs"}
    done = client.request("POST", f"{page}/transfers", data={**fields, "do": "transfer"}, headers=HTML)
    assert done.status_code == 303, done.text
    assert debtor["number"] in client.get(f"{page}?tab=payments", headers=HTML).text
    theirs = debtor["address"].removeprefix("/v1")
    assert "from account" in client.get(f"{theirs}?tab=payments", headers=HTML).text
    refused = client.request("POST", f"{page}/transfers", data={**fields, "do": "move"}, headers=HTML)
    assert refused.status_code == 409
    assert "withdraw" in html.unescape(refused.text)


@pytest.mark.parametrize(
    ("field", "value", "status", "said"),
    [
        ("amount", "40.01", 409, "at most 40.00 USD"),
        ("amount", "x", 422, "expected a decimal string"),
        ("to", "nobody", 404, "no such account"),
        ("on", "", 422, "a day such as"),
        ("reason", "", 409, "needs a reason"),
    ],
)
def test_what_is_wrong_with_it_is_said_above_the_form(
    *, client: Client, account: str, debtor: dict[str, Any], field: str, value: str, status: int, said: str
):
    page = account.removeprefix("/v1")
    fields = {"payment": "P-1", "to": debtor["number"], "amount": "10", "on": "2026-03-12", "reason": "theirs"}
    answer = client.request("POST", f"{page}/transfers", data={**fields, "do": "transfer", field: value}, headers=HTML)
    assert answer.status_code == status, answer.text
    assert said in html.unescape(answer.text)
    assert balance(client, debtor["address"]) == "0.00"

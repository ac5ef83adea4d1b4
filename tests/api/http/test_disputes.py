"""Disputes over HTTP and on the account's page: of whole invoices, and of parts of them."""

import html

import httpx
import pytest

from tests.api.http.client import Client, usd

HTML = {"Accept": "text/html"}


def disputed(client: Client, account: str) -> dict[str, str]:
    items = client.get(account).json()["open_items"]
    return {item["number"]: item.get("disputed_amount", item["open"])["amount"] for item in items if item["disputed"]}


def dispute(client: Client, account: str, **said: object) -> str:
    body = {"reason_code": "wrong-amount", **said}
    return str(client.done("POST", f"{account}/disputes", body, headers={"Prefer": "wait=5"})["id"])


def test_a_part_of_one_invoice_and_all_of_another_are_disputed_until_that_is_resolved(client: Client, account: str):
    opened = dispute(client, account, invoice_numbers=["INV-2"], invoices=[{"number": "INV-1", "amount": usd("20.00")}])
    assert disputed(client, account) == {"INV-1": "20.00", "INV-2": "50.00"}
    [shown] = client.get(account).json()["disputes"]
    assert (shown["id"], len(shown["item_ids"])) == (opened, 2)
    [part] = shown["parts"]
    assert (part["item_id"] in shown["item_ids"], part["amount"]) == (True, usd("20.00"))
    [row] = [r for r in client.get(f"{account}/audit").json()["items"] if r["event_name"] == "account.dispute-opened"]
    assert row["summary"] == "Dispute opened over 2 items, 1 of them in part (20.00 USD): wrong-amount"

    client.done("POST", f"{account}/disputes/{opened}/resolution", {"resolution": "unfounded"})
    assert disputed(client, account) == {}


def test_a_request_of_earlier_is_about_whole_invoices(client: Client, account: str):
    dispute(client, account, invoice_numbers=["INV-1"])
    assert disputed(client, account) == {"INV-1": "100.00"}
    assert "parts" not in client.get(account).json()["disputes"][0]
    assert all("disputed_amount" not in item for item in client.get(account).json()["open_items"])


def test_an_invoice_without_an_amount_is_disputed_whole(client: Client, account: str):
    dispute(client, account, invoices=[{"number": "INV-1"}])
    assert disputed(client, account) == {"INV-1": "100.00"}


@pytest.mark.parametrize(
    ("invoices", "status", "said"),
    [
        ([{"number": "INV-1", "amount": usd("100.01")}], 409, "expected at most 100.00 USD"),
        ([{"number": "INV-1", "amount": usd("0.00")}], 422, "expected more than zero"),
        ([{"number": "INV-1", "amount": {"amount": "1.00", "currency": "EUR"}}], 409, "USD"),
        ([{"number": "INV-1", "amount": 20}], 422, "amount"),
        ([{"number": "INV-1"}, {"number": "INV-1", "amount": usd("1.00")}], 422, "each invoice once"),
        ([{"amount": usd("1.00")}], 422, "number"),
    ],
)
def test_what_is_wrong_with_a_part_is_said(
    client: Client, account: str, invoices: list[object], status: int, said: str
):
    body = {"reason_code": "wrong-amount", "invoices": invoices}
    assert said in str(client.refused(status, "POST", f"{account}/disputes", body))
    assert disputed(client, account) == {}


def test_a_backdated_one_by_its_name_holds_from_that_day(client: Client, account: str):
    client.done("POST", f"{account}/payments", {"number": "P", "amount": usd("90.00"), "received_on": "2026-03-16"})
    body = {
        "account_id": account.rpartition("/")[2],
        "invoices": [{"number": "INV-1", "amount": usd("30.00")}],
        "reason_code": "wrong-amount",
    }
    client.done("POST", "/v1/commands", {"name": "open-dispute", "body": body, "effective_on": "2026-03-15"})
    assert disputed(client, account) == {"INV-1": "30.00"}
    items = client.get(account).json()["open_items"]
    assert {item["number"]: item["open"]["amount"] for item in items} == {"INV-1": "30.00", "INV-2": "30.00"}


# --- on the page ---


def sent(client: Client, account: str, what: str = "disputes", **fields: str) -> httpx.Response:
    return client.request("POST", f"{account.removeprefix('/v1')}/{what}", data=fields, headers=HTML)


def test_the_page_opens_a_dispute_of_a_part_shows_it_and_ends_it(client: Client, account: str):
    page = account.removeprefix("/v1")
    said = {"invoice": "INV-1", "amount": "20.00", "code": "wrong-amount", "notes": "twice on the bill"}
    done = sent(client, account, **said)
    assert (done.status_code, done.headers["location"]) == (303, f"{page}?tab=overview")
    shown = client.get(page, headers=HTML).text
    assert '<span class="flag">20.00 disputed</span>' in shown
    assert "1 item, in part: 20.00</dd>" in shown
    [opened] = client.get(account).json()["disputes"]
    assert sent(client, account, "disputes/resolution", dispute=opened["id"], resolution="unfounded").status_code == 303
    assert disputed(client, account) == {}
    assert "How it ended" not in client.get(page, headers=HTML).text


def test_the_page_says_by_when_and_for_whom_it_ends_and_credits_it(client: Client, account: str):
    said = {"invoice": "INV-1", "amount": "20.00", "code": "quality", "assignee": "kim", "answer_by": "2026-03-20"}
    assert sent(client, account, **said).status_code == 303
    assert "to be resolved by 20 Mar 2026" in client.get(account.removeprefix("/v1"), headers=HTML).text
    [opened] = client.get(account).json()["disputes"]
    over = {"dispute": opened["id"], "resolution": "agreed", "side": "customer", "credit": f"CR-{opened['id'][:8]}"}
    assert sent(client, account, "disputes/resolution", **over).status_code == 303
    [row] = client.get(f"{account}/disputes").json()
    assert (row["title"], row["assignee"], row["in_favour_of"]) == ("Quality", "kim", "customer")
    items = client.get(account).json()["open_items"]
    assert {item["number"]: item["open"]["amount"] for item in items}["INV-1"] == "80.00"


def test_without_an_amount_the_page_disputes_all_of_it(client: Client, account: str):
    assert sent(client, account, invoice="INV-2", amount="", code="other").status_code == 303
    assert disputed(client, account) == {"INV-2": "50.00"}
    shown = client.get(account.removeprefix("/v1"), headers=HTML).text
    assert '<span class="flag">disputed</span>' in shown


@pytest.mark.parametrize(
    ("what", "fields", "status", "said"),
    [
        ("disputes", {"amount": "100.01"}, 409, "at most 100.00 USD"),
        ("disputes", {"amount": "0"}, 422, "more than zero"),
        ("disputes", {"amount": "a lot"}, 422, "expected a decimal string"),
        ("disputes", {"code": "Not a code"}, 422, "reason_code"),
        ("disputes", {"invoice": "nobody's"}, 409, "nobody's"),
        ("disputes/resolution", {"dispute": "x", "resolution": "unfounded"}, 422, "dispute_id"),
        (
            "disputes/resolution",
            {"dispute": "00000000-0000-0000-0000-000000000001", "resolution": "unfounded"},
            404,
            "no such dispute",
        ),
    ],
)
def test_what_is_wrong_is_said_above_the_form_and_nothing_changes(
    *, client: Client, account: str, what: str, fields: dict[str, str], status: int, said: str
):
    given = {"invoice": "INV-1", "amount": "20.00", "code": "wrong-amount", **fields}
    answer = sent(client, account, what, **given)
    assert answer.status_code == status, answer.text
    assert '<p class="note bad" role="alert">' in answer.text
    assert said in html.unescape(answer.text)
    assert disputed(client, account) == {}


def test_a_past_day_offers_no_form(client: Client, account: str):
    page = account.removeprefix("/v1")
    assert "They dispute it" in client.get(page, headers=HTML).text
    assert "They dispute it" not in client.get(f"{page}?as_of=2026-03-15", headers=HTML).text

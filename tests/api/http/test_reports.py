"""Reports over HTTP: of today, of a past day, filtered, sorted, and paged without skipping or repeating."""

import re
from decimal import Decimal
from typing import Any

import pytest

from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd

ACCOUNTS = 23


@pytest.fixture(scope="module")
def portfolio(client: Client, service: StepByStep, office: str) -> dict[str, str]:
    """Accounts by number. Number n owes n × 10.00, due on 31 January; the even ones paid 5.00 in March."""
    accounts = {}
    for n in range(1, ACCOUNTS + 1):
        number = f"P-{n:02}"
        body = {"office": office, "number": number, "customer_name": f"Customer {n % 3}", "currency": "USD"}
        accounts[number] = client.done("POST", "/v1/accounts", body)["id"]
        address = f"/v1/accounts/{accounts[number]}"
        invoice = {"number": number, "issued_on": "2026-01-05", "due_on": "2026-01-31", "amount": usd(f"{n}0.00")}
        client.done("POST", f"{address}/invoices", invoice)
        if n % 2 == 0:
            payment = {"number": number, "amount": usd("5.00"), "received_on": "2026-03-02"}
            client.done("POST", f"{address}/payments", payment)
    service.tick()  # buckets are of the day that it is
    return accounts


def every_page(client: Client, path: str, **asked: Any) -> list[dict[str, Any]]:
    rows, cursor = [], None
    while True:
        page = client.get(path, params={**asked, "limit": 5, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["items"]) <= 5
        rows += page["items"]
        cursor = page["next"]
        if cursor is None:
            return rows


@pytest.mark.parametrize(
    "sort",
    [
        "balance",
        "outstanding",
        "past_due",
        "days_past_due",
        "number",
        "customer_name",
        "stage",
        "next_action",
        "last_payment",
    ],
)
@pytest.mark.parametrize("descending", [True, False])
def test_pages_neither_skip_nor_repeat(client: Client, portfolio: dict[str, str], sort: str, descending: bool):
    rows = every_page(client, "/v1/report/collections", sort=sort, descending=descending)
    assert sorted(row["number"] for row in rows) == sorted(portfolio)


@pytest.mark.parametrize("sort", ["balance", "days_past_due", "customer_name", "stage", "next_action", "last_payment"])
def test_pages_of_a_past_day_neither_skip_nor_repeat(client: Client, portfolio: dict[str, str], sort: str):
    rows = every_page(client, "/v1/report/collections", sort=sort, as_of="2026-02-15")
    assert sorted(row["number"] for row in rows) == sorted(portfolio)


def test_rows_are_in_the_order_that_was_asked(client: Client, portfolio: dict[str, str]):
    balances = [Decimal(row["balance"]) for row in every_page(client, "/v1/report/collections", sort="balance")]
    assert balances == sorted(balances, reverse=True)


def test_a_cursor_stays_good_while_accounts_change(client: Client, service: StepByStep, portfolio: dict[str, str]):
    asked = {"sort": "number", "descending": False, "limit": 5}
    first = client.get("/v1/report/collections", params=asked).json()
    client.done("POST", f"/v1/accounts/{portfolio['P-01']}/activities", {"kind": "note", "notes": "called"})
    service.wait_until_shown()
    second = client.get("/v1/report/collections", params={**asked, "cursor": first["next"]}).json()
    assert [row["number"] for row in second["items"]] == [f"P-{n:02}" for n in range(6, 11)]


@pytest.mark.parametrize("cursor", ["nonsense", "W10", "WyJhIiwiYiJd", "é", "W251bGwsIngiXQ"])
def test_a_cursor_that_nobody_gave_out_is_refused(client: Client, portfolio: dict[str, str], cursor: str):
    for path in ("/v1/report/collections", "/v1/accounts", "/v1/promises"):
        assert client.refused(422, "GET", path, params={"cursor": cursor})["errors"][0]["field"] == "cursor"


def test_a_cursor_of_another_question_is_refused(client: Client, portfolio: dict[str, str]):
    cursor = client.get("/v1/report/collections", params={"limit": 5}).json()["next"]
    problem = client.refused(422, "GET", "/v1/report/collections", params={"limit": 5, "cursor": cursor, "q": "P"})
    assert "another question" in problem["detail"]


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"q": "p-0"}, [f"P-{n:02}" for n in range(1, 10)]),
        ({"q": "P-21"}, ["P-21"]),
        ({"min_balance": "220.00"}, ["P-23"]),
        ({"max_balance": "15"}, ["P-01", "P-02"]),
        ({"bucket": "1-30"}, []),
        ({"flag": "vip"}, []),
    ],
)
def test_filters_say_which_accounts(
    client: Client, portfolio: dict[str, str], asked: dict[str, str], numbers: list[str]
):
    report = client.get("/v1/report/collections", params={**asked, "sort": "number", "descending": False}).json()
    assert [row["number"] for row in report["items"]] == numbers
    assert report["accounts"] == len(numbers)


def test_sums_are_over_all_pages(client: Client, portfolio: dict[str, str]):
    report = client.get("/v1/report/collections", params={"limit": 1}).json()
    expected = sum(n * 10 for n in range(1, ACCOUNTS + 1)) - 5 * (ACCOUNTS // 2)
    assert report["accounts"] == ACCOUNTS
    assert Decimal(report["balance"]) == expected
    assert Decimal(client.get("/v1/report/summary").json()["balance"]) == expected


def test_a_past_day_is_not_lessened_by_what_came_later(client: Client, portfolio: dict[str, str]):
    of_february = client.get("/v1/report/aging", params={"as_of": "2026-02-28"}).json()
    assert of_february["total"] == f"{sum(n * 10 for n in range(1, ACCOUNTS + 1))}.00"
    assert [bucket["bucket"] for bucket in of_february["buckets"]] == [
        "current",
        "1-30",
        "31-60",
        "61-90",
        "91-120",
        "121+",
    ]
    assert of_february["buckets"][1]["items"] == ACCOUNTS
    account = client.get(f"/v1/accounts/{portfolio['P-02']}", params={"as_of": "2026-02-28"}).json()
    assert (account["balance"]["amount"], account["days_past_due"], account["bucket"]) == ("20.00", 28, "1-30")
    assert client.get(f"/v1/accounts/{portfolio['P-02']}").json()["balance"]["amount"] == "15.00"


@pytest.mark.parametrize("as_of", ["2026-01-05", "2026-01-31", "2026-02-01", "2026-03-01", "2026-03-02", "2026-03-16"])
def test_an_account_says_of_any_day_what_the_report_says(client: Client, portfolio: dict[str, str], as_of: str):
    rows = every_page(client, "/v1/report/collections", as_of=as_of)
    assert len(rows) == ACCOUNTS
    for row in rows:
        account = client.get(f"/v1/accounts/{row['account_id']}", params={"as_of": as_of}).json()
        said = (
            account["balance"]["amount"],
            account["unapplied"]["amount"],
            account["days_past_due"],
            account["bucket"],
        )
        assert said == (row["balance"], row["unapplied"], row["days_past_due"], row["bucket"])


def test_before_it_was_opened_an_account_owes_nothing(client: Client, portfolio: dict[str, str]):
    address = f"/v1/accounts/{portfolio['P-02']}"
    before = client.get(address, params={"as_of": "2025-12-31"}).json()
    assert (before["number"], before["balance"]["amount"], before["open_items"]) == ("P-02", "0.00", [])
    assert (
        "expected 2026-03-16 or earlier"
        in client.refused(422, "GET", address, params={"as_of": "2026-03-17"})["detail"]
    )


def test_a_past_day_has_the_columns_of_today_and_their_filters(
    client: Client, service: StepByStep, portfolio: dict[str, str]
):
    """What was recorded later is not there: accounts that were opened today had no stage in February."""
    client.done("PUT", f"/v1/accounts/{portfolio['P-03']}/flags/bankruptcy", {"reason": "letter of the court"})
    service.drain()
    today = client.get("/v1/report/collections", params={"limit": 100}).json()
    again = client.get("/v1/report/collections", params={"limit": 100, "known_on": "2026-03-16"}).json()

    def without_empty_buckets(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "buckets": {name: amount for name, amount in row["buckets"].items() if Decimal(amount)}}

    assert {**again, "items": [without_empty_buckets(row) for row in again["items"]]} == today
    for known_on, numbers in (("2026-03-16", ["P-03"]), ("2026-03-15", [])):
        asked = {"flag": "bankruptcy", "known_on": known_on}
        assert [r["number"] for r in client.get("/v1/report/collections", params=asked).json()["items"]] == numbers
    of_february = every_page(client, "/v1/report/collections", as_of="2026-02-28", sort="stage")
    assert {(row["stage"], row["why"], tuple(row["flags"])) for row in of_february} == {(None, None, ())}
    assert {row["past_due"] for row in of_february} == {row["balance"] for row in of_february}
    asked = {"as_of": "2026-02-28", "stage": "blocked"}
    assert client.get("/v1/report/collections", params=asked).json()["accounts"] == 0
    client.done("DELETE", f"/v1/accounts/{portfolio['P-03']}/flags/bankruptcy")
    service.drain()


def test_an_account_is_found_by_its_number(client: Client, portfolio: dict[str, str]):
    found = client.get("/v1/accounts", params={"number": "P-07"}).json()["items"]
    assert [row["account_id"] for row in found] == [portfolio["P-07"]]
    assert sorted(r["number"] for r in every_page(client, "/v1/accounts")) == sorted(portfolio)


def test_the_kpis_of_a_period(client: Client, portfolio: dict[str, str]):
    kpi = client.get("/v1/kpi", params={"from": "2026-01-01", "to": "2026-03-15"}).json()
    assert (kpi["from"], kpi["to"], kpi["days"], kpi["begin"]) == ("2026-01-01", "2026-03-15", 74, "0.00")
    assert kpi["sales"] == "2760.00"
    problem = client.refused(422, "GET", "/v1/kpi", params={"from": "2026-03-15", "to": "2026-01-01"})
    assert problem["errors"][0]["field"] == "to"


def test_an_office_that_is_not_there_is_said(client: Client, portfolio: dict[str, str]):
    for path in ("/v1/report/collections", "/v1/report/aging", "/v1/accounts"):
        assert client.refused(404, "GET", path, params={"office": "nowhere"})["reason_code"] == "unknown-office"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flag", "expected one of bankruptcy, "),
        ("without_flag", "expected one of bankruptcy, "),
        ("frozen", "expected one of "),
        ("placed_with", "expected one of "),
        ("service", "expected one of "),
        ("segment", "expected one of "),
        ("assignee", "expected one of "),
        ("bucket", "expected one of current, "),
    ],
)
def test_a_filter_by_what_nobody_knows_is_refused_and_not_answered_with_nothing(
    client: Client, portfolio: dict[str, str], name: str, said: str
):
    for more in ("", "&as_of=2026-02-15"):
        problem = client.refused(422, "GET", f"/v1/report/collections?{name}=unheard-of{more}")
        assert [each["field"] for each in problem["errors"]] == [name]
        assert problem["detail"].startswith(f"{name}: {said}")
    shown = client.get(f"/?{name}=unheard-of", headers={"Accept": "text/html"})
    assert (shown.status_code, said in shown.text) == (422, True)


def test_a_filter_by_what_is_defined_and_nobody_has_shows_nothing(client: Client, portfolio: dict[str, str]):
    for name, value in (("flag", "vip"), ("frozen", "moved"), ("service", "late-fee")):
        assert client.get("/v1/report/collections", params={name: value}).json()["accounts"] == 0, name
    assert client.get("/v1/report/collections", params={"without_flag": "vip"}).json()["accounts"] > 0
    client.refused(422, "GET", "/v1/report/collections?flag=vip,unheard-of")


def test_the_history_of_an_office_that_is_not_there_is_no_empty_one(client: Client, portfolio: dict[str, str]):
    for more in ("", "&as_of=2026-02-15"):
        client.refused(404, "GET", f"/v1/activity?office=paris{more}")


def test_entries_of_a_kind_that_there_is_none_of_are_no_empty_history(
    client: Client, service: StepByStep, account: str
):
    service.drain()
    problem = client.refused(422, "GET", f"{account}/activity?kind=mesage-sent")
    assert problem["detail"].startswith("kind: expected a kind of entry such as message-sent")
    assert client.get(f"{account}/activity?kind=message-sent").json()["items"] == []


def test_activity_and_audit_are_paged(client: Client, portfolio: dict[str, str]):
    address = f"/v1/accounts/{portfolio['P-02']}"
    trail = every_page(client, f"{address}/audit")
    assert trail[0]["event_name"] == "account.opened"
    assert [row["position"] for row in trail] == sorted({row["position"] for row in trail})
    assert "payment" in {row["kind"] for row in every_page(client, f"{address}/activity")}
    assert client.get(f"{address}/activity", params={"kind": "payment"}).json()["items"][0]["kind"] == "payment"


def test_a_promise_that_was_kept_is_listed_with_what_came_in(client: Client, service: StepByStep, account: str):
    promise = {"instalments": [{"due_on": "2026-03-20", "amount": usd("40.00")}], "notes": "by transfer"}
    made = client.done("POST", f"{account}/promises", promise)["id"]
    client.done("POST", f"{account}/payments", {"number": "K-1", "amount": usd("40.00"), "received_on": "2026-03-16"})
    service.wait_until_shown()
    kept = client.get("/v1/promises", params={"status": "kept"}).json()["items"]
    assert [(row["promise_id"], row["promised"], row["received"]) for row in kept] == [(made, "40.00", "40.00")]
    assert client.get(f"{account}/promises").json()["items"] == kept


# --- columns, sums, saved filters ------------------------------------------------------------------------


def test_a_report_has_the_columns_that_are_asked_for_in_their_order(client: Client, portfolio: dict[str, str]):
    asked = {"columns": "number,balance,segment", "q": "P-01"}
    [row] = client.get("/v1/report/collections", params=asked).json()["items"]
    assert [*row.items()] == [
        ("account_id", portfolio["P-01"]), ("number", "P-01"), ("balance", "10.00"), ("segment", None),
    ]  # fmt: skip
    problem = client.refused(422, "GET", "/v1/report/collections", params={"columns": "number,colour"})
    assert problem["errors"][0]["field"] == "columns"


def test_a_past_day_says_what_was_paid_since_of_all_pages(client: Client, portfolio: dict[str, str]):
    report = client.get("/v1/report/collections", params={"as_of": "2026-02-15", "q": "P-0", "limit": 1}).json()
    assert Decimal(report["paid_since"]) == 4 * 5, "of the even ones"
    assert Decimal(report["past_due"]) == Decimal(report["outstanding"])


def test_a_saved_filter_is_used_everywhere_replaced_and_removed(client: Client, service: StepByStep, office: str):
    kept = {"office": office, "max_balance": "15.00", "columns": ["number", "balance"], "sort": "number"}
    assert client.done("PUT", "/v1/filters/small", kept)["event_ids"]
    assert not client.done("PUT", "/v1/filters/small", kept)["event_ids"]
    [listed] = client.get("/v1/filters").json()
    assert (listed["name"], listed["filters"], listed["columns"]) == (
        "small",
        {"max_balance": "15.00"},
        kept["columns"],
    )
    asked = {"filter": "small", "descending": False}
    rows = client.get("/v1/report/collections", params=asked).json()["items"]
    assert [(row["number"], [*row][1:]) for row in rows] == [(n, kept["columns"]) for n in ("P-01", "P-02")]
    beside = client.get("/v1/report/collections", params={**asked, "min_balance": "11"}).json()
    assert beside["accounts"] == 1
    bulk = client.done("POST", "/v1/bulk/flags", {"filter": "small", "add": ["vip"]}, headers={"Prefer": "wait=10"})
    assert client.get(f"/v1/bulk/{bulk['id']}").json()["accounts"] == 2
    chosen = client.get("/?filter=small", headers={"Accept": "text/html"}).headers["location"]
    page = client.get(chosen, headers={"Accept": "text/html"}).text
    assert ("P-01" in page, "P-23" in page, ">small</option>" in page) == (True, False, True)
    assert client.done("DELETE", f"/v1/filters/small?office={office}", None)["event_ids"]
    for method, path, body in (
        ("GET", "/v1/report/collections?filter=small", None),
        ("POST", "/v1/bulk/flags", {"filter": "small", "add": ["vip"]}),
        ("DELETE", f"/v1/filters/small?office={office}", None),
    ):
        assert client.refused(404, method, path, body)["reason_code"] == "unknown-filter"


def test_a_filter_keeps_no_text_that_may_be_a_name(client: Client, office: str):
    problem = client.refused(409, "PUT", "/v1/filters/ada", {"office": office, "q": "Ada"})
    assert problem["reason_code"] == "filter-keeps-no-text"


def test_the_page_folds_filters_shows_chosen_columns_and_opens_invoices(client: Client, portfolio: dict[str, str]):
    def shown(query: str) -> str:
        return client.get(f"/?{query}", headers={"Accept": "text/html"}).text

    found = shown("place.number=2&place.balance=1&min_balance=220")
    assert re.findall(r'<th scope="col"[^>]*>(?:<a[^>]*>)?([A-Z][a-z]+)', found)[-3:] == [
        "Account",
        "Balance",
        "Number",
    ]
    assert "All 1<" in found
    opened = shown(f"open={portfolio['P-23']}&q=P-23")
    assert "Open invoices" in opened
    assert "<caption>Open invoices</caption>" in opened
    past = shown("as_of=2026-02-15&q=P-02")
    assert "Paid since" in past
    assert past.count("5.00") > 1


def test_roll_rates_say_what_became_of_each_bucket(client: Client, portfolio: dict[str, str]):
    asked = {"from": "2026-02-15", "to": "2026-03-05"}
    report = client.get("/v1/report/roll-rates", params=asked).json()
    row = next(each for each in report["rows"] if each["bucket"] == "1-30")
    parts = [Decimal(each) for each in row["became"].values()]
    assert sum(parts) == Decimal(row["amount"])
    assert row["became"]["paid"] != "0.00"
    assert round(sum((Decimal(each) for each in row["rates"].values()), Decimal()), 2) == 100
    problem = client.refused(422, "GET", "/v1/report/roll-rates", params={"from": "2026-03-05", "to": "2026-03-05"})
    assert problem["errors"][0]["field"] == "to"
    page = client.get("/roll-rates?from=2026-02-15&to=2026-03-05", headers={"Accept": "text/html"}).text
    assert row["rates"]["paid"] in page

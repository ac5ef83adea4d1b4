"""Money that goes back, and documents that never were, over HTTP."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from html import unescape
from typing import Any
from uuid import UUID

import pytest

from aggregates.kernel.event import Recorded
from api.application import funds
from api.application.account_view import all_funds, read_account, read_whole_account
from api.application.funds import funds_page
from api.http.web import account_page
from api.processes.step_by_step import StepByStep
from projections.opening import Opens
from tests.api.http.client import Client, usd
from tests.api.http.test_allocation import HTML, open_amounts

WHY = {"reason": "said the bank"}


def a_payment(client: Client, account: str, amount: str) -> str:
    payment = {"number": "P/1", "amount": usd(amount), "received_on": "2026-03-12", "invoice_number": "INV-1"}
    client.done("POST", f"{account}/payments", payment)
    return f"{account}/payments/P%2F1"


def test_a_part_of_a_payment_is_taken_back_and_was_not_after_all(client: Client, account: str):
    payment = a_payment(client, account, "100.00")
    before = open_amounts(client, account)
    part = {"reversal": "chargeback", "reversed_on": "2026-03-14", "amount": usd("30.00"), "invoice_number": "INV-1"}
    client.done("POST", f"{payment}/reversal", part)
    assert open_amounts(client, account) == {**before, "INV-1": "30.00"}
    too_much = {**part, "amount": usd("70.01")}
    assert client.refused(409, "POST", f"{payment}/reversal", too_much)["reason_code"] == "reversed-too-much"
    client.done("POST", f"{payment}/reversal/withdrawal", WHY)
    assert open_amounts(client, account) == before


def test_a_payment_comes_in_again(client: Client, account: str):
    payment = a_payment(client, account, "100.00")
    before = open_amounts(client, account)
    again = {"amount": usd("100.00"), "received_on": "2026-03-15", "invoice_number": "INV-1"}
    assert client.refused(409, "POST", f"{payment}/receipts", again)["reason_code"] == "payment-not-reversed"
    client.done("POST", f"{payment}/reversal", {"reversal": "nsf", "reversed_on": "2026-03-14"})
    client.done("POST", f"{payment}/receipts", again)
    assert open_amounts(client, account) == before


def test_a_withdrawn_invoice_leaves_money_that_is_given_back(client: Client, account: str):
    a_payment(client, account, "100.00")
    for number in ("INV-1", "INV-2"):
        client.done("POST", f"{account}/invoices/{number}/withdrawal", WHY)
    assert open_amounts(client, account) == {}
    gone = {"amount": usd("40.00"), "refunded_on": "2026-03-15", **WHY}
    client.done("POST", f"{account}/refunds", gone)
    view = client.get(account).json()
    assert (view["balance"]["amount"], view["unapplied_funds"][0]["gone_back"]["amount"]) == ("-60.00", "40.00")
    assert client.refused(409, "POST", f"{account}/refunds", {**gone, "amount": usd("60.01")})["reason_code"] == (
        "refund-too-large"
    )
    client.done("POST", f"{account}/refunds/withdrawal", {"number": "P/1", **WHY})
    assert client.get(account).json()["balance"]["amount"] == "-100.00"


def test_a_credit_is_withdrawn(client: Client, account: str):
    before = open_amounts(client, account)
    client.done("POST", f"{account}/credits", {"number": "C-1", "amount": usd("10.00"), "issued_on": "2026-03-12"})
    client.done("POST", f"{account}/credits/C-1/withdrawal", WHY)
    assert open_amounts(client, account) == before


# --- on the page ---


class Opened:
    """Which events of the log were opened."""

    def __init__(self, log: Opens) -> None:
        self._log = log
        self.positions: set[int] = set()

    def at(self, positions: Collection[int], /) -> Mapping[int, Recorded]:
        self.positions.update(positions)
        return self._log.at(positions)


def six_payments(client: Client, account: str) -> None:
    """Of which one came back, one in part, one came again, and of one a part was given back."""
    for n in range(1, 7):
        payment = {"number": f"P-{n}", "amount": usd("80.00" if n == 6 else "40.00"), "received_on": f"2026-03-0{n}"}
        client.done("POST", f"{account}/payments", payment)
    client.done("POST", f"{account}/payments/P-1/reversal", {"reversal": "nsf", "reversed_on": "2026-03-10"})
    part = {"reversal": "chargeback", "reversed_on": "2026-03-11", "amount": usd("10.00")}
    client.done("POST", f"{account}/payments/P-2/reversal", part)
    client.done("POST", f"{account}/payments/P-3/reversal", {"reversal": "nsf", "reversed_on": "2026-03-12"})
    client.done("POST", f"{account}/payments/P-3/receipts", {"amount": usd("20.00"), "received_on": "2026-03-13"})
    gone = {"amount": usd("5.00"), "refunded_on": "2026-03-15", "number": "P-6", "kind": "payment", **WHY}
    client.done("POST", f"{account}/refunds", gone)


def test_what_came_in_is_read_in_pages_and_nothing_else_is_read(service: StepByStep, client: Client, account: str):
    six_payments(client, account)
    service.drain()
    known, opened = UUID(account.rpartition("/")[2]), Opened(service.feed)
    with service.database.connect("arrears_app") as connection:
        for as_of in (None, date(2026, 3, 11)):
            whole = all_funds(read_whole_account(service, connection, known, as_of))
            read = read_account(service, connection, known, as_of)
            pages = [funds_page(connection, opened, read, limit=2)]
            if as_of is None:
                assert len(opened.positions) == 3, "two payments came in, and of one a part was given back"
            while (cursor := pages[-1].next_cursor) is not None:
                pages.append(funds_page(connection, opened, read, limit=2, cursor=cursor))
            assert [len(page.rows) for page in pages] == [2, 2, 2]
            shown = [funds for page in pages for funds in page.rows]
            assert sorted(shown, key=lambda funds: funds.number) == sorted(whole, key=lambda funds: funds.number)


def test_all_that_came_in_is_answered_without_the_rest_of_the_history(
    service: StepByStep, client: Client, account: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(funds, "MAX_LIMIT", 4)
    six_payments(client, account)
    client.done("POST", f"{account}/credits", {"number": "CR-1", "amount": usd("1.00"), "issued_on": "2026-03-12"})
    client.done("POST", f"{account}/credits", {"number": "CR-2", "amount": usd("1.00"), "issued_on": "2026-03-12"})
    client.done("POST", f"{account}/credits/CR-2/withdrawal", WHY)
    client.done("POST", f"{account}/payments/P-4/reversal", {"reversal": "error", "reversed_on": "2026-03-14"})
    known = UUID(account.rpartition("/")[2])

    def whole() -> list[dict[str, Any]]:
        with service.database.connect("arrears_app") as connection:
            found = all_funds(read_whole_account(service, connection, known))
        return [each.model_dump(mode="json", exclude_none=True) for each in found]

    def answered() -> list[dict[str, Any]]:
        found = client.get(f"{account}/payments").json()
        return [{name: value for name, value in each.items() if value is not None} for each in found]

    assert answered() == whole(), "of events that no read table shows yet"
    service.drain()
    shown = whole()
    assert len(shown) == 8
    monkeypatch.setattr(type(service.arrears), "history", only_later(type(service.arrears).history))
    assert answered() == shown


def only_later(history: Callable[..., list[Recorded]]) -> Callable[..., list[Recorded]]:
    """What reads an account's history, and none that read tables show already."""

    def read(*asked: Any, **more: Any) -> list[Recorded]:
        found = history(*asked, **more)
        assert found == [], "it was read as a whole"
        return found

    return read


def test_the_page_leads_to_older_payments_and_its_forms_offer_them(
    service: StepByStep, client: Client, account: str, monkeypatch: pytest.MonkeyPatch
):
    six_payments(client, account)
    service.drain()
    monkeypatch.setattr(account_page, "_PER_PAGE", 4)
    page = client.get(f"{account.removeprefix('/v1')}?tab=payments", headers=HTML).text
    assert '<th scope="row">P-6</th>' in page
    assert '<th scope="row">P-1</th>' not in page
    [older] = re.findall(r'href="([^"]+)" rel="next"', page)
    page = client.get(unescape(older), headers=HTML).text
    assert '<th scope="row">P-1</th>' in page
    assert '<th scope="row">P-6</th>' not in page
    assert '<option value="P-1">P-1, 40.00</option>' in page, "it may come in again"
    assert 'rel="next"' not in page
    [cursor, *_] = re.findall(r'name="cursor" value="([^"]+)"', page)
    status, told = sent(client, account, "receive-again", number="P-1", amount="much", day="2026-03-15", cursor=cursor)
    assert (status, '<option value="P-1" selected>' in told) == (422, True), "what was wrong is said beside the same"


def sent(client: Client, account: str, what: str, **fields: str) -> tuple[int, str]:
    page = account.removeprefix("/v1")
    done = client.request("POST", f"{page}/money/{what}", data={"reason": "said so", **fields}, headers=HTML)
    return done.status_code, done.text


def test_the_page_takes_back_gives_back_receives_again_and_withdraws(client: Client, account: str):
    a_payment(client, account, "130.00")
    before = open_amounts(client, account)
    reversal = {"number": "P/1", "reversal": "nsf", "day": "2026-03-14", "invoice": "INV-1"}
    assert sent(client, account, "reverse", **reversal, amount="25.00")[0] == 303
    assert open_amounts(client, account) == {**before, "INV-1": "25.00"}
    assert sent(client, account, "withdraw", document="reversal P/1")[0] == 303
    assert sent(client, account, "reverse", **reversal, amount="")[0] == 303
    assert sent(client, account, "receive-again", number="P/1", amount="130.00", day="2026-03-15", invoice="")[0] == 303
    for number in ("INV-1", "INV-2"):
        assert sent(client, account, "withdraw", document=f"invoice {number}")[0] == 303
    assert open_amounts(client, account) == {}
    assert sent(client, account, "refund", money="payment P/1", amount="30.00", day="2026-03-15")[0] == 303
    assert client.get(account).json()["balance"]["amount"] == "-100.00"
    shown = client.get(f"{account.removeprefix('/v1')}?tab=payments", headers=HTML).text
    assert "30.00 went back" in shown
    told = {row["summary"]: row["reason"] for row in client.get(f"{account}/audit").json()["items"]}
    assert told["Invoice INV-1 of 100.00 USD withdrawn: it never was owed"] == "said so"
    assert "30.00 USD of payment P/1 given back to the customer" in told
    done = {row["kind"] for row in client.get(f"{account}/activity").json()["items"]}
    assert {"invoice-withdrawn", "payment-reversed-in-part", "reversal-withdrawn", "funds-refunded"} <= done


@pytest.mark.parametrize(
    ("what", "fields", "status", "said"),
    [
        ("reverse", {"number": "P/1", "reversal": "nsf", "day": "2026-03-14", "amount": "131"}, 409, "at most 130.00"),
        ("reverse", {"number": "P/1", "reversal": "odd", "day": "2026-03-14"}, 422, "reversal"),
        ("refund", {"money": "", "amount": "1000", "day": "2026-03-14"}, 409, "at most"),
        ("refund", {"money": "", "amount": "1", "day": "soon"}, 422, "refunded_on"),
        ("withdraw", {"document": "invoice INV-9"}, 404, "no invoice INV-9"),
        ("withdraw", {"document": "house 9"}, 422, "document"),
    ],
)
def test_what_is_wrong_with_a_form_is_said_on_the_page(
    client: Client, account: str, *, what: str, fields: dict[str, str], status: int, said: str
):
    a_payment(client, account, "130.00")
    before = client.get(account).json()["balance"]
    code, page = sent(client, account, what, **fields)
    assert (code, said in page) == (status, True)
    assert client.get(account).json()["balance"] == before

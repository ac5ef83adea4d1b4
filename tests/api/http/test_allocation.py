"""What money is put against, over HTTP: a person's decision, and working all of it out anew."""

import html
import re

import httpx
import pytest

from tests.api.http.client import Client, usd


def open_amounts(client: Client, account: str) -> dict[str, str]:
    return {item["number"]: item["open"]["amount"] for item in client.get(account).json()["open_items"]}


def test_a_restatement_is_shown_before_it_is_done(client: Client, account: str):
    """A payment of an earlier day is booked, and what it moves was not worked out yet."""
    for number, received_on, amount in (("P-2", "2026-03-15", "30.00"), ("P-1", "2026-03-11", "100.00")):
        payment = {"number": number, "amount": usd(amount), "received_on": received_on}
        client.done("POST", f"{account}/payments", payment)
    before = open_amounts(client, account)
    shown = client.get(f"{account}/allocations/restatement").json()
    assert sorted((each["day"], each["money"], each["invoice"], each["amount"]["amount"]) for each in shown) == [
        ("2026-03-11", "P-1", "INV-1", "100.00"),
        ("2026-03-15", "P-2", "INV-1", "-30.00"),
        ("2026-03-15", "P-2", "INV-2", "30.00"),
    ]
    assert open_amounts(client, account) == before

    client.done("POST", f"{account}/allocations/restatement", {"reason": "the bank's day"})
    assert open_amounts(client, account) == {"INV-2": "20.00"}
    assert client.get(f"{account}/allocations/restatement").json() == []


def test_a_person_says_which_invoice_a_payment_is_for(client: Client, account: str):
    payment = {"number": "P-1", "amount": usd("40.00"), "received_on": "2026-03-15"}
    client.done("POST", f"{account}/payments", payment)
    decided = {"kind": "payment", "number": "P-1", "invoice_number": "INV-2", "amount": usd("40.00")}
    client.done("POST", f"{account}/allocations", decided)
    assert open_amounts(client, account) == {"INV-1": "100.00", "INV-2": "10.00"}
    assert client.get(f"{account}/allocations/restatement").json() == []
    again = {**decided, "amount": usd("0.01")}
    assert client.refused(409, "POST", f"{account}/allocations", again)["reason_code"] == "allocation-too-large"


def test_a_payment_says_what_it_is_for_and_an_invoice_has_instalments(client: Client, account: str):
    instalment = {"number": "INV-1", "amount": usd("40.00"), "issued_on": "2026-03-01", "due_on": "2026-09-01"}
    assert client.refused(409, "POST", f"{account}/invoices", instalment)["reason_code"] == "duplicate-invoice"
    further = {**instalment, "instalment": "2026-09-01"}
    client.done("POST", f"{account}/invoices", further)
    assert client.refused(409, "POST", f"{account}/invoices", further)["reason_code"] == "duplicate-invoice"
    said = [{"invoice_number": "INV-1/2026-09-01", "amount": usd("30.00")}, {"invoice_number": "INV-2"}]
    payment = {"number": "P-1", "amount": usd("45.00"), "received_on": "2026-03-15", "instructions": said}
    client.done("POST", f"{account}/payments", payment)
    owed = [
        (item["number"], item["due_on"] == "2026-09-01", item["open"]["amount"])
        for item in client.get(account).json()["open_items"]
    ]
    assert sorted(owed) == [("INV-1", False, "100.00"), ("INV-1", True, "10.00"), ("INV-2", False, "35.00")]
    which = {"kind": "payment", "number": "P-1", "invoice_number": "INV-1", "amount": usd("5.00")}
    assert client.refused(409, "POST", f"{account}/allocations", which)["reason_code"] == "several-instalments"
    too_much = {**payment, "number": "P-2", "instructions": [{"invoice_number": "INV-2", "amount": usd("45.01")}]}
    assert "45.00 USD in total at most" in str(client.refused(422, "POST", f"{account}/payments", too_much))
    page = client.get(f"{account.removeprefix('/v1')}?tab=payments", headers=HTML).text
    assert '<option value="INV-1/2026-09-01">INV-1, due' in page


def test_nobody_has_no_allocations(client: Client, office: str):
    nobody = "/v1/accounts/00000000-0000-0000-0000-000000000001"
    assert client.refused(404, "GET", f"{nobody}/allocations/restatement")["reason_code"] == "unknown-account"


# --- on the page ---

HTML = {"Accept": "text/html"}


def sent(client: Client, account: str, **fields: str) -> httpx.Response:
    """What comes of the account page's form."""
    page = account.removeprefix("/v1")
    return client.request("POST", f"{page}/allocations", data=fields, headers=HTML)


def test_the_page_puts_a_payment_against_an_invoice_and_keeps_who_and_why(client: Client, account: str):
    payment = {"number": "P 1, ü", "amount": usd("40.00"), "received_on": "2026-03-15"}
    client.done("POST", f"{account}/payments", payment)
    page = account.removeprefix("/v1")
    offered = client.get(f"{page}?tab=payments", headers=HTML).text
    assert '<option value="payment P 1, ü">P 1, ü, 40.00</option>' in offered
    done = sent(client, account, money="payment P 1, ü", invoice="INV-2", amount=" 40.00 ", reason="said on the phone")
    assert (done.status_code, done.headers["location"]) == (303, f"{page}?tab=payments")
    assert open_amounts(client, account) == {"INV-1": "100.00", "INV-2": "10.00"}
    [row] = [
        row
        for row in client.get(f"{account}/audit").json()["items"]
        if row["event_name"] == "account.allocation-decided"
    ]
    assert (row["actor_id"], row["reason"]) == ("local", "said on the phone")


@pytest.mark.parametrize(
    ("field", "value", "status", "said"),
    [
        ("amount", "40.001", 422, "at most 2 decimal places"),
        ("amount", "", 422, "expected a decimal string"),
        ("amount", "0.00", 422, "expected more than zero"),
        ("amount", "-0.00", 422, "expected more than zero"),
        ("amount", "1e1", 422, "expected a decimal string"),
        ("amount", "１０", 422, "expected a decimal string"),
        ("amount", "3,50", 422, "expected a decimal string"),
        ("amount", "3,500", 409, "INV-2"),
        ("reason", "x" * 1_001, 422, "at most 1,000 characters"),
        ("once", "x" * 201, 422, "at most 200 characters"),
        ("amount", "60.00", 409, "INV-2"),
        ("money", "payment nobody", 404, "nobody"),
        ("money", "", 422, "kind"),
        ("invoice", "\x1b[31m", 422, "without control characters"),
    ],
)
def test_what_is_wrong_with_it_is_said_and_nothing_changes(
    *, client: Client, account: str, field: str, value: str, status: int, said: str
):
    client.done("POST", f"{account}/payments", {"number": "P-1", "amount": usd("80.00"), "received_on": "2026-03-15"})
    before = open_amounts(client, account)
    given = {"money": "payment P-1", "invoice": "INV-2", "amount": "40.00", field: value}
    answer = sent(client, account, **given)
    assert answer.status_code == status, answer.text
    assert said in html.unescape(answer.text)
    assert open_amounts(client, account) == before


def test_what_was_typed_is_still_there_beside_what_is_wrong_with_it(client: Client, account: str):
    client.done("POST", f"{account}/payments", {"number": "P-1", "amount": usd("80.00"), "received_on": "2026-03-15"})
    text = sent(client, account, money="payment P-1", invoice="INV-2", amount="60.00", reason="<b>").text
    assert '<p class="note bad" role="alert">' in text
    assert 'name="amount" inputmode="decimal" required maxlength="20" value="60.00"' in text
    assert '<option value="INV-2" selected>' in text
    assert 'value="&lt;b&gt;"' in text


def test_a_page_that_is_sent_twice_puts_the_money_there_once(client: Client, account: str):
    client.done("POST", f"{account}/payments", {"number": "P-1", "amount": usd("40.00"), "received_on": "2026-03-15"})
    page = client.get(f"{account.removeprefix('/v1')}?tab=payments", headers=HTML).text
    once = min(re.findall(r'name="once" value="([^"]+)"', page), key=len)  # others add what they are for
    first, again = (
        sent(client, account, money="payment P-1", invoice="INV-2", amount="15.00", once=once) for _ in "12"
    )
    assert (first.status_code, again.status_code) == (303, 303)
    assert open_amounts(client, account)["INV-2"] == "35.00"
    other = sent(client, account, money="payment P-1", invoice="INV-2", amount="10.00", once=once)
    assert other.status_code == 422
    fresh = min(re.findall(r'name="once" value="([^"]+)"', other.text), key=len)
    sent(client, account, money="payment P-1", invoice="INV-2", amount="10.00", once=fresh)
    assert open_amounts(client, account)["INV-2"] == "25.00"


def test_what_is_wrong_is_said_also_where_nothing_is_left_to_put_anywhere(client: Client, account: str):
    client.done("POST", f"{account}/payments", {"number": "P-1", "amount": usd("150.00"), "received_on": "2026-03-15"})
    assert open_amounts(client, account) == {}
    answer = sent(client, account, money="payment P-1", invoice="INV-2", amount="60.00")
    assert answer.status_code == 409
    assert '<p class="note bad" role="alert">amount: expected at most' in answer.text
    assert "Say which invoice" not in answer.text


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_a_form_of_another_site_is_refused(client: Client, account: str, headers: dict[str, str]):
    client.done("POST", f"{account}/payments", {"number": "P-1", "amount": usd("80.00"), "received_on": "2026-03-15"})
    before = open_amounts(client, account)
    fields = {"money": "payment P-1", "invoice": "INV-2", "amount": "40.00"}
    page = account.removeprefix("/v1")
    answer = client.request("POST", f"{page}/allocations", data=fields, headers={**HTML, **headers})
    assert answer.status_code == 403
    assert open_amounts(client, account) == before


def test_a_past_day_and_an_account_without_money_offer_no_form(client: Client, account: str):
    page = account.removeprefix("/v1")
    assert "Say which invoice" not in client.get(f"{page}?tab=payments", headers=HTML).text
    client.done("POST", f"{account}/payments", {"number": "P-1", "amount": usd("80.00"), "received_on": "2026-03-15"})
    assert "Say which invoice" in client.get(f"{page}?tab=payments", headers=HTML).text
    assert "Say which invoice" not in client.get(f"{page}?tab=payments&as_of=2026-03-15", headers=HTML).text


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"money=a&money=b", "application/x-www-form-urlencoded", 422),
        (b"money=%ff", "application/x-www-form-urlencoded", 422),
        (b"&".join(b"f%d=" % n for n in range(300)), "application/x-www-form-urlencoded", 422),
        (b'{"money": "payment P-1"}', "application/json", 415),
    ],
)
def test_a_form_that_is_none_is_refused(client: Client, account: str, body: bytes, media_type: str, status: int):
    page = account.removeprefix("/v1")
    response = client.request("POST", f"{page}/allocations", content=body, headers={"Content-Type": media_type})
    assert response.status_code == status

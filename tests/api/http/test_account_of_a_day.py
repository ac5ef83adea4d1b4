"""An account as of a past day, over HTTP and as a page: what the report of that day says, in any currency."""

from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.clock import ManualClock
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd
from tests.api.http.conftest import NOW
from tests.api.http.test_other_kinds import PLAN


def test_an_account_in_another_currency_can_be_looked_at_before_its_customer_was_known(
    client: Client, service: StepByStep, office: str
):
    """Invoices are older than the day on which the customer was opened: name, number and currency hold all the same."""
    for currency, amount in (("EUR", "70.50"), ("JPY", "7050")):
        code = currency.lower()
        client.done("POST", "/v1/offices", {"code": code, "title": code, "currency": currency, "time_zone": "UTC"})
        body = {"office": code, "number": f"{currency}-1", "customer_name": "Kunde Eins", "currency": currency}
        address = f"/v1/accounts/{client.done('POST', '/v1/accounts', body)['id']}"
        owed = {"amount": amount, "currency": currency}
        invoice = {"number": "I-1", "issued_on": "2026-01-05", "due_on": "2026-01-31", "amount": owed}
        client.done("POST", f"{address}/invoices", invoice)
        payment = {"number": "P-1", "amount": owed, "received_on": "2026-02-03"}
        client.done("POST", f"{address}/payments", payment)
        service.drain()
        for as_of, balance, bucket, funds in (
            ("2026-01-05", owed, "current", []),
            ("2026-02-02", owed, "1-30", []),
            ("2026-02-03", {**owed, "amount": f"{Decimal(amount) * 0:f}"}, "current", ["P-1"]),
        ):
            then = client.get(address, params={"as_of": as_of}).json()
            said = (then["number"], then["customer_name"], then["currency"], then["balance"], then["bucket"])
            assert said == (f"{currency}-1", "Kunde Eins", currency, balance, bucket)
            payments = client.get(f"{address}/payments", params={"as_of": as_of}).json()
            assert [(each["number"], each["reversed"]) for each in payments] == [(number, False) for number in funds]
        before = client.get(address, params={"as_of": "2026-01-04"}).json()
        nothing = {**owed, "amount": f"{Decimal(amount) * 0:f}"}
        assert (before["number"], before["customer_name"], before["balance"]) == (
            f"{currency}-1",
            "Kunde Eins",
            nothing,
        )


def test_an_account_of_a_past_day_is_the_same_until_something_changes_that_day(
    client: Client, service: StepByStep, account: str
):
    service.drain()
    before = client.get(account, params={"as_of": "2026-03-01"})
    etag = {"If-None-Match": before.headers["etag"]}
    assert client.get(account, params={"as_of": "2026-03-01"}, headers=etag).status_code == 304
    payment = {"number": "LATE", "amount": usd("10.00"), "received_on": "2026-02-28"}
    client.done("POST", f"{account}/payments", payment)
    not_read_yet = {"If-None-Match": client.get(account, params={"as_of": "2026-03-01"}).headers["etag"]}
    service.drain()
    for known in (etag, not_read_yet):
        after = client.get(account, params={"as_of": "2026-03-01"}, headers=known)
        assert (after.status_code, after.json()["balance"]) == (200, usd("90.00"))


def test_money_waits_for_an_invoice_until_the_day_of_the_invoice(client: Client, service: StepByStep, account: str):
    payment = {"number": "P-1", "amount": usd("10.00"), "received_on": "2026-03-10", "invoice_number": "INV-9"}
    client.done("POST", f"{account}/payments", payment)
    assert [each["waits_for_invoice"] for each in client.get(f"{account}/payments").json()] == ["INV-9"]
    invoice = {"number": "INV-9", "issued_on": "2026-03-14", "due_on": "2026-04-14", "amount": usd("10.00")}
    client.done("POST", f"{account}/invoices", invoice)
    service.drain()
    for as_of, waits_for, unapplied in (
        ("2026-03-13", "INV-9", "10.00"),
        ("2026-03-14", None, "0.00"),
        ("2026-03-16", None, "0.00"),
    ):
        [paid] = client.get(f"{account}/payments", params={"as_of": as_of}).json()
        assert (paid["waits_for_invoice"], paid["unapplied"]["amount"]) == (waits_for, unapplied), as_of


def test_what_is_next_of_an_account_that_is_only_to_be_looked_at_again_is_the_review(
    client: Client, service: StepByStep
):
    """As the collections report says."""
    client.done("POST", "/v1/offices", {"code": "second", "title": "S", "currency": "USD", "time_zone": "UTC"})
    client.done(
        "POST", "/v1/campaigns", {"office": "second", "title": "Late", "plan": {**PLAN, "rules": {"min_dpd": 60}}}
    )
    opened = {"office": "second", "number": "N-1", "customer_name": "Ada Lovelace", "currency": "USD"}
    account = f"/v1/accounts/{client.done('POST', '/v1/accounts', opened)['id']}"
    invoice = {"number": "I-1", "issued_on": "2026-01-01", "due_on": "2026-01-31", "amount": usd("100.00")}
    client.done("POST", f"{account}/invoices", invoice)
    service.drain()
    [row] = client.get("/v1/report/collections?office=second").json()["items"]
    assert (row["next_action"], row["next_action_at"]) == ("Review", "2026-04-01T00:00:00Z")
    review = {"kind": "review", "title": "Review", "on": "2026-04-01"}
    assert client.get(account).json()["next_action"] == review
    client.done("POST", f"{account}/activities", {"kind": "note", "follow_up_on": "2026-03-20"})
    assert client.get(account).json()["next_action"]["kind"] == "follow-up"


@pytest.fixture(scope="module")
def lived(client: Client, service: StepByStep, office: str) -> str:
    """An account of which something was recorded on most of ten days. Time goes on: tests of other days come before."""
    opened = {"office": office, "number": "L-1", "customer_name": "Ada Lovelace", "currency": "USD"}
    account = f"/v1/accounts/{client.done('POST', '/v1/accounts', opened)['id']}"
    for number, issued_on, due_on in (("INV-1", "2026-01-01", "2026-01-31"), ("INV-2", "2026-03-10", "2026-04-10")):
        invoice = {"number": number, "issued_on": issued_on, "due_on": due_on, "amount": usd("100.00")}
        client.done("POST", f"{account}/invoices", invoice)
    clock = service.clock
    assert isinstance(clock, ManualClock)
    disputed = client.done("POST", f"{account}/disputes", {"invoice_numbers": ["INV-1"], "reason_code": "wrong-amount"})
    for day in range(1, 10):
        clock.set(NOW + timedelta(days=day))
        service.tick()
        today = f"{clock.now():%Y-%m-%d}"
        match day:
            case 2:
                client.done("PUT", f"{account}/flags/bankruptcy", {"reason": "letter of the court"})
            case 3:
                paid = {"number": "A", "amount": usd("30.00"), "received_on": today, "invoice_number": "INV-1"}
                client.done("POST", f"{account}/payments", paid)
            case 4:
                promise = {"instalments": [{"due_on": "2026-04-20", "amount": usd("40.00")}]}
                client.done("POST", f"{account}/promises", promise)
            case 5:
                client.done("DELETE", f"{account}/flags/bankruptcy")
            case 6:
                client.done("PUT", f"{account}/exclusion", {"reason": "asked us to wait"})
            case 7:
                resolved = f"{account}/disputes/{disputed['id']}/resolution"
                client.done("POST", resolved, {"resolution": "agreed"})
            case 8:
                late = {"number": "B", "amount": usd("5.00"), "received_on": "2026-03-18"}
                client.done("POST", f"{account}/payments", late)
    service.tick()
    return account


def test_an_account_says_of_every_day_what_the_report_says(client: Client, service: StepByStep, lived: str):
    shown: set[str] = set()
    for back in range(15):
        as_of = f"{(service.clock.now() - timedelta(days=back)):%Y-%m-%d}"
        report = client.get("/v1/report/collections", params={"as_of": as_of, "office": "main", "limit": 100}).json()
        (row,) = (row for row in report["items"] if row["account_id"] == lived.rpartition("/")[2])
        then = client.get(lived, params={"as_of": as_of}).json()
        for field in ("balance", "outstanding", "unapplied"):
            assert then[field] == {"amount": row[field], "currency": row["currency"]}, (as_of, field)
        for field in ("number", "customer_name", "days_past_due", "bucket", "stage", "why", "flags", "broken_promises"):
            assert then[field] == row[field], (as_of, field)
        assert {each["bucket"]: each["amount"]["amount"] for each in then["aging"] if each["items"]} == {
            name: amount for name, amount in row["buckets"].items() if Decimal(amount)
        }
        assert len(then["open_items"]) == row["items"]
        assert (len(then["promises"]), bool(then["disputes"])) == (row["open_promises"], row["disputed"] != "0.00")
        disputed = sum(Decimal(item["open"]["amount"]) for item in then["open_items"] if item["disputed"])
        assert disputed == Decimal(row["disputed"])
        assert sum(Decimal(each["unapplied"]["amount"]) for each in then["unapplied_funds"]) == Decimal(
            row["unapplied"]
        )
        shown.add(str({name: row[name] for name in ("stage", "flags", "disputed", "open_promises", "balance")}))
    assert len(shown) > 5


def test_a_page_of_a_past_day_shows_and_filters_stage_flags_and_what_is_next(
    client: Client, service: StepByStep, lived: str
):
    def page(path: str) -> str:
        found = client.get(path, headers={"Accept": "text/html"})
        assert found.status_code == 200
        return found.text

    flagged = page("/?office=main&as_of=2026-03-19&flag=bankruptcy")
    assert "Stage and why" in flagged
    assert 'class="flag">bankruptcy' in flagged
    assert "1 account of this selection" in flagged
    assert "No account is like that." in page("/?office=main&as_of=2026-03-17&flag=bankruptcy")
    assert 'class="stage stage-' in page("/?office=main&as_of=2026-03-24&sort=stage&dir=asc")

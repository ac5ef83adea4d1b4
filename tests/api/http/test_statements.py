"""Statements and copies of invoices over HTTP and from the page: JSON or PDF, today or as of a day."""

from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd

PDF = {"Accept": "application/pdf"}


def test_a_statement_is_json_or_a_paper_and_marks_nothing(client: Client, service: StepByStep, account: str):
    service.drain()
    before = client.get(account).json()["version"]
    said = client.get(f"{account}/statement").json()
    balance = client.get(account).json()["balance"]
    assert (said["balance"], said["customer_name"]) == (balance, client.get(account).json()["customer_name"])
    paper = client.get(f"{account}/statement", headers=PDF)
    assert (paper.headers["content-type"], paper.content[:5]) == ("application/pdf", b"%PDF-")
    assert "attachment" in paper.headers["content-disposition"]
    page = client.get(account.removeprefix("/v1") + "/statement", params={"as_of": said["as_of"]})
    assert page.content == paper.content
    assert client.get(account).json()["version"] == before


def test_a_statement_as_of_a_day_has_what_was_open_then(client: Client, service: StepByStep, account: str):
    payment = {"number": "P-1", "amount": usd("100.00"), "received_on": "2026-03-12"}
    client.done("POST", f"{account}/payments", payment)
    service.drain()
    then = client.get(f"{account}/statement", params={"as_of": "2026-03-11"}).json()
    now = client.get(f"{account}/statement").json()
    assert float(then["balance"]["amount"]) - float(now["balance"]["amount"]) == 100
    assert {each["number"] for each in now["items"]} < {each["number"] for each in then["items"]}
    client.refused(422, "GET", f"{account}/statement", params={"as_of": "2027-01-01"})
    page = account.removeprefix("/v1") + "/statement"
    client.refused(422, "GET", page, params={"as_of": "tomorrow"})


def test_the_copy_of_an_invoice_by_any_number(client: Client, account: str):
    invoice = {"number": "2026/7 a", "issued_on": "2026-03-01", "due_on": "2026-03-10", "amount": usd("12.00")}
    client.done("POST", f"{account}/invoices", invoice)
    copy = client.get(f"{account}/invoices/2026%2F7%20a/copy").json()
    assert (copy["number"], copy["charged"]) == ("2026/7 a", usd("12.00"))
    paper = client.get(f"{account}/invoices/2026%2F7%20a/copy", headers=PDF)
    page = client.get(account.removeprefix("/v1") + "/invoice-copy", params={"number": "2026/7 a"})
    assert (paper.content[:5], page.content) == (b"%PDF-", paper.content)
    refused = client.refused(404, "GET", f"{account}/invoices/other/copy")
    assert refused["reason_code"] == "unknown-invoice"
    client.refused(422, "GET", account.removeprefix("/v1") + "/invoice-copy")


def test_what_cannot_be_printed_is_said_and_read_as_json(client: Client, account: str):
    invoice = {"number": "請求書", "issued_on": "2026-03-01", "due_on": "2026-03-10", "amount": usd("12.00")}
    client.done("POST", f"{account}/invoices", invoice)
    assert client.refused(409, "GET", f"{account}/statement", headers=PDF)["reason_code"] == "not-printable"
    assert "請求書" in client.get(f"{account}/statement").text


def test_an_office_says_where_it_is(client: Client, office: str, account: str):
    client.done("PATCH", f"/v1/offices/{office}", {"address": ["5 Wall St", "New York"]})
    assert client.get(f"/v1/offices/{office}").json()["address"] == ["5 Wall St", "New York"]
    assert client.get(f"{account}/statement").json()["office_address"] == ["5 Wall St", "New York"]

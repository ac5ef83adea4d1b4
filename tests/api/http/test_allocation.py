"""What money is put against, over HTTP: a person's decision, and working all of it out anew."""

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


def test_nobody_has_no_allocations(client: Client, office: str):
    nobody = "/v1/accounts/00000000-0000-0000-0000-000000000001"
    assert client.refused(404, "GET", f"{nobody}/allocations/restatement")["reason_code"] == "unknown-account"

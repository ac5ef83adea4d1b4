"""Write-offs over HTTP and on the account's page."""

from uuid import UUID

import pytest

from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd
from tests.api.http.test_allocation import HTML, open_amounts
from tests.api.http.test_money_that_goes_back import only_later

WHY = {"reason": "moved abroad"}


def test_what_is_owed_is_written_off_recovered_and_open_again(client: Client, account: str):
    before = open_amounts(client, account)
    balance = client.get(account).json()["balance"]
    client.done("POST", f"{account}/write-offs", {"code": "uncollectible", **WHY})
    view = client.get(account).json()
    assert (view["balance"]["amount"], view["written_off"]) == ("0.00", balance)
    assert open_amounts(client, account) == {}
    again = client.refused(409, "POST", f"{account}/write-offs", {"code": "uncollectible", **WHY})
    assert again["reason_code"] == "nothing-to-write-off"
    client.done("POST", f"{account}/payments", {"number": "P-1", "amount": usd("30.00"), "received_on": "2026-03-16"})
    [row] = client.get(f"{account}/write-offs").json()
    assert (row["number"], row["claim_kept"], row["reason"], row["reversed_on"]) == ("1", True, "moved abroad", None)
    client.done("POST", f"{account}/write-offs/1/reversal", WHY)
    left = sum(float(amount) for amount in open_amounts(client, account).values())
    assert left == sum(float(amount) for amount in before.values()) - 30
    assert client.refused(404, "POST", f"{account}/write-offs/2/reversal", WHY)["reason_code"] == "unknown-write-off"


def test_write_offs_are_answered_without_the_rest_of_the_history(
    service: StepByStep, client: Client, account: str, monkeypatch: pytest.MonkeyPatch
):
    for amount in ("1.00", "2.00"):
        client.done("POST", f"{account}/write-offs", {"code": "uncollectible", "amount": usd(amount), **WHY})
    before = client.get(f"{account}/write-offs").json()
    assert [each["amount"]["amount"] for each in before] == ["2.00", "1.00"]
    client.done("POST", f"{account}/write-offs/{before[0]['number']}/reversal", WHY)
    before = client.get(f"{account}/write-offs").json()
    service.drain()
    monkeypatch.setattr(type(service.arrears), "history", only_later(type(service.arrears).history))
    assert client.get(f"{account}/write-offs").json() == before
    client.refused(404, "GET", f"/v1/accounts/{UUID(int=1)}/write-offs")


def test_the_page_writes_off_and_takes_it_back(client: Client, account: str):
    known = account.rpartition("/")[2]
    page = client.get(f"/accounts/{known}?tab=payments", headers=HTML).text
    assert "Write off what is owed" in page
    form = {"code": "bankruptcy", "amount": "20", "reason": "a part"}
    done = client.post(f"/accounts/{known}/money/write-off", data=form, follow_redirects=False)
    assert done.status_code == 303, done.text
    page = client.get(f"/accounts/{known}?tab=payments", headers=HTML).text
    assert "Reverse a write-off" in page
    assert "<dt>Written off</dt><dd>20.00" in page
    assert "Bankruptcy" in page
    assert "a part" in page
    back = {"number": "1", "reason": "paid after all"}
    done = client.post(f"/accounts/{known}/money/reverse-write-off", data=back, follow_redirects=False)
    assert done.status_code == 303, done.text
    assert "Written off</dt>" not in client.get(f"/accounts/{known}?tab=payments", headers=HTML).text

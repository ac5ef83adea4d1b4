"""`arrears payment transfer|withdraw|move`: payments between two accounts."""

from tests.api.cli.conftest import Arrears

WHY = ("--reason", "Said so on the phone")


def balances(portfolio: Arrears) -> list[str]:
    return [portfolio("account", "show", each, "--json").json["balance"]["amount"] for each in ("A-1", "A-2")]


def test_a_payment_is_moved_transferred_and_brought_back(portfolio: Arrears):
    assert balances(portfolio) == ["310.50", "0.00"]
    moved = portfolio("payment", "move", "A-1", "P-1", "--to", "A-2", *WHY)
    assert moved.out == "Payment P-1 is on account A-2, since the day on which it came in.\n"
    assert balances(portfolio) == ["350.50", "-40.00"]
    sent = portfolio("payment", "transfer", "A-2", "P-2", "--to", "A-1", "--amount", "15", "--on", "2026-03-21", *WHY)
    assert sent.out == "15.00 USD of payment P-2 pays the debt of A-1.\n"
    assert balances(portfolio) == ["335.50", "-25.00"]
    sent = portfolio("payment", "transfer", "A-2", "P-2", "--to", "A-1", *WHY)
    assert sent.out == "What was left of payment P-2 pays the debt of A-1.\n"
    for number in ("P-2/A-2", "P-2/A-2/2"):
        back = portfolio("payment", "withdraw", "A-1", number, *WHY)
        assert back.out == f"Payment {number} is back on the account that it came from.\n"
    portfolio("payment", "move", "A-2", "P-1", "--to", "A-1", "--invoice", "INV-1", *WHY)
    assert balances(portfolio) == ["310.50", "0.00"]


def test_what_does_not_fit_is_said(portfolio: Arrears):
    about = ("payment", "transfer", "A-1", "P-1")
    assert "another account" in portfolio(*about, "--to", "A-1", *WHY, code=2).err
    assert "nothing to transfer" in portfolio(*about, "--to", "A-2", *WHY, code=1).err
    assert "no payment P-9" in portfolio("payment", "move", "A-1", "P-9", "--to", "A-2", *WHY, code=1).err
    assert "did not come from another" in portfolio("payment", "withdraw", "A-1", "P-1", *WHY, code=1).err

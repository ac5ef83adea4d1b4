"""`arrears payment`, `refund`, `invoice` and `credit`: what was taken back, given back, or never was."""

from tests.api.cli.conftest import Arrears
from tests.api.cli.test_allocation import open_amounts

WHY = ("--reason", "said the bank")


def owed(portfolio: Arrears) -> tuple[str, str]:
    view = portfolio("account", "show", "A-1", "--json").json
    return view["balance"]["amount"], view["unapplied"]["amount"]


def test_a_part_of_a_payment_is_taken_back_and_was_not_after_all(portfolio: Arrears):
    assert open_amounts(portfolio) == {"INV-1": "60.00", "INV-2": "250.50"}
    part = ("--kind", "chargeback", "--on", "2026-02-20", "--amount", "15")
    said = portfolio("payment", "reverse", "A-1", "P-1", *part, *WHY)
    assert said.out == "Payment P-1 was taken back.\n"
    assert open_amounts(portfolio) == {"INV-1": "75.00", "INV-2": "250.50"}
    assert "at most 25.00 USD" in portfolio("payment", "reverse", "A-1", "P-1", *part[:-1], "26", code=1).err
    assert (
        "one of nsf" in portfolio("payment", "reverse", "A-1", "P-1", "--kind", "x", "--on", "2026-02-20", code=2).err
    )
    assert portfolio("payment", "withdraw-reversal", "A-1", "P-1", *WHY).out == "Payment P-1 stands again.\n"
    assert open_amounts(portfolio) == {"INV-1": "60.00", "INV-2": "250.50"}


def test_a_payment_comes_in_again(portfolio: Arrears):
    portfolio("payment", "reverse", "A-1", "P-1", "--kind", "nsf", "--on", "2026-02-20")
    assert open_amounts(portfolio) == {"INV-1": "100.00", "INV-2": "250.50"}
    portfolio("payment", "receive-again", "A-1", "P-1", "--on", "2026-02-25", "--amount", "40")
    assert open_amounts(portfolio) == {"INV-1": "60.00", "INV-2": "250.50"}


def test_an_invoice_is_withdrawn_and_what_then_is_unapplied_given_back(portfolio: Arrears):
    for number in ("INV-1", "INV-2"):
        assert portfolio("invoice", "withdraw", "A-1", number, *WHY).out == f"Invoice {number} is withdrawn.\n"
    assert owed(portfolio) == ("-40.00", "40.00")
    portfolio("refund", "give", "A-1", "--amount", "30", "--on", "2026-03-01", "--payment", "P-1", *WHY)
    assert owed(portfolio) == ("-10.00", "10.00")
    assert (
        "at most 10.00 USD"
        in portfolio("refund", "give", "A-1", "--amount", "11", "--on", "2026-03-01", *WHY, code=1).err
    )
    portfolio("refund", "withdraw", "A-1", "--payment", "P-1", *WHY)
    assert owed(portfolio) == ("-40.00", "40.00")
    assert "no credit C-9" in portfolio("credit", "withdraw", "A-1", "C-9", *WHY, code=1).err

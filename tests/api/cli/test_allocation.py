"""`arrears allocate` and `arrears allocation restate`: what money is put against."""

from tests.api.cli.conftest import Arrears


def open_amounts(portfolio: Arrears) -> dict[str, str]:
    items = portfolio("account", "show", "A-1", "--json").json["open_items"]
    return {item["number"]: item["open"]["amount"] for item in items}


def test_a_person_says_which_invoice_a_payment_is_for(portfolio: Arrears):
    assert open_amounts(portfolio) == {"INV-1": "60.00", "INV-2": "250.50"}
    to_invoice = ("--payment", "P-1", "--invoice", "INV-2", "--amount", "40", "--on", "2026-02-10")
    said = portfolio("allocate", "A-1", *to_invoice, "--reason", "Said so on the phone")
    assert said.out == "40.00 USD is put against INV-2.\n"
    assert open_amounts(portfolio) == {"INV-1": "100.00", "INV-2": "210.50"}
    assert portfolio("allocation", "restate", "A-1").out == "All money is where the rules put it.\n"


def test_what_is_not_there_is_said(portfolio: Arrears):
    about = ("allocate", "A-1", "--invoice", "INV-2")
    assert "one of --payment and --credit" in portfolio(*about, "--amount", "1", code=2).err
    assert "no payment P-9" in portfolio(*about, "--payment", "P-9", "--amount", "1", code=1).err
    assert "at most 2 decimal places" in portfolio(*about, "--payment", "P-1", "--amount", "1.234", code=2).err
    nowhere = ("allocate", "A-1", "--invoice", "", "--amount", "1", "--payment", "P-1")
    assert "--invoice: string should have" in portfolio(*nowhere, code=2).err
    assert "at most" in portfolio(*about, "--payment", "P-1", "--amount", "1000", code=1).err


def test_a_dry_run_says_what_would_be_moved_and_moves_nothing(portfolio: Arrears):
    assert portfolio("allocation", "restate", "A-1", "--dry-run", "--json").json == []

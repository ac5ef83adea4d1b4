"""A customer's accounts on the command line: opening one, finding all, and reports of each currency."""

from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from tests.api.cli.conftest import Arrears


@pytest.fixture(scope="module")
def two_currencies(arrears: Arrears, folder: Path) -> Arrears:
    """A customer with an account in dollars, one in euros, and one of another number."""
    arrears("office", "open", "main", "--title", "Main office", "--currency", "USD")
    arrears("account", "open", "1001", "--name", "Ada", "--country", "US")
    arrears("account", "open", "2002", "--name", "Ada", "--customer", "1001")
    (folder / "both.csv").write_text(
        "account_number,invoice_number,issued_on,due_on,amount,currency\n"
        "1001,I-1,2026-01-05,2026-01-20,100,USD\n1001,I-2,2026-01-05,2026-01-20,50,EUR\n",
        encoding="utf-8",
    )
    arrears("import", folder / "both.csv", "--profile", "invoices")
    return arrears


def test_an_account_shows_the_others_of_its_customer(two_currencies: Arrears):
    said = two_currencies("account", "show", "1001/EUR")
    assert said.lines[0].startswith("1001/EUR  Ada")
    assert "other accounts of customer 1001: 1001 (USD); 2002 (USD)" in said.out
    view = two_currencies("account", "show", "1001/EUR", "--json").json
    assert (view["customer_number"], view["balance"]) == ("1001", {"amount": "50.00", "currency": "EUR"})


def test_a_customer_s_accounts_are_found_by_the_customer_s_number(two_currencies: Arrears):
    rows = two_currencies("account", "list", "--customer", "1001", "--json").json["rows"]
    assert [row["number"] for row in rows] == ["1001", "1001/EUR", "2002"]
    assert "no customer" in two_currencies("account", "list", "--customer", "2002", code=1).err.lower()


def test_a_report_of_an_office_is_given_in_each_currency(two_currencies: Arrears):
    said = two_currencies("report", "aging", "--office", "main")
    assert "USD" in said.out
    assert "EUR" in said.out
    only = two_currencies("report", "aging", "--office", "main", "--currency", "EUR", "--json").json
    only = only[0] if isinstance(only, list) else only
    assert (only["currency"], Decimal(only["total"]), only["accounts"]) == ("EUR", Decimal(50), 1)


def test_a_name_that_two_accounts_have_is_not_guessed(two_currencies: Arrears):
    two_currencies("account", "open", "1001/EUR", "--name", "Bob")
    said = two_currencies("account", "show", "1001/EUR", code=1)
    assert "several are called '1001/EUR', name one by its id" in said.err


def test_opening_again_changes_the_customer_and_says_what_is_wrong(two_currencies: Arrears):
    assert "It was so already." in two_currencies("account", "open", "2002", "--name", "Ada").out
    two_currencies("account", "open", "2002", "--name", "Ada", "--customer", "C-7")
    assert two_currencies("account", "show", "2002", "--json").json["customer_number"] == "C-7"
    assert "other accounts" not in two_currencies("account", "show", "2002").out
    two_currencies("account", "open", "2002", "--name", "Ada", "--customer", "1001")
    assert "currency" in two_currencies("account", "open", "3", "--name", "Bob", "--currency", "euro", code=2).err


def test_what_accounts_are_found_by_is_written_anew(two_currencies: Arrears, admin: psycopg.Connection):
    admin.execute("DELETE FROM arrears.holders")
    admin.commit()
    assert "does not lead to aggregate" in two_currencies("log", "verify", code=1).out
    assert "written, as the log says." in two_currencies("log", "find-again").out
    two_currencies("log", "verify")
    rows = two_currencies("account", "list", "--customer", "1001", "--json").json["rows"]
    assert [row["number"] for row in rows] == ["1001", "1001/EUR", "2002"]

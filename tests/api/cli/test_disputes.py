"""`arrears dispute open` and `arrears dispute resolve`."""

import pytest

from tests.api.cli.conftest import Arrears


def disputed(portfolio: Arrears, account: str) -> dict[str, str]:
    items = portfolio("account", "show", account, "--json").json["open_items"]
    return {item["number"]: item.get("disputed_amount", item["open"])["amount"] for item in items if item["disputed"]}


def test_a_part_of_an_invoice_is_disputed_shown_and_resolved(portfolio: Arrears):
    said = portfolio("dispute", "open", "A-1", "--invoice", "INV-2=20", "--code", "wrong-amount", "--notes", "too much")
    assert said.out.startswith("Dispute ")
    assert disputed(portfolio, "A-1") == {"INV-2": "20.00"}
    [row] = [line for line in portfolio("account", "show", "A-1").lines if line.startswith("INV-2")]
    assert row.split()[-1] == "20.00"
    assert portfolio("dispute", "resolve", "A-1", "--resolution", "unfounded").out.endswith(" is over.\n")
    assert disputed(portfolio, "A-1") == {}


def test_several_are_told_apart_by_their_ids_and_a_backdated_one_takes_back_what_came_since(portfolio: Arrears):
    portfolio("dispute", "open", "A-1", "--invoice", "INV-1=70", "--code", "wrong-amount", "--on", "2026-02-05")
    portfolio("dispute", "open", "A-1", "--invoice", "INV-2", "--code", "other")
    assert disputed(portfolio, "A-1") == {"INV-1": "60.00", "INV-2": "250.50"}
    first, second = (each["id"] for each in portfolio("account", "show", "A-1", "--json").json["disputes"])
    several = portfolio("dispute", "resolve", "A-1", "--resolution", "credited", code=1).err
    assert first in several
    assert second in several
    for each in (first, second):
        portfolio("dispute", "resolve", "A-1", "--resolution", "credited", "--dispute", each)
    assert disputed(portfolio, "A-1") == {}
    assert "no dispute is open" in portfolio("dispute", "resolve", "A-1", "--resolution", "credited", code=1).err


def test_a_dispute_has_an_assignee_a_day_and_a_side_and_is_shown_apart_in_aging(portfolio: Arrears):
    portfolio(
        "dispute", "open", "A-1", "--invoice", "INV-1=25", "--code", "quality", "--assignee", "kim",
        "--answer-by", "2199-12-31",
    )  # fmt: skip
    assert "to be resolved by 2199-12-31" in portfolio("account", "show", "A-1").out
    aging = portfolio("report", "aging", "--json").json
    assert (aging["disputed"], aging["disputed_items"]) == ("25.00", 1)
    assert portfolio("report", "aging").lines[-1].split() == ["disputed", "25.00", "1"]
    portfolio("dispute", "resolve", "A-1", "--resolution", "agreed", "--for", "customer", "--credit", "CR-25")
    [row] = [r for r in portfolio("dispute", "list", "A-1", "--json").json["rows"] if r["reason_code"] == "quality"]
    assert (row["assignee"], row["in_favour_of"], row["amounts"][0]["amount"]) == ("kim", "customer", "25.00")
    items = {i["number"]: i["open"]["amount"] for i in portfolio("account", "show", "A-1", "--json").json["open_items"]}
    assert items["INV-1"] == "35.00"
    assert portfolio("report", "aging", "--json").json["disputed"] == "0.00"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--invoice", "INV-1=x"), 2, "expected a decimal string"),
        (("--invoice", "INV-1="), 2, "expected a decimal string"),
        (("--invoice", "INV-1=0"), 2, "more than zero"),
        (("--invoice", "INV-1=1", "--invoice", "INV-1"), 2, "each invoice once"),
        (("--invoice", "INV-1=1000"), 1, "at most"),
        (("--invoice", "=5"), 2, "--invoice: string should have at least 1 character"),
        (("--invoice", "INV-1=5", "--notes", "x" * 10_001), 2, "--notes"),
        (("--invoice", "INV-9=5"), 1, "INV-9"),
        (("--invoice", "INV-1=5", "--on", "2999-01-01"), 2, "or earlier"),
        (("--invoice", "INV-1=5", "--answer-by", "2020-01-01"), 1, "or later"),
    ],
)
def test_what_is_wrong_is_said(portfolio: Arrears, options: tuple[str, ...], code: int, said: str):
    assert said in portfolio("dispute", "open", "A-1", *options, "--code", "other", code=code).err
    assert disputed(portfolio, "A-1") == {}

"""`arrears write-off`: what is owed is written off, and open again."""

from tests.api.cli.conftest import Arrears
from tests.api.cli.test_allocation import open_amounts

WHY = ("--reason", "moved abroad")


def test_it_is_written_off_listed_found_and_taken_back(portfolio: Arrears):
    before = open_amounts(portfolio)
    assert portfolio("write-off", "list", "A-1").out == ""
    portfolio("write-off", "add", "A-1", "--code", "other", "--amount", "10", "--invoice", "INV-2", *WHY)
    assert open_amounts(portfolio) == {**before, "INV-2": "240.50"}
    portfolio("write-off", "add", "A-1", "--code", "other", "--amount", "full", *WHY)
    assert open_amounts(portfolio) == {}
    first, second = reversed(portfolio("write-off", "list", "A-1", "--json").json["rows"])
    assert (first["amount"]["amount"], first["invoices"]) == ("10.00", ["INV-2"])
    assert (second["amount"]["amount"], second["claim_kept"], second["reversed_on"]) == ("300.50", True, None)
    found = portfolio("report", "collections", "--where", "written_off=yes", "--json").json["rows"]
    assert [(row["number"], row["balance"], row["written_off"]) for row in found] == [("A-1", "0.00", "310.50")]
    portfolio("write-off", "reverse", "A-1", "2", *WHY)
    assert "nothing" not in portfolio("write-off", "list", "A-1").out
    assert open_amounts(portfolio) == {**before, "INV-2": "240.50"}


def test_what_cannot_be_written_off_is_refused_with_why(portfolio: Arrears):
    assert "expected one of" in portfolio("write-off", "add", "A-1", "--code", "tired", *WHY, code=1).err
    assert "say why" in portfolio("write-off", "add", "A-1", "--code", "other", code=1).err.lower()
    too_much = portfolio("write-off", "add", "A-1", "--code", "other", "--amount", "9999", *WHY, code=1)
    assert "at most" in too_much.err

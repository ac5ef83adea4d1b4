"""One account at the command line: what is known of it, on any day, and everything that ever happened to it."""

from uuid import uuid4

import pytest

from tests.api.cli.conftest import Arrears


def test_an_account_is_found_by_name_phone_and_invoice(portfolio: Arrears):
    for text in ("ada, l", "212 555 01", "ada@example", "a-1", "inv-2"):
        said = portfolio("find", text)
        assert said.lines[1].split()[0] == "A-1", text
        assert len(said.lines) == 2, text
    rows = portfolio("find", "example.com", "--limit", "1", "--json").json
    assert ([row["number"] for row in rows["rows"]], rows["next_cursor"] is not None) == (["A-1"], True)
    assert "No account is found" in portfolio("find", "nobody", code=1).err


def test_an_account_by_its_number(portfolio: Arrears):
    said = portfolio("account", "show", "A-1", "--json").json
    assert (said["number"], said["customer_name"], said["customer_kind"]) == ("A-1", "Ada, Ltd.", "commercial")
    assert said["balance"] == {"amount": "310.50", "currency": "USD"}
    assert [item["number"] for item in said["open_items"]] == ["INV-1", "INV-2"]


def test_an_account_by_its_id_as_of_an_earlier_day(portfolio: Arrears):
    account = portfolio("account", "show", "A-2", "--json").json["id"]
    said = portfolio("account", "show", account, "--as-of", "2026-03-19", "--json").json
    assert (said["balance"]["amount"], said["days_past_due"]) == ("75.25", 58)


def test_an_account_for_people(portfolio: Arrears):
    said = portfolio("account", "show", "A-1")
    assert said.lines[0].startswith("A-1  Ada, Ltd.  (commercial, office main)")
    assert "owes  310.50 USD" in said.out
    assert "ada@example.com" in said.out


def test_the_audit_trail_of_an_account(portfolio: Arrears):
    rows = portfolio("audit", "A-1", "--json").json["rows"]
    assert rows[0]["event_name"] == "account.opened"
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)
    assert {row["actor_id"] for row in rows} == {"import", "auto-collection", "aging"}
    assert "customer_name" not in str(rows)
    assert "Invoice INV-1 of 100.00 USD, due on 2026-02-01" in portfolio("audit", "A-1").out


@pytest.mark.parametrize("command", [("account", "show", "A-9"), ("audit", "A-9")])
def test_an_account_that_is_not_there(portfolio: Arrears, command: tuple[str, ...]):
    assert "there is no 'A-9'" in portfolio(*command, code=1).err


def test_nothing_is_recorded_under_an_unknown_id(portfolio: Arrears):
    assert "Nothing is recorded" in portfolio("audit", uuid4(), code=1).err


def test_an_account_on_a_day_before_it_was_there(portfolio: Arrears):
    shown = portfolio("account", "show", "A-1", "--as-of", "2020-01-01").out
    assert shown.startswith("A-1 ")
    assert "owes  0.00 USD" in shown


def test_an_empty_account_is_none_at_all(portfolio: Arrears):
    """A script whose variable is not set must not change the only account that there is."""
    for command in (("account", "show", ""), ("audit", " "), ("allocation", "restate", "")):
        assert "not an empty text" in portfolio(*command, code=1).err


def test_an_argument_that_is_no_text_is_said_to_be(portfolio: Arrears):
    for command in (("account", "show", "\udcff"), ("find", "a\udced\udca0")):
        assert "not text in UTF-8" in portfolio(*command, code=2).err

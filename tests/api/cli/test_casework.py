"""`arrears promise`, `flag`, `hold`, `exclude`: for one account, and for a list of them."""

from typing import Any

import pytest

from tests.api.cli.conftest import Arrears

LIST = "A-1\n\nX-9\nA-2\n"


def rows(arrears: Arrears, *verb: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = arrears(*verb, "A-1", "--json").json["rows"]
    return found


def test_a_promise_is_made_moved_taken_back_and_listed(portfolio: Arrears):
    said = portfolio(
        "promise", "add", "A-1", "--amount", "100.00", "--due", "2026-12-20", "--assignee", "kim",
        "--notes", "will pay", "--grace", "7",
    )  # fmt: skip
    assert said.out == "100.00 is promised by 2026-12-20.\n"
    assert "promises: 100.00 by 2026-12-20" in portfolio("account", "show", "A-1").out
    portfolio("promise", "reschedule", "A-1", "--due", "2026-12-24=60.00", "--due", "2026-12-31=40.00")
    [made] = rows(portfolio, "promise", "list")
    assert (made["status"], made["due_on"], made["assignee"], made["notes"]) == (
        "open",
        "2026-12-31",
        "kim",
        "will pay",
    )
    assert [each["amount"] for each in made["instalments"]] == ["60.00", "40.00"]
    assert "reason" in portfolio("promise", "withdraw", "A-1", code=1).err
    portfolio("promise", "withdraw", "A-1", "--reason", "changed her mind")
    assert [each["status"] for each in rows(portfolio, "promise", "list")] == ["withdrawn"]
    assert "no promise is open" in portfolio("promise", "withdraw", "A-1", code=1).err


def test_a_plan_is_only_calculated_and_then_promised(portfolio: Arrears):
    month = ("--every", "month", "--first", "2027-01-31")
    plan = ("promise", "plan", "A-1", *month, "--amount", "100.00", "--total", "250.50")
    shown = portfolio(*plan, "--calculate")
    assert [line.split() for line in shown.lines[1:4]] == [
        ["1", "2027-01-31", "100.00"], ["2", "2027-02-28", "100.00"], ["3", "2027-03-31", "50.50"],
    ]  # fmt: skip
    assert shown.lines[4] == "250.50 USD in all; nothing was recorded: --calculate."
    assert portfolio(*plan).lines[4] == "250.50 USD is promised."
    [made] = [each for each in rows(portfolio, "promise", "list") if each["status"] == "open"]
    assert (len(made["instalments"]), made["due_on"]) == (3, "2027-03-31")
    portfolio("promise", "withdraw", "A-1", "--reason", "over")


def test_a_list_has_an_outcome_for_each_and_may_be_repeated(portfolio: Arrears):
    promise = ("promise", "add", "--accounts", "-", "--amount", "50.00", "--due", "2026-12-20", "--json")
    first = portfolio(*promise, given=LIST, code=3).json
    assert [(each["account"], each["outcome"], each["reason_code"]) for each in first] == [
        ("A-1", "done", None),
        ("X-9", "refused", "unknown-account"),
        ("A-2", "refused", "promise-too-large"),
    ]
    assert [each["outcome"] for each in portfolio(*promise, given="A-1\nA-1\n").json] == ["same", "same"]
    assert [p["status"] for p in rows(portfolio, "promise", "list") if p["promised"] == "50.00"] == ["open"]
    portfolio("promise", "withdraw", "A-1", "--reason", "over")


def test_a_hold_of_a_list_is_placed_once_and_ended(portfolio: Arrears):
    start = (
        "hold",
        "start",
        "--accounts",
        "-",
        "--code",
        "illness",
        "--until",
        "2026-12-31",
        "--reason",
        "in hospital",
    )
    assert portfolio(*start, given="A-1\n").out == "A-1  On hold (illness) until 2026-12-31.\n"
    assert portfolio(*start, given="A-1\n").out == "A-1  It was on this hold already.\n"
    [hold] = rows(portfolio, "hold", "list")
    assert (hold["code"], hold["until"], hold["ended_on"], hold["reason"]) == (
        "illness", "2026-12-31", None, "in hospital",
    )  # fmt: skip
    assert portfolio("hold", "end", "A-1").out == "The hold has ended.\n"
    assert portfolio("hold", "end", "A-1").out == "No such hold was in force.\n"
    assert rows(portfolio, "hold", "list")[0]["ended_on"] is not None


def test_flags_are_set_taken_off_and_listed(portfolio: Arrears):
    assert portfolio("flag", "add", "A-1", "--flag", "vip", "--reason", "a board member").out == "Flag vip is set.\n"
    assert portfolio("flag", "add", "A-1", "--flag", "vip").out == "It was set already.\n"
    [flag] = rows(portfolio, "flag", "list")
    assert (flag["title"], flag["until"], flag["reason"]) == ("Handle with care", None, "a board member")
    portfolio("flag", "remove", "A-1", "--flag", "vip")
    assert rows(portfolio, "flag", "list")[0]["until"] is not None
    assert "expected one of bankruptcy" in portfolio("flag", "add", "A-1", "--flag", "haunted", code=1).err


def test_what_is_said_to_be_paid_is_accepted_or_rejected(portfolio: Arrears):
    portfolio("office", "set", "main", "--claim-days", "20")
    assert "payment claims 20 days, complaints 15 days" in portfolio("office", "show", "main").out
    portfolio("claim", "add", "A-1", "--invoice", "INV-1", "--amount", "50.00", "--reference", "wire 7")
    assert "said to be paid: 50.00, 1 items, checked until" in portfolio("account", "show", "A-1").out
    assert "needs a reason" in portfolio("claim", "reject", "A-1", code=1).err
    portfolio("claim", "accept", "A-1", "--reason", "seen")
    portfolio("claim", "reject", "A-1", "--reason", "for another")
    [row] = rows(portfolio, "claim", "list")
    assert (row["state"], row["reference"], row["expected"]["amount"]) == ("rejected", "wire 7", "50.00")
    assert "50.00" in portfolio("claim", "list", "A-1").lines[1]
    assert "no payment claim is open" in portfolio("claim", "accept", "A-1", "--reason", "r", code=1).err


def test_a_complaint_is_recorded_answered_and_closed(portfolio: Arrears):
    portfolio("complaint", "add", "A-1", "--subject", "rude", "--on", "2026-11-02", "--answer-by", "2026-11-12")
    assert "complaints: general of 2026-11-02, to be answered by 2026-11-12" in portfolio("account", "show", "A-1").out
    assert "stage blocked: a complaint" in portfolio("account", "show", "A-1").out
    portfolio("complaint", "answer", "A-1", "--on", "2026-11-10", "--notes", "we are sorry")
    portfolio("complaint", "close", "A-1", "--outcome", "upheld", "--reason", "it was so")
    [row] = rows(portfolio, "complaint", "list")
    assert (row["state"], row["subject"], row["answer"], row["outcome"]) == ("closed", "rude", "we are sorry", "upheld")
    assert "rude" in portfolio("complaint", "list", "A-1", "--wide").lines[1]
    assert "one of general" in portfolio("complaint", "add", "A-1", "--subject", "s", "--kind", "other", code=1).err


def test_a_lien_is_prepared_filed_and_released(portfolio: Arrears):
    portfolio("legal", "open", "A-1", "--kind", "lien", "--court", "County recorder", "--document", "lien.pdf")
    assert "legal cases: lien, prepared since" in portfolio("account", "show", "A-1").out
    assert "becomes one of filed, withdrawn" in portfolio("legal", "move", "A-1", "--state", "released", code=1).err
    portfolio("legal", "move", "A-1", "--state", "filed", "--number", "L-7", "--cost", "85.50")
    portfolio("legal", "note", "A-1", "--document", "receipt.pdf")
    portfolio("legal", "move", "A-1", "--state", "released")
    [row] = rows(portfolio, "legal", "list")
    assert (row["state"], row["case_number"], row["costs"]["amount"]) == ("released", "L-7", "85.50")
    assert row["documents"] == ["lien.pdf", "receipt.pdf"]
    assert "no legal case is open" in portfolio("legal", "note", "A-1", code=1).err


def test_an_account_is_excluded_and_let_back_in(portfolio: Arrears):
    assert "needs a reason" in portfolio("exclude", "start", "A-1", code=1).err
    assert portfolio("exclude", "start", "--accounts", "-", "--reason", "hardship", given="A-1\n").out.startswith(
        "A-1  Excl"
    )
    assert portfolio("account", "show", "A-1", "--json").json["exclusion"]
    portfolio("exclude", "end", "A-1", "--reason", "it is over")
    assert portfolio("account", "show", "A-1", "--json").json["exclusion"] is None


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("promise", "add", "--amount", "1", "--due", "2026-12-20"), 2, "expected an account, or --accounts"),
        (
            ("promise", "add", "A-1", "--accounts", "-", "--amount", "1", "--due", "2026-12-20"),
            2,
            "expected an account",
        ),
        (("promise", "add", "A-1", "--amount", "1.001", "--due", "2026-12-20"), 2, "--amount '1.001'"),
        (("promise", "add", "A-1", "--amount", "1", "--due", "2026-02-30"), 2, "there is no such day"),
        (("promise", "add", "A-1", "--amount", "1", "--due", "2026-01-01"), 1, "or later"),
        (("promise", "add", "A-1", "--amount", "1", "--due", "2026-12-20", "--grace", "61"), 2, "--grace"),
        (("promise", "plan", "A-1", "--every", "week", "--first", "2026-12-20", "--count", "61"), 1, "from 1 to 60"),
        (("promise", "plan", "A-1", "--every", "year", "--first", "2026-12-20", "--count", "6"), 2, "--every"),
        (("hold", "start", "A-1", "--code", "illness", "--until", "2026-01-01", "--reason", "r"), 1, "or later"),
        (("hold", "end", "A-1", "--hold", "7"), 2, "--hold '7'"),
        (("hold", "start", "--accounts", "/nowhere", "--code", "x"), 1, "/nowhere"),
        (("flag", "add", "X-9", "--flag", "vip"), 1, "there is no 'X-9'"),
    ],
)
def test_what_is_wrong_is_said(portfolio: Arrears, options: tuple[str, ...], code: int, said: str):
    assert said in portfolio(*options, code=code).err

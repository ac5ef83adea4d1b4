"""Reports at the command line: as of any day, adding up, in shapes that scripts can rely on."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest

from tests.api.cli.conftest import Arrears, Said


def rows_of(said: Said) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(said.out, newline="")))


def test_aging_has_every_bucket_and_amounts_as_decimal_strings(portfolio: Arrears):
    assert portfolio("report", "aging", "--as-of", "2026-02-15", "--json").json == {
        "as_of": "2026-02-15",
        "currency": "USD",
        "buckets": [
            {"bucket": "current", "amount": "250.50", "items": 1},
            {"bucket": "1-30", "amount": "135.25", "items": 2},
            {"bucket": "31-60", "amount": "0.00", "items": 0},
            {"bucket": "61-90", "amount": "0.00", "items": 0},
            {"bucket": "91-120", "amount": "0.00", "items": 0},
            {"bucket": "121+", "amount": "0.00", "items": 0},
        ],
        "unapplied": "0.00",
        "total": "385.75",
        "accounts": 2,
        "disputed": "0.00",
        "disputed_items": 0,
    }


@pytest.mark.parametrize("day", ["2026-01-01", "2026-01-31", "2026-02-28", "2026-03-31"])
def test_buckets_less_unapplied_are_what_collections_add_up_to(portfolio: Arrears, day: str):
    aging = portfolio("report", "aging", "--as-of", day, "--json").json
    collections = portfolio("report", "collections", "--as-of", day, "--json").json
    assert sum(Decimal(b["amount"]) for b in aging["buckets"]) - Decimal(aging["unapplied"]) == Decimal(aging["total"])
    assert sum(Decimal(row["balance"]) for row in collections["rows"]) == Decimal(aging["total"])
    assert collections["accounts"] == len(collections["rows"]) == aging["accounts"]


def test_a_later_payment_does_not_change_an_earlier_day(portfolio: Arrears):
    (row,) = [
        row
        for row in portfolio("report", "collections", "--as-of", "2026-03-19", "--json").json["rows"]
        if row["number"] == "A-2"
    ]
    assert (row["balance"], row["bucket"], row["days_past_due"]) == ("75.25", "31-60", 58)


def test_what_was_not_known_yet_is_left_out(portfolio: Arrears):
    said = portfolio("report", "aging", "--as-of", "2026-02-15", "--known-on", "2026-02-15", "--json").json
    assert said["total"] == "0.00"


def test_a_cell_never_becomes_a_formula(portfolio: Arrears):
    said = portfolio("report", "collections", "--as-of", "2026-02-15", "--format", "csv")
    names = {row["number"]: row["customer_name"] for row in rows_of(said)}
    assert names == {"A-1": "Ada, Ltd.", "A-2": "'=HYPERLINK(1)"}


def test_collections_take_any_filter_by_its_name(portfolio: Arrears):
    asked = ("report", "collections", "--as-of", "2026-02-15", "--json", "--where")
    assert [row["number"] for row in portfolio(*asked, "number=A-2").json["rows"]] == ["A-2"]
    assert [row["number"] for row in portfolio(*asked, "min_balance=75.26").json["rows"]] == ["A-1"]
    assert portfolio(*asked, "number=A-2", "--where", "min_balance=75.26").json["rows"] == []


def test_collections_have_the_columns_filters_and_order_that_are_asked_for(portfolio: Arrears):
    of_day = ("report", "collections", "--as-of", "2026-02-15")
    said = portfolio(*of_day, "--columns", "account,paid_since,segment", "--sort", "number", "--ascending")
    assert [line.split() for line in said.lines[1:4]] == [
        ["account", "paid", "since", "segment"],
        ["A-1"],
        ["A-2", "75.25"],
    ]
    assert "Paid since: 75.25" in said.out
    assert portfolio(*of_day, "--columns", "number,balance", "--format", "csv").lines[0] == "number,balance"
    [row] = portfolio(*of_day, "--max-balance", "100", "--columns", "number,1-30", "--json").json["rows"]
    assert row == {"number": "A-2", "1-30": "75.25"}
    assert "--columns colour: expected some of" in portfolio(*of_day, "--columns", "colour", code=2).err


def test_a_filter_is_saved_used_and_removed(portfolio: Arrears):
    portfolio("filter", "save", "small", "--max-balance", "100", "--columns", "number,balance", "--sort", "number")
    assert "small" in portfolio("filter", "list").out
    of_day = ("report", "collections", "--as-of", "2026-02-15", "--filter")
    said = portfolio(*of_day, "small")
    assert said.lines[1].split() == ["account", "balance"]
    assert "A-1" not in said.out
    assert portfolio(*of_day, "small", "--max-balance", "1000", "--json").json["accounts"] == 2
    assert "search: expected none" in portfolio("filter", "save", "ada", "--search", "Ada", code=1).err
    portfolio("filter", "remove", "small")
    assert "--filter small: expected one of none yet" in portfolio(*of_day, "small", code=2).err


def test_collections_today_say_stage_and_why(portfolio: Arrears):
    (row,) = portfolio("report", "collections", "--json").json["rows"]
    assert row["number"] == "A-1"
    assert (row["stage"], row["why"]["code"]) == ("outstanding", "no-campaign")


def test_the_table_keeps_to_its_limit_and_says_so(portfolio: Arrears):
    said = portfolio("report", "collections", "--as-of", "2026-02-15", "--limit", "1")
    assert "A-1" in said.out
    assert "A-2" not in said.out
    assert "1 more" in said.err


def test_csv_and_json_are_not_limited_by_themselves(portfolio: Arrears):
    said = portfolio("report", "activity", "--format", "csv")
    everything = portfolio("report", "activity", "--json").json["rows"]
    assert len(rows_of(said)) == len(everything) > 0


def test_activity_of_one_account(portfolio: Arrears):
    rows = portfolio("report", "activity", "--account", "A-2", "--json").json["rows"]
    assert {row["number"] for row in rows} == {"A-2"}
    assert "payment" in {row["kind"] for row in rows}


def test_promises_are_empty_where_nobody_promised(portfolio: Arrears):
    said = portfolio("report", "promises", "--json").json
    assert (said["currency"], said["rows"]) == ("USD", [])


def test_kpis_have_three_decimals_and_null_for_a_zero_denominator(portfolio: Arrears):
    said = portfolio("kpi", "--from", "2026-01-01", "--to", "2026-03-31", "--json").json
    assert (said["from"], said["to"], said["days"]) == ("2026-01-01", "2026-03-31", 90)
    assert (said["begin"], said["sales"], said["end"]) == ("0.00", "425.75", "310.50")
    assert said["dso"] == "65.637"  # 310.50 / 425.75 * 90
    assert portfolio("kpi", "--from", "2025-01-01", "--to", "2025-03-31", "--json").json["dso"] is None


def test_kpis_as_a_table(portfolio: Arrears):
    said = portfolio("kpi", "--from", "2026-01-01", "--to", "2026-03-31")
    assert said.lines[0] == "KPIs from 2026-01-01 to 2026-03-31, 90 days, USD"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["report", "aging", "--as-of", "2026-02-30"], "there is no such day"),
        (["report", "aging", "--as-of", "yesterday"], "expected a day such as 2026-03-31"),
        (["report", "promises", "--status", "lost"], "expected one of open, kept"),
        (["report", "collections", "--where", "colour=red"], "expected FILTER=VALUE of search, stage, bucket"),
        (["report", "collections", "--where", "stage"], "expected FILTER=VALUE of search, stage, bucket"),
        (["report", "collections", "--where", "stage=asleep"], "stage: expected one or several of outstanding"),
        (["report", "collections", "--flag", "No Flag"], "flag: expected one or several of lower-case letters"),
        (["report", "collections", "--frozen", "No Code"], "frozen: expected lower-case letters, digits and dashes"),
        (["filter", "save", "No Name"], "NAME 'No Name': expected lower-case letters, digits and dashes"),
        (["bulk", "preview", "write-off", "--code", "tired", "--below", "much"], "--below: expected an amount such as"),
        (["report", "collections", "--limit", "0"], "greater than or equal to 1"),
        (["report", "sales"], "No such command 'sales'"),
        (["kpi", "--from", "2026-01-01"], "--to"),
    ],
)
def test_wrong_usage_is_told_in_a_line(portfolio: Arrears, arguments: list[str], problem: str):
    said = portfolio(*arguments, code=2)
    assert said.out == ""
    assert said.err.startswith("Error: ")
    assert problem in said.err.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["report", "aging", "--office", "paris"], "there is no office 'paris'"),
        (["kpi", "--from", "2026-02-01", "--to", "2026-01-01"], "expected 2026-02-01 or later"),
        (["report", "activity", "--account", "A-9"], "there is no 'A-9'"),
        (["report", "collections", "--bucket", "old"], "expected one of current, 1-30"),
        (["report", "collections", "--placed-with", "nobody"], "placed_with: expected one of none yet, not 'nobody'"),
        (["report", "collections", "--flag", "haunted"], "flag: expected one of bankruptcy, "),
        (["report", "collections", "--frozen", "bored"], "frozen: expected one of "),
        (["report", "collections", "--segment", "none"], "segment: expected one of "),
        (["report", "collections", "--assignee", "nobody"], "assignee: expected one of "),
        (["report", "activity", "--office", "paris", "--as-of", "2026-02-15"], "there is no office 'paris'"),
        (["placement", "list", "--agency", "nobody"], "agency: expected one of none yet, not 'nobody'"),
        (["placement", "commission", "--agency", "nobody"], "agency: expected one of none yet"),
        (["placement", "files", "--agency", "nobody"], "agency: expected one of none yet"),
    ],
)
def test_a_question_without_an_answer_is_told_in_a_line(portfolio: Arrears, arguments: list[str], problem: str):
    said = portfolio(*arguments, code=1)
    assert problem in said.err.splitlines()[0]


def test_a_campaign_s_texts_are_written_for_an_account_of_one_s_choice(portfolio: Arrears, folder: Path):
    checked = portfolio("campaign", "check", folder / "campaign.toml", "--account", "A-2", "--json").json
    assert [(each["account"], each["problem"]) for each in checked["texts"]] == [(None, None), ("A-2", None)]
    assert checked["texts"][1]["body"].startswith("Please pay 0.00.")
    checked = portfolio("campaign", "check", folder / "campaign.toml", "--json").json
    assert [each["account"] for each in checked["texts"]] == [None, "A-1"]

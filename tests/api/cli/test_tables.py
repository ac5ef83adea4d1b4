"""Tables at the command line: whatever the width, amounts and accounts are whole, and what made room is named."""

import io
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from typer.testing import CliRunner

from api.cli.app import app
from api.cli.output import print_table, shown
from api.cli.tables import Column, Fit, drawn, figure, fitted, key, names_of, prose, tabular, text, word
from tests.api.cli.conftest import Arrears

WIDTHS = st.integers(40, 240)
AMOUNTS = st.integers(-(10**17), 10**17).map(lambda minor: shown(Decimal(minor) / 100))
PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=120)
CODES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)
CELLS = {Fit.WHOLE: CODES, Fit.FOLDS: PRINTABLE, Fit.ENDS: PRINTABLE, Fit.WRAPS: PRINTABLE}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Column], list[list[str]]]:
    """A table as commands have them: what a row is about and an amount stay, all else may leave."""
    kinds = draw(st.lists(st.sampled_from([figure, word, text, prose]), max_size=12))
    others = [kind(f"column-{place}", place) for place, kind in enumerate(kinds, 1)]
    columns = draw(st.permutations([key("account"), figure("balance"), *others]))
    cells = [AMOUNTS if column.right else CELLS[column.fit] for column in columns]
    return columns, draw(st.lists(st.tuples(*cells).map(list), max_size=5))


def printed(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> tuple[list[str], list[str]]:
    layout = fitted(columns, rows, width)
    shown_rows = (names_of(columns), *rows)
    return [each for row in shown_rows for each in drawn(columns, layout, row)], layout.left_out


@given(tables(), WIDTHS)
def test_no_line_is_longer_than_the_terminal(table: tuple[list[Column], list[list[str]]], width: int):
    lines, _ = printed(*table, width)
    assert max(map(cell_len, lines)) <= width


@given(tables(), WIDTHS)
def test_no_amount_is_cut_and_no_account_loses_a_letter(table: tuple[list[Column], list[list[str]]], width: int):
    columns, rows = table
    place = names_of(columns).index("account")
    for row in rows:
        lines, left_out = printed(columns, [row], width)
        assert "balance" not in left_out
        for column, cell in zip(columns, row, strict=True):
            if column.right and column.name not in left_out:
                assert cell in lines[1] or cell in "\n".join(lines)
        squeezed = [each for each in row[place] if not each.isspace()]
        letters: Iterator[str] = iter("".join(lines))
        assert all(each in letters for each in squeezed)


@given(tables(), WIDTHS)
def test_columns_leave_in_their_order(table: tuple[list[Column], list[list[str]]], width: int):
    columns, rows = table
    _, left_out = printed(columns, rows, width)
    left = {column.leaves for column in columns if column.name in left_out}
    stayed = {column.leaves for column in columns if column.leaves and column.name not in left_out}
    assert not left or not stayed or max(left) < min(stayed)


@given(tables())
def test_where_nobody_looks_every_row_is_one_whole_line(table: tuple[list[Column], list[list[str]]]):
    columns, rows = table
    lines, left_out = printed(columns, rows, None)
    assert (len(lines), left_out) == (len(rows) + 1, [])
    for line, row in zip(lines[1:], rows, strict=True):
        assert all(cell.rstrip() in line for cell in row)


# --- what the caller wants of them ---

COLUMNS = (key("account"), text("customer", 2), figure("balance"), word("stage", 1))
ROWS = [("A-1", "A customer with a long name", Decimal("32448.10"), "follow-up")]


def table_of(*, width: int, monkeypatch: pytest.MonkeyPatch, **wished: Any) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    tabular(lambda: print_table(COLUMNS, ROWS))(**wished)
    return [*out.getvalue().splitlines(), *err.getvalue().splitlines()]


def test_what_made_room_is_named(monkeypatch: pytest.MonkeyPatch):
    assert table_of(width=36, monkeypatch=monkeypatch) == [
        "account  customer            balance",
        "A-1      A customer with…  32,448.10",
        "left out: stage; --wide shows all",
    ]


def test_wide_shows_all_of_it(monkeypatch: pytest.MonkeyPatch):
    assert table_of(width=40, monkeypatch=monkeypatch, wide=True) == [
        "account  customer                       balance  stage",
        "A-1      A customer with a long name  32,448.10  follow-up",
    ]


def test_columns_are_chosen_and_ordered_by_name(monkeypatch: pytest.MonkeyPatch):
    assert table_of(width=80, monkeypatch=monkeypatch, columns="balance, account") == [
        "  balance  account",
        "32,448.10  A-1",
    ]


@pytest.mark.parametrize("width", [40, 80, 150])
@pytest.mark.parametrize(
    "command",
    [
        ("report", "aging", "--as-of", "2026-02-15"),
        ("report", "collections", "--as-of", "2026-02-15"),
        ("report", "promises"),
        ("report", "activity"),
        ("kpi", "--from", "2026-01-01", "--to", "2026-03-31"),
        ("account", "show", "A-1"),
        ("audit", "A-1"),
        ("campaign", "list"),
        ("projections", "list"),
        ("projections", "status"),
        ("work", "list", "--all"),
    ],
)
def test_every_table_keeps_to_the_terminal(
    portfolio: Arrears, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], width: int
):
    monkeypatch.setenv("COLUMNS", str(width))
    sentences = ("A-1  Ada, Ltd.", "reached by:", "stage ", "owes ", "2 accounts owe", "There is no campaign yet")
    lines = [each for each in portfolio(*command).lines if not each.startswith(sentences)]
    assert max(map(len, lines), default=0) <= width


@pytest.mark.parametrize("width", [40, 80])
def test_collections_show_account_and_balance_whole(portfolio: Arrears, monkeypatch: pytest.MonkeyPatch, width: int):
    monkeypatch.setenv("COLUMNS", str(width))
    said = portfolio("report", "collections", "--as-of", "2026-02-15")
    assert any(line.startswith("account ") and "balance" in line for line in said.lines)
    assert any(line.startswith("A-1") and "310.50" in line for line in said.lines)
    assert "--wide shows all" in said.err
    wide = portfolio("report", "collections", "--as-of", "2026-02-15", "--wide")
    assert "91-120" in wide.lines[1]
    assert wide.err == ""


def test_an_unknown_column_is_refused_with_the_known_ones(portfolio: Arrears):
    said = portfolio("report", "aging", "--columns", "bucket,sum", code=2)
    assert said.err.startswith("Error: Invalid value: --columns sum: expected some of bucket, amount, items")


def test_columns_are_not_for_json(portfolio: Arrears):
    assert "--columns is for tables" in portfolio("report", "aging", "--columns", "bucket", "--json", code=2).err


def test_every_command_that_prints_a_table_offers_both_options():
    """`print_table` itself insists on it: under another command it raises."""
    with pytest.raises(LookupError):
        print_table(COLUMNS, ROWS)
    for command in (("report", "collections"), ("audit",), ("deadletters", "list"), ("campaign", "show")):
        said = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "100"}, prog_name="arrears").stdout
        assert "--wide" in said
        assert "--columns" in said


def test_json_is_untouched_by_the_width(portfolio: Arrears, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "40")
    said = portfolio("report", "collections", "--as-of", "2026-02-15", "--json")
    assert [row["number"] for row in json.loads(said.out)["rows"]] == ["A-1", "A-2"]

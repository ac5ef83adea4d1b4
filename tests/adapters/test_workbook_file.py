"""Tables as files: what is written is what is read, and no cell is a formula."""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from adapters.workbook_file import write_csv, write_workbook

HEADER = ("number", "balance", "since", "note")
ROWS = (
    ("1001", Decimal("-12.50"), date(2026, 3, 1), '=HYPERLINK("http://example.org")'),
    ("+1002", Decimal("0.00"), None, "a\x07bell\nand a line"),
)


def test_a_workbook_has_its_header_filter_rows_and_totals_and_no_formula(tmp_path: Path):
    path = tmp_path / "report.xlsx"
    assert (
        write_workbook(path, "Report", HEADER, iter(ROWS), totals=("Total", Decimal("-12.50"), None, None), places=2)
        == 2
    )
    sheet: Any = load_workbook(path)["Report"]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:D3")
    cells = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert cells[0] == list(HEADER)
    assert cells[1][:2] == ["1001", -12.5]
    assert cells[1][2].date() == date(2026, 3, 1)
    assert cells[1][3] == '=HYPERLINK("http://example.org")'
    assert cells[2] == ["+1002", 0, None, "a bell\nand a line"]
    assert cells[3] == ["Total", -12.5, None, None]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}, "none is a formula"


@pytest.mark.parametrize(("places", "shown"), [(0, "#,##0"), (2, "#,##0.00"), (3, "#,##0.000")])
def test_amounts_are_shown_with_the_places_of_their_currency(tmp_path: Path, places: int, shown: str):
    path = tmp_path / "report.xlsx"
    write_workbook(path, "Report", HEADER, iter(ROWS), totals=(None,) * 4, places=places)
    sheet: Any = load_workbook(path)["Report"]
    assert sheet["B2"].number_format == shown


def test_a_workbook_that_cannot_be_written_is_an_error_before_its_rows_are_read(tmp_path: Path):
    with pytest.raises(OSError, match="No such file or directory"):
        write_workbook(tmp_path / "none" / "report.xlsx", "Report", HEADER, iter(ROWS), totals=(None,) * 4, places=2)


def test_rows_that_a_sheet_has_no_room_for_are_refused_and_not_left_out(tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr("adapters.workbook_file._MOST_ROWS", 3)  # the header, one of them, and none for the totals
    with pytest.raises(OSError, match="room for 3 rows, CSV for any number"):
        write_workbook(tmp_path / "report.xlsx", "Report", HEADER, iter(ROWS), totals=(None,) * 4, places=2)


def test_a_csv_file_has_a_byte_order_mark_where_one_is_asked_for(tmp_path: Path):
    for has_bom in (True, False):
        write_csv(tmp_path / "report.csv", HEADER, ROWS, has_bom=has_bom)
        assert (tmp_path / "report.csv").read_bytes().startswith(b"\xef\xbb\xbf") is has_bom


def test_a_csv_file_has_no_formula_and_its_amounts_are_amounts(tmp_path: Path):
    path = tmp_path / "report.csv"
    write_csv(path, HEADER, ROWS)
    with path.open(encoding="utf-8", newline="") as file:
        read = list(csv.reader(file))
    assert read[1] == ["1001", "-12.50", "2026-03-01", '\'=HYPERLINK("http://example.org")']
    assert read[2][:3] == ["'+1002", "0.00", ""]

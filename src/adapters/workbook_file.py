"""Tables as files for other programs: CSV, and workbooks, both written row by row. A cell never is a formula."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from adapters.billing.spreadsheet import guarded

Cell = str | int | Decimal | date | datetime | None

_WIDTH = 16


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """RFC 4180 in UTF-8 with a header line; text that a spreadsheet would take for a formula is marked as text."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow([guarded(each) if isinstance(each, str) else _plain(each) for each in row])


def _plain(value: Cell) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value:f}"
        case date():
            return value.isoformat()
        case _:
            return str(value)


def write_workbook(
    path: Path, title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, totals: Sequence[Cell]
) -> int:
    """One sheet: the header stays in sight and filters the rows, which end with their totals. Answers how many rows.

    Amounts are numbers, days are days, and text is text whatever it begins with.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for place in range(1, len(header) + 1):
        sheet.column_dimensions[get_column_letter(place)].width = _WIDTH
    sheet.append([_cell(sheet, each, bold=True) for each in header])
    count = 0
    for row in rows:
        count += 1
        sheet.append([_cell(sheet, each) for each in row])
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(header))}{count + 1}"
    sheet.append([_cell(sheet, each, bold=True) for each in totals])
    book.save(path)
    return count


def _cell(sheet: Any, value: Cell, *, bold: bool = False) -> Any:
    if isinstance(value, str):
        value = ILLEGAL_CHARACTERS_RE.sub(" ", value)
    if isinstance(value, datetime):
        value = value.replace(tzinfo=None)  # a workbook has no zones; these are UTC
    if value is None or (not bold and isinstance(value, int)):
        return value
    cell: Any = WriteOnlyCell(sheet, cast(Any, value))
    if isinstance(value, str):
        cell.data_type = "s"  # not "f", which a text with "=" in front would get
    elif isinstance(value, Decimal):
        cell.number_format = "#,##0.00"
    if bold:
        cell.font = Font(bold=True)
    return cell

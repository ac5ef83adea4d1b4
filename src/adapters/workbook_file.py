"""Tables as files for other programs: CSV, and workbooks, both written row by row. A cell never is a formula."""

import csv
import errno
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from adapters.billing.spreadsheet import guarded

Cell = str | int | Decimal | date | datetime | None

_WIDTH = 16
_MOST_ROWS = 1_048_576

_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What XML has no place for."""


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, has_bom: bool = False) -> None:
    """RFC 4180 in UTF-8, with a byte order mark or without, and a header line; text that a spreadsheet would take for a
    formula is marked as text."""
    with path.open("w", encoding="utf-8-sig" if has_bom else "utf-8", newline="") as file:
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
    path: Path,
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    totals: Sequence[Cell],
    places: int,
) -> int:
    """One sheet: the header stays in sight and filters the rows, which end with their totals. Answers how many rows.

    Amounts are numbers with so many decimal `places`, days are days, and text is text whatever it begins with. Raises
    OSError, also where there are more rows than a sheet has.
    """
    path.open("ab").close()  # else it is noticed at the end that it cannot be written, with another error
    with Workbook(path, {"constant_memory": True}) as book:  # a row is written when the next one begins
        sheet = book.add_worksheet(title)
        plain, bold = _Writer(book, sheet, places), _Writer(book, sheet, places, bold=True)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(header) - 1, _WIDTH)
        bold.write(0, header)
        count = 0
        for count, row in enumerate(rows, 1):
            plain.write(count, row)
        sheet.autofilter(0, 0, count, len(header) - 1)
        bold.write(count + 1, totals)
    return count


class _Writer:
    """Writes rows whose cells look alike."""

    def __init__(self, book: Workbook, sheet: Worksheet, places: int, *, bold: bool = False) -> None:
        self._sheet = sheet
        self._plain = book.add_format({"bold": bold})
        self._amount = book.add_format({"bold": bold, "num_format": "#,##0" + ("." + "0" * places if places else "")})
        self._day = book.add_format({"bold": bold, "num_format": "yyyy-mm-dd"})
        self._moment = book.add_format({"bold": bold, "num_format": "yyyy-mm-dd h:mm:ss"})

    def write(self, row: int, cells: Sequence[Cell]) -> None:
        if row >= _MOST_ROWS:
            raise OSError(errno.EFBIG, f"a workbook has room for {_MOST_ROWS:,} rows, CSV for any number")
        sheet = self._sheet
        for column, value in enumerate(cells):
            match value:
                case None:
                    continue
                case str():  # never as a formula
                    sheet.write_string(row, column, _ILLEGAL.sub(" ", value), self._plain)
                case Decimal():
                    sheet.write_number(row, column, value, self._amount)
                case int():
                    sheet.write_number(row, column, value, self._plain)
                case datetime():  # a workbook has no zones; these are UTC
                    sheet.write_datetime(row, column, value.replace(tzinfo=None), self._moment)
                case date():
                    sheet.write_datetime(row, column, value, self._day)

"""Writing a placement file: streamed, account by account, in an agency's layout."""

import csv
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from adapters.billing.spreadsheet import guarded
from aggregates.values.agency import FileFormat, Layout, LayoutColumn
from aggregates.values.money import Money

if TYPE_CHECKING:
    from adapters.workbook_file import Cell

UPDATES = Layout(
    name="updates",
    columns=tuple(
        LayoutColumn(title=title, field=field)
        for title, field in (
            ("record", "record"),
            ("placement_id", "placement_id"),
            ("client_number", "client_number"),
            ("account_number", "account_number"),
            ("date", "placed_on"),
            ("amount", "last_payment_amount"),
            ("currency", "currency"),
            ("code", "notes"),
            ("current_balance", "current_balance"),
        )
    ),
    trailer=True,
)
"""Of files that tell what happened: a row for each thing, `amount` is how much less, or more, is owed by it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What is in a file."""

    accounts: int
    total: Money
    rows: int
    sha256: str


def sha256_of(file: Path) -> str:
    """In hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class PlacementWriter:
    """A context manager; the file is complete, and on the disk, once it ends without an error."""

    def __init__(self, path: Path, layout: Layout, form: FileFormat, currency: str) -> None:
        self._path, self._layout = path, layout
        self._delimiter = "\t" if form is FileFormat.TSV else ","
        self._total = Money.zero(currency)
        self._accounts = self._rows = 0

    def __enter__(self) -> Self:
        self._file = os.fdopen(
            os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline=""
        )
        self._csv = csv.writer(self._file, delimiter=self._delimiter, lineterminator="\r\n")
        if self._layout.header:
            self._csv.writerow([each.title for each in self._layout.columns])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            if self._layout.trailer:
                self._write_trailer()
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()

    def account(self, balance: Money, row: "Mapping[str, Cell]", invoices: "Iterable[Mapping[str, Cell]]") -> None:
        """An account, and where the layout has them its invoices."""
        self._accounts += 1
        self._total += balance
        self.row(row)
        if self._layout.invoices:
            for each in invoices:
                self.row(each)

    def change(self, amount: Money | None, row: "Mapping[str, Cell]") -> None:
        """Something that happened to an account; the trailer counts it, and adds its amount up."""
        self._accounts += 1
        if amount is not None:
            self._total += amount
        self.row(row)

    def row(self, row: "Mapping[str, Cell]") -> None:
        """A row by the fields of the layout; what it says nothing of stays empty."""
        self._rows += 1
        self._csv.writerow([self._cell(each, row) for each in self._layout.columns])

    def written(self) -> Written:
        """What the complete file has."""
        return Written(self._accounts, self._total, self._rows, sha256_of(self._path))

    def _cell(self, column: LayoutColumn, row: "Mapping[str, Cell]") -> str:
        value: Any = column.text if column.field is None else row.get(column.field)
        match value:
            case None:
                return ""
            case str():
                return guarded(" ".join(value.split()))
            case Decimal():
                return f"{value:f}"
            case date():
                return value.strftime(self._layout.date_format)
            case _:
                return str(value)

    def _write_trailer(self) -> None:
        said: Sequence[str] = ["trailer", str(self._accounts), f"{self._total.decimal():f}", self._total.currency]
        width = max(len(self._layout.columns), len(said))
        self._csv.writerow([*said, *[""] * (width - len(said))])

"""What commands print: tables for people, JSON and CSV for programs. All of it on stdout."""

import csv
import dataclasses
import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 240
"""Columns where nobody's terminal says how wide it is: rows stay on one line."""


class Format(StrEnum):
    """How a report is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def console() -> "Console":
    """For stdout. A file or a pipe gets plain text without line breaks in rows."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE, soft_wrap=False)


def print_json(value: Any) -> None:
    """One document, indented; amounts are decimal strings, days and moments ISO 8601."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    match value:
        case None | bool() | int() | float() | str() if not isinstance(value, Enum):
            return value
        case Enum():
            return value.value
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | UUID():
            return str(value)
        case Mapping():
            return {str(plain(key)): plain(each) for key, each in value.items()}
        case set() | frozenset():
            return sorted((plain(each) for each in value), key=str)
        case list() | tuple():
            return [plain(each) for each in value]
        case _ if type(value).__name__ == "Money":
            return {"amount": f"{value.decimal():f}", "currency": value.currency}
        case _ if dataclasses.is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _ if hasattr(type(value), "model_fields"):
            return {name: plain(getattr(value, name)) for name in type(value).model_fields}
        case _:
            return str(value)


def print_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """RFC 4180 with a header line. A cell never becomes a spreadsheet's formula; amounts stay what they are."""
    from adapters.billing.spreadsheet import guarded

    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(value, guarded) for value in row])


def _cell(value: Any, guarded: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (Decimal, int)) and not isinstance(value, bool):
        return str(value)  # a number is no formula, not even a negative one
    return str(guarded(str(plain(value))))


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None, right: Iterable[str] = ()
) -> None:
    """`right` names columns of figures."""
    from rich.table import Table
    from rich.text import Text

    figures = set(right)
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(header))
    for name in header:
        table.add_column(name, justify="right" if name in figures else "left", no_wrap=name in figures)
    for row in rows:
        table.add_row(*(Text(shown(value)) for value in row))
    out = console()
    if title:
        out.print(Text(title, style="bold"))
    out.print(table)


def shown(value: Any) -> str:
    """A value in a table: amounts with thousands separators, nothing for nothing."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value:,f}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case _ if type(value).__name__ == "Money":
            return f"{value.decimal():,f}"
        case list() | tuple() | set() | frozenset():
            return ", ".join(shown(each) for each in (sorted(value, key=str) if isinstance(value, set) else value))
        case _:
            return str(plain(value))


def say(text: str) -> None:
    """A line for people, on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def printable(text: str) -> str:
    """Text from outside for a terminal: lines stay, and what would steer the terminal is left out."""
    return "".join(each for each in text if each in "\n\t" or not unicodedata.category(each).startswith("C"))


def note(text: str) -> None:
    """A line for people that is not the result, on stderr."""
    sys.stderr.write(text + "\n")

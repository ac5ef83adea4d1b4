"""What commands print: tables for people, JSON and CSV for programs. Results on stdout, everything else on stderr."""

import csv
import dataclasses
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, TextIO
from uuid import UUID

from api import terminal
from api.cli.tables import Column, Fit, chosen, drawn, fitted, names_of, refuse_columns, wish, wrapped

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class Format(StrEnum):
    """How a report is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


# --- lines for people ----------------------------------------------------------------------------------


def say(text: str) -> None:
    """A line for people, on stdout."""
    sys.stdout.write(terminal.line(text) + "\n")
    sys.stdout.flush()


def say_lines(text: str) -> None:
    """Text with lines of its own, on stdout."""
    for each in text.split("\n"):
        say(each)


def note(text: str) -> None:
    """A line for people that is not the result, on stderr."""
    sys.stderr.write(terminal.line(text) + "\n")


# --- JSON and CSV for programs -------------------------------------------------------------------------


def print_json(value: Any) -> None:
    """One document, indented; amounts are decimal strings, days and moments ISO 8601."""
    refuse_columns()
    sys.stdout.write(json_of(value, indent=2) + "\n")


def json_of(value: Any, *, indent: int | None = None) -> str:
    """JSON text; what a terminal would heed is escaped in it."""
    return terminal.json_text(json.dumps(plain(value), ensure_ascii=False, indent=indent))


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
    """RFC 4180 with a header line. A cell never becomes a spreadsheet's formula; amounts stay what they are.

    A file gets cells exactly as they are; a terminal gets them as it gets everything.
    """
    from adapters.billing.spreadsheet import guarded

    refuse_columns()
    clean = terminal.line if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(clean(name) for name in header)
    for row in rows:
        writer.writerow([clean(_cell(value, guarded)) for value in row])


def _cell(value: Any, guarded: Any) -> str:
    if value is None:
        return ""
    said = str(plain(value))
    return said if _NUMBER.fullmatch(said) else str(guarded(said))  # a number is no formula, not even a negative one


# --- tables for people ---------------------------------------------------------------------------------


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """A table under its heading. It heeds `--wide` and `--columns`: the command has to be `tabular`.

    Columns that make room where a terminal's lines are too short are named on stderr.
    """
    wished = wish()
    places = chosen(columns, wished.columns)
    shown_columns = [columns[place] for place in places]
    cells = [[terminal.line(shown(row[place])) for place in places] for row in rows]
    width = None if wished.wide else width_of(sys.stdout)
    layout = fitted(shown_columns, cells, width)
    if title:
        for each in wrapped(terminal.line(title), width) if width else [title]:
            _bold(each)
    for each in drawn(shown_columns, layout, names_of(shown_columns)):
        _bold(each)
    for row in cells:
        for each in drawn(shown_columns, layout, row):
            say(each)
    if layout.left_out:
        note(f"left out: {', '.join(layout.left_out)}; --wide shows all")


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """One thing, a line for each of its fields: what it is called, and its value."""
    columns = (Column("name"), Column("value", fit=Fit.WRAPS))
    rows = [(terminal.line(name), terminal.line(shown(value))) for name, value in fields]
    layout = fitted(columns, rows, width_of(sys.stdout))
    for row in rows:
        for each in drawn(columns, layout, row):
            say(each)


def width_of(stream: TextIO) -> int | None:
    """Cells in a line, by the environment or the terminal; None where there is neither: rows stay on one line."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said) > 0:
        return int(said)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError, io.UnsupportedOperation):
        return None


def _bold(text: str) -> None:
    """A line that stands out, where a terminal can show that."""
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        sys.stdout.write(f"\x1b[1m{terminal.line(text)}\x1b[0m\n")
    else:
        say(text)


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


def note_names(said: str | None) -> None:
    """Says where names are missing; `said` is what the answer says of them."""
    if said:
        note("Names are being filled in again after an interruption: account numbers stand in their place.")

"""Cells to dates, amounts and text, by what the profile says they look like."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, NamedTuple
from unicodedata import category
from zoneinfo import ZoneInfo

from aggregates.values.business_time import local_date

Cell = str | int | float | bool | date | datetime | time | timedelta | None
"""A cell as it was read: text from a CSV, a value from a workbook."""

EXCEL: Final = "excel"
"""The date format of a day number as spreadsheets count (1 is 1900-01-01)."""

EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)
_EXAMPLE = datetime(2020, 3, 31, tzinfo=UTC)
_EXCEL_ZERO = date(1899, 12, 30)
_ISO = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<time>\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)(?P<zone> ?(?:[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?))?)?",
    re.ASCII,
)
_UTC = frozenset({"Z", "z", "UTC", "GMT"})
_ZULU = re.compile(r"%[SMfTRX] ?(?:Z|UTC|GMT)(?![A-Za-z])")
_DAY_NUMBER = re.compile(r"[0-9]{1,6}(?:\.[0-9]+)?")
_WHOLE = re.compile(r"([0-9]+)\.0+")
_LIKELY_DAY_NUMBER = re.compile(r"[1-9][0-9]{4}(?:\.[0-9]+)?")
_RUN_TOGETHER = re.compile(r"%[A-Za-z]%[A-Ya-y]")
_CACHE = 50_000


def cell_text(cell: Cell, decimal: str = ".") -> str:
    """The text that stands for a cell in a CSV of the same profile: dates ISO, numbers with its decimal mark."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, float):
        if not math.isfinite(cell):
            return str(cell)
        text = f"{Decimal(repr(cell)):.20f}".rstrip("0").rstrip(".")
        return text.replace(".", decimal)
    return str(cell)


def without_decimal(text: str) -> str:
    """`2960623488.0` is the number 2960623488 that a tool took for a measure."""
    match = _WHOLE.fullmatch(text)
    return match[1] if match else text


class _Form(NamedTuple):
    """A date format of the profile. `is_utc`: it says so in letters that `strptime` does not understand."""

    form: str
    is_utc: bool


def _forms(form: str) -> list[_Form]:
    """`Z` behind a time is UTC. `strptime` would take for `%Z` also the names of the machine's own zone."""
    if "%Z" in form:
        return [_Form(form.replace("%Z", name), is_utc=True) for name in ("UTC", "GMT", "Z")]
    return [_Form(form, is_utc=_ZULU.search(form) is not None)]


class Dates:
    """Reads dates in the profile's formats, tried in order. ISO dates (2020-03-31) are unambiguous and always read."""

    def __init__(self, formats: Sequence[str], *, strip_decimal: bool = False) -> None:
        self._formats = tuple(each for form in formats for each in _forms(form))
        self._strip_decimal = strip_decimal
        self._known: dict[str, date | datetime | None] = {}
        shown = ["a spreadsheet's day number" if f == EXCEL else f"{_EXAMPLE.strftime(f)} ({f})" for f in formats] or [
            "2020-03-31"
        ]
        self._reads_day_numbers = EXCEL in formats
        self.expected = f"a date that exists, such as {' or '.join(shown)}, from {EARLIEST.year} to {LATEST.year}"

    def parse(self, cell: Cell) -> date | datetime | None:
        """The date, or None where the cell is none; for a time with a zone the moment, aware, whose day is that of the
        place where it is read (`day_of`). A time without a zone, as spreadsheets have it, is of the day as written."""
        if isinstance(cell, datetime):
            return _in_range(cell.date())
        if isinstance(cell, date):
            return _in_range(cell)
        text = cell if isinstance(cell, str) else cell_text(cell)
        try:
            return self._known[text]
        except KeyError:
            if len(self._known) >= _CACHE:
                self._known.clear()
            found = self._known[text] = self._parse(text)
            return found

    def expected_of(self, cell: Cell) -> str:
        """What was expected where `cell` stands."""
        text = cell_text(cell)
        day = _day_number(text) if _LIKELY_DAY_NUMBER.fullmatch(text) and not self._reads_day_numbers else None
        if day is None:
            return self.expected
        return f'{self.expected}; the profile says dates = ["{EXCEL}"] where the day number {text} means {day}'

    def _parse(self, text: str) -> date | datetime | None:
        if self._strip_decimal:
            text = without_decimal(text)
        if match := _ISO.fullmatch(text):
            try:
                if match["zone"] is None:
                    return _in_range(date.fromisoformat(match["day"]))
                zone = "Z" if match["zone"].strip() in _UTC else match["zone"].strip()
                moment = datetime.fromisoformat(f"{match['day']}T{match['time'].replace(',', '.')}{zone}")
            except ValueError:
                return None
            return moment if _in_range(moment.date()) else None
        for form, is_utc in self._formats:
            found = _day_number(text) if form == EXCEL else _strptime(text, form, is_utc=is_utc)
            if found and _in_range(found.date() if isinstance(found, datetime) else found):
                return found
        return None


def day_of(moment: datetime, zone: ZoneInfo) -> date | None:
    """The calendar day of a moment in a zone, or None where it is out of range."""
    return _in_range(local_date(moment, zone))


def _in_range(day: date) -> date | None:
    return day if EARLIEST <= day <= LATEST else None


def _day_number(text: str) -> date | None:
    if not _DAY_NUMBER.fullmatch(text):
        return None
    days = int(float(text))
    if days == 60:  # 29 February 1900, which spreadsheets believe in
        return None
    return _EXCEL_ZERO + timedelta(days=days if days > 60 else days + 1) if days else None


def _strptime(text: str, form: str, *, is_utc: bool) -> date | datetime | None:
    try:
        moment = datetime.strptime(text, form)  # noqa: DTZ007 - a calendar day; the zone is the office's
    except ValueError:
        return None
    before_zone = form.partition("%z")[0]
    if _RUN_TOGETHER.search(form) and not text.startswith(moment.strftime(before_zone)):
        return None  # 2020331 would be read as 2020-3-31
    if is_utc:
        return moment.replace(tzinfo=UTC)
    return moment.date() if moment.tzinfo is None else moment


def checked_date_format(form: str) -> str:
    """The format itself. Raises ValueError where it would lose the year, the month or the day."""
    if form != EXCEL:
        try:
            shown = _EXAMPLE.strftime(form)
            back = datetime.strptime(shown, form).date()  # noqa: DTZ007
        except ValueError as error:
            raise ValueError(f"{form!r} is not a date format: {error}") from None
        if back != _EXAMPLE.date():
            raise ValueError(f"{form!r} does not say year, month and day; expected such as '%m/%d/%Y' or '{EXCEL}'")
    return form


_UNCLEAR = re.compile(r"[-+]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_MINUS = "-−–"
_ALIKE = {" ": " \u00a0\u2009\u202f", "'": "'’"}
_DIGITS: Final = 14


class Numbers:
    """Reads amounts with the profile's marks: `1,234.56`, `1.234,56`, `1 234,56`; `(12.50)`, `-12.50`, `12.50-`."""

    def __init__(
        self,
        *,
        decimal: str = ".",
        thousands: str = ",",
        signs: Sequence[str] = (),
        grouping: str = "thousands",
        are_stated: bool = True,
    ) -> None:
        """`grouping` is "thousands" or "indian" (1,23,456). `are_stated` False: both marks are only assumed, so that
        one mark before three digits may be either."""
        self.decimal = decimal
        self._are_stated = are_stated
        self._group = _ALIKE.get(thousands, thousands)
        self._signs = tuple(sorted(signs, key=len, reverse=True))
        mark = re.escape(decimal)
        group = f"[{re.escape(self._group)}]" if thousands else "(?!)"
        grouped = rf"[0-9]{{1,2}}(?:{group}[0-9]{{2}})*{group}[0-9]{{3}}"
        if grouping != "indian":
            grouped = rf"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+"
        self._form = re.compile(rf"(?:{grouped}|[0-9]+)(?:{mark}[0-9]{{0,20}})?|{mark}[0-9]{{1,20}}")
        self._plain = re.compile(rf"-?[0-9]{{1,{_DIGITS}}}(?:{mark}[0-9]{{1,20}})?")
        self._hundredths = re.compile(rf"(-?[0-9]{{1,{_DIGITS}}}){mark}([0-9]{{2}})").fullmatch
        self._clean = str.maketrans({decimal: ".", **dict.fromkeys(self._group, "")})
        self.expected = f"an amount such as 1{thousands}234{decimal}56, of at most {_DIGITS} digits before the mark"
        if not are_stated:
            self.expected += (
                '; the profile says of other marks: decimal = ",", thousands = ".", and grouping = "indian"'
            )

    def is_unclear(self, cell: Cell) -> bool:
        """Whether the mark in `1.000` or `1,000` may be either: the profile has to state which is which."""
        return not self._are_stated and isinstance(cell, str) and _UNCLEAR.fullmatch(cell.strip()) is not None

    def parse(self, cell: Cell) -> Decimal | None:
        """The number exactly as written, or None where the cell is none."""
        if isinstance(cell, str):
            return self._parse(cell)
        if isinstance(cell, bool) or not isinstance(cell, int | float) or not math.isfinite(cell):
            return None
        return _bounded(Decimal(repr(cell)))

    def plain_hundredths(self, text: str) -> int | None:
        """The amount in hundredths where the text has exactly two places and nothing besides: a shortcut."""
        match = self._hundredths(text)
        return int(match[1] + match[2]) if match else None

    def _parse(self, text: str) -> Decimal | None:
        if self._plain.fullmatch(text):
            return Decimal(text if self.decimal == "." else text.replace(self.decimal, "."))
        negative = False
        text = self._without_sign(text)
        if text.startswith("(") and text.endswith(")"):
            negative, text = True, self._without_sign(text[1:-1].strip())
        if text[:1] in _MINUS or text[-1:] in _MINUS:
            if negative or not text:
                return None
            negative, text = True, (text[1:] if text[0] in _MINUS else text[:-1]).strip()
        elif text[:1] == "+":
            text = text[1:].strip()
        text = self._without_sign(text)
        if not self._form.fullmatch(text):
            return None
        number = _bounded(Decimal(text.translate(self._clean)))
        return -number if negative and number is not None else number

    def _without_sign(self, text: str) -> str:
        for sign in self._signs:
            if text.startswith(sign):
                return text[len(sign) :].strip()
            if text.endswith(sign):
                return text[: -len(sign)].strip()
        return text


def _bounded(number: Decimal) -> Decimal | None:
    return number if abs(number) < 10**_DIGITS else None


_SPACES = str.maketrans(dict.fromkeys("\r\n\t\u2028\u2029\u0085\u00a0", " "))


def readable(text: str) -> str | None:
    """The text on one line, or None where it holds control characters other than line breaks and tabs."""
    if text.isprintable():
        return text
    text = " ".join(text.translate(_SPACES).split())
    return None if any(category(char) in ("Cc", "Cs") for char in text) else text


_BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("yes", "y", "true", "t", "1", "x"), True),
    **dict.fromkeys(("no", "n", "false", "f", "0"), False),
}


def boolean(cell: Cell) -> bool | None:
    """Yes or no, or None where the cell is neither."""
    return _BOOLEANS.get(cell_text(cell).casefold())

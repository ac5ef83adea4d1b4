"""An .xlsx workbook as a stream of rows: its cells' values, and of all styles only the number formats.

openpyxl would make an object of every fill, font, property, view and rule and check it strictly, so that one unusual
attribute in what only concerns looks costs the whole file, and its rows stay in memory as empty elements.
python-calamine opens such files, but takes whole sheets into memory and drops number formats, by which 123 is shown as
00123. So only the parts that carry values are read here, by their local names (which makes Strict Open XML the same),
and openpyxl says what only it should: which formats are dates, and which day a number is.
"""

import datetime as dt
import os
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from typing import IO, Final, NamedTuple
from xml.etree.ElementTree import Element, iterparse
from xml.parsers import expat

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils import column_index_from_string
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel
from openpyxl.utils.escape import unescape

from adapters.billing.values import Cell

RESAVE = "open it in a spreadsheet, save it as an ordinary .xlsx, and import that"

_LARGE = 50_000_000
_MOST_TIMES = 100
"""Spreadsheets pack their cells to a tenth or twentieth."""
_MOST_COLUMNS = 16_384
_CHUNK = 4_096
_EXACT = 10**15
"""From here on a spreadsheet's number has lost its last digits."""
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, SyntaxError, ValueError, LookupError, OverflowError,
    OSError,  # of zipfile: a part that begins before the file does
    RuntimeError,  # of zipfile: a password, a compression that it does not know
)  # fmt: skip


class WorkbookProblem(Exception):
    """The workbook cannot be read. The message says what is wrong and what to do, without the file's name."""


class Sheet(NamedTuple):
    """A sheet of cells; `is_hidden` also where only a program can show it ("very hidden")."""

    name: str
    is_hidden: bool
    part: str


class Workbook:
    """An open workbook. Raises WorkbookProblem, here and while rows are read."""

    def __init__(self, file: IO[bytes]) -> None:
        with _reading("the archive"):
            self._packed = zipfile.ZipFile(file)
            size = file.seek(0, os.SEEK_END)
        # Part names do not depend on case, and some exporters write backslashes.
        self._parts = {_part_name(each.filename): each for each in self._packed.infolist()}
        self._check_unpacked(size)
        book = next((target for kind, target in self._targets("").values() if kind == "officeDocument"), None)
        if book is None or _part_name(book) not in self._parts:
            raise WorkbookProblem(f"not a readable workbook: an archive without one in it; {RESAVE}, or a CSV")
        if book.casefold().endswith(".bin"):
            raise WorkbookProblem(f"a binary workbook (.xlsb); {RESAVE}")
        related = self._targets(book)
        of_kind = dict(related.values())
        self._epoch = CALENDAR_WINDOWS_1900
        self.sheets: tuple[Sheet, ...] = tuple(self._read_book(book, related))
        if not self.sheets:
            raise WorkbookProblem(f"not a readable workbook: there is no sheet of cells in it; {RESAVE}")
        self._texts = self._read_texts(of_kind.get("sharedStrings"))
        self._formats = self._read_formats(of_kind.get("styles"))
        self._dates = {style for style, code in enumerate(self._formats) if is_date_format(code)}
        self._durations = {style for style, code in enumerate(self._formats) if is_timedelta_format(code)}

    def rows(self, sheet: Sheet, shown: Collection[int] = ()) -> Iterator[tuple[int, list[Cell]]]:
        """(row from 1, cells from column A) of every row that the sheet has.

        `shown` are columns, from 0, of identifiers: where a whole number's format adds zeros or fixed characters, the
        cell is the text that the sheet shows, as a CSV saved from it would have it.
        """
        with _reading(f"sheet {sheet.name!r}"), self._packed.open(self._parts[_part_name(sheet.part)]) as part:
            events = _elements_of(part)
            _, root = next(events)
            space = root.tag.rpartition("}")[0]
            space = f"{space}}}" if space else ""
            row_tag, data_tag = f"{space}row", f"{space}sheetData"
            data, number = root, 0
            for event, element in events:
                if event == "start":
                    if element.tag == data_tag:
                        data = element
                elif element.tag == row_tag:
                    before, number = number, int(float(element.get("r") or number + 1))
                    if number <= before:
                        raise WorkbookProblem(f"sheet {sheet.name!r}: row {number} stands below row {before}; {RESAVE}")
                    yield number, self._cells(element, space, shown, sheet)
                    data.clear()  # whatever was read: memory does not grow with the sheet

    def _cells(self, row: Element, space: str, shown: Collection[int], sheet: Sheet) -> list[Cell]:
        cells: list[Cell] = []
        cell_tag, value_tag, inline_tag = f"{space}c", f"{space}v", f"{space}is"
        for element in row:
            if element.tag != cell_tag:
                continue
            place = element.get("r")
            index = _column(place.rstrip("0123456789")) if place else len(cells)
            try:
                value = self._value(element, value_tag, inline_tag)
            except (ValueError, LookupError) as error:
                at = place or f"{index + 1} of row {row.get('r')}"
                raise WorkbookProblem(
                    f"not a readable workbook: sheet {sheet.name!r}, cell {at}: its text is not in the file; {RESAVE}"
                ) from error
            if index in shown and type(value) is not str:
                value = self._as_shown(element, value)
            if index == len(cells):
                cells.append(value)
            else:
                cells += [None] * (index + 1 - len(cells))
                cells[index] = value
        return cells

    def _value(self, cell: Element, value_tag: str, inline_tag: str) -> Cell:
        """What is stored: of a formula its result. Raises ValueError or IndexError for a text that is not there."""
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            inline = cell.find(inline_tag)
            return None if inline is None else _text(inline)
        text = cell.findtext(value_tag)
        if not text:
            return None
        if kind == "s":
            place = int(text)
            if place < 0:
                raise ValueError(place)
            return self._texts[place]
        if kind == "n":
            return self._number(text, cell.get("s"))
        if kind == "b":
            return text.strip() in ("1", "true")
        return _iso(text) if kind == "d" else unescape(text)

    def _number(self, text: str, style: str | None) -> Cell:
        number: int | float
        try:
            number = int(text)
        except ValueError:
            try:
                number = float(text)
            except ValueError:
                return (
                    text  # `12,5` of an exporter with a decimal comma: the profile says what it is, or the row is bad
                )
        if style is None or (at := _whole(style)) not in self._dates:
            return number
        try:
            moment: Cell = from_excel(number, self._epoch, timedelta=at in self._durations)
        except (OverflowError, ValueError):
            return "#VALUE!"  # what a spreadsheet shows there too
        return moment

    def _as_shown(self, cell: Element, value: Cell) -> Cell:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _EXACT or value % 1:
            return value
        style = _whole(cell.get("s"))
        show = _digits_shown(self._formats[style]) if 0 <= style < len(self._formats) else None
        return value if show is None else show(int(value))

    # --- parts -----------------------------------------------------------------------------------------

    def _read_book(self, book: str, related: dict[str, tuple[str, str]]) -> Iterator[Sheet]:
        for element in self._elements(book):
            match _local(element.tag):
                case "workbookPr":
                    if element.get("date1904") in ("1", "true"):
                        self._epoch = CALENDAR_MAC_1904
                case "sheet":
                    relation = next((value for name, value in element.items() if name.endswith("}id")), "")
                    kind, part = related.get(relation, ("", ""))
                    if kind == "worksheet" and _part_name(part) in self._parts:
                        yield Sheet(element.get("name", ""), element.get("state") in ("hidden", "veryHidden"), part)

    def _read_texts(self, part: str | None) -> list[str]:
        return [_text(each) for each in self._elements(part) if _local(each.tag) == "si"]

    def _read_formats(self, part: str | None) -> list[str]:
        """The number format of each style, by its place; a style that is not there is none."""
        own: dict[int, str] = {}
        used: list[int] = []
        for element in self._elements(part, keep="cellXfs"):
            match _local(element.tag):
                case "numFmt":
                    own[_whole(element.get("numFmtId"))] = element.get("formatCode", "")
                case "cellXfs":
                    used = [_whole(each.get("numFmtId")) for each in element if _local(each.tag) == "xf"]
        return [own.get(each) or BUILTIN_FORMATS.get(each, "General") for each in used]

    def _targets(self, part: str) -> dict[str, tuple[str, str]]:
        """By id, the kind and name of what a part is related to; of the package itself for ""."""
        folder, name = posixpath.split(part)
        found: dict[str, tuple[str, str]] = {}
        for element in self._elements(posixpath.join(folder, "_rels", f"{name}.rels")):
            if _local(element.tag) == "Relationship" and element.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, element.get("Target", "").replace("\\", "/")))
                found[element.get("Id", "")] = (posixpath.basename(element.get("Type", "")), target.lstrip("/"))
        return found

    def _elements(self, part: str | None, keep: str = "") -> Iterator[Element]:
        """The elements of a part as they end, forgotten afterwards; none where there is no such part.

        What stands in an `si`, or in the element that is to be kept, is there with it.
        """
        packed = self._parts.get(_part_name(part or ""))
        if packed is None:
            return
        with _reading(packed.filename), self._packed.open(packed) as file:
            events = _elements_of(file)
            _, root = next(events)
            inside = 0
            for event, element in events:
                is_whole = _local(element.tag) in ("si", keep)
                if event == "start":
                    inside += is_whole
                    continue
                yield element
                inside -= is_whole
                if not inside:
                    root.clear()

    def _check_unpacked(self, size: int) -> None:
        """A few kilobytes that unpack to gigabytes are no portfolio. No part is larger than the file, whose `size` in
        bytes this is, whatever the archive says of it."""
        for member in self._parts.values():
            packed = max(1, min(member.compress_size, size))
            if member.file_size > _LARGE and member.file_size > _MOST_TIMES * packed:
                raise WorkbookProblem(
                    f"{member.filename} unpacks to {member.file_size:,} bytes, more than {_MOST_TIMES} times what the"
                    " file holds; expected a workbook as spreadsheets save it"
                )


def _elements_of(part: IO[bytes]) -> Iterator[tuple[str, Element]]:
    """("start" or "end", element). Nothing outside is fetched, and there are no entities. Raises WorkbookProblem."""
    _check_no_document_type(part)
    part.seek(0)
    return iterparse(part, ("start", "end"))  # noqa: S314


def _check_no_document_type(part: IO[bytes]) -> None:
    """Only one declares entities, of which a few kilobytes become a gigabyte: expat bounds how much they grow by how
    much was read, and that packs to next to nothing. Office Open XML (ECMA-376, part 2) has none. Raises
    WorkbookProblem."""
    found: list[bool] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_: found.append(True)
    parser.StartElementHandler = lambda *_: found.append(False)
    with suppress(expat.ExpatError):  # which whoever reads the part meets too
        while not found and (chunk := part.read(_CHUNK)):
            parser.Parse(chunk)
    if found and found[0]:
        raise WorkbookProblem(f"not a readable workbook: a part of it declares a document type; {RESAVE}")


@contextmanager
def _reading(part: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise WorkbookProblem(f"not a readable workbook: {part} is damaged; {RESAVE}") from error


def _part_name(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").casefold()


@lru_cache(1_000)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _whole(text: str | None) -> int:
    """A style's or format's number; -1, which none has, where it is not one."""
    return int(text) if text and text.isascii() and text.isdigit() else -1


@cache
def _column(letters: str) -> int:
    """The index from 0 of column A. Raises ValueError where a sheet has no such column."""
    index = column_index_from_string(letters)
    if index > _MOST_COLUMNS:
        raise ValueError(letters)
    return index - 1


def _text(element: Element) -> str:
    """The text of a string with all its runs, without what only says how it is pronounced."""
    found = []
    for child in element:
        kind = _local(child.tag)
        if kind == "t":
            found.append(child.text or "")
        elif kind == "r":
            found += [each.text or "" for each in child if _local(each.tag) == "t"]
    return unescape("".join(found))


def _iso(text: str) -> Cell:
    """A date cell of Strict Open XML; with a zone it stays text, which is read like that of a CSV."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo is None else text


# --- number formats ------------------------------------------------------------------------------------

_FORMAT: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]|.', re.DOTALL)
_LOOKS = re.compile(
    r"\[(?:black|blue|cyan|green|magenta|red|white|yellow|color ?\d+|\$-[0-9a-f,]+)\]|_.", re.IGNORECASE | re.DOTALL
)
"""A colour, a language, a blank as wide as a character: they change no character."""


@lru_cache(1_000)
def _digits_shown(code: str) -> Callable[[int], str] | None:
    """How a format shows a whole number from zero on, where it has zeros to fill or fixed characters: `00000`,
    `"INV-"00000`, `000-0000`. None for all other formats: of them the number itself is meant.
    """
    sections: list[list[str]] = [[]]
    for part in _FORMAT.findall(code):
        if part == ";":
            sections.append([])
        else:
            sections[-1].append(part)
    above = _filled(sections[0])
    zero = _filled(sections[2]) if len(sections) > 2 else above
    if above is None or zero is None:
        return above
    return lambda number: above(number) if number else zero(number)


def _filled(section: list[str]) -> Callable[[int], str] | None:
    """How one section of a format shows a whole number: from the right, a digit for each zero."""
    pieces: list[str | None] = []  # None: a digit
    for part in section:
        if part == "0":
            pieces.append(None)
        elif part[0] in '"\\':
            pieces.append(part.strip('"') if part[0] == '"' else part[1])
        elif part in "- ()":
            pieces.append(part)
        elif part == "#" and None not in pieces:
            pass  # further digits, which stand before the first zero anyway
        elif not _LOOKS.fullmatch(part):
            return None
    digits = pieces.count(None)
    if not digits or len(pieces) < 2:
        return None

    def show(number: int) -> str:
        text = str(number).zfill(digits)
        rest = iter([text[: len(text) - digits + 1], *text[len(text) - digits + 1 :]])
        return "".join(next(rest) if piece is None else piece for piece in pieces)

    return show

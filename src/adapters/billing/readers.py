"""Billing files to raw rows, one at a time: CSV in bounded memory, XLSX as a stream of cached values."""

import codecs
import csv
import io
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from adapters.billing.profile import Profile, column_key
from adapters.billing.spreadsheet import PROBLEM, text_of_formula, unguarded
from adapters.billing.values import Cell, cell_text

if TYPE_CHECKING:
    from adapters.billing.workbook import Sheet, Workbook

Progress = Callable[[int, int], None]
"""Told now and then how many bytes of how many were read."""

EVERY = 1_000
"""Rows between two calls of `Progress`."""

DELIMITERS = (",", ";", "\t", "|")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LONGEST_HEADER = 1_000_000
_NAMED = 20
"""Names of what is left out that a notice shows."""


class FileProblem(Exception):
    """The file as a whole cannot be read. The message names the file, the place and what was expected."""


class FileNotice(NamedTuple):
    """What somebody should know of a file that is read all the same: what of it is left out."""

    said: str

    def __str__(self) -> str:
        return self.said


class RawRow(NamedTuple):
    """A row as the file has it. `broken` says why its cells cannot be trusted (bad quoting), else it is empty."""

    line: int
    """Where the row starts: the file's line, or the sheet's row."""
    cells: Sequence[Cell]
    broken: str = ""


class Table:
    """A billing file: its header, and its rows as often as they are asked for.

    A file that begins with our own `problem` column is a reject file: the column is dropped and the marks that
    kept cells from becoming formulas are taken off.
    """

    def __init__(self, path: Path, profile: Profile) -> None:
        self.path = path
        self.profile = profile
        self.size = path.stat().st_size
        self.delimiter = ","
        self._left_out = ""
        header = [cell_text(text_of_formula(cell)).strip() for cell in self._read_header()]
        while header and not header[-1]:
            header.pop()
        self.is_rejects = _is_rejects(header, profile)
        self.header: tuple[str, ...] = tuple(header[1:] if self.is_rejects else header)
        self.positions = self._find_columns()

    def rows(self, progress: Progress | None = None) -> Iterator[RawRow]:
        """The rows under the header, without empty ones. Raises `FileProblem` where reading cannot go on."""
        rows = self._rows(progress)
        if not self.is_rejects:
            return rows
        return (RawRow(row.line, [unguarded(cell) for cell in row.cells[1:]], row.broken) for row in rows)

    @property
    def notices(self) -> Sequence[FileNotice]:
        """What of the file is not read: columns that the profile does not map, other sheets."""
        used = set(self.positions.values())
        unused = [
            repr(name) if name else f"column {index + 1}, which has no name"
            for index, name in enumerate(self.header)
            if index not in used
        ]
        columns = f"columns that the profile does not map were not used: {_some(unused)}" if unused else ""
        return [FileNotice(f"{self.path.name}: {said}") for said in (columns, self._left_out) if said]

    def _read_header(self) -> Sequence[Cell]:
        raise NotImplementedError

    def _rows(self, progress: Progress | None) -> Iterator[RawRow]:
        raise NotImplementedError

    def _find_columns(self) -> dict[str, int]:
        """Where each mapped column stands, by `column_key`."""
        present: dict[str, list[int]] = {}
        for index, name in enumerate(self.header):
            present.setdefault(column_key(name), []).append(index)
        found: dict[str, int] = {}
        missing = []
        for key, column, optional in self.profile.mapped_columns():
            places = present.get(column_key(column), [])
            if len(places) > 1:
                raise FileProblem(
                    f"{self.path.name}: column {column!r} stands there {len(places)} times; expected once"
                )
            if places:
                found[column_key(column)] = places[0]
            elif not optional:
                missing.append(f"{column!r} (profile {self.profile.name}, {key})")
        if missing:
            shown = ", ".join(repr(name) for name in self.header[:50]) or "none"
            raise FileProblem(f"{self.path.name}: missing column {', '.join(missing)}; columns present: {shown}")
        return found


def open_table(path: str | Path, profile: Profile) -> Table:
    """The file, told by its content and not its name, with its columns checked. Raises `FileProblem`."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(8)
        if not start:
            raise FileProblem(f"{path.name}: the file is empty; expected a header line with the column names")
        if start.startswith(b"PK\x03\x04"):
            return XlsxTable(path, profile)
        if start.startswith(b"\xd0\xcf\x11\xe0"):
            raise FileProblem(
                f"{path.name}: an old or encrypted Excel workbook; expected .xlsx without a password, or CSV"
            )
        if start.startswith((b"\x1f\x8b", b"BZh", b"%PDF")):
            raise FileProblem(f"{path.name}: compressed or not a table; expected CSV or .xlsx")
        return CsvTable(path, profile)
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read: {error.strerror or error}") from None


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _is_rejects(header: Sequence[str], profile: Profile) -> bool:
    """Ours is the first `problem` column, unless the profile means a column of that name and there is no other."""
    keys = [column_key(name) for name in header]
    if not keys or keys[0] != PROBLEM:
        return False
    wanted = any(column_key(column) == PROBLEM for _, column, _ in profile.mapped_columns())
    return not wanted or PROBLEM in keys[1:]


# --- CSV ---------------------------------------------------------------------------------------------


class CsvTable(Table):
    """A CSV in the profile's encoding; a byte order mark at its beginning says better."""

    def __init__(self, path: Path, profile: Profile) -> None:
        with path.open("rb") as file:
            start = file.read(4)
        self.encoding = next((name for mark, name in _BOMS if start.startswith(mark)), profile.encoding)
        self._header_line = profile.header_line
        super().__init__(path, profile)

    def _read_header(self) -> Sequence[Cell]:
        with self._open() as (_, text):
            try:
                lines = [text.readline(_LONGEST_HEADER)]
                given = self.profile.delimiter
                if column_key(lines[0].split("\n")[0].strip(' "').split('"')[0]).startswith(PROBLEM):
                    self._header_line, given = 1, "auto"  # a spreadsheet may have saved it with another delimiter
                for _ in range(self._header_line - 1):
                    lines = [text.readline(_LONGEST_HEADER)]
                while lines[-1] and lines[-1].count('"') % 2 and sum(map(len, lines)) < _LONGEST_HEADER:
                    lines[-1] += text.readline(_LONGEST_HEADER)
            except UnicodeDecodeError:
                raise self._wrong_encoding() from None
        if not lines[-1].strip():
            raise FileProblem(f"{self.path.name}: line {self._header_line} is empty; expected the column names there")
        if "\0" in lines[-1]:
            raise FileProblem(
                f"{self.path.name}: line {self._header_line} holds NUL characters, as UTF-16 read as {self.encoding} "
                "does; expected another encoding in the profile"
            )
        candidates = {mark: _split(lines[-1], mark) for mark in (DELIMITERS if given == "auto" else (given,))}
        wanted = {column_key(column) for _, column, _ in self.profile.mapped_columns()}
        self.delimiter = max(candidates, key=lambda m: (_hits(candidates[m], wanted), len(candidates[m])))
        return candidates[self.delimiter]

    def _rows(self, progress: Progress | None) -> Iterator[RawRow]:
        with self._open() as (raw, text):
            lines = _Lines(text)
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
            count = 0
            try:
                for _ in range(self._header_line - 1):
                    next(lines)
            except UnicodeDecodeError:
                raise self._wrong_encoding() from None
            while True:
                start = lines.number + 1
                lines.taken.clear()
                try:
                    cells = next(reader)
                except StopIteration:
                    break
                except csv.Error as error:
                    row = self._broken(lines, start, error)
                except UnicodeDecodeError:
                    raise self._wrong_encoding() from None
                else:
                    row = RawRow(start, cells)
                if start <= self._header_line:
                    continue
                count += 1
                if progress is not None and count % EVERY == 0:
                    progress(min(raw.tell(), self.size), self.size)
                if row.broken or any(row.cells):
                    yield row
        if progress is not None:
            progress(self.size, self.size)

    def _broken(self, lines: "_Lines", start: int, error: csv.Error) -> RawRow:
        """Only the row's first line is given up; what a stray quote swallowed behind it is read again."""
        first = lines.give_back()
        if start <= self._header_line:
            return RawRow(start, ())
        why = "a quotation mark that is not closed" if "unexpected end" in str(error) else str(error)
        return RawRow(start, _split(first, self.delimiter), f"the quoting is broken: {why}")

    def _open(self) -> "_Opened":
        return _Opened(self.path, self.encoding)

    def _wrong_encoding(self) -> FileProblem:
        line, offset, byte = _first_undecodable(self.path, self.encoding)
        name = self.encoding.removesuffix("-sig")
        return FileProblem(
            f"{self.path.name}: line {line}, byte {offset}: 0x{byte:02X} is not {name}; expected {name} throughout, or "
            f'the file\'s real encoding in the profile (encoding = "{"cp1252" if name == "utf-8" else "utf-8"}", say)'
        )


class _Opened:
    def __init__(self, path: Path, encoding: str) -> None:
        self._raw = io.FileIO(path)
        self._text = io.TextIOWrapper(
            io.BufferedReader(self._raw, 1 << 18), encoding=encoding, errors="strict", newline=""
        )

    def __enter__(self) -> tuple[io.FileIO, io.TextIOWrapper]:
        return self._raw, self._text

    def __exit__(self, *_: object) -> None:
        self._text.close()


class _Lines:
    """The lines of a text, which remembers those of the record that is being read and can take them back."""

    def __init__(self, text: IO[str]) -> None:
        self.number = 0
        self.taken: list[str] = []
        self._again: list[str] = []
        self._text = text

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._text)
        self.number += 1
        self.taken.append(line)
        return line

    def give_back(self) -> str:
        """All lines of the record but the first will be read again. Gives the first."""
        first, *rest = self.taken or [""]
        self._again.extend(reversed(rest))
        self.number -= len(rest)
        return first


def _split(line: str, delimiter: str) -> list[str]:
    """The cells of one record, read as well as can be where its quoting is broken."""
    try:
        return next(csv.reader(io.StringIO(line.rstrip("\r\n"), newline=""), delimiter=delimiter), [])
    except csv.Error:
        return [line]


def _hits(cells: Sequence[str], wanted: set[str]) -> int:
    return len(wanted & {column_key(cell_text(text_of_formula(cell))) for cell in cells})


def _first_undecodable(path: Path, encoding: str) -> tuple[int, int, int]:
    """(line, byte offset from 1, value) of the first byte that is not in the encoding."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    fed = line = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(1 << 20)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                back = len(error.object) - error.start
                offset = fed + len(chunk) - back
                within = max(offset - fed, 0)
                return line + chunk[:within].count(b"\n") + 1, offset + 1, error.object[error.start]
            if not chunk:
                raise AssertionError(f"{path} changed while it was read")
            fed += len(chunk)
            line += chunk.count(b"\n")


# --- XLSX --------------------------------------------------------------------------------------------


class XlsxTable(Table):
    """One sheet of a workbook, read as a stream. Formulas give their stored results and are never evaluated."""

    def _read_header(self) -> Sequence[Cell]:
        self._header_line = 1
        for number, cells in self._cells(None):
            texts = [cell_text(cell) for cell in cells]
            if number == 1 and _is_rejects(texts, self.profile):
                return texts
            if number >= self.profile.header_line:
                self._header_line = self.profile.header_line
                if number == self._header_line and any(texts):
                    return texts
                break
        raise FileProblem(f"{self.path.name}: row {self.profile.header_line} is empty; expected the column names there")

    def _rows(self, progress: Progress | None) -> Iterator[RawRow]:
        width = len(self.header) + self.is_rejects
        shown = [self.positions[key] + self.is_rejects for key in self.profile.shown_columns() & self.positions.keys()]
        for number, cells in self._cells(progress, frozenset(shown)):
            if number > self._header_line and any(cell is not None and cell != "" for cell in cells):
                extra = cells[width:]
                while extra and extra[-1] in (None, ""):
                    extra.pop()
                yield RawRow(number, [*cells[:width], *[None] * (width - len(cells)), *extra])

    def _cells(
        self, progress: Progress | None, shown: Collection[int] = frozenset()
    ) -> Iterator[tuple[int, list[Cell]]]:
        from adapters.billing.workbook import Workbook, WorkbookProblem  # takes a while to load

        try:
            with self.path.open("rb") as file:
                book = Workbook(file)
                for count, row in enumerate(book.rows(self._sheet(book), shown), 1):
                    if progress is not None and count % EVERY == 0:
                        progress(min(file.tell(), self.size), self.size)
                    yield row
        except WorkbookProblem as problem:
            raise FileProblem(f"{self.path.name}: {problem}") from problem
        if progress is not None:
            progress(self.size, self.size)

    def _sheet(self, book: "Workbook") -> "Sheet":
        """The sheet of that name, or at that place among those that one sees."""
        wanted = self.profile.sheet
        names = ", ".join(repr(sheet.name) for sheet in book.sheets)
        if isinstance(wanted, int):
            visible = [sheet for sheet in book.sheets if not sheet.is_hidden]
            if not visible:
                raise FileProblem(
                    f"{self.path.name}: every sheet is hidden: {names}; show the one that is meant, or name it as"
                    " `sheet` in the profile"
                )
            found = visible[wanted - 1 : wanted]
        else:
            found = [sheet for sheet in book.sheets if column_key(sheet.name) == column_key(wanted)][:1]
        if not found:
            raise FileProblem(f"{self.path.name}: there is no sheet {wanted!r}; expected one of {names}")
        left_out = [repr(each.name) + " (hidden)" * each.is_hidden for each in book.sheets if each != found[0]]
        self._left_out = f"other sheets were not read: {_some(left_out)}" if left_out else ""
        return found[0]


def changed_since(path: Path, before: os.stat_result) -> bool:
    """Whether the file is another one, or was written to, since its `stat` was taken."""
    now = path.stat()
    return (now.st_ino, now.st_size, now.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns)

"""The reject file: the rows that were refused, as they stood in the source, to be corrected and imported alone.

It is a CSV in UTF-8 with the source's header and delimiter and one column `problem` before them. Cells that a
spreadsheet would take for formulas carry an apostrophe, which is taken off again when the file is imported
(`spreadsheet`).

A hidden file beside it holds its SHA-256. Whatever an editor does to it is seen by that, and what a person has changed
is never written over.
"""

import csv
import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from adapters.billing.readers import Progress
from adapters.billing.rows import RowProblem
from adapters.billing.source import ImportSource
from adapters.billing.spreadsheet import PROBLEM, guarded
from adapters.billing.values import cell_text


def reject_path(path: Path) -> Path:
    """Where a file's rejects go: beside it, `invoices.rejects.csv`, then `invoices.rejects-2.csv`."""
    stem, found, ordinal = path.stem.rpartition(".rejects")
    if not found or not (ordinal == "" or ordinal.lstrip("-").isdigit()):
        return path.with_name(f"{path.stem}.rejects.csv")
    return path.with_name(f"{stem}.rejects-{int(ordinal.lstrip('-') or 1) + 1}.csv")


def is_as_written(path: Path) -> bool:
    """Whether nobody changed a reject file since it was written; False where that cannot be known."""
    try:
        return _digest_file(path).read_text("ascii").strip() == _digest(path)
    except (OSError, UnicodeDecodeError):
        return False


def place_for_rejects(path: Path) -> tuple[Path, tuple[Path, ...]]:
    """Where a file's rejects can be written, and the edited files that keep their places before that."""
    place, kept = reject_path(path), []
    while place.exists() and not is_as_written(place):
        kept.append(place)
        place = reject_path(place)
    return place, tuple(kept)


def _digest_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_rejects(
    source: ImportSource, problems: Iterable[RowProblem], path: Path, progress: Progress | None = None
) -> int:
    """Write the refused rows and return how many; `problems` come by line. None: no file.

    The source is read again, so that no row had to be kept. The file appears when it is complete, readable by its
    owner only. Raises `FileProblem` where the source changed meanwhile.
    """
    refused = groupby(problems, key=lambda problem: problem.line)
    first = next(refused, None)
    if first is None:
        return 0
    part = path.with_name(f".{path.name}.part")
    try:
        count = _write(source, _again((first[0], list(first[1])), refused), part, progress)
        digest = _digest(part)
        part.replace(path)
        _digest_file(path).write_text(f"{digest}\n", "ascii")
    finally:
        part.unlink(missing_ok=True)
    return count


Refused = tuple[int, Iterable[RowProblem]]


def _again(first: Refused, rest: Iterable[Refused]) -> Iterator[Refused]:
    yield first
    yield from rest


def _write(source: ImportSource, refused: Iterator[Refused], path: Path, progress: Progress | None) -> int:
    table = source.table
    count = 0
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=table.delimiter, quoting=csv.QUOTE_ALL)
        writer.writerow([PROBLEM, *map(guarded, table.header)])
        rows = source.raw_rows(progress)
        for line, found in refused:
            row = next((row for row in rows if row.line == line), None)
            if row is None:
                break
            cells = [cell_text(cell, source.profile.decimal) for cell in row.cells]
            writer.writerow([guarded("; ".join(map(str, found))), *map(guarded, cells)])
            count += 1
    return count

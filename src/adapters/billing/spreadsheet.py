"""Cells that a spreadsheet would take for a formula: made harmless in a way that can be undone exactly, and texts that
exporters wrote as one.

A cell is dangerous when, after any apostrophes, blanks and control characters, it begins with `= + - @` (or their
full-width forms), or when it begins with a control character. Such a cell gets one apostrophe more in front. Reading
a file with our `problem` column takes one apostrophe off every cell that is still of that shape; all others are
left alone, so `'s-Hertogenbosch` stays what it is.
"""

import re

from adapters.billing.values import Cell

PROBLEM = "problem"
"""The column that a reject file has before the source's own."""

_DANGEROUS = re.compile(
    r"'*(?:[\x00-\x20\x7f-\xa0\u2000-\u200f\u2028-\u202f\ufeff]*[=+\-@＝＋－＠]|[\x00-\x1f\x7f-\x9f])"
)


def guarded(text: str) -> str:
    """The text as it may stand in a file that people open in a spreadsheet."""
    return f"'{text}" if _DANGEROUS.match(text) else text


def unguarded(cell: Cell) -> Cell:
    """What `guarded` was given."""
    return cell[1:] if isinstance(cell, str) and cell[:1] == "'" and _DANGEROUS.match(cell) else cell


_TEXT_FORMULA = re.compile(r'="((?:[^"]|"")*)"|=""((?:[^"]|"")*)""')


def text_of_formula(cell: Cell) -> Cell:
    """`="00123"` is the text 00123: so exporters keep a spreadsheet from taking zeros off. Also `=""00123""`, where the
    quoting was doubled once too often. No other formula is evaluated."""
    if type(cell) is not str or not cell.lstrip().startswith('="'):
        return cell
    match = _TEXT_FORMULA.fullmatch(cell.strip())
    return cell if match is None else (match[1] if match[1] is not None else match[2]).replace('""', '"')

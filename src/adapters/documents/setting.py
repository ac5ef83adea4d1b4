"""Papers as PDF/A, set by Typst with the fonts that come with it: the same text gives the same bytes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import typst

from adapters.delivery.languages import base_of, written

_FOLDER = Path(__file__).parent
_LETTER_PAPER = frozenset({"US", "AS", "GU", "MP", "PR", "VI", "CA", "MX", "PH", "CL", "CO", "VE"})
"""Countries whose letters are on US Letter; everywhere else it is A4."""

_ABOUT_A_CHARACTER = ("could not be displayed", "disallowed codepoint")
"""What Typst says where the fonts have not got a character, and where PDF/A may not hold it (U+FEFF)."""

_one_at_a_time = Lock()


class NotPrintable(ValueError):
    """Nothing can be set of the text; `code` says why: `not-printable` is a character that the fonts have not,
    `bad-text` one that is none."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class Layout(StrEnum):
    """What follows on a page below its address."""

    LETTER = "letter.typ"
    FIGURES = "figures.typ"


@dataclass(frozen=True, slots=True)
class Head:
    """What every paper has at its top."""

    title: str
    sender: str
    address: Sequence[str]
    language: str
    """Of the text, such as `de` or `de-AT`: the day is written so."""
    paper: str
    """See `paper_of`."""
    day: date
    sender_lines: Sequence[str] = ()
    """Where the sender is."""
    numbered: bool = False
    """Whether its pages are."""


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    is_figure: bool = False
    grows: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Cells are texts; the last row is the total of those above where it `has_total`."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    has_total: bool = True


@dataclass(frozen=True, slots=True)
class Figures:
    """What stands on a paper with the `Layout` of this name."""

    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    notes: Sequence[str] = ()


def paper_of(country: str | None) -> str:
    """`us-letter` or `a4`, which it is too where no country is known."""
    return "us-letter" if country in _LETTER_PAPER else "a4"


def figures_pdf(head: Head, figures: Figures) -> bytes:
    """Raises NotPrintable."""
    return set_pdf(Layout.FIGURES, head, asdict(figures))


def set_pdf(layout: Layout, head: Head, said: Mapping[str, Any]) -> bytes:
    """`said` is what the layout reads besides the head. Raises NotPrintable."""
    data = {
        **said,
        **asdict(head),
        "lang": base_of(head.language),
        "day": head.day.isoformat(),
        "date": str(written(head.day, head.language)),
    }
    source = (_FOLDER / "page.typ").read_bytes() + (_FOLDER / layout).read_bytes()
    try:
        with _one_at_a_time:  # a compiler is at one paper at a time, and services answer in threads
            pdf = _compiler().compile(
                input=source,
                format="pdf",
                pdf_standards="a-2u",
                timestamp=datetime.combine(head.day, time.min, UTC),
                sys_inputs={"said": json.dumps(data)},
            )
    except typst.TypstError as error:
        if not any(each in error.message for each in _ABOUT_A_CHARACTER):
            raise
        said_of_it = error.message.partition("error: ")[2]
        raise NotPrintable("not-printable", f"a letter cannot show this: {said_of_it}") from None
    except UnicodeEncodeError:
        raise NotPrintable("bad-text", "the text has characters that are none") from None
    if not isinstance(pdf, bytes):
        raise TypeError(f"expected a PDF, not {type(pdf).__name__}")
    return pdf


@cache
def _compiler() -> typst.Compiler:
    """Without the machine's fonts, and without anything to read but what it is given."""
    return typst.Compiler(font_paths=typst.Fonts(include_system_fonts=False), ignore_system_fonts=True)

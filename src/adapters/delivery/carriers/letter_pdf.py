"""A letter as PDF/A, set by Typst with the fonts that come with it: the same text gives the same bytes."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path

import typst

from adapters.delivery.carrier import CarrierRefused
from adapters.delivery.languages import base_of, written
from adapters.delivery.rendering import Letter

_LAYOUT = Path(__file__).with_name("letter.typ")
_LETTER_PAPER = frozenset({"US", "CA", "MX", "PH", "CL", "CO", "VE"})
"""Countries whose letters are on US Letter; everywhere else it is A4."""

_FEWEST_LINES, _MOST_LINES, _LONGEST_LINE = 2, 7, 60


@dataclass(frozen=True, slots=True)
class Page:
    """What stands on a letter."""

    to: str
    """The address, as the message has it."""
    recipient: str
    subject: str | None
    body: str
    sender: str
    language: str
    paper: str
    day: str

    @property
    def address(self) -> list[str]:
        return [each for each in (self.recipient, *self.to.split("\n")) if each.strip()]


def page_of(letter: Letter, today: date) -> Page:
    """Raises CarrierRefused where the address is none that a letter reaches."""
    page = Page(
        to=letter.to,
        recipient=letter.recipient,
        subject=letter.subject,
        body=letter.body,
        sender=letter.sender,
        language=letter.language,
        paper="us-letter" if letter.country in _LETTER_PAPER else "a4",
        day=(letter.day or today).isoformat(),
    )
    lines = [each.strip() for each in letter.to.split("\n") if each.strip()]
    inland = lines[:-1] if lines and _is_country(lines[-1]) else lines
    if len(inland) < _FEWEST_LINES or "\r" in letter.to:
        raise CarrierRefused("bad-address", "not a full address; expected a street, and a place with its postal code")
    if len(page.address) > _MOST_LINES or any(len(each) > _LONGEST_LINE for each in page.address):
        raise CarrierRefused(
            "bad-address", f"more than a window shows: {_MOST_LINES} lines of {_LONGEST_LINE} characters"
        )
    return page


def pdf_of(page: Page) -> bytes:
    """Raises CarrierRefused where a character can not be printed with these fonts."""
    day = date.fromisoformat(page.day)
    said = {
        **asdict(page),
        "title": page.subject or page.sender or "Letter",
        "lang": base_of(page.language),
        "address": page.address,
        "date": str(written(day, page.language)),
        "lines": page.body.splitlines(),
    }
    try:
        pdf = _compiler().compile(
            input=_LAYOUT.read_bytes(),
            format="pdf",
            pdf_standards="a-2u",
            timestamp=datetime.combine(day, time.min, UTC),
            sys_inputs={"letter": json.dumps(said)},
        )
    except typst.TypstError as error:
        if "could not be displayed" not in error.message:
            raise
        raise CarrierRefused(
            "not-printable", f"a letter cannot show this: {error.message.partition('error: ')[2]}"
        ) from None
    except UnicodeEncodeError:
        raise CarrierRefused("bad-text", "the text has characters that are none") from None
    if not isinstance(pdf, bytes):
        raise TypeError(f"expected a PDF, not {type(pdf).__name__}")
    return pdf


@cache
def _compiler() -> typst.Compiler:
    """Without the machine's fonts, and without anything to read but what it is given."""
    return typst.Compiler(font_paths=typst.Fonts(include_system_fonts=False), ignore_system_fonts=True)


def _is_country(line: str) -> bool:
    return len(line) == 2 and line.isalpha() and line.isupper()

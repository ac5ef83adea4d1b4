"""A letter as PDF/A: whom it reaches, and what stands on it."""

from dataclasses import dataclass
from datetime import date

from adapters.delivery.carrier import CarrierRefused
from adapters.delivery.rendering import Letter
from adapters.documents.setting import Head, Layout, NotPrintable, paper_of, set_pdf

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
        paper=paper_of(letter.country),
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
    head = Head(
        title=page.subject or page.sender or "Letter",
        sender=page.sender,
        address=page.address,
        language=page.language,
        paper=page.paper,
        day=date.fromisoformat(page.day),
    )
    try:
        return set_pdf(Layout.LETTER, head, {"subject": page.subject, "lines": page.body.splitlines()})
    except NotPrintable as error:
        raise CarrierRefused(error.code, error.detail) from None


def _is_country(line: str) -> bool:
    return len(line) == 2 and line.isalpha() and line.isupper()

"""Letters as PDF files, for whoever prints and posts them.

A message id has one text, that of the first who handed it over: it is kept beside the outbox, and the PDF is made from
it. So whoever hands the message over again makes the same file of the same name.
"""

import json
import os
from abc import abstractmethod
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from adapters.clock import Clock
from adapters.delivery.carrier import Attempt, Carrier, CarrierUnavailable
from adapters.delivery.rendering import Letter
from aggregates.values.contact import Channel

if TYPE_CHECKING:
    from adapters.delivery.carriers.letter_pdf import Page

FOLDER = "ARREARS_LETTERS_FOLDER"
SFTP_URL = "ARREARS_LETTERS_SFTP_URL"
KNOWN_HOSTS = "ARREARS_LETTERS_SFTP_KNOWN_HOSTS_FILE"
KEY_FILE = "ARREARS_LETTERS_SFTP_KEY_FILE"


class Letters(Carrier):
    """What is common to all places that letters are put in."""

    channels = frozenset({Channel.LETTER})
    is_idempotent = True

    def __init__(self, texts: Path, clock: Clock) -> None:
        """`texts` is a folder that all processes that deliver share."""
        self._texts = texts
        self._clock = clock

    @abstractmethod
    def put(self, name: str, pdf: bytes) -> None:
        """Puts the file there whole, or not at all; one of that name that is there stays. Raises CarrierUnavailable
        where it certainly is not there."""

    @abstractmethod
    def has(self, name: str) -> bool | None:
        """Whether the file is there; None where that cannot be seen."""

    def send(self, message_id: UUID, letter: Letter) -> str:
        from adapters.delivery.carriers.appending import appended
        from adapters.delivery.carriers.letter_pdf import page_of, pdf_of

        name = f"{message_id}.pdf"
        if self._done(message_id).exists():
            return name
        files = [each.read() for each in letter.attachments]
        page = self._first(message_id, page_of(letter, self._clock.now().date()))
        pdf = pdf_of(page)
        self.put(name, appended(pdf, files) if files else pdf)
        with suppress(OSError):  # the file is there all the same
            self._done(message_id).touch()
        return name

    def took(self, message_id: UUID, attempt: Attempt) -> Letter | bool | None:
        """Also where the file was taken away since, by whoever prints it."""
        del attempt  # the text is kept here
        there = self._done(message_id).exists() or self.has(f"{message_id}.pdf")
        page = self._kept(message_id) if there else None
        return there if page is None else Letter(Channel.LETTER, page.to, page.subject, page.body)

    # --- texts ---

    def _first(self, message_id: UUID, page: "Page") -> "Page":
        """The text of the message: this one, unless another was kept before."""
        draft = self._texts / f"{message_id}.{uuid4().hex}.part"
        try:
            self._texts.mkdir(mode=0o700, parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8", errors="surrogatepass") as file:
                json.dump(asdict(page), file)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, self._text(message_id))
            draft.unlink()
        except OSError as error:
            raise CarrierUnavailable(f"{self._texts} cannot be written to: {error.strerror}") from None
        return self._kept(message_id) or page

    def _kept(self, message_id: UUID) -> "Page | None":
        from adapters.delivery.carriers.letter_pdf import Page

        try:
            return Page(**json.loads(self._text(message_id).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def _text(self, message_id: UUID) -> Path:
        return self._texts / f"{message_id}.json"

    def _done(self, message_id: UUID) -> Path:
        return self._texts / f"{message_id}.done"

"""Which office a file's name for it stands for."""

import hashlib
import re
import unicodedata
from collections.abc import Callable

from anyascii import anyascii

from adapters.billing.identity import folded
from adapters.billing.imported import ImportedFacts

_LENGTH = 40
_SHORT_HASH = 6
_NOT_CODE = re.compile(r"[^a-z0-9]+")

TitleOf = Callable[[str], str | None]
"""The title of the office that is open under a code; None where none is."""


def office_code(name: str) -> str:
    """An office's code from what a file calls it: 1 to 40 of a to z, digits and hyphens, always the same.

    What Latin letters are without their accents is their code (`Zürich` is `zurich`). Names that have other letters, no
    letter or digit at all, or more than fits, have a hash of the name behind: two of them may read the same.
    """
    like = folded(name)
    code = _NOT_CODE.sub("-", anyascii(like).lower()).strip("-")
    if code and len(code) <= _LENGTH and all(_is_latin(letter) for letter in like):
        return code
    mark = hashlib.sha256(like.encode()).hexdigest()[:_SHORT_HASH]
    return f"{code[: _LENGTH - _SHORT_HASH - 1].strip('-')}-{mark}".lstrip("-") if code else f"office-{mark}"


def earlier_code(name: str) -> str:
    """The code that earlier releases made of the name; empty where they made none and took the import's office."""
    return _NOT_CODE.sub("-", name.casefold()).strip("-")[:_LENGTH]


class OfficeCodes:
    """The codes of the offices that a file names: as they were known before, else as they are made now."""

    def __init__(self, imported: ImportedFacts, title_of: TitleOf) -> None:
        self._imported = imported
        self._title_of = title_of
        self._codes: dict[str, str] = {}

    def code_of(self, name: str) -> str:
        """Of a name under which something was imported, the office that it stood for then. Else an office that is
        open under the code of earlier releases, if that can only be this one. Else the name's own."""
        if name not in self._codes:
            self._codes[name] = self._imported.code_of(name) or self._open_before(name) or office_code(name)
        return self._codes[name]

    def _open_before(self, name: str) -> str | None:
        earlier = earlier_code(name)
        title = self._title_of(earlier) if earlier else None
        if title is None:
            return None
        is_whole = all(_is_latin(letter) for letter in folded(name)) and len(earlier) < _LENGTH
        return earlier if is_whole or folded(title) == folded(name) else None


def _is_latin(letter: str) -> bool:
    """Whether nothing of it is lost in a code but an accent, or what is no letter and no digit."""
    if letter.isascii() or not (letter.isalnum() or unicodedata.category(letter).startswith("M")):
        return True
    return unicodedata.name(letter, "").startswith(("LATIN", "COMBINING"))

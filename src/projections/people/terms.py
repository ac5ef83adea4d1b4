"""What search compares: text without case and accents, and hashes of its parts, which an index finds.

PostgreSQL as it comes with Arrears has no trigram index, so the parts are hashed here and kept as an array of integers.
A text of three characters or more is found anywhere; a shorter one at the beginning of a word.
"""

import re
import unicodedata
from collections.abc import Iterable
from zlib import crc32

from aggregates.values.normal_form import dialled

SHORTEST_ANYWHERE = 3
FEWEST_DIGITS = 4
"""Of what looks like a telephone number; fewer are a part of any number."""

_TELEPHONE = re.compile(r"(tel:)?[\d\s()+./\u2010-\u2015\u2212-]+", re.IGNORECASE)
_DIALLED_ABROAD = re.compile(r"\+|00|011|(?=1\d{10}$)")
"""What stands before a country's code, or that it is the code of North America itself."""
_NOT_DIGITS = re.compile(r"\D+")
_WORD = re.compile(r"\w+")


def compared(text: str) -> str:
    """As search compares it: compatible forms are one, without case, accents and surplus blanks."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(plain.replace("\x00", "").split())


def digits_of(telephone: str) -> str:
    """The digits of a telephone number without what is dialled before them: `+1 793 555` is `1793555`."""
    return _NOT_DIGITS.sub("", dialled(telephone)).lstrip("0")


def digits_asked(text: str) -> str | None:
    """The digits that are looked for where somebody types what may be a telephone number.

    Of a whole one those that it has in its country: they stand in it whether or not it was recorded with the country's
    code, and however that was dialled.
    """
    if not _TELEPHONE.fullmatch(text):
        return None
    digits = digits_in_country(text) or digits_of(text)
    return digits if len(digits) >= FEWEST_DIGITS else None


def digits_in_country(telephone: str) -> str | None:
    """The digits without the country's code and what is dialled before an area's; None where the number names no
    country, or is not whole."""
    sign = "+" if "+" in telephone else ""
    said = sign + _NOT_DIGITS.sub("", unicodedata.normalize("NFKC", telephone))
    abroad = _DIALLED_ABROAD.match(said)
    if abroad is None:
        return None
    import phonenumbers  # its tables take a while to load, and most searches need none

    try:
        number = phonenumbers.parse(f"+{said[abroad.end() :]}")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.national_significant_number(number).lstrip("0")


def terms_of(lines: Iterable[str]) -> list[int]:
    """Hashes of what the lines, as search compares them, are found by: every three letters, and how words begin."""
    found: set[str] = set()
    for line in lines:
        found.update(_everywhere(line))
        for word in _WORD.findall(line):
            found.update(_beginning(word[:length]) for length in range(1, SHORTEST_ANYWHERE))
    return sorted(map(_hashed, found))


def terms_asked(text: str) -> list[int]:
    """What a row must have all of, to be looked at; `text` is as search compares it."""
    if len(text) >= SHORTEST_ANYWHERE:
        return sorted(map(_hashed, _everywhere(text)))
    return sorted(_hashed(_beginning(word)) for word in _WORD.findall(text))


def _everywhere(line: str) -> set[str]:
    return {line[at : at + SHORTEST_ANYWHERE] for at in range(len(line) - SHORTEST_ANYWHERE + 1)}


def _beginning(start: str) -> str:
    """Not to be taken for a part of three letters, which may be anywhere."""
    return f"\n{start}"


def _hashed(part: str) -> int:
    """32 bits with a sign, as PostgreSQL's integer has them."""
    value = crc32(part.encode())
    return value - (1 << 32) if value >= 1 << 31 else value

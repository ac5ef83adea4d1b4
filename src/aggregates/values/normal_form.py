"""One form for all spellings of a telephone number, an e-mail address or a postal address.

What the customer said of a number or address is true of it however it is spelled. There are two comparisons, because
their mistakes cost differently: `normal_form` is equal for what certainly is the same (consent given, two cells of a
file); `may_be_same` is also true of what cannot be told apart from it (a refusal, an opt-out).
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from aggregates.kernel.personal import ERASED
from aggregates.values.contact import Channel

if TYPE_CHECKING:
    from email_validator import ValidatedEmail

_PHONES = frozenset({Channel.SMS, Channel.VOICE})

_NUMBER = re.compile(r"(?<![+(])[+(]*\d[\d\W_]*")
"""Everything but letters from the first digit on: words around a number are no part of it. Signs in front of it are
looked at from the first of them only, or a text of many would take a time that grows with its square."""
_EXTENSION = re.compile(r"(?:extension|ext|x)[\s.:=]*(\d{1,8})", re.IGNORECASE)
_ALONE = re.compile(r"[+(]*\d[\d\s()./\-‐-―]*(?:;?\s*(?:extension|ext|x)[\s.:=]*\d{1,8})?", re.IGNORECASE)
_USUAL = re.compile(r"[\d\s()+./-]*", re.ASCII)
"""Nearly every number: nothing of it is spelled otherwise than it is dialled."""
_WITH_LETTERS = re.compile(r"[+(]*\d[\d\s()./-]*[A-Za-z][A-Za-z\d\s()./-]*")
_KEYS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
"""On a telephone (ITU-T E.161)."""
_OF_A_WHOLE_NUMBER = range(7, 16)
_FEWEST_LETTERS = 3
_FEWEST_DIGITS, _MOST_DIGITS = 5, 17
"""ITU-T E.164 allows fifteen, and two may be dialled before them; with fewer nobody outside a house is reached."""
_ABROAD = "00"
"""Dialled before a country code nearly everywhere (the prefix that ITU-T E.164 recommends)."""


def normal_form(channel: Channel, text: str, country: str | None) -> str | None:
    """The same for what certainly is the same number or address; None of nothing, and of what was erased.

    `country` is that in which a number without country code is dialled.
    """
    if not text.strip() or text == ERASED:
        return None
    if channel in _PHONES and (telephone := Telephone(text, country)).digits:
        return telephone.normal
    return _normal_email(text) if channel is Channel.EMAIL else folded(text)


def may_be_same(channel: Channel, one: str, in_one: str | None, other: str, in_other: str | None) -> bool:
    """Whether two texts, each with its country, can be the same number or address."""
    if ERASED in (one, other):
        return False
    if one == other:
        return True
    if channel in _PHONES:
        first, second = Telephone(one, in_one), Telephone(other, in_other)
        if first.digits and second.digits:
            return first.may_be(second)
    if channel is Channel.LETTER:
        return _letters_and_digits(one) == _letters_and_digits(other) != ""
    form = normal_form(channel, one, in_one)
    return form is not None and form == normal_form(channel, other, in_other)


def names_one(channel: Channel, text: str) -> bool:
    """Whether a text can name a number or address at all: `n/a` names none."""
    if text == ERASED:
        return False
    if channel in _PHONES:
        return any(letter.isdigit() for letter in text)
    return "@" in text if channel is Channel.EMAIL else bool(text.strip())


def folded(text: str) -> str:
    """Without case, compatible forms and surplus white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _letters_and_digits(text: str) -> str:
    return "".join(each for each in folded(text) if each.isalnum())


# --- telephone numbers -------------------------------------------------------------------------------


def dialled(text: str) -> str:
    """A number as it is dialled: its letters as the keys that they are on, where it is none without them
    (`1-800-FLOWERS`), and digits of any script as ours."""
    if _USUAL.fullmatch(text):
        return text
    plain = "".join(
        str(unicodedata.digit(each)) if each.isdigit() else each for each in unicodedata.normalize("NFKC", text)
    )
    if not _WITH_LETTERS.fullmatch(plain.strip()) or _EXTENSION.search(plain):
        return plain
    before = next(place for place, each in enumerate(plain) if each.isalpha())
    letters, keys = sum(map(str.isalpha, plain)), sum(map(str.isalnum, plain))
    is_whole_without = sum(map(str.isdigit, plain[:before])) in _OF_A_WHOLE_NUMBER
    if is_whole_without or letters < _FEWEST_LETTERS or keys not in _OF_A_WHOLE_NUMBER:
        return plain
    return plain.upper().translate(_KEYS)


def is_number(text: str, country: str | None) -> bool:
    """Whether a text is a telephone number and nothing else; one that is dialled in another country is one too."""
    if _ALONE.fullmatch(dialled(text)) is None:
        return False
    telephone = Telephone(text, country)
    if not _FEWEST_DIGITS <= len(telephone.digits) <= _MOST_DIGITS or not telephone.digits.strip("0"):
        return False
    return not text.startswith("+") or telephone.is_read


@dataclass(frozen=True)
class Telephone:
    """A number as it is spelled, and the country in which it is dialled where it has no country code."""

    text: str
    country: str | None

    @property
    def digits(self) -> str:
        """As they are spelled, without extension."""
        return _digits(self._parts[0])

    @property
    def normal(self) -> str:
        """E.164 with its extension (RFC 3966); where the country is not known, digits and a leading plus."""
        if self._read is None:
            return f"+{self.digits}" if self._parts[0].startswith("+") else self.digits
        international, _, extension = self._read
        return f"{international};ext={extension}" if extension else international

    @property
    def is_read(self) -> bool:
        """Whether its country is known and can have such a number."""
        return self._read is not None

    def may_be(self, other: "Telephone") -> bool:
        """Whether both may ring at the same place: equal in E.164 or as spelled, or, where the country of one is not
        known, in the other's country. The extension does not count."""
        if self._ways & other._ways:
            return True
        return not (self.is_read and other.is_read) and self._national == other._national

    @cached_property
    def _parts(self) -> tuple[str, str]:
        """The number without words around it, and its extension."""
        text = dialled(self.text)
        found = _NUMBER.search(text)
        if found is None:
            return "", ""
        extension = _EXTENSION.match(text, found.end())
        return found[0].strip(), extension[1] if extension else ""

    @cached_property
    def _read(self) -> tuple[str, str, str] | None:
        """E.164, its digits without country code, and the extension."""
        import phonenumbers  # its tables take a while to load, and most commands need none

        number, extension = self._parts
        spellings = [number]
        if number.startswith(_ABROAD):
            spellings.append(f"+{number[len(_ABROAD) :]}")
        for spelled in spellings:
            try:
                parsed = phonenumbers.parse(spelled, self.country)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_possible_number(parsed):
                international = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
                national = phonenumbers.national_significant_number(parsed)
                return international, national, parsed.extension or extension
        return None

    @cached_property
    def _ways(self) -> frozenset[str]:
        spelled = self.digits.lstrip("0")
        return frozenset({spelled} if self._read is None else {spelled, _digits(self._read[0])})

    @property
    def _national(self) -> str:
        return (self.digits if self._read is None else self._read[1]).lstrip("0")


def _digits(text: str) -> str:
    return "".join(str(unicodedata.digit(letter)) for letter in text if letter.isdigit())


# --- e-mail addresses --------------------------------------------------------------------------------


def is_email(text: str) -> bool:
    """Whether a text is an e-mail address and nothing else (RFC 5322, 6531); nobody is asked whether it exists."""
    return _email(text, with_name=False) is not None


IDNA = "xn--"
"""What a part of a domain begins with that stands for other letters than it has (RFC 5890)."""


def email_spellings(text: str) -> tuple[str, ...]:
    """As it is spelled, and with its domain as people read it and as machines do (IDNA): `a@bücher.example` and
    `a@xn--bcher-kva.example` are one address."""
    found = _email(text, with_name=True)
    domains = () if found is None else (found.domain, found.ascii_domain)
    return tuple(dict.fromkeys([text, *(f"{found.local_part}@{each}" for each in domains if found is not None)]))


_PLAIN_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9.-]+")
"""Nearly every address. Whether or not it is valid, nothing but its case can be spelled in another way."""


def _normal_email(text: str) -> str:
    """Domains are equal in any case and as IDNA; so are local parts in any case: case must not revive a refusal."""
    plain = text.lower()
    if _PLAIN_EMAIL.fullmatch(text) and IDNA not in plain:
        return plain
    found = _email(text, with_name=True)
    return folded(text) if found is None else f"{folded(found.local_part)}@{found.ascii_domain}"


def _email(text: str, *, with_name: bool) -> "ValidatedEmail | None":
    from email_validator import EmailNotValidError, validate_email  # takes a while to load

    try:
        return validate_email(
            text.strip(),
            check_deliverability=False,
            globally_deliverable=False,
            test_environment=True,
            allow_display_name=with_name,
        )
    except EmailNotValidError:
        return None

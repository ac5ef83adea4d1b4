"""What text may be in a parameter, a form or a body: every door asks here."""

from unicodedata import category

OF_SEVERAL_LINES = frozenset({"body", "content", "notes", "public_key", "reason", "text", "words"})
"""Fields that may have line breaks and tabs. Of any other a line break would begin another header, row or sentence."""

_NO_TEXT = frozenset({"Cc", "Cs"})
_BREAKS = str.maketrans("\r\n\t", "   ")


def is_text(value: str) -> bool:
    """Whether nothing in it is a control character, or half of a surrogate pair."""
    if value.isascii() and value.isprintable():
        return True
    return not any(category(letter) in _NO_TEXT for letter in value)


def text_fault(name: str, value: str, *, read: str | None = None) -> str | None:
    """What is expected of the text of a field instead; None where it is well. `read` is what is read of it, where that
    is not all."""
    if not is_text_of(name, value):
        return "expected text without control characters"
    return None if _can_be_seen(value if read is None else read) else "expected text that can be seen"


def _can_be_seen(value: str) -> bool:
    """Whether there is anything to read in it: a text that says nothing would pass for one that does. What is empty is
    no text at all, and for whoever reads it to judge."""
    return not value or any(category(each) not in _UNSEEN and each not in _FILLERS for each in value)


_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols without a form."""


def is_text_of(name: str, value: str) -> bool:
    """The same of a field, by its name."""
    return is_text(value.translate(_BREAKS) if name in OF_SEVERAL_LINES else value)

"""Text from outside on its way to a terminal: nothing in it moves the cursor, recolours, hides or reorders anything.

Names, reasons and notes are whatever somebody typed, and error messages quote them. Everything that is printed for
people goes through `line`, whoever prints it.
"""

import re

_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: among them ESC and CSI
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what reorders text (UAX #9)
    r"\u2028\u2029\ud800-\udfff]"
)


def line(text: str) -> str:
    """One line: breaks and tabs become a space, other control characters what Python calls them (`\\x1b`)."""
    return _UNSAFE.sub(_named, _BREAKS.sub(" ", text))


def lines(text: str) -> str:
    """The same for text that has lines of its own, such as a traceback."""
    return "\n".join(line(each) for each in text.split("\n"))


def json_text(text: str) -> str:
    """JSON that says the same: what a terminal would heed is escaped as JSON escapes it, within strings."""
    return "\n".join(_UNSAFE.sub(_escaped, each) for each in text.split("\n"))


def _named(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"

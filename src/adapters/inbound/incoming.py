"""What came in, as plain values, whatever it came through; text from outside is cleaned, and never lost."""

from dataclasses import dataclass
from datetime import datetime
from unicodedata import category
from uuid import UUID

from aggregates.account.inbound import Incoming, Receipt

LONGEST_TEXT = 20_000
LONGEST_LINE = 998
_CUT = "\n[…]"
_NOTHING = "[no text]"
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that turn the direction of what stands beside them, so that a line reads as it is not (UAX 9)."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message of somebody's, of whom nothing is known but where it came from."""

    channel: Incoming
    sender: str
    text: str
    source: str
    """What it came through: `twilio`, `email`."""
    source_id: str
    """By which that knows it; the same twice is the same message."""
    received_at: datetime
    subject: str | None = None
    answers: tuple[UUID, ...] = ()
    """Messages of ours that it may answer, the likeliest first."""
    is_automatic: bool = False
    is_confirmed: bool = False
    """The carrier has confirmed the opt-out that it asks for."""


@dataclass(frozen=True, slots=True)
class IncomingReceipt:
    """What a carrier reports of one of our messages."""

    message_id: UUID
    receipt: Receipt
    at: datetime
    code: str | None = None
    detail: str | None = None
    point: str | None = None
    """The number or address, where the report names it."""


def cleaned(text: str, most: int = LONGEST_TEXT) -> str:
    """Text of several lines without what nobody can read: control characters, halves of pairs, turned directions."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if len(text) > most:
        text = text[: most - len(_CUT)] + _CUT
    clean = "".join(each if each in "\n\t" or _is_readable(each) else "\ufffd" for each in text)
    return clean if clean.strip() else _NOTHING


def cleaned_line(text: str, most: int = LONGEST_LINE) -> str:
    """The same on one line; empty where nothing is left."""
    return " ".join(each for each in cleaned(text, most).split() if each) if text.strip() else ""


def _is_readable(letter: str) -> bool:
    return category(letter) not in {"Cc", "Cs"} and letter not in _TURNS

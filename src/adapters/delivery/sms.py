"""How a network carries a text message: in which alphabet, and in how many parts."""

from dataclasses import dataclass
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""3GPP TS 23.038, the default alphabet and its extension, of which each character takes two places."""


class Alphabet(StrEnum):
    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


_PLACES = {Alphabet.GSM_7: (160, 153), Alphabet.UCS_2: (70, 67)}
"""Of a message in one part, and of each of several, which name their order."""


@dataclass(frozen=True, slots=True)
class SmsSize:
    """`characters` are what is limited; `places` are those of the alphabet, by which networks count."""

    characters: int
    alphabet: Alphabet
    places: int
    segments: int


def sms_size(text: str) -> SmsSize:
    letters = set(text)
    if letters <= _BASIC | _EXTENDED:
        alphabet, places = Alphabet.GSM_7, sum(2 if letter in _EXTENDED else 1 for letter in text)
    else:
        alphabet, places = Alphabet.UCS_2, len(text.encode("utf-16-be")) // 2
    alone, each = _PLACES[alphabet]
    return SmsSize(len(text), alphabet, places, 1 if places <= alone else -(-places // each))

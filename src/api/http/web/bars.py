"""Aging as a bar: its parts with their places, colours and words."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from api.http.web.rendering import money

_WIDTH = 1000
_AGES = 5
"""The oldest bucket's colour; the youngest has 0."""


@dataclass(frozen=True, slots=True)
class Part:
    """A bucket in a bar. `left` and `width` are of 1000."""

    name: str
    text: str
    share: str
    left: int
    width: int
    age: int
    url: str = ""


def age_of(place: int, buckets: int) -> int:
    """Which of the six colours the bucket at this place has."""
    return round(place * _AGES / (buckets - 1)) if buckets > 1 else 0


def parts_of(
    buckets: Sequence[tuple[str, Decimal]], urls: Sequence[str] = (), shares: Sequence[str] = ()
) -> list[Part]:
    """The parts of a bar, youngest first. Shares are percentages where none are given."""
    total = sum((amount for _, amount in buckets), Decimal())
    parts, before = [], Decimal()
    for place, (name, amount) in enumerate(buckets):
        left = _scaled(before, total)
        before += amount
        parts.append(
            Part(
                name=name,
                text=money(amount),
                share=shares[place] if shares else _percent(amount, total),
                left=left,
                width=_scaled(before, total) - left,
                age=age_of(place, len(buckets)),
                url=urls[place] if urls else "",
            )
        )
    return parts


def _scaled(amount: Decimal, total: Decimal) -> int:
    return round(amount / total * _WIDTH) if total else 0


def _percent(amount: Decimal, total: Decimal) -> str:
    return f"{amount / total * 100:.1f} %" if total else "–"

"""How the messages of a bulk action would leave, in words: the same at every door."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LeavingWords:
    """`how` they leave, and of those that would not in their hours what becomes; None: all do."""

    how: str
    left_over: str | None = None

    def __str__(self) -> str:
        return self.how if self.left_over is None else f"{self.how}; {self.left_over}"


def leaving_in_words(leaving: Mapping[str, Any], count: int, moment: Callable[[Any], str]) -> LeavingWords:
    """`leaving` as HTTP answers it, of so many messages; `moment` writes its moments for whoever reads it."""
    if leaving["per_minute"] is None:
        return LeavingWords("all leave at once")
    pace = f"{leaving['in_first_minute']:,} leave in the first minute, at {leaving['per_minute']:,} a minute"
    if leaving["all_left_at"] is not None:
        return LeavingWords(f"{pace}, the last by {moment(leaving['all_left_at'])}")
    late = count - leaving["in_time"]
    return LeavingWords(pace, f"{late:,} would not have left by {moment(leaving['until'])} and be withdrawn")

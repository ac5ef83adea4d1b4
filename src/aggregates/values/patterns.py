"""Patterns that texts have to match, each declared together with words for people: a refusal says those, and never
quotes the pattern."""

from collections.abc import Mapping
from typing import Any

_EXPECTED: dict[str, str] = {}


def pattern(regex: str, expected: str) -> str:
    """Declares a pattern; `expected`: what matches it, in words that go on from "expected".

    Raises ValueError where it is declared already with other words: pydantic says no more than which pattern it was."""
    if _EXPECTED.setdefault(regex, expected) != expected:
        raise ValueError(f"{regex} is declared already, as {_EXPECTED[regex]!r}")
    return regex


def declared() -> Mapping[str, str]:
    """Every pattern that was declared so far, and its words."""
    return dict(_EXPECTED)


def message_of(error: Mapping[str, Any]) -> str:
    """What an error of pydantic says, in words where pydantic quotes what the value is matched with."""
    match error["type"]:
        case "string_pattern_mismatch":
            return f"expected {_EXPECTED[error['ctx']['pattern']]}"
        case "uuid_parsing":
            return "expected an id such as 0198c5f2-7d4e-7b3a-9c1d-2e5f6a7b8c9d"
        case _:
            return str(error["msg"])

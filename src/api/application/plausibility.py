"""What no calculation should meet: days, amounts and numbers that can only be mistakes."""

from datetime import date

from pydantic import BaseModel

from aggregates.values.money import MOST_MINOR, Money

EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)

MOST_COUNT = 10**6
"""Of days or messages; a day that many days away from another is still a day."""


def implausible(value: object, path: str = "") -> tuple[str, str] | None:
    """The first date or amount in a command that no calculation should meet: its field, and what was expected."""
    match value:
        case bool():
            return None
        case int():
            return None if abs(value) <= MOST_COUNT else (path, f"expected a number up to {MOST_COUNT}")
        case date():
            day = date(value.year, value.month, value.day)
            return None if EARLIEST <= day <= LATEST else (path, f"expected a day from {EARLIEST} to {LATEST}")
        case Money():
            return None if abs(value.minor) <= MOST_MINOR else (path, "expected a smaller amount")
        case BaseModel():
            entries = [(name, getattr(value, name)) for name in type(value).model_fields]
        case dict():
            entries = [(str(key), each) for key, each in value.items()]
        case tuple() | list() | frozenset():
            entries = [(str(index), each) for index, each in enumerate(value)]
        case _:
            return None
    prefix = f"{path}." if path else ""
    return next((found for name, each in entries if (found := implausible(each, prefix + name)) is not None), None)

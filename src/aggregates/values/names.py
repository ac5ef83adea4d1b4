"""Names of people at work, as commands take them."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints


def _can_be_read(name: str) -> str:
    if not name.isprintable():
        raise ValueError("expected a name without characters that nobody sees")
    return name


def assignee_of(said: str | None) -> str | None:
    """Of a name that was taken before names had to be readable, the one that `Assignee` takes; None where nothing of it
    can be read."""
    return "".join(each for each in said or "" if each.isprintable()).strip()[:_LONGEST].strip() or None


_LONGEST = 100
Assignee = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST), AfterValidator(_can_be_read)
]
"""Whose work something is. Spelled so that two that look alike are one."""

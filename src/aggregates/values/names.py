"""Names of people at work, as commands take them."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints


def _can_be_read(name: str) -> str:
    if not name.isprintable():
        raise ValueError("expected a name without characters that nobody sees")
    return name


Assignee = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_can_be_read)
]
"""Whose work something is. Spelled so that two that look alike are one."""

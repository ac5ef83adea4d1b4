"""Short identifiers and document numbers as people and other systems write them."""

import re
from typing import Annotated

from pydantic import StringConstraints

from aggregates.values.patterns import pattern

Code = Annotated[
    str,
    StringConstraints(
        pattern=pattern(
            r"^[a-z0-9][a-z0-9-]{0,39}$",
            "lower-case letters, digits and dashes, not first a dash, at most 40 characters",
        )
    ),
]
"""A short identifier that people choose: flags, service types, step ids, office codes."""

Number = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
"""A document's or account's number as the customer's own systems print it."""

_BETWEEN = re.compile(r"[;,\n]")


def listed(text: str) -> tuple[str, ...]:
    """The numbers that stand in a text, divided by `;`, `,` or a line break, each once, in order."""
    parts = (part.strip() for part in _BETWEEN.split(text))
    return tuple(dict.fromkeys(part for part in parts if part))

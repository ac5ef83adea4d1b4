"""What an agent says in a call: what the law requires, which nobody leaves out, and what the office says besides.

Texts have the placeholders of templates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints

from aggregates.values.contact_record import Role


@dataclass(frozen=True, slots=True)
class RequiredLine:
    """What has to be said in every call about a debt."""

    text: str
    source: str


REQUIRED_LINES: Mapping[Role, Sequence[RequiredLine]] = {
    Role.FIRST_PARTY: (),
    Role.THIRD_PARTY: (
        RequiredLine(
            "This is {{ office }}. This is an attempt to collect a debt, and any information obtained will be used for"
            " that purpose. This communication is from a debt collector.",
            "15 USC 1692e(11)",
        ),
    ),
}
"""By who collects. They are made here and are no part of the office's own text."""

STANDARD_SCRIPT: Mapping[Role, Sequence[str]] = {
    Role.FIRST_PARTY: ("This is {{ office }}. I am calling about your account {{ account_number }}.",),
    Role.THIRD_PARTY: (),
}
"""What an office says that said nothing of it."""

ScriptLine = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
ScriptLines = Annotated[tuple[ScriptLine, ...], Field(max_length=20)]
"""A line for each thing that is said, in order."""

"""What an office says of contact rules: who collects, what kind of debt, and what it chose where a rule leaves it."""

from typing import Annotated

from pydantic import Field

from aggregates.kernel.value import LATER, Value
from aggregates.values.codes import Code
from aggregates.values.contact_record import DebtType, Role


class RuleChoice(Value):
    """What is chosen of one rule; what is not said is as the table of rules has it."""

    on: bool | None = None
    figures: dict[str, int] = Field(default_factory=dict, max_length=10)


class ContactSettings(Value):
    """By what the contacts of an office's accounts are judged."""

    role: Role = Role.FIRST_PARTY
    """Whether the office collects its own debt, or somebody else's."""
    debt_type: DebtType | None = None
    """None: by the kind of customer, consumer or commercial."""
    rules: dict[Code, RuleChoice] = Field(default_factory=dict, max_length=100)
    replies_pause: Annotated[bool | None, LATER] = None
    """Whether the chase of an account rests from a customer's message until a person has read it. None: it does."""

"""Values: what has no identity of its own and never changes."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Base of values inside events, commands and state. Unknown fields are refused: none is lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

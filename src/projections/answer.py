"""What questions answer with."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema


class Answer(BaseModel):
    """Base of what questions return. In JSON amounts and ratios are decimal strings and days are ISO dates."""

    model_config = ConfigDict(
        frozen=True, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True, defer_build=True
    )


def _as_text(amount: Decimal) -> str:
    return f"{amount:f}"


AmountText = Annotated[
    Decimal,
    PlainSerializer(_as_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["12.50"]}),
]
"""An amount in the row's or report's own currency; in JSON a decimal string."""

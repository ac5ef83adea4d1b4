"""The filters of the collections report at this door: parameters of an address, fields of a body, fields of a form."""

from collections.abc import Mapping
from dataclasses import make_dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query
from pydantic import Field, create_model

from aggregates.values.patterns import pattern
from api.application.plausibility import MOST_COUNT
from api.http.shapes import PLAIN_TEXT, Body, Day
from projections.questions import CHOICES, Filters
from projections.questions.collections.filters import Choice

ASKED_AS: Mapping[str, str] = {"search": "q"}
"""Filters that doors call otherwise."""

_Amount = Annotated[str, Field(pattern=pattern(r"^-?[0-9]{1,13}(\.[0-9]{1,4})?$", "an amount such as 100.00"))]
"""A decimal such as "100.00"."""
_Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]
_IN_JSON: Mapping[Any, Any] = {Decimal: _Amount, int: _Count, date: Day}


def _typed(choice: Choice, *, is_text: bool) -> Any:
    """The type with its bounds, or None; `is_text`: it comes out of an address or a form."""
    typed = _IN_JSON.get(choice.type, choice.type)
    bounds = (*choice.bounds, *([PLAIN_TEXT] if is_text else []))
    return (Annotated[(typed, *bounds)] if bounds else typed) | None


NAMES: Mapping[str, str] = {ASKED_AS.get(name, name): name for name in CHOICES}
"""The filters by what doors call them."""

IN_ADDRESS: Any = make_dataclass(
    "FiltersAsked",
    [
        (said, Annotated[_typed(CHOICES[name], is_text=True), Query(description=CHOICES[name].means)], None)
        for said, name in NAMES.items()
    ],
    frozen=True,
)
"""Each a parameter."""

if TYPE_CHECKING:
    FilterBody = Body
else:
    FilterBody = create_model(
        "FilterBody",
        __base__=Body,
        **{
            said: (_typed(CHOICES[name], is_text=False), Field(None, description=CHOICES[name].means))
            for said, name in NAMES.items()
        },
    )
"""Each a field."""

IN_FORM: Mapping[str, Any] = {said: (_typed(CHOICES[name], is_text=True), None) for said, name in NAMES.items()}


def filters_of(said: object) -> Filters:
    """From an object with an attribute for each."""
    given = {name: getattr(said, asked) for asked, name in NAMES.items()}
    return Filters.model_validate(given)

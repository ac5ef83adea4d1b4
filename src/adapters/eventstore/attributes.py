"""Asking a model for an attribute that it may not have, without paying for the exception each time."""

from functools import cache
from typing import Any

from pydantic import BaseModel


def attribute(model: BaseModel, name: str) -> Any:
    """The field or property, or None where the class has none of that name."""
    return getattr(model, name) if _has(type(model), name) else None


@cache
def _has(model_class: type[BaseModel], name: str) -> bool:
    return name in model_class.model_fields or any(name in vars(base) for base in model_class.__mro__)

"""Personal data: text that the store encrypts under its account's own key and the public contract leaves out."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, WithJsonSchema

ERASED = "erased"
"""What reading a personal field gives once its account's key is destroyed."""


@dataclass(frozen=True)
class PersonalMark:
    """Annotation that makes a text field personal."""


Personal = Annotated[str, PersonalMark(), WithJsonSchema({"type": "string", "x-personal": True})]

EACH = "*"
"""A path part that stands for every entry of a list or mapping."""

Path = tuple[str, ...]


@cache
def personal_paths(model: type[BaseModel]) -> tuple[Path, ...]:
    """Where the personal fields of a model are, e.g. `("name",)`, `("contact", "phones", "*", "number")`."""
    return tuple(dict.fromkeys(_model_paths(model)))


def _model_paths(model: type[BaseModel]) -> Iterator[Path]:
    for name, field in model.model_fields.items():
        if any(isinstance(mark, PersonalMark) for mark in field.metadata):
            yield (name,)
        else:
            for path in _type_paths(field.annotation):
                yield (name, *path)


def _dataclass_paths(annotation: type) -> Iterator[Path]:
    types = get_type_hints(annotation, include_extras=True)
    for field in fields(annotation):
        for path in _type_paths(types[field.name]):
            yield (field.name, *path)


def _type_paths(annotation: Any) -> Iterator[Path]:
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *marks = get_args(annotation)
        if any(isinstance(mark, PersonalMark) for mark in marks):
            yield ()
        else:
            yield from _type_paths(base)
    elif origin in (Union, UnionType):
        for option in get_args(annotation):
            yield from _type_paths(option)
    elif origin in (list, tuple, set, frozenset, dict):
        arguments = [a for a in get_args(annotation) if a is not Ellipsis]
        for path in _type_paths(arguments[-1]) if arguments else ():
            yield (EACH, *path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _model_paths(annotation)
    elif isinstance(annotation, type) and is_dataclass(annotation):
        yield from _dataclass_paths(annotation)

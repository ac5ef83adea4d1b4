"""Bodies of requests, made from the commands that they become."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

from pydantic import AwareDatetime, BaseModel, Field, ValidationError, WithJsonSchema, create_model
from pydantic.fields import FieldInfo

from aggregates.kernel.personal import PersonalMark
from aggregates.values.money import Money
from api.application.amounts import Amount
from api.http.problems import from_errors
from api.http.shapes import Body, Day, Moment

AnyBody = TypeVar("AnyBody", bound=Body)
AnyModel = TypeVar("AnyModel", bound=BaseModel)

Reason = Annotated[str | None, Field(max_length=1_000)]

_SHAPES: Mapping[Any, Any] = {date: Day, datetime: Moment, AwareDatetime: Moment, Money: Amount}
"""How this door writes what commands have as values."""


class CommandBody(Body):
    """What a request says of a command, and why it asks for it."""

    reason: Reason = None


@dataclass(frozen=True, slots=True)
class Made:
    """How a body follows from a command, or a value in one. Its other fields are those of the model, as they are."""

    model: type[BaseModel]
    address: frozenset[str]
    """Fields that the request's address says, or the route makes."""
    without: frozenset[str]
    """Fields that are not offered here; the command can be sent by its name."""
    instead: Mapping[str, str]
    """Fields that the body has under another name and in another shape, which it declares itself."""
    own: frozenset[str] = field(default_factory=frozenset)
    """Fields that it declares itself under their own name, because they are shaped or bounded otherwise here."""


BODIES: dict[type[Body], Made] = {}
"""Every body that is made from a model."""


def body_of(
    model: type[BaseModel],
    *,
    address: Collection[str] = (),
    without: Collection[str] = (),
    instead: Mapping[str, str] | None = None,
    nested: Mapping[type[BaseModel], type[Body]] | None = None,
) -> Callable[[type[AnyBody]], type[AnyBody]]:
    """Gives a body the fields of a command, in their order, but for those in its `address` and those it is `without`.

    Of the class itself its docstring, its base and its fields count, and those win; `instead` says which of them stands
    for a field of the command. Values that are models are taken as they are, or as the body that `nested` names. Raises
    LookupError for a field that the command has not.
    """
    renamed = instead or {}
    named = {*address, *without, *renamed}
    if unknown := named - model.model_fields.keys():
        raise LookupError(f"{model.__name__} has no {', '.join(sorted(unknown))}")

    def make(declared: type[AnyBody]) -> type[AnyBody]:
        fields: dict[str, Any] = {}
        for name, info in model.model_fields.items():
            here = renamed.get(name, name)
            if here in declared.model_fields:
                fields[here] = _as_declared(declared.model_fields[here])
            elif name not in named:
                fields[here] = _as_shaped(info, {**_SHAPES, **(nested or {})})
        for name in declared.model_fields.keys() - fields.keys():
            fields[name] = _as_declared(declared.model_fields[name])
        body = _body(declared, fields)
        own = declared.model_fields.keys() & model.model_fields.keys() - {"reason"}
        BODIES[body] = Made(model, frozenset(address), frozenset(without), renamed, frozenset(own))
        return body

    return make


def _body(declared: type[AnyBody], fields: Mapping[str, Any]) -> type[AnyBody]:
    base = cast(type[AnyBody], declared.__base__)
    return create_model(
        declared.__name__, __base__=base, __doc__=declared.__doc__, __module__=declared.__module__, **fields
    )


def from_body(model: type[AnyModel], body: Body, **given: object) -> AnyModel:
    """The command, or value, that a body says, with what is `given` besides. Raises a Problem where its fields do not
    go together."""
    said = {name: _unpacked(value) for name, value in dict(body).items() if name in model.model_fields}
    try:
        return model.model_validate({**said, **given})
    except ValidationError as error:
        raise from_errors(error.errors()) from None


def _unpacked(value: object) -> object:
    """Bodies inside a body become plain data; values stay what they are."""
    match value:
        case Body():
            return {name: _unpacked(each) for name, each in dict(value).items()}
        case tuple():
            return tuple(_unpacked(each) for each in value)
        case _:
            return value


def _as_declared(info: FieldInfo) -> tuple[Any, FieldInfo]:
    return info.annotation, info


def _as_shaped(info: FieldInfo, shapes: Mapping[Any, Any]) -> tuple[Any, Any]:
    annotation = _shaped(info.annotation, shapes)
    for mark in _plain_marks(info.metadata):
        annotation = Annotated[annotation, mark]
    return annotation, ... if info.is_required() else info.default


def _shaped(annotation: Any, shapes: Mapping[Any, Any]) -> Any:
    """The type with values as this door writes them; personal text is text here."""
    if annotation in shapes:
        return shapes[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        base = _shaped(inner[0], shapes)
        for mark in _plain_marks(inner[1:]):
            base = Annotated[base, mark]
        return base
    if origin in (Union, UnionType):
        return Union[tuple(_shaped(each, shapes) for each in inner)]  # noqa: UP007
    if origin is not None:
        return origin[tuple(each if each is Ellipsis else _shaped(each, shapes) for each in inner)]
    return annotation


def _plain_marks(marks: Collection[Any]) -> list[Any]:
    """What a type or field says besides being personal."""
    if not any(isinstance(mark, PersonalMark) for mark in marks):
        return list(marks)
    return [mark for mark in marks if not isinstance(mark, PersonalMark | WithJsonSchema)]

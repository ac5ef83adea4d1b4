"""Values: what has no identity of its own and never changes."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class Value(BaseModel):
    """Base of values inside events, commands and state. Unknown fields are refused: none is lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


LATER = Field(exclude_if=lambda said: said is None)
"""Annotation of a field that came with a later release: where it says nothing it is left out, so that what was stored,
asked and answered before is the same bytes now."""


class _InOrder:
    """Members of a set are stored in order, and each is said once; the JSON Schema is that of any set."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        in_order = core_schema.wrap_serializer_function_ser_schema(_in_order, when_used="json")
        said = cast(CoreSchema, {**schema, "type": "list"})  # JSON has no sets, and to be strict is to know that
        return core_schema.json_or_python_schema(
            core_schema.no_info_after_validator_function(_set_of, said),
            core_schema.no_info_wrap_validator_function(_each_once, schema),
            serialization=in_order,
        )

    @staticmethod
    def __get_pydantic_json_schema__(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(cast(Any, schema)["python_schema"]["schema"])


def _each_once(said: Any, validated: ValidatorFunctionWrapHandler) -> Any:
    members = validated(said)
    return _set_of(said) if isinstance(said, list | tuple) and len(members) < len(said) else members


def _set_of(said: Sequence[Any]) -> frozenset[Any]:
    members = frozenset(said)
    if len(members) < len(said):
        raise ValueError("expected each member once")
    return members


def _in_order(members: Any, serialized: SerializerFunctionWrapHandler) -> Any:
    return sorted(serialized(members))


Member = TypeVar("Member")
SetOf = Annotated[frozenset[Member], _InOrder]
"""A set whose members are stored in order: a set's own order differs from process to process, and the same facts are to
be the same bytes."""

"""Settings that people write: TOML files and options, checked into models with errors that name the field."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

AnyModel = TypeVar("AnyModel", bound="BaseModel")


class SettingsError(ValueError):
    """What a person wrote cannot be used; the message names each field and what was expected."""


def read_toml(file: Path) -> dict[str, Any]:
    """Raises SettingsError where the file is not TOML."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file.name} is not a TOML file: {error}") from None


def model_from(model: type[AnyModel], said: Mapping[str, Any], *, source: Path | None = None) -> AnyModel:
    """The model of what was said. Raises SettingsError with every field that is not as expected."""
    from pydantic import ValidationError

    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise SettingsError(faults_of(error, source.name if source is not None else None)) from None


def faults_of(error: "ValidationError", source: str | None) -> str:
    """Every field that is not as expected, a line for each."""
    where = f"{source}: " if source is not None else ""
    return "\n       ".join(f"{where}{_expected(each)}" for each in error.errors())


def _expected(error: Mapping[str, Any]) -> str:
    """The field, and what was expected of it."""
    from aggregates.values.patterns import message_of

    field = ".".join(str(part) for part in error["loc"])
    said = message_of(error).removeprefix("Value error, ")
    match error["type"]:
        case "missing":
            return f"{field}: missing"
        case "extra_forbidden":
            return f"{field}: unknown key"
        case _:
            own, colon, rest = said.partition(": ")
            if colon and error["type"] == "value_error" and re.fullmatch(r"[a-z0-9_.-]+", own):
                field, said = f"{field}.{own}".removeprefix("."), rest  # the model names its own field
            expected = said[:1].lower() + said[1:]
            return f"{field}: {expected}" if field else expected

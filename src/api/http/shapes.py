"""How values look in JSON at this door: amounts as decimal strings, dates as ISO days, bodies read strictly."""

import json
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, LiteralString, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    ValidationError,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from api.application.amounts import read_amount
from api.application.plausibility import EARLIEST, LATEST
from api.http.problems import FieldProblem

LOCAL_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"

_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LOCAL_TIME = re.compile(LOCAL_TIME)
_ISO_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:]{5,8}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})")

# --- money -------------------------------------------------------------------------------------------


def minor_amounts(given: Any, path: str = "body") -> Any:
    """JSON with every amount turned into the minor units that commands have. Raises a Problem naming the field."""
    match given:
        case dict() if "minor" in given or given.keys() == {"amount", "currency"}:
            try:
                money = read_amount(given)
            except ValueError as error:
                raise FieldProblem(path, str(error)) from None
            return {"minor": money.minor, "currency": money.currency}
        case dict():
            return {key: minor_amounts(each, f"{path}.{key}") for key, each in given.items()}
        case list():
            return [minor_amounts(each, f"{path}.{index}") for index, each in enumerate(given)]
        case _:
            return given


# --- numbers -----------------------------------------------------------------------------------------

_MOST_DIGITS = 15


def read_whole_number(given: str) -> int | None:
    """None where it is none, or one with more digits than anything here has: Python refuses thousands of them."""
    return int(given) if given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS else None


# --- days --------------------------------------------------------------------------------------------


def read_day(given: object) -> date:
    """Raises ValueError; a number of seconds is no day here."""
    if type(given) is date:
        return given
    if not isinstance(given, str) or not _ISO_DAY.fullmatch(given):
        raise ValueError("expected a day such as 2026-03-31")
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise ValueError(f"expected a day that exists, not {given}") from None
    if not EARLIEST <= day <= LATEST:
        raise ValueError(f"expected a day from {EARLIEST} to {LATEST}")
    return day


def read_moment(given: object) -> datetime:
    """Raises ValueError; a moment says its offset."""
    if isinstance(given, datetime):
        return given
    if not isinstance(given, str) or not _ISO_MOMENT.fullmatch(given):
        raise ValueError("expected a moment with its offset such as 2026-03-31T09:00:00Z")
    try:
        moment = datetime.fromisoformat(given)
        read_day(moment.date())
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"expected a moment that exists, not {given}") from None


Day = Annotated[date, BeforeValidator(read_day)]
Moment = Annotated[datetime, BeforeValidator(read_moment)]

# --- text --------------------------------------------------------------------------------------------


def _plain_text(given: object) -> object:
    if isinstance(given, str) and "\x00" in given:
        raise ValueError("expected text without NUL characters")
    return given


PLAIN_TEXT = BeforeValidator(_plain_text)
PlainText = Annotated[str, PLAIN_TEXT]
"""Text in an address, which the database can hold; bodies are looked at as a whole."""

# --- bodies ------------------------------------------------------------------------------------------


class Body(BaseModel):
    """Base of request bodies: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FromJson:
    """Marks a body that is read strictly, so that what its schema says is what is taken: "5" is no integer."""

    def __get_pydantic_core_schema__(
        self, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        def read(given: object) -> object:
            return given if isinstance(given, source) else read_strictly(source, given)

        return core_schema.no_info_before_validator_function(read, handler(source))


AnyBody = TypeVar("AnyBody", bound=BaseModel)
JsonBody = Annotated[AnyBody, FromJson()]


def read_strictly(model: type[AnyBody], given: object) -> AnyBody:
    """Raises ValidationError. What neither the database nor a calculation can hold is refused for all bodies alike."""
    text = json.dumps(given)
    if "\\u0000" in text or "opens" in text or "closes" in text:
        found = _unusable(given)
        if found is not None:
            path, expected = found
            error = InitErrorDetails(type=PydanticCustomError("unusable", expected), loc=path, input=None)
            raise ValidationError.from_exception_data(model.__name__, [error])
    return model.model_validate_json(text, strict=True)


Path = tuple[str | int, ...]


def _unusable(given: object, path: Path = ()) -> tuple[Path, LiteralString] | None:
    """Where text holds a NUL, or a local time of day an offset; and what was expected."""
    match given:
        case str() if "\x00" in given:
            return path, "expected text without NUL characters"
        case str() if path and path[-1] in {"opens", "closes"} and not _LOCAL_TIME.fullmatch(given):
            return path, "expected a local time of day such as 09:00, without an offset"
        case dict():
            entries: list[tuple[str | int, object]] = [(str(key), value) for key, value in given.items()]
            if any("\x00" in str(key) for key in given):
                return path, "expected names without NUL characters"
        case list():
            entries = list(enumerate(given))
        case _:
            return None
    return next((found for key, value in entries if (found := _unusable(value, (*path, key))) is not None), None)

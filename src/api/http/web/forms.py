"""What the forms of our pages send. The gate lets in POSTs from our own pages only."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, TypeVar, get_args
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from aggregates.values.money import Money
from api.application.amounts import read_amount
from api.application.attachments import GivenFile
from api.http.problems import FieldProblem, from_errors
from api.http.routing import other_type
from api.http.shapes import read_day
from api.http.texts import text_fault
from api.http.uploads import carries_files, read_upload

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 200
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?")
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?")
"""An amount as pages show it. Any other comma may be a decimal mark."""


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a form, each once, without spaces around. Raises a Problem for another type, for a field that
    stands there twice, and for control characters."""
    if carries_files(request.scope):
        said = await read_upload(request)
        request.state.files = said.files
        return said.fields
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise other_type(_FORM)
    try:
        text = (await request.body()).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise FieldProblem("body", f"expected at most {_MOST_FIELDS} fields in UTF-8") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise FieldProblem(name, "expected once")
        fields[name] = value.strip()
        if (expected := text_fault(name, value, read=fields[name])) is not None:
            raise FieldProblem(name, expected)
    return fields


Fields = Mapping[str, str]


def files_of(request: Request) -> tuple[GivenFile, ...]:
    """What a form that was read carried with it."""
    found: tuple[GivenFile, ...] = getattr(request.state, "files", ())
    return found


_LONGEST_REASON, _LONGEST_KEY = 1_000, 200


def text_of(fields: Mapping[str, str], name: str, most: int) -> str | None:
    """None: the field is empty, or not there. Raises FieldProblem."""
    text = fields.get(name, "")
    if len(text) > most:
        raise FieldProblem(name, f"expected at most {most:,} characters")
    return text or None


def reason_of(fields: Mapping[str, str]) -> str | None:
    """Raises FieldProblem."""
    return text_of(fields, "reason", _LONGEST_REASON)


def once_of(fields: Mapping[str, str]) -> str | None:
    """The key by which a page that is sent twice does it once. Raises FieldProblem."""
    return text_of(fields, "once", _LONGEST_KEY)


def day_of(name: str, fields: Mapping[str, str]) -> date:
    """Raises FieldProblem."""
    try:
        return read_day(fields.get(name, ""))
    except ValueError as error:
        raise FieldProblem(name, str(error)) from None


def moment_of(name: str, fields: Mapping[str, str], zone: ZoneInfo) -> datetime | None:
    """A local time of the office; None: the field is empty. Raises FieldProblem."""
    said = fields.get(name, "")
    if not said:
        return None
    if not _MOMENT.fullmatch(said):
        raise FieldProblem(name, "expected a day and a time such as 2026-03-31T09:00")
    try:
        return datetime.fromisoformat(said).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise FieldProblem(name, "there is no such moment") from None


def amount_of(fields: Mapping[str, str], currency: str, name: str = "amount") -> Money:
    """Raises FieldProblem."""
    said = fields.get(name, "")
    plain = said.replace(",", "") if _GROUPED.fullmatch(said) else said
    try:
        return read_amount({"amount": plain, "currency": currency})
    except ValueError as error:
        raise FieldProblem(name, str(error).removeprefix("amount: ")) from None


AnyModel = TypeVar("AnyModel", bound=BaseModel)


def _is_day(command: type[BaseModel], name: str) -> bool:
    """Whether it is a day that the command takes there. (pydantic would take seconds since 1970 for one.)"""
    field = command.model_fields.get(name)
    return field is not None and (field.annotation is date or date in get_args(field.annotation))


def made(command: type[AnyModel], **said: object) -> AnyModel:
    """The command, or what becomes a part of one, that a form says; what is None is not said. Raises FieldProblem."""
    given = {name: value for name, value in said.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, str) and _is_day(command, name):
            given[name] = day_of(name, {name: value})
    try:
        return command.model_validate(given)
    except ValidationError as error:
        raise from_errors(error.errors()) from None


FormOf = Annotated[Mapping[str, str], Depends(read_form)]

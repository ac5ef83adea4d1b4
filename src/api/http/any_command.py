"""Any command by name, for callers that would rather not know the resources."""

import re
from functools import cache
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from aggregates.kernel.command import public_commands
from api.application.amounts import AMOUNT_SCHEMA
from api.application.issuing import Done
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf
from api.http.problems import FieldProblem, from_errors
from api.http.routing import Router
from api.http.shapes import Body, Day, JsonBody, minor_amounts, read_strictly

router = Router(prefix="/v1/commands", tags=["commands"])

COMMANDS = public_commands()


class AnyCommand(Body):
    """A command's name and what it says (`GET /v1/commands` has the schemas)."""

    name: str = Field(json_schema_extra={"enum": [*COMMANDS]})
    body: dict[str, Any] = Field(max_length=50)
    reason: str | None = Field(None, max_length=1_000)
    effective_on: Day | None = None
    """When it is true, where that is not today."""


class CommandSchema(BaseModel):
    """A command that can be sent."""

    name: str
    description: str
    body: dict[str, Any]
    """JSON Schema of its body."""


@router.get("")
def list_commands() -> list[CommandSchema]:
    """Every command that can be sent, with the schema of its body."""
    return [_schema(name) for name in COMMANDS]


@router.post("", responses=MAY_BE_REFUSED)
def send_command(*, body: JsonBody[AnyCommand], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Carry a command out."""
    today = issuing.service.clock.now().date()
    if body.effective_on is not None and (body.effective_on - today).days > 1:
        raise FieldProblem("effective_on", f"expected {today} or earlier")
    if body.name not in COMMANDS:
        raise FieldProblem("name", f"expected one of {', '.join(COMMANDS)}")
    try:
        command = read_strictly(COMMANDS[body.name], minor_amounts(body.body))
    except ValidationError as error:
        raise from_errors([{**e, "loc": ("body", "body", *e["loc"])} for e in error.errors()]) from None
    # Answered with what it is about even where it makes something: a repeat of an older release's gets that answer.
    about = command.targets()[0].id if command.makes is not None else None
    return issuing.issue(command, caller, about=about, reason=body.reason, effective_on=body.effective_on)


@cache
def _schema(name: str) -> CommandSchema:
    command = COMMANDS[name]
    schema = command.model_json_schema()
    if "Money" in schema.get("$defs", {}):
        schema["$defs"]["Money"] = AMOUNT_SCHEMA
    description = re.sub(r"\s+", " ", command.__doc__ or "").strip()
    return CommandSchema(name=name, description=description, body=schema)

"""Any command by name, for callers that would rather not know the resources."""

import re
from functools import cache
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, ValidationError

from aggregates.account.activities import CompleteFollowUp, RecordActivity
from aggregates.account.aging import AgeAccount
from aggregates.account.billing import BillInvoice, CorrectInvoice
from aggregates.account.chase import JudgeCollection, MoveStage
from aggregates.account.contact import ChangeContactDetails, OptInToContact, OptOutOfContact, RecordConsent
from aggregates.account.customer import OpenAccount, RecordSubscription
from aggregates.account.disputes import OpenDispute, ResolveDispute
from aggregates.account.exclusion import ExcludeAccount, LiftExclusion
from aggregates.account.flags import ClearFlag, SetFlag
from aggregates.account.holds import PlaceHold, ReleaseHold
from aggregates.account.payments import CorrectCredit, CorrectPayment, NoteCredit, ReceivePayment, ReversePayment
from aggregates.campaign import LaunchCampaign, PauseCampaign, ResumeCampaign, RetireCampaign, ReviseCampaign
from aggregates.kernel.command import Command
from aggregates.office import ChangeOfficeSettings, OpenOffice, PauseOfficeAutomation, ResumeOfficeAutomation
from aggregates.promise import JudgePromise, MakePromise, ReschedulePromise, WithdrawPromise
from aggregates.work import CancelWork
from api.application.amounts import AMOUNT_SCHEMA
from api.http.commands import MAY_BE_REFUSED, CallerOf, Desk
from api.http.problems import FieldProblem, from_errors
from api.http.shapes import Body, Day, Done, JsonBody, minor_amounts, read_strictly

router = APIRouter(prefix="/v1/commands", tags=["commands"])

# What people and programs may ask for. Steps, messages and their fate, deferred facts and counting towards promises
# are the system's own.
COMMANDS: dict[str, type[Command]] = {
    command.command_name: command
    for command in (
        OpenAccount,
        ChangeContactDetails,
        RecordConsent,
        OptOutOfContact,
        OptInToContact,
        RecordSubscription,
        BillInvoice,
        CorrectInvoice,
        NoteCredit,
        CorrectCredit,
        ReceivePayment,
        CorrectPayment,
        ReversePayment,
        AgeAccount,
        JudgeCollection,
        MoveStage,
        ExcludeAccount,
        LiftExclusion,
        SetFlag,
        ClearFlag,
        RecordActivity,
        CompleteFollowUp,
        OpenDispute,
        ResolveDispute,
        PlaceHold,
        ReleaseHold,
        MakePromise,
        ReschedulePromise,
        WithdrawPromise,
        JudgePromise,
        LaunchCampaign,
        ReviseCampaign,
        PauseCampaign,
        ResumeCampaign,
        RetireCampaign,
        OpenOffice,
        ChangeOfficeSettings,
        PauseOfficeAutomation,
        ResumeOfficeAutomation,
        CancelWork,
    )
}


class AnyCommand(Body):
    """A command's name and what it says (`GET /v1/commands` has the schemas)."""

    name: str = Field(json_schema_extra={"enum": [*sorted(COMMANDS)]})
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
    return [_schema(name) for name in sorted(COMMANDS)]


@router.post("", responses=MAY_BE_REFUSED)
def send_command(*, body: JsonBody[AnyCommand], desk: Desk, caller: CallerOf) -> Done:
    """Carry a command out."""
    today = desk.service.clock.now().date()
    if body.effective_on is not None and (body.effective_on - today).days > 1:
        raise FieldProblem("effective_on", f"expected {today} or earlier")
    if body.name not in COMMANDS:
        raise FieldProblem("name", f"expected one of {', '.join(sorted(COMMANDS))}")
    try:
        command = read_strictly(COMMANDS[body.name], minor_amounts(body.body))
    except ValidationError as error:
        raise from_errors([{**e, "loc": ("body", "body", *e["loc"])} for e in error.errors()]) from None
    return desk.issue(command, caller, reason=body.reason, effective_on=body.effective_on)


@cache
def _schema(name: str) -> CommandSchema:
    command = COMMANDS[name]
    schema = command.model_json_schema()
    if "Money" in schema.get("$defs", {}):
        schema["$defs"]["Money"] = AMOUNT_SCHEMA
    description = re.sub(r"\s+", " ", command.__doc__ or "").strip()
    return CommandSchema(name=name, description=description, body=schema)

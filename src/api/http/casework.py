"""What people do about an account: activities, flags, disputes, holds, exclusion; and the stage nobody sets."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import Field

from aggregates.account.activities import ActivityKind, CompleteFollowUp, Direction, Disposition, RecordActivity
from aggregates.account.chase import MoveStage, Stage
from aggregates.account.disputes import OpenDispute, ResolveDispute
from aggregates.account.exclusion import ExcludeAccount, LiftExclusion
from aggregates.account.flags import ClearFlag, SetFlag
from aggregates.account.holds import PlaceHold, ReleaseHold
from aggregates.values.codes import Code, Number
from api.http.commands import MAY_BE_REFUSED, CallerOf, Desk, created
from api.http.shapes import Body, Day, Done, JsonBody

router = APIRouter(prefix="/v1/accounts/{account_id}", tags=["casework"])

Reason = Annotated[str | None, Field(max_length=1_000)]
Flag = Annotated[Code, Path(description="A flag that the office defines.")]


class NewActivity(Body):
    """A call, message, letter, note or task, and when to come back to it."""

    kind: ActivityKind
    direction: Direction = Direction.OUTBOUND
    disposition: Disposition | None = None
    notes: str | None = Field(None, max_length=10_000)
    assignee: str | None = Field(None, max_length=100)
    follow_up_on: Day | None = None
    reason: Reason = None


class NewDispute(Body):
    """What the customer disputes; no invoice numbers: everything that is open."""

    reason_code: Code
    invoice_numbers: tuple[Number, ...] = Field((), max_length=1_000)
    notes: str | None = Field(None, max_length=10_000)
    reason: Reason = None


class Resolution(Body):
    """How a dispute ended."""

    resolution: Code
    reason: Reason = None


class NewHold(Body):
    """The chase rests: until the end of a day, or until the hold is released. Say why."""

    code: Code
    until: Day | None = None
    reason: Reason = None


class WantedStage(Body):
    """A stage that somebody would like."""

    stage: Stage
    reason: Reason = None


class Why(Body):
    """Why; the audit trail shows it."""

    reason: Reason = None


# --- stage and exclusion -----------------------------------------------------------------------------


@router.put("/stage", responses=MAY_BE_REFUSED)
def put_stage(*, account_id: UUID, body: JsonBody[WantedStage], desk: Desk, caller: CallerOf) -> Done:
    """Always refused: stages follow from status and rules. The refusal says why the account is where it is."""
    return desk.issue(MoveStage(account_id=account_id, stage=body.stage), caller, reason=body.reason)


@router.put("/exclusion", responses=MAY_BE_REFUSED)
def exclude(*, account_id: UUID, body: JsonBody[Why], desk: Desk, caller: CallerOf) -> Done:
    """Take the account out of auto-collection. Say why."""
    return desk.issue(ExcludeAccount(account_id=account_id), caller, reason=body.reason)


@router.delete("/exclusion", responses=MAY_BE_REFUSED)
def lift_exclusion(*, account_id: UUID, desk: Desk, caller: CallerOf) -> Done:
    """Let the account be judged anew. Say why (X-Reason)."""
    return desk.issue(LiftExclusion(account_id=account_id), caller)


# --- flags -------------------------------------------------------------------------------------------


@router.put("/flags/{flag}", responses=MAY_BE_REFUSED)
def set_flag(*, account_id: UUID, flag: Flag, desk: Desk, caller: CallerOf) -> Done:
    """Mark the account with a flag of its office."""
    return desk.issue(SetFlag(account_id=account_id, flag=flag), caller)


@router.delete("/flags/{flag}", responses=MAY_BE_REFUSED)
def clear_flag(*, account_id: UUID, flag: Flag, desk: Desk, caller: CallerOf) -> Done:
    """Take a flag off."""
    return desk.issue(ClearFlag(account_id=account_id, flag=flag), caller)


# --- activities --------------------------------------------------------------------------------------


@router.post("/activities", status_code=201, responses=MAY_BE_REFUSED)
def record_activity(
    *, account_id: UUID, body: JsonBody[NewActivity], desk: Desk, caller: CallerOf, response: Response
) -> Done:
    """Record what was done, and when to come back to it."""
    command = RecordActivity(
        account_id=account_id,
        kind=body.kind,
        direction=body.direction,
        disposition=body.disposition,
        notes=body.notes,
        assignee=body.assignee,
        follow_up_on=body.follow_up_on,
    )
    created(response, f"/v1/accounts/{account_id}/activity")
    return desk.issue(command, caller, reason=body.reason, makes="activity")


@router.post("/activities/{activity_id}/follow-up/completion", responses=MAY_BE_REFUSED)
def complete_follow_up(*, account_id: UUID, activity_id: UUID, desk: Desk, caller: CallerOf) -> Done:
    """Say that a follow-up was done."""
    return desk.issue(CompleteFollowUp(account_id=account_id, activity_id=activity_id), caller, about=activity_id)


# --- disputes ----------------------------------------------------------------------------------------


@router.post("/disputes", status_code=201, responses=MAY_BE_REFUSED)
def open_dispute(
    *, account_id: UUID, body: JsonBody[NewDispute], desk: Desk, caller: CallerOf, response: Response
) -> Done:
    """Record a dispute; what it covers is not chased until it is resolved."""
    command = OpenDispute(
        account_id=account_id,
        invoice_numbers=body.invoice_numbers,
        reason_code=body.reason_code,
        notes=body.notes,
    )
    created(response, f"/v1/accounts/{account_id}")
    return desk.issue(command, caller, reason=body.reason, makes="dispute")


@router.post("/disputes/{dispute_id}/resolution", responses=MAY_BE_REFUSED)
def resolve_dispute(
    *, account_id: UUID, dispute_id: UUID, body: JsonBody[Resolution], desk: Desk, caller: CallerOf
) -> Done:
    """End a dispute."""
    command = ResolveDispute(account_id=account_id, dispute_id=dispute_id, resolution=body.resolution)
    return desk.issue(command, caller, about=dispute_id, reason=body.reason)


# --- holds -------------------------------------------------------------------------------------------


@router.post("/holds", status_code=201, responses=MAY_BE_REFUSED)
def place_hold(*, account_id: UUID, body: JsonBody[NewHold], desk: Desk, caller: CallerOf, response: Response) -> Done:
    """Let the chase rest. Say why."""
    created(response, f"/v1/accounts/{account_id}")
    command = PlaceHold(account_id=account_id, code=body.code, until=body.until)
    return desk.issue(command, caller, reason=body.reason, makes="hold")


@router.delete("/holds/{hold_id}", responses=MAY_BE_REFUSED)
def release_hold(*, account_id: UUID, hold_id: UUID, desk: Desk, caller: CallerOf) -> Done:
    """Let the chase go on."""
    return desk.issue(ReleaseHold(account_id=account_id, hold_id=hold_id), caller, about=hold_id)

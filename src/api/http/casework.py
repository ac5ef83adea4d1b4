"""What people do about an account: activities, flags, disputes, holds, exclusion; and the stage nobody sets."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response
from pydantic import Field

from aggregates.account.activities import CompleteFollowUp, RecordActivity
from aggregates.account.chase import MoveStage
from aggregates.account.collections_stage import SetCollectionsStage
from aggregates.account.disputes import DisputedInvoice, OpenDispute, ResolveDispute
from aggregates.account.exclusion import ExcludeAccount, LiftExclusion
from aggregates.account.flags import ClearFlag, SetFlag
from aggregates.account.freezing import FreezeAccount, UnfreezeAccount
from aggregates.account.holds import PlaceHold, ReleaseHold
from aggregates.values.codes import Code, Number
from api.application.issuing import Done
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, created
from api.http.routing import Router
from api.http.shapes import Body, JsonBody

router = Router(prefix="/v1/accounts/{account_id}", tags=["casework"])

Flag = Annotated[Code, Path(description="A flag that the office defines.")]


@body_of(RecordActivity, address={"account_id"})
class NewActivity(CommandBody):
    """A call, message, letter, note or task, and when to come back to it."""


@body_of(DisputedInvoice)
class DisputedInvoiceBody(Body):
    """An invoice that the customer disputes; with an amount: that part of it."""


@body_of(OpenDispute, address={"account_id"})
class NewDispute(CommandBody):
    """What the customer disputes: invoices by number, whole or in part; none: everything that is open."""

    invoice_numbers: tuple[Number, ...] = Field((), max_length=1_000)
    invoices: tuple[DisputedInvoiceBody, ...] | None = Field(None, max_length=1_000)


@body_of(ResolveDispute, address={"account_id", "dispute_id"})
class Resolution(CommandBody):
    """How a dispute ended."""


@body_of(PlaceHold, address={"account_id"})
class NewHold(CommandBody):
    """The chase rests: until the end of a day, or until the hold is released. Say why."""


@body_of(MoveStage, address={"account_id"})
class WantedStage(CommandBody):
    """A stage that somebody would like."""


@body_of(ExcludeAccount, address={"account_id"})
class Why(CommandBody):
    """Why; the audit trail shows it."""


@body_of(SetFlag, address={"account_id", "flag"})
class Flagging(CommandBody):
    """Why the flag is set; it may be left out."""


@body_of(SetCollectionsStage, address={"account_id"})
class NewCollectionsStage(CommandBody):
    """Where the account stands with an outside agency."""


@body_of(FreezeAccount, address={"account_id"})
class NewFreeze(CommandBody):
    """Why the account is frozen: a code of the office's reasons, and notes."""


@body_of(CompleteFollowUp, address={"account_id", "activity_id"})
class Completion(CommandBody):
    """Why the follow-up counts as done; it may be left out."""


_FLAGGING, _COMPLETION = Flagging(), Completion()


# --- stage and exclusion -----------------------------------------------------------------------------


@router.put("/stage", responses=MAY_BE_REFUSED)
def put_stage(*, account_id: UUID, body: JsonBody[WantedStage], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Always refused: stages follow from status and rules. The refusal says why the account is where it is."""
    return issuing.issue(from_body(MoveStage, body, account_id=account_id), caller, reason=body.reason)


@router.put("/exclusion", responses=MAY_BE_REFUSED)
def exclude(*, account_id: UUID, body: JsonBody[Why], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Take the account out of auto-collection. Say why."""
    return issuing.issue(ExcludeAccount(account_id=account_id), caller, reason=body.reason)


@router.delete("/exclusion", responses=MAY_BE_REFUSED)
def lift_exclusion(*, account_id: UUID, issuing: IssuingOf, caller: CallerOf) -> Done:
    """Let the account be judged anew. Say why (X-Reason)."""
    return issuing.issue(LiftExclusion(account_id=account_id), caller)


# --- flags -------------------------------------------------------------------------------------------


@router.put("/flags/{flag}", responses=MAY_BE_REFUSED)
def set_flag(
    *, account_id: UUID, flag: Flag, body: JsonBody[Flagging] = _FLAGGING, issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Mark the account with a flag of its office."""
    return issuing.issue(SetFlag(account_id=account_id, flag=flag), caller, reason=body.reason)


@router.delete("/flags/{flag}", responses=MAY_BE_REFUSED)
def clear_flag(*, account_id: UUID, flag: Flag, issuing: IssuingOf, caller: CallerOf) -> Done:
    """Take a flag off."""
    return issuing.issue(ClearFlag(account_id=account_id, flag=flag), caller)


# --- collections stage -------------------------------------------------------------------------------


@router.put("/collections-stage", responses=MAY_BE_REFUSED)
def put_collections_stage(
    *, account_id: UUID, body: JsonBody[NewCollectionsStage], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Say where the account stands with an outside agency."""
    return issuing.issue(from_body(SetCollectionsStage, body, account_id=account_id), caller, reason=body.reason)


# --- freeze ------------------------------------------------------------------------------------------


@router.put("/freeze", responses=MAY_BE_REFUSED)
def freeze(*, account_id: UUID, body: JsonBody[NewFreeze], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Freeze the account: its chase rests. Notes are the `reason`."""
    return issuing.issue(from_body(FreezeAccount, body, account_id=account_id), caller, reason=body.reason)


@router.delete("/freeze", responses=MAY_BE_REFUSED)
def unfreeze(*, account_id: UUID, issuing: IssuingOf, caller: CallerOf) -> Done:
    """Roll the account back to active."""
    return issuing.issue(UnfreezeAccount(account_id=account_id), caller)


# --- activities --------------------------------------------------------------------------------------


@router.post("/activities", status_code=201, responses=MAY_BE_REFUSED)
def record_activity(
    *, account_id: UUID, body: JsonBody[NewActivity], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Record what was done, and when to come back to it."""
    created(response, f"/v1/accounts/{account_id}/activity")
    return issuing.issue(from_body(RecordActivity, body, account_id=account_id), caller, reason=body.reason)


@router.post("/activities/{activity_id}/follow-up/completion", responses=MAY_BE_REFUSED)
def complete_follow_up(
    *,
    account_id: UUID,
    activity_id: UUID,
    body: JsonBody[Completion] = _COMPLETION,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Say that a follow-up was done."""
    command = CompleteFollowUp(account_id=account_id, activity_id=activity_id)
    return issuing.issue(command, caller, about=activity_id, reason=body.reason)


# --- disputes ----------------------------------------------------------------------------------------


@router.post("/disputes", status_code=201, responses=MAY_BE_REFUSED)
def open_dispute(
    *, account_id: UUID, body: JsonBody[NewDispute], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Record a dispute; what it covers is not chased until it is resolved."""
    created(response, f"/v1/accounts/{account_id}")
    return issuing.issue(from_body(OpenDispute, body, account_id=account_id), caller, reason=body.reason)


@router.post("/disputes/{dispute_id}/resolution", responses=MAY_BE_REFUSED)
def resolve_dispute(
    *, account_id: UUID, dispute_id: UUID, body: JsonBody[Resolution], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """End a dispute."""
    command = from_body(ResolveDispute, body, account_id=account_id, dispute_id=dispute_id)
    return issuing.issue(command, caller, about=dispute_id, reason=body.reason)


# --- holds -------------------------------------------------------------------------------------------


@router.post("/holds", status_code=201, responses=MAY_BE_REFUSED)
def place_hold(
    *, account_id: UUID, body: JsonBody[NewHold], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Let the chase rest. Say why."""
    created(response, f"/v1/accounts/{account_id}")
    return issuing.issue(from_body(PlaceHold, body, account_id=account_id), caller, reason=body.reason)


@router.delete("/holds/{hold_id}", responses=MAY_BE_REFUSED)
def release_hold(*, account_id: UUID, hold_id: UUID, issuing: IssuingOf, caller: CallerOf) -> Done:
    """Let the chase go on."""
    return issuing.issue(ReleaseHold(account_id=account_id, hold_id=hold_id), caller, about=hold_id)

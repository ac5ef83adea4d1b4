"""What people do about an account: activities, flags, disputes, holds, exclusion; and the stage nobody sets."""

from collections.abc import Callable
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Path, Response
from pydantic import Field

from aggregates.account.activities import CompleteFollowUp, RecordActivity
from aggregates.account.chase import MoveStage
from aggregates.account.collections_stage import SetCollectionsStage
from aggregates.account.complaints import AnswerComplaint, CloseComplaint, RecordComplaint
from aggregates.account.disputes import DisputedInvoice, OpenDispute, ResolveDispute
from aggregates.account.exclusion import ExcludeAccount, LiftExclusion
from aggregates.account.flags import ClearFlag, SetFlag
from aggregates.account.freezing import FreezeAccount, FreezeSubscription, UnfreezeAccount, UnfreezeSubscription
from aggregates.account.holds import PlaceHold, ReleaseHold
from aggregates.account.legal import MoveLegalCase, NoteLegalCase, OpenLegalCase
from aggregates.account.payment_claims import ClaimPayment, DecidePaymentClaim
from aggregates.values.codes import Code, Number
from api.application.casework import (
    ComplaintRow,
    DisputeRow,
    FlagRow,
    HoldRow,
    LegalCaseRow,
    PaymentClaimRow,
    complaints_of,
    disputes_of,
    flags_of,
    holds_of,
    legal_cases_of,
    payment_claims_of,
)
from api.application.issuing import Done
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.problems import documented, unknown
from api.http.routing import Router
from api.http.shapes import Body, JsonBody
from api.processes.service import Service
from projections.questions import UnknownAccount

router = Router(prefix="/v1/accounts/{account_id}", tags=["casework"])

Flag = Annotated[Code, Path(description="A flag that the office defines.")]
SubscriptionNumber = Annotated[Number, Path(description="The number of the subscription.")]


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


@body_of(ClaimPayment, address={"account_id"})
class NewPaymentClaim(CommandBody):
    """What the customer says is paid: invoices by number, or an amount; neither: everything that is open."""


@body_of(DecidePaymentClaim, address={"account_id", "claim_id"})
class ClaimDecision(CommandBody):
    """What was found of it, and why."""


@body_of(RecordComplaint, address={"account_id"})
class NewComplaint(CommandBody):
    """What the customer complains of, how and when it came in."""


@body_of(AnswerComplaint, address={"account_id", "complaint_id"})
class ComplaintAnswer(CommandBody):
    """When a complaint was answered, and how."""


@body_of(CloseComplaint, address={"account_id", "complaint_id"})
class Closure(CommandBody):
    """How a complaint ended, and why."""


@body_of(OpenLegalCase, address={"account_id"})
class NewLegalCase(CommandBody):
    """What is prepared, about which invoices; none: all that is owed."""

    documents: tuple[str, ...] = Field((), max_length=100)


@body_of(MoveLegalCase, address={"account_id", "case_id"})
class LegalCaseState(CommandBody):
    """The state of a legal case, since when, and what is new of it."""

    documents: tuple[str, ...] = Field((), max_length=100)


@body_of(NoteLegalCase, address={"account_id", "case_id"})
class LegalCaseNote(CommandBody):
    """What is new of a legal case, whose state stays."""

    documents: tuple[str, ...] = Field((), max_length=100)


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


@body_of(FreezeSubscription, address={"account_id", "number"})
class NewSubscriptionFreeze(CommandBody):
    """Why the subscription is frozen: a code of the office's reasons, and notes."""


@body_of(CompleteFollowUp, address={"account_id", "activity_id"})
class Completion(CommandBody):
    """Why the follow-up counts as done; it may be left out."""


_FLAGGING, _COMPLETION, _ANSWER = Flagging(), Completion(), ComplaintAnswer()

Row = TypeVar("Row")


def _listed(rows: Callable[[Service, UUID], list[Row]], service: Service, account_id: UUID) -> list[Row]:
    try:
        return rows(service, account_id)
    except UnknownAccount:
        raise unknown("account") from None


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


@router.get("/flags", responses=documented(404))
def list_flags(*, account_id: UUID, service: ServiceOf) -> list[FlagRow]:
    """The flags that the account carries, and those that it carried, the latest first."""
    return _listed(flags_of, service, account_id)


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
    """Freeze the account and all its subscriptions: its chase rests. Notes are the `reason`."""
    return issuing.issue(from_body(FreezeAccount, body, account_id=account_id), caller, reason=body.reason)


@router.delete("/freeze", responses=MAY_BE_REFUSED)
def unfreeze(*, account_id: UUID, issuing: IssuingOf, caller: CallerOf) -> Done:
    """Roll the account back to active, with the subscriptions that its freeze took along. Those that were cancelled or
    changed meanwhile stay as they are."""
    return issuing.issue(UnfreezeAccount(account_id=account_id), caller)


@router.put("/subscriptions/{number:path}/freeze", responses=MAY_BE_REFUSED)
def freeze_subscription(
    *,
    account_id: UUID,
    number: SubscriptionNumber,
    body: JsonBody[NewSubscriptionFreeze],
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Freeze one subscription; the account stays as it is. Notes are the `reason`."""
    command = from_body(FreezeSubscription, body, account_id=account_id, number=number)
    return issuing.issue(command, caller, reason=body.reason)


@router.delete("/subscriptions/{number:path}/freeze", responses=MAY_BE_REFUSED)
def unfreeze_subscription(
    *, account_id: UUID, number: SubscriptionNumber, issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Roll one subscription back to active; the account stays as it is."""
    return issuing.issue(UnfreezeSubscription(account_id=account_id, number=number), caller)


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


@router.get("/disputes", responses=documented(404))
def list_disputes(*, account_id: UUID, service: ServiceOf) -> list[DisputeRow]:
    """The disputes of the account, the latest first, and how they ended."""
    return _listed(disputes_of, service, account_id)


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


# --- payment claims ------------------------------------------------------------------------------------


@router.get("/payment-claims", responses=documented(404))
def list_payment_claims(*, account_id: UUID, service: ServiceOf) -> list[PaymentClaimRow]:
    """What the customer said was paid, the latest first, and what was found."""
    return _listed(payment_claims_of, service, account_id)


@router.post("/payment-claims", status_code=201, responses=MAY_BE_REFUSED)
def claim_payment(
    *, account_id: UUID, body: JsonBody[NewPaymentClaim], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Record that the customer says it is paid. It is not chased while that is checked."""
    created(response, f"/v1/accounts/{account_id}/payment-claims")
    return issuing.issue(from_body(ClaimPayment, body, account_id=account_id), caller, reason=body.reason)


@router.post("/payment-claims/{claim_id}/decision", responses=MAY_BE_REFUSED)
def decide_payment_claim(
    *, account_id: UUID, claim_id: UUID, body: JsonBody[ClaimDecision], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Say what was found. Say why."""
    command = from_body(DecidePaymentClaim, body, account_id=account_id, claim_id=claim_id)
    return issuing.issue(command, caller, about=claim_id, reason=body.reason)


# --- complaints ----------------------------------------------------------------------------------------


@router.get("/complaints", responses=documented(404))
def list_complaints(*, account_id: UUID, service: ServiceOf) -> list[ComplaintRow]:
    """The complaints of the customer, the latest first, and what became of them."""
    return _listed(complaints_of, service, account_id)


@router.post("/complaints", status_code=201, responses=MAY_BE_REFUSED)
def record_complaint(
    *, account_id: UUID, body: JsonBody[NewComplaint], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Record a complaint, by when it is answered, and whether the chase rests until then."""
    created(response, f"/v1/accounts/{account_id}/complaints")
    return issuing.issue(from_body(RecordComplaint, body, account_id=account_id), caller, reason=body.reason)


@router.post("/complaints/{complaint_id}/answer", responses=MAY_BE_REFUSED)
def answer_complaint(
    *,
    account_id: UUID,
    complaint_id: UUID,
    body: JsonBody[ComplaintAnswer] = _ANSWER,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Say that a complaint was answered."""
    command = from_body(AnswerComplaint, body, account_id=account_id, complaint_id=complaint_id)
    return issuing.issue(command, caller, about=complaint_id, reason=body.reason)


@router.post("/complaints/{complaint_id}/closure", responses=MAY_BE_REFUSED)
def close_complaint(
    *, account_id: UUID, complaint_id: UUID, body: JsonBody[Closure], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Say how a complaint ended. Say why."""
    command = from_body(CloseComplaint, body, account_id=account_id, complaint_id=complaint_id)
    return issuing.issue(command, caller, about=complaint_id, reason=body.reason)


# --- legal cases ---------------------------------------------------------------------------------------


@router.get("/legal-cases", responses=documented(404))
def list_legal_cases(*, account_id: UUID, service: ServiceOf) -> list[LegalCaseRow]:
    """Demands, liens and suits, the latest first, with the history of their states."""
    return _listed(legal_cases_of, service, account_id)


@router.post("/legal-cases", status_code=201, responses=MAY_BE_REFUSED)
def open_legal_case(
    *, account_id: UUID, body: JsonBody[NewLegalCase], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Prepare a demand, a lien or a suit."""
    created(response, f"/v1/accounts/{account_id}/legal-cases")
    return issuing.issue(from_body(OpenLegalCase, body, account_id=account_id), caller, reason=body.reason)


@router.put("/legal-cases/{case_id}/state", responses=MAY_BE_REFUSED)
def move_legal_case(
    *, account_id: UUID, case_id: UUID, body: JsonBody[LegalCaseState], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Say that a legal case is in another state."""
    command = from_body(MoveLegalCase, body, account_id=account_id, case_id=case_id)
    return issuing.issue(command, caller, about=case_id, reason=body.reason)


@router.post("/legal-cases/{case_id}/notes", responses=MAY_BE_REFUSED)
def note_legal_case(
    *, account_id: UUID, case_id: UUID, body: JsonBody[LegalCaseNote], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Note a court, a number, a cost or documents of a legal case."""
    command = from_body(NoteLegalCase, body, account_id=account_id, case_id=case_id)
    return issuing.issue(command, caller, about=case_id, reason=body.reason)


# --- holds -------------------------------------------------------------------------------------------


@router.get("/holds", responses=documented(404))
def list_holds(*, account_id: UUID, service: ServiceOf) -> list[HoldRow]:
    """The holds of the account, in force or over, the latest first."""
    return _listed(holds_of, service, account_id)


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

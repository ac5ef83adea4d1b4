"""The forms of an account's page about casework: promises, flags, holds, exclusion."""

from collections.abc import Callable, Mapping
from uuid import uuid4

from aggregates.account import Account
from aggregates.account.complaints import AnswerComplaint, CloseComplaint, RecordComplaint
from aggregates.account.exclusion import ExcludeAccount, LiftExclusion
from aggregates.account.flags import ClearFlag, SetFlag
from aggregates.account.holds import PlaceHold, ReleaseHold
from aggregates.account.legal import MoveLegalCase, NoteLegalCase, OpenLegalCase
from aggregates.account.payment_claims import ClaimPayment, DecidePaymentClaim
from aggregates.kernel.command import Command, identifier
from aggregates.promise import Instalment, MakePromise, ReschedulePromise, WithdrawPromise
from aggregates.values.instalment_plan import MOST_INSTALMENTS, Every
from api.application.instalment_plans import instalments_of
from api.http.problems import FieldProblem
from api.http.shapes import read_whole_number
from api.http.web.forms import amount_of, day_of, made

Fields = Mapping[str, str]


def _promise(account: Account, fields: Fields) -> MakePromise:
    """The page sent twice is the same promise."""
    instalment = {"due_on": day_of("due", fields), "amount": amount_of(fields, account.customer.currency)}
    return made(
        MakePromise,
        promise_id=identifier("promise", account.id, fields.get("once") or uuid4()),
        account_id=account.id,
        instalments=(instalment,),
        assignee=fields.get("assignee") or None,
        notes=fields.get("notes") or None,
        grace_days=fields.get("grace") or None,
    )


def instalments_said(account: Account, fields: Fields) -> tuple[Instalment, ...]:
    """Those of a plan: by their number or their amount. Raises FieldProblem, ImplausibleField."""
    currency, count = account.customer.currency, fields.get("count", "")
    if fields.get("every") not in set(Every):
        raise FieldProblem("every", f"expected one of {', '.join(Every)}")
    number = read_whole_number(count)
    if count and number is None:
        raise FieldProblem("count", f"expected from 1 to {MOST_INSTALMENTS}")
    return instalments_of(
        account,
        every=Every(fields["every"]),
        first=day_of("first", fields),
        count=number,
        amount=amount_of(fields, currency) if fields.get("amount") else None,
        total=amount_of(fields, currency, "total") if fields.get("total") else None,
    )


def _plan(account: Account, fields: Fields) -> MakePromise:
    return made(
        MakePromise,
        promise_id=identifier("promise", account.id, fields.get("once") or uuid4()),
        account_id=account.id,
        instalments=instalments_said(account, fields),
        assignee=fields.get("assignee") or None,
        notes=fields.get("notes") or None,
    )


def _promise_over(account: Account, fields: Fields) -> ReschedulePromise | WithdrawPromise:
    """An open promise is moved to another day, or taken back."""
    named = fields.get("promise") or None
    if fields.get("do") == "withdraw":
        return made(WithdrawPromise, account_id=account.id, promise_id=named)
    promise = next((each for each in account.promises.open.values() if str(each.id) == named), None)
    if promise is None:
        raise FieldProblem("promise", "expected one that is open")
    instalment = {"due_on": day_of("due", fields), "amount": promise.amount}
    return made(ReschedulePromise, account_id=account.id, promise_id=named, instalments=(instalment,))


def _flag(account: Account, fields: Fields) -> SetFlag | ClearFlag:
    said = {"account_id": account.id, "flag": fields.get("flag", "")}
    return made(ClearFlag, **said) if fields.get("do") == "clear" else made(SetFlag, **said)


def _hold(account: Account, fields: Fields) -> PlaceHold:
    return made(
        PlaceHold,
        account_id=account.id,
        code=fields.get("code", ""),
        until=fields.get("until") or None,
        begins_on=fields.get("since") or None,
        invoice_numbers=(fields["invoice"],) if fields.get("invoice") else None,
    )


def _hold_over(account: Account, fields: Fields) -> ReleaseHold:
    return made(ReleaseHold, account_id=account.id, hold_id=fields.get("hold") or None)


def _claim(account: Account, fields: Fields) -> ClaimPayment:
    """Without an invoice an amount of what is owed, without either all of it."""
    return made(
        ClaimPayment,
        account_id=account.id,
        invoice_numbers=(fields["invoice"],) if fields.get("invoice") else (),
        amount=amount_of(fields, account.customer.currency) if fields.get("amount") else None,
        paid_on=fields.get("paid") or None,
        reference=fields.get("reference") or None,
        assignee=fields.get("assignee") or None,
        notes=fields.get("notes") or None,
    )


def _claim_over(account: Account, fields: Fields) -> DecidePaymentClaim:
    return made(
        DecidePaymentClaim,
        account_id=account.id,
        claim_id=fields.get("claim") or None,
        decision=fields.get("do") or None,
    )


def _complaint(account: Account, fields: Fields) -> RecordComplaint:
    return made(
        RecordComplaint,
        account_id=account.id,
        subject=fields.get("subject") or None,
        kind=fields.get("kind") or None,
        medium=fields.get("medium") or None,
        received_on=fields.get("received") or None,
        rests=fields.get("rests") == "yes",
        assignee=fields.get("assignee") or None,
        notes=fields.get("notes") or None,
    )


def _complaint_over(account: Account, fields: Fields) -> AnswerComplaint | CloseComplaint:
    """Answered; or closed, with how it ended."""
    said = {"account_id": account.id, "complaint_id": fields.get("complaint") or None}
    if fields.get("do") == "answer":
        return made(AnswerComplaint, **said, notes=fields.get("notes") or None)
    return made(CloseComplaint, **said, outcome=fields.get("do") or None)


def _legal_case(account: Account, fields: Fields) -> OpenLegalCase:
    return made(
        OpenLegalCase,
        kind=fields.get("kind") or None,
        invoice_numbers=(fields["invoice"],) if fields.get("invoice") else (),
        **_legal_details(account, fields),
    )


def _legal_case_goes_on(account: Account, fields: Fields) -> MoveLegalCase | NoteLegalCase:
    """In another state; or something is noted of it."""
    said = {"case_id": fields.get("case") or None, **_legal_details(account, fields)}
    if not fields.get("state"):
        return made(NoteLegalCase, **said)
    return made(MoveLegalCase, state=fields["state"], **said)


def _legal_details(account: Account, fields: Fields) -> dict[str, object]:
    return {
        "account_id": account.id,
        "on": fields.get("on") or None,
        "court": fields.get("court") or None,
        "case_number": fields.get("number") or None,
        "cost": amount_of(fields, account.customer.currency, "cost") if fields.get("cost") else None,
        "documents": tuple(name for each in fields.get("documents", "").split(",") if (name := each.strip())),
        "notes": fields.get("notes") or None,
    }


def _exclusion(account: Account, fields: Fields) -> ExcludeAccount | LiftExclusion:
    return LiftExclusion(account_id=account.id) if fields.get("do") == "lift" else ExcludeAccount(account_id=account.id)


CASEWORK_FORMS: Mapping[str, Callable[[Account, Fields], Command]] = {
    "promise": _promise,
    "promise-over": _promise_over,
    "plan": _plan,
    "flag": _flag,
    "hold": _hold,
    "hold-over": _hold_over,
    "exclusion": _exclusion,
    "legal-case": _legal_case,
    "legal-case-goes-on": _legal_case_goes_on,
    "complaint": _complaint,
    "complaint-over": _complaint_over,
    "claim": _claim,
    "claim-over": _claim_over,
}
"""By the end of the address that the form is sent to."""

"""Fees of an account: each an invoice of its own, whose lines say what it is taken of."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response

from adapters.readers.runner import NotReached
from aggregates.account.fees import RecordFeeGround, WaiveFee
from aggregates.values.codes import Number
from api.application.bulk import WrongParameter
from api.application.fees import FeeOfAccount, add_fee
from api.application.issuing import Done
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.problems import Problem, documented, from_errors
from api.http.reading import Readings
from api.http.routing import Router
from api.http.shapes import JsonBody
from projections.questions.fees import FeeView, fees_of

router = Router(prefix="/v1/accounts/{account_id}", tags=["receivables"])

FeeNumber = Annotated[Number, Path(description="The number of the fee invoice.")]


@body_of(FeeOfAccount, without={"without_paid_since"})
class NewFee(CommandBody):
    """What the fee is taken of, as of which day, and how much."""


@body_of(WaiveFee, address={"account_id", "number"})
class FeeWaiver(CommandBody):
    """Why the customer is let off what is open of a fee."""


@body_of(RecordFeeGround, address={"account_id"})
class NewFeeGround(CommandBody):
    """What allows fees on the account: the agreement that created the debt, or law; null: nothing does."""


@router.get("/fees", responses=documented(404))
def list_fees(*, account_id: UUID, readings: Readings) -> list[FeeView]:
    """Every fee that was added to the account, with its lines, the latest first."""
    with readings.connection() as connection:
        return fees_of(connection, account_id)


@router.post("/fees", status_code=201, responses=MAY_BE_REFUSED)
def add(
    *,
    account_id: UUID,
    body: JsonBody[NewFee],
    service: ServiceOf,
    readings: Readings,
    issuing: IssuingOf,
    caller: CallerOf,
    response: Response,
) -> Done:
    """Add a fee, as a bulk action would to this account alone; refused where that is none."""
    said = body.model_dump(exclude={"reason"})
    try:
        with readings.connection():  # what the report refuses is a problem
            done = add_fee(service, issuing, caller, account_id, said, reason=body.reason)
    except WrongParameter as wrong:
        raise from_errors(wrong.error.errors()) from None
    except NotReached as error:
        raise Problem(503, "unavailable", f"{error}; try again", headers={"Retry-After": "5"}) from None
    created(response, f"/v1/accounts/{account_id}/fees")
    return done


@router.post("/fees/{number:path}/waiver", responses=MAY_BE_REFUSED)
def waive(
    *, account_id: UUID, number: FeeNumber, body: JsonBody[FeeWaiver], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Let the customer off what is open of a fee: it is credited. `reason` is required."""
    return issuing.issue(WaiveFee(account_id=account_id, number=number), caller, reason=body.reason)


@router.put("/fee-ground", responses=MAY_BE_REFUSED)
def put_fee_ground(*, account_id: UUID, body: JsonBody[NewFeeGround], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Record what allows fees on a consumer's debt that is collected for others (12 CFR 1006.22(b))."""
    return issuing.issue(from_body(RecordFeeGround, body, account_id=account_id), caller, reason=body.reason)

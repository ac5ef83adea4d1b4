"""What is owed and what comes in: invoices, payments and their reversal, credits."""

from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import Field, ValidationError

from aggregates.account.billing import BillInvoice
from aggregates.account.command import AccountCommand, document_id
from aggregates.account.payments import NoteCredit, ReceivePayment, ReversalKind, ReversePayment
from aggregates.account.receivables import ItemKind
from aggregates.values.codes import Code, Number
from api.application.amounts import Amount
from api.http.commands import MAY_BE_REFUSED, CallerOf, Desk, created
from api.http.problems import from_errors
from api.http.shapes import Body, Day, Done, JsonBody

router = APIRouter(prefix="/v1/accounts/{account_id}", tags=["receivables"])

AnyCommand = TypeVar("AnyCommand", bound=AccountCommand)


class NewInvoice(Body):
    """An invoice. One dated in the future waits for its day."""

    number: Number
    issued_on: Day
    due_on: Day
    amount: Amount
    charges: Amount | None = None
    """Original charges before discount; the amount itself where there was none."""
    kind: ItemKind = ItemKind.INVOICE
    service_type: Code | None = None
    subscription: Number | None = None
    marked_disputed: bool = False
    reason: str | None = Field(None, max_length=1_000)


class NewPayment(Body):
    """Money that came in, for an invoice or for the oldest open items."""

    number: Number
    amount: Amount
    received_on: Day
    method: str | None = Field(None, max_length=40)
    invoice_number: Number | None = None
    reason: str | None = Field(None, max_length=1_000)


class NewCredit(Body):
    """A credit, for an invoice or for the oldest open items."""

    number: Number
    amount: Amount
    issued_on: Day
    invoice_number: Number | None = None
    reason: str | None = Field(None, max_length=1_000)


class Reversal(Body):
    """A payment was taken back; what it settled is open again with its own due date."""

    reversal: ReversalKind
    reversed_on: Day
    reason: str | None = Field(None, max_length=1_000)


@router.post("/invoices", status_code=201, responses=MAY_BE_REFUSED)
def bill_invoice(
    *, account_id: UUID, body: JsonBody[NewInvoice], desk: Desk, caller: CallerOf, response: Response
) -> Done:
    """Add an invoice."""
    command = told(BillInvoice, account_id, body)
    done = desk.issue(command, caller, reason=body.reason)
    created(response, f"/v1/accounts/{account_id}")
    return done


@router.post("/payments", status_code=201, responses=MAY_BE_REFUSED)
def receive_payment(
    *, account_id: UUID, body: JsonBody[NewPayment], desk: Desk, caller: CallerOf, response: Response
) -> Done:
    """Record money that came in. The chase knows of it before its next message."""
    command = told(ReceivePayment, account_id, body)
    done = desk.issue(command, caller, reason=body.reason)
    created(response, f"/v1/accounts/{account_id}/payments")
    return done


@router.post("/payments/{number:path}/reversal", responses=MAY_BE_REFUSED)
def reverse_payment(
    *,
    account_id: UUID,
    number: Annotated[Number, Path(description="The payment's number.")],
    body: JsonBody[Reversal],
    desk: Desk,
    caller: CallerOf,
) -> Done:
    """Record that a payment was taken back (NSF, chargeback, refund), or that it never was (error)."""
    command = ReversePayment(account_id=account_id, number=number, reversal=body.reversal, reversed_on=body.reversed_on)
    return desk.issue(command, caller, about=document_id(account_id, "payment", command.number), reason=body.reason)


@router.post("/credits", status_code=201, responses=MAY_BE_REFUSED)
def note_credit(
    *, account_id: UUID, body: JsonBody[NewCredit], desk: Desk, caller: CallerOf, response: Response
) -> Done:
    """Give the customer a credit."""
    command = told(NoteCredit, account_id, body)
    done = desk.issue(command, caller, reason=body.reason)
    created(response, f"/v1/accounts/{account_id}/payments")
    return done


def told(model: type[AnyCommand], account_id: UUID, body: Body) -> AnyCommand:
    """The command that a body is about. Raises a Problem where its fields do not go together."""
    fields = {name: value for name, value in dict(body).items() if name != "reason"}
    try:
        return model.model_validate({"account_id": account_id, **fields})
    except ValidationError as error:
        raise from_errors(error.errors()) from None

"""What is owed and what comes in: invoices, payments and their reversal, credits."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account.allocation import AllocateFunds, RestateAllocation
from aggregates.account.between_accounts import MovePayment, TransferPayment, WithdrawTransfer
from aggregates.account.billing import BillInvoice, WithdrawInvoice
from aggregates.account.command import document_id
from aggregates.account.payments import (
    NoteCredit,
    ReceivePayment,
    ReceivePaymentAgain,
    Refund,
    ReversePayment,
    WithdrawCredit,
    WithdrawRefund,
    WithdrawReversal,
)
from aggregates.account.receivables import Instruction
from aggregates.account.write_offs import ReverseWriteOff, WriteOffDebt
from aggregates.values.codes import Number
from api.application.allocation import Moved, restatement
from api.application.issuing import Done
from api.application.write_offs import WriteOffRow, write_offs_of
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.problems import documented, unknown
from api.http.reading import Readings
from api.http.routing import Router
from api.http.shapes import Body, JsonBody

router = Router(prefix="/v1/accounts/{account_id}", tags=["receivables"])

PaymentNumber = Annotated[Number, Path(description="The payment's number.")]


@body_of(BillInvoice, address={"account_id"}, without={"information", "opens"})
class NewInvoice(CommandBody):
    """An invoice. One dated in the future waits for its day."""


@body_of(Instruction)
class InstructionBody(Body):
    """One of several invoices that a payment is for; without an amount, as much as it takes."""


@body_of(ReceivePayment, address={"account_id"}, without={"opens"}, nested={Instruction: InstructionBody})
class NewPayment(CommandBody):
    """Money that came in, for an invoice or for the oldest open items."""


@body_of(NoteCredit, address={"account_id"}, without={"opens"})
class NewCredit(CommandBody):
    """A credit, for an invoice or for the oldest open items."""


@body_of(ReversePayment, address={"account_id", "number"})
class Reversal(CommandBody):
    """A payment, or an `amount` of it, was taken back; what it settled is open again with its own due date."""


@body_of(ReceivePaymentAgain, address={"account_id", "number"}, nested={Instruction: InstructionBody})
class PaymentAgain(CommandBody):
    """A payment that was taken back came in again."""


@body_of(WithdrawReversal, address={"account_id", "number"})
class ReversalWithdrawal(CommandBody):
    """A payment was not taken back after all; day and amount say which reversal where there are several."""


@body_of(Refund, address={"account_id"})
class NewRefund(CommandBody):
    """Money that is put against nothing is given back: of the payment or credit named, else the oldest first."""


@body_of(WithdrawRefund, address={"account_id"})
class RefundWithdrawal(CommandBody):
    """Money was not given back after all; day and amount say which refund where there are several."""


@body_of(WithdrawInvoice, address={"account_id", "number"})
class InvoiceWithdrawal(CommandBody):
    """An invoice never was owed."""


@body_of(WithdrawCredit, address={"account_id", "number"})
class CreditWithdrawal(CommandBody):
    """A credit was given in error."""


@body_of(TransferPayment, address={"account_id", "number"})
class NewTransfer(CommandBody):
    """Money of a payment pays the debt of another account of the office, from a day on."""


@body_of(WithdrawTransfer, address={"account_id", "number"})
class TransferWithdrawal(CommandBody):
    """A transfer was made in error; it never was."""


@body_of(MovePayment, address={"account_id", "number"}, without={"opens"})
class Move(CommandBody):
    """A payment was booked on the wrong account. What is said of it besides is what it really was."""


@body_of(WriteOffDebt, address={"account_id"})
class NewWriteOff(CommandBody):
    """What is written off, and for which reason of the office."""


@body_of(ReverseWriteOff, address={"account_id", "number"})
class WriteOffReversal(CommandBody):
    """Since when it is taken back."""


@body_of(AllocateFunds, address={"account_id"})
class NewAllocation(CommandBody):
    """Which invoice a payment or credit is for, from which day on."""


@body_of(RestateAllocation, address={"account_id"})
class Restatement(CommandBody):
    """What all money was put against is worked out anew."""


@router.post("/invoices", status_code=201, responses=MAY_BE_REFUSED)
def bill_invoice(
    *, account_id: UUID, body: JsonBody[NewInvoice], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Add an invoice."""
    created(response, f"/v1/accounts/{account_id}")
    return issuing.issue(from_body(BillInvoice, body, account_id=account_id), caller, reason=body.reason)


@router.post("/payments", status_code=201, responses=MAY_BE_REFUSED)
def receive_payment(
    *, account_id: UUID, body: JsonBody[NewPayment], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Record money that came in. The chase knows of it before its next message."""
    created(response, f"/v1/accounts/{account_id}/payments")
    return issuing.issue(from_body(ReceivePayment, body, account_id=account_id), caller, reason=body.reason)


@router.post("/payments/{number:path}/reversal", responses=MAY_BE_REFUSED)
def reverse_payment(
    *,
    account_id: UUID,
    number: PaymentNumber,
    body: JsonBody[Reversal],
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Record that a payment was taken back (NSF, chargeback, refund), or that it never was (error)."""
    command = from_body(ReversePayment, body, account_id=account_id, number=number)
    payment_id = document_id(account_id, "payment", command.number)
    return issuing.issue(command, caller, about=payment_id, reason=body.reason)


@router.post("/payments/{number:path}/reversal/withdrawal", responses=MAY_BE_REFUSED)
def withdraw_reversal(
    *,
    account_id: UUID,
    number: PaymentNumber,
    body: JsonBody[ReversalWithdrawal],
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Record that a payment was not taken back after all: it stands as if it never had been."""
    command = from_body(WithdrawReversal, body, account_id=account_id, number=number)
    payment_id = document_id(account_id, "payment", command.number)
    return issuing.issue(command, caller, about=payment_id, reason=body.reason)


@router.post("/payments/{number:path}/receipts", status_code=201, responses=MAY_BE_REFUSED)
def receive_payment_again(
    *,
    account_id: UUID,
    number: PaymentNumber,
    body: JsonBody[PaymentAgain],
    issuing: IssuingOf,
    caller: CallerOf,
    response: Response,
) -> Done:
    """Record that a payment which was taken back came in again, on a day of its own."""
    created(response, f"/v1/accounts/{account_id}/payments")
    command = from_body(ReceivePaymentAgain, body, account_id=account_id, number=number)
    payment_id = document_id(account_id, "payment", command.number)
    return issuing.issue(command, caller, about=payment_id, reason=body.reason)


@router.post("/payments/{number:path}/transfers", status_code=201, responses=MAY_BE_REFUSED)
def transfer_payment(
    *,
    account_id: UUID,
    number: Annotated[Number, Path(description="The payment's number.")],
    body: JsonBody[NewTransfer],
    issuing: IssuingOf,
    caller: CallerOf,
    response: Response,
) -> Done:
    """Let money that this customer paid pay the debt of another account. Without an amount: all that is put against
    nothing from that day on."""
    created(response, f"/v1/accounts/{account_id}/payments")
    command = from_body(TransferPayment, body, account_id=account_id, number=number)
    return issuing.issue(command, caller, reason=body.reason)


@router.post("/payments/{number:path}/withdrawal", responses=MAY_BE_REFUSED)
def withdraw_transfer(
    *,
    account_id: UUID,
    number: Annotated[Number, Path(description="Of the payment on the account that the money went to.")],
    body: JsonBody[TransferWithdrawal],
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Take a transfer to this account out that was made in error; the money always was the payer's account's."""
    command = from_body(WithdrawTransfer, body, account_id=account_id, number=number)
    return issuing.issue(command, caller, reason=body.reason)


@router.post("/payments/{number:path}/move", responses=MAY_BE_REFUSED)
def move_payment(
    *,
    account_id: UUID,
    number: Annotated[Number, Path(description="The payment's number.")],
    body: JsonBody[Move],
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Put a payment that was booked on this account by mistake on the right one: there it always was."""
    command = from_body(MovePayment, body, account_id=account_id, number=number)
    return issuing.issue(command, caller, reason=body.reason)


@router.post("/refunds", status_code=201, responses=MAY_BE_REFUSED)
def refund(
    *, account_id: UUID, body: JsonBody[NewRefund], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Give money back that is put against nothing, on that day and since."""
    created(response, f"/v1/accounts/{account_id}/payments")
    return issuing.issue(from_body(Refund, body, account_id=account_id), caller, reason=body.reason)


@router.post("/refunds/withdrawal", responses=MAY_BE_REFUSED)
def withdraw_refund(
    *, account_id: UUID, body: JsonBody[RefundWithdrawal], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Record that money was not given back after all."""
    return issuing.issue(from_body(WithdrawRefund, body, account_id=account_id), caller, reason=body.reason)


@router.post("/invoices/{number:path}/withdrawal", responses=MAY_BE_REFUSED)
def withdraw_invoice(
    *,
    account_id: UUID,
    number: Annotated[Number, Path(description="The invoice's number.")],
    body: JsonBody[InvoiceWithdrawal],
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Say that an invoice never was owed. What paid it pays what else is owed."""
    command = from_body(WithdrawInvoice, body, account_id=account_id, number=number)
    invoice_id = document_id(account_id, "invoice", command.number)
    return issuing.issue(command, caller, about=invoice_id, reason=body.reason)


@router.post("/credits/{number:path}/withdrawal", responses=MAY_BE_REFUSED)
def withdraw_credit(
    *,
    account_id: UUID,
    number: Annotated[Number, Path(description="The credit's number.")],
    body: JsonBody[CreditWithdrawal],
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Say that a credit was given in error; it never was."""
    command = from_body(WithdrawCredit, body, account_id=account_id, number=number)
    credit_id = document_id(account_id, "credit", command.number)
    return issuing.issue(command, caller, about=credit_id, reason=body.reason)


@router.post("/credits", status_code=201, responses=MAY_BE_REFUSED)
def note_credit(
    *, account_id: UUID, body: JsonBody[NewCredit], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Give the customer a credit."""
    created(response, f"/v1/accounts/{account_id}/payments")
    return issuing.issue(from_body(NoteCredit, body, account_id=account_id), caller, reason=body.reason)


@router.get("/write-offs", responses=documented(404))
def list_write_offs(*, account_id: UUID, service: ServiceOf, readings: Readings) -> list[WriteOffRow]:
    """What was written off of the account, the latest first, and what became of it."""
    with readings.connection() as connection:
        return write_offs_of(service, connection, account_id)


@router.post("/write-offs", status_code=201, responses=MAY_BE_REFUSED)
def write_off(
    *, account_id: UUID, body: JsonBody[NewWriteOff], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Write off what is owed today: all of it, an amount, or of some invoices. Say why (`reason`)."""
    created(response, f"/v1/accounts/{account_id}/write-offs")
    return issuing.issue(from_body(WriteOffDebt, body, account_id=account_id), caller, reason=body.reason)


@router.post("/write-offs/{number:path}/reversal", responses=MAY_BE_REFUSED)
def reverse_write_off(
    *,
    account_id: UUID,
    number: Annotated[Number, Path(description="The write-off's number.")],
    body: JsonBody[WriteOffReversal],
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Take a write-off back: what of it was not recovered is open again. Say why (`reason`)."""
    command = from_body(ReverseWriteOff, body, account_id=account_id, number=number)
    return issuing.issue(command, caller, about=document_id(account_id, "write-off", number), reason=body.reason)


@router.post("/allocations", status_code=201, responses=MAY_BE_REFUSED)
def allocate_funds(
    *, account_id: UUID, body: JsonBody[NewAllocation], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Say which invoice a payment or credit is for. It stays there, whatever is booked later."""
    created(response, f"/v1/accounts/{account_id}")
    return issuing.issue(from_body(AllocateFunds, body, account_id=account_id), caller, reason=body.reason)


@router.get("/allocations/restatement", responses=documented(404))
def show_restatement(*, account_id: UUID, service: ServiceOf) -> list[Moved]:
    """What working it out anew would move. Nothing changes."""
    try:
        return restatement(service, account_id)
    except AggregateNotFoundError:
        raise unknown("account") from None


@router.post("/allocations/restatement", responses=MAY_BE_REFUSED)
def restate_allocation(*, account_id: UUID, body: JsonBody[Restatement], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Work out anew what all money of the account was put against, by the rules of now."""
    return issuing.issue(from_body(RestateAllocation, body, account_id=account_id), caller, reason=body.reason)

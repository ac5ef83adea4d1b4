"""What is owed and what came in: invoices, payments, credits, their reversal and correction."""

from datetime import date
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aggregates.account.command import AccountCommand
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.values.aging import CURRENT
from aggregates.values.codes import Code, Number
from aggregates.values.money import Money

# --- values ------------------------------------------------------------------------------------------


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ItemKind(StrEnum):
    INVOICE = "invoice"
    FEE = "fee"


class Item(_Value):
    """What an invoice says; the part of an open item that never moves by itself."""

    id: UUID
    number: Number
    kind: ItemKind = ItemKind.INVOICE
    issued_on: date
    due_on: date
    amount: Money
    charges: Money
    """Original charges before discount; at least the amount."""
    service_type: str | None = None
    subscription: Number | None = None
    marked_disputed: bool = False
    """Kept as information where a billing file says so without a date; suspends nothing."""
    information: dict[str, Personal] = Field(default_factory=dict)
    """What the billing file says besides; nothing is decided by it."""


class OpenItem(BaseModel):
    """An item that still has an open amount (or, where the account remembers, had one)."""

    model_config = ConfigDict(extra="forbid")

    item: Item
    open: Money
    open_since: date
    """No allocation can be effective before this: the issue date, or the day a reversal reopened the item."""
    known_on: date
    """The local day on which Arrears learned of the item; steps due before it are never sent."""
    bucket: str = CURRENT
    next_on: date | None
    """The day on which it moves to the next bucket; None in the oldest."""
    dispute_id: UUID | None = None
    steps: list[str] = Field(default_factory=list)
    """Steps of the sequence whose message covered this item."""

    @property
    def id(self) -> UUID:
        return self.item.id

    @property
    def due_on(self) -> date:
        return self.item.due_on


class FundsKind(StrEnum):
    PAYMENT = "payment"
    CREDIT = "credit"


class PromiseShare(_Value):
    """The part of a payment that counts towards a promise."""

    promise_id: UUID
    amount: Money


class Receipt(_Value):
    """What a payment or credit says; the part of funds that never moves by itself."""

    id: UUID
    kind: FundsKind
    number: Number
    amount: Money
    received_on: date
    invoice_number: Number | None = None
    """The invoice that the payer named."""
    waits_for: Number | None = None
    """The same where no such invoice was known when the money came in."""
    promises: tuple[PromiseShare, ...] = ()


class Allocation(_Value):
    """What one payment or credit put against one item on one day."""

    amount: Money
    allocated_on: date


class Funds(BaseModel):
    """A payment or credit with an amount not yet allocated (or, where the account remembers, any)."""

    model_config = ConfigDict(extra="forbid")

    receipt: Receipt
    unapplied: Money
    waits: bool = False
    """Kept for an invoice that is not known yet."""
    allocated: dict[UUID, tuple[Allocation, ...]] = Field(default_factory=dict)
    """What it put against each item, oldest day first."""
    reversed: bool = False

    @property
    def id(self) -> UUID:
        return self.receipt.id

    def allocate(self, item_id: UUID, amount: Money, allocated_on: date) -> None:
        parts = (*self.allocated.get(item_id, ()), Allocation(amount=amount, allocated_on=allocated_on))
        self.allocated[item_id] = tuple(sorted(parts, key=lambda part: part.allocated_on))

    def release(self, item_id: UUID, amount: Money, released_on: date) -> None:
        """Takes back what was put against the item by that day, the newest first."""
        kept = []
        for part in reversed(self.allocated.get(item_id, ())):
            taken = min(amount, part.amount) if part.allocated_on <= released_on else amount - amount
            amount -= taken
            if taken < part.amount:
                kept.append(part.model_copy(update={"amount": part.amount - taken}))
        self.allocated[item_id] = tuple(reversed(kept))


class ReversalKind(StrEnum):
    NSF = "nsf"
    CHARGEBACK = "chargeback"
    REFUND = "refund"
    ERROR = "error"


# --- events ------------------------------------------------------------------------------------------


class InvoiceBilled(Event, name="account.invoice-billed"):
    """An invoice (or fee invoice) became an open item. `known_on` is the day Arrears learned of it."""

    item: Item
    known_on: date


class InvoiceCorrected(Event, name="account.invoice-corrected"):
    """What was recorded of an invoice was wrong; it always was as it says now. `open_after` zero: settled."""

    item: Item
    previous: Item
    open_after: Money
    open_since: date | None = None
    """None: since it was issued."""
    known_on: date
    dispute_id: UUID | None = None
    steps: tuple[str, ...] = ()
    """The item's place in the sequence, which a settled item took with it."""


class CreditNoted(Event, name="account.credit-noted"):
    """The customer was given a credit; `invoice_number` names the invoice it is for."""

    receipt: Receipt
    invoice_number: Number | None = None


class PaymentReceived(Event, name="account.payment-received"):
    """Money came in. The receipt's shares count towards open promises; its allocation is an event of its own."""

    receipt: Receipt
    method: str | None = None
    invoice_number: Number | None = None


class PaymentReversed(Event, name="account.payment-reversed"):
    """The bank or the payer took a payment back. Its allocations were released before."""

    receipt: Receipt
    reversal: ReversalKind
    reversed_on: date


class CreditWithdrawn(Event, name="account.credit-withdrawn"):
    """A credit was given in error; it never was. Its allocations were released before."""

    receipt: Receipt


# --- commands ----------------------------------------------------------------------------------------


class _InvoiceData(AccountCommand):
    number: Number
    kind: ItemKind = ItemKind.INVOICE
    issued_on: date
    due_on: date
    amount: Money
    charges: Money | None = None
    """Original charges before discount; the amount itself where there was none."""
    service_type: Code | None = None
    subscription: Number | None = None
    marked_disputed: bool = False
    information: dict[str, Personal] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        if self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero (a credit is a credit note)")
        if self.due_on < self.issued_on:
            raise ValueError("due_on: expected on or after issued_on")
        if self.charges is not None and self.charges < self.amount:
            raise ValueError("charges: expected at least the amount (they are before discount)")
        return self


class BillInvoice(_InvoiceData, name="bill-invoice"):
    """Add an invoice. One dated in the future waits for its day."""


class CorrectInvoice(_InvoiceData, name="correct-invoice"):
    """Say what an invoice really was; allocations beyond the new amount come back."""


class NoteCredit(AccountCommand, name="note-credit"):
    """Give the customer a credit, for an invoice or for the oldest open items."""

    number: Number
    amount: Money
    issued_on: date
    invoice_number: Number | None = None

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero")
        return self


class ReceivePayment(AccountCommand, name="receive-payment"):
    """Record money that came in, for an invoice or for the oldest open items."""

    number: Number
    amount: Money
    received_on: date
    method: str | None = Field(None, max_length=40)
    invoice_number: Number | None = None

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero (a reversal is a command of its own)")
        return self


class ReversePayment(AccountCommand, name="reverse-payment"):
    """Record that a payment was taken back; what it settled is open again."""

    number: Number
    reversal: ReversalKind
    reversed_on: date


class CorrectPayment(ReceivePayment, name="correct-payment"):
    """Say what a payment really was; it always was so."""


class CorrectCredit(NoteCredit, name="correct-credit"):
    """Say what a credit really was; it always was so."""

"""Money that comes in and goes back: payments, credits, their reversal and correction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from aggregates.account.command import AccountCommand, document_id, document_key
from aggregates.account.customer import BookingCommand
from aggregates.account.deferred import Deferred
from aggregates.account.receivables import (
    Funds,
    FundsKind,
    Instructions,
    MeantFor,
    OtherPayment,
    PromiseShare,
    Receipt,
)
from aggregates.account.receivables import ReversalKind as ReversalKind  # noqa: PLC0414  it is a payment's, and imported from here
from aggregates.account.transfers import Transfers
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.command import NaturalKey
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER
from aggregates.values.codes import Number, listed
from aggregates.values.money import Money

# --- events ------------------------------------------------------------------------------------------


class CreditNoted(Event, name="account.credit-noted"):
    """The customer was given a credit; `invoice_number` names the invoice it is for."""

    receipt: Receipt
    invoice_number: Number | None = None


class PaymentReceived(Event, name="account.payment-received"):
    """Money came in. The receipt's shares count towards open promises; its allocation is an event of its own."""

    receipt: Receipt
    method: str | None = None
    invoice_number: Number | None = None
    moved_from: Annotated[OtherPayment | None, LATER] = None
    """Where it was booked by mistake before."""


class PaymentReversed(Event, name="account.payment-reversed"):
    """The bank or the payer took a payment back. Its allocations were released before."""

    receipt: Receipt
    reversal: ReversalKind
    reversed_on: date
    moved_to: Annotated[OtherPayment | None, LATER] = None
    """Where it belongs, where it was booked here by mistake."""


class CreditWithdrawn(Event, name="account.credit-withdrawn"):
    """A credit was given in error; it never was. Its allocations were released before."""

    receipt: Receipt


# --- commands ----------------------------------------------------------------------------------------


MOST_INSTRUCTIONS = 500
"""An event that holds them is of bounded size."""


class _CreditData(AccountCommand):
    number: Number
    amount: Money
    issued_on: date
    invoice_number: Number | None = None

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero")
        return self


class NoteCredit(BookingCommand, _CreditData, name="note-credit", may_need_history=True):
    """Give the customer a credit, for an invoice or for the oldest open items."""

    def natural_key(self) -> NaturalKey:
        return document_key(self.account_id, "credit", self.number)


class CorrectCredit(_CreditData, name="correct-credit", may_need_history=True):
    """Say what a credit really was; it always was so."""


def check_instructions(instructions: Instructions, whole: Money | None, invoice_number: str | None) -> None:
    """Raises ValueError. `whole` is the amount of the payment, where it is said."""
    if instructions is None:
        return
    numbers = [each.invoice_number for each in instructions]
    said = [each.amount for each in instructions if each.amount is not None]
    if not 0 < len(numbers) <= MOST_INSTRUCTIONS:
        raise ValueError(f"instructions: expected 1 to {MOST_INSTRUCTIONS} invoices, not {len(numbers)}")
    if len(set(numbers)) < len(numbers):
        raise ValueError("instructions: expected each invoice once")
    if any(amount.minor <= 0 for amount in said):
        raise ValueError("instructions: expected amounts of more than zero")
    if whole is not None and any(amount.currency != whole.currency for amount in said):
        raise ValueError(f"instructions: expected amounts in {whole.currency}")
    if whole is not None and sum(amount.minor for amount in said) > whole.minor:
        raise ValueError(f"instructions: expected amounts of {whole} in total at most")
    if invoice_number is not None and len(listed(invoice_number)) < 2:
        raise ValueError("invoice_number: expected none beside instructions, or their list in one text")


class _PaymentData(AccountCommand):
    number: Number
    amount: Money
    received_on: date
    method: str | None = Field(None, max_length=40)
    invoice_number: Number | None = None
    instructions: Instructions = None
    """Several invoices that it is for. What is left after them goes to the oldest open items."""
    for_account_id: Annotated[UUID | None, LATER] = None
    """The account of the same office whose debt it pays, where that is not the payer's: all of it is transferred there
    on the day it comes in. The invoice is then of that account."""

    @property
    def meant_for(self) -> MeantFor:
        return MeantFor(self.invoice_number, self.instructions)

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero (a reversal is a command of its own)")
        return self

    @model_validator(mode="after")
    def _instructed(self) -> Self:
        check_instructions(self.instructions, self.amount, self.invoice_number)
        return self


class ReceivePayment(BookingCommand, _PaymentData, name="receive-payment", may_need_history=True, reaches=("account",)):
    """Record money that came in, for an invoice or for the oldest open items."""

    def natural_key(self) -> NaturalKey:
        return document_key(self.account_id, "payment", self.number)


class CorrectPayment(_PaymentData, name="correct-payment", may_need_history=True, reaches=("account",)):
    """Say what a payment really was; it always was so. What was transferred of it stays transferred, as far as it goes:
    all of it where all of it was."""


class ReversePayment(AccountCommand, name="reverse-payment", may_need_history=True, reaches=("account",)):
    """Record that a payment was taken back; what it settled is open again, also where it had been transferred."""

    number: Number
    reversal: ReversalKind
    reversed_on: date
    amount: Annotated[Money | None, LATER] = None
    """What was taken back, where that is said: the whole payment, and nothing else."""


# --- decisions ---------------------------------------------------------------------------------------


@dataclass
class Payments(Transfers):
    """Decisions about payments and credits."""

    deferred: ClassVar = Needs(Deferred)

    @decides(ReceivePayment)
    def receive_payment(self, command: ReceivePayment, context: Context) -> None:
        self.customer.require_open(command.opens, command.received_on, context)
        self.customer.require_currency(command.amount)
        payment_id = document_id(self.whole.id, "payment", command.number)
        if payment_id in self.receivables.funds or payment_id in self.receivables.used_up:
            raise Refusal("duplicate-payment", f"payment {command.number} is on the account already; correct it")
        debtor = self.on_other_account(command.for_account_id, context) if command.for_account_id else None
        if command.received_on > context.today:
            self.deferred.defer(
                command, command.received_on, document_id(self.whole.id, "deferred-payment", command.number)
            )
            return
        self.deferred.refuse_if_waiting("payment", command.number)
        funds = self._receive(command)
        if debtor is not None:
            self._send_all(funds, debtor, command, context)
        else:
            self.allocation.follow_money(funds, context)

    def _receive(self, command: ReceivePayment | CorrectPayment, settled: tuple[PromiseShare, ...] = ()) -> Funds:
        is_own = command.for_account_id is None
        return self.book(
            command.number,
            command.amount,
            command.received_on,
            method=command.method,
            meant_for=command.meant_for if is_own else MeantFor(),
            settled=settled if is_own else (),
            counts=is_own,
        )

    def _send_all(
        self, funds: Funds, debtor: "Payments", command: ReceivePayment | CorrectPayment, context: Context
    ) -> None:
        self.send(funds, debtor, funds.unapplied, context, on=command.received_on, meant_for=command.meant_for)

    def book(
        self,
        number: str,
        amount: Money,
        received_on: date,
        *,
        method: str | None = None,
        meant_for: MeantFor = MeantFor(),  # noqa: B008  a tuple
        settled: tuple[PromiseShare, ...] = (),
        counts: bool = True,
        transferred_from: OtherPayment | None = None,
        moved_from: OtherPayment | None = None,
    ) -> Funds:
        """Money is there; it is put against nothing yet. It counts towards promises, but where it is for another
        account."""
        left = amount - Money.total((share.amount for share in settled), self.customer.currency)
        receipt = Receipt(
            id=document_id(self.whole.id, "payment", number),
            kind=FundsKind.PAYMENT,
            number=number,
            amount=amount,
            received_on=received_on,
            invoice_number=meant_for.invoice_number,
            waits_for=None if meant_for.instructions else self._still_unknown(meant_for.invoice_number),
            promises=settled + (self.promise_shares(left, received_on) if counts else ()),
            transferred_from=transferred_from,
            instructions=meant_for.instructions,
            unknown=self._unknown_among(meant_for),
        )
        self.emit(
            PaymentReceived(
                receipt=receipt, method=method, invoice_number=meant_for.invoice_number, moved_from=moved_from
            ),
            effective_on=received_on,
        )
        return self.receivables.funds[receipt.id]

    @decides(NoteCredit)
    def note_credit(self, command: NoteCredit, context: Context) -> None:
        self.customer.require_open(command.opens, command.issued_on, context)
        self.customer.require_currency(command.amount)
        credit_id = document_id(self.whole.id, "credit", command.number)
        if credit_id in self.receivables.funds or credit_id in self.receivables.used_up:
            raise Refusal("duplicate-credit", f"credit {command.number} is on the account already; correct it")
        if command.issued_on > context.today:
            self.deferred.defer(
                command, command.issued_on, document_id(self.whole.id, "deferred-credit", command.number)
            )
            return
        self.deferred.refuse_if_waiting("credit", command.number)
        self.allocation.follow_money(self._credit(command), context)

    def _credit(self, command: NoteCredit | CorrectCredit) -> Funds:
        receipt = Receipt(
            id=document_id(self.whole.id, "credit", command.number),
            kind=FundsKind.CREDIT,
            number=command.number,
            amount=command.amount,
            received_on=command.issued_on,
            invoice_number=command.invoice_number,
            waits_for=self._still_unknown(command.invoice_number),
        )
        self.emit(CreditNoted(receipt=receipt, invoice_number=command.invoice_number), effective_on=command.issued_on)
        return self.receivables.funds[receipt.id]

    def _still_unknown(self, invoice_number: str | None) -> str | None:
        """The invoice number where no such invoice was ever billed, so that the money waits for it."""
        if invoice_number is None:
            return None
        if self.receivables.named(invoice_number):
            return None
        self.receivables.require_history()
        return invoice_number

    def _unknown_among(self, meant_for: MeantFor) -> tuple[str, ...] | None:
        """Invoices of the instructions that were never billed; None where there are none."""
        number, instructions = meant_for
        if not instructions or (number is not None and self._still_unknown(number) is None):
            return None
        return tuple(n for each in instructions if (n := self._still_unknown(each.invoice_number))) or None

    def promise_shares(self, amount: Money, received_on: date) -> tuple[PromiseShare, ...]:
        """Open promises share a payment in the order they are due, so that none covers the same money twice."""
        shares = []
        for promise in sorted(self.promises.open.values(), key=lambda p: (p.due_on, p.made_on, str(p.id))):
            share = min(amount, promise.remaining)
            if share and received_on >= promise.made_on:
                shares.append(PromiseShare(promise_id=promise.id, amount=share))
                amount -= share
        return tuple(shares)

    @decides(ReversePayment)
    def reverse_payment(self, command: ReversePayment, context: Context) -> None:
        self.require_account()
        if command.reversed_on > context.today:
            raise Refusal("future-reversal", "reversed_on: expected today or earlier")
        funds = self.allocation.funds_with_history("payment", command.number)
        if command.reversed_on < funds.receipt.received_on:
            raise Refusal("reversed-first", f"reversed_on: expected {funds.receipt.received_on} (receipt) or later")
        if command.amount not in (None, funds.receipt.amount):
            raise Refusal("reversed-in-part", f"amount: expected {funds.receipt.amount}, the whole payment")
        self.require_own(funds)
        never_was = command.reversal is ReversalKind.ERROR
        gone_on = funds.receipt.received_on if never_was else command.reversed_on
        self.take_all_back(funds, command.reversal, gone_on, context)
        self.take_out(funds, command.reversal, gone_on, context.today)
        self.allocation.follow_change(funds.id, gone_on, context)

    @decides(CorrectPayment)
    def correct_payment(self, command: CorrectPayment, context: Context) -> None:
        self.require_account()
        self.customer.require_currency(command.amount)
        waiting = document_id(self.whole.id, "deferred-payment", command.number)
        if waiting in self.deferred.facts:
            self.deferred.defer(ReceivePayment(**command.model_dump()), command.received_on, waiting)
            return
        if command.received_on > context.today:
            raise Refusal("future-correction", "received_on: expected today or earlier for a payment that came in")
        funds = self.allocation.funds_with_history("payment", command.number)
        self.require_own(funds)
        was = funds.receipt
        sent = self.take_all_back(funds, ReversalKind.ERROR, was.received_on, context)
        settled = self._shares_of_settled_promises(was, command.amount)
        self.take_out(funds, ReversalKind.ERROR, was.received_on, context.today, still_counts=settled)
        received = self._receive(command, settled)
        if command.for_account_id is not None:
            debtor = self.on_other_account(command.for_account_id, context)
            self._send_all(received, debtor, command, context)
        else:
            self.send_again(received, sent, was.amount, context)
        self.allocation.follow_change(funds.id, min(was.received_on, command.received_on), context)

    def _shares_of_settled_promises(self, receipt: Receipt, amount: Money) -> tuple[PromiseShare, ...]:
        """What a corrected payment goes on counting for: promises that it had settled, up to its new amount."""
        shares = []
        for share in receipt.promises:
            if share.promise_id not in self.promises.open and amount:
                shares.append(share.model_copy(update={"amount": min(amount, share.amount)}))
                amount -= shares[-1].amount
        return tuple(shares)

    @decides(CorrectCredit)
    def correct_credit(self, command: CorrectCredit, context: Context) -> None:
        self.require_account()
        self.customer.require_currency(command.amount)
        waiting = document_id(self.whole.id, "deferred-credit", command.number)
        if waiting in self.deferred.facts:
            self.deferred.defer(NoteCredit(**command.model_dump()), command.issued_on, waiting)
            return
        if command.issued_on > context.today:
            raise Refusal("future-correction", "issued_on: expected today or earlier for a credit that was given")
        funds = self.allocation.funds_with_history("credit", command.number)
        self.allocation.release_everything(funds, funds.receipt.received_on, context.today)
        self.emit(CreditWithdrawn(receipt=funds.receipt), effective_on=funds.receipt.received_on)
        self._credit(command)
        self.allocation.follow_change(funds.id, min(funds.receipt.received_on, command.issued_on), context)

    def take_out(
        self,
        funds: Funds,
        reversal: ReversalKind,
        reversed_on: date,
        today: date,
        *,
        still_counts: Sequence[PromiseShare] = (),
        moved_to: OtherPayment | None = None,
    ) -> date:
        """Take a payment back, and return since when. One recorded in error never was."""
        on = funds.receipt.received_on if reversal is ReversalKind.ERROR else reversed_on
        self.allocation.release_everything(funds, on, today)
        gone = tuple(share for share in funds.receipt.promises if share not in still_counts)
        receipt = funds.receipt.model_copy(update={"promises": gone})
        self.emit(
            PaymentReversed(receipt=receipt, reversal=reversal, reversed_on=on, moved_to=moved_to), effective_on=on
        )
        return on

    # --- apply ---

    @applies(CreditNoted, PaymentReceived)
    def _received(self, event: CreditNoted | PaymentReceived) -> None:
        receipt = event.receipt
        before = self.receivables.used_up.pop(receipt.id, None)
        if before is not None:
            self.receivables.gone.append(before)
        self.receivables.funds[receipt.id] = Funds(
            receipt=receipt,
            unapplied=receipt.amount,
            waits=receipt.waits_for is not None,
            unknown=receipt.unknown or (),
            method=event.method if self.receivables.keeps_all and isinstance(event, PaymentReceived) else None,
        )
        for share in receipt.promises:
            if share.promise_id in self.promises.open:
                self.promises.open[share.promise_id].remaining -= share.amount

    @applies(PaymentReversed, CreditWithdrawn)
    def _taken_back(self, event: PaymentReversed | CreditWithdrawn) -> None:
        receipt = event.receipt
        gone_on = event.reversed_on if isinstance(event, PaymentReversed) else receipt.received_on
        if gone_on > receipt.received_on:
            self.receivables.went(gone_on)
        funds = self.receivables.funds.pop(receipt.id, None) or self.receivables.used_up.pop(receipt.id, None)
        if funds and self.receivables.keeps_all:
            funds.unapplied, funds.reversed = self.customer.zero, True
            funds.gone_on = gone_on
            self.receivables.used_up[receipt.id] = funds
        for share in receipt.promises:
            if share.promise_id in self.promises.open:
                self.promises.open[share.promise_id].remaining += share.amount

"""Money that comes in and goes back: payments, credits, their reversal and correction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from aggregates.account.allocation import funds_order
from aggregates.account.command import AccountCommand, document_id, document_key
from aggregates.account.customer import BookingCommand
from aggregates.account.deferred import Deferred
from aggregates.account.receivables import (
    Funds,
    FundsKind,
    GoneBack,
    Instructions,
    MeantFor,
    OtherPayment,
    PromiseShare,
    Receipt,
    Sent,
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


class PaymentReversedInPart(Event, name="account.payment-reversed-in-part"):
    """The bank or the payer took a part of a payment back. What it had settled was released before.

    The receipt says what counts towards promises still; `remaining` is what did not go back so far.
    """

    receipt: Receipt
    part: GoneBack
    remaining: Money


class FundsRefunded(Event, name="account.funds-refunded"):
    """Money of a payment or credit that was put against nothing was given back to the customer."""

    receipt: Receipt
    part: GoneBack
    remaining: Money


class ReversalWithdrawn(Event, name="account.reversal-withdrawn"):
    """A payment, or a part of it, was not taken back after all: its reversal was recorded in error."""

    receipt: Receipt
    part: GoneBack
    remaining: Money


class RefundWithdrawn(Event, name="account.refund-withdrawn"):
    """A refund was recorded in error; the money was never given back."""

    receipt: Receipt
    part: GoneBack
    remaining: Money


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
    """Record that a payment, or a part of it, was taken back; what that settled is open again. A whole payment goes
    back also where it had been transferred."""

    number: Number
    reversal: ReversalKind
    reversed_on: date
    amount: Annotated[Money | None, LATER] = None
    """What was taken back; None: all of it that did not go back before."""
    invoice_number: Annotated[Number | None, LATER] = None
    """The invoice for which a part was taken back; None: what was put somewhere latest is open again first."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount is not None and self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero")
        return self


class ReceivePaymentAgain(_PaymentData, name="receive-payment-again", may_need_history=True, reaches=("account",)):
    """Record that a payment which was taken back came in again, under its number and on a day of its own."""


class WithdrawReversal(AccountCommand, name="withdraw-reversal", may_need_history=True):
    """Say that a payment, or a part of it, was not taken back after all; it stands as if it never had been."""

    number: Number
    reversed_on: date | None = None
    """With `amount` it says which, where there are several."""
    amount: Money | None = None


class Refund(AccountCommand, name="refund", may_need_history=True):
    """Give money back to the customer that is put against nothing, on that day and since."""

    amount: Money
    refunded_on: date
    kind: FundsKind = FundsKind.PAYMENT
    number: Number | None = None
    """Of the payment or credit; None: of whatever is unapplied, the oldest first."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero")
        return self


class WithdrawRefund(AccountCommand, name="withdraw-refund", may_need_history=True):
    """Say that money was not given back after all."""

    kind: FundsKind = FundsKind.PAYMENT
    number: Number
    refunded_on: date | None = None
    """With `amount` it says which, where there are several."""
    amount: Money | None = None


class WithdrawCredit(AccountCommand, name="withdraw-credit", may_need_history=True):
    """Say that a credit was given in error; it never was."""

    number: Number


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
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

    def _receive(
        self, command: _PaymentData, settled: tuple[PromiseShare, ...] = (), *, lasting: Money | None = None
    ) -> Funds:
        is_own = command.for_account_id is None
        return self.book(
            command.number,
            command.amount,
            command.received_on,
            method=command.method,
            meant_for=command.meant_for if is_own else MeantFor(),
            settled=settled if is_own else (),
            counts=is_own,
            lasting=lasting,
        )

    def _send_all(self, funds: Funds, debtor: "Payments", command: _PaymentData, context: Context) -> None:
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
        lasting: Money | None = None,
        transferred_from: OtherPayment | None = None,
        moved_from: OtherPayment | None = None,
    ) -> Funds:
        """Money is there; it is put against nothing yet. It counts towards promises, but where it is for another
        account, or goes back at once: `lasting` is what of it does not."""
        most = amount if lasting is None else lasting
        left = most - Money.total((share.amount for share in settled), self.customer.currency)
        receipt = Receipt(
            id=document_id(self.whole.id, "payment", number),
            kind=FundsKind.PAYMENT,
            number=number,
            amount=amount,
            received_on=received_on,
            invoice_number=meant_for.invoice_number,
            waits_for=self._waits_for(meant_for),
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

    def _waits_for(self, meant_for: MeantFor) -> str | None:
        """The one invoice that it is for, where that was never billed."""
        return None if meant_for.instructions else self._still_unknown(meant_for.invoice_number)

    def _unknown_among(self, meant_for: MeantFor) -> tuple[str, ...] | None:
        """Invoices of the instructions that were never billed; None where there are none."""
        number, instructions = meant_for
        if not instructions or (number is not None and self._still_unknown(number) is None):
            return None
        return tuple(n for each in instructions if (n := self._still_unknown(each.invoice_number))) or None

    def promise_shares(self, amount: Money, received_on: date) -> tuple[PromiseShare, ...]:
        """Open promises share a payment in the order in which their instalments are due, so that none covers the same
        money twice."""
        to_come = [
            (due_on, promise.made_on, str(promise.id), promise.id, left)
            for promise in self.promises.open.values()
            if received_on >= promise.made_on
            for due_on, left in promise.to_come
        ]
        shares: dict[UUID, Money] = {}
        for *_, promise_id, left in sorted(to_come, key=lambda part: part[:3]):
            if share := min(amount, left):
                shares[promise_id] = shares[promise_id] + share if promise_id in shares else share
                amount -= share
        return tuple(PromiseShare(promise_id=each, amount=share) for each, share in shares.items())

    @decides(ReversePayment)
    def reverse_payment(self, command: ReversePayment, context: Context) -> None:
        self.require_account()
        if command.reversed_on > context.today:
            raise Refusal("future-reversal", "reversed_on: expected today or earlier")
        if command.reversal is ReversalKind.ERROR and self._withdraw_waiting("payment", command.number):
            return
        funds = self.allocation.funds_with_history("payment", command.number)
        if command.reversed_on < funds.receipt.received_on:
            raise Refusal("reversed-first", f"reversed_on: expected {funds.receipt.received_on} (receipt) or later")
        self.require_own(funds)
        amount = command.amount or funds.remaining
        self.customer.require_currency(amount)
        if amount > funds.remaining or not amount:
            raise Refusal("reversed-too-much", f"amount: expected at most {funds.remaining}, what did not go back yet")
        never_was = command.reversal is ReversalKind.ERROR
        gone_on = funds.receipt.received_on if never_was else command.reversed_on
        if never_was:
            self.require_none_went(funds)
        if amount == funds.receipt.amount:
            self.take_all_back(funds, command.reversal, gone_on, context)
            self.take_out(funds, command.reversal, gone_on, context.today)
        elif never_was:
            raise Refusal(
                "reversed-in-part", f"amount: expected {funds.receipt.amount}; correct a payment whose amount was wrong"
            )
        elif amount > funds.kept:
            raise Refusal(
                "payment-transferred",
                f"amount: expected at most {funds.kept}; more went to another account: withdraw that transfer first",
            )
        else:
            named = command.invoice_number
            item_id = None if named is None else self.receivables.one_named(named).id
            part = GoneBack(amount=amount, gone_on=gone_on, reversal=command.reversal, item_id=item_id)
            self._part_goes(funds, part, context.today)
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
        funds = self._own_payment(command.number)
        self._require_after_the_one_before(funds, command.received_on)
        was = funds.receipt
        sent: list[tuple[Sent, Receipt]] = []
        if funds.reversal is ReversalKind.ERROR:
            received = self._receive(command)
        else:
            whole = funds.reversed and not funds.gone_back
            if whole:
                self._require_none_sent(funds)
            lasting = self.customer.zero if whole else command.amount - (was.amount - funds.remaining)
            sent = self.take_all_back(funds, ReversalKind.ERROR, was.received_on, context)
            went = self._none_went(funds, command.amount, command.received_on)
            settled = self._shares_of_settled_promises(funds.receipt, lasting)
            self.take_out(funds, ReversalKind.ERROR, was.received_on, context.today, still_counts=settled)
            received = self._receive(command, settled, lasting=lasting)
            self._go_again(received, went, context.today, whole=whole)
        if command.for_account_id is not None and received.unapplied:
            self._send_all(received, self.on_other_account(command.for_account_id, context), command, context)
        elif command.for_account_id is None:
            self.send_again(received, sent, was.amount, context)
        self.allocation.follow_change(funds.id, min(was.received_on, command.received_on), context)

    def _own_payment(self, number: str) -> Funds:
        """One that came in on this account, taken back or not. Raises Refusal."""
        funds = self.allocation.known_funds("payment", number)
        self.require_own(funds)
        if funds.moved_to is not None:
            raise Refusal("payment-moved", f"payment {number} is on account {funds.moved_to.account_name}")
        return funds

    def _require_none_sent(self, funds: Funds) -> None:
        if funds.sent:
            raise Refusal(
                "payment-transferred",
                f"money of payment {funds.receipt.number} had gone to another account when it was taken back; "
                "receive it again",
            )

    @decides(ReceivePaymentAgain)
    def receive_again(self, command: ReceivePaymentAgain, context: Context) -> None:
        self.require_account()
        self.customer.require_currency(command.amount)
        if command.received_on > context.today:
            raise Refusal("future-receipt", "received_on: expected today or earlier")
        funds = self._own_payment(command.number)
        if not funds.reversed:
            raise Refusal("payment-not-reversed", f"payment {command.number} was not taken back; correct it")
        self._require_after_the_one_before(funds, command.received_on)
        if funds.reversal is not ReversalKind.ERROR:
            _require_after(funds, command.received_on)
        debtor = self.on_other_account(command.for_account_id, context) if command.for_account_id else None
        received = self._receive(command)
        if debtor is not None:
            self._send_all(received, debtor, command, context)
        self.allocation.follow_change(funds.id, command.received_on, context)

    def _require_after_the_one_before(self, funds: Funds, received_on: date) -> None:
        """What came under a number again came after what had it before was taken back."""
        for before in self.receivables.gone:
            if before.id == funds.id and before.reversal is not ReversalKind.ERROR:  # else it never was
                _require_after(before, received_on)

    @decides(WithdrawReversal)
    def withdraw_reversal(self, command: WithdrawReversal, context: Context) -> None:
        self.require_account()
        context.require_reason()
        funds = self._own_payment(command.number)
        self._require_none_sent(funds)
        reversals = [part for part in self._went(funds) if part.reversal is not None]
        part = _the_one(reversals, command.reversed_on, command.amount, f"reversal of payment {command.number}")
        self._comes_back(funds, part)
        self.allocation.follow_change(funds.id, part.gone_on, context)

    @decides(Refund)
    def refund(self, command: Refund, context: Context) -> None:
        """Only what is unapplied on that day and ever since is given back, so nothing that was settled reopens."""
        self.require_account()
        self.customer.require_currency(command.amount)
        context.require_reason()
        day = command.refunded_on
        if day > context.today:
            raise Refusal("future-refund", "refunded_on: expected today or earlier")
        self.receivables.require_history()
        self.allocation.settle_what_is_due(context)
        if command.number is None:
            known = (*self.receivables.funds.values(), *self.receivables.used_up.values())
            every = [funds for funds in known if funds.receipt.transferred_from is None]
        else:
            every = [self.allocation.funds_with_history(command.kind.value, command.number)]
            self.require_own(every[0])
        left = command.amount
        refunds = []
        for funds in sorted(every, key=funds_order):
            amount = min(left, self.allocation.unallocated_from(day, funds))
            if amount:
                left -= amount
                refunds.append((funds, GoneBack(amount=amount, gone_on=day, reversal=None)))
        if left:
            most = f"amount: expected at most {command.amount - left}, unapplied on {day} and since"
            raise Refusal("refund-too-large", f"{most}; what pays an invoice goes back by a reversal of its payment")
        for funds, part in refunds:
            self._part_goes(funds, part, context.today)
            self.allocation.follow_change(funds.id, day, context)

    @decides(WithdrawRefund)
    def withdraw_refund(self, command: WithdrawRefund, context: Context) -> None:
        self.require_account()
        context.require_reason()
        funds = self.allocation.known_funds(command.kind.value, command.number)
        refunds = [part for part in self._went(funds) if part.reversal is None]
        what = f"refund of {command.kind} {command.number}"
        part = _the_one(refunds, command.refunded_on, command.amount, what)
        self._comes_back(funds, part)
        self.allocation.follow_change(funds.id, part.gone_on, context)

    @decides(WithdrawCredit)
    def withdraw_credit(self, command: WithdrawCredit, context: Context) -> None:
        self.require_account()
        context.require_reason()
        if self._withdraw_waiting("credit", command.number):
            return
        funds = self.allocation.funds_with_history("credit", command.number)
        self.require_none_went(funds)
        self._withdraw_credit(funds, context.today)
        self.allocation.follow_change(funds.id, funds.receipt.received_on, context)

    def _withdraw_waiting(self, kind: str, number: str) -> bool:
        """Whether a payment or credit of that number waited for its day; then it never was."""
        return self.deferred.withdraw(document_id(self.whole.id, f"deferred-{kind}", number))

    def _withdraw_credit(self, funds: Funds, today: date) -> None:
        self.allocation.release_everything(funds, funds.receipt.received_on, today)
        self.emit(CreditWithdrawn(receipt=funds.receipt), effective_on=funds.receipt.received_on)

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
        funds = self.allocation.known_funds("credit", command.number)
        first = min(funds.receipt.received_on, command.issued_on)
        if funds.reversed:
            self._credit(command)
        else:
            went = self._none_went(funds, command.amount, command.issued_on)
            self._withdraw_credit(funds, context.today)
            self._go_again(self._credit(command), went, context.today, whole=False)
        self.allocation.follow_change(funds.id, first, context)

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

    # --- parts ---

    def _went(self, funds: Funds) -> Sequence[GoneBack]:
        """What went back of it: parts, or all of it at once."""
        if funds.reversal is None or funds.gone_back or funds.gone_on is None:
            return funds.gone_back
        receipt = funds.receipt
        return [
            GoneBack(amount=receipt.amount, gone_on=funds.gone_on, reversal=funds.reversal, promises=receipt.promises)
        ]

    def require_none_went(self, funds: Funds) -> None:
        if funds.gone_back:
            went = funds.receipt.amount - funds.remaining
            raise Refusal("gone-in-part", f"{went} of it went back; withdraw that first")

    def _none_went(self, funds: Funds, amount: Money, since: date) -> Sequence[GoneBack]:
        """Of money that is about to be restated: what went back of it, as if it had not. It has to fit what is said."""
        went = self._went(funds)
        least = funds.receipt.amount - funds.remaining
        if amount < least:
            raise Refusal("gone-in-part", f"amount: expected at least {least}, which went back already")
        first = min((part.gone_on for part in went), default=since)
        if since > first:
            raise Refusal("reversed-first", f"expected {first}, when it went back, or an earlier day")
        for part in went:
            self._comes_back(funds, part.model_copy(update={"promises": ()}))
        return went

    def _go_again(self, funds: Funds, went: Sequence[GoneBack], today: date, *, whole: bool) -> None:
        """The same goes back of the restated money: `whole`, all of it, whatever it amounts to now."""
        for part in went:
            if whole and part.reversal is not None:
                self.take_out(funds, part.reversal, part.gone_on, today)
            else:
                self._part_goes(funds, part, today)

    def _part_goes(self, funds: Funds, part: GoneBack, today: date) -> None:
        """A part leaves the money: taken back, or refunded."""
        self.allocation.release_part(funds, part, today)
        gone = _last_counted(funds, part.amount)
        event = FundsRefunded if part.reversal is None else PaymentReversedInPart
        self.emit(
            event(
                receipt=_with_promises(funds.receipt, _less(funds.receipt.promises, gone)),
                part=part.model_copy(update={"promises": gone}),
                remaining=funds.remaining - part.amount,
            ),
            effective_on=part.gone_on,
        )

    def _comes_back(self, funds: Funds, part: GoneBack) -> None:
        """A part, or all of the money, did not leave it after all."""
        counts = self._counting_again(part.promises)
        is_part = funds.has_gone(part)
        was = funds.receipt.promises if is_part else ()
        receipt = _with_promises(funds.receipt, _more(was, counts)).model_copy(
            update={
                "waits_for": self._waits_for(funds.receipt.meant_for),
                "unknown": self._unknown_among(funds.receipt.meant_for),
            }
        )
        event = RefundWithdrawn if part.reversal is None else ReversalWithdrawn
        self.emit(
            event(
                receipt=receipt,
                part=part.model_copy(update={"promises": counts}),
                remaining=funds.remaining + part.amount if is_part else funds.receipt.amount,
            ),
            effective_on=part.gone_on,
        )

    def _counting_again(self, shares: Sequence[PromiseShare]) -> tuple[PromiseShare, ...]:
        """Towards promises that are settled as before; towards an open one no more than is still to come."""
        found = []
        for share in shares:
            promise = self.promises.open.get(share.promise_id)
            amount = share.amount if promise is None else min(share.amount, promise.remaining)
            if amount:
                found.append(share.model_copy(update={"amount": amount}))
        return tuple(found)

    # --- apply ---

    @applies(PaymentReversedInPart, FundsRefunded)
    def _part_went(self, event: PaymentReversedInPart | FundsRefunded) -> None:
        funds = self.receivables.funds[event.receipt.id]
        funds.receipt = event.receipt
        funds.part_gone(event.part)
        if event.part.gone_on > event.receipt.received_on:
            self.receivables.went(event.part.gone_on)
        self.receivables.keep_funds(funds)
        self._count(event.part.promises, sign=1)

    @applies(ReversalWithdrawn, RefundWithdrawn)
    def _came_back(self, event: ReversalWithdrawn | RefundWithdrawn) -> None:
        receivables, receipt = self.receivables, event.receipt
        funds = (
            receivables.funds.get(receipt.id)
            or receivables.used_up.pop(receipt.id, None)
            or Funds(receipt=receipt, unapplied=self.customer.zero)
        )
        funds.receipt, funds.waits, funds.unknown = receipt, receipt.waits_for is not None, receipt.unknown or ()
        funds.part_here_again(event.part)
        receivables.funds[receipt.id] = funds
        self._count(event.part.promises, sign=-1)

    def _count(self, shares: Sequence[PromiseShare], *, sign: int) -> None:
        """What remains to come of open promises: less (-1) for money that came in, more (+1) for money that went."""
        for share in shares:
            if share.promise_id in self.promises.open:
                of = self.promises.open[share.promise_id]
                of.remaining = of.remaining + share.amount if sign > 0 else of.remaining - share.amount

    @applies(CreditNoted, PaymentReceived)
    def _received(self, event: CreditNoted | PaymentReceived) -> None:
        receipt = event.receipt
        before = self.receivables.used_up.get(receipt.id)
        if before is not None:
            self.receivables.gone_for_another(before)
        self.receivables.funds[receipt.id] = Funds(
            receipt=receipt,
            unapplied=receipt.amount,
            waits=receipt.waits_for is not None,
            unknown=receipt.unknown or (),
            method=event.method if self.receivables.keeps_all and isinstance(event, PaymentReceived) else None,
        )
        self._count(receipt.promises, sign=-1)

    @applies(PaymentReversed, CreditWithdrawn)
    def _taken_back(self, event: PaymentReversed | CreditWithdrawn) -> None:
        receipt = event.receipt
        gone_on = event.reversed_on if isinstance(event, PaymentReversed) else receipt.received_on
        if gone_on > receipt.received_on:
            self.receivables.went(gone_on)
        funds = self.receivables.funds.pop(receipt.id, None) or self.receivables.used_up.pop(receipt.id, None)
        if funds and self.receivables.keeps_all:
            funds.unapplied, funds.gone_on = self.customer.zero, gone_on
            funds.reversal = event.reversal if isinstance(event, PaymentReversed) else ReversalKind.ERROR
            funds.moved_to = event.moved_to if isinstance(event, PaymentReversed) else None
            self.receivables.used_up[receipt.id] = funds
        self._count(receipt.promises, sign=1)


def _require_after(before: Funds, received_on: date) -> None:
    if before.gone_on is not None and received_on < before.gone_on:
        raise Refusal("received-again-first", f"received_on: expected {before.gone_on} (taken back) or later")


def _the_one(parts: Sequence[GoneBack], day: date | None, amount: Money | None, what: str) -> GoneBack:
    """Of what went back, the part of that day and amount, so far as they are said. Raises Refusal."""
    found = [part for part in parts if day in (None, part.gone_on) and amount in (None, part.amount)]
    if not found:
        raise Refusal("nothing-went-back", f"there is no such {what}")
    if any(not part.is_like(found[0]) for part in found):
        several = ", ".join(f"{part.amount} on {part.gone_on}" for part in found)
        raise Refusal("several-went-back", f"expected the day and amount of one {what} of these: {several}")
    return found[0]


def _with_promises(receipt: Receipt, shares: Sequence[PromiseShare]) -> Receipt:
    return receipt.model_copy(update={"promises": tuple(shares)})


def _last_counted(funds: Funds, amount: Money) -> tuple[PromiseShare, ...]:
    """What counts towards promises no more once so much less of it remains: what counts towards none goes first, then
    what counts towards the promise that is due last."""
    over = Money.total((share.amount for share in funds.receipt.promises), amount.currency) + amount - funds.kept
    shares = []
    for share in reversed(funds.receipt.promises):
        taken = min(over, share.amount)
        if taken.minor > 0:
            shares.append(share.model_copy(update={"amount": taken}))
            over -= taken
    return tuple(shares)


def _less(counted: Sequence[PromiseShare], gone: Sequence[PromiseShare]) -> tuple[PromiseShare, ...]:
    taken = {share.promise_id: share.amount.minor for share in gone}
    left = (
        share.model_copy(update={"amount": Money(minor, share.amount.currency)})
        for share in counted
        if (minor := share.amount.minor - taken.get(share.promise_id, 0))
    )
    return tuple(left)


def _more(counted: Sequence[PromiseShare], again: Sequence[PromiseShare]) -> tuple[PromiseShare, ...]:
    amounts: dict[UUID, Money] = {}
    for share in (*counted, *again):
        before = amounts.get(share.promise_id)
        amounts[share.promise_id] = share.amount if before is None else before + share.amount
    return tuple(PromiseShare(promise_id=promise_id, amount=amount) for promise_id, amount in amounts.items())

"""Payments between two accounts: one that pays another's debt, and one that was booked on the wrong account."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from aggregates.account.allocation import Allocations
from aggregates.account.command import SHARED, AccountCommand, customer_key, document_id
from aggregates.account.customer import Customer, Opening
from aggregates.account.deferred import Deferred
from aggregates.account.part import AccountPart
from aggregates.account.payments import Payments, ReversalKind, check_instructions
from aggregates.account.receivables import Funds, Instructions, MeantFor, PromiseShare, Receivables
from aggregates.kernel.aggregate import Aggregate, Needs, decides
from aggregates.kernel.command import Key, Target
from aggregates.kernel.context import Context
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER
from aggregates.values.codes import Number
from aggregates.values.money import Money

# --- commands ----------------------------------------------------------------------------------------


class _TwoAccounts(AccountCommand):
    """`account_id` is the payment's account."""

    number: Number
    """Of the payment."""
    to_account_id: UUID

    @model_validator(mode="after")
    def _another_account(self) -> Self:
        if self.to_account_id == self.account_id:
            raise ValueError("to_account_id: expected another account than the payment's own")
        return self

    def targets(self) -> tuple[Target, ...]:
        return Target("account", self.account_id), Target("account", self.to_account_id)


class TransferPayment(_TwoAccounts, name="transfer-payment", may_need_history=True):
    """Let money that one customer paid pay the debt of another account of the office, from a day on."""

    amount: Money | None = None
    """None: all of the payment that is put against nothing from that day on."""
    transferred_on: date
    invoice_number: Number | None = None
    """Of the other account; None: its oldest open items."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount is not None and self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero")
        return self


class WithdrawTransfer(AccountCommand, name="withdraw-transfer", may_need_history=True, reaches=("account",)):
    """Take a transfer out that was made in error: the money always was the payer's account's. `account_id` is the
    account that it went to."""

    number: Number
    """Of the payment on that account."""


class MovePayment(_TwoAccounts, name="move-payment", may_need_history=True, **SHARED):
    """Put a payment that was booked on the wrong account on the right one, under its number: there it always was, here
    it never was. What is said of it besides is what it really was."""

    amount: Money | None = None
    received_on: date | None = None
    method: str | None = Field(None, max_length=40)
    invoice_number: Number | None = None
    """Of the other account; None: its oldest open items."""
    instructions: Instructions = None
    """Several invoices of it, instead."""
    opens: Annotated[Opening | None, LATER] = None
    """Where nothing described the other account so far, it is opened by this decision."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.amount is not None and self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero")
        if self.opens is not None and self.opens.account_id != self.to_account_id:
            raise ValueError("opens: expected the office and number of the account that it is moved to")
        check_instructions(self.instructions, self.amount, self.invoice_number)
        return self

    def links(self) -> tuple[Target, ...]:
        return () if self.opens is None else (Target("office", self.opens.office_id),)

    def looks_up(self) -> tuple[Key, ...]:
        return () if self.opens is None else (customer_key(self.opens.office_id, self.opens.number),)


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class BetweenAccounts(AccountPart):
    """Decisions about two accounts of one office."""

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)
    allocation: ClassVar = Needs(Allocations)
    deferred: ClassVar = Needs(Deferred)
    payments: ClassVar = Needs(Payments)

    @decides(TransferPayment)
    def transfer(self, to: Aggregate, command: TransferPayment, context: Context) -> None:
        self.require_account()
        debtor = to.part(Payments)
        debtor.require_account()
        context.require_reason()
        self.payments.require_same_money(debtor)
        self.customer.require_currency(command.amount)
        funds = self.allocation.funds_with_history("payment", command.number)
        self.payments.require_own(funds)
        on, first = command.transferred_on, funds.receipt.received_on
        if not first <= on <= context.today:
            raise Refusal("transfer-day", f"transferred_on: expected a day from {first} to {context.today}")
        self.allocation.settle_what_is_due(context)
        free = self.allocation.unallocated_from(on, funds)
        if not free or (command.amount is not None and command.amount > free):
            asked = "nothing to transfer" if command.amount is None else f"amount: expected at most {free}"
            raise Refusal(
                "transfer-too-large",
                f"{asked}; the rest of payment {command.number} is put against items of account "
                f"{self.customer.account_name}, or went elsewhere, on {on} or later",
            )
        self.payments.send(
            funds, debtor, command.amount or free, context, on=on, meant_for=MeantFor(command.invoice_number)
        )

    @decides(WithdrawTransfer)
    def withdraw(self, command: WithdrawTransfer, context: Context) -> None:
        self.require_account()
        context.require_reason()
        received = self.allocation.funds_with_history("payment", command.number)
        if (source := received.receipt.transferred_from) is None:
            raise Refusal("not-transferred", f"payment {command.number} did not come from another account")
        payer = self.payments.on_other_account(source.account_id, context)
        payer.whole.part(BetweenAccounts).take_back(source.number, self.whole.id, command.number, context)

    def take_back(self, number: str, account: UUID, number_there: str, context: Context) -> None:
        """What of a payment went to that account, under that number, never did."""
        funds = self.allocation.funds_with_history("payment", number)
        sent = next(s for s in funds.sent if (s.to.account_id, s.to.number) == (account, number_there))
        recounted = self._counts_again(funds, sent.amount)
        self.payments.take_back(funds, sent, context, reversal=ReversalKind.ERROR, on=sent.sent_on, recounted=recounted)
        self.allocation.follow_change(funds.id, sent.sent_on, context)

    def _counts_again(self, funds: Funds, amount: Money) -> tuple[PromiseShare, ...]:
        """What of the payment counts towards open promises once so much of it is back."""
        counted = {share.promise_id: share.amount for share in funds.receipt.promises}
        return tuple(
            share.model_copy(update={"amount": share.amount + counted.get(share.promise_id, self.customer.zero)})
            for share in self.payments.promise_shares(amount, funds.receipt.received_on)
        )

    @decides(MovePayment)
    def move(self, to: Aggregate, command: MovePayment, context: Context) -> None:
        self.require_account()
        context.require_reason()
        if document_id(self.whole.id, "deferred-payment", command.number) in self.deferred.facts:
            raise Refusal("payment-waits", f"payment {command.number} waits for its day; it can be moved from then on")
        funds = self.allocation.funds_with_history("payment", command.number)
        self.payments.require_own(funds)
        self.payments.require_none_went(funds)
        if funds.sent:
            there = ", ".join(sorted({each.to.account_name for each in funds.sent}))
            raise Refusal(
                "payment-transferred",
                f"money of payment {command.number} went to {there}: withdraw that transfer first",
            )
        received_on = command.received_on or funds.receipt.received_on
        if received_on > context.today:
            raise Refusal("future-correction", "received_on: expected today or earlier for a payment that came in")
        theirs = to.part(Payments)
        theirs.customer.require_open(command.opens, received_on, context)
        self.payments.require_same_money(theirs)
        amount = command.amount or funds.receipt.amount
        self.customer.require_currency(amount)
        known = theirs.receivables.known_funds(document_id(to.id, "payment", command.number))
        if known is not None and not known.reversed:
            raise Refusal(
                "duplicate-payment",
                f"payment {command.number} is on account {theirs.customer.account_name} already",
            )
        theirs.deferred.refuse_if_waiting("payment", command.number)
        gone_on = self.payments.take_out(
            funds,
            ReversalKind.ERROR,
            funds.receipt.received_on,
            context.today,
            moved_to=theirs.as_known_elsewhere(command.number),
        )
        self.allocation.follow_change(funds.id, gone_on, context)
        received = theirs.book(
            command.number,
            amount,
            received_on,
            method=command.method or funds.method,
            meant_for=MeantFor(command.invoice_number, command.instructions),
            moved_from=self.payments.as_known_elsewhere(command.number),
        )
        theirs.allocation.follow_change(received.id, received_on, context)

"""Money of a payment that pays the debt of another account: what went there, and what came back."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import ClassVar, Self
from uuid import UUID

from aggregates.account.allocation import Allocations
from aggregates.account.command import document_id
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.promises import Promises
from aggregates.account.receivables import (
    Funds,
    KeptFor,
    MeantFor,
    OtherPayment,
    PromiseShare,
    Receipt,
    Receivables,
    ReversalKind,
    Sent,
)
from aggregates.kernel.aggregate import Needs, applies
from aggregates.kernel.command import identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.values.money import Money

_LONGEST = 90
"""Characters of the number of a transferred payment, less than a number may have: another may follow."""

# --- events ------------------------------------------------------------------------------------------


class PaymentTransferred(Event, name="account.payment-transferred"):
    """Money of a payment went to another account of the office, whose debt it pays from that day on."""

    receipt: Receipt
    """As it was before."""
    to: OtherPayment
    amount: Money
    transferred_on: date
    kept_after: Money
    """What of the payment is this account's own."""
    unapplied_after: Money
    recounted: tuple[PromiseShare, ...] = ()
    """What of the payment counts towards promises now, of those for which that changed; zero: nothing."""


class TransferReturned(Event, name="account.transfer-returned"):
    """Money that had gone to another account is this account's again. Back on the day on which it went: it never did;
    later: the payment is taken back on that day, and all of it at once."""

    receipt: Receipt
    """As it was before."""
    to: OtherPayment
    amount: Money
    transferred_on: date
    returned_on: date
    kept_after: Money
    unapplied_after: Money
    recounted: tuple[PromiseShare, ...] = ()
    kept_for: KeptFor = None


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Transfers(AccountPart):
    """What payments do that concern another account too: both change in one decision. The base of `Payments`."""

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)
    allocation: ClassVar = Needs(Allocations)
    promises: ClassVar = Needs(Promises)

    @abstractmethod
    def book(
        self,
        number: str,
        amount: Money,
        received_on: date,
        *,
        meant_for: MeantFor = MeantFor(),  # noqa: B008  a tuple
        transferred_from: OtherPayment | None = None,
    ) -> Funds:
        """Money is there; it is put against nothing yet."""

    @abstractmethod
    def take_out(self, funds: Funds, reversal: ReversalKind, reversed_on: date, today: date) -> date:
        """Take a payment back, and return since when."""

    # --- the account that the money comes from ---

    def on_other_account(self, account_id: UUID, context: Context) -> Self:
        """The payments of an account that money of this one may go to, or came from. Refuses."""
        if account_id == self.whole.id:
            raise Refusal("same-account", "expected another account than the payment's own")
        found = context.find(type(self.whole), account_id)
        if found is None:
            raise Refusal("unknown-account", f"there is no such account: {account_id}")
        other = found.part(type(self))
        self.require_same_money(other)
        return other

    def as_known_elsewhere(self, number: str) -> OtherPayment:
        """A payment of this account, as another one names it."""
        customer = self.customer
        return OtherPayment(
            account_id=self.whole.id,
            account_number=customer.number,
            number=number,
            other_currency=customer.currency if customer.other_currency else None,
        )

    def require_same_money(self, other: Self) -> None:
        """Refuses an account of another office, or in another currency."""
        name, currency = other.customer.account_name, other.customer.currency
        if other.customer.office_id != self.customer.office_id:
            raise Refusal("other-office", f"account {name} is of another office")
        if currency != self.customer.currency:
            raise Refusal(
                "wrong-currency", f"the account is in {self.customer.currency}, account {name} is in {currency}"
            )

    def require_own(self, funds: Funds) -> None:
        """Refuses what came from another account: it is dealt with there."""
        if (source := funds.receipt.transferred_from) is not None:
            raise Refusal(
                "transferred-here",
                f"payment {funds.receipt.number} is money of payment {source.number} on account "
                f"{source.account_name}: withdraw the transfer, or deal with the payment there",
            )

    def send(self, funds: Funds, to: Self, amount: Money, context: Context, *, on: date, meant_for: MeantFor) -> None:
        """So much of what is unapplied pays the other account's debt from that day on."""
        here = self.as_known_elsewhere(funds.receipt.number)
        there = to.take_in(here, amount, context, on=on, meant_for=meant_for)
        kept = funds.kept - amount
        self.emit(
            PaymentTransferred(
                receipt=funds.receipt,
                to=there,
                amount=amount,
                transferred_on=on,
                kept_after=kept,
                unapplied_after=funds.unapplied - amount,
                recounted=_cut(funds.receipt.promises, kept),
            ),
            effective_on=on,
        )

    def send_again(self, funds: Funds, sent: Iterable[tuple[Sent, Receipt]], was: Money, context: Context) -> None:
        """What had been sent of a payment of that amount, as far as it goes; all where it was all."""
        for each, receipt in sent:
            amount = funds.unapplied if each.amount == was else min(each.amount, funds.unapplied)
            if amount:
                to = self.on_other_account(each.to.account_id, context)
                on = max(each.sent_on, funds.receipt.received_on)
                self.send(funds, to, amount, context, on=on, meant_for=receipt.meant_for)

    def take_all_back(
        self, funds: Funds, reversal: ReversalKind, gone_on: date, context: Context
    ) -> list[tuple[Sent, Receipt]]:
        """Everything that was sent of a payment that is gone from a day on, with what it was on the other accounts."""
        return [
            (each, self.take_back(funds, each, context, reversal=reversal, on=max(gone_on, each.sent_on)))
            for each in funds.sent
        ]

    def take_back(
        self,
        funds: Funds,
        sent: Sent,
        context: Context,
        *,
        reversal: ReversalKind,
        on: date,
        recounted: tuple[PromiseShare, ...] = (),
    ) -> Receipt:
        """Returns what it was on the other account."""
        other = self.on_other_account(sent.to.account_id, context)
        receipt = other.give_back(sent.to.number, reversal, on, context)
        self.emit(
            TransferReturned(
                receipt=funds.receipt,
                to=sent.to,
                amount=sent.amount,
                transferred_on=sent.sent_on,
                returned_on=on,
                kept_after=funds.kept + sent.amount,
                unapplied_after=funds.unapplied + sent.amount,
                recounted=recounted,
                kept_for=self.receivables.kept_for(funds),
            ),
            effective_on=on,
        )
        return receipt

    # --- the account that it goes to ---

    def take_in(
        self, source: OtherPayment, amount: Money, context: Context, *, on: date, meant_for: MeantFor
    ) -> OtherPayment:
        """A part of a payment on another account, or all of it, pays this one's debt from that day on."""
        self.require_account()
        self.receivables.require_history()
        number = self._number_for(source)
        funds = self.book(number, amount, on, meant_for=meant_for, transferred_from=source)
        self.allocation.follow_change(funds.id, on, context)
        return self.as_known_elsewhere(number)

    def give_back(self, number: str, reversal: ReversalKind, on: date, context: Context) -> Receipt:
        """What came so goes back; what it settled is open again."""
        funds = self.allocation.funds_with_history("payment", number)
        gone_on = self.take_out(funds, reversal, on, context.today)
        self.allocation.follow_change(funds.id, gone_on, context)
        return funds.receipt

    def _number_for(self, source: OtherPayment) -> str:
        """The payment's number and its account's; a second transfer of it has a number behind."""
        name = f"{source.number}/{source.account_name}"
        if len(name) > _LONGEST:
            name = f"{name[: _LONGEST - 13]}~{identifier('transfer', name).hex[:12]}"
        for nth in count(1):
            number = name if nth == 1 else f"{name}/{nth}"
            known = self.receivables.known_funds(document_id(self.whole.id, "payment", number))
            if known is None or known.reversed:
                return number
        raise AssertionError

    # --- apply ---

    @applies(PaymentTransferred)
    def _sent(self, event: PaymentTransferred) -> None:
        funds = self.receivables.funds[event.receipt.id]
        funds.receipt, funds.unapplied = self._recounted(event), event.unapplied_after
        if self.receivables.keeps_all:
            funds.sent = (*funds.sent, Sent(to=event.to, amount=event.amount, sent_on=event.transferred_on))
        self.receivables.went(event.transferred_on)
        self.receivables.keep_funds(funds)

    @applies(TransferReturned)
    def _returned(self, event: TransferReturned) -> None:
        receipt = self._recounted(event)
        funds = self.receivables.here_again(receipt, event.unapplied_after, event.kept_for)
        funds.receipt, funds.unapplied = receipt, event.unapplied_after
        never_went = event.returned_on <= event.transferred_on
        funds.sent = tuple(
            each.model_copy(update={"back_on": event.returned_on}) if each.to == event.to else each
            for each in funds.sent
            if each.to != event.to or not never_went
        )
        self.receivables.funds[receipt.id] = funds

    def _recounted(self, event: PaymentTransferred | TransferReturned) -> Receipt:
        """The receipt with what counts towards promises now, which their remaining amounts follow."""
        if not event.recounted:
            return event.receipt
        counted = {share.promise_id: share.amount for share in event.receipt.promises}
        for share in event.recounted:
            before = counted.get(share.promise_id, self.customer.zero)
            if share.promise_id in self.promises.open:
                self.promises.open[share.promise_id].remaining += before - share.amount
            counted[share.promise_id] = share.amount
        shares = tuple(PromiseShare(promise_id=i, amount=amount) for i, amount in counted.items() if amount)
        return event.receipt.model_copy(update={"promises": shares})


def _cut(shares: Sequence[PromiseShare], left: Money) -> tuple[PromiseShare, ...]:
    """What has to count for less where so much of the payment is left: those that came last first."""
    cut = []
    for share in shares:
        amount = min(share.amount, left)
        left -= amount
        if amount != share.amount:
            cut.append(PromiseShare(promise_id=share.promise_id, amount=amount))
    return tuple(cut)

"""What the customer says is paid already: not chased while that is checked."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import ClassVar, NamedTuple, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from aggregates.account.allocation import AllocationReleased, FundsAllocated
from aggregates.account.command import AccountCommand
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.payments import (
    FundsRefunded,
    PaymentReceived,
    PaymentReversed,
    PaymentReversedInPart,
    RefundWithdrawn,
    ReversalWithdrawn,
)
from aggregates.account.receivables import Receivables, ReversalKind
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.account.transfers import PaymentTransferred, TransferReturned
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value
from aggregates.values.codes import Number
from aggregates.values.money import Money
from aggregates.values.names import Assignee

# --- values ------------------------------------------------------------------------------------------


class PaymentClaimDecision(StrEnum):
    """What a person finds of a payment claim: it is paid and only has to be booked, or it is not."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class PaymentClaimOutcome(StrEnum):
    """How a payment claim ended: the money came, a person rejected it, or its days were over."""

    SETTLED = "settled"
    REJECTED = "rejected"
    LAPSED = "lapsed"


class PaymentClaim(Value):
    """What the customer says is paid. Nothing named: it covers the expected amount, in the order of allocation."""

    id: UUID
    item_ids: tuple[UUID, ...]
    amount: Money | None
    expected: Money
    """The claimed amount, else what was open of it."""
    claimed_on: date
    until: date
    """The last day of the check."""
    accepted: bool = False
    assignee: str | None = None


@dataclass(kw_only=True)
class ArrivedMoney:
    """A payment that came in while claims were open. Each amount of it counts for one of them."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    claims: frozenset[UUID]
    """Those that were open when it came in, for which it can count."""
    here: Money
    """What of it is on this account: neither gone back nor on another account."""
    used: Money
    """What counted for claims that were settled."""
    against: dict[UUID, Money] = field(default_factory=dict)
    """What of it is put against each item, less what counted for a settled claim on that."""
    in_error: bool = False
    """It was taken out as recorded in error: what is recorded instead is no other money."""


class ClaimShare(NamedTuple):
    """The part of a payment that counts for a claim; `item_id` says against which of its items it was put."""

    claim_id: UUID
    payment_id: UUID
    item_id: UUID | None
    amount: Money


# --- events ------------------------------------------------------------------------------------------


class PaymentClaimed(Event, name="account.payment-claimed"):
    """The customer says that it is paid already; these items are not chased while that is checked."""

    claim_id: UUID
    item_ids: tuple[UUID, ...]
    """None: what is owed, up to the expected amount."""
    amount: Money | None
    expected: Money
    """The claimed amount, else what is open of the items."""
    paid_on: date | None
    reference: Personal | None = None
    notes: Personal | None = None
    claimed_on: date
    until: date
    """The last day of the check."""
    assignee: str | None = None


class PaymentClaimAccepted(Event, name="account.payment-claim-accepted"):
    """A person found that it is paid; the items are not chased until the money is booked, or the days are over."""

    claim_id: UUID
    until: date


class PaymentClaimEnded(Event, name="account.payment-claim-ended"):
    """What the customer said was paid is checked: the money came, a person rejected it, or its days were over."""

    claim_id: UUID
    outcome: PaymentClaimOutcome
    assignee: str | None = None


# --- commands ----------------------------------------------------------------------------------------


class ClaimPayment(AccountCommand, name="claim-payment", makes="payment-claim"):
    """The customer says that invoices, or an amount of what they owe, are paid (neither named: all that is open)."""

    invoice_numbers: tuple[Number, ...] = Field((), max_length=1_000)
    amount: Money | None = None
    """What they say they paid; of one invoice only so much of it is not chased."""
    paid_on: date | None = None
    reference: Personal | None = Field(None, max_length=200)
    """By which the payment can be found, as they say."""
    notes: Personal | None = Field(None, max_length=10_000)
    assignee: Assignee | None = None
    """Who comes back to it if the money does not come."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount is not None and self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero")
        return self


class DecidePaymentClaim(AccountCommand, name="decide-payment-claim"):
    """Say what was found of a payment claim, with a reason."""

    claim_id: UUID
    decision: PaymentClaimDecision


class LapsePaymentClaim(AccountCommand, name="lapse-payment-claim", internal=True):
    """The days of a payment claim may be over."""

    claim_id: UUID


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class PaymentClaims(AccountPart):
    """What the customer says is paid and that is still checked."""

    open: dict[UUID, PaymentClaim] = field(default_factory=dict)
    """The oldest first."""
    money: dict[UUID, ArrivedMoney] = field(default_factory=dict)
    """By payment, in the order of coming in; none where no claim is open."""

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)

    def shields(self) -> list[Shield]:
        """What is said to be paid is not chased while that is checked; the check that ends first comes first."""
        return [self._shield(claim) for claim in sorted(self.open.values(), key=lambda claim: claim.until)]

    def _shield(self, claim: PaymentClaim) -> Shield:
        found = "was found to be paid and is to be booked" if claim.accepted else "is said to be paid, which is checked"
        in_part = claim.amount is not None and len(claim.item_ids) < 2
        return Shield(
            ShieldSource.PAYMENT_CLAIM,
            Why(code="payment-claim", detail=f"what is owed {found} until {claim.until}"),
            until=claim.until,
            items=frozenset(claim.item_ids) if claim.item_ids else None,
            amount=claim.expected - self._arrived(claim.id) if in_part else None,
            said=f"{found} until {claim.until}",
        )

    @decides(ClaimPayment)
    def claim_payment(self, command: ClaimPayment, context: Context) -> None:
        self.require_account()
        self.customer.require_currency(command.amount)
        if command.paid_on is not None and command.paid_on > context.today:
            raise Refusal("payment-claim-future", f"paid_on: expected {context.today} or earlier")
        if self.receivables.balance.minor <= 0:
            raise Refusal("nothing-owed", "nothing is owed that could be paid already")
        item_ids = self.receivables.open_named(command.invoice_numbers)
        if not item_ids and command.amount is None:
            item_ids = tuple(self.receivables.items)
        claimed = {item_id for claim in self.open.values() if claim.amount is None for item_id in claim.item_ids}
        if item_ids and claimed.issuperset(item_ids):
            raise Refusal("claimed-already", "all of it is said to be paid already, which is checked")
        of_items = Money.total((self.receivables.items[each].open for each in item_ids), self.customer.currency)
        self.emit(
            PaymentClaimed(
                claim_id=command.made_id(context.command_id),
                item_ids=item_ids,
                amount=command.amount,
                expected=of_items if command.amount is None else command.amount,
                paid_on=command.paid_on,
                reference=command.reference,
                notes=command.notes,
                claimed_on=context.today,
                until=self._until(context),
                assignee=command.assignee,
            )
        )

    def _until(self, context: Context) -> date:
        return context.today + timedelta(days=self.customer.office(context).casework.claim_days)

    @decides(DecidePaymentClaim)
    def decide_claim(self, command: DecidePaymentClaim, context: Context) -> None:
        self.require_account()
        claim = self.open.get(command.claim_id)
        if claim is None:
            raise Refusal("unknown-payment-claim", "no such payment claim is open")
        context.require_reason()
        if command.decision is PaymentClaimDecision.REJECTED:
            self._end(claim, PaymentClaimOutcome.REJECTED)
        elif not claim.accepted:
            self.emit(PaymentClaimAccepted(claim_id=claim.id, until=self._until(context)))

    @decides(LapsePaymentClaim)
    def lapse(self, command: LapsePaymentClaim, context: Context) -> None:
        self.require_account()
        self.settle()
        claim = self.open.get(command.claim_id)
        if claim is not None and claim.until < context.today:
            self._end(claim, PaymentClaimOutcome.LAPSED)

    def settle(self) -> None:
        """Ends the claims whose money is there: none of their items is open any more, or as much of what came in
        since counts for it as was expected."""
        for claim in list(self.open.values()):
            is_open = any(item_id in self.receivables.items for item_id in claim.item_ids)
            if (claim.item_ids and not is_open) or self._arrived(claim.id) >= claim.expected:
                self._end(claim, PaymentClaimOutcome.SETTLED)

    def _arrived(self, claim_id: UUID) -> Money:
        """How much of what came in since it was said counts for an open claim."""
        counted = (share.amount for share in self._shares() if share.claim_id == claim_id)
        return Money.total(counted, self.customer.currency)

    def _shares(self) -> Iterator[ClaimShare]:
        """How the money that came in is shared over the open claims: what is put against items goes to the claims that
        name them, then what is left to whichever expects more; the oldest claim and the oldest money first."""
        missing = {claim.id: claim.expected for claim in self.open.values()}
        against = {(i, item_id): amount for i, money in self.money.items() for item_id, amount in money.against.items()}
        left = {payment_id: money.here - money.used for payment_id, money in self.money.items()}
        for by_item in (True, False):
            for claim in self.open.values():
                for payment_id, money in self.money.items():
                    if claim.id not in money.claims:
                        continue
                    for item_id in claim.item_ids if by_item else (None,):
                        amount = min(missing[claim.id], left[payment_id])
                        if item_id is not None:
                            amount = min(amount, against.get((payment_id, item_id), self.customer.zero))
                        if amount.minor <= 0:
                            continue
                        missing[claim.id] -= amount
                        left[payment_id] -= amount
                        if item_id is not None:
                            against[payment_id, item_id] -= amount
                        yield ClaimShare(claim.id, payment_id, item_id, amount)

    def _end(self, claim: PaymentClaim, outcome: PaymentClaimOutcome) -> None:
        self.emit(PaymentClaimEnded(claim_id=claim.id, outcome=outcome, assignee=claim.assignee))

    # --- apply ---

    @applies(PaymentClaimed)
    def _claimed(self, event: PaymentClaimed) -> None:
        self.open[event.claim_id] = PaymentClaim(
            id=event.claim_id,
            item_ids=event.item_ids,
            amount=event.amount,
            expected=event.expected,
            claimed_on=event.claimed_on,
            until=event.until,
            assignee=event.assignee,
        )

    @applies(PaymentClaimAccepted)
    def _accepted(self, event: PaymentClaimAccepted) -> None:
        claim = self.open[event.claim_id]
        self.open[claim.id] = claim.model_copy(update={"accepted": True, "until": event.until})

    @applies(PaymentClaimEnded)
    def _ended(self, event: PaymentClaimEnded) -> None:
        if event.outcome is PaymentClaimOutcome.SETTLED:
            for share in [each for each in self._shares() if each.claim_id == event.claim_id]:
                money = self.money[share.payment_id]
                money.used += share.amount
                if share.item_id is not None:
                    money.against[share.item_id] -= share.amount
        self.open.pop(event.claim_id)
        if not self.open:
            self.money.clear()

    @applies(PaymentReceived)
    def _received(self, event: PaymentReceived) -> None:
        if not self.open:
            return
        before = self.money.pop(event.receipt.id, None)
        corrected = before if before is not None and before.in_error else None
        self.money[event.receipt.id] = ArrivedMoney(
            claims=frozenset(self.open) if corrected is None else corrected.claims,
            here=event.receipt.amount,
            used=self.customer.zero if corrected is None else corrected.used,
        )

    @applies(PaymentReversed)
    def _reversed(self, event: PaymentReversed) -> None:
        in_error = event.reversal is ReversalKind.ERROR
        if in_error and self.open and event.receipt.id not in self.money:  # of before the claims, and so stays
            zero = self.customer.zero
            self.money[event.receipt.id] = ArrivedMoney(claims=frozenset(), here=zero, used=zero)
        if (money := self.money.get(event.receipt.id)) is not None:
            money.here, money.in_error = self.customer.zero, in_error

    @applies(PaymentReversedInPart, FundsRefunded, PaymentTransferred)
    def _went(self, event: PaymentReversedInPart | FundsRefunded | PaymentTransferred) -> None:
        if (money := self.money.get(event.receipt.id)) is not None:
            money.here -= event.amount if isinstance(event, PaymentTransferred) else event.part.amount

    @applies(ReversalWithdrawn, RefundWithdrawn, TransferReturned)
    def _came_back(self, event: ReversalWithdrawn | RefundWithdrawn | TransferReturned) -> None:
        if (money := self.money.get(event.receipt.id)) is not None:
            money.here += event.amount if isinstance(event, TransferReturned) else event.part.amount
            money.in_error = False

    @applies(FundsAllocated)
    def _allocated(self, event: FundsAllocated) -> None:
        if (money := self.money.get(event.funds_id)) is not None:
            for part in event.parts:
                money.against[part.item_id] = money.against.get(part.item_id, self.customer.zero) + part.amount

    @applies(AllocationReleased)
    def _released(self, event: AllocationReleased) -> None:
        if (money := self.money.get(event.receipt.id)) is not None:
            for part in event.parts:
                item_id = part.item.id
                money.against[item_id] = money.against.get(item_id, self.customer.zero) - part.amount

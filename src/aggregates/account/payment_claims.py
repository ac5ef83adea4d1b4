"""What the customer says is paid already: not chased while that is checked."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from aggregates.account.command import AccountCommand
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.payments import PaymentReceived
from aggregates.account.receivables import Receivables
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value
from aggregates.values.codes import Number
from aggregates.values.money import Money

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
    arrived: Money
    """What has come in since it was said."""
    assignee: str | None = None


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
    assignee: str | None = Field(None, max_length=100)
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


@dataclass
class PaymentClaims(AccountPart):
    """What the customer says is paid and that is still checked."""

    open: dict[UUID, PaymentClaim] = field(default_factory=dict)

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)

    def shields(self) -> list[Shield]:
        """What is said to be paid is not chased while that is checked; the check that ends first comes first."""
        return [self._shield(claim) for claim in sorted(self.open.values(), key=lambda claim: claim.until)]

    def _shield(self, claim: PaymentClaim) -> Shield:
        found = "was found to be paid and is to be booked" if claim.accepted else "is said to be paid, which is checked"
        in_part = len(claim.item_ids) == 1 or not claim.item_ids
        return Shield(
            ShieldSource.PAYMENT_CLAIM,
            Why(code="payment-claim", detail=f"what is owed {found} until {claim.until}"),
            until=claim.until,
            items=frozenset(claim.item_ids) if claim.item_ids else None,
            amount=claim.amount if in_part else None,
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
        """Ends the claims whose money is there: none of their items is open any more, or as much has come in since as
        was expected."""
        for claim in list(self.open.values()):
            is_open = any(item_id in self.receivables.items for item_id in claim.item_ids)
            if (claim.item_ids and not is_open) or claim.arrived >= claim.expected:
                self._end(claim, PaymentClaimOutcome.SETTLED)

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
            arrived=Money.zero(event.expected.currency),
            assignee=event.assignee,
        )

    @applies(PaymentClaimAccepted)
    def _accepted(self, event: PaymentClaimAccepted) -> None:
        claim = self.open[event.claim_id]
        self.open[claim.id] = claim.model_copy(update={"accepted": True, "until": event.until})

    @applies(PaymentClaimEnded)
    def _ended(self, event: PaymentClaimEnded) -> None:
        self.open.pop(event.claim_id)

    @applies(PaymentReceived)
    def _received(self, event: PaymentReceived) -> None:
        for claim in list(self.open.values()):
            arrived = claim.arrived + event.receipt.amount
            self.open[claim.id] = claim.model_copy(update={"arrived": arrived})

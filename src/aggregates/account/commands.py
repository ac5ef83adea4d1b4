"""What can be asked of an account."""

from collections.abc import Mapping
from datetime import date
from typing import Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from aggregates.account.values import (
    ActivityKind,
    CustomerKind,
    Direction,
    Disposition,
    ItemKind,
    Number,
    ReversalKind,
    Subscription,
)
from aggregates.auto_collection import Stage
from aggregates.command import Command, identifier
from aggregates.contact import Channel, Consent, ContactDetails, Country
from aggregates.money import Currency, Money
from aggregates.office import Code
from aggregates.personal import Personal


def account_id(office: UUID, number: str) -> UUID:
    """The account's aggregate id from its office and its number there."""
    return identifier("account", office, number)


def document_id(account: UUID, kind: str, number: str) -> UUID:
    """The id of an invoice, payment or credit from its number within the account."""
    return identifier(kind, account, number)


class AccountCommand(Command):
    """A command to one account."""

    account_id: UUID

    def targets(self) -> Mapping[str, UUID]:
        return {"account": self.account_id}


# --- the customer ------------------------------------------------------------------------------------


class OpenAccount(Command, name="open-account"):
    """Start working a customer's receivables. Again with the same data changes nothing, with other data updates it."""

    office_id: UUID
    number: Number
    customer_name: Personal = Field(min_length=1, max_length=300)
    currency: Currency
    customer_kind: CustomerKind = CustomerKind.CONSUMER
    segment: str | None = Field(None, max_length=100)
    country: Country | None = None
    information: dict[str, Personal] = Field(default_factory=dict)
    """What the customer's own systems say besides; kept and shown, nothing is decided by it."""
    contact: ContactDetails | None = None

    def targets(self) -> Mapping[str, UUID]:
        return {"account": account_id(self.office_id, self.number)}


class EnsureAccount(Command, name="ensure-account"):
    """Open the account if nobody did yet, known by its number only; one that is open stays as it is."""

    office_id: UUID
    number: Number
    currency: Currency

    def targets(self) -> Mapping[str, UUID]:
        return {"account": account_id(self.office_id, self.number)}


class ChangeContactDetails(AccountCommand, name="change-contact-details"):
    """Replace the ways of reaching the customer."""

    contact: ContactDetails


class RecordConsent(AccountCommand, name="record-consent"):
    """Record that the customer allowed or refused contact at an address or number."""

    channel: Channel
    point_id: str
    consent: Consent


class OptOutOfContact(AccountCommand, name="opt-out"):
    """The customer does not want to be contacted this way any more; honoured at once."""

    channel: Channel
    point_id: str | None = None


class OptInToContact(AccountCommand, name="opt-in"):
    """The customer takes an opt-out back."""

    channel: Channel
    point_id: str | None = None


class RecordSubscription(AccountCommand, name="record-subscription"):
    """Record a service the customer subscribes to."""

    subscription: Subscription


# --- receivables -------------------------------------------------------------------------------------


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


class AdmitFact(AccountCommand, name="admit-fact"):
    """Carry out a deferred fact whose day has come."""

    fact_id: UUID


class AgeAccount(AccountCommand, name="age-account"):
    """Move open items to the buckets that today's days past due say."""


# --- auto-collection ---------------------------------------------------------------------------------


class JudgeCollection(AccountCommand, name="judge-collection"):
    """Let the rules say where the account stands and what is next."""


class MoveStage(AccountCommand, name="move-stage"):
    """Always refused: nobody moves an account between stages by hand. The refusal says what would."""

    stage: Stage


class TakeStep(AccountCommand, name="take-step"):
    """Carry out the planned step if it is due and still right."""

    step_id: str


class DispatchMessage(AccountCommand, name="dispatch-message"):
    """Claim a queued message for sending, or withdraw it where it should not leave any more."""

    message_id: UUID


class ReportSent(AccountCommand, name="report-sent"):
    """The carrier took the message."""

    message_id: UUID
    subject: Personal | None = None
    body: Personal
    body_sha256: str
    carrier_reference: str | None = None
    sent_at: AwareDatetime


class ReportFailed(AccountCommand, name="report-failed"):
    """The message certainly did not leave. `detail` is in the carrier's words."""

    message_id: UUID
    code: str
    detail: Personal


class ReportUncertain(AccountCommand, name="report-uncertain"):
    """The message was claimed and nobody knows whether it left."""

    message_id: UUID


class ExcludeAccount(AccountCommand, name="exclude-account"):
    """Take the account out of auto-collection, with a reason."""


class LiftExclusion(AccountCommand, name="lift-exclusion"):
    """Let the account be judged anew."""


# --- casework ----------------------------------------------------------------------------------------


class SetFlag(AccountCommand, name="set-flag"):
    """Mark the account with a flag of its office."""

    flag: Code


class ClearFlag(AccountCommand, name="clear-flag"):
    """Take a flag off."""

    flag: Code


class RecordActivity(AccountCommand, name="record-activity"):
    """Record a call, message, letter, note or task, and when to come back to it."""

    kind: ActivityKind
    direction: Direction = Direction.OUTBOUND
    disposition: Disposition | None = None
    notes: Personal | None = Field(None, max_length=10_000)
    assignee: str | None = Field(None, max_length=100)
    follow_up_on: date | None = None


class RemindFollowUp(AccountCommand, name="remind-follow-up"):
    """The day of a follow-up may have come."""

    activity_id: UUID


class CompleteFollowUp(AccountCommand, name="complete-follow-up"):
    """Say that a follow-up was done."""

    activity_id: UUID


class OpenDispute(AccountCommand, name="open-dispute"):
    """The customer disputes invoices (none given: all open ones)."""

    invoice_numbers: tuple[Number, ...] = ()
    reason_code: Code
    notes: Personal | None = Field(None, max_length=10_000)


class ResolveDispute(AccountCommand, name="resolve-dispute"):
    """End a dispute."""

    dispute_id: UUID
    resolution: Code


class PlaceHold(AccountCommand, name="place-hold"):
    """Let the chase rest, for good or until the end of a day."""

    code: Code
    until: date | None = None


class ReleaseHold(AccountCommand, name="release-hold"):
    """Let the chase go on."""

    hold_id: UUID

"""What can be true of an account. The names are the contract with every reader of the log."""

from datetime import date
from uuid import UUID

from pydantic import AwareDatetime, Field

from aggregates.account.values import (
    ActivityKind,
    AllocatedPart,
    BucketMove,
    CustomerKind,
    Direction,
    Disposition,
    Item,
    Number,
    Receipt,
    ReleasedPart,
    ReversalKind,
    Subscription,
)
from aggregates.auto_collection import CoveredItem, ScheduledStep, Stage, Why
from aggregates.contact import Channel, Consent, ContactDetails, Country
from aggregates.event import Event
from aggregates.money import Currency, Money
from aggregates.personal import Personal

# --- the customer ------------------------------------------------------------------------------------


class AccountOpened(Event, name="account.opened"):
    """A customer's receivables with an office, in one currency, are worked from now on."""

    office_id: UUID
    number: Number
    customer_name: Personal
    currency: Currency
    customer_kind: CustomerKind
    segment: str | None = None
    country: Country | None = None
    information: dict[str, Personal] = Field(default_factory=dict)


class CustomerRenamed(Event, name="account.customer-renamed"):
    """The customer's name or classification changed."""

    customer_name: Personal
    customer_kind: CustomerKind
    segment: str | None = None
    country: Country | None = None
    information: dict[str, Personal] = Field(default_factory=dict)


class ContactDetailsChanged(Event, name="account.contact-details-changed"):
    """The ways of reaching the customer are now these, all of them."""

    contact: ContactDetails


class ConsentRecorded(Event, name="account.consent-recorded"):
    """The customer allowed or refused contact over a channel at an address or number."""

    channel: Channel
    point_id: str
    consent: Consent


class OptedOut(Event, name="account.opted-out"):
    """The customer asked not to be contacted this way (`point_id` None: by the whole medium)."""

    channel: Channel
    point_id: str | None = None


class OptedIn(Event, name="account.opted-in"):
    """The customer took an opt-out back."""

    channel: Channel
    point_id: str | None = None


class SubscriptionRecorded(Event, name="account.subscription-recorded"):
    """The customer subscribes to a service, or what is known of it changed."""

    subscription: Subscription


# --- receivables -------------------------------------------------------------------------------------


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


class FundsAllocated(Event, name="account.funds-allocated"):
    """A payment or credit was put against open items."""

    funds_id: UUID
    allocated_on: date
    parts: tuple[AllocatedPart, ...]
    unapplied_after: Money


class AllocationReleased(Event, name="account.allocation-released"):
    """Allocated amounts were taken back; the items are open again, with their original due dates."""

    receipt: Receipt
    released_on: date
    parts: tuple[ReleasedPart, ...]
    unapplied_after: Money


class PaymentReversed(Event, name="account.payment-reversed"):
    """The bank or the payer took a payment back. Its allocations were released before."""

    receipt: Receipt
    reversal: ReversalKind
    reversed_on: date


class CreditWithdrawn(Event, name="account.credit-withdrawn"):
    """A credit was given in error; it never was. Its allocations were released before."""

    receipt: Receipt


class FactDeferred(Event, name="account.fact-deferred"):
    """A fact dated in the future was received and waits for its day."""

    fact_id: UUID
    arrives_on: date
    command_name: str
    command: dict[str, object]
    information: dict[str, Personal] = Field(default_factory=dict)
    """What the document says besides."""


class FactArrived(Event, name="account.fact-arrived"):
    """The day of a deferred fact has come; what it says follows."""

    fact_id: UUID


class Aged(Event, name="account.aged"):
    """Items moved to other aging buckets. `bucket` is the account's: its oldest item's."""

    as_of: date
    moves: tuple[BucketMove, ...]
    bucket: str
    previous_bucket: str
    days_past_due: int


# --- auto-collection ---------------------------------------------------------------------------------


class StageChanged(Event, name="account.stage-changed"):
    """The system judged the account into another auto-collection stage (None: nothing is owed), and says why."""

    stage: Stage | None
    previous: Stage | None
    why: Why
    ends_engagement: bool
    """The sequence is over for this debt; engagement days are counted anew if it is chased again."""
    campaign_id: UUID | None = None
    plan_version: int | None = None


class StepScheduled(Event, name="account.step-scheduled"):
    """The next step of the account's sequence is planned for a moment."""

    step: ScheduledStep


class StepUnscheduled(Event, name="account.step-unscheduled"):
    """The planned step will not happen as planned."""

    step_id: str
    why: Why


class ReviewScheduled(Event, name="account.review-scheduled"):
    """The judgement can change with no other event at this moment (a day-count rule comes true); None: it cannot."""

    review_at: AwareDatetime | None


class StepsPassedOver(Event, name="account.steps-passed-over"):
    """Steps that will never be sent about an item, each with its reason: missed, due before it was known, refused."""

    campaign_id: UUID
    plan_version: int
    steps: dict[str, str]
    item_id: UUID


class MessageQueued(Event, name="account.message-queued"):
    """A message is to leave now, about these items; the campaign version says which text."""

    message_id: UUID
    campaign_id: UUID
    plan_version: int
    step_id: str
    step_title: str
    channel: Channel
    point_id: str
    language: str
    items: tuple[CoveredItem, ...]
    amount: Money
    queued_at: AwareDatetime
    queued_on: date
    """The office's local date; an account gets one message a day."""


class ContactRefused(Event, name="account.contact-refused"):
    """A contact rule forbade a step; with the counts at that moment and when it may be tried again."""

    campaign_id: UUID
    step_id: str
    channel: Channel
    point_id: str | None
    rule_id: str
    detail: str
    until: AwareDatetime | None


class MessageDispatched(Event, name="account.message-dispatched"):
    """The message was claimed for sending. Without a result after it, nobody knows whether it left."""

    message_id: UUID


class MessageWithdrawn(Event, name="account.message-withdrawn"):
    """The message did not leave: something changed between queue and dispatch."""

    message_id: UUID
    step_id: str
    why: Why


class MessageSent(Event, name="account.message-sent"):
    """The carrier took the message. The hash is of the text as sent."""

    message_id: UUID
    step_id: str
    step_title: str
    channel: Channel
    subject: Personal | None
    body: Personal
    body_sha256: str
    carrier_reference: str | None
    sent_at: AwareDatetime
    sent_on: date
    """The office's local date."""


class MessageFailed(Event, name="account.message-failed", version=2):
    """The message could not be sent, for certain. `detail` is in the carrier's words, which may quote an address."""

    message_id: UUID
    step_id: str
    channel: Channel
    code: str
    detail: Personal


class MessageUncertain(Event, name="account.message-uncertain"):
    """The sender died between claim and result: the message may have left. A person decides; it is not repeated."""

    message_id: UUID
    step_id: str
    channel: Channel


class Excluded(Event, name="account.excluded"):
    """A person took the account out of auto-collection."""

    actor: str
    excluded_on: date


class ExclusionLifted(Event, name="account.exclusion-lifted"):
    """The account may be chased again and is judged anew."""


# --- casework ----------------------------------------------------------------------------------------


class FlagSet(Event, name="account.flag-set"):
    """The account carries a flag of its office."""

    flag: str


class FlagCleared(Event, name="account.flag-cleared"):
    """The account no longer carries the flag."""

    flag: str


class ActivityRecorded(Event, name="account.activity-recorded"):
    """Something was done about the account."""

    activity_id: UUID
    kind: ActivityKind
    direction: Direction
    disposition: Disposition | None = None
    notes: Personal | None = None
    assignee: str | None = None
    follow_up_on: date | None = None


class FollowUpCompleted(Event, name="account.follow-up-completed"):
    """Somebody came back to an activity as planned."""

    activity_id: UUID


class FollowUpFellDue(Event, name="account.follow-up-fell-due"):
    """The day to come back to an activity has come."""

    activity_id: UUID
    assignee: str | None


class DisputeOpened(Event, name="account.dispute-opened"):
    """The customer disputes these items; they are not chased until it is resolved."""

    dispute_id: UUID
    item_ids: tuple[UUID, ...]
    reason_code: str
    opened_on: date
    notes: Personal | None = None


class DisputeResolved(Event, name="account.dispute-resolved"):
    """The dispute is over and its items can be chased again."""

    dispute_id: UUID
    item_ids: tuple[UUID, ...]
    resolution: str


class HoldPlaced(Event, name="account.hold-placed"):
    """The chase rests, until the end of a day or until the hold is released."""

    hold_id: UUID
    code: str
    until: date | None


class HoldReleased(Event, name="account.hold-released"):
    """The chase goes on."""

    hold_id: UUID


class PromiseRegistered(Event, name="account.promise-registered"):
    """The account holds back the chase for what a promise covers."""

    promise_id: UUID
    made_on: date
    due_on: date
    amount: Money
    remaining: Money


class PromiseClosed(Event, name="account.promise-closed"):
    """A promise holds nothing back any more: kept, partially kept, broken, withdrawn or rescheduled."""

    promise_id: UUID
    outcome: str
    broken_promises: int

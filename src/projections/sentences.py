"""Every event in a sentence for people. No sentence names or quotes the customer: those stay in personal fields."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from aggregates import campaign, office, placement_file, promise, reader, template, work, workday
from aggregates.account.activities import ActivityRecorded, FollowUpCompleted, FollowUpFellDue
from aggregates.account.aging import Aged
from aggregates.account.allocation import AllocationDecided, AllocationDue, AllocationReleased, FundsAllocated
from aggregates.account.attachments import AttachmentAdded, AttachmentRemoved, CaseKind
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.bulk import BulkActionApplied, BulkActionUndone
from aggregates.account.calls import CallRefused, CallStarted
from aggregates.account.chase import ReviewScheduled, StageChanged, StepScheduled, StepsPassedOver, StepUnscheduled
from aggregates.account.collections_stage import CollectionsStageChanged
from aggregates.account.complaints import ComplaintAnswered, ComplaintClosed, ComplaintOverdue, ComplaintReceived
from aggregates.account.contact import (
    ConsentRecorded,
    ContactDetailsChanged,
    OptedIn,
    OptedOut,
    PointRefused,
    WishesShared,
)
from aggregates.account.contact_history import FACTS, ContactFactRecorded, ContactFactWithdrawn
from aggregates.account.customer import (
    AccountOpened,
    CustomerNumberChanged,
    CustomerParted,
    CustomerRenamed,
    CustomerShared,
    Subscription,
    SubscriptionRecorded,
)
from aggregates.account.deferred import FactArrived, FactDeferred, FactWithdrawn
from aggregates.account.dialling import CallDialled, CallNotPlaced, CallOver, CallPlaced, DialResult
from aggregates.account.disputes import DisputeOpened, DisputeOverdue, DisputeResolved
from aggregates.account.exclusion import Excluded, ExclusionLifted
from aggregates.account.fees import FeeGroundRecorded
from aggregates.account.flags import FlagCleared, FlagSet
from aggregates.account.freezing import AccountFrozen, AccountUnfrozen, SubscriptionsFrozen, SubscriptionsUnfrozen
from aggregates.account.holds import HoldPlaced, HoldReleased
from aggregates.account.inbound import MessageRead, MessageReceived, ReceiptRecorded
from aggregates.account.legal import LegalCaseMoved, LegalCaseNoted, LegalCaseOpened
from aggregates.account.messages import (
    ContactRefused,
    MessageDispatched,
    MessageFailed,
    MessageQueued,
    MessageResolved,
    MessageSent,
    MessageUncertain,
    MessageWithdrawn,
    MessageWritten,
)
from aggregates.account.payment_claims import (
    PaymentClaimAccepted,
    PaymentClaimed,
    PaymentClaimEnded,
    PaymentClaimOutcome,
)
from aggregates.account.payments import (
    CreditNoted,
    CreditWithdrawn,
    FundsRefunded,
    PaymentReceived,
    PaymentReversed,
    PaymentReversedInPart,
    RefundWithdrawn,
    ReversalWithdrawn,
)
from aggregates.account.placement import (
    AgencyPaymentPosted,
    Placed,
    PlacementAcknowledged,
    PlacementAdjusted,
    PlacementEnded,
    PlacementSent,
)
from aggregates.account.promises import PromiseClosed, PromiseRegistered
from aggregates.account.reallocation import FundsReallocated
from aggregates.account.receivables import ReversalKind, WriteOffChange
from aggregates.account.transfers import PaymentTransferred, TransferReturned
from aggregates.account.worklist import WorklistItemReassigned, WorklistItemSnoozed
from aggregates.account.write_offs import DebtWrittenOff, WriteOffReversed
from aggregates.bulk import action as bulk
from aggregates.bulk import schedule
from aggregates.bulk.part import RowsFrozen
from aggregates.kernel.event import Event
from aggregates.values.attachments import FILE_TYPES
from aggregates.values.contact import RuleRefusal
from aggregates.values.contact_record import Purpose
from aggregates.values.money import Money
from aggregates.values.stop_words import Request

Sentence = str | Callable[[Any], str]


def sentence(event: Event) -> str:
    """What happened, in a short sentence without personal data."""
    said = SENTENCES.get(type(event))
    if said is None:
        return _meaning(type(event))
    return said.format(e=event) if isinstance(said, str) else said(event)


@cache
def _meaning(event_class: type[Event]) -> str:
    """The first sentence of the event's docstring, which says what the event means."""
    said = " ".join((event_class.__doc__ or "").split())
    return said.partition(". ")[0].removesuffix(".")


def _reallocated(event: FundsReallocated) -> str:
    said = f"What money was put against since {event.from_day} worked out anew: {_count(len(event.moves), 'movement')}"
    recovered = [-each.amount for each in event.write_offs or () if each.change is WriteOffChange.RECOVERED]
    if not recovered:
        return said
    total = Money.total(recovered, recovered[0].currency)
    return (
        f"{said}; {total} of what is written off recovered"
        if total.minor > 0
        else (f"{said}; {-total} of what was recovered is written off again")
    )


def _parts(event: FundsAllocated | AllocationReleased) -> str:
    amount = Money.total((part.amount for part in event.parts), event.unapplied_after.currency)
    return f"{amount}, {_count(len(event.parts), 'item')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _subscriptions(numbers: tuple[str, ...]) -> str:
    return f"{'subscription' if len(numbers) == 1 else 'subscriptions'} {', '.join(numbers)}"


def _over(channel: str, point_id: str | None) -> str:
    return f"{channel} at {point_id}" if point_id else f"any {channel}"


def _corrected(event: InvoiceCorrected) -> str:
    """Says what of the invoice was wrong."""
    was, now = event.previous, event.item
    if now.is_withdrawn and not was.is_withdrawn:
        return f"Invoice {now.name} of {was.amount} withdrawn: it never was owed"
    if was.is_withdrawn and not now.is_withdrawn:
        return f"Invoice {now.name} stated again: {now.amount}, due on {now.due_on}"
    changes = [
        f"{what} {before} is {after}"
        for what, before, after in (
            ("amount", was.amount, now.amount),
            ("issued on", was.issued_on, now.issued_on),
            ("due on", was.due_on, now.due_on),
        )
        if before != after
    ]
    return f"Invoice {now.name} corrected: {'; '.join(changes) or 'its description changed'}"


def _recorded(subscription: Subscription) -> str:
    """All that is known of it, so that what changed is seen from the line before; and that it is not cancelled."""
    agreed, done = subscription.services_agreed, subscription.services_done
    of_agreed = "" if agreed is None else f" of {agreed}"
    services = "" if agreed is None and done is None else f"{done or 0}{of_agreed} services done"
    known = (
        ("", subscription.service_type),
        ("from ", subscription.started_on),
        ("to ", subscription.ends_on),
        ("initial discount ", subscription.initial_discount),
        ("", services),
    )
    said = [f"{what}{each}" for what, each in known if each]
    is_cancelled = "not cancelled" if subscription.cancelled_on is None else f"cancelled on {subscription.cancelled_on}"
    return f"Subscription {subscription.number} recorded: {', '.join([*said, is_cancelled])}"


def _stage(event: StageChanged) -> str:
    return f"Auto-collection stage is {event.stage or 'none'}: {event.why.detail}"


def _written(event: MessageWritten) -> str:
    if event.purpose is Purpose.OPT_OUT_CONFIRMATION:
        return f"Confirmation of the opt-out queued by {event.channel}"
    files = f", with {_count(len(event.attachments), 'file')}" if event.attachments else ""
    against = ", against the customer's preference" if event.ignores_preferences else ""
    return f"Message by hand queued by {event.channel} about {event.amount}{files}{against}"


def _message_received(event: MessageReceived) -> str:
    asks = {
        Request.STOP: ", asks for no more messages",
        Request.START: ", asks for messages again",
        Request.UNCLEAR: ", may ask for no more messages",
    }
    says = asks[event.request] if event.request is not None else ""
    return f"Message received by {event.channel}{says}{', written by a machine' if event.is_automatic else ''}"


def _read(event: MessageRead) -> str:
    said = {True: ": no more messages", False: ": no opt-out"}
    return f"A message received by {event.channel} was read{said[event.stops] if event.stops is not None else ''}"


_WISHES = frozenset({"opted-out", "consent-refused"})
"""What the customer does not want, by the names that accounts have for it; to the rules it is one."""


def _refused(event: ContactRefused) -> str:
    until = f"; not before {event.until:%Y-%m-%d %H:%M} UTC" if event.until else ""
    same = {event.rule_id, *(("medium-refused",) if event.rule_id in _WISHES else ())}
    others = [each.rule for each in event.refusals or () if each.rule not in same]
    too = f"; by {', '.join(others)} too" if others else ""
    return f"Step {event.step_id} by {event.channel} refused by rule {event.rule_id}: {event.detail}{too}{until}"


def _call_started(event: CallStarted) -> str:
    lifted = f"; lifted: {_rules(event.overridden)}" if event.overridden else ""
    return f"Call to {event.point_id} started{lifted}"


def _rules(refusals: Iterable[RuleRefusal]) -> str:
    return "; ".join(f"{each.rule} ({each.basis}): {each.detail}" for each in refusals)


def _fact(event: ContactFactRecorded) -> str:
    fact = event.fact
    said = [
        *([fact.channel.value] if fact.channel else []),
        *([fact.form.value] if fact.form else []),
        *([f"chapter {fact.chapter}"] if fact.chapter else []),
        *(["refusal to pay"] if fact.refusal_to_pay else []),
        *(["not certain"] if fact.clear is False else []),
        *(["reassigned" if fact.reassigned else "not reassigned"] if fact.reassigned is not None else []),
    ]
    return FACTS[fact.kind].says + (f" ({', '.join(said)})" if said else "")


def _which(event: MessageWithdrawn | MessageSent | MessageFailed | MessageUncertain | MessageResolved) -> str:
    """A message by its step."""
    return event.step_id or "by hand"


def _activity(event: ActivityRecorded) -> str:
    name = event.kind.replace("-", " ").capitalize()
    details = [event.direction.value, *([event.disposition.replace("-", " ")] if event.disposition else [])]
    at = f", at {event.follow_up_at:%Y-%m-%d %H:%M} UTC" if event.follow_up_at else ""
    follow_up = f"; follow up on {event.follow_up_on}{at}" if event.follow_up_on else ""
    corrected = " corrected" if event.corrects else ""
    broken = f"; broke {_rules(event.violations)}" if event.violations else ""
    return f"{name}{corrected} ({', '.join(details)}){follow_up}{broken}"


def _dispute(event: DisputeOpened) -> str:
    items, parts = len(event.item_ids), [str(part.amount) for part in event.parts or ()]
    which = f"{len(parts)} of them " if items > 1 else ""
    in_part = f", {which}in part ({'; '.join(parts)})" if parts else ""
    by = f", to be resolved by {event.answer_by}" if event.answer_by else ""
    return f"Dispute opened over {_count(items, 'item')}{in_part}: {event.reason_code}{by}"


def _hold(event: HoldPlaced) -> str:
    since = f", since {event.begins_on}" if event.begins_on else ""
    until = f", until {event.until}" if event.until else ""
    return f"Hold placed{_on_items(event.item_ids)}: {event.code}{since}{until}"


def _on_items(item_ids: Sequence[object] | None) -> str:
    return f" on {_count(len(item_ids), 'item')}" if item_ids else ""


def _about(event: AttachmentAdded) -> str:
    return f" to a {CASES[event.about.kind]}" if event.about else ""


def _type(media_type: str) -> str:
    known = FILE_TYPES.get(media_type)
    return known.title if known is not None else media_type


def _size(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB" if size >= 100_000 else f"{size / 1_000:,.1f} kB"


def _cost(cost: Money | None) -> str:
    return f"; cost {cost}" if cost else ""


def _received(event: PaymentReceived) -> str:
    """Money that came from another account of the office names its payment there."""
    receipt = event.receipt
    said = f"Payment {receipt.number} of {receipt.amount} received"
    if (source := receipt.transferred_from) is not None:
        return f"{said}: transferred from account {source.account_name}, payment {source.number}"
    if (wrong := event.moved_from) is not None:
        return f"{said}: moved here from account {wrong.account_name}, where it was booked by mistake"
    return said


def _reversed(event: PaymentReversed) -> str:
    receipt = event.receipt
    said = f"Payment {receipt.number} of {receipt.amount}"
    if (right := event.moved_to) is not None:
        return f"{said} moved to account {right.account_name}: booked here by mistake"
    if (source := receipt.transferred_from) is not None:
        why = "withdrawn" if event.reversal is ReversalKind.ERROR else f"the payment was {REVERSALS[event.reversal]}"
        return f"{said}, transferred from account {source.account_name}, went back there: {why}"
    return f"{said} {REVERSALS[event.reversal]}"


def _promised(event: promise.PromiseMade) -> str:
    return f"{promise.promised_amount(event.instalments)} promised by {max(i.due_on for i in event.instalments)}"


def _missed(instalment: promise.Instalment | None) -> str:
    return f"; in default since the instalment of {instalment.amount}, due on {instalment.due_on}" if instalment else ""


REVERSALS: dict[ReversalKind | None, str] = {
    None: "given back",
    ReversalKind.NSF: "returned unpaid",
    ReversalKind.CHARGEBACK: "charged back",
    ReversalKind.REFUND: "refunded",
    ReversalKind.ERROR: "taken out: recorded in error",
}


DIALLED: dict[DialResult, str] = {
    DialResult.ANSWERED: "answered",
    DialResult.BUSY: "busy",
    DialResult.NO_ANSWER: "no answer",
    DialResult.FAILED: "it failed",
    DialResult.AGENT_AWAY: "the agent did not answer, nobody was called",
}

CASES: dict[CaseKind, str] = {
    CaseKind.DISPUTE: "dispute",
    CaseKind.CLAIM: "payment claim",
    CaseKind.LEGAL: "legal case",
}

CLAIM_OUTCOMES: dict[PaymentClaimOutcome, str] = {
    PaymentClaimOutcome.SETTLED: "it is",
    PaymentClaimOutcome.REJECTED: "it is not",
    PaymentClaimOutcome.LAPSED: "no payment came in time",
}


def _shared(event: WishesShared) -> str:
    opted_out = ", ".join(_over(each.channel, each.point_id) for each in event.opt_outs)
    said = f"opted out of {opted_out}" if opted_out else "no opt-out is in force"
    return f"Said on another account of the customer: {said}; consents as said there"


SENTENCES: dict[type[Event], Sentence] = {
    # Of any other event its docstring's first sentence is said.
    # the customer
    AccountOpened: "Account {e.account_name} opened in {e.currency}",
    CustomerNumberChanged: "Account is of customer {e.customer_number} from now on",
    CustomerShared: "Customer has account {e.other.name} as well",
    CustomerParted: "Another account is not of this customer any more",
    CustomerRenamed: "Customer's name or classification changed",
    ContactDetailsChanged: "Contact details changed",
    ConsentRecorded: "Consent for {e.channel} at {e.point_id} is {e.consent}",
    OptedOut: lambda e: f"Customer opted out of {_over(e.channel, e.point_id)}",
    PointRefused: "No {e.channel} any more at a number or address: other accounts that have it are told",
    WishesShared: _shared,
    CallStarted: _call_started,
    CallRefused: lambda e: f"Call to {e.point_id} refused by {_rules(e.refusals)}",
    CallDialled: "The carrier is asked to place the call",
    CallPlaced: "The carrier placed the call",
    CallNotPlaced: "The carrier did not place the call: {e.code}",
    CallOver: lambda e: (
        f"The call is over: {DIALLED[e.result]}{f', {e.seconds} seconds' if e.seconds is not None else ''}"
    ),
    ContactFactRecorded: _fact,
    ContactFactWithdrawn: lambda e: f"Withdrawn: {FACTS[e.kind].says}",
    OptedIn: lambda e: f"Customer opted in to {_over(e.channel, e.point_id)}",
    SubscriptionRecorded: lambda e: _recorded(e.subscription),
    # receivables
    InvoiceBilled: "Invoice {e.item.name} of {e.item.amount}, due on {e.item.due_on}",
    InvoiceCorrected: _corrected,
    CreditNoted: "Credit {e.receipt.number} of {e.receipt.amount} given",
    PaymentReceived: _received,
    FundsAllocated: lambda e: f"Funds allocated: {_parts(e)}",
    AllocationReleased: lambda e: f"Allocation of {e.receipt.number} taken back: {_parts(e)}",
    AllocationDue: "A fact of {e.from_day} was booked late; what money was put against since is worked out anew",
    AllocationDecided: "{e.amount} put against an invoice as of {e.allocated_on} by a person's decision",
    FundsReallocated: _reallocated,
    DebtWrittenOff: lambda e: (
        f"{e.amount} written off ({e.code}, {e.number}), {'claim kept' if e.keeps_claim else 'claim released'}"
    ),
    WriteOffReversed: "Write-off {e.number} ({e.code}) reversed as of {e.reversed_on}: {e.amount} open again",
    PaymentReversedInPart: lambda e: (
        f"{e.part.amount} of payment {e.receipt.number} {REVERSALS[e.part.reversal]}, {e.remaining} remains"
    ),
    ReversalWithdrawn: lambda e: (
        f"{e.part.amount} of payment {e.receipt.number} was not {REVERSALS[e.part.reversal]} on {e.part.gone_on}"
    ),
    FundsRefunded: "{e.part.amount} of {e.receipt.kind} {e.receipt.number} given back to the customer",
    RefundWithdrawn: "{e.part.amount} of {e.receipt.kind} {e.receipt.number} was not given back on {e.part.gone_on}",
    PaymentReversed: _reversed,
    PaymentTransferred: (
        "{e.amount} of payment {e.receipt.number} transferred to account {e.to.account_name}, payment {e.to.number}"
    ),
    TransferReturned: (
        "{e.amount} of payment {e.receipt.number} is back from account {e.to.account_name}, payment {e.to.number}"
    ),
    CreditWithdrawn: "Credit {e.receipt.number} of {e.receipt.amount} taken out: given in error",
    FactDeferred: "A {e.command_name} waits for {e.arrives_on}",
    FactArrived: "The day of a deferred fact has come",
    FactWithdrawn: "A deferred fact was taken out: it never was",
    Aged: "Aged from {e.previous_bucket} to {e.bucket}, {e.days_past_due} days past due",
    # auto-collection
    StageChanged: _stage,
    StepScheduled: "Step {e.step.step_id} ({e.step.title}) planned for {e.step.due_at:%Y-%m-%d %H:%M} UTC",
    StepUnscheduled: "Step {e.step_id} is not planned any more: {e.why.detail}",
    ReviewScheduled: lambda e: (
        f"To be judged again at {e.review_at:%Y-%m-%d %H:%M} UTC" if e.review_at else "No review is planned any more"
    ),
    StepsPassedOver: lambda e: "Passed over: " + ", ".join(f"{step} ({why})" for step, why in e.steps.items()),
    MessageQueued: "Message {e.step_id} ({e.step_title}) queued by {e.channel} about {e.amount}",
    ContactRefused: _refused,
    MessageWritten: _written,
    MessageDispatched: "Message claimed for sending",
    MessageWithdrawn: lambda e: f"Message {_which(e)} withdrawn: {e.why.detail}",
    MessageSent: lambda e: f"Message {_which(e)}{f' ({e.step_title})' if e.step_title else ''} sent by {e.channel}",
    MessageFailed: lambda e: f"Message {_which(e)} by {e.channel} failed: {e.code}",
    MessageUncertain: lambda e: f"Message {_which(e)} by {e.channel} is uncertain: it may have left",
    MessageResolved: lambda e: (
        f"Message {_which(e)} by {e.channel} {'left' if e.was_sent else 'did not leave'}, as was found out"
    ),
    MessageReceived: _message_received,
    MessageRead: _read,
    ReceiptRecorded: lambda e: (
        f"The carrier reports of a message by {e.channel}: {e.receipt}{f' ({e.code})' if e.code else ''}"
    ),
    Excluded: "Taken out of auto-collection",
    ExclusionLifted: "May be chased again",
    # casework
    FlagSet: "Flag {e.flag} set",
    FlagCleared: "Flag {e.flag} cleared",
    ActivityRecorded: _activity,
    FollowUpCompleted: "Follow-up done",
    FollowUpFellDue: "Follow-up fell due",
    DisputeOpened: _dispute,
    DisputeOverdue: "Dispute was not resolved by {e.answer_by}",
    DisputeResolved: lambda e: (
        f"Dispute resolved{f' in favour of the {e.in_favour_of}' if e.in_favour_of else ''}: {e.resolution}"
    ),
    HoldPlaced: _hold,
    HoldReleased: "Hold released",
    ComplaintReceived: lambda e: (
        f"Complaint ({e.kind}) received by {e.medium}, to be answered by {e.answer_by}"
        f"{'' if e.rests else '; the chase goes on'}"
    ),
    ComplaintAnswered: "Complaint answered on {e.answered_on}",
    ComplaintOverdue: "Complaint was not answered by {e.answer_by}",
    ComplaintClosed: lambda e: f"Complaint closed: {e.outcome.replace('-', ' ')}",
    AttachmentAdded: lambda e: f"File added{_about(e)}: {_type(e.media_type)}, {_size(e.size)}",
    AttachmentRemoved: "File removed",
    LegalCaseOpened: lambda e: f"{e.kind.capitalize()} prepared{_on_items(e.item_ids)}{_cost(e.cost)}",
    LegalCaseMoved: lambda e: f"{e.kind.capitalize()}: {e.state}{_cost(e.cost)}",
    LegalCaseNoted: lambda e: f"Legal case noted: {_count(len(e.documents), 'document')}{_cost(e.cost)}",
    PaymentClaimed: lambda e: (
        f"Customer says {e.expected} is paid{_on_items(e.item_ids)}{f' since {e.paid_on}' if e.paid_on else ''};"
        f" checked until {e.until}"
    ),
    PaymentClaimAccepted: "Found to be paid; to be booked until {e.until}",
    PaymentClaimEnded: lambda e: f"Check of what the customer says is paid is over: {CLAIM_OUTCOMES[e.outcome]}",
    PromiseRegistered: "Chase held back for a promise of {e.amount} due on {e.due_on}",
    PromiseClosed: "Promise holds nothing back any more: {e.outcome}",
    # promises
    promise.PromiseMade: _promised,
    promise.PromiseRescheduled: lambda e: f"Promise moved to {max(i.due_on for i in e.instalments)}",
    promise.PromisePaymentCounted: "{e.amount} counted towards the promise, {e.received_after} in all",
    promise.PromisePaymentTakenBack: "{e.amount} was taken back from the promise, {e.received_after} is left",
    promise.PromiseKept: "Promise kept: {e.received} received",
    promise.PromisePartiallyKept: lambda e: (
        f"Promise partially kept: {e.received} of {e.promised} received{_missed(e.missed)}"
    ),
    promise.PromiseBroken: lambda e: f"Promise of {e.promised} broken{_missed(e.missed)}",
    promise.PromiseWithdrawn: "Promise withdrawn",
    promise.PromiseReopened: "Promise open again: what had come in of it is different",
    # campaigns
    campaign.CampaignLaunched: lambda e: f"Campaign {e.title} launched with {_count(len(e.plan.steps), 'step')}",
    campaign.CampaignRevised: "Campaign revised to version {e.plan_version}",
    campaign.CampaignPaused: lambda e: f"Campaign paused {_pause(e)}",
    campaign.CampaignResumed: "Campaign resumed",
    campaign.CampaignRetired: "Campaign ended for good",
    # the office
    office.OfficeOpened: "Office {e.code} ({e.title}) opened: {e.currency}, {e.time_zone}",
    office.AgingBucketsSet: lambda e: f"Aging buckets are {', '.join(e.scheme.names)}",
    office.FlagsDefined: lambda e: f"Flags are {', '.join(sorted(e.flags)) or 'none'}",
    office.DeliveryLimitsSet: lambda e: (
        f"Delivery limits: {e.limits.max_per_minute} messages a minute"
        + (f", {e.limits.max_per_day} a day" if e.limits.max_per_day is not None else "")
    ),
    office.CalendarSet: "Calendar changed; messages leave from {e.window.opens:%H:%M} to {e.window.closes:%H:%M}",
    office.CaseworkRulesSet: lambda e: (
        f"Payment claims are checked for {e.rules.claim_days} days, complaints answered in {e.rules.complaint_days};"
        f" the chase of who is sued {'rests' if e.rules.suit_rests else 'goes on'}"
    ),
    office.PromiseRulesSet: "Promises are judged after {e.grace_days} days of grace",
    office.FeeServiceTypesSet: lambda e: f"Fee service types are {', '.join(sorted(e.service_types)) or 'none'}",
    office.TimeZoneChanged: "Time zone is {e.time_zone}",
    office.ContactRulesSet: lambda e: (
        f"Contact rules are those of {e.contact.role.replace('_', ' ')} collection"
        + (f" of {e.contact.debt_type} debt" if e.contact.debt_type else "")
        + (f"; chosen: {', '.join(sorted(e.contact.rules))}" if e.contact.rules else "")
    ),
    office.DispositionsDefined: lambda e: f"Dispositions are {', '.join(sorted(e.dispositions)) or 'none'}",
    office.CampaignRegistered: "A campaign was added to the office",
    office.AutomationPaused: lambda e: f"Automation paused {_pause(e)}",
    office.AutomationResumed: "Automation resumed",
    office.TemplateRegistered: "A template was added to the office",
    # templates
    template.TemplateSaved: "Template {e.name} saved as version {e.template_version}: {e.channel}, {e.tone}",
    template.TemplateRetired: "Template retired",
    # readers of the log
    reader.EventDiscarded: "{e.discarded_event_name} at position {e.position} given up for {e.reader}",
    reader.MessageSkipped: "Message {e.partition}/{e.offset} of {e.topic} passed over for {e.reader}",
    # work over many accounts
    work.WorkBegun: lambda e: (
        f"Work begun: {e.command} for "
        + (
            f"every account of bulk action {e.bulk_id}"
            if e.bulk_id
            else f"every account opened up to position {e.cause_position}"
        )
    ),
    work.WorkFinished: "Work finished: {e.done} accounts done, {e.refused} refused, {e.failed} failed",
    work.WorkCancelled: "Work cancelled: no further account is asked",
    WorklistItemSnoozed: "Put off on the worklist until {e.until:%Y-%m-%d %H:%M} UTC",
    WorklistItemReassigned: lambda e: (
        f"Given to {e.assignee or 'nobody'} on the worklist{f', was with {e.previous}' if e.previous else ''}"
    ),
    workday.WorkdayClosed: lambda e: (
        f"{e.agent} closed {e.day}: {_count(e.contacts, 'contact')}, {_count(e.follow_ups, 'follow-up')}, {e.left} left"
    ),
    CollectionsStageChanged: "Collections stage is {e.stage}",
    FeeGroundRecorded: lambda e: "Fees are allowed by " + (e.ground or "nothing that is recorded"),
    office.FeeRulesSet: "Fees are due after {e.rules.terms_days} days",
    # placements
    Placed: "Placed with agency {e.agency}: {e.balance}",
    PlacementSent: "Agency {e.agency} was told of the account",
    PlacementAcknowledged: lambda e: (
        f"Agency {e.agency} took the account{f' as {e.agency_number}' if e.agency_number else ''}"
    ),
    PlacementAdjusted: "Agency {e.agency} says that it adjusted the account by {e.amount} ({e.reference})",
    AgencyPaymentPosted: "Agency {e.agency} collected {e.amount} ({e.reference}); its commission is {e.commission}",
    PlacementEnded: lambda e: f"Not with agency {e.agency} any more: {e.end}{f' ({e.code})' if e.code else ''}",
    placement_file.FileRequested: lambda e: f"Placement file {e.name} is to be made for agency {e.agency}",
    placement_file.FileMade: lambda e: f"Placement file made: {_count(e.accounts, 'account')}, {e.total}",
    placement_file.FileDeliveryBegun: "Placement file is handed over",
    placement_file.FileDeliveryFailed: "Placement file was not taken: {e.detail}",
    placement_file.FileDelivered: "Placement file delivered to agency {e.agency}; acknowledged by {e.acknowledge_by}",
    placement_file.FileUncertain: "Placement file may have arrived: {e.detail}",
    placement_file.FileRedelivered: "Placement file is to be handed over again",
    placement_file.FileAcknowledged: lambda e: (
        f"Agency received {_count(e.accounts, 'account')}, {e.total}: "
        + ("as in the file" if e.matches else "not what was in the file")
    ),
    placement_file.FileOverdue: lambda e: (
        f"Agency {e.agency} did not say by {e.acknowledge_by} that it received the file"
        + (": it said something else" if e.differs else "")
    ),
    office.AgencySet: lambda e: f"Agency {e.code} {'is retired' if e.agency.retired else f'is {e.agency.title}'}",
    office.FilterSaved: "Filter {e.name} is kept",
    office.FilterRemoved: "Filter {e.name} is kept no longer",
    AccountFrozen: "Account frozen ({e.code})",
    AccountUnfrozen: "Account active again",
    SubscriptionsFrozen: lambda e: f"Frozen ({e.code}): {_subscriptions(e.numbers)}",
    SubscriptionsUnfrozen: lambda e: "; ".join(
        [
            *([f"Active again: {_subscriptions(e.numbers)}"] if e.numbers else []),
            *(f"Subscription {number} left as it is: {why.in_words}" for number, why in e.left.items()),
        ]
    ),
    office.OfficeAddressSet: lambda e: f"Office is at {', '.join(e.address)}" if e.address else "Office has no address",
    office.CallScriptSet: lambda e: (
        f"Script of calls set: {_count(len(e.lines), 'line')}" if e.lines else "Script of calls is the standard"
    ),
    office.FreezeReasonsSet: lambda e: f"Accounts are frozen for {', '.join(sorted(e.reasons)) or 'nothing'}",
    # bulk actions
    BulkActionApplied: lambda e: f"Bulk action {e.kind}: {_came(e)}",
    BulkActionUndone: lambda e: f"Bulk action {e.kind} undone: {_came(e)}",
    RowsFrozen: lambda e: f"Preview of a bulk action: {_count(len(e.rows), 'account')} as shown, part {e.number}",
    bulk.BulkPreviewed: lambda e: f"Bulk action {e.kind} previewed: {_count(e.accounts, 'account')}",
    bulk.BulkExported: lambda e: f"Collections report taken as {e.format}: {_count(e.rows, 'account')}",
    bulk.BulkConfirmed: lambda e: (
        f"Bulk action {e.kind} confirmed"
        + (f", without {_count(e.changed, 'account')} that changed" if e.changed else "")
    ),
    schedule.BulkScheduled: lambda e: (
        f"Bulk action {e.kind} scheduled on filter {e.filter}, "
        + (f"every {e.recurrence.every} from {e.due_on}" if e.recurrence else f"once at {e.due_at}")
        + f", for at most {_count(e.most_accounts, 'account')}"
    ),
    schedule.ScheduleFellDue: "Scheduled bulk action is due",
    schedule.ScheduleRan: lambda e: (
        f"Scheduled bulk action {e.outcome}: {_count(e.accounts, 'account')}{f'; {e.detail}' if e.detail else ''}"
    ),
    schedule.ScheduleCancelled: "Schedule of a bulk action ended",
    bulk.BulkFinished: (
        "Bulk action finished: {e.done} done, {e.changed} changed, {e.refused} refused, {e.skipped} skipped"
    ),
    bulk.BulkCancelled: "Bulk action cancelled: no further account is asked",
    bulk.BulkUndoBegun: lambda e: (
        "Bulk action is undone on every account that it changed"
        + (f" and that did not reverse it yet, attempt {e.attempt}" if e.attempt else "")
    ),
    bulk.BulkUndone: "Bulk action undone: {e.done} accounts; {e.changed} were changed since, and keep that",
}


def _came(event: BulkActionApplied | BulkActionUndone) -> str:
    return f"{event.outcome}{f': {event.detail}' if event.detail else ''}"


def _pause(event: campaign.CampaignPaused | office.AutomationPaused) -> str:
    until = f"{event.paused_until:%Y-%m-%d %H:%M} UTC" if event.paused_until else "it is resumed"
    return f"from {event.paused_from:%Y-%m-%d %H:%M} UTC until {until}"

"""From what happened about an account to its activity history."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from aggregates.account import Account
from aggregates.account.activities import (
    CHANNELS,
    ActivityKind,
    ActivityRecorded,
    Direction,
    FollowUpCompleted,
    FollowUpFellDue,
)
from aggregates.account.aging import Aged
from aggregates.account.allocation import AllocationDecided, AllocationDue, AllocationReleased, FundsAllocated
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.bulk import BulkActionApplied, BulkActionUndone
from aggregates.account.calls import CallRefused, CallStarted
from aggregates.account.chase import ReviewScheduled, StageChanged, StepScheduled, StepsPassedOver, StepUnscheduled
from aggregates.account.contact import ConsentRecorded, OptedIn, OptedOut
from aggregates.account.contact_history import ContactFactRecorded
from aggregates.account.customer import AccountOpened, CustomerRenamed, SubscriptionRecorded
from aggregates.account.deferred import FactArrived, FactDeferred, FactWithdrawn
from aggregates.account.dialling import CallDialled, CallPlaced
from aggregates.account.disputes import DisputeOpened, DisputeResolved
from aggregates.account.holds import HoldPlaced, HoldReleased
from aggregates.account.inbound import MessageRead, MessageReceived, ReceiptRecorded
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
from aggregates.account.promises import PromiseClosed, PromiseRegistered
from aggregates.account.reallocation import FundsReallocated
from aggregates.account.transfers import PaymentTransferred, TransferReturned
from aggregates.account.write_offs import DebtWrittenOff, WriteOffReversed
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.event import Event, Recorded
from aggregates.promise import PromiseMade, PromisePaymentCounted, PromisePaymentTakenBack, PromiseToPay
from aggregates.values.contact import Channel
from projections.batch import EventProjection, Table, on
from projections.opening import without_nul
from projections.sentences import sentence

_ACTIVITY_HISTORY = Table(
    "activity_history",
    key="position",
    columns=[
        "position bigint", "event_id uuid", "account_id uuid", "occurred_at timestamptz", "recorded_at timestamptz",
        "effective_on date", "kind text", "channel text", "direction text", "disposition text", "summary text",
        "has_notes boolean", "assignee text", "follow_up_on date", "actor text", "campaign_id uuid",
        "plan_version integer", "ref_id uuid", "corrects uuid", "undocumented boolean",
    ],
)  # fmt: skip

_QUEUED = """
    SELECT ref_id, channel, campaign_id, plan_version
    FROM activity_history
    WHERE kind IN ('message-queued', 'message-written') AND ref_id = ANY (%s)
"""

LEFT_OUT: frozenset[type[Event]] = frozenset(
    {
        # They are about the customer's record, not about the chase.
        CustomerRenamed,
        SubscriptionRecorded,
        # What becomes of money once it came in, and what bills say: the statement and the audit trail have it.
        InvoiceBilled,
        FundsAllocated,
        AllocationReleased,
        AllocationDecided,
        AllocationDue,
        FundsReallocated,
        PromisePaymentCounted,
        PromisePaymentTakenBack,
        # They wait for a day, or follow from one.
        FactDeferred,
        FactArrived,
        FactWithdrawn,
        Aged,
        ReviewScheduled,
        StepScheduled,
        StepUnscheduled,
        StepsPassedOver,
        # The promise, or the message, has an entry of its own for the same.
        PromiseRegistered,
        PromiseClosed,
        MessageDispatched,
        # The call that has begun has an entry, and so has how it ended.
        CallDialled,
        CallPlaced,
        # What a bulk action changed has entries of its own; the audit trail and the action say what came of the rest.
        BulkActionApplied,
        BulkActionUndone,
    }
)
"""Events of an account or a promise that are no activity. Every other one has an entry."""

Part = (
    PaymentReversedInPart | FundsRefunded | ReversalWithdrawn | RefundWithdrawn | PaymentTransferred | TransferReturned
)

NAMED_OTHERWISE: dict[type[Event], str] = {AccountOpened: "account-opened"}
"""Kinds of entries that are not made from the event's name."""


def kind_of(event_class: type[Event]) -> str:
    """The kind of an event's entry: `account.flag-set` is a `flag-set`, `promise.kept` a `promise-kept`."""
    name = event_class.event_name.removeprefix("account.").replace(".", "-")
    return NAMED_OTHERWISE.get(event_class, name)


def _events_of(*aggregate_classes: type[Aggregate]) -> tuple[type[Event], ...]:
    """The events of these aggregates that have entries."""
    return tuple(e for each in aggregate_classes for e in each.events() if e not in LEFT_OUT)


KINDS: frozenset[str] = frozenset(
    {
        *(kind_of(each) for each in _events_of(Account, PromiseToPay)),
        *(each.value for each in ActivityKind),
        # Told of an event by another name.
        "consent",
        "payment",
        "credit",
        "invoice-withdrawn",
        "invoice-stated-again",
        "message-receipt",
    }
)
"""Every kind that an entry may have; entries of earlier releases may have others."""


@dataclass(slots=True)
class Entry:
    """A row of the history; what is None does not apply. Of notes it is stored that there are some."""

    recorded: Recorded
    kind: str
    occurred_at: datetime | None = None
    channel: str | None = None
    direction: str | None = None
    disposition: str | None = None
    notes: str | None = None
    assignee: str | None = None
    follow_up_on: date | None = None
    campaign_id: UUID | None = None
    plan_version: int | None = None
    ref_id: UUID | None = None
    corrects: UUID | None = None
    undocumented: bool = False

    def row(self) -> tuple[object, ...]:
        recorded = self.recorded
        return (
            recorded.position, recorded.event_id, recorded.account_id, self.occurred_at or recorded.recorded_at,
            recorded.recorded_at, recorded.effective_on, self.kind, self.channel, self.direction, self.disposition,
            sentence(recorded.event), bool(self.notes), self.assignee, self.follow_up_on, recorded.meta.actor,
            self.campaign_id, self.plan_version, self.ref_id, self.corrects, self.undocumented,
        )  # fmt: skip


@dataclass(slots=True)
class HistoryRows:
    """What a batch adds to the history."""

    entries: list[Entry] = field(default_factory=list)
    about_messages: list[Entry] = field(default_factory=list)
    """Entries about a message whose queuing says the campaign and channel."""
    queued: dict[UUID, tuple[str, UUID | None, int | None]] = field(default_factory=dict)

    def add(self, recorded: Recorded, kind: str, **says: Any) -> Entry:
        entry = Entry(recorded, kind, **says)
        self.entries.append(entry)
        return entry

    def about_message(self, recorded: Recorded, kind: str, message_id: UUID, **says: Any) -> None:
        entry = self.add(recorded, kind, direction=Direction.OUTBOUND, ref_id=message_id, **says)
        self.about_messages.append(entry)

    def write(self, connection: Connection[Any]) -> None:
        self._find_campaigns(connection)
        _ACTIVITY_HISTORY.add(connection, [entry.row() for entry in self.entries])

    def _find_campaigns(self, connection: Connection[Any]) -> None:
        earlier = [e.ref_id for e in self.about_messages if e.ref_id not in self.queued]
        if earlier:
            with connection.cursor(row_factory=tuple_row) as cursor:
                for message_id, *queued in cursor.execute(_QUEUED, [earlier], prepare=True):
                    self.queued[message_id] = (queued[0], queued[1], queued[2])
        for entry in self.about_messages:
            if entry.ref_id in self.queued:
                entry.channel, entry.campaign_id, entry.plan_version = self.queued[entry.ref_id]


class ActivityHistoryProjection(EventProjection):
    """One row per thing done about an account."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "activity_history"
    version: ClassVar[int] = 6
    public: ClassVar[tuple[str, ...]] = ("activity_history",)

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        rows = HistoryRows()
        self.tell(batch, rows)
        rows.write(connection)

    @on(*_events_of(Account, PromiseToPay))
    def _happened(self, recorded: Recorded, event: Event, rows: HistoryRows) -> None:
        """There is nothing to say but that it happened, and why; the methods below say more of theirs."""
        ref_id = recorded.aggregate_id if recorded.aggregate_id != recorded.account_id else None
        rows.add(recorded, kind_of(type(event)), ref_id=ref_id, notes=recorded.meta.reason)

    # --- the customer ---

    @on(ConsentRecorded)
    def _consent(self, recorded: Recorded, event: ConsentRecorded, rows: HistoryRows) -> None:
        rows.add(recorded, "consent", channel=event.channel)

    @on(OptedOut)
    def _opted_out(self, recorded: Recorded, event: OptedOut, rows: HistoryRows) -> None:
        rows.add(recorded, "opted-out", channel=event.channel)

    @on(OptedIn)
    def _opted_in(self, recorded: Recorded, event: OptedIn, rows: HistoryRows) -> None:
        rows.add(recorded, "opted-in", channel=event.channel)

    # --- money ---

    @on(InvoiceCorrected)
    def _invoice_withdrawn(self, recorded: Recorded, event: InvoiceCorrected, rows: HistoryRows) -> None:
        """Only that it was withdrawn, or lives again: other corrections are what bills say."""
        if event.item.is_withdrawn != event.previous.is_withdrawn:
            kind = "invoice-withdrawn" if event.item.is_withdrawn else "invoice-stated-again"
            rows.add(recorded, kind, ref_id=event.item.id, notes=recorded.meta.reason)

    @on(PaymentReceived)
    def _payment(self, recorded: Recorded, event: PaymentReceived, rows: HistoryRows) -> None:
        rows.add(recorded, "payment", ref_id=event.receipt.id)

    @on(PaymentReversed)
    def _reversed(self, recorded: Recorded, event: PaymentReversed, rows: HistoryRows) -> None:
        rows.add(recorded, "payment-reversed", ref_id=event.receipt.id)

    @on(PaymentReversedInPart, FundsRefunded, ReversalWithdrawn, RefundWithdrawn, PaymentTransferred, TransferReturned)
    def _part_went(self, recorded: Recorded, event: Part, rows: HistoryRows) -> None:
        rows.add(recorded, kind_of(type(event)), ref_id=event.receipt.id, notes=recorded.meta.reason)

    @on(CreditNoted)
    def _credit(self, recorded: Recorded, event: CreditNoted, rows: HistoryRows) -> None:
        rows.add(recorded, "credit", ref_id=event.receipt.id)

    @on(DebtWrittenOff, WriteOffReversed)
    def _written_off(self, recorded: Recorded, event: DebtWrittenOff | WriteOffReversed, rows: HistoryRows) -> None:
        rows.add(recorded, kind_of(type(event)), ref_id=event.write_off_id, notes=recorded.meta.reason)

    @on(CreditWithdrawn)
    def _credit_withdrawn(self, recorded: Recorded, event: CreditWithdrawn, rows: HistoryRows) -> None:
        rows.add(recorded, "credit-withdrawn", ref_id=event.receipt.id)

    # --- auto-collection ---

    @on(StageChanged)
    def _stage(self, recorded: Recorded, event: StageChanged, rows: HistoryRows) -> None:
        rows.add(recorded, "stage-changed", campaign_id=event.campaign_id, plan_version=event.plan_version)

    @on(MessageQueued)
    def _queued(self, recorded: Recorded, event: MessageQueued, rows: HistoryRows) -> None:
        rows.queued[event.message_id] = (event.channel, event.campaign_id, event.plan_version)
        rows.about_message(recorded, "message-queued", event.message_id, occurred_at=event.queued_at)

    @on(MessageWritten)
    def _written(self, recorded: Recorded, event: MessageWritten, rows: HistoryRows) -> None:
        said = "\n\n".join(part for part in (event.subject, event.body, recorded.meta.reason) if part)
        rows.queued[event.message_id] = (event.channel, None, None)
        rows.about_message(recorded, "message-written", event.message_id, occurred_at=event.queued_at, notes=said)

    @on(MessageSent)
    def _sent(self, recorded: Recorded, event: MessageSent, rows: HistoryRows) -> None:
        said = "\n\n".join(part for part in (event.subject, event.body) if part)
        rows.about_message(
            recorded, "message-sent", event.message_id, occurred_at=event.sent_at, channel=event.channel, notes=said
        )

    @on(MessageWithdrawn)
    def _message_withdrawn(self, recorded: Recorded, event: MessageWithdrawn, rows: HistoryRows) -> None:
        rows.about_message(recorded, "message-withdrawn", event.message_id)

    @on(MessageFailed)
    def _failed(self, recorded: Recorded, event: MessageFailed, rows: HistoryRows) -> None:
        rows.about_message(recorded, "message-failed", event.message_id, channel=event.channel, notes=event.detail)

    @on(MessageUncertain)
    def _uncertain(self, recorded: Recorded, event: MessageUncertain, rows: HistoryRows) -> None:
        rows.about_message(recorded, "message-uncertain", event.message_id, channel=event.channel)

    @on(MessageResolved)
    def _resolved(self, recorded: Recorded, event: MessageResolved, rows: HistoryRows) -> None:
        rows.about_message(
            recorded, "message-resolved", event.message_id, channel=event.channel, notes=recorded.meta.reason
        )

    @on(MessageReceived)
    def _received(self, recorded: Recorded, event: MessageReceived, rows: HistoryRows) -> None:
        rows.add(
            recorded,
            "message-received",
            occurred_at=event.received_at,
            channel=event.channel.channel,
            direction=Direction.INBOUND,
            notes="\n\n".join(part for part in (event.subject, event.body) if part),
            ref_id=event.inbound_id,
        )

    @on(MessageRead)
    def _read(self, recorded: Recorded, event: MessageRead, rows: HistoryRows) -> None:
        rows.add(
            recorded,
            "message-read",
            channel=event.channel.channel,
            direction=Direction.INTERNAL,
            notes=recorded.meta.reason,
            ref_id=event.inbound_id,
        )

    @on(ReceiptRecorded)
    def _receipt(self, recorded: Recorded, event: ReceiptRecorded, rows: HistoryRows) -> None:
        rows.about_message(
            recorded,
            "message-receipt",
            event.message_id,
            occurred_at=event.at,
            channel=event.channel,
            notes=event.detail,
        )

    @on(ContactRefused)
    def _refused(self, recorded: Recorded, event: ContactRefused, rows: HistoryRows) -> None:
        rows.add(recorded, "contact-refused", channel=event.channel, campaign_id=event.campaign_id)

    # --- casework ---

    @on(ActivityRecorded)
    def _activity(self, recorded: Recorded, event: ActivityRecorded, rows: HistoryRows) -> None:
        rows.add(
            recorded,
            event.kind.value,
            occurred_at=event.at,
            channel=CHANNELS.get(event.kind),
            direction=event.direction,
            disposition=event.disposition,
            notes=event.notes,
            assignee=event.assignee,
            follow_up_on=event.follow_up_on,
            ref_id=event.activity_id,
            corrects=event.corrects,
            undocumented=event.undocumented_by is not None,
        )

    @on(CallStarted)
    def _call_started(self, recorded: Recorded, event: CallStarted, rows: HistoryRows) -> None:
        rows.add(
            recorded,
            "call-started",
            occurred_at=event.started_at,
            channel=Channel.VOICE,
            direction=Direction.OUTBOUND,
            notes=recorded.meta.reason,
            ref_id=event.call_id,
            undocumented=True,
        )

    @on(CallRefused)
    def _call_refused(self, recorded: Recorded, event: CallRefused, rows: HistoryRows) -> None:
        rows.add(recorded, "call-refused", channel=Channel.VOICE, notes=recorded.meta.reason, ref_id=event.call_id)

    @on(ContactFactRecorded)
    def _contact_fact(self, recorded: Recorded, event: ContactFactRecorded, rows: HistoryRows) -> None:
        rows.add(
            recorded,
            "contact-fact-recorded",
            occurred_at=event.fact.at,
            channel=event.fact.channel,
            notes=event.fact.notes or recorded.meta.reason,
            ref_id=event.fact_id,
        )

    @on(FollowUpCompleted)
    def _follow_up_completed(self, recorded: Recorded, event: FollowUpCompleted, rows: HistoryRows) -> None:
        rows.add(recorded, "follow-up-completed", ref_id=event.activity_id)

    @on(FollowUpFellDue)
    def _follow_up_fell_due(self, recorded: Recorded, event: FollowUpFellDue, rows: HistoryRows) -> None:
        rows.add(recorded, "follow-up-fell-due", ref_id=event.activity_id, assignee=event.assignee)

    @on(DisputeOpened)
    def _dispute_opened(self, recorded: Recorded, event: DisputeOpened, rows: HistoryRows) -> None:
        rows.add(recorded, "dispute-opened", ref_id=event.dispute_id, notes=event.notes)

    @on(DisputeResolved)
    def _dispute_resolved(self, recorded: Recorded, event: DisputeResolved, rows: HistoryRows) -> None:
        rows.add(recorded, "dispute-resolved", ref_id=event.dispute_id)

    @on(HoldPlaced)
    def _hold_placed(self, recorded: Recorded, event: HoldPlaced, rows: HistoryRows) -> None:
        rows.add(recorded, "hold-placed", ref_id=event.hold_id, notes=recorded.meta.reason)

    @on(HoldReleased)
    def _hold_released(self, recorded: Recorded, event: HoldReleased, rows: HistoryRows) -> None:
        rows.add(recorded, "hold-released", ref_id=event.hold_id)

    # --- promises ---

    @on(PromiseMade)
    def _promise_made(self, recorded: Recorded, event: PromiseMade, rows: HistoryRows) -> None:
        rows.add(recorded, "promise-made", ref_id=recorded.aggregate_id, assignee=event.assignee, notes=event.notes)


_PROJECTION = ActivityHistoryProjection()


def notes_of(recorded: Recorded) -> str | None:
    """Personal: what was said or written, as the event says it that the entry is about."""
    rows = HistoryRows()
    _PROJECTION.tell([recorded], rows)
    return next((without_nul(entry.notes) for entry in rows.entries), None)

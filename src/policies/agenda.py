"""The agenda: every kind of future thing in one table, and what is asked for when it is due.

A row says what is planned, by which events, and which command follows; everything else (the projection and its
tables' comments, the order of work, who is named in events, the agenda that tests keep in memory) is made from it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Protocol
from uuid import UUID

from aggregates.account.activities import ActivityRecorded, FollowUpCompleted, FollowUpFellDue, RemindFollowUp
from aggregates.account.aging import AgeAccount, Aged
from aggregates.account.allocation import AllocationReleased, FundsAllocated
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.chase import JudgeCollection, ReviewScheduled, StepScheduled, StepUnscheduled
from aggregates.account.complaints import (
    ComplaintAnswered,
    ComplaintClosed,
    ComplaintOverdue,
    ComplaintReceived,
    RemindComplaint,
)
from aggregates.account.deferred import AdmitFact, FactArrived, FactDeferred, FactWithdrawn
from aggregates.account.disputes import DisputeOpened, DisputeOverdue, DisputeResolved, RemindDispute
from aggregates.account.holds import HoldPlaced, HoldReleased, ReleaseHold
from aggregates.account.messages import MessageQueued, TakeStep
from aggregates.account.payment_claims import (
    LapsePaymentClaim,
    PaymentClaimAccepted,
    PaymentClaimed,
    PaymentClaimEnded,
)
from aggregates.account.placement import Placed, PlacementEnded, RecallByRule
from aggregates.account.reallocation import FundsReallocated
from aggregates.account.write_offs import DebtWrittenOff
from aggregates.bulk.schedule import BulkScheduled, FireSchedule, ScheduleCancelled, ScheduleFellDue
from aggregates.campaign import CampaignPaused, CampaignResumed, CampaignRetired, ResumeCampaign
from aggregates.kernel.command import COMMANDS, Command, Issued, identifier
from aggregates.kernel.event import Event
from aggregates.office import AutomationPaused, AutomationResumed, ResumeOfficeAutomation, TimeZoneChanged
from aggregates.placement_file import FileAcknowledged, FileDelivered, FileOverdue, RemindFile
from aggregates.promise import JudgePromise
from policies.planning import BEGINNINGS, REMEMBERED, AgendaKind, Entry, Planner, Subject
from policies.policy import (
    AGING,
    AUTO_COLLECTION,
    BULK_SCHEDULES,
    COMPLAINTS,
    DISPUTES,
    PAYMENT_CLAIMS,
    PLACEMENTS,
    PROMISE_MONITORING,
    PolicyName,
)

BILLING = PolicyName("billing", 1)
FOLLOW_UPS = PolicyName("follow-ups", 1)

_ONE_DAY = timedelta(days=1)
_Plan = Iterator[Entry]

# --- facts -------------------------------------------------------------------------------------------


def fact_deferred(event: FactDeferred, subject: Subject) -> _Plan:
    yield Entry(event.fact_id, AdmitFact(account_id=subject.owner_id, fact_id=event.fact_id), on=event.arrives_on)


def fact_waits_no_more(event: FactArrived | FactWithdrawn, _: Subject) -> _Plan:
    yield Entry(event.fact_id)


# --- aging -------------------------------------------------------------------------------------------


def item_billed(event: InvoiceBilled, subject: Subject) -> _Plan:
    yield _aged_on(subject, event.item.id, event.item.due_on + _ONE_DAY)


def item_corrected(event: InvoiceCorrected, subject: Subject) -> _Plan:
    yield _aged_on(subject, event.item.id, event.item.due_on + _ONE_DAY if event.open_after else None)


def items_released(event: AllocationReleased, subject: Subject) -> _Plan:
    for part in event.parts:
        yield _aged_on(subject, part.item.id, part.item.due_on + _ONE_DAY)


def items_allocated(event: FundsAllocated | DebtWrittenOff, _: Subject) -> _Plan:
    for part in event.parts:
        if not part.open_after:
            yield Entry(part.item_id)


def funds_reallocated(event: FundsReallocated, subject: Subject) -> _Plan:
    for moved in event.items:
        yield _aged_on(subject, moved.item_id, moved.next_on if moved.open_after else None)


def items_aged(event: Aged, subject: Subject) -> _Plan:
    for move in event.moves:
        yield _aged_on(subject, move.item_id, move.next_on)


def _aged_on(subject: Subject, item_id: UUID, day: date | None) -> Entry:
    return Entry(item_id, AgeAccount(account_id=subject.owner_id), on=day)


# --- holds, pauses -----------------------------------------------------------------------------------


def hold_placed(event: HoldPlaced, subject: Subject) -> _Plan:
    release = ReleaseHold(account_id=subject.owner_id, hold_id=event.hold_id)
    yield Entry(event.hold_id, release, on=event.until + _ONE_DAY if event.until else None)


def hold_released(event: HoldReleased, _: Subject) -> _Plan:
    yield Entry(event.hold_id)


def campaign_paused(event: CampaignPaused, subject: Subject) -> _Plan:
    yield Entry(subject.owner_id, ResumeCampaign(campaign_id=subject.owner_id), at=event.paused_until)


def office_paused(event: AutomationPaused, subject: Subject) -> _Plan:
    yield Entry(subject.owner_id, ResumeOfficeAutomation(office_id=subject.owner_id), at=event.paused_until)


def pause_over(_: CampaignResumed | CampaignRetired | AutomationResumed, subject: Subject) -> _Plan:
    yield Entry(subject.owner_id)


def payment_claimed(event: PaymentClaimed | PaymentClaimAccepted, subject: Subject) -> _Plan:
    lapse = LapsePaymentClaim(account_id=subject.owner_id, claim_id=event.claim_id)
    yield Entry(event.claim_id, lapse, on=event.until + _ONE_DAY)


def payment_claim_over(event: PaymentClaimEnded, _: Subject) -> _Plan:
    yield Entry(event.claim_id)


def complaint_received(event: ComplaintReceived, subject: Subject) -> _Plan:
    remind = RemindComplaint(account_id=subject.owner_id, complaint_id=event.complaint_id)
    yield Entry(event.complaint_id, remind, on=event.answer_by + _ONE_DAY)


def complaint_answered(event: ComplaintAnswered | ComplaintOverdue | ComplaintClosed, _: Subject) -> _Plan:
    yield Entry(event.complaint_id)


def dispute_opened(event: DisputeOpened, subject: Subject) -> _Plan:
    if event.answer_by is not None:
        remind = RemindDispute(account_id=subject.owner_id, dispute_id=event.dispute_id)
        yield Entry(event.dispute_id, remind, on=event.answer_by + _ONE_DAY)


def dispute_over(event: DisputeOverdue | DisputeResolved, _: Subject) -> _Plan:
    yield Entry(event.dispute_id)


# --- placements --------------------------------------------------------------------------------------


def placed(event: Placed, subject: Subject) -> _Plan:
    recall = RecallByRule(account_id=subject.owner_id, placement_id=event.placement_id)
    yield Entry(event.placement_id, recall, on=event.recall_on)


def placement_over(event: PlacementEnded, _: Subject) -> _Plan:
    yield Entry(event.placement_id)


def file_delivered(event: FileDelivered, subject: Subject) -> _Plan:
    remind = RemindFile(file_id=subject.aggregate_id)
    yield Entry(subject.aggregate_id, remind, on=event.acknowledge_by + _ONE_DAY)


def file_acknowledged(event: FileAcknowledged, subject: Subject) -> _Plan:
    if event.matches:
        yield Entry(subject.aggregate_id)


def file_overdue(_: FileOverdue, subject: Subject) -> _Plan:
    yield Entry(subject.aggregate_id)


# --- promises ----------------------------------------------------------------------------------------


def promise_changed(_: Event, subject: Subject) -> _Plan:
    judge = JudgePromise(promise_id=subject.aggregate_id, account_id=subject.owner_id)
    yield Entry(subject.aggregate_id, judge, on=subject.promise.judged_on())


# --- follow-ups --------------------------------------------------------------------------------------


def activity_recorded(event: ActivityRecorded, subject: Subject) -> _Plan:
    if event.corrects is not None:
        yield Entry(event.corrects)
    if event.follow_up_on is not None:
        remind = RemindFollowUp(account_id=subject.owner_id, activity_id=event.activity_id)
        yield Entry(event.activity_id, remind, on=event.follow_up_on)


def followed_up(event: FollowUpFellDue | FollowUpCompleted, _: Subject) -> _Plan:
    yield Entry(event.activity_id)


# --- bulk actions ------------------------------------------------------------------------------------


def bulk_scheduled(event: BulkScheduled, subject: Subject) -> _Plan:
    fire, at = FireSchedule(schedule_id=subject.owner_id), event.due_at or event.opens_at
    yield Entry(subject.owner_id, fire, at=at) if at else Entry(subject.owner_id, fire, on=event.due_on)


def schedule_fell_due(event: ScheduleFellDue, subject: Subject) -> _Plan:
    fire, at = FireSchedule(schedule_id=subject.owner_id), event.next_opens_at
    yield Entry(subject.owner_id, fire, at=at) if at else Entry(subject.owner_id, fire, on=event.next_on)


def schedule_cancelled(_: ScheduleCancelled, subject: Subject) -> _Plan:
    yield Entry(subject.owner_id)


# --- auto-collection ---------------------------------------------------------------------------------


def review_scheduled(event: ReviewScheduled, subject: Subject) -> _Plan:
    yield Entry(subject.owner_id, JudgeCollection(account_id=subject.owner_id), at=event.review_at)


def step_scheduled(event: StepScheduled, subject: Subject) -> _Plan:
    take = TakeStep(account_id=subject.owner_id, step_id=event.step.step_id)
    yield Entry(subject.owner_id, take, at=event.step.due_at)


def step_gone(_: StepUnscheduled | MessageQueued, subject: Subject) -> _Plan:
    yield Entry(subject.owner_id)


# --- the table ---------------------------------------------------------------------------------------

AGENDA: tuple[AgendaKind, ...] = (
    AgendaKind(
        "fact",
        "the fact that was learned before its day, and arrives on it",
        (AdmitFact,),
        BILLING,
        {FactDeferred: fact_deferred, FactArrived: fact_waits_no_more, FactWithdrawn: fact_waits_no_more},
    ),
    AgendaKind(
        "aging",
        "the open item that is in another bucket from that day on",
        (AgeAccount,),
        AGING,
        {
            InvoiceBilled: item_billed,
            InvoiceCorrected: item_corrected,
            AllocationReleased: items_released,
            FundsAllocated: items_allocated,
            DebtWrittenOff: items_allocated,
            FundsReallocated: funds_reallocated,
            Aged: items_aged,
        },
        one_for_all=True,
    ),
    AgendaKind(
        "hold",
        "the hold that ends, on the day after its last one",
        (ReleaseHold,),
        AUTO_COLLECTION,
        {HoldPlaced: hold_placed, HoldReleased: hold_released},
    ),
    AgendaKind(
        "payment-claim",
        "what the customer says is paid, whose check ends, on the day after its last one",
        (LapsePaymentClaim,),
        PAYMENT_CLAIMS,
        {
            PaymentClaimed: payment_claimed,
            PaymentClaimAccepted: payment_claimed,
            PaymentClaimEnded: payment_claim_over,
        },
    ),
    AgendaKind(
        "complaint",
        "the complaint that is overdue from that day on, unless it was answered",
        (RemindComplaint,),
        COMPLAINTS,
        {
            ComplaintReceived: complaint_received,
            ComplaintAnswered: complaint_answered,
            ComplaintOverdue: complaint_answered,
            ComplaintClosed: complaint_answered,
        },
    ),
    AgendaKind(
        "dispute",
        "the dispute that is overdue from that day on, unless it was resolved",
        (RemindDispute,),
        DISPUTES,
        {DisputeOpened: dispute_opened, DisputeOverdue: dispute_over, DisputeResolved: dispute_over},
    ),
    AgendaKind(
        "placement-term",
        "the placement that is recalled by the agency's terms",
        (RecallByRule,),
        PLACEMENTS,
        {Placed: placed, PlacementEnded: placement_over},
    ),
    AgendaKind(
        "placement-file",
        "the placement file that the agency should have acknowledged, on the day after the last one",
        (RemindFile,),
        PLACEMENTS,
        {FileDelivered: file_delivered, FileAcknowledged: file_acknowledged, FileOverdue: file_overdue},
    ),
    AgendaKind(
        "promise",
        "the promise that is missed from that day on, unless more has come in",
        (JudgePromise,),
        PROMISE_MONITORING,
        dict.fromkeys(REMEMBERED, promise_changed),
    ),
    AgendaKind(
        "pause-end",
        "the campaign or office whose pause ends",
        (ResumeCampaign, ResumeOfficeAutomation),
        AUTO_COLLECTION,
        {
            CampaignPaused: campaign_paused,
            CampaignResumed: pause_over,
            CampaignRetired: pause_over,
            AutomationPaused: office_paused,
            AutomationResumed: pause_over,
        },
    ),
    AgendaKind(
        "follow-up",
        "the activity that somebody wants to come back to on that day",
        (RemindFollowUp,),
        FOLLOW_UPS,
        {ActivityRecorded: activity_recorded, FollowUpFellDue: followed_up, FollowUpCompleted: followed_up},
    ),
    AgendaKind(
        "bulk-schedule",
        "the schedule whose bulk action is made at that moment, or on that day",
        (FireSchedule,),
        BULK_SCHEDULES,
        {
            BulkScheduled: bulk_scheduled,
            ScheduleFellDue: schedule_fell_due,
            ScheduleCancelled: schedule_cancelled,
        },
    ),
    AgendaKind(
        "review",
        "the account that is judged anew, as something that holds it back ends",
        (JudgeCollection,),
        AUTO_COLLECTION,
        {ReviewScheduled: review_scheduled},
    ),
    AgendaKind(
        "step",
        "the account whose next step of auto-collection is taken",
        (TakeStep,),
        AUTO_COLLECTION,
        {StepScheduled: step_scheduled, StepUnscheduled: step_gone, MessageQueued: step_gone},
        sends=True,
    ),
)
"""In the order in which they are worked: what can change a judgement comes before what acts on one."""

AGENDA_VERSION = 3
"""Raised when a kind plans otherwise, or by events that logs may hold already: agendas are then built anew."""

KINDS: tuple[str, ...] = tuple(kind.name for kind in AGENDA)

SENDING: tuple[str, ...] = tuple(kind.name for kind in AGENDA if kind.sends)

PLANS: Mapping[type[Event], tuple[tuple[str, Planner], ...]] = {
    event_class: tuple((kind.name, kind.plans[event_class]) for kind in AGENDA if event_class in kind.plans)
    for event_class in {event_class: None for kind in AGENDA for event_class in kind.plans}
}
"""By event, which kinds it plans."""

INTEREST: frozenset[type[Event]] = frozenset({*PLANS, *REMEMBERED, *BEGINNINGS, TimeZoneChanged})
"""The events that an agenda takes note of; the last two say whose days count, and when they begin."""

_BY_NAME = {kind.name: kind for kind in AGENDA}

# --- what is due -------------------------------------------------------------------------------------


class UnknownKind(LookupError):
    """No kind of agenda item has this name in this release."""


class DueItem(Protocol):
    """An item of an agenda whose time has come."""

    @property
    def owner_id(self) -> UUID:
        """The account; or the campaign or office whose pause ends, the placement file, or the schedule."""
        ...

    @property
    def kind(self) -> str: ...

    @property
    def ref(self) -> str: ...

    @property
    def command_name(self) -> str: ...

    @property
    def payload(self) -> dict[str, Any]: ...

    @property
    def position(self) -> int:
        """The log position that put it there."""
        ...


def kind_of(name: str) -> AgendaKind:
    """Raises UnknownKind."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UnknownKind(f"no kind of agenda item is named {name!r} in this release") from None


def command_for(item: DueItem) -> Command:
    return COMMANDS[item.command_name].model_validate(item.payload)


def command_id_for(item: DueItem) -> UUID:
    """The same item met by two ticks is one command; an item put there anew is another."""
    return identifier("tick", item.kind, item.owner_id, item.ref, item.position)


def issued_for(items: Iterable[DueItem], answered: set[tuple[str, UUID]]) -> Iterator[Issued]:
    """The commands for items that are due, in their order. `answered` is kept by the caller for the whole of a tick:
    owners for whom one command of a kind was enough. Raises UnknownKind."""
    for item in items:
        kind = kind_of(item.kind)
        if kind.one_for_all:
            if (item.kind, item.owner_id) in answered:
                continue
            answered.add((item.kind, item.owner_id))
        yield Issued(command=command_for(item), command_id=command_id_for(item), actor=kind.policy.actor)

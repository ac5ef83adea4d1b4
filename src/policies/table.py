"""All policies, in one table."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aggregates.account.activities import ActivityKind, Direction, RecordActivity
from aggregates.account.aging import AgeAccount, Aged
from aggregates.account.allocation import AllocationDue, AllocationReleased, FundsAllocated, SettleAllocation
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.bulk import ApplyBulkAction, UndoBulkAction
from aggregates.account.chase import JudgeCollection, Stage, StageChanged
from aggregates.account.complaints import ComplaintAnswered, ComplaintClosed, ComplaintOverdue, ComplaintReceived
from aggregates.account.contact import ContactDetailsChanged, PointRefused
from aggregates.account.contact_history import ContactFactRecorded, ContactFactWithdrawn
from aggregates.account.customer import CustomerRenamed
from aggregates.account.disputes import DisputeOpened, DisputeOverdue, DisputeResolved
from aggregates.account.flags import FlagCleared, FlagSet
from aggregates.account.freezing import AccountFrozen, AccountUnfrozen
from aggregates.account.holds import HoldPlaced, HoldReleased
from aggregates.account.inbound import HeedPoint, MessageRead, MessageReceived, ReceiptRecorded, points_in, wish_in
from aggregates.account.legal import LegalCaseMoved, LegalCaseOpened
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
from aggregates.account.placement import MarkPlacementSent, Placed, PlacementEnded
from aggregates.account.promises import PromiseClosed, PromiseRegistered
from aggregates.account.reallocation import FundsReallocated
from aggregates.account.transfers import PaymentTransferred, TransferReturned
from aggregates.account.write_offs import DebtWrittenOff
from aggregates.bulk.action import BulkCancelled, BulkConfirmed, BulkFinished, BulkUndoBegun, bulk_work_id
from aggregates.bulk.schedule import RunSchedule, ScheduleFellDue
from aggregates.campaign import CampaignLaunched, CampaignPaused, CampaignResumed, CampaignRetired, CampaignRevised
from aggregates.kernel.event import Event, Recorded
from aggregates.office import (
    AgingBucketsSet,
    AutomationPaused,
    AutomationResumed,
    CalendarSet,
    CaseworkRulesSet,
    ContactRulesSet,
    FlagsDefined,
    TimeZoneChanged,
)
from aggregates.placement_file import FileContents, FileDelivered, RequestBulkFile, RequestSingleFile
from aggregates.promise import CountPayment, PromiseBroken, PromisePartiallyKept, TakePaymentBack
from aggregates.values.names import assignee_of
from aggregates.work import CancelWork
from policies.policy import (
    AGING,
    ALLOCATION,
    AUTO_COLLECTION,
    BROKEN_PROMISE,
    BULK_ACTION,
    BULK_SCHEDULES,
    COMPLAINTS,
    DISPUTES,
    INBOUND,
    NO_COMMON_HOURS,
    PAYMENT_CLAIMS,
    PLACEMENTS,
    PROMISE_MONITORING,
    PROMISE_REVERSAL,
    EveryAccount,
    EveryRow,
    InBackground,
    Policy,
    Reaction,
)

CAMPAIGN_CHANGES = (CampaignLaunched, CampaignRevised, CampaignPaused, CampaignResumed, CampaignRetired)
COUNTED_ANEW = (
    PaymentTransferred,
    TransferReturned,
    PaymentReversedInPart,
    FundsRefunded,
    ReversalWithdrawn,
    RefundWithdrawn,
)

# --- aging -------------------------------------------------------------------------------------------


def age_everyone(recorded: Recorded) -> Iterable[Reaction]:
    """New buckets or another zone: every account of the office is put into the bucket that now is right."""
    yield EveryAccount(recorded.aggregate_id, AgeAccount)


# --- allocation --------------------------------------------------------------------------------------


def settle_allocation(recorded: Recorded) -> Iterable[Reaction]:
    """Facts of earlier days were booked: what money was put against since is worked out, once for all of them."""
    if recorded.account_id is not None:
        yield SettleAllocation(account_id=recorded.account_id)


# --- auto-collection ---------------------------------------------------------------------------------


def judge_account(recorded: Recorded) -> Iterable[Reaction]:
    """Something that the rules look at changed on the account."""
    if recorded.account_id is not None:
        yield JudgeCollection(account_id=recorded.account_id)


def judge_hours(recorded: Recorded) -> Iterable[Reaction]:
    """Where the customer is says when they may be contacted; nothing else of how they are reached is looked at."""
    event = recorded.event
    if isinstance(event, ContactDetailsChanged) and event.contact.time_zone is not None and recorded.account_id:
        yield JudgeCollection(account_id=recorded.account_id)


def judge_campaign(recorded: Recorded) -> Iterable[Reaction]:
    """A campaign changed: who is in it, and where each stands, is judged by its current version."""
    event = recorded.event
    if isinstance(event, CAMPAIGN_CHANGES):
        yield EveryAccount(event.office_id, JudgeCollection)


def judge_office(recorded: Recorded) -> Iterable[Reaction]:
    """A setting that the rules look at changed in the office."""
    yield EveryAccount(recorded.aggregate_id, JudgeCollection)


def task_where_nothing_can_leave(recorded: Recorded) -> Iterable[Reaction]:
    """The office never sends while the customer may be contacted: somebody has to look for another way, once."""
    event = recorded.event
    if not isinstance(event, StageChanged) or event.why.code != "hours-never-meet" or recorded.account_id is None:
        return
    if event.previous is not Stage.FOLLOW_UP:
        yield RecordActivity(
            account_id=recorded.account_id,
            kind=ActivityKind.TASK,
            direction=Direction.INTERNAL,
            notes="No message can leave: the hours in which the office sends, and those in which the customer may be "
            "contacted, have none in common.",
            follow_up_on=recorded.effective_on,
        )


# --- promises ----------------------------------------------------------------------------------------


def count_towards_promises(recorded: Recorded) -> Iterable[Reaction]:
    """The account said which part of a payment is for which promise; each promise counts its own."""
    event = recorded.event
    if isinstance(event, PaymentReceived) and recorded.account_id:
        for share in event.receipt.promises:
            yield CountPayment(
                promise_id=share.promise_id,
                account_id=recorded.account_id,
                payment_id=event.receipt.id,
                amount=share.amount,
            )


def take_back_from_promises(recorded: Recorded) -> Iterable[Reaction]:
    """A payment that counted was reversed, or a part of it went elsewhere or came back: the judgement is reopened where
    it was wrong."""
    event, account_id = recorded.event, recorded.account_id
    if account_id is None:
        return
    if isinstance(event, PaymentReversed):
        for share in event.receipt.promises:
            yield TakePaymentBack(promise_id=share.promise_id, account_id=account_id, payment_id=event.receipt.id)
    elif isinstance(event, PaymentTransferred | TransferReturned):
        for share in event.recounted:
            yield TakePaymentBack(
                promise_id=share.promise_id,
                account_id=account_id,
                payment_id=event.receipt.id,
                left=share.amount or None,
            )
    elif isinstance(event, PaymentReversedInPart | FundsRefunded | ReversalWithdrawn | RefundWithdrawn):
        counts = {share.promise_id: share.amount for share in event.receipt.promises}
        for share in event.part.promises:
            yield TakePaymentBack(
                promise_id=share.promise_id,
                account_id=account_id,
                payment_id=event.receipt.id,
                left=counts.get(share.promise_id),
            )


TASKS: Mapping[type[Event], tuple[Callable[[Any], bool], str]] = {
    PromiseBroken: (lambda _: True, "A promise to pay was not kept in full."),
    PromisePartiallyKept: (lambda _: True, "A promise to pay was not kept in full."),
    PaymentClaimEnded: (
        lambda event: event.outcome is PaymentClaimOutcome.LAPSED,
        "A payment that the customer says was made has not come in.",
    ),
    ComplaintOverdue: (lambda _: True, "A complaint was not answered in time."),
    DisputeOverdue: (lambda _: True, "A dispute was not resolved in time."),
}
"""By event: on which condition somebody has to come back to the customer, and the notes of that task. Each of
the events says who is assigned."""


def task_after(recorded: Recorded) -> Iterable[Reaction]:
    """Something did not come in time: its assignee has to come back to it."""
    event: Any = recorded.event
    falls_due, notes = TASKS[type(event)]
    if falls_due(event) and recorded.account_id:
        yield RecordActivity(
            account_id=recorded.account_id,
            kind=ActivityKind.TASK,
            direction=Direction.INTERNAL,
            notes=notes,
            assignee=assignee_of(event.assignee),
            follow_up_on=recorded.effective_on,
        )


# --- inbound -----------------------------------------------------------------------------------------


def heed_everywhere(recorded: Recorded) -> Iterable[Reaction]:
    """What was said of a number or address holds on every other account that has it, whoever's it is."""
    event = recorded.event
    match event:
        case MessageReceived():
            fact_id, channel, at = event.inbound_id, event.channel.channel, event.received_at
        case MessageRead():
            fact_id, channel, at = event.inbound_id, event.channel.channel, recorded.recorded_at
        case ReceiptRecorded():
            fact_id, channel, at = event.message_id, event.channel, event.at
        case _:
            return
    wish = wish_in(event)
    if wish is None:
        return
    for account_id in event.shared_with:
        for point in points_in(event):
            yield HeedPoint(account_id=account_id, fact_id=fact_id, channel=channel, point=point, wish=wish, at=at)


def heed_refusal(recorded: Recorded) -> Iterable[Reaction]:
    """A person recorded that a number or address is refused: who has it too is found out, and heeds it."""
    event = recorded.event
    if isinstance(event, PointRefused):
        said = {"account_id": str(recorded.aggregate_id), "version": recorded.version}
        yield InBackground(event.office_id, HeedPoint, said)


# --- bulk actions ------------------------------------------------------------------------------------


def do_bulk_action(recorded: Recorded) -> Iterable[Reaction]:
    """A person confirmed a bulk action, took it back, or stopped it: its accounts are asked, or no more of them."""
    event, bulk_id = recorded.event, recorded.aggregate_id
    if isinstance(event, BulkConfirmed):
        said = {
            "bulk_id": str(bulk_id),
            "kind": event.kind,
            "parameters": event.parameters,
            "office_id": str(event.office_id),
        }
        yield EveryRow(event.office_id, bulk_id, ApplyBulkAction, said)
    elif isinstance(event, BulkUndoBegun):
        asked = {"bulk_id": str(bulk_id)}
        yield EveryRow(event.office_id, bulk_id, UndoBulkAction, asked, attempt=event.attempt or 1)
    elif isinstance(event, BulkCancelled) and event.was_running:
        yield CancelWork(work_id=bulk_work_id(bulk_id, ApplyBulkAction.command_name))


def make_scheduled(recorded: Recorded) -> Iterable[Reaction]:
    """A schedule fell due: its bulk action is previewed, and done where it is not too large."""
    event = recorded.event
    if isinstance(event, ScheduleFellDue):
        said = {"schedule_id": str(recorded.aggregate_id), "run_id": str(event.run_id)}
        yield InBackground(event.office_id, RunSchedule, said)


# --- placements --------------------------------------------------------------------------------------


def tell_agency(recorded: Recorded) -> Iterable[Reaction]:
    """Accounts were placed, together or one by itself: a file tells their agency, once it is known which they are."""
    event = recorded.event
    was_done = isinstance(event, BulkFinished) and event.done > 0
    if was_done or (isinstance(event, BulkCancelled) and event.was_running):
        yield RequestBulkFile(bulk_id=recorded.aggregate_id)
    elif isinstance(event, Placed) and event.bulk_id is None and recorded.account_id is not None:
        yield RequestSingleFile(file_id=event.file_id, account_id=recorded.account_id)


def accounts_were_sent(recorded: Recorded) -> Iterable[Reaction]:
    """The agency has the file: so it has its accounts."""
    event, file_id = recorded.event, recorded.aggregate_id
    if not isinstance(event, FileDelivered) or event.contents is not FileContents.NEW:
        return
    if event.bulk_id is not None:
        yield EveryRow(event.office_id, event.bulk_id, MarkPlacementSent, {"file_id": str(file_id)})
    elif event.account_id is not None:
        yield MarkPlacementSent(account_id=event.account_id, file_id=file_id)


POLICIES: tuple[Policy, ...] = (
    Policy(BULK_ACTION, frozenset({BulkConfirmed, BulkUndoBegun, BulkCancelled}), do_bulk_action),
    Policy(BULK_SCHEDULES, frozenset({ScheduleFellDue}), make_scheduled),
    Policy(PLACEMENTS, frozenset({BulkFinished, BulkCancelled, Placed}), tell_agency),
    Policy(PLACEMENTS, frozenset({FileDelivered}), accounts_were_sent),
    Policy(AGING, frozenset({AgingBucketsSet, TimeZoneChanged}), age_everyone, coalesces=True),
    Policy(ALLOCATION, frozenset({AllocationDue}), settle_allocation, coalesces=True),
    Policy(PROMISE_MONITORING, frozenset({PaymentReceived}), count_towards_promises),
    Policy(PROMISE_REVERSAL, frozenset({PaymentReversed, *COUNTED_ANEW}), take_back_from_promises),
    Policy(COMPLAINTS, frozenset({ComplaintOverdue}), task_after),
    Policy(DISPUTES, frozenset({DisputeOverdue}), task_after),
    Policy(PAYMENT_CLAIMS, frozenset({PaymentClaimEnded}), task_after),
    Policy(INBOUND, frozenset({MessageReceived, MessageRead, ReceiptRecorded}), heed_everywhere),
    Policy(INBOUND, frozenset({PointRefused}), heed_refusal),
    Policy(BROKEN_PROMISE, frozenset({PromiseBroken, PromisePartiallyKept}), task_after),
    Policy(
        AUTO_COLLECTION,
        frozenset(
            {
                InvoiceBilled,
                InvoiceCorrected,
                PaymentReceived,
                PaymentReversed,
                PaymentReversedInPart,
                FundsRefunded,
                ReversalWithdrawn,
                RefundWithdrawn,
                PaymentTransferred,
                TransferReturned,
                CreditNoted,
                CreditWithdrawn,
                FundsAllocated,
                AllocationReleased,
                FundsReallocated,
                DebtWrittenOff,
                Aged,
                FlagSet,
                FlagCleared,
                ContactFactRecorded,
                ContactFactWithdrawn,
                MessageReceived,
                MessageRead,
                DisputeOpened,
                DisputeResolved,
                HoldPlaced,
                HoldReleased,
                LegalCaseOpened,
                LegalCaseMoved,
                ComplaintReceived,
                ComplaintAnswered,
                ComplaintClosed,
                PaymentClaimed,
                PaymentClaimAccepted,
                PaymentClaimEnded,
                AccountFrozen,
                AccountUnfrozen,
                Placed,
                PlacementEnded,
                PromiseRegistered,
                PromiseClosed,
                CustomerRenamed,
            }
        ),
        judge_account,
        coalesces=True,
    ),
    Policy(AUTO_COLLECTION, frozenset({ContactDetailsChanged}), judge_hours, coalesces=True),
    Policy(NO_COMMON_HOURS, frozenset({StageChanged}), task_where_nothing_can_leave),
    Policy(AUTO_COLLECTION, frozenset(CAMPAIGN_CHANGES), judge_campaign, coalesces=True),
    Policy(
        AUTO_COLLECTION,
        frozenset(
            {
                AutomationPaused,
                AutomationResumed,
                CalendarSet,
                CaseworkRulesSet,
                ContactRulesSet,
                FlagsDefined,
                TimeZoneChanged,
            }
        ),
        judge_office,
        coalesces=True,
    ),
)

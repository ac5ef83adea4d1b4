"""What events say of an account besides its money: the stage and why, what is next, flags, holds, promises, contacts.

The collections report shows it as it is now, the history of accounts as it was.
"""

from aggregates.account.activities import ActivityKind, ActivityRecorded
from aggregates.account.chase import ReviewScheduled, StageChanged, StepScheduled, StepUnscheduled
from aggregates.account.collections_stage import CollectionsStageChanged
from aggregates.account.customer import SubscriptionRecorded
from aggregates.account.exclusion import Excluded, ExclusionLifted
from aggregates.account.flags import FlagCleared, FlagSet
from aggregates.account.freezing import (
    AccountFrozen,
    AccountUnfrozen,
    SubscriptionsFrozen,
    SubscriptionStatus,
    SubscriptionsUnfrozen,
)
from aggregates.account.holds import HoldPlaced, HoldReleased
from aggregates.account.inbound import MessageReceived
from aggregates.account.messages import MessageQueued, MessageResolved, MessageSent
from aggregates.account.payments import PaymentReceived, PaymentReversed, PaymentReversedInPart, ReversalWithdrawn
from aggregates.account.placement import Placed, PlacementEnded
from aggregates.account.promises import PromiseClosed, PromiseRegistered
from aggregates.account.transfers import PaymentTransferred, TransferReturned
from projections.batch import EventProjection, on
from projections.collections_report.state import Account

_CONTACTS = (ActivityKind.CALL, ActivityKind.SMS, ActivityKind.EMAIL, ActivityKind.LETTER)


class AccountEvents(EventProjection):
    """One method per event, `(self, event, account)`: what it changes in the account's row."""

    # --- auto-collection ---

    @on(StageChanged)
    def _stage_changed(self, event: StageChanged, account: Account) -> None:
        row = account.row
        row.stage, row.why_code, row.why_detail = event.stage, event.why.code, event.why.detail
        row.campaign_id, row.plan_version = event.campaign_id, event.plan_version

    @on(StepScheduled)
    def _step_scheduled(self, event: StepScheduled, account: Account) -> None:
        account.row.plan(event.step.title, event.step.step_id, event.step.due_at)

    @on(StepUnscheduled, MessageQueued)
    def _step_gone(self, _: StepUnscheduled | MessageQueued, account: Account) -> None:
        account.row.plan(None, None, None)

    @on(ReviewScheduled)
    def _review_scheduled(self, event: ReviewScheduled, account: Account) -> None:
        account.row.review_at = event.review_at
        if account.row.next_step is None:
            account.row.plan(None, None, None)

    @on(MessageSent, MessageResolved)
    def _message_sent(self, event: MessageSent | MessageResolved, account: Account) -> None:
        if event.sent_on is not None:
            account.row.contacted(event.sent_on.isoformat())

    @on(Excluded, ExclusionLifted)
    def _excluded(self, event: Excluded | ExclusionLifted, account: Account) -> None:
        account.row.excluded = isinstance(event, Excluded)

    # --- casework ---

    @on(FlagSet, FlagCleared)
    def _flagged(self, event: FlagSet | FlagCleared, account: Account) -> None:
        account.row.flag(event.flag, on=isinstance(event, FlagSet))

    @on(CollectionsStageChanged)
    def _staged(self, event: CollectionsStageChanged, account: Account) -> None:
        account.row.collections_stage = event.stage.value

    @on(Placed, PlacementEnded)
    def _placed(self, event: Placed | PlacementEnded, account: Account) -> None:
        account.row.agency = event.agency if isinstance(event, Placed) else None

    @on(AccountFrozen, AccountUnfrozen)
    def _frozen(self, event: AccountFrozen | AccountUnfrozen, account: Account) -> None:
        account.row.frozen = event.code if isinstance(event, AccountFrozen) else None

    @on(SubscriptionRecorded)
    def _subscribed(self, event: SubscriptionRecorded, account: Account) -> None:
        account.row.subscribe(event.subscription.number, is_cancelled=event.subscription.cancelled_on is not None)

    @on(SubscriptionsFrozen, SubscriptionsUnfrozen)
    def _subscriptions_frozen(self, event: SubscriptionsFrozen | SubscriptionsUnfrozen, account: Account) -> None:
        is_frozen = isinstance(event, SubscriptionsFrozen)
        account.row.give_status(event.numbers, SubscriptionStatus.FROZEN if is_frozen else SubscriptionStatus.ACTIVE)

    @on(ActivityRecorded)
    def _activity(self, event: ActivityRecorded, account: Account) -> None:
        if event.kind in _CONTACTS:
            account.row.contacted(account.effective_on.isoformat())

    @on(MessageReceived)
    def _received(self, event: MessageReceived, account: Account) -> None:
        account.row.contacted(event.received_on.isoformat())

    @on(HoldPlaced, HoldReleased)
    def _held(self, event: HoldPlaced | HoldReleased, account: Account) -> None:
        """Of single items it is no hold of the account."""
        account.row.hold(str(event.hold_id), on=isinstance(event, HoldPlaced) and event.item_ids is None)

    @on(PromiseRegistered)
    def _promised(self, event: PromiseRegistered, account: Account) -> None:
        account.row.promise(str(event.promise_id), on=True)

    @on(PromiseClosed)
    def _promise_closed(self, event: PromiseClosed, account: Account) -> None:
        account.row.promise(str(event.promise_id), on=False)
        account.row.broken_promises = event.broken_promises

    # --- payments ---

    @on(PaymentReceived)
    def _paid(self, event: PaymentReceived, account: Account) -> None:
        receipt = event.receipt
        account.row.paid(str(receipt.id), receipt.received_on.isoformat(), receipt.amount.minor)

    @on(PaymentReversed)
    def _reversed(self, event: PaymentReversed, account: Account) -> None:
        account.row.payment_gone(str(event.receipt.id))

    @on(PaymentReversedInPart)
    def _reversed_in_part(self, event: PaymentReversedInPart, account: Account) -> None:
        account.row.payment_gone(str(event.receipt.id), event.part.amount.minor)

    @on(ReversalWithdrawn)
    def _reversal_withdrawn(self, event: ReversalWithdrawn, account: Account) -> None:
        receipt = event.receipt
        account.row.paid(str(receipt.id), receipt.received_on.isoformat(), event.part.amount.minor)

    @on(PaymentTransferred)
    def _transferred(self, event: PaymentTransferred, account: Account) -> None:
        self._kept(event, account)

    @on(TransferReturned)
    def _returned(self, event: TransferReturned, account: Account) -> None:
        self._kept(event, account)

    def _kept(self, event: PaymentTransferred | TransferReturned, account: Account) -> None:
        """Of a payment, what pays another account's debt is that account's payment."""
        receipt = event.receipt
        account.row.payment_gone(str(receipt.id))
        if event.kept_after:
            account.row.paid(str(receipt.id), receipt.received_on.isoformat(), event.kept_after.minor)

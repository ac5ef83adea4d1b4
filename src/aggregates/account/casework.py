"""What people do about an account: activities and follow-ups, flags, disputes, holds; and what promises hold back."""

from datetime import date
from uuid import UUID

from aggregates.account.activities import (
    ActivityRecorded,
    CompleteFollowUp,
    FollowUp,
    FollowUpCompleted,
    FollowUpFellDue,
    RecordActivity,
    RemindFollowUp,
)
from aggregates.account.command import document_id
from aggregates.account.disputes import Dispute, DisputeOpened, DisputeResolved, OpenDispute, ResolveDispute
from aggregates.account.flags import ClearFlag, FlagCleared, FlagSet, SetFlag
from aggregates.account.holds import Hold, HoldPlaced, HoldReleased, PlaceHold, ReleaseHold
from aggregates.account.ledger import Ledger
from aggregates.account.promises import OpenPromise, PromiseClosed, PromiseRegistered
from aggregates.kernel.aggregate import applies
from aggregates.kernel.command import Context, Refusal, decides, identifier
from aggregates.values.money import Money


class Casework(Ledger):
    """Decisions that people take about the account."""

    # --- flags ---

    @decides(SetFlag)
    def set_flag(self, command: SetFlag, context: Context) -> None:
        self.require_open()
        if command.flag not in context.settings.flags:
            known = ", ".join(sorted(context.settings.flags))
            raise Refusal("unknown-flag", f"flag: expected one of {known}")
        if command.flag not in self.flags:
            self.emit(FlagSet(flag=command.flag))

    @decides(ClearFlag)
    def clear_flag(self, command: ClearFlag, context: Context) -> None:
        self.require_open()
        if command.flag in self.flags:
            self.emit(FlagCleared(flag=command.flag))

    # --- activities ---

    @decides(RecordActivity)
    def record_activity(self, command: RecordActivity, context: Context) -> None:
        self.require_open()
        by_hand = not context.actor.startswith("policy:")
        if by_hand and command.follow_up_on is not None and command.follow_up_on < context.today:
            raise Refusal("follow-up-past", f"follow_up_on: expected {context.today} or later")
        activity_id = identifier("activity", self.id, context.command_id)
        self.emit(ActivityRecorded(activity_id=activity_id, **command.model_dump(exclude={"account_id"})))

    @decides(RemindFollowUp)
    def remind_follow_up(self, command: RemindFollowUp, context: Context) -> None:
        self.require_open()
        follow_up = self.follow_ups.get(command.activity_id)
        if follow_up is not None and not follow_up.fell_due and follow_up.due_on <= context.today:
            self.emit(FollowUpFellDue(activity_id=follow_up.activity_id, assignee=follow_up.assignee))

    @decides(CompleteFollowUp)
    def complete_follow_up(self, command: CompleteFollowUp, context: Context) -> None:
        self.require_open()
        if command.activity_id not in self.follow_ups:
            raise Refusal("unknown-follow-up", "no such follow-up is open")
        self.emit(FollowUpCompleted(activity_id=command.activity_id))

    # --- disputes ---

    @decides(OpenDispute)
    def open_dispute(self, command: OpenDispute, context: Context) -> None:
        self.require_open()
        wanted = [document_id(self.id, "invoice", number) for number in command.invoice_numbers] or list(self.items)
        for number, item_id in zip(command.invoice_numbers, wanted, strict=False):
            if item_id not in self.items:
                raise Refusal("not-open", f"invoice {number} has no open amount to dispute")
        undisputed = tuple(item_id for item_id in wanted if self.items[item_id].dispute_id is None)
        if not undisputed:
            raise Refusal("nothing-to-dispute", "no open invoice is left that is not disputed already")
        self.emit(
            DisputeOpened(
                dispute_id=identifier("dispute", self.id, context.command_id),
                item_ids=undisputed,
                reason_code=command.reason_code,
                opened_on=context.effective_on,
                notes=command.notes,
            )
        )

    @decides(ResolveDispute)
    def resolve_dispute(self, command: ResolveDispute, context: Context) -> None:
        self.require_open()
        dispute = self.disputes.get(command.dispute_id)
        if dispute is None:
            raise Refusal("unknown-dispute", "no such dispute is open")
        self.emit(DisputeResolved(dispute_id=dispute.id, item_ids=dispute.item_ids, resolution=command.resolution))
        self.allocate_everything()

    # --- holds ---

    @decides(PlaceHold)
    def place_hold(self, command: PlaceHold, context: Context) -> None:
        self.require_open()
        context.require_reason()
        if command.until is not None and command.until < context.today:
            raise Refusal("hold-past", f"until: expected {context.today} or later")
        hold_id = identifier("hold", self.id, context.command_id)
        self.emit(HoldPlaced(hold_id=hold_id, code=command.code, until=command.until))

    @decides(ReleaseHold)
    def release_hold(self, command: ReleaseHold, context: Context) -> None:
        self.require_open()
        if command.hold_id not in self.holds:
            raise Refusal("unknown-hold", "no such hold is in force")
        self.emit(HoldReleased(hold_id=command.hold_id))

    # --- promises (the promise itself is an aggregate of its own) ---

    def register_promise(self, promise_id: UUID, *, made_on: date, due_on: date, amount: Money) -> None:
        """Part of making a promise: hold back the chase for it. Two promises never cover the same money."""
        self.require_open()
        self.require_currency(amount)
        room = self.balance - self.promised
        if amount > room:
            raise Refusal("promise-too-large", f"amount: expected at most {room}, what is owed and not promised yet")
        self.emit(
            PromiseRegistered(promise_id=promise_id, made_on=made_on, due_on=due_on, amount=amount, remaining=amount)
        )

    def reopen_promise(self, promise_id: UUID, *, made_on: date, due_on: date, amount: Money, remaining: Money) -> None:
        """Part of moving a promise, or of judging one anew after a payment was taken back.

        An open promise keeps what remains of it here: the account knows of payments that are not counted yet.
        """
        known = self.promises.get(promise_id)
        if known is None or known.due_on != due_on:
            self.emit(
                PromiseRegistered(
                    promise_id=promise_id,
                    made_on=made_on,
                    due_on=due_on,
                    amount=amount,
                    remaining=known.remaining if known else remaining,
                )
            )

    def set_promise_remaining(self, promise_id: UUID, remaining: Money) -> None:
        """Part of counting payments: what is left of an open promise."""
        known = self.promises.get(promise_id)
        if known is not None and known.remaining != remaining:
            self.emit(
                PromiseRegistered(
                    promise_id=promise_id,
                    made_on=known.made_on,
                    due_on=known.due_on,
                    amount=known.amount,
                    remaining=remaining,
                )
            )

    def close_promise(self, promise_id: UUID, outcome: str) -> None:
        """Part of judging or withdrawing a promise."""
        if promise_id in self.promises:
            broken = self.broken_promises + (outcome == "broken")
            self.emit(PromiseClosed(promise_id=promise_id, outcome=outcome, broken_promises=broken))

    # --- apply ---

    @applies(FlagSet)
    def _flag_set(self, event: FlagSet) -> None:
        self.flags = self.flags | {event.flag}

    @applies(FlagCleared)
    def _flag_cleared(self, event: FlagCleared) -> None:
        self.flags = self.flags - {event.flag}

    @applies(ActivityRecorded)
    def _activity_recorded(self, event: ActivityRecorded) -> None:
        if event.follow_up_on is not None:
            self.follow_ups[event.activity_id] = FollowUp(
                activity_id=event.activity_id, due_on=event.follow_up_on, assignee=event.assignee
            )

    @applies(FollowUpFellDue)
    def _follow_up_fell_due(self, event: FollowUpFellDue) -> None:
        due = self.follow_ups[event.activity_id]
        self.follow_ups[event.activity_id] = due.model_copy(update={"fell_due": True})

    @applies(FollowUpCompleted)
    def _follow_up_completed(self, event: FollowUpCompleted) -> None:
        self.follow_ups.pop(event.activity_id)

    @applies(DisputeOpened)
    def _dispute_opened(self, event: DisputeOpened) -> None:
        self.disputes[event.dispute_id] = Dispute(
            id=event.dispute_id, item_ids=event.item_ids, reason_code=event.reason_code, opened_on=event.opened_on
        )
        for item_id in event.item_ids:
            self.items[item_id].dispute_id = event.dispute_id

    @applies(DisputeResolved)
    def _dispute_resolved(self, event: DisputeResolved) -> None:
        self.disputes.pop(event.dispute_id)
        for item in (*self.items.values(), *self.settled.values()):
            if item.dispute_id == event.dispute_id:
                item.dispute_id = None

    @applies(HoldPlaced)
    def _hold_placed(self, event: HoldPlaced) -> None:
        self.holds[event.hold_id] = Hold(id=event.hold_id, code=event.code, until=event.until)

    @applies(HoldReleased)
    def _hold_released(self, event: HoldReleased) -> None:
        self.holds.pop(event.hold_id)

    @applies(PromiseRegistered)
    def _promise_registered(self, event: PromiseRegistered) -> None:
        self.promises[event.promise_id] = OpenPromise(
            id=event.promise_id,
            made_on=event.made_on,
            due_on=event.due_on,
            amount=event.amount,
            remaining=event.remaining,
        )

    @applies(PromiseClosed)
    def _promise_closed(self, event: PromiseClosed) -> None:
        self.promises.pop(event.promise_id)
        self.broken_promises = event.broken_promises

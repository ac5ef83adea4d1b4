"""Who may not be chased at a moment, told from the events alone: nothing here asks the rules that are tested."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from aggregates.account.allocation import AllocationReleased, FundsAllocated
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.chase import StepsPassedOver
from aggregates.account.complaints import ComplaintClosed, ComplaintReceived
from aggregates.account.contact import OptedIn, OptedOut
from aggregates.account.disputes import DisputeOpened, DisputeResolved
from aggregates.account.exclusion import Excluded, ExclusionLifted
from aggregates.account.flags import FlagCleared, FlagSet
from aggregates.account.holds import HoldPlaced, HoldReleased
from aggregates.account.legal import LegalCaseMoved, LegalCaseOpened, LegalState
from aggregates.account.messages import MessageDispatched, MessageFailed, MessageQueued
from aggregates.account.payment_claims import PaymentClaimed, PaymentClaimEnded
from aggregates.account.payments import CreditNoted, CreditWithdrawn, PaymentReceived, PaymentReversed
from aggregates.account.promises import PromiseClosed, PromiseRegistered
from aggregates.account.reallocation import FundsReallocated
from aggregates.account.write_offs import DebtWrittenOff
from aggregates.campaign import CampaignLaunched, CampaignPaused, CampaignResumed, CampaignRevised, ExistingDebt
from aggregates.kernel.event import Recorded
from aggregates.office import AutomationPaused, AutomationResumed

Span = tuple[datetime, datetime | None]


@dataclass
class Witness:
    """What the log says up to a point about one account in one office."""

    zone: ZoneInfo
    open: dict[UUID, int] = field(default_factory=dict)
    due: dict[UUID, date] = field(default_factory=dict)
    known: dict[UUID, date] = field(default_factory=dict)
    disputes: dict[UUID, dict[UUID, int | None]] = field(default_factory=dict)
    """By dispute its items, each with the part that is disputed; None: all of it."""
    unapplied: int = 0
    promised: dict[UUID, int] = field(default_factory=dict)
    excluded: bool = False
    flags: set[str] = field(default_factory=set)
    holds: set[UUID] = field(default_factory=set)
    """And complaints that rest the chase."""
    rested: dict[UUID, frozenset[UUID]] = field(default_factory=dict)
    """By hold, suit or payment claim the items of which nothing is chased."""
    opt_outs: set[tuple[str, str | None]] = field(default_factory=set)
    pauses: dict[str, Span] = field(default_factory=dict)
    days: dict[str, int] = field(default_factory=dict)
    """Of every step that any version of the campaign had."""
    plan: list[str] = field(default_factory=list)
    """The steps of the current version."""
    existing: ExistingDebt | None = None
    tried: defaultdict[UUID, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Steps that were taken about an invoice, or could not be."""
    queued: dict[UUID, MessageQueued] = field(default_factory=dict)
    left: Counter[date] = field(default_factory=Counter)
    taken: set[tuple[UUID, str]] = field(default_factory=set)
    failed: dict[tuple[UUID, str], int] = field(default_factory=dict)
    """Steps that were not taken after all: the message failed, under this version. A later version tries again."""
    version: int = 0

    def complaints(self, log: list[Recorded]) -> Iterator[str]:
        """What should not have happened, in order."""
        for recorded in log:
            if isinstance(recorded.event, MessageQueued):
                yield from self._about_queueing(recorded, recorded.event)
            if isinstance(recorded.event, MessageDispatched):
                yield from self._about_leaving(recorded, self.queued[recorded.event.message_id])
            self._note(recorded)

    def _about_queueing(self, recorded: Recorded, message: MessageQueued) -> Iterator[str]:
        local = recorded.recorded_at.astimezone(self.zone)
        if local.weekday() > 4 or not time(9) <= local.time() < time(18):
            yield f"{local} is not in the send window"
        anchor = message.items[0].item_id
        existing = (self.known[anchor] - self.due[anchor]).days
        if self.existing is ExistingDebt.LEAVE and self.days[message.step_id] < existing:
            yield f"{message.step_id} was due before the invoice was known"
        if self.existing is ExistingDebt.FROM_THE_START and self.tried[anchor].isdisjoint(self.plan):
            friendlier = [step for step in self.plan[: self.plan.index(message.step_id)] if self.days[step] > 0]
            if any(self.days[step] < existing for step in friendlier):
                yield f"{message.step_id} is the first of an existing invoice, before {friendlier}"

    def _about_leaving(self, recorded: Recorded, message: MessageQueued) -> Iterator[str]:
        moment = recorded.recorded_at
        day = moment.astimezone(self.zone).date()
        anchor = message.items[0].item_id
        disputed = {item_id: part for items in self.disputes.values() for item_id, part in items.items()}
        rest = {
            item_id: amount if item_id not in disputed else max(0, amount - (disputed[item_id] or amount))
            for item_id, amount in self.open.items()
        }
        resting = {item_id for items in self.rested.values() for item_id in items}
        chaseable = sum(amount for item_id, amount in rest.items() if item_id not in resting)
        shielded = sum(self.promised.values()) + self.unapplied
        if not self.open.get(anchor):
            yield f"{day}: the oldest invoice is paid"
        if sum(self.open.values()) <= self.unapplied:
            yield f"{day}: nothing is owed"
        if chaseable <= shielded:
            yield f"{day}: {chaseable} is covered by {shielded}"
        if any(
            covered.item_id in disputed and min(covered.open.minor, self.open[covered.item_id]) > rest[covered.item_id]
            for covered in message.items
        ):
            yield f"{day}: what is disputed of an invoice is chased"
        if any(covered.item_id in resting for covered in message.items):
            yield f"{day}: an invoice is chased that rests"
        if self.excluded or self.holds or self.flags & {"bankruptcy", "cease-contact"}:
            yield f"{day}: excluded, on hold or flagged"
        if {(message.channel, None), (message.channel, message.point_id)} & self.opt_outs:
            yield f"{day}: opted out"
        if any(start <= moment and (end is None or moment < end) for start, end in self.pauses.values()):
            yield f"{day}: paused"
        self.left[day] += 1
        if self.left[day] > 1:
            yield f"{day}: {self.left[day]} messages"
        step = anchor, message.step_id
        if step in self.taken and self.failed.pop(step, self.version) >= self.version:
            yield f"{day}: {message.step_id} again"
        self.taken.add(step)

    def _note(self, recorded: Recorded) -> None:
        match recorded.event:
            case InvoiceBilled(item=item, known_on=known_on):
                self.open[item.id], self.due[item.id] = item.amount.minor, item.due_on
                self.known[item.id] = known_on
            case InvoiceCorrected(item=item, open_after=open_after):
                self.open[item.id], self.due[item.id] = open_after.minor, item.due_on
            case PaymentReceived(receipt=receipt) | CreditNoted(receipt=receipt):
                self.unapplied += receipt.amount.minor
                for share in receipt.promises:
                    if share.promise_id in self.promised:
                        self.promised[share.promise_id] -= share.amount.minor
            case PaymentReversed(receipt=receipt) | CreditWithdrawn(receipt=receipt):
                self.unapplied -= receipt.amount.minor
                for share in receipt.promises:
                    if share.promise_id in self.promised:
                        self.promised[share.promise_id] += share.amount.minor
            case FundsAllocated(parts=allocated):
                for part in allocated:
                    self.open[part.item_id] -= part.amount.minor
                    self.unapplied -= part.amount.minor
            case AllocationReleased(parts=released):
                for back in released:
                    self.open[back.item.id] += back.amount.minor
                    self.unapplied += back.amount.minor
            case FundsReallocated(moves=moves, write_offs=written):
                for move in moves:
                    self.open[move.item_id] -= move.amount.minor
                    self.unapplied -= move.amount.minor
                for of in written or ():
                    self.open[of.item_id] -= of.amount.minor
            case DebtWrittenOff(parts=parts):
                for part in parts:
                    self.open[part.item_id] -= part.amount.minor
            case DisputeOpened(dispute_id=dispute_id, item_ids=item_ids, parts=parts):
                said = {part.item_id: part.amount.minor for part in parts or ()}
                self.disputes[dispute_id] = {item_id: said.get(item_id) for item_id in item_ids}
            case DisputeResolved(dispute_id=dispute_id):
                del self.disputes[dispute_id]
            case PromiseRegistered(promise_id=promise_id, remaining=remaining):
                self.promised[promise_id] = remaining.minor
            case PromiseClosed(promise_id=promise_id):
                del self.promised[promise_id]
            case Excluded() | ExclusionLifted():
                self.excluded = isinstance(recorded.event, Excluded)
            case FlagSet(flag=flag):
                self.flags.add(flag)
            case FlagCleared(flag=flag):
                self.flags.discard(flag)
            case HoldPlaced(hold_id=hold_id, item_ids=None):
                self.holds.add(hold_id)
            case HoldPlaced(hold_id=case_id, item_ids=item_ids):
                self.rested[case_id] = frozenset(item_ids or ())
            case HoldReleased(hold_id=hold_id):
                self.holds.discard(hold_id)
                self.rested.pop(hold_id, None)
            case (
                PaymentClaimed(claim_id=case_id, item_ids=item_ids)
                | LegalCaseOpened(case_id=case_id, item_ids=item_ids)
            ):
                self.rested[case_id] = frozenset(item_ids)
            case PaymentClaimEnded(claim_id=case_id):
                del self.rested[case_id]
            case LegalCaseMoved(case_id=case_id, state=LegalState.WITHDRAWN):
                del self.rested[case_id]
            case ComplaintReceived(complaint_id=complaint_id):
                self.holds.add(complaint_id)
            case ComplaintClosed(complaint_id=complaint_id):
                self.holds.discard(complaint_id)
            case OptedOut(channel=channel, point_id=point_id):
                self.opt_outs.add((channel, point_id))
            case OptedIn(channel=channel, point_id=point_id):
                self.opt_outs.discard((channel, point_id))
            case CampaignPaused(paused_from=start, paused_until=end):
                self.pauses["campaign"] = (start, end)
            case AutomationPaused(paused_from=start, paused_until=end):
                self.pauses["office"] = (start, end)
            case CampaignResumed():
                self.pauses.pop("campaign", None)
            case AutomationResumed():
                self.pauses.pop("office", None)
            case CampaignLaunched(plan=plan) | CampaignRevised(plan=plan):
                self.days.update({step.id: step.days for step in plan.steps})
                self.plan, self.existing = [step.id for step in plan.steps], plan.existing
                self.version += 1
            case MessageFailed(message_id=message_id, step_id=str(step_id)):
                message = self.queued[message_id]
                self.failed[message.items[0].item_id, step_id] = message.plan_version
            case StepsPassedOver(item_id=item_id, steps=steps):
                self.tried[item_id].update(steps)
            case MessageQueued() as message:
                self.queued[message.message_id] = message
                for covered in message.items:
                    self.tried[covered.item_id].add(covered.step_id or "")
            case _:
                pass

"""A small agenda for tests: what is due when, from events and state, in memory."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from aggregates.account import Account
from aggregates.account.activities import ActivityRecorded, RemindFollowUp
from aggregates.account.aging import AgeAccount, Aged
from aggregates.account.allocation import AllocationReleased
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.chase import JudgeCollection, ReviewScheduled, StepScheduled
from aggregates.account.deferred import AdmitFact, FactDeferred
from aggregates.account.holds import HoldPlaced, ReleaseHold
from aggregates.account.messages import TakeStep
from aggregates.campaign import Campaign, CampaignPaused, ResumeCampaign
from aggregates.kernel.command import Command, identifier
from aggregates.kernel.event import Event, Recorded
from aggregates.office import AutomationPaused, Office, ResumeOfficeAutomation
from aggregates.promise import (
    JudgePromise,
    PromiseMade,
    PromisePaymentCounted,
    PromisePaymentTakenBack,
    PromiseReopened,
    PromiseRescheduled,
    PromiseToPay,
)

if TYPE_CHECKING:
    from tests.given import World


@dataclass(frozen=True)
class Due:
    """Something to be asked for at a moment. The same item has the same command id, one put there anew another."""

    moment: datetime
    kind: str
    command: Command
    command_id: UUID


_PUT_BY: dict[str, tuple[type[Event], ...]] = {
    "step": (StepScheduled,),
    "review": (ReviewScheduled,),
    "aging": (InvoiceBilled, InvoiceCorrected, AllocationReleased, Aged),
    "fact": (FactDeferred,),
    "hold": (HoldPlaced,),
    "follow-up": (ActivityRecorded,),
    "promise": (PromiseMade, PromiseRescheduled, PromiseReopened, PromisePaymentCounted, PromisePaymentTakenBack),
    "pause-end": (AutomationPaused, CampaignPaused),
}


@dataclass
class Agenda:
    """Remembers at which position an item was put there last; the items themselves are read off the aggregates."""

    put: dict[tuple[UUID, str], int] = field(default_factory=dict)

    def note(self, recorded: Recorded) -> None:
        for kind, by in _PUT_BY.items():
            if isinstance(recorded.event, by):
                self.put[recorded.aggregate_id, kind] = recorded.position or 0

    def items(self, world: "World") -> list[Due]:
        found: list[Due] = []

        def add(kind: str, owner: UUID, ref: object, moment: datetime | None, command: Command) -> None:
            if moment is not None:
                command_id = identifier("tick", kind, owner, ref, self.put.get((owner, kind), 0))
                found.append(Due(moment, kind, command, command_id))

        for aggregate in world.aggregates.values():
            match aggregate:
                case Account():
                    for kind, ref, moment, command in _of_account(aggregate, world.zone):
                        add(kind, aggregate.id, ref, moment, command)
                case PromiseToPay(is_open=True, account_id=UUID() as account_id):
                    judge = JudgePromise(promise_id=aggregate.id, account_id=account_id)
                    add("promise", aggregate.id, "", _starts(_judged_on(aggregate), world.zone), judge)
                case Office(pause=pause) if pause:
                    until = ResumeOfficeAutomation(office_id=aggregate.id)
                    add("pause-end", aggregate.id, "", pause.paused_until, until)
                case Campaign(pause=pause, runs=True) if pause:
                    resume = ResumeCampaign(campaign_id=aggregate.id)
                    add("pause-end", aggregate.id, "", pause.paused_until, resume)
                case _:
                    pass
        return sorted(found, key=lambda due: (due.moment, due.kind != "fact", due.kind, str(due.command_id)))

    def due(self, now: datetime, world: "World") -> list[Due]:
        return [e for e in self.items(world) if e.moment <= now and e.command_id not in world.outcomes]

    def next_moment(self, world: "World") -> datetime | None:
        """When the next item that was not taken yet is due."""
        return next((each.moment for each in self.items(world) if each.command_id not in world.outcomes), None)

    def stuck(self, world: "World") -> list[Due]:
        """Items that were taken, and still are there: nothing will ever come of them."""
        return [e for e in self.items(world) if e.moment <= world.now and e.command_id in world.outcomes]


def _judged_on(promise: PromiseToPay) -> date:
    """The day after the grace of the first instalment that is not covered yet."""
    promised = 0
    for part in sorted(promise.instalments, key=lambda part: part.due_on):
        promised += part.amount.minor
        if promised > promise.received.minor:
            return promise.judged_after(part) + timedelta(days=1)
    return date.max.replace(year=9000)


def _starts(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _of_account(state: Account, zone: ZoneInfo) -> list[tuple[str, object, datetime | None, Command]]:
    own = state.id
    chase = state.chase
    found: list[tuple[str, object, datetime | None, Command]] = []
    if chase.scheduled is not None:
        step = TakeStep(account_id=own, step_id=chase.scheduled.step_id)
        found.append(("step", "", chase.scheduled.due_at, step))
    if chase.review_at is not None:
        found.append(("review", "", chase.review_at, JudgeCollection(account_id=own)))
    boundary = min(
        (item.next_on for item in state.receivables.items.values() if item.next_on is not None), default=None
    )
    if boundary is not None:
        found.append(("aging", boundary, _starts(boundary, zone), AgeAccount(account_id=own)))
    for fact_id, fact in state.deferred.facts.items():
        found.append(("fact", fact_id, _starts(fact.arrives_on, zone), AdmitFact(account_id=own, fact_id=fact_id)))
    for hold in state.holds.in_force.values():
        if hold.until is not None:
            release = ReleaseHold(account_id=own, hold_id=hold.id)
            found.append(("hold", hold.id, _starts(hold.until + timedelta(days=1), zone), release))
    for follow_up in state.activities.follow_ups.values():
        if not follow_up.fell_due:
            remind = RemindFollowUp(account_id=own, activity_id=follow_up.activity_id)
            found.append(("follow-up", follow_up.activity_id, _starts(follow_up.due_on, zone), remind))
    return found

"""The kinds of things on the worklist, in one table: what opens and ends each, and how much it weighs.

Everything else (the projection's rows, the score, filters of the command line, HTTP and the page) is made from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from aggregates.account.activities import ActivityRecorded, FollowUpCompleted
from aggregates.account.calls import CallStarted
from aggregates.account.complaints import ComplaintAnswered, ComplaintClosed, ComplaintOverdue, ComplaintReceived
from aggregates.account.disputes import DisputeOpened, DisputeOverdue, DisputeResolved
from aggregates.account.inbound import MessageRead, MessageReceived
from aggregates.account.messages import MessageFailed, MessageResolved, MessageSent, MessageUncertain
from aggregates.account.payment_claims import (
    PaymentClaimAccepted,
    PaymentClaimed,
    PaymentClaimEnded,
    PaymentClaimOutcome,
)
from aggregates.kernel.event import Event, Recorded
from aggregates.promise import PromiseBroken, PromisePartiallyKept
from aggregates.values.money import Money

NEAR = timedelta(days=7)
"""A case is shown that long before its deadline."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something that has to be done, as an event says it. What depends on the day is worked out when somebody looks."""

    item_id: UUID
    since: datetime
    assignee: str | None = None
    what: str | None = None
    due_on: date | None = None
    due_at: datetime | None = None
    """The moment of that day, where one was said."""
    shows_on: date | None = None
    """The local day from which on it is shown. None: at once."""
    amount: Money | None = None
    """What is at stake in itself. None: what is past due on the account."""
    about: UUID | None = None
    """The item whose task it is."""


class Cause(NamedTuple):
    """What an event says of the task that a policy makes of it."""

    amount: Money | None = None
    about: UUID | None = None


Opens = Callable[[Recorded, Any], Item | None]
Ends = Callable[[Any], tuple[UUID | None, ...]]
Causes = Callable[[Any], Cause | None]


@dataclass(frozen=True, slots=True)
class WorklistKind:
    """A kind of thing that has to be done: a row of the table."""

    name: str
    says: str
    base: int
    """Its part of the score."""
    opens: Mapping[type[Event], Opens] = field(default_factory=dict)
    ends: Mapping[type[Event], Ends] = field(default_factory=dict)
    causes: Mapping[type[Event], Causes] = field(default_factory=dict)
    """After these a policy has a task recorded, which is of this kind and no plain follow-up."""
    has_deadline: bool = False
    """On its last day and after it, it is shown though somebody put it off."""


def agent_of(actor: str) -> str:
    """`person:dana` is dana, as follow-ups name people; a service keeps its whole name."""
    return actor.removeprefix("person:")


# --- contacts that nobody documented -----------------------------------------------------------------


def call_started(_: Recorded, event: CallStarted) -> Item:
    return Item(event.call_id, event.started_at, agent_of(event.agent), "call")


def made_without_outcome(recorded: Recorded, event: ActivityRecorded) -> Item | None:
    if event.undocumented_by is None:
        return None
    since = event.at or recorded.recorded_at
    return Item(event.activity_id, since, agent_of(event.undocumented_by), event.kind)


def documented(event: ActivityRecorded) -> tuple[UUID | None, ...]:
    return event.activity_id, event.corrects


# --- follow-ups and tasks ----------------------------------------------------------------------------


def to_follow_up(recorded: Recorded, event: ActivityRecorded) -> Item | None:
    if event.follow_up_on is None:
        return None
    day, assignee = event.follow_up_on, event.assignee and agent_of(event.assignee)
    return Item(
        event.activity_id,
        recorded.recorded_at,
        assignee,
        event.kind,
        due_on=day,
        due_at=event.follow_up_at,
        shows_on=day,
    )


def followed_up(event: FollowUpCompleted) -> tuple[UUID | None, ...]:
    return (event.activity_id,)


def corrected(event: ActivityRecorded) -> tuple[UUID | None, ...]:
    return (event.corrects,)


_TASK_ENDS: Mapping[type[Event], Ends] = {FollowUpCompleted: followed_up, ActivityRecorded: corrected}


def promise_broken(event: PromiseBroken) -> Cause:
    return Cause(event.promised)


def promise_partially_kept(event: PromisePartiallyKept) -> Cause:
    return Cause(event.promised - event.received)


# --- cases -------------------------------------------------------------------------------------------


def payment_claimed(recorded: Recorded, event: PaymentClaimed) -> Item:
    return Item(event.claim_id, recorded.recorded_at, _named(event.assignee), due_on=event.until, amount=event.expected)


def claim_checked(event: PaymentClaimAccepted | PaymentClaimEnded) -> tuple[UUID | None, ...]:
    return (event.claim_id,)


def claim_lapsed(event: PaymentClaimEnded) -> Cause | None:
    return Cause() if event.outcome is PaymentClaimOutcome.LAPSED else None


def complaint_received(recorded: Recorded, event: ComplaintReceived) -> Item:
    return _until(event.answer_by, Item(event.complaint_id, recorded.recorded_at, _named(event.assignee), event.kind))


def complaint_over(event: ComplaintAnswered | ComplaintClosed) -> tuple[UUID | None, ...]:
    return (event.complaint_id,)


def complaint_overdue(event: ComplaintOverdue) -> Cause:
    return Cause(about=event.complaint_id)


def dispute_opened(recorded: Recorded, event: DisputeOpened) -> Item | None:
    if event.answer_by is None:
        return None
    item = Item(event.dispute_id, recorded.recorded_at, _named(event.assignee), event.reason_code)
    parts = event.parts or ()
    if len(parts) == len(event.item_ids):
        item = replace(item, amount=Money.total((part.amount for part in parts), parts[0].amount.currency))
    return _until(event.answer_by, item)


def dispute_over(event: DisputeResolved) -> tuple[UUID | None, ...]:
    return (event.dispute_id,)


def dispute_overdue(event: DisputeOverdue) -> Cause:
    return Cause(about=event.dispute_id)


def _until(last_day: date, item: Item) -> Item:
    """Not before the calendar begins."""
    shows_on = last_day - NEAR if last_day - date.min > NEAR else last_day
    return replace(item, due_on=last_day, shows_on=shows_on)


def _named(assignee: str | None) -> str | None:
    return agent_of(assignee) if assignee else None


# --- messages ----------------------------------------------------------------------------------------


def message_uncertain(recorded: Recorded, event: MessageUncertain) -> Item:
    return Item(event.message_id, recorded.recorded_at, what=event.channel)


def message_known(event: MessageResolved | MessageSent | MessageFailed) -> tuple[UUID | None, ...]:
    return (event.message_id,)


def message_received(recorded: Recorded, event: MessageReceived) -> Item | None:
    return Item(event.inbound_id, recorded.recorded_at, what=event.channel) if event.is_to_read else None


def message_read(event: MessageRead) -> tuple[UUID | None, ...]:
    return (event.inbound_id,)


# --- the table ---------------------------------------------------------------------------------------

UNDOCUMENTED = WorklistKind(
    "undocumented",
    "Say how the contact ended",
    60,
    opens={CallStarted: call_started, ActivityRecorded: made_without_outcome},
    ends={ActivityRecorded: documented},
)

FOLLOW_UP = WorklistKind("follow-up", "Follow up", 20, opens={ActivityRecorded: to_follow_up}, ends=_TASK_ENDS)

KINDS: tuple[WorklistKind, ...] = (
    UNDOCUMENTED,
    WorklistKind(
        "complaint",
        "Answer the complaint",
        55,
        opens={ComplaintReceived: complaint_received},
        ends={ComplaintAnswered: complaint_over, ComplaintClosed: complaint_over, **_TASK_ENDS},
        causes={ComplaintOverdue: complaint_overdue},
        has_deadline=True,
    ),
    WorklistKind(
        "reply",
        "Read the reply",
        50,
        opens={MessageReceived: message_received},
        ends={MessageRead: message_read},
    ),
    WorklistKind(
        "broken-promise",
        "Ask about the broken promise",
        40,
        ends=_TASK_ENDS,
        causes={PromiseBroken: promise_broken, PromisePartiallyKept: promise_partially_kept},
    ),
    WorklistKind(
        "dispute",
        "Resolve the dispute",
        35,
        opens={DisputeOpened: dispute_opened},
        ends={DisputeResolved: dispute_over, **_TASK_ENDS},
        causes={DisputeOverdue: dispute_overdue},
        has_deadline=True,
    ),
    WorklistKind(
        "payment-claim",
        "Check what is said to be paid",
        30,
        opens={PaymentClaimed: payment_claimed},
        ends={PaymentClaimAccepted: claim_checked, PaymentClaimEnded: claim_checked, **_TASK_ENDS},
        causes={PaymentClaimEnded: claim_lapsed},
    ),
    WorklistKind(
        "uncertain-message",
        "Find out whether the message left",
        30,
        opens={MessageUncertain: message_uncertain},
        ends={MessageResolved: message_known, MessageSent: message_known, MessageFailed: message_known},
    ),
    FOLLOW_UP,
)
"""The heaviest first."""

BY_NAME: Mapping[str, WorklistKind] = {kind.name: kind for kind in KINDS}

WORKLIST_VERSION = 1
"""Raised when a kind opens or ends otherwise, or by events that logs may hold already: the list is then built anew."""

INTEREST: frozenset[type[Event]] = frozenset(
    event_class for kind in KINDS for said in (kind.opens, kind.ends, kind.causes) for event_class in said
)
"""The events that kinds take note of."""

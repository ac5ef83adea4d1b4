"""The shape of the agenda's table: a kind of future thing, the events that plan it, and what those say."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from aggregates.account.customer import AccountOpened
from aggregates.bulk.schedule import BulkScheduled
from aggregates.campaign import CampaignLaunched
from aggregates.kernel.command import Command
from aggregates.kernel.event import Event, Recorded
from aggregates.office import OfficeOpened
from aggregates.placement_file import FileRequested
from aggregates.promise import (
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromisePartiallyKept,
    PromisePaymentCounted,
    PromisePaymentTakenBack,
    PromiseReopened,
    PromiseRescheduled,
    PromiseWithdrawn,
    first_missed,
)
from policies.policy import PolicyName


class Entry(NamedTuple):
    """What becomes of the item `ref` of a kind: the command is asked for from a moment on, or from the beginning of a
    local day of its office on. With neither, nothing is due any more: the item leaves the agenda."""

    ref: UUID
    command: Command | None = None
    at: datetime | None = None
    on: date | None = None


class PromiseMemory(NamedTuple):
    """What the next judgement of a promise follows from. Instalments are (due on, minor units)."""

    instalments: tuple[tuple[date, int], ...] = ()
    grace_days: int = 0
    received: int = 0
    is_open: bool = True

    def judged_on(self) -> date | None:
        """The day of the judgement that settles it. What is covered already needs no judging, so one always does."""
        return first_missed(self.instalments, self.received, self.grace_days) if self.is_open else None


@dataclass(slots=True)
class Subject:
    """Whom the event at work is about, as far as plans depend on it."""

    owner_id: UUID
    """The account; or the campaign, office, placement file or schedule, where it is about no account."""
    aggregate_id: UUID
    promise: PromiseMemory = field(default_factory=PromiseMemory)
    """Of an event about a promise: what is known of it, this event included."""


Planner = Callable[[Any, Subject], Iterable[Entry]]
"""Pure: what an event plans, moves or cancels. Its first parameter has the type of the events it is listed for."""


@dataclass(frozen=True, slots=True)
class AgendaKind:
    """A kind of future thing: a row of the agenda's table."""

    name: str
    about: str
    """What `ref` is the id of, and when it is due; said in the comments of the agenda's table in the database."""
    commands: tuple[type[Command], ...]
    """What is asked for when it is due."""
    policy: PolicyName
    """Who asks."""
    plans: Mapping[type[Event], Planner]
    """The events that plan, move or cancel it."""
    one_for_all: bool = False
    """One command does for all items of an owner that are due in the same tick."""
    sends: bool = False
    """A message may follow: an office's limit of messages a day holds for what is asked."""


class UnknownSubject(LookupError):
    """An event about something whose beginning was not seen."""


BEGINNINGS = (AccountOpened, CampaignLaunched, OfficeOpened, FileRequested, BulkScheduled)
"""The events by which an owner and its office become known."""


def office_by_beginning(recorded: Recorded) -> UUID:
    """The office whose days count for an owner, by its first event. Raises UnknownSubject for any other."""
    match recorded.event:
        case OfficeOpened():
            return recorded.aggregate_id
        case AccountOpened() | CampaignLaunched() | FileRequested() | BulkScheduled() as begun:
            return begun.office_id
    raise UnknownSubject(f"{recorded.name} at position {recorded.position}: nothing was heard of it before")


# --- what plans remember of a promise ----------------------------------------------------------------


def remembered(known: PromiseMemory | None, event: Event) -> PromiseMemory:
    """A promise after one of the events in REMEMBERED. Raises UnknownSubject where it was never made."""
    if isinstance(event, PromiseMade):
        known = PromiseMemory()
    elif known is None:
        raise UnknownSubject(f"{event.event_name} is about a promise that was never made")
    return REMEMBERED[type(event)](known, event)


def _with_terms(known: PromiseMemory, event: PromiseMade | PromiseRescheduled) -> PromiseMemory:
    instalments = tuple(sorted((each.due_on, each.amount.minor) for each in event.instalments))
    return PromiseMemory(instalments, event.grace_days, known.received, known.is_open)


def _with_received(known: PromiseMemory, event: PromisePaymentCounted | PromisePaymentTakenBack) -> PromiseMemory:
    return PromiseMemory(known.instalments, known.grace_days, event.received_after.minor, known.is_open)


def _closed(known: PromiseMemory, _: Event) -> PromiseMemory:
    return PromiseMemory(known.instalments, known.grace_days, known.received, is_open=False)


def _opened(known: PromiseMemory, _: Event) -> PromiseMemory:
    return PromiseMemory(known.instalments, known.grace_days, known.received, is_open=True)


REMEMBERED: Mapping[type[Event], Callable[[PromiseMemory, Any], PromiseMemory]] = {
    PromiseMade: _with_terms,
    PromiseRescheduled: _with_terms,
    PromisePaymentCounted: _with_received,
    PromisePaymentTakenBack: _with_received,
    PromiseKept: _closed,
    PromisePartiallyKept: _closed,
    PromiseBroken: _closed,
    PromiseWithdrawn: _closed,
    PromiseReopened: _opened,
}
"""The events that say something of a promise that plans depend on."""

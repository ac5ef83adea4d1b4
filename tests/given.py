"""given / when / then over the real decisions and policies, in memory.

`World` is the real decider over the store in memory, with the policies and the agenda around it. A `Scenario`
wraps one for tests that read as a sentence.
"""

from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, Self, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from adapters.rules import RULES
from aggregates.account import Account
from aggregates.account.bulk import ApplyBulkAction
from aggregates.account.messages import (
    DispatchMessage,
    MessageSent,
    MessageState,
    ReportFailed,
    ReportSent,
    ReportUncertain,
)
from aggregates.bulk.part import FrozenRow, RowsFrozen
from aggregates.campaign import Campaign
from aggregates.kernel.actor import Actor
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.command import Accepted, Command, Issued, Outcome, Rejected, identifier
from aggregates.kernel.event import Event, Recorded
from aggregates.kernel.memory import MemoryStore
from aggregates.office import Office
from aggregates.promise import PromiseToPay
from policies.agenda import command_id_for, issued_for
from policies.agenda_memory import Agenda, PlannedItem
from policies.policy import EveryRow, InBackground, Reaction
from policies.table import POLICIES
from tests.builders import ACCOUNT, CAMPAIGN, OFFICE, PROMISE, an_account, an_office

AnyAggregate = TypeVar("AnyAggregate", bound=Aggregate)
AnyEvent = TypeVar("AnyEvent", bound=Event)

Carrier = Literal["takes", "refuses", "dies"]
_AboutMessage = DispatchMessage | ReportSent | ReportFailed | ReportUncertain

BEGINNING = datetime(2025, 12, 1, 17, tzinfo=UTC)
"""Noon in New York; tests move on from here."""


@dataclass
class World:
    """Offices, campaigns, accounts and promises as they are, and every event that led there."""

    now: datetime = BEGINNING
    store: MemoryStore = field(default_factory=lambda: MemoryStore(RULES))
    agenda: Agenda = field(default_factory=Agenda)
    reacted: int = 0
    """How much of the log the policies have seen."""
    reacts: bool = False
    issued: int = 0

    # --- looking ---

    @property
    def log(self) -> list[Recorded]:
        return self.store.log

    @property
    def aggregates(self) -> Mapping[UUID, Aggregate]:
        return self.store.aggregates

    @property
    def outcomes(self) -> Container[UUID]:
        """Ids of commands that were handled."""
        return self.store.stored

    def get(self, kind: type[AnyAggregate], aggregate_id: UUID) -> AnyAggregate:
        return self.store.get(kind, aggregate_id)

    @property
    def office(self) -> Office:
        return self.get(Office, OFFICE)

    @property
    def account(self) -> Account:
        return self.get(Account, ACCOUNT)

    @property
    def promise(self) -> PromiseToPay:
        return self.get(PromiseToPay, PROMISE)

    @property
    def campaign(self) -> Campaign:
        return self.get(Campaign, CAMPAIGN)

    @property
    def zone(self) -> ZoneInfo:
        office = self.aggregates.get(OFFICE)
        return office.zone if isinstance(office, Office) else ZoneInfo("America/New_York")

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def events(self, kind: type[AnyEvent]) -> list[AnyEvent]:
        return [recorded.event for recorded in self.log if isinstance(recorded.event, kind)]

    def history(self, aggregate_id: UUID) -> list[Event]:
        return [recorded.event for recorded in self.log if recorded.aggregate_id == aggregate_id]

    def sent(self) -> list[tuple[date, str]]:
        """What left, and on which local day."""
        return [(event.sent_on, event.step_id or "") for event in self.events(MessageSent)]

    # --- time ---

    def move_to(self, moment: date | datetime) -> None:
        """A day means its noon."""
        self.now = moment.astimezone(UTC) if isinstance(moment, datetime) else self.at(moment)

    def at(self, day: date, hour: int = 12, minute: int = 0) -> datetime:
        """The moment of a local wall-clock time in the office."""
        return datetime.combine(day, time(hour, minute), self.zone).astimezone(UTC)

    def learn_by(self, command: Command) -> None:
        """A fact of a later day is learned that day."""
        for name in ("issued_on", "received_on", "reversed_on", "refunded_on"):
            day = getattr(command, name, None)
            if day is not None and day > self.today:
                self.move_to(day)

    # --- the write path ---

    def do(self, command: Command, *, actor: str = "person:tester", **more: Any) -> Outcome:
        """As a person says it, with a reason; what it leads to follows where the world reacts."""
        self.issued += 1
        given = {"command_id": identifier("test", self.issued), "reason": "a test", **more}
        outcome = self.issue(Issued(command=command, actor=Actor.parse(actor), **given))
        if self.reacts:
            self.react()
        return outcome

    def issue(self, issued: Issued) -> Outcome:
        before = len(self.log)
        [outcome] = self.store.handle([issued], now=self.now)
        for recorded in self.log[before:]:
            self.agenda.note(recorded)
        return outcome

    # --- what follows by itself ---

    def react(self) -> None:
        """Policies see what is new, and what they cause, until nothing follows."""
        while self.reacted < len(self.log):
            recorded = self.log[self.reacted]
            self.reacted += 1
            for policy in POLICIES:
                if type(recorded.event) in policy.listens:
                    for ordinal, reaction in enumerate(policy.reactions(recorded)):
                        for key, command in self._commands(reaction, ordinal):
                            self.issue(
                                Issued(
                                    command=command,
                                    command_id=policy.command_id(recorded.event_id, key),
                                    actor=policy.actor,
                                    causation_id=recorded.event_id,
                                )
                            )

    def _commands(self, reaction: Reaction, ordinal: int) -> list[tuple[object, Command]]:
        if isinstance(reaction, Command):
            return [(ordinal, reaction)]
        if isinstance(reaction, InBackground):
            return []  # a worker does it
        if isinstance(reaction, EveryRow):
            of = [each for each in self.events(RowsFrozen) if each.bulk_id == reaction.bulk_id]
            return [(row.account_id, _for_row(reaction, row)) for each in of for row in each.rows]
        return [(i, reaction.command(i)) for i, a in self.aggregates.items() if isinstance(a, Account)]

    def tick(self) -> None:
        """Takes what is due on the agenda, in order, then what follows, until nothing more is due."""
        self.react()
        while due := self.due():
            for issued in issued_for(due, set()):
                self.issue(issued)
            self.react()

    def due(self) -> list[PlannedItem]:
        """What is due and was not taken yet."""
        return [item for item in self.agenda.due(self.now) if command_id_for(item) not in self.outcomes]

    def stuck(self) -> list[PlannedItem]:
        """What was taken and is due all the same: nothing will ever come of it."""
        return [item for item in self.agenda.due(self.now) if command_id_for(item) in self.outcomes]

    def deliver(self, *, carrier: Carrier = "takes") -> None:
        """What a sender does about every message under way: claim, send, report.

        A carrier that `takes` messages, `refuses` them, or with whom the process `dies` before there is an answer;
        what was claimed before and has no answer is reported as uncertain.
        """
        for account in [a for a in self.aggregates.values() if isinstance(a, Account)]:
            for message in tuple(account.messages.under_way.values()):
                if message.state is MessageState.DISPATCHED:
                    self._as_delivery("uncertain", ReportUncertain(account_id=account.id, message_id=message.id))
                elif message.state is MessageState.QUEUED:
                    self._as_delivery("dispatch", DispatchMessage(account_id=account.id, message_id=message.id))
                    if _is_claimed(account, message.id):
                        self._hand_over(account, message.id, carrier)
        self.react()

    def _hand_over(self, account: Account, message_id: UUID, carrier: Carrier) -> None:
        about: dict[str, Any] = {"account_id": account.id, "message_id": message_id}
        if carrier == "takes":
            self._as_delivery("sent", ReportSent(**about, body="text", body_sha256="0" * 64, sent_at=self.now))
        elif carrier == "refuses":
            self._as_delivery("failed", ReportFailed(**about, code="no-such-address", detail="the carrier refused"))

    def _as_delivery(self, act: str, command: _AboutMessage) -> None:
        self.issue(Issued(command, identifier(act, command.message_id), actor=Actor.service("delivery")))

    def live(self, until: date | datetime, *, delivering: bool = True) -> None:
        """Lets time pass as a service that is always up: every agenda item is taken the moment it is due."""
        end = until.astimezone(UTC) if isinstance(until, datetime) else self.at(until)
        self.react()
        if delivering:
            self.deliver()
        for _ in range(10_000):
            moment = min(map(self.agenda.due_at, self.due()), default=self.agenda.next_due(after=self.now))
            if moment is None or moment > end:
                break
            self.now = max(self.now, moment)
            self.tick()
            if delivering:
                self.deliver()
        else:
            raise AssertionError(f"the agenda never empties: {self.due()}")
        self.now = max(self.now, end)


def _is_claimed(account: Account, message_id: UUID) -> bool:
    message = account.messages.under_way.get(message_id)
    return message is not None and message.state is MessageState.DISPATCHED


# --- given / when / then -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Like:
    """An event of which only some fields matter."""

    event_class: type[Event]
    fields: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, self.event_class) and all(
            getattr(other, name) == value for name, value in self.fields.items()
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self.event_class.__name__}({', '.join(f'{k}={v!r}' for k, v in self.fields.items())})"


def like(event_class: type[Event], **fields: Any) -> Like:
    return Like(event_class, fields)


Expected = Event | Like | type[Event]
Given = Command | date | datetime | Callable[[World], object]


class Scenario:
    """A world with a history, and what the last command did to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.outcome: Outcome | None = None
        self._before = len(world.log)

    @property
    def account(self) -> Account:
        return self.world.account

    @property
    def new(self) -> list[Event]:
        """The events of the last command."""
        return [recorded.event for recorded in self.world.log[self._before :]]

    def having(self, *history: Given) -> Self:
        """More of it, before the next command."""
        _live_through(self.world, history)
        return self

    def when(self, command: Command, *, at: date | datetime | None = None, **issued: Any) -> Self:
        if at is not None:
            self.world.move_to(at)
        else:
            self.world.learn_by(command)
        self._before = len(self.world.log)
        self.outcome = self.world.do(command, **issued)
        return self

    def then(self, *expected: Expected) -> Self:
        """Exactly these events, in this order; a class stands for any event of it."""
        assert isinstance(self.outcome, Accepted), self.outcome
        actual = [type(e) if isinstance(x, type) else e for e, x in _padded(self.new, expected)]
        assert actual == list(expected)
        return self

    def then_among_others(self, *expected: Expected) -> Self:
        """These events in this order, others between them."""
        assert isinstance(self.outcome, Accepted), self.outcome
        left = deque(expected)
        for event in self.new:
            if left and left[0] == (type(event) if isinstance(left[0], type) else event):
                left.popleft()
        assert not left, f"missing {left[0]} in {self.new}"
        return self

    def then_no(self, *event_classes: type[Event]) -> Self:
        assert not [event for event in self.new if isinstance(event, event_classes)]
        return self

    def then_nothing_happened(self) -> Self:
        return self.then()

    def then_refused(self, reason_code: str) -> Self:
        assert isinstance(self.outcome, Rejected), f"accepted: {self.new}"
        assert self.outcome.reason_code == reason_code, self.outcome
        assert self.new == []
        return self


def _padded(events: list[Event], expected: tuple[Expected, ...]) -> list[tuple[Event, Expected | None]]:
    more: tuple[Expected | None, ...] = (*expected, *[None] * len(events))
    return list(zip(events, more, strict=False))


def given(*history: Given, reacts: bool = False) -> Scenario:
    """An office and an account with this history.

    A day or moment in it sets the clock; a command dated later than the clock is learned on its own day.
    """
    return _scenario((an_office(), an_account(), *history), reacts=reacts)


def given_only(*history: Given) -> Scenario:
    """This history and nothing else."""
    return _scenario(history, reacts=False)


def given_auto_collection(*history: Given) -> Scenario:
    """As `given`, with policies that react to every event."""
    return given(*history, reacts=True)


def _scenario(history: Iterable[Given], *, reacts: bool) -> Scenario:
    world = World(reacts=reacts)
    _live_through(world, history)
    return Scenario(world)


def _live_through(world: World, history: Iterable[Given]) -> None:
    for each in history:
        if isinstance(each, date):
            world.move_to(each)
        elif isinstance(each, Command):
            world.learn_by(each)
            outcome = world.do(each)
            assert isinstance(outcome, Accepted), f"{each!r}: {outcome}"
        else:
            each(world)


def later(**more: float) -> Callable[[World], object]:
    """Time passes, and nothing else happens."""

    def pass_time(world: World) -> None:
        world.now += timedelta(**more)

    return pass_time


def live(until: date | datetime) -> Callable[[World], object]:
    """Time passes and the service runs."""

    def run(world: World) -> None:
        world.live(until)

    return run


def _for_row(reaction: EveryRow, row: FrozenRow) -> Command:
    """What a bulk action's row is asked."""
    said = {"expected": row.expected} if reaction.asks is ApplyBulkAction else {}
    return reaction.asks.model_validate({**reaction.arguments, **said, "account_id": row.account_id})

"""From events to the agenda: what they plan, move and cancel."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast
from uuid import UUID

from psycopg import Connection

from aggregates.account.activities import ActivityRecorded, FollowUpCompleted, FollowUpFellDue
from aggregates.account.aging import Aged
from aggregates.account.allocation import AllocationReleased, FundsAllocated
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.chase import ReviewScheduled, StepScheduled, StepUnscheduled
from aggregates.account.customer import AccountOpened
from aggregates.account.deferred import FactArrived, FactDeferred
from aggregates.account.holds import HoldPlaced, HoldReleased
from aggregates.account.messages import MessageQueued
from aggregates.campaign import CampaignLaunched, CampaignPaused, CampaignResumed, CampaignRetired
from aggregates.kernel.event import Event, Recorded
from aggregates.office import AutomationPaused, AutomationResumed, OfficeOpened, TimeZoneChanged
from aggregates.promise import (
    Instalment,
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromisePartiallyKept,
    PromisePaymentCounted,
    PromisePaymentTakenBack,
    PromiseReopened,
    PromiseRescheduled,
    PromiseWithdrawn,
)
from projections.agenda.partition import place_of
from projections.batch import EventProjection, Row, as_json, on, rows_from
from projections.upsert import upsert

_ONE_DAY = timedelta(days=1)
_CACHED_AT_LEAST, _CACHED_BATCHES = 10_000, 10
"""How many owners are kept at hand: some, or as many as this number of batches has events."""
_NOWHERE = UUID(int=0)

_PUT_AGENDA = upsert(
    "agenda", "kind, ref",
    "kind text", "ref uuid", "owner_id uuid", "office_id uuid", "due_at timestamptz", "due_on date",
    "place integer", "command_name text", "payload jsonb", "last_position bigint",
)  # fmt: skip
_PUT_OWNERS = upsert("agenda_owners", "owner_id", "owner_id uuid", "office_id uuid", "last_position bigint")
_PUT_PROMISES = upsert(
    "agenda_promises", "promise_id",
    "promise_id uuid", "instalments jsonb", "grace_days integer", "received bigint", "is_open boolean",
    "last_position bigint",
)  # fmt: skip
_PUT_OFFICES = upsert(
    "offices", "office_id",
    "office_id uuid", "code text", "title text", "currency text", "time_zone text", "last_position bigint",
)  # fmt: skip
_MOVE_OFFICES = f"""
    UPDATE offices SET time_zone = moved.time_zone, last_position = moved.last_position
    FROM ({rows_from("office_id uuid", "time_zone text", "last_position bigint")}) AS moved
    WHERE offices.office_id = moved.office_id
"""  # noqa: S608
_CANCEL = f"""
    DELETE FROM agenda USING ({rows_from("kind text", "ref uuid")}) AS gone
    WHERE agenda.kind = gone.kind AND agenda.ref = gone.ref
"""  # noqa: S608


class UnknownSubject(LookupError):
    """An event about something whose beginning this projection has not seen."""


@dataclass(slots=True)
class Owner:
    """An account, campaign or office, and how far its events were read."""

    office_id: UUID
    last_position: int
    place: int


@dataclass(slots=True)
class Promise:
    """What the next judgement of a promise follows from. Instalments are (due on, minor units), by day."""

    instalments: list[tuple[date, int]]
    grace_days: int
    received: int = 0
    is_open: bool = True
    last_position: int = 0

    def judged_on(self) -> date | None:
        """The first day on which a judgement finds the promise missed, with what has come in so far.

        Instalments that are covered already need no judging, so a promise that is due is always settled by it.
        """
        promised = 0
        for due_on, minor in self.instalments:
            promised += minor
            if promised > self.received:
                return due_on + timedelta(days=self.grace_days + 1) if self.is_open else None
        return None


@dataclass(slots=True)
class Planning:
    """What a batch plans and cancels, and the event at work."""

    rows: dict[tuple[str, UUID], Row | None] = field(default_factory=dict)
    owners: dict[UUID, Owner] = field(default_factory=dict)
    promises: dict[UUID, Promise] = field(default_factory=dict)
    changed_promises: set[UUID] = field(default_factory=set)
    offices: dict[UUID, Row] = field(default_factory=dict)
    moved_offices: dict[UUID, Row] = field(default_factory=dict)
    aggregate_id: UUID = _NOWHERE
    owner_id: UUID = _NOWHERE
    office_id: UUID = _NOWHERE
    place: int = 0
    position: int = 0

    def plan(
        self,
        kind: str,
        ref: UUID,
        command_name: str,
        payload: dict[str, Any],
        *,
        at: datetime | None = None,
        on: date | None = None,
    ) -> None:
        """Something is due at a moment, or on a local day; neither: it is not due any more."""
        if at is None and on is None:
            self.cancel(kind, ref)
            return
        self.rows[kind, ref] = (
            kind, ref, self.owner_id, self.office_id, at, on, self.place, command_name, payload, self.position,
        )  # fmt: skip

    def cancel(self, kind: str, ref: UUID) -> None:
        self.rows[kind, ref] = None

    def promise(self) -> Promise:
        """The promise that the event at work is about, to be changed."""
        promise = self.promises.get(self.aggregate_id)
        if promise is None:
            raise UnknownSubject(f"position {self.position} is about promise {self.aggregate_id}, which was never made")
        promise.last_position = self.position
        self.changed_promises.add(self.aggregate_id)
        return promise


class AgendaProjection(EventProjection):
    """One row per future thing. What an event cancels is deleted, and each owner's last position keeps it so."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "agenda"
    version: ClassVar[int] = 2
    public: ClassVar[tuple[str, ...]] = ("agenda", "offices")

    def __init__(self) -> None:
        self._owners: OrderedDict[UUID, Owner] = OrderedDict()

    def forget(self) -> None:
        self._owners.clear()

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        methods = cast(_Methods, self._methods)
        mine = [recorded for recorded in batch if type(recorded.event) in methods]
        self._load_owners({recorded.account_id or recorded.aggregate_id for recorded in mine}, connection)
        planning = Planning()
        planning.promises = _load_promises(
            {r.aggregate_id for r in mine if isinstance(r.event, _OF_PROMISE)}, connection
        )
        for recorded in mine:
            if self._begin(recorded, planning):
                methods[type(recorded.event)](self, recorded.event, planning)
        _write(planning, connection)
        while len(self._owners) > max(_CACHED_AT_LEAST, _CACHED_BATCHES * len(batch)):
            self._owners.popitem(last=False)

    def _begin(self, recorded: Recorded, planning: Planning) -> bool:
        """Whether the event is news to its owner; then it is the one at work."""
        owner_id, position = recorded.account_id or recorded.aggregate_id, cast(int, recorded.position)
        owner = self._owners.get(owner_id)
        if owner is None:
            if not isinstance(recorded.event, _BEGINNINGS):
                raise UnknownSubject(f"{recorded.name} at position {position}: nothing was heard of it before")
            office_id = recorded.aggregate_id if isinstance(recorded.event, OfficeOpened) else recorded.event.office_id
            owner = self._owners[owner_id] = Owner(office_id, 0, place_of(owner_id))
        if position <= owner.last_position:
            return False
        owner.last_position = position
        planning.owners[owner_id] = owner
        planning.aggregate_id, planning.position = recorded.aggregate_id, position
        planning.owner_id, planning.office_id, planning.place = owner_id, owner.office_id, owner.place
        return True

    def _load_owners(self, owner_ids: set[UUID], connection: Connection[Any]) -> None:
        missing = []
        for owner_id in owner_ids:
            if owner_id in self._owners:
                self._owners.move_to_end(owner_id)
            else:
                missing.append(owner_id)
        if missing:
            for owner_id, office_id, position in connection.execute(
                "SELECT owner_id, office_id, last_position FROM agenda_owners WHERE owner_id = ANY (%s)",
                [missing],
                prepare=True,
                binary=True,
            ):
                self._owners[owner_id] = Owner(office_id, position, place_of(owner_id))

    # --- aging ---

    @on(InvoiceBilled)
    def _billed(self, event: InvoiceBilled, planning: Planning) -> None:
        _age(planning, event.item.id, event.item.due_on + _ONE_DAY)

    @on(InvoiceCorrected)
    def _corrected(self, event: InvoiceCorrected, planning: Planning) -> None:
        _age(planning, event.item.id, event.item.due_on + _ONE_DAY if event.open_after else None)

    @on(AllocationReleased)
    def _released(self, event: AllocationReleased, planning: Planning) -> None:
        for part in event.parts:
            _age(planning, part.item.id, part.item.due_on + _ONE_DAY)

    @on(FundsAllocated)
    def _allocated(self, event: FundsAllocated, planning: Planning) -> None:
        for part in event.parts:
            if not part.open_after:
                planning.cancel("aging", part.item_id)

    @on(Aged)
    def _aged(self, event: Aged, planning: Planning) -> None:
        for move in event.moves:
            _age(planning, move.item_id, move.next_on)

    # --- auto-collection ---

    @on(StepScheduled)
    def _step_scheduled(self, event: StepScheduled, planning: Planning) -> None:
        account_id = planning.owner_id
        body = {"account_id": account_id, "step_id": event.step.step_id}
        planning.plan("step", account_id, "take-step", body, at=event.step.due_at)

    @on(StepUnscheduled, MessageQueued)
    def _step_gone(self, _: StepUnscheduled | MessageQueued, planning: Planning) -> None:
        planning.cancel("step", planning.owner_id)

    @on(ReviewScheduled)
    def _review_scheduled(self, event: ReviewScheduled, planning: Planning) -> None:
        account_id = planning.owner_id
        planning.plan("review", account_id, "judge-collection", {"account_id": account_id}, at=event.review_at)

    @on(HoldPlaced)
    def _hold_placed(self, event: HoldPlaced, planning: Planning) -> None:
        body = {"account_id": planning.owner_id, "hold_id": event.hold_id}
        planning.plan("hold", event.hold_id, "release-hold", body, on=event.until + _ONE_DAY if event.until else None)

    @on(HoldReleased)
    def _hold_released(self, event: HoldReleased, planning: Planning) -> None:
        planning.cancel("hold", event.hold_id)

    @on(CampaignPaused)
    def _campaign_paused(self, event: CampaignPaused, planning: Planning) -> None:
        campaign_id = planning.owner_id
        planning.plan("pause-end", campaign_id, "resume-campaign", {"campaign_id": campaign_id}, at=event.paused_until)

    @on(AutomationPaused)
    def _office_paused(self, event: AutomationPaused, planning: Planning) -> None:
        body = {"office_id": planning.owner_id}
        planning.plan("pause-end", planning.owner_id, "resume-office-automation", body, at=event.paused_until)

    @on(CampaignResumed, CampaignRetired, AutomationResumed)
    def _pause_over(self, _: CampaignResumed | CampaignRetired | AutomationResumed, planning: Planning) -> None:
        planning.cancel("pause-end", planning.owner_id)

    # --- facts and follow-ups ---

    @on(FactDeferred)
    def _deferred(self, event: FactDeferred, planning: Planning) -> None:
        body = {"account_id": planning.owner_id, "fact_id": event.fact_id}
        planning.plan("fact", event.fact_id, "admit-fact", body, on=event.arrives_on)

    @on(FactArrived)
    def _arrived(self, event: FactArrived, planning: Planning) -> None:
        planning.cancel("fact", event.fact_id)

    @on(ActivityRecorded)
    def _activity(self, event: ActivityRecorded, planning: Planning) -> None:
        if event.follow_up_on is not None:
            body = {"account_id": planning.owner_id, "activity_id": event.activity_id}
            planning.plan("follow-up", event.activity_id, "remind-follow-up", body, on=event.follow_up_on)

    @on(FollowUpFellDue, FollowUpCompleted)
    def _followed_up(self, event: FollowUpFellDue | FollowUpCompleted, planning: Planning) -> None:
        planning.cancel("follow-up", event.activity_id)

    # --- promises ---

    @on(PromiseMade)
    def _promised(self, event: PromiseMade, planning: Planning) -> None:
        promise_id = planning.aggregate_id
        planning.promises[promise_id] = Promise(_by_day(event.instalments), event.grace_days)
        _judge(planning, planning.promise())

    @on(PromiseRescheduled)
    def _rescheduled(self, event: PromiseRescheduled, planning: Planning) -> None:
        promise = planning.promise()
        promise.instalments, promise.grace_days = _by_day(event.instalments), event.grace_days
        _judge(planning, promise)

    @on(PromisePaymentCounted, PromisePaymentTakenBack)
    def _received(self, event: PromisePaymentCounted | PromisePaymentTakenBack, planning: Planning) -> None:
        promise = planning.promise()
        promise.received = event.received_after.minor
        _judge(planning, promise)

    @on(PromiseKept, PromisePartiallyKept, PromiseBroken, PromiseWithdrawn)
    def _settled(
        self, _: PromiseKept | PromisePartiallyKept | PromiseBroken | PromiseWithdrawn, planning: Planning
    ) -> None:
        promise = planning.promise()
        promise.is_open = False
        _judge(planning, promise)

    @on(PromiseReopened)
    def _reopened(self, _: PromiseReopened, planning: Planning) -> None:
        promise = planning.promise()
        promise.is_open = True
        _judge(planning, promise)

    # --- beginnings ---

    @on(AccountOpened, CampaignLaunched)
    def _began(self, event: AccountOpened | CampaignLaunched, planning: Planning) -> None:
        planning.office_id = event.office_id

    @on(OfficeOpened)
    def _office_opened(self, event: OfficeOpened, planning: Planning) -> None:
        office_id = planning.owner_id
        planning.offices[office_id] = (
            office_id, event.code, event.title, event.currency, event.time_zone, planning.position,
        )  # fmt: skip

    @on(TimeZoneChanged)
    def _moved(self, event: TimeZoneChanged, planning: Planning) -> None:
        office_id = planning.owner_id
        planning.moved_offices[office_id] = (office_id, event.time_zone, planning.position)


_Methods = dict[type[Event], Callable[[Any, Event, Any], None]]

_BEGINNINGS = (AccountOpened, CampaignLaunched, OfficeOpened)
_OF_PROMISE = (
    PromiseRescheduled,
    PromisePaymentCounted,
    PromisePaymentTakenBack,
    PromiseKept,
    PromisePartiallyKept,
    PromiseBroken,
    PromiseWithdrawn,
    PromiseReopened,
)


def _age(planning: Planning, item_id: UUID, on_day: date | None) -> None:
    planning.plan("aging", item_id, "age-account", {"account_id": planning.owner_id}, on=on_day)


def _judge(planning: Planning, promise: Promise) -> None:
    promise_id = planning.aggregate_id
    body = {"promise_id": promise_id, "account_id": planning.owner_id}
    planning.plan("promise", promise_id, "judge-promise", body, on=promise.judged_on())


def _by_day(instalments: Iterable[Instalment]) -> list[tuple[date, int]]:
    return sorted((instalment.due_on, instalment.amount.minor) for instalment in instalments)


def _load_promises(promise_ids: set[UUID], connection: Connection[Any]) -> dict[UUID, Promise]:
    if not promise_ids:
        return {}
    found = connection.execute(
        "SELECT promise_id, instalments, grace_days, received, is_open, last_position "
        "FROM agenda_promises WHERE promise_id = ANY (%s)",
        [list(promise_ids)],
        prepare=True,
    )
    return {
        promise_id: Promise([(date.fromisoformat(due_on), minor) for due_on, minor in instalments], *rest)
        for promise_id, instalments, *rest in found
    }


def _write(planning: Planning, connection: Connection[Any]) -> None:
    planned: list[Row] = []
    cancelled: list[Row] = []
    for key, row in planning.rows.items():
        if row is None:
            cancelled.append(key)
        else:
            planned.append(row)
    owners: list[Row] = [(i, owner.office_id, owner.last_position) for i, owner in planning.owners.items()]
    promises: list[Row] = [
        (i, promise.instalments, promise.grace_days, promise.received, promise.is_open, promise.last_position)
        for i in planning.changed_promises
        for promise in [planning.promises[i]]
    ]
    for statement, rows in (
        (_CANCEL, cancelled),
        (_PUT_AGENDA, planned),
        (_PUT_OWNERS, owners),
        (_PUT_PROMISES, promises),
        (_PUT_OFFICES, list(planning.offices.values())),
        (_MOVE_OFFICES, list(planning.moved_offices.values())),
    ):
        if rows:
            connection.execute(statement, [as_json(rows)], prepare=True)

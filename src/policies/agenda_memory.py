"""An agenda in memory: the same table, without a database. For tests, and for whoever plays with the rules."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from aggregates.kernel.event import Recorded
from aggregates.office import OfficeOpened, TimeZoneChanged
from policies.agenda import INTEREST, KINDS, PLANS
from policies.planning import REMEMBERED, PromiseMemory, Subject, office_by_beginning, remembered

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """A row of the agenda, due from a moment on or from the beginning of a local day of its office on."""

    owner_id: UUID
    office_id: UUID
    kind: str
    ref: str
    command_name: str
    payload: dict[str, Any]
    position: int
    at: datetime | None
    on: date | None


@dataclass
class Agenda:
    """Takes events in the order of the log, each once."""

    _items: dict[tuple[str, UUID], PlannedItem] = field(default_factory=dict)
    _offices: dict[UUID, UUID] = field(default_factory=dict)
    """Of each owner."""
    _zones: dict[UUID, ZoneInfo] = field(default_factory=dict)
    _promises: dict[UUID, PromiseMemory] = field(default_factory=dict)

    def note(self, recorded: Recorded) -> None:
        """Plans, moves and cancels what an event says. Raises UnknownSubject."""
        if type(recorded.event) not in INTEREST:
            return
        event, owner_id = recorded.event, recorded.account_id or recorded.aggregate_id
        subject = Subject(owner_id, recorded.aggregate_id)
        if isinstance(event, OfficeOpened | TimeZoneChanged):
            self._zones[recorded.aggregate_id] = ZoneInfo(event.time_zone)
        if owner_id not in self._offices:
            self._offices[owner_id] = office_by_beginning(recorded)
        if type(event) in REMEMBERED:
            known = self._promises.get(recorded.aggregate_id)
            subject.promise = self._promises[recorded.aggregate_id] = remembered(known, event)
        for kind, planner in PLANS.get(type(event), ()):
            for ref, command, at, on in planner(event, subject):
                self._items.pop((kind, ref), None)
                if command is not None and (at is not None or on is not None):
                    self._items[kind, ref] = PlannedItem(
                        owner_id=owner_id,
                        office_id=self._offices[owner_id],
                        kind=kind,
                        ref=str(ref),
                        command_name=command.command_name,
                        payload=command.model_dump(mode="json"),
                        position=recorded.position or 0,
                        at=at,
                        on=on,
                    )

    def due(self, now: datetime) -> list[PlannedItem]:
        """What is due at `now`, in the order in which it is worked: by kind and then by time."""
        found = [item for item in self._items.values() if self.due_at(item) <= now]
        return sorted(found, key=_place_in_order)

    def next_due(self, *, after: datetime) -> datetime | None:
        """The earliest moment later than `after` at which something is due."""
        return min((moment for item in self._items.values() if (moment := self.due_at(item)) > after), default=None)

    def due_at(self, item: PlannedItem) -> datetime:
        """The moment from which an item is due; a day begins when it does in its office."""
        if item.at is not None:
            return item.at
        day = item.on or date.max
        return datetime.combine(day, time.min, self._zones.get(item.office_id, _UTC)).astimezone(UTC)


def _place_in_order(item: PlannedItem) -> tuple[int, datetime, str]:
    """As the agenda in the database has it: within a kind a day stands at its midnight in any zone."""
    due_from = item.at or datetime.combine(item.on or date.max, time.min, UTC)
    return KINDS.index(item.kind), due_from, item.ref

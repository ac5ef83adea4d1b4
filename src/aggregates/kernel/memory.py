"""The write path over memory instead of a database: the same decider, for rule tests and for trying things out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar, cast
from uuid import UUID

from aggregates.kernel.aggregate import KINDS, Aggregate
from aggregates.kernel.command import Issued, Key, Outcome, Target
from aggregates.kernel.context import Rules
from aggregates.kernel.deciding import Decided, Decider, decide_batch
from aggregates.kernel.event import Recorded
from aggregates.kernel.holders import Holders

AnyAggregate = TypeVar("AnyAggregate", bound=Aggregate)


@dataclass
class MemoryStore:
    """A log in a list, and the aggregates as they are. Events have their position as soon as they are stored."""

    rules: Rules
    log: list[Recorded] = field(default_factory=list)
    aggregates: dict[UUID, Aggregate] = field(default_factory=dict)
    stored: dict[UUID, Outcome | UUID] = field(default_factory=dict)
    """Outcomes by command id, and by natural key the command that has it."""
    _whole: dict[UUID, Aggregate] = field(default_factory=dict)
    _holders: Holders = field(default_factory=Holders)

    def handle(self, commands: Sequence[Issued], *, now: datetime) -> list[Outcome]:
        """As the application does: decides in order, stores what is emitted. A defect in a decision is raised."""
        batch = {issued.command_id: Decided.of(issued) for issued in commands}
        for each in batch.values():
            if each.error is not None:
                raise each.error
        decide_batch(batch.values(), list(batch.values()), self.stored, Decider(self, self.rules, now))
        for each in batch.values():
            if each.error is not None:
                raise each.error
            if each.outcome is not None:
                self.stored.setdefault(each.issued.command_id, each.outcome)
            if each.events and each.issued.key is not None:
                self.stored.setdefault(each.issued.key, each.issued.command_id)
        return [cast(Outcome, batch[issued.command_id].outcome) for issued in commands]

    def get(self, aggregate_class: type[AnyAggregate], aggregate_id: UUID) -> AnyAggregate:
        """The aggregate as it is. Raises KeyError where nothing was stored of one of this class."""
        found = self.aggregates[aggregate_id]
        if not isinstance(found, aggregate_class):
            raise KeyError(aggregate_id)
        return found

    def replayed(self, aggregate_class: type[AnyAggregate], aggregate_id: UUID, *, whole: bool = False) -> AnyAggregate:
        """A fresh instance with the whole history."""
        blank = aggregate_class.blank(aggregate_id, whole=whole)
        blank.fold(self._history(aggregate_id))
        return blank

    def _history(self, aggregate_id: UUID) -> Iterable[Recorded]:
        return (recorded for recorded in self.log if recorded.aggregate_id == aggregate_id)

    # --- what the decider asks of a workspace ---

    def target(self, target: Target, *, whole: bool) -> Aggregate:
        if whole:  # asked after the other one, whose kind was right
            if target.id not in self._whole:
                self._whole[target.id] = self.replayed(KINDS[target.kind], target.id, whole=True)
            return self._whole[target.id]
        return self.aggregates.get(target.id) or KINDS[target.kind].blank(target.id)

    def find(self, aggregate_id: UUID) -> Aggregate | None:
        return self.aggregates.get(aggregate_id)

    def bring_in(self, target: Target) -> None:
        """All are at hand."""

    def holders(self, key: Key) -> Sequence[UUID]:
        return self._holders.of(key)

    def add(self, aggregate: Aggregate, events: list[Recorded]) -> None:
        whole = self._whole.get(aggregate.id)
        if aggregate.id not in self.aggregates:
            first = type(aggregate).blank(aggregate.id) if aggregate is whole else aggregate
            self.aggregates[aggregate.id] = first
        for each in (self.aggregates[aggregate.id], whole):
            if each is not None and each is not aggregate:
                each.fold(events)
        for recorded in events:
            recorded.position = len(self.log) + 1
            self.log.append(recorded)
        self._holders.note(events)

    def undo(self, aggregate: Aggregate) -> None:
        if self._whole.get(aggregate.id) is aggregate:
            del self._whole[aggregate.id]
        elif aggregate.id in self.aggregates:
            self.aggregates[aggregate.id] = self.replayed(type(aggregate), aggregate.id)

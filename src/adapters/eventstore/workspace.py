"""The aggregates of one batch: loaded together, changed together, kept for the next batch only if it was stored."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from uuid import UUID

from adapters.eventstore.attributes import attribute
from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.recorder import EventRow, Loaded, LogRecorder, Wanted
from aggregates.kernel.aggregate import KINDS, Aggregate
from aggregates.kernel.event import Event, Recorded

Kinds = Mapping[UUID, str]
"""Kinds of aggregates by id."""


class LogGap(Exception):
    """An aggregate's versions do not follow each other: rows were removed."""


class AggregateCache:
    """The aggregates used last, at the version they were stored with. Only one batch at a time touches it.

    `size` bounds their weight together, so that memory is bounded whether accounts hold one item or hundreds.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._aggregates: OrderedDict[UUID, tuple[Aggregate, int]] = OrderedDict()

    @property
    def fitting(self) -> int:
        """How many aggregates would fill it, if they are like those that are in it."""
        return self._size * len(self._aggregates) // self._held if self._held else self._size

    def take(self, aggregate_id: UUID) -> Aggregate | None:
        """Out of the cache: whoever changes it puts it back once that is stored."""
        aggregate, weight = self._aggregates.pop(aggregate_id, (None, 0))
        self._held -= weight
        return aggregate

    def put(self, aggregate: Aggregate) -> None:
        self.take(aggregate.id)
        weight = aggregate.weight
        self._aggregates[aggregate.id] = (aggregate, weight)
        self._held += weight
        while self._held > self._size and len(self._aggregates) > 1:
            _, (_, dropped) = self._aggregates.popitem(last=False)
            self._held -= dropped


class Workspace:
    """Instances by id. `emitted` holds what this batch decided and has not stored yet."""

    def __init__(self, recorder: LogRecorder, mapper: EventMapper, cache: AggregateCache) -> None:
        self._recorder = recorder
        self._mapper = mapper
        self._cache = cache
        self._instances: dict[UUID, Aggregate] = {}
        self._remembering: dict[UUID, Aggregate] = {}
        self.stored_version: dict[UUID, int] = {}
        self.emitted: dict[UUID, list[Recorded]] = {}
        self.without_key: set[UUID] = set()

    # --- loading ---

    def load(self, targets: Kinds, command_ids: Iterable[UUID], office_ids: Iterable[UUID]) -> dict[UUID, bytes]:
        """Brings in the targets, their offices and the offices' campaigns; returns the outcomes stored before.

        One query; another one only for offices or campaigns that no cached aggregate pointed to.
        """
        wanted: dict[UUID, str] = {}
        cached: dict[UUID, Aggregate] = {}

        def want(more: Kinds) -> None:
            for aggregate_id in more.keys() - wanted.keys():
                wanted[aggregate_id] = more[aggregate_id]
                if (aggregate := self._cache.take(aggregate_id)) is not None:
                    cached[aggregate_id] = aggregate

        want(targets)
        want({i: "office" for i in office_ids if "office" in KINDS})
        want(_context_of(cached.values()))  # offices of cached targets
        want(_context_of(cached.values()))  # campaigns of cached offices
        outcomes = self._bring_in(wanted, cached, command_ids)
        while missing := self._context_missing():
            self._bring_in(missing, {i: a for i in missing if (a := self._cache.take(i)) is not None}, ())
        return outcomes

    def reload(self, targets: Kinds) -> None:
        """Forgets what this batch did to these, and takes them from the log as it is now."""
        for aggregate_id in targets:
            self._remembering.pop(aggregate_id, None)
            self.emitted.pop(aggregate_id, None)
        self._bring_in(targets, {}, ())

    def moved(self, aggregate_ids: Iterable[UUID], command_ids: Iterable[UUID]) -> tuple[set[UUID], dict[UUID, bytes]]:
        """Which of these have events in the log that this batch has not seen, and outcomes stored meanwhile."""
        versions = self.stored_version
        loaded = self._recorder.load([Wanted(i, versions[i]) for i in aggregate_ids], command_ids)
        self._mapper.keys.admit(loaded.keys)
        self.without_key.clear()  # somebody may have made keys meanwhile: ask again
        return set(loaded.events), loaded.outcomes

    def keep(self) -> None:
        """Everything was stored: the next batch may start from here."""
        for aggregate in self._instances.values():
            if aggregate.exists:
                self._cache.put(aggregate)

    # --- for decisions ---

    def get(self, aggregate_id: UUID) -> Aggregate | None:
        return self._instances.get(aggregate_id)

    def target(self, kind: str, aggregate_id: UUID, *, remembers: bool) -> Aggregate:
        if remembers and "remembers" in KINDS[kind].model_fields:
            return self._remember(kind, aggregate_id)
        return self._instances[aggregate_id]

    def add(self, aggregate: Aggregate, events: list[Recorded]) -> None:
        """Notes what an instance emitted, and lets its twin (remembering or not) know."""
        self.emitted.setdefault(aggregate.id, []).extend(events)
        for twin in (self._instances.get(aggregate.id), self._remembering.get(aggregate.id)):
            if twin is not None and twin is not aggregate:
                twin.fold(recorded.event for recorded in events)

    def undo(self, aggregate: Aggregate) -> None:
        """A decision emitted and then refused: back to the stored state and what this batch decided before."""
        if self._remembering.get(aggregate.id) is aggregate:
            del self._remembering[aggregate.id]
        else:
            self._instances[aggregate.id] = self._from_history(type(aggregate)(id=aggregate.id))

    # --- inside ---

    def _remember(self, kind: str, aggregate_id: UUID) -> Aggregate:
        if aggregate_id not in self._remembering:
            blank = KINDS[kind].model_validate({"id": aggregate_id, "remembers": True})
            self._remembering[aggregate_id] = self._from_history(blank)
        return self._remembering[aggregate_id]

    def _from_history(self, aggregate: Aggregate) -> Aggregate:
        """Every event up to the version this batch started from, then this batch's own."""
        rows = self._recorder.load([Wanted(aggregate.id)]).events.get(aggregate.id, [])
        stored = self.stored_version[aggregate.id]
        self._fold(aggregate, [row for row in rows if row.version <= stored])
        aggregate.fold(recorded.event for recorded in self.emitted.get(aggregate.id, ()))
        return aggregate

    def _bring_in(
        self, wanted: Kinds, cached: Mapping[UUID, Aggregate], command_ids: Iterable[UUID]
    ) -> dict[UUID, bytes]:
        loaded = self._recorder.load(
            [
                Wanted(i, cached[i].version) if i in cached else Wanted(i, 0, KINDS[kind].state_version)
                for i, kind in wanted.items()
            ],
            command_ids,
        )
        self._mapper.keys.admit(loaded.keys)
        self.without_key |= wanted.keys() - cached.keys() - {account_id for account_id, _ in loaded.keys}
        for aggregate_id, kind in wanted.items():
            aggregate = cached.get(aggregate_id) or self._start(kind, aggregate_id, loaded)
            self._fold(aggregate, loaded.events.get(aggregate_id, ()))
            self._instances[aggregate_id] = aggregate
            self.stored_version[aggregate_id] = aggregate.version
        return loaded.outcomes

    def _start(self, kind: str, aggregate_id: UUID, loaded: Loaded) -> Aggregate:
        shot = loaded.snapshots.get(aggregate_id)
        if shot is None:
            return KINDS[kind](id=aggregate_id)
        return self._mapper.decode_snapshot(KINDS[kind], aggregate_id, shot.version, shot.account_id, shot.state)

    def _fold(self, aggregate: Aggregate, rows: Iterable[EventRow]) -> None:
        for row in rows:
            if row.version != aggregate.version + 1:
                raise LogGap(f"{aggregate.kind} {aggregate.id}: version {aggregate.version + 1} is not in the log")
            aggregate.apply(self._decode(row))

    def _decode(self, row: EventRow) -> Event:
        return self._mapper.decode_event(row.name, row.event_version, row.event_id, row.account_id, row.state)

    def _context_missing(self) -> dict[UUID, str]:
        context = _context_of(self._instances.values())
        return {i: kind for i, kind in context.items() if i not in self._instances}


def _context_of(aggregates: Iterable[Aggregate]) -> dict[UUID, str]:
    """What decisions about these may ask: an account's office, an office's campaigns."""
    context: dict[UUID, str] = {}
    for aggregate in aggregates:
        if (office_id := attribute(aggregate, "office_id")) is not None:
            context[office_id] = "office"
        if campaign_ids := attribute(aggregate, "campaign_ids"):
            context.update(dict.fromkeys(campaign_ids, "campaign"))
    return {i: kind for i, kind in context.items() if kind in KINDS}

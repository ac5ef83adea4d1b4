"""The aggregates of one batch: loaded together, changed together, kept for the next batch only if it was stored."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from uuid import UUID

from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.recorder import EventRow, Loaded, LogRecorder, Wanted
from aggregates.kernel.aggregate import KINDS, Aggregate
from aggregates.kernel.command import Target
from aggregates.kernel.deciding import Decided
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
        self.over: set[UUID] = set()
        """Aggregates that are known to be over: what only looks at them need not load them again."""

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
        self._whole: dict[UUID, Aggregate] = {}
        self._sees: dict[UUID, tuple[str, ...]] = {}
        self._named: set[tuple[Target, tuple[str, ...]]] = set()
        self.stored_version: dict[UUID, int] = {}
        self.emitted: dict[UUID, list[Recorded]] = {}
        self.without_key: set[UUID] = set()
        self.folded: dict[UUID, int] = {}
        """How many events were read for each, beyond a snapshot."""

    # --- loading ---

    def load(self, batch: Iterable[Decided], command_ids: Iterable[UUID]) -> dict[UUID, bytes]:
        """Brings in the targets and what the commands look at besides; returns the outcomes stored before.

        One query; another one only for what no cached aggregate links to.
        """
        wanted: dict[UUID, str] = {}
        cached: dict[UUID, Aggregate] = {}

        def want(more: Kinds) -> None:
            for aggregate_id in more.keys() - wanted.keys():
                wanted[aggregate_id] = more[aggregate_id]
                if (aggregate := self._cache.take(aggregate_id)) is not None:
                    cached[aggregate_id] = aggregate

        want(self._note(batch))
        while more := {i: kind for i, kind in self._in_sight(cached).items() if i not in wanted}:
            want(more)
        outcomes = self._bring_in(wanted, cached, command_ids)
        self._bring_in_what_is_missing()
        return outcomes

    def reload(self, aggregate_ids: Iterable[UUID]) -> None:
        """Forgets what this batch did to these, and takes them from the log as it is now."""
        kinds = {i: self._instances[i].kind for i in aggregate_ids}
        for aggregate_id in kinds:
            self._whole.pop(aggregate_id, None)
            self.emitted.pop(aggregate_id, None)
        self._bring_in(kinds, {}, ())
        self._bring_in_what_is_missing()

    def moved(self, command_ids: Iterable[UUID]) -> tuple[set[UUID], dict[UUID, bytes]]:
        """What has events in the log that this batch has not seen, and outcomes stored meanwhile."""
        loaded = self._recorder.load([Wanted(i, version) for i, version in self.stored_version.items()], command_ids)
        self._mapper.keys.admit(loaded.keys)
        self.without_key.clear()  # somebody may have made keys meanwhile: ask again
        return set(loaded.events), loaded.outcomes

    def seen(self, decided: Iterable[Decided]) -> dict[UUID, int]:
        """The stored versions of what these decisions looked at and this batch does not change."""
        looked_at = {i for each in decided for i in each.seen}
        return {i: self.stored_version[i] for i in looked_at if i not in self.emitted}

    def keep(self) -> None:
        """Everything was stored: the next batch may start from here."""
        for aggregate in self._instances.values():
            if aggregate.is_over:
                self._cache.over.add(aggregate.id)
            if aggregate.exists:
                self._cache.put(aggregate)

    # --- for decisions ---

    def find(self, aggregate_id: UUID) -> Aggregate | None:
        return self._instances.get(aggregate_id)

    def target(self, target: Target, *, whole: bool) -> Aggregate:
        return self._kept_whole(target) if whole else self._instances[target.id]

    def add(self, aggregate: Aggregate, events: list[Recorded]) -> None:
        self.emitted.setdefault(aggregate.id, []).extend(events)
        for other in (self._instances.get(aggregate.id), self._whole.get(aggregate.id)):
            if other is not None and other is not aggregate:
                other.fold(recorded.event for recorded in events)

    def undo(self, aggregate: Aggregate) -> None:
        if self._whole.get(aggregate.id) is aggregate:
            del self._whole[aggregate.id]
        else:
            self._instances[aggregate.id] = self._from_history(type(aggregate).blank(aggregate.id))

    # --- what is in sight ---

    def _note(self, batch: Iterable[Decided]) -> dict[UUID, str]:
        """The targets of all commands; remembers what is to be seen from each."""
        targets: dict[UUID, str] = {}
        for each in batch:
            command = each.issued.command
            for target in each.targets:
                targets[target.id] = target.kind
                known = self._sees.get(target.id, ())
                if known != command.sees:
                    self._sees[target.id] = tuple(sorted({*known, *command.sees}))
            self._named.update((link, command.sees) for link in command.links())
        return targets

    def _in_sight(self, at_hand: Mapping[UUID, Aggregate]) -> dict[UUID, str]:
        """What the batch looks at besides its targets, as far as the links of what is at hand lead."""
        found: dict[UUID, str] = {}
        links = set(self._named)
        for aggregate_id, kinds in self._sees.items():
            if kinds and (aggregate := at_hand.get(aggregate_id)) is not None:
                links.update((link, kinds) for link in aggregate.links())
        done: set[tuple[Target, tuple[str, ...]]] = set()
        while links := links - done:
            done |= links
            further: set[tuple[Target, tuple[str, ...]]] = set()
            for link, kinds in links:
                if link.kind in kinds and link.id not in self._cache.over:
                    found[link.id] = link.kind
                    if (linked := at_hand.get(link.id)) is not None:
                        further.update((each, kinds) for each in linked.links())
            links = further
        return found

    def _bring_in_what_is_missing(self) -> None:
        while missing := {i: kind for i, kind in self._in_sight(self._instances).items() if i not in self._instances}:
            self._bring_in(missing, {i: a for i in missing if (a := self._cache.take(i)) is not None}, ())

    # --- inside ---

    def _kept_whole(self, target: Target) -> Aggregate:
        if target.id not in self._whole:
            self._whole[target.id] = self._from_history(KINDS[target.kind].blank(target.id, whole=True))
        return self._whole[target.id]

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
            events = loaded.events.get(aggregate_id, ())
            self._fold(aggregate, events)
            self.folded[aggregate_id] = len(events)
            self._instances[aggregate_id] = aggregate
            self.stored_version[aggregate_id] = aggregate.version
        return loaded.outcomes

    def _start(self, kind: str, aggregate_id: UUID, loaded: Loaded) -> Aggregate:
        shot = loaded.snapshots.get(aggregate_id)
        if shot is None:
            return KINDS[kind].blank(aggregate_id)
        return self._mapper.decode_snapshot(KINDS[kind], aggregate_id, shot.version, shot.account_id, shot.state)

    def _fold(self, aggregate: Aggregate, rows: Iterable[EventRow]) -> None:
        for row in rows:
            if row.version != aggregate.version + 1:
                raise LogGap(f"{aggregate.kind} {aggregate.id}: version {aggregate.version + 1} is not in the log")
            aggregate.apply(self._decode(row))

    def _decode(self, row: EventRow) -> Event:
        return self._mapper.decode_event(row.name, row.event_version, row.event_id, row.account_id, row.state)

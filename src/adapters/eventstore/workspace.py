"""The aggregates of one batch: loaded together, changed together, kept for the next batch only if it was stored."""

from collections import OrderedDict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from uuid import UUID

from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.recorder import EventRow, Loaded, LogRecorder, Wanted
from aggregates.kernel.aggregate import KINDS, Aggregate
from aggregates.kernel.command import Key, Target
from aggregates.kernel.deciding import Decided
from aggregates.kernel.event import Event, Recorded, kind_of
from aggregates.kernel.holders import Holders, Holding

Kinds = Mapping[UUID, str]
"""Kinds of aggregates by id."""

SNAPSHOT_EVERY = 100
"""Events of an aggregate."""

_SeenFrom = tuple[tuple[str, ...], list[UUID]]
"""Kinds that are to be seen, and the aggregates from which."""


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
        self._noted: list[_SeenFrom] = []
        self._to_follow: list[_SeenFrom] = []
        self._followed: set[tuple[UUID, tuple[str, ...]]] = set()
        self._looked_up: dict[Key, set[tuple[str, ...]]] = {}
        """Each with the kinds that are to be seen from its holders."""
        self._stored_holders: dict[Key, list[UUID]] = {}
        self._holders = Holders()
        """With what this batch decided."""
        self.stored_version: dict[UUID, int] = {}
        self.emitted: dict[UUID, list[Recorded]] = {}
        self.without_key: set[UUID] = set()
        self.read_long: set[UUID] = set()
        """Those of which many events had to be read, because no snapshot could be used."""

    # --- loading ---

    def load(self, batch: Iterable[Decided], command_ids: Iterable[UUID]) -> dict[UUID, bytes]:
        """Brings in the targets and what the commands look at besides; returns the outcomes stored before.

        One query; another one only for what no cached aggregate links to.
        """
        wanted: dict[UUID, str] = {}
        cached: dict[UUID, Aggregate] = {}
        arrived = self._note(batch)
        while arrived:  # what a cached aggregate links to goes into the same query
            wanted |= arrived
            cached |= {i: aggregate for i in arrived if (aggregate := self._cache.take(i)) is not None}
            arrived = self._follow(cached, known=wanted)
        outcomes = self._bring_in(wanted, cached, command_ids, looked_up=self._looked_up)
        self._bring_in_holders()
        return outcomes

    def read(self, wanted: Kinds) -> Mapping[UUID, Aggregate]:
        """Aggregates as they are, for one who only looks; those that were never stored are blank."""
        missing = {i: kind for i, kind in wanted.items() if i not in self._instances}
        self._bring_in(missing, {i: a for i in missing if (a := self._cache.take(i)) is not None}, ())
        return self._instances

    def reload(self, aggregate_ids: Iterable[UUID]) -> None:
        """Forgets what this batch did to these, and takes them from the log as it is now."""
        kinds = {i: self._instances[i].kind for i in aggregate_ids if i in self._instances}
        for aggregate_id in kinds:
            self._whole.pop(aggregate_id, None)
            self.emitted.pop(aggregate_id, None)
        self._bring_in(kinds, {}, ())
        self._to_follow = list(self._noted)
        self._followed.clear()
        self._bring_in_holders()

    def moved(self, command_ids: Iterable[UUID]) -> tuple[set[UUID], dict[UUID, bytes]]:
        """What has events in the log that this batch has not seen, with the ids of keys that others came to hold, and
        outcomes stored meanwhile."""
        loaded = self._recorder.load(
            [Wanted(i, version) for i, version in self.stored_version.items()], command_ids, looked_up=self._looked_up
        )
        self._mapper.keys.admit(loaded.keys)
        self.without_key.clear()  # somebody may have made keys meanwhile: ask again
        taken = {key.id for key, ids in loaded.holders.items() if ids != self._stored_holders.get(key)}
        self._stored_holders = loaded.holders
        return taken | set(loaded.events), loaded.outcomes

    def seen(self, decided: Iterable[Decided]) -> dict[UUID, int]:
        """The stored versions of what these decisions looked at and this batch does not change."""
        looked_at: set[UUID] = set().union(*{each.seen for each in decided})
        return {i: self.stored_version[i] for i in looked_at if i not in self.emitted}

    def holdings(self, events: Iterable[Recorded]) -> list[Holding]:
        """What these events let their aggregates hold; another query where they hold what no command looked up.

        Nothing slips in between: who came to hold that meanwhile has changed what these decisions looked at too.
        """
        events = [recorded for recorded in events if recorded.event.found_by()]
        unknown = {key for recorded in events for key in recorded.event.found_by()} - self._looked_up.keys()
        if unknown:
            self._looked_up |= {key: set() for key in unknown}
            self._stored_holders |= self._recorder.load([], looked_up=unknown).holders
        return Holders(self._stored_holders).note(events)

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

    def holders(self, key: Key) -> Sequence[UUID]:
        return self._holders.of(key)

    def target(self, target: Target, *, whole: bool) -> Aggregate:
        found = self._instances[target.id]
        if found.kind != target.kind and not found.exists:  # another command of the batch takes it for something else
            found = self._instances[target.id] = KINDS[target.kind].blank(target.id)
        return self._kept_whole(target) if whole and found.kind == target.kind else found

    def bring_in(self, target: Target) -> None:
        if target.id not in self._instances:
            cached = self._cache.take(target.id)
            self._bring_in({target.id: target.kind}, {} if cached is None else {target.id: cached}, ())

    def add(self, aggregate: Aggregate, events: list[Recorded]) -> None:
        self.emitted.setdefault(aggregate.id, []).extend(events)
        for other in (self._instances.get(aggregate.id), self._whole.get(aggregate.id)):
            if other is not None and other is not aggregate:
                other.fold(events)
        self._holders.note(events)

    def undo(self, aggregate: Aggregate) -> None:
        if self._whole.get(aggregate.id) is aggregate:
            del self._whole[aggregate.id]
        else:
            self._instances[aggregate.id] = self._from_history(type(aggregate).blank(aggregate.id))

    # --- what is in sight ---

    def _note(self, batch: Iterable[Decided]) -> dict[UUID, str]:
        """The targets of all commands and what the commands name besides; remembers what is to be seen from each."""
        wanted: dict[UUID, str] = {}
        seen_from: dict[tuple[str, ...], list[UUID]] = {}
        for each in batch:
            command = each.issued.command
            ids = seen_from.setdefault(command.sees, [])
            for target in each.targets:
                wanted[target.id] = target.kind
                ids.append(target.id)
            for link in command.links():
                if link.kind in command.sees:
                    wanted.setdefault(link.id, link.kind)
                    ids.append(link.id)
            for key in each.keys:
                self._looked_up.setdefault(key, set()).add(command.sees)
        self._noted = [(kinds, ids) for kinds, ids in seen_from.items() if kinds]
        self._to_follow = list(self._noted)
        return wanted

    def _follow(self, at_hand: Mapping[UUID, Aggregate], *, known: Container[UUID]) -> dict[UUID, str]:
        """What is to be seen, is linked to by what is at hand, and is not known yet."""
        found: dict[UUID, str] = {}
        later = []
        while self._to_follow:
            kinds, ids = self._to_follow.pop()
            not_at_hand = []
            for aggregate_id in ids:
                aggregate = at_hand.get(aggregate_id)
                if aggregate is None:
                    not_at_hand.append(aggregate_id)
                    continue
                for link in aggregate.links():
                    if link.kind not in kinds or (link.id, kinds) in self._followed or link.id in self._cache.over:
                        continue
                    self._followed.add((link.id, kinds))
                    self._to_follow.append((kinds, [link.id]))
                    if link.id not in known:
                        found[link.id] = link.kind
            if not_at_hand:
                later.append((kinds, not_at_hand))
        self._to_follow = later
        return found

    def _bring_in_holders(self) -> None:
        """Who holds what commands look up, and all else that is missing."""
        self._holders = Holders(self._stored_holders)
        for events in self.emitted.values():
            self._holders.note(events)
        wanted: dict[UUID, str] = {}
        for key, seen_from in self._looked_up.items():
            for kinds in seen_from:
                if key.held_by in kinds and (ids := [*self._holders.of(key)]):
                    wanted |= dict.fromkeys(ids, key.held_by)
                    self._noted.append((kinds, ids))
                    self._to_follow.append((kinds, ids))
        missing = {i: kind for i, kind in wanted.items() if i not in self._instances}
        if missing:
            self._bring_in(missing, {i: a for i in missing if (a := self._cache.take(i)) is not None}, ())
        self._bring_in_what_is_missing()

    def _bring_in_what_is_missing(self) -> None:
        """Another query only for what no aggregate at hand linked to."""
        while missing := self._follow(self._instances, known=self._instances):
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
        aggregate.fold(self.emitted.get(aggregate.id, ()))
        return aggregate

    def _bring_in(
        self,
        wanted: Kinds,
        cached: Mapping[UUID, Aggregate],
        command_ids: Iterable[UUID],
        *,
        looked_up: Collection[Key] = (),
    ) -> dict[UUID, bytes]:
        loaded = self._recorder.load(
            [
                Wanted(i, cached[i].version) if i in cached else Wanted(i, 0, KINDS[kind].state_version)
                for i, kind in wanted.items()
            ],
            command_ids,
            looked_up=looked_up,
        )
        self._stored_holders |= loaded.holders
        self._mapper.keys.admit(loaded.keys)
        self.without_key |= wanted.keys() - cached.keys() - {account_id for account_id, _ in loaded.keys}
        erased = {account_id for account_id, wrapped in loaded.keys if wrapped is None}
        read_again: dict[UUID, str] = {}
        for aggregate_id, kind in wanted.items():
            if aggregate_id in cached and aggregate_id in erased:  # it may know what nobody may read any more
                read_again[aggregate_id] = kind
                continue
            known = _kind_in(loaded, aggregate_id) if aggregate_id not in cached else None
            if known not in {None, kind}:
                read_again[aggregate_id] = known
                continue
            aggregate = cached.get(aggregate_id) or self._start(kind, aggregate_id, loaded)
            events = loaded.events.get(aggregate_id, ())
            self._fold(aggregate, events)
            if len(events) >= SNAPSHOT_EVERY:
                self.read_long.add(aggregate_id)
            self._instances[aggregate_id] = aggregate
            self.stored_version[aggregate_id] = aggregate.version
        if read_again:  # as what they are now: another command of the batch may be right about their kind
            self._bring_in(read_again, {}, ())
        return loaded.outcomes

    def _start(self, kind: str, aggregate_id: UUID, loaded: Loaded) -> Aggregate:
        shot = loaded.snapshots.get(aggregate_id)
        if shot is None:
            return KINDS[kind].blank(aggregate_id)
        aggregate = self._mapper.decode_snapshot(KINDS[kind], aggregate_id, shot.version, shot.account_id, shot.state)
        aggregate.was_recorded(shot.recorded_at)
        return aggregate

    def _fold(self, aggregate: Aggregate, rows: Iterable[EventRow]) -> None:
        for row in rows:
            if row.version != aggregate.version + 1:
                raise LogGap(f"{aggregate.kind} {aggregate.id}: version {aggregate.version + 1} is not in the log")
            aggregate.apply(self._decode(row))
            aggregate.was_recorded(row.recorded_at)

    def _decode(self, row: EventRow) -> Event:
        return self._mapper.decode_event(row.name, row.event_version, row.event_id, row.account_id, row.state)


def _kind_in(loaded: Loaded, aggregate_id: UUID) -> str | None:
    """What the log knows it as; None where it knows nothing of it."""
    if (shot := loaded.snapshots.get(aggregate_id)) is not None:
        return shot.kind
    events = loaded.events.get(aggregate_id)
    return kind_of(events[0].name) if events else None

"""The application: one write path for all commands, and aggregates as they were at any point in time."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TypeVar, cast
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    Mapper,
    ProcessRecorder,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType

from adapters.clock import Clock, SystemClock
from adapters.eventstore.connections import Connections
from adapters.eventstore.feed import Feed
from adapters.eventstore.group import GroupCommit
from adapters.eventstore.keys import KeyRing, NewKey
from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.outcomes import dump_key_owner, dump_outcome, load_stored
from adapters.eventstore.recorder import Conflict, LogRecorder, SnapshotRow, app_connections
from adapters.eventstore.workspace import SNAPSHOT_EVERY, AggregateCache, Workspace
from adapters.postgres.database import Database
from adapters.telemetry.log_context import logged_about
from adapters.telemetry.metrics import WhatCame, count_commands
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.command import Issued, Key, Outcome, Rejected
from aggregates.kernel.context import Rules
from aggregates.kernel.deciding import Decided, Decider, decide_batch, to_decide_again
from aggregates.kernel.event import REGISTRY, Recorded, kind_of

AnyAggregate = TypeVar("AnyAggregate", bound=Aggregate)

_BATCH = 1_000
_FEWEST_AT_ONCE = 100
"""Aggregates of one part of a batch, however heavy: fewer would cost more in round trips than they save in memory."""
_ATTEMPTS = 12


class EventStoreFactory(InfrastructureFactory[TrackingRecorder]):
    """Gives the library our recorder. Snapshots go with the append, and readers keep their own checkpoints."""

    def __init__(self, env: Environment, recorder: LogRecorder) -> None:
        super().__init__(env)
        self._recorder = recorder

    def application_recorder(self) -> ApplicationRecorder:
        return self._recorder

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        raise NotImplementedError(f"there is no recorder of its own for {purpose}")

    def tracking_recorder(self, tracking_recorder_class: type[TrackingRecorder] | None = None) -> TrackingRecorder:
        raise NotImplementedError("readers keep checkpoints in their own tables")

    def process_recorder(self) -> ProcessRecorder:
        raise NotImplementedError("policies send commands, they do not write events")


class Looking:
    """Aggregates as they are while nothing is decided. They are the instances that decisions go on with: whoever looks
    keeps none of them, and changes nothing."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def at(self, aggregate_class: type[AnyAggregate], ids: Iterable[UUID]) -> dict[UUID, AnyAggregate]:
        """Those of the class that were ever stored, by id; what is not in the cache comes with one query."""
        wanted = dict.fromkeys(ids, aggregate_class.kind)
        found = self._workspace.read(wanted) if wanted else {}
        return {i: each for i in wanted if isinstance(each := found[i], aggregate_class) and each.exists}


class Arrears(Application[UUID]):
    """Commands in, outcomes out; `feed` reads what was stored, once a sealer has sealed it."""

    def __init__(
        self,
        database: Database,
        *,
        master_key: bytes,
        clock: Clock | None = None,
        rules: Rules | None = None,
        cache_size: int = 20_000,
        on_stored: Callable[[], None] = lambda: None,
    ) -> None:
        """`cache_size` is the weight of the aggregates kept at hand; an account weighs one, and one more per open item.

        `on_stored` is called after each append: hand it the `poke` of a sealer in this process."""
        REGISTRY.check()
        self.clock = clock or SystemClock()
        self._on_stored = on_stored
        self._rules: Rules = rules or {}
        self._connections = app_connections(database)
        self.keys = KeyRing(self._connections, master_key)
        self.event_mapper = EventMapper(self.keys)
        self._log = self.construct_log(self._connections)
        self.feed = Feed(database, self._connections, self.event_mapper)
        self._cache = AggregateCache(cache_size)
        self._cache_in_use = threading.Lock()
        self._group: GroupCommit[Issued, Outcome | Exception] = GroupCommit(self._work, size=_BATCH)
        super().__init__()

    # --- the library's construction, with our parts ---

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        return Environment(name, env or {})  # nothing of the library is set through the process environment

    def construct_factory(self, env: Environment) -> EventStoreFactory:
        return EventStoreFactory(env, self._log)

    def construct_mapper(self) -> Mapper[UUID]:
        return self.event_mapper

    def construct_log(self, connections: Connections) -> LogRecorder:
        return LogRecorder(connections)

    def close(self) -> None:
        """Closes the feed and the connections; the database stays open."""
        super().close()
        self.feed.close()
        self._connections.close()

    # --- writing ---

    def import_key(self) -> bytes:
        """The key of this installation's digests of imported facts. Raises MasterKeyError."""
        return self.keys.ensure_import_key()

    def handle(self, commands: Sequence[Issued]) -> list[Outcome]:
        """Decides the commands in order and stores what they emit; concurrent calls share a batch.

        A refusal is an outcome. The same command id again has the same outcome and no second event. A defect in a
        decision is raised after everything else of the call was stored; sending all of it again does no harm.
        """
        answers = self._group.run(commands)
        outcomes: list[Outcome] = []
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
            outcomes.append(answer)
        return outcomes

    def _work(self, commands: Sequence[Issued]) -> list[Outcome | Exception]:
        """One batch: load, decide, append. The answers are in the order of the commands."""
        started = time.perf_counter()
        batch: dict[UUID, Decided] = {}
        stored: set[UUID] = set()
        try:
            for issued in commands:
                if issued.command_id not in batch:
                    batch[issued.command_id] = Decided.of(issued)
            with logged_about(commands), self._cache_in_use:
                for part in self._parts([each for each in batch.values() if each.error is None]):
                    self._decide_and_store(part)
                    stored.update(each.issued.command_id for each in part)
        finally:
            what_came = [_what_came(each, is_stored=each.issued.command_id in stored) for each in batch.values()]
            self._count(what_came, seconds=time.perf_counter() - started)
        return [_answer(batch[issued.command_id]) for issued in commands]

    def _parts(self, batch: Iterable[Decided]) -> Iterator[list[Decided]]:
        """As it is, unless its accounts are so heavy that all at once would need far more memory than the cache."""
        at_once = max(_FEWEST_AT_ONCE, self._cache.fitting)
        part: list[Decided] = []
        targets: set[UUID] = set()
        for each in batch:
            part.append(each)
            for target in each.targets:
                targets.add(target.id)
            if len(targets) >= at_once:
                yield part
                part, targets = [], set()
        if part:
            yield part

    def _decide_and_store(self, batch: list[Decided]) -> None:
        workspace = Workspace(self._log, self.event_mapper, self._cache)
        ids = _command_ids(batch)
        stored = _outcomes(workspace.load(batch, ids))
        to_decide = batch
        for attempt in range(1, _ATTEMPTS + 1):
            decide_batch(to_decide, batch, stored, Decider(workspace, self._rules, self.clock.now()))
            try:
                self._append(batch, workspace)
            except Conflict:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(random.uniform(0, 0.002) * 2 ** min(attempt, 6))  # noqa: S311
                moved, stored_now = workspace.moved(ids)
                stored |= _outcomes(stored_now)
                to_decide = to_decide_again(batch, moved, stored_now)
                workspace.reload({*moved, *(changed for each in to_decide for changed in each.may_change)})
            else:
                workspace.keep()
                return

    def _append(self, batch: Iterable[Decided], workspace: Workspace) -> None:
        events = [event for each in batch for event in each.events]
        outcomes: dict[UUID, bytes] = {}
        deciding = []
        for each in batch:
            if each.is_repeat or each.outcome is None:
                continue
            issued = each.issued
            if each.events or (issued.keeps_refusal and not issued.actor.is_policy):
                deciding.append(each)
                outcomes[issued.command_id] = dump_outcome(each.outcome)
            if each.events and issued.key is not None:
                outcomes.setdefault(issued.key, dump_key_owner(issued.command_id))
        if events or outcomes:
            self._store(events, outcomes, deciding, workspace)

    def _store(
        self,
        events: Sequence[Recorded],
        outcomes: Mapping[UUID, bytes],
        deciding: Iterable[Decided],
        workspace: Workspace,
    ) -> None:
        """All that a batch decided, or nothing of it. Raises Conflict. `deciding`: whose outcome is stored."""
        facts, new_keys = self.event_mapper.encode(events, without_key=workspace.without_key)
        self._log.append(
            facts,
            outcomes=outcomes,
            new_keys=new_keys,
            snapshots=self._snapshots(workspace, new_keys),
            holdings=workspace.holdings(events),
            seen=workspace.seen(deciding),
            now=self.clock.now(),
        )
        self.keys.keep(new_keys)
        if events:
            self._on_stored()

    def _count(self, what_came: Sequence[WhatCame], *, seconds: float) -> None:
        count_commands(what_came, seconds=seconds)

    def _snapshots(self, workspace: Workspace, new_keys: Mapping[UUID, NewKey]) -> list[SnapshotRow]:
        """One for each aggregate that passes a multiple of a hundred events with this append.

        And one where as many had to be read: its snapshots are of another shape, from before a release.
        """
        rows = []
        for aggregate_id, stored in workspace.stored_version.items():
            aggregate = workspace.find(aggregate_id)
            if aggregate is None or (
                aggregate.version // SNAPSHOT_EVERY == stored // SNAPSHOT_EVERY
                and (not workspace.read_long or aggregate_id not in workspace.read_long)
            ):
                continue
            account_id = aggregate.about_account
            state = self.event_mapper.encode_snapshot(aggregate, account_id, new_keys)
            rows.append(
                SnapshotRow(aggregate.id, aggregate.version, aggregate.kind, aggregate.state_version, account_id, state)
            )
        return rows

    # --- reading ---

    def load(
        self,
        aggregate_class: type[AnyAggregate],
        aggregate_id: UUID,
        *,
        version: int | None = None,
        effective_on: date | None = None,
        recorded_at: datetime | None = None,
    ) -> AnyAggregate:
        """The aggregate now, at a version, as it was true at the end of a day, or as we knew it at a moment.

        By effective date its events up to that day are folded in the order they were recorded. Several points
        together narrow each other. Raises AggregateNotFoundError where no event is left, and where the id is that of
        an aggregate of another class.
        """

        def project(_: object, events: Iterable[DomainEventProtocol[UUID]]) -> AnyAggregate | None:
            aggregate = aggregate_class.blank(aggregate_id)
            for recorded in _of(aggregate_class, cast(Iterable[Recorded], events)):
                if effective_on is not None and recorded.effective_on > effective_on:
                    continue
                if recorded_at is not None and recorded.recorded_at > recorded_at:
                    continue
                aggregate.apply(recorded.event)
            return aggregate if aggregate.exists else None

        return self.repository.get(aggregate_id, version=version, projector_func=project)

    def load_many(self, aggregate_class: type[AnyAggregate], ids: Sequence[UUID]) -> list[AnyAggregate]:
        """As they are now, in one query: instances of the caller's own. Those that were never stored are left out."""
        workspace = Workspace(self._log, self.event_mapper, AggregateCache(0))
        found = workspace.read(dict.fromkeys(ids, aggregate_class.kind))
        return [each for each in found.values() if isinstance(each, aggregate_class) and each.exists]

    def find_many(self, aggregate_class: type[AnyAggregate], keys: Sequence[Key]) -> list[AnyAggregate]:
        """The aggregates that ever came to hold one of these keys, as they are now."""
        holders = self._log.load([], looked_up=keys).holders
        return self.load_many(aggregate_class, list(dict.fromkeys(i for key in keys for i in holders.get(key, ()))))

    @contextmanager
    def looking(self) -> Iterator[Looking]:
        """For a look at many aggregates that were used just now. No command of this process is decided meanwhile."""
        with self._cache_in_use:
            workspace = Workspace(self._log, self.event_mapper, self._cache)
            yield Looking(workspace)
            workspace.keep()

    def history(self, aggregate_class: type[Aggregate], aggregate_id: UUID, *, after: int = 0) -> list[Recorded]:
        """Every event of an aggregate, oldest first, or those after a version of it; none where the id is that of an
        aggregate of another class."""
        return list(_of(aggregate_class, cast(Iterable[Recorded], self.events.get(aggregate_id, gt=after))))


__all__ = ["AggregateNotFoundError", "Arrears", "EventStoreFactory", "Looking"]


def _of(aggregate_class: type[Aggregate], events: Iterable[Recorded]) -> Iterator[Recorded]:
    """The events, where they are of an aggregate of this class."""
    return (recorded for recorded in events if kind_of(recorded.name) == aggregate_class.kind)


def _answer(decided: Decided) -> Outcome | Exception:
    if decided.error is not None:
        return decided.error
    return cast(Outcome, decided.outcome)


def _what_came(decided: Decided, *, is_stored: bool) -> WhatCame:
    name = decided.issued.command.command_name
    if not is_stored or decided.error is not None:
        return name, "failed", ""
    if decided.is_repeat:
        return name, "repeated", ""
    if isinstance(decided.outcome, Rejected):
        return name, "rejected", decided.outcome.reason_code
    return name, "accepted", ""


def _command_ids(batch: Iterable[Decided]) -> list[UUID]:
    return [i for each in batch for i in (each.issued.command_id, each.issued.key) if i is not None]


def _outcomes(stored: Mapping[UUID, bytes]) -> dict[UUID, Outcome | UUID]:
    """By command id, and by natural key whose it is."""
    return {i: load_stored(each) for i, each in stored.items()}

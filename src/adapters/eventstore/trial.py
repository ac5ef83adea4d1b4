"""The write path without its end: commands are decided for real, over what is stored, and nothing is stored."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from adapters.eventstore.application import Arrears
from adapters.eventstore.connections import Connections
from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.recorder import EventRow, Loaded, LogRecorder, Wanted
from adapters.eventstore.stored import StoredFact
from adapters.eventstore.workspace import Workspace
from adapters.telemetry.metrics import WhatCame
from aggregates.kernel.command import Key
from aggregates.kernel.deciding import Decided
from aggregates.kernel.event import Recorded


class Trial(Arrears):
    """What commands would come to. It reads the log, and keeps what it decides in memory, where its later commands
    find it; no row, no key and no signal leaves it, and whoever writes beside it is not held up.

    Made as `Arrears` is, for one caller. Memory is bounded by who tells it which accounts it is done with.
    """

    _decided: "TrialLog"

    def import_key(self) -> bytes:
        """One for a while, where there is none: nothing is known yet by a digest that it keys."""
        return self.keys.import_key() or os.urandom(32)

    def construct_log(self, connections: Connections) -> LogRecorder:
        self._decided = TrialLog(connections, self.event_mapper)
        return self._decided

    def forget_accounts(self, *, but: Collection[UUID] = ()) -> None:
        """What was decided about accounts is not needed any more, but about these. Offices stay as decided."""
        for account_id in self._decided.forget_accounts(but=but):
            self._cache.take(account_id)

    def _store(
        self,
        events: Sequence[Recorded],
        outcomes: Mapping[UUID, bytes],
        deciding: Iterable[Decided],
        workspace: Workspace,
    ) -> None:
        del workspace
        self._decided.keep(events, outcomes, deciding)

    def _count(self, what_came: Sequence[WhatCame], *, seconds: float) -> None:
        """A trial is no command that was carried out."""


class TrialLog(LogRecorder):
    """The log as it would be: what is stored, and behind it what was decided and is in memory only.

    An aggregate about which something was decided stays at what was stored of it then, whoever writes meanwhile.
    """

    def __init__(self, connections: Connections, mapper: EventMapper) -> None:
        super().__init__(connections)
        self._mapper = mapper
        self._events: dict[UUID, list[Recorded]] = {}
        self._held: dict[Key, list[UUID]] = {}
        self._outcomes: dict[UUID, bytes] = {}
        self._commands: dict[UUID, list[UUID]] = {}
        """Ids of outcomes, by the aggregate that decided."""

    def append(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("a trial stores nothing")

    def keep(self, events: Iterable[Recorded], outcomes: Mapping[UUID, bytes], deciding: Iterable[Decided]) -> None:
        for event in events:
            self._events.setdefault(event.aggregate_id, []).append(event)
            for key in event.event.found_by():
                self._held.setdefault(key, []).append(event.aggregate_id)
        self._outcomes |= outcomes
        for each in deciding:
            ids = (each.issued.command_id, each.issued.key)
            self._commands.setdefault(each.targets[0].id, []).extend(i for i in ids if i is not None and i in outcomes)

    def forget_accounts(self, *, but: Collection[UUID]) -> list[UUID]:
        """Those that are forgotten. Outcomes are kept of these accounts alone."""
        gone = [i for i, events in self._events.items() if i not in but and events[0].account_id is not None]
        for aggregate_id in gone:
            del self._events[aggregate_id]
        still_held = {key: [i for i in ids if i in self._events] for key, ids in self._held.items()}
        self._held = {key: ids for key, ids in still_held.items() if ids}
        for aggregate_id in [i for i in self._commands if i not in but]:
            for command_id in self._commands.pop(aggregate_id):
                self._outcomes.pop(command_id, None)
        return gone

    # --- reading ---

    def load(
        self, wanted: Iterable[Wanted], command_ids: Iterable[UUID] = (), *, looked_up: Collection[Key] = ()
    ) -> Loaded:
        wanted, command_ids = list(wanted), list(command_ids)
        loaded = super().load(wanted, command_ids, looked_up=looked_up)
        for key in looked_up:
            if held := [i for i in self._held.get(key, ()) if i in self._events]:
                known = loaded.holders.setdefault(key, [])
                known += [i for i in held if i not in known]
        for each in wanted:
            if (decided := self._events.get(each.aggregate_id)) is not None:
                self._put_behind(loaded, each, decided)
        loaded.outcomes |= {i: self._outcomes[i] for i in command_ids if i in self._outcomes}
        return loaded

    def _put_behind(self, loaded: Loaded, wanted: Wanted, decided: Sequence[Recorded]) -> None:
        stored_through = decided[0].version - 1
        stored = loaded.events.get(wanted.aggregate_id, [])
        shot = loaded.snapshots.get(wanted.aggregate_id)
        if shot is not None and shot.version > stored_through:
            del loaded.snapshots[wanted.aggregate_id]
            stored = super().load([Wanted(wanted.aggregate_id)]).events.get(wanted.aggregate_id, [])
        loaded.events[wanted.aggregate_id] = [
            *(row for row in stored if row.version <= stored_through),
            *(self._row(event) for event in decided if event.version > wanted.after),
        ]

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredFact]:
        decided = self._events.get(UUID(str(originator_id)))
        if decided is None:
            return super().select_events(originator_id, gt=gt, lte=lte, desc=desc, limit=limit)
        facts = super().select_events(originator_id, gt=gt, lte=decided[0].version - 1)
        facts += [self._mapper.in_the_open(event) for event in decided if event.version > (gt or 0)]
        found = [fact for fact in facts if lte is None or fact.originator_version <= lte]
        return (found[::-1] if desc else found)[:limit]

    def _row(self, event: Recorded) -> EventRow:
        fact = self._mapper.in_the_open(event)
        return EventRow(
            version=fact.originator_version,
            event_id=fact.event_id,
            account_id=fact.account_id,
            name=fact.topic,
            event_version=fact.event_version,
            state=fact.state,
            recorded_at=fact.recorded_at,
        )

"""A tick: what the agenda has due is turned into commands, in order, in batches."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from uuid import UUID

from adapters.eventstore.application import Arrears
from adapters.eventstore.connections import Connections
from adapters.postgres.database import Database
from adapters.reactor import chunks
from adapters.telemetry.metrics import count_tick
from aggregates.account.aging import AgeAccount
from aggregates.kernel.command import Accepted, Issued
from aggregates.values.business_time import local_date
from policies.agenda import DueItem, actor_for, command_for, command_id_for
from projections.agenda.queries import Share, due, latest_zones, next_due_at, set_clock

_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class TickReport:
    """What a tick did. A second tick at the same moment has nothing to do."""

    at: datetime
    due: int
    """Agenda items that were due."""
    commands: int
    events: int
    refused: int


class Ticker:
    """Works the agenda. The agenda has to be up to date: the caller lets readers catch up first."""

    def __init__(self, arrears: Arrears, database: Database) -> None:
        self._arrears = arrears
        self._connections = Connections(lambda: database.connect("arrears_app", autocommit=True))

    def tick(self, now: datetime, share: Share | None = None) -> TickReport:
        """Everything due at `now`, or one partition's share of it, once. What that makes due again is for the next."""
        found = commands = events = refused = 0
        with self._connections.use() as connection:
            if share is None:
                set_clock(connection, now)
            today = max((local_date(now, zone) for zone in latest_zones(connection)), default=now.date())
            pages = due(connection, now=now, latest_local_date=today, page=_CHUNK, share=share)
            aged: set[UUID] = set()
            for items in pages:
                found += len(items)
                issued = list(_issued(items, aged))
                commands += len(issued)
                for outcome in chain.from_iterable(map(self._arrears.handle, chunks(issued, _CHUNK))):
                    if isinstance(outcome, Accepted):
                        events += len(outcome.event_ids)
                    else:
                        refused += 1
        count_tick(due=found, commands=commands)
        return TickReport(now, found, commands, events, refused)

    def close(self) -> None:
        self._connections.close()

    def next_due(self, *, after: datetime) -> datetime | None:
        """The earliest later moment at which something is due, by the agenda as it stands."""
        with self._connections.use() as connection:
            return next_due_at(connection, after=after)


def _issued(items: Iterable[DueItem], aged: set[UUID]) -> Iterator[Issued]:
    """One command an item; one alone ages all items of an account. Those whose turn it was are in `aged`."""
    for item in items:
        command = command_for(item)
        if isinstance(command, AgeAccount):
            if command.account_id in aged:
                continue
            aged.add(command.account_id)
        yield Issued(command=command, command_id=command_id_for(item), actor=actor_for(item))

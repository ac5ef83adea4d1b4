"""Reading the log in order: batches of sealed events, and waiting for more."""

import threading
import time
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from itertools import accumulate

import psycopg

from adapters.eventstore.connections import Connections
from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.sealer import CHANNEL
from adapters.eventstore.seals import Seal, head_seal, seal_before
from adapters.postgres.database import Database
from adapters.postgres.errors import DatabaseProblem, explained
from aggregates.kernel.event import Recorded

_POLL_SECONDS = 1.0
_BYTES_PER_EVENT = 2_000
"""A batch of events that say much more than most is cut: decoded, and as rows of readers, they take far more room."""

_SHARED = 2_000
"""Events that are kept as they were decoded, for readers that are not all at the same place; fewer of large ones."""

_MANY = 100_000
"""Rows asked for at once, where nothing was cut lately: more than any reader wants."""


_COLUMNS = """
    SELECT position, aggregate_id, version, event_id, account_id, name, event_version, effective_on, recorded_at, state,
           meta
    FROM arrears.events
"""
_AFTER = f"{_COLUMNS} WHERE position > %b ORDER BY position LIMIT %b"
_AT = f"{_COLUMNS} WHERE position = ANY (%b::bigint[])"


class LogHole(Exception):
    """A position is missing from the log. Nothing is skipped: somebody has to look (`arrears log verify`)."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"the log has no position {expected}; the next one is {found}")
        self.expected = expected
        self.found = found


@dataclass(slots=True)
class _Run:
    """Decoded events that follow a position without a gap."""

    after: int
    events: list[Recorded]
    sizes: list[int]
    """Bytes of what each of them says, as stored."""

    @property
    def end(self) -> int:
        """The position of the last one."""
        return self.after + len(self.events)

    def drop(self, count: int) -> None:
        """The first ones."""
        self.after += count
        del self.events[:count], self.sizes[:count]


class Feed:
    """The log for readers of this process; they share what was decoded last, so treat events as read-only."""

    def __init__(self, database: Database, connections: Connections, mapper: EventMapper) -> None:
        self._database = database
        self._connections = connections
        self._mapper = mapper
        self._reading = threading.Lock()
        self._runs: list[_Run] = []
        """What was fetched last, the newest last."""
        self._rows_at_once = _MANY
        self._known_head = 0
        self._grew = threading.Condition()
        self._closing = threading.Event()
        self._listener: threading.Thread | None = None

    @explained()
    def read(self, after: int, limit: int = 1_000, names: Collection[str] | None = None) -> list[Recorded]:
        """The events from position after+1 on, at most `limit`; perhaps fewer although there are more; [] at the end.

        Where `names` are given, events of other names are left closed, and nothing is shared with other readers.
        Raises LogHole where a position is missing, and what the mapper raises for an event it cannot read.
        """
        if names is not None:
            return self._fetch(after, limit, names).events
        with self._reading:
            return self._shared(after, limit) or self._fetch_to_share(after, limit)

    @explained()
    def at(self, positions: Collection[int]) -> dict[int, Recorded]:
        """The events at these positions, by position, in one query. One that is not there is left out.

        Raises what the mapper raises for an event it cannot read.
        """
        if not positions:
            return {}
        with self._connections.use() as connection:
            rows = connection.execute(_AT, [list(positions)], prepare=True, binary=True).fetchall()
        return {recorded.position: recorded for recorded in self._mapper.decode_all(rows) if recorded.position}

    @explained()
    def head(self) -> int:
        """The log's last position; 0 when it is empty."""
        with self._connections.use() as connection:
            return head_seal(connection).position

    @explained()
    def seal_at(self, position: int) -> Seal:
        """The last seal at or before a position, to keep beside a checkpoint."""
        with self._connections.use() as connection:
            return seal_before(connection, position)

    def wait(self, after: int, timeout: float = _POLL_SECONDS) -> bool:
        """Whether there is an event after this position; waits for one up to `timeout` seconds."""
        self._listen()
        with self._grew:
            return self._grew.wait_for(lambda: self._known_head > after or self._closing.is_set(), timeout) and (
                self._known_head > after
            )

    def announce(self, last: int) -> None:
        """Tells waiting readers of this process what the sealer (or a notification) said."""
        with self._grew:
            self._known_head = max(self._known_head, last)
            self._grew.notify_all()

    def close(self) -> None:
        self._closing.set()
        with self._grew:
            self._grew.notify_all()
            listener = self._listener
        if listener is not None:
            listener.join()

    # --- inside ---

    def _shared(self, after: int, limit: int) -> list[Recorded]:
        """What other readers fetched from there on, cut as if it had been fetched."""
        found: list[Recorded] = []
        room = limit * _BYTES_PER_EVENT
        while room >= 0 and len(found) < limit:
            here = after + len(found)
            run = next((each for each in reversed(self._runs) if each.after <= here < each.end), None)
            if run is None:
                break
            first, last = here - run.after, here - run.after + limit - len(found)
            used = list(accumulate(run.sizes[first:last]))
            count = min(len(used), bisect_right(used, room) + 1)
            found += run.events[first : first + count]
            room -= used[count - 1]
        return found

    def _fetch_to_share(self, after: int, limit: int) -> list[Recorded]:
        known_from = min((each.after for each in self._runs if each.after > after), default=after + limit)
        fetched = self._fetch(after, min(limit, known_from - after))
        if fetched.events:
            run = next((each for each in self._runs if each.end == after), None)
            if run is None:
                run = _Run(after, [], [])
            else:
                self._runs.remove(run)
            run.events += fetched.events
            run.sizes += fetched.sizes
            self._runs.append(run)
            self._make_room()
        return fetched.events

    def _make_room(self) -> None:
        """Lets go of what was fetched longest ago."""
        events = sum(len(each.events) for each in self._runs)
        size = sum(sum(each.sizes) for each in self._runs)
        while _is_too_much(events, size):
            oldest, count = self._runs[0], 0
            for each in oldest.sizes:
                if not _is_too_much(events, size):
                    break
                events, size, count = events - 1, size - each, count + 1
            oldest.drop(count)
            if not oldest.events:
                del self._runs[0]

    def _fetch(self, after: int, limit: int, names: Collection[str] | None = None) -> _Run:
        with self._connections.use() as connection:
            rows = connection.execute(
                _AFTER,
                [after, min(limit, self._rows_at_once)],
                prepare=True,
                binary=True,
            ).fetchall()
        self._rows_at_once = min(2 * self._rows_at_once, _MANY)
        room = limit * _BYTES_PER_EVENT
        for expected, row in enumerate(rows, after + 1):
            if row[0] != expected:
                raise LogHole(expected, row[0])
            room -= len(row[9])
            if room < 0:  # what comes after it is for the next batch
                del rows[expected - after :]
                self._rows_at_once = 2 * len(rows)  # nor is it fetched again and again: large events stand together
                break
        return _Run(after, self._mapper.decode_all(rows, names), [len(row[9]) for row in rows])

    def _listen(self) -> None:
        with self._grew:
            if self._listener is None and not self._closing.is_set():
                self._listener = threading.Thread(target=self._hear, name="feed", daemon=True)
                self._listener.start()

    def _hear(self) -> None:
        """Hears the sealer, and looks by itself every second: a notification is a hint, not a promise."""
        while not self._closing.is_set():
            try:
                with self._database.connect("arrears_app", autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    while not self._closing.is_set():
                        self.announce(head_seal(connection).position)
                        self._hear_for_a_second(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError, DatabaseProblem):
                self._closing.wait(0.25)

    def _hear_for_a_second(self, connection: psycopg.Connection) -> None:
        until = time.monotonic() + _POLL_SECONDS
        while not self._closing.is_set() and (left := until - time.monotonic()) > 0:
            for notification in connection.notifies(timeout=min(left, 0.2)):
                self.announce(int(notification.payload))


def _is_too_much(events: int, size: int) -> bool:
    """To be kept; one event is kept, however large."""
    return events > _SHARED or (size > _SHARED * _BYTES_PER_EVENT and events > 1)

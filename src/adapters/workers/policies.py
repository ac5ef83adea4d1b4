"""Policies over what a Faust worker is given: batches of messages in, commands out.

Where the work goes on stands in Postgres, like that of every reader. Faust acknowledges a batch that is under way when
it stops, so what it believes to be done is not trusted: what it did not bring is read from the topic, and from the
store where the topic has it no more.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import Any

import structlog

from adapters.eventstore.application import Arrears
from adapters.kafka.arrivals import Inspector
from adapters.kafka.connection import events_topic
from adapters.kafka.ends import Ends
from adapters.kafka.identity import TopicReplaced, TopicUnfit
from adapters.kafka.places import Places
from adapters.kafka.seats import Batch, Polled, Seat, TopicChanged, checked
from adapters.kafka.tail import Tail
from adapters.postgres.database import Database
from adapters.postgres.kept_connection import KeptConnection, in_utc
from adapters.reactor import Reactor
from adapters.readers.backoff import Backoff
from adapters.readers.partitions import PartitionMoved, Place
from adapters.readers.runner import note_trouble
from adapters.stop import check

_BUSY_SECONDS = 0.1
_STUCK_SECONDS = 5.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class PolicyWorker:
    """Handles batches for one reader, in one thread. What fails for an event parks its account; what fails for another
    reason is tried again until it works or `stop` is set."""

    def __init__(
        self,
        database: Database,
        arrears: Arrears,
        reactor: Reactor,
        *,
        env: Mapping[str, str],
        partitions: int,
        stop: threading.Event,
    ) -> None:
        self._database = database
        self._env = env
        self._partitions = partitions
        self._stop = stop
        self._seat = Seat(database, reactor)
        self._inspector = Inspector(events_topic(env), reactor.name, arrears.event_mapper)
        self._places = Places(database, arrears.feed, env)
        self._ends = Ends(database, env)
        self._connection = KeptConnection(partial(database.connect, "arrears_app", autocommit=True), in_utc)
        self._last_given = time.monotonic()
        self._waiting: dict[int, tuple[int, float]] = {}
        """Where partitions stand that have more, and since when."""
        self.must_leave: Exception | None = None
        """Why the worker has to leave its group and start again."""
        self._was_said = True
        """Whether trouble is shown in the status, or may be: an earlier process may have left it there."""

    def begin(self) -> bool:
        """Call it before a Faust worker is made: returns once it may be, or whether it may not because of `stop`.

        Raises TopicUnfit where the topic is divided otherwise than when this process began.
        """
        backoff = Backoff()
        while not self._stop.is_set():
            try:
                partitions = self._places.begin()
            except Exception as error:
                self._recover(error)
                self._stop.wait(backoff.failed())
                continue
            if partitions != self._partitions:
                raise TopicUnfit(f"the topic has {partitions} partitions, and had {self._partitions}: start again")
            self.must_leave = None
            return True
        return False

    def look(self) -> None:
        """Whether the topic is still the one that the worker reads, also where nothing comes; see `must_leave`."""
        try:
            self._places.check()
        except (TopicReplaced, TopicUnfit) as error:
            self.leave(error)
        except Exception as error:
            self._recover(error)

    def leave(self, error: Exception) -> None:
        """The worker has to leave its group and start again. What it was given last is dropped: what was handled
        stands in the store, and the rest comes again."""
        self.must_leave = error
        self._recover(error)

    def take(self, messages: Sequence[Any]) -> None:
        """Messages with topic coordinates, headers and value, in order within each partition."""
        if self.must_leave is not None:
            return
        by_partition: dict[int, list[Any]] = {}
        for each in messages:
            by_partition.setdefault(each.partition, []).append(each)
        rounds = zip_longest(*map(_without_gaps, by_partition.values()))
        for stretches in rounds:
            self._until_done({given[0].partition: given for given in stretches if given})
        self._last_given = time.monotonic()

    def confirm(self, owned: frozenset[int]) -> None:
        """Notes which partitions have nothing more; what is there and does not come is fetched."""
        if time.monotonic() - self._last_given < _BUSY_SECONDS:
            return
        try:
            self._confirm(owned)
        except TopicReplaced as error:
            self.leave(error)
        except Exception as error:
            self._recover(error)
        else:
            self._is_well()

    def close(self) -> None:
        self._seat.release()
        self._ends.close()
        self._places.close()
        self._connection.close()

    # --- inside ---

    def _confirm(self, owned: frozenset[int]) -> None:
        self._enter(owned)
        if all(place.position >= self._ends.published() for place in self._seat.places.values()):
            return
        published, ends = self._ends.look()
        self._seat.confirm(ends, published, self._partitions)
        for partition in self._stuck(owned, ends):
            self._fetch(partition, ends[partition])

    def _stuck(self, owned: frozenset[int], ends: Mapping[int, int]) -> list[int]:
        """Partitions that have more, of which nothing has come for a while."""
        now = time.monotonic()
        waiting = {
            each: place.next_offset for each in owned if (place := self._seat.places[each]).next_offset < ends[each]
        }
        since = {
            each: self._waiting[each] if each in self._waiting and self._waiting[each][0] == offset else (offset, now)
            for each, offset in waiting.items()
        }
        self._waiting = since
        return [each for each, (_, began) in since.items() if now - began > _STUCK_SECONDS]

    def _until_done(self, stretches: Mapping[int, Sequence[Any]]) -> None:
        backoff = Backoff()
        while not self._stop.is_set() and self.must_leave is None:
            try:
                self._take(stretches)
            except TopicReplaced as error:
                self.leave(error)
            except Exception as error:  # nothing is skipped: the batch is tried again as a whole
                self._recover(error)
                self._stop.wait(backoff.failed())
            else:
                self._is_well()
                return

    def _is_well(self) -> None:
        if self._was_said:
            note_trouble(self._database, self._seat.name, None)
            self._was_said = False

    def _recover(self, error: Exception) -> None:
        """The next attempt starts from what is stored."""
        self.close()
        if not isinstance(error, PartitionMoved) and not self._stop.is_set():
            note_trouble(self._database, self._seat.name, error)
            self._was_said = True

    def _take(self, stretches: Mapping[int, Sequence[Any]]) -> None:
        self._enter(frozenset(stretches))
        batch = self._looked_at(stretches)
        for partition in self._seat.take(batch, self._partitions):
            self._fetch(partition, batch[partition].until)

    def _fetch(self, partition: int, until: int) -> None:
        """What Faust did not bring before an offset."""
        first = self._seat.places[partition].next_offset
        _log.warning("fetched from the topic", partition=partition, first=first, until=until)
        with Tail(self._env) as tail:
            for begins, records in tail.stretch(partition, first, until):
                check(self._stop)
                batch = self._looked_at({partition: records})
                batch = {partition: replace(batch[partition], first=begins)}
                if self._seat.take(batch, self._partitions):
                    raise TopicChanged(
                        f"partition {partition} lacks what came before offset {batch[partition].first:,}"
                    )
        place = self._seat.places[partition]
        if place.next_offset < until:  # the rest is no message: the end of a transaction takes an offset, too
            self._seat.fill([], {partition: Place(until, place.position)}, self._partitions)

    def _looked_at(self, stretches: Mapping[int, Sequence[Any]]) -> Batch:
        """Messages by partition as stretches of events that are in the log."""
        batch = {
            partition: Polled(records[0].offset, records[-1].offset + 1, self._inspector.opened(records))
            for partition, records in stretches.items()
        }
        self._places.check()
        return checked(self._inspector, batch, self._seat.interest, self._connection.get(), self._partitions)

    def _enter(self, partitions: frozenset[int]) -> None:
        if not partitions <= self._seat.places.keys():
            self._places.enter(self._seat, partitions | self._seat.places.keys(), self._stop)


def _without_gaps(given: Sequence[Any]) -> list[list[Any]]:
    """Messages of a partition as stretches in which none is missing: Faust keeps what it had through a rebalance."""
    stretches: list[list[Any]] = []
    for each in sorted({each.offset: each for each in given}.values(), key=_offset):
        if stretches and each.offset == stretches[-1][-1].offset + 1:
            stretches[-1].append(each)
        else:
            stretches.append([each])
    return stretches


def _offset(message: Any) -> int:
    return int(message.offset)

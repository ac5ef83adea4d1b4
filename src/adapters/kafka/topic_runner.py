"""Readers of the topic in this process: a consumer of a group reads once, and each reader handles what is new to it.

Kafka's group says who has which partition. How far a reader is stands in Postgres, in the transaction of what it
wrote, so that each event has its effect once, whatever ends when. The group's own offsets are not used.
"""

import gc
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from operator import attrgetter
from typing import Any

import psycopg
import structlog
from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import KafkaError

from adapters.eventstore.mapper import EventMapper
from adapters.kafka.arrivals import Inspector
from adapters.kafka.connection import METADATA_MS, events_topic, reaching
from adapters.kafka.consumer import Consumer
from adapters.kafka.ends import Ends
from adapters.kafka.identity import TopicReplaced
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.membership import NoPartitions, is_rebalancing, partitions_of_nobody
from adapters.kafka.places import Places
from adapters.kafka.seats import Batch, Polled, Seat, TopicChanged, checked
from adapters.postgres.database import Database
from adapters.postgres.errors import ConnectionLost, DatabaseProblem, ServerAway
from adapters.postgres.kept_connection import KeptConnection, in_utc
from adapters.readers.backoff import Backoff
from adapters.readers.handling import ReaderRetired
from adapters.readers.partitions import PartitionMoved
from adapters.readers.poison import HelperAway, OutOfReach
from adapters.readers.runner import Source, note_trouble
from adapters.stop import Stopped, check

BATCH = 2_000
_LOOK_SECONDS = 0.1
_CONFIRM_SECONDS = 0.5
_SESSION_MS = 10_000
_SILENT_SECONDS = 30.0
"""Three sessions without a heartbeat: the group has long forgotten this member, whatever its client believes."""
_LISTEN_SECONDS = 5.0
_IDLE_SECONDS = 30.0
"""Whoever has no partitions for so long asks whether somebody else has them."""

FETCH_BYTES = 8_388_608
"""What a broker gives at a time, at most, and so what waits in memory; a process may have 512 MiB (deploy/)."""

_AWAY = (psycopg.OperationalError, ServerAway, ConnectionLost, KafkaUnavailable, KafkaError)
"""What one reader cannot reach, the others cannot reach either."""

WORKER_VARIABLE = "ARREARS_WORKER_ID"
"""A name that stays with a process over restarts, such as a pod's: then a restart moves no partitions."""

OpenSeat = Callable[[], Seat]
"""Makes the seat of a reader, or of a projection's live generation. Raises ReaderRetired where there is none."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Forgotten(RuntimeError):
    """The client says that it joins, or that it is a member, and sends no heartbeat."""


class StillRefused(RuntimeError):
    """Kafka has refused a reader the same for long, although it answers."""


class _Chair:
    """A seat, or the want of one, and when it may be tried again after something went wrong."""

    def __init__(self, name: str, make: OpenSeat) -> None:
        self.name = name
        self.make = make
        self.seat: Seat | None = None
        self.again_at = 0.0
        self.backoff = Backoff()
        self.said: set[str] = set()
        """The readers whose trouble is shown in the status, or may be: an earlier process may have left it there."""
        self.refusal: tuple[str, float] | None = None
        """What Kafka, or the topic, refuses, and since when."""
        self.stuck: dict[int, int] = {}
        """The offsets that have to be passed before it is well again, by partition."""

    @property
    def is_past_it(self) -> bool:
        """Whether the seat has worked, and got over where its predecessor failed."""
        seat = self.seat
        return (
            seat is not None
            and seat.has_worked
            and all(seat.places[each].next_offset > at for each, at in self.stuck.items() if each in seat.places)
        )


class TopicRunner:
    """Runs some readers on the partitions that the group gives to this process. `run` is for one thread."""

    def __init__(
        self,
        database: Database,
        mapper: EventMapper,
        source: Source,
        readers: Mapping[str, OpenSeat],
        *,
        group: str,
        env: Mapping[str, str] = os.environ,
        batch: int = BATCH,
        **options: Any,
    ) -> None:
        """`source` has what the topic lacks; `readers` by name; more `options` go to the consumer."""
        self._database = database
        self._group = group
        self._env = env
        self._topic = events_topic(env)
        self._batch = batch
        self._options = options
        self._inspector = Inspector(self._topic, group, mapper)
        self._chairs = [_Chair(name, make) for name, make in readers.items()]
        self._assigned = _Assigned(None)
        self._owned: frozenset[int] = frozenset()
        self._partitions = 0
        self._places = Places(database, source, env, at_once=batch)
        self._ends = Ends(database, env)
        self._connection = KeptConnection(partial(database.connect, "arrears_app", autocommit=True), in_utc)
        self._next: dict[int, int] = {}
        """Where the consumer goes on, by partition."""
        self._stop = threading.Event()
        self._in_hand: Collection[int] = ()
        """The partitions of the batch that is being handled."""
        self._away_until = 0.0
        """What cannot be reached is not looked for before."""
        self._confirmed_at = 0.0
        self._listened_at = 0.0
        self._was_silent = False
        self._had_some_at = 0.0
        self._looked_at = 0.0

    @property
    def owned(self) -> frozenset[int]:
        """The partitions that this process has now."""
        return self._owned

    def run(self, stop: threading.Event) -> None:
        """Reads until `stop` is set; what goes wrong is logged, shown in the status, and tried again.

        While PostgreSQL or Kafka are away it stays in its group with one consumer, which fetches nothing that could not
        be handled.
        """
        backoff = Backoff()
        self._stop = stop
        while not stop.is_set():
            try:
                self._read(stop, backoff)
            except Stopped:
                return
            except Exception as error:
                _log.error("reading the topic stopped", group=self._group, error=type(error).__name__, said=str(error))
                self._say_of_all(error)
            gc.collect()  # a client is many objects that hold each other, with all that it fetched
            if not stop.is_set():
                stop.wait(backoff.failed())

    def _read(self, stop: threading.Event, backoff: Backoff) -> None:
        with ExitStack() as stack:
            stack.callback(self._leave)
            consumer = self._join()
            stack.callback(_close, consumer)
            while not stop.is_set():
                self._turn(consumer)
                backoff.worked()

    # --- the group ---

    def _join(self) -> Consumer:
        static = {"group_instance_id": self._env[WORKER_VARIABLE]} if self._env.get(WORKER_VARIABLE) else {}
        settings = {
            "group_id": self._group,
            "client_id": self._group,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "session_timeout_ms": _SESSION_MS,
            "reconnect_backoff_max_ms": 1_000,
            "metadata_max_age_ms": METADATA_MS,
            "allow_auto_create_topics": False,
            "fetch_max_bytes": FETCH_BYTES,
            **self._options,
        }
        self._places.begin()
        with reaching(self._env) as options:
            consumer = Consumer(**options, **static, **settings)
        self._assigned = _Assigned(consumer)
        consumer.follow(self._topic, self._assigned)
        self._had_some_at = time.monotonic()
        self._listened_at = time.monotonic() + _SILENT_SECONDS  # joining may take a while
        self._was_silent = False
        self._looked_at = time.monotonic()
        return consumer

    def _leave(self) -> None:
        self._owned = frozenset()
        for chair in self._chairs:
            self._stand_up(chair)
        self._ends.close()
        self._places.close()
        self._connection.close()

    # --- a turn ---

    def _turn(self, consumer: Consumer) -> None:
        polled = consumer.poll(timeout_ms=int(_LOOK_SECONDS * 1_000), max_records=self._batch)
        self._check_not_forgotten(consumer)
        self._check_topic()
        if self._assigned.changed.is_set():
            self._take_partitions(consumer)
            return
        if self._open_chairs(consumer):
            return
        try:
            if polled:
                opened = {each.partition: self._opened(records, consumer) for each, records in polled.items()}
                self._take(opened, consumer)
            if not polled or time.monotonic() - self._confirmed_at > _CONFIRM_SECONDS:  # some may idle, others flow
                self._confirm(consumer)
        except (psycopg.Error, DatabaseProblem, KafkaError, KafkaUnavailable) as error:
            self._put_all_off(error)
        self._hold_back(consumer)

    def _check_not_forgotten(self, consumer: Consumer) -> None:
        """A client was seen without partitions for a minute, in a group that had put it out. A new one joins."""
        if time.monotonic() - self._listened_at <= _LISTEN_SECONDS:
            return
        self._listened_at = time.monotonic()
        silent = last_heartbeat(consumer)
        if silent <= _SILENT_SECONDS:
            self._was_silent = False
            return
        if not self._was_silent:  # it may have joined just now: its first heartbeat is to come
            self._was_silent = True
            return
        with suppress(KafkaError, KafkaUnavailable):
            if not is_rebalancing(self._env, self._group):
                raise Forgotten(f"no heartbeat for {min(silent, 9_999):.0f} seconds")
        self._listened_at = time.monotonic() + _SILENT_SECONDS  # another would not get through, or is waited for too
        self._was_silent = False

    def _check_topic(self) -> None:
        """Also where nothing comes: a topic made anew may be why, or a client that does not get over something.
        Another one is made then. Raises TopicReplaced, TopicUnfit where there is no topic any more, NoPartitions, and
        StillRefused."""
        now = time.monotonic()
        if self._owned:
            self._had_some_at = now
        if now - self._looked_at < _LISTEN_SECONDS:
            return
        self._looked_at = now
        left: frozenset[int] = frozenset()
        try:
            self._places.check()
            if now - self._had_some_at > _IDLE_SECONDS:
                self._had_some_at = now
                left = partitions_of_nobody(self._env, self._group, self._topic)
        except (KafkaError, KafkaUnavailable) as error:  # another client would not get through either
            _log.warning("which topic it is cannot be seen", group=self._group, said=str(error))
            return
        if left:
            raise NoPartitions(f"no partitions for {_IDLE_SECONDS:.0f} seconds, and nobody has {sorted(left)}")
        for chair in self._chairs:
            if chair.refusal is not None and now - chair.refusal[1] > _IDLE_SECONDS:
                said, chair.refusal = chair.refusal[0], None
                raise StillRefused(f"for {_IDLE_SECONDS:.0f} seconds: {said}")

    def _take_partitions(self, consumer: Consumer) -> None:
        """What was polled by now may be of partitions that went, or from an offset that is not ours: it comes again."""
        self._assigned.changed.clear()
        self._next = {}
        self._partitions = len(consumer.partitions_for_topic(self._topic) or ())
        self._owned = frozenset(each.partition for each in consumer.assignment())
        for chair in self._chairs:
            if self._is_away:
                self._stand_up(chair)
            self._with(chair, self._enter)
        self._seek(consumer, self._owned)

    def _open_chairs(self, consumer: Consumer) -> bool:
        """Whether one was opened. What was polled by then comes again: before it there may be what is new to that one,
        and `_opened` takes it for all there is behind the place that is sought now."""
        waiting = sorted((chair for chair in self._chairs if chair.seat is None), key=attrgetter("again_at"))
        opened = [self._open(chair) for chair in waiting]
        if any(opened):
            self._seek(consumer, self._owned)
        return any(opened)

    def _open(self, chair: _Chair) -> bool:
        """Whether it was opened: not where it is not its time yet, or what all need turned out to be away meanwhile."""
        check(self._stop)
        if self._is_away or time.monotonic() < chair.again_at:
            return False
        try:
            chair.seat = chair.make()
        except (ReaderRetired, psycopg.Error, DatabaseProblem) as error:
            self._put_off(chair, error)
            return False
        chair.said.add(chair.seat.name)
        self._with(chair, self._enter)
        return True

    def _seek(self, consumer: Consumer, partitions: Collection[int]) -> None:
        """Goes to where the reader that is furthest behind goes on, and fetches from there."""
        seats = [chair.seat for chair in self._chairs if chair.seat is not None]
        for partition in partitions:
            offsets = [seat.places[partition].next_offset for seat in seats if partition in seat.places]
            if offsets:
                self._next[partition] = min(offsets)
                consumer.seek(TopicPartition(self._topic, partition), min(offsets))
                consumer.resume(TopicPartition(self._topic, partition))

    def _hold_back(self, consumer: Consumer) -> None:
        """Nothing is fetched of partitions of which no reader has its place: it would be let go of again."""
        wanted = {each for chair in self._chairs if chair.seat is not None for each in chair.seat.places}
        with suppress(KeyError):  # it went to another process meanwhile
            consumer.pause(*(each for each in consumer.assignment() if each.partition not in wanted))

    def _opened(self, records: Sequence[Any], consumer: Consumer) -> Polled:
        """From where the consumer stood: the end of somebody's transaction takes an offset, and is no message.

        A topic that was cut meanwhile has lost what is in between.
        """
        partition, first = records[0].partition, records[0].offset
        stood = self._next.get(partition, first)
        if stood < first:
            wanted = TopicPartition(self._topic, partition)
            if consumer.beginning_offsets([wanted])[wanted] <= stood:
                first = stood
        self._next[partition] = records[-1].offset + 1
        return Polled(first, records[-1].offset + 1, self._inspector.opened(records))

    def _take(self, batch: Batch, consumer: Consumer) -> None:
        interests = [chair.seat.interest for chair in self._chairs if chair.seat is not None]
        wanted = None if None in interests else frozenset[str]().union(*(each for each in interests if each))
        if not interests:
            return
        self._places.check()
        batch = checked(self._inspector, batch, wanted, self._connection.get(), self._partitions)
        behind: set[int] = set()
        self._in_hand = batch.keys()
        for chair in self._chairs:
            self._with(chair, lambda seat: behind.update(seat.take(batch, self._partitions)))
        self._in_hand = ()
        if behind:
            self._check_not_cut(consumer, behind & self._owned)
            self._seek(consumer, behind & self._owned)

    def _check_not_cut(self, consumer: Consumer, partitions: Collection[int]) -> None:
        """Whoever wants what was deleted from the topic looks for its place again, and says what is missing."""
        firsts = consumer.beginning_offsets([TopicPartition(self._topic, each) for each in partitions])
        for partition, first in firsts.items():
            for chair in self._chairs:
                self._with(chair, partial(_check_reaches, partition=partition.partition, first=first))

    def _confirm(self, consumer: Consumer) -> None:
        """Partitions that have nothing more count as read up to where the publisher was before they were looked at."""
        self._confirmed_at = time.monotonic()
        published = self._ends.published()
        seats = [chair.seat for chair in self._chairs if chair.seat is not None]
        if all(place.position >= published for seat in seats for place in seat.places.values()):
            for chair in self._chairs:
                if chair.seat is not None and chair.seat.places:
                    self._all_is_well(chair)
            return
        published, ends = self._ends.look()
        given = {each: consumer.position(TopicPartition(self._topic, each)) for each in self._owned}
        whole = {each for each, position in given.items() if position >= ends.get(each, position + 1)}
        for chair in self._chairs:
            self._with(chair, lambda seat: seat.confirm(ends, published, self._partitions, whole))

    # --- one reader's trouble is not the others' ---

    def _with(self, chair: _Chair, do: Callable[[Seat], object]) -> None:
        """Lets a reader do something; where that fails it is left out for a while, and then goes on where it was.

        Raises Stopped before it: each of them may wait for seconds for somebody who does not answer.
        """
        check(self._stop)
        if chair.seat is None:
            return
        try:
            do(chair.seat)
        except (Stopped, TopicReplaced):  # that concerns all of them
            raise
        except Exception as error:  # the other readers go on
            self._put_off(chair, error)
        else:
            if chair.is_past_it:
                self._all_is_well(chair)

    def _all_is_well(self, chair: _Chair) -> None:
        chair.backoff.worked()
        chair.stuck = {}
        chair.refusal = None
        for name in chair.said:
            note_trouble(self._database, name, None)
        chair.said = set()

    def _put_all_off(self, error: Exception) -> None:
        """What all of them need is not there. Their places are looked up again once it is. Raises Stopped."""
        for chair in self._chairs:
            if chair.seat is not None:
                self._put_off(chair, error)
        self._in_hand = ()
        self._ends.close()
        self._connection.close()

    @property
    def _is_away(self) -> bool:
        """Whether what they all need did not answer just now, and is not to be asked again yet."""
        return time.monotonic() < self._away_until

    def _stand_up(self, chair: _Chair) -> None:
        seat, chair.seat = chair.seat, None
        if seat is not None:
            seat.release()

    def _put_off(self, chair: _Chair, error: Exception) -> None:
        """The reader tries again after a while, and what keeps it is noted. Raises Stopped: noting it may take long."""
        seat = chair.seat
        name = seat.name if seat is not None else chair.name
        if seat is not None:
            chair.stuck |= {each: seat.places[each].next_offset for each in self._in_hand if each in seat.places}
        self._stand_up(chair)
        chair.refusal = _refusal(error, chair.refusal)
        check(self._stop)
        if not isinstance(error, PartitionMoved | ReaderRetired):
            chair.said.add(name)
            note_trouble(self._database, name, error)
        chair.again_at = time.monotonic() + chair.backoff.failed()  # now: noting that may have taken longer
        if isinstance(error, _AWAY):
            self._away_until = chair.again_at

    def _say_of_all(self, error: Exception) -> None:
        """What keeps this process from reading keeps all of its readers. Nothing more is said once it is to end."""
        for chair in self._chairs:
            if self._stop.is_set():
                return
            with suppress(ReaderRetired, psycopg.Error, DatabaseProblem):
                name = chair.make().name
                chair.said.add(name)
                note_trouble(self._database, name, error)

    def _enter(self, seat: Seat) -> None:
        self._places.enter(seat, self._owned, self._stop)


class _Assigned(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes that partitions came or went. Called on the client's own thread, where nothing may wait.

    Those that came are fetched from once somebody said where to go on: without that, it would be from the beginning.
    """

    def __init__(self, consumer: Consumer | None) -> None:
        self.changed = threading.Event()
        self._consumer = consumer

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        if revoked:
            self.changed.set()

    def on_partitions_lost(self, _: Collection[TopicPartition]) -> None:
        self.changed.set()

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        if self._consumer is not None:
            self._consumer.pause(*assigned)
        self.changed.set()


def _refusal(error: Exception, before: tuple[str, float] | None) -> tuple[str, float] | None:
    if isinstance(error, HelperAway) or not isinstance(error, KafkaError | KafkaUnavailable | OutOfReach):
        return None
    said = f"{type(error).__name__}: {error}"
    return before if before is not None and before[0] == said else (said, time.monotonic())


def _check_reaches(seat: Seat, *, partition: int, first: int) -> None:
    place = seat.places.get(partition)
    if place is not None and place.next_offset < first:
        raise TopicChanged(f"partition {partition} begins at {first:,}; {seat.name} goes on at {place.next_offset:,}")


def last_heartbeat(consumer: Consumer) -> float:
    """Seconds since the client last told its group that it is there; infinite where it never did."""
    return float(consumer.metrics()["consumer-coordinator-metrics"]["last-heartbeat-seconds-ago"])


def _close(consumer: Consumer) -> None:
    with suppress(KafkaError):
        consumer.close()

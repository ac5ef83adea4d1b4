"""Where readers go on in the topic, and what the topic lacks: that comes from the store.

A topic is not for ever: it may be deleted and made anew, perhaps with another number of partitions, and old messages
may be deleted from it. Whoever reads it asks here where to go on, and there is no other way to be told.
"""

import threading
from collections.abc import Collection, Mapping
from functools import partial

import structlog

from adapters.eventstore.feed import LogHole
from adapters.kafka.arrivals import is_in_log
from adapters.kafka.connection import events_topic
from adapters.kafka.identity import IdentityWatch, TopicIdentity, TopicReplaced
from adapters.kafka.published import Published, published_topic
from adapters.kafka.publisher import reader_name
from adapters.kafka.seats import Seat
from adapters.kafka.tail import Tail
from adapters.postgres.database import Database
from adapters.postgres.kept_connection import KeptConnection, in_utc
from adapters.readers.partitions import KnownTopic, Place
from adapters.readers.poison import OutOfReach, sequence_of
from adapters.readers.runner import Source, note_trouble
from adapters.stop import check
from adapters.telemetry.metrics import TopicChange, count_topic_change
from projections.agenda.partition import partition_of

_CHUNK = 1_000

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class FilledFromStore(OutOfReach):
    """What is said while a reader takes from the store what the topic lacks. Nobody raises it."""


class Places:
    """Finds the places of readers that share a consumer. Used by one thread."""

    def __init__(self, database: Database, source: Source, env: Mapping[str, str], *, at_once: int = _CHUNK) -> None:
        """`source` has what the topic lacks. Of that a reader is given at most `at_once` events in a transaction."""
        self._database = database
        self._source = source
        self._env = env
        self._at_once = at_once
        self._topic = events_topic(env)
        self._identity = IdentityWatch(self._topic, env)
        self._publisher = reader_name(self._topic)
        self._connection = KeptConnection(partial(database.connect, "arrears_app", autocommit=True), in_utc)
        self._on: TopicIdentity | None = None
        """The topic that the consumer reads."""

    def begin(self) -> int:
        """Call it before a consumer is made: what that reads is of the topic that there is now, or `check` raises.
        Returns how many partitions it has.

        Raises TopicReplaced until the publisher has begun with it, TopicUnfit, KafkaUnavailable and KafkaError.
        """
        topic = self._identity.look()
        self._published(topic)
        self._on = topic
        return topic.partitions

    def check(self) -> None:
        """Call it after something was read, before it is handled. Raises TopicReplaced: it may be of another topic."""
        self._identity.check(self._on)

    def enter(self, seat: Seat, owned: Collection[int], stop: threading.Event) -> None:
        """Has a reader take these partitions, and no others, from where it goes on; what the topic lacks is handled.

        Raises what `Seat.enter` and `Seat.fill` raise, LogHole, TopicReplaced, and Stopped.
        """
        topic = self._identity.look()
        if self._on is not None and topic != self._on:
            raise TopicReplaced(f"{self._topic} was {self._on}, and is {topic}")
        published = self._published(topic)
        known = None if published is None else KnownTopic(self._publisher, topic.id, topic.partitions)
        lacks: dict[int, int] = {}

        def find(places: Mapping[int, Place]) -> Mapping[int, int]:
            is_ours = partial(is_in_log, self._connection.get())
            log_begins = () if published is None else published.log_begins
            with Tail(self._env, topic=self._topic, is_ours=is_ours, log_begins=log_begins) as tail:
                offsets, cut = tail.going_on(places)
            lacks.update(cut)
            return offsets

        seat.enter(owned, find, known)
        if lacks:
            self._fill(seat, lacks, topic.partitions, stop)

    def close(self) -> None:
        self._identity.close()
        self._connection.close()

    # --- inside ---

    def _published(self, topic: TopicIdentity) -> Published | None:
        """What the publisher says of the topic; None where an earlier release publishes, which says nothing."""
        published = published_topic(self._connection.get(), self._publisher)
        if published is not None and published.topic != topic:
            raise TopicReplaced(f"{self._topic} is {topic}, and the publisher has not begun with that yet")
        return published

    def _fill(self, seat: Seat, ends: Mapping[int, int], of: int, stop: threading.Event) -> None:
        """What the topic lacks of these partitions, up to the log's head as it is now.

        `ends` are offsets by partition that the topic had before: whatever is sealed later stands behind them, so that
        is where the reader goes on afterwards. What it meets there once more is dropped by position.
        """
        head = self._source.head()
        at = min(seat.places[each].position for each in ends)
        said = FilledFromStore(
            f"the topic lacks what comes after position {at:,} in {len(ends)} of {of} partitions; it is taken from the "
            f"store up to {head:,}"
        )
        note_trouble(self._database, seat.name, said)
        count_topic_change(seat.name, TopicChange.CUT)
        while at < head:
            check(stop)
            events = self._source.read(at, min(_CHUNK, head - at), seat.interest)
            if not events:
                raise LogHole(at + 1, head)
            at = events[-1].position or head
            interest = seat.interest
            mine = [
                each
                for each in events
                if (interest is None or each.name in interest)
                and (partition := partition_of(sequence_of(each), of)) in ends
                and (each.position or 0) > seat.places[partition].position
            ]
            while len(mine) > self._at_once:
                some, mine = mine[: self._at_once], mine[self._at_once :]
                seat.fill(some, _moved(seat, ends, some[-1].position or 0), of)
                check(stop)
            seat.fill(mine, _moved(seat, ends, at), of)
        seat.fill([], {each: Place(end, max(seat.places[each].position, head)) for each, end in ends.items()}, of)
        _log.warning("taken from the store", reader=seat.name, partitions=sorted(ends), up_to=head)


def _moved(seat: Seat, partitions: Collection[int], at: int) -> dict[int, Place]:
    places = seat.places
    return {each: Place(places[each].next_offset, max(places[each].position, at)) for each in partitions}

"""Reading the log from another service:

    from adapters.kafka.subscriber import Subscriber

    with Subscriber("billing-mirror", types=["account.payment-received"]) as events:
        for event in events:
            mirror(event.account_id, event.event.receipt)

Everything about one account comes in order, and at least once. Repeats that the publisher or Kafka cause are dropped
by position; what is handed out is committed once the next event is asked for. So after a crash the last events may
come once more: what is done with an event has to stand a repeat, for which `event_id` is there.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self
from uuid import UUID

import structlog
from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import (
    CommitFailedError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from kafka.structs import OffsetAndMetadata

from adapters.kafka.cloudevents import TYPE_PREFIX, Envelope, NotOurs, from_message
from adapters.kafka.connection import METADATA_MS, events_topic, reaching
from adapters.kafka.consumer import ANSWER_MS, Consumer
from adapters.kafka.identity import IdentityWatch, TopicUnfit
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.quarantine import Reason, Refused, refused, say
from adapters.kafka.tail import Lost, Tail, Where
from aggregates.kernel.event import REGISTRY, UnknownEvent

_LOOK_SECONDS = 0.5
_COMMIT_SECONDS = 1.0
_IDENTITY_SECONDS = 1.0
_POSITION = "position="

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class EventsLost(Exception):
    """The topic does not have events any more that this group has not handled: they were deleted from it, or it was
    made anew without them. Nothing is skipped: whoever iterates again is told again, until `Subscriber.accept_loss`."""

    def __init__(self, topic: str, lost: Sequence[Lost]) -> None:
        self.topic = topic
        self.lost = tuple(lost)
        """By partition: the last position that was handled, and the first one that there is."""
        after = min((each.handled or 0 for each in lost), default=0)
        firsts = [each.first for each in lost]
        until = "" if None in firsts else f" --to {max(each for each in firsts if each is not None) - 1}"
        self.replay = f"arrears replay --from {after + 1}{until} --json"
        """The command that shows what may be missing."""
        super().__init__(
            f"{topic} does not have everything any more that was not handled yet ({'; '.join(map(str, lost))}). "
            f"The log has it: {self.replay}. Handle that, then call accept_loss() to go on with what the topic has"
        )


class Subscriber:
    """Events of the log, for one group of processes that share the work. A context manager, and an iterable.

    `types` are event names, with or without `collections.` before and `.v1` behind; none means all. A group that
    nobody has heard of starts at the `start` of the topic, or at a position in the log. `check` says whether an event
    of a wanted type is to be believed: whoever may write to the topic may have written it. More options go to
    KafkaConsumer. Raises KafkaUnavailable where no broker takes it, and KafkaError.

    What is no event of the log, or is refused, is passed over, logged and counted. Iterating raises EventsLost where
    the topic does not have any more what was not handled.
    """

    def __init__(
        self,
        group: str,
        *,
        types: Collection[str] = (),
        start: Literal["beginning", "end"] | int = "beginning",
        topic: str | None = None,
        env: Mapping[str, str] = os.environ,
        check: Callable[[Envelope], bool] | None = None,
        **options: Any,
    ) -> None:
        self._types = {plain_name(each) for each in types}
        self._topic = topic or events_topic(env)
        self._group = group
        self._check = check
        self._stopping = threading.Event()
        self._last: dict[TopicPartition, int] = {}
        """The last position that was handled or dropped, by partition."""
        self._start = start
        self._env = env
        self._new: set[TopicPartition] = set()
        """Partitions whose place is to be found: they came to this process, or what it was to read is not there."""
        self._lost: dict[TopicPartition, Where] = {}
        """Partitions that do not go on until their loss is accepted."""
        self._stood: dict[TopicPartition, OffsetAndMetadata] = {}
        """What this process committed last: Kafka forgets that with the topic, also when it is made anew."""
        self._identity = IdentityWatch(self._topic, env)
        self._topic_id: UUID | None = None
        self._looked_at = 0.0
        self._proven: dict[TopicPartition, OffsetAndMetadata] = {}
        """What had been committed when it was last seen that the topic is the same."""
        self._back: dict[TopicPartition, OffsetAndMetadata] = {}
        """Where partitions of a topic that was made anew go on from: what was read since may be of the new one."""
        self._unproven: set[TopicPartition] = set()
        """Partitions that were empty: their first event will say whether something is missing."""
        self._late: dict[TopicPartition, set[int]] = {}
        self._handled: dict[TopicPartition, int] = {}
        """The offset to go on from, where it is not committed yet."""
        self._at_hand: dict[TopicPartition, int] = {}
        """The next offset of what was polled and is not handled yet."""
        self._committed_at = time.monotonic()
        settings = {
            "group_id": group,
            "enable_auto_commit": False,
            "metadata_max_age_ms": METADATA_MS,
            "auto_offset_reset": "none",  # the place is found here, and never jumped to
            "client_id": f"arrears-subscriber-{group}",
            **options,
        }
        with reaching(env) as connecting:
            self._consumer = Consumer(**connecting, **settings)
        self._consumer.follow(self._topic, _Assigned(self._new))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def stop(self) -> None:
        """Ends the iteration after the event at hand; may be called from a signal handler or another thread."""
        self._stopping.set()

    def close(self) -> None:
        """Commits what was handled and leaves the group. Raises KafkaError where that could not be committed: then it
        comes again."""
        try:
            self._commit(within_ms=ANSWER_MS)
        finally:
            self._identity.close()
            self._consumer.close()

    # --- events ---

    def __iter__(self) -> Iterator[Envelope]:
        """One event at a time. It counts as handled when the next one is asked for, not before."""
        for batch in self._polled():
            for partition, offset, envelope in batch:
                if self._stopping.is_set():
                    return
                if envelope is not None:
                    yield envelope
                self._note(partition, offset, envelope)
                if time.monotonic() - self._committed_at > _COMMIT_SECONDS:
                    self.commit()
            self.commit()

    def batches(self) -> Iterator[list[Envelope]]:
        """Some events at a time, as they come, each account's in order; committed when the next ones are asked for."""
        for batch in self._polled():
            if wanted := [envelope for _, _, envelope in batch if envelope is not None]:
                yield wanted
            for partition, offset, envelope in batch:
                self._note(partition, offset, envelope)
            self.commit()

    def commit(self) -> None:
        """Tells Kafka how far this process is; happens by itself after each event or batch."""
        self._commit()

    def _commit(self, *, within_ms: float | None = None) -> None:
        handled, self._handled = self._handled, {}
        self._committed_at = time.monotonic()
        if not handled:
            return
        offsets = {
            partition: OffsetAndMetadata(offset, f"{_POSITION}{at}" if (at := self._last.get(partition)) else "", -1)
            for partition, offset in handled.items()
        }
        self._stood.update(offsets)
        try:
            self._consumer.commit(offsets, timeout_ms=within_ms)
        except CommitFailedError:
            _log.warning("partitions went to another process before they were committed; their events come again")

    def accept_loss(self) -> None:
        """After EventsLost: goes on with what the topic has. What is missing was handled otherwise, or is given up."""
        lost, self._lost = self._lost, {}
        for partition, where in lost.items():
            self._consumer.seek(partition, where.offset)
            self._consumer.resume(partition)
            self._handled[partition] = where.offset
            if where.lost is not None and where.lost.first is not None:
                self._last[partition] = max(self._last.get(partition, 0), where.lost.first - 1)
        self.commit()

    # --- inside ---

    def _polled(self) -> Iterator[list[tuple[TopicPartition, int, Envelope | None]]]:
        self._go_back()
        while not self._stopping.is_set():
            if self._lost:
                raise EventsLost(self._topic, [each.lost for each in self._lost.values() if each.lost is not None])
            try:
                polled = self._consumer.poll(timeout_ms=int(_LOOK_SECONDS * 1_000))
            except (NoOffsetForPartitionError, OffsetOutOfRangeError, LogTruncationError):
                polled = {}
                self._new.update(self._consumer.assignment())
            if self._is_another_topic():
                polled = {}
            if self._new or self._unproven:
                polled = self._placed(polled)
            self._at_hand = {partition: records[0].offset for partition, records in polled.items()}
            if polled:  # of all partitions together: storing how far it is takes a broker milliseconds each time
                yield [each for partition, records in polled.items() for each in self._opened(partition, records)]
                self._at_hand = {}

    def _go_back(self) -> None:
        """Whoever left an iteration in the middle, and iterates again, gets what was not handled once more."""
        at_hand, self._at_hand = self._at_hand, {}
        for partition, offset in at_hand.items():
            if partition in self._consumer.assignment():
                self._consumer.seek(partition, offset)

    def _opened(
        self, partition: TopicPartition, records: list[Any]
    ) -> Iterator[tuple[TopicPartition, int, Envelope | None]]:
        """The next offset and the event of each message; None for what is to be passed over."""
        seen = self._last.get(partition, 0)
        found: list[Refused] = []
        for record in records:
            envelope = self._open(partition, record, found)
            if envelope is not None:
                if self._is_repeat(partition, envelope, seen):
                    envelope = None
                elif not envelope.late:
                    seen = envelope.position
            if envelope is not None and self._types and envelope.name not in self._types:
                envelope = None
            yield partition, record.offset + 1, envelope
        say(self._topic, self._group, found)

    def _open(self, partition: TopicPartition, record: Any, found: list[Refused]) -> Envelope | None:
        try:
            envelope = from_message(record.headers, record.value, partition=partition.partition, offset=record.offset)
        except NotOurs:
            found.append(refused(record, Reason.MALFORMED))
            return None
        if not self._types or envelope.name in self._types:
            reason = self._fault(envelope)
            if reason is not None:
                found.append(refused(record, reason, envelope.position))
                return None
        return envelope

    def _fault(self, envelope: Envelope) -> Reason | None:
        """What is wrong with an event that has the form of one. One that this release does not know is not judged."""
        if envelope.name in REGISTRY:
            try:
                envelope.event  # noqa: B018  whoever handles it would ask, and fail, again and again
            except UnknownEvent:
                pass
            except Exception:  # whatever it is that does not fit: the message is to blame
                return Reason.OTHER_BODY
        if self._check is not None and not self._check(envelope):
            return Reason.REFUSED
        return None

    def _is_repeat(self, partition: TopicPartition, envelope: Envelope, seen: int) -> bool:
        """What was held back comes with a lower position and is told apart by itself."""
        if not envelope.late:
            return envelope.position <= seen
        late = self._late.setdefault(partition, set())
        if envelope.position in late:
            return True
        late.add(envelope.position)
        return False

    def _note(self, partition: TopicPartition, offset: int, envelope: Envelope | None) -> None:
        self._handled[partition] = offset
        self._at_hand[partition] = offset
        if envelope is not None and not envelope.late:
            self._last[partition] = max(self._last.get(partition, 0), envelope.position)

    # --- places ---

    def _is_another_topic(self) -> bool:
        """Looks every second whether the topic was made anew, where offsets may mean other events, and nobody says so.
        Then what was handled is known up to the last look; what came since comes again."""
        if time.monotonic() - self._looked_at < _IDENTITY_SECONDS:
            return False
        try:
            now = self._identity.look().id
        except (KafkaError, KafkaUnavailable, TopicUnfit):
            return False  # nobody can say, and nothing counts as proven meanwhile
        self._looked_at = time.monotonic()
        before, self._topic_id = self._topic_id, now
        if before in {None, now}:
            self._proven = dict(self._stood)
            return False
        _log.error("the topic was made anew, it is read from its beginning", topic=self._topic, was=before, now=now)
        self._back = dict(self._proven)
        self._new.update(self._consumer.assignment())
        return True

    def _placed(self, polled: dict[TopicPartition, list[Any]]) -> dict[TopicPartition, list[Any]]:
        """Finds the places of partitions that are new; the messages of all others."""
        new = self._new & self._consumer.assignment()
        if new:
            with Tail(self._env, topic=self._topic) as tail:
                for partition in sorted(new):
                    self._place(partition, tail)
        for partition in self._unproven & polled.keys():
            self._prove(partition, polled[partition])
        return {each: records for each, records in polled.items() if each not in new and each not in self._lost}

    def _place(self, partition: TopicPartition, tail: Tail) -> None:
        committed = self._back.pop(partition, None) or self._consumer.committed(partition, metadata=True)
        committed = committed or self._stood.get(partition)
        where, position = self._found(partition.partition, committed, tail)
        self._new.discard(partition)
        self._late.pop(partition, None)
        self._last[partition] = position or 0
        if where.lost is not None:
            self._lose(partition, where)
            return
        self._consumer.seek(partition, where.offset)
        if where.offset == 0 and position:
            self._unproven.add(partition)
        if committed is not None:
            self._stood[partition] = self._proven[partition] = committed
        else:
            self._handled[partition] = where.offset  # where it began is kept, though nothing may come for long
            self.commit()

    def _found(self, partition: int, committed: Any, tail: Tail) -> tuple[Where, int | None]:
        """Where a partition is gone on with, and the last position that was handled; None where nobody knows."""
        if committed is not None:
            position = _remembered(committed)
            return tail.where(partition, committed.offset, position), position
        if self._start == "beginning":
            return Where(tail.beginnings()[partition]), None
        if self._start == "end":
            end = tail.ends()[partition]
            return Where(end), tail.position_before(partition, end)
        return tail.where_behind(partition, self._start - 1), self._start - 1

    def _prove(self, partition: TopicPartition, records: Sequence[Any]) -> None:
        """A topic that was made anew has the log from its beginning, unless its publisher did not begin again."""
        for record in records:
            with suppress(NotOurs):
                event = from_message(record.headers, record.value, partition=record.partition, offset=record.offset)
                if event.late:
                    continue
                self._unproven.discard(partition)
                handled = self._last.get(partition, 0)
                if event.position > handled:
                    lost = Lost(partition.partition, handled, event.position)
                    self._lose(partition, Where(records[0].offset, lost))
                return

    def _lose(self, partition: TopicPartition, where: Where) -> None:
        self._lost[partition] = where
        self._consumer.pause(partition)
        self._consumer.seek(partition, where.offset)
        _log.error("the topic does not have what was not handled yet", topic=self._topic, lost=str(where.lost))


class _Assigned(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes which partitions are new to this process. Called on the client's own thread, where nothing may wait."""

    def __init__(self, new: set[TopicPartition]) -> None:
        self._new = new

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """What was handled is committed before every poll; what is at hand will be handled by two processes."""

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._new.update(assigned)


def plain_name(event_type: str) -> str:
    """`account.payment-received` for `collections.account.payment-received.v1`, and for itself."""
    name, _, version = event_type.removeprefix(TYPE_PREFIX).rpartition(".v")
    return name if name and version.isdecimal() else event_type.removeprefix(TYPE_PREFIX)


def _remembered(committed: Any) -> int | None:
    """The position that stands beside a committed offset; None where somebody else committed it."""
    text = str(committed.metadata) if committed is not None and committed.metadata else ""
    number = text.removeprefix(_POSITION)
    return int(number) if text.startswith(_POSITION) and number.isdecimal() else None

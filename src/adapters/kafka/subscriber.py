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
from collections.abc import Callable, Collection, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError
from kafka.structs import OffsetAndMetadata

from adapters.kafka.cloudevents import TYPE_PREFIX, Envelope, NotOurs, from_message
from adapters.kafka.connection import METADATA_MS, events_topic, reaching
from adapters.kafka.quarantine import Reason, Refused, refused, say
from aggregates.kernel.event import REGISTRY, UnknownEvent

_LOOK_SECONDS = 0.5
_COMMIT_SECONDS = 1.0
_POSITION = "position="

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Subscriber:
    """Events of the log, for one group of processes that share the work. A context manager, and an iterable.

    `types` are event names, with or without `collections.` before and `.v1` behind; none means all. A group that
    nobody has heard of starts at the `start` of the topic. `check` says whether an event of a wanted type is to be
    believed: whoever may write to the topic may have written it. More options go to KafkaConsumer. Raises
    KafkaUnavailable where no broker takes it, and KafkaError.

    What is no event of the log, or is refused, is passed over, logged and counted.
    """

    def __init__(
        self,
        group: str,
        *,
        types: Collection[str] = (),
        start: Literal["beginning", "end"] = "beginning",
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
        self._new: set[TopicPartition] = set()
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
            "auto_offset_reset": "earliest" if start == "beginning" else "latest",
            "client_id": f"arrears-subscriber-{group}",
            **options,
        }
        with reaching(env) as connecting:
            self._consumer = KafkaConsumer(**connecting, **settings)
        self._consumer.subscribe([self._topic], listener=_Assigned(self._new))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def stop(self) -> None:
        """Ends the iteration after the event at hand; may be called from a signal handler or another thread."""
        self._stopping.set()

    def close(self) -> None:
        """Commits what was handled and leaves the group."""
        self.commit()
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
        """Some events at a time, as they come; committed when the next ones are asked for."""
        for batch in self._polled():
            if wanted := [envelope for _, _, envelope in batch if envelope is not None]:
                yield wanted
            for partition, offset, envelope in batch:
                self._note(partition, offset, envelope)
            self.commit()

    def commit(self) -> None:
        """Tells Kafka how far this process is; happens by itself after each event or batch."""
        handled, self._handled = self._handled, {}
        self._committed_at = time.monotonic()
        if not handled:
            return
        offsets = {
            partition: OffsetAndMetadata(offset, f"{_POSITION}{self._last.get(partition, 0)}", -1)
            for partition, offset in handled.items()
        }
        try:
            self._consumer.commit(offsets)
        except CommitFailedError:
            _log.warning("partitions went to another process before they were committed; their events come again")

    # --- inside ---

    def _polled(self) -> Iterator[list[tuple[TopicPartition, int, Envelope | None]]]:
        self._go_back()
        while not self._stopping.is_set():
            polled = self._consumer.poll(timeout_ms=int(_LOOK_SECONDS * 1_000))
            self._at_hand = {partition: records[0].offset for partition, records in polled.items()}
            for partition, records in polled.items():
                yield list(self._opened(partition, records))
                self._at_hand.pop(partition, None)

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
        seen = self._seen(partition)
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

    def _seen(self, partition: TopicPartition) -> int:
        """The last position that was handled; for a partition that is new here it stands beside its offset."""
        if partition in self._new:
            self._new.discard(partition)
            self._late.pop(partition, None)
            self._last[partition] = _remembered(self._consumer.committed(partition, metadata=True))
        return self._last.get(partition, 0)


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


def _remembered(committed: Any) -> int:
    text = str(committed.metadata) if committed is not None and committed.metadata else ""
    number = text.removeprefix(_POSITION)
    return int(number) if text.startswith(_POSITION) and number.isdecimal() else 0

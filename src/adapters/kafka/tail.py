"""Looking at the topic from outside of any group: from its beginning, its end, or a position in the log."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import structlog
from kafka import TopicPartition

from adapters.kafka.cloudevents import Envelope, NotOurs, from_message
from adapters.kafka.connection import events_topic, reaching
from adapters.kafka.consumer import ANSWER_MS, Consumer
from adapters.kafka.jars import KafkaUnavailable
from adapters.readers.partitions import Place
from projections.agenda.partition import partition_of

_LOOK_MS = 500
_WIDEN = 16
"""Where a message is no event, its neighbours are looked at: one, then so many times more, and so on."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

IsOurs = Callable[[Envelope], bool]


@dataclass(frozen=True, slots=True)
class Lost:
    """What a partition does not have any more for somebody who goes on there. Positions are those of the log."""

    partition: int
    handled: int | None
    """The last event that was handled; None where that is not known."""
    first: int | None
    """The first event there is that may be newer; None where there is none."""

    def __str__(self) -> str:
        handled = (
            "nobody knows up to where it was handled" if self.handled is None else f"handled up to {self.handled:,}"
        )
        first = "it has no event now that may be newer" if self.first is None else f"its first event is {self.first:,}"
        return f"partition {self.partition}: {handled}, and {first}"


@dataclass(frozen=True, slots=True)
class Where:
    """An offset to go on at, and what is not there any more before it."""

    offset: int
    lost: Lost | None = None


class Tail:
    """The events of a topic, or of one account's partition; a context manager.

    Messages that are no events are passed over, and so are those that `is_ours` says are none of the log. Raises
    KafkaUnavailable where no broker answers or the topic is missing.
    """

    def __init__(
        self,
        env: Mapping[str, str] = os.environ,
        *,
        topic: str | None = None,
        account_id: UUID | None = None,
        is_ours: IsOurs = lambda _: True,
        log_begins: Sequence[int] = (),
    ) -> None:
        """`log_begins`: by partition the offset before which nothing counts; see `Published`."""
        name = topic or events_topic(env)
        self._is_ours = is_ours
        self._log_begins = dict(enumerate(log_begins))
        with reaching(env) as options:
            self._consumer = Consumer(
                **options, client_id="arrears-tail", bootstrap_timeout_ms=ANSWER_MS, enable_auto_commit=False
            )
        known = self._consumer.partitions_for_topic(name)
        if not known:
            self.close()
            raise KafkaUnavailable(f"Kafka has no topic {name}.", hint="arrears topics apply makes it.")
        wanted = known if account_id is None else {partition_of(account_id, len(known))}
        self._account_id = account_id
        self._partitions = [TopicPartition(name, each) for each in sorted(wanted)]
        self._consumer.assign(self._partitions)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._consumer.close()

    # --- where from ---

    def from_beginning(self) -> None:
        """Sought as offsets: a reset "to the beginning" can lose against the one to the end that assigning began."""
        for partition, offset in self._consumer.beginning_offsets(self._partitions).items():
            self._consumer.seek(partition, offset)

    def from_end(self) -> None:
        """Only what comes from now on."""
        self._consumer.seek_to_end(*self._partitions)
        for partition in self._partitions:
            self._consumer.position(partition)  # now, not when the first message is asked for

    def going_on(self, places: Mapping[int, Place]) -> tuple[dict[int, int], dict[int, int]]:
        """The offset at which a reader goes on in each partition, given what it remembers of it; and the present end
        of each partition that lacks something of what the reader has not seen: there the offset stays as it is.

        The offset is the one it remembers, unless that is unknown, or the message before it says that the topic is not
        the one that was read. Then it is where the log begins there, and the reader passes over what it has handled:
        no place is looked for by position, because an old event may come once more behind any newer one.
        """
        partitions = [each for each in self._partitions if each.partition in places]
        ends = self._consumer.end_offsets(partitions)
        beginnings = self._consumer.beginning_offsets(partitions)
        log_begins = {each: self._log_begins.get(each.partition, 0) for each in partitions}
        first = {each: max(beginnings[each], log_begins[each]) for each in partitions}
        lacks: dict[int, int] = {}
        offsets = {each: places[each.partition].next_offset for each in partitions}
        before = self._look({each: at - 1 for each, at in offsets.items() if first[each] < at <= ends[each]})
        for each in [each for each, seen in before.items() if seen is None]:
            before[each] = self._newest_below(each, offsets[each] - 1, first[each])
        found = {}
        for each, at in offsets.items():
            position, seen = places[each.partition].position, before.get(each)
            is_known = first[each] <= at <= ends[each]
            if is_known and (seen is None or seen.late or seen.position <= position):
                found[each.partition] = at
            elif first[each] == log_begins[each] <= ends[each]:
                found[each.partition] = first[each]
            else:
                _log.warning(
                    "the topic lacks something",
                    said=f"partition {each.partition} of {each.topic} begins at {beginnings[each]:,}, and what comes "
                    f"after position {position:,} is wanted: older events were deleted from it",
                )
                found[each.partition], lacks[each.partition] = at, ends[each]
        return found, lacks

    def where(self, partition: int, offset: int, position: int | None) -> Where:
        """Where somebody goes on who handled a partition up to an offset, whose last event was at a position, if that
        is known. Takes the offset where the event before it says so."""
        (wanted,) = (each for each in self._partitions if each.partition == partition)
        first = self._consumer.beginning_offsets([wanted])[wanted]
        end = self._consumer.end_offsets([wanted])[wanted]
        if first <= offset <= end and (position is None or self._has_read(wanted, first, offset, position)):
            return Where(offset)
        if 0 < offset < first and position is not None:  # what was deleted was not handled, whatever comes first now
            oldest = self._oldest_from(wanted, first, end)
            newer = oldest.position if oldest is not None and oldest.position > position else None
            return Where(first, Lost(partition, position, newer))
        return self.where_behind(partition, 0 if offset == 0 else position)

    def position_before(self, partition: int, offset: int) -> int | None:
        """The position of the last event before an offset; None where there is none."""
        (wanted,) = (each for each in self._partitions if each.partition == partition)
        newest = self._newest_below(wanted, offset, self._consumer.beginning_offsets([wanted])[wanted])
        return None if newest is None else newest.position

    def where_behind(self, partition: int, position: int | None) -> Where:
        """Where somebody goes on who handled a partition up to a position, if that is known: at its beginning, and
        passes over what was handled. An old event may come once more behind any newer one, so its place is not looked
        for."""
        (wanted,) = (each for each in self._partitions if each.partition == partition)
        first = self._consumer.beginning_offsets([wanted])[wanted]
        end = self._consumer.end_offsets([wanted])[wanted]
        if first == end:
            return Where(end, Lost(partition, position, None) if end > 0 else None)
        oldest = self._oldest_from(wanted, first, end)
        is_whole = position == 0 and first == 0
        if oldest is None or is_whole or (position is not None and oldest.position <= position):
            return Where(first)
        return Where(first, Lost(partition, position, oldest.position))

    def _has_read(self, partition: TopicPartition, first: int, offset: int, position: int) -> bool:
        """Whether what stands before an offset may have been read by somebody who was at a position then."""
        newest = self._newest_below(partition, offset, first)
        return newest is None or newest.late or newest.position <= position

    def beginnings(self) -> dict[int, int]:
        """The offset of the first event, by partition."""
        return {each.partition: first for each, first in self._consumer.beginning_offsets(self._partitions).items()}

    def ends(self) -> dict[int, int]:
        """The offset behind the last event, by partition."""
        return {each.partition: end for each, end in self._consumer.end_offsets(self._partitions).items()}

    def last(self, most: int = 1) -> dict[int, list[Envelope]]:
        """The events among the last `most` messages of each partition, in order."""
        first = self._consumer.beginning_offsets(self._partitions)
        ends = self._consumer.end_offsets(self._partitions)
        found = {
            each.partition: self._between(each, max(first[each], ends[each] - most), ends[each])
            for each in self._partitions
        }
        self._consumer.assign(self._partitions)
        return found

    # --- reading ---

    def events(self, *, follow: bool = True) -> Iterator[list[Envelope]]:
        """Batches in order of position, empty ones while nothing comes; to the present end where it does not follow."""
        ends = None if follow else self._consumer.end_offsets(self._partitions)
        while ends is None or any(self._consumer.position(each) < ends[each] for each in self._partitions):
            polled = self._consumer.poll(timeout_ms=_LOOK_MS)
            opened = (self._opened(record) for records in polled.values() for record in records)
            wanted = [e for e in opened if e is not None and self._account_id in (None, e.account_id)]
            yield sorted(wanted, key=lambda envelope: envelope.position)

    def stretch(self, partition: int, first: int, until: int) -> Iterator[tuple[int, list[Any]]]:
        """Messages of a partition from one offset up to, and without, another; those that are left of them, each list
        with the offset from which on it has all there are."""
        (wanted,) = (each for each in self._partitions if each.partition == partition)
        yield from self._stretch(wanted, max(first, self._consumer.beginning_offsets([wanted])[wanted]), until)

    def message(self, partition: int, offset: int) -> Any | None:
        """The message at an offset, whatever it is; None where there is none."""
        wanted = next((each for each in self._partitions if each.partition == partition), None)
        if wanted is None or not self._consumer.beginning_offsets([wanted])[wanted] <= offset < self.ends()[partition]:
            return None
        return next((each for _, records in self._stretch(wanted, offset, offset + 1) for each in records), None)

    # --- inside ---

    def _newest_below(self, partition: TopicPartition, below: int, first: int) -> Envelope | None:
        """The last event before an offset; None where there is none."""
        width = 1
        while below > first:
            low = max(first, below - width)
            if found := self._between(partition, low, below):
                return found[-1]
            below, width = low, width * _WIDEN
        return None

    def _oldest_from(self, partition: TopicPartition, first: int, end: int) -> Envelope | None:
        """The first event at or behind an offset that comes in its turn; None where there is none."""
        width = 1
        while first < end:
            high = min(end, first + width)
            if found := [each for each in self._between(partition, first, high) if not each.late]:
                return found[0]
            first, width = high, width * _WIDEN
        return None

    def _between(self, partition: TopicPartition, first: int, until: int) -> list[Envelope]:
        opened = (self._opened(each) for _, records in self._stretch(partition, first, until) for each in records)
        return [each for each in opened if each is not None]

    def _stretch(self, partition: TopicPartition, first: int, until: int) -> Iterator[tuple[int, list[Any]]]:
        """The end of a transaction takes an offset too, and is no message: then lists do not join."""
        self._consumer.assign([partition])
        self._consumer.seek(partition, first)
        while (at := self._consumer.position(partition)) < until:
            polled = self._consumer.poll(timeout_ms=ANSWER_MS)
            if not polled and self._consumer.position(partition) == at:
                raise KafkaUnavailable(f"Kafka did not give a message of {partition.topic} in time")
            if records := [each for each in polled.get(partition, ()) if each.offset < until]:
                yield first, records
                first = records[-1].offset + 1

    def _look(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, Envelope | None]:
        """The messages at one offset of each partition; None for what is no event of the log."""
        self._consumer.assign(list(offsets))
        for partition, offset in offsets.items():
            self._consumer.seek(partition, offset)
        found: dict[TopicPartition, Envelope | None] = {}
        while len(found) < len(offsets):
            polled = self._consumer.poll(timeout_ms=ANSWER_MS)
            passed = {each for each, offset in offsets.items() if self._consumer.position(each) > offset}
            if not passed - found.keys():
                raise KafkaUnavailable(f"Kafka did not give a message of {next(iter(offsets)).topic} in time")
            for partition in passed - found.keys():
                records = polled.get(partition)
                found[partition] = self._opened(records[0]) if records else None
            self._consumer.pause(*passed)
        self._consumer.resume(*offsets)
        return found

    def _opened(self, record: Any) -> Envelope | None:
        try:
            envelope = from_message(record.headers, record.value, partition=record.partition, offset=record.offset)
        except NotOurs:
            return None
        return envelope if self._is_ours(envelope) else None

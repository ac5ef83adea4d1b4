"""A consumer that waits for an answer for some seconds at most: whoever uses it may be told to end meanwhile."""

import time
from collections.abc import Sequence
from contextlib import suppress

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

ANSWER_MS = 5_000
"""By itself the client waits half a minute for some answers, and for ever for others."""


class Consumer(KafkaConsumer):  # type: ignore[misc]
    """What asks a broker raises KafkaTimeoutError after ANSWER_MS. Storing offsets takes as long as it takes."""

    def follow(self, topic: str, listener: ConsumerRebalanceListener) -> None:
        """Subscribes to a topic, and returns once its partitions are known, after ANSWER_MS at the latest.

        The client joins its group with the next `poll`, whether it knows them or not. As the group's leader it would
        divide none then, and join once more when it hears of them, which it was seen to miss for half a minute.
        """
        self.subscribe([topic], listener=listener)
        until = time.monotonic() + ANSWER_MS / 1_000
        while self._cluster.partitions_for_topic(topic) is None and (left := until - time.monotonic()) > 0:
            with suppress(KafkaError):
                self._net.run(self._manager.wait_for, self._cluster.request_update(), left * 1_000)

    def position(self, partition: TopicPartition, timeout_ms: float | None = ANSWER_MS) -> int:
        """The offset of the next message."""
        found = super().position(partition, timeout_ms=timeout_ms)
        if found is None:
            raise KafkaTimeoutError(f"where {partition.topic}[{partition.partition}] is read is not known yet")
        return int(found)

    def committed(
        self, partition: TopicPartition, metadata: bool = False, timeout_ms: float | None = ANSWER_MS
    ) -> int | OffsetAndMetadata | None:
        return super().committed(partition, metadata=metadata, timeout_ms=timeout_ms)

    def beginning_offsets(
        self, partitions: Sequence[TopicPartition], timeout_ms: float | None = ANSWER_MS
    ) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = super().beginning_offsets(partitions, timeout_ms=timeout_ms)
        return found

    def end_offsets(
        self, partitions: Sequence[TopicPartition], timeout_ms: float | None = ANSWER_MS
    ) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = super().end_offsets(partitions, timeout_ms=timeout_ms)
        return found

    def close(self, autocommit: bool = True, timeout_ms: float | None = ANSWER_MS) -> None:
        super().close(autocommit=autocommit, timeout_ms=timeout_ms)

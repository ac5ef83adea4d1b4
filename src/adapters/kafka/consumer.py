"""A consumer that waits for an answer for some seconds at most: whoever uses it may be told to end meanwhile."""

from collections.abc import Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

ANSWER_MS = 5_000
"""By itself the client waits half a minute for some answers, and for ever for others."""


class Consumer(KafkaConsumer):  # type: ignore[misc]
    """What asks a broker raises KafkaTimeoutError after ANSWER_MS. Storing offsets takes as long as it takes."""

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

"""Who of a consumer group has which partition, as the group's coordinator says."""

from collections.abc import Mapping

from adapters.kafka.topics import Topics


class NoPartitions(RuntimeError):
    """The group gives this process nothing, and there are partitions that nobody has."""


def partitions_of_nobody(env: Mapping[str, str], group: str, topic: str) -> frozenset[int]:
    """The partitions of a topic that no member of a group has.

    A process without partitions is one too many where this is empty, and stands by. Raises KafkaUnavailable and
    KafkaError.
    """
    with Topics(env) as topics:
        return frozenset(range(topics.partitions(topic))) - topics.assigned(group, topic)

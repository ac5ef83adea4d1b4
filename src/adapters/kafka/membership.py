"""Who of a consumer group has which partition, as the group's coordinator says."""

from collections.abc import Mapping

from adapters.kafka.topics import Topics


class NoPartitions(RuntimeError):
    """The group gives this process nothing, and there are partitions that nobody has."""


def partitions_of_nobody(env: Mapping[str, str], group: str, topic: str) -> frozenset[int]:
    """The partitions of a topic that no member of a group has; none while the group divides them.

    A process without partitions is one too many where this is empty, and stands by. Raises KafkaUnavailable and
    KafkaError.
    """
    with Topics(env) as topics:
        if topics.is_rebalancing(group):
            return frozenset()
        return frozenset(range(topics.partitions(topic))) - topics.assigned(group, topic)


def is_rebalancing(env: Mapping[str, str], group: str) -> bool:
    """Whether a group waits for members: whoever is at work asks to join again after that, for minutes if need be, and
    whoever gives up meanwhile and begins anew has all of them begin anew. Raises KafkaUnavailable and KafkaError."""
    with Topics(env) as topics:
        return topics.is_rebalancing(group)

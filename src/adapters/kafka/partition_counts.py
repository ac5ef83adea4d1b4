"""How many partitions our topics have."""

from collections.abc import Mapping

from adapters.kafka.connection import events_topic, ticks_topic
from adapters.kafka.identity import TopicUnfit
from adapters.kafka.topics import Topics


def partitions_of(topic: str, env: Mapping[str, str]) -> int:
    """How many partitions a topic has. Raises KafkaUnavailable, and TopicUnfit where there is no such topic."""
    with Topics(env) as topics:
        count = topics.partitions(topic)
    if not count:
        raise TopicUnfit(f"Kafka has no topic {topic}. Make it: arrears topics apply")
    return count


def shared_partitions(env: Mapping[str, str]) -> int:
    """How many partitions events and ticks have. Raises TopicUnfit where a topic is missing, or they differ."""
    counts = {topic: partitions_of(topic, env) for topic in (events_topic(env), ticks_topic(env))}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{topic} has {count} partitions" for topic, count in counts.items())
        raise TopicUnfit(f"{said}; they have to have the same number")
    return next(iter(counts.values()))

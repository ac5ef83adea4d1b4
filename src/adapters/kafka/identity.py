"""Which topic it is that has a name: one that was deleted and made anew has other offsets, and an id of its own."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from kafka.errors import KafkaError

from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.topics import Topics
from adapters.readers.poison import OutOfReach


class TopicUnfit(OutOfReach):
    """The topic is missing, or takes smaller messages than the log may have."""


class TopicReplaced(OutOfReach):
    """The topic is not the one that was published to, or read: it was deleted and made anew, or divided otherwise."""


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """What tells a topic apart from another one of its name, and from itself before it was divided otherwise."""

    id: UUID
    partitions: int

    def __str__(self) -> str:
        return f"{self.id} with {self.partitions} partitions"


class IdentityWatch:
    """Asks Kafka, on one connection, which topic has a name now. Used by one thread."""

    def __init__(self, topic: str, env: Mapping[str, str] = os.environ) -> None:
        self.topic = topic
        self._env = env
        self._topics: Topics | None = None

    def look(self) -> TopicIdentity:
        """Raises TopicUnfit where there is no such topic, KafkaUnavailable and KafkaError."""
        try:
            if self._topics is None:
                self._topics = Topics(self._env)
            found = self._topics.identity(self.topic)
        except (KafkaError, KafkaUnavailable):
            self.close()
            raise
        if found is None:
            raise TopicUnfit(f"Kafka has no topic {self.topic}. Make it: arrears topics apply")
        return TopicIdentity(*found)

    def check(self, known: TopicIdentity | None) -> None:
        """Raises TopicReplaced where the topic is another one by now, and as `look` does. None: nobody knows."""
        if known is not None and (now := self.look()) != known:
            raise TopicReplaced(f"{self.topic} was {known}, and is {now}")

    def close(self) -> None:
        topics, self._topics = self._topics, None
        if topics is not None:
            topics.close()

"""Where the topic ends now, and what that says about the log: up to where it is complete."""

import os
from collections.abc import Mapping
from functools import partial

from adapters.kafka.connection import events_topic
from adapters.kafka.identity import IdentityWatch
from adapters.kafka.published import published_topic
from adapters.kafka.publisher import published_to, reader_name
from adapters.kafka.tail import Tail
from adapters.postgres.database import Database
from adapters.postgres.kept_connection import KeptConnection


class Ends:
    """Looks at the topic beside whoever consumes it. Used by one thread."""

    def __init__(self, database: Database, env: Mapping[str, str] = os.environ) -> None:
        self._env = env
        self._publisher = reader_name(events_topic(env))
        self._connection = KeptConnection(partial(database.connect, "arrears_app", autocommit=True))
        self._tail: Tail | None = None
        self._identity = IdentityWatch(events_topic(env), env)

    def published(self) -> int:
        """The log position up to which Kafka has everything, but for accounts that the publisher parked."""
        return published_to(self._connection.get(), self._publisher)

    def look(self) -> tuple[int, dict[int, int]]:
        """That position, and by partition the end offset seen afterwards: whoever reached it has read all up to there.

        Raises TopicReplaced where these are ends of another topic than was published to, TopicUnfit, KafkaUnavailable
        and KafkaError.
        """
        topic = published_topic(self._connection.get(), self._publisher)
        published = self.published()
        if self._tail is None:
            self._tail = Tail(self._env)
        ends = self._tail.ends()
        self._identity.check(None if topic is None else topic.topic)
        return published, ends

    def close(self) -> None:
        tail, self._tail = self._tail, None
        if tail is not None:
            tail.close()
        self._identity.close()
        self._connection.close()

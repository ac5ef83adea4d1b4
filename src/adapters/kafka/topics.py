"""Topics: what they should be stands in a file; what they are is brought in line with it, where that is safe."""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ACL, ConfigResource, ConfigResourceType, GroupState, OffsetSpec
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from adapters.kafka.connection import reaching
from adapters.kafka.consumer import ANSWER_MS
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.rights import ANYBODY, Rights, RightsHidden, said

DEFINITIONS = Path(__file__).parents[3] / "deploy" / "kafka" / "topics.toml"

_REQUEST_MS = 10_000
_KEYS = {"about", "partitions", "copies", "config", "writers", "readers"}
_MIN_IN_SYNC = "min.insync.replicas"


RIGHTS_HINT = "docs/cluster.md, section Rights, has what our login may have to do."


class TopicsProblem(Exception):
    """Topics cannot be what the file says; the message names the topic and why."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic should be. `copies` is Kafka's replication factor; `writers` are the users that may write to it, and
    nobody where that is left open; `readers` are those of ours that read it."""

    name: str
    partitions: int
    copies: int
    config: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    writers: frozenset[str] = frozenset()
    readers: frozenset[str] = frozenset()

    def with_copies(self, copies: int) -> "Topic":
        """The topic for a cluster with fewer brokers."""
        config = dict(self.config)
        if _MIN_IN_SYNC in config:
            config[_MIN_IN_SYNC] = str(min(int(config[_MIN_IN_SYNC]), max(1, copies - 1)))
        return replace(self, copies=copies, config=config)


@dataclass(frozen=True, slots=True)
class Change:
    """Something to be done to a topic. `what` is for people."""

    topic: str
    what: str
    create: Topic | None = None
    partitions: int | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    grant: Sequence[ACL] = ()


def read_topics(file: Path = DEFINITIONS) -> list[Topic]:
    """The topics of a file. Raises TopicsProblem where it is not as expected."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TopicsProblem(f"there is no file {file}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TopicsProblem(f"{file.name} is not a TOML file: {error}") from None
    if unknown := tables.keys() - {"topics"}:
        raise TopicsProblem(f"{file.name}: unknown key {min(unknown)!r}; expected tables [topics.NAME]")
    return [_topic(file.name, name, table) for name, table in tables.get("topics", {}).items()]


def _topic(file: str, name: str, table: Any) -> Topic:
    if not isinstance(table, dict) or table.keys() - _KEYS:
        raise TopicsProblem(f"{file}: {name} may have {', '.join(sorted(_KEYS))} and nothing else")
    for number in ("partitions", "copies"):
        if not isinstance(table.get(number), int) or table[number] < 1:
            raise TopicsProblem(f"{file}: {name}.{number} is missing or no whole number above 0")
    config = table.get("config", {})
    if not isinstance(config, dict) or not all(isinstance(value, str) for value in config.values()):
        raise TopicsProblem(f'{file}: the values in {name}.config are texts, such as "604800000"')
    users = {}
    for key in ("writers", "readers"):
        users[key] = table.get(key, [])
        if not isinstance(users[key], list) or not all(isinstance(each, str) for each in users[key]):
            raise TopicsProblem(f'{file}: {name}.{key} is a list of users, such as ["arrears-publish"]')
    return Topic(
        name,
        table["partitions"],
        table["copies"],
        config,
        str(table.get("about", "")),
        frozenset(users["writers"]),
        frozenset(users["readers"]),
    )


class Topics:
    """The topics of a cluster; a context manager. Raises KafkaUnavailable where no broker answers."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        with reaching(env) as options:
            self._admin = KafkaAdminClient(
                **options,
                client_id="arrears-topics",
                bootstrap_timeout_ms=ANSWER_MS,
                request_timeout_ms=_REQUEST_MS,
            )
        self._rights = Rights(self._admin)

    def __enter__(self) -> "Topics":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._admin.close()

    def brokers(self) -> int:
        return len(self._admin.describe_cluster()["brokers"])

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; 0 where there is no such topic.

        Raises KafkaUnavailable where we may not see it.
        """
        found = self.identity(topic)
        return 0 if found is None else found[1]

    def identity(self, topic: str) -> tuple[UUID, int] | None:
        """The id that Kafka gave a topic when it was made, and how many partitions it has; None where there is none.

        Raises KafkaUnavailable where we may not see it.
        """
        (found,) = self._admin.describe_topics([topic])
        if found["error_code"] == TopicAuthorizationFailedError.errno:
            raise KafkaUnavailable(f"Kafka does not let us see the topic {topic}.", hint=RIGHTS_HINT)
        return None if found["error_code"] else (UUID(str(found["topic_id"])), len(found["partitions"]))

    def ends(self, topic: str, partitions: int) -> list[int]:
        """The offset behind the last message of each partition."""
        places = [TopicPartition(topic, each) for each in range(partitions)]
        ends = self._admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
        return [int(ends[each].offset) for each in places]

    def assigned(self, group: str, topic: str) -> frozenset[int]:
        """The partitions of a topic that members of a consumer group have. Raises KafkaError."""
        return frozenset(
            partition
            for member in self._group(group)["members"]
            for each in (member["member_assignment"] or {}).get("assigned_partitions", ())
            if each["topic"] == topic
            for partition in each["partitions"]
        )

    def is_rebalancing(self, group: str) -> bool:
        """Whether a consumer group waits for members, to divide the partitions among them. Raises KafkaError."""
        return self._group(group)["group_state"] in {
            GroupState.PREPARING_REBALANCE.value,
            GroupState.COMPLETING_REBALANCE.value,
        }

    def _group(self, group: str) -> dict[str, Any]:
        (found,) = self._admin.describe_groups([group]).values()
        return dict(found)

    def config(self, topic: str, *, only_changed: bool = False) -> dict[str, str]:
        """A topic's settings, with Kafka's defaults unless only what was set for the topic is wanted."""
        described = self._admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="modified" if only_changed else "all"
        )
        return {name: each["value"] for name, each in described["topic"][topic].items()}

    def plan(self, wanted: Sequence[Topic], *, rights: bool = False) -> list[Change]:
        """What has to be done; with `rights` also to let the users of the file do what they need, where Kafka asks.

        Raises TopicsProblem, before anything is done, for what must not be done.
        """
        with _explained():
            return [
                change
                for topic in wanted
                for change in (*self._changes(topic), *(self._grants(topic) if rights else ()))
            ]

    def asks_for_rights(self) -> bool:
        """Whether Kafka has an authorizer. Raises TopicsProblem where we may not see that."""
        with _explained():
            return self._rights.are_asked()

    def faults(self, topic: Topic) -> list[str]:
        """What is not as it should be about a topic, and who may write to it; for people."""
        with _explained():
            found = [change.what for change in self._changes(topic)]
            may = self._rights.writers(topic.name)
        if not topic.writers or may is None:
            return found
        if others := sorted(may - topic.writers):
            who = ", ".join("anybody" if each == ANYBODY else each for each in others)
            found.append(f"{who} may write to it, and nobody should but {', '.join(sorted(topic.writers))}")
        if ANYBODY not in may and (missing := sorted(topic.writers - may)):
            found.append(f"{', '.join(missing)} may not write to it, and should")
        return found

    def apply(self, change: Change) -> None:
        """Does one thing of the plan."""
        with _explained():
            if change.grant:
                self._rights.grant(list(change.grant))
            elif change.create is not None:
                topic = change.create
                self._admin.create_topics(
                    {
                        topic.name: {
                            "num_partitions": topic.partitions,
                            "replication_factor": topic.copies,
                            "configs": dict(topic.config),
                        }
                    },
                    wait_for_metadata=True,
                )
            elif change.partitions is not None:
                self._admin.create_partitions({change.topic: change.partitions})
            else:
                self._set(change.topic, change.config)

    # --- inside ---

    def _changes(self, topic: Topic) -> Iterator[Change]:
        there = self.partitions(topic.name)
        if not there:
            brokers = self.brokers()
            if topic.copies > brokers:
                raise TopicsProblem(
                    f"{topic.name} wants {topic.copies} copies of each partition, and the cluster has {brokers} "
                    f"broker{'' if brokers == 1 else 's'}; --copies {brokers} asks for what there is"
                )
            what = f"create with partitions: {topic.partitions}, copies: {topic.copies}"
            yield Change(topic.name, what, create=topic)
            return
        if there != topic.partitions:
            yield self._repartition(topic, there)
        have = self.config(topic.name)
        changed = {name: value for name, value in topic.config.items() if have.get(name) != value}
        for name, value in changed.items():
            yield Change(topic.name, f"{name}: {have.get(name)} → {value}", config={name: value})

    def _grants(self, topic: Topic) -> Iterator[Change]:
        if missing := self._rights.missing(topic.name, writers=topic.writers, readers=topic.readers):
            yield Change(topic.name, f"let {', '.join(said(missing))}", grant=missing)

    def _repartition(self, topic: Topic, there: int) -> Change:
        if there > topic.partitions:
            raise TopicsProblem(f"{topic.name} has {there} partitions; Kafka cannot make them {topic.partitions}")
        if any(self.ends(topic.name, there)):
            raise TopicsProblem(
                f"{topic.name} has {there} partitions and holds events; with {topic.partitions} later events of an "
                "account would stand in another partition than earlier ones and be read out of order"
            )
        return Change(topic.name, f"partitions: {there} → {topic.partitions}", partitions=topic.partitions)

    def _set(self, topic: str, config: Mapping[str, str]) -> None:
        done = self._admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=dict(config))])
        answer = done["topic"][topic]
        if answer != "OK":
            raise TopicsProblem(f"{topic}: {answer}")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise TopicsProblem(f"Kafka refused: {str(error).strip().splitlines()[0]}") from error
    except RightsHidden as error:
        raise TopicsProblem(str(error)) from error

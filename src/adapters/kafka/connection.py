"""Where Kafka is and how to log in there: the environment, in the words that Kafka's own clients use."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.kafka.jars import KafkaUnavailable

SERVERS_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
TOPIC_VARIABLE = "ARREARS_EVENTS_TOPIC"
EVENTS_TOPIC = "collections.events"
TICKS_VARIABLE = "ARREARS_TICKS_TOPIC"
TICKS_TOPIC = "collections.ticks"
METADATA_MS = 10_000
"""Between two looks at the topics: a consumer that joins its group before it knows its topic is given nothing until
it looks again, and the clients' own five minutes are long for that."""

_OPTIONS = {
    "KAFKA_SECURITY_PROTOCOL": "security_protocol",
    "KAFKA_SASL_MECHANISM": "sasl_mechanism",
    "KAFKA_SASL_USERNAME": "sasl_plain_username",
    "KAFKA_SASL_PASSWORD": "sasl_plain_password",
    "KAFKA_SSL_CAFILE": "ssl_cafile",
    "KAFKA_SSL_CERTFILE": "ssl_certfile",
    "KAFKA_SSL_KEYFILE": "ssl_keyfile",
    "KAFKA_SSL_PASSWORD": "ssl_password",
}


class KafkaNotNamed(KafkaUnavailable):
    """Nobody said where Kafka is."""


def client_options(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What every client of kafka-python is made with. Raises KafkaNotNamed."""
    servers = [each.strip() for each in env.get(SERVERS_VARIABLE, "").split(",") if each.strip()]
    if not servers:
        raise KafkaNotNamed("Nobody said where Kafka is.", hint=f"Set {SERVERS_VARIABLE}, such as 127.0.0.1:9092.")
    options: dict[str, Any] = {name: env[variable] for variable, name in _OPTIONS.items() if env.get(variable)}
    return {"bootstrap_servers": servers, **options}


def events_topic(env: Mapping[str, str] = os.environ) -> str:
    """The topic of the log: `collections.events`, unless ARREARS_EVENTS_TOPIC names another."""
    return env.get(TOPIC_VARIABLE) or EVENTS_TOPIC


def group_of(role: str, env: Mapping[str, str] = os.environ, names: Sequence[str] = ()) -> str:
    """The consumer group of those that share some readers' work: `arrears.<role>`, then the topic where it is another
    than usual, so that installations on one Kafka keep apart."""
    topic = events_topic(env)
    of_topic = "" if topic == EVENTS_TOPIC else f".{topic}"
    of_names = f".{'+'.join(sorted(names))}" if names else ""
    return f"arrears.{role}{of_topic}{of_names}"


def ticks_topic(env: Mapping[str, str] = os.environ) -> str:
    """The topic of ticks: `collections.ticks`, unless ARREARS_TICKS_TOPIC names another."""
    return env.get(TICKS_VARIABLE) or TICKS_TOPIC

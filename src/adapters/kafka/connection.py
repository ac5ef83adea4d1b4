"""Where Kafka is and how every client of it is made: from the environment. `security` has the words for logging in."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka.net.compat import KafkaNetClient
from kafka.net.sasl.oauth import AbstractTokenProvider

from adapters.kafka import header_names  # noqa: F401  every client is to read whatever is on a topic
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.security import Login, Security, security
from adapters.kafka.unreachable import explained

SERVERS_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
TOPIC_VARIABLE = "ARREARS_EVENTS_TOPIC"
EVENTS_TOPIC = "collections.events"
TICKS_VARIABLE = "ARREARS_TICKS_TOPIC"
TICKS_TOPIC = "collections.ticks"
METADATA_MS = 10_000
"""Between two looks at the topics: what changed there is not read until a client looks again, and its own five minutes
are long for that."""


class KafkaNotNamed(KafkaUnavailable):
    """Nobody said where Kafka is."""


def bootstrap_servers(env: Mapping[str, str] = os.environ) -> list[str]:
    """Where Kafka is, as host:port. Raises KafkaNotNamed."""
    servers = [each.strip() for each in env.get(SERVERS_VARIABLE, "").split(",") if each.strip()]
    if not servers:
        raise KafkaNotNamed("Nobody said where Kafka is.", hint=f"Set {SERVERS_VARIABLE}, such as 127.0.0.1:9092.")
    return servers


def client_options(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What every client of kafka-python is made with; `reaching` gives it to one. Raises KafkaNotNamed and
    KafkaMisconfigured."""
    return _options(bootstrap_servers(env), security(env))


@contextmanager
def reaching(env: Mapping[str, str] = os.environ) -> Iterator[dict[str, Any]]:
    """The options for a client that is made inside. Where it does not get through, a KafkaUnavailable says why.

    A client that does not get through leaves its thread running, with all that it holds: it is ended here.
    """
    servers, protected = bootstrap_servers(env), security(env)
    options = _options(servers, protected)
    begun: list[KafkaNetClient] = []

    def begin(**configs: Any) -> KafkaNetClient:
        begun.append(KafkaNetClient(**configs))
        return begun[-1]

    with explained(options, protected):
        try:
            yield {**options, "kafka_client": begin}
        except BaseException:
            for each in begun:
                each.close()
            raise


def _options(servers: Sequence[str], protected: Security) -> dict[str, Any]:
    options: dict[str, Any] = {"bootstrap_servers": list(servers), "security_protocol": protected.protocol}
    if protected.tls is not None:
        options["ssl_context"] = protected.tls
    if (login := protected.login) is not None:
        options["sasl_mechanism"] = login.mechanism
        if login.token_file is not None:
            options["sasl_oauth_token_provider"] = _Tokens(login)
        else:
            options |= {"sasl_plain_username": login.username, "sasl_plain_password": login.password}
    return options


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """Asked at each login, on the client's own thread."""

    def __init__(self, login: Login) -> None:
        super().__init__()
        self._login = login

    def token(self) -> str:
        return self._login.token()


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

"""A Kafka that wants to know who comes: TLS, logins, client certificates and rights, beside its plain listener."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from adapters.kafka.local import QUICK_START, Listener, LocalKafka
from tests.adapters.kafka.certificates import DAY, NOW, Authority, Pair
from tests.adapters.kafka.fixture import TestKafka
from tests.temporary import temporary_folder

USER, PASSWORD = "arrears", "s3cret, with a comma"
PUBLISHER, CLOCK, ADMINISTRATOR = f"{USER}-publish", f"{USER}-clock", f"{USER}-topics"
USERS = (USER, PUBLISHER, CLOCK, ADMINISTRATOR)
CLUSTER_PAGE = Path(__file__).parents[3] / "docs" / "cluster.md"
_MODULES = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class ProtectedKafka(TestKafka):
    """Its plain listener is for making topics; `env` leads to one of the others: the login by SCRAM over TLS."""

    __test__ = False
    folder: Path
    authority: Authority
    clients: dict[str, Pair]
    """By user."""
    servers: dict[str, str]
    """By listener: one logs in at SECURE, shows a certificate at MUTUAL; those of EXPIRED and ELSEWHERE are bad."""

    @property
    def env(self) -> dict[str, str]:
        return self.by("SCRAM-SHA-512")

    @property
    def publisher_env(self) -> dict[str, str]:
        return self.by("SCRAM-SHA-512", PUBLISHER)

    def by(self, mechanism: str, user: str = USER) -> dict[str, str]:
        """The settings for a user's login over TLS."""
        return {
            **self.at("SECURE", "SASL_SSL"),
            "KAFKA_SASL_MECHANISM": mechanism,
            **(
                {"KAFKA_SASL_OAUTH_TOKEN_FILE": str(self.folder / f"token-{user}")}
                if mechanism == "OAUTHBEARER"
                else {"KAFKA_SASL_USERNAME": user, "KAFKA_SASL_PASSWORD_FILE": str(self.folder / "password")}
            ),
        }

    def by_certificate(self, user: str = USER) -> dict[str, str]:
        return {
            **self.at("MUTUAL", "SSL"),
            "KAFKA_SSL_CERTFILE": str(self.clients[user].certificate),
            "KAFKA_SSL_KEYFILE": str(self.clients[user].key),
            "KAFKA_SSL_PASSWORD_FILE": str(self.folder / "passphrase"),
        }

    def at(self, listener: str, protocol: str) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.servers[listener],
            "KAFKA_SECURITY_PROTOCOL": protocol,
            "KAFKA_SSL_CAFILE": str(self.authority.file),
        }

    def allow(self, *acls: ACL) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            done = admin.create_acls(list(acls))
        finally:
            admin.close()
        assert not done["failed"], done


@contextmanager
def protected_kafka() -> Iterator[ProtectedKafka]:
    with temporary_folder() as folder:
        authority = Authority(folder)
        broker = authority.sign("broker")
        settings = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",  # brokers among themselves, and tests that make topics
        }
        listeners = {
            "SECURE": Listener("SASL_SSL", {**_keystore(broker), **_logins()}),
            "MUTUAL": Listener(
                "SSL",
                {
                    **_keystore(broker),
                    "ssl.client.auth": "required",
                    "ssl.truststore.type": "PEM",
                    "ssl.truststore.location": str(authority.file),
                    "ssl.principal.mapping.rules": r"RULE:^CN=([a-z-]+)$/$1/,DEFAULT",
                },
            ),
            "EXPIRED": Listener("SSL", _keystore(authority.sign("expired", until=NOW - DAY))),
            "ELSEWHERE": Listener("SSL", _keystore(authority.sign("elsewhere", host="kafka.example"))),
        }
        with LocalKafka(folder / "kafka", jvm=QUICK_START, settings=settings, listeners=listeners) as local:
            (folder / "password").write_text(f"{PASSWORD}\n", encoding="utf-8")
            (folder / "passphrase").write_text("open, sesame\n", encoding="utf-8")
            for user in USERS:
                (folder / f"token-{user}").write_text(unsecured_token(user), encoding="utf-8")
            kafka = ProtectedKafka(
                local.bootstrap_servers,
                folder,
                authority,
                {user: authority.sign(user, passphrase=b"open, sesame") for user in USERS},
                {name: local.servers_at(name) for name in listeners},
            )
            _enrol(kafka)
            yield kafka


def _keystore(pair: Pair) -> dict[str, str]:
    return {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(pair.both)}


def _logins() -> dict[str, str]:
    users = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
    scram = f"{_MODULES}.scram.ScramLoginModule required;"
    return {
        "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER",
        "scram-sha-256.sasl.jaas.config": scram,
        "scram-sha-512.sasl.jaas.config": scram,
        "plain.sasl.jaas.config": f"{_MODULES}.plain.PlainLoginModule required {users};",
        "oauthbearer.sasl.jaas.config": f"{_MODULES}.oauthbearer.OAuthBearerLoginModule required"
        ' unsecuredLoginStringClaim_sub="broker";',
    }


def _enrol(kafka: ProtectedKafka) -> None:
    """The users that log in by SCRAM, and the rights that the docs want them to have, for the topics of tests."""
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    try:
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            done = admin.alter_user_scram_credentials(
                [UserScramCredentialUpsertion(user, mechanism, PASSWORD) for user in USERS]
            )
            assert done == dict.fromkeys(USERS)
    finally:
        admin.close()
    kafka.allow(*documented_rights(topics="test."))


_RIGHT = re.compile(r"^.*kafka-acls\.sh .*--add (?P<said>.+)$", re.MULTILINE)
_TYPES = {"--topic": ResourceType.TOPIC, "--group": ResourceType.GROUP, "--cluster": ResourceType.CLUSTER}


def documented_rights(*, topics: str) -> list[ACL]:
    """What docs/cluster.md tells to grant to our own users, as kafka-acls would; for topics with another prefix."""
    found = []
    for line in _RIGHT.findall(CLUSTER_PAGE.read_text(encoding="utf-8")):
        words = line.replace("--cluster ", "--cluster kafka-cluster ").split()
        pairs = list(zip(words[::2], words[1::2], strict=True))
        said = dict(pairs)
        user = said["--allow-principal"].removeprefix("User:")
        if user not in USERS:
            continue
        pattern = ACLResourcePatternType[said.get("--resource-pattern-type", "literal").upper()]
        (option,) = _TYPES.keys() & said.keys()
        name = said[option]
        if option == "--topic":
            name, pattern = topics, ACLResourcePatternType.PREFIXED
        for operation in (value for key, value in pairs if key == "--operation"):
            enumerated = ACLOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()]
            found.append(_acl(user, _TYPES[option], pattern, name, enumerated))
    assert {each.principal for each in found} == {f"User:{user}" for user in USERS}, CLUSTER_PAGE.name
    return found


def _acl(user: str, kind: ResourceType, pattern: ACLResourcePatternType, name: str, operation: ACLOperation) -> ACL:
    return ACL(
        principal=f"User:{user}",
        host="*",
        operation=operation,
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(kind, name, pattern),
    )


def unsecured_token(subject: str) -> str:
    """A token as the broker's development handler takes it: signed by nobody."""
    until = (NOW + DAY).timestamp()
    said: list[dict[str, Any]] = [{"alg": "none"}, {"sub": subject, "iat": NOW.timestamp(), "exp": until}]
    return ".".join([base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in said] + [""])

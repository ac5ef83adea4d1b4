"""Who may write to a topic and who may read it, as Kafka's rules (ACLs) have it, beside who should."""

from collections.abc import Iterator
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import ClusterAuthorizationFailedError, SecurityDisabledError

ANYBODY = "*"
GROUPS = "arrears."
"""What the names of our consumer groups begin with."""

_USER = "User:"
_TO_WRITE = (ACLOperation.WRITE, ACLOperation.DESCRIBE_CONFIGS)
_TO_READ = (ACLOperation.READ, ACLOperation.DESCRIBE_CONFIGS)


class RightsHidden(Exception):
    """We may not see, or not change, who may do what."""


class Rights:
    """The rules of a cluster, through somebody's admin client."""

    def __init__(self, admin: KafkaAdminClient) -> None:
        self._admin = admin

    def are_asked(self) -> bool:
        """Whether Kafka has an authorizer, and asks at all."""
        return self._found(ResourceType.TOPIC, "collections") is not None

    def writers(self, topic: str) -> frozenset[str] | None:
        """The users whom Kafka lets write to a topic, but for super users; `*` is anybody. None where it asks nobody.

        Raises RightsHidden.
        """
        found = self._found(ResourceType.TOPIC, topic)
        if found is None:
            return None
        if not found and self._lets_anybody_without_rules():
            return frozenset({ANYBODY})
        return frozenset(each.principal.removeprefix(_USER) for each in found if _allows(each, ACLOperation.WRITE))

    def missing(self, topic: str, *, writers: frozenset[str], readers: frozenset[str]) -> list[ACL]:
        """Rules that these users lack to write to a topic, or to read it in our groups; none where nobody asks."""
        found, groups = self._found(ResourceType.TOPIC, topic), self._found(ResourceType.GROUP, GROUPS)
        if found is None or groups is None:
            return []
        wanted = {(user, each) for user in writers for each in _TO_WRITE}
        wanted |= {(user, each) for user in readers for each in _TO_READ}
        return [
            *(_rule(user, each, topic) for user, each in sorted(wanted) if not _has(found, user, each)),
            *(_of_groups(user) for user in sorted(readers) if not _has(groups, user, ACLOperation.READ)),
        ]

    def grant(self, rules: list[ACL]) -> None:
        """Raises RightsHidden."""
        done = self._admin.create_acls(rules)
        if done["failed"]:
            raise RightsHidden(f"Kafka did not take {len(done['failed'])} of {len(rules)} rules")

    # --- inside ---

    def _found(self, kind: ResourceType, name: str) -> list[Any] | None:
        """The rules about something; None where Kafka has no authorizer."""
        pattern = ResourcePatternFilter(kind, name, ACLResourcePatternType.MATCH)
        try:
            found, _ = self._admin.describe_acls(
                ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, pattern)
            )
        except SecurityDisabledError:
            return None
        except ClusterAuthorizationFailedError:
            raise RightsHidden(
                "Kafka does not let us see who may do what: that takes Describe on the cluster"
            ) from None
        return list(found)

    def _lets_anybody_without_rules(self) -> bool:
        """Kafka's setting for what no rule is about."""
        broker = str(self._admin.describe_cluster()["brokers"][0]["broker_id"])
        described = self._admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, broker)])
        said = described["broker"][broker].get("allow.everyone.if.no.acl.found", {})
        return str(said.get("value", "false")).lower() == "true"


def said(rules: list[ACL]) -> Iterator[str]:
    """Rules for people."""
    for each in rules:
        what = each.resource_pattern
        where = "its topic" if what.resource_type is ResourceType.TOPIC else f"groups {what.resource_name}…"
        yield f"{each.principal.removeprefix(_USER)}: {each.operation.name.lower().replace('_', ' ')} on {where}"


def _allows(rule: Any, operation: ACLOperation) -> bool:
    return rule.permission_type is ACLPermissionType.ALLOW and rule.operation in {operation, ACLOperation.ALL}


def _has(rules: list[Any], user: str, operation: ACLOperation) -> bool:
    return any(each.principal == _USER + user and _allows(each, operation) for each in rules)


def _rule(user: str, operation: ACLOperation, topic: str) -> ACL:
    pattern = ResourcePattern(ResourceType.TOPIC, topic, ACLResourcePatternType.LITERAL)
    return ACL(_USER + user, "*", operation, ACLPermissionType.ALLOW, pattern)


def _of_groups(user: str) -> ACL:
    pattern = ResourcePattern(ResourceType.GROUP, GROUPS, ACLResourcePatternType.PREFIXED)
    return ACL(_USER + user, "*", ACLOperation.READ, ACLPermissionType.ALLOW, pattern)

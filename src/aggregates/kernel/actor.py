"""Who acts: a person, a service, or a policy in one of its versions."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self


class ActorKind(StrEnum):
    PERSON = "person"
    SERVICE = "service"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Actor:
    """Written `person:<name>`, `service:<name>` or `policy:<id>@<version>`; so it stands in events."""

    kind: ActorKind
    name: str
    version: int | None = None
    """Of a policy."""
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        at = "" if self.version is None else f"@{self.version}"
        object.__setattr__(self, "_text", f"{self.kind}:{self.name}{at}")

    @classmethod
    def person(cls, name: str) -> Self:
        return cls(ActorKind.PERSON, name)

    @classmethod
    def service(cls, name: str) -> Self:
        return cls(ActorKind.SERVICE, name)

    @classmethod
    def policy(cls, name: str, version: int) -> Self:
        return cls(ActorKind.POLICY, name, version)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for a text that names no actor."""
        kind, colon, name = text.partition(":")
        if not colon or not name or kind not in set(ActorKind):
            raise ValueError(f"expected person:…, service:… or policy:…@…, not {text!r}")
        if kind != ActorKind.POLICY:
            return cls(ActorKind(kind), name)
        policy, at, version = name.rpartition("@")
        if not at or not policy or not version.isdecimal():
            raise ValueError(f"expected policy:<id>@<version>, not {text!r}")
        return cls(ActorKind.POLICY, policy, int(version))

    @property
    def is_person(self) -> bool:
        return self.kind is ActorKind.PERSON

    @property
    def is_policy(self) -> bool:
        return self.kind is ActorKind.POLICY

    def __str__(self) -> str:
        return self._text

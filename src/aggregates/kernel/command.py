"""Commands: what can be asked for, by whom, about what, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, ClassVar, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import BaseModel, ConfigDict

from aggregates.kernel.actor import Actor

NAMESPACE = uuid5(NAMESPACE_URL, "urn:arrears")


def identifier(*parts: object) -> UUID:
    """A UUID that always is the same for the same parts: natural keys, repeatable command ids."""
    return uuid5(NAMESPACE, "\x1f".join(map(str, parts)))


class Target(NamedTuple):
    """An aggregate by its kind (`account`) and id."""

    kind: str
    id: UUID


class Key(NamedTuple):
    """What aggregates are found by besides their ids; any number of them may hold the same."""

    kind: str
    """Begins with the kind of the aggregates that hold it: `account.customer`."""
    id: UUID

    @classmethod
    def of(cls, kind: str, *parts: object) -> "Key":
        """The same for the same parts, of which it does not show any."""
        return cls(kind, UUID(bytes=sha256("\x1f".join(map(str, parts)).encode()).digest()[:16]))

    @property
    def held_by(self) -> str:
        return self.kind.partition(".")[0]


class NaturalKey(NamedTuple):
    """What a command brings in under a number of its own, which nothing else of its kind on the account may have."""

    kind: str
    """`invoice`, `payment` or `credit`; a second one is refused as `duplicate-<kind>`."""
    id: UUID
    number: str


class Command(BaseModel):
    """A wish. Validated at the doors, and their public request body.

    Class keywords declare what there is to know of it:
    `name`: its stable name.
    `sees`: kinds of aggregates that its decision looks at besides its targets, found by following `links` from those
    (an account links to its office and to the other accounts of its customer, an office to its campaigns), and those
    that hold what it `looks_up`.
    `reaches`: kinds of aggregates that its decision may change besides its targets, in the same transaction: all that
    it sees, and others of which only the decision knows which (a payment's account knows to which other it was
    transferred). These are brought in when `Context.find` asks for them.
    `may_need_history`: the decision may ask for settled items too, which only a load of the whole history has.
    `internal`: the system's own; people and other services do not send it.
    `makes`: what the decision makes, under an id that follows from the first target and the command's id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    command_name: ClassVar[str]
    sees: ClassVar[tuple[str, ...]] = ()
    reaches: ClassVar[frozenset[str]] = frozenset()
    may_need_history: ClassVar[bool] = False
    is_internal: ClassVar[bool] = False
    makes: ClassVar[str | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Takes the class keywords, which pydantic hands to the method below."""
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        name: str | None = None,
        *,
        sees: Sequence[str] | None = None,
        reaches: Sequence[str] | None = None,
        may_need_history: bool | None = None,
        internal: bool = False,
        makes: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if sees is not None:
            cls.sees = tuple(sees)
        if reaches is not None:
            cls.reaches = frozenset(reaches)
        if may_need_history is not None:
            cls.may_need_history = may_need_history
        cls.is_internal, cls.makes = internal, makes
        if name is not None:
            cls.command_name = name
            COMMANDS[name] = cls

    def targets(self) -> tuple[Target, ...]:
        """The aggregates that the decision changes, the deciding one first."""
        raise NotImplementedError

    def links(self) -> tuple[Target, ...]:
        """Aggregates that the command itself names and its decision looks at."""
        return ()

    def looks_up(self) -> tuple[Key, ...]:
        """Keys of aggregates that the decision looks at, whichever hold them by then."""
        return ()

    def natural_key(self) -> NaturalKey | None:
        """None where it brings nothing in that has a number of its own."""
        return None

    def made_id(self, command_id: UUID) -> UUID:
        """The id of what the decision makes. Raises LookupError where it `makes` nothing."""
        if self.makes is None:
            raise LookupError(f"{self.command_name} makes nothing")
        return identifier(self.makes, self.targets()[0].id, command_id)


COMMANDS: dict[str, type[Command]] = {}


def public_commands() -> dict[str, type[Command]]:
    """What people and other services may ask for, by name."""
    return {name: command for name, command in sorted(COMMANDS.items()) if not command.is_internal}


@dataclass(frozen=True, slots=True)
class Issued:
    """A command with who issued it and why. The same `command_id` twice has the same outcome and no second event.

    `effective_on` None means today in the office's time zone. `key` is a natural key (an invoice number, say):
    a second command with it but another id is refused as a duplicate. `traceparent` is the W3C trace context that it
    comes from, where there is one.
    """

    command: Command
    command_id: UUID
    actor: Actor
    reason: str | None = None
    effective_on: date | None = None
    causation_id: UUID | None = None
    correlation_id: UUID | None = None
    key: UUID | None = None
    keeps_refusal: bool = True
    """Whether the same id is refused for ever once it was; else it is decided anew each time."""
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command was carried out. `event_ids` is empty where there was nothing to do."""

    event_ids: tuple[UUID, ...] = ()
    version: int = 0
    """The first target's version afterwards."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The command was refused; nothing changed."""

    reason_code: str
    detail: str


Outcome = Accepted | Rejected

"""Events: the facts of the log, their registered names, and the road from old versions to new ones."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from aggregates.kernel.command import Key
from aggregates.kernel.personal import Personal


class UnknownEvent(LookupError):
    """The log holds an event whose name or version this release does not know."""


class BrokenUpcasterChain(RuntimeError):
    """Some old version of an event has no road to the current one."""


class Event(BaseModel):
    """One business fact about an aggregate; subclasses give it a stable public name and version.

    The name (`account.payment-received`) and the version are the contract; the Python name is not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    event_name: ClassVar[str]
    event_version: ClassVar[int]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Takes the class keywords, which pydantic hands to the method below."""
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, name: str | None = None, version: int = 1, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if name is not None:
            cls.event_name, cls.event_version = name, version
            REGISTRY.add(cls)

    def found_by(self) -> tuple[Key, ...]:
        """Keys that its aggregate holds from this event on, for good; nothing personal is in what they are made of."""
        return ()


def kind_of(event_name: str) -> str:
    """The kind of the aggregate that an event is of: `account` of `account.payment-received`."""
    return event_name.partition(".")[0]


Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


class EventRegistry:
    """Maps stable names to the current event classes, and lifts older versions to them."""

    def __init__(self) -> None:
        self._classes: dict[str, type[Event]] = {}
        self._upcasters: dict[tuple[str, int], Upcaster] = {}

    def add(self, event_class: type[Event]) -> None:
        taken = self._classes.setdefault(event_class.event_name, event_class)
        if taken.__qualname__ != event_class.__qualname__:
            raise ValueError(f"{event_class.event_name} is the name of {taken.__qualname__} already")

    def upcasts(self, name: str, *, from_version: int) -> Callable[[Upcaster], Upcaster]:
        """Registers the function that turns version `from_version` of an event's data into the next version's."""

        def register(function: Upcaster) -> Upcaster:
            self._upcasters[name, from_version] = function
            return function

        return register

    def current(self, name: str) -> type[Event]:
        try:
            return self._classes[name]
        except KeyError:
            raise UnknownEvent(f"no event is named {name!r} in this release") from None

    def __contains__(self, name: str) -> bool:
        return name in self._classes

    def names(self) -> list[str]:
        return sorted(self._classes)

    def lift(self, name: str, version: int, data: dict[str, Any]) -> dict[str, Any]:
        """The data of an old version, in the shape of the current one."""
        current = self.current(name).event_version
        if version > current:
            raise UnknownEvent(f"{name} version {version} was written by a newer release (this one knows {current})")
        for step in range(version, current):
            data = self._upcasters[name, step](data)
        return data

    def check(self) -> None:
        """Raises BrokenUpcasterChain unless every version of every event can be read. Run at start-up."""
        for name, event_class in self._classes.items():
            missing = [v for v in range(1, event_class.event_version) if (name, v) not in self._upcasters]
            if missing:
                raise BrokenUpcasterChain(f"{name}: no upcaster from version {missing[0]}")
        for name, version in self._upcasters:
            if name not in self._classes or version >= self._classes[name].event_version:
                raise BrokenUpcasterChain(f"{name}: an upcaster from version {version} leads nowhere")


REGISTRY = EventRegistry()


class Meta(BaseModel):
    """Who caused an event and why.

    `actor` is `person:<id>`, `service:<name>` or `policy:<id>@<version>`. `causation_id` is the event (or
    message) that led to it, `correlation_id` joins everything that one request set going, and `traceparent` is the
    W3C trace context in which the command came, where requests are traced. `answered` is the policy whose answer to
    the event was decided together with it: it asks for nothing more because of it.
    """

    model_config = ConfigDict(frozen=True)

    actor: str
    command_id: UUID
    correlation_id: UUID
    causation_id: UUID | None = None
    reason: Personal | None = None
    """Free text that a person gave; required of people where a decision says so."""
    traceparent: str | None = None
    answered: str | None = None


@dataclass(slots=True)
class Recorded:
    """An event as the log keeps it: the fact, when it is true, when it was learned, and by whom.

    `version` counts from 1 within the aggregate; `position` from 1 within the log, None until sealed.
    """

    aggregate_id: UUID
    version: int
    event_id: UUID
    account_id: UUID | None
    effective_on: date
    recorded_at: datetime
    event: Event
    meta: Meta
    position: int | None = None

    @property
    def originator_id(self) -> UUID:
        """The library's word for the aggregate's id."""
        return self.aggregate_id

    @property
    def originator_version(self) -> int:
        return self.version

    @property
    def name(self) -> str:
        return self.event.event_name

    @property
    def traceparent(self) -> str | None:
        return self.meta.traceparent

"""The base of all aggregates: a state that only events change, and the events not yet stored."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from aggregates.kernel.event import Event

_APPLIES = "__applies__"

Method = TypeVar("Method", bound=Callable[..., None])


def applies(*event_classes: type[Event]) -> Callable[[Method], Method]:
    """Marks the method that changes the state for these events. It only assigns: no rule, no error, no clock."""

    def mark(method: Method) -> Method:
        setattr(method, _APPLIES, event_classes)
        return method

    return mark


KINDS: "dict[str, type[Aggregate]]" = {}
"""The aggregate class of each kind; an aggregate's kind is stable like an event's name."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An event that was decided and is not stored yet; `effective_on` None means the command's own date."""

    event: Event
    effective_on: date | None


class Aggregate(BaseModel):
    """State rebuilt from events. A new aggregate has version 0; each event adds one.

    The state is a model so that a snapshot is its JSON; `state_version` names the shape, and a snapshot of
    another shape is passed over and the events are read instead.
    """

    model_config = ConfigDict(validate_assignment=False, extra="forbid")

    kind: ClassVar[str]
    state_version: ClassVar[int] = 1
    _appliers: ClassVar[dict[type[Event], Callable[[Any, Any], None]]] = {}

    id: UUID
    version: int = 0

    # A slot, because a private attribute of pydantic is looked up in Python each time.
    __slots__ = ("_pending",)
    if TYPE_CHECKING:
        _pending: list[Pending]

    def __new__(cls, *_: object, **__: object) -> Self:
        self = super().__new__(cls)
        self._pending = []
        return self

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        appliers: dict[type[Event], Callable[[Any, Any], None]] = {}
        for base in reversed(cls.__mro__):
            for method in vars(base).values():
                for event_class in getattr(method, _APPLIES, ()):
                    appliers[event_class] = method
        cls._appliers = appliers
        if "kind" in vars(cls):
            KINDS[cls.kind] = cls

    @property
    def exists(self) -> bool:
        return self.version > 0

    @property
    def weight(self) -> int:
        """How much memory the state takes, in parts of a few kilobytes: what bounds a cache."""
        return 1

    def emit(self, event: Event, *, effective_on: date | None = None) -> None:
        """Adds a decided event and applies it. Decisions check first and emit last."""
        self._pending.append(Pending(event, effective_on))
        self.apply(event)

    def apply(self, event: Event) -> None:
        """Changes the state by one event, decided now or read from the log."""
        self._appliers[type(event)](self, event)
        self.version += 1

    def fold(self, events: Iterable[Event]) -> None:
        for event in events:
            self.apply(event)

    def collect(self) -> list[Pending]:
        """Takes the pending events; the caller stores them or forgets this aggregate."""
        pending, self._pending = self._pending, []
        return pending

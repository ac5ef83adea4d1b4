"""The base of all aggregates: a state that only events change, and the events not yet stored."""

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast, overload
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from aggregates.kernel.command import Command, Target
from aggregates.kernel.event import Event, Recorded

_APPLIES = "__applies__"
_DECIDES = "__decides__"

Method = TypeVar("Method", bound=Callable[..., None])
Decision = Callable[..., None]
"""`(aggregate, …, command, context)`: a command's targets in order, the command, and what else is known."""

DECISIONS: dict[type[Command], Decision] = {}

KINDS: "dict[str, type[Aggregate]]" = {}
"""The aggregate class of each kind; an aggregate's kind is stable like an event's name."""


def applies(*event_classes: type[Event]) -> Callable[[Method], Method]:
    """Marks the method that changes the state for these events. It only assigns: no rule, no error, no clock."""

    def mark(method: Method) -> Method:
        setattr(method, _APPLIES, event_classes)
        return method

    return mark


def decides(command_class: type[Command]) -> Callable[[Method], Method]:
    """Marks the decision of a command: a method `(aggregate or part, command, context)`, or, where a command has
    several targets, one that takes the others too: `(first, second, command, context)`."""

    def mark(decision: Method) -> Method:
        if command_class in DECISIONS:
            raise ValueError(f"{command_class.__name__} is decided twice")
        setattr(decision, _DECIDES, command_class)
        DECISIONS[command_class] = decision
        return decision

    return mark


@dataclass(frozen=True, slots=True)
class Pending:
    """An event that was decided and is not stored yet; `effective_on` None means the command's own date."""

    event: Event
    effective_on: date | None


class Aggregate(BaseModel):
    """State rebuilt from events. A new aggregate has version 0; each event adds one.

    The state is a model so that a snapshot is its JSON; `state_version` names the shape, and a snapshot of
    another shape is passed over and the events are read instead. A large aggregate is composed of `Part`s.
    """

    model_config = ConfigDict(validate_assignment=False, extra="forbid", defer_build=True)

    kind: ClassVar[str]
    state_version: ClassVar[int] = 1
    _appliers: ClassVar[dict[type[Event], tuple[tuple[str | None, Callable[[Any, Any], None]], ...]]] = {}
    _parts: ClassVar[dict[type["Part"], str]] = {}

    id: UUID
    version: int = 0

    # A slot, because a private attribute of pydantic is looked up in Python each time.
    __slots__ = ("_answered", "_pending", "_recorded_at")
    if TYPE_CHECKING:
        _answered: str | None
        _pending: list[Pending]
        _recorded_at: datetime | None

    def __new__(cls, *_: object, **__: object) -> Self:
        self = super().__new__(cls)
        _set_pending(self, [])
        _set_answered(self, None)
        _set_recorded_at(self, None)
        return self

    def model_post_init(self, _: Any, /) -> None:
        if self._parts:
            whole = weakref.ref(self)
            for name in self._parts.values():
                self.__dict__[name]._whole = whole

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._parts = {
            field.annotation: name
            for name, field in cls.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, Part)
        }
        appliers: dict[type[Event], dict[str | None, Callable[[Any, Any], None]]] = {}
        owners: list[tuple[str | None, type]] = [(None, cls), *((n, part) for part, n in cls._parts.items())]
        for name, owner in owners:
            for base in reversed(owner.__mro__):
                for method in (each for each in vars(base).values() if isinstance(each, FunctionType)):
                    for event_class in getattr(method, _APPLIES, ()):
                        appliers.setdefault(event_class, {})[name] = method
                    if name is not None and (command_class := getattr(method, _DECIDES, None)) is not None:
                        DECISIONS[command_class] = _by_part(name, method)
        cls._appliers = {event_class: tuple(methods.items()) for event_class, methods in appliers.items()}
        if "kind" in vars(cls):
            KINDS[cls.kind] = cls

    @classmethod
    def blank(cls, aggregate_id: UUID, *, whole: bool = False) -> Self:
        """Before its first event. `whole`: it is to keep everything it ever had, for what asks for history."""
        return cls(id=aggregate_id)

    @classmethod
    def events(cls) -> tuple[type[Event], ...]:
        """The events that it applies: every one that it emits."""
        return tuple(cls._appliers)

    @property
    def exists(self) -> bool:
        return self.version > 0

    @property
    def is_over(self) -> bool:
        """No event will follow and nothing is decided by it any more: it is not looked at again."""
        return False

    @property
    def weight(self) -> int:
        """How much memory the state takes, in parts of a few kilobytes: what bounds a cache."""
        return 1

    @property
    def about_account(self) -> UUID | None:
        """The account that its events are about, under whose key personal text is encrypted."""
        return None

    @property
    def local_zone(self) -> ZoneInfo | None:
        """The zone in which its days begin, where it has one of its own."""
        return None

    def links(self) -> Iterable[Target]:
        """Aggregates that decisions about this one may look at: an account's office, an office's campaigns."""
        return ()

    def parts(self) -> "Iterable[Part]":
        """What it is composed of, in the order in which its class names them."""
        return (self.__dict__[name] for name in self._parts.values())

    def part(self, part: type["AnyPart"]) -> "AnyPart":
        """The part of this class. Raises KeyError where it is not composed of one."""
        return cast("AnyPart", self.__dict__[self._parts[part]])

    def emit(self, event: Event, *, effective_on: date | None = None) -> None:
        """Adds a decided event and applies it. Decisions check first and emit last."""
        self._pending.append(Pending(event, effective_on))
        if self._answered is not None:  # that was before this event
            _set_answered(self, None)
        self.apply(event)

    def apply(self, event: Event) -> None:
        """Changes the state by one event, decided now or read from the log."""
        state = self.__dict__
        for part, method in self._appliers[type(event)]:
            method(self if part is None else state[part], event)
        state["version"] += 1

    def fold(self, history: Iterable[Recorded]) -> None:
        """Changes the state by events of the log, in their order."""
        for recorded in history:
            _set_recorded_at(self, recorded.recorded_at)
            self.apply(recorded.event)

    @property
    def recorded_at(self) -> datetime | None:
        """When the last event was recorded, that which is being read included."""
        return self._recorded_at

    def was_recorded(self, at: datetime | None) -> None:
        """Says when the last event was recorded, where the state does not come from `fold`."""
        _set_recorded_at(self, at)

    def recording(self, now: datetime) -> datetime:
        """When events that are decided `now` are recorded: not before the last one's time, whatever the clock did.

        What was known at the end of a day is asked by that time, so an aggregate's past must not grow.
        """
        if self._recorded_at is not None and now <= self._recorded_at:
            return self._recorded_at
        _set_recorded_at(self, now)
        return now

    def answer_for(self, policy: str) -> None:
        """Says that what this policy would ask for because of the pending events was decided with them."""
        _set_answered(self, policy)

    @property
    def answered(self) -> str | None:
        """The policy that the pending events are answered for."""
        return self._answered

    def collect(self) -> list[Pending]:
        """Takes the pending events; the caller stores them or forgets this aggregate."""
        pending = self._pending
        _set_pending(self, [])
        _set_answered(self, None)
        return pending


# Through the slots themselves: an assignment goes through pydantic, which looks for a field of that name each time.
_set_pending: Callable[[Aggregate, list[Pending]], None] = vars(Aggregate)["_pending"].__set__
_set_answered: Callable[[Aggregate, str | None], None] = vars(Aggregate)["_answered"].__set__
_set_recorded_at: Callable[[Aggregate, datetime | None], None] = vars(Aggregate)["_recorded_at"].__set__


def _by_part(name: str, decision: Decision) -> Decision:
    """The decision of a command to the whole aggregate that one of its parts takes."""

    def decide(aggregate: Aggregate, *rest: Any) -> None:
        decision(aggregate.__dict__[name], *rest)

    return decide


# --- parts -------------------------------------------------------------------------------------------


AnyPart = TypeVar("AnyPart", bound="Part")


class Needs(Generic[AnyPart]):
    """What a part needs of another part of its aggregate: `customer: ClassVar = Needs(Customer)`."""

    def __init__(self, part: type[AnyPart]) -> None:
        self._part = part

    @overload
    def __get__(self, part: None, owner: type["Part"]) -> "Needs[AnyPart]": ...
    @overload
    def __get__(self, part: "Part", owner: type["Part"]) -> AnyPart: ...
    def __get__(self, part: "Part | None", owner: type["Part"]) -> "Needs[AnyPart] | AnyPart":
        if part is None:
            return self
        whole: Any = part._whole()  # asked for several times in each decision
        return cast(AnyPart, whole.__dict__[whole._parts[self._part]])


class Part:
    """One subject of an aggregate: its state, decisions and apply methods; a dataclass, so that it is cheap to change,
    with slots, since there are many of each account in memory.

    A part changes its own state, and of another part only what its `Needs` name.
    """

    __slots__ = ("_whole",)
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    # A weak reference: a circle would keep thousands of aggregates in memory until the next full collection.
    if TYPE_CHECKING:
        _whole: weakref.ref[Aggregate]

    @property
    def whole(self) -> Aggregate:
        """The aggregate that this is a part of."""
        whole = self._whole()
        if whole is None:
            raise ReferenceError("a part does not outlive its aggregate")
        return whole

    def emit(self, event: Event, *, effective_on: date | None = None) -> None:
        """See `Aggregate.emit`."""
        self.whole.emit(event, effective_on=effective_on)

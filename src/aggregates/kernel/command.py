"""Commands, who may decide them, and what comes of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from aggregates.account.chase import Judgement
    from aggregates.account.chase_decisions import Chased
    from aggregates.campaign import Campaign
    from aggregates.office import Office
    from aggregates.values.contact import ContactAttempt, Verdict

NAMESPACE = uuid5(NAMESPACE_URL, "urn:arrears")


def identifier(*parts: object) -> UUID:
    """A UUID that always is the same for the same parts: natural keys, repeatable command ids."""
    return uuid5(NAMESPACE, "\x1f".join(map(str, parts)))


class Refusal(Exception):
    """A decision's no: raised inside a decision, given to the caller as `Rejected`."""

    def __init__(self, reason_code: str, detail: str) -> None:
        super().__init__(f"{reason_code}: {detail}")
        self.reason_code = reason_code
        self.detail = detail


class NeedsHistory(Exception):
    """The decision asks about a settled item or payment, which only a load of the whole history remembers."""


class Command(BaseModel):
    """A wish; subclasses name it and its aggregate. Validated at the doors, and their public request body."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command_name: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Takes the class keywords, which pydantic hands to the method below."""
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, name: str | None = None, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if name is not None:
            cls.command_name = name
            COMMANDS[name] = cls

    def targets(self) -> Mapping[str, UUID]:
        """The aggregates that the decision reads and changes: their kind (`account`) and id, the deciding one first."""
        raise NotImplementedError


COMMANDS: dict[str, type[Command]] = {}


@dataclass(frozen=True, slots=True)
class Issued:
    """A command with who issued it and why. The same `command_id` twice has the same outcome and no second event.

    `effective_on` None means today in the office's time zone. `key` is a natural key (an invoice number, say):
    a second command with it but another id is refused as a duplicate. `traceparent` is the W3C trace context that it
    comes from, where there is one.
    """

    command: Command
    command_id: UUID
    actor: str
    reason: str | None = None
    effective_on: date | None = None
    causation_id: UUID | None = None
    correlation_id: UUID | None = None
    key: UUID | None = None
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


class Judge(Protocol):
    """Where an account stands in auto-collection, and what is next (`policies.auto_collection`)."""

    def __call__(self, account: "Chased", context: "Context") -> "Judgement": ...


class ContactRules(Protocol):
    """Whether a contact is allowed now (`policies.contact_rules`)."""

    def __call__(self, account: "Chased", attempt: "ContactAttempt", context: "Context") -> "Verdict": ...


@dataclass(slots=True)
class Context:
    """What a decision knows besides its aggregates. `now` is UTC; `today` is the office's local date."""

    now: datetime
    today: date
    actor: str
    effective_on: date
    """When what the command says is true."""
    command_id: UUID
    reason: str | None = None
    office: "Office | None" = None
    campaigns: "Mapping[UUID, Campaign]" = field(default_factory=dict)
    judge: Judge | None = None
    contact_rules: ContactRules | None = None

    @property
    def settings(self) -> "Office":
        if self.office is None:
            raise Refusal("unknown-office", "the account's office does not exist")
        return self.office

    @property
    def zone(self) -> ZoneInfo:
        return self.settings.zone

    def require_reason(self) -> None:
        """People must say why where the audit trail has to show it; policies carry their id and version."""
        if self.actor.startswith("person:") and not (self.reason or "").strip():
            raise Refusal("reason-required", "say why: this decision needs a reason")


Decision = Callable[..., None]
DECISIONS: dict[type[Command], Decision] = {}

AnyDecision = TypeVar("AnyDecision", bound=Decision)


def decides(command_class: type[Command]) -> Callable[[AnyDecision], AnyDecision]:
    """Marks the decision of a command: a method `(aggregate, command, context)`, or, where a command has
    several targets, one that takes the others too: `(first, second, command, context)`."""

    def mark(decision: AnyDecision) -> AnyDecision:
        if command_class in DECISIONS:
            raise ValueError(f"{command_class.__name__} is decided twice")
        DECISIONS[command_class] = decision
        return decision

    return mark

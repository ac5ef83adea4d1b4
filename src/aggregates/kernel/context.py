"""What a decision knows besides its targets: the moment, who asks and why, other aggregates, and rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from aggregates.kernel.actor import Actor
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.command import Target
from aggregates.kernel.refusals import Refusal

AnyAggregate = TypeVar("AnyAggregate", bound=Aggregate)
AnyRule = TypeVar("AnyRule")


class NeedsHistory(Exception):
    """The decision asks about a settled item or payment, which only a load of the whole history remembers."""


class NeedsOther(Exception):
    """The decision asks for an aggregate that its command `reaches`, and that is not at hand yet."""

    def __init__(self, target: Target) -> None:
        super().__init__(f"{target.kind} {target.id}")
        self.target = target


class Rule(Generic[AnyRule]):
    """A rule that decisions ask and an outer room has; handed in by whoever opens the write path."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Rule({self.name!r})"


Rules = Mapping[Rule[Any], Any]
"""Each rule that there is here; see `policies.rules`."""


@dataclass(slots=True)
class Context:
    """What a decision knows besides its targets. `now` is UTC; `today` is the local date of the office."""

    now: datetime
    today: date
    actor: Actor
    effective_on: date
    """When what the command says is true."""
    command_id: UUID
    reason: str | None = None
    seen: Mapping[UUID, Aggregate] = field(default_factory=dict)
    """What the command declares that it looks at, and what it asked for of what it reaches."""
    reaches: frozenset[str] = frozenset()
    """Kinds of aggregates that the decision may ask for, and change."""
    rules: Rules = field(default_factory=dict)

    def find(self, kind: type[AnyAggregate], aggregate_id: UUID | None) -> AnyAggregate | None:
        """The aggregate as it is now; None where there is none of that kind, or it is over.

        The decision begins anew where it asks for one that its command reaches and that is not at hand.
        """
        found = self.seen.get(aggregate_id) if aggregate_id is not None else None
        if found is None and aggregate_id is not None and kind.kind in self.reaches:
            raise NeedsOther(Target(kind.kind, aggregate_id))
        return found if type(found) is kind and found.exists else None

    def every(self, kind: str) -> list[Aggregate]:
        """All of this kind that there are in sight, in an order that is always the same."""
        found = (each for each in self.seen.values() if each.kind == kind and each.exists)
        return sorted(found, key=lambda each: each.id)

    def rule(self, rule: Rule[AnyRule]) -> AnyRule:
        """Refuses where this process has none."""
        if rule not in self.rules:
            raise Refusal("no-rules", f"there are no {rule.name} here")
        found: AnyRule = self.rules[rule]
        return found

    def require_reason(self) -> None:
        """People must say why where the audit trail has to show it; policies carry their id and version."""
        if self.actor.is_person and not (self.reason or "").strip():
            raise Refusal("reason-required", "say why: this decision needs a reason")

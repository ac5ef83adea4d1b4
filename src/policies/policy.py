"""The table of policies: which events each listens to, and what it asks for in return.

A policy asks; the account decides. What a policy issues (`judge-collection`, `age-account`) names no result:
the decision is taken inside the write path, on the state and the settings of that very moment, so that a payment
that came in meanwhile always counts. A policy has no state of its own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from aggregates.account import chase
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, identifier
from aggregates.kernel.event import Event, Recorded


@dataclass(frozen=True)
class PolicyName:
    """Which policy, in which version: this goes into the events that it causes."""

    id: str
    version: int

    @cached_property
    def actor(self) -> Actor:
        return Actor.policy(self.id, self.version)


AGING = PolicyName("aging", 1)
ALLOCATION = PolicyName("allocation", 1)
AUTO_COLLECTION = PolicyName(chase.AUTO_COLLECTION, 1)
BULK_ACTION = PolicyName("bulk-action", 1)
BULK_SCHEDULES = PolicyName("bulk-schedules", 1)
BROKEN_PROMISE = PolicyName("broken-promise", 1)
COMPLAINTS = PolicyName("complaints", 1)
DISPUTES = PolicyName("disputes", 1)
INBOUND = PolicyName("inbound", 1)
NO_COMMON_HOURS = PolicyName("no-common-hours", 1)
PAYMENT_CLAIMS = PolicyName("payment-claims", 1)
PLACEMENTS = PolicyName("placements", 1)
PROMISE_MONITORING = PolicyName("promise-monitoring", 1)
PROMISE_REVERSAL = PolicyName("promise-reversal", 1)


@dataclass(frozen=True, slots=True)
class EveryAccount:
    """A wish for every account of an office: settings changed, so each is looked at anew. It becomes a `Work`.

    `arguments` are what the command says besides whose account it is; they are stored, and never personal text.
    """

    office_id: UUID
    asks: type[Command]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def command(self, account_id: UUID) -> Command:
        """What is asked of one account."""
        return self.asks.model_validate({**self.arguments, "account_id": account_id})


@dataclass(frozen=True, slots=True)
class EveryRow:
    """A wish for every account of a bulk action, whose rows say the rest of each command. It becomes a `Work`, of which
    there is one for each command, and each time that it is asked for again."""

    office_id: UUID
    bulk_id: UUID
    asks: type[Command]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class InBackground:
    """A wish for one thing that takes too long for a reader: a worker does it, once by effect. It becomes a `Work`,
    whose only step is what the worker has for this command."""

    office_id: UUID
    asks: type[Command]
    arguments: Mapping[str, Any] = field(default_factory=dict)


Later = EveryAccount | EveryRow | InBackground
"""Wishes that become a `Work`."""
Reaction = Command | Later


@dataclass(frozen=True, slots=True)
class Policy:
    """`react` is pure."""

    name: PolicyName
    listens: frozenset[type[Event]]
    react: Callable[[Recorded], Iterable[Reaction]]
    coalesces: bool = False
    """Its commands look at the account as it is, so one of them answers for several events of an account."""

    @property
    def id(self) -> str:
        return self.name.id

    @property
    def actor(self) -> Actor:
        return self.name.actor

    def reactions(self, recorded: Recorded) -> Iterable[Reaction]:
        """What it asks for because of an event that it listens to; nothing where that was decided with the event."""
        return () if recorded.meta.answered == self.id else self.react(recorded)

    def command_id(self, cause: UUID, ordinal: object) -> UUID:
        """Repeatable: a newer version of the policy that meets the same event again repeats nothing."""
        return identifier("reaction", cause, self.id, ordinal)

"""What is asked for when an item of the agenda falls due."""

from typing import Any, Protocol
from uuid import UUID

from aggregates.kernel.actor import Actor
from aggregates.kernel.command import COMMANDS, Command, identifier


class DueItem(Protocol):
    """A row of the agenda whose time has come."""

    @property
    def owner_id(self) -> UUID:
        """The account, or the campaign or office whose pause ends."""
        ...

    @property
    def kind(self) -> str: ...

    @property
    def ref(self) -> str: ...

    @property
    def command_name(self) -> str: ...

    @property
    def payload(self) -> dict[str, Any]: ...

    @property
    def position(self) -> int:
        """The log position that put it there."""
        ...


AGENDA_POLICIES = {
    "aging": ("aging", 1),
    "step": ("auto-collection", 1),
    "review": ("auto-collection", 1),
    "fact": ("billing", 1),
    "promise": ("promise-monitoring", 1),
    "hold": ("auto-collection", 1),
    "follow-up": ("follow-ups", 1),
    "pause-end": ("auto-collection", 1),
}
"""Which policy, in which version, answers for each kind of agenda item."""


def actor_for(item: DueItem) -> Actor:
    return Actor.policy(*AGENDA_POLICIES[item.kind])


def command_for(item: DueItem) -> Command:
    return COMMANDS[item.command_name].model_validate(item.payload)


def command_id_for(item: DueItem) -> UUID:
    """The same item met by two ticks is one command; an item put there anew is another."""
    return identifier("tick", item.kind, item.owner_id, item.ref, item.position)

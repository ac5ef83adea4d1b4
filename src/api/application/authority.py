"""Who may issue which command. Every door asks here, and nowhere else."""

from enum import StrEnum

from aggregates.kernel.command import Command


class Authority(StrEnum):
    """What a door lets its callers issue."""

    PUBLIC = "public"
    """What people and other services may ask for."""
    OPERATOR = "operator"
    """Whoever runs Arrears on its machine: the system's own commands too."""


def may_issue(authority: Authority, command: Command) -> bool:
    """Whoever a door let in may issue every command of its authority; people have no roles."""
    return authority is Authority.OPERATOR or not command.is_internal

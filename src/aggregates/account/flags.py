"""Flags of the office that the account carries."""

from aggregates.account.command import AccountCommand
from aggregates.kernel.event import Event
from aggregates.values.codes import Code

# --- events ------------------------------------------------------------------------------------------


class FlagSet(Event, name="account.flag-set"):
    """The account carries a flag of its office."""

    flag: str


class FlagCleared(Event, name="account.flag-cleared"):
    """The account no longer carries the flag."""

    flag: str


# --- commands ----------------------------------------------------------------------------------------


class SetFlag(AccountCommand, name="set-flag"):
    """Mark the account with a flag of its office."""

    flag: Code


class ClearFlag(AccountCommand, name="clear-flag"):
    """Take a flag off."""

    flag: Code

"""The account taken out of auto-collection by hand."""

from datetime import date

from pydantic import BaseModel, ConfigDict

from aggregates.account.command import AccountCommand
from aggregates.kernel.event import Event

# --- values ------------------------------------------------------------------------------------------


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Exclusion(_Value):
    """A person took the account out of auto-collection."""

    since: date
    actor: str


# --- events ------------------------------------------------------------------------------------------


class Excluded(Event, name="account.excluded"):
    """A person took the account out of auto-collection."""

    actor: str
    excluded_on: date


class ExclusionLifted(Event, name="account.exclusion-lifted"):
    """The account may be chased again and is judged anew."""


# --- commands ----------------------------------------------------------------------------------------


class ExcludeAccount(AccountCommand, name="exclude-account"):
    """Take the account out of auto-collection, with a reason."""


class LiftExclusion(AccountCommand, name="lift-exclusion"):
    """Let the account be judged anew."""

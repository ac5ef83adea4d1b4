"""The account taken out of auto-collection by hand."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from aggregates.account.chase import Chase
from aggregates.account.command import ChasingCommand
from aggregates.account.part import AccountPart
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.value import Value

# --- values ------------------------------------------------------------------------------------------


class Exclusion(Value):
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


class ExcludeAccount(ChasingCommand, name="exclude-account"):
    """Take the account out of auto-collection, with a reason."""


class LiftExclusion(ChasingCommand, name="lift-exclusion"):
    """Let the account be judged anew."""


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Exclusions(AccountPart):
    """Whether a person took the account out of auto-collection."""

    current: Exclusion | None = None

    chase: ClassVar = Needs(Chase)

    def shields(self) -> list[Shield]:
        """An excluded account is left alone."""
        if self.current is None:
            return []
        return [
            Shield(ShieldSource.EXCLUSION, Why(code="excluded", detail=f"excluded by hand since {self.current.since}"))
        ]

    @decides(ExcludeAccount)
    def exclude(self, command: ExcludeAccount, context: Context) -> None:
        self.require_account()
        context.require_reason()
        if self.current is None:
            self.emit(Excluded(actor=str(context.actor), excluded_on=context.today))
            self.chase.judge(context)

    @decides(LiftExclusion)
    def lift_exclusion(self, command: LiftExclusion, context: Context) -> None:
        self.require_account()
        context.require_reason()
        if self.current is not None:
            self.emit(ExclusionLifted())
            self.chase.judge(context)

    # --- apply ---

    @applies(Excluded)
    def _excluded(self, event: Excluded) -> None:
        self.current = Exclusion(since=event.excluded_on, actor=event.actor)

    @applies(ExclusionLifted)
    def _exclusion_lifted(self, event: ExclusionLifted) -> None:
        self.current = None

"""A frozen account: its chase rests until it is rolled back to active. Notes are the command's reason."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from aggregates.account.command import AccountCommand
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value
from aggregates.values.codes import Code

# --- values ------------------------------------------------------------------------------------------


class Freeze(Value):
    """Why the account is frozen, by a code of its office, and since when."""

    code: str
    since: date


# --- events ------------------------------------------------------------------------------------------


class AccountFrozen(Event, name="account.frozen"):
    """The account was frozen, for a reason of its office: the chase of all of it rests."""

    code: str
    since: date


class AccountUnfrozen(Event, name="account.unfrozen"):
    """The account is active again, and is judged anew."""


# --- commands ----------------------------------------------------------------------------------------


class FreezeAccount(AccountCommand, name="freeze-account"):
    """Freeze the account, for a reason of its office."""

    code: Code


class UnfreezeAccount(AccountCommand, name="unfreeze-account"):
    """Roll the account back to active."""


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Freezing(AccountPart):
    """Whether the account is frozen, and why."""

    current: Freeze | None = None

    customer: ClassVar = Needs(Customer)

    def shields(self) -> list[Shield]:
        """A frozen account is left alone."""
        if self.current is None:
            return []
        detail = f"frozen ({self.current.code}) since {self.current.since}"
        return [Shield(ShieldSource.FREEZE, Why(code="frozen", detail=detail))]

    @decides(FreezeAccount)
    def freeze(self, command: FreezeAccount, context: Context) -> None:
        self.require_account()
        self.freeze_for(command.code, context)

    @decides(UnfreezeAccount)
    def unfreeze(self, command: UnfreezeAccount, context: Context) -> None:
        self.require_account()
        if self.current is not None:
            self.emit(AccountUnfrozen())

    def freeze_for(self, code: str, context: Context) -> bool:
        """Whether it was not so already. Refuses a reason that the office has not, or another than it is frozen for."""
        self.customer.office(context).require_freeze_reason(code)
        if self.current is not None and self.current.code != code:
            raise Refusal(
                "frozen-already", f"the account is frozen ({self.current.code}) already; roll that back first"
            )
        if self.current is not None:
            return False
        self.emit(AccountFrozen(code=code, since=context.today))
        return True

    # --- apply ---

    @applies(AccountFrozen)
    def _frozen(self, event: AccountFrozen) -> None:
        self.current = Freeze(code=event.code, since=event.since)

    @applies(AccountUnfrozen)
    def _unfrozen(self, event: AccountUnfrozen) -> None:
        self.current = None

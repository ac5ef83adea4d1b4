"""Flags of the office that the account carries."""

from dataclasses import dataclass, field
from typing import ClassVar

from aggregates.account.command import SHARED, AccountCommand
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Aggregate, Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.office import Office
from aggregates.values.codes import Code

# --- events ------------------------------------------------------------------------------------------


class FlagSet(Event, name="account.flag-set"):
    """The account carries a flag of its office."""

    flag: str


class FlagCleared(Event, name="account.flag-cleared"):
    """The account no longer carries the flag."""

    flag: str


# --- commands ----------------------------------------------------------------------------------------


class SetFlag(AccountCommand, name="set-flag", **SHARED):
    """Mark the account with a flag of its office; one that is about the customer, all of their accounts."""

    flag: Code


class ClearFlag(AccountCommand, name="clear-flag", **SHARED):
    """Take a flag off; one that is about the customer, off all of their accounts."""

    flag: Code


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Flags(AccountPart):
    """Which flags the account carries."""

    carried: set[str] = field(default_factory=set)

    customer: ClassVar = Needs(Customer)

    def shields(self, office: Office) -> list[Shield]:
        """Each flag that blocks, by its code."""
        defined = (office.flags.get(flag) for flag in sorted(self.carried)) if self.carried else ()
        return [
            Shield(ShieldSource.FLAG, Why(code="flag", detail=f"flagged: {definition.title}"))
            for definition in defined
            if definition is not None and definition.blocks
        ]

    @decides(SetFlag)
    def set_flag(self, command: SetFlag, context: Context) -> None:
        self.require_account()
        self.customer.office(context).require_flag(command.flag)
        for each in self._meant(command, context):
            if command.flag not in each.carried:
                each.emit(FlagSet(flag=command.flag))

    @decides(ClearFlag)
    def clear_flag(self, command: ClearFlag, context: Context) -> None:
        self.require_account()
        for each in self._meant(command, context):
            if command.flag in each.carried:
                each.emit(FlagCleared(flag=command.flag))

    def _meant(self, command: SetFlag | ClearFlag, context: Context) -> list["Flags"]:
        """Of this account, and where the flag says something of the customer, of their others."""
        is_shared = self.customer.office(context).is_about_customer(command.flag)
        return [self, *(other.part(Flags) for other in self.others(context) if is_shared)]

    def join(self, others: list[Aggregate], context: Context) -> None:
        """What any of these accounts' flags say of the customer, all of them say afterwards."""
        office = self.customer.office(context)
        all_flags = [self, *(other.part(Flags) for other in others)]
        shared = {flag for each in all_flags for flag in each.carried if office.is_about_customer(flag)}
        for each in all_flags:
            for flag in sorted(shared - each.carried):
                each.emit(FlagSet(flag=flag))

    # --- apply ---

    @applies(FlagSet)
    def _flag_set(self, event: FlagSet) -> None:
        self.carried = self.carried | {event.flag}

    @applies(FlagCleared)
    def _flag_cleared(self, event: FlagCleared) -> None:
        self.carried = self.carried - {event.flag}

"""Frozen accounts and subscriptions. The chase of a frozen account rests until it is rolled back to active, and service
systems stop what the customer subscribes to. Notes are the command's reason."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import ClassVar

from aggregates.account.command import AccountCommand
from aggregates.account.customer import Customer, Subscription, SubscriptionRecorded
from aggregates.account.part import AccountPart
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value
from aggregates.values.codes import Code, Number

# --- values ------------------------------------------------------------------------------------------


class Freeze(Value):
    """Why the account is frozen, by a code of its office, and since when."""

    code: str
    since: date


class SubscriptionFreeze(Freeze):
    """The same of a subscription."""

    with_account: bool
    """Whether the account's freeze took it along, and its rollback brings it back."""


class SubscriptionStatus(StrEnum):
    """Whether what the customer subscribes to is provided."""

    ACTIVE = "active"
    FROZEN = "frozen"
    CANCELLED = "cancelled"


class LeftAsItIs(StrEnum):
    """Why the account's rollback does not bring back a subscription that its freeze took along."""

    ACTIVE = "active"
    FROZEN_SINCE = "frozen-since"
    CANCELLED = "cancelled"

    @property
    def in_words(self) -> str:
        return _LEFT_IN_WORDS[self]


_LEFT_IN_WORDS = {
    LeftAsItIs.ACTIVE: "active already",
    LeftAsItIs.FROZEN_SINCE: "frozen by itself since",
    LeftAsItIs.CANCELLED: "cancelled",
}


# --- events ------------------------------------------------------------------------------------------


class AccountFrozen(Event, name="account.frozen"):
    """The account was frozen, for a reason of its office: the chase of all of it rests."""

    code: str
    since: date


class AccountUnfrozen(Event, name="account.unfrozen"):
    """The account is active again, and is judged anew."""


class SubscriptionsFrozen(Event, name="account.subscriptions-frozen"):
    """Subscriptions were frozen, with their account or singly: whoever provides them stops."""

    numbers: tuple[Number, ...]
    code: str
    since: date
    with_account: bool


class SubscriptionsUnfrozen(Event, name="account.subscriptions-unfrozen"):
    """Subscriptions are active again, with their account or singly: whoever provides them goes on."""

    numbers: tuple[Number, ...]
    left: dict[Number, LeftAsItIs]
    """Those that the account's freeze had taken along and its rollback does not bring back, each with why."""


# --- commands ----------------------------------------------------------------------------------------


class FreezeAccount(AccountCommand, name="freeze-account"):
    """Freeze the account and all its active subscriptions, for a reason of its office."""

    code: Code


class UnfreezeAccount(AccountCommand, name="unfreeze-account"):
    """Roll the account back to active, with the subscriptions that its freeze took along."""


class FreezeSubscription(AccountCommand, name="freeze-subscription"):
    """Freeze one subscription, for a reason of its office. The account goes on as it is."""

    number: Number
    code: Code


class UnfreezeSubscription(AccountCommand, name="unfreeze-subscription"):
    """Roll one subscription back to active; its account stays as it is."""

    number: Number


def status_of(subscription: Subscription, freeze: SubscriptionFreeze | None) -> SubscriptionStatus:
    """One that is cancelled is nothing else, whatever it was before."""
    if subscription.cancelled_on is not None:
        return SubscriptionStatus.CANCELLED
    return SubscriptionStatus.FROZEN if freeze is not None else SubscriptionStatus.ACTIVE


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Freezing(AccountPart):
    """Whether the account is frozen, and which of its subscriptions, and why."""

    current: Freeze | None = None
    subscriptions: dict[str, SubscriptionFreeze] = field(default_factory=dict)
    """Those that are frozen, by number."""
    taken_along: tuple[str, ...] = ()
    """The subscriptions that the freeze of the account froze, whatever they are now."""

    customer: ClassVar = Needs(Customer)

    def shields(self) -> list[Shield]:
        """A frozen account is left alone."""
        if self.current is None:
            return []
        detail = f"frozen ({self.current.code}) since {self.current.since}"
        return [Shield(ShieldSource.FREEZE, Why(code="frozen", detail=detail))]

    # --- subscriptions ---

    def status_of(self, number: str) -> SubscriptionStatus:
        """Of a subscription that is known."""
        return status_of(self.customer.subscriptions[number], self.subscriptions.get(number))

    def statuses(self) -> dict[str, str]:
        """Of all subscriptions, by number."""
        return {number: self.status_of(number).value for number in self.customer.subscriptions}

    def active_among(self, numbers: Collection[str]) -> tuple[str, ...]:
        """Those of the subscriptions that are known and active."""
        known = self.customer.subscriptions
        return tuple(each for each in numbers if each in known and self.status_of(each) is SubscriptionStatus.ACTIVE)

    def brought_back(self) -> tuple[str, ...]:
        """The subscriptions that the account's rollback makes active again."""
        return tuple(each for each in self.taken_along if self._is_with_account(each))

    def left(self) -> Mapping[str, LeftAsItIs]:
        """Those that it leaves as they are although the freeze took them along."""
        return {each: self._why_left(each) for each in self.taken_along if not self._is_with_account(each)}

    def _is_with_account(self, number: str) -> bool:
        return number in self.subscriptions and self.subscriptions[number].with_account

    def _why_left(self, number: str) -> LeftAsItIs:
        match self.status_of(number):
            case SubscriptionStatus.CANCELLED:
                return LeftAsItIs.CANCELLED
            case SubscriptionStatus.FROZEN:
                return LeftAsItIs.FROZEN_SINCE
            case SubscriptionStatus.ACTIVE:
                return LeftAsItIs.ACTIVE

    def _require_running(self, number: str) -> None:
        """Refuses a subscription that is not known, or cancelled."""
        if (found := self.customer.subscriptions.get(number)) is None:
            raise Refusal("unknown-subscription", f"the account has no subscription {number!r}")
        if found.cancelled_on is not None:
            raise Refusal("subscription-cancelled", f"subscription {number} is cancelled ({found.cancelled_on})")

    # --- commands ---

    @decides(FreezeAccount)
    def freeze(self, command: FreezeAccount, context: Context) -> None:
        self.require_account()
        self.freeze_for(command.code, context)

    @decides(UnfreezeAccount)
    def unfreeze(self, command: UnfreezeAccount, context: Context) -> None:
        self.require_account()
        if self.current is not None:
            self.roll_back()

    @decides(FreezeSubscription)
    def freeze_subscription(self, command: FreezeSubscription, context: Context) -> None:
        self.require_account()
        self.customer.office(context).require_freeze_reason(command.code)
        self._require_running(command.number)
        if (known := self.subscriptions.get(command.number)) is None:
            self._freeze_subscriptions((command.number,), command.code, context.today, with_account=False)
        elif known.code != command.code:
            raise Refusal(
                "frozen-already",
                f"subscription {command.number} is frozen ({known.code}) already; roll that back first",
            )

    @decides(UnfreezeSubscription)
    def unfreeze_subscription(self, command: UnfreezeSubscription, context: Context) -> None:
        self.require_account()
        self._require_running(command.number)
        if command.number in self.subscriptions:
            self.emit(SubscriptionsUnfrozen(numbers=(command.number,), left={}))

    def freeze_for(self, code: str, context: Context) -> bool:
        """Whether it was not so already. Refuses a reason that the office has not, or another than it is frozen for."""
        self.customer.office(context).require_freeze_reason(code)
        if self.current is not None and self.current.code != code:
            raise Refusal(
                "frozen-already", f"the account is frozen ({self.current.code}) already; roll that back first"
            )
        if self.current is not None:
            return False
        self.freeze_with(Freeze(code=code, since=context.today), self.active_among(self.customer.subscriptions))
        return True

    def freeze_with(self, freeze: Freeze, numbers: tuple[str, ...]) -> None:
        """The account, and these of its subscriptions."""
        self.emit(AccountFrozen(code=freeze.code, since=freeze.since))
        self._freeze_subscriptions(numbers, freeze.code, freeze.since, with_account=True)

    def roll_back(self) -> None:
        """The account is active again, and what its freeze took along and nobody changed since."""
        numbers, left = self.brought_back(), self.left()
        self.emit(AccountUnfrozen())
        if numbers or left:
            self.emit(SubscriptionsUnfrozen(numbers=numbers, left=dict(left)))

    def _freeze_subscriptions(self, numbers: tuple[str, ...], code: str, since: date, *, with_account: bool) -> None:
        if numbers:
            self.emit(SubscriptionsFrozen(numbers=numbers, code=code, since=since, with_account=with_account))

    # --- apply ---

    @applies(AccountFrozen)
    def _frozen(self, event: AccountFrozen) -> None:
        self.current = Freeze(code=event.code, since=event.since)

    @applies(AccountUnfrozen)
    def _unfrozen(self, event: AccountUnfrozen) -> None:
        self.current, self.taken_along = None, ()

    @applies(SubscriptionsFrozen)
    def _subscriptions_frozen(self, event: SubscriptionsFrozen) -> None:
        freeze = SubscriptionFreeze(code=event.code, since=event.since, with_account=event.with_account)
        self.subscriptions = {**self.subscriptions, **dict.fromkeys(event.numbers, freeze)}
        if event.with_account:
            self.taken_along = event.numbers

    @applies(SubscriptionsUnfrozen)
    def _subscriptions_unfrozen(self, event: SubscriptionsUnfrozen) -> None:
        self._forget(event.numbers)

    @applies(SubscriptionRecorded)
    def _subscription_recorded(self, event: SubscriptionRecorded) -> None:
        if event.subscription.cancelled_on is not None:
            self._forget((event.subscription.number,))

    def _forget(self, numbers: Collection[str]) -> None:
        if not self.subscriptions.keys().isdisjoint(numbers):
            self.subscriptions = {known: each for known, each in self.subscriptions.items() if known not in numbers}

"""The promise to pay: a customer's commitment to pay an amount by a date, or in instalments."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.account import Account
from aggregates.account.promises import PromisedPart
from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.office import office_of
from aggregates.values.money import Money
from aggregates.values.names import Assignee

# --- values ------------------------------------------------------------------------------------------


class Instalment(Value):
    """A part of the promised amount and the day it is due."""

    due_on: date
    amount: Money


Instalments = Annotated[tuple[Instalment, ...], Field(min_length=1, max_length=60)]
GraceDays = Annotated[int | None, LATER]


class PromiseStatus(StrEnum):
    OPEN = "open"
    KEPT = "kept"
    PARTIALLY_KEPT = "partially-kept"
    BROKEN = "broken"
    WITHDRAWN = "withdrawn"


# --- events ------------------------------------------------------------------------------------------


class PromiseMade(Event, name="promise.made"):
    """The customer promised to pay. `level` is how many promises the account had broken before."""

    account_id: UUID
    made_on: date
    instalments: Instalments
    grace_days: int
    level: int
    assignee: str | None = None
    notes: Personal | None = None


class PromiseRescheduled(Event, name="promise.rescheduled"):
    """The promise was moved to other days; it stays the same promise."""

    instalments: Instalments
    grace_days: int


class PromisePaymentCounted(Event, name="promise.payment-counted"):
    """A payment, or a part of one, counts towards the promise."""

    payment_id: UUID
    amount: Money
    received_after: Money


class PromisePaymentTakenBack(Event, name="promise.payment-taken-back"):
    """A payment that counted was reversed, or a part of it."""

    payment_id: UUID
    amount: Money
    received_after: Money


class PromiseKept(Event, name="promise.kept"):
    """All of the promised amount arrived in time."""

    received: Money
    kept_on: date


class PromisePartiallyKept(Event, name="promise.partially-kept"):
    """The grace period ended and a part of the promised amount had arrived."""

    promised: Money
    received: Money
    judged_on: date
    assignee: str | None = None
    missed: Annotated[Instalment | None, LATER] = None
    """Of several instalments the first one that was not covered."""


class PromiseBroken(Event, name="promise.broken"):
    """The grace period ended and nothing of the promised amount had arrived."""

    promised: Money
    broken_on: date
    assignee: str | None = None
    missed: Annotated[Instalment | None, LATER] = None
    """Of several instalments the first one that was not covered."""


class PromiseWithdrawn(Event, name="promise.withdrawn"):
    """The customer or a collector took the promise back."""


class PromiseReopened(Event, name="promise.reopened"):
    """A payment that was taken back, or was not after all, made the judgement wrong; the promise is judged again."""

    reopened_on: date


# --- commands ----------------------------------------------------------------------------------------


class PromiseCommand(Command, sees=("office",)):
    """A command to one promise; its account changes with it, in the same transaction."""

    promise_id: UUID
    account_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return Target("promise", self.promise_id), Target("account", self.account_id)


class MakePromise(PromiseCommand, name="make-promise"):
    """Record a promise to pay. `promise_id` is the caller's, so that a repeat is the same promise."""

    instalments: Instalments
    assignee: Assignee | None = None
    notes: Personal | None = Field(None, max_length=10_000)
    grace_days: GraceDays = Field(None, ge=0, le=60)
    """How long it may be late before it is judged; None: as long as the office says."""


class ReschedulePromise(PromiseCommand, name="reschedule-promise"):
    """Move an open promise to other days, for the same amount in total."""

    instalments: Instalments
    grace_days: GraceDays = Field(None, ge=0, le=60)
    """How long it may be late before it is judged; None: as long as the office says."""


class WithdrawPromise(PromiseCommand, name="withdraw-promise"):
    """Take an open promise back."""


class CountPayment(PromiseCommand, name="count-payment", internal=True):
    """Count a payment towards the promise."""

    payment_id: UUID
    amount: Money


class TakePaymentBack(PromiseCommand, name="take-payment-back", internal=True):
    """A payment that counted was reversed, or counts for another amount since a part of it went elsewhere."""

    payment_id: UUID
    left: Annotated[Money | None, LATER] = None
    """What of it counts now; None: nothing."""


class JudgePromise(PromiseCommand, name="judge-promise"):
    """Judge the promise if its grace period is over."""


# --- state -------------------------------------------------------------------------------------------


class PromiseToPay(Aggregate):
    """One promise. `received` is what arrived towards it since it was made."""

    kind: ClassVar[str] = "promise"

    account_id: UUID | None = None
    made_on: date = date.min
    instalments: tuple[Instalment, ...] = ()
    grace_days: int = 0
    assignee: str | None = None
    counted: dict[UUID, Money] = Field(default_factory=dict)
    status: PromiseStatus = PromiseStatus.OPEN

    @property
    def about_account(self) -> UUID | None:
        return self.account_id

    @property
    def promised(self) -> Money:
        return promised_amount(self.instalments)

    @property
    def received(self) -> Money:
        return Money.total(self.counted.values(), self.promised.currency)

    @property
    def due_on(self) -> date:
        """The day of the last instalment."""
        return max(instalment.due_on for instalment in self.instalments)

    @property
    def is_open(self) -> bool:
        return self.status is PromiseStatus.OPEN

    @property
    def missed_from(self) -> date | None:
        """The first day on which a judgement finds it missed, with what has come in so far."""
        instalments = ((each.due_on, each.amount.minor) for each in self.instalments)
        return first_missed(instalments, self.received.minor, self.grace_days)

    # --- decisions ---

    def _require_its(self, account: Account) -> None:
        """A promise of another account is none of this one."""
        if not self.exists or self.account_id != account.id:
            raise Refusal("unknown-promise", "there is no such promise")

    def _require_open(self, account: Account) -> None:
        self._require_its(account)
        if not self.is_open:
            raise Refusal("promise-settled", f"the promise is {self.status} already")

    @decides(MakePromise)
    def make(self, account: Account, command: MakePromise, context: Context) -> None:
        if self.exists:
            raise Refusal("duplicate-promise", "the promise was made already; reschedule it")
        made_on = context.effective_on
        _require_sound(command.instalments, made_on)
        account.promises.register(
            self.id,
            made_on=made_on,
            due_on=max(i.due_on for i in command.instalments),
            amount=promised_amount(command.instalments),
            parts=_parts(command.instalments),
        )
        self.emit(
            PromiseMade(
                account_id=account.id,
                made_on=made_on,
                instalments=command.instalments,
                grace_days=_grace_days(account, command, context),
                level=account.promises.broken,
                assignee=command.assignee,
                notes=command.notes,
            )
        )

    @decides(ReschedulePromise)
    def reschedule(self, account: Account, command: ReschedulePromise, context: Context) -> None:
        self._require_open(account)
        _require_sound(command.instalments, context.today)
        if promised_amount(command.instalments) != self.promised:
            raise Refusal("other-amount", f"instalments: expected {self.promised} in total, as promised")
        grace_days = _grace_days(account, command, context)
        if command.instalments != self.instalments or command.grace_days not in (None, self.grace_days):
            self.emit(PromiseRescheduled(instalments=command.instalments, grace_days=grace_days))
            self._reopen_on(account)

    @decides(WithdrawPromise)
    def withdraw(self, account: Account, command: WithdrawPromise, context: Context) -> None:
        self._require_open(account)
        context.require_reason()
        self.emit(PromiseWithdrawn())
        account.promises.close(self.id, PromiseStatus.WITHDRAWN)

    @decides(CountPayment)
    def count(self, account: Account, command: CountPayment, context: Context) -> None:
        """The account decided how much of a payment is for this promise; a fully paid promise is kept at once."""
        if not self.exists or command.payment_id in self.counted:
            return
        self.emit(
            PromisePaymentCounted(
                payment_id=command.payment_id, amount=command.amount, received_after=self.received + command.amount
            )
        )
        if self.is_open:
            if self._remaining_on(account) > self.promised - self.received:
                account.promises.set_remaining(self.id, self.promised - self.received)
            self._judge(account, context.today)

    @decides(TakePaymentBack)
    def take_back(self, account: Account, command: TakePaymentBack, context: Context) -> None:
        amount, left = self.counted.get(command.payment_id), command.left
        if not self.exists or amount == left:
            return
        if amount is not None:
            left_over = self.received - amount
            self.emit(PromisePaymentTakenBack(payment_id=command.payment_id, amount=amount, received_after=left_over))
        if left is not None:
            received = self.received + left
            self.emit(PromisePaymentCounted(payment_id=command.payment_id, amount=left, received_after=received))
        counts_more = left is not None and (amount is None or left > amount)
        if (
            self.status is PromiseStatus.PARTIALLY_KEPT
            or (self.status is PromiseStatus.KEPT and (left is None or self.received < self.promised))
            or (self.status is PromiseStatus.BROKEN and counts_more)
        ):
            self.emit(PromiseReopened(reopened_on=context.today))
            self._reopen_on(account)
        if self.is_open:
            if self._remaining_on(account) < self.promised - self.received:
                account.promises.set_remaining(self.id, self.promised - self.received)
            self._judge(account, context.today)

    @decides(JudgePromise)
    def judge(self, account: Account, command: JudgePromise, context: Context) -> None:
        """Judge an open promise once a grace period is over.

        A promise due today is still good; an instalment is judged on due_on + grace_days + 1.
        """
        if self.exists:
            self._require_its(account)
            if self.is_open:
                self._judge(account, context.today)

    def _remaining_on(self, account: Account) -> Money:
        """What the account says is left: less than what is counted here while a payment is on its way to be counted."""
        registered = account.promises.open.get(self.id)
        return registered.remaining if registered else self.promised - self.received

    def _judge(self, account: Account, today: date) -> None:
        if self._remaining_on(account) < self.promised - self.received:
            return  # judged when that payment is counted
        missed_from = self.missed_from
        if self.received >= self.promised or (missed_from is not None and today >= missed_from):
            self._record(account, today)

    def _record(self, account: Account, today: date) -> None:
        if self.received >= self.promised:
            self.emit(PromiseKept(received=self.received, kept_on=today))
        elif self.received:
            self.emit(
                PromisePartiallyKept(
                    promised=self.promised,
                    received=self.received,
                    judged_on=today,
                    assignee=self.assignee,
                    missed=self._missed(),
                )
            )
        else:
            self.emit(
                PromiseBroken(promised=self.promised, broken_on=today, assignee=self.assignee, missed=self._missed())
            )
        account.promises.close(self.id, self.status)

    def _missed(self) -> Instalment | None:
        """Of several instalments the first that what has come in does not cover, together with those before it."""
        if len(self.instalments) == 1:
            return None
        left = self.received
        for each in sorted(self.instalments, key=lambda instalment: instalment.due_on):
            if each.amount > left:
                return each
            left -= each.amount
        return None

    def _reopen_on(self, account: Account) -> None:
        account.promises.reopen(
            self.id,
            made_on=self.made_on,
            due_on=self.due_on,
            amount=self.promised,
            remaining=self.promised - self.received,
            parts=_parts(self.instalments),
        )

    # --- apply ---

    @applies(PromiseMade)
    def _made(self, event: PromiseMade) -> None:
        self.account_id, self.made_on = event.account_id, event.made_on
        self.instalments, self.grace_days = event.instalments, event.grace_days
        self.assignee = event.assignee

    @applies(PromiseRescheduled)
    def _rescheduled(self, event: PromiseRescheduled) -> None:
        self.instalments, self.grace_days = event.instalments, event.grace_days

    @applies(PromisePaymentCounted)
    def _payment_counted(self, event: PromisePaymentCounted) -> None:
        self.counted = {**self.counted, event.payment_id: event.amount}

    @applies(PromisePaymentTakenBack)
    def _payment_taken_back(self, event: PromisePaymentTakenBack) -> None:
        self.counted = {k: v for k, v in self.counted.items() if k != event.payment_id}

    @applies(PromiseKept)
    def _kept(self, event: PromiseKept) -> None:
        self.status = PromiseStatus.KEPT

    @applies(PromisePartiallyKept)
    def _partially_kept(self, event: PromisePartiallyKept) -> None:
        self.status = PromiseStatus.PARTIALLY_KEPT

    @applies(PromiseBroken)
    def _broken(self, event: PromiseBroken) -> None:
        self.status = PromiseStatus.BROKEN

    @applies(PromiseWithdrawn)
    def _withdrawn(self, event: PromiseWithdrawn) -> None:
        self.status = PromiseStatus.WITHDRAWN

    @applies(PromiseReopened)
    def _reopened(self, event: PromiseReopened) -> None:
        self.status = PromiseStatus.OPEN


def promised_amount(instalments: Sequence[Instalment]) -> Money:
    """What is promised altogether; at least one instalment, all in one currency."""
    return Money.total((each.amount for each in instalments), instalments[0].amount.currency)


def _parts(instalments: Sequence[Instalment]) -> tuple[PromisedPart, ...] | None:
    """What the account is told of several instalments: payments count towards what is due first."""
    if len(instalments) == 1:
        return None
    parts = (PromisedPart(due_on=each.due_on, amount=each.amount) for each in instalments)
    return tuple(sorted(parts, key=lambda part: part.due_on))


def first_missed(instalments: Iterable[tuple[date, int]], received: int, grace_days: int) -> date | None:
    """The first day on which a judgement finds a promise missed: the one rule of decision and agenda.

    Instalments are (due on, minor units above zero), in any order; `received` is in minor units too. That is the day
    after the grace of the first instalment which what has come in does not cover, together with those before it.
    None: all are covered, or the day lies beyond the calendar.
    """
    promised = 0
    for due_on, minor in sorted(instalments):
        promised += minor
        if promised > received:
            wait = timedelta(days=grace_days + 1)
            return due_on + wait if date.max - due_on >= wait else None
    return None


def _grace_days(account: Account, command: MakePromise | ReschedulePromise, context: Context) -> int:
    if command.grace_days is not None:
        return command.grace_days
    return office_of(context, account.customer.office_id).grace_days


def _require_sound(instalments: tuple[Instalment, ...], earliest: date) -> None:
    for number, instalment in enumerate(instalments, start=1):
        if instalment.due_on < earliest:
            raise Refusal("promise-past", f"instalments.{number}.due_on: expected {earliest} or later")
        if instalment.amount.minor <= 0:
            raise Refusal("promise-empty", f"instalments.{number}.amount: expected more than zero")
    if len({i.amount.currency for i in instalments}) > 1:
        raise Refusal("wrong-currency", "instalments: expected one currency")

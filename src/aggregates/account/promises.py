"""What promises to pay hold back; the promise itself is an aggregate of its own."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import ConfigDict

from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.receivables import Receivables
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs, applies
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.values.money import Money

# --- values ------------------------------------------------------------------------------------------


class PromisedPart(Value):
    """An instalment of a promise, as far as the account has to know it."""

    due_on: date
    amount: Money


@dataclass(kw_only=True)
class OpenPromise:
    """A promise that still holds back the chase for what is left of it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: UUID
    made_on: date
    due_on: date
    amount: Money
    remaining: Money
    parts: tuple[PromisedPart, ...] | None = None
    """Of a promise in several instalments all of them, the earliest first."""

    @property
    def to_come(self) -> list[tuple[date, Money]]:
        """What remains of each instalment, and when it is due: what came in is of the earliest."""
        left = self.amount - self.remaining
        parts = []
        for part in self.parts or (PromisedPart(due_on=self.due_on, amount=self.amount),):
            covered = min(left, part.amount)
            left -= covered
            parts.append((part.due_on, part.amount - covered))
        return parts


# --- events ------------------------------------------------------------------------------------------


class PromiseRegistered(Event, name="account.promise-registered"):
    """The account holds back the chase for what a promise covers."""

    promise_id: UUID
    made_on: date
    due_on: date
    amount: Money
    remaining: Money
    parts: Annotated[tuple[PromisedPart, ...] | None, LATER] = None
    """Of a promise in several instalments all of them, the earliest first."""


class PromiseClosed(Event, name="account.promise-closed"):
    """A promise holds nothing back any more: kept, partially kept, broken, withdrawn or rescheduled."""

    promise_id: UUID
    outcome: str
    broken_promises: int


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Promises(AccountPart):
    """Open promises and what of each is still to come, and how many were broken."""

    open: dict[UUID, OpenPromise] = field(default_factory=dict)
    broken: int = 0

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)

    @property
    def held_back(self) -> Money:
        """What promises still hold back."""
        return Money.total((promise.remaining for promise in self.open.values()), self.customer.currency)

    def shields(self) -> list[Shield]:
        """What is promised is not chased; the promise that is due first comes first."""
        return [
            Shield(
                ShieldSource.PROMISE,
                Why(code="promise", detail=f"a promise to pay by {promise.due_on} covers what is owed"),
                until=promise.due_on,
                amount=promise.remaining,
                said=f"is promised by {promise.due_on}",
            )
            for promise in sorted(self.open.values(), key=lambda promise: promise.due_on)
        ]

    def register(
        self, promise_id: UUID, *, made_on: date, due_on: date, amount: Money, parts: tuple[PromisedPart, ...] | None
    ) -> None:
        """Part of making a promise: hold back the chase for it. Two promises never cover the same money."""
        self.require_account()
        self.customer.require_currency(amount)
        room = self.receivables.balance - self.held_back
        if amount > room:
            raise Refusal("promise-too-large", f"amount: expected at most {room}, what is owed and not promised yet")
        self.emit(
            PromiseRegistered(
                promise_id=promise_id, made_on=made_on, due_on=due_on, amount=amount, remaining=amount, parts=parts
            )
        )

    def reopen(
        self,
        promise_id: UUID,
        *,
        made_on: date,
        due_on: date,
        amount: Money,
        remaining: Money,
        parts: tuple[PromisedPart, ...] | None,
    ) -> None:
        """Part of moving a promise, or of judging one anew after a payment was taken back.

        An open promise keeps what remains of it here: the account knows of payments that are not counted yet.
        """
        known = self.open.get(promise_id)
        if known is None or (known.due_on, known.parts) != (due_on, parts):
            self.emit(
                PromiseRegistered(
                    promise_id=promise_id,
                    made_on=made_on,
                    due_on=due_on,
                    amount=amount,
                    remaining=known.remaining if known else remaining,
                    parts=parts,
                )
            )

    def set_remaining(self, promise_id: UUID, remaining: Money) -> None:
        """Part of counting payments: what is left of an open promise."""
        known = self.open.get(promise_id)
        if known is not None and known.remaining != remaining:
            self.emit(
                PromiseRegistered(
                    promise_id=promise_id,
                    made_on=known.made_on,
                    due_on=known.due_on,
                    amount=known.amount,
                    remaining=remaining,
                    parts=known.parts,
                )
            )

    def close(self, promise_id: UUID, outcome: str) -> None:
        """Part of judging or withdrawing a promise."""
        if promise_id in self.open:
            broken = self.broken + (outcome == "broken")
            self.emit(PromiseClosed(promise_id=promise_id, outcome=outcome, broken_promises=broken))

    # --- apply ---

    @applies(PromiseRegistered)
    def _promise_registered(self, event: PromiseRegistered) -> None:
        self.open[event.promise_id] = OpenPromise(
            id=event.promise_id,
            made_on=event.made_on,
            due_on=event.due_on,
            amount=event.amount,
            remaining=event.remaining,
            parts=event.parts,
        )

    @applies(PromiseClosed)
    def _promise_closed(self, event: PromiseClosed) -> None:
        self.open.pop(event.promise_id)
        self.broken = event.broken_promises

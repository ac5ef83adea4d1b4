"""Instalment plans as doors calculate and promise them."""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel

from aggregates.account import Account
from aggregates.promise import Instalment, promised_amount
from aggregates.values.instalment_plan import Every, NoPlan, instalment_plan
from aggregates.values.money import Money
from api.application.amounts import Amount
from api.application.issuing import ImplausibleField
from api.application.plausibility import implausible


class InstalmentView(BaseModel):
    """A part of the promised amount and the day it is due."""

    due_on: date
    amount: Amount


class InstalmentPlanView(BaseModel):
    """What a promise in instalments would be; nothing is recorded."""

    total: Amount
    instalments: list[InstalmentView]


def instalments_of(
    account: Account,
    *,
    every: Every,
    first: date,
    count: int | None = None,
    amount: Money | None = None,
    total: Money | None = None,
) -> tuple[Instalment, ...]:
    """Of a total, else of what is owed and not promised yet. Raises ImplausibleField."""
    whole = account.receivables.balance - account.promises.held_back if total is None else total
    try:
        parts = instalment_plan(whole, first=first, every=every, count=count, amount=amount)
    except NoPlan as error:
        expected = error.expected
        if error.field == "total" and total is None:
            expected = "expected one: nothing is owed that is not promised already"
        raise ImplausibleField(error.field, expected) from None
    made = tuple(Instalment(due_on=due_on, amount=part) for due_on, part in parts)
    if (found := implausible(made)) is not None:
        raise ImplausibleField("first", found[1])
    return made


def plan_view(instalments: Sequence[Instalment]) -> InstalmentPlanView:
    return InstalmentPlanView(
        total=promised_amount(instalments),
        instalments=[InstalmentView(due_on=each.due_on, amount=each.amount) for each in instalments],
    )

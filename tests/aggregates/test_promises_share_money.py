"""Several open promises never cover the same money twice: random lives of one account."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import given as supposing
from hypothesis import settings
from hypothesis import strategies as st

from aggregates.kernel.command import Accepted, identifier
from aggregates.promise import PromiseToPay, WithdrawPromise
from aggregates.values.instalment_plan import Every, instalment_plan
from aggregates.values.money import Money
from tests.builders import (
    ACCOUNT,
    MAR,
    a_payment,
    a_promise,
    a_reversal,
    an_account,
    an_invoice,
    an_office,
    cents,
    instalments,
    usd,
)
from tests.examples import examples
from tests.given import World

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("promise"), st.sampled_from([2_000, 6_000, 9_000]), st.integers(0, 20)),
        st.tuples(st.just("plan"), st.sampled_from([2_001, 6_000]), st.integers(0, 20)),
        st.tuples(st.just("pay"), st.sampled_from([500, 3_000, 7_000]), st.integers(0, 3)),
        st.tuples(st.just("reverse"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("withdraw"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 10), st.just(0)),
    ),
    max_size=14,
)


@dataclass
class Life:
    """A world, and the promises and payments that there are in it."""

    world: World = field(default_factory=lambda: World(reacts=True))
    promises: list[Any] = field(default_factory=list)
    payments: dict[str, Money] = field(default_factory=dict)

    def take(self, step: tuple[str, int, int]) -> None:
        what, number, days = step
        getattr(self, what)(number, days)

    def promise(self, minor: int, days: int) -> None:
        promise_id = identifier("promise", len(self.promises))
        before = self.account.receivables.balance - self.account.promises.held_back
        command = a_promise(cents(minor), due_on=self.world.today + timedelta(days), promise_id=promise_id)
        made = isinstance(self.world.do(command), Accepted)
        assert made == (cents(minor) <= before)
        if made:
            self.promises.append(promise_id)

    def plan(self, minor: int, days: int) -> None:
        first = self.world.today + timedelta(days)
        plan = instalment_plan(cents(minor), first=first, every=Every.WEEK, count=3)
        promise_id = identifier("promise", len(self.promises))
        command = a_promise(cents(minor), due_on=first, promise_id=promise_id, instalments=instalments(*plan))
        if isinstance(self.world.do(command), Accepted):
            self.promises.append(promise_id)

    def pay(self, minor: int, days_ago: int) -> None:
        number = f"P-{len(self.payments)}"
        self.world.do(a_payment(cents(minor), on=self.world.today - timedelta(days_ago), number=number))
        self.payments[number] = cents(minor)

    def reverse(self, which: int, _: int) -> None:
        if which < len(self.payments):
            self.world.do(a_reversal(f"P-{which}", on=self.world.today))

    def withdraw(self, which: int, _: int) -> None:
        if which < len(self.promises):
            self.world.do(WithdrawPromise(promise_id=self.promises[which], account_id=ACCOUNT))

    def wait(self, days: int, _: int) -> None:
        self.world.live(self.world.now + timedelta(days), delivering=False)

    @property
    def account(self) -> Any:
        return self.world.account


@settings(max_examples=examples(150), deadline=None)
@supposing(STEPS)
def test_no_money_is_promised_or_counted_twice(steps: list[tuple[str, int, int]]):
    life = Life()
    life.world.move_to(MAR(9))
    for command in (
        an_office(),
        an_account(),
        an_invoice("A", due_on=MAR(2)),
        an_invoice("B", due_on=MAR(30), amount=usd(40)),
    ):
        life.world.do(command)
    for step in steps:
        life.take(step)
        counted: Counter[Any] = Counter()
        for promise_id in life.promises:
            promise = life.world.get(PromiseToPay, promise_id)
            assert promise.received <= promise.promised
            for payment_id, amount in promise.counted.items():
                counted[payment_id] += amount.minor
        gone = {funds.id for funds in life.account.receivables.used_up.values() if funds.reversed}
        amounts = {identifier("payment", ACCOUNT, number): each.minor for number, each in life.payments.items()}
        assert all(minor <= amounts[payment] for payment, minor in counted.items())
        assert not gone & counted.keys()
        for known in life.account.promises.open.values():
            promise = life.world.get(PromiseToPay, known.id)
            assert known.remaining == promise.promised - promise.received
            assert Money.total((left for _, left in known.to_come), "USD") == known.remaining

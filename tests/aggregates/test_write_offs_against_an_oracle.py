"""Write-offs, recoveries and what undoes either beside a second opinion: few invoices and close days, so they meet."""

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aggregates.account import Account
from aggregates.account.allocation import AllocateFunds, AllocationDue, SettleAllocation
from aggregates.account.disputes import ResolveDispute
from aggregates.account.payments import WithdrawReversal
from aggregates.account.receivables import ReversalKind
from aggregates.account.write_offs import ReverseWriteOff, WriteOffDebt
from aggregates.kernel.command import Accepted, Command
from aggregates.values.money import Money
from tests.aggregates.oracle import PlainLedger, as_of, put_by
from tests.builders import (
    ACCOUNT,
    DAY,
    JAN,
    a_corrected_invoice,
    a_corrected_payment,
    a_credit,
    a_dispute,
    a_payment,
    a_reversal,
    an_account,
    an_invoice,
    an_office,
    cents,
    payment_id,
)
from tests.examples import examples
from tests.given import World


class Step(NamedTuple):
    """What happens next, and what of it is chosen."""

    what: str
    pick: int
    other: int
    amount: Money
    age: int
    yes: bool


OFTEN = ("bill", "pay", "pay", "pay", "charge_back", "write_off", "write_off", "write_off", "days_pass", "days_pass")
SELDOM = (
    "credit", "withdraw_a_chargeback", "correct_a_payment", "correct_an_invoice", "dispute", "resolve", "decide",
    "reverse_a_write_off",
)  # fmt: skip
STEPS = st.lists(
    st.builds(
        Step,
        what=st.sampled_from(OFTEN) | st.sampled_from(SELDOM),
        pick=st.integers(0, 50),
        other=st.integers(0, 50),
        amount=st.integers(1, 6).map(lambda n: cents(n * 100)),
        age=st.sampled_from((0, 0, 0, 1, 2, 5)),
        yes=st.booleans(),
    ),
    min_size=10,
    max_size=20,
)


A_WRITTEN_OFF_INVOICE_IS_OF_A_LATER_DAY_AND_THEN_OF_AN_EARLIER_ONE = [
    Step(what, 0, 0, cents(100), age, yes=False)
    for what, age in (("write_off", 0), ("days_pass", 0), ("correct_an_invoice", 0), ("correct_an_invoice", 1))
]

A_DISPUTED_INVOICE_IS_WRITTEN_OFF_IN_PART_AND_MONEY_WAITS_FOR_THE_REST = [
    Step(what, pick, other, cents(amount), 0, yes=False)
    for what, pick, other, amount in (
        ("bill", 0, 0, 100), ("bill", 0, 0, 100), ("pay", 0, 0, 100), ("pay", 0, 0, 400), ("write_off", 0, 1, 100),
        ("days_pass", 0, 0, 100), ("pay", 0, 0, 100), ("correct_a_payment", 1, 0, 200), ("dispute", 0, 0, 100),
        ("days_pass", 0, 0, 100), ("bill", 0, 0, 100), ("write_off", 0, 1, 100),
    )
]  # fmt: skip


class Life:
    """An account, what happens to it, and the second opinion."""

    def __init__(self) -> None:
        self.world, self.oracle, self.seen = World(), PlainLedger(), 0
        self.world.move_to(JAN(15))
        self.world.do(an_office())
        self.world.do(an_account())
        self.invoices: list[str] = []
        self.payments: dict[str, date] = {}
        self.credits = 0

    def do(self, command: Command, **more: Any) -> bool:
        outcome = self.world.do(command, **more)
        if any(isinstance(recorded.event, AllocationDue) for recorded in self.world.log[self.seen :]):
            self.world.do(SettleAllocation(account_id=ACCOUNT))
        self.oracle.take(recorded.event for recorded in self.world.log[self.seen :])
        self.seen = len(self.world.log)
        return isinstance(outcome, Accepted)

    def take(self, step: Step) -> None:
        act: Callable[[Step], None] = getattr(self, step.what)
        act(step)

    def ago(self, step: Step) -> date:
        return self.world.today - step.age * DAY

    def invoice(self, pick: int) -> str:
        return self.invoices[pick % len(self.invoices)]

    def payment(self, step: Step) -> str:
        return sorted(self.payments)[step.pick % len(self.payments)]

    # --- facts ---

    def bill(self, step: Step) -> None:
        number, day = f"INV-{len(self.invoices)}", self.ago(step)
        terms = step.other % 6
        assert self.do(an_invoice(number, issued_on=day, due_on=day + terms * DAY, amount=step.amount))
        self.invoices.append(number)

    def pay(self, step: Step) -> None:
        number, day = f"PAY-{len(self.payments)}", self.ago(step)
        invoice = self.invoice(step.pick) if step.yes and self.invoices else None
        assert self.do(a_payment(step.amount, on=day, number=number, invoice=invoice))
        self.payments[number] = day

    def credit(self, step: Step) -> None:
        assert self.do(a_credit(step.amount, on=self.ago(step), number=f"CR-{self.credits}"))
        self.credits += 1

    def charge_back(self, step: Step) -> None:
        if self.payments:
            number = self.payment(step)
            amount = step.amount if step.yes else None
            remains = self.oracle.remains(payment_id(number))
            possible = remains > 0 and (amount is None or amount.minor <= remains)
            day = max(self.payments[number], self.ago(step))
            assert self.do(a_reversal(number, on=day, kind=ReversalKind.CHARGEBACK, amount=amount)) == possible

    def withdraw_a_chargeback(self, step: Step) -> None:
        if self.payments:
            self.do(WithdrawReversal(account_id=ACCOUNT, number=self.payment(step)))

    def correct_a_payment(self, step: Step) -> None:
        if self.payments:
            number, day = self.payment(step), self.ago(step)
            if self.do(a_corrected_payment(step.amount, on=day, number=number)):
                self.payments[number] = day

    def correct_an_invoice(self, step: Step) -> None:
        if self.invoices:
            day = self.ago(step)
            number = self.invoice(step.pick)
            assert self.do(a_corrected_invoice(number, issued_on=day, due_on=day + 2 * DAY, amount=step.amount))

    def dispute(self, step: Step) -> None:
        if items := self.open_items():
            balance = self.oracle.balance()
            self.do(a_dispute(items[step.pick % len(items)]), effective_on=self.ago(step))
            assert self.oracle.balance() == balance or not self.oracle.owes_as_before(self.ago(step))

    def resolve(self, step: Step) -> None:
        if disputes := sorted(self.world.account.disputes.open, key=str):
            dispute_id = disputes[step.pick % len(disputes)]
            resolve = ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="settled")
            balance = self.oracle.balance()
            assert self.do(resolve, effective_on=self.ago(step))
            assert self.oracle.balance() == balance or not self.oracle.owes_as_before(self.ago(step))

    def decide(self, step: Step) -> None:
        if self.payments and self.invoices:
            number, invoice = self.payment(step), self.invoice(step.other)
            self.do(AllocateFunds(account_id=ACCOUNT, number=number, invoice_number=invoice, amount=step.amount))

    def write_off(self, step: Step) -> None:
        """All of it brings the balance to zero. Some are refused: nothing is owed, or not so much."""
        items = self.open_items()
        invoices = (items[step.pick % len(items)],) if items and step.other % 4 == 0 else ()
        amount = step.amount if step.yes else None
        balance, before = self.oracle.balance(), sum(self.oracle.written_off().values())
        command = WriteOffDebt(
            account_id=ACCOUNT, code="other", amount=amount, invoices=invoices, keeps_claim=step.other % 5 > 0
        )
        done = self.do(command, reason="not worth it")
        if not invoices:
            assert done == (balance > 0 and (amount is None or amount.minor <= balance))
            assert not done or amount is not None or self.oracle.balance() == 0
        if done:
            taken = sum(self.oracle.written_off().values()) - before
            assert taken > 0
            assert amount is None or taken == amount.minor

    def reverse_a_write_off(self, step: Step) -> None:
        """From its own day on; of one that was recovered entirely nothing can be restored."""
        if self.oracle.write_offs:
            write_off_id = list(self.oracle.write_offs)[step.pick % len(self.oracle.write_offs)]
            of = self.oracle.write_offs[write_off_id]
            day = max(of["on"], self.ago(step))
            possible = of["gone"] is None and self.oracle.written_off()[write_off_id] > 0
            command = ReverseWriteOff(account_id=ACCOUNT, number=of["number"], reversed_on=day)
            assert self.do(command, reason="mistaken") == possible

    def days_pass(self, step: Step) -> None:
        self.world.move_to(self.world.today + (1 + step.age % 3) * DAY)

    def open_items(self) -> list[str]:
        return sorted(item.item.number for item in self.world.account.receivables.items.values())

    # --- what holds ---

    def check(self) -> None:
        receivables, stands = self.world.account.receivables, self.oracle.written_off()
        assert put_by(self.world.log) == self.oracle.put()
        assert {i: item.open.minor for i, item in receivables.items.items()} == self.oracle.open_items()
        assert {f.id: f.unapplied.minor for f in receivables.funds.values()} == self.oracle.left_over()
        assert receivables.balance.minor == self.oracle.balance()
        assert {i: each.stands.minor for i, each in receivables.write_offs.items()} == stands
        assert {i: each.amount.minor for i, each in receivables.write_offs.items()} == {
            each: self.oracle.written_off_on_its_day(each) for each in stands
        }
        assert receivables.claims.minor == sum(stands[i] for i in stands if self.oracle.write_offs[i]["claim"])
        disputed = sum(receivables.disputed_of(item).minor for item in receivables.items.values())
        assert not receivables.claims or receivables.unapplied.minor <= disputed
        for day, (items, unapplied) in as_of(self.world.log).items():
            assert unapplied >= 0, day
            assert all(amount >= 0 for amount in items.values()), day

    def check_replay(self) -> None:
        live = self.world.account
        assert self.world.store.replayed(Account, ACCOUNT) == live
        assert Account.model_validate_json(live.model_dump_json()) == live
        whole = self.world.store.replayed(Account, ACCOUNT, whole=True)
        assert whole.receivables.write_offs == live.receivables.write_offs
        assert not whole.allocation.restated()


@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
@given(STEPS)
@example(A_WRITTEN_OFF_INVOICE_IS_OF_A_LATER_DAY_AND_THEN_OF_AN_EARLIER_ONE)
@example(A_DISPUTED_INVOICE_IS_WRITTEN_OFF_IN_PART_AND_MONEY_WAITS_FOR_THE_REST)
def test_every_day_s_write_offs_and_recoveries_are_the_oracle_s(steps):
    life = Life()
    for number, amount in ((1, 400), (2, 300)):
        life.take(Step("bill", 0, number, cents(amount), number, yes=False))
    for step in steps:
        life.take(step)
        life.check()
    life.check_replay()

"""Money between accounts beside a second opinion for each, over random histories: none is lost, none is made."""

from datetime import date
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aggregates.account import Account
from aggregates.account.allocation import AllocateFunds, AllocationDue, SettleAllocation
from aggregates.account.between_accounts import MovePayment, TransferPayment, WithdrawTransfer
from aggregates.account.command import account_id, document_id
from aggregates.account.payments import (
    CorrectPayment,
    FundsRefunded,
    PaymentReceived,
    PaymentReversed,
    PaymentReversedInPart,
    Refund,
    RefundWithdrawn,
    ReversalKind,
    ReversalWithdrawn,
    ReversePayment,
    WithdrawReversal,
)
from aggregates.account.transfers import PaymentTransferred, TransferReturned
from aggregates.kernel.command import Accepted, Command
from aggregates.kernel.event import Recorded
from tests.aggregates.oracle import PlainLedger, as_of, put_by
from tests.builders import DAY, JAN, OFFICE, a_payment, an_account, an_invoice, an_office, cents
from tests.examples import examples
from tests.given import World

NUMBERS = ("A-1", "B-1", "C-1")
IDS = tuple(account_id(OFFICE, number) for number in NUMBERS)
AMOUNTS = st.integers(1, 60).map(lambda n: cents(n * 10))
AGES = st.integers(0, 60)
PICK = st.integers(0, 1_000)
ACCOUNTS = st.sampled_from(IDS)


class AccountsAgainstAnOracle(RuleBasedStateMachine):
    """Invoices, payments, their correction and reversal, and money that goes from account to account."""

    @initialize()
    def open(self) -> None:
        self.world = World()
        self.oracles = {each: PlainLedger() for each in IDS}
        self.seen = 0
        self.world.move_to(JAN(15))
        self.world.do(an_office())
        for number in NUMBERS:
            self.world.do(an_account(number=number))
        self.invoices: list[tuple[UUID, str]] = []
        self.payments: list[tuple[UUID, str]] = []
        """Every one that ever stood on an account, whether its money came in there or from another."""
        self.came = 0
        self.cash: dict[str, int] = {}
        """What came in, by number; what was taken back is gone."""
        self.amounts: dict[str, int] = {}
        """What each payment is of, whatever went back."""
        self.back: dict[str, int] = {}
        """What went back of it in parts."""
        self.whole: dict[str, ReversalKind] = {}
        """Why all of it did."""

    # --- steps ---

    def do(self, command: Command) -> bool:
        outcome = self.world.do(command)
        while self.seen < len(self.world.log):
            recorded = self.world.log[self.seen]
            self.seen += 1
            self.oracles.get(recorded.aggregate_id, PlainLedger()).take([recorded.event])
            if isinstance(recorded.event, AllocationDue):
                self.world.do(SettleAllocation(account_id=recorded.aggregate_id))
            if isinstance(recorded.event, PaymentReceived):
                self.payments.append((recorded.aggregate_id, recorded.event.receipt.number))
        return isinstance(outcome, Accepted)

    def payment(self, pick: int) -> dict[str, Any]:
        account, number = self.payments[pick % len(self.payments)]
        return {"account_id": account, "number": number}

    def ago(self, age: int) -> date:
        return self.world.today - age * DAY

    @rule(account=ACCOUNTS, amount=AMOUNTS, age=AGES, terms=st.integers(0, 40))
    def bill(self, account, amount, age, terms) -> None:
        number, day = f"INV-{len(self.invoices)}", self.ago(age)
        assert self.do(an_invoice(number, account_id=account, issued_on=day, due_on=day + terms * DAY, amount=amount))
        self.invoices.append((account, number))

    @rule(account=ACCOUNTS, debtor=st.none() | ACCOUNTS, amount=AMOUNTS, age=AGES)
    def pay(self, account, debtor, amount, age) -> None:
        number = f"PAY-{self.came}"
        self.came += 1
        debtor = None if debtor == account else debtor
        assert self.do(a_payment(amount, on=self.ago(age), number=number, account_id=account, for_account_id=debtor))
        self.cash[number] = self.amounts[number] = amount.minor

    @precondition(lambda self: self.payments)
    @rule(pick=PICK, to=ACCOUNTS, amount=st.none() | AMOUNTS, age=AGES)
    def transfer(self, pick, to, amount, age) -> None:
        payment = self.payment(pick)
        if payment["account_id"] != to:
            on = self.ago(age)
            self.do(TransferPayment(**payment, to_account_id=to, amount=amount, transferred_on=on))

    @precondition(lambda self: self.payments)
    @rule(pick=PICK)
    def withdraw(self, pick) -> None:
        self.do(WithdrawTransfer(**self.payment(pick)))

    @precondition(lambda self: self.payments)
    @rule(pick=PICK, to=ACCOUNTS)
    def move(self, pick, to) -> None:
        payment = self.payment(pick)
        if payment["account_id"] != to:
            self.do(MovePayment(**payment, to_account_id=to))

    @precondition(lambda self: self.payments)
    @rule(pick=PICK, age=AGES, kind=st.sampled_from(ReversalKind))
    def reverse(self, pick, age, kind) -> None:
        payment = self.payment(pick)
        number = payment["number"]
        if self.do(ReversePayment(**payment, reversal=kind, reversed_on=self.ago(age))):
            if number in self.back:
                self.back[number] += self.cash[number]
            else:
                self.whole[number] = kind
            del self.cash[number]

    @precondition(lambda self: self.payments)
    @rule(pick=PICK, amount=AMOUNTS, age=AGES, refunds=st.booleans())
    def send_back(self, pick, amount, age, refunds) -> None:
        """A part is taken back or refunded, of what is on the account that it came in on."""
        payment, day = self.payment(pick), self.ago(age)
        number = payment["number"]
        part = (
            Refund(**payment, amount=amount, refunded_on=day)
            if refunds
            else ReversePayment(**payment, amount=amount, reversal=ReversalKind.CHARGEBACK, reversed_on=day)
        )
        if self.do(part):
            if amount.minor == self.cash[number] and number not in self.back and not refunds:
                self.whole[number] = ReversalKind.CHARGEBACK
            else:
                self.back[number] = self.back.get(number, 0) + amount.minor
            self.cash[number] -= amount.minor
            if not self.cash[number]:
                del self.cash[number]

    @precondition(lambda self: self.payments)
    @rule(pick=PICK)
    def withdraw_a_whole_reversal(self, pick) -> None:
        payment = self.payment(pick)
        number = payment["number"]
        if number in self.whole and self.do(WithdrawReversal(**payment)):
            del self.whole[number]
            self.cash[number] = self.amounts[number]

    @precondition(lambda self: self.payments)
    @rule(pick=PICK, amount=AMOUNTS, age=AGES)
    def correct(self, pick, amount, age) -> None:
        payment = self.payment(pick)
        number = payment["number"]
        if self.do(CorrectPayment(**payment, amount=amount, received_on=self.ago(age))):
            self.amounts[number] = amount.minor
            if self.whole.get(number, ReversalKind.ERROR) is not ReversalKind.ERROR:
                return  # it is taken back still
            self.whole.pop(number, None)
            self.cash.pop(number, None)
            if left := amount.minor - self.back.get(number, 0):
                self.cash[number] = left

    @precondition(lambda self: self.payments and self.invoices)
    @rule(pick=PICK, nth=PICK, amount=AMOUNTS)
    def decide(self, pick, nth, amount) -> None:
        account, invoice = self.invoices[nth % len(self.invoices)]
        payment = self.payment(pick)
        if payment["account_id"] == account:
            self.do(AllocateFunds(**payment, invoice_number=invoice, amount=amount))

    @rule(days=st.integers(1, 20))
    def days_pass(self, days) -> None:
        self.world.move_to(self.world.today + days * DAY)

    # --- what holds ---

    def log_of(self, account: UUID) -> list[Recorded]:
        return [recorded for recorded in self.world.log if recorded.aggregate_id == account]

    @invariant()
    def all_accounts_together_owe_what_was_billed_less_what_came_in(self) -> None:
        receivables = [self.world.get(Account, each).receivables for each in IDS]
        billed = sum(item["amount"] for oracle in self.oracles.values() for item in oracle.items.values())
        assert sum(each.balance.minor for each in receivables) == billed - sum(self.cash.values())

    @invariant()
    def no_money_is_on_two_accounts(self) -> None:
        """What came in is on its account and, as far as it was transferred, on others: once."""
        there: dict[tuple[UUID, str], int] = {}
        for recorded in self.world.log:
            match recorded.event:
                case PaymentReceived(receipt=receipt):
                    source = receipt.transferred_from
                    key = (recorded.aggregate_id, receipt.number)
                    of = key if source is None else (source.account_id, source.number)
                    there[of] = there.get(of, 0) + receipt.amount.minor
                case PaymentReversed(receipt=receipt):
                    source = receipt.transferred_from
                    key = (recorded.aggregate_id, receipt.number)
                    of = key if source is None else (source.account_id, source.number)
                    there[of] -= receipt.amount.minor
                case PaymentReversedInPart(receipt=receipt, part=part) | FundsRefunded(receipt=receipt, part=part):
                    there[recorded.aggregate_id, receipt.number] -= part.amount.minor
                case ReversalWithdrawn(receipt=receipt, part=part) | RefundWithdrawn(receipt=receipt, part=part):
                    there[recorded.aggregate_id, receipt.number] += part.amount.minor
                case PaymentTransferred(receipt=receipt, amount=amount):
                    there[recorded.aggregate_id, receipt.number] -= amount.minor
                case TransferReturned(receipt=receipt, amount=amount):
                    there[recorded.aggregate_id, receipt.number] += amount.minor
        on_accounts: dict[str, int] = {}
        for (_, number), minor in there.items():
            on_accounts[number] = on_accounts.get(number, 0) + minor
        assert {number: minor for number, minor in on_accounts.items() if minor} == self.cash

    @invariant()
    def each_account_is_its_oracle_s(self) -> None:
        for each, oracle in self.oracles.items():
            receivables = self.world.get(Account, each).receivables
            assert {i: item.open.minor for i, item in receivables.items.items()} == oracle.open_items()
            assert {f.id: f.unapplied.minor for f in receivables.funds.values()} == oracle.left_over()
            assert put_by(self.log_of(each)) == oracle.put()

    @invariant()
    def the_ledger_of_every_day_adds_up(self) -> None:
        for each in IDS:
            days = as_of(self.log_of(each))
            for day, (items, unapplied) in days.items():
                assert unapplied >= 0, day
                assert all(amount >= 0 for amount in items.values()), day
            if days:
                items, unapplied = days[max(days)]
                assert sum(items.values()) - unapplied == self.world.get(Account, each).receivables.balance.minor

    @invariant()
    def a_replay_gives_the_same(self) -> None:
        for each in IDS:
            live = self.world.get(Account, each)
            assert self.world.store.replayed(Account, each) == live
            assert Account.model_validate_json(live.model_dump_json()) == live
            remembering = self.world.store.replayed(Account, each, whole=True)
            assert remembering.receivables.balance == live.receivables.balance
            assert {i: f.receipt for i, f in remembering.receivables.funds.items()} == {
                i: f.receipt for i, f in live.receivables.funds.items()
            }

    @invariant()
    def both_sides_know_each_other(self) -> None:
        whole = {each: self.world.store.replayed(Account, each, whole=True).receivables for each in IDS}
        sent = {
            (funds.id, document_id(there.to.account_id, "payment", there.to.number), there.amount.minor)
            for receivables in whole.values()
            for funds in (*receivables.funds.values(), *receivables.used_up.values())
            for there in funds.sent
            if there.back_on is None and not funds.reversed
        }
        received = {
            (document_id(source.account_id, "payment", source.number), funds.id, funds.receipt.amount.minor)
            for receivables in whole.values()
            for funds in (*receivables.funds.values(), *receivables.used_up.values())
            if (source := funds.receipt.transferred_from) is not None and not funds.reversed
        }
        assert sent == received


TestAccountsAgainstAnOracle = AccountsAgainstAnOracle.TestCase
TestAccountsAgainstAnOracle.settings = settings(
    max_examples=examples(40),
    stateful_step_count=20,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

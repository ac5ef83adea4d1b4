"""The account's ledger beside a second one in plain dictionaries, over random histories."""

from datetime import date
from itertools import count
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aggregates.account import Account
from aggregates.account.aging import AgeAccount
from aggregates.account.allocation import AllocateFunds, AllocationDue, SettleAllocation
from aggregates.account.billing import WithdrawInvoice
from aggregates.account.command import document_id
from aggregates.account.disputes import ResolveDispute
from aggregates.account.payments import CorrectCredit, WithdrawCredit, WithdrawRefund, WithdrawReversal
from aggregates.account.receivables import Funds, Instruction, ItemKind, Receipt, ReversalKind
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
    a_payment_again,
    a_refund,
    a_reversal,
    an_account,
    an_invoice,
    an_office,
    cents,
    credit_id,
    payment_id,
)
from tests.examples import examples
from tests.given import World

AMOUNTS = st.integers(1, 60).map(lambda n: cents(n * 10))
AGES = st.integers(-5, 70)
"""How many days ago something happened; negative is in the future."""
PICK = st.integers(0, 1_000)
NAMED = st.none() | st.tuples(st.integers(0, 9), st.none() | PICK)
"""An invoice, and which of the due days that it ever had, where the money names that too."""

SEVERAL = st.lists(
    st.tuples(st.tuples(st.integers(0, 6), st.none() | PICK), st.none() | AMOUNTS),
    min_size=1,
    max_size=3,
    unique_by=lambda said: said[0][0],
)
"""Invoices, and what is for each at most."""


def money_of(funds: Funds) -> tuple[Receipt, Money, bool]:
    """What of it does not follow from what it settled."""
    return funds.receipt, funds.unapplied, funds.waits


class LedgerAgainstAnOracle(RuleBasedStateMachine):
    """Billing, money in, reversals, corrections and disputes in any order, dated in the past, today or ahead."""

    @initialize()
    def open(self) -> None:
        self.world = World()
        self.oracle = PlainLedger()
        self.seen = 0
        self.world.move_to(JAN(15))
        self.world.do(an_office())
        self.world.do(an_account())
        self.invoices: list[str] = []
        self.due: dict[str, list[date]] = {}
        """Days on which an invoice, or an instalment of it, is or was due."""
        self.documents: list[tuple[str, date | None]] = []
        """Everything that was billed: number and instalment."""
        self.payments: dict[str, date] = {}
        self.payment_numbers = count()
        self.credits: dict[str, date] = {}
        self.credit_numbers = count()

    # --- steps ---

    def do(self, command: Command, **more: Any) -> bool:
        outcome = self.world.do(command, **more)
        self.tell()
        return isinstance(outcome, Accepted)

    def tell(self) -> None:
        """What is due is settled, and the oracle hears of the facts."""
        for recorded in self.world.log[self.seen :]:
            if isinstance(recorded.event, AllocationDue):
                self.world.do(SettleAllocation(account_id=ACCOUNT))
                break
        self.oracle.take(recorded.event for recorded in self.world.log[self.seen :])
        self.seen = len(self.world.log)

    def number(self, named: tuple[int, int | None] | None) -> str | None:
        """An invoice that is on the account, or one that may come, or one instalment of it."""
        if named is None:
            return None
        nth, pick = named
        due = self.due.get(f"INV-{nth}", [])
        return f"INV-{nth}" if pick is None or not due else f"INV-{nth}/{due[pick % len(due)]}"

    @rule(amount=AMOUNTS, age=AGES, terms=st.integers(0, 40), fee=st.booleans())
    def bill(self, amount, age, terms, fee) -> None:
        number = f"INV-{len(self.invoices)}"
        issued_on = self.world.today - age * DAY
        kind = ItemKind.FEE if fee else ItemKind.INVOICE
        assert self.do(
            an_invoice(number, issued_on=issued_on, due_on=issued_on + terms * DAY, amount=amount, kind=kind)
        )
        self.invoices.append(number)
        self.documents.append((number, None))
        self.due[number] = [issued_on + terms * DAY]

    @precondition(lambda self: self.invoices)
    @rule(pick=PICK, amount=AMOUNTS, age=AGES, terms=st.integers(0, 40))
    def bill_an_instalment(self, pick, amount, age, terms) -> None:
        """Some are refused: one is due on that day already. Nothing is billed twice: its natural key sees to that, also
        where the account has forgotten it."""
        number = self.invoices[pick % len(self.invoices)]
        issued_on = self.world.today - age * DAY
        due_on = issued_on + terms * DAY
        if (number, due_on) in self.documents:
            return
        more = {"issued_on": issued_on, "due_on": due_on, "amount": amount, "instalment": due_on}
        if self.do(an_invoice(number, **more)):
            self.documents.append((number, due_on))
            self.due[number].append(due_on)

    @rule(amount=AMOUNTS, age=AGES, named=NAMED)
    def pay(self, amount, age, named) -> None:
        number = f"PAY-{next(self.payment_numbers)}"
        received_on = self.world.today - age * DAY
        assert self.do(a_payment(amount, on=received_on, number=number, invoice=self.number(named)))
        self.payments[number] = received_on

    @rule(amount=AMOUNTS, age=AGES, named=NAMED)
    def credit(self, amount, age, named) -> None:
        number = f"CR-{next(self.credit_numbers)}"
        issued_on = self.world.today - age * DAY
        assert self.do(a_credit(amount, on=issued_on, number=number, invoice=self.number(named)))
        self.credits[number] = issued_on

    @rule(amount=AMOUNTS, age=AGES, several=SEVERAL, with_text=st.booleans(), correct=st.booleans(), pick=PICK)
    def pay_several(self, amount, age, several, *, with_text, correct, pick) -> None:
        """A new payment, or a known one that was for several; some of the amounts are more than the invoice's."""
        left, said = amount.minor, []
        for named, share in several:
            most = None if share is None else min(left, share.minor)
            left -= most or 0
            if most != 0:
                said.append(Instruction(invoice_number=self.number(named) or "", amount=most and cents(most)))
        text = ", ".join(each.invoice_number for each in said)
        more: dict[str, Any] = {"instructions": tuple(said), "invoice": text if with_text and len(said) > 1 else None}
        received_on = self.world.today - age * DAY
        if correct and self.payments and age >= 0:
            number = sorted(self.payments)[pick % len(self.payments)]
            waits = payment_id(number) not in self.oracle.there_once()
            possible = waits or self.oracle.can_be_restated(payment_id(number), received_on, amount.minor)
            assert self.do(a_corrected_payment(amount, on=received_on, number=number, **more)) == possible
        else:
            number, possible = f"PAY-{next(self.payment_numbers)}", True
            assert self.do(a_payment(amount, on=received_on, number=number, **more))
        if possible:
            self.payments[number] = received_on

    @rule(amount=AMOUNTS, age=AGES, numbers=st.permutations(range(4)))
    def bill_under_a_list(self, amount, age, numbers) -> None:
        """An invoice whose number is what a payer may have meant as two numbers."""
        number = f"INV-{numbers[0]}, INV-{numbers[1]}"
        issued_on = self.world.today - age * DAY
        due_on = issued_on + 5 * DAY
        if (number, None) in self.documents:
            return
        if self.do(an_invoice(number, issued_on=issued_on, due_on=due_on, amount=amount)):
            self.documents.append((number, None))
            self.due[number] = [due_on]

    @precondition(lambda self: self.payments)
    @rule(pick=PICK, age=st.integers(0, 70), kind=st.sampled_from(ReversalKind))
    def reverse(self, pick, age, kind) -> None:
        number = sorted(self.payments)[pick % len(self.payments)]
        day = max(self.payments[number], self.world.today - age * DAY)
        remains = self.oracle.remains(payment_id(number))
        possible = remains > 0 and not (kind is ReversalKind.ERROR and self.oracle.parts_of(payment_id(number)))
        if kind is ReversalKind.ERROR and self.waits_since(day, number):
            # Corrected to be of a day that is here, before the tick that takes it: it never came.
            assert self.do(a_reversal(number, on=day, kind=kind))
            del self.payments[number]
            return
        assert self.do(a_reversal(number, on=day, kind=kind)) == possible

    def waits_since(self, day: date, number: str) -> bool:
        return (
            day <= self.world.today
            and document_id(ACCOUNT, "deferred-payment", number) in self.world.account.deferred.facts
        )

    @precondition(lambda self: self.payments)
    @rule(pick=PICK, amount=AMOUNTS, age=st.integers(0, 70), named=NAMED)
    def reverse_in_part(self, pick, amount, age, named) -> None:
        number = sorted(self.payments)[pick % len(self.payments)]
        day = max(self.payments[number], self.world.today - age * DAY)
        invoice = self.number(named)
        money = payment_id(number)
        clear = invoice is None or self.oracle.only(invoice) or amount.minor == self.oracle.amount_of(money)
        possible = clear and 0 < amount.minor <= self.oracle.remains(money)
        assert self.do(a_reversal(number, on=day, amount=amount, invoice_number=invoice)) == possible

    @precondition(lambda self: self.payments)
    @rule(pick=PICK)
    def withdraw_a_reversal(self, pick) -> None:
        """Of several that are not told apart by day and amount it is refused."""
        number = sorted(self.payments)[pick % len(self.payments)]
        reversals = self.oracle.reversals_of(payment_id(number))
        if not reversals:
            assert not self.do(WithdrawReversal(account_id=ACCOUNT, number=number))
            return
        day, amount, _, _ = reversals[pick % len(reversals)]
        meant = {each for each in reversals if each[:2] == (day, amount)}
        withdraw = WithdrawReversal(account_id=ACCOUNT, number=number, reversed_on=day, amount=cents(amount))
        assert self.do(withdraw) == (len(meant) == 1)

    @rule(amount=AMOUNTS, age=st.integers(0, 70), pick=st.none() | PICK)
    def refund(self, amount, age, pick) -> None:
        """Of what is put nowhere, on that day and since; so nothing is put elsewhere, but for what is written off."""
        day = self.world.today - age * DAY
        free, put = self.oracle.unapplied_since(day), self.oracle.put()
        number = None if pick is None or not self.payments else sorted(self.payments)[pick % len(self.payments)]
        most = sum(free.values()) if number is None else free.get(payment_id(number), 0)
        assert self.do(a_refund(amount, on=day, number=number)) == (amount.minor <= most)
        assert self.oracle.write_offs or self.oracle.put() == put

    @precondition(lambda self: self.payments)
    @rule(pick=PICK)
    def withdraw_a_refund(self, pick) -> None:
        number = sorted(self.payments)[pick % len(self.payments)]
        refunds = [part for part in self.oracle.parts_of(payment_id(number)) if part["why"] is None]
        if refunds:
            part = refunds[pick % len(refunds)]
            amount = cents(part["amount"])
            assert self.do(WithdrawRefund(account_id=ACCOUNT, number=number, refunded_on=part["on"], amount=amount))

    @precondition(lambda self: self.payments)
    @rule(pick=PICK, amount=AMOUNTS, age=st.integers(0, 70), named=NAMED)
    def receive_again(self, pick, amount, age, named) -> None:
        number = sorted(self.payments)[pick % len(self.payments)]
        day = self.world.today - age * DAY
        possible = self.oracle.was_taken_back(payment_id(number)) and day >= self.oracle.free_from(payment_id(number))
        assert self.do(a_payment_again(amount, on=day, number=number, invoice=self.number(named))) == possible
        if possible:
            self.payments[number] = day

    @precondition(lambda self: self.payments)
    @rule(pick=PICK, amount=AMOUNTS, age=st.integers(0, 70), named=NAMED)
    def correct_payment(self, pick, amount, age, named) -> None:
        number = sorted(self.payments)[pick % len(self.payments)]
        day = self.world.today - age * DAY
        waits = payment_id(number) not in self.oracle.there_once()
        possible = waits or self.oracle.can_be_restated(payment_id(number), day, amount.minor)
        assert self.do(a_corrected_payment(amount, on=day, number=number, invoice=self.number(named))) == possible
        if possible:
            self.payments[number] = day

    @precondition(lambda self: self.credits)
    @rule(pick=PICK, amount=AMOUNTS, age=st.integers(0, 70), named=NAMED)
    def correct_credit(self, pick, amount, age, named) -> None:
        number = sorted(self.credits)[pick % len(self.credits)]
        day = self.world.today - age * DAY
        waits = credit_id(number) not in self.oracle.there_once()
        possible = waits or self.oracle.can_be_restated(credit_id(number), day, amount.minor)
        done = self.do(
            CorrectCredit(
                account_id=ACCOUNT, number=number, amount=amount, issued_on=day, invoice_number=self.number(named)
            )
        )
        assert done == possible
        if done:
            self.credits[number] = day

    @precondition(lambda self: self.credits)
    @rule(pick=PICK)
    def withdraw_credit(self, pick) -> None:
        number = sorted(self.credits)[pick % len(self.credits)]
        credit = credit_id(number)
        waits = credit not in self.oracle.there_once()
        possible = waits or (self.oracle.is_there(credit) and not self.oracle.parts_of(credit))
        assert self.do(WithdrawCredit(account_id=ACCOUNT, number=number)) == possible
        if waits:
            del self.credits[number]

    @precondition(lambda self: self.invoices)
    @rule(pick=PICK, amount=AMOUNTS, age=st.integers(0, 70), terms=st.integers(0, 40))
    def correct_invoice(self, pick, amount, age, terms) -> None:
        number, instalment = self.documents[pick % len(self.documents)]
        issued_on = self.world.today - age * DAY
        due_on = issued_on + terms * DAY
        more = {"issued_on": issued_on, "due_on": due_on, "amount": amount, "instalment": instalment}
        assert self.do(a_corrected_invoice(number, **more))
        self.due[number].append(due_on)

    @precondition(lambda self: self.invoices)
    @rule(pick=PICK, whole=st.booleans())
    def withdraw_invoice(self, pick, whole) -> None:
        """Or one instalment of it."""
        number, instalment = self.documents[pick % len(self.documents)]
        name = number if whole or instalment is None else f"{number}/{instalment}"
        owed = sum(self.oracle.items[item_id]["amount"] for item_id in self.oracle.meant(name))
        if self.world.account.billing.waits_for_its_day(name):
            return  # then it never was, and nothing of it is known that the other rules could ask for
        done = self.do(WithdrawInvoice(account_id=ACCOUNT, number=name), reason="voided")
        if name == number or self.oracle.only(name):
            assert done == (owed > 0)
            assert not any(self.oracle.items[item_id]["amount"] for item_id in self.oracle.meant(name))

    @precondition(lambda self: self.world.account.receivables.items)
    @rule(pick=PICK, everything=st.booleans(), age=st.integers(0, 70))
    def dispute(self, pick, everything, age) -> None:
        items = sorted(item.item.number for item in self.world.account.receivables.items.values())
        numbers = [] if everything else [items[pick % len(items)]]
        self.only_what_is_chased(a_dispute(*numbers), age)

    @precondition(lambda self: self.world.account.receivables.items)
    @rule(parts=st.dictionaries(PICK, AMOUNTS, min_size=1, max_size=2), age=st.integers(0, 70))
    def dispute_parts(self, parts, age) -> None:
        """Some are refused: more than is open, or disputed already."""
        items = sorted(item.item.number for item in self.world.account.receivables.items.values())
        amounts = {items[pick % len(items)]: amount for pick, amount in parts.items()}
        self.only_what_is_chased(a_dispute(**amounts), age)

    @precondition(lambda self: self.world.account.disputes.open)
    @rule(pick=PICK, age=st.integers(0, 70))
    def resolve(self, pick, age) -> None:
        disputes = sorted(self.world.account.disputes.open, key=str)
        dispute_id = disputes[pick % len(disputes)]
        resolve = ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="settled")
        assert self.only_what_is_chased(resolve, age)

    def only_what_is_chased(self, command: Command, age: int) -> bool:
        """Is what a dispute changes, or its resolution; not what is owed."""
        day, balance = self.world.today - age * DAY, self.oracle.balance()
        done = self.do(command, effective_on=day)
        assert self.oracle.balance() == balance or not self.oracle.owes_as_before(day)
        return done

    @precondition(lambda self: self.payments and self.invoices)
    @rule(pick=PICK, nth=PICK, amount=AMOUNTS, age=st.none() | st.integers(0, 70))
    def decide(self, pick, nth, amount, age) -> None:
        """Some are refused: too early, too much, taken back."""
        number = sorted(self.payments)[pick % len(self.payments)]
        invoice, instalment = self.documents[nth % len(self.documents)]
        invoice = invoice if instalment is None else f"{invoice}/{instalment}"
        on = None if age is None else self.world.today - age * DAY
        self.do(
            AllocateFunds(account_id=ACCOUNT, number=number, invoice_number=invoice, amount=amount, allocated_on=on)
        )

    @rule(
        amount=st.none() | AMOUNTS,
        picks=st.lists(PICK, max_size=2),
        keeps_claim=st.sampled_from([True, True, False]),
    )
    def write_off(self, amount, picks, keeps_claim) -> None:
        """All of it brings the balance to zero. Some are refused: nothing is owed, or not so much."""
        items = sorted(item.item.number for item in self.world.account.receivables.items.values())
        invoices = tuple({items[pick % len(items)]: None for pick in picks}) if items else ()
        balance, before = self.oracle.balance(), sum(self.oracle.written_off().values())
        command = WriteOffDebt(
            account_id=ACCOUNT, code="other", amount=amount, invoices=invoices, keeps_claim=keeps_claim
        )
        done = self.do(command, reason="not worth it")
        if amount is None and not invoices:
            assert done == (balance > 0)
            assert not done or self.oracle.balance() == 0
        if done:
            taken = sum(self.oracle.written_off().values()) - before
            assert taken > 0
            assert amount is None or taken == amount.minor

    @precondition(lambda self: self.oracle.write_offs)
    @rule(pick=PICK, age=st.none() | st.integers(0, 70))
    def reverse_write_off(self, pick, age) -> None:
        """From its own day on; of one that was recovered entirely nothing can be restored."""
        write_off_id = list(self.oracle.write_offs)[pick % len(self.oracle.write_offs)]
        of = self.oracle.write_offs[write_off_id]
        day = self.world.today if age is None else max(of["on"], self.world.today - age * DAY)
        possible = of["gone"] is None and self.oracle.written_off()[write_off_id] > 0
        command = ReverseWriteOff(account_id=ACCOUNT, number=of["number"], reversed_on=day)
        assert self.do(command, reason="mistaken") == possible

    @rule(days=st.integers(1, 40))
    def days_pass(self, days) -> None:
        self.world.move_to(self.world.today + days * DAY)
        self.world.tick()
        self.tell()

    # --- what holds ---

    @invariant()
    def balances_are_the_oracle_s(self) -> None:
        account = self.world.account
        assert {i: item.open.minor for i, item in account.receivables.items.items()} == self.oracle.open_items()
        assert {f.id: f.unapplied.minor for f in account.receivables.funds.values()} == self.oracle.left_over()
        assert account.receivables.balance.minor == self.oracle.balance()
        assert account.receivables.outstanding.minor == sum(self.oracle.open_items().values())
        assert all(0 < item.open.minor <= item.item.amount.minor for item in account.receivables.items.values())

    @invariant()
    def what_is_written_off_is_the_oracle_s(self) -> None:
        receivables = self.world.account.receivables
        stands = self.oracle.written_off()
        assert {i: each.stands.minor for i, each in receivables.write_offs.items()} == stands
        assert {i: each.amount.minor for i, each in receivables.write_offs.items()} == {
            each: self.oracle.written_off_on_its_day(each) for each in stands
        }
        assert receivables.claims.minor == sum(stands[i] for i in stands if self.oracle.write_offs[i]["claim"])

    @invariant()
    def nothing_is_left_over_where_a_claim_waits(self) -> None:
        """But money that is kept for an invoice, or for what a person decided, and what covers disputed items."""
        receivables = self.world.account.receivables
        if receivables.claims and not self.oracle.decided:
            free = (f.unapplied.minor for f in receivables.funds.values() if f.receipt.meant_for == (None, None))
            assert sum(free) <= sum(receivables.disputed_of(item).minor for item in receivables.items.values())

    @invariant()
    def what_is_disputed_is_the_oracle_s(self) -> None:
        receivables = self.world.account.receivables
        disputed = {
            i: amount.minor for i, item in receivables.items.items() if (amount := receivables.disputed_of(item))
        }
        assert disputed == self.oracle.disputed(self.world.today)

    @invariant()
    def money_is_where_the_facts_say_day_by_day(self) -> None:
        assert put_by(self.world.log) == self.oracle.put()

    @invariant()
    def buckets_add_up(self) -> None:
        self.world.do(AgeAccount(account_id=ACCOUNT))
        self.tell()
        account = self.world.account
        sums = dict.fromkeys(self.world.office.scheme.names, 0)
        for item in account.receivables.items.values():
            sums[item.bucket] += item.open.minor
        assert sums == self.oracle.buckets(self.world.today)
        assert sum(sums.values()) == account.receivables.outstanding.minor

    @invariant()
    def a_replay_gives_the_same(self) -> None:
        live = self.world.account
        assert self.world.store.replayed(Account, ACCOUNT) == live
        remembering = self.world.store.replayed(Account, ACCOUNT, whole=True)
        apart = {
            "receivables": {
                "keeps_all",
                "settled",
                "used_up",
                "funds",
                "gone",
                "moves",
                "disputes",
                "written_off",
                "reversed_write_offs",
                "was_reallocated",
                "on_its_day",
            },
            "allocation": {"decided"},
            "activities": {"keeps_all", "known"},
        }
        assert remembering.model_dump(exclude=apart) == live.model_dump(exclude=apart)
        assert [money_of(f) for f in remembering.receivables.funds.values()] == [
            money_of(f) for f in live.receivables.funds.values()
        ]
        assert remembering.receivables.balance == live.receivables.balance

    @invariant()
    def a_snapshot_gives_the_same(self) -> None:
        live = self.world.account
        assert Account.model_validate_json(live.model_dump_json()) == live

    @invariant()
    def no_day_of_the_past_is_negative(self) -> None:
        for day, (items, unapplied) in as_of(self.world.log).items():
            assert unapplied >= 0, day
            assert all(amount >= 0 for amount in items.values()), day


def test_a_refund_of_an_earlier_day_leaves_what_money_paid_since():
    """CR-2 was free on that day; by now a part of it pays INV-3, a part INV-0, and a part of it went back."""
    ledger = LedgerAgainstAnOracle()
    ledger.open()
    ledger.credit(amount=cents(10), age=22, named=None)
    ledger.credit(amount=cents(350), age=65, named=None)
    ledger.bill(amount=cents(480), age=0, terms=0, fee=False)
    ledger.credit(amount=cents(490), age=47, named=(2, None))
    ledger.bill(amount=cents(10), age=0, terms=0, fee=False)
    ledger.credit(amount=cents(180), age=0, named=None)
    ledger.refund(amount=cents(10), age=0, pick=None)
    ledger.credit(amount=cents(400), age=66, named=None)
    ledger.bill(amount=cents(470), age=67, terms=0, fee=False)
    ledger.refund(amount=cents(200), age=27, pick=None)
    ledger.bill(amount=cents(280), age=65, terms=0, fee=False)
    ledger.credit(amount=cents(10), age=0, named=None)
    ledger.refund(amount=cents(10), age=0, pick=None)
    ledger.refund(amount=cents(320), age=35, pick=None)
    ledger.money_is_where_the_facts_say_day_by_day()
    ledger.no_day_of_the_past_is_negative()


TestLedgerAgainstAnOracle = LedgerAgainstAnOracle.TestCase
TestLedgerAgainstAnOracle.settings = settings(
    max_examples=examples(80),
    stateful_step_count=30,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

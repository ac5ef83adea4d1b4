"""Random histories of an account: the ledger adds up on every day, whatever was corrected, and however often told."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapters.postgres.database import Database
from aggregates.account.billing import BillInvoice, CorrectInvoice
from aggregates.account.payments import CorrectCredit, CorrectPayment, NoteCredit, ReceivePayment, ReversePayment
from aggregates.account.receivables import ReversalKind
from aggregates.account.write_offs import ReverseWriteOff, WriteOffDebt
from aggregates.kernel.command import Command
from aggregates.values.aging import BucketScheme
from projections.ledger import LedgerProjection
from projections.questions import aging, collections, statement
from tests.projections.conftest import ReadModels
from tests.projections.history import History, usd

START = date(2026, 1, 1)
DAYS = 40
SCHEME = BucketScheme.of([5, 10, 20])


@dataclass
class Told:
    """What a person would note on paper: what was billed, came in and went back, and since which day."""

    invoices: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Number: issued on, due on (days from START), amount."""
    funds: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Payments and credits: day, amount."""
    reversed: dict[str, int] = field(default_factory=dict)
    never_were: set[str] = field(default_factory=set)
    """Payments that were recorded in error: whoever corrects one says that it came in after all."""

    def owed(self, day: int) -> int:
        billed = sum(amount for issued, _, amount in self.invoices.values() if issued <= day)
        came = sum(amount for received, amount in self.funds.values() if received <= day)
        back = sum(self.funds[number][1] for number, on in self.reversed.items() if on <= day)
        return billed - came + back


def on(day: int) -> date:
    return START + timedelta(days=day)


days = st.integers(0, DAYS)
amounts = st.sampled_from([1, 30, 50, 70, 100, 100, 130])
invoice_numbers = st.sampled_from(["I-1", "I-2", "I-3"])
funds_numbers = st.sampled_from(["1", "2", "3", "4"])

steps = st.one_of(
    st.tuples(st.just("bill"), invoice_numbers, days, st.integers(0, 15), amounts),
    st.tuples(st.just("correct-invoice"), invoice_numbers, days, st.integers(0, 15), amounts),
    st.tuples(st.just("pay"), funds_numbers, days, amounts, st.none() | invoice_numbers),
    st.tuples(st.just("correct-payment"), funds_numbers, days, amounts, st.none() | invoice_numbers),
    st.tuples(st.just("credit"), funds_numbers, days, amounts, st.none() | invoice_numbers),
    st.tuples(st.just("correct-credit"), funds_numbers, days, amounts, st.none() | invoice_numbers),
    st.tuples(st.just("reverse"), funds_numbers, days, st.sampled_from(list(ReversalKind))),
    st.tuples(st.just("write-off"), st.just(""), st.just(0), st.none() | amounts),
    st.tuples(st.just("reverse-write-off"), st.sampled_from(["1", "2"]), days),
)
histories = st.lists(st.tuples(st.integers(0, 4), steps), min_size=2, max_size=14)


class Telling:
    """Tells the account and the paper the same things."""

    def __init__(self) -> None:
        self.history = History(START).opened()
        self.account = self.history.account()
        self.paper = Told()

    def tell(self, step: tuple[Any, ...]) -> None:
        what, number, day, *more = step
        getattr(self, f"_{what.replace('-', '_')}")(number, day, *more)

    def _give(self, command: Command) -> bool:
        return self.history.try_to(command)

    def _invoice(self, command: type[BillInvoice] | type[CorrectInvoice], number: str, day: int, due: int, of: int):
        given = command(account_id=self.account, number=number, issued_on=on(day), due_on=on(day + due), amount=usd(of))
        if on(day) <= self.history.today and self._give(given):
            self.paper.invoices[number] = (day, day + due, of)

    def _bill(self, number: str, day: int, due: int, of: int) -> None:
        if number not in self.paper.invoices:  # the store refuses the same natural key
            self._invoice(BillInvoice, number, day, due, of)

    def _correct_invoice(self, number: str, day: int, due: int, of: int) -> None:
        self._invoice(CorrectInvoice, number, day, due, of)

    def _receive(
        self, command: type[ReceivePayment | CorrectPayment], number: str, day: int, of: int, about: str | None
    ):
        given = command(
            account_id=self.account, number=number, received_on=on(day), amount=usd(of), invoice_number=about
        )
        if on(day) <= self.history.today and self._give(given):
            key = f"payment {number}"
            self.paper.funds[key] = (day, of)
            if key in self.paper.never_were:
                self.paper.never_were.remove(key)
                del self.paper.reversed[key]

    def _pay(self, number: str, day: int, of: int, about: str | None) -> None:
        if f"payment {number}" not in self.paper.funds:
            self._receive(ReceivePayment, number, day, of, about)

    def _correct_payment(self, number: str, day: int, of: int, about: str | None) -> None:
        self._receive(CorrectPayment, number, day, of, about)

    def _note(self, command: type[NoteCredit | CorrectCredit], number: str, day: int, of: int, about: str | None):
        given = command(account_id=self.account, number=number, issued_on=on(day), amount=usd(of), invoice_number=about)
        if on(day) <= self.history.today and self._give(given):
            self.paper.funds[f"credit {number}"] = (day, of)

    def _credit(self, number: str, day: int, of: int, about: str | None) -> None:
        if f"credit {number}" not in self.paper.funds:
            self._note(NoteCredit, number, day, of, about)

    def _correct_credit(self, number: str, day: int, of: int, about: str | None) -> None:
        self._note(CorrectCredit, number, day, of, about)

    def _reverse(self, number: str, day: int, kind: ReversalKind) -> None:
        key = f"payment {number}"
        if key in self.paper.reversed:
            return
        if self._give(ReversePayment(account_id=self.account, number=number, reversal=kind, reversed_on=on(day))):
            is_error = kind is ReversalKind.ERROR
            self.paper.reversed[key] = self.paper.funds[key][0] if is_error else day
            self.paper.never_were |= {key} if is_error else set()

    def _write_off(self, _: str, __: int, of: int | None) -> None:
        """As of today. What it comes to on each day is not on paper: it follows."""
        amount = None if of is None else usd(of)
        self.history.try_to(WriteOffDebt(account_id=self.account, code="other", amount=amount), reason="hopeless")

    def _reverse_write_off(self, number: str, day: int) -> None:
        self.history.try_to(
            ReverseWriteOff(account_id=self.account, number=number, reversed_on=on(day)), reason="mistaken"
        )


def told(history: list[tuple[int, tuple[Any, ...]]]) -> Telling:
    telling = Telling()
    for wait, step in history:
        telling.history.today = min(telling.history.today + timedelta(days=3 * wait), on(DAYS))
        telling.tell(step)
    return telling


def check_against_paper(read_models: ReadModels, telling: Telling) -> None:
    connection = read_models.connection
    days_that_count = {(recorded.effective_on - START).days for recorded in telling.history.log}
    for day in sorted({0, DAYS} | days_that_count | {day + 1 for day in days_that_count}):
        as_of = on(day)
        report = aging(connection, as_of=as_of, scheme=SCHEME)
        account = statement(connection, telling.account, as_of=as_of, scheme=SCHEME)
        outstanding = sum(bucket.amount for bucket in report.buckets)
        written_off = account.row.written_off or 0
        assert written_off >= 0
        assert (report.total + written_off) * 100 == telling.paper.owed(day), f"on day {day}"
        assert report.total == outstanding - report.unapplied
        assert report.unapplied >= 0, f"on day {day}"
        by_bucket: dict[str, list[Any]] = defaultdict(list)
        for item in account.items:
            issued, due, amount = telling.paper.invoices[item.number]
            assert 0 < item.open * 100 <= amount, f"{item.number} on day {day}"
            assert (item.issued_on, item.due_on) == (on(issued), on(due))
            assert item.issued_on <= as_of
            by_bucket[SCHEME.bucket_of((as_of - item.due_on).days)].append(item.open)
        assert {b.bucket: (b.amount, b.items) for b in report.buckets if b.items} == {
            bucket: (sum(amounts), len(amounts)) for bucket, amounts in by_bucket.items()
        }
        page = collections(connection, today=as_of, as_of=as_of, scheme=SCHEME)
        assert (page.outstanding, page.unapplied) == (outstanding, report.unapplied)
        assert sum((row.balance for row in page.rows), page.balance) == 2 * page.balance


IN_ERROR = [
    (0, ("bill", "I-1", 0, 0, 100)),
    (0, ("pay", "4", 0, 70, None)),
    (1, ("reverse", "4", 3, ReversalKind.ERROR)),
    (1, ("correct-payment", "4", 2, 30, None)),
]
"""Seldom found by chance."""


@pytest.fixture(scope="module")
def shared(postgres, migrated_template):
    name = postgres.create(template=migrated_template)
    with Database(postgres.dsn_of(name)) as database, database.connect() as connection:
        models = ReadModels(connection)
        models.build([])
        yield models
    postgres.drop(name)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(history=histories, repeats=st.lists(st.integers(1, 3), min_size=1, max_size=7), batch=st.integers(1, 9))
@example(history=IN_ERROR, repeats=[1], batch=1)
def test_the_ledger_adds_up_on_every_day_and_repeats_change_nothing(shared, history, repeats, batch):
    telling = told(history)
    projection = LedgerProjection()
    log = telling.history.log
    shared.empty(projection)
    shared.write(projection, log)
    once = {table: shared.rows(table) for table in projection.public}
    check_against_paper(shared, telling)
    shared.empty(projection)
    for start in range(0, len(log), batch):
        chunk = log[start : start + batch]
        for _ in range(repeats[start % len(repeats)]):
            shared.write(projection, chunk)
        shared.write(projection, log[max(0, start - batch) : start + batch])
    assert {table: shared.rows(table) for table in projection.public} == once

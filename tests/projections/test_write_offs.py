"""What is written off is apart from what was paid, in the report of every day and in the KPIs."""

from decimal import Decimal
from uuid import UUID

import pytest

from aggregates.account.payments import ReversePayment
from aggregates.account.receivables import ReversalKind
from aggregates.account.write_offs import ReverseWriteOff, WriteOffDebt
from aggregates.values.aging import STANDARD_BUCKETS
from projections.questions import Filters, collections, kpi, statement
from projections.questions.collections import YesNo
from tests.projections.conftest import ReadModels
from tests.projections.history import History
from tests.projections.test_reports import JAN_1, bill, day, pay

WHY = "bankrupt"


@pytest.fixture
def history() -> History:
    return History(JAN_1).opened()


@pytest.fixture
def account(history: History) -> UUID:
    """Owes 100 since day 1, written off on day 10; 40 of it come in on day 12, and bounce on day 14."""
    account = history.account("A-1")
    bill(history, account, "B", 0, 1, of=10_000)
    history.today = day(10)
    history.give(WriteOffDebt(account_id=account, code="bankruptcy"), reason=WHY)
    history.today = day(12)
    pay(history, account, "P", 4_000)
    history.today = day(14)
    bounced = ReversePayment(account_id=account, number="P", reversal=ReversalKind.CHARGEBACK, reversed_on=day(14))
    history.give(bounced)
    history.today = day(16)
    return account


def shown(read_models: ReadModels, history: History, nth: int | None) -> tuple[str, str | None] | None:
    """Balance and what is written off; of a past day, or today."""
    report = collections(
        read_models.connection,
        today=history.today,
        scheme=STANDARD_BUCKETS,
        as_of=None if nth is None else day(nth),
        filters=Filters(written_off=YesNo.YES),
    )
    rows = [(str(row.balance), None if row.written_off is None else str(row.written_off)) for row in report.rows]
    return rows[0] if rows else None


def test_a_written_off_account_is_found_on_every_day_with_what_was_written_off_then(
    history: History, account: UUID, read_models: ReadModels
):
    read_models.build(history.log)
    assert read_models.column("SELECT written_off FROM read_model.collections_report") == [10_000]
    assert shown(read_models, history, None) == ("0.00", "100.00")
    assert [shown(read_models, history, nth) for nth in (9, 10, 12, 14)] == [
        None, ("0.00", "100.00"), ("0.00", "60.00"), ("0.00", "100.00"),
    ]  # fmt: skip
    owing = collections(read_models.connection, today=history.today, scheme=STANDARD_BUCKETS)
    assert owing.accounts == 0
    row = statement(read_models.connection, account, as_of=day(12), scheme=STANDARD_BUCKETS).row
    assert (row.written_off, row.balance, row.unapplied) == (Decimal(60), Decimal(0), Decimal(0))


def test_a_write_off_is_no_collection(history: History, account: UUID, read_models: ReadModels):
    """Nothing of the 100 that were owed came in; of what was past due on day 5 nothing was recovered."""
    read_models.build(history.log)
    report = kpi(read_models.connection, start=day(0), end=day(16))
    assert (report.end, report.written_off, report.written_off_recovered) == (Decimal(0), Decimal("100.00"), None)
    assert report.cei == 0
    assert report.dso == 17
    assert kpi(read_models.connection, start=day(5), end=day(11)).recovery_rate == 0


def test_what_is_recovered_is_apart_from_what_was_written_off(history: History, account: UUID, read_models: ReadModels):
    read_models.build(history.log)
    report = kpi(read_models.connection, start=day(11), end=day(13))
    assert (report.written_off, report.written_off_recovered) == (None, Decimal("40.00"))
    report = kpi(read_models.connection, start=day(0), end=day(13))
    assert (report.written_off, report.written_off_recovered) == (Decimal("100.00"), Decimal("40.00"))
    assert report.cei == 40


def test_a_reversed_write_off_is_owed_again_as_old_as_it_was(history: History, account: UUID, read_models: ReadModels):
    history.give(ReverseWriteOff(account_id=account, number="1"), reason="mistaken")
    read_models.build(history.log)
    assert read_models.column("SELECT written_off FROM read_model.collections_report") == [0]
    [row] = collections(read_models.connection, today=history.today, scheme=STANDARD_BUCKETS).rows
    assert (row.balance, row.written_off, row.days_past_due) == (Decimal(100), None, 15)
    assert row.buckets["1-30"] == 100
    report = kpi(read_models.connection, start=day(0), end=day(16))
    assert (report.end, report.written_off) == (Decimal(100), None)
    assert shown(read_models, history, 15) == ("0.00", "100.00")

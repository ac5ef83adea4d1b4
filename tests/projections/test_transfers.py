"""Money that pays another account's debt is counted once, where it does."""

from datetime import date
from uuid import UUID

import pytest

from aggregates.account.activities import ActivityKind, Direction, RecordActivity
from aggregates.account.between_accounts import MovePayment, TransferPayment, WithdrawTransfer
from aggregates.account.payments import ReversalKind, ReversePayment
from aggregates.values.aging import STANDARD_BUCKETS
from projections.questions import collections, kpi
from tests.projections.conftest import ReadModels
from tests.projections.history import History, usd
from tests.projections.test_reports import JAN_1, bill, day, pay

WHY = "said on the phone"


@pytest.fixture
def history() -> History:
    return History(JAN_1).opened()


@pytest.fixture
def accounts(history: History) -> tuple[UUID, UUID]:
    """A payer who paid 100 on day 12, and a debtor who owes 60 since day 1 and 10 later; both were called on day 10."""
    payer, debtor = history.account("A-1"), history.account("B-1")
    bill(history, debtor, "B", 0, 1, of=6_000)
    bill(history, debtor, "B-2", 0, 40, of=1_000)
    history.today = day(10)
    for account in (payer, debtor):
        history.give(RecordActivity(account_id=account, kind=ActivityKind.CALL, direction=Direction.OUTBOUND))
    history.today = day(12)
    pay(history, payer, "P", 10_000)
    history.today = day(15)
    return payer, debtor


def give_60(history: History, accounts: tuple[UUID, UUID], of: int = 6_000) -> None:
    payer, debtor = accounts
    transfer = TransferPayment(
        account_id=payer, number="P", to_account_id=debtor, amount=usd(of), transferred_on=day(14)
    )
    history.give(transfer, reason=WHY)


def last_payments(read_models: ReadModels, history: History) -> dict[str, tuple[date | None, str]]:
    page = collections(read_models.connection, today=history.today, scheme=STANDARD_BUCKETS)
    return {row.number: (row.last_payment_on, str(row.balance)) for row in page.rows}


def counted(read_models: ReadModels) -> tuple[str, int, str]:
    report = kpi(read_models.connection, start=day(5), end=day(20))
    return str(report.recovery_rate), report.accounts_converted, str(report.begin)


def test_what_was_transferred_counts_once_and_on_the_debtor_s_account(
    history: History, accounts: tuple[UUID, UUID], read_models: ReadModels
):
    give_60(history, accounts)
    read_models.build(history.log)
    assert last_payments(read_models, history) == {"A-1": (day(12), "-40.00"), "B-1": (day(14), "10.00")}
    assert counted(read_models) == ("100.000", 2, "70.00")


def test_a_payment_of_which_nothing_was_kept_is_none_of_the_payer_s(
    history: History, accounts: tuple[UUID, UUID], read_models: ReadModels
):
    give_60(history, accounts, of=10_000)
    bill(history, accounts[0], "A", 15, 45, of=1_000)
    read_models.build(history.log)
    assert last_payments(read_models, history)["A-1"] == (None, "10.00")
    assert counted(read_models) == ("100.000", 1, "70.00")


@pytest.mark.parametrize("how", ["withdrawn", "error", "nsf"])
def test_what_went_back_counts_for_nobody_else(
    history: History, accounts: tuple[UUID, UUID], read_models: ReadModels, how: str
):
    payer, debtor = accounts
    give_60(history, accounts)
    if how == "withdrawn":
        history.give(WithdrawTransfer(account_id=debtor, number="P/A-1"), reason=WHY)
    else:
        kind = ReversalKind(how)
        history.give(ReversePayment(account_id=payer, number="P", reversal=kind, reversed_on=day(15)))
    read_models.build(history.log)
    kept = (day(12), "-100.00") if how == "withdrawn" else None
    found = last_payments(read_models, history)
    assert (found.get("A-1") if kept else None, found["B-1"]) == (kept, (None, "70.00"))
    assert counted(read_models)[0] == "0.000"


def test_a_moved_payment_counts_on_the_right_account_since_it_came_in(
    history: History, accounts: tuple[UUID, UUID], read_models: ReadModels
):
    payer, debtor = accounts
    history.give(MovePayment(account_id=payer, number="P", to_account_id=debtor), reason=WHY)
    read_models.build(history.log)
    assert last_payments(read_models, history)["B-1"] == (day(12), "-30.00")
    assert counted(read_models) == ("100.000", 1, "70.00")

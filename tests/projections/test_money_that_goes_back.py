"""Reports of money that goes back in parts: the row of now and the ledger of every day say the same."""

from datetime import date, timedelta
from uuid import UUID

from aggregates.account.billing import BillInvoice
from aggregates.account.payments import ReceivePayment, Refund, ReversePayment, WithdrawRefund, WithdrawReversal
from aggregates.account.receivables import ReversalKind
from aggregates.kernel.command import Command
from aggregates.values.aging import BucketScheme
from projections.questions import kpi, statement
from tests.projections.conftest import ReadModels
from tests.projections.history import History, usd

JAN_1 = date(2026, 1, 1)


def day(number: int) -> date:
    return JAN_1 + timedelta(days=number)


def told(read_models: ReadModels, history: History, account: UUID, command: Command) -> list[int]:
    """Cents unapplied, open and of the last payment as it is now; then unapplied and open as the ledger says."""
    history.give(command, reason="said the bank")
    read_models.build(history.log)
    [now] = read_models.connection.execute(
        "SELECT unapplied, outstanding, last_payment_minor FROM read_model.collections_report"
    ).fetchall()
    then = statement(read_models.connection, account, as_of=history.today, scheme=BucketScheme.of([30])).row
    return [*now, int(100 * then.unapplied), int(100 * then.outstanding)]


def test_the_report_and_the_ledger_follow_what_went_back_and_what_did_not(read_models: ReadModels):
    history = History(JAN_1).opened()
    account = history.account()
    history.give(BillInvoice(account_id=account, number="I-1", issued_on=JAN_1, due_on=day(3), amount=usd(10_000)))
    history.today = day(5)
    history.give(ReceivePayment(account_id=account, number="P-1", received_on=day(5), amount=usd(13_000)))
    history.today = day(20)
    part = ReversePayment(
        account_id=account, number="P-1", reversal=ReversalKind.NSF, reversed_on=day(8), amount=usd(5_000)
    )
    for command, expected in (
        (Refund(account_id=account, amount=usd(1_000), refunded_on=day(6)), (2_000, 0, 13_000)),
        (part, (0, 3_000, 8_000)),
        (WithdrawReversal(account_id=account, number="P-1"), (2_000, 0, 13_000)),
        (WithdrawRefund(account_id=account, number="P-1"), (3_000, 0, 13_000)),
    ):
        assert told(read_models, history, account, command) == [*expected, *expected[:2]]


def test_a_partial_reversal_lowers_the_recovery_rate_by_its_amount(read_models: ReadModels):
    history = History(JAN_1).opened()
    account = history.account()
    history.give(BillInvoice(account_id=account, number="I-1", issued_on=JAN_1, due_on=day(3), amount=usd(10_000)))
    history.today = day(40)
    history.give(ReceivePayment(account_id=account, number="P-1", received_on=day(35), amount=usd(8_000)))

    def rate() -> str:
        read_models.build(history.log)
        return str(kpi(read_models.connection, start=day(31), end=day(40)).recovery_rate)

    assert rate() == "80.000"
    history.give(
        ReversePayment(
            account_id=account, number="P-1", reversal=ReversalKind.NSF, reversed_on=day(38), amount=usd(3_000)
        )
    )
    assert rate() == "50.000"

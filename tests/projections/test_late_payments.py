"""Aging and KPIs of a real late-payment history, to the cent, beside a computation straight from the file."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from aggregates.account.billing import BillInvoice
from aggregates.account.payments import ReceivePayment
from aggregates.kernel.event import Recorded
from aggregates.values.aging import STANDARD_BUCKETS
from aggregates.values.money import Money
from projections.questions import aging, kpi
from tests.projections import oracle
from tests.projections.conftest import ReadModels
from tests.projections.history import History

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "ibm-late-payments.csv"
SAMPLE = Path(__file__).parent / "late-payments-sample.csv"

MONTH_ENDS = [date(year, month, 1) - timedelta(days=1) for year in (2012, 2013, 2014) for month in range(1, 13)][1:26]
PERIODS = [
    *((end.replace(day=1), end) for end in MONTH_ENDS),
    *((date(year, month, 1), date(year + month // 10, (month + 2) % 12 + 1, 1) - timedelta(days=1))
      for year in (2012, 2013) for month in (1, 4, 7, 10)),
    (date(2012, 1, 1), date(2013, 12, 31)),
    (date(2013, 2, 10), date(2013, 5, 17)),
]  # fmt: skip


def lived(invoices: list[oracle.Invoice]) -> list[Recorded]:
    """Each fact is recorded on its day."""
    history = History(date(2011, 12, 1)).opened()
    facts = [(i.issued_on, 0, i) for i in invoices] + [(i.settled_on, 1, i) for i in invoices]
    for day, kind, invoice in sorted(facts, key=lambda fact: (fact[0], fact[1], fact[2].number)):
        history.today = day
        _tell(history, kind, invoice)
    return history.log


def imported(invoices: list[oracle.Invoice]) -> list[Recorded]:
    """Everything is recorded at the end, in the order of the file."""
    history = History(date(2014, 6, 1)).opened()
    for invoice in invoices:
        _tell(history, 0, invoice)
        _tell(history, 1, invoice)
    return history.log


def _tell(history: History, kind: int, invoice: oracle.Invoice) -> None:
    account = history.account(invoice.customer)
    amount = Money.rounded(invoice.amount, "USD")
    if kind == 0:
        history.give(
            BillInvoice(
                account_id=account,
                number=invoice.number,
                issued_on=invoice.issued_on,
                due_on=invoice.due_on,
                amount=amount,
            )
        )
    else:
        history.give(
            ReceivePayment(
                account_id=account,
                number=f"settled-{invoice.number}",
                received_on=invoice.settled_on,
                amount=amount,
                invoice_number=invoice.number,
            )
        )


@pytest.fixture(params=[SAMPLE, REAL], ids=["sample", "real"])
def invoices(request: pytest.FixtureRequest) -> list[oracle.Invoice]:
    if not request.param.exists():
        pytest.skip(f"{request.param.name} is not here")
    return oracle.read(request.param)


@pytest.mark.parametrize("tell", [lived, imported])
def test_aging_and_kpis_match_the_file_to_the_cent_before_and_after_a_rebuild(tell, invoices, read_models: ReadModels):
    log = tell(invoices)
    for batch in (1_000, 333):
        read_models.build(log, batch=batch)
        _check(read_models, invoices)


def _check(read_models: ReadModels, invoices: list[oracle.Invoice]) -> None:
    connection = read_models.connection
    for day in [*MONTH_ENDS, date(2013, 6, 17)]:
        report = aging(connection, as_of=day, scheme=STANDARD_BUCKETS)
        assert report.model_dump(mode="json") == oracle.aging(invoices, day)
    for start, end in PERIODS:
        report_of_period = kpi(connection, start=start, end=end).model_dump(mode="json")
        expected = oracle.kpi(invoices, start, end)
        assert {name: report_of_period[name] for name in expected} == expected


def test_the_periods_are_months_and_quarters():
    assert MONTH_ENDS[0] == date(2012, 1, 31)
    assert MONTH_ENDS[-1] == date(2014, 1, 31)
    assert (date(2013, 4, 1), date(2013, 6, 30)) in PERIODS
    assert (date(2012, 10, 1), date(2012, 12, 31)) in PERIODS


@pytest.mark.skipif(not REAL.exists(), reason="the real file is not here")
def test_the_check_values_of_the_field(read_models: ReadModels):
    read_models.build(lived(oracle.read(REAL)))
    report = aging(read_models.connection, as_of=date(2013, 6, 30), scheme=STANDARD_BUCKETS)
    assert [(b.bucket, b.amount, b.items) for b in report.buckets if b.items] == [
        ("current", Decimal("4284.29"), 72),
        ("1-30", Decimal("835.56"), 12),
    ]
    assert (report.total, report.unapplied) == (Decimal("5119.85"), Decimal("0.00"))
    quarter = kpi(read_models.connection, start=date(2013, 4, 1), end=date(2013, 6, 30))
    assert (quarter.begin, quarter.sales, quarter.days) == (Decimal("5903.74"), Decimal("20098.87"), 91)
    assert (quarter.dso, quarter.best_possible_dso) == (Decimal("23.181"), Decimal("19.398"))
    assert (quarter.cei, quarter.dso_countback) == (Decimal("96.153"), Decimal("26.257"))

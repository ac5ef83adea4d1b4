"""Files about payments of who is not the debtor, and corrected files in which a payment is another account's."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.billing.importer import ImportReport
from adapters.clock import ManualClock
from aggregates.account import Account
from aggregates.account.command import account_id
from aggregates.office import office_id
from api.application.dry_run import dry_run
from api.processes.step_by_step import StepByStep
from tests.flow.conftest import AService
from tests.flow.test_dry_run import USD, said

NOW = ManualClock(datetime(2026, 11, 28, 12, tzinfo=UTC))
INVOICES = """\
account_number,invoice_number,issued_on,due_on,amount,currency
1001,INV-1,2026-10-01,2026-10-31,80.00,USD
1002,INV-2,2026-10-05,2026-11-04,80.00,USD
"""
PAYMENTS = "account_number,payment_number,received_on,amount,currency"


@pytest.fixture
def service(a_service: AService, tmp_path: Path) -> StepByStep:
    """Two accounts that owe 80 dollars each."""
    service = a_service(NOW)
    brought_in(service, tmp_path, "invoices", INVOICES)
    return service


def brought_in(service: StepByStep, folder: Path, profile: str, text: str) -> ImportReport:
    """As it would be, and as it is."""
    path = folder / f"{profile}.csv"
    path.write_text(text, encoding="utf-8")
    would = dry_run(service, path, profile, defaults=USD)
    did = service.import_file(path, profile, defaults=USD)
    assert said(would) == said(did)
    return did


def owed(service: StepByStep) -> list[str]:
    ids = [account_id(office_id("main"), number) for number in ("1001", "1002")]
    accounts = [service.arrears.load(Account, each) for each in ids]
    return [str(each.receivables.balance.decimal()) for each in accounts]


def test_a_payment_that_a_corrected_file_has_under_another_account_is_moved_there(service: StepByStep, tmp_path: Path):
    brought_in(service, tmp_path, "payments", f"{PAYMENTS}\n1001,P1,2026-11-10,80.00,USD\n")
    assert owed(service) == ["0.00", "80.00"]
    moved = f"{PAYMENTS}\n1002,P1,2026-11-10,80.00,USD\n"
    report = brought_in(service, tmp_path, "payments", moved)
    assert (report.corrected, report.refused) == (1, 0)
    assert owed(service) == ["80.00", "0.00"]
    assert brought_in(service, tmp_path, "payments", moved).unchanged == 1
    report = brought_in(service, tmp_path, "payments", f"{PAYMENTS}\n1001,P1,2026-11-12,50.00,USD\n")
    assert (report.corrected, owed(service)) == (1, ["30.00", "80.00"])


def test_a_payment_is_moved_to_an_account_that_no_file_described(service: StepByStep, tmp_path: Path):
    brought_in(service, tmp_path, "payments", f"{PAYMENTS}\n1001,P1,2026-11-10,80.00,USD\n")
    assert brought_in(service, tmp_path, "payments", f"{PAYMENTS}\n1003,P1,2026-11-10,80.00,USD\n").refused == 0
    third = service.arrears.load(Account, account_id(office_id("main"), "1003"))
    assert (str(third.receivables.balance.decimal()), owed(service)) == ("-80.00", ["80.00", "80.00"])


def test_an_invoice_is_not_moved_and_the_row_says_what_to_do(service: StepByStep, tmp_path: Path):
    moved = INVOICES.replace("1001,INV-1", "1002,INV-1")
    report = brought_in(service, tmp_path, "invoices", moved)
    assert (report.unchanged, report.refused) == (1, 1)
    assert "account 1001, where this invoice was imported before; only payments move" in str(report.problems[0])
    assert owed(service) == ["80.00", "80.00"]


def test_money_of_another_payer_comes_in_there_and_pays_the_debtor_s_invoice(service: StepByStep, tmp_path: Path):
    head = f"{PAYMENTS},payer,invoice_number"
    paid = f"{head}\n1002,P1,2026-11-10,60.00,USD,1001,INV-2\n1002,P2,2026-11-11,5.00,USD,1002,\n"
    report = brought_in(service, tmp_path, "payments", paid)
    assert (report.brought_in, report.refused, report.noticed) == (2, 0, 0)
    assert owed(service) == ["80.00", "15.00"]
    report = brought_in(service, tmp_path, "payments", paid.replace("60.00", "70.00"))
    assert (report.corrected, owed(service)) == (1, ["80.00", "5.00"])
    other = paid.replace("60.00", "70.00").replace("1002,P1", "1003,P1")
    report = brought_in(service, tmp_path, "payments", other)
    assert "no such account" in str(report.problems[0]) or "an account that is open" in str(report.problems[0])
    back = "account_number,payment_number,reversed_on,reversal,payer\n1002,P1,2026-11-20,nsf,1001\n"
    report = brought_in(service, tmp_path, "reversals", back)
    assert (report.refused, owed(service)) == (0, ["80.00", "75.00"])


def test_money_for_a_debtor_whom_nobody_knows_is_left_out_with_what_was_expected(service: StepByStep, tmp_path: Path):
    report = brought_in(service, tmp_path, "payments", f"{PAYMENTS},payer\n1009,P1,2026-11-10,60.00,USD,1001\n")
    assert (report.brought_in, report.refused) == (0, 1)
    assert "an account that is open" in str(report.problems[0])
    assert owed(service) == ["80.00", "80.00"]


def test_a_payer_who_was_not_said_before_is_left_out_with_what_was_expected(service: StepByStep, tmp_path: Path):
    brought_in(service, tmp_path, "payments", f"{PAYMENTS}\n1002,P1,2026-11-10,60.00,USD\n")
    report = brought_in(service, tmp_path, "payments", f"{PAYMENTS},payer\n1002,P1,2026-11-10,60.00,USD,1001\n")
    assert "the account has no payment P1" in str(report.problems[0])
    assert owed(service) == ["80.00", "20.00"]

"""Payments that were taken back, from a file of their own or as negative rows among the payments."""

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from adapters.billing.importer import ImportReport
from adapters.billing.profile import ProfileError, parse_profile
from adapters.clock import ManualClock
from aggregates.account import Account
from aggregates.account.command import account_id
from aggregates.account.payments import PaymentReversed
from aggregates.office import office_id
from aggregates.values.money import Money
from api.application.dry_run import dry_run
from api.processes.step_by_step import StepByStep
from tests.flow.conftest import AService
from tests.flow.test_dry_run import USD, file_of, said

NOW = ManualClock(datetime(2026, 11, 28, 12, tzinfo=UTC))
PROFILE = """
kind = "payments"
{negative}
[columns]
account_number = "account"
payment_number = "number"
received_on = "day"
amount = "amount"
{more}
[defaults]
currency = "USD"
"""


def brought_in(service: StepByStep, path: Path, profile: str) -> ImportReport:
    would = dry_run(service, path, profile, defaults=USD)
    did = service.import_file(path, profile, defaults=USD)
    assert said(would) == said(did)
    return did


def reversals(folder: Path, *rows: str) -> Path:
    path = folder / "reversals.csv"
    header = "account_number,payment_number,reversed_on,reversal,amount,currency,reason"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def owed(service: StepByStep) -> Money:
    account = service.arrears.load(Account, account_id(office_id("main"), "A1"))
    return account.receivables.balance


@pytest.fixture
def service(a_service: AService, tmp_path: Path) -> StepByStep:
    """An invoice of 50 dollars on an account, paid with two payments."""
    service = a_service(NOW)
    brought_in(service, file_of(tmp_path, "invoices", ",A1,I1,2026-10-01,2026-10-30,50.00,USD"), "invoices")
    rows = [",A1,P1,2026-10-10,30.00,USD,I1", ",A1,P2,2026-10-11,20.00,USD,I1"]
    brought_in(service, file_of(tmp_path, "payments", *rows), "payments")
    assert owed(service) == Money(0, "USD")
    return service


def test_what_a_reversed_payment_had_paid_is_owed_again(service: StepByStep, tmp_path: Path):
    path = reversals(tmp_path, "A1,P1,2026-10-20,nsf,,,account closed", "A1,P2,2026-10-21,chargeback,-20.00,USD,")
    report = brought_in(service, path, "reversals")
    assert (report.brought_in, report.refused) == (2, 0)
    assert owed(service) == Money(5_000, "USD")
    history = service.arrears.history(Account, account_id(office_id("main"), "A1"))
    first, second = (each for each in history if isinstance(each.event, PaymentReversed))
    assert isinstance(first.event, PaymentReversed)
    assert (first.event.reversal, str(first.effective_on), first.meta.reason) == ("nsf", "2026-10-20", "account closed")
    assert second.meta.reason is None
    again = brought_in(service, path, "reversals")
    assert (again.unchanged, again.refused) == (2, 0)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("A1,P1,2026-10-20,nsf,30.01,USD,", "expected at most 30.00 USD"),
        ("A1,P1,2026-10-20,error,10.00,USD,", "correct a payment whose amount was wrong"),
        ("A1,P1,2026-10-20,bounced,,,", "one of nsf, chargeback, refund, error"),
        ("A1,P1,2026-10-20,,,,", "one of nsf, chargeback, refund, error"),
        ("A1,,2026-10-20,nsf,,,", "a payment number"),
        ("A1,P1,,nsf,,,", "a date"),
        ("A1,P1,2026-10-09,nsf,,,", "expected 2026-10-10 (receipt) or later"),
        ("A1,P7,2026-10-20,nsf,,,", "the account has no payment P7"),
        ("A7,P1,2026-10-20,nsf,,,", "an account that is open"),
        ("A1,P1,2026-10-20,nsf,0.00,USD,", "an amount other than zero"),
    ],
)
def test_a_reversal_that_cannot_be_is_refused_with_what_was_expected(
    service: StepByStep, tmp_path: Path, row: str, expected: str
):
    report = brought_in(service, reversals(tmp_path, row), "reversals")
    assert (report.brought_in, report.refused) == (0, 1)
    assert expected in str(report.problems[0])
    assert owed(service) == Money(0, "USD")


def test_a_payment_is_taken_back_once(service: StepByStep, tmp_path: Path):
    brought_in(service, reversals(tmp_path, "A1,P1,2026-10-20,nsf,,,"), "reversals")
    report = brought_in(service, reversals(tmp_path, "A1,P1,2026-10-22,nsf,,,"), "reversals")
    assert report.refused == 1
    assert "a payment is taken back once" in str(report.problems[0])


def test_parts_of_a_payment_are_taken_back_row_by_row(service: StepByStep, tmp_path: Path):
    path = reversals(tmp_path, "A1,P1,2026-10-20,chargeback,10.00,USD,", "A1,P1,2026-10-25,chargeback,5.00,USD,")
    assert brought_in(service, path, "reversals").brought_in == 2
    assert owed(service) == Money(1_500, "USD")
    assert brought_in(service, path, "reversals").unchanged == 2
    more = reversals(tmp_path, "A1,P1,2026-10-27,chargeback,15.01,USD,", "A1,P1,2026-10-28,nsf,15.00,USD,")
    report = brought_in(service, more, "reversals")
    assert (report.brought_in, report.refused) == (1, 1)
    assert owed(service) == Money(3_000, "USD")


def test_a_whole_reversal_that_an_earlier_release_imported_is_known_still(service: StepByStep, tmp_path: Path):
    """It kept every reversal under its payment's number alone, also one with an amount."""
    path = reversals(tmp_path, "A1,P1,2026-10-20,nsf,30.00,USD,")
    brought_in(service, path, "reversals")
    with psycopg.connect(service.env["ARREARS_DATABASE_URL"]) as connection:
        renamed = "UPDATE arrears.import_facts SET natural_key = 'reversal:P1' WHERE natural_key LIKE 'reversal:P1:%'"
        assert connection.execute(renamed).rowcount == 1
    report = brought_in(service, path, "reversals")
    assert (report.unchanged, report.refused) == (1, 0)


def test_a_payment_that_was_withdrawn_as_an_error_is_taken_as_it_is_stated_again(service: StepByStep, tmp_path: Path):
    brought_in(service, reversals(tmp_path, "A1,P1,2026-10-20,error,,,"), "reversals")
    assert owed(service) == Money(3_000, "USD")
    report = brought_in(service, file_of(tmp_path, "payments", ",A1,P1,2026-10-12,25.00,USD,I1"), "payments")
    assert (report.corrected, report.refused) == (1, 0)
    assert owed(service) == Money(500, "USD")


STATUS = """
kind = "invoices"
[columns]
account_number = "account"
invoice_number = "number"
issued_on = "day"
amount = "amount"
status = "state"
[defaults]
currency = "USD"
[values.status]
storno = "voided"
"""


@pytest.mark.parametrize("state", ["voided", "Cancelled", "VOID", "withdrawn", "storno"])
def test_an_invoice_whose_status_says_so_is_withdrawn_and_lives_again(service: StepByStep, tmp_path: Path, state: str):
    profile, path = tmp_path / "status.toml", tmp_path / "states.csv"
    profile.write_text(STATUS, encoding="utf-8")

    def bring_in(said: str, number: str = "I1") -> ImportReport:
        path.write_text(f"account,number,day,amount,state\nA1,{number},2026-10-01,50.00,{said}\n", encoding="utf-8")
        return brought_in(service, path, str(profile))

    assert bring_in(state).corrected == 1
    assert owed(service) == Money(-5_000, "USD")
    assert bring_in(state).unchanged == 1
    assert bring_in("open").corrected == 1
    assert owed(service) == Money(0, "USD")
    assert bring_in(state, "I9").noticed == 1
    assert owed(service) == Money(0, "USD")


def test_a_reversal_is_taken_once_its_payment_has_come(service: StepByStep, tmp_path: Path):
    """The refused row is looked at again: what it was refused for may be there by now."""
    path = reversals(tmp_path, "A1,P3,2026-10-20,refund,,,")
    assert brought_in(service, path, "reversals").refused == 1
    brought_in(service, file_of(tmp_path, "payments", ",A1,P3,2026-10-12,5.00,USD,"), "payments")
    assert brought_in(service, path, "reversals").brought_in == 1
    assert owed(service) == Money(0, "USD")


# --- negative rows among payments ---


def bank_file(folder: Path, *rows: str, negative: str = "", more: str = "") -> tuple[Path, str]:
    (folder / "bank.toml").write_text(PROFILE.format(negative=negative, more=more), encoding="utf-8")
    (folder / "bank.csv").write_text("\n".join(["account,number,day,amount,why", *rows, ""]), encoding="utf-8")
    return folder / "bank.csv", str(folder / "bank.toml")


def test_a_negative_payment_is_a_reversal_where_the_profile_says_so(service: StepByStep, tmp_path: Path):
    rows = ["A1,P9,2026-11-03,-7.00,nsf", "A1,P9,2026-11-01,7.00,", "A1,P1,2026-10-20,-30.00,chargeback"]
    path, profile = bank_file(tmp_path, *rows, negative='negative = "reversals"', more='reversal = "why"')
    report = brought_in(service, path, profile)
    assert (report.brought_in, report.refused) == (3, 0)
    assert owed(service) == Money(3_000, "USD")


def test_a_negative_payment_without_a_number_is_refused(service: StepByStep, tmp_path: Path):
    path, profile = bank_file(
        tmp_path, "A1,,2026-11-03,-7.00,nsf", negative='negative = "reversals"', more='reversal = "why"'
    )
    report = brought_in(service, path, profile)
    assert "expected the number of the payment that was taken back" in str(report.problems[0])


def test_a_negative_payment_is_refused_where_the_profile_says_nothing(service: StepByStep, tmp_path: Path):
    report = brought_in(service, *bank_file(tmp_path, "A1,P1,2026-10-20,-30.00,nsf"))
    assert "an amount above zero" in str(report.problems[0])
    assert owed(service) == Money(0, "USD")


@pytest.mark.parametrize(
    ("negative", "more", "problem"),
    [
        ('negative = "reversals"', "", 'columns.reversal: missing; negative = "reversals" needs it'),
        ("", 'reversal = "why"', 'columns.reversal: is of reversals; expected negative = "reversals" with it'),
    ],
)
def test_a_profile_of_negative_payments_says_what_they_are(negative: str, more: str, problem: str):
    with pytest.raises(ProfileError, match=problem):
        parse_profile(PROFILE.format(negative=negative, more=more))

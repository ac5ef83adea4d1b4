"""Histories brought in at the end and lived through from the start."""

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.billing.importer import OfficeDefaults
from adapters.clock import ManualClock
from aggregates.values.aging import STANDARD_BUCKETS
from api.application.play import PlayRefused, play
from api.processes.step_by_step import StepByStep
from projections.questions.aging import aging
from projections.questions.kpi import kpi
from tests.flow.conftest import AService

FIRST, LAST = date(2024, 1, 1), date(2024, 6, 30)
HEADER = ["customerID", "invoiceNumber", "InvoiceDate", "DueDate", "InvoiceAmount", "SettledDate", "Disputed",
          "PaperlessBill", "countryCode"]  # fmt: skip


def a_billing_file(folder: Path, *, invoices: int = 120) -> Path:
    """Invoices of ten customers over five months, settled early, late, or after the end of the file's half year."""
    path = folder / "billing.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(HEADER)
        for n in range(invoices):
            issued = FIRST + timedelta(days=(n * 7) % 150)
            due = issued + timedelta(days=30)
            settled = issued + timedelta(days=5 + (n * 13) % 70)
            rows.writerow([
                f"C-{n % 10}", f"{n:05}", f"{issued:%m/%d/%Y}", f"{due:%m/%d/%Y}", f"{10 + n}.{n % 100:02}",
                f"{settled:%m/%d/%Y}", "No", "Electronic", "391",
            ])  # fmt: skip
    return path


def at(day: date) -> ManualClock:
    return ManualClock(datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=6))


@pytest.fixture
def billing(tmp_path: Path) -> Path:
    return a_billing_file(tmp_path)


def month_ends() -> Iterator[date]:
    day = FIRST
    while day <= LAST:
        following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
        yield following - timedelta(days=1)
        day = following


def reports(service: StepByStep) -> list[object]:
    """Aging at every month end and the KPIs of both quarters."""
    with service.database.connect("arrears_app") as connection:
        agings = [aging(connection, as_of=day, scheme=STANDARD_BUCKETS).model_dump() for day in month_ends()]
        quarters = [(date(2024, 1, 1), date(2024, 3, 31)), (date(2024, 4, 1), date(2024, 6, 30))]
        kpis = [kpi(connection, start=begin, end=end).model_dump() for begin, end in quarters]
    return [*agings, *kpis]


def test_importing_at_the_end_and_living_through_give_the_same_reports(a_service: AService, billing: Path) -> None:
    with a_service(at(LAST + timedelta(days=200))) as service:
        service.import_file(billing, "ibm", defaults=OfficeDefaults())
        imported = reports(service)
    with a_service(at(FIRST)) as service:
        lived = play(service, billing, "ibm", first=FIRST, last=LAST, defaults=OfficeDefaults())
        played = reports(service)
    assert played == imported
    assert lived.days == 182
    assert lived.facts.left_out > 0


def test_the_same_file_again_changes_nothing(a_service: AService, billing: Path) -> None:
    with a_service(at(LAST)) as service:
        service.import_file(billing, "ibm", defaults=OfficeDefaults())
        head = service.feed.head()
        again = service.import_file(billing, "ibm", defaults=OfficeDefaults())
        assert service.feed.head() == head
    assert (again.brought_in, again.corrected, again.deferred) == (0, 0, 0)
    assert again.unchanged > 0


def test_a_corrected_file_changes_only_what_differs(a_service: AService, billing: Path) -> None:
    with a_service(at(date(2025, 1, 1))) as service:
        service.import_file(billing, "ibm", defaults=OfficeDefaults())
        text = billing.read_text(encoding="utf-8")
        billing.write_text(text.replace(",10.00,", ",12.00,", 1), encoding="utf-8")
        report = service.import_file(billing, "ibm", defaults=OfficeDefaults())
        corrected = reports(service)
    assert (report.corrected, report.brought_in) == (2, 0)  # the invoice, and the payment that settled it
    with a_service(at(date(2025, 1, 1))) as service:
        service.import_file(billing, "ibm", defaults=OfficeDefaults())
        assert reports(service) == corrected


def test_facts_of_the_future_wait_and_arrive_on_their_day(a_service: AService, billing: Path) -> None:
    halfway = date(2024, 3, 31)
    with a_service(at(halfway)) as service:
        report = service.import_file(billing, "ibm", defaults=OfficeDefaults())
        assert report.deferred > 0
        clock = service.clock
        assert isinstance(clock, ManualClock)
        for day in range((LAST - halfway).days + 1):
            service.tick(at(halfway + timedelta(days=day)).now())
            service.tick(clock.now())
        waited = reports(service)
    with a_service(at(LAST + timedelta(days=200))) as service:
        service.import_file(billing, "ibm", defaults=OfficeDefaults())
        assert reports(service) == waited


def test_a_second_tick_at_the_same_moment_does_nothing(a_service: AService, billing: Path) -> None:
    with a_service(at(date(2024, 4, 15))) as service:
        service.import_file(billing, "ibm", defaults=OfficeDefaults())
        service.tick()
        head = service.feed.head()
        assert service.tick().events == 0
        assert service.feed.head() == head


def test_history_is_lived_through_in_a_new_folder_only(a_service: AService, billing: Path) -> None:
    with a_service(at(LAST)) as service:
        service.import_file(billing, "ibm", defaults=OfficeDefaults())
        with pytest.raises(PlayRefused, match="holds accounts already"):
            play(service, billing, "ibm", first=FIRST, last=LAST, defaults=OfficeDefaults())


def test_invoices_open_the_accounts_that_no_file_describes(a_service: AService, tmp_path: Path) -> None:
    path = tmp_path / "invoices.csv"
    path.write_text(
        "account_number,invoice_number,issued_on,due_on,amount,currency\n"
        "C-1,I-1,2024-01-02,2024-02-01,10.00,USD\n"
        "C-1,I-2,2024-01-03,2024-02-01,20.00,USD\n",
        encoding="utf-8",
    )
    with a_service(at(LAST)) as service:
        report = service.import_file(path, "invoices", defaults=OfficeDefaults())
        assert (report.brought_in, report.refused) == (2, 0)
        with service.database.connect("arrears_app") as connection:
            rows = connection.execute(
                "SELECT r.number, customer_name, outstanding "
                "FROM read_model.collections_report AS r JOIN personal.people USING (account_id)"
            )
            assert rows.fetchall() == [("C-1", "C-1", 3_000)]


def test_money_for_an_account_that_nobody_knows_opens_it_and_that_is_said(a_service: AService, tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    path.write_text("account_number,received_on,amount,currency\nC-9,2024-01-02,10.00,USD\n", encoding="utf-8")
    with a_service(at(LAST)) as service:
        report = service.import_file(path, "payments", defaults=OfficeDefaults())
        assert (report.brought_in, report.refused) == (1, 0)
        assert "account C-9 is known; the account was opened" in str(report.notices[-1])

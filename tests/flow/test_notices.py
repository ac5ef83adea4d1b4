"""What an import takes and says: money for an invoice that nobody knows, and how an office was opened."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.billing.importer import ImportRefused, OfficeDefaults
from adapters.clock import ManualClock
from aggregates.account import Account
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.kernel.actor import Actor
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.command import Accepted, Issued, identifier
from aggregates.office import Office, office_id
from aggregates.values.money import Money
from api.application.dry_run import dry_run
from api.processes.step_by_step import StepByStep
from tests.flow.conftest import AService
from tests.flow.test_dry_run import TODAY, USD, file_of

NOW = ManualClock(datetime(2026, 11, 28, 12, tzinfo=UTC))
WAITS = "account A1 has no invoice I9 yet; the money waits for it"


def both(service: StepByStep, path: Path, kind: str, defaults: OfficeDefaults = USD) -> list[str]:
    """The notices of a dry run, which are those of the import."""
    would = dry_run(service, path, kind, defaults=defaults)
    did = service.import_file(path, kind, defaults=defaults)
    assert would.notices == did.notices
    assert did.refused == 0
    return [str(notice) for notice in did.notices]


def account_of(service: StepByStep, number: str = "A1") -> Account:
    return service.arrears.load(Account, account_id(office_id("main"), number))


# --- money for an invoice ---


@pytest.mark.parametrize(
    ("kind", "row", "value"),
    [
        ("payments", ",A1,P1,2026-10-10,30.00,USD,I9", "P1"),
        ("payments", ",A1,,2026-10-10,30.00,USD,I9", ""),
        ("credits", ",A1,P1,2026-10-10,30.00,USD,I9", "P1"),
    ],
)
def test_money_for_an_unknown_invoice_is_taken_said_and_kept_for_it(
    a_service: AService, tmp_path: Path, kind: str, row: str, value: str
):
    service = a_service(NOW)
    both(service, file_of(tmp_path, "invoices", ",A1,I1,2026-10-01,2026-10-30,20.00,USD"), "invoices")
    [notice] = both(service, file_of(tmp_path, kind, row), kind)
    assert notice.startswith(f"line 2: '{value}")
    assert notice.endswith(WAITS)
    assert [item.item.number for item in account_of(service).receivables.items.values()] == ["I1"]
    both(service, file_of(tmp_path, "invoices", ",A1,I9,2026-10-05,2026-10-30,30.00,USD"), "invoices")
    [left] = account_of(service).receivables.items.values()
    assert (left.item.number, left.open) == ("I1", Money(2_000, "USD"))


def test_money_for_an_invoice_that_is_known_is_not_talked_about(a_service: AService, tmp_path: Path):
    """Whether it came with a file, was billed by hand, is paid already, or waits for its day."""
    service = a_service(NOW)
    invoices = [
        ",A1,I1,2026-10-01,2026-10-30,20.00,USD", ",A1,I2,2026-10-01,2026-10-30,10.00,USD",
        ",A1,I3,2026-12-24,2026-12-30,20.00,USD",
    ]  # fmt: skip
    both(service, file_of(tmp_path, "invoices", *invoices), "invoices")
    for number, day in (("I4", TODAY), ("I5", TODAY + timedelta(9))):
        by_hand = BillInvoice(
            account_id=account_of(service).id, number=number, issued_on=day, due_on=day, amount=Money(500, "USD")
        )
        issued = Issued(command=by_hand, command_id=identifier("by hand", number), actor=Actor.person("eve"))
        [outcome] = service.arrears.handle([issued])
        assert isinstance(outcome, Accepted)
    paid = [f",A1,P{n},2026-10-{10 + n},10.00,USD,I{n}" for n in (1, 2, 3, 4, 5)] + [",A1,P6,2026-10-20,5.00,USD,I2"]
    assert both(service, file_of(tmp_path, "payments", *paid), "payments") == []


def test_an_invoice_of_another_account_is_not_the_one_that_is_named(a_service: AService, tmp_path: Path):
    service = a_service(NOW)
    both(service, file_of(tmp_path, "invoices", ",A2,I9,2026-10-01,2026-10-30,20.00,USD"), "invoices")
    notices = both(service, file_of(tmp_path, "payments", ",A1,P1,2026-10-10,20.00,USD,I9"), "payments")
    assert WAITS in notices[-1]


# --- how an office was opened ---

IN_EUR = [",A1,I1,2026-10-01,2026-10-30,20.00,EUR", ",A1,I2,2026-10-01,2026-10-30,20.00,EUR"]


def test_an_office_works_in_the_one_currency_of_its_rows_and_that_is_said(a_service: AService, tmp_path: Path):
    service = a_service(NOW)
    [notice] = both(service, file_of(tmp_path, "invoices", *IN_EUR), "invoices", OfficeDefaults())
    assert notice == (
        "line 2: 'main'; the office was opened in EUR, the currency of its rows (else: --currency)"
        " and in time zone UTC (else: --time-zone)"
    )
    assert service.arrears.load(Office, office_id("main")).currency == "EUR"
    more = file_of(tmp_path, "invoices", ",A1,I3,2026-10-01,2026-10-30,20.00,EUR")
    assert both(service, more, "invoices", OfficeDefaults()) == []


@pytest.mark.parametrize(
    ("defaults", "is_said"),
    [
        (OfficeDefaults(currency="EUR"), "the office was opened in time zone UTC (else: --time-zone)"),
        (
            OfficeDefaults(time_zone="Europe/Berlin"),
            "the office was opened in EUR, the currency of its rows (else: --currency)",
        ),
    ],
)
def test_what_was_given_is_not_said(a_service: AService, tmp_path: Path, defaults: OfficeDefaults, is_said: str):
    [notice] = both(a_service(NOW), file_of(tmp_path, "invoices", *IN_EUR), "invoices", defaults)
    assert notice == f"line 2: 'main'; {is_said}"


def test_an_office_is_not_opened_in_one_of_several_currencies(a_service: AService, tmp_path: Path):
    """However its name is written, and whatever comes first; the offices that are clear wait too."""
    service = a_service(NOW)
    rows = [
        "Main,A0,I0,2026-01-01,2026-10-30,20.00,USD", *IN_EUR, "north,A1,I4,2026-01-01,2026-10-30,20.00,USD",
    ]  # fmt: skip
    path = file_of(tmp_path, "invoices", *rows)
    expected = r"say with --currency in which one it works \(main: 2 in EUR, 1 in USD\)"
    for strict in (False, True):
        with pytest.raises(ImportRefused, match=expected):
            service.import_file(path, "invoices", defaults=OfficeDefaults(), strict=strict)
    with pytest.raises(ImportRefused, match=expected):
        dry_run(service, path, "invoices", defaults=OfficeDefaults())
    assert not any(_is_there(service, Office, office_id(code)) for code in ("main", "north"))
    report = service.import_file(path, "invoices", defaults=OfficeDefaults(currency="EUR"))
    assert (report.brought_in, report.refused) == (4, 0), "in other currencies they are accounts of their own"


def _is_there(service: StepByStep, kind: type[Aggregate], aggregate_id: object) -> bool:
    return bool(service.arrears.load_many(kind, [aggregate_id]))  # type: ignore[list-item]

"""Files of customers with several accounts: each row finds its account by number and currency, in whichever order."""

from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.billing.importer import ImportReport, OfficeDefaults, dry_run
from adapters.billing.profile import load_profile
from adapters.billing.source import ImportSource
from adapters.clock import ManualClock
from aggregates.account import Account
from aggregates.account.command import account_id
from aggregates.account.contact import OptOutOfContact
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Issued
from aggregates.office import office_id
from aggregates.values.contact import Channel
from aggregates.values.money import Money
from api.application.erasure import erase_person
from api.processes.step_by_step import StepByStep
from tests.flow.conftest import AService

OFFICE = office_id("main")
DOLLARS, EUROS, OTHER = account_id(OFFICE, "1001"), account_id(OFFICE, "1001", "EUR"), account_id(OFFICE, "2002")

HEADERS = {
    "customers": "account_number,customer_number,name,country,phone_1,phone_1_sms_consent",
    "invoices": "account_number,invoice_number,issued_on,due_on,amount,currency",
    "payments": "account_number,payment_number,received_on,amount,currency,invoice_number",
    "credits": "account_number,credit_number,issued_on,amount,currency,invoice_number",
    "reversals": "account_number,payment_number,reversed_on,reversal",
}
FILES = {
    "customers": ("1001,,Ada,US,+12125550100,yes", "2002,1001,Ada,US,+12125550199,no"),
    "invoices": ("1001,I-1,2026-01-05,2026-01-20,100,USD", "1001,I-2,2026-01-05,2026-01-20,50,EUR"),
    "payments": ("1001,P-1,2026-02-01,30,USD,I-1", "1001,P-2,2026-02-01,20,EUR,I-2"),
    "credits": ("1001,C-1,2026-02-02,5,EUR,I-2",),
}


class Files:
    """A service, and files that it is given."""

    def __init__(self, service: StepByStep, folder: Path) -> None:
        self.service, self._folder = service, folder

    def bring_in(self, kind: str, *rows: str, refused: int = 0) -> ImportReport:
        report = self.service.import_file(
            self._written(kind, rows), kind, defaults=OfficeDefaults(code="main", currency="USD")
        )
        assert report.refused == refused, report.problems
        return report

    def try_out(self, kind: str, *rows: str) -> ImportReport:
        source = ImportSource(self._written(kind, rows), load_profile(kind))
        with self.service.trial() as trial, self.service.database.connect("arrears_app", autocommit=True) as connection:
            return dry_run(trial, connection, source, defaults=OfficeDefaults(code="main", currency="USD"))

    def _written(self, kind: str, rows: tuple[str, ...]) -> Path:
        file = self._folder / f"{uuid4()}.csv"
        file.write_text("\n".join([HEADERS[kind], *rows, ""]), encoding="utf-8")
        return file

    def account(self, account: UUID) -> Account:
        return self.service.arrears.load(Account, account)

    def said(self) -> dict[str, object]:
        """What is owed on each account, and what is known of its customer."""
        found: dict[str, object] = {}
        for each in (self.account(i) for i in (DOLLARS, EUROS, OTHER)):
            details = each.contact.details
            found[each.customer.account_name] = (
                each.receivables.balance,
                each.customer.name,
                each.customer.customer_number,
                sorted(other.name for other in each.customer.accounts.values()),
                sorted((phone.number, phone.sms_consent.value) for phone in details.phones),
            )
        return found


@pytest.fixture
def files(a_service: AService, tmp_path: Path) -> Files:
    return Files(a_service(ManualClock(datetime(2026, 3, 2, 15, tzinfo=UTC))), tmp_path)


PHONES = [("+12125550100", "given"), ("+12125550199", "refused")]
EXPECTED = {
    "1001": (Money(70_00, "USD"), "Ada", "1001", ["1001/EUR", "2002"], PHONES),
    "1001/EUR": (Money(25_00, "EUR"), "Ada", "1001", ["1001", "2002"], PHONES),
    "2002": (Money(0, "USD"), "Ada", "1001", ["1001", "1001/EUR"], PHONES),
}


@pytest.mark.parametrize("order", [*permutations(("customers", "invoices", "payments"))], ids="-".join)
def test_files_in_any_order_come_to_the_same_accounts(files: Files, order: tuple[str, ...]):
    for kind in (*order, "credits"):
        files.bring_in(kind, *FILES[kind])
    assert files.said() == EXPECTED
    for kind in order:
        assert files.bring_in(kind, *FILES[kind]).brought_in == 0


def test_a_dry_run_of_another_currency_says_what_the_import_does(files: Files):
    files.bring_in("customers", *FILES["customers"])
    for kind in ("invoices", "payments", "credits"):
        tried = files.try_out(kind, *FILES[kind])
        done = files.bring_in(kind, *FILES[kind])
        assert (tried.brought_in, tried.refused, tried.notices) == (done.brought_in, done.refused, done.notices)


def test_rows_in_the_other_order_come_to_the_same_accounts(files: Files):
    for kind in ("invoices", "payments", "credits", "customers"):
        files.bring_in(kind, *FILES[kind][::-1])
    assert files.said() == EXPECTED


def test_a_reversal_finds_its_payment_in_whichever_currency_it_was(files: Files):
    for kind in ("invoices", "payments"):
        files.bring_in(kind, *FILES[kind])
    files.bring_in("reversals", "1001,P-2,2026-02-10,nsf")
    assert files.account(EUROS).receivables.balance == Money(50_00, "EUR")
    assert files.account(DOLLARS).receivables.balance == Money(70_00, "USD")


def test_an_invoice_does_not_move_to_another_currency(files: Files):
    files.bring_in("invoices", *FILES["invoices"])
    report = files.bring_in("invoices", "1001,I-2,2026-01-05,2026-01-20,50,USD", refused=1)
    assert "account 1001/EUR, where this invoice was imported before" in str(report.problems[0])


def test_what_a_customer_said_holds_on_an_account_that_a_later_file_opens(files: Files):
    files.bring_in("customers", FILES["customers"][0])
    opt_out = OptOutOfContact(account_id=DOLLARS, channel=Channel.SMS, point_id="phone-1")
    [outcome] = files.service.arrears.handle([Issued(opt_out, uuid4(), Actor.person("dana"))])
    assert isinstance(outcome, Accepted)
    files.bring_in("invoices", *FILES["invoices"])
    files.bring_in("customers", "2002,1001,Ada,US,(212) 555-0100,yes")
    for account in (EUROS, OTHER):
        assert files.account(account).contact.has_opted_out(Channel.SMS, "phone-1")


def test_a_new_number_in_a_customer_s_row_goes_to_all_of_their_accounts_and_those_keep_their_own(files: Files):
    for kind in ("customers", "invoices"):
        files.bring_in(kind, *FILES[kind])
    files.bring_in("customers", "1001,,Ada King,US,+12125550177,yes")
    for account in (DOLLARS, EUROS, OTHER):
        details = files.account(account).contact.details
        assert sorted(phone.number for phone in details.phones) == ["+12125550177", "+12125550199"]
        assert files.account(account).customer.name == "Ada King"


def test_a_person_who_was_erased_stays_so_on_an_account_in_another_currency(files: Files):
    files.bring_in("customers", *FILES["customers"])
    erase_person(files.service.arrears, DOLLARS)
    files.bring_in("invoices", *FILES["invoices"])
    files.bring_in("customers", *(f"{whose},Ada King,US,+12125550177,yes" for whose in ("1001,", "2002,1001")))
    files.bring_in("customers", "3003,1001,Ada King,US,+12125550177,yes")
    files.bring_in("payments", "3003,P-9,2026-02-01,20,USD,")
    for account in (DOLLARS, EUROS, OTHER, account_id(OFFICE, "3003")):
        assert "Ada" not in files.account(account).customer.name
        assert not [p for p in files.account(account).contact.details.phones if p.number.startswith("+1")]

"""What is the same statement where a customer has accounts in several currencies: a document is of one of them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.billing.importer import ImportReport
from adapters.clock import ManualClock
from aggregates.account import Account
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Issued, identifier
from aggregates.values.money import Money
from tests.flow.conftest import AService
from tests.flow.test_identity import MAIN, Billing

INVOICE = "account_number,invoice_number,issued_on,due_on,amount,currency"
PAYMENT = "account_number,payment_number,received_on,amount,currency,invoice_number,payer"
REVERSAL = "account_number,payment_number,reversed_on,reversal"
OWN = '[numbering]\nscope = "per-account"'


class Currencies(Billing):
    """Files in which accounts, or else the office, number the documents."""

    per_account = False

    def said(self, kind: str, columns: str, *rows: str) -> ImportReport:
        return self.bring_in(self.profile(kind, columns, more=OWN if self.per_account else ""), columns, *rows)

    def owed(self, *names: str) -> list[Money]:
        said = [name.partition("/") for name in names]
        ids = [account_id(MAIN, number, currency or None) for number, _, currency in said]
        accounts = [self.service.arrears.load(Account, each) for each in ids]
        return [each.receivables.balance for each in accounts]


def usd(amount: int) -> Money:
    return Money(amount * 100, "USD")


def eur(amount: int) -> Money:
    return Money(amount * 100, "EUR")


@pytest.fixture
def files(a_service: AService, tmp_path: Path) -> Currencies:
    return Currencies(a_service(ManualClock(datetime(2026, 11, 28, 12, tzinfo=UTC))), tmp_path)


@pytest.fixture
def own(files: Currencies) -> Currencies:
    """Each account numbers its own documents."""
    files.per_account = True
    return files


def test_a_number_is_found_within_the_account_of_its_currency_where_accounts_have_their_own(own: Currencies):
    invoices = ("1001,I-1,2026-10-01,2026-10-31,80,USD", "1001,I-1,2026-10-01,2026-10-31,50,EUR")
    assert own.said("invoices", INVOICE, *invoices).brought_in == 2
    assert own.owed("1001", "1001/EUR") == [usd(80), eur(50)]
    assert own.said("invoices", INVOICE, *reversed(invoices)).unchanged == 2
    payments = ("1001,P-1,2026-11-01,30,USD,i-1,", "1001,P-1,2026-11-01,20,EUR,i-1,")
    report = own.said("payments", PAYMENT, *payments)
    assert (report.brought_in, report.noticed, own.owed("1001", "1001/EUR")) == (2, 0, [usd(50), eur(30)])
    corrected = own.said("payments", PAYMENT, "1001,P-1,2026-11-01,25,EUR,I-1,")
    assert (corrected.corrected, own.owed("1001", "1001/EUR")) == (1, [usd(50), eur(25)])


def test_an_account_that_is_called_like_one_in_another_currency_has_numbers_of_its_own(own: Currencies):
    own.said("invoices", INVOICE, "1001,I-0,2026-10-01,2026-10-31,1,USD")
    rows = ("1001/EUR,I-1,2026-10-01,2026-10-31,80,USD", "1001,I-1,2026-10-01,2026-10-31,50,EUR")
    assert own.said("invoices", INVOICE, *rows).brought_in == 2
    assert own.said("invoices", INVOICE, *rows).unchanged == 2
    assert own.balance("1001/EUR") == 80_00
    assert own.owed("1001/EUR") == [eur(50)]


def test_a_reversal_without_a_currency_is_of_the_account_that_has_its_payment(own: Currencies):
    own.said("invoices", INVOICE, *(f"1001,I-1,2026-10-01,2026-10-31,50,{each}" for each in ("USD", "EUR")))
    own.said("payments", PAYMENT, "1001,P-1,2026-11-01,20,EUR,,", "1001,P-2,2026-11-01,20,EUR,,")
    assert own.said("reversals", REVERSAL, "1001,p-1,2026-11-10,nsf").brought_in == 1
    assert own.owed("1001", "1001/EUR") == [usd(50), eur(30)]
    assert own.said("reversals", REVERSAL, "1001,P-1,2026-11-10,nsf").unchanged == 1
    own.said("payments", PAYMENT, "1001,P-2,2026-11-01,5,USD,,")
    assert own.said("reversals", REVERSAL, "1001,P-2,2026-11-10,nsf").brought_in == 1
    assert own.owed("1001", "1001/EUR") == [usd(50), eur(30)]


def test_a_number_of_the_office_is_of_one_account_whatever_the_currency(files: Currencies):
    files.said("invoices", INVOICE, "1001,I-1,2026-10-01,2026-10-31,80,USD", "1001,I-2,2026-10-01,2026-10-31,50,EUR")
    twice = ("1001,I-3,2026-10-01,2026-10-31,80,USD", "1001,I-3,2026-10-01,2026-10-31,80,EUR")
    [problem] = files.said("invoices", INVOICE, *twice).problems
    assert 'scope = "per-account"' in str(problem)
    files.said("payments", PAYMENT, "1001,P-1,2026-11-01,20,EUR,,")
    [problem] = files.said("payments", PAYMENT, "1001,P-1,2026-11-01,20,USD,,").problems
    said = (
        "account 1001/EUR, where this payment was imported before; only payments move, among accounts in one currency"
    )
    assert said in str(problem)
    assert files.owed("1001", "1001/EUR") == [usd(160), eur(30)]


def test_a_payment_moves_to_the_account_of_its_currency_which_is_the_customer_s(files: Currencies):
    files.said("invoices", INVOICE, "1001,I-1,2026-10-01,2026-10-31,50,EUR", "2002,I-2,2026-10-01,2026-10-31,80,USD")
    files.said("payments", PAYMENT, "1001,P-1,2026-11-01,20,EUR,,")
    assert files.said("payments", PAYMENT, "2002,P-1,2026-11-01,20,EUR,,").corrected == 1
    assert files.owed("1001/EUR", "2002", "2002/EUR") == [eur(50), usd(80), eur(-20)]
    moved = files.service.arrears.load(Account, account_id(MAIN, "2002", "EUR"))
    assert [other.name for other in moved.customer.accounts.values()] == ["2002"]


def test_a_payer_s_account_is_that_of_the_money_s_currency(files: Currencies):
    files.said("invoices", INVOICE, *(f"{n},I-{n},2026-10-01,2026-10-31,50,EUR" for n in (1001, 1002)))
    files.said("invoices", INVOICE, "1001,I-1,2026-10-01,2026-10-31,80,USD")
    assert files.said("payments", PAYMENT, "1002,P-1,2026-11-10,20,EUR,I-1002,1001").brought_in == 1
    assert files.owed("1001/EUR", "1002/EUR") == [eur(50), eur(30)]
    columns = f"{REVERSAL},payer"
    assert files.said("reversals", columns, "1002,P-1,2026-11-20,nsf,1001").brought_in == 1
    assert files.owed("1001", "1001/EUR", "1002/EUR") == [usd(80), eur(50), eur(50)]


def test_an_account_in_another_currency_keeps_the_number_as_it_is_spelled_there(files: Currencies):
    opening = OpenAccount(office_id=MAIN, number="a-1", customer_name="Ada", currency="EUR", other_currency=True)
    files.said("invoices", INVOICE, "A-1,I-1,2026-10-01,2026-10-31,80,USD")
    outcome = files.service.arrears.handle([Issued(opening, identifier("test"), Actor.person("dana"))])
    assert isinstance(outcome[0], Accepted)
    files.said("invoices", INVOICE, "a-1,I-2,2026-10-01,2026-10-31,50,EUR")
    files.said("invoices", INVOICE, "A-1,I-3,2026-10-01,2026-10-31,10,EUR")
    assert files.owed("A-1", "a-1/EUR", "A-1/EUR") == [usd(80), eur(50), eur(10)]
    files.said("invoices", INVOICE, "\u00a0A-1,I-4,2026-10-01,2026-10-31,10,EUR")
    assert files.owed("A-1/EUR") == [eur(20)]


def test_money_waits_for_an_invoice_that_only_the_account_in_another_currency_has(files: Currencies):
    files.said("invoices", INVOICE, "1001,I-1,2026-10-01,2026-10-31,80,USD", "1001,I-2,2026-10-01,2026-10-31,50,EUR")
    report = files.said("payments", PAYMENT, "1001,P-1,2026-11-01,20,EUR,I-1,")
    assert [str(notice) for notice in report.notices] == [
        "line 2: 'P-1'; account 1001/EUR has no invoice I-1 yet; the money waits for it"
    ]
    assert files.owed("1001", "1001/EUR") == [usd(80), eur(30)]

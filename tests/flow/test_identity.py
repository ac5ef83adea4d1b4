"""What is the same statement: under another spelling, by another profile, and as an earlier release remembered it."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.billing.importer import ImportReport, OfficeDefaults
from adapters.clock import ManualClock
from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account import Account
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.account.payments import NoteCredit, PaymentReceived, ReceivePayment
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, identifier
from aggregates.office import Office, OpenOffice, office_id
from aggregates.values.money import Money
from api.application.dry_run import dry_run
from api.processes.step_by_step import StepByStep
from tests.flow.conftest import AService

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
USD = OfficeDefaults(currency="USD", time_zone="UTC")
MAIN = office_id("main")


class Billing:
    """A service, and files that it is given."""

    def __init__(self, service: StepByStep, folder: Path) -> None:
        self.service, self._folder = service, folder
        self._files = 0

    def profile(self, kind: str, columns: str, *, information: str = "", top: str = "", more: str = "") -> str:
        self._files += 1
        path = self._folder / f"profile-{self._files}.toml"
        lines = [f'kind = "{kind}"', top, "[columns]", *(f'{each} = "{each}"' for each in columns.split(","))]
        lines += ["[information]", *(f'{each} = "{each}"' for each in information.split(","))] if information else []
        path.write_text("\n".join([*lines, more, ""]), encoding="utf-8")
        return str(path)

    def file(self, header: str, *rows: str) -> Path:
        self._files += 1
        path = self._folder / f"file-{self._files}.csv"
        path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        return path

    def bring_in(self, profile: str, header: str, *rows: str, defaults: OfficeDefaults = USD) -> ImportReport:
        """Tried first: a dry run says what the import then does."""
        path = self.file(header, *rows)
        tried = dry_run(self.service, path, profile, defaults=defaults)
        report = self.service.import_file(path, profile, defaults=defaults)
        assert counts(tried) == counts(report)
        assert [str(each) for each in tried.problems] == [str(each) for each in report.problems]
        return report

    def invoices(self, *rows: str, profile: str = "invoices") -> ImportReport:
        return self.bring_in(profile, "account_number,invoice_number,issued_on,due_on,amount,currency", *rows)

    def payments(self, *rows: str, columns: str = "", profile: str | None = None) -> ImportReport:
        header = "account_number,received_on,amount,currency" + (f",{columns}" if columns else "")
        return self.bring_in(profile or "payments", header, *rows)

    def account(self, number: str, office: str = "main") -> Account:
        return self.service.arrears.load(Account, account_id(office_id(office), number))

    def balance(self, number: str, office: str = "main") -> int:
        account = self.account(number, office)
        return account.receivables.balance.minor

    def received(self, number: str) -> list[str]:
        """The numbers of the account's payments, each as often as it was received."""
        history = self.service.arrears.history(Account, account_id(MAIN, number))
        return [each.event.receipt.number for each in history if isinstance(each.event, PaymentReceived)]

    def rows(self, columns: str = "natural_key") -> list[Any]:
        with self.service.database.connect("arrears_app") as connection:
            query = f"SELECT {columns} FROM arrears.import_facts ORDER BY office, natural_key"
            found = connection.execute(query.encode()).fetchall()
        return [row[0] if len(row) == 1 else row for row in found]

    def as_earlier_release(self, *rows: tuple[str, str, str, bytes]) -> None:
        """Puts rows in place of what is remembered, written as an earlier release wrote them."""
        with self.service.database.connect("arrears_app") as connection:
            connection.execute("DELETE FROM arrears.import_facts")
            for office, natural_key, account, digest in rows:
                connection.execute(
                    "INSERT INTO arrears.import_facts (office, natural_key, account_number, revision, digest)"
                    " VALUES (%s, %s, %s, 1, %s)",
                    [office, natural_key, account, digest],
                )


def counts(report: ImportReport) -> tuple[int, ...]:
    """Brought in, corrected, unchanged, refused."""
    return report.brought_in, report.corrected, report.unchanged, report.refused


@pytest.fixture
def billing(a_service: AService, tmp_path: Path) -> Billing:
    return Billing(a_service(ManualClock(NOW)), tmp_path)


# --- payments without a number -----------------------------------------------------------------------


def test_a_profile_that_maps_one_more_column_makes_no_payment_again(billing: Billing):
    """One file, two profiles."""
    columns = "account_number,received_on,amount,currency"
    a = billing.profile("payments", columns)
    b = billing.profile("payments", columns, information="bank_line")
    row = "1001,2026-11-10,80.00,USD,Line 7"
    assert counts(billing.payments(row, columns="bank_line", profile=a)) == (1, 0, 0, 0)
    assert counts(billing.payments(row, columns="bank_line", profile=b)) == (0, 0, 1, 0)
    assert counts(billing.payments(row, columns="bank_line", profile=a)) == (0, 0, 1, 0)
    assert billing.balance("1001") == -8_000


def test_two_payments_that_say_the_same_are_two_in_whatever_order(billing: Billing):
    rows = ["B9,2026-11-02,5.00,USD,card", "B9,2026-11-02,5.00,USD,card", "B9,2026-11-02,5.00,USD,cash"]
    assert counts(billing.payments(*rows, columns="method")) == (3, 0, 0, 0)
    assert counts(billing.payments(*reversed(rows), columns="method")) == (0, 0, 3, 0)
    assert counts(billing.payments(*rows, rows[0], columns="method")) == (1, 0, 3, 0)
    assert billing.balance("B9") == -2_000


def test_payments_of_one_account_day_and_amount_are_two_where_both_say_something_that_differs(billing: Billing):
    """In two files: no money is lost, and no payment becomes another."""
    assert counts(billing.payments("A,2026-11-02,5.00,USD,R-1", columns="reference")) == (1, 0, 0, 0)
    assert counts(billing.payments("A,2026-11-02,5.00,USD,R-2", columns="reference")) == (1, 0, 0, 0)
    assert counts(billing.payments("A,2026-11-02,5.00,USD,R-1", columns="reference")) == (0, 0, 1, 0)
    both = ["A,2026-11-02,5.00,USD,R-2", "A,2026-11-02,5.00,USD,R-1"]
    assert counts(billing.payments(*both, columns="reference")) == (0, 0, 2, 0)
    assert counts(billing.payments("A,2026-11-02,5.00,USD", "A,2026-11-02,5.00,USD")) == (0, 0, 2, 0)
    assert counts(billing.payments(*["A,2026-11-02,5.00,USD"] * 3)) == (1, 0, 2, 0)
    assert billing.balance("A") == -1_500


def test_what_a_payment_says_more_in_another_file_is_a_correction_of_it(billing: Billing):
    billing.invoices("A,I-1,2026-10-01,2026-10-31,5.00,USD", "A,I-2,2026-10-02,2026-10-31,5.00,USD")
    billing.payments("A,2026-11-02,5.00,USD,card", columns="method")
    row = "A,2026-11-02,5.00,USD,I-2"
    assert counts(billing.payments(row, columns="invoice_number")) == (0, 1, 0, 0)
    assert counts(billing.payments(row, columns="invoice_number")) == (0, 0, 1, 0)
    assert counts(billing.payments("A,2026-11-02,5.00,USD,card", columns="method")) == (0, 0, 1, 0)
    history = billing.service.arrears.history(Account, account_id(MAIN, "A"))
    last = [each.event for each in history if isinstance(each.event, PaymentReceived)][-1]
    assert (last.method, last.invoice_number) == ("card", "I-2"), "what the second file does not say stays"
    account = billing.account("A")
    [paid] = account.receivables.items.values()
    assert (paid.item.number, billing.balance("A")) == ("I-1", 500)


def test_a_payer_is_found_under_another_spelling_and_makes_no_second_payment(billing: Billing):
    billing.invoices("A,I-1,2026-10-01,2026-10-31,5.00,USD", "P,I-2,2026-10-01,2026-10-31,7.00,USD")
    row = "A,2026-11-02,5.00,USD,p"
    assert counts(billing.payments(row, columns="payer")) == (1, 0, 0, 0)
    assert (billing.balance("A"), billing.balance("P")) == (0, 700)
    assert counts(billing.payments(row, columns="payer")) == (0, 0, 1, 0)
    assert counts(billing.payments("A,2026-11-02,5.00,USD")) == (0, 0, 1, 0)
    assert (billing.balance("A"), billing.balance("P")) == (0, 700)


def test_a_payer_that_is_said_later_makes_no_new_money(billing: Billing):
    """The payment came in on the account itself: whoever says otherwise is told."""
    billing.invoices("A,I-1,2026-10-01,2026-10-31,5.00,USD", "P,I-2,2026-10-01,2026-10-31,7.00,USD")
    billing.payments("A,2026-11-02,5.00,USD")
    assert counts(billing.payments("A,2026-11-02,5.00,USD,P", columns="payer")) == (0, 0, 0, 1)
    assert (billing.balance("A"), billing.balance("P")) == (0, 700)


def test_as_many_payments_as_possible_are_those_that_are_known(billing: Billing):
    """The one that says less must not take the one that only the other can be."""
    billing.payments("A,2026-11-02,5.00,USD,card,", "A,2026-11-02,5.00,USD,,R-2", columns="method,reference")
    again = ["A,2026-11-02,5.00,USD,,", "A,2026-11-02,5.00,USD,card,R-1"]
    assert counts(billing.payments(*again, columns="method,reference")) == (0, 0, 2, 0)
    assert billing.balance("A") == -1_000


def test_more_equal_payments_than_are_dealt_with_at_once_are_as_many_each_time(billing: Billing):
    rows = ["A,2026-11-02,5.00,USD,card"] * 1_300
    assert counts(billing.payments(*rows, columns="method")) == (1_300, 0, 0, 0)
    assert counts(billing.payments(*rows, columns="method")) == (0, 0, 1_300, 0)
    assert counts(billing.payments(*rows, *rows[:2], columns="method")) == (2, 0, 1_300, 0)


# --- spelling ----------------------------------------------------------------------------------------


def test_another_spelling_of_a_number_is_no_second_document(billing: Billing):
    assert counts(billing.invoices("A-1,INV-001,2026-10-01,2026-10-31,10.00,USD")) == (1, 0, 0, 0)
    assert counts(billing.invoices("a-1,inv-001 ,2026-10-01,2026-10-31,10.00,USD")) == (0, 0, 1, 0)
    assert counts(billing.invoices("Ａ-1,ＩＮＶ-001,2026-10-01,2026-10-31,12.00,USD")) == (0, 1, 0, 0)
    account = billing.account("A-1")
    [item] = account.receivables.items.values()
    assert (item.item.number, item.open.minor) == ("INV-001", 1_200)
    with pytest.raises(AggregateNotFoundError):
        billing.account("a-1")


def test_what_a_row_names_is_found_under_another_spelling(billing: Billing):
    billing.invoices("A-1,INV-1,2026-10-01,2026-10-31,10.00,USD", "A-1,INV-2,2026-09-01,2026-09-30,10.00,USD")
    header = "account_number,payment_number,received_on,amount,currency,invoice_number"
    report = billing.bring_in("payments", header, "a-1,P-1,2026-11-02,10.00,USD,inv-1")
    assert (counts(report), report.noticed) == ((1, 0, 0, 0), 0)
    account = billing.account("A-1")
    [item] = account.receivables.items.values()
    assert item.item.number == "INV-2"
    back = billing.bring_in("reversals", "account_number,payment_number,reversed_on,reversal", "A-1,p-1,2026-11-03,nsf")
    assert counts(back) == (1, 0, 0, 0)


PAID = "account_number,payment_number,received_on,amount,currency"
TAKEN_BACK = "account_number,payment_number,reversed_on,reversal,amount,currency,invoice_number"


def test_a_part_of_a_payment_is_known_under_another_spelling_and_names_its_invoice_so(billing: Billing):
    billing.invoices("A-1,INV-1,2026-10-01,2026-10-31,10.00,USD", "A-1,INV-2,2026-09-01,2026-09-30,10.00,USD")
    billing.bring_in("payments", f"{PAID},invoice_number", "A-1,P-1,2026-11-02,10.00,USD,INV-1")
    part = "{},{},2026-11-03,chargeback,2.00,USD,inv-1"
    assert counts(billing.bring_in("reversals", TAKEN_BACK, part.format("a-1", "p-1"))) == (1, 0, 0, 0)
    for account, payment in (("A-1", "P-1"), ("a-1", "p-1"), ("A-1", "Ｐ-1")):
        assert counts(billing.bring_in("reversals", TAKEN_BACK, part.format(account, payment))) == (0, 0, 1, 0)
    open_items = {each.item.number: each.open.minor for each in billing.account("A-1").receivables.items.values()}
    assert open_items == {"INV-1": 200, "INV-2": 1_000}


def test_parts_of_payments_of_two_accounts_with_one_number_are_two(billing: Billing):
    own = billing.profile("payments", PAID, more=OWN)
    billing.bring_in(own, PAID, "1001,1,2026-11-02,10.00,USD", "1002,1,2026-11-02,10.00,USD")
    back = billing.profile("reversals", TAKEN_BACK, more=OWN)
    rows = [f"{account},1,2026-11-03,chargeback,4.00,USD," for account in ("1001", "1002")]
    assert counts(billing.bring_in(back, TAKEN_BACK, *rows)) == (2, 0, 0, 0)
    assert counts(billing.bring_in(back, TAKEN_BACK, *rows)) == (0, 0, 2, 0)
    assert counts(billing.bring_in("reversals", TAKEN_BACK, rows[1])) == (0, 0, 1, 0), "by a profile of the office's"
    assert (billing.balance("1001"), billing.balance("1002")) == (-600, -600)


def test_a_reversal_of_which_an_earlier_release_knew_the_payment_alone_is_no_part(billing: Billing):
    billing.bring_in("payments", PAID, "A-1,P-1,2026-11-02,10.00,USD")
    row = "A-1,P-1,2026-11-03,nsf,10.00,USD,"
    assert counts(billing.bring_in("reversals", TAKEN_BACK, row)) == (1, 0, 0, 0)
    then = digest_of_then(
        account_number="A-1", payment_number="P-1", reversed_on="2026-11-03", reversal="nsf", amount=money(1_000)
    )
    billing.as_earlier_release(("main", "reversal:P-1", "A-1", then))
    for same in (row, row.lower().replace("usd", "USD")):
        assert counts(billing.bring_in("reversals", TAKEN_BACK, same)) == (0, 0, 1, 0)
    assert counts(billing.bring_in("reversals", TAKEN_BACK, row.replace("10.00", "9.00"))) == (0, 0, 0, 1)


def test_two_numbers_that_differ_in_case_and_are_known_stay_two(billing: Billing):
    """An earlier release took them for two."""
    rows = [f"C,{number},2026-10-01,2026-10-31,10.00,USD" for number in ("x-1", "X-1")]
    billing.invoices(rows[0])
    then = [
        digest_of_then(
            account_number="C", invoice_number=number, issued_on="2026-10-01", amount=money(1_000), due_on="2026-10-31"
        )
        for number in ("x-1", "X-1")
    ]
    billing.as_earlier_release(("main", "invoice:x-1", "C", then[0]), ("main", "invoice:X-1", "C", then[1]))
    report = billing.invoices(*rows)
    assert (report.repeats, report.noticed, counts(report)) == (0, 0, (0, 0, 2, 0))


def test_two_spellings_in_one_file_are_one_or_a_problem_that_names_both_lines(billing: Billing):
    report = billing.invoices(
        "C,a-1,2026-10-01,2026-10-31,10.00,USD",
        "c,A-1,2026-10-01,2026-10-31,10.00,USD",
        "C,A-1,2026-10-01,2026-10-31,11.00,USD",
    )
    assert (counts(report), report.repeats) == ((1, 0, 0, 1), 1)
    assert [str(each) for each in report.notices] == [
        "line 3: 'account c'; taken for account C, as line 2 has it",
        "line 3: 'invoice A-1'; taken for invoice a-1, as line 2 has it",
    ]
    [problem] = report.problems
    assert problem.line == 4
    assert problem.expected.startswith("another number, or what line 2 says: invoice a-1")
    assert billing.balance("C") == 1_000


def test_an_account_that_is_there_under_the_exact_number_wins(billing: Billing):
    billing.invoices("ACC,I-1,2026-10-01,2026-10-31,10.00,USD")

    opening = OpenAccount(office_id=MAIN, number="acc", customer_name="Other", currency="USD")
    billing.service.arrears.handle([Issued(command=opening, command_id=identifier("t"), actor=Actor.person("dana"))])
    billing.invoices("acc,I-2,2026-10-01,2026-10-31,7.00,USD", "Acc,I-3,2026-10-01,2026-10-31,2.00,USD")
    assert (billing.balance("acc"), billing.balance("ACC")) == (700, 1_200)


# --- numbers of accounts -----------------------------------------------------------------------------

OWN = '[numbering]\nscope = "per-account"'
TWO = ("1001,2026-001,2026-10-01,2026-10-31,100.00,USD", "1002,2026-001,2026-10-01,2026-10-31,100.00,USD")


def test_each_account_may_number_its_own_documents(billing: Billing):
    own = billing.profile("invoices", "account_number,invoice_number,issued_on,due_on,amount,currency", more=OWN)
    assert counts(billing.invoices(*TWO, profile=own)) == (2, 0, 0, 0)
    assert counts(billing.invoices(*TWO, profile=own)) == (0, 0, 2, 0)
    assert (billing.balance("1001"), billing.balance("1002")) == (10_000, 10_000)
    assert counts(billing.invoices(TWO[1].replace("100.00", "90.00"), profile=own)) == (0, 1, 0, 0)
    assert counts(billing.invoices(TWO[0])) == (0, 0, 1, 0), "by a profile that does not say so"


def test_a_document_that_was_imported_as_the_office_s_is_known_where_accounts_have_their_own(billing: Billing):
    own = billing.profile("invoices", "account_number,invoice_number,issued_on,due_on,amount,currency", more=OWN)
    assert counts(billing.invoices(TWO[0])) == (1, 0, 0, 0)
    assert counts(billing.invoices(*TWO, profile=own)) == (1, 0, 1, 0)
    assert (billing.balance("1001"), billing.balance("1002")) == (10_000, 10_000)


def test_a_number_of_two_accounts_is_refused_with_the_key_that_allows_it(billing: Billing):
    billing.invoices(TWO[0])
    [problem] = billing.invoices(TWO[1]).problems
    assert problem.expected.startswith("account 1001, where this invoice was imported before")
    assert '[numbering] scope = "per-account"' in problem.expected


# --- offices -----------------------------------------------------------------------------------------

WITH_OFFICE = "office,account_number,invoice_number,issued_on,due_on,amount,currency"


def test_offices_of_other_letters_are_told_apart(billing: Billing):
    report = billing.bring_in(
        "invoices",
        WITH_OFFICE,
        "東京,1001,1,2026-01-05,2026-02-04,100,JPY",
        "大阪,1001,1,2026-01-05,2026-02-04,200,JPY",
        defaults=OfficeDefaults(currency="JPY", time_zone="UTC"),
    )
    assert counts(report) == (2, 0, 0, 0)
    codes = billing.rows("office, office_code")
    assert {name for name, _ in codes} == {"東京", "大阪"}
    assert len({code for _, code in codes}) == 2
    for name, code in codes:
        assert billing.service.arrears.load(Office, office_id(code)).title == name


def test_an_office_that_is_open_under_the_code_of_an_earlier_release_is_found(billing: Billing):

    opening = OpenOffice(code="z-rich", title="Zürich", currency="USD")
    billing.service.arrears.handle([Issued(command=opening, command_id=identifier("t"), actor=Actor.person("dana"))])
    billing.bring_in("invoices", WITH_OFFICE, "ZÜRICH,1001,1,2026-01-05,2026-02-04,100,USD")
    assert billing.balance("1001", "z-rich") == 10_000


# --- what earlier releases remembered ----------------------------------------------------------------


def content_of_then(fields: dict[str, Any]) -> bytes:
    """What an earlier release made a digest of: JSON without spaces of what was said, in the order of its fields."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of_then(**fields: Any) -> bytes:
    return hashlib.sha256(content_of_then(fields)).digest()


def key_of_then(digest: bytes, ordinal: int = 1) -> str:
    return f"unnumbered-payment:{digest.hex()[:24]}" + (f"#{ordinal}" if ordinal > 1 else "")


def money(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "USD"}


CUSTOMER_THEN = digest_of_then(account_number="A-1", name="Dee", currency="USD")
INVOICE_THEN = digest_of_then(
    account_number="A-1", invoice_number="I-1", issued_on="2026-10-01", amount=money(9_000), due_on="2026-10-31"
)
CREDIT_THEN = digest_of_then(account_number="A-1", credit_number="C-1", issued_on="2026-10-02", amount=money(100))
PAYMENT_THEN = digest_of_then(
    account_number="A-1", received_on="2026-10-03", amount=money(200), payment_number="P-1", method="card"
)
UNNUMBERED_THEN = digest_of_then(
    account_number="A-1", received_on="2026-10-04", amount=money(300), method="card", reference="R-1"
)
"""Of two equal ones."""
ROWS_THEN = (
    ("main", "customer:A-1", "A-1", CUSTOMER_THEN),
    ("main", "invoice:I-1", "A-1", INVOICE_THEN),
    ("main", "credit:C-1", "A-1", CREDIT_THEN),
    ("main", "payment:P-1", "A-1", PAYMENT_THEN),
    ("main", key_of_then(UNNUMBERED_THEN), "A-1", UNNUMBERED_THEN),
    ("main", key_of_then(UNNUMBERED_THEN, 2), "A-1", UNNUMBERED_THEN),
)


def test_the_digests_of_then_are_those_that_were_stored():
    assert INVOICE_THEN.hex() == "5e262a98db4c19467eb1a3166b939889de1b04bcb7a16f7c44ed5ac10acc4e1b"
    assert key_of_then(UNNUMBERED_THEN) == "unnumbered-payment:4d8d7f5ab9f4cdffc53aae9a"


@pytest.fixture
def upgraded(billing: Billing) -> Billing:
    """An installation whose facts were imported by an earlier release: log and rows are as that wrote them."""

    account = account_id(MAIN, "A-1")

    def received(number: str, day: int, minor: int) -> ReceivePayment:
        return ReceivePayment(
            account_id=account,
            number=number,
            amount=Money(minor, "USD"),
            received_on=date(2026, 10, day),
            method="card",
        )

    commands: Sequence[Command] = [
        OpenOffice(code="main", title="main", currency="USD"),
        OpenAccount(office_id=MAIN, number="A-1", customer_name="Dee", currency="USD"),
        BillInvoice(
            account_id=account, number="I-1", issued_on=date(2026, 10, 1), due_on=date(2026, 10, 31),
            amount=Money(9_000, "USD"),
        ),
        NoteCredit(account_id=account, number="C-1", amount=Money(100, "USD"), issued_on=date(2026, 10, 2)),
        received("P-1", 3, 200),
        received(key_of_then(UNNUMBERED_THEN), 4, 300),
        received(key_of_then(UNNUMBERED_THEN, 2), 4, 300),
    ]  # fmt: skip
    for n, command in enumerate(commands):
        issued = Issued(command=command, command_id=identifier("then", str(n)), actor=Actor.service("import"))
        [outcome] = billing.service.arrears.handle([issued])
        assert isinstance(outcome, Accepted)
    billing.as_earlier_release(*ROWS_THEN)
    billing.service.drain()
    return billing


NUMBERED = "account_number,payment_number,received_on,amount,currency,method"
UNNUMBERED_ROW = "A-1,2026-10-04,3.00,USD,card,R-1"


def everything_again(billing: Billing) -> list[tuple[int, ...]]:
    return [
        counts(billing.bring_in("customers", "account_number,name,currency", "A-1,Dee,USD")),
        counts(billing.invoices("A-1,I-1,2026-10-01,2026-10-31,90.00,USD")),
        counts(
            billing.bring_in(
                "credits", "account_number,credit_number,issued_on,amount,currency", "A-1,C-1,2026-10-02,1.00,USD"
            )
        ),
        counts(billing.bring_in("payments", NUMBERED, "A-1,P-1,2026-10-03,2.00,USD,card")),
        counts(billing.payments(UNNUMBERED_ROW, UNNUMBERED_ROW, columns="method,reference")),
    ]


def test_what_an_earlier_release_brought_in_is_known_and_rewritten(upgraded: Billing):
    head = upgraded.service.feed.head()
    unchanged = [(0, 0, 1, 0)] * 4 + [(0, 0, 2, 0)]
    assert everything_again(upgraded) == unchanged
    assert upgraded.service.feed.head() == head
    assert set(upgraded.rows("key_version, digest_version")) == {(2, 2)}
    assert everything_again(upgraded) == unchanged
    assert upgraded.service.feed.head() == head


def test_a_dry_run_over_what_an_earlier_release_remembered_changes_no_row(upgraded: Billing):
    before = upgraded.rows("natural_key, digest, key_version, digest_version, office_code")
    path = upgraded.file("account_number,received_on,amount,currency,method,reference", UNNUMBERED_ROW, UNNUMBERED_ROW)
    assert counts(dry_run(upgraded.service, path, "payments", defaults=USD)) == (0, 0, 2, 0)
    assert upgraded.rows("natural_key, digest, key_version, digest_version, office_code") == before


def test_a_payment_keeps_the_number_that_its_first_key_gave_it(upgraded: Billing):
    upgraded.payments(UNNUMBERED_ROW, columns="method,reference")
    row = f"{UNNUMBERED_ROW},I-1"
    assert counts(upgraded.payments(row, columns="method,reference,invoice_number")) == (0, 1, 0, 0)
    numbers = upgraded.received("A-1")
    assert set(numbers) == {"P-1", key_of_then(UNNUMBERED_THEN), key_of_then(UNNUMBERED_THEN, 2)}
    assert upgraded.balance("A-1") == 9_000 - 100 - 200 - 600


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("method,reference,bank_line", f"{UNNUMBERED_ROW},Line 7"),
        ("reference,method", "A-1,2026-10-04,3.00,USD,R-1,card"),
        ("method", "A-1,2026-10-04,3.00,USD,card"),
        ("", "A-1,2026-10-04,3.00,USD"),
    ],
    ids=["one more column", "another order", "a column less", "no column more"],
)
def test_a_payment_of_then_is_known_whatever_the_profile_maps_now(upgraded: Billing, columns: str, row: str):
    mapped = [each for each in columns.split(",") if each and each != "bank_line"]
    profile = upgraded.profile(
        "payments",
        ",".join(["account_number", "received_on", "amount", "currency", *mapped]),
        information="bank_line" if "bank_line" in columns else "",
    )
    assert counts(upgraded.payments(row, row, columns=columns, profile=profile)) == (0, 0, 2, 0)
    assert upgraded.balance("A-1") == 9_000 - 100 - 200 - 600
    assert counts(upgraded.payments(row, row, row, columns=columns, profile=profile)) == (1, 0, 2, 0)


def test_a_payment_of_the_same_day_and_amount_with_another_reference_is_no_payment_of_then(upgraded: Billing):
    row = UNNUMBERED_ROW.replace("R-1", "R-9")
    assert counts(upgraded.payments(row, columns="method,reference")) == (1, 0, 0, 0)
    assert upgraded.balance("A-1") == 9_000 - 100 - 200 - 900


def test_nothing_of_an_erased_person_is_kept_in_what_was_imported(upgraded: Billing):
    """Neither where an earlier release stored it, nor where this one does."""
    upgraded.service.arrears.keys.destroy(account_id(MAIN, "A-1"))
    plain = [each.hex() for *_, each in ROWS_THEN]
    kept = "\n".join(upgraded.rows("import_facts::text"))
    for digest in plain:
        assert digest not in kept
        assert digest[:24] not in kept
    assert counts(upgraded.payments(UNNUMBERED_ROW, UNNUMBERED_ROW, columns="method,reference")) == (0, 0, 2, 0)
    assert counts(upgraded.invoices("A-1,I-1,2026-10-01,2026-10-31,90.00,USD")) == (0, 0, 1, 0)


def test_a_digest_of_a_content_cannot_be_made_without_the_key(billing: Billing):
    billing.bring_in("customers", "account_number,name,currency", "A-1,Dee,USD")
    [(digest, version)] = billing.rows("digest, digest_version")
    assert version == 2
    assert bytes(digest) != CUSTOMER_THEN
    billing.service.arrears.keys.destroy(account_id(MAIN, "A-1"))
    assert billing.rows("digest") != [digest], "and of an erased person there is none"

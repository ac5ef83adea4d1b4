"""Statements and copies of invoices: what stands on them, that they add up, and that nothing on them is markup."""

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from pydantic import ValidationError
from pypdf import PdfReader

from adapters.documents.setting import NotPrintable
from aggregates.account import Account
from aggregates.account.write_offs import WriteOffDebt
from aggregates.kernel.event import Recorded
from aggregates.office import ChangeOfficeSettings
from aggregates.values.money import Money
from api.application.account_view import AccountRead
from api.application.statement_papers import invoice_copy_pdf, statement_pdf
from api.application.statements import AccountStatement, InvoiceCopy, UnknownInvoice, invoice_copy_of, statement_of
from tests.builders import (
    ACCOUNT,
    MAR,
    MAY,
    OFFICE,
    a_corrected_invoice,
    a_dispute,
    a_payment,
    an_account,
    an_invoice,
    an_office,
    cents,
    contact,
    usd,
)
from tests.given import Given, World, given_only


def read(*history: Given, **account: object) -> AccountRead:
    """An account as it is after these, on the 20th of May."""
    world = given_only(an_office(), an_account(**account), *history, MAY(20)).world
    events: list[Recorded] = [each for each in world.log if each.aggregate_id == ACCOUNT]
    return AccountRead(world.account, world.account, world.office, world.today, len(events), events, None)


def texts(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


A_LIFE: tuple[Given, ...] = (
    an_invoice("A", due_on=MAR(31), amount=usd(100)),
    an_invoice("B", due_on=MAY(10), amount=usd(50)),
    an_invoice("C", due_on=MAY(15), amount=usd(70)),
    an_invoice("D", due_on=MAY(30), amount=usd(5)),
    MAY(16),
    a_payment(usd(30), on=MAY(16), invoice="A"),
    a_payment(usd(12), on=MAY(16), number="PAY-2", invoice="UNKNOWN"),
    a_dispute("B"),
    a_dispute(C=usd(20)),
)


def test_the_rows_of_a_statement_add_up_to_its_total():
    said = statement_of(read(*A_LIFE))
    assert [(each.number, each.charged, each.paid, each.open, each.days_past_due) for each in said.items] == [
        ("A", usd(100), usd(30), usd(70), 50),
        ("D", usd(5), usd(0), usd(5), -10),
    ]
    assert [(each.number, each.open, each.disputed) for each in said.disputed_items] == [
        ("B", usd(50), usd(50)),
        ("C", usd(70), usd(20)),
    ]
    assert [(each.number, each.unapplied) for each in said.unapplied_money] == [("PAY-2", usd(12))]
    assert (said.open, said.in_dispute, said.unapplied, said.balance) == (usd(75), usd(120), usd(12), usd(183))
    assert said.balance == said.open + said.in_dispute - said.unapplied
    assert Money.total((each.amount for each in said.aging), "USD") == said.open + said.in_dispute
    assert AccountStatement.model_validate(said.model_dump(mode="json")) == said


def test_a_statement_on_paper_says_who_sends_it_to_whom_and_every_figure():
    there = ChangeOfficeSettings(office_id=OFFICE, address=("5 Wall St", "New York, NY 10005"))
    paper = statement_pdf(statement_of(read(there, *A_LIFE, country="US")))
    page = PdfReader(io.BytesIO(paper)).pages[0]
    assert round(float(page.mediabox.width)) == 612, "US Letter"
    said = texts(paper)
    for each in (
        "Main office", "5 Wall St", "New York, NY 10005", "Ada Lovelace", "1 Main St", "A-1", "2026-05-20",
        "Statement of account", "Open items", "In dispute", "Unapplied money", "75.00", "120.00", "-12.00", "183.00",
    ):  # fmt: skip
        assert each in said, each


def test_amounts_and_days_are_in_the_customers_language():
    german = an_invoice("A", due_on=MAR(31), amount=cents(123_456))
    said = texts(statement_pdf(statement_of(read(german, contact=contact(language="de-AT"), country="AT"))))
    assert "Kontoauszug" in said
    assert "20.05.2026" in said
    assert "1.234,56" in said.replace("\N{NO-BREAK SPACE}", ".")
    unknown = texts(statement_pdf(statement_of(read(german, contact=contact(language="fi")))))
    assert ("Statement of account" in unknown, "1234.56" in unknown) == (True, True)


def test_what_comes_from_outside_is_data_and_never_markup():
    hostile = '#read("/etc/passwd") *x* $y$ \\ #{1+1} ]'
    said = read(an_invoice(hostile, due_on=MAR(31)), customer_name=hostile)
    assert texts(statement_pdf(statement_of(said))).replace("\n", " ").count("#{1+1} ]") == 2
    assert hostile in texts(invoice_copy_pdf(invoice_copy_of(said, hostile))).replace("\n", " ")


def test_a_character_that_cannot_be_printed_is_refused_and_not_left_out():
    with pytest.raises(NotPrintable):
        statement_pdf(statement_of(read(customer_name="山田太郎")))
    with pytest.raises(NotPrintable, match="disallowed codepoint"):
        statement_pdf(statement_of(read(customer_name="\ufeffAnn")))


def test_an_account_that_owes_nothing_has_a_statement_too():
    said = statement_of(read())
    assert (said.items, said.balance) == ([], usd(0))
    assert "Balance" in texts(statement_pdf(said))


def test_a_long_statement_numbers_its_pages():
    many = [an_invoice(f"N-{each}", due_on=MAR(31), amount=usd(1)) for each in range(90)]
    pages = PdfReader(io.BytesIO(statement_pdf(statement_of(read(*many))))).pages
    assert len(pages) > 1
    assert f"2 / {len(pages)}" in pages[1].extract_text()


# --- copies of invoices ---


def copy_of(number: str, *history: Given) -> InvoiceCopy:
    return invoice_copy_of(read(*history), number)


def test_the_copy_of_an_invoice_is_what_is_recorded_of_it_now_paid_or_not():
    paid = copy_of("A", an_invoice("A", due_on=MAR(31), charges=usd(120)), a_payment(usd(100), on=MAR(31)))
    assert [(each.before_discount, each.charged, each.paid, each.open) for each in paid.parts] == [
        (usd(120), usd(100), usd(100), usd(0))
    ]
    corrected = copy_of("A", an_invoice("A", due_on=MAR(31)), a_corrected_invoice("A", due_on=MAY(1), amount=usd(80)))
    assert (corrected.parts[0].due_on, corrected.charged, corrected.open) == (MAY(1), usd(80), usd(80))
    assert "2026-05-01" in texts(invoice_copy_pdf(corrected))


def test_the_copy_of_an_invoice_has_all_its_instalments_or_the_one_that_is_named():
    first, second = an_invoice("A", due_on=MAR(31)), an_invoice("A", due_on=MAY(1), instalment=MAY(1))
    assert [each.due_on for each in copy_of("A", first, second).parts] == [MAR(31), MAY(1)]
    assert copy_of("A", first, second).charged == usd(200)
    assert [each.due_on for each in copy_of("A/2026-05-01", first, second).parts] == [MAY(1)]


def test_a_withdrawn_invoice_says_so_on_its_copy():
    withdrawn = a_corrected_invoice("A", due_on=MAR(31), amount=usd(0))
    copy = copy_of("A", an_invoice("A", due_on=MAR(31)), withdrawn)
    assert copy.charged.decimal() == Decimal(0)
    assert "withdrawn" in texts(invoice_copy_pdf(copy))


def test_of_an_invoice_that_is_not_there_there_is_no_copy():
    with pytest.raises(UnknownInvoice, match="no invoice B"):
        copy_of("B", an_invoice("A", due_on=MAR(31)))


def test_an_office_says_where_it_is_in_lines_that_fit_a_page():
    world: World = given_only(an_office(), ChangeOfficeSettings(office_id=OFFICE, address=(" 5 Wall St ",))).world
    assert world.office.address == ("5 Wall St",)
    for address in (("x" * 61,), tuple("1234567"), ("a\x07b",), (" ",)):
        with pytest.raises(ValidationError, match="address"):
            ChangeOfficeSettings(office_id=OFFICE, address=address)


def test_what_is_written_off_was_not_paid():
    written_off = WriteOffDebt(account_id=ACCOUNT, code="uncollectible", amount=usd(60))
    history = (an_invoice("A", due_on=MAR(31), amount=usd(100)), MAY(16), a_payment(usd(30), on=MAY(16)), written_off)
    said = read(*history)
    whole = Account.blank(ACCOUNT, whole=True)
    whole.fold(said.history)
    said = replace(said, account=whole, customer=whole)
    [item] = statement_of(said).items
    assert (item.charged, item.paid, item.written_off, item.open) == (usd(100), usd(30), usd(60), usd(10))
    copy = invoice_copy_of(said, "A")
    assert (copy.charged, copy.paid, copy.written_off, copy.open) == (usd(100), usd(30), usd(60), usd(10))
    assert statement_of(said).still_claimed == usd(60)
    assert "Written off and still claimed: 60.00 USD" in texts(statement_pdf(statement_of(said)))
    assert "Written off" in texts(invoice_copy_pdf(copy))

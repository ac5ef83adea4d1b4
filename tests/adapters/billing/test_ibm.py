"""The `ibm` profile, on a sample and, where it is there, on the whole real file."""

import csv
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.billing.facts import CustomerFact, InvoiceFact, PaymentFact
from adapters.billing.profile import load_profile
from adapters.billing.source import read_facts
from aggregates.values.contact import Channel
from tests.adapters.billing.files import facts_of, problems_of

SAMPLE = Path(__file__).parent / "data" / "ibm-sample.csv"
REAL = Path(__file__).parents[3].parent / "shared" / "data" / "ibm-late-payments.csv"


def test_a_row_is_a_customer_an_invoice_and_its_settlement():
    facts = facts_of(list(read_facts(SAMPLE, load_profile("ibm"))))
    customer, invoice, payment = facts[:3]
    assert isinstance(customer, CustomerFact)
    assert (customer.preferred_channel, customer.information) == (Channel.LETTER, (("country_code", "391"),))
    assert isinstance(invoice, InvoiceFact)
    assert (invoice.invoice_number, invoice.issued_on, invoice.due_on) == (
        "0000000101",
        date(2013, 1, 2),
        date(2013, 2, 1),
    )
    assert (str(invoice.amount), invoice.disputed) == ("55.94 USD", False)
    assert isinstance(payment, PaymentFact)
    assert (payment.received_on, payment.amount, payment.natural_key) == (
        date(2013, 1, 15),
        invoice.amount,
        "settlement:0000000101",
    )
    assert facts[3].preferred_channel is Channel.EMAIL


@pytest.mark.skipif(not REAL.exists(), reason="the data file is not beside the checkout")
def test_every_real_row_is_read_as_an_independent_reading_has_it():
    read = list(read_facts(REAL, load_profile("ibm")))
    assert len(read) == 2466
    assert problems_of(read) == []
    with REAL.open(encoding="utf-8", newline="") as file:
        expected = {
            (
                row["customerID"],
                row["invoiceNumber"],
                *(_day(row[column]) for column in ("InvoiceDate", "DueDate", "SettledDate")),
                int(Decimal(row["InvoiceAmount"]) * 100),
            )
            for row in csv.DictReader(file)
        }
    invoices = {f.invoice_number: f for f in facts_of(read) if isinstance(f, InvoiceFact)}
    found = {
        (f.account_number, f.invoice_number, i.issued_on, i.due_on, f.received_on, f.amount.minor)
        for f in facts_of(read)
        if isinstance(f, PaymentFact)
        for i in [invoices[f.invoice_number or ""]]
    }
    assert found == expected
    assert len({f.account_number for f in facts_of(read)}) == 100


def _day(text: str) -> date:
    return datetime.strptime(text, "%m/%d/%Y").date()  # noqa: DTZ007

"""What a row says, and every problem it has."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from adapters.billing.facts import (
    UNNUMBERED,
    CreditFact,
    CustomerFact,
    InvoiceFact,
    PaymentFact,
    SubscriptionFact,
    fact_from,
)
from adapters.billing.profile import load_profile, parse_profile
from adapters.billing.rows import ParsedRow
from adapters.billing.source import read_facts
from aggregates.values.contact import Channel, Consent, PhoneKind
from aggregates.values.money import Money
from tests.adapters.billing.files import HEADER, facts_of, invoices, problems_of, profile, workbook, written

PAYMENTS = "account_number,payment_number,received_on,amount,currency,invoice_number\n"


def test_all_problems_of_a_row_are_named_with_line_column_value_and_expectation(tmp_path):
    read = invoices(tmp_path, "A1,I1,1/2/2024,,10", ",I2,2/30/2024,soon,ten euros")
    an_amount = (
        "an amount such as 1,234.56, of at most 14 digits before the mark; "
        'the profile says of other marks: decimal = ",", thousands = ".", and grouping = "indian"'
    )
    a_date = "a date that exists, such as 03/31/2020 (%m/%d/%Y), from 1900 to 2199"
    assert [str(problem) for problem in problems_of(read)] == [
        "line 3, column Account: ''; expected a value: an account number",
        f"line 3, column Issued: '2/30/2024'; expected {a_date}",
        f"line 3, column Due: 'soon'; expected {a_date}",
        f"line 3, column Amount: 'ten euros'; expected {an_amount}",
    ]
    assert len(facts_of(read)) == 1


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        ("A1,I1,1/2/2024,,1.000", "Amount", 'decimal = "." or decimal = ","'),
        ('A1,I1,1/2/2024,,"1,000"', "Amount", 'decimal = "." or decimal = ","'),
        ("A1,I1,1/2/2024,,", "Amount", "an amount such as"),
        ('A1,I1,1/2/2024,,"1.234,56"', "Amount", "an amount such as 1,234.56"),
        ("A1,,1/2/2024,,10", "Invoice", "an invoice number"),
        ("A1," + "I" * 101 + ",1/2/2024,,10", "Invoice", "at most 100 characters, not 101"),
        ("A\x071,I1,1/2/2024,,10", "Account", "without control or invisible"),
        ("A\u200b1,I1,1/2/2024,,10", "Account", "without control or invisible"),
        ('"A1\nB",I1,1/2/2024,,10', "Account", "one line"),
    ],
)
def test_a_bad_cell_is_refused(tmp_path, row, column, expected):
    (problem,) = problems_of(invoices(tmp_path, row))
    assert (problem.line, problem.column) == (2, column)
    assert expected in problem.expected


def test_a_row_without_any_value_is_no_row(tmp_path):
    assert invoices(tmp_path, ",,,,", "", "A1,I1,1/2/2024,,10")[0].row.line == 4


def test_an_invoice_may_have_no_due_date(tmp_path):
    (fact,) = facts_of(invoices(tmp_path, "A1,I1,1/2/2024,,$10.00"))
    assert fact == InvoiceFact(
        account_number="A1", invoice_number="I1", issued_on=date(2024, 1, 2), amount=Money(1000, "USD")
    )


def test_a_negative_invoice_is_a_credit_note(tmp_path):
    (fact,) = facts_of(invoices(tmp_path, "A1,I1,1/2/2024,,(10.00)"))
    assert fact == CreditFact(
        account_number="A1", credit_number="I1", issued_on=date(2024, 1, 2), amount=Money(1000, "USD")
    )
    assert fact.natural_key == "credit:I1"


def test_the_european_way_is_read_where_the_profile_says_so(tmp_path):
    (fact,) = facts_of(invoices(tmp_path, 'A1,I1,31.1.2024,,"1.234,56"', more='decimal = ","\ndates = ["%d.%m.%Y"]'))
    assert fact.amount == Money(123456, "USD")
    assert fact.effective_on == date(2024, 1, 31)


SETTLED = """
kind = "invoices-with-settlement"
dates = ["%Y%m%d", "%Y-%m-%d %H:%M:%S"]
numbers = "strip-decimal"
[columns]
account_number = "cust_number"
name = "name_customer"
office = "business_code"
currency = "invoice_currency"
invoice_number = "invoice_id"
issued_on = "posting_date"
due_on = "due_in_date"
amount = "total_open_amount"
settled_on = "clear_date"
"""
SETTLED_HEADER = (
    "business_code,cust_number,name_customer,clear_date,doc,doc,posting_date,due_in_date,invoice_currency,"
    "total_open_amount,invoice_id\n"
)


def test_another_billing_export_with_the_settlement_of_each_invoice(tmp_path):
    path = written(
        tmp_path,
        SETTLED_HEADER
        + "U001,0200769623,WAL-MAR,2020-02-11 00:00:00,1,1,2020-01-26,20200210.0,USD,2309.7899999999995,2960623488.0\n"
        + "CA02,0140106181,THE corpor,,1,1,2020-03-30,20200410.0,CAD,3299.7,2960636923.0\n",
    )
    customer, invoice, payment, _, still_open = facts_of(list(read_facts(path, parse_profile(SETTLED))))
    assert (customer.name, customer.seen_on) == ("WAL-MAR", date(2020, 1, 26))
    assert (invoice.office, invoice.invoice_number, invoice.due_on) == ("U001", "2960623488", date(2020, 2, 10))
    assert invoice.amount == payment.amount == Money(230979, "USD")
    assert (payment.natural_key, payment.received_on) == ("settlement:2960623488", date(2020, 2, 11))
    assert still_open.natural_key == "invoice:2960636923"


def notices_of(rows: list[ParsedRow]) -> list[str]:
    return [str(notice) for row in rows for notice in row.notices]


def test_days_in_another_order_than_one_thinks_are_taken_and_said(tmp_path):
    """They happen in real ledgers; a debt is never refused over a detail."""
    path = written(tmp_path, SETTLED_HEADER + "U,1,N,2020-01-25,1,1,2020-01-26,20200120,USD,5,7\n")
    rows = list(read_facts(path, parse_profile(SETTLED)))
    _, invoice, payment = facts_of(rows)
    assert isinstance(invoice, InvoiceFact)
    assert isinstance(payment, PaymentFact)
    assert (invoice.due_on, payment.received_on) == (date(2020, 1, 20), date(2020, 1, 25))
    assert [notice.partition("; ")[2][:12] for notice in notices_of(rows)] == ["due on 2020-", "settled on 2"]


def test_an_invoice_of_nothing_says_that_it_was_withdrawn(tmp_path):
    (fact,) = facts_of(invoices(tmp_path, "A1,I1,1/2/2024,,0.00"))
    assert isinstance(fact, InvoiceFact)
    assert fact.amount == Money(0, "USD")


@pytest.mark.parametrize(
    ("amount", "more", "minor"),
    [
        ("1.000", 'decimal = ","', 100_000),
        ("1.488,69", 'decimal = ","', 148_869),
        ("1,000", 'decimal = "."', 100_000),
        ("1,23,456.00", 'grouping = "indian"', 12_345_600),
        ("12,34,56,789.50", 'grouping = "indian"', 12_345_678_950),
        ("0.004", "", 0),
        ("1.00", "", 100),
    ],
)
def test_marks_are_read_as_the_profile_states_them(tmp_path, amount, more, minor):
    (fact,) = facts_of(invoices(tmp_path, f'A1,I1,1/2/2024,,"{amount}"', more=more))
    assert isinstance(fact, InvoiceFact)
    assert fact.amount.minor == minor


@pytest.mark.parametrize("empty", ["NULL", "\\N", "-", "0000-00-00", "0000-00-00 00:00:00", ""])
def test_what_databases_write_for_nothing_is_nothing(tmp_path, empty):
    path = written(tmp_path, SETTLED_HEADER + f"U,1,N,{empty},1,1,2020-01-26,{empty},USD,5,7\n")
    rows = list(read_facts(path, parse_profile(SETTLED)))
    _, invoice = facts_of(rows)
    assert isinstance(invoice, InvoiceFact)
    assert invoice.due_on is None
    assert problems_of(rows) == []


def test_a_profile_says_what_else_is_nothing(tmp_path):
    (fact,) = facts_of(invoices(tmp_path, "A1,I1,1/2/2024,open,10", more='[values]\ndue_on = { open = "" }'))
    assert isinstance(fact, InvoiceFact)
    assert fact.due_on is None


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("123", "00123"), ("123.0", "00123"), ("00123", "00123"), ("123456", "123456"), ("A12", "A12"),
        ("١٢٣", "١٢٣"), ('="9"', "00009"),
    ],
)  # fmt: skip
def test_the_profile_gives_numbers_of_digits_alone_their_zeros_back(tmp_path, cell, number):
    more = 'numbers = "strip-decimal"\npad = { account_number = 5, invoice_number = 7 }'
    (fact,) = facts_of(invoices(tmp_path, f"{cell},471,1/2/2024,,10", more=more))
    assert (fact.account_number, fact.invoice_number, fact.amount.minor) == (number, "0000471", 1000)


def test_postal_codes_and_subscriptions_have_zeros_too(tmp_path):
    rules = parse_profile(
        'kind = "customers"\npad = { postal_code = 5, subscription_number = 4 }\n'
        '[columns]\naccount_number = "A"\npostal_code = "Z"\n[[subscriptions]]\nnumber = "S"\n'
    )
    customer, subscription = facts_of(list(read_facts(written(tmp_path, "A,Z,S\n1,1234,42\n"), rules)))
    assert (customer.account_number, customer.postal_code) == ("1", "01234")
    assert subscription.subscription_number == "0042"


def test_what_an_exporter_wrote_as_a_formula_is_its_text_in_every_column(tmp_path):
    header = ",".join(f'="{name}"' for name in ("Account", "Invoice", "Issued", "Due", "Amount"))
    rows = ['="00123",="0000471",="1/2/2024",="NULL",="10.00"', '="00123","=""0000472""",1/2/2024,="",(1.50)']
    first, second = facts_of(invoices(tmp_path, *rows, header=header))
    assert (first.account_number, first.invoice_number, first.due_on) == ("00123", "0000471", None)
    assert (first.issued_on, first.amount.minor) == (date(2024, 1, 2), 1000)
    assert (second.account_number, second.credit_number) == ("00123", "0000472")
    rules = load_profile("payments")
    path = written(tmp_path, PAYMENTS + '="00123",="P1",="2024-01-02",="10",="USD",="0000471"\n')
    (payment,) = facts_of(list(read_facts(path, rules)))
    assert (payment.account_number, payment.payment_number, payment.invoice_number) == ("00123", "P1", "0000471")


ZONES = {"Berlin": "Europe/Berlin", "Boston": "America/New_York", None: "Asia/Tokyo"}


def test_a_time_with_a_zone_is_of_the_day_of_the_rows_own_office(tmp_path):
    moment = "2026-11-27T23:00:00Z"
    header = "office,account_number,invoice_number,issued_on,due_on,amount,currency\n"
    path = written(
        tmp_path, header + "".join(f"{office},A,I{n},2026-11-01,{moment},1,EUR\n" for n, office in enumerate(
            ["Berlin", "Boston", "", "Boston", "Berlin"]))
    )  # fmt: skip
    facts = facts_of(list(read_facts(path, load_profile("invoices"), zone_of=lambda name: ZoneInfo(ZONES[name]))))
    assert [fact.due_on.day for fact in facts] == [28, 27, 28, 27, 28]


def test_a_workbooks_times_have_no_zone(tmp_path):
    path = workbook(
        tmp_path, HEADER.split(","), ["A", "I", datetime(2026, 11, 27, 23), datetime(2026, 11, 28), 1]  # noqa: DTZ001
    )  # fmt: skip
    (fact,) = facts_of(list(read_facts(path, profile(), zone_of=lambda _: ZoneInfo("Asia/Tokyo"))))
    assert (fact.issued_on, fact.due_on) == (date(2026, 11, 27), date(2026, 11, 28))


def test_an_unknown_currency_is_refused(tmp_path):
    path = written(tmp_path, PAYMENTS + "A1,P1,2024-01-02,10,USX,\nA1,P2,2024-01-02,10,,\nA1,P3,2024-01-02,10,usd,\n")
    read = list(read_facts(path, load_profile("payments")))
    assert [(problem.line, problem.column, problem.value) for problem in problems_of(read)] == [
        (2, "currency", "USX"),
        (3, "currency", ""),
    ]


def test_a_payment_of_nothing_or_less_is_refused(tmp_path):
    path = written(tmp_path, PAYMENTS + "A1,P1,2024-01-02,0,USD,\nA1,P2,2024-01-02,-1,USD,\n")
    assert [problem.column for problem in problems_of(list(read_facts(path, load_profile("payments"))))] == [
        "amount"
    ] * 2


def test_payments_without_a_number_are_told_apart_when_they_are_staged(tmp_path):
    path = written(
        tmp_path, PAYMENTS + "A1,,2024-01-02,10,USD,I1\nA1,,2024-01-02,10.00,USD,I1\nA1,,2024-01-03,10,USD,I1\n"
    )
    first, second, third = facts_of(list(read_facts(path, load_profile("payments"))))
    assert first.natural_key == second.natural_key == third.natural_key == UNNUMBERED
    assert first.invoice_number == "I1"


def test_a_credit_is_above_zero_whatever_its_sign(tmp_path):
    path = written(
        tmp_path,
        "account_number,credit_number,issued_on,amount,currency\nA1,C1,2024-01-02,-10,USD\nA1,C2,2024-01-02,10,USD\n",
    )
    assert [fact.amount.minor for fact in facts_of(list(read_facts(path, load_profile("credits"))))] == [1000, 1000]


def test_charges_before_discount_are_at_least_the_amount(tmp_path):
    header = "account_number,invoice_number,issued_on,due_on,amount,currency,original_charges,service_type,disputed\n"
    path = written(tmp_path, header + "A,1,2024-01-02,,10,USD,9,,\nA,2,2024-01-02,,10,USD,12,Fixed Line,yes\n")
    read = list(read_facts(path, load_profile("invoices")))
    assert [problem.column for problem in problems_of(read)] == ["original_charges"]
    (fact,) = facts_of(read)
    assert (fact.original_charges, fact.service_type, fact.disputed) == (Money(1200, "USD"), "fixed-line", True)


CUSTOMERS = (
    "account_number,name,customer_kind,language,country,address_1,address_2,city,preferred_channel,time_zone,currency,"
    "phone_1,phone_1_type,phone_1_sms_consent,phone_1_voice_consent,email_1,email_1_consent,"
    "subscription_1,subscription_1_service_type,subscription_1_started_on,subscription_1_initial_discount,"
    "subscription_1_ends_on,subscription_1_services_agreed,subscription_1_services_done\n"
)


def test_a_customer_with_contact_data_and_a_subscription(tmp_path):
    path = written(
        tmp_path,
        CUSTOMERS + 'A1,"Acme\nCorp",commercial,en-US,US,1 Main St,Suite 2,Albany,email,America/New_York,USD,'
        "+1 518 555 0100,mobile,yes,no,pay@example.com,given,S1,Internet,2023-05-01,20.00,2025-04-30,24,7\n",
    )
    customer, subscription = facts_of(list(read_facts(path, load_profile("customers"))))
    assert isinstance(customer, CustomerFact)
    assert (customer.name, customer.address_lines) == ("Acme Corp", ("1 Main St", "Suite 2"))
    assert customer.preferred_channel is Channel.EMAIL
    (phone,) = customer.phones
    assert (phone.kind, phone.sms_consent, phone.voice_consent) == (PhoneKind.MOBILE, Consent.GIVEN, Consent.REFUSED)
    assert customer.emails[0].consent is Consent.GIVEN
    assert customer.effective_on is None
    assert subscription == SubscriptionFact(
        account_number="A1",
        subscription_number="S1",
        service_type="internet",
        started_on=date(2023, 5, 1),
        initial_discount=Money(2000, "USD"),
        ends_on=date(2025, 4, 30),
        services_agreed=24,
        services_done=7,
        currency="USD",
    )


def test_what_cannot_be_of_a_customer_is_refused_where_something_is_decided_by_it(tmp_path):
    path = written(
        tmp_path,
        CUSTOMERS + "A1,N,robot,english,USA,,,,pigeon,Mars/Base,USD,call me,fax,perhaps,,at home,,S1,,,five,,none,-1\n",
    )
    assert [problem.column for problem in problems_of(list(read_facts(path, load_profile("customers"))))] == [
        "customer_kind", "preferred_channel", "subscription_1_initial_discount", "subscription_1_services_agreed",
        "subscription_1_services_done",
    ]  # fmt: skip


def test_contact_data_that_cannot_be_is_left_out_and_said(tmp_path):
    path = written(tmp_path, CUSTOMERS + "A1,N,,english,USA,,,,,Mars/Base,USD,call me,,,,at home; a@x.example,,,,,\n")
    rows = list(read_facts(path, load_profile("customers")))
    (customer,) = facts_of(rows)
    assert isinstance(customer, CustomerFact)
    assert (customer.language, customer.country, customer.time_zone, customer.phones) == (None, None, None, ())
    assert [email.address for email in customer.emails] == ["a@x.example"]
    assert [notice.partition("column ")[2].partition(";")[0] for notice in notices_of(rows)] == [
        "language", "country", "time_zone", "phone_1", "email_1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "country"),
    [("GB", "GB"), ("us", "US"), ("UK", "GB"), ("EL", "GR"), ("XK", "XK"), ("XX", None), ("ZZ", None), ("EN", None)],
)
def test_a_country_is_one_of_the_world_or_left_out_and_said(tmp_path, said: str, country: str | None):
    path = written(tmp_path, CUSTOMERS + f"A1,N,,,{said},1 Main St,,,,,USD,,,,,,,,,,\n")
    rows = list(read_facts(path, load_profile("customers")))
    (customer,) = facts_of(rows)
    assert isinstance(customer, CustomerFact)
    assert (customer.country, customer.address_lines) == (country, ("1 Main St",))
    left_out = f"line 2: {said!r}; left out of column country; expected the code of a country (ISO 3166-1), such as"
    assert [notice.partition(" US or")[0] for notice in notices_of(rows)] == ([left_out] if country is None else [])


@pytest.mark.parametrize(
    ("cell", "addresses"),
    [
        ("a@x.example; b@y.example", ["a@x.example", "b@y.example"]),
        ("a@x.example, b@y.example", ["a@x.example", "b@y.example"]),
        ("Dee <d@x.example>", ["d@x.example"]),
        ("a@x.example\nb@y.example", ["a@x.example", "b@y.example"]),
        ('""Doe, Dee"" <d@x.example>', ["d@x.example"]),
        ("a@x.example (private, not at work)", ["a@x.example"]),
        ("d@x..example; D@Bücher.example", ["D@Bücher.example"]),
        ("n/a", []),
        ("none", []),
        ("erased", []),
    ],
)
def test_two_addresses_in_a_cell_are_two(tmp_path, cell, addresses):
    path = written(tmp_path, CUSTOMERS + f'A1,N,,,,,,,,,USD,,,,,"{cell}",given,,,,\n')
    (customer,) = facts_of(list(read_facts(path, load_profile("customers"))))
    assert isinstance(customer, CustomerFact)
    assert [email.address for email in customer.emails] == addresses
    assert all(email.consent is Consent.GIVEN for email in customer.emails)


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        ("0171/1234567 (office)", ["0171/1234567"]),
        ("0171/1234567 (office, mornings); +1 212 555 0100 x12", ["0171/1234567", "+1 212 555 0100 x12"]),
        ("0171/1234567\n0172/1234567", ["0171/1234567", "0172/1234567"]),
        ("00 49 171 1234567, (212) 555-0100", ["00 49 171 1234567", "(212) 555-0100"]),
        ("n/a", []),
        ("none", []),
        ("0000000", []),
        ("0171 1234567 / 0172 1234567", []),
    ],
)
def test_the_numbers_of_a_cell_without_remarks(tmp_path, cell, numbers):
    path = written(tmp_path, CUSTOMERS + f'A1,N,,,DE,,,,,,USD,"{cell}",mobile,no,,,,,,,\n')
    rows = list(read_facts(path, load_profile("customers")))
    (customer,) = facts_of(rows)
    assert isinstance(customer, CustomerFact)
    assert [phone.number for phone in customer.phones] == numbers
    assert {phone.sms_consent for phone in customer.phones} <= {Consent.REFUSED}
    assert len(notices_of(rows)) == (0 if numbers else 1)


CONTACT_ON_INVOICES = """
kind = "invoices"
[columns]
account_number = "account"
invoice_number = "number"
issued_on = "issued"
amount = "amount"
[defaults]
currency = "USD"
[[phones]]
number = "phone"
type = "phone type"
sms_consent = "texts"
[[emails]]
address = "mail"
consent = "mails"
"""


@pytest.mark.parametrize(
    ("cells", "phones", "emails", "left_out"),
    [
        ("#N/A,,,#REF!,", [], [], ["phone", "mail"]),
        (f"{'1' * 2000},,,a@x.example,", [], ["a@x.example"], ["phone"]),
        ("+1 212 555 0100,mobile,perhaps,a@x.example,yes", [], ["a@x.example"], ["texts"]),
        ("+1 212 555 0100,pager,no,a@x.example,perhaps", [], [], ["phone type", "mails"]),
        ("\x07,mobile,no,a@x.example,no", [], ["a@x.example"], ["phone"]),
    ],
)
def test_a_debt_is_not_refused_over_contact_data_that_cannot_be_read(tmp_path, cells, phones, emails, left_out):
    path = written(
        tmp_path, f"account,number,issued,amount,phone,phone type,texts,mail,mails\nA,1,2024-01-02,5,{cells}\n"
    )
    rows = list(read_facts(path, parse_profile(CONTACT_ON_INVOICES)))
    customer, invoice = facts_of(rows)
    assert isinstance(customer, CustomerFact)
    assert isinstance(invoice, InvoiceFact)
    assert [phone.number for phone in customer.phones] == phones
    assert [email.address for email in customer.emails] == emails
    assert [notice.partition("column ")[2].partition(";")[0] for notice in notices_of(rows)] == left_out


def test_a_customer_s_row_is_refused_over_a_consent_that_cannot_be_read(tmp_path):
    path = written(tmp_path, CUSTOMERS + "A1,N,,,,,,,,,USD,+1 212 555 0100,,perhaps,,a@x.example,perhaps,,,,\n")
    problems = problems_of(list(read_facts(path, load_profile("customers"))))
    assert [problem.column for problem in problems] == ["phone_1_sms_consent", "email_1_consent"]


def test_a_customer_on_many_documents_is_a_fact_again_only_where_the_days_widen(tmp_path):
    rows = "".join(f"U,1,N,,1,1,2020-01-{day:02},,USD,5,{day}\n" for day in (10, 12, 11, 9, 10))
    facts = facts_of(list(read_facts(written(tmp_path, SETTLED_HEADER + rows), parse_profile(SETTLED))))
    days = [fact.seen_on for fact in facts if isinstance(fact, CustomerFact)]
    assert days == [date(2020, 1, day) for day in (10, 12, 9)]


def test_a_fact_comes_back_from_its_payload_and_its_digest_is_its_content(tmp_path):
    path = written(tmp_path, CUSTOMERS + "A1,N,consumer,,,,,,,,USD,5551234,,,,a@b.c,,S1,x,2023-05-01,1\n")
    facts = facts_of(list(read_facts(path, load_profile("customers"))))
    facts += facts_of(invoices(tmp_path, "A1,I1,1/2/2024,2/1/2024,10", "A1,I2,1/2/2024,,-10"))
    facts.append(PaymentFact(account_number="A", received_on=date(2024, 1, 2), amount=Money(1, "USD"), settlement=True))
    for fact in facts:
        again = fact_from(fact.kind, fact.payload())
        assert again == fact
        assert again.content_digest == fact.content_digest
        assert fact.sealed() == (fact.payload(), fact.content_digest)
    assert len({fact.content_digest for fact in facts}) == len(facts)


def test_a_digest_is_the_same_for_ever():
    fact = InvoiceFact(account_number="A1", invoice_number="I1", issued_on=date(2024, 1, 2), amount=Money(1000, "USD"))
    assert fact.payload() == (
        b'{"account_number":"A1","invoice_number":"I1","issued_on":"2024-01-02","amount":{"minor":1000,"currency":"USD"}}'
    )
    assert fact.content_digest.hex() == "e283f427d991d92f727af9bb2361e9a9a9bf015475f8ba15b6d93c34c2da2cbe"

"""Files come again and again: who refused, opted out or was erased is left alone whatever they say."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.billing.importer import ERASED_PERSON, ImportReport, OfficeDefaults
from adapters.clock import ManualClock
from aggregates.account import Account
from aggregates.account.command import account_id
from aggregates.account.contact import Contact, OptInToContact, OptOutOfContact, RecordConsent
from aggregates.account.customer import OpenAccount
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, Rejected
from aggregates.kernel.personal import ERASED
from aggregates.office import office_id
from aggregates.values.contact import Channel, Consent, ContactDetails, OptOut, PhoneNumber
from api.application.account_view import account_view, read_account
from api.processes.step_by_step import StepByStep
from tests.flow.conftest import AService

DEE = account_id(office_id("main"), "A-1")
CUSTOMERS = (
    "account_number,name,country,phone_1,phone_1_sms_consent,phone_2,phone_2_sms_consent,"
    "email_1,email_1_consent,email_2"
)
INVOICES = "account_number,invoice_number,issued_on,due_on,amount,currency,phone,mail,meter"
INVOICES_PROFILE = """
kind = "invoices"
[columns]
account_number = "account_number"
invoice_number = "invoice_number"
issued_on = "issued_on"
due_on = "due_on"
amount = "amount"
currency = "currency"
[[phones]]
number = "phone"
[[emails]]
address = "mail"
[information]
Meter = "meter"
"""


class Billing:
    """A service, and files that it is given."""

    def __init__(self, service: StepByStep, folder: Path) -> None:
        self.service, self._folder = service, folder
        (folder / "invoices.toml").write_text(INVOICES_PROFILE, encoding="utf-8")

    def customers(self, *rows: str) -> ImportReport:
        return self._bring_in(CUSTOMERS, rows, "customers")

    def invoices(self, *rows: str) -> ImportReport:
        return self._bring_in(INVOICES, rows, str(self._folder / "invoices.toml"))

    def _bring_in(self, header: str, rows: tuple[str, ...], profile: str) -> ImportReport:
        file = self._folder / f"{uuid4()}.csv"
        file.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        report = self.service.import_file(file, profile, defaults=OfficeDefaults(code="main", currency="USD"))
        assert report.refused == 0, report.problems
        return report

    def customer_says(self, command: Command) -> None:
        issued = Issued(command=command, command_id=uuid4(), actor=Actor.person("dana"))
        [outcome] = self.service.arrears.handle([issued])
        assert isinstance(outcome, Accepted)
        assert outcome.event_ids

    @property
    def contact(self) -> Contact:
        return self.service.arrears.load(Account, DEE).contact

    def forbidden(self, *points: str) -> list[str | None]:
        """By point, which wish stands against its channel; phones are for texts."""
        contact = self.contact
        denied = [contact.wish_against(Channel.SMS if p[0] == "p" else Channel.EMAIL, p) for p in points]
        return [None if each is None else each.rule_id for each in denied]


@pytest.fixture
def billing(a_service: AService, tmp_path: Path) -> Billing:
    return Billing(a_service(ManualClock(datetime(2026, 3, 2, 15, tzinfo=UTC))), tmp_path)


def test_files_with_respelled_moved_and_missing_numbers_revive_nothing(billing: Billing):
    billing.customers("A-1,Dee,DE,0171/1234567,yes,,,dee@bücher.example,yes,")
    billing.customer_says(
        RecordConsent(account_id=DEE, channel=Channel.SMS, point_id="phone-1", consent=Consent.REFUSED)
    )
    billing.customer_says(OptOutOfContact(account_id=DEE, channel=Channel.EMAIL, point_id="email-1"))
    assert billing.forbidden("phone-1", "email-1") == ["consent-refused", "opted-out"]

    billing.customers(
        "A-1,Dee,DE,+49 172 7654321,yes,+49 (0)171 1234567 (mobile),yes,x@x.org,yes,DEE@XN--BCHER-KVA.example"
    )
    assert billing.forbidden("phone-1", "phone-2", "email-1", "email-2") == [None, "consent-refused", None, "opted-out"]
    assert billing.contact.opt_outs == [OptOut(channel=Channel.EMAIL, point_id="email-2")]

    billing.customers("A-1,Dee,DE,+49 172 7654321,,,,x@x.org,,")
    billing.customers('A-1,Dee,DE,"0049 171 1234567, 0171-1234567",yes,,,Dee <dee@BÜCHER.example>,yes,')
    assert [phone.number for phone in billing.contact.details.phones] == ["0049 171 1234567"]
    assert billing.forbidden("phone-1", "email-1") == ["consent-refused", "opted-out"]

    billing.customer_says(OptInToContact(account_id=DEE, channel=Channel.EMAIL, point_id="email-1"))
    billing.customer_says(RecordConsent(account_id=DEE, channel=Channel.SMS, point_id="phone-1", consent=Consent.GIVEN))
    billing.customers("A-1,Dee,DE,,,0171 1234567,,,,DEE@bücher.example")
    assert billing.forbidden("phone-1", "email-1") == [None, None]
    assert billing.contact.details.consent(Channel.SMS, "phone-1") is Consent.GIVEN


def test_a_number_in_two_cells_is_one_point_and_one_refusal_refuses_it(billing: Billing):
    billing.customers("A-1,Dee,DE,0171/1234567,yes,+49 171 1234567,no,Dee@x.org,yes,dee@X.ORG")
    [phone], [email] = billing.contact.details.phones, billing.contact.details.emails
    assert (phone.id, phone.number, phone.sms_consent) == ("phone-1", "0171/1234567", Consent.REFUSED)
    assert (email.id, email.address, email.consent) == ("email-1", "Dee@x.org", Consent.GIVEN)


def test_a_debt_is_taken_whatever_stands_in_its_contact_columns(billing: Billing):
    report = billing.invoices("A-1,I-1,2026-01-02,2026-02-01,10,USD,n/a,a@x.org; none,")
    left_out = [str(notice).partition("; ")[0] for notice in report.notices if "left out" in notice.said]
    assert left_out == ["line 2: 'n/a'", "line 2: 'none'"]
    assert [email.address for email in billing.contact.details.emails] == ["a@x.org"]
    assert billing.service.arrears.load(Account, DEE).receivables.balance.minor == 1_000


def test_the_account_s_page_tells_the_same_as_the_account(billing: Billing):
    billing.customers("A-1,Dee,DE,0171/1234567,yes,,,,,")
    billing.customer_says(OptOutOfContact(account_id=DEE, channel=Channel.SMS, point_id="phone-1"))
    billing.customers("A-1,Dee,DE,+49 172 7654321,,+49 171 1234567,no,,,")
    billing.service.drain()
    with billing.service.database.snapshot("arrears_app") as connection:
        view = account_view(read_account(billing.service, connection, DEE))
    assert view.opt_outs == billing.contact.opt_outs == [OptOut(channel=Channel.SMS, point_id="phone-2")]
    assert view.contact == billing.contact.details
    assert [phone.sms_consent for phone in view.contact.phones] == [Consent.UNKNOWN, Consent.REFUSED]


# --- erased ------------------------------------------------------------------------------------------


def digest_of_customer(billing: Billing) -> object:
    with billing.service.database.connect("arrears_app") as connection:
        return connection.execute(
            "SELECT digest FROM arrears.import_facts WHERE natural_key = 'customer:A-1'"
        ).fetchone()


DEES_ROW = "A-1,Dee,DE,0171/1234567,yes,,,dee@x.org,yes,"


def test_an_erased_customer_who_is_imported_again_stays_erased(billing: Billing):
    billing.invoices("A-1,I-1,2026-01-02,2026-02-01,10,USD,,,")
    billing.customers(DEES_ROW)
    billing.customer_says(OptOutOfContact(account_id=DEE, channel=Channel.EMAIL, point_id="email-1"))
    billing.service.arrears.keys.destroy(DEE)
    before, digest = len(billing.service.arrears.history(Account, DEE)), digest_of_customer(billing)

    for row in (DEES_ROW, "A-1,Dee Doe,DE,+49 171 1234567,yes,,,d@x.org,yes,", DEES_ROW):
        report = billing.customers(row)
        assert [str(notice) for notice in report.notices] == [f"line 2: 'A-1'; {ERASED_PERSON}"]
    report = billing.invoices("A-1,I-2,2026-01-03,2026-02-02,20,USD,0171/1234567,d@x.org,Meter of Dee")
    assert {notice.said for notice in report.notices} == {ERASED_PERSON}

    account = billing.service.arrears.load(Account, DEE)
    assert account.receivables.balance.minor == 3_000, "money is taken"
    assert account.customer.name == ERASED
    contact = account.contact
    assert [contact.details.points(channel) for channel in (Channel.SMS, Channel.VOICE, Channel.EMAIL)] == [(), (), ()]
    written = billing.service.arrears.history(Account, DEE)[before:]
    assert [recorded.name for recorded in written if "customer" in recorded.name or "contact" in recorded.name] == []
    assert "Meter" not in str([recorded.event for recorded in written])
    assert digest_of_customer(billing) != digest, "a digest of personal data can be guessed"


def test_an_erased_customer_whom_no_file_named_before_stays_erased(billing: Billing):
    billing.customers("A-2,Somebody else,DE,,,,,,,")  # opens the office
    contact = ContactDetails(phones=(PhoneNumber(id="phone-1", number="0171/1234567"),), language="de")
    billing.customer_says(
        OpenAccount(office_id=office_id("main"), number="A-1", customer_name="Dee", currency="USD", contact=contact)
    )
    billing.service.arrears.keys.destroy(DEE)
    before = [recorded.event_id for recorded in billing.service.arrears.history(Account, DEE)]
    assert [notice.said for notice in billing.customers(DEES_ROW).notices] == [ERASED_PERSON]
    assert [recorded.event_id for recorded in billing.service.arrears.history(Account, DEE)] == before
    assert billing.contact.details.language == "de"


def test_an_account_that_was_at_hand_is_decided_without_what_was_erased(billing: Billing):
    """Else a message would be queued to a number that the account remembered."""
    billing.customers(DEES_ROW)
    billing.service.arrears.keys.destroy(DEE)
    command = RecordConsent(account_id=DEE, channel=Channel.SMS, point_id="phone-1", consent=Consent.REFUSED)
    for _ in range(2):
        issued = Issued(command=command, command_id=uuid4(), actor=Actor.person("dana"))
        [outcome] = billing.service.arrears.handle([issued])
        assert isinstance(outcome, Rejected)
        assert outcome.reason_code == "unknown-contact-point"


def test_an_erased_person_opted_out_is_not_another_who_is_erased_too(billing: Billing):
    billing.customers("A-1,Dee,DE,0171/1234567,no,0172/1234567,yes,,,")
    billing.customer_says(OptOutOfContact(account_id=DEE, channel=Channel.SMS, point_id="phone-1"))
    billing.service.arrears.keys.destroy(DEE)
    contact = billing.contact
    assert contact.has_opted_out(Channel.SMS, "phone-1")
    assert not contact.has_opted_out(Channel.SMS, "phone-2")
    assert ERASED not in repr(contact.wishes)


def test_what_is_remembered_of_a_number_is_encrypted_in_a_snapshot(billing: Billing):
    billing.customers("A-1,Dee,DE,0171/1234567,no,,,dee@x.org,yes,")
    billing.customer_says(OptOutOfContact(account_id=DEE, channel=Channel.EMAIL, point_id="email-1"))
    billing.customers("A-1,Dee,DE,0172/7654321,,,,x@x.org,,")
    account = billing.service.arrears.load(Account, DEE)
    mapper = billing.service.arrears.event_mapper
    state = mapper.encode_snapshot(account, DEE, {})
    assert b"1234567" not in state
    assert b"dee@" not in state
    assert mapper.decode_snapshot(Account, DEE, account.version, DEE, state).contact == account.contact
    billing.service.arrears.keys.destroy(DEE)
    erased = mapper.decode_snapshot(Account, DEE, account.version, DEE, state).contact
    assert not erased.has_opted_out(Channel.EMAIL, "email-2")

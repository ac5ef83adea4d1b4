"""Accounts of one customer over the database: whatever happens between a load and an append, what the customer said
holds for all of them; and how they are found follows from the log."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.eventstore.application import Arrears
from adapters.eventstore.holders import write_anew
from adapters.eventstore.recorder import LogRecorder
from adapters.eventstore.sealer import Sealer
from adapters.eventstore.trial import Trial
from adapters.eventstore.verify import verify
from adapters.postgres.database import Database
from adapters.rules import RULES
from aggregates.account import Account
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id, customer_key
from aggregates.account.contact import OptInToContact, OptOutOfContact
from aggregates.account.customer import OpenAccount, Opening
from aggregates.account.flags import ClearFlag, SetFlag
from aggregates.account.payments import ReceivePayment
from aggregates.kernel.command import Accepted, Command, Outcome
from aggregates.office import OpenOffice, office_id
from aggregates.values.contact import Channel, Consent, ContactDetails, PhoneNumber
from aggregates.values.money import Money
from tests.adapters.eventstore.conftest import MASTER_KEY, before_the_append_of, issue
from tests.adapters.eventstore.test_what_is_read import round_trips_of
from tests.builders import JAN

NewApp = Callable[..., Arrears]

OFFICE = office_id("main")
A, B, C = (account_id(OFFICE, number) for number in ("1001", "1002", "1003"))
EUROS = account_id(OFFICE, "1001", "EUR")
PHONE = "+12125550100"


def do(app: Arrears, *commands: Command) -> list[Outcome]:
    outcomes = app.handle([issue(command, reason="a test") for command in commands])
    assert all(isinstance(outcome, Accepted) for outcome in outcomes), outcomes
    return outcomes


def an_account(number: str, *, customer: str | None = "1001", consent: Consent = Consent.UNKNOWN) -> OpenAccount:
    contact = ContactDetails(phones=(PhoneNumber(id="phone-1", number=PHONE, voice_consent=consent),))
    return OpenAccount(
        office_id=OFFICE, number=number, customer_name="Ada", currency="USD", customer_number=customer, contact=contact
    )


def in_euros(number: str = "E-1") -> BillInvoice:
    opens = Opening(office_id=OFFICE, number="1001", currency="EUR", other_currency=True)
    return BillInvoice(
        account_id=EUROS, number=number, issued_on=JAN(5), due_on=JAN(20), amount=Money(100, "EUR"), opens=opens
    )


def opt_out(account: UUID) -> OptOutOfContact:
    return OptOutOfContact(account_id=account, channel=Channel.SMS, point_id="phone-1")


def opt_in(account: UUID) -> OptInToContact:
    return OptInToContact(account_id=account, channel=Channel.SMS, point_id="phone-1")


def opted_out(app: Arrears, *accounts: UUID) -> list[bool]:
    return [app.load(Account, each).contact.has_opted_out(Channel.SMS, "phone-1") for each in accounts]


def know_each_other(app: Arrears, *accounts: UUID) -> bool:
    loaded = [app.load(Account, each) for each in accounts]
    return all({*each.customer.accounts} == {*accounts} - {each.id} for each in loaded)


@pytest.fixture
def one(new_app: NewApp) -> Arrears:
    app = new_app(rules=RULES)
    do(app, OpenOffice(code="main", title="Main"))
    return app


@pytest.fixture
def two(new_app: NewApp) -> Arrears:
    return new_app(rules=RULES)


# --- between a load and an append ---


def test_an_opt_out_while_an_account_of_the_customer_is_being_opened_holds_for_it(one: Arrears, two: Arrears):
    do(one, an_account("1001"))
    with before_the_append_of(one, lambda: do(two, opt_out(A))):
        do(one, an_account("1002"))
    assert opted_out(two, A, B) == [True, True]
    assert know_each_other(two, A, B)


def test_an_account_that_is_opened_while_its_customer_opts_out_elsewhere_is_told(one: Arrears, two: Arrears):
    do(one, an_account("1001"))
    with before_the_append_of(one, lambda: do(two, an_account("1002"))):
        do(one, opt_out(A))
    assert opted_out(two, A, B) == [True, True]


def test_an_account_that_an_invoice_opens_meanwhile_is_told_too(one: Arrears, two: Arrears):
    do(one, an_account("1001"))
    with before_the_append_of(one, lambda: do(two, in_euros())):
        do(one, opt_out(A))
    assert opted_out(two, A, EUROS) == [True, True]
    with before_the_append_of(one, lambda: do(two, opt_in(EUROS))):
        do(one, an_account("1002"))
    assert opted_out(two, A, B, EUROS) == [False, False, False]


@pytest.mark.parametrize("existing", [False, True], ids=["the first two", "the second and third"])
def test_of_two_accounts_of_a_customer_that_are_opened_at_once_each_knows_the_other(
    one: Arrears, two: Arrears, existing: bool
):
    accounts = [B, C]
    if existing:
        do(one, an_account("1001"))
        accounts.append(A)
    with before_the_append_of(one, lambda: do(two, an_account("1003", consent=Consent.REFUSED))):
        do(one, an_account("1002"))
    assert know_each_other(two, *accounts)
    refused = [two.load(Account, each).contact.details.consent(Channel.VOICE, "phone-1") for each in accounts]
    assert set(refused) == {Consent.REFUSED}


def test_the_account_of_the_customer_s_own_number_may_be_opened_at_the_same_time(one: Arrears, two: Arrears):
    with before_the_append_of(one, lambda: do(two, an_account("1001", customer=None))):
        do(one, an_account("1002"))
    assert know_each_other(two, A, B)


def test_an_account_leaves_its_customer_while_that_customer_opts_out_elsewhere(one: Arrears, two: Arrears):
    do(one, an_account("1001"), an_account("1002"))
    with before_the_append_of(one, lambda: do(two, an_account("1002", customer="C-7"))):
        do(one, opt_out(A))
    assert opted_out(two, A, B) == [True, False]
    with before_the_append_of(one, lambda: do(two, opt_in(A))):
        do(one, an_account("1002", customer="1001"))
    assert opted_out(two, A, B) == [False, False]
    assert know_each_other(two, A, B)


def test_an_opt_in_here_and_an_opt_out_there_at_once_leave_both_accounts_with_the_later_one(one: Arrears, two: Arrears):
    do(one, an_account("1001"), an_account("1002"), opt_out(A))
    with before_the_append_of(one, lambda: do(two, opt_in(B))):
        do(one, SetFlag(account_id=A, flag="cease-contact"))
    assert opted_out(two, A, B) == [False, False]
    with before_the_append_of(one, lambda: do(two, ClearFlag(account_id=B, flag="cease-contact"))):
        do(one, opt_out(A))
    assert opted_out(two, A, B) == [True, True]
    assert [two.load(Account, each).flags.carried for each in (A, B)] == [set(), set()]


# --- one batch ---


def test_a_batch_opens_accounts_of_a_customer_and_says_what_they_want(one: Arrears, two: Arrears):
    do(one, an_account("1001"), an_account("1002"), opt_out(B), in_euros(), an_account("1003", customer=None))
    assert opted_out(two, A, B, EUROS, C) == [True, True, True, False]
    assert know_each_other(two, A, B, EUROS)


def test_a_batch_that_is_decided_again_opens_them_once(one: Arrears, two: Arrears):
    with before_the_append_of(one, lambda: do(two, an_account("1003"), opt_out(C))):
        do(one, an_account("1001"), in_euros(), an_account("1002"))
    assert opted_out(two, A, B, C, EUROS) == [True] * 4
    assert know_each_other(two, A, B, C, EUROS)


def test_an_append_that_fails_leaves_nothing_of_it(one: Arrears, two: Arrears, monkeypatch: pytest.MonkeyPatch):
    do(one, an_account("1001"))
    broken = _broken(one._log)
    monkeypatch.setattr(one._log, "append", broken)
    with pytest.raises(RuntimeError, match="killed"):
        do(one, an_account("1002"))
    monkeypatch.undo()
    assert two.load(Account, A).customer.accounts == {}
    with before_the_append_of(one, lambda: do(two, opt_out(A))):
        do(one, an_account("1002"))
    assert opted_out(one, A, B) == [True, True]


def _broken(log: LogRecorder) -> Callable[..., None]:
    append = log.append

    def killed(facts: Any, **more: Any) -> None:
        """The statement is sent whole and dies before its end: its last part fails."""
        more["outcomes"] = {uuid4(): b"no json"}
        try:
            append(facts, **more)
        except psycopg.Error as error:
            raise RuntimeError("killed") from error

    return killed


def test_a_payment_of_an_account_without_others_looks_at_nothing_more(one: Arrears):
    opens = Opening(office_id=OFFICE, number="1001", currency="USD")
    pay = ReceivePayment(account_id=A, number="P-1", amount=Money(1, "USD"), received_on=JAN(5), opens=opens)
    do(one, an_account("1001"))
    with round_trips_of(one) as round_trips:
        do(one, pay)
    assert len(round_trips) == 2


# --- a trial ---


def test_a_trial_comes_to_what_the_commands_come_to(one: Arrears, two: Arrears, database: Database):
    do(one, an_account("1001"), opt_out(A))
    commands = [issue(each, reason="a test") for each in (an_account("1002"), in_euros(), opt_in(EUROS))]
    with Trial(database, master_key=MASTER_KEY, clock=one.clock, rules=RULES) as trial:
        tried = trial.handle(commands)
        assert opted_out(trial, A, B, EUROS) == [False, False, False]
    assert opted_out(two, A) == [True]
    assert two.handle(commands) == tried


def test_a_trial_finds_by_number_what_it_opened_before(one: Arrears, database: Database):
    with Trial(database, master_key=MASTER_KEY, clock=one.clock, rules=RULES) as trial:
        do(trial, an_account("1002"))
        do(trial, an_account("1003"))
        assert know_each_other(trial, B, C)


# --- from the log ---


def test_who_is_found_by_a_number_follows_from_the_log(one: Arrears, sealer: Sealer, admin: psycopg.Connection):
    do(one, an_account("1001"), in_euros(), an_account("1002", customer="C-7"), an_account("1002"), an_account("1003"))
    sealer.seal_once()
    written = _written(admin)
    key = customer_key(OFFICE, "1001").id
    assert [row[2:] for row in written if row[1] == key] == [(1, A), (2, EUROS), (3, B), (4, C)]
    assert list(verify(admin)) == []
    admin.execute("DELETE FROM arrears.holders WHERE aggregate_id = %s", [EUROS])
    admin.execute("UPDATE arrears.holders SET aggregate_id = %s WHERE aggregate_id = %s", [uuid4(), C])
    found = [finding.what for finding in verify(admin)]
    assert any(f"does not lead to aggregate {EUROS}" in what for what in found)
    assert any(f"does not lead to aggregate {C}" in what for what in found)
    assert any("are not in their order" in what for what in found)
    assert any(what.startswith("account.customer") and "leads to aggregate" in what for what in found)
    write_anew(admin)
    assert _written(admin) == written
    assert list(verify(admin)) == []


def test_accounts_of_an_old_log_are_found_by_their_numbers(one: Arrears, two: Arrears, admin: psycopg.Connection):
    """As the migration that makes the table fills it."""
    do(one, an_account("1001", customer=None), an_account("1002", customer="1002"))
    written = _written(admin)
    admin.execute("DROP TABLE arrears.holders")
    admin.execute(_migration().encode())
    assert _written(admin) == written
    do(two, in_euros())
    assert know_each_other(two, A, EUROS)


def _written(admin: psycopg.Connection) -> list[tuple[Any, ...]]:
    return admin.execute(
        "SELECT kind, key, ordinal, aggregate_id FROM arrears.holders ORDER BY kind, key, ordinal"
    ).fetchall()


def _migration() -> str:
    from adapters.postgres.migrations import shipped

    return next(each.sql for each in shipped() if each.name == "holders")

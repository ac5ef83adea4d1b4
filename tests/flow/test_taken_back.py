"""What a corrected file no longer says: a day of settlement that was emptied, a credit that became an invoice, and what
a complete file does not have."""

import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.billing import absent as absent_module
from adapters.billing.absent import NOTHING_SAID, CompleteOptions
from adapters.billing.importer import ImportRefused, ImportReport, OfficeDefaults
from adapters.billing.profile import ProfileError, parse_profile
from adapters.billing.taking_back import Absent
from adapters.clock import ManualClock
from adapters.stop import Stopped
from aggregates.account import Account
from aggregates.account.billing import InvoiceCorrected
from aggregates.account.command import account_id
from aggregates.account.payments import NoteCredit, PaymentReversed, ReversePayment
from aggregates.account.receivables import ReversalKind
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, identifier
from aggregates.office import office_id
from aggregates.values.money import Money
from api.application.dry_run import dry_run
from api.processes.step_by_step import StepByStep
from tests.flow.conftest import MASTER_KEY, AService
from tests.flow.dies_taking_back import DEFAULTS as USD
from tests.flow.dies_taking_back import NOW, Step
from tests.waiting import HANG

MAIN = office_id("main")
IBM = (
    "countryCode,customerID,PaperlessDate,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,Disputed,SettledDate,"
    "PaperlessBill,DaysToSettle,DaysLate"
)
INVOICES = "account_number,invoice_number,issued_on,due_on,amount,currency"
PAYMENTS = "account_number,payment_number,received_on,amount,currency"
CREDITS = "account_number,credit_number,issued_on,amount,currency"
REVERSALS = "account_number,payment_number,reversed_on,reversal,amount,currency"
Counts = tuple[int, int, int, int]


def ibm(number: str, settled: str, *, account: str = "C1", amount: str = "100.00") -> str:
    return f"391,{account},4/6/2026,{number},1/5/2026,2/4/2026,{amount},No,{settled},Paper,56,26"


def invoice(number: str, amount: str = "100.00", *, account: str = "A1", day: str = "2026-01-05") -> str:
    return f"{account},{number},{day},2026-02-04,{amount},USD"


class Files:
    """A service, and files that it is given: each is tried first, and then imported twice."""

    def __init__(self, service: StepByStep, clock: ManualClock, folder: Path) -> None:
        self.service, self.clock, self._folder = service, clock, folder
        self._files = 0

    def profile(self, kind: str, header: str, top: str = "", *, name: str = "", more: str = "") -> str:
        self._files += 1
        path = self._folder / f"{name or f'profile-{self._files}'}.toml"
        lines = [f'kind = "{kind}"', top, "[columns]", *(f'{each} = "{each}"' for each in header.split(","))]
        path.write_text("\n".join([*lines, more, ""]), encoding="utf-8")
        return str(path)

    def file(self, header: str, *rows: str) -> Path:
        self._files += 1
        path = self._folder / f"file-{self._files}.csv"
        path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        return path

    def once(
        self,
        profile: str,
        header: str,
        *rows: str,
        complete: CompleteOptions = NOTHING_SAID,
        source: str | None = None,
        defaults: OfficeDefaults = USD,
    ) -> ImportReport:
        """Tried first: a dry run says what the import then does, and lists the same."""
        path = self.file(header, *rows)
        tried = CompleteOptions(as_of=complete.as_of, force=complete.force)
        would = dry_run(self.service, path, profile, defaults=defaults, source=source, complete=tried)
        did = self.service.import_file(path, profile, defaults=defaults, source=source, complete=complete)
        assert counts(would) == counts(did)
        assert [str(each) for each in would.problems] == [str(each) for each in did.problems]
        if did.absent is not None:
            assert would.absent is not None
            assert listed(would.absent) == listed(did.absent)
        return did

    def twice(self, profile: str, header: str, *rows: str, source: str | None = None) -> Counts:
        """The second time nothing is news, and nothing is stored."""
        first = self.once(profile, header, *rows, source=source)
        head = self.service.arrears.feed.head()
        assert counts(self.once(profile, header, *rows, source=source))[:2] == (0, 0)
        assert self.service.arrears.feed.head() == head
        return counts(first)

    def taken_back(self, profile: str, header: str, *rows: str, **options: Any) -> Absent:
        """Listed, confirmed, and done; listed once more, nothing is absent."""
        listed_first = absent_of(self.once(profile, header, *rows, complete=CompleteOptions(**options)))
        confirmed = CompleteOptions(take_back=listed_first.token, **options)
        done = absent_of(self.once(profile, header, *rows, complete=confirmed))
        again = absent_of(self.once(profile, header, *rows, complete=CompleteOptions(**options)))
        assert done.refusal is None
        assert again.count == done.left
        return done

    def handle(self, command: Command, reason: str = "as they said") -> None:
        issued = Issued(command=command, command_id=identifier(str(command)), actor=Actor.person("dana"), reason=reason)
        [outcome] = self.service.arrears.handle([issued])
        assert isinstance(outcome, Accepted), outcome
        self.service.drain()

    @property
    def env(self) -> dict[str, str]:
        """For a process of its own on the same database."""
        return {"ARREARS_DATABASE_URL": self.service.database.dsn, "ARREARS_MASTER_KEY": MASTER_KEY}

    def account(self, number: str = "A1") -> Account:
        return self.service.arrears.load(Account, account_id(MAIN, number))

    def balance(self, number: str = "A1") -> int:
        account = self.account(number)
        return account.receivables.balance.minor

    def open_items(self, number: str = "A1") -> dict[date, int]:
        """By due day."""
        account = self.account(number)
        return {each.due_on: each.open.minor for each in account.receivables.items.values()}

    def owed_on(self, day: date, number: str = "A1") -> tuple[int, int]:
        """What reports of a day say is open, and what is unapplied."""
        with self.service.database.connect("arrears_app") as connection:
            row = connection.execute(
                """
                SELECT coalesce(sum(item_minor), 0)::int, coalesce(sum(unapplied_minor), 0)::int
                  FROM read_model.ledger_entries WHERE account_id = %s AND effective_on <= %s
                """,
                [account_id(MAIN, number), day],
            ).fetchone()
        assert row is not None
        return row

    def run(self, query: str) -> list[tuple[Any, ...]]:
        with self.service.database.connect("arrears_app") as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []


def counts(report: ImportReport) -> Counts:
    """Brought in, corrected, unchanged, refused."""
    return report.brought_in, report.corrected, report.unchanged, report.refused


def listed(absent: Absent) -> tuple[Any, ...]:
    return absent.count, absent.sums, absent.token, absent.rows


def absent_of(report: ImportReport) -> Absent:
    assert report.absent is not None
    return report.absent


def names(absent: Absent) -> list[str]:
    return [f"{row.kind} {row.shown_number}" for row in absent.rows]


@pytest.fixture
def files(a_service: AService, tmp_path: Path) -> Files:
    clock = ManualClock(NOW)
    return Files(a_service(clock), clock, tmp_path)


# --- a day of settlement that was emptied ------------------------------------------------------------


def test_a_settlement_day_that_is_empty_in_a_later_file_never_was(files: Files):
    assert files.twice("ibm", IBM, ibm("R-1", "3/2/2026")) == (3, 0, 0, 0)
    assert files.owed_on(date(2026, 3, 31), "C1") == (0, 0)
    for _ in range(2):
        assert files.twice("ibm", IBM, ibm("R-1", "")) == (0, 1, 2, 0)
        assert files.balance("C1") == 10_000
        assert files.owed_on(date(2026, 3, 31), "C1") == (10_000, 0)
        assert files.owed_on(date(2026, 1, 31), "C1") == (10_000, 0)
        assert files.twice("ibm", IBM, ibm("R-1", "3/2/2026")) == (0, 1, 2, 0)
        assert files.balance("C1") == 0
        assert files.owed_on(date(2026, 3, 1), "C1") == (10_000, 0)
        assert files.owed_on(date(2026, 3, 2), "C1") == (0, 0)
    history = files.service.arrears.history(Account, account_id(MAIN, "C1"))
    reversed_ = [each for each in history if isinstance(each.event, PaymentReversed)]
    assert [(e.event.reversal, e.effective_on) for e in reversed_] == [("error", date(2026, 3, 2))] * 2  # type: ignore[attr-defined]
    assert {each.event.receipt.number for each in reversed_} == {"settlement:R-1"}  # type: ignore[attr-defined]


def test_an_invoice_is_corrected_in_the_row_that_empties_its_settlement(files: Files):
    files.twice("ibm", IBM, ibm("R-1", "3/2/2026"), ibm("R-2", "3/2/2026"))
    assert files.twice("ibm", IBM, ibm("R-1", "", amount="80.00"), ibm("R-2", "3/2/2026"))[1] == 2
    assert files.balance("C1") == 8_000


def test_a_settlement_that_waits_for_its_day_is_taken_back_and_lives_again(files: Files):
    files.twice("ibm", IBM, ibm("R-1", "4/20/2026"))
    assert files.twice("ibm", IBM, ibm("R-1", ""))[1] == 1
    assert files.balance("C1") == 10_000
    assert files.twice("ibm", IBM, ibm("R-1", "4/21/2026"))[1] == 1
    assert files.twice("ibm", IBM, ibm("R-1", ""))[1] == 1
    files.service.tick(datetime(2026, 4, 23, 12, tzinfo=UTC))
    assert files.balance("C1") == 10_000
    assert files.twice("ibm", IBM, ibm("R-1", "4/20/2026"))[1] == 1
    assert files.balance("C1") == 0


def test_only_what_the_same_source_said_is_taken_back(files: Files):
    files.twice("ibm", IBM, ibm("R-1", "3/2/2026"))
    report = files.once("ibm", IBM, ibm("R-1", ""), source="another")
    assert (counts(report)[1], files.balance("C1")) == (0, 0)
    assert any("a file of ibm brought in that it was settled on 2026-03-02" in str(each) for each in report.notices)
    assert files.twice("ibm", IBM, ibm("R-1", "3/2/2026"), source="another")[1] == 0
    assert files.twice("ibm", IBM, ibm("R-1", ""), source="another")[1] == 1, "said by it, the settlement is its own"
    assert files.balance("C1") == 10_000


def test_a_settlement_of_an_earlier_release_stays_until_a_file_says_it_again(files: Files):
    files.twice("ibm", IBM, ibm("R-1", "3/2/2026"))
    files.run("UPDATE arrears.import_facts SET source = NULL, said_in = NULL, account_id = NULL, minor = NULL")
    report = files.once("ibm", IBM, ibm("R-1", ""))
    assert (counts(report)[1], files.balance("C1")) == (0, 0)
    assert any("an earlier release brought in that it was settled" in str(each) for each in report.notices)
    files.twice("ibm", IBM, ibm("R-1", "3/2/2026"))
    assert files.twice("ibm", IBM, ibm("R-1", ""))[1] == 1
    assert files.balance("C1") == 10_000


def test_a_settlement_that_a_person_took_back_is_as_the_file_says(files: Files):
    files.twice("ibm", IBM, ibm("R-1", "3/2/2026"))
    files.handle(
        ReversePayment(
            account_id=account_id(MAIN, "C1"), number="settlement:R-1", reversal=ReversalKind.ERROR,
            reversed_on=date(2026, 3, 9),
        )
    )  # fmt: skip
    assert files.twice("ibm", IBM, ibm("R-1", ""))[1:] == (1, 2, 0)
    assert files.twice("ibm", IBM, ibm("R-1", "3/2/2026"))[1] == 1
    assert files.balance("C1") == 0


SETTLED = f"{INVOICES},settled_on"


def test_the_settlement_of_one_instalment_is_taken_back(files: Files):
    profile = files.profile("invoices-with-settlement", SETTLED)
    row = "K,I-1,2026-01-05,2026-{},50.00,USD,{}"
    first, second = row.format("02-01", "2026-02-01"), row.format("03-01", "2026-03-02")
    files.twice(profile, SETTLED, first, second)
    assert files.twice(profile, SETTLED, first, row.format("03-01", ""))[1] == 1
    assert files.open_items("K") == {date(2026, 3, 1): 5_000}
    assert files.twice(profile, SETTLED, row.format("02-01", ""), second)[1] == 2
    assert files.open_items("K") == {date(2026, 2, 1): 5_000}


# --- a credit that became an invoice -----------------------------------------------------------------


def test_a_credit_becomes_an_invoice_and_a_credit_again(files: Files):
    assert files.twice("invoices", INVOICES, invoice("R-1", "-100.00")) == (1, 0, 0, 0)
    assert files.twice("invoices", INVOICES, invoice("R-1", "100.00")) == (1, 1, 0, 0)
    assert (files.balance(), files.owed_on(date(2026, 1, 31))) == (10_000, (10_000, 0))
    for _ in range(2):
        assert files.twice("invoices", INVOICES, invoice("R-1", "-100.00"))[1:] == (2, 0, 0)
        assert (files.balance(), files.owed_on(date(2026, 1, 31))) == (-10_000, (0, 10_000))
        assert files.twice("invoices", INVOICES, invoice("R-1", "120.00"))[1:] == (2, 0, 0)
        assert (files.balance(), files.owed_on(date(2026, 1, 31))) == (12_000, (12_000, 0))
    assert files.owed_on(date(2026, 1, 4)) == (0, 0)


def test_an_invoice_and_a_credit_of_one_number_in_one_file_are_two(files: Files):
    rows = invoice("R-1"), invoice("R-1", "-100.00")
    assert files.twice("invoices", INVOICES, *rows) == (2, 0, 0, 0)
    assert files.balance() == 0
    assert files.twice("invoices", INVOICES, rows[0])[1] == 1
    assert files.balance() == 10_000


def test_a_credit_of_a_credits_file_or_a_person_is_another_document(files: Files):
    files.once("invoices", INVOICES, invoice("R-9", "-1.00"))
    files.once("credits", CREDITS, "A1,R-1,2026-01-05,30.00,USD", source="invoices")
    credit = NoteCredit(
        account_id=account_id(MAIN, "A1"), number="R-2", amount=Money(500, "USD"), issued_on=date(2026, 1, 6)
    )
    files.handle(credit)
    assert files.twice("invoices", INVOICES, invoice("R-1"), invoice("R-2")) == (2, 0, 0, 0)
    assert files.balance() == 20_000 - 3_600


def test_a_credit_that_waits_for_its_day_becomes_an_invoice(files: Files):
    row = "A1,R-1,2026-04-20,2026-05-04,{},USD"
    for said, owed in (("-100.00", -10_000), ("100.00", 10_000), ("-90.00", -9_000)):
        files.twice("invoices", INVOICES, row.format(said))
        assert files.balance() == 0
        now = files.clock.now()
        assert now.date() == date(2026, 4, 10)
        assert waiting(files) == owed


def waiting(files: Files) -> int:
    """What the account will owe once everything is there that waits for its day."""
    total = 0
    account = files.account()
    for fact in account.deferred.facts.values():
        minor: int = fact.command["amount"]["minor"]  # type: ignore[index]
        total += minor if fact.command_name == "bill-invoice" else -minor
    return total


def test_an_invoice_in_instalments_becomes_a_credit(files: Files):
    rows = [f"A1,R-1,2026-01-05,2026-0{month}-04,50.00,USD" for month in (2, 3)]
    files.twice("invoices", INVOICES, *rows)
    assert files.twice("invoices", INVOICES, invoice("R-1", "-100.00"))[1] == 2
    assert files.balance() == -10_000
    files.twice("invoices", INVOICES, *rows)
    assert files.balance() == 10_000


def test_a_void_invoice_that_waits_for_its_day_does_not_come(files: Files):
    profile = files.profile("invoices", f"{INVOICES},status")
    row = "A1,R-1,2026-04-20,2026-05-04,100.00,USD,{}"
    for status, owed in (("", 10_000), ("void", 0), ("", 10_000), ("void", 0)):
        assert files.twice(profile, f"{INVOICES},status", row.format(status))[3] == 0
        assert waiting(files) == owed
    files.service.tick(datetime(2026, 4, 23, 12, tzinfo=UTC))
    assert files.balance() == 0


# --- complete files ----------------------------------------------------------------------------------

WITHDRAWN, SETTLED_BY_ABSENCE = 'complete = "withdrawn"', 'complete = "settled"'
TEN = [invoice(f"I-{n:02}", f"{n}.00") for n in range(1, 11)]


def owed_for(numbers: range) -> int:
    return sum(n * 100 for n in numbers)


@pytest.fixture
def all_open(files: Files) -> str:
    """Ten invoices, by a profile whose files are complete: what is absent never was."""
    profile = files.profile("invoices", INVOICES, WITHDRAWN, name="ledger")
    assert counts(files.once(profile, INVOICES, *TEN)) == (10, 0, 0, 0)
    return profile


def test_what_a_complete_file_does_not_have_is_listed_and_nothing_is_taken_back(files: Files, all_open: str):
    head = files.service.arrears.feed.head()
    absent = absent_of(files.once(all_open, INVOICES, *TEN[:-1]))
    assert (absent.count, absent.sums, names(absent), absent.doubts) == (
        1,
        {"USD": Money(1_000, "USD")},
        ["invoice I-10"],
        [],
    )
    assert absent.token
    assert files.service.arrears.feed.head() == head
    again = absent_of(files.once(all_open, INVOICES, *TEN[:-1]))
    assert again.token == absent.token
    assert absent_of(files.once(all_open, INVOICES, *TEN)).token is None


def test_what_was_confirmed_never_was_and_lives_again_once_it_is_said(files: Files, all_open: str):
    done = files.taken_back(all_open, INVOICES, *TEN[:-1])
    assert (done.taken_back, done.left) == (1, 0)
    assert (files.balance(), files.owed_on(date(2026, 1, 31))) == (owed_for(range(1, 10)), (owed_for(range(1, 10)), 0))
    assert counts(files.once(all_open, INVOICES, *TEN)) == (0, 1, 9, 0), "unchanged, and news all the same"
    assert files.balance() == owed_for(range(1, 11))
    assert files.taken_back(all_open, INVOICES, *TEN[:-1]).taken_back == 1
    assert files.balance() == owed_for(range(1, 10))


def test_a_wrong_token_takes_nothing_back_and_shows_the_list(files: Files, all_open: str):
    report = files.once(all_open, INVOICES, *TEN[:-1], complete=CompleteOptions(take_back="0123456789ab"))
    absent = absent_of(report)
    assert absent.refusal == "--take-back 0123456789ab is no list that holds now; nothing was taken back"
    assert (absent.count, files.balance()) == (1, owed_for(range(1, 11)))
    older = absent.token
    files.once(all_open, INVOICES, TEN[-1].replace("10.00", "11.00"))
    absent = absent_of(files.once(all_open, INVOICES, *TEN[:-1], complete=CompleteOptions(take_back=older)))
    assert absent.refusal, "the list has a fact that changed since"
    assert files.balance() == owed_for(range(1, 11)) + 100


def test_more_than_a_tenth_is_taken_back_only_by_somebody_who_insists(files: Files, all_open: str):
    absent = absent_of(files.once(all_open, INVOICES, *TEN[:-2]))
    assert absent.doubts == ["more than 10 % of what is known is absent: 2 of 10 of office main"]
    refused = absent_of(files.once(all_open, INVOICES, *TEN[:-2], complete=CompleteOptions(take_back=absent.token)))
    assert (refused.taken_back, refused.refusal is not None) == (0, True)
    assert files.balance() == owed_for(range(1, 11))
    done = CompleteOptions(take_back=absent.token, force=True)
    assert absent_of(files.once(all_open, INVOICES, *TEN[:-2], complete=done)).taken_back == 2
    assert files.balance() == owed_for(range(1, 9))


def test_a_file_with_refused_rows_takes_nothing_back(files: Files, all_open: str):
    rows = [*TEN[:-1], "A1,I-11,never,2026-02-04,1.00,USD"]
    absent = absent_of(files.once(all_open, INVOICES, *rows))
    refused = absent_of(files.once(all_open, INVOICES, *rows, complete=CompleteOptions(take_back=absent.token)))
    assert refused.refusal == "nothing was taken back without --force: 1 row of the file are refused"
    assert files.balance() == owed_for(range(1, 11))
    done = CompleteOptions(take_back=absent.token, force=True)
    assert absent_of(files.once(all_open, INVOICES, *rows, complete=done)).taken_back == 1


def test_an_older_file_is_refused_and_later_documents_are_not_expected_in_it(files: Files):
    profile = files.profile("invoices", INVOICES, WITHDRAWN, name="ledger")
    march = invoice("I-11", "5.00", day="2026-03-01")
    files.once(profile, INVOICES, *TEN, march, complete=CompleteOptions(as_of=date(2026, 2, 28)))
    assert absent_of(files.once(profile, INVOICES, *TEN, complete=CompleteOptions(as_of=date(2026, 2, 28)))).count == 0
    assert absent_of(files.once(profile, INVOICES, *TEN, complete=CompleteOptions(as_of=date(2026, 3, 1)))).count == 1
    with pytest.raises(ImportRefused, match="a complete file of 2026-03-01 from ledger"):
        files.once(profile, INVOICES, *TEN, complete=CompleteOptions(as_of=date(2026, 2, 28)))
    older = CompleteOptions(as_of=date(2026, 2, 28), force=True)
    assert absent_of(files.once(profile, INVOICES, *TEN, complete=older)).count == 0
    with pytest.raises(ImportRefused, match="expected 2026-04-10 or earlier"):
        files.once(profile, INVOICES, *TEN, complete=CompleteOptions(as_of=date(2026, 4, 11)))


def test_what_others_said_is_not_judged(files: Files, all_open: str):
    """Another source, another office, a credits file, a person, and an earlier release."""
    files.once("invoices", INVOICES, invoice("O-1"))
    files.once(
        all_open,
        INVOICES,
        invoice("O-2"),
        complete=CompleteOptions(force=True),
        defaults=OfficeDefaults(code="north", currency="USD"),
    )
    files.once("credits", CREDITS, "A1,O-3,2026-01-06,1.00,USD", source="ledger")
    files.handle(
        NoteCredit(account_id=account_id(MAIN, "A1"), number="O-4", amount=Money(5, "USD"), issued_on=date(2026, 1, 6))
    )
    forgotten = "UPDATE arrears.import_facts SET source = NULL, said_in = NULL, account_id = NULL"
    files.run(f"{forgotten} WHERE natural_key = 'invoice:I-09'")
    assert names(absent_of(files.once(all_open, INVOICES, *TEN[:-2]))) == ["invoice I-10"]
    files.once(all_open, INVOICES, *TEN)
    assert names(absent_of(files.once(all_open, INVOICES, *TEN[:-2]))) == ["invoice I-09", "invoice I-10"]
    files.once("invoices", INVOICES, TEN[-1])
    assert names(absent_of(files.once(all_open, INVOICES, *TEN[:-2]))) == ["invoice I-09"], "the other source's now"


def test_a_stopped_run_goes_on_with_its_token(files: Files, all_open: str, monkeypatch: pytest.MonkeyPatch):
    """Also where it died between what was booked and what was remembered of that."""
    monkeypatch.setattr(absent_module, "CHUNK", 2)
    token = absent_of(files.once(all_open, INVOICES, *TEN[:3])).token
    confirmed = CompleteOptions(take_back=token, force=True)
    withdraw = absent_module.CompleteFile._withdraw
    turns: list[int] = []

    def until_it_dies(*args: Any) -> Any:
        turns.append(1)
        done = withdraw(*args)
        if len(turns) == 3:
            raise Stopped("told to end")
        return done

    monkeypatch.setattr(absent_module.CompleteFile, "_withdraw", until_it_dies)
    with pytest.raises(Stopped):
        files.once(all_open, INVOICES, *TEN[:3], complete=confirmed)
    assert files.balance() == owed_for(range(1, 4)) + owed_for(range(10, 11))
    monkeypatch.setattr(absent_module.CompleteFile, "_withdraw", withdraw)
    rest = absent_of(files.once(all_open, INVOICES, *TEN[:3]))
    assert rest.count == 3, "what is remembered as taken back is not listed"
    done = absent_of(files.once(all_open, INVOICES, *TEN[:3], complete=CompleteOptions(take_back=token)))
    assert (done.taken_back, done.left, done.refusal) == (3, 0, None)
    assert files.balance() == owed_for(range(1, 4))
    again = absent_of(files.once(all_open, INVOICES, *TEN[:3], complete=confirmed))
    assert (again.taken_back, again.count, again.refusal) == (0, 0, None), "it is done"


@pytest.mark.parametrize("step", list(Step))
def test_a_run_that_was_killed_goes_on_with_its_token_and_takes_nothing_back_twice(
    files: Files, all_open: str, step: Step
):
    """Chunks are of two: the first was taken back, and of the second so much was done."""
    token = absent_of(files.once(all_open, INVOICES, *TEN[:3])).token
    dies = [sys.executable, "-m", "tests.flow.dies_taking_back"]
    given = [str(files.file(INVOICES, *TEN[:3])), all_open, token or "", step]
    died = subprocess.run([*dies, *given], check=False, env={**os.environ, **files.env}, timeout=HANG)
    assert died.returncode == -signal.SIGKILL
    left = 2 if step is Step.NOTHING else 4
    assert files.balance() == sum(n * 100 for n in (1, 2, 3)) + owed_for(range(4 + left, 11))
    assert absent_of(files.once(all_open, INVOICES, *TEN[:3])).count == 5, "only the first chunk is remembered"
    done = absent_of(files.once(all_open, INVOICES, *TEN[:3], complete=CompleteOptions(take_back=token)))
    assert (done.taken_back, done.left, done.refusal) == (5, 0, None)
    assert files.balance() == owed_for(range(1, 4))
    history = files.service.arrears.history(Account, account_id(MAIN, "A1"))
    assert sum(isinstance(each.event, InvoiceCorrected) for each in history) == 7


def test_what_was_said_again_since_the_list_was_made_is_left_and_named(
    files: Files, all_open: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(absent_module, "CHUNK", 2)
    token = absent_of(files.once(all_open, INVOICES, *TEN[:6])).token
    stopping = monkeypatch.context
    with stopping() as patched:
        patched.setattr(absent_module.CompleteFile, "_withdraw", lambda *_: (_ for _ in ()).throw(Stopped("x")))
        with pytest.raises(Stopped):
            files.once(all_open, INVOICES, *TEN[:6], complete=CompleteOptions(take_back=token, force=True))
    files.once(all_open, INVOICES, TEN[6].replace("7.00", "7.50"))
    rows = [*TEN[:6], TEN[7]]
    done = absent_of(files.once(all_open, INVOICES, *rows, complete=CompleteOptions(take_back=token, force=True)))
    assert (done.taken_back, done.left) == (2, 2)
    assert [each.partition(":")[0] for each in done.left_rows] == [
        "invoice I-07 of account A1", "invoice I-08 of account A1",
    ]  # fmt: skip
    assert files.balance() == owed_for(range(1, 7)) + 750 + 800


def test_what_cannot_be_taken_back_is_named_and_loses_nothing_else(files: Files):
    profile = files.profile("payments", PAYMENTS, WITHDRAWN, name="bank")
    rows = [f"A1,P-{n},2026-02-0{n},{n}.00,USD" for n in range(1, 5)]
    files.once(profile, PAYMENTS, *rows)
    part = ReversePayment(
        account_id=account_id(MAIN, "A1"), number="P-2", reversal=ReversalKind.CHARGEBACK,
        reversed_on=date(2026, 3, 1), amount=Money(50, "USD"),
    )  # fmt: skip
    files.handle(part)
    done = files.taken_back(profile, PAYMENTS, rows[0], force=True)
    assert (done.taken_back, done.left) == (2, 1)
    assert done.left_rows == ["payment P-2 of account A1: 0.50 USD of it went back; withdraw that first"]
    assert files.balance() == -100 - 150


# --- each kind of file -------------------------------------------------------------------------------


def test_payments_with_and_without_a_number_are_taken_back_and_live_again(files: Files):
    profile = files.profile("payments", PAYMENTS, WITHDRAWN)
    rows = ["A1,P-1,2026-02-01,10.00,USD", *["A1,,2026-02-02,5.00,USD"] * 3, "A1,,2026-02-03,7.00,USD"]
    for _ in range(2):
        files.once(profile, PAYMENTS, *rows)
        assert files.balance() == -3_200
        done = files.taken_back(profile, PAYMENTS, *rows[1:3], force=True)
        assert (done.taken_back, files.balance()) == (3, -1_000)
        assert files.owed_on(date(2026, 2, 28)) == (0, 1_000)


def test_credits_are_taken_back_and_live_again(files: Files):
    profile = files.profile("credits", CREDITS, WITHDRAWN)
    rows = [f"A1,C-{n},2026-02-01,10.00,USD" for n in range(3)]
    for _ in range(2):
        files.once(profile, CREDITS, *rows)
        assert files.balance() == -3_000
        assert files.taken_back(profile, CREDITS, *rows[:2], force=True).taken_back == 1
        assert files.balance() == -2_000


def test_reversals_are_taken_back_and_live_again(files: Files):
    files.once("payments", PAYMENTS, *[f"A1,P-{n},2026-02-01,10.00,USD" for n in range(3)])
    profile = files.profile("reversals", REVERSALS, WITHDRAWN)
    rows = ["A1,P-0,2026-02-05,nsf,,", "A1,P-1,2026-02-05,chargeback,4.00,USD", "A1,P-2,2026-02-06,error,,"]
    for _ in range(2):
        files.once(profile, REVERSALS, *rows)
        assert (files.balance(), files.owed_on(date(2026, 2, 5))) == (-600, (0, 600))
        assert files.taken_back(profile, REVERSALS, rows[1], force=True).taken_back == 2
        assert (files.balance(), files.owed_on(date(2026, 2, 5))) == (-2_600, (0, 2_600))


def test_invoices_go_with_their_instalments_credits_and_settlements(files: Files):
    profile = files.profile("invoices-with-settlement", SETTLED, WITHDRAWN)
    plan = [
        f"A1,I-1,2026-01-05,2026-0{month}-01,50.00,USD,{settled}" for month, settled in ((2, ""), (3, "2026-03-02"))
    ]
    rest = ["A1,I-2,2026-01-05,2026-02-01,20.00,USD,2026-02-02", "A1,I-3,2026-01-05,2026-02-01,-5.00,USD,"]
    for _ in range(2):
        files.once(profile, SETTLED, *plan, *rest)
        assert files.balance() == 5_000 - 500
        done = files.taken_back(profile, SETTLED, plan[0], force=True)
        assert (done.taken_back, files.balance()) == (5, 5_000)
        assert files.owed_on(date(2026, 3, 31)) == (5_000, 0)


def test_the_first_instalment_alone_is_taken_back(files: Files):
    profile = files.profile("invoices", INVOICES, WITHDRAWN)
    plan = [f"A1,I-1,2026-01-05,2026-0{month}-01,50.00,USD" for month in (2, 3)]
    files.once(profile, INVOICES, *plan)
    assert files.taken_back(profile, INVOICES, plan[1], force=True).taken_back == 1
    assert files.open_items() == {date(2026, 3, 1): 5_000}


def test_a_payment_of_another_account_is_one_withdrawn_and_one_new_where_accounts_number_their_own(files: Files):
    own = '[numbering]\nscope = "per-account"'
    part = files.profile("payments", PAYMENTS, name="a-part", more=own)
    whole = files.profile("payments", PAYMENTS, f'{WITHDRAWN}\nsource = "a-part"', name="whole", more=own)
    files.once(part, PAYMENTS, "A1,1,2026-02-01,10.00,USD", "A2,2,2026-02-01,3.00,USD")
    moved = ["A2,1,2026-02-01,10.00,USD", "A2,2,2026-02-01,3.00,USD"]
    assert counts(files.once(part, PAYMENTS, *moved)) == (1, 0, 1, 0)
    assert (files.balance(), files.balance("A2")) == (-1_000, -1_300), "a file that is not complete says nothing of it"
    assert names(files.taken_back(whole, PAYMENTS, *moved, force=True)) == ["payment 1"]
    assert (files.balance(), files.balance("A2")) == (0, -1_300)
    back = ["A1,1,2026-02-01,10.00,USD", "A2,2,2026-02-01,3.00,USD"]
    files.once(whole, PAYMENTS, *back)
    files.taken_back(whole, PAYMENTS, *back, force=True)
    assert (files.balance(), files.balance("A2")) == (-1_000, -300)


def test_a_payment_that_pays_another_account_is_taken_back_from_who_paid(files: Files):
    files.once("invoices", INVOICES, invoice("I-1"), invoice("I-2", account="P"))
    header = f"{PAYMENTS},payer"
    profile = files.profile("payments", header, WITHDRAWN)
    rows = ["A1,P-1,2026-02-01,40.00,USD,P", "A1,P-2,2026-02-01,1.00,USD,"]
    for _ in range(2):
        files.once(profile, header, *rows)
        assert (files.balance(), files.balance("P")) == (10_000 - 4_100, 10_000)
        assert files.taken_back(profile, header, rows[1], force=True).taken_back == 1
        assert (files.balance(), files.balance("P")) == (10_000 - 100, 10_000)


def test_a_document_that_was_taken_back_may_be_one_of_another_account(files: Files):
    profile = files.profile("invoices", INVOICES, WITHDRAWN)
    files.once(profile, INVOICES, invoice("I-1"), invoice("I-2"))
    files.taken_back(profile, INVOICES, invoice("I-2"), force=True)
    assert counts(files.once(profile, INVOICES, invoice("I-1", account="B2"), invoice("I-2"))) == (0, 1, 1, 0)
    assert (files.balance(), files.balance("B2")) == (10_000, 10_000)


# --- absent is settled -------------------------------------------------------------------------------


def test_what_is_open_of_an_absent_invoice_was_paid_on_the_file_s_day(files: Files):
    profile = files.profile("invoices", INVOICES, SETTLED_BY_ABSENCE, name="open-items")
    day, still = date(2026, 4, 1), owed_for(range(1, 9))
    files.once(profile, INVOICES, *TEN, complete=CompleteOptions(as_of=day))
    paid = ["A1,P-1,2026-02-01,4.00,USD,I-10", "A1,P-2,2026-02-01,9.00,USD,I-09"]
    files.once("payments", f"{PAYMENTS},invoice_number", *paid)
    for _ in range(2):
        done = files.taken_back(profile, INVOICES, *TEN[:8], as_of=day, force=True)
        assert (done.count, done.sums, names(done)) == (1, {"USD": Money(600, "USD")}, ["invoice I-10"])
        assert (files.balance(), files.owed_on(date(2026, 3, 31))) == (still, (still + 600, 0))
        assert files.owed_on(day) == (still, 0)
        assert counts(files.once(profile, INVOICES, *TEN, complete=CompleteOptions(as_of=day)))[1] == 1
        assert (files.balance(), files.owed_on(day)) == (still + 600, (still + 600, 0))


def test_a_complete_file_without_a_row_settles_everything(files: Files):
    profile = files.profile("invoices", INVOICES, SETTLED_BY_ABSENCE)
    plan = [f"A1,I-1,2026-01-05,2026-0{month}-01,50.00,USD" for month in (2, 3)]
    files.once(profile, INVOICES, *plan, invoice("C-1", "-5.00"))
    assert files.taken_back(profile, INVOICES, force=True).taken_back == 2
    assert files.balance() == 0
    assert files.owed_on(date(2026, 4, 9)) == (9_500, 0)


def test_another_amount_that_is_open_by_now_is_not_settled(files: Files, monkeypatch: pytest.MonkeyPatch):
    profile = files.profile("invoices", INVOICES, SETTLED_BY_ABSENCE)
    files.once(profile, INVOICES, *TEN)
    token = absent_of(files.once(profile, INVOICES, *TEN[:8])).token
    files.once("payments", f"{PAYMENTS},invoice_number", "A1,P-1,2026-02-01,4.00,USD,I-10")
    done = files.once(profile, INVOICES, *TEN[:8], complete=CompleteOptions(take_back=token, force=True))
    assert absent_of(done).taken_back == 2, "the list of what is open is made anew"
    assert files.balance() == owed_for(range(1, 9))


def test_what_the_file_itself_moved_of_an_absent_invoice_s_money_is_not_taken_for_paid(files: Files):
    """A payment that named none leaves it for the older invoice that the file brings in."""
    profile = files.profile("invoices", INVOICES, SETTLED_BY_ABSENCE, name="open-items")
    files.once(profile, INVOICES, invoice("I-1"))
    files.once("payments", PAYMENTS, "A1,P-1,2026-02-10,60.00,USD")
    older = files.file(INVOICES, "A1,I-0,2026-01-02,2026-01-20,100.00,USD")
    absent = absent_of(files.service.import_file(older, profile, defaults=USD))
    assert (names(absent), absent.sums) == (["invoice I-1"], {"USD": Money(10_000, "USD")})


# --- profiles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "complete", "problem"),
    [
        ("customers", "withdrawn", "complete: a customer is never taken back"),
        ("payments", "settled", "complete: 'settled' is for invoices; expected 'withdrawn' for payments"),
        ("invoices", "gone", "complete: "),
    ],
)
def test_a_profile_says_of_what_kind_its_complete_files_are(kind: str, complete: str, problem: str):
    header = {"customers": "account_number", "payments": PAYMENTS, "invoices": INVOICES}[kind]
    columns = "\n".join(f'{each} = "{each}"' for each in header.split(","))
    with pytest.raises(ProfileError, match=problem):
        parse_profile(f'kind = "{kind}"\ncomplete = "{complete}"\n[columns]\n{columns}\n')


def test_a_part_of_a_complete_file_judges_nothing(files: Files, all_open: str):
    report = files.once(all_open, f"problem,{INVOICES}", f"was wrong,{TEN[0]}")
    assert (counts(report), report.absent) == ((0, 0, 1, 0), None)
    with pytest.raises(ImportRefused, match="a reject file is a part of another one"):
        files.once(all_open, f"problem,{INVOICES}", f"x,{TEN[0]}", complete=CompleteOptions(force=True))
    with pytest.raises(ImportRefused, match="profile invoices is of no complete files"):
        files.once("invoices", INVOICES, TEN[0], complete=CompleteOptions(force=True))

"""Billing files with several due days of one invoice: items of their own, the same whatever is imported when."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import permutations
from pathlib import Path

import pytest

from adapters.billing.importer import ImportReport, OfficeDefaults
from adapters.clock import ManualClock
from aggregates.account import Account
from aggregates.account.command import account_id, document_id
from aggregates.office import office_id
from api.application.dry_run import dry_run
from api.application.play import play
from api.processes.step_by_step import StepByStep
from tests.flow.conftest import AService

NOW = datetime(2026, 4, 30, 12, tzinfo=UTC)
INVOICES = "account_number,invoice_number,issued_on,due_on,amount,currency"
SETTLED = f"{INVOICES},settled_on"
PAYMENTS = "account_number,payment_number,received_on,amount,currency,invoice_number"

FEBRUARY = "K,I-1,2026-01-05,2026-02-01,100.00,USD"
MARCH = "K,I-1,2026-01-05,2026-03-01,100.00,USD"
APRIL = "K,I-1,2026-01-05,2026-04-01,100.00,USD"
PLAN = (FEBRUARY, MARCH, APRIL)

_SETTLED_PROFILE = """
kind = "invoices-with-settlement"
[columns]
account_number = "account_number"
invoice_number = "invoice_number"
issued_on = "issued_on"
due_on = "due_on"
amount = "amount"
currency = "currency"
settled_on = "settled_on"
"""


class Files:
    """A service, and files that are brought in one after the other."""

    def __init__(self, service: StepByStep, folder: Path) -> None:
        self.service, self._folder = service, folder
        self._nth = 0

    def bring_in(self, *rows: str, header: str = INVOICES, profile: str = "invoices") -> ImportReport:
        self._nth += 1
        path = self._folder / f"{self._nth}.csv"
        path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        return self.service.import_file(path, profile, defaults=OfficeDefaults(currency="USD"))

    def pay(self, *rows: str) -> ImportReport:
        return self.bring_in(*rows, header=PAYMENTS, profile="payments")

    def settle(self, *rows: str) -> ImportReport:
        profile = self._folder / "settled.toml"
        profile.write_text(_SETTLED_PROFILE)
        return self.bring_in(*rows, header=SETTLED, profile=str(profile))

    @property
    def account(self) -> Account:
        of = account_id(office_id("main"), "K")
        account = Account.blank(of, whole=True)
        account.fold(self.service.arrears.history(Account, of))
        return account

    def owed(self) -> dict[str, str]:
        """By due day."""
        return {
            str(item.due_on): str(item.open.decimal())
            for item in sorted(self.account.receivables.items.values(), key=lambda item: item.due_on)
        }


@pytest.fixture
def files(a_service: AService, tmp_path: Path) -> Files:
    return Files(a_service(ManualClock(NOW)), tmp_path)


def rows_of(service: StepByStep) -> list[tuple[object, ...]]:
    """What the ledger's tables say of items."""
    with service.database.connect("arrears_app") as connection:
        query = "SELECT item_id, number, due_on, amount_minor FROM read_model.ledger_items ORDER BY due_on"
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("order", list(permutations(PLAN)))
def test_rows_of_one_number_with_other_due_days_are_instalments_whatever_their_order(files: Files, order: tuple[str]):
    report = files.bring_in(*order)
    assert (report.brought_in, report.refused, report.repeats) == (3, 0, 0)
    account = account_id(office_id("main"), "K")
    assert rows_of(files.service) == [
        (document_id(account, "invoice", "I-1"), "I-1", date(2026, 2, 1), 10_000),
        (document_id(account, "instalment", "I-1/2026-03-01"), "I-1", date(2026, 3, 1), 10_000),
        (document_id(account, "instalment", "I-1/2026-04-01"), "I-1", date(2026, 4, 1), 10_000),
    ]
    assert str(files.account.receivables.outstanding.decimal()) == "300.00"
    ages = {item.bucket for item in files.account.receivables.items.values()}
    assert ages == {"1-30", "31-60", "61-90"}


def test_a_payment_of_the_number_pays_the_oldest_due_first(files: Files):
    files.bring_in(*PLAN)
    files.pay("K,P1,2026-02-10,150.00,USD,I-1")
    assert files.owed() == {"2026-03-01": "50.00", "2026-04-01": "100.00"}


def test_the_same_file_again_changes_nothing_whatever_the_order_of_its_rows(files: Files):
    files.bring_in(*PLAN)
    before = files.service.arrears.feed.head()
    for order in permutations(PLAN):
        report = files.bring_in(*order)
        assert (report.unchanged, report.brought_in, report.corrected, report.refused) == (3, 0, 0, 0)
    for row in PLAN:
        assert files.bring_in(row).unchanged == 1
    assert files.service.arrears.feed.head() == before


def test_a_later_file_is_matched_by_due_day(files: Files):
    files.bring_in(FEBRUARY, MARCH)
    report = files.bring_in(MARCH.replace("100.00", "90.00"), FEBRUARY, APRIL)
    assert (report.brought_in, report.corrected, report.unchanged) == (1, 1, 1)
    assert files.owed() == {"2026-02-01": "100.00", "2026-03-01": "90.00", "2026-04-01": "100.00"}
    report = files.bring_in(MARCH.replace("2026-03-01", "2026-06-01"))
    assert (report.brought_in, report.corrected) == (1, 0), "none of the known ones is due on that day"


def test_the_one_that_is_known_stays_the_first(files: Files):
    files.bring_in(MARCH)
    files.bring_in(*PLAN)
    assert [item.item.name for item in sorted(files.account.receivables.items.values(), key=lambda i: i.due_on)] == [
        "I-1/2026-02-01",
        "I-1",
        "I-1/2026-04-01",
    ]


def test_another_due_day_of_the_only_one_that_is_known_is_a_correction(files: Files):
    files.bring_in(FEBRUARY)
    report = files.bring_in(MARCH)
    assert (report.corrected, report.brought_in) == (1, 0)
    assert files.owed() == {"2026-03-01": "100.00"}
    files.bring_in(FEBRUARY, MARCH)
    assert files.owed() == {"2026-02-01": "100.00", "2026-03-01": "100.00"}
    assert len({item.item.name for item in files.account.receivables.items.values()}) == 2


def test_the_known_one_is_known_by_its_due_day_though_its_amount_is_another(files: Files):
    files.bring_in(MARCH)
    report = files.bring_in(FEBRUARY, MARCH.replace("100.00", "90.00"))
    assert (report.brought_in, report.corrected) == (1, 1)
    assert {item.item.name: str(item.due_on) for item in files.account.receivables.items.values()} == {
        "I-1/2026-02-01": "2026-02-01",
        "I-1": "2026-03-01",
    }


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (MARCH.replace("2026-01-05", "2026-01-06"), 3),
        (MARCH.replace("K,", "L,"), 3),
        (MARCH.replace("USD", "EUR"), 3),
        (FEBRUARY.replace("100.00", "90.00"), 3),
    ],
)
def test_rows_that_differ_in_anything_else_are_a_conflict(files: Files, row: str, line: int):
    report = files.bring_in(FEBRUARY, row, APRIL)
    assert [(problem.line, problem.value) for problem in report.problems] == [(line, "I-1")]
    assert "what line 2 says: invoice I-1 stands there with other content" in report.problems[0].expected
    assert files.owed() == {"2026-02-01": "100.00", "2026-04-01": "100.00"}


def test_an_instalment_that_stands_there_twice_is_taken_once_and_one_with_another_amount_is_refused(files: Files):
    report = files.bring_in(*PLAN, MARCH, APRIL.replace("100.00", "1.00"))
    assert (report.repeats, [problem.line for problem in report.problems]) == (1, [6])
    assert report.problems[0].value == "I-1/2026-04-01"
    assert "what line 4 says" in report.problems[0].expected


def test_another_spelling_of_the_number_is_the_same_instalments(files: Files):
    files.bring_in(*PLAN)
    before = files.service.arrears.feed.head()
    report = files.bring_in(*(row.replace("I-1", "i-1").replace("K,", "k,") for row in PLAN))
    assert (report.unchanged, report.refused) == (3, 0)
    assert files.service.arrears.feed.head() == before
    files.pay("K,P1,2026-02-10,150.00,USD,i-1/2026-03-01")
    assert files.owed() == {"2026-02-01": "50.00", "2026-04-01": "100.00"}


def test_accounts_that_number_their_own_invoices_have_their_own_instalments(files: Files, tmp_path: Path):
    profile = tmp_path / "own.toml"
    columns = "\n".join(f'{name} = "{name}"' for name in INVOICES.split(","))
    profile.write_text(f'kind = "invoices"\n[numbering]\nscope = "per-account"\n[columns]\n{columns}\n')
    rows = [*PLAN, *(row.replace("K,", "L,") for row in PLAN)]
    report = files.bring_in(*rows, profile=str(profile))
    assert (report.brought_in, report.refused) == (6, 0)
    assert files.bring_in(*rows[::-1], profile=str(profile)).unchanged == 6
    report = files.bring_in(rows[4].replace("100.00", "90.00"), rows[0], profile=str(profile))
    assert (report.corrected, report.unchanged) == (1, 1)
    assert len(files.owed()) == 3


def test_an_instalment_of_zero_is_withdrawn_alone(files: Files):
    files.bring_in(*PLAN)
    assert files.bring_in(MARCH.replace("100.00", "0.00")).corrected == 1
    assert files.owed() == {"2026-02-01": "100.00", "2026-04-01": "100.00"}


def test_a_row_that_an_earlier_release_took_is_the_first_one(files: Files):
    """That release refused the others, and stored no due day."""
    files.bring_in(MARCH)
    with files.service.database.connect() as connection:
        connection.execute("UPDATE arrears.import_facts SET due_on = NULL")
    report = files.bring_in(*PLAN)
    assert (report.brought_in, report.corrected) == (2, 0)
    assert files.bring_in(MARCH.replace("100.00", "90.00")).corrected == 1
    assert files.owed() == {"2026-02-01": "100.00", "2026-03-01": "90.00", "2026-04-01": "100.00"}


SETTLEMENTS = (f"{FEBRUARY},2026-02-20", f"{MARCH},2026-02-10", f"{APRIL},")


@pytest.mark.parametrize("first", [SETTLEMENTS[:1], SETTLEMENTS[1:2], SETTLEMENTS])
def test_a_settlement_is_of_its_own_instalment(files: Files, first: Sequence[str]):
    files.settle(*first)
    files.settle(*SETTLEMENTS)
    account = files.account
    days = {str(account.receivables.settled[move.item_id].due_on): move.day for move in account.receivables.moves}
    assert days == {"2026-02-01": date(2026, 2, 20), "2026-03-01": date(2026, 2, 10)}
    assert files.owed() == {"2026-04-01": "100.00"}
    before = files.service.arrears.feed.head()
    for again in (first, SETTLEMENTS[::-1]):
        report = files.settle(*again)
        assert (report.corrected, report.brought_in, report.refused) == (0, 0, 0)
    assert files.service.arrears.feed.head() == before


def test_a_dry_run_says_what_the_import_would_do(files: Files, tmp_path: Path):
    path = tmp_path / "plan.csv"
    path.write_text("\n".join([INVOICES, *PLAN, ""]))
    tried = dry_run(files.service, path, "invoices", defaults=OfficeDefaults(currency="USD"))
    assert (tried.brought_in, tried.refused) == (3, 0)


def test_a_play_ends_where_an_import_does(a_service: AService, tmp_path: Path):
    plan = [FEBRUARY, APRIL, MARCH, "K,I-2,2026-02-05,2026-02-07,10.00,USD"]
    imported = Files(a_service(ManualClock(NOW)), tmp_path)
    imported.bring_in(*plan)
    path = tmp_path / "plan.csv"
    path.write_text("\n".join([INVOICES, *plan, ""]))
    played = a_service(ManualClock(NOW))
    play(
        played,
        path,
        "invoices",
        first=date(2026, 1, 1),
        last=date(2026, 4, 30),
        defaults=OfficeDefaults(currency="USD"),
    )
    assert rows_of(played) == rows_of(imported.service)
    assert len(rows_of(played)) == 4

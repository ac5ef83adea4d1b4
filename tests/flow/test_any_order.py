"""Files in any order: what was owed on a day of the past is the same."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import permutations
from pathlib import Path

import pytest

from adapters.billing.importer import OfficeDefaults
from adapters.clock import ManualClock
from aggregates.account import Account
from aggregates.account.command import account_id
from aggregates.office import office_id
from aggregates.values.aging import STANDARD_BUCKETS
from api.application.dry_run import dry_run
from api.processes.step_by_step import StepByStep
from projections.questions.aging import aging
from tests.flow.conftest import AService

KINDS = ("invoices", "payments", "credits")
ORDERS = list(permutations(KINDS))
NOW = ManualClock(datetime(2026, 11, 28, 12, tzinfo=UTC))
JAN_1 = date(2026, 1, 1)
HEADERS = {
    "invoices": "account_number,invoice_number,issued_on,due_on,amount,currency",
    "payments": "account_number,payment_number,received_on,amount,currency,invoice_number",
    "credits": "account_number,credit_number,issued_on,amount,currency",
}


def files(folder: Path, rows: dict[str, list[str]]) -> dict[str, Path]:
    for kind, lines in rows.items():
        (folder / f"{kind}.csv").write_text("\n".join([HEADERS[kind], *lines, ""]), encoding="utf-8")
    return {kind: folder / f"{kind}.csv" for kind in rows}


def brought_in(service: StepByStep, of: dict[str, Path], order: Sequence[str]) -> None:
    for kind in order:
        report = service.import_file(of[kind], kind, defaults=OfficeDefaults(currency="USD"))
        assert report.refused == 0


def owed(service: StepByStep, day: date) -> object:
    """What is open in each bucket, and what is unapplied, as of a day."""
    with service.database.connect("arrears_app") as connection:
        return aging(connection, as_of=day, scheme=STANDARD_BUCKETS).model_dump()


ONE = {
    "invoices": ["A1,I1,2026-01-25,2026-03-26,1000.00,USD"],
    "payments": ["A1,P1,2026-03-30,1000.00,USD,I1"],
    "credits": ["A1,C1,2026-05-05,100.00,USD"],
}


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_credits_before_payments_leave_nothing_open_that_was_paid(
    a_service: AService, tmp_path: Path, order: tuple[str, ...]
):
    service = a_service(NOW)
    brought_in(service, files(tmp_path, ONE), order)
    with service.database.connect("arrears_app") as connection:
        sums = connection.execute(
            """
            SELECT sum(item_minor) FILTER (WHERE effective_on <= '2026-04-01'),
                   sum(unapplied_minor) FILTER (WHERE effective_on <= '2026-04-01'),
                   sum(item_minor), sum(unapplied_minor)
            FROM read_model.ledger_entries
            """
        ).fetchone()
    assert sums == (0, 0, 0, 10_000)


def many(seed: int) -> dict[str, list[str]]:
    """Three accounts whose money names its invoice, or not, or one that comes later or never."""
    chance = random.Random(seed)
    rows: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for nth in range(60):
        account = f"A{nth % 3}"
        day = JAN_1 + timedelta(chance.randrange(200))
        due = day + timedelta(chance.randrange(60))
        rows["invoices"].append(f"{account},I{nth},{day},{due},{chance.randrange(1, 9) * 10}.00,USD")
        paid = JAN_1 + timedelta(chance.randrange(250))
        named = chance.choice(["", "", f"I{chance.randrange(20) * 3 + nth % 3}", "I-NEVER"])
        rows["payments"].append(f"{account},P{nth},{paid},{chance.randrange(1, 9) * 10}.00,USD,{named}")
        if nth % 4 == 0:
            given = JAN_1 + timedelta(chance.randrange(250))
            rows["credits"].append(f"{account},C{nth},{given},10.00,USD")
    return rows


def test_whatever_the_order_of_files_each_day_of_the_past_is_the_same(a_service: AService, tmp_path: Path):
    of = files(tmp_path, many(7))
    found = []
    for order in ORDERS:
        service = a_service(NOW)
        brought_in(service, of, order)
        found.append([owed(service, JAN_1 + timedelta(days)) for days in range(0, 260, 7)])
    assert all(each == found[0] for each in found)


def test_the_same_files_again_move_nothing(a_service: AService, tmp_path: Path):
    of = files(tmp_path, many(11))
    service = a_service(NOW)
    brought_in(service, of, KINDS)
    before = service.arrears.feed.head()
    brought_in(service, of, ("credits", "payments", "invoices"))
    assert service.arrears.feed.head() == before


# --- what files say later ---


def test_an_invoice_of_zero_withdraws_the_one_that_was_billed(a_service: AService, tmp_path: Path):
    """What had paid it pays what else is owed; stated again, it is owed again."""
    service = a_service(NOW)
    first = {
        "invoices": ["1001,INV-1,2026-10-05,2026-11-04,100.00,USD", "1001,INV-2,2026-10-05,2026-11-05,40.00,USD"],
        "payments": ["1001,P1,2026-11-10,30.00,USD,"],
    }
    brought_in(service, files(tmp_path, first), ("invoices", "payments"))
    for amount, owes in (("0.00", 1_000), ("100.00", 11_000)):
        changed = {"invoices": [f"1001,INV-1,2026-10-05,2026-11-04,{amount},USD"]}
        report = service.import_file(files(tmp_path, changed)["invoices"], "invoices", defaults=OfficeDefaults())
        assert (report.corrected, report.refused) == (1, 0)
        with service.database.connect("arrears_app") as connection:
            row = connection.execute(
                "SELECT balance, outstanding, unapplied FROM read_model.collections_report"
            ).fetchone()
        assert row == (owes, owes, 0)


def test_an_invoice_that_was_due_and_settled_before_it_was_issued_is_nothing_owed_on_any_day(
    a_service: AService, tmp_path: Path
):
    service = a_service(NOW)
    strange = {
        "invoices": ["A1,I1,2026-03-10,2026-03-01,100.00,USD"],
        "payments": ["A1,P1,2026-03-05,100.00,USD,I1"],
        "credits": [],
    }
    brought_in(service, files(tmp_path, strange), ("payments", "invoices"))
    with service.database.connect("arrears_app") as connection:
        days = connection.execute(
            """
            SELECT effective_on, sum(item_minor), sum(unapplied_minor) FROM read_model.ledger_entries
            GROUP BY 1 ORDER BY 1
            """
        ).fetchall()
    assert days == [(date(2026, 3, 5), 0, 10_000), (date(2026, 3, 10), 0, -10_000)]


def test_two_payments_without_number_that_say_the_same_are_two(a_service: AService, tmp_path: Path):
    service = a_service(NOW)
    (tmp_path / "equal.csv").write_text(
        "account_number,received_on,amount,currency,method\n" + "B9,2026-11-02,5.00,USD,card\n" * 3, encoding="utf-8"
    )
    for brought_in in (3, 0):
        report = service.import_file(tmp_path / "equal.csv", "payments", defaults=OfficeDefaults(currency="USD"))
        assert (report.brought_in, report.refused) == (brought_in, 0)
    with service.database.connect("arrears_app") as connection:
        assert connection.execute("SELECT sum(unapplied_minor) FROM read_model.ledger_entries").fetchone() == (1_500,)


def test_that_money_opened_its_account_is_said_once(a_service: AService, tmp_path: Path):
    service = a_service(NOW)
    of = files(tmp_path, {"payments": ["A1,P1,2026-03-30,10.00,USD,"], "invoices": ONE["invoices"]})
    usd = OfficeDefaults(currency="USD", time_zone="UTC")
    assert service.import_file(of["payments"], "payments", defaults=usd).noticed == 1
    of = files(tmp_path, {"payments": ["A1,P2,2026-03-31,10.00,USD,"]})
    assert service.import_file(of["payments"], "payments", defaults=OfficeDefaults()).noticed == 0


def test_a_time_with_a_zone_falls_on_the_day_of_the_office_whether_it_is_open_or_opened(
    a_service: AService, tmp_path: Path
):
    service = a_service(NOW)
    opened = OfficeDefaults(code="berlin", currency="EUR", time_zone="Europe/Berlin")
    rows = ["1001,I1,2026-10-31T23:00:00Z,2026-11-27T23:00:00+00:00,100.00,EUR"]
    path = files(tmp_path, {"invoices": rows})["invoices"]
    assert dry_run(service, path, "invoices", defaults=opened).refused == 0
    service.import_file(path, "invoices", defaults=opened)
    # By its own settings now: what the import would open it with no longer counts, and nothing differs.
    again = service.import_file(path, "invoices", defaults=OfficeDefaults(code="berlin", time_zone="America/New_York"))
    assert (again.unchanged, again.corrected, again.brought_in) == (1, 0, 0)
    account = service.arrears.load(Account, account_id(office_id("berlin"), "1001"))
    (invoice,) = account.receivables.items.values()
    assert (invoice.item.issued_on, invoice.item.due_on) == (date(2026, 11, 1), date(2026, 11, 28))


def test_the_report_says_what_of_the_file_was_not_used(a_service: AService, tmp_path: Path):
    path = tmp_path / "invoices.csv"
    path.write_text(f"{HEADERS['invoices']},Remark\n{ONE['invoices'][0]},late\n", encoding="utf-8")
    service = a_service(NOW)
    defaults = OfficeDefaults(currency="USD", time_zone="UTC")
    for bring_in in (partial(dry_run, service), service.import_file):
        assert [str(notice) for notice in bring_in(path, "invoices", defaults=defaults).notices] == [
            "invoices.csv: columns that the profile does not map were not used: 'Remark'"
        ]

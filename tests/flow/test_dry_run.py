"""A dry run says what the import then does, and leaves nothing behind; a strict import is a dry run first."""

import random
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from adapters.billing import importer
from adapters.billing.importer import ImportRefused, ImportReport, OfficeDefaults
from adapters.billing.profile import load_profile
from adapters.billing.source import ImportSource
from adapters.clock import ManualClock
from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account import Account
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Issued, identifier
from aggregates.office import Office, office_id
from aggregates.values.money import Money
from api.application.dry_run import dry_run
from api.processes.step_by_step import StepByStep
from tests.flow.conftest import AService

NOW = ManualClock(datetime(2026, 11, 28, 12, tzinfo=UTC))
TODAY = date(2026, 11, 28)
USD = OfficeDefaults(currency="USD", time_zone="UTC")
HEADERS = {
    "customers": "office,account_number,name,currency,since",
    "invoices": "office,account_number,invoice_number,issued_on,due_on,amount,currency",
    "payments": "office,account_number,payment_number,received_on,amount,currency,invoice_number",
    "credits": "office,account_number,credit_number,issued_on,amount,currency,invoice_number",
    "reversals": "office,account_number,payment_number,reversed_on,reversal,amount,currency",
}


def file_of(folder: Path, kind: str, *rows: str) -> Path:
    path = folder / f"{kind}.csv"
    path.write_text("\n".join([HEADERS[kind], *rows, ""]), encoding="utf-8")
    return path


def tried(service: StepByStep, path: Path, kind: str, defaults: OfficeDefaults = USD) -> ImportReport:
    return dry_run(service, path, kind, defaults=defaults)


def said(report: ImportReport) -> dict[str, Any]:
    """All of a report but where the refused rows are."""
    return {name: value for name, value in asdict(report).items() if not name.startswith("rejects")}


def everything(service: StepByStep) -> dict[str, Any]:
    """The rows of every table, and how far every sequence is."""
    with psycopg.connect(service.env["ARREARS_DATABASE_URL"]) as connection:
        tables = connection.execute(
            """
            SELECT table_schema, table_name FROM information_schema.tables
            WHERE table_type = 'BASE TABLE' AND table_schema !~ '^(pg_|information_schema)'
            """
        ).fetchall()
        found: dict[str, Any] = {}
        for schema, table in tables:
            rows = sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(sql.Identifier(schema, table))
            found[f"{schema}.{table}"] = connection.execute(rows).fetchall()
        found["sequences"] = connection.execute("SELECT * FROM pg_sequences ORDER BY 1, 2").fetchall()
    assert len(found) > 20
    return found


# --- whatever the file ---


def any_rows(chance: random.Random, kind: str) -> list[str]:
    """Good rows and bad ones, of a few accounts and numbers, so that they meet what was imported before."""

    def day() -> str:
        on = TODAY + timedelta(chance.choice([20, *[-chance.randrange(200)] * 6]))
        return chance.choice([str(on)] * 20 + ["2026-02-30"])

    def row() -> str:
        office = chance.choice(["", "", "Main", "north", "North "])
        whose = f"{office},A{chance.randrange(4)}"
        currency = chance.choice(["USD"] * 12 + ["EUR"])
        number = chance.randrange(12)
        amount = f"{chance.choice([0, 10, 20, 30, 40, 50])}.00"
        named = chance.choice(["", f"I{chance.randrange(14)}"])
        if kind == "customers":
            return f"{whose},Name {number},{currency},{chance.choice(['', day()])}"
        if kind == "invoices":
            return f"{whose},I{number},{day()},{day()},{chance.choice(['', '', '', '-'])}{amount},{currency}"
        if kind == "payments":
            return f"{whose},{chance.choice(['', f'P{number}'])},{day()},{amount},{currency},{named}"
        if kind == "reversals":
            return (
                f"{whose},P{number},{day()},{chance.choice(['nsf', 'error'])},{chance.choice(['', amount])},{currency}"
            )
        return f"{whose},C{number},{day()},{amount},{currency},{named}"

    return [row() for _ in range(chance.randrange(1, 40))]


@pytest.mark.parametrize("seed", range(6))
def test_what_a_dry_run_says_is_what_the_import_then_does(
    a_service: AService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
):
    monkeypatch.setattr(importer, "CHUNK", 5)
    monkeypatch.setattr(importer, "PROBLEMS_SHOWN", 1_000)
    chance = random.Random(seed)
    service = a_service(NOW)
    seen = {"brought_in": 0, "corrected": 0, "unchanged": 0, "deferred": 0, "refused": 0, "noticed": 0}
    for _ in range(12):
        kind = chance.choice(list(HEADERS))
        path = file_of(tmp_path, kind, *any_rows(chance, kind))
        before = everything(service)
        would = tried(service, path, kind)
        assert everything(service) == before
        did = service.import_file(path, kind, defaults=USD)
        assert said(would) == said(did)
        assert would.refused == len({problem.line for problem in would.problems})
        for name in seen:
            seen[name] += getattr(did, name)
    assert min(seen.values()) > 0, seen


# --- what is refused by booking ---

CAME_BEFORE = ",B1,J2,2026-10-01,2026-10-30,20.00,USD"
BOOKED = [",B1,J1,2026-10-01,2026-10-30,20.00,USD", CAME_BEFORE.replace("USD", "EUR")]


def test_a_dry_run_knows_what_booking_refuses(a_service: AService, tmp_path: Path):
    service = a_service(NOW)
    service.import_file(file_of(tmp_path, "invoices", CAME_BEFORE), "invoices", defaults=USD)
    would = tried(service, file_of(tmp_path, "invoices", *BOOKED), "invoices")
    assert (would.brought_in, would.refused) == (1, 1)
    assert "account B1, where this invoice was imported before" in str(would.problems[0])


def test_a_strict_import_brings_nothing_in_where_booking_refuses_a_row(a_service: AService, tmp_path: Path):
    service = a_service(NOW)
    service.import_file(file_of(tmp_path, "invoices", CAME_BEFORE), "invoices", defaults=USD)
    path = file_of(tmp_path, "invoices", *BOOKED)
    service.arrears.import_key()  # made by the first import that is no dry run
    before = everything(service)
    with pytest.raises(ImportRefused, match=r"1 of 2 rows have problems, the first in line 3, .*imported before"):
        service.import_file(path, "invoices", defaults=USD, strict=True)
    assert everything(service) == before
    report = service.import_file(file_of(tmp_path, "invoices", BOOKED[0]), "invoices", defaults=USD, strict=True)
    assert (report.brought_in, report.refused) == (1, 0)


def test_what_changed_since_a_strict_import_was_tried_is_refused_and_said(a_service: AService, tmp_path: Path):
    service = a_service(NOW)
    service.import_file(file_of(tmp_path, "invoices", BOOKED[0]), "invoices", defaults=USD)
    path = file_of(tmp_path, "invoices", ",B1,J3,2026-10-01,2026-10-30,20.00,USD")
    account = account_id(office_id("main"), "B1")

    def somebody_bills(seen: int, total: int) -> None:
        assert (seen, total) == (1, 1)
        by_hand = BillInvoice(account_id=account, number="J3", issued_on=TODAY, due_on=TODAY, amount=Money(500, "USD"))
        issued = Issued(command=by_hand, command_id=identifier("by hand"), actor=Actor.person("eve"))
        [outcome] = service.arrears.handle([issued])
        assert isinstance(outcome, Accepted)

    report = service.import_file(path, "invoices", defaults=USD, strict=True, trying=somebody_bills)
    assert (report.brought_in, report.refused) == (0, 1)
    assert "invoice J3 is on the account already" in str(report.problems[0])


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("invoices", ",N1,K1,2026-10-01,2026-10-30,20.00,EUR"),
        ("payments", ",N1,K1,2026-10-01,20.00,EUR,"),
        ("credits", ",N1,K1,2026-10-01,20.00,EUR,"),
    ],
)
def test_a_row_in_another_currency_opens_the_account_in_that_alone(
    a_service: AService, tmp_path: Path, kind: str, row: str
):
    service = a_service(NOW)
    report = service.import_file(file_of(tmp_path, kind, row), kind, defaults=USD)
    assert (report.brought_in, report.refused) == (1, 0)
    assert service.arrears.load(Account, account_id(office_id("main"), "N1", "EUR")).customer.currency == "EUR"
    with pytest.raises(AggregateNotFoundError):
        service.arrears.load(Account, account_id(office_id("main"), "N1"))


# --- memory ---


def test_a_dry_run_keeps_offices_and_forgets_accounts_that_it_is_done_with(
    a_service: AService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(importer, "CHUNK", 3)
    service = a_service(NOW)
    rows = [f",A{n // 4},I{n},2026-10-01,2026-10-30,20.00,USD" for n in range(20)]
    source = ImportSource(file_of(tmp_path, "invoices", *rows), load_profile("invoices"))
    with service.database.connect("arrears_app") as connection, service.trial() as trial:
        report = importer.dry_run(trial, connection, source, defaults=USD)
        assert report.brought_in == 20
        main = trial.load(Office, office_id("main")).id
        assert [each.customer.number for each in trial.load_many(Account, _accounts(main))] == ["A4"]


def _accounts(office: Any) -> list[Any]:
    return [account_id(office, f"A{n}") for n in range(5)]

"""The dashboard schema is a contract: names, types and comments stay, and nothing else can be read with its role."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.postgres.database import Database
from adapters.readers.projections import Projections
from aggregates.kernel.command import identifier
from aggregates.office import TimeZoneChanged
from aggregates.values.money import Money
from projections.activity_history.projection import ActivityHistoryProjection
from projections.agenda import AgendaProjection
from projections.agenda.queries import set_clock
from projections.audit_trail.projection import AuditTrailProjection
from projections.base import Projection
from projections.collections_report import CollectionsReportProjection
from projections.ledger.projection import LedgerProjection
from projections.people import PeopleProjection
from projections.promises.projection import PromisesProjection
from tests.adapters.readers.builders import (
    OFFICE,
    a_receipt,
    aged,
    allocated,
    an_item,
    an_office,
    billed,
    day,
    opened,
    paid,
    promised,
)
from tests.adapters.readers.log import Log

CONTRACT = Path(__file__).parent / "dashboard_contract.json"
"""Made by this test with ARREARS_RENEW_CONTRACT=1; a change of it is a change of what users' dashboards stand on."""

ADA, PROMISE = identifier("account", "ada"), identifier("promise", 1)

FACTORIES: tuple[type[Projection], ...] = (
    CollectionsReportProjection,
    AgendaProjection,
    LedgerProjection,
    ActivityHistoryProjection,
    AuditTrailProjection,
    PromisesProjection,
    PeopleProjection,
)


@pytest.fixture
def projections(database: Database, log: Log) -> Iterator[Projections]:
    projections = Projections(database, log.feed, FACTORIES)
    projections.start()
    yield projections
    projections.close()


@pytest.fixture
def reader(database: Database, projections: Projections) -> Iterator[psycopg.Connection[Any]]:
    """Connected as a dashboard is."""
    with database.connect("arrears_reader", autocommit=True) as connection:
        yield connection


_DESCRIBE = """
    SELECT c.relname, obj_description(c.oid, 'pg_class'), a.attname, format_type(a.atttypid, a.atttypmod),
           col_description(c.oid, a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'dashboard'::regnamespace
    ORDER BY c.relname, a.attnum
"""


def describe(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    views: dict[str, Any] = {}
    for view, about, column, kind, said in connection.execute(_DESCRIBE):
        views.setdefault(view, {"comment": about, "columns": {}})["columns"][column] = {"type": kind, "comment": said}
    return views


def test_names_types_and_comments_are_what_was_promised(reader: psycopg.Connection[Any]):
    views = describe(reader)
    if os.environ.get("ARREARS_RENEW_CONTRACT"):
        CONTRACT.write_text(json.dumps(views, indent=2) + "\n", encoding="utf-8")
    assert views == json.loads(CONTRACT.read_text(encoding="utf-8"))


def test_every_view_and_every_column_says_what_it_is(reader: psycopg.Connection[Any]):
    for view, described in describe(reader).items():
        assert described["comment"], view
        silent = [column for column, about in described["columns"].items() if not about["comment"]]
        assert not silent, f"{view}: {silent}"


def test_the_readers_role_reads_every_view_and_nothing_else(reader: psycopg.Connection[Any]):
    for view in describe(reader):
        reader.execute(f"SELECT * FROM dashboard.{view} LIMIT 1")
    for closed in (
        "read_model.collections_report",
        "read_model.checkpoints",
        "read_collections_report_1.collections_report",
        "arrears.events",
        "arrears.account_keys",
        "personal.people",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"SELECT * FROM {closed}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("CREATE VIEW dashboard.mine AS SELECT 1 AS one")


def test_the_views_come_through_a_rebuild(projections: Projections, reader: psycopg.Connection[Any]):
    before = describe(reader)
    for name in projections.names:
        projections.rebuild(name)
    assert describe(reader) == before


def test_a_view_can_be_made_again_beside_a_users_own(
    projections: Projections, reader: psycopg.Connection[Any], database: Database
):
    with database.connect(autocommit=True) as owner:
        owner.execute("CREATE SCHEMA mine")
        owner.execute("CREATE VIEW mine.late AS SELECT account_number FROM dashboard.accounts WHERE days_past_due > 30")
        projections.rebuild("collections_report")
        owner.execute("SELECT * FROM mine.late")


def test_amounts_are_in_major_units(reader: psycopg.Connection[Any]):
    for currency in ("USD", "JPY", "KWD", "CLF", "EUR", "XAF", "TND", "UYW"):
        for minor in (0, 1, -12_345, 10**15):
            row = reader.execute("SELECT dashboard.major_units(%s, %s)", [minor, currency]).fetchone()
            assert row is not None
            assert str(row[0]) == f"{Money(minor, currency).decimal():f}", (currency, minor)


def test_days_past_due_are_counted_to_the_office_s_date(
    database: Database, log: Log, projections: Projections, reader: psycopg.Connection[Any]
):
    log.append(OFFICE, an_office(), TimeZoneChanged(time_zone="Asia/Tokyo"))
    old, new = an_item("I-1", minor=10_000, due_on=date(2026, 3, 1)), an_item("I-2", minor=2_550, due_on=day(90))
    receipt = a_receipt(minor=1_000)
    log.append(
        ADA,
        opened(),
        billed(old),
        billed(new),
        aged(old, "1-30"),
        paid(receipt),
        allocated(receipt, old, 400, open_after=9_600),
    )
    log.append(PROMISE, promised(ADA, (10, 500)), account_id=ADA)
    projections.catch_up()
    with database.connect("arrears_app") as connection:
        set_clock(connection, datetime(2026, 3, 10, 16, tzinfo=UTC))
    found = reader.execute(
        "SELECT balance, past_due, unapplied, days_past_due, office FROM dashboard.accounts"
    ).fetchall()
    assert found == [(Decimal("115.50"), Decimal("96.00"), Decimal("6.00"), 10, "main")]
    aging = reader.execute("SELECT bucket, amount, items FROM dashboard.aging ORDER BY bucket").fetchall()
    assert aging == [("1-30", Decimal("96.00"), 1), ("current", Decimal("25.50"), 1)]
    items = reader.execute("SELECT item_number, days_past_due FROM dashboard.open_items ORDER BY 1").fetchall()
    assert items == [("I-1", 10), ("I-2", 0)]
    assert reader.execute("SELECT promised, is_late FROM dashboard.promises").fetchall() == [(Decimal("5.00"), False)]
    assert reader.execute("SELECT count(*) FROM dashboard.audit").fetchone() == (9,)
    assert reader.execute("SELECT DISTINCT lag_events, parked FROM dashboard.readers").fetchall() == [(0, 0)]


def test_the_examples_in_the_docs_work(reader: psycopg.Connection[Any]):
    text = (Path(__file__).parents[3] / "docs" / "dashboards.md").read_text(encoding="utf-8")
    examples = [block for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL) if block.startswith("SELECT")]
    assert len(examples) == 3
    reader.execute("SET search_path TO dashboard")
    for example in examples:
        reader.execute(example)

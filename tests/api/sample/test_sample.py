"""The sample portfolio is always the same, shows everything there is to see, and adds up."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from api.processes.core import PROJECTIONS
from api.processes.service import Service
from api.sample import Seeded, seed
from api.sample.seed import SampleUnfinished
from api.sample.stories import ACCOUNTS, SLOTS, days_of
from projections.questions import aging, collections, promises
from tests.temporary import temporary_folder

NOW = datetime(2026, 3, 17, 15, tzinfo=UTC)
"""A Tuesday; 11:00 in the office."""
TODAY = NOW.date()
ONE_OF_EACH = len(SLOTS)

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture(scope="module")
def seeded() -> Iterator[tuple[Path, Seeded]]:
    """A folder with one account for each story."""
    with temporary_folder() as folder:
        made = seed(folder, now=NOW, accounts=ONE_OF_EACH)
        assert made is not None
        yield folder, made


@pytest.fixture(scope="module")
def service(seeded: tuple[Path, Seeded]) -> Iterator[Service]:
    with Service.open(seeded[0], reading=True) as service:
        yield service


@pytest.fixture
def connection(service: Service) -> Iterator[Connection[Any]]:
    with service.database.connect("arrears_app") as connection:
        yield connection


def digests(connection: Connection[Any]) -> dict[str, tuple[int, str]]:
    """Rows and a digest of every read table."""
    found = {}
    for view in (
        f"{'personal' if projection.is_personal else 'read_model'}.{view}"
        for projection in PROJECTIONS
        for view in projection.public
    ):
        row = connection.execute(
            f"SELECT count(*), coalesce(md5(string_agg(r::text, '' ORDER BY r::text)), '') FROM {view} r"
        ).fetchone()
        assert row is not None
        found[view] = (row[0], row[1])
    return found


def test_every_stage_is_there_and_nothing_is_parked(service: Service, connection: Connection[Any]):
    rows = connection.execute("SELECT stage, count(*) FROM read_model.collections_report GROUP BY stage").fetchall()
    assert {stage for stage, _ in rows} == {None, "outstanding", "scheduled", "engaged", "follow-up", "blocked"}
    assert service.projections.dead_letters() == []
    assert list(service.verify()) == []


def test_every_account_in_a_stage_says_why(connection: Connection[Any]):
    rows = connection.execute("SELECT why_code FROM read_model.collections_report WHERE stage = 'blocked'").fetchall()
    assert {why for (why,) in rows} >= {"flag", "hold", "excluded", "dispute"}


def test_every_kind_of_thing_happened(connection: Connection[Any]):
    rows = connection.execute("SELECT DISTINCT event_name FROM read_model.audit_trail").fetchall()
    assert {name for (name,) in rows} >= {
        "account.payment-reversed", "account.credit-noted", "account.fact-deferred", "account.opted-out",
        "account.message-sent", "account.contact-refused", "account.steps-passed-over", "account.follow-up-fell-due",
        "promise.kept", "promise.partially-kept", "promise.broken", "account.dispute-resolved",
    }  # fmt: skip


def test_messages_left_by_every_channel_of_the_campaign(seeded: tuple[Path, Seeded], connection: Connection[Any]):
    rows = connection.execute(
        "SELECT channel, count(*) FROM read_model.activity_history WHERE kind = 'message-sent' GROUP BY channel"
    ).fetchall()
    assert {channel for channel, _ in rows} == {"email", "sms", "letter"}
    assert sum(count for _, count in rows) == seeded[1].messages == len(list((seeded[0] / "outbox").glob("*.json")))


@pytest.mark.parametrize("day", [date(2025, 12, 1), date(2026, 2, 14), TODAY])
def test_buckets_add_up_on_any_day(service: Service, connection: Connection[Any], day: date):
    from aggregates.values.aging import STANDARD_BUCKETS

    report = aging(connection, as_of=day, scheme=STANDARD_BUCKETS)
    rows = collections(connection, today=TODAY, as_of=day, scheme=STANDARD_BUCKETS, limit=1_000)
    assert sum((b.amount for b in report.buckets), Decimal(0)) - report.unapplied == report.total == rows.balance
    assert all(b.amount > 0 for b in report.buckets if day == TODAY)


def test_promises_are_of_every_kind(service: Service, connection: Connection[Any]):
    found = promises(connection, service.feed, as_of=TODAY, limit=1_000).rows
    assert {promise.status for promise in found} >= {"kept", "partially-kept", "broken"}


def test_it_is_the_same_every_time(service: Service, connection: Connection[Any]):
    with temporary_folder() as again:
        assert seed(again, now=NOW, accounts=ONE_OF_EACH) is not None
        with Service.open(again, reading=True) as other, other.database.connect("arrears_app") as elsewhere:
            assert digests(elsewhere) == digests(connection)


def test_a_folder_with_accounts_is_left_as_it_is(seeded: tuple[Path, Seeded]):
    assert seed(seeded[0], now=NOW, accounts=ONE_OF_EACH) is None


KILLED_AFTER = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from api.sample import seed

def progress(day, _):
    if day == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

seed(Path(sys.argv[1]), now=datetime.fromisoformat(sys.argv[2]), accounts=2, begins=progress, progress=progress)
"""
"""2 is how many accounts are made, so it kills before the first day."""


def killed_while_it_is_made(folder: Path, day: int) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED_AFTER, str(folder), NOW.isoformat(), str(day)], check=False)
    assert died.returncode == -signal.SIGKILL


def test_a_sample_whose_making_was_interrupted_is_made_anew():
    with temporary_folder() as within:
        whole = seed(within / "undisturbed", now=NOW, accounts=2)
        for day in (2, 150):
            killed_while_it_is_made(within / "data", day)
            assert not (within / "data").exists()
        assert seed(within / "data", now=NOW, accounts=2) == whole
        assert sorted(each.name for each in within.iterdir()) == ["data", "undisturbed"]


def test_a_part_of_a_sample_in_a_folder_that_was_in_use_before_is_refused():
    with temporary_folder() as folder:
        (folder / "notes.txt").write_text("something of mine")
        killed_while_it_is_made(folder, 150)
        with pytest.raises(SampleUnfinished):
            seed(folder, now=NOW, accounts=2)


def test_no_two_customers_share_a_number_or_a_command():
    issued = [each for _, commands in days_of(TODAY, ACCOUNTS) for each in commands]
    assert len({each.command_id for each in issued}) == len(issued)
    opened = [each.command for each in issued if each.command.command_name == "open-account"]
    assert len({str(command.targets()) for command in opened}) == ACCOUNTS

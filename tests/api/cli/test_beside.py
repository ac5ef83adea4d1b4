"""Every verb works beside a running service, and has done its work and shows it when it ends."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from adapters.postgres.embedded import EmbeddedPostgres
from api.cli.local_service import FILE
from tests.api.cli.conftest import Arrears, process
from tests.api.cli.running import serving
from tests.temporary import temporary_folder

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A data folder with an office and nothing else."""
    with temporary_folder() as made:
        process("office", "open", "main", "--currency", "USD", data=made)
        yield made


@pytest.fixture(scope="module")
def beside(data: Path, folder: Path) -> Iterator[Arrears]:
    """The command, beside a running service."""
    with serving(data, folder / "serve.log") as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARREARS_DATA", str(data))
        patch.delenv("ARREARS_DATABASE_URL", raising=False)
        yield Arrears()
        assert "Traceback" not in running.said
    assert not (data / FILE).exists()
    assert process("log", "verify", data=data).out.endswith("every one as it was sealed.\n")


def test_an_import_is_shown_when_the_command_ends(beside: Arrears, folder: Path, data: Path):
    for kind in ("customers", "invoices", "payments"):
        said = process("import", folder / f"{kind}.csv", "--profile", kind, data=data)
        assert "brought in" in said.out
    assert beside("report", "aging", "--as-of", "2026-02-15", "--json").json["total"] == "385.75"
    again = process("import", folder / "invoices.csv", "--profile", "invoices", data=data)
    assert "3 as they were" in again.out
    assert beside("import", folder / "invoices.csv", "--profile", "invoices", "--dry-run", "--json").json["dry_run"]


def test_what_follows_from_an_import_is_done_once(beside: Arrears):
    """The service and the import both see what is due: each thing has one event."""
    for account in ("A-1", "A-2"):
        rows = beside("audit", account, "--json").json["rows"]
        said = [(row["event_name"], row["effective_on"], str(row["data"])) for row in rows]
        assert len(said) == len(set(said))


def test_a_tick_beside_the_services_own(beside: Arrears):
    assert beside("tick", "--json").json["refused"] == 0


def test_the_clock_of_a_running_service_is_not_set(beside: Arrears):
    said = beside("tick", "--now", "2027-01-01T09:00Z", code=1)
    assert said.err.startswith("Error: tick --now sets the clock, which a running service lives by. The data folder ")
    assert "Hint: Stop it first, or name another folder" in said.err


def test_history_is_lived_through_in_a_folder_of_its_own(beside: Arrears, folder: Path):
    asked = ("play", folder / "invoices.csv", "--profile", "invoices", "--from", "2026-01-01", "--to", "2026-01-31")
    said = beside(*asked, code=1)
    assert said.err.startswith("Error: play lives through history on a clock of its own, in an empty data folder")


def test_settings_and_campaigns_are_changed_and_shown(beside: Arrears, folder: Path):
    assert beside("office", "set", "main", "--flag", "vip=Important:blocks", "--grace-days", "7").out == (
        "Office main is changed.\n"
    )
    assert beside("office", "show", "main", "--json").json["flags"]["vip"]["blocks"] is True
    beside("campaign", "launch", folder / "campaign.toml")
    (row,) = beside("report", "collections", "--json").json["rows"]
    assert row["stage"] in {"scheduled", "engaged", "follow-up"}
    beside("campaign", "pause", "Reminders", "--reason", "Wait")
    assert beside("campaign", "list", "--json").json[0]["pause"]["in_force"] is True
    beside("campaign", "resume", "Reminders")
    beside("office", "open", "lyon", "--currency", "EUR", "--time-zone", "Europe/Paris")
    assert [office["code"] for office in beside("office", "show", "--json").json] == ["lyon", "main"]


def test_work_over_every_account_is_done_when_the_command_ends(beside: Arrears):
    beside("office", "set", "main", "--buckets", "10,20,30")
    assert beside("work", "list").out == "No work is open.\n"
    assert {work["state"] for work in beside("work", "list", "--all", "--json").json} == {"finished"}


def test_projections_are_built_anew(beside: Arrears):
    before = beside("report", "aging", "--json").json
    (row,) = beside("projections", "rebuild", "ledger", "--json").json
    assert (row["name"], row["state"]) == ("ledger", "live")
    assert beside("report", "aging", "--json").json == before
    assert {row["state"] for row in beside("projections", "status", "--json").json} == {"live"}


def test_looking_after_it(beside: Arrears):
    assert beside("deadletters", "list").out == "No event is parked.\n"
    assert "every one as it was sealed" in beside("log", "verify").out
    assert beside("migrate").out == "The schema is that of this release; nothing to do.\n"


def test_a_parked_event_is_handled_again(beside: Arrears, data: Path):
    """Parked by hand: the reader's own event, as a defect of an earlier release would have left it."""
    with EmbeddedPostgres.attach(data) as postgres, psycopg.connect(postgres.dsn) as connection:
        row = connection.execute(
            """
            INSERT INTO read_model.dead_letters (reader, position, sequence_id, event_id, event_name, error_class)
            SELECT c.reader, e.position, e.aggregate_id, e.event_id, 'office.opened', 'ValueError'
            FROM arrears.events AS e, read_model.checkpoints AS c
            WHERE e.position = 1 AND c.reader LIKE 'audit_trail@%'
            RETURNING position
            """
        ).fetchone()
    assert row is not None
    assert [each["reader"] for each in beside("deadletters", "list", "--json").json] == ["audit_trail"]
    assert beside("deadletters", "retry", "audit_trail", 1, "--json").json["left"] == 0
    assert beside("deadletters", "list").out == "No event is parked.\n"


# --- several currencies ---


def test_reports_over_several_currencies_are_one_for_each(beside: Arrears, tmp_path: Path):
    (tmp_path / "lyon.csv").write_text(
        "account_number,invoice_number,issued_on,due_on,amount,currency\nL-1,INV-9,2026-01-10,2026-01-20,70.50,EUR\n"
    )
    beside("import", tmp_path / "lyon.csv", "--profile", "invoices", "--office", "lyon")
    euros, dollars = beside("report", "aging", "--as-of", "2026-02-15", "--json").json
    assert (euros["currency"], euros["total"]) == ("EUR", "70.50")
    assert (dollars["currency"], dollars["total"]) == ("USD", "385.75")
    said = beside("report", "aging", "--as-of", "2026-02-15")
    titles = [line for line in said.lines if line.startswith("Aging as of")]
    assert titles == ["Aging as of 2026-02-15, EUR, 1 accounts", "Aging as of 2026-02-15, USD, 2 accounts"]
    rows = beside("report", "collections", "--as-of", "2026-02-15", "--json").json
    assert [[row["number"] for row in report["rows"]] for report in rows] == [["L-1"], ["A-1", "A-2"]]
    for report in rows:
        assert sum(Decimal(row["balance"]) for row in report["rows"]) == Decimal(report["balance"])
    lines = beside("report", "collections", "--as-of", "2026-02-15", "--format", "csv").lines
    assert {line.split(",")[1] for line in lines[1:]} == {"L-1", "A-1", "A-2"}
    assert len(beside("kpi", "--from", "2026-01-01", "--to", "2026-03-31", "--json").json) == 2
    assert [each["currency"] for each in beside("report", "promises", "--json").json] == ["EUR", "USD"]
    assert beside("report", "aging", "--currency", "EUR", "--json").json["currency"] == "EUR"
    assert beside("report", "aging", "--office", "main", "--json").json["currency"] == "USD"

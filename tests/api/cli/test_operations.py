"""Looking after it at the command line: ticks, projections, the log, dead letters, schemas, the version."""

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.eventstore.sealer import _ADVISORY_LOCK
from aggregates.kernel.event import Recorded
from aggregates.office import PauseOfficeAutomation, ResumeOfficeAutomation, office_id
from api.cli.opening import actor, issue
from api.processes.service import Service
from projections.audit_trail.projection import AuditTrailProjection
from tests.api.cli.conftest import Arrears

ROOT = Path(__file__).parents[3]


# --- ticks ---


def test_the_same_tick_again_does_nothing(portfolio: Arrears):
    portfolio("tick", "--now", "2026-05-01T12:00Z")
    said = portfolio("tick", "--now", "2026-05-01T12:00Z", "--json").json
    assert (said["at"], said["due"], said["events"]) == ("2026-05-01T12:00:00Z", 0, 0)


def test_a_tick_now(portfolio: Arrears):
    assert " UTC: 0 due, 0 commands, 0 events" in portfolio("tick").out


@pytest.mark.parametrize("moment", ["noon", "2026-02-30T12:00Z"])
def test_a_moment_that_is_none(portfolio: Arrears, moment: str):
    assert "expected a moment such as 2026-03-31T09:00Z" in portfolio("tick", "--now", moment, code=2).err


# --- projections and the log ---


def paused_and_left(portfolio: Arrears) -> str:
    """The office's id, after a process stored that it is paused or resumed, and ended before the event was sealed."""
    office = portfolio("office", "show", "main", "--json").json
    change = ResumeOfficeAutomation if office["pause"] else PauseOfficeAutomation
    with Service.open(None, reading=True) as service:
        issue(service, change(office_id=office_id("main")), reason="Stop")
    return str(office["id"])


def test_what_a_process_left_is_done_by_the_next_that_reads(portfolio: Arrears):
    office = paused_and_left(portfolio)
    latest = portfolio("audit", office, "--json").json["rows"][-1]
    assert latest["event_name"].startswith("office.automation-")
    assert f"{latest['actor_kind']}:{latest['actor_id']}" == str(actor())
    portfolio("office", "resume", "main")


def test_what_somebody_else_is_at_is_not_waited_for(portfolio: Arrears, admin: psycopg.Connection[Any]):
    admin.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
    try:
        before = portfolio("audit", office_id("main"), "--json").json
        assert portfolio("audit", paused_and_left(portfolio), "--json").json == before
    finally:
        admin.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_LOCK])
    portfolio("office", "resume", "main")
    assert portfolio("audit", office_id("main"), "--json").json != before


def test_projections_are_listed_with_their_views(portfolio: Arrears):
    names = {row["name"]: row["views"] for row in portfolio("projections", "list", "--json").json}
    assert "read_model.promises" in names["promises"]


def test_status_shows_that_nothing_is_behind(portfolio: Arrears):
    rows = portfolio("projections", "status", "--json").json
    assert {row["name"] for row in rows} == {row["name"] for row in portfolio("projections", "list", "--json").json}
    assert all(row["lag_events"] == 0 and row["state"] == "live" and row["trouble"] is None for row in rows)


def test_a_rebuild_makes_the_next_generation_with_the_same_answers(portfolio: Arrears):
    before = portfolio("report", "aging", "--as-of", "2026-02-15", "--json").json
    (row,) = portfolio("projections", "rebuild", "ledger", "--json").json
    assert (row["name"], row["generation"]) == ("ledger", 2)
    assert portfolio("report", "aging", "--as-of", "2026-02-15", "--json").json == before


def test_all_are_rebuilt_where_none_is_named(portfolio: Arrears):
    said = portfolio("projections", "rebuild")
    assert len(said.lines) == len(portfolio("projections", "list", "--json").json)


def test_a_projection_that_is_not_there(portfolio: Arrears):
    assert "there is no projection 'sales'" in portfolio("projections", "rebuild", "sales", code=1).err


def test_the_log_is_proved(portfolio: Arrears):
    said = portfolio("log", "verify", "--json").json
    assert (said["intact"], said["findings"]) == (True, [])
    assert portfolio("log", "verify").out == f"{said['events']:,} events, every one as it was sealed.\n"


def test_a_changed_event_is_found(portfolio: Arrears, admin: psycopg.Connection[Any]):
    with admin.transaction(force_rollback=False):
        row = admin.execute("SELECT state FROM arrears.events WHERE position = 3").fetchone()
        assert row is not None
        admin.execute("UPDATE arrears.events SET state = state || ' '::bytea WHERE position = 3")
    try:
        said = portfolio("log", "verify", code=1)
        assert said.lines[0].startswith("position 3: the event was changed")
        assert portfolio("log", "verify", "--json", code=1).json["intact"] is False
    finally:
        with admin.transaction():
            admin.execute("UPDATE arrears.events SET state = %s WHERE position = 3", [row[0]])


# --- dead letters ---


@pytest.fixture
def parked(portfolio: Arrears, monkeypatch: pytest.MonkeyPatch, folder: Path) -> int:
    """The position of an event that the audit trail could not handle, with another behind it."""

    def broken(*_: object) -> None:
        raise ValueError("cannot be told")

    with monkeypatch.context() as patch:
        patch.setattr(AuditTrailProjection, "handle", broken)
        portfolio("office", "pause", "main", "--reason", "Stop")
        portfolio("office", "resume", "main")
    letters = portfolio("deadletters", "list", "--json").json
    assert [letter["reader"] for letter in letters] == ["audit_trail"] * len(letters)
    position: int = letters[0]["position"]
    return position


def retry_the_rest(portfolio: Arrears) -> None:
    """What else is parked is of the work over the office's accounts."""
    while letters := portfolio("deadletters", "list", "--json").json:
        portfolio("deadletters", "retry", letters[0]["reader"], letters[0]["position"])


def test_a_dead_letter_is_shown_and_handled_again(portfolio: Arrears, parked: int):
    shown = portfolio("deadletters", "show", "audit_trail", parked, "--json").json
    assert (shown["event_name"], shown["error_text"]) == ("office.automation-paused", "cannot be told")
    assert "cannot be told" in portfolio("deadletters", "list").out
    assert "cannot be told" in portfolio("deadletters", "show", "audit_trail", parked).out
    assert portfolio("deadletters", "retry", "audit_trail", parked, "--json").json["left"] == 0
    retry_the_rest(portfolio)
    assert portfolio("deadletters", "list").out == "No event is parked.\n"
    assert "was handled already" in portfolio("deadletters", "retry", "audit_trail", parked, code=1).err


def test_the_exit_code_of_a_retry_says_whether_all_some_or_none_were_handled(
    portfolio: Arrears, parked: int, monkeypatch: pytest.MonkeyPatch
):
    retry = ("deadletters", "retry", "audit_trail", parked)
    real = AuditTrailProjection.handle

    def broken_for(*names: str) -> None:
        def handle(projection: AuditTrailProjection, batch: Sequence[Recorded], connection: Any) -> None:
            if any(recorded.name in names for recorded in batch):
                raise ValueError("cannot be told")
            real(projection, batch, connection)

        monkeypatch.setattr(AuditTrailProjection, "handle", handle)

    broken_for("office.automation-paused")
    assert portfolio(*retry, "--json", code=1).json["handled"] == 0
    broken_for("office.automation-resumed")
    assert portfolio(*retry, "--json", code=3).json["left"] > 0
    broken_for()
    retry_the_rest(portfolio)


def test_giving_one_up_needs_a_reason_and_is_a_fact_of_its_own(portfolio: Arrears, parked: int):
    assert "say why" in portfolio("deadletters", "discard", "audit_trail", parked, code=2).err
    portfolio("deadletters", "discard", "audit_trail", parked, "--reason", "Known defect")
    retry_the_rest(portfolio)
    assert portfolio("deadletters", "list").out == "No event is parked.\n"
    (given_up,) = [
        row
        for row in portfolio("deadletters", "list", "--state", "discarded", "--json").json
        if row["position"] == parked
    ]
    assert given_up["event_name"] == "office.automation-paused"
    from aggregates.reader import reader_id

    reader = next(
        f"audit_trail@{row['generation']}"
        for row in portfolio("projections", "status", "--json").json
        if row["name"] == "audit_trail"
    )
    rows = portfolio("audit", reader_id(reader), "--json").json["rows"]
    assert [(row["event_name"], row["reason"]) for row in rows] == [("reader.event-discarded", "Known defect")]
    assert rows[0]["data"]["position"] == parked


def test_a_letter_that_is_not_there(portfolio: Arrears):
    assert "no event aside at position 1" in portfolio("deadletters", "show", "ledger", 1, code=1).err
    assert "expected parked" in portfolio("deadletters", "list", "--state", "lost", code=2).err


# --- the rest ---


def test_migrating_a_current_database_does_nothing(portfolio: Arrears):
    assert "nothing to do" in portfolio("migrate").out


def test_the_version(arrears: Arrears):
    assert arrears("version").out == f"arrears {version('arrears')}\n"
    assert arrears("version", "--json").json == {"arrears": version("arrears")}


def test_starting_up_loads_nothing_that_takes_long():
    script = (
        "import json, sys, api.cli; "
        "print(json.dumps([m for m in ('pydantic', 'psycopg', 'fastapi', 'rich.console', 'structlog', 'openpyxl', "
        "'asyncssh', 'smtplib', 'twilio', 'typst') "
        "if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_the_schemas_here_are_what_the_models_say(arrears: Arrears):
    assert "is what the models say" in arrears("schemas", "check", "--root", ROOT).out


def test_schemas_outside_of_a_checkout(arrears: Arrears, tmp_path: Path):
    assert "is not a checkout" in arrears("schemas", "build", "--root", tmp_path, code=1).err


def test_every_command_has_help(arrears: Arrears):
    groups = {"office", "campaign", "projections", "deadletters", "log", "schemas", "report", "account"}
    for command in ("run", "serve", "tick", "migrate", "version", "import", "play", "kpi", "audit", *groups):
        assert "Usage: arrears" in arrears(command, "--help").out


def test_the_person_at_the_keyboard_is_named():
    assert actor().is_person

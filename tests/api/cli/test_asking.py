"""A running service answers commands as they would be answered without it, and quickly."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli import answers
from api.cli.local_service import FILE, announced, local_service
from tests.api.cli.conftest import CAMPAIGN, Arrears, Said
from tests.api.cli.running import serving

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

READ: list[tuple[str, ...]] = [
    ("report", "aging"),
    ("report", "aging", "--as-of", "2026-02-15", "--known-on", "2026-12-31"),
    ("report", "aging", "--json"),
    ("report", "aging", "--format", "csv"),
    ("report", "collections"),
    ("report", "collections", "--json"),
    ("report", "collections", "--as-of", "2026-02-15", "--json"),
    ("report", "collections", "--format", "csv", "--search", "ada"),
    ("report", "roll-rates", "--from", "2026-01-31", "--to", "2026-02-28"),
    ("report", "collections", "--where", "min_dpd=1", "--where", "number=A-1", "--limit", "1"),
    ("report", "promises", "--status", "open"),
    ("report", "promises", "--json"),
    ("report", "activity", "--limit", "3"),
    ("report", "activity", "--account", "A-2", "--json"),
    ("report", "activity", "--format", "csv"),
    ("kpi", "--from", "2026-01-01", "--to", "2026-03-31"),
    ("kpi", "--from", "2026-01-01", "--to", "2026-03-31", "--json"),
    ("account", "show", "A-1"),
    ("account", "show", "A-1", "--json"),
    ("account", "show", "A-2", "--as-of", "2026-02-15", "--office", "main"),
    ("find", "example.com"),
    ("find", "example.com", "--json"),
    ("audit", "A-1"),
    ("audit", "A-1", "--json"),
    ("office", "show"),
    ("office", "show", "main", "--json"),
    ("campaign", "list"),
    ("campaign", "list", "--json"),
    ("campaign", "show", "Reminders"),
    ("campaign", "show", "Reminders", "--json"),
    ("work", "list", "--all"),
    ("work", "list", "--all", "--json"),
    ("topics", "quarantined"),
    ("topics", "quarantined", "--json"),
]
NOBODY = "12345678-1234-5678-1234-567812345678"
REFUSED: list[tuple[int, tuple[str, ...]]] = [
    (1, ("report", "aging", "--office", "paris")),
    (1, ("report", "collections", "--bucket", "old")),
    (2, ("report", "collections", "--where", "stage=asleep")),
    (1, ("report", "activity", "--account", "A-9")),
    (1, ("report", "activity", "--account", NOBODY)),
    (1, ("kpi", "--from", "2026-02-01", "--to", "2026-01-01")),
    (1, ("account", "show", "A-9")),
    (0, ("account", "show", "A-1", "--as-of", "2020-01-01")),
    (1, ("account", "show", "A-1", "--as-of", "2099-01-01")),
    (1, ("account", "show", NOBODY)),
    (1, ("audit", NOBODY)),
    (1, ("campaign", "show", "Nothing")),
    (1, ("campaign", "list", "--office", "paris")),
    (1, ("work", "show", NOBODY)),
    (1, ("office", "show", "paris")),
]


@pytest.fixture(scope="module")
def arrears_here(imported: Path, folder: Path) -> Iterator[Arrears]:
    """The command, called in this process on a data folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARREARS_DATA", str(imported))
        patch.delenv("ARREARS_DATABASE_URL", raising=False)
        called = Arrears()
        called("campaign", "launch", _of_later(folder))
        yield called


def _of_later(folder: Path) -> Path:
    """A campaign whose step is not due for years: the service does nothing of it while its answers are compared."""
    file = folder / "later.toml"
    file.write_text(CAMPAIGN.replace("days = 5", "days = 3650"), encoding="utf-8")
    return file


def all_said(arrears: Arrears) -> dict[tuple[str, ...], Said]:
    return {command: arrears(*command) for command in READ} | {
        command: arrears(*command, code=code) for code, command in REFUSED
    }


# --- where no service answers, the question is answered here ---


def test_what_a_killed_service_left_is_no_service(imported: Path, arrears_here: Arrears):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with announced(imported, host="127.0.0.1", port=1):
        said = json.loads((imported / FILE).read_text())
    (imported / FILE).write_text(json.dumps({**said, "pid": ended.pid}))
    try:
        assert local_service(imported) is None
        assert arrears_here("report", "aging", "--json").json["total"] == "310.50"
    finally:
        (imported / FILE).unlink()


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"host": "x", "port": "y", "pid": 1, "token": "z"}'])
def test_a_file_that_names_no_service(tmp_path: Path, text: str):
    (tmp_path / FILE).write_text(text)
    assert local_service(tmp_path) is None


def test_a_service_that_does_not_answer_is_not_waited_for(imported: Path, arrears_here: Arrears):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with announced(imported, host="127.0.0.1", port=free.getsockname()[1]):
            assert arrears_here("report", "aging", "--json").json["total"] == "310.50"


# --- a service that needs no token ---


@pytest.fixture(scope="module")
def alone(arrears_here: Arrears) -> dict[tuple[str, ...], Said]:
    """What is said without a service."""
    return all_said(arrears_here)


@pytest.fixture(scope="module")
def served(imported: Path, folder: Path, alone: dict[tuple[str, ...], Said]) -> Iterator[int]:
    """The port of a service on the folder."""
    del alone
    with serving(imported, folder / "serve.log") as running:
        yield running.port


def test_a_running_service_gives_the_answers_that_are_given_without_it(
    arrears_here: Arrears, alone: dict[tuple[str, ...], Said], served: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(answers, "answering_here", not_asked)
    through_it = all_said(arrears_here)
    for command, said in alone.items():
        assert through_it[command] == said, command


def not_asked(*_: object, **__: object) -> None:
    raise AssertionError("the service has to answer")


ANSWERING = {"adapters", "aggregates", "eventsourcing", "fastapi", "policies", "projections", "psycopg", "structlog"}
LOADED = """
import sys
from api.cli import main
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


def test_a_question_to_a_service_imports_nothing_of_what_answers_it(imported: Path, served: int):
    asked = [sys.executable, "-c", LOADED, "report", "collections"]
    done = subprocess.run(
        asked, env={**os.environ, "ARREARS_DATA": str(imported)}, capture_output=True, text=True, check=True
    )
    assert "A-1" in done.stdout
    loaded = {module for module in done.stderr.split() if module.partition(".")[0] in ANSWERING}
    assert loaded - {"adapters", "adapters.stop"} == set()


def test_another_folders_service_at_the_same_address_is_not_believed(
    imported: Path, served: int, arrears_here: Arrears, monkeypatch: pytest.MonkeyPatch
):
    """It answers everybody at this machine, but without the header for who knows its token."""
    own = (imported / FILE).rename(imported / "own.json")
    monkeypatch.setattr(answers, "answering_here", not_asked)
    try:
        with announced(imported, host="127.0.0.1", port=served), pytest.raises(AssertionError, match="has to answer"):
            arrears_here("report", "aging")
    finally:
        own.rename(imported / FILE)


def test_the_service_is_named_to_its_own_user_only(imported: Path, served: int):
    found = local_service(imported)
    assert found is not None
    assert found.port == served
    assert (imported / FILE).stat().st_mode & 0o077 == 0

"""Backing up and restoring at the command line: whole or not at all, and never with another key."""

import base64
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from adapters.backup import backup, restore
from adapters.postgres.database import Database
from aggregates.account.activities import ActivityKind, RecordActivity
from aggregates.account.command import account_id
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Issued
from aggregates.office import office_id
from api.processes.step_by_step import StepByStep
from tests.api.cli.conftest import Arrears, files_in, process
from tests.conftest import TestServer
from tests.temporary import temporary_folder

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def lived_in() -> Iterator[Path]:
    """A folder with a data folder, which has a small portfolio."""
    with temporary_folder() as folder:
        files_in(folder)
        data = folder / "data"
        process("office", "open", "main", "--title", "Main office", "--currency", "USD", data=data)
        for kind in ("customers", "invoices", "payments"):
            process("import", folder / f"{kind}.csv", "--profile", kind, data=data)
        yield folder


@pytest.fixture(scope="module")
def saved(lived_in: Path) -> Path:
    file = lived_in / "arrears.backup"
    said = process("backup", file, data=lived_in / "data")
    assert "The master key is not in it" in said.err
    assert file.stat().st_mode & 0o077 == 0
    return file


def test_a_restored_folder_has_everything_and_finds_everybody(lived_in: Path, saved: Path, data_dir: Path):
    data, key, restored = lived_in / "data", lived_in / "data" / "master.key", data_dir
    said = process("restore", saved, "--master-key", key, data=restored)
    assert "every one as it was sealed" in said.out
    for question in (("audit", "A-1", "--json"), ("find", "212 555", "--json")):
        assert process(*question, data=restored).json == process(*question, data=data).json, question
    assert process("find", "212 555", "--json", data=restored).json["rows"][0]["customer_name"] == "Ada, Ltd."
    again = process("import", lived_in / "payments.csv", "--profile", "payments", "--json", data=restored).json
    assert (again["brought_in"], again["corrected"]) == (0, 0), "with the key by which imported facts are known"
    assert (restored / "master.key").stat().st_mode & 0o077 == 0
    assert (restored / "last-seal.json").read_text() == (data / "last-seal.json").read_text()


def test_another_key_is_refused_and_nothing_is_made(saved: Path, tmp_path: Path):
    key = tmp_path / "key"
    key.write_bytes(base64.b64encode(bytes(32)))
    said = process("restore", saved, "--master-key", key, data=tmp_path / "restored", code=1)
    assert "not the master key" in said.err
    assert not (tmp_path / "restored").exists()
    said = process("restore", saved, data=tmp_path / "restored", code=1)
    assert "no master key" in said.err


def test_a_folder_that_is_not_empty_is_refused_and_stays(lived_in: Path, saved: Path, tmp_path: Path):
    (tmp_path / "mine").write_text("mine")
    said = process("restore", saved, "--master-key", lived_in / "data" / "master.key", data=tmp_path, code=1)
    assert "is not empty" in said.err
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_backup_that_was_cut_is_refused_and_nothing_is_left(lived_in: Path, saved: Path, data_dir: Path):
    whole, cut = saved.read_bytes(), lived_in / "cut.backup"
    cut.write_bytes(whole[: len(whole) * 9 // 10])
    process("restore", cut, "--master-key", lived_in / "data" / "master.key", data=data_dir, code=1)
    assert list(data_dir.rglob("*")) == []


KILLED = """
import os, signal, sys
from api.application import backups

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

backups.write_anchor = die
backups.restore_folder(*map(backups.Path, sys.argv[1:3]), env={}, key_file=backups.Path(sys.argv[3]), progress=print)
"""


def test_a_restore_that_was_killed_leaves_no_folder_and_is_repeated(lived_in: Path, saved: Path, tmp_path: Path):
    restored, key = tmp_path / "restored", lived_in / "data" / "master.key"
    died = subprocess.run([sys.executable, "-c", KILLED, saved, restored, key], check=False)
    assert died.returncode == -signal.SIGKILL
    assert not restored.exists()
    process("restore", saved, "--master-key", key, data=restored)
    assert [each.name for each in tmp_path.iterdir()] == ["restored"]


@pytest.mark.parametrize("text", ["", "no backup at all"])
def test_what_is_no_backup_is_refused(lived_in: Path, tmp_path: Path, text: str):
    (tmp_path / "file").write_text(text)
    key = lived_in / "data" / "master.key"
    said = process("restore", tmp_path / "file", "--master-key", key, data=tmp_path / "restored", code=1)
    assert said.err.startswith("Error: pg_restore failed")


def test_a_file_that_is_there_is_not_overwritten_and_a_folder_gets_a_file(lived_in: Path, tmp_path: Path):
    data = lived_in / "data"
    (tmp_path / "old").write_text("old")
    assert "is there already" in process("backup", tmp_path / "old", data=data, code=1).err
    made = process("backup", tmp_path, "--json", data=data).json
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["old", Path(made["file"]).name])
    assert made["events"] > 0


# --- a server ---


@pytest.fixture
def empty_server(postgres: TestServer) -> Iterator[str]:
    name = postgres.create()
    yield postgres.dsn_of(name)
    postgres.drop(name)


def test_a_server_is_backed_up_and_restored_into_an_empty_database(
    portfolio: Arrears, empty_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "server.backup"
    portfolio("backup", file)
    before = portfolio("report", "collections", "--json").json
    said = portfolio("restore", file, code=1)
    assert "There is an Arrears in this database already" in said.err
    monkeypatch.setenv("ARREARS_DATABASE_URL", empty_server)
    assert portfolio("restore", file, "--json").json["intact"]
    assert portfolio("report", "collections", "--json").json == before
    assert portfolio("projections", "rebuild").code == 0, "the application owns its tables"


def test_a_changed_log_is_found(portfolio: Arrears, empty_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "server.backup"
    with psycopg.connect(os.environ["ARREARS_DATABASE_URL"]) as admin:
        (leaf,) = admin.execute("SELECT leaf FROM arrears.events WHERE position = 3").fetchone() or (b"",)
        admin.execute("UPDATE arrears.events SET leaf = %s WHERE position = 3", [bytes(32)])
        admin.commit()
        portfolio("backup", file)
        admin.execute("UPDATE arrears.events SET leaf = %s WHERE position = 3", [leaf])
    monkeypatch.setenv("ARREARS_DATABASE_URL", empty_server)
    assert "position 3" in portfolio("restore", file, code=1).out


def test_a_backup_is_of_one_moment_while_others_write(portfolio: Arrears, empty_server: str, tmp_path: Path):
    """What it has is a log without a gap, and read tables that are not ahead of it."""
    url, key = os.environ["ARREARS_DATABASE_URL"], os.environ["ARREARS_MASTER_KEY"]
    env = {"ARREARS_MASTER_KEY": key, "ARREARS_OUTBOX": str(tmp_path / "outbox")}
    stop = threading.Event()

    def write(service: StepByStep) -> None:
        note = RecordActivity(account_id=account_id(office_id("main"), "A-1"), kind=ActivityKind.NOTE, notes="…")
        while not stop.is_set():
            service.arrears.handle([Issued(command=note, command_id=uuid4(), actor=Actor.person("ada"))])
            service.drain()

    with StepByStep(Database(url), data_dir=None, env=env) as service:
        service.prepare()
        writer = threading.Thread(target=write, args=[service])
        writer.start()
        try:
            before = service.feed.head()
            made = backup(service.database, tmp_path / "beside.backup")
        finally:
            stop.set()
            writer.join()
        assert made.seal.position >= before
    with Database(empty_server) as database:
        restore(database, made.path)
        with StepByStep(database, data_dir=None, env=env) as restored:
            assert restored.feed.head() == made.seal.position
            assert list(restored.verify()) == []
            restored.prepare()
            restored.drain()

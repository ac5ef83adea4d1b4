"""Real processes on a machine that fails them: a killed server, a damaged page, a full disk, a lost key."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psycopg
import pytest

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.postmaster import Postmaster, read_postmaster
from tests.api.cli.conftest import files_in, process
from tests.api.cli.running import Running, serving
from tests.temporary import temporary_folder
from tests.waiting import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

NOBODYS_KEY = "AAAA" * 10 + "AAA="


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with a small portfolio, used by no process; to be copied."""
    files = tmp_path_factory.mktemp("files")
    files_in(files)
    with temporary_folder() as folder:
        process("import", files / "invoices.csv", "--profile", "invoices", "--currency", "USD", data=folder / "data")
        yield folder / "data"


@pytest.fixture
def data(imported: Path, data_dir: Path) -> Path:
    """A copy of it for a test."""
    subprocess.run(["cp", "-a", str(imported), str(data_dir / "data")], check=True)
    return data_dir / "data"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def server_of(data: Path) -> Postmaster:
    found = read_postmaster(data / "postgres")
    assert found is not None
    return found


# --- the server of the folder ---


def test_a_server_that_was_killed_is_started_again_and_everything_goes_on(data: Path, log: Path):
    with serving(data, log) as service:
        for times, bounds in enumerate(("10,20", "15,45"), 1):
            killed = server_of(data)
            os.kill(killed.pid, signal.SIGKILL)
            wait_until(partial(_was_started_again, service, times), "another start")
            service.until_ready()
            assert server_of(data).pid != killed.pid
            said = process("office", "set", "main", "--buckets", bounds, data=data)
            assert said.out == "Office main is changed.\n"
            # stored, sealed, reacted to, worked and shown: every part works on the new server
            wait_until(lambda: process("work", "list", data=data).out == "No work is open.\n", "work done")
            ended = process("work", "list", "--all", "--json", data=data).json
            assert len(ended) == times, ended
        assert service.told(signal.SIGTERM) == 143
    assert read_postmaster(data / "postgres") is None
    assert process("log", "verify", data=data).out.endswith("every one as it was sealed.\n")


def test_a_service_whose_server_does_not_start_again_ends_and_says_why(data: Path, log: Path):
    control = data / "postgres" / "global" / "pg_control"
    with serving(data, log) as service:
        control.rename(control.with_name("away"))
        os.kill(server_of(data).pid, signal.SIGKILL)
        assert service.ends() == 1
        assert f"Error: PostgreSQL of {data} ended and was started again 6 times without staying" in service.said
    control.with_name("away").rename(control)
    assert process("log", "verify", data=data).out.endswith("every one as it was sealed.\n")


def _was_started_again(service: Running, times: int) -> bool:
    return service.said.count("PostgreSQL ended and was started again") == times


# --- the master key ---


@pytest.mark.parametrize(
    "verb", [["serve"], ["report", "aging"], ["tick"], ["audit", "A-1"], ["projections", "status"]]
)
def test_a_lost_key_is_refused_at_the_start_and_not_replaced(data: Path, verb: list[str]):
    (data / "master.key").unlink()
    said = process(*verb, data=data, code=1)
    assert f"{data}/master.key is not there, and the log was written with the key that it held" in said.err
    assert not (data / "master.key").exists()


@pytest.mark.parametrize("verb", [["serve"], ["report", "aging"], ["tick"]])
def test_a_wrong_key_is_refused_at_the_start(data: Path, verb: list[str]):
    said = process(*verb, data=data, code=1, ARREARS_MASTER_KEY=NOBODYS_KEY)
    assert "this is not the master key that the log was written with" in said.err


# --- what is on the disk ---


def damage(data: Path, relation: str) -> None:
    with EmbeddedPostgres(data) as postgres, psycopg.connect(postgres.dsn, autocommit=True) as connection:
        (path,) = connection.execute("SELECT pg_relation_filepath(%s::regclass)", [relation]).fetchone() or ("",)
        connection.execute("CHECKPOINT")
    file = data / "postgres" / path
    page = bytearray(file.read_bytes())
    page[100:300] = b"\xff" * 200
    file.write_bytes(page)


def test_a_damaged_page_is_said_by_commands_and_by_health_and_mended_by_a_rebuild(data: Path, log: Path):
    damage(data, "read_collections_report_1.collections_report")
    with serving(data, log) as service:
        said = process("report", "collections", data=data, code=1)
        assert "Error: A part of the database cannot be read: invalid page in block 0" in said.err
        service.until_not_ready("pages: a page of the database is damaged")
        assert process("report", "aging", "--json", data=data).json["total"] == "425.75"
        process("projections", "rebuild", "collections_report", data=data)
        process("report", "collections", data=data)
    with serving(data, log) as service:
        assert service.ready() == (200, "")


@pytest.mark.parametrize("relation", ["arrears.events", "arrears.seals", "pg_catalog.pg_class"])
def test_damage_anywhere_is_a_sentence_at_the_start(data: Path, relation: str):
    damage(data, relation)
    said = process("report", "aging", data=data, code=1)
    assert "Error: A part of the database cannot be read" in said.err
    assert "Hint: Nothing was changed" in said.err


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own."""
    with temporary_folder() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(folder)], check=True)
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.mount
def test_a_full_disk_is_said_by_health_until_there_is_room_again(imported: Path, small_disk: Path, log: Path):
    data = small_disk / "data"
    subprocess.run(["cp", "-a", str(imported), str(data)], check=True)
    with serving(data, log) as service:
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):  # a buffer would be written again at its end
            while True:
                file.write(bytes(65_536))
        service.until_not_ready("nothing can be stored")
        filler.unlink()
        service.until_ready()
    assert process("log", "verify", data=data).out.endswith("every one as it was sealed.\n")


@pytest.mark.mount
def test_a_read_only_folder_is_a_sentence_at_every_start(imported: Path, small_disk: Path):
    data = small_disk / "data"
    subprocess.run(["cp", "-a", str(imported), str(data)], check=True)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for verb in (["serve"], ["report", "aging"], ["migrate"]):
        said = process(*verb, data=data, code=1)
        assert said.err.splitlines()[0] == f"Error: The data folder {data} cannot be used: Read-only file system"

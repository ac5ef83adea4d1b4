"""A data folder that is made as a whole: there when all of it is, whatever happens to who makes it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.errors import DataFolderInUse, DataFolderUnusable
from adapters.postgres.new_folder import can_be_made_whole, made_for_a_while, made_whole
from adapters.postgres.postmaster import processes_in

pytestmark = pytest.mark.postgres

FILLS = """
import os, signal, sys
from pathlib import Path
from adapters.postgres import cluster
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.new_folder import made_whole

killed_at = sys.argv[2]
real = cluster.Cluster._run

def run(self, program, *arguments, **named):
    if program == killed_at:
        real(self, program, *arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, program, *arguments, **named)

cluster.Cluster._run = run
with made_whole(Path(sys.argv[1])) as unfinished, EmbeddedPostgres(unfinished, settings={"fsync": "off"}):
    (unfinished / "a-file").write_text("from the first")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("killed_at", ["initdb", "postgres", "pg_ctl", "the end"])
def test_what_a_killed_process_left_is_removed_with_its_server_and_made_anew(data_dir: Path, killed_at: str):
    folder, unfinished = data_dir / "data", data_dir / "data.unfinished"
    died = subprocess.run([sys.executable, "-c", FILLS, str(folder), killed_at], check=False)
    assert died.returncode == -signal.SIGKILL
    assert not folder.exists()
    assert unfinished.exists()

    with made_whole(folder) as again, EmbeddedPostgres(again, settings={"fsync": "off"}):
        assert again == unfinished
        assert not (again / "a-file").exists()
    assert (folder / "postgres" / "PG_VERSION").exists()
    assert not unfinished.exists()
    assert processes_in(unfinished / "postgres") == []
    with EmbeddedPostgres(folder):
        pass  # it can be used where it is now


def test_an_error_leaves_nothing(data_dir: Path):
    def fail() -> None:
        with made_whole(data_dir / "data") as unfinished:
            (unfinished / "a-file").write_text("something")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(data_dir.iterdir()) == []


def test_two_cannot_make_the_same_folder(data_dir: Path):
    with made_whole(data_dir / "data") as unfinished:
        (unfinished / "a-file").write_text("from the first")
        with pytest.raises(DataFolderInUse, match="is being made by another process"), made_whole(data_dir / "data"):
            pass
    assert (data_dir / "data" / "a-file").read_text() == "from the first"


def test_an_empty_folder_is_replaced_and_keeps_its_permissions(data_dir: Path):
    (data_dir / "data").mkdir(mode=0o750)
    with made_whole(data_dir / "data") as unfinished:
        (unfinished / "a-file").write_text("something")
    assert (data_dir / "data" / "a-file").exists()
    assert (data_dir / "data").stat().st_mode & 0o777 == 0o750


def test_a_folder_in_which_something_is_keeps_its_place(data_dir: Path):
    (data_dir / "a-file").write_text("something")
    assert not can_be_made_whole(data_dir)
    with pytest.raises(DataFolderUnusable), made_whole(data_dir / "a-file" / "data"):
        pass


def test_a_folder_for_a_while_is_gone_afterwards():
    with made_for_a_while() as folder, EmbeddedPostgres(folder, settings={"fsync": "off"}):
        assert folder.exists()
    assert not folder.exists()

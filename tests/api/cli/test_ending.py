"""Real processes told to end while they are at something long: a sentence, an exit code, and nothing lost."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.kafka.local import free_ports
from tests.api.cli.conftest import process
from tests.api.cli.running import Running, serving, started
from tests.temporary import temporary_folder
from tests.waiting import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

ACCOUNTS = 2_500
GOES_ON = "what was stored by then stays\nHint: The same command again goes on from there.\n"


def ask(data: Path, question: str) -> int:
    """A number from the database of a folder in which a process runs; 0 where there is none yet."""
    try:
        with psycopg.connect(f"postgresql://arrears@/arrears?host={data}/postgres", connect_timeout=5) as connection:
            row = connection.execute(question.encode()).fetchone()
            return int(row[0]) if row else 0
    except psycopg.Error:
        return 0


@pytest.fixture(scope="module")
def half_imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Running, int]]:
    """A folder into which a file was imported whose import was told to end once something of it was in; that process,
    and how much was in by then."""
    file = tmp_path_factory.mktemp("files") / "invoices.csv"
    lines = [f"A-{n},INV-{n},2026-03-01,2026-03-31,10.00,USD" for n in range(ACCOUNTS)]
    file.write_text("\n".join(["account_number,invoice_number,issued_on,due_on,amount,currency", *lines]))
    with temporary_folder() as folder:
        data, log = folder / "data", folder / "log"
        verb = ("import", file, "--profile", "invoices", "--currency", "USD")
        with started(*verb, data=data, log=log) as ended:
            wait_until(
                lambda: ask(data, "SELECT count(*) FROM arrears.events WHERE name = 'account.invoice-billed'"), "facts"
            )
            ended.told(signal.SIGTERM)
        again = json.loads(process(*verb, "--json", data=data).out)
        yield data, ended, again["unchanged"]


def test_an_import_ends_between_chunks_and_the_same_file_again_brings_in_the_rest(
    half_imported: tuple[Path, Running, int],
):
    data, ended, before = half_imported
    assert ended.process.returncode == 143
    assert ended.said == f"Error: ended by SIGTERM; {GOES_ON}"
    assert 0 < before < ACCOUNTS
    assert process("report", "aging", "--json", data=data).json["total"] == f"{ACCOUNTS * 10}.00"


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_rebuild_ends_when_told_and_the_next_one_shows_the_tables(
    half_imported: tuple[Path, Running, int], tmp_path: Path, how: signal.Signals, code: int
):
    data, _, _ = half_imported
    with serving(data, tmp_path / "serve"):
        with psycopg.connect(f"postgresql://arrears@/arrears?host={data}/postgres") as looking:
            looking.execute("SELECT * FROM read_model.promises LIMIT 1")  # keeps the switch waiting
            with started("projections", "rebuild", "promises", data=data, log=tmp_path / "log") as rebuild:
                wait_until(
                    lambda: ask(data, "SELECT count(*) FROM read_model.projections WHERE state = 'building'"), "it"
                )
                assert rebuild.told(how) == code
            assert rebuild.said == f"Error: ended by {how.name}; {GOES_ON}"
        assert "is live" in process("projections", "rebuild", "promises", data=data).out


def test_a_service_ends_amid_work_over_many_accounts_and_the_next_one_does_the_rest(
    half_imported: tuple[Path, Running, int], tmp_path: Path
):
    data, _, _ = half_imported
    done = "SELECT coalesce(max(done + refused), 0) FROM arrears.work WHERE is_open"
    with serving(data, tmp_path / "first") as service:
        with started("office", "set", "main", "--buckets", "10,20,30", data=data, log=tmp_path / "log") as command:
            wait_until(lambda: ask(data, done), "a chunk")
            command.told(signal.SIGTERM)
        assert service.told(signal.SIGTERM) == 143
        assert "left behind" not in service.said
    with serving(data, tmp_path / "second"):
        wait_until(lambda: process("work", "list", data=data).out == "No work is open.\n", "work done")
        work = process("work", "list", "--all", "--json", data=data).json[0]
    assert work["done"] + work["refused"] == ACCOUNTS
    assert process("log", "verify", data=data).out.endswith("every one as it was sealed.\n")


def test_a_service_that_is_told_while_it_builds_its_tables_ends(
    half_imported: tuple[Path, Running, int], tmp_path: Path
):
    data, _, _ = half_imported
    with serving(data, tmp_path / "serve"):
        process("office", "set", "main", "--grace-days", "3", data=data)
        with psycopg.connect(f"postgresql://arrears@/arrears?host={data}/postgres") as connection:
            connection.execute("UPDATE read_model.projections SET version = 0 WHERE name = 'promises'")
    with started("serve", "--port", free_ports(1)[0], data=data, log=tmp_path / "log") as service:
        asked = "SELECT count(*) FROM read_model.projections WHERE state = 'building'"
        wait_until(
            lambda: ask(data, asked) or ask(data, "SELECT 1 FROM read_model.projections WHERE version = 0"), "it"
        )
        assert service.told(signal.SIGTERM) == 143
        assert "Traceback" not in service.said
    with serving(data, tmp_path / "again"):
        assert ask(data, asked) == 0


def test_what_a_process_holds_is_not_looked_through_again_when_it_ends():
    """Garbage is not collected from what is frozen; of a cache of hundreds of megabytes that takes half a minute."""
    program = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count(), len(gc.get_objects())))  # runs after what is registered later
from api.cli import main
main()
"""
    said = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    frozen, others = map(int, said.stdout.split()[-2:])
    assert frozen > 10_000 > others

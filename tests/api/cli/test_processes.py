"""Real processes on a real data folder, and when something is wrong with the folder."""

import json
import socket
from pathlib import Path

import pytest

from tests.api.cli.conftest import files_in, process
from tests.temporary import temporary_folder

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def test_what_was_imported_is_there_in_the_next_process(imported: Path):
    said = process("report", "aging", "--as-of", "2026-02-15", "--json", data=imported)
    assert json.loads(said.out)["total"] == "385.75"
    assert process("log", "verify", data=imported).out.endswith("every one as it was sealed.\n")


def test_binding_elsewhere_without_a_token_is_refused(imported: Path):
    said = process("serve", "--host", "0.0.0.0", data=imported, code=1)
    assert "no API token is configured" in said.err


def test_nothing_is_made_where_the_sample_could_not_be_served(tmp_path: Path):
    said = process("run", "--sample", "--host", "0.0.0.0", data=tmp_path / "new", code=1)
    assert "no API token is configured" in said.err
    assert not (tmp_path / "new").exists()


def test_an_address_that_is_taken_is_told(imported: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = process("serve", "--port", taken.getsockname()[1], data=imported, code=1)
    assert "cannot be used: Address already in use" in said.err


def test_another_master_key_is_refused(imported: Path):
    said = process("account", "show", "A-1", data=imported, code=1, ARREARS_MASTER_KEY="AAAA" * 10 + "AAA=")
    assert "this is not the master key that the log was written with" in said.err


def test_a_folder_without_data_is_not_made_by_reading(tmp_path: Path):
    said = process("report", "aging", data=tmp_path / "new", code=1)
    assert "There is no Arrears data in" in said.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_dry_run_makes_no_data(tmp_path: Path, is_there: bool):
    files_in(tmp_path)
    data = tmp_path / "new"
    if is_there:
        data.mkdir()
    said = process("import", tmp_path / "invoices.csv", "--profile", "invoices", "--dry-run", data=data)
    assert "3 would be brought in" in said.out
    assert data.exists() == is_there
    assert not is_there or list(data.iterdir()) == []


def test_a_dry_run_makes_no_key_where_nothing_was_written_yet(tmp_path: Path):
    files_in(tmp_path)
    with temporary_folder() as data:
        process("migrate", data=data)
        said = process("import", tmp_path / "invoices.csv", "--profile", "invoices", "--dry-run", data=data)
        assert "3 would be brought in" in said.out
        assert not (data / "master.key").exists()
        process("import", tmp_path / "invoices.csv", "--profile", "invoices", data=data)
        again = process("import", tmp_path / "invoices.csv", "--profile", "invoices", "--dry-run", data=data)
        assert "3 as they were" in again.out


def test_no_folder_named():
    said = process("report", "aging", data=Path(), code=1, ARREARS_DATA="")
    assert said.err.splitlines()[0] == "Error: No database was named"


def test_a_server_that_is_not_there():
    url = "postgresql://arrears:s3cret@127.0.0.1:1/arrears"
    said = process("report", "aging", data=Path(), code=1, ARREARS_DATABASE_URL=url)
    assert "The database cannot be reached" in said.err
    assert "s3cret" not in said.err


HISTORY = """\
countryCode,customerID,PaperlessDate,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,Disputed,SettledDate,PaperlessBill,DaysToSettle,DaysLate
391,C-1,1/1/2026,1001,1/2/2026,2/1/2026,55.94,No,2/20/2026,Paper,0,0
391,C-1,1/1/2026,1002,1/12/2026,2/11/2026,61.74,No,1/20/2026,Paper,0,0
406,C-2,1/1/2026,1003,1/5/2026,1/15/2026,20.00,Yes,1/29/2026,Electronic,0,0
"""


def test_a_play_from_the_start_gives_the_reports_of_an_import(tmp_path: Path):
    file = tmp_path / "history.csv"
    file.write_text(HISTORY)
    days = ["2026-01-04", "2026-01-16", "2026-01-28", "2026-01-31"]
    reports = []
    for way in (["play", file, "--from", "2026-01-01", "--to", "2026-01-31"], ["import", file]):
        with temporary_folder() as data:
            process(*way, "--profile", "ibm", data=data)
            asked = [process("report", "aging", "--as-of", day, "--json", data=data).out for day in days]
            reports.append([json.loads(said) for said in asked])
    played, imported = reports
    assert played == imported
    assert [report["total"] for report in played] == ["55.94", "137.68", "75.94", "55.94"]

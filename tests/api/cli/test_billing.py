"""Importing at the command line: what it says of what it did, and of what it refused."""

from pathlib import Path

import pytest

from tests.api.cli.conftest import INVOICES, Arrears


@pytest.fixture(scope="module")
def office(arrears: Arrears) -> Arrears:
    arrears("office", "open", "main", "--title", "Main office")
    return arrears


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(office: Arrears, folder: Path):
    said = office("import", folder / "invoices.csv", "--profile", "invoices", "--dry-run")
    assert said.lines[0] == "invoices.csv: 3 rows, 3 invoices"
    assert "3 would be brought in" in said.out
    assert office("report", "aging", "--json").json["accounts"] == 0


def test_a_file_is_brought_in_once(arrears: Arrears, office: Arrears, folder: Path):
    office("import", folder / "customers.csv", "--profile", "customers")
    first = office("import", folder / "invoices.csv", "--profile", "invoices", "--json").json
    again = office("import", folder / "invoices.csv", "--profile", "invoices", "--json").json
    assert (first["brought_in"], first["unchanged"]) == (3, 0)
    assert (again["brought_in"], again["unchanged"]) == (0, 3)


def test_a_bad_row_is_told_and_goes_to_the_reject_file(office: Arrears, tmp_path: Path):
    file = tmp_path / "bad.csv"
    file.write_text(INVOICES.replace("INV-", "B-").replace("2026-02-02", "2026-02-30"))
    said = office("import", file, "--profile", "invoices", code=3)
    assert "2 brought in" in said.out
    assert "1 row refused" in said.err
    assert "line 3" in said.err
    assert "2026-02-30" in said.err
    assert (tmp_path / "bad.rejects.csv").exists()


def test_a_corrected_reject_file_is_not_written_over(office: Arrears, tmp_path: Path):
    file, rejects = tmp_path / "bad.csv", tmp_path / "bad.rejects.csv"
    file.write_text(INVOICES.replace("INV-", "R-").replace("2026-02-02", "2026-02-30"))
    for _ in range(2):
        said = office("import", file, "--profile", "invoices", "--json", code=3).json
        assert (said["rejects"], said["rejects_kept"]) == (str(rejects), [])
    corrected = rejects.read_text().replace("2026-02-30", "2026-02-28")
    rejects.write_text(corrected)
    said = office("import", file, "--profile", "invoices", code=3).err
    assert f"{rejects} was changed since it was written, and stays as it is." in said
    assert f"They are in {tmp_path / 'bad.rejects-2.csv'}" in said
    assert rejects.read_text() == corrected
    assert office("import", rejects, "--profile", "invoices", "--json").json["brought_in"] == 1


@pytest.mark.parametrize("how", [[], ["--dry-run"], ["--json"]])
@pytest.mark.parametrize(
    ("days", "code"),
    [
        (("2026-01-02", "2026-02-02", "2026-01-10"), 0),
        (("2026-01-02", "2026-02-30", "2026-01-10"), 3),
        (("2026-01-32", "2026-02-30", "2026-01-99"), 1),
    ],
)
def test_the_exit_code_says_whether_all_some_or_none_of_the_rows_were_taken(
    office: Arrears, tmp_path: Path, days: tuple[str, ...], code: int, how: list[str]
):
    file = tmp_path / "some.csv"
    head, *rows = INVOICES.replace("INV-", f"E-{code}-{len(how)}-").splitlines()
    columns = [row.split(",") for row in rows]
    file.write_text("\n".join([head, *(",".join([*c[:2], day, *c[3:]]) for c, day in zip(columns, days, strict=True))]))
    office("import", file, "--profile", "invoices", *how, code=code)


def test_columns_that_the_profile_does_not_map_are_said_once(office: Arrears, tmp_path: Path):
    file = tmp_path / "wide.csv"
    head, *rows = INVOICES.replace("INV-", "W-").splitlines()
    file.write_text("\n".join([f"{head},Remark,Site", *(f"{row},x,y" for row in rows)]))
    sentence = "wide.csv: columns that the profile does not map were not used: 'Remark', 'Site'"
    for how in ([], ["--dry-run"]):
        said = office("import", file, "--profile", "invoices", *how)
        assert said.err.splitlines() == [f"  {sentence}"]
    assert office("import", file, "--profile", "invoices", "--json").json["notices"] == [sentence]


def test_rows_that_are_in_already_count_as_taken(office: Arrears, tmp_path: Path):
    file = tmp_path / "known.csv"
    file.write_text(INVOICES.replace("INV-", "K-"))
    office("import", file, "--profile", "invoices")
    file.write_text(INVOICES.replace("INV-", "K-") + "A-1,K-9,2026-02-30,2026-04-04,1.00,USD\n")
    office("import", file, "--profile", "invoices", code=3)


def test_a_dry_run_and_a_strict_import_know_what_booking_refuses(office: Arrears, tmp_path: Path):
    header, *_, last = INVOICES.replace("INV-", "Y-").splitlines()
    before, file = tmp_path / "before.csv", tmp_path / "booked.csv"
    before.write_text(f"{header}\n{last}\n")
    office("import", before, "--profile", "invoices")
    file.write_text(INVOICES.replace("INV-", "Y-").replace("75.25,USD", "75.25,EUR"))
    tried = office("import", file, "--profile", "invoices", "--dry-run", "--json", code=3).json
    assert (tried["brought_in"], tried["refused"]) == (2, 1)
    said = office("import", file, "--profile", "invoices", "--strict", code=1)
    assert said.err.startswith("Error: 1 of 3 rows have problems, the first in line 4")
    assert office("import", file, "--profile", "invoices", "--json", code=3).json["brought_in"] == 2


def test_strict_refuses_everything(office: Arrears, tmp_path: Path):
    file = tmp_path / "bad.csv"
    file.write_text(INVOICES.replace("INV-", "S-").replace("2026-02-02", "2026-02-30"))
    said = office("import", file, "--profile", "invoices", "--strict", code=1)
    assert said.err.startswith("Error: 1 of 3 rows have problems")
    assert "Hint: Nothing was brought in." in said.err
    assert not (tmp_path / "bad.rejects.csv").exists()


@pytest.mark.parametrize(
    ("text", "arguments", "problem"),
    [
        ("a,b\n1,2\n", ["--profile", "invoices"], "missing column"),
        ("", ["--profile", "invoices"], "the file is empty"),
        (INVOICES, ["--profile", "nope"], "nope"),
    ],
)
def test_a_file_or_profile_that_cannot_be_used_is_told_in_a_line(
    office: Arrears, tmp_path: Path, text: str, arguments: list[str], problem: str
):
    file = tmp_path / "file.csv"
    file.write_text(text)
    said = office("import", file, *arguments, code=1)
    assert said.err.startswith("Error: ")
    assert problem in said.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--profile", "invoices", "--currency", "EURO"], "expected an ISO 4217 code"),
        (["--profile", "invoices", "--time-zone", "Mars"], "expected an IANA time zone"),
        (["--profile", "invoices", "--office", "Main Office"], "--office"),
        ([], "--profile"),
    ],
)
def test_wrong_usage_of_import(office: Arrears, folder: Path, arguments: list[str], problem: str):
    assert problem in office("import", folder / "invoices.csv", *arguments, code=2).err


def test_a_file_that_is_not_there_is_wrong_usage(office: Arrears, tmp_path: Path):
    assert "does not exist" in office("import", tmp_path / "no.csv", "--profile", "invoices", code=2).err


def test_play_wants_a_folder_without_accounts(office: Arrears, folder: Path):
    office("import", folder / "invoices.csv", "--profile", "invoices")
    arguments = ("--profile", "invoices", "--from", "2026-01-01", "--to", "2026-01-02")
    said = office("play", folder / "invoices.csv", *arguments, code=1)
    assert "holds accounts already" in said.err


def test_what_a_complete_file_does_not_have_is_listed_confirmed_and_taken_back(
    office: Arrears, folder: Path, tmp_path: Path
):
    profile, monday, tuesday = (tmp_path / name for name in ("ledger.toml", "monday.csv", "tuesday.csv"))
    names = ("account_number", "invoice_number", "issued_on", "due_on", "amount", "currency")
    columns = "\n".join(f'{name} = "{name}"' for name in names)
    profile.write_text(f'kind = "invoices"\ncomplete = "withdrawn"\n[columns]\n{columns}\n')
    rows = [f"L-1,L-{n:02},2026-01-02,2026-02-01,{n}.00,USD" for n in range(1, 13)]
    monday.write_text("\n".join([",".join(names), *rows, ""]))
    tuesday.write_text("\n".join([",".join(names), *rows[:-1], ""]))
    again = ("import", tuesday, "--profile", profile)
    assert office("import", monday, "--profile", profile, "--json").json["absent"]["token"] is None
    tried = office(*again, "--dry-run", "--json").json["absent"]
    absent = office(*again, "--json").json["absent"]
    assert absent == tried
    assert absent["sums"] == {"USD": {"amount": "12.00", "currency": "USD"}}
    assert (absent["count"], absent["rows"][0]["number"], absent["rows"][0]["day"]) == (1, "L-12", "2026-01-02")
    said = office(*again)
    assert "1 absent, to be taken back: 12.00 USD" in said.out
    assert f"--take-back {absent['token']}" in said.out
    wrong = office(*again, "--take-back", "000000000000", code=1)
    assert "Refused: --take-back 000000000000 is no list that holds now" in wrong.err
    assert absent["token"] in wrong.out
    office(*again, "--take-back", absent["token"], "--dry-run", code=2)
    assert "1 taken back" in office(*again, "--take-back", absent["token"]).out
    assert office("import", monday, "--profile", profile, "--json").json["corrected"] == 1
    office("import", folder / "invoices.csv", "--profile", "invoices", "--force", code=1)

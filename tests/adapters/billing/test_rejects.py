"""The reject file: corrected and imported alone, with the same profile, every cell exactly as it was."""

import csv
import datetime as dt
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.billing.profile import Profile, load_profile
from adapters.billing.readers import FileProblem, open_table
from adapters.billing.rejects import is_as_written, place_for_rejects, reject_path, write_rejects
from adapters.billing.rows import RowProblem
from adapters.billing.source import ImportSource, read_facts
from tests.adapters.billing.files import HEADER, facts_of, problems_of, profile, workbook, written


def rejected(path: Path, rules: Profile) -> Path:
    source = ImportSource(path, rules)
    target = reject_path(path)
    write_rejects(source, problems_of(list(source.rows())), target)
    return target


def test_only_refused_rows_are_written_with_their_problems_in_front(tmp_path):
    path = written(tmp_path, f'{HEADER},Note\nA1,I1,1/2/2024,,10,x\nA2,I2,2/30/2024,,ten," =y"\n')
    target = rejected(path, profile())
    assert target.name == "invoices.rejects.csv"
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    with target.open(encoding="utf-8-sig", newline="") as file:
        header, row = csv.reader(file)
    assert header == ["problem", *HEADER.split(","), "Note"]
    assert row[0].startswith("line 3, column Issued: '2/30/2024'; expected a date")
    assert "; line 3, column Amount: 'ten'; expected" in row[0]
    assert row[1:] == ["A2", "I2", "2/30/2024", "", "ten", "' =y"]


def test_a_corrected_reject_file_is_imported_alone_with_the_same_profile(tmp_path):
    rules = profile('delimiter = ";"\nencoding = "cp1252"\nheader_line = 2')
    header = HEADER.replace(",", ";")
    path = written(tmp_path, f"Report\n{header}\nÄ1;I1;1/2/2024;;10\nÄ2;-I2;2/30/2024;;10\n".encode("cp1252"))
    target = rejected(path, rules)
    corrected = target.read_text("utf-8-sig").replace('"2/30/2024"', '"2/28/2024"')
    for text in (corrected, corrected.replace(";", ",")):  # a spreadsheet may save it with another delimiter
        target.write_text(text, "utf-8-sig")
        (fact,) = facts_of(list(read_facts(target, rules)))
        assert (fact.account_number, fact.invoice_number, fact.issued_on) == ("Ä2", "-I2", dt.date(2024, 2, 28))


def test_a_reject_file_of_a_reject_file_has_one_problem_column(tmp_path):
    path = written(tmp_path, f"{HEADER}\n=A1,I1,2/30/2024,,10\n")
    second = rejected(rejected(path, profile()), profile())
    assert second.name == "invoices.rejects-2.csv"
    assert open_table(second, profile()).header == tuple(HEADER.split(","))
    (row,) = open_table(second, profile()).rows()
    assert row.cells[0] == "=A1"
    assert reject_path(second).name == "invoices.rejects-3.csv"


def test_no_cell_of_a_reject_file_is_a_formula(tmp_path):
    cells = ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "'=1", "＝1"]
    path = written(tmp_path, HEADER + ",=H\n" + "".join(f'"{cell}",I1,2/30/2024,,(10),"\r="\n' for cell in cells))
    target = rejected(path, profile())
    with target.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.reader(file):
            for cell in row:
                assert cell.strip()[:1] not in tuple("=+-@＝")
    assert [row.cells[0] for row in open_table(target, profile()).rows()] == cells
    assert {row.cells[5] for row in open_table(target, profile()).rows()} == {"\r="}


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=5, max_size=5), min_size=1))
def test_any_cell_survives_the_round_trip(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("round")
    path = folder / "invoices.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([HEADER.split(","), *rows])
    source = ImportSource(path, profile())
    before = list(source.raw_rows())
    target = reject_path(path)
    write_rejects(source, [RowProblem(row.line, "", "", "") for row in before], target)
    after = list(ImportSource(target, profile()).raw_rows()) if before else []
    assert [list(row.cells) for row in after] == [list(row.cells) for row in before]


def test_a_workbooks_refused_rows_read_the_same_from_the_reject_file(tmp_path):
    rules = profile('decimal = ","')
    path = workbook(
        tmp_path,
        HEADER.split(","),
        [1001, 2960623488.0, dt.date(2024, 3, 2), "unknown", 1234.125],
    )
    target = rejected(path, rules)
    target.write_text(target.read_text("utf-8-sig").replace("unknown", "2024-04-01"), "utf-8-sig")
    (fact,) = facts_of(list(read_facts(target, rules)))
    assert (fact.account_number, fact.natural_key) == ("1001", "invoice:2960623488")
    assert (fact.due_on, fact.amount.minor) == (dt.date(2024, 4, 1), 123413)


def test_zeros_survive_the_reject_file(tmp_path):
    path = written(tmp_path, f'{HEADER}\n="00123",=""0000471"",2/30/2024,,10\n')
    target = rejected(path, profile())
    target.write_text(target.read_text("utf-8-sig").replace("2/30", "2/28"), "utf-8-sig")
    (fact,) = facts_of(list(read_facts(target, profile())))
    assert (fact.account_number, fact.invoice_number) == ("00123", "0000471")
    book = workbook(tmp_path, HEADER.split(","), [123, "I1", "2/30/2024", None, 10])
    saved = openpyxl.load_workbook(book)
    saved.worksheets[0]["A2"].number_format = "00000"
    saved.save(book)
    (row,) = open_table(rejected(book, profile()), profile()).rows()
    assert row.cells[0] == "00123"


def test_nothing_refused_makes_no_file(tmp_path):
    path = written(tmp_path, f"{HEADER}\nA1,I1,1/2/2024,,10\n")
    assert not rejected(path, profile()).exists()
    assert list(tmp_path.iterdir()) == [path]


def test_a_row_with_broken_quotes_is_in_the_reject_file_as_well_as_can_be(tmp_path):
    path = written(tmp_path, f'{HEADER}\nA1,"I"1,1/2/2024,,10\nA2,I2,1/2/2024,,10\n')
    (row,) = open_table(rejected(path, profile()), profile()).rows()
    assert row.cells == ["A1", "I1", "1/2/2024", "", "10"]


def test_a_source_that_changed_meanwhile_is_noticed(tmp_path):
    path = written(tmp_path, f"{HEADER}\nA1,I1,2/30/2024,,10\n")
    source = ImportSource(path, profile())
    problems = problems_of(list(source.rows()))
    path.write_text(f"{HEADER}\nA1,I1,2/28/2024,,10,longer\n", "utf-8")
    with pytest.raises(FileProblem, match="the file changed while it was imported"):
        write_rejects(source, problems, reject_path(path))
    assert list(tmp_path.iterdir()) == [path]


def test_a_column_of_that_name_in_the_source_stays_the_sources(tmp_path):
    path = written(tmp_path, "problem,account_number\n'=x,\n")
    rules = load_profile("customers").model_copy(update={"information": {"problem": "problem"}})
    target = rejected(path, rules)
    assert open_table(target, rules).header == ("problem", "account_number")
    assert [row.cells[0] for row in open_table(target, rules).rows()] == ["'=x"]


# --- what a person changed ---


def test_a_reject_file_that_nobody_changed_is_written_anew(tmp_path):
    path = written(tmp_path, f"{HEADER}\nA1,I1,2/30/2024,,10\n")
    target = rejected(path, profile())
    assert place_for_rejects(path) == (target, ())
    written(tmp_path, f"{HEADER}\nA1,I2,2/30/2024,,10\n")
    assert rejected(path, profile()) == target
    assert "I2" in target.read_text("utf-8-sig")
    assert is_as_written(target)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("2/30", "2/29"),
        lambda text: text.replace('"', ""),  # saved by a spreadsheet
        lambda text: text.removeprefix("\ufeff"),
        lambda text: f"{text}\r\n",
    ],
)
def test_a_reject_file_that_was_changed_keeps_its_place(tmp_path, change):
    path = written(tmp_path, f"{HEADER}\nA1,I1,2/30/2024,,10\n")
    target = rejected(path, profile())
    target.write_text(change(target.read_bytes().decode()), "utf-8", newline="")
    second = tmp_path / "invoices.rejects-2.csv"
    assert place_for_rejects(path) == (second, (target,))
    second.write_text("somebody's own")
    assert place_for_rejects(path) == (tmp_path / "invoices.rejects-3.csv", (target, second))


def test_a_reject_file_of_which_nothing_is_known_keeps_its_place(tmp_path):
    """It was written by an earlier release, or copied without what is beside it."""
    path = written(tmp_path, f"{HEADER}\nA1,I1,2/30/2024,,10\n")
    target = rejected(path, profile())
    for beside in tmp_path.glob(".*"):
        beside.unlink()
    assert place_for_rejects(path) == (tmp_path / "invoices.rejects-2.csv", (target,))

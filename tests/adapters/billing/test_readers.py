"""Files as they come: delimiters, encodings, marks, line ends, quotes, workbooks."""

import datetime as dt
from pathlib import Path

import openpyxl
import pytest

from adapters.billing.profile import load_profile, parse_profile
from adapters.billing.readers import FileProblem, open_table
from adapters.billing.source import read_facts
from tests.adapters.billing.files import HEADER, facts_of, invoices, problems_of, profile, repacked, workbook, written

ROW = "A1,I1,1/2/2024,2/1/2024,10.00"


def lines_and_cells(path: Path, more: str = ""):
    return [(row.line, list(row.cells)) for row in open_table(path, profile(more)).rows()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_the_columns_that_the_profile_wants(tmp_path, delimiter):
    header = HEADER.replace(",", delimiter) + delimiter + '"a,b,c,d,e;f|g"'
    path = written(tmp_path, f"{header}\n{ROW.replace(',', delimiter)}{delimiter}x\n")
    table = open_table(path, profile())
    assert table.delimiter == delimiter
    assert facts_of(list(read_facts(path, profile())))[0].account_number == "A1"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(tmp_path, end):
    path = written(tmp_path, end.join([HEADER, ROW, "", ROW.replace("I1", "I2")]))
    assert [line for line, _ in lines_and_cells(path)] == [2, 4]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = written(tmp_path, b"\xef\xbb\xbf" + f"{HEADER}\n{ROW}\n".encode())
    assert open_table(path, profile()).header[0] == "Account"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_says_better_than_the_profile(tmp_path, encoding):
    path = written(tmp_path, f"{HEADER}\nÅ1,I1,1/2/2024,,10.00\n".encode(encoding))
    assert facts_of(list(read_facts(path, profile('encoding = "cp1252"'))))[0].account_number == "Å1"


def test_columns_are_found_whatever_their_case_and_blanks(tmp_path):
    path = written(tmp_path, f" ACCOUNT ,invoice, Issued,DUE,  amount\n{ROW}\n")
    assert facts_of(list(read_facts(path, profile())))[0].natural_key == "invoice:I1"


def test_a_quoted_cell_may_have_line_breaks_and_the_row_starts_where_it_starts(tmp_path):
    path = written(tmp_path, f'{HEADER},Note\r\n{ROW},"one\r\ntwo, ""three"""\r\n{ROW},x\r\n')
    assert lines_and_cells(path) == [
        (2, [*ROW.split(","), 'one\r\ntwo, "three"']),
        (4, [*ROW.split(","), "x"]),
    ]


def test_a_header_may_have_quoted_line_breaks(tmp_path):
    path = written(tmp_path, f'{HEADER},"Free\ntext"\n{ROW},x\n')
    assert [line for line, _ in lines_and_cells(path)] == [3]


def test_lines_above_the_header_are_passed_over(tmp_path):
    path = written(tmp_path, f'Report "of\nsep=,\n{HEADER}\n{ROW}\n')
    assert [line for line, _ in lines_and_cells(path, "header_line = 3")] == [4]


def test_a_stray_quotation_mark_costs_its_own_line_only(tmp_path):
    rows = [ROW.replace("I1", f"I{n}") for n in range(1, 6)]
    rows[1] = rows[1].replace("I2", '"I2')
    read = list(read_facts(written(tmp_path, "\n".join([HEADER, *rows]) + "\n"), profile()))
    assert [problem.line for problem in problems_of(read)] == [3]
    assert "quoting is broken" in str(problems_of(read)[0])
    assert [fact.natural_key for fact in facts_of(read)] == ["invoice:I1", "invoice:I3", "invoice:I4", "invoice:I5"]


def test_a_row_with_too_many_cells_is_a_problem_of_that_row(tmp_path):
    read = invoices(tmp_path, ROW, ROW + ",more", ROW + ",,,")
    assert [str(problem) for problem in problems_of(read)] == ["line 3: '6 cells'; expected 5 cells, as the header has"]
    assert len(facts_of(read)) == 2


def test_a_row_may_end_before_what_may_be_missing(tmp_path):
    """`A1,I1` lacks what every invoice has: its day and its amount."""
    read = invoices(tmp_path, "A1,I1", ROW)
    assert [(problem.line, problem.column) for problem in problems_of(read)] == [(2, "Issued"), (2, "Amount")]
    payments = written(tmp_path, "account_number,received_on,amount,currency,method,reference\nA1,2024-01-02,5,USD\n")
    assert len(facts_of(list(read_facts(payments, load_profile("payments"))))) == 1


def test_a_wrong_encoding_names_line_byte_and_what_was_expected(tmp_path):
    start = f"{HEADER}\nA1,I1,1/2/2024,2/1/2024,10.00\n".encode()
    path = written(tmp_path, start + "Ä2,I2,1/2/2024,,1.00\n".encode("cp1252"))
    message = rf"invoices.csv: line 3, byte {len(start) + 1}: 0xC4 is not utf-8; expected utf-8 .*encoding = \"cp1252\""
    with pytest.raises(FileProblem, match=message):
        list(read_facts(path, profile()))
    assert facts_of(list(read_facts(path, profile('encoding = "cp1252"'))))[1].account_number == "Ä2"


def test_a_wrong_byte_far_into_the_file_is_found_too(tmp_path):
    row = ROW.encode() + b"\n"
    path = written(tmp_path, HEADER.encode() + b"\n" + row * 60_000 + b"\xe9" + row)
    offset = len(HEADER) + 1 + len(row) * 60_000 + 1
    with pytest.raises(FileProblem, match=rf"line 60002, byte {offset}: 0xE9"):
        list(read_facts(path, profile()))


def test_utf_16_without_a_mark_is_recognised(tmp_path):
    path = written(tmp_path, f"{HEADER}\n{ROW}\n".encode("utf-16-le"))
    with pytest.raises(FileProblem, match="NUL characters, as UTF-16"):
        open_table(path, profile())


def test_a_missing_column_names_what_is_there_and_what_was_expected(tmp_path):
    path = written(tmp_path, "Account,Invoice,Issued,Due,Total\n")
    with pytest.raises(
        FileProblem, match=r"missing column 'Amount' \(profile test, columns.amount\); columns present: 'Acc"
    ):
        open_table(path, profile())


def test_a_column_that_stands_there_twice_is_refused_only_if_it_is_meant(tmp_path):
    assert facts_of(invoices(tmp_path, ROW + ",x,y", header=f"{HEADER},Note,Note"))
    with pytest.raises(FileProblem, match="column 'Amount' stands there 2 times"):
        invoices(tmp_path, ROW + ",1", header=f"{HEADER},amount")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "line 1 is empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or encrypted Excel workbook"),
        (b"\x1f\x8b\x08\x00", "compressed or not a table"),
        (b"PK\x03\x04 no zip", "not a readable workbook"),
    ],
)
def test_a_file_that_is_no_table_says_so(tmp_path, content, message):
    with pytest.raises(FileProblem, match=message):
        open_table(written(tmp_path, content), profile())


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileProblem, match="cannot be read: No such file"):
        open_table(tmp_path / "none.csv", profile())


def test_progress_ends_at_the_whole_file(tmp_path):
    path = written(tmp_path, f"{HEADER}\n" + f"{ROW}\n" * 3_000)
    seen: list[tuple[int, int]] = []
    list(read_facts(path, profile(), lambda done, total: seen.append((done, total))))
    assert len(seen) == 4
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def notices(path: Path, more: str = "") -> list[str]:
    return [str(notice) for notice in open_table(path, profile(more)).notices]


def test_columns_that_the_profile_does_not_map_are_named(tmp_path):
    path = written(tmp_path, f"Note,{HEADER},,Région,\nx,{ROW},,y\n")
    said = "invoices.csv: columns that the profile does not map were not used: "
    assert notices(path) == [f"{said}'Note', column 7, which has no name, 'Région'"]
    more = '[information]\nnote = "note"\nregion = "Région"'
    assert notices(path, more) == [f"{said}column 7, which has no name"]


def test_of_many_columns_that_are_not_used_some_are_named(tmp_path):
    path = written(tmp_path, f"{HEADER},{','.join(f'C{n}' for n in range(50))}\n{ROW}\n")
    (said,) = notices(path)
    assert said.endswith("'C18', 'C19' and 30 more")


def test_of_a_file_that_is_used_as_a_whole_there_is_nothing_to_say(tmp_path):
    assert notices(written(tmp_path, f"{HEADER},\n{ROW}\n")) == []
    assert notices(written(tmp_path, f"problem,{HEADER}\nline 2: bad,{ROW}\n", "invoices.rejects.csv")) == []


# --- workbooks ---------------------------------------------------------------------------------------


def test_a_workbooks_dates_and_numbers_are_read_as_they_are(tmp_path):
    path = workbook(
        tmp_path,
        HEADER.split(","),
        [1001, 2960623488.0, dt.date(2024, 1, 2), dt.datetime(2024, 2, 1), 2309.7899999999995],  # noqa: DTZ001
        [],
        ["A2", "I2", 45293, "2/1/2024", "1,234.50", None],
    )
    found = facts_of(list(read_facts(path, profile('dates = ["%m/%d/%Y", "excel"]'))))
    assert [(f.account_number, f.natural_key, str(f.effective_on)) for f in found] == [
        ("1001", "invoice:2960623488", "2024-01-02"),
        ("A2", "invoice:I2", "2024-01-02"),
    ]
    assert [f.amount.minor for f in found] == [230979, 123450]


def test_a_workbooks_text_that_begins_like_a_formula_is_text(tmp_path):
    rules = parse_profile('kind = "customers"\n[columns]\naccount_number = "A"\nname = "N"\n')
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.append(["A", "N"])
    page.append(["A1", None])
    page["B2"].value = "=1+1"
    page["B2"].data_type = "s"
    path = tmp_path / "customers.xlsx"
    book.save(path)
    assert facts_of(list(read_facts(path, rules)))[0].name == "=1+1"


def test_a_formulas_stored_result_is_taken_and_an_error_is_a_problem(tmp_path):
    path = workbook(tmp_path, HEADER.split(","), ["A1", "#N/A", "1/2/2024", None, 10])
    assert [problem.column for problem in problems_of(list(read_facts(path, profile())))] == ["Invoice"]


def test_a_number_that_lost_its_last_digits_in_a_workbook_is_refused(tmp_path):
    path = workbook(tmp_path, HEADER.split(","), ["A1", 1234567890123456768, "1/2/2024", None, 10])
    assert "kept as text" in problems_of(list(read_facts(path, profile())))[0].expected


def test_the_sheet_is_the_profiles(tmp_path):
    path = workbook(tmp_path, HEADER.split(","), ROW.split(","), sheet="Open Items", before=2)
    assert facts_of(list(read_facts(path, profile('sheet = "open items"\nheader_line = 3'))))
    with pytest.raises(FileProblem, match="there is no sheet 'other'; expected one of 'Open Items'"):
        open_table(path, profile('sheet = "other"'))
    with pytest.raises(FileProblem, match="there is no sheet 2"):
        open_table(path, profile("sheet = 2"))


def test_the_canonical_layouts_need_no_optional_column(tmp_path):
    path = written(tmp_path, "account_number,invoice_number,issued_on,due_on,amount,currency\nA,I,2024-01-02,,5,EUR\n")
    assert str(facts_of(list(read_facts(path, load_profile("invoices"))))[0].amount) == "5.00 EUR"


def test_a_workbook_of_kilobytes_that_unpacks_to_very_much_is_refused_before_it_is_unpacked(tmp_path):
    path = workbook(tmp_path, HEADER.split(","), ["A1", "I1", "1/2/2024", "", 10])
    hollow = repacked(path, {"xl/worksheets/sheet1.xml": b" " * 60_000_000})
    assert hollow.stat().st_size < 200_000
    with pytest.raises(FileProblem, match="unpacks to 60,000,000 bytes"):
        read_facts(hollow, profile())


@pytest.mark.parametrize("value", [b"999", b"-1", b"x"])
def test_a_workbook_with_a_text_that_is_not_there_is_not_readable_and_says_so(tmp_path, value):
    path = workbook(tmp_path, HEADER.split(","), ["A1", "I1", "1/2/2024", "", 10])
    rows = b"".join(b'<c t="s"><v>%s</v></c>' % value for _ in HEADER.split(","))
    sheet = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row>%s</row>'
    damaged = repacked(path, {"xl/worksheets/sheet1.xml": sheet % rows + b"</sheetData></worksheet>"})
    with pytest.raises(FileProblem, match="not a readable workbook"):
        list(read_facts(damaged, profile()))

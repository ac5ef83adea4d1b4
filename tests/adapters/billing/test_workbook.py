"""Workbooks as exporters write them: what concerns only looks costs no row, and numbers are read as they are shown."""

import datetime as dt
import io
import random
import re
import tracemalloc
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.billing.facts import CustomerFact, InvoiceFact
from adapters.billing.profile import Profile, load_profile, parse_profile
from adapters.billing.readers import FileProblem, open_table
from adapters.billing.source import read_facts
from adapters.billing.workbook import Workbook
from tests.adapters.billing.files import HEADER, facts_of, problems_of, profile, repacked, workbook, written
from tests.examples import examples

JAN_5, FEB_4 = dt.date(2026, 1, 5), dt.date(2026, 2, 4)
STYLES, SHEET, BOOK = "xl/styles.xml", "xl/worksheets/sheet1.xml", "xl/workbook.xml"
RESAVE = "open it in a spreadsheet, save it as an ordinary .xlsx, and import that"


def part(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as packed:
        return packed.read(name)


def replaced(path: Path, name: str, before: bytes, after: bytes, *, into: str = "other.xlsx") -> Path:
    content = part(path, name)
    assert before in content
    return repacked(path, {name: content.replace(before, after)}, into)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return workbook(tmp_path, HEADER.split(","), ["1001", "INV-1", JAN_5, FEB_4, 100])


def read(path: Path, more: str = "") -> InvoiceFact:
    rows = list(read_facts(path, profile(more)))
    assert problems_of(rows) == []
    (fact,) = facts_of(rows)
    assert isinstance(fact, InvoiceFact)
    return fact


def is_the_invoice(fact: InvoiceFact) -> bool:
    said = (fact.account_number, fact.invoice_number, fact.issued_on, fact.due_on, fact.amount.minor)
    return said == ("1001", "INV-1", JAN_5, FEB_4, 10000)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (STYLES, b"<fill><patternFill /></fill>", b"<fill/>"),
        (STYLES, b"<patternFill />", b"<patternFill><extLst/></patternFill>"),
        (STYLES, b'<family val="2" />', b'<family val="99"/>'),
        (STYLES, b"<cellStyleXfs", b'<unheard-of kind="x"/><cellStyleXfs'),
        (STYLES, b'xfId="0"', b'xfId="no number"'),
        (BOOK, b'tabRatio="600"', b'tabRatio="wide"'),
        (BOOK, b"<definedNames />", b'<definedNames><definedName name="_xlnm.Print_Area"/></definedNames>'),
        (SHEET, b'defaultRowHeight="15"', b'defaultRowHeight="tall"'),
        (SHEET, b"</sheetData>", b'</sheetData><pageSetup orientation="askew"/><conditionalFormatting/>'),
        (SHEET, b"</row></sheetData>", b"<extLst/></row></sheetData>"),
        ("docProps/core.xml", b"Z</dcterms:created>", b" at noon</dcterms:created>"),
        ("docProps/core.xml", b"<dcterms:created", b"<dc:strange>?</dc:strange><dcterms:created"),
        ("docProps/app.xml", b"<Application>", b"<Application>\xff"),
    ],
)  # fmt: skip
def test_what_concerns_only_looks_or_properties_costs_no_row(plain, name, before, after):
    assert is_the_invoice(read(replaced(plain, name, before, after)))


def test_a_sheets_own_dimension_is_not_believed(plain):
    assert is_the_invoice(read(replaced(plain, SHEET, b'<dimension ref="A1:E2" />', b'<dimension ref="A1" />')))


def test_parts_are_found_whatever_their_case_and_slashes(plain):
    renamed = repacked(plain, {SHEET: None, "xl\\Worksheets\\Sheet1.xml": part(plain, SHEET)})
    assert is_the_invoice(read(renamed))


@pytest.mark.parametrize("style", ["no styles", "a style that is not there"])
def test_a_date_without_a_format_is_refused_with_what_the_profile_can_say_and_read_where_it_says_so(plain, style):
    path = (
        repacked(plain, {STYLES: None})
        if style == "no styles"
        else replaced(plain, SHEET, b's="1"', b's="99"')
    )  # fmt: skip
    first, second = problems_of(list(read_facts(path, profile())))
    assert (first.column, first.value, second.column) == ("Issued", "46027", "Due")
    assert first.expected.endswith('the profile says dates = ["excel"] where the day number 46027 means 2026-01-05')
    assert is_the_invoice(read(path, 'dates = ["excel"]'))


def test_rows_and_cells_without_addresses_stand_one_after_the_other(plain):
    content = part(plain, SHEET)
    for column in "ABCDE":
        content = content.replace(f'r="{column}1" '.encode(), b"").replace(f'r="{column}2" '.encode(), b"")
    content = content.replace(b'<row r="1">', b"<row>").replace(b'<row r="2">', b"<row>")
    assert b'r="' not in content.partition(b"<sheetData>")[2].partition(b"</sheetData>")[0]
    assert is_the_invoice(read(repacked(plain, {SHEET: content})))


def in_strict(path: Path) -> Path:
    """The workbook in the namespaces of Strict Open XML, as Excel saves it: dates are ISO dates."""
    relations, main = "officeDocument/2006/relationships", "spreadsheetml/2006/main"
    changes: dict[str, bytes | None] = {}
    with zipfile.ZipFile(path) as packed:
        for name in packed.namelist():
            content = packed.read(name)
            for old, new in ((relations, "officeDocument/relationships"), (main, "spreadsheetml/main")):
                content = content.replace(
                    f"http://schemas.openxmlformats.org/{old}".encode(), f"http://purl.oclc.org/ooxml/{new}".encode()
                )
            changes[name] = content
    iso = changes[SHEET] or b""
    for number, day in (("46027", JAN_5), ("46057", FEB_4)):
        cell = f't="n"><v>{number}</v>'.encode()
        assert cell in iso
        iso = iso.replace(cell, f't="d"><v>{day}T00:00:00</v>'.encode())
    return repacked(path, {**changes, SHEET: iso}, "strict.xlsx")


def test_a_strict_workbook_is_read_like_any_other(plain):
    strict = in_strict(plain)
    assert b"http://schemas.openxmlformats.org/spreadsheetml" not in part(strict, SHEET)
    assert list(open_table(strict, profile()).rows()) == list(open_table(plain, profile()).rows())
    assert is_the_invoice(read(strict))


def test_texts_of_several_runs_are_one_and_say_nothing_of_how_they_are_pronounced(plain):
    runs = b'<is><r><rPr><family val="77"/></rPr><t>IN</t></r><r><t>V-1</t></r><rPh sb="0" eb="1"><t>in</t></rPh></is>'
    assert is_the_invoice(read(replaced(plain, SHEET, b"<is><t>INV-1</t></is>", runs)))
    escaped = replaced(plain, SHEET, b"<t>INV-1</t>", b"<t>INV_x005F_x0041_</t>", into="escaped.xlsx")
    assert read(escaped).invoice_number == "INV_x0041_"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({SHEET: b"<worksheet><sheetData><row>"}, f"sheet 'Sheet' is damaged; {RESAVE}"),
        ({STYLES: b"<styleSheet>"}, f"xl/styles.xml is damaged; {RESAVE}"),
        ({BOOK: None}, f"an archive without one in it; {RESAVE}, or a CSV"),
        ({SHEET: None}, f"there is no sheet of cells in it; {RESAVE}"),
        ({SHEET: b'<worksheet><sheetData><row><c r="ABCD1" t="n"><v>1</v></c></row></sheetData></worksheet>'},
         f"sheet 'Sheet' is damaged; {RESAVE}"),
    ],
)  # fmt: skip
def test_a_workbook_that_cannot_be_read_says_in_a_sentence_what_is_wrong_and_what_to_do(plain, changes, message):
    path = repacked(plain, changes)
    with pytest.raises(FileProblem) as caught:
        list(read_facts(path, profile()))
    assert str(caught.value).startswith("other.xlsx: ")
    assert str(caught.value).endswith(message)


def test_rows_that_do_not_stand_one_below_the_other_are_refused_before_one_is_lost(plain):
    path = replaced(plain, SHEET, b'<row r="1">', b'<row r="3">')
    with pytest.raises(FileProblem, match="sheet 'Sheet': row 2 stands below row 3; open it in a spreadsheet"):
        list(read_facts(path, profile("header_line = 3")))


WORDS = [b"", b"-1", b"x", b"<", b"&#0;", b"1e999", b"nan", b"ZZZZZZ1", b"\xff", b'"']


def test_whatever_is_damaged_the_rows_are_read_or_a_sentence_says_so(plain):
    archive, chance = plain.read_bytes(), random.Random(11)
    read = refused = 0
    for _ in range(300):
        content = bytearray(archive)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(4, len(content))] = chance.randrange(256)
        path = written(plain.parent, bytes(content), "damaged.xlsx")
        if chance.random() < 0.7:
            name = chance.choice([SHEET, STYLES, BOOK, "_rels/.rels", "xl/_rels/workbook.xml.rels"])
            said = part(plain, name)
            place, length = chance.randrange(len(said)), chance.randint(0, 5)
            changed = said[:place] + chance.choice(WORDS) + said[place + length :]
            path = repacked(plain, {name: changed}, "damaged.xlsx")
        try:
            read += len(list(read_facts(path, profile())))
        except FileProblem:
            refused += 1
    assert read
    assert refused


def test_a_part_that_begins_before_the_file_is_damage_too(plain):
    content = bytearray(plain.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    content[end + 16 : end + 20] = (2**31).to_bytes(4, "little")
    plain.write_bytes(content)
    with pytest.raises(FileProblem, match=r"not a readable workbook: .* is damaged; open it in a spreadsheet"):
        open_table(plain, profile())


def test_a_document_type_is_refused_whose_entities_would_grow(plain):
    """Also where so much stands before them that expat lets them: it bounds them by what was read."""
    entity = f'<!DOCTYPE worksheet [<!ENTITY a "{"x" * 10_000}">]>'
    for before, references in ((0, 100_000), (5_000_000, 30_000)):
        cell = f'<row r="1"><c r="A1" t="str"><v>{"&a;" * references}</v></c></row>'
        bomb = f"{entity}<worksheet>{' ' * before}<sheetData>{cell}</sheetData></worksheet>"
        path = repacked(plain, {SHEET: bomb.encode()})
        assert path.stat().st_size < 20_000
        with pytest.raises(FileProblem, match="a part of it declares a document type; open it in a spreadsheet"):
            list(read_facts(path, profile()))


@pytest.mark.parametrize("name", [STYLES, BOOK, "_rels/.rels", "xl/_rels/workbook.xml.rels"])
def test_no_part_that_is_read_may_have_a_document_type(plain, name):
    content = re.sub(rb"^<\?.*?\?>", b"", part(plain, name))
    path = repacked(plain, {name: b"<!-- as it was --><!DOCTYPE x>" + content})
    with pytest.raises(FileProblem, match="a part of it declares a document type"):
        list(read_facts(path, profile()))


def test_a_part_is_not_believed_to_be_larger_than_its_file(plain):
    """A kilobyte that says it holds a hundred million bytes unpacks to too much all the same."""
    row = b'<row r="1"><c r="A1" t="str"><v>Account</v></c></row>'
    sheet = b"<worksheet><sheetData>%b</sheetData>%b</worksheet>" % (row, b" " * 60_000_000)
    content = bytearray(repacked(plain, {SHEET: sheet}).read_bytes())
    entry = content.rindex(SHEET.encode()) - 46  # PKWARE APPNOTE 4.3.12: its entry of the directory, to the name
    assert content[entry : entry + 4] == b"PK\x01\x02"
    content[entry + 20 : entry + 24] = (100_000_000).to_bytes(4, "little")
    path = written(plain.parent, bytes(content), "lying.xlsx")
    with pytest.raises(FileProblem, match=r"unpacks to 60,000,\d+ bytes, more than 100 times what the file holds"):
        open_table(path, profile())


def test_a_number_with_a_decimal_comma_is_the_profiles_to_read(plain):
    path = replaced(plain, SHEET, b"<v>100</v>", b"<v>100,00</v>")
    assert is_the_invoice(read(path, 'decimal = ","'))
    assert [problem.column for problem in problems_of(list(read_facts(path, profile())))] == ["Amount"]


values = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="_"), max_size=20)
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.dates(dt.date(1900, 3, 1), dt.date(2199, 12, 31))
    | st.datetimes(dt.datetime(1900, 3, 1), dt.datetime(2199, 12, 31)).map(lambda at: at.replace(microsecond=0))  # noqa: DTZ001
    | st.none()
)


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.lists(values, max_size=6), max_size=6), st.booleans())
def test_cells_are_what_openpyxl_reads(rows, since_1904):
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    if since_1904:
        book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
        rows = [[None if isinstance(cell, dt.date) and cell.year < 1905 else cell for cell in row] for row in rows]
    for row in rows:
        page.append(row)
        for cell in page[page.max_row]:
            if isinstance(cell.value, str):
                cell.data_type = "s"  # what begins with = is a text here
    file = io.BytesIO()
    book.save(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sheet = openpyxl.load_workbook(io.BytesIO(file.getvalue()), read_only=True, data_only=True).worksheets[0]
    sheet.reset_dimensions()
    expected = [list(row) for row in sheet.iter_rows(values_only=True)]
    ours = Workbook(file)
    found = dict(ours.rows(ours.sheets[0]))
    assert [_trimmed(found.get(number, [])) for number in range(1, len(expected) + 1)] == [
        _trimmed(row) for row in expected
    ]


def _trimmed(cells: Sequence[object]) -> list[object]:
    while cells and cells[-1] in (None, ""):
        cells = cells[:-1]
    return [None if cell == "" else cell for cell in cells]


def test_a_large_sheet_is_read_in_bounded_memory(tmp_path):
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet()
    page.append(HEADER.split(","))
    for number in range(3_000):
        page.append([number % 50, number, JAN_5, None, 1])
    book.save(path := tmp_path / "large.xlsx")
    read_it = read_facts(path, profile())
    next(read_it)
    tracemalloc.start()
    try:
        rows = sum(1 for _ in read_it)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows == 2_999
    assert peak < 1_000_000  # the rows' elements, kept, would take several times as much


# --- sheets ------------------------------------------------------------------------------------------


def two_sheets(folder: Path, first: str, second: str) -> Path:
    """The sheets "old" and "Invoices" in these states; both hidden is what neither Excel nor openpyxl would save."""
    book = openpyxl.Workbook()
    for title, number in (("old", "INV-OLD"), ("Invoices", "INV-1")):
        sheet = book.create_sheet(title)
        sheet.append(HEADER.split(","))
        sheet.append(["1001", number, JAN_5, FEB_4, 100])
    book.remove(book.worksheets[0])
    book.save(path := folder / "visible.xlsx")
    said = part(path, BOOK)
    for title, state in (("old", first), ("Invoices", second)):
        before, after = f'name="{title}" sheetId', f'name="{title}" state="{state}" sheetId'
        assert before.encode() in said
        said = said.replace(before.encode(), after.encode())
    return repacked(path, {BOOK: said.replace(b' state="visible" r:id', b" r:id")}, "two.xlsx")


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_the_first_sheet_is_the_first_that_one_sees_and_what_was_not_read_is_named(tmp_path, state):
    path = two_sheets(tmp_path, state, "visible")
    assert is_the_invoice(read(path))
    assert [str(notice) for notice in open_table(path, profile()).notices] == [
        "two.xlsx: other sheets were not read: 'old' (hidden)"
    ]
    with pytest.raises(FileProblem, match="there is no sheet 2; expected one of 'old', 'Invoices'"):
        open_table(path, profile("sheet = 2"))


def test_a_hidden_sheet_is_read_where_the_profile_names_it(tmp_path):
    path = two_sheets(tmp_path, "hidden", "visible")
    assert read(path, 'sheet = "Old"').invoice_number == "INV-OLD"
    assert [str(each) for each in open_table(path, profile('sheet = "Old"')).notices] == [
        "two.xlsx: other sheets were not read: 'Invoices'"
    ]


def test_a_workbook_whose_sheets_are_all_hidden_is_refused_and_names_them(tmp_path):
    path = two_sheets(tmp_path, "hidden", "hidden")
    with pytest.raises(FileProblem, match=r"two\.xlsx: every sheet is hidden: 'old', 'Invoices'; show the one"):
        open_table(path, profile())
    assert is_the_invoice(read(path, 'sheet = "Invoices"'))


# --- numbers as they are shown -----------------------------------------------------------------------


def formatted(folder: Path, value: object, form: str, column: str = "A") -> Path:
    path = workbook(folder, HEADER.split(","), ["1001", "INV-1", JAN_5, FEB_4, 100])
    book = openpyxl.load_workbook(path)
    page = book.worksheets[0]
    page[f"{column}2"].value = value
    page[f"{column}2"].number_format = form
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (123, "00000", "00123"),
        (123.0, "00000", "00123"),
        (0, "00000", "00000"),
        (123456, "00000", "123456"),
        (123, "00000;-00000", "00123"),
        (123, "00000;[Red]-00000;0;@", "00123"),
        (0, "00000;-00000;000", "000"),
        (123, "[$-409]00000", "00123"),
        (123, "[Blue]00000_)", "00123"),
        (123, "#00000", "00123"),
        (123, '"INV-"00000', "INV-00123"),
        (123, r"\K00000\/\A", "K00123/A"),
        (123, '"A"0', "A123"),
        (12345678, "000-00-0000", "012-34-5678"),
        # The number itself: nothing that only identifies is written like this.
        (123, "General", "123"),
        (123, "0", "123"),
        (123, "@", "123"),
        (1234, "#,##0", "1234"),
        (1234, "#,##0.00", "1234"),
        (123, '0.00 "EUR"', "123"),
        (123, "[>99]00000;0", "123"),
        (123, "0.00E+00", "123"),
        (123.5, "00000", "123.5"),
        (-123, "00000", "-123"),
        (True, "00000", "yes"),
        ("123", "00000", "123"),
    ],
)
def test_an_account_number_is_read_as_its_format_shows_it(tmp_path, value, form, shown):
    assert read(formatted(tmp_path, value, form)).account_number == shown


def test_an_amount_is_never_read_as_its_format_shows_it(tmp_path):
    assert read(formatted(tmp_path, 100, '"9"00000', "E")).amount.minor == 10000


def test_a_number_that_lost_its_last_digits_is_refused_whatever_its_format(tmp_path):
    path = formatted(tmp_path, 1234567890123456768, "0" * 20)
    assert "kept as text" in problems_of(list(read_facts(path, profile())))[0].expected


def test_postal_codes_phones_and_subscriptions_are_read_as_they_are_shown(tmp_path):
    header = [
        "account_number",
        "postal_code",
        "phone_1",
        "subscription_1",
        "subscription_1_initial_discount",
        "currency",
    ]
    path = workbook(tmp_path, header, [7, 1234, 301234567, 42, 5, "USD"])
    book = openpyxl.load_workbook(path)
    for cell, form in zip("ABCDE", ["0000", "00000", "0000000000", '"S"000', "00000"], strict=True):
        book.worksheets[0][f"{cell}2"].number_format = form
    book.save(path)
    customer, subscription = facts_of(list(read_facts(path, load_profile("customers"))))
    assert isinstance(customer, CustomerFact)
    assert (customer.account_number, customer.postal_code) == ("0007", "01234")
    assert [phone.number for phone in customer.phones] == ["0301234567"]
    assert (subscription.subscription_number, subscription.initial_discount.minor) == ("S042", 500)


def accounts(path: Path, rules: Profile) -> list[str]:
    rows = list(read_facts(path, rules))
    assert problems_of(rows) == []
    return [fact.account_number for fact in facts_of(rows)]


CUSTOMERS = parse_profile('kind = "customers"\n[columns]\naccount_number = "A"\nname = "N"\n')


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**14), st.integers(1, 14)), min_size=1, max_size=10))
def test_an_identifier_is_the_same_as_a_formatted_number_as_text_and_as_a_formula_in_a_csv(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[tuple[int, int]]
):
    folder = tmp_path_factory.mktemp("same")
    texts = [f"{number:0{digits}}" for number, digits in numbers]
    as_numbers = workbook(folder, ["A", "N"], *[[number, "x"] for number, _ in numbers])
    book = openpyxl.load_workbook(as_numbers)
    for row, (_, digits) in enumerate(numbers, 2):
        book.worksheets[0].cell(row, 1).number_format = "0" * digits
    book.save(as_numbers)
    as_numbers = as_numbers.replace(folder / "numbers.xlsx")
    as_texts = workbook(folder, ["A", "N"], *[[text, "x"] for text in texts])
    bare = written(folder, "A,N\n" + "".join(f"{text},x\n" for text in texts), "bare.csv")
    formulas = written(folder, "A,N\n" + "".join(f'="{text}",="x"\n' for text in texts), "formulas.csv")
    quoted = written(folder, "A,N\n" + "".join(f'"=""{text}""",x\n' for text in texts), "quoted.csv")
    twice = written(folder, "A,N\n" + "".join(f'=""{text}"",x\n' for text in texts), "twice.csv")
    for path in (as_numbers, as_texts, bare, formulas, quoted, twice):
        assert accounts(path, CUSTOMERS) == texts, path.name

"""Small files and profiles for these tests."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl

from adapters.billing.profile import Profile, parse_profile
from adapters.billing.rows import ParsedRow, RowProblem
from adapters.billing.source import read_facts

INVOICES = """
kind = "invoices"
dates = ["%m/%d/%Y"]
currency_signs = ["$"]
{more}
[columns]
account_number = "Account"
invoice_number = "Invoice"
issued_on = "Issued"
due_on = "Due"
amount = "Amount"
[defaults]
currency = "USD"
"""
HEADER = "Account,Invoice,Issued,Due,Amount"


def profile(more: str = "") -> Profile:
    """The profile of the small invoice files; `more` are keys for its top."""
    toml = INVOICES.format(more=more)
    if "dates =" in more:
        toml = toml.replace('dates = ["%m/%d/%Y"]\n', "", 1)
    return parse_profile(toml, "test.toml", name="test")


def written(folder: Path, content: str | bytes, name: str = "invoices.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def invoices(folder: Path, *rows: str, header: str = HEADER, more: str = "") -> list[ParsedRow]:
    """What rows of a small invoice file say."""
    return list(read_facts(written(folder, "\n".join([header, *rows]) + "\n"), profile(more)))


def facts_of(rows: list[ParsedRow]) -> list[Any]:
    """The facts of all rows, of whatever kind the test knows them to be."""
    return [fact for row in rows for fact in row.facts]


def problems_of(rows: list[ParsedRow]) -> list[RowProblem]:
    return [problem for row in rows for problem in row.problems]


def workbook(folder: Path, *rows: Sequence[object], sheet: str = "Sheet", before: int = 0) -> Path:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    for _ in range(before):
        page.append(["Report"])
    for row in rows:
        page.append(list(row))
    path = folder / "invoices.xlsx"
    book.save(path)
    return path


def repacked(path: Path, changes: Mapping[str, bytes | None], name: str = "other.xlsx") -> Path:
    """The workbook with other parts; None: without this part."""
    with zipfile.ZipFile(path) as packed:
        parts: dict[str, bytes | None] = {each: packed.read(each) for each in packed.namelist()}
    target = path.with_name(name)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for each, content in {**parts, **changes}.items():
            if content is not None:
                packed.writestr(each, content)
    return target

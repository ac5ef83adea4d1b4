"""Small files and profiles for these tests."""

from pathlib import Path
from typing import Any

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

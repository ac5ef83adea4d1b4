"""Whoever reads that something stands elsewhere can look it up: every document that is cited is in this repository.

Schemas are not looked at: their words come from docstrings, and those of earlier versions never change.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "docs", "deploy", ".ci")
FILES = ("README.md", "dev", "mkdocs.yml", "pyproject.toml")
KINDS = {".py", ".md", ".toml", ".yml", ".yaml", ".sql", ".html", ".example", ""}

# A name in capitals that is cited as a document is: NAME section 3, (NAME: by due date), NAME asks the question.
CITED = re.compile(r"\b([A-Z]{5,})(?=,? section\b| ?§| (?:asks|says|wants|demands)\b)|\(([A-Z]{5,})(?=: )")
PAGE = re.compile(r"(?<![\w./-])(?!NNNN-)[\w./-]+\.md\b")
"""Not `NNNN-…`, which stands for any decision."""
DECISION = re.compile(r"\bADR[ -]?(\d+)\b")


def texts() -> list[Path]:
    everywhere = (each for folder in FOLDERS for each in (ROOT / folder).rglob("*"))
    found = [each for each in everywhere if each.is_file() and each.suffix in KINDS]
    return sorted([*found, *(ROOT / name for name in FILES)])


TEXTS = texts()
PAGES = ["/" + str(each.relative_to(ROOT)) for each in TEXTS if each.suffix == ".md"]
NAMES = {each.stem for each in TEXTS if each.stem.isupper()}
DECISIONS = {int(each.name.partition("-")[0]) for each in (ROOT / "docs" / "adr").glob("0*.md")}


def prose(path: Path) -> Iterator[str]:
    """A text's lines; of Python, only comments and strings. Nothing of it where nothing at all is cited in vain."""
    text = path.read_text(encoding="utf-8")
    if not cited_in_vain(text):
        return
    if path.suffix != ".py":
        yield text
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in {tokenize.COMMENT, tokenize.STRING}:
            yield token.string


def cited_in_vain(text: str) -> list[str]:
    """What is cited there and is not here."""
    names = [one or other for one, other in CITED.findall(text)]
    return [
        *(name for name in names if name not in NAMES),
        *(page for page in PAGE.findall(text) if not is_here(page)),
        *(f"ADR {number}" for number in DECISION.findall(text) if int(number) not in DECISIONS),
    ]


def is_here(page: str) -> bool:
    wanted = "/" + re.sub(r"^(\.*/)+", "", page)
    return any(each.endswith(wanted) for each in PAGES)


def test_every_document_that_is_cited_is_here():
    assert {
        str(path.relative_to(ROOT)): missing
        for path in TEXTS
        if path != Path(__file__) and (missing := [each for text in prose(path) for each in cited_in_vain(text)])
    } == {}


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("Oldest due first (MANUAL section 2).", ["MANUAL"]),
        ("By age (MANUAL: by due date).", ["MANUAL"]),
        ("counts of branches: HOUSERULES asks the question", ["HOUSERULES"]),
        ("see docs/manual.md and [there](../manual.md)", ["docs/manual.md", "../manual.md"]),
        ("the words are personal (ADR 999)", ["ADR 999"]),
        ("see docs/cli.md, [the way](../http.md), README.md and ADR 0016", []),
        ("12 CFR 1006.14(b); RFC 9110, section 13; README says so", []),
    ],
)
def test_a_citation_of_what_is_not_here_is_seen(text: str, cited: list[str]):
    assert cited_in_vain(text) == cited

"""`arrears statement` and `arrears invoice copy`."""

from pathlib import Path

from tests.api.cli.conftest import Arrears


def test_a_statement_and_a_copy_as_json_or_as_a_paper_that_overwrites_nothing(portfolio: Arrears, tmp_path: Path):
    said = portfolio("statement", "A-1", "--as-of", "2026-02-09", "--format", "json").json
    assert [(each["number"], each["open"]["amount"]) for each in said["items"]] == [
        ("INV-1", "100.00"),
        ("INV-2", "250.50"),
    ]
    out = tmp_path / "statement.pdf"
    assert "bytes" in portfolio("statement", "A-1", "--out", str(out)).out
    assert out.read_bytes()[:5] == b"%PDF-"
    assert "is there already" in portfolio("statement", "A-1", "--out", str(out), code=1).err
    assert "--out FILE" in portfolio("statement", "A-1", "--format", "pdf", code=2).err
    copy = tmp_path / "copy.pdf"
    portfolio("invoice", "copy", "A-1", "INV-1", "--out", str(copy))
    assert copy.read_bytes()[:5] == b"%PDF-"
    assert portfolio("invoice", "copy", "A-1", "INV-1").json["paid"]["amount"] == "40.00"
    assert "no invoice INV-9" in portfolio("invoice", "copy", "A-1", "INV-9", code=1).err

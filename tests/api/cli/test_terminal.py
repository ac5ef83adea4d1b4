"""What people typed reaches the terminal as text: nothing in it is heeded, whichever function prints it."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api import logs, terminal
from api.cli import output, problems
from api.cli.tables import figure, key, prose, tabular, text, word

HEEDED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What a terminal acts on instead of showing it; a line feed ends what a function prints."""

ATTACKS = [
    "\x1b]0;owned\x07",
    "\x1b[2J\x1b[1;1HError: paid",
    "\x9b31m",
    "a\rb",
    "a\nHint: rm -rf",
    "\u202egnp.exe",
    "\u2066x",
    "\x7f\x08\x08",
    "\ud800",
    "\u2028new line",
]
TYPED = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=60), st.text("\x1b[;m\x9b\r\n\t\x07\u202e0a", max_size=40))


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


class File(io.StringIO):
    """A stream that nobody looks at."""


def said_by(printing: Callable[[], Any], stream: Callable[[], io.StringIO] = Terminal) -> str:
    with pytest.MonkeyPatch.context() as patch:
        out, err = stream(), stream()
        patch.setattr("sys.stdout", out)
        patch.setattr("sys.stderr", err)
        patch.setenv("TERM", "dumb")
        tabular(printing)()
    return out.getvalue() + err.getvalue()


COLUMNS = (key("account"), text("customer", 1), prose("why", 2), word("stage", 3), figure("balance"))
PRINTED: dict[str, Callable[[str], Any]] = {
    "say": output.say,
    "note": output.note,
    "error": lambda typed: problems.show(typed, typed),
    "table": lambda typed: output.print_table(COLUMNS, [[typed] * len(COLUMNS)], title=typed),
    "fields": lambda typed: output.print_fields([("reason", typed), (typed, "reason")]),
    "json": lambda typed: output.print_json({typed: [typed]}),
    "csv": lambda typed: output.print_csv(("name", typed), [[typed, typed]]),
}


@pytest.mark.parametrize("name", PRINTED)
@given(typed=TYPED)
def test_nothing_typed_is_heeded_by_the_terminal(name: str, typed: str):
    said = said_by(lambda: PRINTED[name](typed))
    if name == "csv":
        said = said.replace("\r\n", "\n")  # ends its lines so
    assert HEEDED.findall(said) == []
    said.encode()  # no half of a character


@pytest.mark.parametrize("name", ["say", "note"])
@given(typed=TYPED)
def test_a_line_stays_one_line(name: str, typed: str):
    assert said_by(lambda: PRINTED[name](typed)).count("\n") == 1


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
@example("Müller & Söhne, 日本 – …")
def test_ordinary_text_stays_as_it_is(typed: str):
    assert terminal.line(typed) == typed


def test_what_is_taken_out_is_visible():
    assert terminal.line("pay\x1b[2Jed\u202e") == "pay\\x1b[2Jed\\u202e"
    assert terminal.line("one\r\n\ttwo") == "one two"


@given(TYPED)
def test_json_says_exactly_what_was_typed(typed: str):
    assert json.loads(said_by(lambda: output.print_json({"reason": typed}))) == {"reason": typed}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_csv_file_holds_exactly_what_was_typed(typed: str):
    said = said_by(lambda: output.print_csv(("reason",), [[typed]]), File)
    (_, (cell,)) = csv.reader(io.StringIO(said, newline="")) if typed else ((), ("",))
    assert cell.removeprefix("'") == typed.removeprefix("'")


def test_a_defect_keeps_its_traceback_without_what_it_quotes(monkeypatch: pytest.MonkeyPatch):
    err = Terminal()
    monkeypatch.setattr("sys.stderr", err)
    error = ValueError("\x1b[2Jgone")
    problems.show_defect(ValueError, error, None)
    assert err.getvalue() == "ValueError: \\x1b[2Jgone\n"


def test_logs_on_a_terminal_quote_nothing_raw():
    assert logs.for_terminal(None, "info", {"said": "\x1b[2J", "count": 1}) == {"said": "\\x1b[2J", "count": 1}

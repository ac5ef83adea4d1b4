"""The catalogue of refusals is whole: each code is used, each that is used is in it, and each says what is wrong."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from aggregates.kernel.command import public_commands
from aggregates.kernel.refusals import REFUSALS, Refusal, RefusalCode, catalogue

SRC = Path(__file__).parents[2] / "src"
SAYS_A_REFUSAL = {"Refusal", "Rejected"}
PASSED_ON = {"src/aggregates/kernel/deciding.py", "src/adapters/eventstore/outcomes.py"}
"""Where a refusal that was made elsewhere is written down or read."""


@dataclass(frozen=True)
class Said:
    """A place where something is refused: the code and the detail as they are written there."""

    where: str
    code: ast.expr
    detail: ast.expr
    function: ast.FunctionDef | None


@dataclass(frozen=True)
class Call:
    """A call, and the function that it stands in."""

    where: str
    node: ast.Call
    function: ast.FunctionDef | None


class Sources:
    """The calls in some modules, by the name of what is called. A module is parsed where one is asked for."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules
        self._parsed: dict[str, dict[str, list[Call]]] = {}

    def calls(self, name: str) -> list[Call]:
        called = [file for file, text in self._modules.items() if f"{name}(" in text]
        return [call for file in called for call in self._calls_in(file)[name]]

    def _calls_in(self, file: str) -> dict[str, list[Call]]:
        if file not in self._parsed:
            self._parsed[file] = defaultdict(list)
            self._look(file, ast.parse(self._modules[file]), None)
        return self._parsed[file]

    def _look(self, file: str, node: ast.AST, function: ast.FunctionDef | None) -> None:
        if isinstance(node, ast.FunctionDef):
            function = node
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    self._parsed[file][name].append(Call(f"{file}:{node.lineno}", node, function))
        for child in ast.iter_child_nodes(node):
            self._look(file, child, function)

    def refusals(self) -> Iterator[Said]:
        for name in sorted(SAYS_A_REFUSAL):
            for call in self.calls(name):
                match call.node.args:
                    case [code, detail]:
                        yield Said(call.where, code, detail, call.function)

    def texts(self, function: str, position: int) -> set[str]:
        """The texts that a function is called with."""
        given = [call.node.args[position] for call in self.calls(function) if len(call.node.args) > position]
        return {each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str)}


@pytest.fixture(scope="module")
def ours() -> Sources:
    """Of everything in `src`."""
    return Sources({str(path.relative_to(SRC.parent)): path.read_text("utf-8") for path in sorted(SRC.rglob("*.py"))})


def codes(said: Said, sources: Sources) -> set[str]:
    """Every code that this place can refuse with: `f"unknown-{kind}"` is one for each kind that the function gets."""
    match said.code:
        case ast.Constant(value=str(code)):
            return {code}
        case ast.JoinedStr(values=parts):
            return {"".join(each) for each in spelled(parts, said, sources)}
    raise AssertionError(f"{said.where}: a code has to be written out, or a text with a kind in it")


def spelled(parts: list[ast.expr], said: Said, sources: Sources) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [()]
    for part in parts:
        found = [(*before, text) for before in found for text in sorted(kinds(part, said, sources))]
    return found


def kinds(part: ast.expr, said: Said, sources: Sources) -> set[str]:
    match part:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.FormattedValue(value=ast.Name(id=name)) if said.function is not None:
            parameters = [argument.arg for argument in said.function.args.args if argument.arg != "self"]
            return sources.texts(said.function.name, parameters.index(name))
        case ast.FormattedValue(value=ast.Attribute(attr="kind")):
            return sources.texts("document_key", 1)
    raise AssertionError(f"{said.where}: what stands in {ast.unparse(part)} cannot be read here")


def used(sources: Sources) -> dict[str, list[str]]:
    """Where each code is refused with."""
    found: dict[str, list[str]] = defaultdict(list)
    for said in sources.refusals():
        if said.where.rpartition(":")[0] in PASSED_ON and not isinstance(said.code, ast.Constant):
            continue
        for code in codes(said, sources):
            found[code].append(said.where)
    for call in sources.calls("Problem"):  # an answer that is no decision's
        for keyword in call.node.keywords:
            if keyword.arg == "reason_code" and isinstance(keyword.value, ast.Constant):
                found[str(keyword.value.value)].append(call.where)
    return found


def test_every_code_that_is_used_is_in_the_catalogue(ours: Sources):
    assert {code: where for code, where in used(ours).items() if code not in REFUSALS} == {}


def test_every_code_of_the_catalogue_is_used(ours: Sources):
    assert REFUSALS.keys() - used(ours).keys() == set()


def test_every_kind_in_a_code_was_found(ours: Sources):
    found = used(ours)
    assert {"unknown-promise", "unknown-invoice", "duplicate-credit", "payment-reversed"} <= found.keys()


def test_a_code_that_nobody_has_written_down_is_found():
    sources = Sources({"src/new.py": "def no(kind):\n    raise Refusal(f'lost-{kind}', 'gone')\nno('cheque')\n"})
    assert used(sources) == {"lost-cheque": ["src/new.py:2"]}
    with pytest.raises(AssertionError, match="has to be written out"):
        used(Sources({"src/new.py": "raise Refusal(code, 'gone')"}))
    with pytest.raises(LookupError, match="no refusal has the code"):
        Refusal("lost-cheque", "gone")


def says_something(detail: ast.expr) -> bool:
    match detail:
        case ast.Constant(value=str(text)):
            return bool(text.strip())
        case ast.JoinedStr(values=parts):
            return any(isinstance(part, ast.Constant) and str(part.value).strip() for part in parts)
    return False


def test_every_refusal_says_in_words_what_is_wrong(ours: Sources):
    made = [said for said in ours.refusals() if said.where.rpartition(":")[0] not in PASSED_ON]
    assert len(made) > 40
    assert [said.where for said in made if not says_something(said.detail)] == []


def test_every_sentence_of_the_catalogue_is_one():
    assert [
        code for code, each in REFUSALS.items() if not each.sentence[:1].isupper() or each.sentence[-1] != "."
    ] == []
    assert {each.status for each in REFUSALS.values()} == {404, 409}
    assert {code for code, each in REFUSALS.items() if each.status == 404} == {
        code for code in REFUSALS if code.startswith("unknown-")
    }


def test_a_natural_key_that_is_taken_has_a_code(ours: Sources):
    kinds_of_keys = ours.texts("document_key", 1)
    assert kinds_of_keys == {"invoice", "payment", "credit"}
    assert {f"duplicate-{kind}" for kind in kinds_of_keys} <= REFUSALS.keys()
    with_keys = {name for name, command in public_commands().items() if "natural_key" in vars(command)}
    assert with_keys == {"bill-invoice", "receive-payment", "note-credit", "post-agency-payment", "resolve-dispute"}


def test_a_code_stands_once():
    with pytest.raises(ValueError, match="'other-office' stands twice"):
        catalogue([RefusalCode("other-office", "One."), RefusalCode("other-office", "Two.")])

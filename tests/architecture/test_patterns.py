"""Every pattern that a text has to match is declared with words, so that no refusal quotes a regular expression."""

import ast

import pytest

from tests.architecture.test_purity import SRC, calls, named, parsed

_TAKE_PATTERNS = {"StringConstraints", "Field", "Query", "Path", "Body", "Header", "Cookie", "Form"}


def undeclared(tree: ast.AST) -> list[int]:
    """Lines on which a constraint has a pattern that did not come from its declaration."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _TAKE_PATTERNS
        for keyword in node.keywords
        if keyword.arg in {"pattern", "regex"}
        and not (
            isinstance(keyword.value, ast.Call)
            and isinstance(keyword.value.func, ast.Name)
            and keyword.value.func.id == "pattern"
        )
    ]


def test_every_pattern_is_declared_with_words():
    found = [f"{named(path)}:{line}" for path in sorted(SRC.rglob("*.py")) for line in undeclared(parsed(path))]
    assert found == []


def test_patterns_are_found():
    assert any(name == "pattern" for path in SRC.rglob("*.py") for _, name, _ in calls(parsed(path)))


@pytest.mark.parametrize(
    "source", ['Field(pattern="^a$")', "StringConstraints(max_length=4, pattern=A)", 'Query(None, regex="a")']
)
def test_an_undeclared_one_would_be_found(source: str):
    assert undeclared(ast.parse(source)) == [1]
    assert undeclared(ast.parse('Field(pattern=pattern("^a$", "an a"))')) == []

"""No test depends on how quick the machine is: who waits for something does so until it hangs (tests/waiting.py)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FILES = [path for path in TESTS.rglob("*.py") if "benchmarks" not in path.parts]
WAITS = {"wait", "wait_for", "join", "communicate", "result", "exception", "acquire", "sleep"}
LONG_ENOUGH = 1.0
"""Seconds. Who waits for less waits to see that nothing happens, or looks again."""


def limits_in(tree: ast.AST) -> Iterator[ast.expr]:
    """Literal time limits: of waits, as `timeout=`, and as a moment from now."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            given = [*(node.args[:1] if name in WAITS else []), *(k.value for k in node.keywords if k.arg == "timeout")]
        elif isinstance(node, ast.BinOp) and is_time_limit(node.right) and "monotonic" in ast.unparse(node.left):
            given = [node.right]
        else:
            continue
        for each in given:
            if is_time_limit(each):
                yield each


def is_time_limit(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value >= LONG_ENOUGH


@pytest.mark.parametrize(
    "text", ["thread.join(5)", "run(timeout=60)", "until = time.monotonic() + 10", "time.sleep(2)"]
)
def test_a_time_limit_is_found(text: str):
    assert len(list(limits_in(ast.parse(text)))) == 1


@pytest.mark.parametrize("text", ["thread.join(HANG)", "', '.join(names)", "stop.wait(0.02)", "thread.join()"])
def test_what_is_none_is_not_found(text: str):
    assert list(limits_in(ast.parse(text))) == []


def test_no_test_has_a_time_limit_of_its_own():
    found = [
        f"{path.relative_to(TESTS)}:{limit.lineno}: {ast.unparse(limit)}"
        for path in FILES
        for limit in limits_in(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []

"""What keeps the inner rooms pure, beyond the direction of imports between rooms."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
PURE = ("aggregates", "policies", "projections")

CLOCKS = {"now", "utcnow", "today", "fromtimestamp", "time", "monotonic", "perf_counter", "time_ns"}
CLOCK_OWNERS = {"datetime", "date", "time"}
LIBRARIES = {"babel", "holidays", "phonenumbers"}
"""What policies look facts up in: zones of countries, holidays, zones of telephone numbers."""
RANDOM = {"uuid1", "uuid4", "uuid6", "uuid7", "random", "randint", "choice", "token_hex", "urandom", "token_bytes"}


def sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (SRC / room).rglob("*.py"))


def calls(tree: ast.AST) -> Iterator[tuple[str | None, str, int]]:
    """Owner, name and line of every call: `datetime.now()` is ("datetime", "now")."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(value=ast.Name(id=owner), attr=name):
                    yield owner, name, node.lineno
                case ast.Name(id=name):
                    yield None, name, node.lineno


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def named(path: Path) -> str:
    return str(path.relative_to(SRC))


@pytest.mark.parametrize("path", sources(*PURE), ids=named)
def test_the_inner_rooms_read_no_clock_and_make_no_random_ids(path: Path):
    guilty = [
        (line, f"{owner}.{name}")
        for owner, name, line in calls(parsed(path))
        if (owner in CLOCK_OWNERS and name in CLOCKS) or name in RANDOM
    ]
    assert guilty == []


@pytest.mark.parametrize("path", sources("aggregates", "policies"), ids=named)
def test_money_is_never_a_float(path: Path):
    """Neither the type nor a literal nor a true division, except where an exact decimal is divided and rounded."""
    guilty = [
        node.lineno
        for node in ast.walk(parsed(path))
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and path.name != "money.py")
    ]
    assert guilty == []


@pytest.mark.parametrize("path", sources("aggregates"), ids=named)
def test_aggregates_import_the_standard_library_themselves_and_libraries_that_only_compute(path: Path):
    allowed = {*sys.stdlib_module_names, "pydantic", "pydantic_core", "eventsourcing", "aggregates"}
    allowed |= {"email_validator", "phonenumbers"}  # what is the same address or number
    assert {module for module in imported(path) if module.split(".")[0] not in allowed} == set()


@pytest.mark.parametrize("path", sources("policies"), ids=named)
def test_policies_import_the_standard_library_pydantic_aggregates_tables_of_facts_and_themselves(path: Path):
    allowed = {*sys.stdlib_module_names, "pydantic", "aggregates", "policies", *LIBRARIES}
    assert {module for module in imported(path) if module.split(".")[0] not in allowed} == set()


@pytest.mark.parametrize("path", sources("aggregates", "policies"), ids=named)
def test_the_inner_rooms_do_no_input_or_output(path: Path):
    forbidden = {"io", "os", "pathlib", "socket", "sqlite3", "subprocess", "threading", "asyncio", "logging", "random"}
    assert {module for module in imported(path) if module.split(".")[0] in forbidden} == set()
    assert [line for _, name, line in calls(parsed(path)) if name in {"open", "print", "input"}] == []


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


# --- apply methods -----------------------------------------------------------------------------------


def appliers() -> list[tuple[str, ast.FunctionDef]]:
    methods = [
        (named(path), node)
        for path in sources("aggregates")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef)
    ]
    return [(f"{where}:{node.name}", node) for where, node in methods if any(map(marks_applier, node.decorator_list))]


def marks_applier(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "applies"


APPLIERS = appliers()


@pytest.mark.parametrize("method", [method for _, method in APPLIERS], ids=[name for name, _ in APPLIERS])
def test_applying_an_event_never_fails_on_purpose_and_emits_nothing(method: ast.FunctionDef):
    assert [node.lineno for node in ast.walk(method) if isinstance(node, ast.Raise | ast.Assert | ast.Try)] == []
    assert [name for _, name, _ in calls(method) if name in {"emit", "require_open", "identifier", *CLOCKS}] == []


def test_there_are_apply_methods_to_look_at():
    assert len(APPLIERS) > 40

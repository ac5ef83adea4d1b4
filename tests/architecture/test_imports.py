"""Modules import each other in one direction, and every aggregate is in the one list."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping

import grimp
import pytest

import aggregates
from aggregates import AGGREGATES
from aggregates.kernel.aggregate import Aggregate

ROOMS = ("aggregates", "policies", "projections", "adapters", "api")

Imports = Mapping[str, frozenset[str]]


def imports_of_the_sources() -> Imports:
    """Every module and those that it imports: at its top, in a function, and for types only."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    return {module: frozenset(graph.find_modules_directly_imported_by(module)) for module in sorted(graph.modules)}


def circles(imports: Imports) -> list[list[str]]:
    """Modules that reach each other (Tarjan's strongly connected components of more than one module)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    waiting: list[str] = []
    found: list[list[str]] = []
    for start in imports:
        work: list[tuple[str, Iterator[str]]] = []

        def enter(module: str, work: list[tuple[str, Iterator[str]]] = work) -> None:
            number[module] = low[module] = len(number)
            waiting.append(module)
            work.append((module, iter(sorted(imports.get(module, ())))))

        if start not in number:
            enter(start)
        while work:
            module, left = work[-1]
            imported = next(left, None)
            if imported is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[module])
                if low[module] == number[module]:
                    at = waiting.index(module)
                    component, waiting[at:] = waiting[at:], []
                    if len(component) > 1:
                        found.append(sorted(component))
            elif imported not in number:
                enter(imported)
            elif imported in waiting:
                low[module] = min(low[module], number[imported])
    return sorted(found)


def test_no_modules_import_each_other_in_a_circle():
    assert circles(imports_of_the_sources()) == []


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        ({"a": "b", "b": "c", "c": ""}, []),
        ({"a": "b", "b": "a"}, [["a", "b"]]),
        ({"a": "b", "b": "c", "c": "bd", "d": "ef", "e": "d", "f": ""}, [["b", "c"], ["d", "e"]]),
        ({"a": "bc", "b": "d", "c": "d", "d": "a"}, [["a", "b", "c", "d"]]),
    ],
)
def test_a_circle_is_found(imports: dict[str, str], expected: list[list[str]]):
    assert circles({module: frozenset(imported) for module, imported in imports.items()}) == expected


def test_every_aggregate_is_in_the_list():
    names = [each.name for each in pkgutil.walk_packages(aggregates.__path__, "aggregates.")]
    modules = [importlib.import_module(name) for name in names]
    defined = {
        each
        for module in modules
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, Aggregate)
        and each.__module__ == module.__name__
        and not each.__module__.startswith("aggregates.kernel.")
    }
    assert len(modules) > len(AGGREGATES)
    whole = {each for each in defined if not any(other is not each and issubclass(other, each) for other in defined)}
    assert whole == set(AGGREGATES)

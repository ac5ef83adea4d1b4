"""Benchmarks: how they register, what they return, where they run."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import tests.benchmarks
from adapters.postgres.database import Database
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.migrations import migrate
from tests.temporary import temporary_folder


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure beside its peer's. The goal is for the ratio, or for the value where `goal_is_value`.

    The ratio says how many times better than the peer: value / peer value, or the inverse where less is better.
    """

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float | None
    goal: float | None
    goal_is_value: bool = False
    less_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        if not self.peer_value or not self.value:
            return None
        return self.peer_value / self.value if self.less_is_better else self.value / self.peer_value

    @property
    def met(self) -> bool | None:
        figure = self.value if self.goal_is_value else self.ratio
        if self.goal is None or figure is None:
            return None
        return figure <= self.goal if self.goal_is_value and self.less_is_better else figure >= self.goal

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "value": _rounded(self.value),
            "unit": self.unit,
            "peer": self.peer,
            "peer_value": _rounded(self.peer_value),
            "ratio": _rounded(self.ratio),
            "goal": self.goal,
            "met": self.met,
        }


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 3)


Benchmark = Callable[[], list[Row]]
BENCHMARKS: dict[str, Benchmark] = {}
GROUPS = {"cluster": ["publisher", "faust", "consumers", "subscriber", "backlog"]}
"""Names for several benchmarks."""


def benchmark(name: str) -> Callable[[Benchmark], Benchmark]:
    """Registers a benchmark. Its docstring's first line says what is measured."""

    def register(function: Benchmark) -> Benchmark:
        BENCHMARKS[name] = function
        return function

    return register


def discover() -> None:
    """Imports every module beside this one, so that each registers itself; a peer's program is not one of ours."""
    for module in pkgutil.iter_modules(tests.benchmarks.__path__):
        if module.name not in {"__main__", "harness", "tryton_run"}:
            importlib.import_module(f"tests.benchmarks.{module.name}")


@contextmanager
def fresh_database() -> Iterator[Database]:
    """A migrated database on a server of its own, as durable as in service."""
    with temporary_folder() as folder, EmbeddedPostgres(folder) as server, Database(server.dsn) as database:
        migrate(database)
        yield database

"""Runs benchmarks and shows them in a table."""

import json
import platform
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks.harness import BENCHMARKS, Row, discover

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_HEADINGS = ("benchmark", "value", "unit", "peer", "its value", "ratio", "goal", "met")
_MARKS = {True: "yes", False: "NO", None: ""}


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Which ones; all without a name.", metavar="NAME…")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    write_docs: Annotated[bool, typer.Option("--write-docs", help="Renew docs/benchmarks.md.")] = False,
) -> None:
    """Measure, each beside its peer in the same run."""
    discover()
    chosen = names or list(BENCHMARKS)
    if unknown := [name for name in chosen if name not in BENCHMARKS]:
        raise typer.BadParameter(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    console = Console()
    rows: list[Row] = []
    for name in chosen:
        about = (BENCHMARKS[name].__doc__ or name).splitlines()[0]
        with console.status(about):
            rows += BENCHMARKS[name]()
    table = Table(*_HEADINGS)
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    if json_file:
        json_file.write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n", encoding="utf-8")
    if write_docs:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(_document(rows), encoding="utf-8")
    if any(row.met is False for row in rows):
        raise typer.Exit(1)


def _cells(row: Row) -> list[str]:
    data = row.as_json()
    goal = "" if row.goal is None else f"{row.goal:g}{'' if row.goal_is_value else '×'}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}×"
    return [row.name, _figure(row.value), row.unit, row.peer, _figure(row.peer_value), ratio, goal, _MARKS[data["met"]]]  # type: ignore[index]


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _document(rows: list[Row]) -> str:
    lines = [
        "# Benchmarks",
        "",
        "Measured by `./dev bench --write-docs`, each figure beside its peer in the same run.",
        f"This run: {datetime.now(UTC):%Y-%m-%d}, {cpu_count()} cores, Python {platform.python_version()}.",
        "",
        "| " + " | ".join(_HEADINGS) + " |",
        "|---|---:|---|---|---:|---:|---:|---|",
        *("| " + " | ".join(_cells(row)) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)

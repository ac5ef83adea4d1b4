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

from tests.benchmarks.harness import BENCHMARKS, GROUPS, Row, discover

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_HEADINGS = ("benchmark", "value", "unit", "peer", "its value", "ratio", "goal", "met")
_HEAD = """# Benchmarks

Measured by `./dev bench --write-docs [NAME…]`, each figure beside its peer in the same run. Where the peer is a limit,
the goal is for the value itself, and a busy machine shows less than an idle one.
"""
_MARKS = {True: "yes", False: "NO", None: ""}


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Which ones; all without a name.", metavar="NAME…")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    write_docs: Annotated[bool, typer.Option("--write-docs", help="Renew their part of docs/benchmarks.md.")] = False,
) -> None:
    """Measure, each beside its peer in the same run."""
    discover()
    chosen = [each for name in names or list(BENCHMARKS) for each in GROUPS.get(name, [name])]
    if unknown := [name for name in chosen if name not in BENCHMARKS]:
        known = ", ".join((*BENCHMARKS, *GROUPS))
        raise typer.BadParameter(f"no benchmark is called {', '.join(unknown)}; there are {known}")
    console = Console()
    rows: list[Row] = []
    for name in chosen:
        about = _about(name)
        with console.status(about):
            measured = BENCHMARKS[name]()
        rows += measured
        if write_docs:
            _renew(name, measured)
    table = Table(*_HEADINGS)
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    if json_file:
        json_file.write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n", encoding="utf-8")
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


def _about(name: str) -> str:
    return (BENCHMARKS[name].__doc__ or name).splitlines()[0]


def _renew(name: str, rows: list[Row]) -> None:
    """Puts a benchmark's figures into the document, in place of its earlier ones; the others stay."""
    found = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else _HEAD
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    if begin not in found:
        found += f"\n{begin}{end}"
    before, rest = found.split(begin, 1)
    _, after = rest.split(end, 1)
    DOCUMENT.write_text(before + begin + _section(name, rows) + end + after, encoding="utf-8")


def _section(name: str, rows: list[Row]) -> str:
    lines = [
        "",
        f"## {name}",
        "",
        f"{_about(name)} {datetime.now(UTC):%Y-%m-%d}, {cpu_count()} cores, Python {platform.python_version()}.",
        "",
        "| " + " | ".join(_HEADINGS) + " |",
        "|---|---:|---|---|---:|---:|---:|---|",
        *("| " + " | ".join(_cells(row)) + " |" for row in rows),
        "",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)

"""`./dev chaos`: a long trial, and its result as a table in docs/chaos.md."""

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Annotated

import typer

from tests.chaos.trial import Plan, Result, run

DOCUMENT = Path(__file__).parents[2] / "docs" / "chaos.md"
_BEGIN, _END = "<!-- result: begin -->", "<!-- result: end -->"


def main(
    kills: Annotated[int, typer.Option("--kills", min=1, metavar="N", help="How many processes are ended.")] = 200,
    seed: Annotated[int | None, typer.Option("--seed", metavar="S", help="Default: another one each time.")] = None,
    brokers: Annotated[int, typer.Option("--brokers", min=1, max=3)] = 3,
    roles: Annotated[list[str] | None, typer.Option("--role", help="Kill only these; may be repeated.")] = None,
    write_docs: Annotated[bool, typer.Option(help="Put the result into docs/chaos.md.")] = True,
) -> None:
    """End processes of a cluster under load, at random, and audit what is left."""
    plan = Plan(
        seed=SystemRandom().randrange(1_000_000) if seed is None else seed,
        kills=kills,
        roles=roles or (),
        freezes=max(1, kills // 15),
        broker_restarts=max(1, kills // 15),
        postgres_crashes=max(1, kills // 20),
        at_start=min(kills, max(2, kills // 20)) if not roles else 0,
        in_work=min(kills // 4, max(2, kills // 10)) if not roles else 0,
        rebuilds=max(2, kills // 10),
        defacings=max(1, kills // 40),
        topics=1,
        brokers=brokers,
        count={"seal": 2, "publish": 2, "react": 2, "project": 2, "clock": 2, "deliver": 2},
        quiet_within=300.0,
    )
    typer.echo(f"seed {plan.seed}")
    result = run(plan, typer.echo)
    table = _table(result)
    typer.echo(table)
    for verdict in result.broken:
        typer.echo(str(verdict))
    if write_docs:
        _write(table)
    if result.broken:
        raise typer.Exit(1)


def _table(result: Result) -> str:
    plan, deeds = result.plan, result.deeds
    by_role: dict[str, dict[str, int]] = {}
    for (role, how), count in sorted(deeds.kills.items()):
        by_role.setdefault(role, {})[how] = count
    kills = "; ".join(f"{role}: {_said(counts)}" for role, counts in by_role.items())
    facts = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": _commit(),
        "seed": plan.seed,
        "brokers": plan.brokers,
        "processes": f"{result.members.total()}: {_said(result.members)}",
        "minutes": f"{result.seconds / 60:.0f}",
        "kills": deeds.killed,
        "by role and signal": kills,
        "of them while starting": deeds.at_start,
        "of them in work over many accounts": deeds.in_work,
        "rebuilds of every projection": _said(deeds.rebuilds),
        "frozen for 13 s": _said(deeds.frozen),
        "messages of somebody else on the topic": deeds.defaced,
        "topic made anew": deeds.made_anew,
        "broker restarts": _said(deeds.brokers),
        "PostgreSQL crashes": deeds.postgres,
        "processes started": result.starts,
        "commands": f"{result.commands:,} ({result.accepted:,} accepted; sent again {result.lost_answers} times)",
        "events": f"{sum(result.events.values()):,}",
        "messages": f"{result.messages:,} queued, {result.sent:,} sent, {result.uncertain:,} uncertain",
        "messages on the topic": f"{result.on_topic:,}, of them {result.repeats:,} repeats",
    }
    rows = ["| what | how much |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())]
    checks = ["| check | result |", "|---|---|", *(f"| {v.says} | {_result(v.findings)} |" for v in result.verdicts)]
    return "\n".join([*rows, "", *checks])


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def _result(findings: list[str]) -> str:
    return f"**broken**, {len(findings)} findings" if findings else "holds"


def _commit() -> str:
    asked = ["git", "-C", str(DOCUMENT.parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def _write(table: str) -> None:
    """Only between the marks: the words around them are people's."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    DOCUMENT.write_text(f"{head}{_BEGIN}\n\n{table}\n\n{_END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)

"""A backlog, worked off by a process for each role; and policies by one worker and by two."""

import time
from collections.abc import Sequence

import psutil

from adapters.kafka.connection import group_of
from tests.benchmarks.harness import Row, benchmark
from tests.benchmarks.stage import Stage, billed, running, staged, until

_ACCOUNTS = 20_400
_ALL = ("publish", "react", "project", "deliver")
_LOOK_SECONDS = 0.1


@benchmark("backlog")
def backlog() -> list[Row]:
    """A backlog of 100,000 events, with those that follow, worked off by all roles; by one policy worker, or two."""
    with staged(billed(_ACCOUNTS), publish=False) as stage:
        seconds, _ = _worked_off(stage, ("seal", *_ALL))
        events = stage.head()
        one, alone = _policies(stage, 1)
        two, both = _policies(stage, 2)
    return [
        Row(
            f"backlog of {stage.events:,} events and {events - stage.events:,} that follow, all roles",
            seconds, "s", "limit", 60.0, 60.0, goal_is_value=True, less_is_better=True,
        ),
        Row("policies, two workers", events / two, "events/s", "one worker", events / one, 1.0),
        *(Row(f"processor time of {who}", spent, "s", "", None, None)
          for who, spent in zip(("one worker", "the first of two", "the second of two"), alone + both, strict=True)),
    ]  # fmt: skip


def _policies(stage: Stage, workers: int) -> tuple[float, list[float]]:
    """All events once more, by so many workers: most find nothing left to do."""
    stage.begin_anew("policies", group_of("react", stage.env))
    return _worked_off(stage, ("react",) * workers, readers=("policies",))


def _worked_off(
    stage: Stage, names: Sequence[str], *, readers: Sequence[str] = ("publisher", "policies", "delivery")
) -> tuple[float, list[float]]:
    """Seconds until every reader, and every table where all roles run, is at the log's end; the processes' processor
    time. The clock begins once each process has started up and reads."""
    with running(stage, names) as processes:
        until(lambda: _at_least(stage, readers, 1), 120)
        started = time.perf_counter()
        until(lambda: _at_least(stage, readers, stage.head()), 300)
        seconds = time.perf_counter() - started
        spent = [sum(psutil.Process(each.pid).cpu_times()[:2]) for each in processes]
    return seconds, spent


def _at_least(stage: Stage, readers: Sequence[str], position: int) -> bool:
    """Whether these readers, and the tables if they are read into, have come so far."""
    time.sleep(_LOOK_SECONDS)
    with stage.database.connect("arrears_app") as connection:
        rows = connection.execute(
            "SELECT reader, position FROM read_model.checkpoints LEFT JOIN read_model.projections USING (reader)"
            " WHERE reader = ANY (%s) OR (state = 'live' AND %s)",
            [list(readers), len(readers) > 1],
        ).fetchall()
    found: dict[str, int] = dict(rows)
    return all(each in found for each in readers) and all(at >= position for at in found.values())

"""`arrears projections`: the read tables, how far they are, and building them anew."""

from typing import Annotated, Any

import typer

from api.cli.opening import guest
from api.cli.options import AsJson, DataDir
from api.cli.output import note, print_json, print_table, say
from api.cli.progress import Bars
from api.cli.signals import until_told
from api.cli.tables import figure, key, prose, tabular, word

app = typer.Typer(no_args_is_help=True, help="The read tables: how far they are, and building them anew.")


_LISTED = (key("projection"), figure("version", 1), prose("views"))
_STATUS = (
    key("projection"),
    figure("generation", 2),
    figure("version", 1),
    word("state", 8),
    figure("at", 4),
    figure("of", 3),
    figure("behind", 9),
    figure("seconds", 5),
    figure("parked", 7),
    prose("trouble", 6),
)


@app.command("list")
@tabular
def list_all(data: DataDir = None, as_json: AsJson = False) -> None:
    """Every projection of this release, its version, and the views it keeps."""
    from api.processes.core import PROJECTIONS

    del data
    rows: list[dict[str, Any]] = [
        {"name": p.name, "version": p.version, "views": [f"read_model.{t}" for t in p.public]} for p in PROJECTIONS
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(_LISTED, (list(row.values()) for row in rows))


@app.command("status")
@tabular
def status(data: DataDir = None, as_json: AsJson = False) -> None:
    """How far each projection is behind the log, in events and in seconds, and what keeps it."""
    with guest(data, catch_up=False) as service:
        rows, clock_problem = service.status(), service.clock_problem()
    if clock_problem is not None:
        note(f"Note: {clock_problem}")
    if as_json:
        print_json(rows)
        return
    print_table(
        _STATUS,
        (
            (
                r.name,
                r.generation,
                r.version,
                r.state,
                r.checkpoint,
                r.head,
                r.lag_events,
                f"{r.lag_seconds:.1f}",
                r.parked or None,
                r.trouble,
            )
            for r in rows
        ),
    )


@app.command("rebuild")
def rebuild(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which one. Default: all.")] = None,
    data: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Build read tables anew from the log, beside the live ones, and switch when they have caught up.

    Works while Arrears serves. Interrupted, the next call goes on where this one stopped; a start of `serve` or
    `project` before that removes what was built by then.
    """
    with guest(data) as service, until_told(service.stop), Bars() as bars:

        def progress(which: str, position: int, target: int) -> None:
            bars.show(f"Building {which}", position, target)

        if name is not None:
            service.rebuild(name, progress)
            done = [name]
        else:
            done = service.projections.rebuild_all(progress)
        rows = [row for row in service.status() if row.name in done and row.state == "live"]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            say(f"{row.name}: generation {row.generation} is live, at position {row.checkpoint:,}")

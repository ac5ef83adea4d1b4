"""`arrears work`: what rule changes ask of every account of an office, how far that is, and stopping it."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from api.cli.asking import answered
from api.cli.opening import guest, issue
from api.cli.options import AsJson, DataDir, OfficeCode, Reason, read_moment
from api.cli.output import print_fields, print_json, print_table, say
from api.cli.problems import Problem
from api.cli.questions import Refused
from api.cli.tables import figure, tabular, text, word

if TYPE_CHECKING:
    from api.processes.service import Service
    from projections.questions.work import WorkProgress

app = typer.Typer(no_args_is_help=True, help="Work over many accounts: how far it is, and stopping it.")

WorkId = Annotated[UUID, typer.Argument(metavar="ID", help="The work's id, as list shows it.")]

_MOST = 500


_WORK = (
    word("work"),
    text("command", 6),
    word("state", 7),
    figure("accounts", 4),
    figure("done", 5),
    figure("refused", 2),
    figure("failed", 3),
    figure("left", 8),
    word("begun", 1),
)


@app.command("list")
@tabular
def list_all(
    data: DataDir = None,
    office: OfficeCode = None,
    all_states: Annotated[bool, typer.Option("--all", help="Also what has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is asked of every account of an office and has not ended; with --all the latest that has, too."""
    state = None if all_states else "open"
    found = answered(
        data, lambda ask: ask("/v1/work", office=office, state=state, limit=_MOST)["items"], catch_up=False
    )
    if as_json:
        print_json(found)
        return
    if not found:
        say("There is no work yet." if all_states else "No work is open.")
        return
    counts = ("accounts", "done", "refused", "failed", "left")
    print_table(
        _WORK,
        (
            (e["id"], e["command"], e["state"], *(e[count] for count in counts), read_moment(e["begun_at"]))
            for e in found
        ),
    )


@app.command("show")
def show(work_id: WorkId, data: DataDir = None, as_json: AsJson = False) -> None:
    """One piece of work: what is asked, because of which event, and how far it is."""
    try:
        found = answered(data, lambda ask: ask("/v1/work/{id}", id=str(work_id)), catch_up=False)
    except Refused:
        raise _no_work() from None
    if as_json:
        print_json(found)
        return
    print_fields((name.replace("_", " "), _said(name, value)) for name, value in found.items())


def _said(name: str, value: Any) -> Any:
    return read_moment(value) if name.endswith("_at") and value is not None else value


@app.command("cancel")
def cancel(work_id: WorkId, data: DataDir = None, reason: Reason = None, as_json: AsJson = False) -> None:
    """Stop it before its next chunk of accounts. What was done stays done; the log keeps who and why."""
    from aggregates.work import CancelWork

    with guest(data, catch_up=False) as service:
        issue(service, CancelWork(work_id=work_id), reason=reason)
        found = _found(service, work_id)
    if as_json:
        print_json(found)
    else:
        say(f"{found.state}: {found.done + found.refused + found.failed:,} accounts were asked")


def _found(service: "Service", work_id: UUID) -> "WorkProgress":
    from projections.questions.work import work

    with service.database.connect("arrears_app") as connection:
        found = work(connection, work_id)
    if found is None:
        raise _no_work()
    return found


def _no_work() -> Problem:
    return Problem("there is no such work", hint="arrears work list --all")

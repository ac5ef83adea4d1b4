"""`arrears work`: what rule changes ask of every account of an office, how far that is, and stopping it."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.opening import guest, issue
from api.cli.options import AsJson, DataDir, OfficeCode, Reason
from api.cli.output import print_json, print_table, say
from api.cli.problems import Problem

if TYPE_CHECKING:
    from api.processes.service import Service
    from projections.questions.work import WorkProgress

app = typer.Typer(no_args_is_help=True, help="Work over many accounts: how far it is, and stopping it.")

WorkId = Annotated[UUID, typer.Argument(metavar="ID", help="The work's id, as list shows it.")]

_MOST = 500


@app.command("list")
def list_all(
    data: DataDir = None,
    office: OfficeCode = None,
    all_states: Annotated[bool, typer.Option("--all", help="Also what has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is asked of every account of an office and has not ended; with --all the latest that has, too."""
    from api.cli.offices import find_office
    from projections.questions.work import works

    with guest(data, catch_up=False) as service:
        office_id = find_office(service, office).id if office else None
        with service.database.connect("arrears_app") as connection:
            found = works(connection, office_id=office_id, state=None if all_states else "open", limit=_MOST).rows
    if as_json:
        print_json(found)
        return
    if not found:
        say("There is no work yet." if all_states else "No work is open.")
        return
    print_table(
        ("work", "command", "state", "accounts", "done", "refused", "failed", "left", "begun"),
        (
            (e.id, e.command, e.state, e.accounts, e.done, e.refused, e.failed, e.left, e.begun_at)
            for e in found
        ),
        right=("accounts", "done", "refused", "failed", "left"),
    )  # fmt: skip


@app.command("show")
def show(work_id: WorkId, data: DataDir = None, as_json: AsJson = False) -> None:
    """One piece of work: what is asked, because of which event, and how far it is."""
    with guest(data, catch_up=False) as service:
        found = _found(service, work_id)
    if as_json:
        print_json(found)
        return
    print_table(("", ""), ((name.replace("_", " "), value) for name, value in dict(found).items()))


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
        raise Problem("there is no such work", hint="arrears work list --all")
    return found

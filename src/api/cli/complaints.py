"""`arrears complaint`: what customers complain of, answered and closed."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.holding_back import only_one, shown_rows
from api.cli.lists import Wanted, Words, to_each
from api.cli.opening import command_of
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_day
from api.cli.promises import Notes
from api.cli.tables import key, prose, tabular, text, word

if TYPE_CHECKING:
    from aggregates.account import Account
    from aggregates.kernel.command import Command

app = typer.Typer(no_args_is_help=True, help="Complaints.")

Complaint = Annotated[str | None, typer.Option("--complaint", metavar="ID", help="Default: the one that is open.")]
On = Annotated[date | None, typer.Option("--on", parser=read_day, metavar="DAY", help="Default: today.")]


@app.callback()
def group() -> None:
    """Complaints."""


@app.command("add")
def add_complaint(
    *,
    account: AccountArgument,
    subject: Annotated[str, typer.Option("--subject", metavar="TEXT", help="What it is about.")],
    kind: Annotated[
        str,
        typer.Option(
            "--kind", metavar="CODE", help="general, billing-error, cfpb, credit-report, fca, data-protection."
        ),
    ] = "general",
    medium: Annotated[
        str, typer.Option("--medium", metavar="M", help="phone, email, letter, sms, portal, in-person or regulator.")
    ] = "phone",
    on: On = None,
    answer_by: Annotated[
        date | None,
        typer.Option("--answer-by", parser=read_day, metavar="DAY", help="Default: as its kind or the office says."),
    ] = None,
    rests: Annotated[
        bool, typer.Option("--rests/--chase-goes-on", help="Whether the chase rests until it is answered.")
    ] = True,
    assignee: Annotated[str | None, typer.Option("--assignee", metavar="NAME", help="Who answers it.")] = None,
    notes: Notes = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record a complaint, and by when it is answered. The chase rests until then, unless that is not wanted."""
    from aggregates.account.complaints import RecordComplaint

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        return [
            command_of(
                RecordComplaint,
                {"received_on": "--on"},
                account_id=found.id,
                subject=subject,
                kind=kind,
                medium=medium,
                received_on=on,
                answer_by=answer_by,
                rests=rests,
                notes=notes,
                assignee=assignee,
            )
        ]

    words = Words("The complaint is open.", "It was open already.")
    to_each(Wanted(account, None, data, office, reason, as_json), makes, words)


@app.command("answer")
def answer(
    *,
    account: AccountArgument,
    complaint: Complaint = None,
    on: On = None,
    notes: Notes = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that a complaint was answered."""
    from aggregates.account.complaints import AnswerComplaint

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        complaint_id = only_one([*found.complaints.open], complaint, option="--complaint", what="complaint")
        said = {"account_id": found.id, "complaint_id": complaint_id, "answered_on": on, "notes": notes}
        return [command_of(AnswerComplaint, {"answered_on": "--on"}, **said)]

    words = Words("The complaint is answered.", "It was answered already.")
    to_each(Wanted(account, None, data, office, reason, as_json), makes, words)


@app.command("close")
def close(
    *,
    account: AccountArgument,
    outcome: Annotated[
        str, typer.Option("--outcome", metavar="O", help="upheld, partly-upheld, rejected or withdrawn.")
    ],
    complaint: Complaint = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say how a complaint ended. Needs a --reason."""
    from aggregates.account.complaints import CloseComplaint

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        complaint_id = only_one([*found.complaints.open], complaint, option="--complaint", what="complaint")
        return [command_of(CloseComplaint, {}, account_id=found.id, complaint_id=complaint_id, outcome=outcome)]

    words = Words(f"The complaint is closed: {outcome}.", "It was closed already.")
    to_each(Wanted(account, None, data, office, reason, as_json), makes, words)


_COMPLAINTS = {
    "received_on": key("received"),
    "title": text("kind", 6),
    "state": word("state", 9),
    "answer_by": word("answer by", 8),
    "overdue": word("overdue", 3),
    "subject": text("subject", 7),
    "assignee": text("assignee", 4),
    "outcome": word("outcome", 5),
    "reason": prose("why", 2),
    "id": text("id", 1),
}


@app.command("list")
@tabular
def list_complaints(
    account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False
) -> None:
    """The complaints of an account, and what became of them."""
    of = Wanted(account, None, data, office, None, as_json)
    shown_rows(_COMPLAINTS, "/v1/accounts/{id}/complaints", of, none="Nobody complained.")

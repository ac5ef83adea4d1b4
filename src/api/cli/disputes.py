"""`arrears dispute`: what the customer disputes, and how it ended."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.allocation import account_found, read
from api.cli.holding_back import shown_rows
from api.cli.lists import Wanted
from api.cli.offices import say_done
from api.cli.opening import command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, is_id, read_day
from api.cli.problems import Problem
from api.cli.tables import key, tabular, text, word

if TYPE_CHECKING:
    from api.processes.step_by_step import StepByStep

app = typer.Typer(no_args_is_help=True, help="What the customer disputes.")

On = Annotated[
    date | None, typer.Option("--on", parser=read_day, metavar="DAY", help="Since when it is so. Default: today.")
]


@app.callback()
def group() -> None:
    """What the customer disputes."""


@app.command("open")
def open_dispute(
    *,
    account: AccountArgument,
    code: Annotated[str, typer.Option("--code", metavar="CODE", help="Why they dispute it, such as wrong-amount.")],
    invoice: Annotated[
        list[str] | None,
        typer.Option(
            "--invoice",
            metavar="NUMBER[=AMOUNT]",
            help="An invoice, or the amount of it that is disputed. Default: everything that is open.",
        ),
    ] = None,
    notes: Annotated[str | None, typer.Option("--notes", metavar="TEXT", help="What they say.")] = None,
    assignee: Annotated[str | None, typer.Option("--assignee", metavar="NAME", help="Who resolves it.")] = None,
    answer_by: Annotated[
        date | None,
        typer.Option("--answer-by", parser=read_day, metavar="DAY", help="By when; then it is a task for them."),
    ] = None,
    on: On = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record that the customer disputes invoices, or parts of them. What they dispute is not chased meanwhile."""
    from aggregates.account import Account
    from aggregates.account.disputes import OpenDispute

    found = account_found(data, account, office)
    with commanding(data) as service:
        _require_past(service, on)
        currency = service.arrears.load(Account, found).customer.currency
        command = command_of(
            OpenDispute,
            {"invoices": "--invoice", "reason_code": "--code"},
            account_id=found,
            invoices=[_disputed(each, currency) for each in invoice] if invoice else None,
            reason_code=code,
            notes=notes,
            assignee=assignee,
            answer_by=answer_by,
        )
        done = issue(service, command, reason=reason, effective_on=on)
    say_done(done, changed=f"Dispute {done.id} is open.", same="It was open already.", as_json=as_json)


@app.command("resolve")
def resolve_dispute(
    *,
    account: AccountArgument,
    resolution: Annotated[
        str,
        typer.Option(
            "--resolution", metavar="CODE", help="How it ended, such as unfounded. A credit note is booked by itself."
        ),
    ],
    side: Annotated[
        str | None, typer.Option("--for", metavar="SIDE", help="customer (it is not owed) or creditor (it stands).")
    ] = None,
    credit: Annotated[
        str | None,
        typer.Option(
            "--credit",
            metavar="NUMBER",
            help="For the customer: lets off what is disputed of the invoice, by a credit.",
        ),
    ] = None,
    dispute: Annotated[
        str | None, typer.Option("--dispute", metavar="ID", help="Default: the one that is open.")
    ] = None,
    on: On = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """End a dispute. What it held back is chased again, and money that waited is put there on that day."""
    from aggregates.account.disputes import ResolveDispute

    if dispute is not None and not is_id(dispute):
        raise typer.BadParameter(f"--dispute {dispute!r}: expected the id of a dispute")
    found = account_found(data, account, office)
    with commanding(data) as service:
        _require_past(service, on)
        dispute_id = UUID(dispute) if dispute is not None else _only_one(service, found)
        command = command_of(
            ResolveDispute,
            {"in_favour_of": "--for", "credit_number": "--credit"},
            account_id=found,
            dispute_id=dispute_id,
            resolution=resolution,
            in_favour_of=side,
            credit_number=credit,
        )
        done = issue(service, command, reason=reason, effective_on=on)
    say_done(done, changed=f"Dispute {dispute_id} is over.", same="It was over already.", as_json=as_json)


_DISPUTES = {
    "opened_on": key("opened"),
    "title": text("why", 8),
    "invoices": text("invoices", 9),
    "amounts": text("in part", 7),
    "assignee": text("assignee", 4),
    "answer_by": word("resolve by", 6),
    "overdue": word("overdue", 3),
    "resolution": text("ended", 5),
    "in_favour_of": word("for", 2),
    "id": text("id", 1),
}


@app.command("list")
@tabular
def list_disputes(
    account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False
) -> None:
    """The disputes of an account, open or resolved."""
    of = Wanted(account, None, data, office, None, as_json)
    shown_rows(_DISPUTES, "/v1/accounts/{id}/disputes", of, none="Nothing was disputed.")


def _disputed(said: str, currency: str) -> Mapping[str, object]:
    """`I-1`, or `I-1=20.00`."""
    number, separator, amount = said.rpartition("=")
    return {"number": number, "amount": read(amount, currency, "--invoice")} if separator else {"number": said}


def _only_one(service: "StepByStep", found: UUID) -> UUID:
    from aggregates.account import Account

    disputes = list(service.arrears.load(Account, found).disputes.open)
    if len(disputes) != 1:
        several = f"several disputes are open, name one by --dispute: {', '.join(map(str, disputes))}"
        raise Problem(several if disputes else "no dispute is open")
    return disputes[0]


def _require_past(service: "StepByStep", on: date | None) -> None:
    today = service.clock.now().date()
    if on is not None and (on - today).days > 1:
        raise typer.BadParameter(f"--on {on}: expected {today} or earlier")

"""`arrears write-off`: what is owed is written off, that is taken back, and what became of it."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.allocation import read
from api.cli.holding_back import shown_rows
from api.cli.lists import Wanted, Words, to_each
from api.cli.opening import command_of
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_day
from api.cli.tables import figure, key, prose, tabular, text, word

if TYPE_CHECKING:
    from aggregates.account import Account
    from aggregates.kernel.command import Command

app = typer.Typer(no_args_is_help=True, help="Write-offs of what is owed.")


@app.callback()
def group() -> None:
    """Write-offs of what is owed."""


@app.command("add")
def add(
    *,
    account: AccountArgument,
    code: Annotated[str, typer.Option("--code", metavar="CODE", help="A reason of the office, such as bankruptcy.")],
    amount: Annotated[
        str | None,
        typer.Option("--amount", metavar="AMOUNT|full", help="The oldest due first. Default: full, the balance."),
    ] = None,
    invoice: Annotated[
        list[str] | None,
        typer.Option("--invoice", metavar="NUMBER", help="Only of this one, or NUMBER/DUE-DAY; may be repeated."),
    ] = None,
    keep_claim: Annotated[
        bool,
        typer.Option("--keep-claim/--release-claim", help="Whether what comes in later pays what was written off."),
    ] = True,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Write off what is owed today. Needs a --reason.

    What is disputed is written off too; money that is not applied yet pays first. The claim is kept unless released:
    what comes in later pays what was written off, and the balance stays.
    """
    from aggregates.account.write_offs import WriteOffDebt

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        return [
            command_of(
                WriteOffDebt,
                {"invoices": "--invoice"},
                account_id=found.id,
                code=code,
                amount=None if amount in {None, "full"} else read(amount or "", found.customer.currency),
                invoices=tuple(invoice or ()),
                keeps_claim=keep_claim,
            )
        ]

    words = Words("It is written off.", "It was written off already.")
    to_each(Wanted(account, None, data, office, reason, as_json), makes, words)


@app.command("reverse")
def reverse(
    *,
    account: AccountArgument,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The write-off's number.")],
    on: Annotated[
        date | None,
        typer.Option(
            "--on", parser=read_day, metavar="DAY", help="Since when; its own day: it never was. Default: today."
        ),
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take a write-off back: what of it was not recovered is open again, as old as it is. Needs a --reason."""
    from aggregates.account.write_offs import ReverseWriteOff

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        return [
            command_of(ReverseWriteOff, {"reversed_on": "--on"}, account_id=found.id, number=number, reversed_on=on)
        ]

    words = Words("It is open again.", "It was reversed already.", same_codes=("write-off-reversed",))
    to_each(Wanted(account, None, data, office, reason, as_json), makes, words)


_WRITE_OFFS = {
    "number": key("write-off"),
    "written_off_on": word("on", 9),
    "amount": figure("amount"),
    "recovered": figure("recovered", 8),
    "stands": figure("stands", 9),
    "code": word("for", 7),
    "claim_kept": word("claim", 6),
    "reversed_on": word("reversed", 5),
    "invoices": text("of invoices", 3),
    "by": text("by", 2),
    "reason": prose("why", 4),
}


@app.command("list")
@tabular
def list_write_offs(
    account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False
) -> None:
    """What was written off of the account, and what became of it."""
    of = Wanted(account, None, data, office, None, as_json)
    shown_rows(_WRITE_OFFS, "/v1/accounts/{id}/write-offs", of, none="Nothing was written off.")

"""`arrears allocate`, `arrears allocation restate`: what money is put against."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.asking import answered
from api.cli.offices import say_done
from api.cli.opening import command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_day
from api.cli.output import print_json, print_table, say
from api.cli.questions import account_id
from api.cli.tables import figure, key, tabular, text, word

if TYPE_CHECKING:
    from aggregates.values.money import Money

app = typer.Typer(no_args_is_help=True, help="What money is put against.")

_MOVES = (
    word("as of", 1),
    key("account"),
    text("payment or credit", 3),
    text("invoice", 4),
    word("due", 2),
    figure("amount"),
)


def add_to(root: typer.Typer) -> None:
    root.command("allocate")(allocate)
    root.add_typer(app, name="allocation")


@app.callback()
def group() -> None:
    """What money is put against."""


def allocate(
    *,
    account: AccountArgument,
    invoice: Annotated[
        str,
        typer.Option(
            "--invoice",
            metavar="NUMBER",
            help="What the money is for; NUMBER/DUE-DAY where it is one of several instalments.",
        ),
    ],
    amount: Annotated[str, typer.Option("--amount", metavar="AMOUNT", help="In the account's currency.")],
    payment: Annotated[str | None, typer.Option("--payment", metavar="NUMBER")] = None,
    credit: Annotated[str | None, typer.Option("--credit", metavar="NUMBER")] = None,
    on: Annotated[
        date | None,
        typer.Option("--on", parser=read_day, metavar="DAY", help="Default: the first day on which both are there."),
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say which invoice a payment or credit is for. It stays there, whatever is booked later."""
    from aggregates.account import Account
    from aggregates.account.allocation import AllocateFunds
    from aggregates.account.receivables import FundsKind

    if (payment is None) == (credit is None):
        raise typer.BadParameter("expected one of --payment and --credit")
    found = account_found(data, account, office)
    with commanding(data) as service:
        currency = service.arrears.load(Account, found).customer.currency
        command = command_of(
            AllocateFunds,
            {"number": "--payment" if payment is not None else "--credit", "invoice_number": "--invoice"},
            account_id=found,
            kind=FundsKind.PAYMENT if payment is not None else FundsKind.CREDIT,
            number=payment or credit or "",
            invoice_number=invoice,
            amount=read(amount, currency),
            allocated_on=on,
        )
        done = issue(service, command, reason=reason)
    said = f"{command.amount} is put against {invoice}."
    say_done(done, changed=said, same="It was there already.", as_json=as_json)


@app.command("restate")
@tabular
def restate(
    *,
    account: AccountArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be moved.")] = False,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Work out anew what an account's money was put against, by the rules of now."""
    from aggregates.account.allocation import RestateAllocation
    from api.application.allocation import restatement

    found = account_found(data, account, office)
    with commanding(data) as service:
        moves = restatement(service, found)
        if moves and not dry_run:
            issue(service, RestateAllocation(account_id=found), reason=reason)
    if as_json:
        print_json(
            [
                {"day": m.day, "money": m.money, "invoice": m.invoice, "due_on": m.due_on, "amount": m.amount.decimal()}
                for m in moves
            ]
        )
        return
    if not moves:
        say("All money is where the rules put it.")
        return
    print_table(_MOVES, ((m.day, account, m.money, m.invoice, m.due_on, m.amount.decimal()) for m in moves))
    say("Nothing was changed: --dry-run." if dry_run else "All of that was moved.")


def account_found(data: Path | None, account: str, office: str | None) -> UUID:
    return UUID(answered(data, lambda ask: account_id(ask, account, office=office)))


def read(amount: str, currency: str, option: str = "--amount") -> "Money":
    """An amount that was typed, in a currency that is known from elsewhere."""
    from api.application.amounts import read_amount

    try:
        return read_amount({"amount": amount, "currency": currency})
    except ValueError as error:
        raise typer.BadParameter(f"{option} {amount!r}: {str(error).removeprefix('amount: ')}") from None

"""`arrears payment transfer|withdraw|move`: payments between two accounts of an office."""

from datetime import date
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from api.cli.allocation import read
from api.cli.asking import answered
from api.cli.offices import say_done
from api.cli.opening import commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_day
from api.cli.questions import account_id

app = typer.Typer(no_args_is_help=True, help="Payments: taken back, received again, on another account.")

PaymentArgument = Annotated[str, typer.Argument(metavar="PAYMENT", help="The payment's number on that account.")]
ToAccount = Annotated[str, typer.Option("--to", metavar="ID|NUMBER", help="The other account.")]


def add_to(root: typer.Typer) -> None:
    root.add_typer(app, name="payment")


@app.callback()
def group() -> None:
    """Payments: taken back, received again, on another account."""


@app.command("transfer")
def transfer(
    *,
    account: AccountArgument,
    payment: PaymentArgument,
    to: ToAccount,
    amount: Annotated[
        str | None, typer.Option("--amount", metavar="AMOUNT", help="Default: all that is put against nothing.")
    ] = None,
    on: Annotated[date | None, typer.Option("--on", parser=read_day, metavar="DAY", help="Default: today.")] = None,
    invoice: Annotated[
        str | None, typer.Option("--invoice", metavar="NUMBER", help="Of the other account. Default: its oldest.")
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Let money that one customer paid pay the debt of another account, from a day on."""
    from aggregates.account import Account
    from aggregates.account.between_accounts import TransferPayment
    from aggregates.office import Office
    from api.application.offices import today_in

    found, there = _found(data, account, office), _found(data, to, office)
    _require_two(found, there)
    with commanding(data) as service:
        customer = service.arrears.load(Account, found).customer
        offices = [] if customer.office_id is None else [service.arrears.load(Office, customer.office_id)]
        command = TransferPayment(
            account_id=found,
            number=payment,
            to_account_id=there,
            amount=None if amount is None else read(amount, customer.currency),
            transferred_on=on or today_in(offices, service.clock.now()),
            invoice_number=invoice,
        )
        done = issue(service, command, reason=reason)
    what = f"{command.amount} of payment {payment}" if command.amount else f"What was left of payment {payment}"
    say_done(done, changed=f"{what} pays the debt of {to}.", same="It was there already.", as_json=as_json)


@app.command("withdraw")
def withdraw(
    *,
    account: AccountArgument,
    payment: PaymentArgument,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take a transfer out that was made in error. ACCOUNT is where the money went, PAYMENT its number there."""
    from aggregates.account.between_accounts import WithdrawTransfer

    found = _found(data, account, office)
    with commanding(data) as service:
        done = issue(service, WithdrawTransfer(account_id=found, number=payment), reason=reason)
    said = f"Payment {payment} is back on the account that it came from."
    say_done(done, changed=said, same="It was back already.", as_json=as_json)


@app.command("move")
def move(
    *,
    account: AccountArgument,
    payment: PaymentArgument,
    to: ToAccount,
    invoice: Annotated[
        str | None, typer.Option("--invoice", metavar="NUMBER", help="Of the other account. Default: its oldest.")
    ] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Put a payment that was booked on the wrong account on the right one, as of the day on which it came in."""
    from aggregates.account.between_accounts import MovePayment

    found, there = _found(data, account, office), _found(data, to, office)
    _require_two(found, there)
    command = MovePayment(account_id=found, number=payment, to_account_id=there, invoice_number=invoice)
    with commanding(data) as service:
        done = issue(service, command, reason=reason)
    said = f"Payment {payment} is on account {to}, since the day on which it came in."
    say_done(done, changed=said, same="It was there already.", as_json=as_json)


def _found(data: Path | None, account: str, office: str | None) -> UUID:
    return UUID(answered(data, lambda ask: account_id(ask, account, office=office)))


def _require_two(account: UUID, to: UUID) -> None:
    if account == to:
        raise typer.BadParameter("--to: expected another account than the payment's own")

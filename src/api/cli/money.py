"""`arrears payment`, `refund`, `invoice`, `credit`: what was taken back, given back, or never was."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.allocation import account_found, read
from api.cli.offices import say_done
from api.cli.opening import commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_day
from api.cli.payments import app as payments

if TYPE_CHECKING:
    from aggregates.kernel.command import Command
    from aggregates.values.money import Money

refunds = typer.Typer(no_args_is_help=True, help="Money that is given back to the customer.")
invoices = typer.Typer(no_args_is_help=True, help="Invoices.")
credits_ = typer.Typer(no_args_is_help=True, help="Credits.")

DocumentNumber = Annotated[str, typer.Argument(metavar="NUMBER", help="The document's number.")]
Day = Annotated[date, typer.Option("--on", parser=read_day, metavar="DAY", help="The day on which it happened.")]
OneDay = Annotated[
    date | None, typer.Option("--on", parser=read_day, metavar="DAY", help="Which one, where there are several.")
]
OneAmount = Annotated[
    str | None, typer.Option("--amount", metavar="AMOUNT", help="Which one, where there are several.")
]
Invoice = Annotated[str | None, typer.Option("--invoice", metavar="NUMBER", help="The invoice that it is for.")]
Payment = Annotated[str | None, typer.Option("--payment", metavar="NUMBER")]
Credit = Annotated[str | None, typer.Option("--credit", metavar="NUMBER")]


def add_to(root: typer.Typer) -> None:
    for name, group in (("refund", refunds), ("invoice", invoices), ("credit", credits_)):
        root.add_typer(group, name=name)


@refunds.callback()
def _refunds() -> None:
    """Money that is given back to the customer."""


@invoices.callback()
def _invoices() -> None:
    """Invoices."""


@credits_.callback()
def _credits() -> None:
    """Credits."""


@payments.command("reverse")
def reverse(
    *,
    account: AccountArgument,
    number: DocumentNumber,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="nsf, chargeback, refund or error.")],
    on: Day,
    amount: Annotated[str | None, typer.Option("--amount", metavar="AMOUNT", help="A part. Default: all.")] = None,
    invoice: Invoice = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record that a payment, or a part of it, was taken back; what it paid is open again.

    Of a part, money that is put against nothing goes first, then what was put somewhere latest; with --invoice, what is
    put against that invoice.
    """
    from aggregates.account.payments import ReversePayment
    from aggregates.account.receivables import ReversalKind

    if kind not in set(ReversalKind):
        raise typer.BadParameter(f"--kind {kind!r}: expected one of {', '.join(ReversalKind)}")

    def command(account_id: UUID, money: "Read") -> "Command":
        return ReversePayment(
            account_id=account_id,
            number=number,
            reversal=ReversalKind(kind),
            reversed_on=on,
            amount=money(amount),
            invoice_number=invoice,
        )

    _issue(
        command,
        f"Payment {number} was taken back.",
        data=data,
        account=account,
        office=office,
        reason=reason,
        as_json=as_json,
    )


@payments.command("receive-again")
def receive_again(
    *,
    account: AccountArgument,
    number: DocumentNumber,
    on: Day,
    amount: Annotated[str, typer.Option("--amount", metavar="AMOUNT", help="In the account's currency.")],
    invoice: Invoice = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record that a payment which was taken back came in again, under its number and on a day of its own."""
    from aggregates.account.payments import ReceivePaymentAgain

    def command(account_id: UUID, money: "Read") -> "Command":
        return ReceivePaymentAgain.model_validate(
            {
                "account_id": account_id,
                "number": number,
                "amount": money(amount),
                "received_on": on,
                "invoice_number": invoice,
            }
        )

    _issue(
        command,
        f"Payment {number} came in again.",
        data=data,
        account=account,
        office=office,
        reason=reason,
        as_json=as_json,
    )


@payments.command("withdraw-reversal")
def withdraw_reversal(
    *,
    account: AccountArgument,
    number: DocumentNumber,
    on: OneDay = None,
    amount: OneAmount = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that a payment was not taken back after all; it stands as if it never had been."""
    from aggregates.account.payments import WithdrawReversal

    def command(account_id: UUID, money: "Read") -> "Command":
        return WithdrawReversal(account_id=account_id, number=number, reversed_on=on, amount=money(amount))

    _issue(
        command,
        f"Payment {number} stands again.",
        data=data,
        account=account,
        office=office,
        reason=reason,
        as_json=as_json,
    )


@refunds.command("give")
def give(
    *,
    account: AccountArgument,
    amount: Annotated[str, typer.Option("--amount", metavar="AMOUNT", help="In the account's currency.")],
    on: Day,
    payment: Payment = None,
    credit: Credit = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Give money back that is put against nothing, on that day and since: of one payment or credit, else the oldest."""
    from aggregates.account.payments import Refund

    kind, number = _kind_and_number(payment, credit)

    def command(account_id: UUID, money: "Read") -> "Command":
        said = {"account_id": account_id, "amount": money(amount), "refunded_on": on, "kind": kind, "number": number}
        return Refund.model_validate(said)

    _issue(
        command, f"{amount} was given back.", data=data, account=account, office=office, reason=reason, as_json=as_json
    )


@refunds.command("withdraw")
def withdraw_refund(
    *,
    account: AccountArgument,
    payment: Payment = None,
    credit: Credit = None,
    on: OneDay = None,
    amount: OneAmount = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that money was not given back after all."""
    from aggregates.account.payments import WithdrawRefund

    kind, number = _kind_and_number(payment, credit)
    if number is None:
        raise typer.BadParameter("expected one of --payment and --credit")

    def command(account_id: UUID, money: "Read") -> "Command":
        said = {"account_id": account_id, "kind": kind, "number": number, "refunded_on": on, "amount": money(amount)}
        return WithdrawRefund.model_validate(said)

    _issue(command, "It was not given back.", data=data, account=account, office=office, reason=reason, as_json=as_json)


@invoices.command("withdraw")
def withdraw_invoice(
    *,
    account: AccountArgument,
    number: DocumentNumber,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that an invoice never was owed; what paid it pays what else is owed."""
    from aggregates.account.billing import WithdrawInvoice

    def command(account_id: UUID, _: "Read") -> "Command":
        return WithdrawInvoice(account_id=account_id, number=number)

    _issue(
        command,
        f"Invoice {number} is withdrawn.",
        data=data,
        account=account,
        office=office,
        reason=reason,
        as_json=as_json,
    )


@credits_.command("withdraw")
def withdraw_credit(
    *,
    account: AccountArgument,
    number: DocumentNumber,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that a credit was given in error; it never was."""
    from aggregates.account.payments import WithdrawCredit

    def command(account_id: UUID, _: "Read") -> "Command":
        return WithdrawCredit(account_id=account_id, number=number)

    _issue(
        command,
        f"Credit {number} is withdrawn.",
        data=data,
        account=account,
        office=office,
        reason=reason,
        as_json=as_json,
    )


# --- inside ---

Read = Callable[[str | None], "Money | None"]
"""An amount that was typed, in the account's currency."""


def _kind_and_number(payment: str | None, credit: str | None) -> tuple[str, str | None]:
    if payment is not None and credit is not None:
        raise typer.BadParameter("expected at most one of --payment and --credit")
    return ("payment" if credit is None else "credit"), payment or credit


def _issue(
    make: "Callable[[UUID, Read], Command]",
    said: str,
    *,
    data: Path | None,
    account: str,
    office: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    from aggregates.account import Account

    account_id = account_found(data, account, office)
    with commanding(data) as service:
        currency = service.arrears.load(Account, account_id).customer.currency
        command = make(account_id, lambda typed: None if typed is None else read(typed, currency))
        done = issue(service, command, reason=reason)
    say_done(done, changed=said, same="It was so already.", as_json=as_json)

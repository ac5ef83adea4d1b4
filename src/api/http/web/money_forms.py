"""The forms of an account's page about money that goes back, and about what never was."""

from collections.abc import Callable, Mapping

from aggregates.account import Account
from aggregates.account.billing import WithdrawInvoice
from aggregates.account.command import AccountCommand
from aggregates.account.payments import ReceivePaymentAgain, Refund, ReversePayment, WithdrawCredit, WithdrawReversal
from aggregates.account.write_offs import ReverseWriteOff, WriteOffDebt
from api.http.problems import FieldProblem
from api.http.web.forms import amount_of, made

Fields = Mapping[str, str]


def _reverse(account: Account, fields: Fields) -> ReversePayment:
    return made(
        ReversePayment,
        account_id=account.id,
        number=fields.get("number") or None,
        reversal=fields.get("reversal") or None,
        reversed_on=fields.get("day") or None,
        amount=amount_of(fields, account.customer.currency) if fields.get("amount") else None,
        invoice_number=fields.get("invoice") or None,
    )


def _receive_again(account: Account, fields: Fields) -> ReceivePaymentAgain:
    return made(
        ReceivePaymentAgain,
        account_id=account.id,
        number=fields.get("number") or None,
        amount=amount_of(fields, account.customer.currency),
        received_on=fields.get("day") or None,
        invoice_number=fields.get("invoice") or None,
    )


def _refund(account: Account, fields: Fields) -> Refund:
    kind, _, number = fields.get("money", "").partition(" ")
    return made(
        Refund,
        account_id=account.id,
        kind=kind or None,
        number=number or None,
        amount=amount_of(fields, account.customer.currency),
        refunded_on=fields.get("day") or None,
    )


def _withdraw(account: Account, fields: Fields) -> AccountCommand:
    what, _, number = fields.get("document", "").partition(" ")
    if what not in _WITHDRAWALS:
        raise FieldProblem("document", f"expected one of {', '.join(_WITHDRAWALS)} and its number")
    return made(_WITHDRAWALS[what], account_id=account.id, number=number)


_WITHDRAWALS: Mapping[str, type[AccountCommand]] = {
    "invoice": WithdrawInvoice,
    "credit": WithdrawCredit,
    "reversal": WithdrawReversal,
}


def _write_off(account: Account, fields: Fields) -> WriteOffDebt:
    return made(
        WriteOffDebt,
        account_id=account.id,
        code=fields.get("code") or None,
        amount=amount_of(fields, account.customer.currency) if fields.get("amount") else None,
        invoices=tuple(each.strip() for each in fields.get("invoices", "").split(",") if each.strip()),
        keeps_claim=fields.get("claim") != "release",
    )


def _reverse_write_off(account: Account, fields: Fields) -> ReverseWriteOff:
    return made(
        ReverseWriteOff,
        account_id=account.id,
        number=fields.get("number") or None,
        reversed_on=fields.get("day") or None,
    )


MONEY_FORMS: Mapping[str, Callable[[Account, Fields], AccountCommand]] = {
    "reverse": _reverse,
    "receive-again": _receive_again,
    "refund": _refund,
    "withdraw": _withdraw,
    "write-off": _write_off,
    "reverse-write-off": _reverse_write_off,
}
"""By the end of the address that the form is sent to."""

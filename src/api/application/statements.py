"""Papers about an account: a statement of what is owed as of a day, and the copy of an invoice.

Both are read from what is recorded, and nothing is recorded by reading them.
"""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from adapters.postgres.database import Connection
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.receivables import FundsKind, Item, ItemKind, has_name
from aggregates.values.contact import ContactDetails
from aggregates.values.fees import Fee
from aggregates.values.money import Money
from api.application.account_view import (
    AccountRead,
    AccountView,
    BucketAmount,
    ItemView,
    account_view,
    read_account,
    read_whole_account,
)
from api.application.amounts import Amount
from api.processes.service import Service


class UnknownInvoice(LookupError):
    """The account has no invoice of this number."""


# --- shapes ------------------------------------------------------------------------------------------


class Paper(BaseModel):
    """Who sends a paper to whom."""

    office: str
    """The office's code."""
    office_title: str
    office_address: list[str]
    """Its lines; none where the office said nothing of it."""
    account_id: UUID
    account_number: str
    customer_name: str
    customer_number: str
    customer_address: list[str]
    """The lines of the first postal address that is known; none where there is none."""
    language: str
    """The customer's, such as `de-AT`: amounts and days are written so on paper."""
    country: str | None
    currency: str
    as_of: date


class StatementItem(BaseModel):
    """An open invoice, or an instalment of one: `charged` less `paid` and `written_off` is `open`."""

    number: str
    kind: ItemKind
    issued_on: date
    due_on: date
    days_past_due: int
    """Negative before the due date."""
    bucket: str
    charged: Amount
    paid: Amount
    """By payments, credits and whatever else was put against it."""
    written_off: Amount
    open: Amount
    disputed: Amount
    """How much of what is open."""


class UnappliedMoney(BaseModel):
    """A payment or credit of which something is put against nothing."""

    kind: FundsKind
    number: str
    received_on: date
    unapplied: Amount


class AccountStatement(Paper):
    """What an account owed at the end of a day: `open` and `in_dispute` less `unapplied` is `balance`."""

    items: list[StatementItem]
    """Of which nothing is disputed; they add up to `open`."""
    disputed_items: list[StatementItem]
    """Of which all or a part is; they add up to `in_dispute`."""
    unapplied_money: list[UnappliedMoney]
    """Adds up to `unapplied`."""
    aging: list[BucketAmount]
    """Every bucket of the office, youngest first; adds up to `open` and `in_dispute`."""
    open: Amount
    in_dispute: Amount
    """What is open of the disputed items."""
    unapplied: Amount
    balance: Amount
    still_claimed: Amount
    """What is written off of which the claim was kept; it is no part of the balance."""


class InvoicePart(BaseModel):
    """The invoice, or an instalment of it: `charged` less `paid` and `written_off` is `open`."""

    due_on: date
    before_discount: Amount
    charged: Amount
    paid: Amount
    written_off: Amount
    open: Amount


class InvoiceLine(BaseModel):
    """What a fee is taken of, and how much it takes of that."""

    source: str
    """The number of an invoice or a subscription; empty for the account's balance."""
    base: Amount
    amount: Amount


class InvoiceCopy(Paper):
    """An invoice as it is recorded now, and what became of it: `charged` less `paid` and `written_off` is `open`."""

    number: str
    kind: ItemKind
    issued_on: date
    service_type: str | None
    subscription: str | None
    parts: list[InvoicePart]
    """Its instalments by due date; one where it has none."""
    lines: Annotated[list[InvoiceLine], Field(exclude_if=lambda lines: not lines)] = []
    """Of a fee that Arrears added; they add up to `charged`."""
    charged: Amount
    """Nothing where it was withdrawn: it never was owed."""
    paid: Amount
    written_off: Amount
    open: Amount


# --- making them -------------------------------------------------------------------------------------


def read_for_statement(
    service: Service, connection: Connection, account_id: UUID, as_of: date | None = None
) -> AccountRead:
    """An account, as a whole only where something of it is written off: of which invoices, its history says alone.
    Raises what `read_account` does."""
    read = read_account(service, connection, account_id, as_of)
    if not read.account.receivables.write_offs:
        return read
    return read_whole_account(service, connection, account_id, as_of)


def statement_of(read: AccountRead) -> AccountStatement:
    view = account_view(read)
    written_off = _written_off(read, view.currency)
    items = [_item(each, written_off.get(each.id), view.currency) for each in view.open_items]
    undisputed, disputed = [i for i in items if not i.disputed], [i for i in items if i.disputed]
    return AccountStatement(
        **_paper(read, view),
        items=undisputed,
        disputed_items=disputed,
        unapplied_money=[
            UnappliedMoney(kind=f.kind, number=f.number, received_on=f.received_on, unapplied=f.unapplied)
            for f in view.unapplied_funds
        ],
        aging=view.aging,
        open=_total((each.open for each in undisputed), view),
        in_dispute=_total((each.open for each in disputed), view),
        unapplied=view.unapplied,
        balance=view.balance,
        still_claimed=view.written_off or Money.zero(view.currency),
    )


def _written_off(read: AccountRead, currency: str) -> dict[UUID, Money]:
    """By item, what write-offs that stand took of it: nobody paid that."""
    found: dict[UUID, Money] = {}
    receivables = read.account.receivables
    for move in receivables.moves:
        if move.funds_id in receivables.write_offs:
            found[move.item_id] = found.get(move.item_id, Money.zero(currency)) + Money(move.amount, currency)
    return found


def _item(item: ItemView, written_off: Money | None, currency: str) -> StatementItem:
    nobody_paid = min(written_off or Money.zero(currency), item.amount - item.open)
    disputed = item.disputed_amount if item.disputed_amount is not None else item.open
    return StatementItem(
        number=item.number,
        kind=item.kind,
        issued_on=item.issued_on,
        due_on=item.due_on,
        days_past_due=item.days_past_due,
        bucket=item.bucket,
        charged=item.amount,
        paid=item.amount - item.open - nobody_paid,
        written_off=nobody_paid,
        open=item.open,
        disputed=disputed if item.disputed else Money.zero(currency),
    )


def invoice_copy_of(read: AccountRead, number: str) -> InvoiceCopy:
    """Of an invoice's number, with all of its instalments, or `NUMBER/DUE-DAY`, of an account that was read as a whole.
    Raises UnknownInvoice."""
    view = account_view(read)
    billed: dict[UUID, Item] = {}
    fees: dict[UUID, Fee] = {}
    for recorded in read.history:
        if isinstance(recorded.event, InvoiceBilled | InvoiceCorrected):
            billed[recorded.event.item.id] = recorded.event.item
        if isinstance(recorded.event, InvoiceBilled) and recorded.event.fee is not None:
            fees[recorded.event.item.id] = recorded.event.fee
    found = sorted((each for each in billed.values() if has_name(each, number)), key=lambda item: item.due_on)
    if not found:
        raise UnknownInvoice(f"the account has no invoice {number}")
    still_open = {each.id: each.open for each in view.open_items}
    zero, written_off = Money.zero(view.currency), _written_off(read, view.currency)
    parts = [
        InvoicePart(
            due_on=each.due_on,
            before_discount=each.charges,
            charged=each.amount,
            paid=each.amount - still_open.get(each.id, zero) - written_off.get(each.id, zero),
            written_off=written_off.get(each.id, zero),
            open=still_open.get(each.id, zero),
        )
        for each in found
    ]
    charged = _total((each.charged for each in parts), view)
    lines = [
        InvoiceLine(source=line.source, base=line.base, amount=line.amount)
        for each in found
        if each.id in fees
        for line in fees[each.id].lines
    ]
    first = found[0]
    return InvoiceCopy(
        **_paper(read, view),
        number=first.number,
        kind=first.kind,
        issued_on=first.issued_on,
        service_type=first.service_type,
        subscription=first.subscription,
        parts=parts,
        lines=lines if _total((each.amount for each in lines), view) == charged else [],
        charged=charged,
        paid=_total((each.paid for each in parts), view),
        written_off=_total((each.written_off for each in parts), view),
        open=_total((each.open for each in parts), view),
    )


def _total(amounts: Iterable[Money], view: AccountView) -> Money:
    return Money.total(amounts, view.currency)


def _paper(read: AccountRead, view: AccountView) -> dict[str, Any]:
    return {
        "office": read.office.code,
        "office_title": read.office.title,
        "office_address": [*read.office.address],
        "account_id": view.id,
        "account_number": view.number,
        "customer_name": view.customer_name,
        "customer_number": read.customer.customer.customer_number,
        "customer_address": _address(view.contact),
        "language": view.contact.language,
        "country": view.country,
        "currency": view.currency,
        "as_of": view.as_of,
    }


def _address(contact: ContactDetails) -> list[str]:
    known = (contact.address_of(each.id) for each in contact.addresses)
    return next((lines.splitlines() for lines in known if lines), [])

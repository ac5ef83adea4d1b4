"""What money was put against, and what would be moved if it were worked out anew."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account import Account
from aggregates.values.money import Money
from api.application.amounts import Amount
from api.processes.service import Service


class Moved(BaseModel):
    """An amount that would be put against an invoice as of a day, or (negative) would not have been."""

    day: date
    money: str
    """Number of the payment or credit."""
    invoice: str
    due_on: date
    amount: Amount


def restatement(service: Service, account_id: UUID) -> list[Moved]:
    """What `restate-allocation` would move on the account; nothing where it is as the rules of now say.

    Raises AggregateNotFoundError where there is no such account.
    """
    history = service.arrears.history(Account, account_id)
    if not history:
        raise AggregateNotFoundError(account_id)
    account = Account.blank(account_id, whole=True)
    account.fold(history)
    receivables = account.receivables
    found = []
    for move in account.allocation.restated():
        funds = receivables.funds.get(move.funds_id) or receivables.used_up[move.funds_id]
        item = receivables.items.get(move.item_id) or receivables.settled[move.item_id]
        amount = Money(move.amount, account.customer.currency)
        moved = Moved(
            day=move.day,
            money=funds.receipt.number,
            invoice=item.item.number,
            due_on=item.due_on,
            amount=amount,
        )
        found.append(moved)
    return found

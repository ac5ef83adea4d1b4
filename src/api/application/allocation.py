"""What money was put against, and what would be moved if it were worked out anew."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from aggregates.account import Account
from aggregates.values.money import Money
from api.processes.service import Service


@dataclass(frozen=True, slots=True)
class Moved:
    """An amount that would be put against an invoice as of a day, or (negative) would not have been."""

    day: date
    money: str
    """Number of the payment or credit."""
    invoice: str
    amount: Money


def restatement(service: Service, account_id: UUID) -> list[Moved]:
    """What `restate-allocation` would move on the account; nothing where it is as the rules of now say."""
    account = Account.blank(account_id, whole=True)
    account.fold(service.arrears.history(Account, account_id))
    receivables = account.receivables
    found = []
    for move in account.allocation.restated():
        funds = receivables.funds.get(move.funds_id) or receivables.used_up[move.funds_id]
        item = receivables.items.get(move.item_id) or receivables.settled[move.item_id]
        amount = Money(move.amount, account.customer.currency)
        found.append(Moved(move.day, funds.receipt.number, item.item.number, amount))
    return found

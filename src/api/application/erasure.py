"""Erasing a person: on all the accounts that they have."""

from uuid import UUID

from adapters.eventstore.application import AggregateNotFoundError, Arrears
from aggregates.account import Account


def erase_person(arrears: Arrears, account_id: UUID) -> None:
    """Destroys the keys of this account and of all others that its customer has."""
    try:
        others = arrears.load(Account, account_id).customer.accounts
    except AggregateNotFoundError:
        others = {}
    for each in (account_id, *others):
        arrears.keys.destroy(each)
